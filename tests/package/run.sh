#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/package/run.sh [--all] BUILD_DIR
#
# Installs northwind from BUILD_DIR into a temporary prefix, moves that prefix elsewhere, and uses it from there: with
# find_package, and with pkg-config; builds and runs examples/embed.cc each time. With --all also: the same with a shared
# library, and northwind as a subdirectory of another project (both build the library again).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
all=false
if [[ ${1:-} == --all ]]; then
  all=true
  shift
fi
build=${1:?usage: run.sh [--all] BUILD_DIR}
embed=$root/examples/embed.cc
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export CMAKE_GENERATOR=Ninja CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-2}
cxx=${CXX:-c++}

say() { printf -- '-- %s\n' "$*"; }
die() { printf 'package: %s\n' "$*" >&2; exit 1; }
quietly() {
  "$@" >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; die "failed: $*"; }
}
# fails_with TEXT COMMAND...: the command must fail and say so.
fails_with() {
  local text=$1
  shift
  if "$@" >"$tmp/log" 2>&1; then die "should have failed: $*"; fi
  tr -s ' \n' ' ' <"$tmp/log" | grep -qF -- "$text" || { cat "$tmp/log" >&2; die "failed without saying '$text': $*"; }
}
run_embed() {  # in a directory of its own, as it writes a ledger where it stands
  mkdir -p "$tmp/run"
  (cd "$tmp/run" && quietly "$@")
  rm -rf "$tmp/run"
}

use_installed() {  # use_installed BUILD_DIR NAME
  local prefix=$tmp/$2/moved libdir
  quietly cmake --install "$1" --prefix "$tmp/$2/first"
  mv "$tmp/$2/first" "$prefix"
  libdir=$(dirname "$(find "$prefix" -name 'libnorthwind.*' -print -quit)")

  say "$2: find_package"
  local configure=(cmake -S "$root/tests/package" "-DCMAKE_PREFIX_PATH=$prefix" "-DEMBED=$embed")
  quietly "${configure[@]}" -B "$tmp/$2/cmake"
  quietly cmake --build "$tmp/$2/cmake"
  run_embed "$tmp/$2/cmake/embed"
  fails_with "without a component 'no_such_component'" \
    "${configure[@]}" -B "$tmp/$2/component" -DCOMPONENTS=no_such_component

  say "$2: pkg-config"
  local flags libs
  export PKG_CONFIG_PATH=$libdir/pkgconfig
  flags=$(pkg-config --cflags northwind)
  libs=$(pkg-config --libs northwind)
  # shellcheck disable=SC2086
  quietly $cxx -std=c++20 $flags "$embed" -o "$tmp/$2/embed" $libs
  LD_LIBRARY_PATH=$libdir run_embed "$tmp/$2/embed"

  say "$2: every public header stands alone, without a warning in a strict build"
  local header
  for header in "$prefix"/include/northwind/*.h; do
    # shellcheck disable=SC2086
    quietly $cxx -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Werror $flags -x c++ \
      - <<<"#include \"northwind/${header##*/}\""
  done
}

[[ -f $embed ]] || die "no $embed"
use_installed "$build" built
if $all; then
  # These builds are about linking, and optimising takes most of the time. Their objects are to be the same but for where
  # they lie, so that ccache compiles them once.
  quick=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DCMAKE_POSITION_INDEPENDENT_CODE=ON)
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  say "shared: build"
  quietly cmake -S "$root" -B "$tmp/shared-build" -DBUILD_SHARED_LIBS=ON \
    -DNORTHWIND_BUILD_TESTS=OFF -DNORTHWIND_BUILD_EXAMPLES=OFF "${quick[@]}"
  quietly cmake --build "$tmp/shared-build"
  use_installed "$tmp/shared-build" shared

  say "add_subdirectory"
  quietly cmake -S "$root/tests/package" -B "$tmp/subdirectory" "-DNORTHWIND_SOURCE_DIR=$root" \
    "-DEMBED=$embed" "${quick[@]}"
  quietly cmake --build "$tmp/subdirectory"
  run_embed "$tmp/subdirectory/embed"
fi
say "the package works"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/package/run.sh [--all] BUILD_DIR
#
# Installs northwind from BUILD_DIR into a temporary prefix, moves that prefix elsewhere, and uses it from there: with
# find_package, and with pkg-config; builds and runs examples/embed.cc and, of the component webhook, examples/notify.cc
# each time. With --all also: the same with shared libraries, and northwind as a subdirectory of another project (both
# build the libraries again).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
all=false
if [[ ${1:-} == --all ]]; then
  all=true
  shift
fi
build=${1:?usage: run.sh [--all] BUILD_DIR}
examples=$root/examples
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
run_notify() { quietly "${PYTHON:-python3}" "$root/tests/webhook/notify_test.py" "$1"; }
has_http() { grep -qE '^NORTHWIND_BUILD_HTTP:BOOL=(ON|TRUE|YES|1)$' "$1/CMakeCache.txt"; }

use_installed() {  # use_installed BUILD_DIR NAME [shared]
  local prefix=$tmp/$2/moved libdir
  quietly cmake --install "$1" --prefix "$tmp/$2/first"
  mv "$tmp/$2/first" "$prefix"
  libdir=$(dirname "$(find "$prefix" -name 'libnorthwind.*' -print -quit)")
  local configure=(cmake -S "$root/tests/package" "-DCMAKE_PREFIX_PATH=$prefix" "-DEXAMPLES=$examples")
  local no_curl=-DCMAKE_DISABLE_FIND_PACKAGE_CURL=ON

  say "$2: find_package"
  fails_with "without a component 'no_such_component'" \
    "${configure[@]}" -B "$tmp/$2/component" -DCOMPONENTS=no_such_component
  if has_http "$1"; then
    quietly "${configure[@]}" -B "$tmp/$2/cmake" -DCOMPONENTS=webhook -DABSENT=no_such_component
    quietly cmake --build "$tmp/$2/cmake"
    run_notify "$tmp/$2/cmake/notify"
    # The core alone needs no libcurl, nor is it linked.
    if ldd "$tmp/$2/cmake/embed" | grep libcurl; then die "the core links libcurl"; fi
    if [[ ${3:-} != shared ]]; then
      quietly "${configure[@]}" -B "$tmp/$2/core" "$no_curl" "-DABSENT=no_such_component;webhook"
      fails_with "needs libcurl 7.85 or newer (CURL) for its component 'webhook'" \
        "${configure[@]}" -B "$tmp/$2/no_curl" "$no_curl" -DCOMPONENTS=webhook
    fi
  else
    quietly "${configure[@]}" -B "$tmp/$2/cmake" "-DABSENT=no_such_component;webhook"
    quietly cmake --build "$tmp/$2/cmake"
  fi
  run_embed "$tmp/$2/cmake/embed"

  say "$2: pkg-config"
  export PKG_CONFIG_PATH=$libdir/pkgconfig
  with_pkg_config northwind "$2" embed
  LD_LIBRARY_PATH=$libdir run_embed "$tmp/$2/embed"
  if has_http "$1"; then
    with_pkg_config northwind-webhook "$2" notify
    LD_LIBRARY_PATH=$libdir run_notify "$tmp/$2/notify"
    # The core alone: as before, where there is a libcurl that is of no use.
    local no_use=$tmp/$2/libcurl_of_no_use
    mkdir "$no_use"
    printf '%s\n' 'Name: libcurl' 'Description: none' 'Version: 8' 'Requires: no_such_package' >"$no_use/libcurl.pc"
    PKG_CONFIG_PATH=$no_use:$PKG_CONFIG_PATH quietly pkg-config --cflags --libs northwind
    PKG_CONFIG_PATH=$no_use:$PKG_CONFIG_PATH fails_with no_such_package pkg-config --cflags --libs northwind-webhook
  fi

  say "$2: every public header stands alone, without a warning in a strict build"
  local header core flags
  core=$(pkg-config --cflags northwind)
  for header in "$prefix"/include/northwind/*.h; do
    flags=$core
    if [[ ${header##*/} == webhook.h ]]; then flags=$(pkg-config --cflags northwind-webhook); fi
    # shellcheck disable=SC2086
    quietly $cxx -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Werror $flags -x c++ \
      - <<<"#include \"northwind/${header##*/}\""
  done
}

with_pkg_config() {  # with_pkg_config PACKAGE NAME EXAMPLE
  local flags libs
  flags=$(pkg-config --cflags "$1")
  libs=$(pkg-config --libs "$1")
  # shellcheck disable=SC2086
  quietly $cxx -std=c++20 $flags "$examples/$3.cc" -o "$tmp/$2/$3" $libs
}

# Nothing of webhooks is installed by a build without HTTP, whose libraries are not built for that.
use_without_http() {
  say "without HTTP: no component 'webhook'"
  quietly cmake -S "$root" -B "$tmp/without/build" -DNORTHWIND_BUILD_HTTP=OFF -DNORTHWIND_BUILD_TESTS=OFF \
    -DNORTHWIND_BUILD_EXAMPLES=OFF
  mkdir -p "$tmp/without/build/src"
  : >"$tmp/without/build/src/libnorthwind.a"
  quietly cmake --install "$tmp/without/build" --prefix "$tmp/without/prefix"
  if find "$tmp/without/prefix" -name '*webhook*' | grep .; then die "installed without NORTHWIND_BUILD_HTTP"; fi
  fails_with "was installed without a component 'webhook'" cmake -S "$root/tests/package" -B "$tmp/without/cmake" \
    "-DCMAKE_PREFIX_PATH=$tmp/without/prefix" "-DEXAMPLES=$examples" -DCOMPONENTS=webhook
}

use_installed "$build" built
use_without_http
if $all; then
  # These builds are about linking, and optimising takes most of the time. Their objects are to be the same but for where
  # they lie, so that ccache compiles them once.
  quick=(-DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DCMAKE_POSITION_INDEPENDENT_CODE=ON)
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  say "shared: build"
  quietly cmake -S "$root" -B "$tmp/shared-build" -DBUILD_SHARED_LIBS=ON \
    -DNORTHWIND_BUILD_TESTS=OFF -DNORTHWIND_BUILD_EXAMPLES=OFF "${quick[@]}"
  quietly cmake --build "$tmp/shared-build"
  use_installed "$tmp/shared-build" shared shared

  say "add_subdirectory"
  quietly cmake -S "$root/tests/package" -B "$tmp/subdirectory" "-DNORTHWIND_SOURCE_DIR=$root" \
    "-DEXAMPLES=$examples" -DCOMPONENTS=webhook "${quick[@]}"
  quietly cmake --build "$tmp/subdirectory"
  run_notify "$tmp/subdirectory/notify"
  run_embed "$tmp/subdirectory/embed"
fi
say "the package works"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/package/run.sh [--all] BUILD_DIR
#
# Installs northwind from BUILD_DIR into a temporary prefix, moves that prefix elsewhere, and uses it from there: with
# find_package, and with pkg-config; builds and runs examples/embed.cc and a program of each component that was built, such as
# examples/notify.cc of webhook, each time. With --all also: northwind as a subdirectory of another project, which makes
# shared libraries of it, and the same with those installed (this builds the libraries again).
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
run_program() {  # in a directory of its own, as it writes a ledger where it stands
  mkdir -p "$tmp/run"
  (cd "$tmp/run" && quietly "$@")
  rm -rf "$tmp/run"
}
run_notify() { quietly "${PYTHON:-python3}" "$root/tests/webhook/notify_test.py" "$1"; }
run_all() {  # run_all DIRECTORY PROGRAM...
  local directory=$1 program
  shift
  for program in "$@"; do
    if [[ $program == notify ]]; then run_notify "$directory/$program"; else run_program "$directory/$program"; fi
  done
}
# The components that were built.
components_of() {
  local component
  for component in postgres sqs webhook; do
    if [[ -e $1${install_of:-}/src/$component/cmake_install.cmake ]]; then printf '%s\n' "$component"; fi
  done
}
# What uses a component, and where that is.
program_of() { if [[ $1 == webhook ]]; then printf 'notify\n'; else printf 'use_%s\n' "$1"; fi; }
source_of() {
  if [[ -e $examples/$1.cc ]]; then printf '%s\n' "$examples/$1.cc"; else printf '%s\n' "$root/tests/package/$1.cc"; fi
}
list() { local IFS=';'; printf '%s' "$*"; }

use_installed() {  # use_installed BUILD_DIR NAME [shared]
  local prefix=$tmp/$2/moved libdir component components programs=(embed)
  mapfile -t components < <(components_of "$1")
  for component in "${components[@]}"; do programs+=("$(program_of "$component")"); done
  quietly cmake --install "$1${install_of:-}" --prefix "$tmp/$2/first"
  mv "$tmp/$2/first" "$prefix"
  libdir=$(dirname "$(find "$prefix" -name 'libnorthwind.*' -print -quit)")
  local configure=(cmake -S "$root/tests/package" "-DCMAKE_PREFIX_PATH=$prefix" "-DEXAMPLES=$examples")

  say "$2: find_package"
  fails_with "without a component 'no_such_component'" \
    "${configure[@]}" -B "$tmp/$2/component" -DCOMPONENTS=no_such_component
  quietly "${configure[@]}" -B "$tmp/$2/cmake" "-DCOMPONENTS=$(list "${components[@]}")" -DABSENT=no_such_component
  quietly cmake --build "$tmp/$2/cmake"
  run_all "$tmp/$2/cmake" "${programs[@]}"
  # The core alone needs nothing of the adapters, nor is it linked.
  if ldd "$tmp/$2/cmake/embed" | grep -E 'libcurl|libpq|libexpat'; then die "the core links what only an adapter needs"; fi
  if [[ ${3:-} != shared && ${#components[@]} == 3 ]]; then
    local no_curl=-DCMAKE_DISABLE_FIND_PACKAGE_CURL=ON no_libpq=-DCMAKE_DISABLE_FIND_PACKAGE_PostgreSQL=ON
    quietly "${configure[@]}" -B "$tmp/$2/core" "$no_curl" "$no_libpq" \
      "-DABSENT=no_such_component;postgres;sqs;webhook"
    for component in sqs webhook; do
      fails_with "needs libcurl 7.85 or newer (CURL) for its component '$component'" \
        "${configure[@]}" -B "$tmp/$2/no_curl" "$no_curl" "-DCOMPONENTS=$component"
    done
    fails_with "needs libpq 14 or newer (PostgreSQL) for its component 'postgres'" \
      "${configure[@]}" -B "$tmp/$2/no_libpq" "$no_libpq" -DCOMPONENTS=postgres
  fi

  say "$2: pkg-config"
  export PKG_CONFIG_PATH=$libdir/pkgconfig
  with_pkg_config northwind "$2" embed
  for component in "${components[@]}"; do
    with_pkg_config "northwind-$component" "$2" "$(program_of "$component")"
  done
  LD_LIBRARY_PATH=$libdir run_all "$tmp/$2" "${programs[@]}"
  # The core alone: as before, where there is a libcurl and a libpq that are of no use.
  local no_use=$tmp/$2/of_no_use library
  mkdir "$no_use"
  for library in libcurl libpq; do
    printf '%s\n' "Name: $library" 'Description: none' 'Version: 99' 'Requires: no_such_package' >"$no_use/$library.pc"
  done
  PKG_CONFIG_PATH=$no_use:$PKG_CONFIG_PATH quietly pkg-config --cflags --libs northwind
  for component in "${components[@]}"; do
    PKG_CONFIG_PATH=$no_use:$PKG_CONFIG_PATH fails_with no_such_package pkg-config --cflags --libs "northwind-$component"
  done

  say "$2: every public header stands alone, without a warning in a strict build"
  local header core flags
  core=$(pkg-config --cflags northwind)
  for header in "$prefix"/include/northwind/*.h; do
    flags=$core
    component=$(basename "$header" .h)
    if [[ " ${components[*]} " == *" $component "* ]]; then flags=$(pkg-config --cflags "northwind-$component"); fi
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
  quietly $cxx -std=c++20 $flags "$(source_of "$3")" -o "$tmp/$2/$3" $libs
}

# Nothing of the adapters is installed by a build without them, whose libraries are not built for that.
use_without_adapters() {
  say "without adapters: no components"
  quietly cmake -S "$root" -B "$tmp/without/build" -DNORTHWIND_BUILD_HTTP=OFF -DNORTHWIND_BUILD_POSTGRES=OFF \
    -DNORTHWIND_BUILD_TESTS=OFF -DNORTHWIND_BUILD_EXAMPLES=OFF
  mkdir -p "$tmp/without/build/src"
  : >"$tmp/without/build/src/libnorthwind.a"
  quietly cmake --install "$tmp/without/build" --prefix "$tmp/without/prefix"
  local component
  for component in postgres sqs webhook; do
    if find "$tmp/without/prefix" -name "*$component*" | grep .; then die "installed though it was not built"; fi
    fails_with "was installed without a component '$component'" cmake -S "$root/tests/package" \
      -B "$tmp/without/$component" "-DCMAKE_PREFIX_PATH=$tmp/without/prefix" "-DEXAMPLES=$examples" \
      "-DCOMPONENTS=$component"
  done
}

use_installed "$build" built
use_without_adapters
if $all; then
  # This build is about linking, and optimising takes most of the time.
  say "add_subdirectory, as shared libraries: build"
  quietly cmake -S "$root/tests/package" -B "$tmp/subdirectory" "-DNORTHWIND_SOURCE_DIR=$root" \
    "-DEXAMPLES=$examples" "-DCOMPONENTS=postgres;sqs;webhook" -DNORTHWIND_INSTALL=ON -DBUILD_SHARED_LIBS=ON \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DNORTHWIND_PRECOMPILE=ON
  quietly cmake --build "$tmp/subdirectory"
  run_all "$tmp/subdirectory" embed notify use_postgres use_sqs
  install_of=/northwind use_installed "$tmp/subdirectory" shared shared
fi
say "the package works"

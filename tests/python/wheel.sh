#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/python/wheel.sh [--all]
#
# Makes a wheel, installs it into an empty virtual environment, and runs the tutorial there; and a source distribution, which must have all that
# CMake asks for. Needs scripts/bootstrap, and no network. The library and the module are those of build/release, if that was built before; with
# --all all of it is compiled, and of the source distribution (minutes).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
python=$root/.venv/bin/python
out=build/wheel
all=false
if [[ ${1:-} == --all ]]; then all=true; fi
rm -rf "$out/dist" "$out/source" "$out/venv" "$out/configured"
mkdir -p "$out/dist" "$out/source"

"$python" -c 'import sys, scikit_build_core.build as build; build.build_sdist(sys.argv[1])' "$out/dist"
# Always in the same place: a compiler cache goes by paths.
tar -xzf "$out"/dist/northwind-*.tar.gz -C "$out/source" --strip-components 1
wheel=("$python" -m pip wheel --no-build-isolation --no-deps --no-index --disable-pip-version-check -w "$out/dist")
if $all; then
  "${wheel[@]}" "$out/source"
else
  cmake -S "$out/source" -B "$out/configured" -G Ninja -DNORTHWIND_BUILD_PYTHON=ON -DNORTHWIND_BUILD_TESTS=OFF -DNORTHWIND_BUILD_EXAMPLES=OFF \
    -DNORTHWIND_BUILD_SERVER=OFF -DNORTHWIND_INSTALL=OFF
  settings=()
  # What `pip install .` switches off stays as it is there: else all of it would be compiled again afterwards.
  for part in TESTS EXAMPLES SERVER; do settings+=(--config-settings "cmake.define.NORTHWIND_BUILD_$part=ON"); done
  "${wheel[@]}" . --config-settings build-dir=build/release --config-settings build.targets=_northwind \
    --config-settings cmake.define.NORTHWIND_INSTALL=ON "${settings[@]}"
fi

/usr/bin/python3 -m venv "$out/venv"
"$out/venv/bin/python" -m pip install --no-deps --no-index --disable-pip-version-check "$out"/dist/northwind-*.whl
# pytest and numpy are those of .venv, in which no northwind is.
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
version=$(sed -n 's/^project(northwind VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
cd tests/python
PYTHONPATH=$packages "$root/$out/venv/bin/python" - "$version" "$root/$out/venv" <<'END'
import sys, northwind
assert northwind.__version__ == sys.argv[1], northwind.__version__
assert northwind.__file__.startswith(sys.argv[2]), northwind.__file__
END
[[ $("$root/$out/venv/bin/northwind" --version) == "northwind $version" ]]
PYTHONPATH=$packages "$root/$out/venv/bin/python" -m pytest tutorial_test.py stub_test.py

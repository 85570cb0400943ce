#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/python/wheel.sh [--all [PYTHON...]]
#
# Makes a wheel, installs it into an empty virtual environment, and runs the tutorial there; and a source distribution, which must have all that
# CMake asks for. Needs scripts/bootstrap, and no network. The library and the module are those of build/release, if that was built before.
#
# With --all everything is compiled, of the source distribution, and installed in each way that people install it (many minutes, and PyPI): as a
# wheel; editable; and by a plain `pip install`, which fetches what it builds with (the newest pybind11), for the distribution's Python
# and each PYTHON that is given (a command or path).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
python=$root/.venv/bin/python
out=$root/build/wheel
all=false
others=()
if [[ ${1:-} == --all ]]; then all=true && shift && others=(/usr/bin/python3 "$@"); fi
rm -rf "$out/dist" "$out/source" "$out/venv" "$out/configured" "$out/editable" "$out"/plain*
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

# pytest, numpy and mypy are those of .venv, in which no northwind is.
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
version=$(sed -n 's/^project(northwind VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)

# check VENV PLACE TEST...: what is installed there is whole, and lies in PLACE. Run where no northwind is to be found otherwise.
check() {
  local venv=$1 place=$2
  shift 2
  "$venv/bin/python" - "$version" "$place" <<'END'
import importlib.resources, sys
import northwind, northwind._northwind
assert northwind.__version__ == sys.argv[1], northwind.__version__
assert northwind.__file__.startswith(sys.argv[2] + "/"), northwind.__file__
for name in ("py.typed", "_northwind.pyi", "cli/commands/settle.py"):
    assert importlib.resources.files("northwind").joinpath(name).is_file(), name
END
  [[ $("$venv/bin/northwind" --version) == "northwind $version" ]]
  [[ $("$venv/bin/python" -m northwind --version) == "northwind $version" ]]
  "$venv/bin/python" -m pytest "$@"
}

/usr/bin/python3 -m venv "$out/venv"
"$out/venv/bin/python" -m pip install --no-deps --no-index --disable-pip-version-check "$out"/dist/northwind-*.whl
cd tests/python
PYTHONPATH=$packages check "$out/venv" "$out/venv" tutorial_test.py stub_test.py
if ! $all; then exit; fi

/usr/bin/python3 -m venv "$out/editable"
PYTHONPATH=$packages "$out/editable/bin/python" -m pip install --no-build-isolation --no-deps --no-index --disable-pip-version-check -e "$out/source"
PYTHONPATH=$packages check "$out/editable" "$out/source/bindings/python/northwind" tutorial_test.py stub_test.py

for other in "${others[@]}"; do
  venv=$out/plain$("$other" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$other" -m venv "$venv"
  "$venv/bin/python" -m pip install --disable-pip-version-check "$out/source"
  "$venv/bin/python" -m pip install --disable-pip-version-check -c "$root/tests/requirements.txt" numpy pytest mypy
  check "$venv" "$venv" tutorial_test.py stub_test.py ledger_test.py arrays_test.py closing_test.py
done

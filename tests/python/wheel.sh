#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/python/wheel.sh: makes a source distribution, a wheel out of that, installs it into an empty virtual environment, and runs the
# tutorial there. Needs scripts/bootstrap, and no network. Leaves build/wheel behind, so that the next run compiles little (with ccache).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
python=$root/.venv/bin/python
out=build/wheel
rm -rf "$out/dist" "$out/source" "$out/venv"
mkdir -p "$out/dist" "$out/source"

"$python" -c 'import sys, scikit_build_core.build as build; build.build_sdist(sys.argv[1])' "$out/dist"
# Always in the same place: a compiler cache goes by paths.
tar -xzf "$out"/dist/northwind-*.tar.gz -C "$out/source" --strip-components 1
"$python" -m pip wheel "$out/source" --no-build-isolation --no-deps --no-index --disable-pip-version-check -w "$out/dist"

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
PYTHONPATH=$packages "$root/$out/venv/bin/python" -m pytest tutorial_test.py stub_test.py

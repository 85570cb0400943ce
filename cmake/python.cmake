# SPDX-License-Identifier: Apache-2.0
# NORTHWIND_PYTHON, the interpreter for tests, which use its standard library only. The distribution's own is taken
# before another one that may come first on PATH, as that one may be a shim or lack modules.
find_program(NORTHWIND_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(NORTHWIND_PYTHON python3 REQUIRED)

# NORTHWIND_VENV_PYTHON, for tests that need packages of tests/requirements.txt: scripts/bootstrap makes it. Without it
# those tests fail, rather than be left out in silence.
set(NORTHWIND_VENV_PYTHON ${PROJECT_SOURCE_DIR}/.venv/bin/python)

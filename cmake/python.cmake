# SPDX-License-Identifier: Apache-2.0
# NORTHWIND_PYTHON, the interpreter for tests, which use its standard library only. The distribution's own is taken
# before another one that may come first on PATH, as that one may be a shim or lack modules.
find_program(NORTHWIND_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(NORTHWIND_PYTHON python3 REQUIRED)

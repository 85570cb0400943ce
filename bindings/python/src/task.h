// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BINDINGS_PYTHON_TASK_H_
#define NORTHWIND_BINDINGS_PYTHON_TASK_H_

#include <pybind11/pybind11.h>

#include "northwind/scheduler.h"

namespace northwind::python {

namespace py = pybind11;

// From a ClaimedTask or a TaskHandle.
TaskHandle HandleOf(const py::object& task);

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_TASK_H_

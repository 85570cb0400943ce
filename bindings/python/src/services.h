// SPDX-License-Identifier: Apache-2.0
//
// What stands on a service outside: a queue of SQS, a database of PostgreSQL.
#ifndef NORTHWIND_BINDINGS_PYTHON_SERVICES_H_
#define NORTHWIND_BINDINGS_PYTHON_SERVICES_H_

#include <pybind11/pybind11.h>

#include "bindings/python/src/casters.h"
#include "northwind/postgres.h"
#include "northwind/sqs.h"

namespace northwind::python {

void BindSqs(py::module_& m);
void BindMirror(py::module_& m);

}  // namespace northwind::python

namespace pybind11::detail {

NW_PYTHON_ENUM(northwind::SqsPoison, "SqsPoison");
NW_PYTHON_ENUM(northwind::SqsBody, "SqsBody");
NW_PYTHON_ENUM(northwind::SqsState, "SqsState");
NW_PYTHON_ENUM(northwind::MirrorState, "MirrorState");

}  // namespace pybind11::detail

#endif  // NORTHWIND_BINDINGS_PYTHON_SERVICES_H_

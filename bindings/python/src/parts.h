// SPDX-License-Identifier: Apache-2.0
//
// What module.cc puts together: one function for each class, in order of dependency.
#ifndef NORTHWIND_BINDINGS_PYTHON_PARTS_H_
#define NORTHWIND_BINDINGS_PYTHON_PARTS_H_

#include <pybind11/pybind11.h>

namespace northwind::python {

namespace py = pybind11;

void LoadEnums();
void LoadTimes();
void LoadHandles(py::module_& m);

void BindArrays(py::module_& m);
void BindPages(py::module_& m);
void BindKeys(py::module_& m);
void BindAmounts(py::module_& m);
void BindStore(py::module_& m);
void BindAccount(py::module_& m);
void BindTransaction(py::module_& m);
void BindCommitResult(py::module_& m);
void BindJournal(py::module_& m);
void BindEntry(py::module_& m);
void BindTransactionView(py::module_& m);
void BindLedgerReports(py::module_& m);
void BindLedger(py::module_& m);
void BindPolicy(py::module_& m);
void BindTask(py::module_& m);
void BindScheduler(py::module_& m);
void BindEvent(py::module_& m);
void BindIntake(py::module_& m);
void BindRail(py::module_& m);
void BindPayouts(py::module_& m);
void BindEndpoint(py::module_& m);
void BindDelivery(py::module_& m);
void BindWebhooks(py::module_& m);

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_PARTS_H_

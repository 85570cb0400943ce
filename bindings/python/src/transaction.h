// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BINDINGS_PYTHON_TRANSACTION_H_
#define NORTHWIND_BINDINGS_PYTHON_TRANSACTION_H_

#include <pybind11/pybind11.h>

#include <vector>

#include "northwind/transaction.h"

namespace northwind::python {

namespace py = pybind11;

// From an int or an Account.
AccountId AccountIdOf(py::handle object);
py::tuple PostingsOf(const Postings& postings);
// From any iterable of Transactions.
std::vector<Transaction> TransactionsOf(const py::iterable& objects);
// From a mapping of keys to bytes, or None.
std::vector<HostRecord> HostRecordsOf(const py::object& records);

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_TRANSACTION_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BINDINGS_PYTHON_JOURNAL_H_
#define NORTHWIND_BINDINGS_PYTHON_JOURNAL_H_

#include <pybind11/pybind11.h>

#include "northwind/journal.h"

namespace northwind::python {

namespace py = pybind11;

// A record of one kind: in Python each kind is a class.
template <typename Body>
struct RecordOf {
  Sequence sequence;
  absl::Time recorded_at;
  Body body;
};

py::object ObjectOf(JournalRecord record);

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_JOURNAL_H_

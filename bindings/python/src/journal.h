// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BINDINGS_PYTHON_JOURNAL_H_
#define NORTHWIND_BINDINGS_PYTHON_JOURNAL_H_

#include <pybind11/pybind11.h>

#include <cstdint>

#include "northwind/journal.h"

namespace northwind::python {

namespace py = pybind11;

// The kinds of records, as docs/format.md numbers them.
enum class RecordType : uint8_t { kAccountOpened = 1, kAccountChanged = 2, kTransaction = 3, kHoldExpired = 4 };

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

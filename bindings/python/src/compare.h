// SPDX-License-Identifier: Apache-2.0
//
// The parallel run, and the rows of the batch system that it reads.
#ifndef NORTHWIND_BINDINGS_PYTHON_COMPARE_H_
#define NORTHWIND_BINDINGS_PYTHON_COMPARE_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "bindings/python/src/casters.h"
#include "bindings/python/src/handle.h"
#include "bindings/python/src/ledger.h"
#include "northwind/compare.h"

namespace northwind::python {

class PyParallelRun final : public Closable {
 public:
  // `is_ours` is a function of Python, what northwind_pays made, or None.
  static std::shared_ptr<PyParallelRun> Open(const std::shared_ptr<PyLedger>& ledger, ParallelRunOptions options,
                                             const py::object& is_ours, const py::object& clock);
  std::shared_ptr<ParallelRun> Get() const { return handle_.Get(); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override;

  // Of the ledger; for use while a call holds what Get gives.
  const Ledger& ledger() const { return *ledger_; }

 private:
  Handle<ParallelRun> handle_{"parallel run"};
  Ledger* ledger_ = nullptr;
};

void BindLegacy(py::module_& m);
void BindFigures(py::module_& m);
void BindParallelRun(py::module_& m);

}  // namespace northwind::python

namespace pybind11::detail {

NW_PYTHON_ENUM(northwind::Leg, "Leg");
NW_PYTHON_ENUM(northwind::LegStatus, "LegStatus");
NW_PYTHON_ENUM(northwind::LegacyFileFormat, "LegacyFileFormat");
NW_PYTHON_ENUM(northwind::DiscrepancyClass, "DiscrepancyClass");
NW_PYTHON_ENUM(northwind::DiscrepancyState, "DiscrepancyState");
NW_PYTHON_ENUM(northwind::DayState, "DayState");

}  // namespace pybind11::detail

#endif  // NORTHWIND_BINDINGS_PYTHON_COMPARE_H_

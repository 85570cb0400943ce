// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BINDINGS_PYTHON_RAIL_H_
#define NORTHWIND_BINDINGS_PYTHON_RAIL_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

#include "bindings/python/src/handle.h"
#include "northwind/payout.h"

namespace northwind::python {

namespace py = pybind11;

// A rail that is an object of Python with submit and query. What raises, or answers what is no answer, is reported as an unraisable
// exception and taken for UNKNOWN: money never moves on suspicion.
class PyRail final : public PayoutRail {
 public:
  // TypeError if it lacks a method.
  explicit PyRail(py::object rail);
  ~PyRail() override;
  RailAnswer Submit(const PayoutInstruction& payout) override { return Call("submit", payout); }
  RailAnswer Query(const PayoutInstruction& payout) override { return Call("query", payout); }
  bool ClaimsFirst() const override { return claims_first_; }
  absl::Status ClaimToCancel(const PayoutInstruction& payout) override;

 private:
  RailAnswer Call(const char* method, const PayoutInstruction& payout);

  py::object rail_;
  bool claims_first_ = false;
};

// A rail of Python, or one of northwind, which is then called without the GIL.
struct OpenRail {
  std::shared_ptr<PayoutRail> rail;
  Use use;  // of one of northwind
};
OpenRail RailOf(const py::object& rail);

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_RAIL_H_

// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/rail.h"

#include <string>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/cutover.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/parts.h"
#include "bindings/python/src/record.h"

namespace northwind::python {
PyRail::PyRail(py::object rail) : rail_(std::move(rail)) {
  for (const char* method : {"submit", "query"}) {
    if (!py::hasattr(rail_, method)) throw py::type_error(std::string("a rail has a method ") + method);
  }
  claims_first_ = py::hasattr(rail_, "claims_first") && rail_.attr("claims_first").cast<bool>();
}

PyRail::~PyRail() {
  py::gil_scoped_acquire acquire;
  rail_ = py::object();
}

RailAnswer PyRail::Call(const char* method, const PayoutInstruction& payout) {
  py::gil_scoped_acquire acquire;
  try {
    const py::object answer = rail_.attr(method)(payout);
    if (py::isinstance<RailAnswer>(answer)) return answer.cast<RailAnswer>();
    return {.state = As<RailState>(answer, "a rail's answer")};
  } catch (py::error_already_set& error) {
    const std::string reason = ReasonOf(error);
    if (!KeepInterrupt(error)) error.discard_as_unraisable("a payout rail");
    return {.state = RailState::kUnknown, .reason = reason};
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_TypeError, error.what());
    PyErr_WriteUnraisable(rail_.ptr());
    return {.state = RailState::kUnknown, .reason = error.what()};
  }
}

absl::Status PyRail::ClaimToCancel(const PayoutInstruction& payout) {
  py::gil_scoped_acquire acquire;
  if (!py::hasattr(rail_, "claim_to_cancel")) return PayoutRail::ClaimToCancel(payout);
  try {
    rail_.attr("claim_to_cancel")(payout);
    return absl::OkStatus();
  } catch (py::error_already_set& error) {
    return StatusOf(error, "a payout rail");
  }
}

OpenRail RailOf(const py::object& rail) {
  if (py::isinstance<PyClaimedRail>(rail)) {
    const auto& claimed = rail.cast<const PyClaimedRail&>();
    return {claimed.Get(), claimed.NewUse()};
  }
  return {std::make_shared<PyRail>(rail), nullptr};
}

void BindRail(py::module_& m) {
  using I = PayoutInstruction;
  Record<I>(m, "PayoutInstruction", "What a rail is asked to pay.")
      .Field("provider_key", Member(&I::provider_key),
             "Names this payout to the rail: the same in every call, for ever.")
      .Field("payout_id", Member(&I::payout_id), "")
      .Field("merchant_id", Member(&I::merchant_id), "")
      .Field("asset", Member(&I::asset), "")
      .Field("amount", Member(&I::amount), "")
      .Field("requested_at", Member(&I::requested_at), "");

  Record<RailAnswer>(m, "RailAnswer", "What a rail says of a payout.")
      .Def(py::init([](RailState state, std::string reason, const py::object& not_before) {
             RailAnswer answer{.state = state, .reason = std::move(reason)};
             if (!not_before.is_none()) answer.not_before = As<absl::Time>(not_before, "not_before");
             return answer;
           }),
           py::arg("state"), py::arg("reason") = "", py::kw_only(), py::arg("not_before") = py::none())
      .Field("state", Member(&RailAnswer::state), "")
      .Field("reason", Member(&RailAnswer::reason), "Why it failed, is unknown or withheld; kept with the payout.")
      .Field("not_before", Member(&RailAnswer::not_before), "It is not worth asking before.");
}

}  // namespace northwind::python

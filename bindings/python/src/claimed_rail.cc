// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <tuple>
#include <utility>

#include "bindings/python/src/cutover.h"
#include "bindings/python/src/rail.h"
#include "bindings/python/src/record.h"

namespace northwind::python {
namespace {

template <typename F>
auto On(const PyClaimedRail& self, F&& function) {
  const std::shared_ptr<ClaimedRail> rail = self.Get();
  return Unlocked([&] { return function(*rail); });
}

}  // namespace

std::shared_ptr<PyClaimedRail> PyClaimedRail::Open(const py::object& rail, const py::object& claims,
                                                   const std::shared_ptr<PyCutover>& cutover) {
  auto self = std::make_shared<PyClaimedRail>();
  const std::shared_ptr<Cutover> open = cutover->Get();
  const OpenRail inner = RailOf(rail);
  const OpenArbiter arbiter = ArbiterOf(claims);
  self->handle_.Set(std::make_unique<ClaimedRail>(*inner.rail, *arbiter.claims, *open),
                    std::make_tuple(open, cutover->NewUse(), inner.rail, inner.use, arbiter.claims, arbiter.use));
  self->CloseAtExit();
  return self;
}

void PyClaimedRail::Close() { static_cast<void>(handle_.Take()); }

void BindClaimedRail(py::module_& m) {
  py::class_<PyClaimedRail, std::shared_ptr<PyClaimedRail>> type(
      m, "ClaimedRail",
      "A rail for Payouts that pays what is assigned to northwind, and claimed by it first; everything else is "
      "WITHHELD. "
      "`rail` is what Payouts would get without a cutover; `claims` is PostgresClaims, or an object with "
      "claim(request), "
      "find(id) and publish_epoch(epoch), called from several threads. Thread-safe.");
  type.def(py::init(&PyClaimedRail::Open), py::arg("rail"), py::arg("claims"), py::arg("cutover").none(false), "")
      .def(
          "submit",
          [](const PyClaimedRail& self, const PayoutInstruction& payout) {
            return On(self, [&](ClaimedRail& r) { return r.Submit(payout); });
          },
          py::arg("instruction"), "Claims, and submits to the rail what it has claimed.")
      .def(
          "query",
          [](const PyClaimedRail& self, const PayoutInstruction& payout) {
            return On(self, [&](ClaimedRail& r) { return r.Query(payout); });
          },
          py::arg("instruction"), "Asks the rail about what northwind has claimed.")
      .def_property_readonly(
          "claims_first",
          [](const PyClaimedRail& self) {
            self.CheckOpen();
            return true;
          },
          "True. A rail around this one has to say so as well, and to pass claim_to_cancel on.")
      .def(
          "claim_to_cancel",
          [](const PyClaimedRail& self, const PayoutInstruction& payout) {
            Must(On(self, [&](ClaimedRail& r) { return r.ClaimToCancel(payout); }));
          },
          py::arg("instruction"),
          "Claims for northwind, so that the batch never pays what is canceled. FailedPrecondition if somebody has "
          "claimed it; Unavailable if that cannot be told.");
  DefineClosable(type, "Lets its parts go. FailedPrecondition while payouts are open on it. Idempotent.");
}

}  // namespace northwind::python

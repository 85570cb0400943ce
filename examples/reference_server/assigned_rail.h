// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_ASSIGNED_RAIL_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_ASSIGNED_RAIL_H_

#include <string>

#include "absl/status/status.h"
#include "northwind/cutover.h"
#include "northwind/payout.h"

namespace northwind::server {

// Asks the cutover whose a payout is, when its money is held and it is to be paid for the first time: docs/cutover.md says why not before.
// What is not northwind's the claimed rail withholds. Thread-safe as the parts are.
class AssignedRail final : public PayoutRail {
 public:
  // Both must outlive it.
  AssignedRail(PayoutRail& claimed, Cutover& cutover) : claimed_(claimed), cutover_(cutover) {}

  RailAnswer Submit(const PayoutInstruction& payout) override {
    const RouteRequest request{.id = payout.payout_id, .merchant_id = payout.merchant_id};
    const absl::Status assigned = cutover_.Assign({&request, 1}).status();
    // Nothing was sent: it is tried again.
    if (!assigned.ok()) return {.state = RailState::kWithheld, .reason = std::string(assigned.message())};
    return claimed_.Submit(payout);
  }
  RailAnswer Query(const PayoutInstruction& payout) override { return claimed_.Query(payout); }
  bool ClaimsFirst() const override { return claimed_.ClaimsFirst(); }
  absl::Status ClaimToCancel(const PayoutInstruction& payout) override { return claimed_.ClaimToCancel(payout); }

 private:
  PayoutRail& claimed_;
  Cutover& cutover_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_ASSIGNED_RAIL_H_

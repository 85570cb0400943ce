// SPDX-License-Identifier: Apache-2.0
//
// What the parallel run asks: the other way round from gate_check.cc.
#include <optional>
#include <string_view>

#include "northwind/cutover.h"
#include "northwind/status.h"

namespace northwind {

IsOurs NorthwindPays(const Cutover& cutover, ClaimArbiter& claims) {
  return [&cutover, &claims](Leg leg, std::string_view id, std::string_view) -> absl::StatusOr<bool> {
    if (leg != Leg::kPayout && leg != Leg::kPayoutReturn) return false;
    // The claim first: what was handed back is still assigned to northwind, and the batch pays it.
    NW_ASSIGN_OR_RETURN(const std::optional<ClaimRecord> claim, claims.Find(id));
    if (claim) return claim->system == SettlementSystem::kNorthwind;
    const absl::StatusOr<Assignment> assignment = cutover.Find(id);
    if (absl::IsNotFound(assignment.status())) return false;
    if (!assignment.ok()) return assignment.status();
    return assignment->system == SettlementSystem::kNorthwind;
  };
}

}  // namespace northwind

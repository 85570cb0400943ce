// SPDX-License-Identifier: Apache-2.0
//
// What the figures of a day say together.

#include "northwind/compare.h"

namespace northwind {
namespace {

// Sums of amounts of 2^127−1 may pass 128 bits: what is added up wraps on both sides alike, as it would in the sum of `ingested`.
absl::uint128 Bits(absl::int128 sum) { return static_cast<absl::uint128>(sum); }

bool BothHold(const SideBySide& sides) { return sides.ours.holds() && sides.theirs.holds(); }

}  // namespace

bool Coverage::holds() const {
  return by_northwind.count <= ignored.count &&
         ingested.count == matched.count + mismatched.count + pending.count + ignored.count &&
         Bits(ingested.sum) == Bits(matched.sum) + Bits(mismatched.sum) + Bits(pending.sum) + Bits(ignored.sum);
}

bool DayFigures::clean() const {
  if (state != DayState::kClosed || !sound || !incomplete.empty()) return false;
  if (const auto open = by_state.find(DiscrepancyState::kOpen); open != by_state.end() && open->second != 0) {
    return false;
  }
  uint64_t ours = 0;
  uint64_t theirs = 0;
  for (const auto& [asset, sides] : assets) {
    if (!BothHold(sides)) return false;
    ours += sides.ours.matched.count;
    theirs += sides.theirs.matched.count;
  }
  return ours > 0 && theirs > 0;
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#include "src/compare/report_parts.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/legacy_text.h"
#include "src/settlement/event_text.h"

namespace northwind::internal {

std::string DayText(absl::CivilDay day) {
  std::string out;
  AppendDay(out, day);
  return out;
}

std::string TimeText(absl::Time time) {
  std::string out;
  if (time != absl::InfinitePast() && time != absl::InfiniteFuture()) AppendTimestamp(out, time);
  return out;
}

std::string HashText(const Hash256& hash) { return absl::BytesToHexString(ToAbsl(AsBytes(hash))); }

std::string MoneyText(std::string_view asset, absl::int128 units) {
  const absl::StatusOr<Asset> parsed = Asset::Parse(asset);
  return FormatUnits(units, parsed.ok() ? parsed->scale : 0);
}

absl::int128 BoundUnits(absl::uint128 units) {
  return static_cast<absl::int128>(std::min(units, Amount::Max().units()));
}

RowCounts CountRows(const DayFigures& day) {
  RowCounts counts;
  for (const auto& [asset, sides] : day.assets) {
    for (const Coverage* side : {&sides.ours, &sides.theirs}) {
      counts.matched += side->matched.count;
      counts.mismatched += side->mismatched.count;
      counts.pending += side->pending.count;
      counts.ignored += side->ignored.count;
    }
  }
  return counts;
}

std::string CleanDaysText(size_t days) { return absl::StrCat(days, days == 1 ? " clean day" : " clean days"); }

std::string Verdict(const DayFigures& day) {
  if (day.clean()) return "clean";
  if (day.state != DayState::kClosed) return day.state == DayState::kReopened ? "to be closed again" : "not closed";
  if (const auto open = day.by_state.find(DiscrepancyState::kOpen); open != day.by_state.end() && open->second != 0) {
    return absl::StrCat(open->second, " open");
  }
  if (!day.incomplete.empty()) return "incomplete";
  for (const auto& [asset, sides] : day.assets) {
    if (!sides.ours.holds() || !sides.theirs.holds()) return "coverage does not hold";
  }
  return day.sound ? "nothing compared" : "canaries not found";
}

}  // namespace northwind::internal

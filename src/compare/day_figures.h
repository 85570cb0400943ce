// SPDX-License-Identifier: Apache-2.0
//
// What is kept of a day.
//
//   figures  = u8(1) u8(state) time(closed) bytes(closed by) n × (bytes(asset) coverage(ours) coverage(theirs)) n × (u8(class) varint)
//              n × (u8(state) varint) bytes(rules hash) n × (u8(class) n × u8(class)) u8(sound) n × bytes(incomplete) hash(32) hash(32)
//              u8(totals told) n × (bytes(asset) count-and-sum)
//   coverage = 6 × count-and-sum                      -- ingested, matched, mismatched, pending, ignored, of those by northwind
//   came in  = u8(1) n × (bytes(asset) count-and-sum(ours) count-and-sum(theirs))
#ifndef NORTHWIND_SRC_COMPARE_DAY_FIGURES_H_
#define NORTHWIND_SRC_COMPARE_DAY_FIGURES_H_

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "northwind/compare.h"
#include "src/store/engine.h"

namespace northwind::internal::compare {

std::string EncodeFigures(const DayFigures& figures);
absl::StatusOr<DayFigures> DecodeFigures(absl::CivilDay day, std::string_view bytes);
// Those of a day that was never closed if there are none.
absl::StatusOr<DayFigures> ReadFigures(const Engine& engine, absl::CivilDay day);

// By asset, and by side.
using CameIn = std::map<std::string, std::array<CountAndSum, 2>>;
std::string EncodeCameIn(const CameIn& counts);
absl::StatusOr<CameIn> DecodeCameIn(absl::CivilDay day, std::string_view bytes);
absl::StatusOr<CameIn> ReadCameIn(const Engine& engine, absl::CivilDay day);

// Which days there are, and how they stand. A value: see RuleBook. Thread-compatible.
class DayBook {
 public:
  static absl::StatusOr<DayBook> Load(const Engine& engine);

  DayState StateOf(absl::CivilDay day) const;  // open if nothing is known of it
  bool WasClosed(absl::CivilDay day) const { return StateOf(day) != DayState::kOpen; }
  void Set(absl::CivilDay day, DayState state) { states_[day] = state; }
  void Learn(absl::CivilDay day) { states_.emplace(day, DayState::kOpen); }
  std::vector<absl::CivilDay> Known(absl::CivilDay from, absl::CivilDay to) const;
  std::vector<absl::CivilDay> Closed() const;  // that are kClosed

 private:
  std::map<absl::CivilDay, DayState> states_;
};

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_DAY_FIGURES_H_

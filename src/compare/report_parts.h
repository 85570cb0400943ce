// SPDX-License-Identifier: Apache-2.0
//
// What all three forms of a report write alike.
#ifndef NORTHWIND_SRC_COMPARE_REPORT_PARTS_H_
#define NORTHWIND_SRC_COMPARE_REPORT_PARTS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "northwind/compare.h"

namespace northwind::internal {

std::string DayText(absl::CivilDay day);    // "2026-03-01"
std::string TimeText(absl::Time time);      // RFC 3339 in UTC; empty for an infinite one
std::string HashText(const Hash256& hash);  // hexadecimal
// By the asset's scale: "-12.50" of "USD/2". Of a name that is no asset, the units.
std::string MoneyText(std::string_view asset, absl::int128 units);
// A bound, signed: of more than 2^127−1, which no sum of magnitudes reaches, that.
absl::int128 BoundUnits(absl::uint128 units);

// Rows of both sides and all assets.
struct RowCounts {
  uint64_t matched = 0;
  uint64_t mismatched = 0;
  uint64_t pending = 0;
  uint64_t ignored = 0;
};
RowCounts CountRows(const DayFigures& day);
std::string CleanDaysText(size_t days);  // "1 clean day"
// "clean", or what keeps it from being so: "not closed", "to be closed again", "3 open", "incomplete", "coverage does not hold",
// "canaries not found", "nothing compared".
std::string Verdict(const DayFigures& day);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_COMPARE_REPORT_PARTS_H_

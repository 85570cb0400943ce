// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_CLOSING_H_
#define NORTHWIND_SRC_COMPARE_CLOSING_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/compare.h"
#include "src/compare/run_state.h"

namespace northwind::internal::compare {

// Whether who pays can be asked, by one question, if the day has anything to ask about: before the closing has begun, so that an arbiter that is
// away makes nothing late that comes meanwhile.
absl::Status CheckWhoPays(const RunState& run, absl::CivilDay day, const IsOurs& is_ours);

// Judges every item anew that has rows in the day and does not simply agree, in bounded writes: what stands alone in a day that is not open any
// more is missing; rules cover what they cover now.
absl::Status ReviewDay(RunState& run, absl::CivilDay day, const IsOurs& is_ours, absl::Time now);

// The day's figures as its rows stand: assets, classes, states and digests; the rest as it is by default.
struct Stock {
  DayFigures figures;
  std::string template_name;  // an item of one row of each side that agree, for canaries; empty: there is none
};
absl::StatusOr<Stock> TakeStock(const RunState& run, absl::CivilDay day);

// What of the totals that were told is not what came in, in words.
std::vector<std::string> IncompleteOf(const DayFigures& figures);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_CLOSING_H_

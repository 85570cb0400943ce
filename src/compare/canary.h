// SPDX-License-Identifier: Apache-2.0
//
// Proof that a closing would have found what it did not: for each class that can be laid by hand, a pair of rows that differ in just that is sent
// through the same reading, judging and keeping as all rows, looked for in the list of discrepancies, and taken away again.
#ifndef NORTHWIND_SRC_COMPARE_CANARY_H_
#define NORTHWIND_SRC_COMPARE_CANARY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/compare.h"
#include "src/compare/run_state.h"

namespace northwind::internal::compare {

// Made of the item of that name, which must be of one row of each side that agree, in a day that is not open. Classes that the mapping does
// not compare (fee, status) are left out.
absl::StatusOr<std::vector<CanaryResult>> SendCanaries(RunState& run, const std::string& template_name, absl::Time now);

// Takes away what a crash left of them.
absl::Status SweepCanaries(RunState& run);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_CANARY_H_

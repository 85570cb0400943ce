// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_DISCREPANCY_LIST_H_
#define NORTHWIND_SRC_COMPARE_DISCREPANCY_LIST_H_

#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/compare.h"
#include "src/compare/run_state.h"

namespace northwind::internal::compare {

// A discrepancy as it is shown, but for the events of our rows.
absl::StatusOr<Discrepancy> ShowDiscrepancy(const RunState& run, std::string_view name,
                                            const DiscrepancyRecord& record);

// As ParallelRun::ListDiscrepancies.
// How many are open.
absl::StatusOr<uint64_t> CountOpen(const Engine& engine);

absl::StatusOr<DiscrepancyPage> ListDiscrepanciesOf(const RunState& run, const DiscrepancyQuery& query);

// Calls `take` with each record by name, until it says no.
using TakeRecord = absl::FunctionRef<absl::StatusOr<bool>(std::string_view name, const DiscrepancyRecord& record)>;
absl::Status EachDiscrepancy(const Engine& engine, std::string_view after, TakeRecord take);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_DISCREPANCY_LIST_H_

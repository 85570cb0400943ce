// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_REREAD_H_
#define NORTHWIND_SRC_COMPARE_REREAD_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "src/compare/run_state.h"

namespace northwind::internal::compare {

// Another mapping than that of before: all days that are closed become stale, in one write with the new mapping …
absl::Status BeginReread(RunState& run, Meta& meta);
// … and all kept rows are read by it, in bounded writes. Goes on where a crash has left it. Rows that were too many to be kept stay as they were
// counted.
absl::Status FinishReread(RunState& run, Meta& meta, absl::Time now);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_REREAD_H_

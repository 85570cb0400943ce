// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_VERIFY_H_
#define NORTHWIND_SRC_COMPARE_VERIFY_H_

#include "absl/status/status.h"
#include "northwind/ledger.h"
#include "src/compare/run_state.h"

namespace northwind::internal::compare {

// As ParallelRun::Verify: everything that is derived is derived again, from the rows that are kept; those of theirs from their text, those
// of ours from the journal.
absl::Status VerifyRun(const RunState& run, const Ledger& ledger);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_VERIFY_H_

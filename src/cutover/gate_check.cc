// SPDX-License-Identifier: Apache-2.0
//
// All that asks the parallel run: the way up.
#include "northwind/compare.h"
#include "northwind/cutover.h"
#include "northwind/status.h"
#include "src/cutover/core.h"

namespace northwind {

absl::Status Cutover::Raise(const ParallelRun& run, std::string_view actor, std::string_view reason) {
  NW_ASSIGN_OR_RETURN(const GateStatus gate, run.Gate());
  return core_->Raise(gate, actor, reason);
}

absl::Status Cutover::ResumeRouting(const ParallelRun& run, std::string_view actor, std::string_view reason) {
  NW_ASSIGN_OR_RETURN(const GateStatus gate, run.Gate());
  return core_->ResumeRouting(gate, actor, reason);
}

}  // namespace northwind

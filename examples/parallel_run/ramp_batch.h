// SPDX-License-Identifier: Apache-2.0
//
// A batch system that pays what it can claim, and tells a parallel run what it has.
#ifndef NORTHWIND_EXAMPLES_PARALLEL_RUN_RAMP_BATCH_H_
#define NORTHWIND_EXAMPLES_PARALLEL_RUN_RAMP_BATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "examples/parallel_run/ramp_parts.h"

namespace northwind::examples {

class RampBatch {
 public:
  explicit RampBatch(RampParts& parts) : parts_(parts) {}

  // The provider key of a payout that the batch pays: the bank does not know that it is one of northwind's too.
  static std::string BatchKey(const std::string& id) { return "batch_" + id; }

  // A line of what was captured: that is both systems', whoever pays out.
  void Captured(const AskedPayout& payout, absl::Time at);
  // Pays what it can claim, one after the other.
  absl::Status Pay(const std::vector<AskedPayout>& payouts, absl::Time at);
  // Gives its lines of the day to the parallel run, and closes the day with its totals.
  absl::StatusOr<DayFigures> CloseDay(absl::CivilDay day);

  uint64_t left_to_northwind() const { return left_to_northwind_; }

 private:
  RailState Execute(const AskedPayout& payout);
  void AddLine(const char* kind, const std::string& id, const std::string& merchant, int64_t units, const char* fee,
               const char* status, absl::Time at);

  RampParts& parts_;
  uint64_t attempts_ = 0, left_to_northwind_ = 0, numbered_ = 0;
  std::vector<RawRow> lines_;  // of the day
  absl::int128 sum_ = 0;       // of them
};

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_PARALLEL_RUN_RAMP_BATCH_H_

// SPDX-License-Identifier: Apache-2.0
//
// How far a run has come, on standard error: a bar on a terminal, plain lines otherwise.
#ifndef NORTHWIND_EXAMPLES_SETTLE_PROGRESS_H_
#define NORTHWIND_EXAMPLES_SETTLE_PROGRESS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace northwind::examples {

enum class ProgressMode { kNone, kLines, kBar };

// One moment of a run.
struct ProgressSample {
  uint64_t events = 0;  // answered, or parked
  uint64_t bytes = 0;   // read
  size_t parked = 0;
  absl::Duration lag;  // how long ago the events that were just answered were read
};

class Progress {
 public:
  // `total` is the size of the input, if it has one.
  Progress(ProgressMode mode, std::optional<uint64_t> total, absl::Duration interval);

  // Shows the sample if it is time.
  void Update(const ProgressSample& sample);
  // Shows the last sample and ends the line.
  void Finish(const ProgressSample& sample);

 private:
  void Show(const ProgressSample& sample, absl::Time now);
  std::string Line(const ProgressSample& sample, absl::Time now) const;

  const ProgressMode mode_;
  const std::optional<uint64_t> total_;
  const absl::Duration interval_;
  const absl::Time start_;
  absl::Time shown_ = absl::InfinitePast();
};

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_SETTLE_PROGRESS_H_

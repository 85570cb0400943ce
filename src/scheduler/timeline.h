// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SCHEDULER_TIMELINE_H_
#define NORTHWIND_SRC_SCHEDULER_TIMELINE_H_

#include <cstdint>

#include "absl/numeric/int128.h"
#include "northwind/clock.h"

namespace northwind::internal {

// The scheduler's own time, in Unix nanoseconds: that of the wall clock as long as it goes forward. Where the wall clock
// steps back, the line goes on by the steady clock, so that what waits for a moment of it neither fires again nor waits
// longer; `offset` is then what the line is ahead, by which due times given by the wall clock are carried over. Where the
// wall clock is ahead of the line (it was set, or the machine was asleep), the line goes there at once, and what became
// due in a jump is released at a bounded rate. Not thread-safe.
class Timeline {
 public:
  struct Options {
    int64_t jump_threshold = 0;  // ns
    uint64_t release_per_second = 1;
  };
  // `last`: the latest moment of the line that is known from before; it does not go behind that.
  Timeline(Clock& clock, int64_t last, const Options& options);

  // Brings the line up to date.
  void Observe();
  int64_t now() const { return line_; }
  int64_t offset() const { return offset_; }

  // Whether something that is due at `due` (≤ now) may be released now. Counts it if so.
  bool Release(int64_t due);
  // After a refusal: how long until it is worth asking again, in ns.
  int64_t UntilRelease() const;

 private:
  int64_t Wall() const;
  int64_t Steady() const;

  Clock& clock_;
  const Options options_;
  int64_t steady_;
  int64_t line_;
  int64_t offset_;

  // The last jump: what is due between the two is bounded.
  int64_t jump_from_ = 0;
  int64_t jump_to_ = 0;
  // Releases that are allowed, in billionths; grows with the steady clock up to one second's worth.
  absl::uint128 allowance_ = 0;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SCHEDULER_TIMELINE_H_

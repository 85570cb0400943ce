// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_DEADLINE_H_
#define NORTHWIND_SRC_POSTGRES_DEADLINE_H_

#include <algorithm>
#include <chrono>
#include <climits>

#include "absl/time/time.h"
#include "northwind/interrupt.h"

namespace northwind::internal::postgres {

// A moment by the clock that nobody sets.
class Deadline {
 public:
  static Deadline Never() { return Deadline(Clock::time_point::max()); }
  static Deadline In(absl::Duration duration) {
    if (duration > absl::Hours(24 * 365)) return Never();
    return Deadline(Clock::now() + absl::ToChronoNanoseconds(std::max(duration, absl::ZeroDuration())));
  }

  bool HasPassed() const { return at_ != Clock::time_point::max() && Clock::now() >= at_; }
  // As poll has it: rounded up, −1 for ever.
  int RemainingMs() const {
    if (at_ == Clock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, INT_MAX));
  }
  friend Deadline Earlier(Deadline a, Deadline b) { return a.at_ < b.at_ ? a : b; }
  // Not later than whoever may interrupt the call is to be asked again.
  friend Deadline BeforeNextAsk(Deadline deadline) {
    return Interruptible() ? Earlier(deadline, In(absl::FromChrono(kAskEvery))) : deadline;
  }

 private:
  using Clock = std::chrono::steady_clock;
  explicit Deadline(Clock::time_point at) : at_(at) {}

  Clock::time_point at_;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_DEADLINE_H_

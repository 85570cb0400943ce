// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SUPPORT_MOVING_CLOCK_H_
#define NORTHWIND_TESTS_SUPPORT_MOVING_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "northwind/clock.h"

namespace northwind::testing {

// The machine's clock, on which time can be made to pass at once: for what waits in threads of its own.
class MovingClock final : public Clock {
 public:
  absl::Time Now() override { return Clock::System()->Now() + Ahead(); }
  absl::Duration Elapsed() override { return Clock::System()->Elapsed() + Ahead(); }
  void Advance(absl::Duration by) { ahead_.fetch_add(absl::ToInt64Nanoseconds(by)); }

 private:
  absl::Duration Ahead() const { return absl::Nanoseconds(ahead_.load()); }

  std::atomic<int64_t> ahead_{0};
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_MOVING_CLOCK_H_

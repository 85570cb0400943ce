// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SUPPORT_FAKE_CLOCK_H_
#define NORTHWIND_TESTS_SUPPORT_FAKE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "northwind/clock.h"

namespace northwind::testing {

// A clock that stands still until a test moves it. Whole nanoseconds. Thread-safe.
class FakeClock final : public Clock {
 public:
  FakeClock() : FakeClock(absl::FromUnixSeconds(1'700'000'000)) {}
  explicit FakeClock(absl::Time now) : nanos_(absl::ToUnixNanos(now)) {}

  absl::Time Now() override { return absl::FromUnixNanos(nanos_.load()); }
  absl::Duration Elapsed() override { return absl::Nanoseconds(elapsed_.load()); }
  // Time passes, if `by` is positive; else the wall clock is put back.
  void Advance(absl::Duration by) {
    if (by > absl::ZeroDuration()) elapsed_.fetch_add(absl::ToInt64Nanoseconds(by));
    Jump(by);
  }
  // Somebody puts the wall clock, in either direction, and no time passes.
  void Set(absl::Time now) { nanos_.store(absl::ToUnixNanos(now)); }
  void Jump(absl::Duration by) { nanos_.fetch_add(absl::ToInt64Nanoseconds(by)); }

 private:
  std::atomic<int64_t> nanos_;
  std::atomic<int64_t> elapsed_{1};
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_FAKE_CLOCK_H_

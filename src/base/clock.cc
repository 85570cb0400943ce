// SPDX-License-Identifier: Apache-2.0
#include "northwind/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace northwind {
namespace {

class SystemClock final : public Clock {
 public:
  absl::Time Now() override { return absl::Now(); }
};

}  // namespace

absl::Duration Clock::Elapsed() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

Clock* Clock::System() {
  static SystemClock* const clock = new SystemClock;
  return clock;
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_PARALLEL_RUN_PAST_CLOCK_H_
#define NORTHWIND_EXAMPLES_PARALLEL_RUN_PAST_CLOCK_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "absl/time/civil_time.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "northwind/clock.h"

namespace northwind::examples {

// The examples compare days that may be long past, and the gate wants them to be the last ones: so for the run it is the day after them,
// if that is not to come. The machine's time until then.
class PastClock : public Clock {
 public:
  absl::Time Now() override { return std::min(absl::Now(), absl::FromUnixSeconds(end_)); }
  // Over in every time zone, and not so long ago that the next day should have been closed.
  void SetLastDay(absl::CivilDay last) { Set(absl::FromCivil(absl::CivilSecond(last + 2), absl::UTCTimeZone())); }
  // To the second.
  void Set(absl::Time now) { end_ = absl::ToUnixSeconds(now); }

 private:
  std::atomic<int64_t> end_{std::numeric_limits<int64_t>::max()};
};

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_PARALLEL_RUN_PAST_CLOCK_H_

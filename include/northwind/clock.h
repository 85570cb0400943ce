// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_CLOCK_H_
#define NORTHWIND_CLOCK_H_

#include "absl/time/time.h"

namespace northwind {

// Where recorded times and due times come from: a seam, so that tests and simulations own time. The ledger makes
// recorded times strictly increasing whatever a clock answers, and the scheduler lives through jumps of it.
// Implementations must be thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // The wall clock.
  virtual absl::Time Now() = 0;
  // Time that has passed since some fixed moment, unmoved by what is done to the wall clock; never falls. By default
  // the machine's monotonic clock.
  virtual absl::Duration Elapsed();

  // The machine's clocks. Never null, lives for ever.
  static Clock* System();
};

}  // namespace northwind

#endif  // NORTHWIND_CLOCK_H_

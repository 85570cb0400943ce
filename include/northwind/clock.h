// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_CLOCK_H_
#define NORTHWIND_CLOCK_H_

#include "absl/time/time.h"

namespace northwind {

// Where the ledger's recorded times come from: a seam, so that tests and simulations own time. The ledger makes
// recorded times strictly increasing whatever a clock answers. Implementations must be thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;

  // The machine's wall clock. Never null, lives for ever.
  static Clock* System();
};

}  // namespace northwind

#endif  // NORTHWIND_CLOCK_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SQS_BACKOFF_H_
#define NORTHWIND_SRC_SQS_BACKOFF_H_

#include <algorithm>
#include <random>

#include "absl/time/time.h"

namespace northwind::internal::sqs {

// How long to wait before something is tried again: twice as long each time, up to a cap. Not thread-safe.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration cap) : first_(first), cap_(cap), next_(first) {}

  // The whole of it: for what nobody else waits for.
  absl::Duration Next() {
    const absl::Duration now = next_;
    next_ = std::min(2 * next_, cap_);
    return now;
  }
  // Anything up to it (full jitter): for a service that others wait for too.
  absl::Duration NextJittered() { return Next() * std::uniform_real_distribution<double>(0, 1)(random_); }
  void Reset() { next_ = first_; }

 private:
  const absl::Duration first_;
  const absl::Duration cap_;
  absl::Duration next_;
  std::minstd_rand random_{std::random_device()()};
};

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_BACKOFF_H_

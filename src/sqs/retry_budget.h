// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SQS_RETRY_BUDGET_H_
#define NORTHWIND_SRC_SQS_RETRY_BUDGET_H_

#include <algorithm>
#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace northwind::internal::sqs {

// Of one request, the first included.
inline constexpr int kMaxAttempts = 4;
// What a retry costs of the budget, what a success gives back, and what there is at most: of a service that fails
// altogether, a hundred retries are made and then one for every five successes.
inline constexpr int kRetryCost = 5;
inline constexpr int kMaxRetryTokens = 500;
inline constexpr absl::Duration kFirstRetryDelay = absl::Milliseconds(100);
inline constexpr absl::Duration kFirstSlowDownDelay = absl::Seconds(1);
inline constexpr absl::Duration kMaxRetryDelay = absl::Seconds(20);
// What a service asks for with Retry-After is waited for, but not longer than this.
inline constexpr absl::Duration kMaxAskedDelay = absl::Minutes(1);

// How many retries all requests of a client may make together: a service in trouble is not to get a multiple of its usual
// load. One thread at a time.
class RetryBudget {
 public:
  // False if there is none left.
  bool Take() {
    if (tokens_ < kRetryCost) return false;
    tokens_ -= kRetryCost;
    return true;
  }
  void OnSuccess() { tokens_ = std::min(tokens_ + 1, kMaxRetryTokens); }

 private:
  int tokens_ = kMaxRetryTokens;
};

// Before attempt `made` + 1, a time by chance between none and what doubles with every attempt: those that failed together
// do not come back together.
template <typename Random>
absl::Duration FullJitter(absl::Duration first, int made, Random& random) {
  const absl::Duration most = std::min(first * (int64_t{1} << std::clamp(made - 1, 0, 20)), kMaxRetryDelay);
  return most * std::uniform_real_distribution<double>(0, 1)(random);
}

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_RETRY_BUDGET_H_

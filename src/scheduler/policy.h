// SPDX-License-Identifier: Apache-2.0
//
// When a task is tried again: pure arithmetic, in nanoseconds.
#ifndef NORTHWIND_SRC_SCHEDULER_POLICY_H_
#define NORTHWIND_SRC_SCHEDULER_POLICY_H_

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "northwind/scheduler.h"
#include "src/base/coding.h"

namespace northwind::internal {

// The sum, or the nearest there is.
constexpr int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}

absl::Status CheckPolicy(const RetryPolicy& policy);

// policy := varint(n) n × varint(delay, ns), or varint(65) for the delays of RetryPolicy::StandardWebhooks(), u8(jitter)
//           varint(max attempts) varint(max age, ns; 2^63−1: none) and, if n is 0:
//            varint(initial, ns) varint(multiplier × 1000) varint(cap, ns)
// Equal policies have equal bytes.
void EncodePolicy(const RetryPolicy& policy, std::string& out);
bool DecodePolicy(ByteReader& in, RetryPolicy& policy);

// A policy in whole numbers.
class Backoff {
 public:
  // `policy` has been checked.
  explicit Backoff(const RetryPolicy& policy);

  enum class Verdict : uint8_t { kAgain, kNoAttempts, kTooOld };
  struct Next {
    Verdict verdict = Verdict::kAgain;
    int64_t due = 0;
    int64_t delay = 0;  // to be given as `delay_before` next time
  };

  // Before the first attempt. `random` is uniform.
  Next First(int64_t due, uint64_t random) const;
  // After `attempts` attempts (≥ 1) of a task scheduled at `created`, the last of which ended `now`; the next one is not
  // before `not_before`.
  Next After(uint32_t attempts, int64_t created, int64_t now, int64_t not_before, int64_t delay_before,
             uint64_t random) const;

  const RetryPolicy& policy() const { return policy_; }

 private:
  // Without jitter, before attempt number `attempt` (from 1).
  int64_t PlainDelay(uint32_t attempt) const;
  int64_t Delay(uint32_t attempt, int64_t delay_before, uint64_t random) const;

  const RetryPolicy policy_;
  std::vector<int64_t> delays_;
  int64_t initial_;
  int64_t multiplier_;  // thousandths
  int64_t cap_;
  int64_t max_age_;
};

// A number that looks uniform and depends on all three (splitmix64, https://prng.di.unimi.it/splitmix64.c): the jitter of
// an attempt is the same whatever else goes on.
uint64_t AttemptRandom(uint64_t seed, uint64_t task, uint32_t attempt);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SCHEDULER_POLICY_H_

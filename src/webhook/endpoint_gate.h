// SPDX-License-Identifier: Apache-2.0
//
// When an endpoint may be called: its rate, and its breaker.
#ifndef NORTHWIND_SRC_WEBHOOK_ENDPOINT_GATE_H_
#define NORTHWIND_SRC_WEBHOOK_ENDPOINT_GATE_H_

#include <cstdint>

#include "absl/time/time.h"

namespace northwind::internal {

// A token bucket: `per_second` tokens a second come in, it holds `burst` of them, and it is full at first. In whole nanoseconds, exact.
// Pure: times are given, of a clock that never falls.
class TokenBucket {
 public:
  // per_second 0: no limit.
  TokenBucket(double per_second, uint32_t burst);
  // Takes a token, on credit if there is none: when it is there, which is when what it is for may be done. Never earlier
  // than what was taken before.
  absl::Duration Take(absl::Duration now);
  // Another rate from now on; what was taken on credit stays owed.
  void Change(double per_second, uint32_t burst);

 private:
  absl::Duration interval_;  // between two tokens; zero: no limit
  absl::Duration slack_;     // how far the next one may lie in the past: burst − 1 intervals
  absl::Duration next_ = -absl::InfiniteDuration();
};

// Counts failures in a row, and says when to leave off and when to look again. Pure.
//
//   closed ──failures in a row──► open ──its pause is over──► probing ──success──► closed
//                                  ▲                             │
//                                  └───failure: twice the pause──┘
class Breaker {
 public:
  struct Options {
    uint32_t failures = 5;
    absl::Duration pause = absl::Seconds(30);
    absl::Duration longest_pause = absl::Minutes(10);
  };
  enum class State : uint8_t { kClosed, kOpen, kProbing };

  explicit Breaker(const Options& options) : options_(options) {}

  // Each returns the state afterwards.
  // From any state, by any attempt: a success shows that the endpoint is back.
  State OnSuccess();
  // `probe`: of an attempt that began while it was probing. Others change nothing once it is open.
  enum class Attempt : uint8_t { kOrdinary, kProbe };
  State OnFailure(Attempt attempt, absl::Duration now);
  // The endpoint asked to be left alone until then (Retry-After): open at least so long, without the pauses becoming longer. Counts as no failure.
  State OnHold(absl::Duration until, absl::Duration now);
  // Time has passed: open to probing when the pause is over.
  State OnTime(absl::Duration now);

  State state() const { return state_; }
  // kOpen: when it will probe.
  absl::Duration retry_at() const { return retry_at_; }
  uint32_t failures() const { return failures_; }  // in a row

 private:
  const Options options_;
  State state_ = State::kClosed;
  uint32_t failures_ = 0;
  absl::Duration pause_;  // the next one's length
  absl::Duration retry_at_ = absl::ZeroDuration();
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_ENDPOINT_GATE_H_

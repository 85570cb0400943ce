// SPDX-License-Identifier: Apache-2.0
//
// When an endpoint may be called: its rate, and its breaker.
#ifndef NORTHWIND_SRC_WEBHOOK_ENDPOINT_GATE_H_
#define NORTHWIND_SRC_WEBHOOK_ENDPOINT_GATE_H_

#include <cstdint>

#include "absl/time/time.h"

namespace northwind::internal {

// A token bucket: `per_second` tokens a second come in, it holds `burst` of them, and it is full at first. In any stretch of time w
// there are no more than burst + w × per_second, exactly: what is between two tokens is rounded up to a whole nanosecond.
// Pure: times are given, of a clock that never falls.
class TokenBucket {
 public:
  // per_second: 0 for no limit, else rounded to the thousandth, as policies keep it. burst ≥ 1.
  TokenBucket(double per_second, uint32_t burst);
  // Takes a token, on credit if there is none: when it is there, which is when what it is for may be done. Never earlier
  // than what was taken before.
  absl::Duration Take(absl::Duration now);
  // Another rate from now on. What was taken on credit stays owed, the next token being an interval of the new rate behind it; not so
  // without a limit.
  void Change(double per_second, uint32_t burst);

 private:
  absl::Duration interval_;  // between two tokens; zero: no limit
  absl::Duration slack_;     // how far a token may lie in the past when it is taken: burst − 1 intervals
  absl::Duration last_ = -absl::InfiniteDuration();  // when the token that was taken last came in
};

// Counts failures in a row, and says when to leave off and when to look again. Pure.
//
//   closed ──failures in a row──► open ──its pause is over──► probing ──success──► closed
//                                  ▲                             │
//                                  └───failure: twice the pause──┘
//
// The pauses begin anew after a success.
class Breaker {
 public:
  struct Options {
    uint32_t failures = 5;                             // ≥ 1
    absl::Duration pause = absl::Seconds(30);          // > 0
    absl::Duration longest_pause = absl::Minutes(10);  // ≥ pause
  };
  enum class State : uint8_t { kClosed, kOpen, kProbing };

  explicit Breaker(const Options& options) : options_(options), pause_(options.pause) {}

  // Each returns the state afterwards.
  // From any state, by any attempt: a success shows that the endpoint is back.
  State OnSuccess();
  // kProbe: of an attempt that began while it was probing. Ordinary ones, which began before it opened, change nothing until it
  // is closed; nor do probes once it is open again.
  enum class Attempt : uint8_t { kOrdinary, kProbe };
  State OnFailure(Attempt attempt, absl::Duration now);
  // The endpoint asked to be left alone until then (Retry-After): open at least so long, without the pauses becoming longer.
  // Counts as no failure. A time gone by changes nothing, but that a probe is over.
  State OnHold(absl::Duration until, absl::Duration now);
  // Time has passed: open to probing when the pause is over.
  State OnTime(absl::Duration now);

  State state() const { return state_; }
  // kOpen: when it will probe.
  absl::Duration retry_at() const { return retry_at_; }
  uint32_t failures() const { return failures_; }  // in a row

 private:
  State Open(absl::Duration retry_at);

  const Options options_;
  State state_ = State::kClosed;
  uint32_t failures_ = 0;
  absl::Duration pause_;  // the next one's length
  absl::Duration retry_at_ = absl::ZeroDuration();
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_ENDPOINT_GATE_H_

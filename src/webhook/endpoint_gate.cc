// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/endpoint_gate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "northwind/status.h"
#include "northwind/webhook.h"

namespace northwind::internal {

// ---- TokenBucket --------------------------------------------------------------------------------------------

// The n-th token of a series that never rests comes in n intervals after the first. Of tokens that are taken between t and
// t + w, the first came in at t − slack or later, and the last at t + w or before: there are 1 + (w + slack) / interval of them at
// most, which is burst + w / interval.

TokenBucket::TokenBucket(double per_second, uint32_t burst) { Change(per_second, burst); }

void TokenBucket::Change(double per_second, uint32_t burst) {
  NW_CHECK(per_second >= 0 && per_second <= kMaxWebhookRate && burst >= 1, "a rate that a policy may have");
  interval_ = absl::ZeroDuration();
  if (per_second > 0) {
    constexpr int64_t kThousandSeconds = 1'000'000'000'000;  // in nanoseconds
    const int64_t thousandths = std::max<int64_t>(1, std::llround(per_second * 1000));
    interval_ = absl::Nanoseconds((kThousandSeconds + thousandths - 1) / thousandths);
  }
  slack_ = interval_ * static_cast<int64_t>(burst - 1);
}

absl::Duration TokenBucket::Take(absl::Duration now) {
  if (interval_ == absl::ZeroDuration()) return now;  // whatever was owed to a rate of before
  last_ = std::max(last_ + interval_, now - slack_);
  return std::max(last_, now);
}

// ---- Breaker ------------------------------------------------------------------------------------------------

Breaker::State Breaker::Open(absl::Duration retry_at) {
  retry_at_ = retry_at;
  return state_ = State::kOpen;
}

Breaker::State Breaker::OnSuccess() {
  failures_ = 0;
  pause_ = options_.pause;
  return state_ = State::kClosed;
}

Breaker::State Breaker::OnFailure(Attempt attempt, absl::Duration now) {
  const bool counts = state_ == State::kClosed || (state_ == State::kProbing && attempt == Attempt::kProbe);
  if (!counts) return state_;
  if (failures_ < std::numeric_limits<uint32_t>::max()) ++failures_;
  if (state_ == State::kClosed && failures_ < options_.failures) return state_;
  const absl::Duration pause = pause_;
  pause_ = std::min(2 * pause_, options_.longest_pause);
  return Open(now + pause);
}

Breaker::State Breaker::OnHold(absl::Duration until, absl::Duration now) {
  switch (state_) {
    case State::kClosed:
      return until > now ? Open(until) : state_;
    case State::kOpen:
      return Open(std::max(retry_at_, until));
    case State::kProbing:
      return Open(std::max(until, now));
  }
  return state_;
}

Breaker::State Breaker::OnTime(absl::Duration now) {
  if (state_ == State::kOpen && now >= retry_at_) state_ = State::kProbing;
  return state_;
}

}  // namespace northwind::internal

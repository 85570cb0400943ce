// SPDX-License-Identifier: Apache-2.0
#include "src/scheduler/policy.h"

#include <algorithm>
#include <cmath>

#include "src/base/error.h"

namespace northwind {

RetryPolicy RetryPolicy::StandardWebhooks() {
  RetryPolicy policy;
  policy.delays = {absl::ZeroDuration(), absl::Seconds(5), absl::Minutes(5), absl::Minutes(30), absl::Hours(2),
                   absl::Hours(5),       absl::Hours(10),  absl::Hours(14),  absl::Hours(20),   absl::Hours(24)};
  return policy;
}

std::string_view Name(DeathCause cause) {
  switch (cause) {
    case DeathCause::kKilled:
      return "killed";
    case DeathCause::kAttempts:
      return "no attempts left";
    case DeathCause::kAge:
      return "too old";
  }
  return "unknown";
}

namespace internal {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

// Infinite and overlong durations become kForever.
int64_t Nanos(absl::Duration d) { return absl::ToInt64Nanoseconds(d); }
absl::Duration FromNanos(int64_t nanos) {
  return nanos == kForever ? absl::InfiniteDuration() : absl::Nanoseconds(nanos);
}

int64_t SaturatingMultiply(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? kForever : product;
}

// Uniform in [low, high], for 0 ≤ low ≤ high: the high half of random × span.
int64_t Within(int64_t low, int64_t high, uint64_t random) {
  const absl::uint128 span = absl::uint128(static_cast<uint64_t>(high - low)) + 1;
  return low + static_cast<int64_t>(absl::Uint128High64(absl::uint128(random) * span));
}

absl::Status BadPolicy(const char* what) { return Error(absl::StatusCode::kInvalidArgument, "retry policy: ", what); }

// Stands for the number of delays of the usual policy, and spares its ten delays in every task.
constexpr uint64_t kStandard = kMaxPolicyDelays + 1;

const std::vector<absl::Duration>& StandardDelays() {
  static const auto* const delays = new std::vector<absl::Duration>(RetryPolicy::StandardWebhooks().delays);
  return *delays;
}

int64_t Thousandths(double multiplier) { return std::llround(multiplier * 1000); }

}  // namespace

absl::Status CheckPolicy(const RetryPolicy& policy) {
  if (policy.delays.size() > kMaxPolicyDelays) return BadPolicy("more than 64 delays");
  for (const absl::Duration delay : policy.delays) {
    if (delay < absl::ZeroDuration()) return BadPolicy("a delay is negative");
  }
  if (policy.jitter > Jitter::kDecorrelated) return BadPolicy("unknown jitter");
  if (policy.max_age <= absl::ZeroDuration()) return BadPolicy("max_age is not positive");
  if (!policy.delays.empty()) {
    return policy.jitter == Jitter::kDecorrelated ? BadPolicy("decorrelated jitter needs an exponential policy")
                                                  : absl::OkStatus();
  }
  if (policy.initial < absl::Nanoseconds(1)) return BadPolicy("initial is not positive");
  if (policy.cap < policy.initial) return BadPolicy("cap is less than initial");
  if (!(policy.multiplier >= 1.0 && policy.multiplier <= 1000.0)) return BadPolicy("multiplier is not 1 to 1000");
  return absl::OkStatus();
}

void EncodePolicy(const RetryPolicy& policy, std::string& out) {
  if (policy.delays == StandardDelays()) {
    PutVarint64(out, kStandard);
  } else {
    PutVarint64(out, policy.delays.size());
    for (const absl::Duration delay : policy.delays) PutVarint64(out, static_cast<uint64_t>(Nanos(delay)));
  }
  out.push_back(static_cast<char>(policy.jitter));
  PutVarint64(out, policy.max_attempts);
  PutVarint64(out, static_cast<uint64_t>(Nanos(policy.max_age)));
  if (!policy.delays.empty()) return;
  PutVarint64(out, static_cast<uint64_t>(Nanos(policy.initial)));
  PutVarint64(out, static_cast<uint64_t>(Thousandths(policy.multiplier)));
  PutVarint64(out, static_cast<uint64_t>(Nanos(policy.cap)));
}

bool DecodePolicy(ByteReader& in, RetryPolicy& policy) {
  policy = RetryPolicy();
  const auto get = [&in](absl::Duration& d) {
    uint64_t nanos = 0;
    if (!in.GetVarint64(nanos) || nanos > static_cast<uint64_t>(kForever)) return in.Fail();
    d = FromNanos(static_cast<int64_t>(nanos));
    return true;
  };
  uint64_t count = 0;
  if (!in.GetVarint64(count) || count > kStandard) return in.Fail();
  if (count == kStandard) {
    policy.delays = StandardDelays();
  } else {
    policy.delays.resize(count);
    for (absl::Duration& delay : policy.delays) {
      if (!get(delay)) return false;
    }
    if (policy.delays == StandardDelays()) return in.Fail();
  }
  uint8_t jitter = 0;
  if (!in.GetByte(jitter) || !in.GetVarint(policy.max_attempts) || !get(policy.max_age)) return in.Fail();
  policy.jitter = static_cast<Jitter>(jitter);
  if (count == 0) {
    uint64_t multiplier = 0;
    if (!get(policy.initial) || !in.GetVarint64(multiplier) || multiplier > 1'000'000 || !get(policy.cap)) {
      return in.Fail();
    }
    policy.multiplier = static_cast<double>(multiplier) / 1000;
  }
  return CheckPolicy(policy).ok() || in.Fail();
}

Backoff::Backoff(const RetryPolicy& policy)
    : policy_(policy),
      initial_(Nanos(policy.initial)),
      multiplier_(Thousandths(policy.multiplier)),
      cap_(Nanos(policy.cap)),
      max_age_(Nanos(policy.max_age)) {
  for (const absl::Duration delay : policy.delays) delays_.push_back(Nanos(delay));
}

int64_t Backoff::PlainDelay(uint32_t attempt) const {
  if (!delays_.empty()) return delays_[std::min<size_t>(attempt, delays_.size()) - 1];
  if (attempt == 1) return 0;
  int64_t delay = initial_;
  if (multiplier_ == 1000) return delay;
  for (uint32_t i = 2; i < attempt && delay < cap_; ++i) {
    // Where the product would not fit, dividing first loses less than a millionth.
    const int64_t next =
        delay < kForever / 1'000'000 ? delay * multiplier_ / 1000 : SaturatingMultiply(delay / 1000, multiplier_);
    if (next <= delay) break;  // so few nanoseconds that the multiplier is lost in rounding
    delay = next;
  }
  return std::min(delay, cap_);
}

int64_t Backoff::Delay(uint32_t attempt, int64_t delay_before, uint64_t random) const {
  const int64_t plain = PlainDelay(attempt);
  switch (policy_.jitter) {
    case Jitter::kNone:
      return plain;
    case Jitter::kFull:
      return Within(0, plain, random);
    case Jitter::kEqual:
      return Within(plain / 2, plain, random);
    case Jitter::kDecorrelated:
      if (attempt == 1) return plain;
      return std::min(cap_, Within(initial_, std::max(initial_, SaturatingMultiply(delay_before, 3)), random));
  }
  return plain;
}

Backoff::Next Backoff::First(int64_t due, uint64_t random) const {
  const int64_t delay = Delay(1, 0, random);
  return {.due = SaturatingAdd(due, delay), .delay = delay};
}

Backoff::Next Backoff::After(uint32_t attempts, int64_t created, int64_t now, int64_t not_before, int64_t delay_before,
                             uint64_t random) const {
  Next next;
  const bool limited = policy_.max_attempts != 0 && attempts >= policy_.max_attempts;
  if (limited || (!delays_.empty() && attempts >= delays_.size())) {
    next.verdict = Verdict::kNoAttempts;
    return next;
  }
  next.delay = Delay(attempts + 1, std::max(delay_before, initial_), random);
  next.due = std::max(SaturatingAdd(now, next.delay), not_before);
  if (max_age_ != kForever && next.due > SaturatingAdd(created, max_age_)) next.verdict = Verdict::kTooOld;
  return next;
}

uint64_t AttemptRandom(uint64_t seed, uint64_t task, uint32_t attempt) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  const auto mix = [](uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  };
  return mix(mix(mix(seed + kGolden) + task + kGolden) + attempt + kGolden);
}

}  // namespace internal
}  // namespace northwind

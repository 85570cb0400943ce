// SPDX-License-Identifier: Apache-2.0
#include "src/scheduler/policy.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::testing::ElementsAre;
using testing::IsOk;
using testing::Random;
using testing::StatusIs;
using testing::TestSeed;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

RetryPolicy Exponential(absl::Duration initial, double multiplier, absl::Duration cap) {
  RetryPolicy policy;
  policy.initial = initial;
  policy.multiplier = multiplier;
  policy.cap = cap;
  return policy;
}

// The delays before attempts 1, 2, … with attempts that take no time, in seconds.
std::vector<int64_t> DelaysOf(const RetryPolicy& policy, size_t count) {
  const Backoff backoff(policy);
  std::vector<int64_t> delays;
  Backoff::Next next = backoff.First(0, 0);
  delays.push_back(next.due / kSecond);
  for (uint32_t attempts = 1; delays.size() < count; ++attempts) {
    const int64_t now = next.due;
    next = backoff.After(attempts, 0, now, 0, next.delay, 0);
    if (next.verdict != Backoff::Verdict::kAgain) break;
    delays.push_back((next.due - now) / kSecond);
  }
  return delays;
}

TEST(RetryPolicy, TheStandardOneIsThatOfTheSpecification) {
  EXPECT_THAT(DelaysOf(RetryPolicy::StandardWebhooks(), 100),
              ElementsAre(0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400));
}

TEST(RetryPolicy, AnExponentialOneGrowsUpToItsCap) {
  EXPECT_THAT(DelaysOf(Exponential(absl::Seconds(1), 2, absl::Seconds(20)), 8), ElementsAre(0, 1, 2, 4, 8, 16, 20, 20));
  EXPECT_THAT(DelaysOf(Exponential(absl::Seconds(8), 1.5, absl::Hours(1)), 5), ElementsAre(0, 8, 12, 18, 27));
  EXPECT_THAT(DelaysOf(Exponential(absl::Seconds(3), 1, absl::Hours(1)), 4), ElementsAre(0, 3, 3, 3));
}

TEST(RetryPolicy, MaxAttemptsEndsIt) {
  RetryPolicy policy = Exponential(absl::Seconds(1), 2, absl::Hours(1));
  policy.max_attempts = 3;
  EXPECT_THAT(DelaysOf(policy, 100), ElementsAre(0, 1, 2));
  policy.max_attempts = 1;
  EXPECT_THAT(DelaysOf(policy, 100), ElementsAre(0));
  policy = RetryPolicy::StandardWebhooks();
  policy.max_attempts = 2;
  EXPECT_THAT(DelaysOf(policy, 100), ElementsAre(0, 5));
}

TEST(RetryPolicy, MaxAgeEndsItAtTheFirstAttemptThatWouldComeTooLate) {
  RetryPolicy policy = Exponential(absl::Seconds(1), 2, absl::Hours(1));
  policy.max_age = absl::Seconds(7);
  const Backoff backoff(policy);
  EXPECT_EQ(backoff.After(3, 0, 3 * kSecond, 0, 0, 0).verdict, Backoff::Verdict::kAgain) << "at 7 s exactly";
  EXPECT_EQ(backoff.After(3, 0, 3 * kSecond + 1, 0, 0, 0).verdict, Backoff::Verdict::kTooOld);
  EXPECT_EQ(backoff.After(1, 0, 0, 8 * kSecond, 0, 0).verdict, Backoff::Verdict::kTooOld) << "not_before counts";
}

TEST(RetryPolicy, TheLaterOfDelayAndNotBeforeHolds) {
  const Backoff backoff(Exponential(absl::Seconds(10), 2, absl::Hours(1)));
  EXPECT_EQ(backoff.After(1, 0, 5 * kSecond, 12 * kSecond, 0, 0).due, 15 * kSecond);
  EXPECT_EQ(backoff.After(1, 0, 5 * kSecond, 99 * kSecond, 0, 0).due, 99 * kSecond);
}

TEST(RetryPolicy, ArithmeticSaturates) {
  const Backoff backoff(Exponential(absl::Hours(24 * 365 * 200), 1000, absl::InfiniteDuration()));
  for (const uint32_t attempts : {1u, 2u, 3u, 100u, 4'000'000'000u}) {
    const Backoff::Next next = backoff.After(attempts, 0, kForever - 5, 0, kForever, ~uint64_t{0});
    EXPECT_EQ(next.due, kForever) << attempts;
    EXPECT_GT(next.delay, 0);
  }
  EXPECT_EQ(Backoff(RetryPolicy::StandardWebhooks()).First(kForever, 0).due, kForever);
}

TEST(RetryPolicy, JitterStaysWithinItsBoundsAndReachesThem) {
  RetryPolicy policy = Exponential(absl::Seconds(100), 2, absl::Seconds(1000));
  Random random(TestSeed());
  const struct {
    Jitter jitter;
    int64_t low, high;  // of the delay before the third attempt, after one of 150 s
  } cases[] = {{Jitter::kNone, 200, 200},
               {Jitter::kFull, 0, 200},
               {Jitter::kEqual, 100, 200},
               {Jitter::kDecorrelated, 100, 450}};
  for (const auto& c : cases) {
    policy.jitter = c.jitter;
    const Backoff backoff(policy);
    int64_t least = kForever, most = 0;
    for (int i = 0; i < 10'000; ++i) {
      const int64_t delay = backoff.After(2, 0, 0, 0, 150 * kSecond, random.Next()).delay;
      least = std::min(least, delay);
      most = std::max(most, delay);
    }
    const int64_t slack = (c.high - c.low) * kSecond / 100;
    EXPECT_GE(least, c.low * kSecond);
    EXPECT_LE(least, c.low * kSecond + slack);
    EXPECT_LE(most, c.high * kSecond);
    EXPECT_GE(most, c.high * kSecond - slack);
    EXPECT_EQ(backoff.After(2, 0, 0, 0, 150 * kSecond, 0).delay, c.low * kSecond);
    EXPECT_EQ(backoff.After(2, 0, 0, 0, 150 * kSecond, ~uint64_t{0}).delay, c.high * kSecond);
  }
}

TEST(RetryPolicy, DecorrelatedJitterNeverPassesTheCap) {
  RetryPolicy policy = Exponential(absl::Seconds(1), 2, absl::Seconds(60));
  policy.jitter = Jitter::kDecorrelated;
  const Backoff backoff(policy);
  Random random(TestSeed());
  int64_t delay = 0;
  for (uint32_t attempt = 1; attempt < 1000; ++attempt) {
    delay = backoff.After(attempt, 0, 0, 0, delay, random.Next()).delay;
    ASSERT_GE(delay, kSecond);
    ASSERT_LE(delay, 60 * kSecond);
  }
}

TEST(RetryPolicy, RandomNumbersDependOnSeedTaskAndAttempt) {
  EXPECT_EQ(AttemptRandom(1, 2, 3), AttemptRandom(1, 2, 3));
  EXPECT_NE(AttemptRandom(1, 2, 3), AttemptRandom(2, 2, 3));
  EXPECT_NE(AttemptRandom(1, 2, 3), AttemptRandom(1, 3, 3));
  EXPECT_NE(AttemptRandom(1, 2, 3), AttemptRandom(1, 2, 4));
}

TEST(RetryPolicy, SurvivesItsEncoding) {
  RetryPolicy explicit_one;
  explicit_one.delays = {absl::Seconds(1), absl::InfiniteDuration()};
  explicit_one.jitter = Jitter::kEqual;
  explicit_one.max_age = absl::Hours(3);
  RetryPolicy exponential = Exponential(absl::Milliseconds(1), 1.337, absl::Hours(2));
  exponential.max_attempts = 7;
  RetryPolicy standard = RetryPolicy::StandardWebhooks();
  standard.jitter = Jitter::kFull;
  for (const RetryPolicy& policy : {explicit_one, exponential, standard, RetryPolicy()}) {
    std::string bytes;
    EncodePolicy(policy, bytes);
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
      ByteReader in(std::string_view(bytes).substr(0, cut));
      RetryPolicy decoded;
      EXPECT_FALSE(DecodePolicy(in, decoded));
    }
    ByteReader in(bytes);
    RetryPolicy decoded;
    ASSERT_TRUE(DecodePolicy(in, decoded));
    EXPECT_TRUE(in.AtEnd());
    // What a policy does not use is not kept.
    if (!policy.delays.empty()) {
      decoded.initial = policy.initial;
      decoded.cap = policy.cap;
      decoded.multiplier = policy.multiplier;
    }
    EXPECT_EQ(decoded, policy);
  }
}

TEST(RetryPolicy, WhatMakesNoSenseIsRefused) {
  const auto refused = [](auto change) {
    RetryPolicy policy;
    change(policy);
    EXPECT_THAT(CheckPolicy(policy), StatusIs(absl::StatusCode::kInvalidArgument));
  };
  refused([](RetryPolicy& p) { p.delays.resize(kMaxPolicyDelays + 1); });
  refused([](RetryPolicy& p) { p.delays = {absl::Seconds(-1)}; });
  refused([](RetryPolicy& p) { p.initial = absl::ZeroDuration(); });
  refused([](RetryPolicy& p) { p.cap = p.initial / 2; });
  refused([](RetryPolicy& p) { p.multiplier = 0.5; });
  refused([](RetryPolicy& p) { p.multiplier = 1001; });
  refused([](RetryPolicy& p) { p.multiplier = std::numeric_limits<double>::quiet_NaN(); });
  refused([](RetryPolicy& p) { p.max_age = absl::ZeroDuration(); });
  refused([](RetryPolicy& p) { p.jitter = static_cast<Jitter>(4); });
  refused([](RetryPolicy& p) {
    p.delays = {absl::Seconds(1)};
    p.jitter = Jitter::kDecorrelated;
  });
  EXPECT_THAT(CheckPolicy(RetryPolicy()), IsOk());
}

}  // namespace
}  // namespace northwind::internal

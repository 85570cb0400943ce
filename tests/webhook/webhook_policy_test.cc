// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/webhook_policy.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;
using ::testing::StartsWith;

constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss;

// Something other than every default.
WebhookPolicy Exponential() {
  return {.retry = {.initial = absl::Nanoseconds(300),
                    .multiplier = 1.5,
                    .cap = absl::Nanoseconds(1000),
                    .jitter = Jitter::kFull,
                    .max_attempts = 4,
                    .max_age = absl::Nanoseconds(5000)},
          .timeout = absl::Milliseconds(100),
          .max_concurrent = 200,
          .max_per_second = 3.25,
          .burst = 300};
}

WebhookPolicy Delays(std::vector<absl::Duration> delays) { return {.retry = {.delays = std::move(delays)}}; }

TEST(WebhookPolicyBytes, Golden) {
  EXPECT_EQ(absl::BytesToHexString(EncodeWebhookPolicy({})),
            "01"                        // format
            "410000ffffffffffffffff7f"  // the usual retries, for ever
            "9875"                      // 15,000 ms
            "08"                        // at once
            "00"                        // no rate
            "0a");                      // burst
  EXPECT_EQ(absl::BytesToHexString(EncodeWebhookPolicy(Exponential())),
            "01"
            "00010488"
            "27ac02dc0be807"  // exponential: jitter, attempts, age, initial, multiplier, cap
            "64"
            "c801"
            "b219"  // 3,250 in 1,000 s
            "ac02");
  EXPECT_EQ(absl::BytesToHexString(EncodeWebhookPolicy(Delays({absl::ZeroDuration(), absl::Nanoseconds(128)}))),
            "01"
            "02008001"
            "0000ffffffffffffffff7f"  // two delays
            "9875"
            "08"
            "00"
            "0a");
}

TEST(WebhookPolicyBytes, AreReadAsTheyWereWritten) {
  for (const WebhookPolicy& policy :
       {WebhookPolicy(), Exponential(), Delays({absl::Seconds(1)}), Delays({kMaxWebhookDelay})}) {
    EXPECT_THAT(DecodeWebhookPolicy(EncodeWebhookPolicy(policy)), IsOkAndHolds(policy));
    EXPECT_THAT(KeptWebhookPolicy(policy), IsOkAndHolds(policy));
  }
}

TEST(WebhookPolicyBytes, TheLargestFits) {
  std::vector<absl::Duration> delays(kMaxPolicyDelays, kMaxWebhookDelay);
  WebhookPolicy largest = {.retry = {.delays = delays,
                                     .jitter = Jitter::kEqual,
                                     .max_attempts = std::numeric_limits<uint32_t>::max(),
                                     .max_age = absl::InfiniteDuration()},
                           .timeout = kMaxWebhookTimeout,
                           .max_concurrent = kMaxWebhookConcurrency,
                           .max_per_second = kMaxWebhookRate,
                           .burst = kMaxWebhookBurst};
  ASSERT_THAT(CheckWebhookPolicy(largest), IsOk());
  EXPECT_LE(EncodeWebhookPolicy(largest).size(), kMaxEndpointPolicyBytes);
  EXPECT_THAT(KeptWebhookPolicy(largest), IsOkAndHolds(largest));
}

TEST(WebhookPolicyBytes, CutsAndLeftoversAreDamage) {
  for (const WebhookPolicy& policy : {WebhookPolicy(), Exponential()}) {
    const std::string bytes = EncodeWebhookPolicy(policy);
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_THAT(DecodeWebhookPolicy(bytes.substr(0, size)), StatusIs(kDamaged)) << size;
    }
    EXPECT_THAT(DecodeWebhookPolicy(bytes + '\0'), StatusIs(kDamaged));
  }
}

TEST(WebhookPolicyBytes, OutOfRangeIsDamage) {
  const std::pair<const char*, const char*> wrongs[] = {
      {"another format",
       "02410000ffffffffffffffff7f"
       "9875"
       "08"
       "00"
       "0a"},
      {"66 delays",
       "01420000ffffffffffffffff7f"
       "9875"
       "08"
       "00"
       "0a"},
      {"another jitter",
       "01410400ffffffffffffffff7f"
       "9875"
       "08"
       "00"
       "0a"},
      {"age 0",
       "0141000000"
       "9875"
       "08"
       "00"
       "0a"},
      {"99 ms",
       "01410000ffffffffffffffff7f"
       "63"
       "08"
       "00"
       "0a"},
      {"60,001 ms",
       "01410000ffffffffffffffff7f"
       "e1d403"
       "08"
       "00"
       "0a"},
      {"2^63 ms",
       "01410000ffffffffffffffff7f"
       "80808080808080808001"
       "08"
       "00"
       "0a"},
      {"none at once",
       "01410000ffffffffffffffff7f"
       "9875"
       "00"
       "00"
       "0a"},
      {"2^32 + 1 at once",
       "01410000ffffffffffffffff7f"
       "9875"
       "8180808010"
       "00"
       "0a"},
      {"rate 9/1000",
       "01410000ffffffffffffffff7f"
       "9875"
       "08"
       "09"
       "0a"},
      {"rate 2^63",
       "01410000ffffffffffffffff7f"
       "9875"
       "08"
       "80808080808080808001"
       "0a"},
      {"burst 0",
       "01410000ffffffffffffffff7f"
       "9875"
       "08"
       "00"
       "00"},
      {"endless",
       "01000000ffffffffffffffff7fac02dc0be807"
       "9875"
       "08"
       "00"
       "0a"},
  };
  for (const auto& [what, hex] : wrongs) {
    EXPECT_THAT(DecodeWebhookPolicy(absl::HexStringToBytes(hex)), StatusIs(kDamaged)) << what;
  }
}

TEST(WebhookPolicyBytes, OnePolicyHasOneSpelling) {
  Random random(TestSeed());
  const std::string seeds[] = {EncodeWebhookPolicy({}), EncodeWebhookPolicy(Exponential()),
                               EncodeWebhookPolicy(Delays({absl::Seconds(1), absl::Hours(1)}))};
  uint64_t read = 0;
  for (uint64_t i = 0; i < TestOps(20'000); ++i) {
    std::string bytes = seeds[random.Below(3)];
    bytes[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
    const auto policy = DecodeWebhookPolicy(bytes);
    if (!policy.ok()) continue;
    ++read;
    ASSERT_EQ(absl::BytesToHexString(EncodeWebhookPolicy(*policy)), absl::BytesToHexString(bytes));
    ASSERT_THAT(KeptWebhookPolicy(*policy), IsOkAndHolds(*policy));
  }
  EXPECT_GT(read, 0u);
}

TEST(WebhookPolicy, IsKeptToTheMillisecondAndTheThousandth) {
  const auto kept = [](double rate) { return KeptWebhookPolicy({.max_per_second = rate})->max_per_second; };
  EXPECT_EQ(kept(0), 0);
  EXPECT_FALSE(std::signbit(kept(-0.0)));
  EXPECT_EQ(kept(0.01), 0.01);
  EXPECT_EQ(kept(0.0104), 0.01);
  EXPECT_EQ(kept(1.0 / 3), 0.333);
  EXPECT_EQ(kept(2.0006), 2.001);
  EXPECT_EQ(kept(99'999.9999), 100'000);
  EXPECT_EQ(kept(100'000), 100'000);
  EXPECT_EQ(KeptWebhookPolicy({.timeout = absl::Microseconds(100'999)})->timeout, absl::Milliseconds(100));
  WebhookPolicy multiplied = Exponential();
  multiplied.retry.multiplier = 2.00049;
  EXPECT_EQ(KeptWebhookPolicy(multiplied)->retry.multiplier, 2);
  // What is not used is not kept.
  WebhookPolicy mixed = Delays({absl::Seconds(1)});
  mixed.retry.initial = absl::Seconds(9);
  EXPECT_THAT(KeptWebhookPolicy(mixed), IsOkAndHolds(Delays({absl::Seconds(1)})));
}

TEST(WebhookPolicy, IsRefusedByTheFieldAtFault) {
  const auto refused = [](const WebhookPolicy& policy, const char* field) {
    EXPECT_THAT(CheckWebhookPolicy(policy), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(field)));
    EXPECT_THAT(KeptWebhookPolicy(policy), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(field)));
  };
  for (const absl::Duration bad :
       {absl::ZeroDuration(), -absl::Seconds(1), kMinWebhookTimeout - absl::Nanoseconds(1),
        kMaxWebhookTimeout + absl::Nanoseconds(1), absl::InfiniteDuration(), -absl::InfiniteDuration()}) {
    refused({.timeout = bad}, "policy.timeout: must be 100ms to 1m");
  }
  for (const uint32_t bad : {0u, kMaxWebhookConcurrency + 1, std::numeric_limits<uint32_t>::max()}) {
    refused({.max_concurrent = bad}, "policy.max_concurrent: must be 1 to 256");
  }
  for (const double bad : {-1.0, 0.0099, 1e-300, 100'000.001, 1e300, std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    refused({.max_per_second = bad}, "policy.max_per_second: must be 0.01 to 100000");
  }
  for (const uint32_t bad : {0u, kMaxWebhookBurst + 1}) refused({.burst = bad}, "policy.burst: must be 1 to 100000");
}

TEST(WebhookPolicy, BoundsThemselvesAreTaken) {
  EXPECT_THAT(
      CheckWebhookPolicy({.timeout = kMinWebhookTimeout, .max_concurrent = 1, .max_per_second = 0.01, .burst = 1}),
      IsOk());
  EXPECT_THAT(CheckWebhookPolicy({.timeout = kMaxWebhookTimeout,
                                  .max_concurrent = kMaxWebhookConcurrency,
                                  .max_per_second = kMaxWebhookRate,
                                  .burst = kMaxWebhookBurst}),
              IsOk());
}

TEST(WebhookPolicy, RetriesMustEnd) {
  const auto check = [](RetryPolicy retry) { return CheckWebhookPolicy({.retry = std::move(retry)}); };
  const auto refused = [](const char* why) { return StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(why)); };
  EXPECT_THAT(check({}), refused("policy.retry: must end"));
  EXPECT_THAT(check({.max_attempts = 1}), IsOk());
  EXPECT_THAT(check({.max_age = absl::Hours(1)}), IsOk());
  EXPECT_THAT(check({.delays = {absl::ZeroDuration()}}), IsOk());
  // A delay without end is no end.
  EXPECT_THAT(check({.delays = {absl::ZeroDuration(), absl::InfiniteDuration()}}), refused("policy.retry: a delay"));
  EXPECT_THAT(check({.delays = {kMaxWebhookDelay + absl::Nanoseconds(1)}}), refused("policy.retry: a delay"));
  EXPECT_THAT(check({.cap = absl::InfiniteDuration(), .max_attempts = 9}), refused("policy.retry: a delay"));
  EXPECT_THAT(check({.initial = kMaxWebhookDelay, .cap = kMaxWebhookDelay, .max_attempts = 9}), IsOk());
}

TEST(WebhookPolicy, RetriesAreAsTheSchedulerTakesThem) {
  const auto refused = [](RetryPolicy retry) {
    EXPECT_THAT(CheckWebhookPolicy({.retry = std::move(retry)}),
                StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("policy.retry: ")));
  };
  refused({.delays = std::vector<absl::Duration>(kMaxPolicyDelays + 1)});
  refused({.delays = {-absl::Seconds(1)}});
  refused({.multiplier = std::numeric_limits<double>::quiet_NaN(), .max_attempts = 1});
  refused({.multiplier = 0.5, .max_attempts = 1});
  refused({.initial = absl::ZeroDuration(), .max_attempts = 1});
  refused({.initial = absl::Hours(2), .cap = absl::Hours(1), .max_attempts = 1});
  refused({.delays = {absl::Seconds(1)}, .jitter = Jitter::kDecorrelated});
  refused({.max_attempts = 1, .max_age = absl::ZeroDuration()});
}

TEST(WebhookAttemptPlan, IsTheScheduleOfADeliveryThatAlwaysFails) {
  using absl::Hours, absl::Minutes, absl::Seconds, absl::ZeroDuration;
  EXPECT_THAT(PlanWebhookAttempts({}, 4),
              IsOkAndHolds(std::vector<absl::Duration>{ZeroDuration(), Seconds(5), Seconds(305), Seconds(2105)}));
  EXPECT_EQ(PlanWebhookAttempts({}, 1000)->size(), 10u);
  EXPECT_EQ(PlanWebhookAttempts({}, 1000)->back(), Seconds(5) + Minutes(35) + Hours(2 + 5 + 10 + 14 + 20 + 24));
  WebhookPolicy doubling{.retry = {.initial = Seconds(10), .cap = Seconds(30), .jitter = Jitter::kDecorrelated}};
  doubling.retry.max_attempts = 5;
  const std::vector<absl::Duration> plan = {ZeroDuration(), Seconds(10), Seconds(30), Seconds(60), Seconds(90)};
  EXPECT_THAT(PlanWebhookAttempts(doubling, 1000), IsOkAndHolds(plan)) << "no jitter";
  doubling.retry.max_age = Seconds(60);
  EXPECT_THAT(PlanWebhookAttempts(doubling, 1000),
              IsOkAndHolds(std::vector<absl::Duration>(plan.begin(), plan.begin() + 4)));
  EXPECT_THAT(PlanWebhookAttempts({.burst = 0}, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("policy.burst: ")));
}

}  // namespace
}  // namespace northwind::internal

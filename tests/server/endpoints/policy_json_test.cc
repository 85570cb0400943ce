// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/policy_json.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::server {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;
using ::testing::StartsWith;

absl::Duration RandomDelay(Random& random, absl::Duration most) {
  const int64_t unit = random.Pick<int64_t>({1, 1'000, 1'000'000, 1'000'000'000});
  return absl::Nanoseconds(random.Between(1, absl::ToInt64Nanoseconds(most) / unit) * unit);
}

WebhookPolicy RandomPolicy(Random& random) {
  WebhookPolicy policy;
  RetryPolicy& retry = policy.retry;
  retry.delays.clear();
  if (random.OneIn(2)) {
    for (size_t n = 1 + random.Below(kMaxPolicyDelays); n > 0; --n) {
      retry.delays.push_back(random.OneIn(5) ? absl::ZeroDuration() : RandomDelay(random, kMaxWebhookDelay));
    }
    retry.jitter = static_cast<Jitter>(random.Below(3));
  } else {
    retry.cap = RandomDelay(random, kMaxWebhookDelay);
    retry.initial = RandomDelay(random, retry.cap);
    if (retry.initial > retry.cap) retry.initial = retry.cap;
    retry.multiplier = static_cast<double>(random.Between(1'000, 1'000'000)) / 1000;
    retry.jitter = static_cast<Jitter>(random.Below(4));
  }
  if (random.OneIn(2)) retry.max_attempts = static_cast<uint32_t>(random.Next());
  if (random.OneIn(2)) retry.max_age = RandomDelay(random, absl::Hours(24 * 50));
  if (random.OneIn(4)) retry.max_age = absl::Seconds(random.Between(1, 9'000'000'000));
  policy.timeout = absl::Milliseconds(random.Between(100, 60'000));
  policy.max_concurrent = static_cast<uint32_t>(random.Between(1, kMaxWebhookConcurrency));
  if (random.OneIn(2)) policy.max_per_second = static_cast<double>(random.Between(10, 100'000'000)) / 1000;
  policy.burst = static_cast<uint32_t>(random.Between(1, kMaxWebhookBurst));
  return policy;
}

TEST(PolicyJson, IsReadBackExactly) {
  Random random(TestSeed());
  for (uint64_t i = 0; i < TestOps(5'000); ++i) {
    const WebhookPolicy policy = RandomPolicy(random);
    const std::string text = PolicyJson(policy).dump();
    const auto back = ParsePolicy(text);
    ASSERT_THAT(back, IsOk()) << text;
    ASSERT_EQ(**back, policy) << text;
    ASSERT_EQ(PolicyJson(*back).dump(), text);
  }
  EXPECT_EQ(PolicyJson(std::nullopt), Json());
  EXPECT_THAT(ParsePolicy(" null\n"), IsOkAndHolds(std::nullopt));
}

TEST(PolicyJson, IsWrittenAsItIsRead) {
  EXPECT_EQ(
      PolicyJson(WebhookPolicy{.retry = {.delays = {absl::ZeroDuration(), absl::Milliseconds(1500)}}}).dump(),
      R"({"retry":{"delays_seconds":[0,1.5]},"timeout_seconds":15,"max_concurrent":8,"max_per_second":0,"burst":10})");
  EXPECT_EQ(
      PolicyJson(WebhookPolicy{.retry = {.max_attempts = 3}})["retry"].dump(),
      R"({"initial_seconds":1,"multiplier":2,"cap_seconds":3600,"max_attempts":3,"max_age_seconds":null,"jitter":"none"})");
  EXPECT_THAT(ParsePolicy("{}"), IsOkAndHolds(WebhookPolicy{}));
}

TEST(PolicyJson, WhatIsWrongIsNamed) {
  const auto refused = [](const std::string& body) { return ParsePolicy(body).status(); };
  const auto names = [](const std::string& field) {
    return StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(field + ": "));
  };
  EXPECT_THAT(refused(R"({"retry":{}})"), names("policy.retry"));
  EXPECT_THAT(refused(R"({"retry":[]})"), names("policy.retry"));
  EXPECT_THAT(refused(R"({"retry":{"delays_seconds":[]}})"), names("policy.retry.delays_seconds"));
  EXPECT_THAT(refused(R"({"retry":{"delays_seconds":[0,"1"]}})"), names("policy.retry.delays_seconds[1]"));
  EXPECT_THAT(refused(R"({"retry":{"delays_seconds":[1e300]}})"), names("policy.retry.delays_seconds[0]"));
  EXPECT_THAT(refused(R"({"retry":{"delays_seconds":[18446744073709551615]}})"),
              names("policy.retry.delays_seconds[0]"));
  EXPECT_THAT(refused(R"({"retry":{"initial_seconds":1,"multiplier":"2"}})"), names("policy.retry.multiplier"));
  EXPECT_THAT(refused(R"({"retry":{"initial_seconds":1,"max_attempts":1.5}})"), names("policy.retry.max_attempts"));
  EXPECT_THAT(refused(R"({"retry":{"initial_seconds":1,"jitter":"much"}})"), names("policy.retry.jitter"));
  EXPECT_THAT(refused(R"({"max_concurrent":8.0})"), names("policy.max_concurrent"))
      << "a whole number is written as one";
  EXPECT_THAT(refused(R"({"max_concurrent":-1})"), names("policy.max_concurrent"));
  EXPECT_THAT(refused(R"({"burst":4294967296})"), names("policy.burst"));
  EXPECT_THAT(refused(R"({"timeout_seconds":null})"), names("policy.timeout_seconds"));
  for (const char* body : {"", "[]", "1e999", R"({"max_per_second":1e999})", R"({"max_per_second":NaN})",
                           R"({"other":1})", R"({"retry":{"delays_seconds":[0],"multiplier":2}})"}) {
    EXPECT_THAT(refused(body), StatusIs(absl::StatusCode::kInvalidArgument)) << body;
  }
}

TEST(PolicyPlan, SaysWhenItIsTriedAndGivenUp) {
  EXPECT_EQ(PlanJson({.retry = {.delays = {absl::Seconds(1), absl::Seconds(5)}}})->dump(),
            R"({"attempts_at_seconds":[1,6],"gives_up_after_seconds":6})");
  const auto endless = PlanJson({.retry = {.max_attempts = 4'000'000'000}});
  ASSERT_THAT(endless, IsOk());
  EXPECT_EQ((*endless)["attempts_at_seconds"].size(), kMaxPlannedAttempts);
  EXPECT_TRUE((*endless)["gives_up_after_seconds"].is_null());
  EXPECT_THAT(PlanJson({.retry = {.max_attempts = 0}}),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("policy.retry: must end")));
}

}  // namespace
}  // namespace northwind::server

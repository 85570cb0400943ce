// SPDX-License-Identifier: Apache-2.0
//
// VerifyWebhook by the public header alone. What it stands on has tests of its own in signature_test.cc.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/webhook.h"
#include "tests/support/status_matchers.h"

namespace northwind {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::StatusCode kMalformed = absl::StatusCode::kInvalidArgument;

struct Vector {
  std::string key;
  WebhookHeaders headers;
  std::string body;
  absl::Time now;
};

// Of the specification and its reference implementations.
const Vector kVectors[] = {
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
     {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
     R"({"test": 2432232314})",
     absl::FromUnixSeconds(1614265330)},
    {"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
     {"msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553", "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="},
     R"({"email":"test@example.com","username":"test_user"})",
     absl::FromUnixSeconds(1649367553)},
    {"whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
     {"msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
      "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="},
     R"({"test": 2432232314})",
     absl::FromUnixSeconds(1614265330)},
};

absl::Status Verify(const Vector& vector) {
  return VerifyWebhook({vector.key}, vector.headers, vector.body, vector.now);
}

TEST(VerifyWebhook, AcceptsTheVectorsOfTheStandard) {
  for (const Vector& vector : kVectors) EXPECT_THAT(Verify(vector), IsOk()) << vector.key;
}

TEST(VerifyWebhook, RefusesAnotherBodyIdTimeOrKey) {
  for (const Vector& vector : kVectors) {
    Vector other = vector;
    other.body += " ";
    EXPECT_THAT(Verify(other), StatusIs(absl::StatusCode::kUnauthenticated));
    other = vector;
    other.headers.id += "x";
    EXPECT_THAT(Verify(other), StatusIs(absl::StatusCode::kUnauthenticated));
    other = vector;
    other.headers.timestamp.back() ^= 1;
    EXPECT_THAT(Verify(other), StatusIs(absl::StatusCode::kUnauthenticated));
    other = vector;
    other.key = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    EXPECT_THAT(Verify(other), StatusIs(absl::StatusCode::kUnauthenticated));
  }
}

TEST(VerifyWebhook, DuringARotationEitherKeyIsEnough) {
  const Vector& vector = kVectors[0];
  const std::vector<std::string> keys = {kVectors[1].key, kVectors[2].key, vector.key};
  EXPECT_THAT(VerifyWebhook(keys, vector.headers, vector.body, vector.now), IsOk());
  WebhookHeaders both = vector.headers;
  both.signature = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= " + both.signature;
  EXPECT_THAT(VerifyWebhook({vector.key}, both, vector.body, vector.now), IsOk());
}

TEST(VerifyWebhook, GivesOrTakesTheTolerance) {
  const Vector& vector = kVectors[0];
  const auto at = [&](absl::Duration off, absl::Duration tolerance) {
    return VerifyWebhook({vector.key}, vector.headers, vector.body, vector.now + off, tolerance);
  };
  for (const absl::Duration tolerance : {absl::ZeroDuration(), absl::Seconds(5), absl::Seconds(300)}) {
    EXPECT_THAT(at(tolerance, tolerance), IsOk());
    EXPECT_THAT(at(-tolerance, tolerance), IsOk());
    EXPECT_THAT(at(tolerance + absl::Nanoseconds(1), tolerance),
                StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("too old")));
    EXPECT_THAT(at(-tolerance - absl::Nanoseconds(1), tolerance),
                StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("too new")));
  }
  EXPECT_THAT(VerifyWebhook({vector.key}, vector.headers, vector.body, vector.now + absl::Seconds(301)),
              StatusIs(absl::StatusCode::kOutOfRange))
      << "300 s if nothing is said";
}

TEST(VerifyWebhook, ABadKeyIsNamedByItsPlaceAndNotShown) {
  const Vector& vector = kVectors[0];
  for (const char* bad :
       {"", "hush", "whsec_", "whsec_hush", "whsec_aHVzaA==", "whpk_aHVzaA==", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ",
        // The sender's half of a pair is nothing for a receiver.
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="}) {
    EXPECT_THAT(VerifyWebhook({vector.key, bad}, vector.headers, vector.body, vector.now),
                StatusIs(kMalformed, AllOf(StartsWith("keys[1]"), Not(HasSubstr("hush")), Not(HasSubstr("aHVz")))))
        << bad;
  }
}

TEST(VerifyWebhook, TakesOneToEightKeys) {
  const Vector& vector = kVectors[0];
  EXPECT_THAT(VerifyWebhook({}, vector.headers, vector.body, vector.now), StatusIs(kMalformed, StartsWith("keys: ")));
  std::vector<std::string> keys(7, kVectors[1].key);
  keys.push_back(vector.key);
  EXPECT_THAT(VerifyWebhook(keys, vector.headers, vector.body, vector.now), IsOk());
  keys.push_back(vector.key);
  EXPECT_THAT(VerifyWebhook(keys, vector.headers, vector.body, vector.now), StatusIs(kMalformed, StartsWith("keys: ")));
}

TEST(VerifyWebhook, AMissingOrMalformedHeaderIsNamed) {
  const auto refused = [](WebhookHeaders headers, const char* field) {
    EXPECT_THAT(VerifyWebhook({kVectors[0].key}, headers, kVectors[0].body, kVectors[0].now),
                StatusIs(kMalformed, StartsWith(field)));
  };
  const WebhookHeaders good = kVectors[0].headers;
  refused({"", good.timestamp, good.signature}, "webhook-id");
  refused({"a.b", good.timestamp, good.signature}, "webhook-id");
  refused({good.id, "", good.signature}, "webhook-timestamp");
  refused({good.id, "now", good.signature}, "webhook-timestamp");
  refused({good.id, good.timestamp, ""}, "webhook-signature");
  refused({good.id, good.timestamp, "g0hM9SsE"}, "webhook-signature");
}

}  // namespace
}  // namespace northwind

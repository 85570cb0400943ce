// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/verdict.h"

#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/http/ip_address.h"
#include "src/http/retry_after.h"
#include "tests/support/seed.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::Random;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;
using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kNow =
    absl::FromCivil(absl::CivilSecond(2026, 3, 1, 12, 0, 0), absl::UTCTimeZone()) + absl::Milliseconds(5);

http::Result Answer(int status) { return {.status = status}; }
http::Result Answer(int status, std::string retry_after) {
  return {.status = status, .headers = {{"Content-Type", "text/plain"}, {"Retry-After", std::move(retry_after)}}};
}

TEST(Verdict, OfEveryStatus) {
  for (int status = 100; status < 1000; ++status) {
    const AttemptVerdict verdict = Judge(Answer(status), kNow);
    AttemptFailure expected = AttemptFailure::kStatus;
    if (status / 100 == 2) expected = AttemptFailure::kNone;
    if (status / 100 == 3) expected = AttemptFailure::kRedirect;
    if (status == 410) expected = AttemptFailure::kGone;
    if (status == 429) expected = AttemptFailure::kThrottled;
    EXPECT_EQ(verdict.failure, expected) << status;
    EXPECT_EQ(verdict.retry_at, absl::InfinitePast()) << status;
    if (expected == AttemptFailure::kNone) {
      EXPECT_EQ(verdict.message, "");
    } else {
      EXPECT_THAT(verdict.message, HasSubstr("answered " + std::to_string(status)));
    }
  }
}

TEST(Verdict, OfEveryStatusWithRetryAfter) {
  for (int status = 100; status < 1000; ++status) {
    const AttemptVerdict without = Judge(Answer(status), kNow);
    const AttemptVerdict verdict = Judge(Answer(status, "120"), kNow);
    EXPECT_EQ(verdict.failure, status == 503 ? AttemptFailure::kThrottled : without.failure) << status;
    EXPECT_EQ(verdict.retry_at,
              verdict.failure == AttemptFailure::kNone ? absl::InfinitePast() : kNow + absl::Seconds(120))
        << status;
  }
}

TEST(Verdict, WithoutAWholeAnswerIsAsTheClientSaysWhateverStatusHadCome) {
  int failures = 0;
  for (int value = 1; value < 256; ++value) {
    const auto failure = static_cast<http::Failure>(value);
    if (std::string_view(http::FailureName(failure)) == "unknown") continue;
    ++failures;
    for (const int status : {0, 200, 410, 429, 503}) {
      http::Result result = Answer(status, "120");
      result.failure = failure;
      result.message = "what the client says";
      const AttemptVerdict verdict = Judge(result, kNow);
      EXPECT_EQ(static_cast<int>(verdict.failure), value);
      EXPECT_EQ(verdict.message, "what the client says");
      EXPECT_EQ(verdict.retry_at, absl::InfinitePast());
    }
    EXPECT_EQ(Name(static_cast<AttemptFailure>(value)), http::FailureName(failure));
  }
  EXPECT_EQ(failures, 13);
}

TEST(Verdict, RetryAfterIsTakenInSecondsAndInAllFormsOfDates) {
  const absl::Time date = absl::FromCivil(absl::CivilSecond(2026, 3, 1, 12, 0, 37), absl::UTCTimeZone());
  for (const int status : {429, 503, 500, 404, 302}) {
    EXPECT_EQ(Judge(Answer(status, "0"), kNow).retry_at, kNow);
    EXPECT_EQ(Judge(Answer(status, " 7 "), kNow).retry_at, kNow + absl::Seconds(7));
    for (const char* text :
         {"Sun, 01 Mar 2026 12:00:37 GMT", "Sunday, 01-Mar-26 12:00:37 GMT", "Sun Mar  1 12:00:37 2026"}) {
      EXPECT_EQ(Judge(Answer(status, text), kNow).retry_at, date) << text;
    }
    EXPECT_EQ(Judge(Answer(status, "Sun, 01 Mar 2020 12:00:00 GMT"), kNow).retry_at, kNow) << "gone by";
  }
}

TEST(Verdict, NobodyMayAskForMoreThanTheLongestWait) {
  for (const std::string& text :
       {std::string("2592001"), std::string(1000, '9'), std::string("Fri, 31 Dec 9999 23:59:59 GMT")}) {
    EXPECT_EQ(Judge(Answer(503, text), kNow).retry_at, kNow + http::kMaxRetryAfter) << text;
  }
}

TEST(Verdict, AnUnavailableEndpointThatSaysNothingGoodIsNotThrottled) {
  for (const char* text : {"", " ", "soon", "-1", "1.5", "7 s", "Sun, 32 Mar 2026 12:00:00 GMT", "0x10"}) {
    const AttemptVerdict verdict = Judge(Answer(503, text), kNow);
    EXPECT_EQ(verdict.failure, AttemptFailure::kStatus) << text;
    EXPECT_EQ(verdict.retry_at, absl::InfinitePast()) << text;
    EXPECT_EQ(Judge(Answer(429, text), kNow).failure, AttemptFailure::kThrottled) << text;
    EXPECT_EQ(Judge(Answer(429, text), kNow).retry_at, absl::InfinitePast()) << text;
  }
}

TEST(Verdict, SaysNothingOfBodyHeadersAndAddress) {
  for (int status = 100; status < 600; ++status) {
    http::Result result = Answer(status, "3");
    result.headers.push_back({"Location", "https://hush.example/"});
    result.body = "hush";
    result.remote_address = http::IpAddress::Parse("10.1.2.3");
    result.remote_port = 8443;
    const AttemptVerdict verdict = Judge(result, kNow);
    for (const char* hush : {"hush", "10.1", "8443"}) EXPECT_THAT(verdict.message, Not(HasSubstr(hush)));
  }
}

TEST(Verdict, AnyBytesMayStandInRetryAfter) {
  Random random(TestSeed());
  for (uint64_t i = 0; i < TestOps(20'000); ++i) {
    std::string text = random.OneIn(2) ? "Sun, 01 Mar 2026 12:00:37 GMT" : "";
    for (uint64_t n = random.Below(8); n > 0; --n) {
      text.insert(random.Below(text.size() + 1), 1, static_cast<char>(random.Below(256)));
    }
    const AttemptVerdict verdict = Judge(Answer(503, text), kNow);
    const bool good = verdict.retry_at != absl::InfinitePast();
    ASSERT_EQ(verdict.failure, good ? AttemptFailure::kThrottled : AttemptFailure::kStatus);
    if (good) {
      ASSERT_GE(verdict.retry_at, kNow);
      ASSERT_LE(verdict.retry_at, kNow + http::kMaxRetryAfter);
    }
  }
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/http/retry_after.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/seed.h"

namespace northwind::internal::http {
namespace {

absl::Time Utc(int year, int month, int day, int hour = 0, int minute = 0, int second = 0) {
  return absl::FromCivil(absl::CivilSecond(year, month, day, hour, minute, second), absl::UTCTimeZone());
}

const absl::Time kNow = Utc(2026, 3, 1, 12, 0, 0);

TEST(RetryAfter, ReadsSecondsOfAnyLengthUpToItsBound) {
  EXPECT_EQ(ParseRetryAfter("0", kNow), absl::ZeroDuration());
  EXPECT_EQ(ParseRetryAfter("120", kNow), absl::Seconds(120));
  EXPECT_EQ(ParseRetryAfter("000120", kNow), absl::Seconds(120));
  EXPECT_EQ(ParseRetryAfter(" 7\t", kNow), absl::Seconds(7));
  EXPECT_EQ(ParseRetryAfter("2592000", kNow), kMaxRetryAfter);
  EXPECT_EQ(ParseRetryAfter("2592001", kNow), kMaxRetryAfter);
  EXPECT_EQ(ParseRetryAfter("18446744073709551616", kNow), kMaxRetryAfter);
  EXPECT_EQ(ParseRetryAfter(std::string(10'000, '9'), kNow), kMaxRetryAfter);
}

TEST(RetryAfter, ReadsAllThreeFormsOfDates) {
  const absl::Time now = Utc(1994, 11, 6, 8, 0, 0);
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(ParseHttpDate(text, now), Utc(1994, 11, 6, 8, 49, 37)) << text;
    EXPECT_EQ(ParseRetryAfter(text, now), absl::Minutes(49) + absl::Seconds(37)) << text;
  }
  EXPECT_EQ(ParseHttpDate("Wed Nov 16 08:49:37 1994", now), Utc(1994, 11, 16, 8, 49, 37));
}

TEST(RetryAfter, ADateGoneByIsNoWaitAndOneFarOffIsCut) {
  EXPECT_EQ(ParseRetryAfter("Sun, 01 Mar 2026 12:00:00 GMT", kNow), absl::ZeroDuration());
  EXPECT_EQ(ParseRetryAfter("Sun, 01 Mar 2026 11:59:59 GMT", kNow), absl::ZeroDuration());
  EXPECT_EQ(ParseRetryAfter("Sun, 01 Mar 2026 12:00:01 GMT", kNow), absl::Seconds(1));
  EXPECT_EQ(ParseRetryAfter("Fri, 31 Dec 9999 23:59:59 GMT", kNow), kMaxRetryAfter);
  EXPECT_EQ(ParseRetryAfter("Sat, 01 Jan 0000 00:00:00 GMT", kNow), absl::ZeroDuration());
}

TEST(RetryAfter, KnowsCalendarAndClock) {
  EXPECT_EQ(ParseHttpDate("Thu, 29 Feb 2024 00:00:00 GMT", kNow), Utc(2024, 2, 29));
  EXPECT_EQ(ParseHttpDate("Sat, 31 Dec 2016 23:59:60 GMT", kNow), Utc(2017, 1, 1));  // a leap second
  for (const char* text :
       {"Wed, 29 Feb 2023 00:00:00 GMT", "Mon, 31 Apr 2026 00:00:00 GMT", "Mon, 00 Jan 2026 00:00:00 GMT",
        "Mon, 32 Jan 2026 00:00:00 GMT", "Mon, 01 Jan 2026 24:00:00 GMT", "Mon, 01 Jan 2026 00:60:00 GMT",
        "Mon, 01 Jan 2026 00:00:61 GMT"}) {
    EXPECT_EQ(ParseHttpDate(text, kNow), std::nullopt) << text;
  }
}

TEST(RetryAfter, AYearOfTwoDigitsIsWithinTheNextFiftyYearsOrElseThePast) {
  EXPECT_EQ(ParseHttpDate("Sunday, 01-Mar-26 12:00:00 GMT", kNow), Utc(2026, 3, 1, 12));
  EXPECT_EQ(ParseHttpDate("Sunday, 01-Jan-27 00:00:00 GMT", kNow), Utc(2027, 1, 1));
  EXPECT_EQ(ParseHttpDate("Sunday, 01-Jan-00 00:00:00 GMT", kNow), Utc(2000, 1, 1));
  EXPECT_EQ(ParseHttpDate("Sunday, 31-Dec-75 00:00:00 GMT", kNow), Utc(2075, 12, 31));
  // Fifty years from now, and one second more.
  EXPECT_EQ(ParseHttpDate("Sunday, 01-Mar-76 12:00:00 GMT", kNow), Utc(2076, 3, 1, 12));
  EXPECT_EQ(ParseHttpDate("Sunday, 01-Mar-76 12:00:01 GMT", kNow), Utc(1976, 3, 1, 12, 0, 1));
  EXPECT_EQ(ParseHttpDate("Sunday, 01-Jan-77 00:00:00 GMT", kNow), Utc(1977, 1, 1));
  EXPECT_EQ(ParseHttpDate("Sunday, 06-Nov-94 08:49:37 GMT", kNow), Utc(1994, 11, 6, 8, 49, 37));
}

TEST(RetryAfter, AnythingElseIsNothing) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view text : {""sv,
                                      " "sv,
                                      "-1"sv,
                                      "+1"sv,
                                      "1.5"sv,
                                      "1s"sv,
                                      "0x10"sv,
                                      "1 2"sv,
                                      "1,2"sv,
                                      "1\0"sv,
                                      "soon"sv,
                                      "Infinity"sv,
                                      "Sun, 06 Nov 1994 08:49:37"sv,
                                      "Sun, 06 Nov 1994 08:49:37 UTC"sv,
                                      "Sun, 06 Nov 1994 08:49:37 GMT!"sv,
                                      "Sun, 6 Nov 1994 08:49:37 GMT"sv,
                                      "sun, 06 nov 1994 08:49:37 gmt"sv,
                                      "Son, 06 Nov 1994 08:49:37 GMT"sv,
                                      "Sun, 06 Nov 94 08:49:37 GMT"sv,
                                      "Sun,06 Nov 1994 08:49:37 GMT"sv,
                                      "Sunday, 06-Nov-1994 08:49:37 GMT"sv,
                                      "Sun, 06-Nov-94 08:49:37 GMT"sv,
                                      "Sun Nov 6 08:49:37 1994"sv,
                                      "Sun Nov 06 08:49:37 94"sv,
                                      "Sun Nov  6 08:49:37 1994 GMT"sv,
                                      "1994-11-06T08:49:37Z"sv,
                                      "Sun, 06 Foo 1994 08:49:37 GMT"sv,
                                      "Sun, 06 Nov 1994 8:49:37 GMT"sv}) {
    EXPECT_EQ(ParseRetryAfter(text, kNow), std::nullopt) << text;
  }
}

TEST(RetryAfter, IsWithinItsBoundsWhateverComes) {
  ::northwind::testing::Random random(::northwind::testing::TestSeed());
  const std::string seeds[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                               "Sun Nov  6 08:49:37 1994", "120"};
  const absl::Time times[] = {kNow, absl::InfinitePast(), absl::InfiniteFuture(), absl::UnixEpoch()};
  for (uint64_t i = 0; i < ::northwind::testing::TestOps(20'000); ++i) {
    std::string text = seeds[random.Below(4)];
    for (uint64_t changes = random.Below(4); changes > 0; --changes) {
      text[random.Below(text.size())] = static_cast<char>(random.OneIn(2) ? '0' + random.Below(10) : random.Next());
    }
    const std::optional<absl::Duration> wait = ParseRetryAfter(text, times[random.Below(4)]);
    if (wait) {
      EXPECT_TRUE(*wait >= absl::ZeroDuration() && *wait <= kMaxRetryAfter) << text;
    }
  }
}

}  // namespace
}  // namespace northwind::internal::http

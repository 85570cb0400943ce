// SPDX-License-Identifier: Apache-2.0
#include "src/compare/business_day.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/seed.h"

namespace northwind::internal {
namespace {

using absl::CivilDay;

BusinessDays Days(std::string_view zone, absl::Duration begins = absl::ZeroDuration()) {
  absl::StatusOr<BusinessDays> days = BusinessDays::Make(zone, begins);
  EXPECT_TRUE(days.ok()) << days.status();
  return *days;
}

absl::Time Utc(int year, int month, int day, int hour = 0, int minute = 0, int second = 0) {
  return absl::FromCivil(absl::CivilSecond(year, month, day, hour, minute, second), absl::UTCTimeZone());
}

TEST(BusinessDays, AreThoseOfTheClockInTheZone) {
  const BusinessDays utc = Days("UTC");
  EXPECT_EQ(utc.BeginOf(CivilDay(2026, 3, 1)), Utc(2026, 3, 1));
  EXPECT_EQ(utc.EndOf(CivilDay(2026, 3, 1)), Utc(2026, 3, 2));
  EXPECT_EQ(utc.DayOf(Utc(2026, 3, 2) - absl::Nanoseconds(1)), CivilDay(2026, 3, 1));
  EXPECT_EQ(utc.DayOf(Utc(2026, 3, 2)), CivilDay(2026, 3, 2));
  EXPECT_EQ(utc.HourOf(Utc(2026, 3, 2) - absl::Nanoseconds(1)), 23);

  const BusinessDays tokyo = Days("Asia/Tokyo");
  EXPECT_EQ(tokyo.DayOf(Utc(2026, 3, 1, 15)), CivilDay(2026, 3, 2));
  EXPECT_EQ(tokyo.DayOf(Utc(2026, 3, 1, 14, 59, 59)), CivilDay(2026, 3, 1));
  EXPECT_EQ(tokyo.HourOf(Utc(2026, 3, 1, 15)), 0);
}

TEST(BusinessDays, BeginSoLongAfterOrBeforeMidnight) {
  const BusinessDays late = Days("UTC", absl::Hours(4) + absl::Minutes(30));
  EXPECT_EQ(late.BeginOf(CivilDay(2026, 3, 1)), Utc(2026, 3, 1, 4, 30));
  EXPECT_EQ(late.DayOf(Utc(2026, 3, 1, 4, 29, 59)), CivilDay(2026, 2, 28));
  EXPECT_EQ(late.DayOf(Utc(2026, 3, 1, 4, 30)), CivilDay(2026, 3, 1));
  EXPECT_EQ(late.HourOf(Utc(2026, 3, 2, 4, 29)), 4);

  const BusinessDays early = Days("UTC", absl::Hours(-12));
  EXPECT_EQ(early.BeginOf(CivilDay(2026, 3, 1)), Utc(2026, 2, 28, 12));
  EXPECT_EQ(early.DayOf(Utc(2026, 3, 1, 12)), CivilDay(2026, 3, 2));
  EXPECT_EQ(early.DayOf(Utc(2026, 3, 1, 11, 59, 59)), CivilDay(2026, 3, 1));
  EXPECT_EQ(Days("UTC", absl::Hours(12)).DayOf(Utc(2026, 3, 1, 11, 59, 59)), CivilDay(2026, 2, 28));
}

TEST(BusinessDays, OfAClockChangeHave23Or25Hours) {
  const BusinessDays berlin = Days("Europe/Berlin");
  const CivilDay spring(2026, 3, 29), autumn(2026, 10, 25);
  EXPECT_EQ(berlin.BeginOf(spring), Utc(2026, 3, 28, 23));
  EXPECT_EQ(berlin.EndOf(spring) - berlin.BeginOf(spring), absl::Hours(23));
  EXPECT_EQ(berlin.BeginOf(autumn), Utc(2026, 10, 24, 22));
  EXPECT_EQ(berlin.EndOf(autumn) - berlin.BeginOf(autumn), absl::Hours(25));
  // Both of the hours that the clock calls two.
  EXPECT_EQ(berlin.HourOf(Utc(2026, 10, 25, 0, 30)), 2);
  EXPECT_EQ(berlin.HourOf(Utc(2026, 10, 25, 1, 30)), 2);
}

TEST(BusinessDays, ThatBeginWhereTheClockJumpsBeginWithTheJump) {
  const BusinessDays berlin = Days("Europe/Berlin", absl::Hours(2) + absl::Minutes(30));
  EXPECT_EQ(berlin.BeginOf(CivilDay(2026, 3, 29)), Utc(2026, 3, 29, 1));
  EXPECT_EQ(berlin.DayOf(Utc(2026, 3, 29, 1) - absl::Seconds(1)), CivilDay(2026, 3, 28));
  EXPECT_EQ(berlin.DayOf(Utc(2026, 3, 29, 1)), CivilDay(2026, 3, 29));
}

TEST(BusinessDays, ThatBeginInAnHourThatComesTwiceBeginInTheFirst) {
  const BusinessDays berlin = Days("Europe/Berlin", absl::Hours(2) + absl::Minutes(30));
  const CivilDay autumn(2026, 10, 25);
  EXPECT_EQ(berlin.BeginOf(autumn), Utc(2026, 10, 25, 0, 30));
  EXPECT_EQ(berlin.DayOf(Utc(2026, 10, 25, 0, 29)), autumn - 1);
  // The clock shows 02:10 for the second time.
  EXPECT_EQ(berlin.DayOf(Utc(2026, 10, 25, 1, 10)), autumn);
}

TEST(BusinessDays, ThatWereLeftOutAreEmpty) {
  // Samoa went over the date line: there was no 30 December 2011.
  const BusinessDays apia = Days("Pacific/Apia");
  const CivilDay none(2011, 12, 30);
  EXPECT_EQ(apia.BeginOf(none), apia.EndOf(none));
  EXPECT_EQ(apia.DayOf(apia.BeginOf(none)), CivilDay(2011, 12, 31));
  EXPECT_EQ(apia.DayOf(apia.BeginOf(none) - absl::Seconds(1)), CivilDay(2011, 12, 29));
}

TEST(BusinessDays, TileTheTimeInEveryZone) {
  northwind::testing::Random random(northwind::testing::TestSeed());
  for (const char* name : {"UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/Sao_Paulo",
                           "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "Asia/Kathmandu"}) {
    const auto begins = absl::Minutes(random.Between(-720, 720));
    const BusinessDays days = Days(name, begins);
    SCOPED_TRACE(::testing::Message() << name << " " << begins);
    for (CivilDay day(2009, 1, 1); day < CivilDay(2027, 1, 1); ++day) {
      const absl::Duration length = days.EndOf(day) - days.BeginOf(day);
      ASSERT_TRUE(length >= absl::ZeroDuration() && length <= absl::Hours(25)) << day << " " << length;
    }
    for (int i = 0; i < 2000; ++i) {
      const absl::Time at = Utc(2009, 1, 1) + absl::Seconds(random.Below(uint64_t{18} * 365 * 86'400));
      const CivilDay day = days.DayOf(at);
      ASSERT_LE(days.BeginOf(day), at) << at;
      ASSERT_LT(at, days.EndOf(day)) << at;
      ASSERT_EQ(days.Distance(at, day), absl::ZeroDuration());
    }
  }
}

TEST(BusinessDays, DistanceIsZeroInsideOnly) {
  const BusinessDays utc = Days("UTC");
  const CivilDay day(2026, 3, 1);
  EXPECT_EQ(utc.Distance(Utc(2026, 3, 1), day), absl::ZeroDuration());
  EXPECT_EQ(utc.Distance(Utc(2026, 3, 2) - absl::Nanoseconds(1), day), absl::ZeroDuration());
  EXPECT_EQ(utc.Distance(Utc(2026, 2, 28, 23), day), absl::Hours(1));
  EXPECT_EQ(utc.Distance(Utc(2026, 3, 2, 1), day), absl::Hours(1));
  EXPECT_EQ(utc.Distance(Utc(2026, 3, 2), day), absl::Nanoseconds(1));
}

TEST(BusinessDays, OfAnUnknownZoneOrAnOddBeginningAreRefused) {
  for (const char* name : {"", "Mars/Olympus", "/usr/share/zoneinfo/UTC", "../zoneinfo/UTC", "localtime", "file:UTC"}) {
    const auto days = BusinessDays::Make(name, absl::ZeroDuration());
    ASSERT_TRUE(absl::IsInvalidArgument(days.status())) << name;
    EXPECT_EQ(days.status().message().find("time_zone: "), 0u) << days.status();
  }
  for (const absl::Duration begins :
       {absl::Hours(13), absl::Minutes(-721), absl::Seconds(90), absl::Nanoseconds(1), absl::InfiniteDuration()}) {
    const auto days = BusinessDays::Make("UTC", begins);
    ASSERT_TRUE(absl::IsInvalidArgument(days.status())) << begins;
    EXPECT_EQ(days.status().message().find("day_begins: "), 0u) << days.status();
  }
}

}  // namespace
}  // namespace northwind::internal

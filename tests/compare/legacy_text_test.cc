// SPDX-License-Identifier: Apache-2.0
#include "src/compare/legacy_text.h"

#include <string>

#include "gtest/gtest.h"

namespace northwind::internal {
namespace {

constexpr auto kDecimal = LegacyAmountForm::kDecimal;
constexpr auto kMinorUnits = LegacyAmountForm::kMinorUnits;
const absl::int128 kMost = static_cast<absl::int128>(Amount::Max().units());

absl::int128 Units(std::string_view text, LegacyAmountForm form, int scale) {
  const auto units = ParseLegacyUnits(text, form, scale);
  EXPECT_TRUE(units.ok()) << text << ": " << units.status();
  return units.value_or(-1);
}

std::string WhyNot(std::string_view text, LegacyAmountForm form, int scale) {
  const auto units = ParseLegacyUnits(text, form, scale);
  EXPECT_TRUE(absl::IsInvalidArgument(units.status())) << text;
  return std::string(units.status().message());
}

TEST(LegacyUnits, OfDecimalsAreScaled) {
  EXPECT_EQ(Units("12.50", kDecimal, 2), 1250);
  EXPECT_EQ(Units("12.5", kDecimal, 2), 1250);
  EXPECT_EQ(Units("12", kDecimal, 2), 1200);
  EXPECT_EQ(Units("-0.01", kDecimal, 2), -1);
  EXPECT_EQ(Units("0", kDecimal, 2), 0);
  EXPECT_EQ(Units("-0.00", kDecimal, 2), 0);
  EXPECT_EQ(Units("0000000000000000000000000012.5", kDecimal, 2), 1250);
  EXPECT_EQ(Units("7", kDecimal, 0), 7);
  EXPECT_EQ(Units("1.000000000000000001", kDecimal, 18), 1'000'000'000'000'000'001);
}

TEST(LegacyUnits, MayHaveMoreDigitsOnlyIfTheyAreZeros) {
  EXPECT_EQ(Units("12.5000", kDecimal, 2), 1250);
  EXPECT_EQ(Units("12.00", kDecimal, 0), 12);
  EXPECT_EQ(WhyNot("12.501", kDecimal, 2), "more than 2 digits after the point");
  EXPECT_EQ(WhyNot("12.5001", kDecimal, 2), "more than 2 digits after the point");
  EXPECT_EQ(WhyNot("12.5", kDecimal, 0), "more than 0 digits after the point");
}

TEST(LegacyUnits, OfMinorUnitsAreWholeNumbers) {
  EXPECT_EQ(Units("1250", kMinorUnits, 2), 1250);
  EXPECT_EQ(Units("-7", kMinorUnits, 2), -7);
  EXPECT_EQ(WhyNot("12.50", kMinorUnits, 2), "not whole minor units");
  EXPECT_EQ(WhyNot("1250.", kMinorUnits, 2), "not whole minor units");
  EXPECT_EQ(WhyNot("", kMinorUnits, 2), "not whole minor units");
}

TEST(LegacyUnits, ReachFromMinusToPlusTheLargestAmount) {
  EXPECT_EQ(Units("170141183460469231731687303715884105727", kMinorUnits, 2), kMost);
  EXPECT_EQ(Units("-170141183460469231731687303715884105727", kMinorUnits, 2), -kMost);
  EXPECT_EQ(Units("1701411834604692317316873037158841057.27", kDecimal, 2), kMost);
  EXPECT_EQ(Units("-170141183460469231731.687303715884105727", kDecimal, 18), -kMost);
  for (const char* over : {"170141183460469231731687303715884105728", "-170141183460469231731687303715884105728",
                           "340282366920938463463374607431768211456", "340282366920938463463374607431768211457",
                           "1000000000000000000000000000000000000000000000000000"}) {
    EXPECT_EQ(WhyNot(over, kMinorUnits, 2), "more than 2^127-1 minor units") << over;
  }
  EXPECT_EQ(WhyNot("1701411834604692317316873037158841057.28", kDecimal, 2), "more than 2^127-1 minor units");
  EXPECT_EQ(WhyNot("170141183460469231731687303715884105727", kDecimal, 1), "more than 2^127-1 minor units");
}

TEST(LegacyUnits, OfAnyOtherTextAreRefused) {
  for (const char* text : {"", "-", ".", ".5", "5.", "-.5", "--1", "+1", " 1", "1 ", "1e2", "1,000", "1.2.3", "0x10",
                           "NaN", "Infinity", "１", "1.-5"}) {
    EXPECT_EQ(WhyNot(text, kDecimal, 2), "not a decimal amount") << text;
  }
  EXPECT_EQ(WhyNot(std::string_view("1\0", 2), kDecimal, 2), "not a decimal amount");
}

TEST(LegacyDay, IsOneOfTheCalendar) {
  EXPECT_EQ(ParseLegacyDay("2026-03-01"), absl::CivilDay(2026, 3, 1));
  EXPECT_EQ(ParseLegacyDay("2024-02-29"), absl::CivilDay(2024, 2, 29));
  EXPECT_EQ(ParseLegacyDay("2000-01-01"), absl::CivilDay(2000, 1, 1));
  EXPECT_EQ(ParseLegacyDay("2199-12-31"), absl::CivilDay(2199, 12, 31));
  for (const char* text :
       {"", "2026-02-29", "2026-13-01", "2026-00-01", "2026-01-00", "2026-3-1", "20260301", "2026/03/01", "2026-03-01 ",
        " 2026-03-01", "2026-03-01T00:00:00Z", "1999-12-31", "2200-01-01", "9999-12-31", "infinity", "01.03.2026"}) {
    EXPECT_EQ(ParseLegacyDay(text), std::nullopt) << text;
  }
}

TEST(LegacyDay, IsWrittenAsItIsRead) {
  std::string out = "=";
  AppendDay(out, absl::CivilDay(2026, 3, 1));
  AppendDay(out, absl::CivilDay(7, 12, 31));
  EXPECT_EQ(out, "=2026-03-010007-12-31");
}

TEST(LegacyMoment, IsOfRfc3339OrAsPostgresqlWritesIt) {
  const absl::Time noon = absl::FromCivil(absl::CivilSecond(2026, 3, 1, 12, 0, 0), absl::UTCTimeZone());
  for (const char* text :
       {"2026-03-01T12:00:00Z", "2026-03-01t12:00:00z", "2026-03-01T13:00:00+01:00", "2026-03-01T06:30:00-05:30",
        "2026-03-01 12:00:00+00", "2026-03-01 14:00:00+02", "2026-03-01 17:30:00+05:30", "2026-03-01 11:58:45-00:01:15",
        "2026-03-01T12:00:00.000Z", "2026-02-28T22:00:00-14:00", "2026-03-01T12:00:00-00:00"}) {
    EXPECT_EQ(ParseLegacyMoment(text), noon) << text;
  }
  EXPECT_EQ(ParseLegacyMoment("2026-03-01 12:00:00.123+00"), noon + absl::Milliseconds(123));
  EXPECT_EQ(ParseLegacyMoment("2026-03-01 12:00:00.000001+00"), noon + absl::Microseconds(1));
  EXPECT_EQ(ParseLegacyMoment("2026-03-01T12:00:00.123456789Z"), noon + absl::Nanoseconds(123'456'789));
}

TEST(LegacyMoment, WithoutAnOffsetOrOfNoClockIsRefused) {
  for (const char* text : {"",
                           "2026-03-01",
                           "2026-03-01 12:00:00",
                           "2026-03-01T12:00:00.5",
                           "2026-03-01T12:00:00.Z",
                           "2026-03-01T12:00Z",
                           "2026-03-01T24:00:00Z",
                           "2026-03-01T12:60:00Z",
                           "2026-03-01T23:59:60Z",
                           "2026-02-30T12:00:00Z",
                           "2026-03-01T12:00:00.1234567890Z",
                           "2026-03-01T12:00:00+1",
                           "2026-03-01T12:00:00+0100",
                           "2026-03-01T12:00:00+24",
                           "2026-03-01T12:00:00+01:60",
                           "2026-03-01T12:00:00+01:00:60",
                           "2026-03-01T12:00:00Z ",
                           "2026-03-01T12:00:00 +00",
                           "2026-03-01_12:00:00Z",
                           "infinity",
                           "-infinity",
                           "2026-03-01 12:00:00+00 BC",
                           "1999-12-31T23:59:59Z",
                           "2200-01-01T00:00:00Z",
                           "2026-03-01T12:00:00+",
                           "2026-03-01T12:00:00+01:",
                           "2026-03-01T12:00:00+01:00:"}) {
    EXPECT_EQ(ParseLegacyMoment(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace northwind::internal

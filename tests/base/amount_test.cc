// SPDX-License-Identifier: Apache-2.0
#include "northwind/amount.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestSeed;

constexpr absl::uint128 kMax = (absl::uint128(1) << 127) - 1;
constexpr std::string_view kMaxText = "170141183460469231731687303715884105727";

TEST(Amount, ReadsDecimalsByScale) {
  const struct {
    std::string_view text;
    int scale;
    uint64_t units;
  } cases[] = {{"0", 0, 0},
               {"12", 0, 12},
               {"12", 2, 1200},
               {"12.3", 2, 1230},
               {"12.34", 2, 1234},
               {"0.01", 2, 1},
               {"00012.50", 2, 1250},
               {"1", 18, 1'000'000'000'000'000'000},
               {"0.000000000000000001", 18, 1}};
  for (const auto& c : cases) {
    NW_ASSERT_OK_AND_ASSIGN(const Amount amount, Amount::Parse(c.text, c.scale));
    EXPECT_EQ(amount.units(), c.units) << c.text << " at scale " << c.scale;
  }
}

TEST(Amount, RefusesTextThatIsNoPlainDecimal) {
  for (const std::string_view bad : {"", ".", "1.", ".5", "-1", "+1", " 1", "1 ", "1,5", "1e3", "0x1", "1.2.3", "1..2",
                                     "NaN", "inf", "1_000", "٣"}) {
    EXPECT_THAT(Amount::Parse(bad, 2), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
  EXPECT_THAT(Amount::Parse("1.234", 2), StatusIs(absl::StatusCode::kInvalidArgument)) << "more digits than the scale";
  EXPECT_THAT(Amount::Parse("1.000", 2), StatusIs(absl::StatusCode::kInvalidArgument)) << "even if they are zeros";
  EXPECT_THAT(Amount::Parse("1.0", 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Amount::Parse(std::string_view("1\0", 2), 0), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Amount, EndsAtTwoToThe127MinusOne) {
  NW_ASSERT_OK_AND_ASSIGN(const Amount max, Amount::Parse(kMaxText, 0));
  EXPECT_EQ(max, Amount::Max());
  EXPECT_EQ(max.units(), kMax);
  EXPECT_EQ(max.ToString(0), kMaxText);
  EXPECT_THAT(Amount::Parse("170141183460469231731687303715884105728", 0), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Amount::Parse("170141183460469231731687303715884105728", 18), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Amount::Parse(std::string(60, '9'), 0), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Amount::Parse("340282366920938463463374607431768211456", 0), StatusIs(absl::StatusCode::kOutOfRange))
      << "2^128, which wraps to zero";
  EXPECT_THAT(Amount::FromUnits(kMax), IsOk());
  EXPECT_THAT(Amount::FromUnits(kMax + 1), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Amount::FromUnits(absl::Uint128Max()), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(Amount, PrintsExactlyTheDigitsOfTheScale) {
  EXPECT_EQ(Amount(0).ToString(0), "0");
  EXPECT_EQ(Amount(0).ToString(2), "0.00");
  EXPECT_EQ(Amount(5).ToString(2), "0.05");
  EXPECT_EQ(Amount(1234).ToString(0), "1234");
  EXPECT_EQ(Amount(1234).ToString(2), "12.34");
  EXPECT_EQ(Amount(1234).ToString(18), "0.000000000000001234");
  EXPECT_EQ(Amount::Max().ToString(18), "170141183460469231731.687303715884105727");
}

TEST(Amount, WhatIsPrintedReadsBackTheSame) {
  Random random(TestSeed());
  for (int i = 0; i < 10'000; ++i) {
    const absl::uint128 raw =
        absl::MakeUint128(random.Next(), random.Next()) >> static_cast<int>(1 + random.Below(127));
    NW_ASSERT_OK_AND_ASSIGN(const Amount amount, Amount::FromUnits(raw));
    const int scale = static_cast<int>(random.Below(kMaxScale + 1));
    NW_ASSERT_OK_AND_ASSIGN(const Amount again, Amount::Parse(amount.ToString(scale), scale));
    ASSERT_EQ(again, amount);
  }
}

TEST(Amount, AdditionStopsAtTheEnd) {
  EXPECT_EQ(Amount(1).CheckedAdd(2), Amount(3));
  const Amount almost = *Amount::FromUnits(kMax - 1);
  EXPECT_EQ(almost.CheckedAdd(1), Amount::Max());
  EXPECT_EQ(almost.CheckedAdd(2), std::nullopt);
  EXPECT_EQ(Amount::Max().CheckedAdd(Amount::Max()), std::nullopt);
  EXPECT_EQ(Amount::Max().CheckedAdd(0), Amount::Max());
}

TEST(Amount, SubtractionStopsAtZero) {
  EXPECT_EQ(Amount(3).CheckedSubtract(2), Amount(1));
  EXPECT_EQ(Amount(3).CheckedSubtract(3), Amount(0));
  EXPECT_EQ(Amount(3).CheckedSubtract(4), std::nullopt);
  EXPECT_EQ(Amount(0).CheckedSubtract(Amount::Max()), std::nullopt);
}

TEST(Amount, ComparesByUnits) {
  EXPECT_LT(Amount(1), Amount(2));
  EXPECT_GT(Amount::Max(), Amount(std::numeric_limits<uint64_t>::max()));
  EXPECT_EQ(Amount(7) <=> Amount(7), std::strong_ordering::equal);
  EXPECT_TRUE(Amount().is_zero());
  EXPECT_FALSE(Amount(1).is_zero());
}

TEST(Amount, TakesEveryBuiltInIntegerThatIsNotNegative) {
  EXPECT_EQ(Amount(std::numeric_limits<int64_t>::max()).units(), absl::uint128(9'223'372'036'854'775'807u));
  EXPECT_EQ(Amount(std::numeric_limits<uint64_t>::max()).units(), absl::uint128(18'446'744'073'709'551'615u));
  EXPECT_EQ(Amount(static_cast<int8_t>(127)).units(), 127u);
  EXPECT_DEATH(Amount(-1), "cannot be negative");
}

TEST(FormatUnits, PrintsSignedBalances) {
  EXPECT_EQ(FormatUnits(-5, 2), "-0.05");
  EXPECT_EQ(FormatUnits(5, 2), "0.05");
  EXPECT_EQ(FormatUnits(0, 2), "0.00");
  EXPECT_EQ(FormatUnits(-1234, 0), "-1234");
  EXPECT_EQ(FormatUnits(absl::Int128Max(), 0), kMaxText);
  EXPECT_EQ(FormatUnits(absl::Int128Min(), 0), "-170141183460469231731687303715884105728");
}

TEST(Asset, ReadsCodeAndScale) {
  for (const std::string_view text : {"USD/2", "JPY/0", "BTC/8", "ETH/18", "A/0", "A234567890123456/10"}) {
    NW_ASSERT_OK_AND_ASSIGN(const Asset asset, Asset::Parse(text));
    EXPECT_EQ(asset.ToString(), text);
  }
  NW_ASSERT_OK_AND_ASSIGN(const Asset asset, Asset::Parse("USD/2"));
  EXPECT_EQ(asset, (Asset{.code = "USD", .scale = 2}));
}

TEST(Asset, RefusesAnythingNotInCanonicalForm) {
  for (const std::string_view bad :
       {"", "/", "USD", "USD/", "/2", "usd/2", "USD/02", "USD/19", "USD/100", "USD/-1", "USD/+2", "USD/2 ", " USD/2",
        "1USD/2", "U SD/2", "USD/2/2", "A2345678901234567/2", "USD/x", "ÜSD/2"}) {
    EXPECT_THAT(Asset::Parse(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

}  // namespace
}  // namespace northwind

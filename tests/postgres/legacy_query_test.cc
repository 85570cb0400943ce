// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/legacy_query.h"

#include "gtest/gtest.h"
#include "src/postgres/legacy_cursor.h"
#include "src/postgres/legacy_records.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

using internal::postgres::BalancesOf;
using internal::postgres::CheckLegacyQuery;
using internal::postgres::DecodeLegacyCursor;
using internal::postgres::EncodeLegacyCursor;
using internal::postgres::LegacyNullKeySql;
using internal::postgres::LegacyPageSql;
using internal::postgres::LegacyPosition;
using internal::postgres::MerchantsOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LegacyQuery, APageComparesRowsAndLooksOneFurther) {
  EXPECT_EQ(
      LegacyPageSql({.sql = "SELECT a, b FROM t", .key = {"a", "b"}}, LegacyPosition::kAfter, 10),
      "SELECT page.*, coalesce((page.\"a\", page.\"b\") = (lag(page.\"a\") OVER in_order, lag(page.\"b\") OVER "
      "in_order), "
      "false) FROM (SELECT legacy.* FROM (\nSELECT a, b FROM t\n) AS legacy WHERE (legacy.\"a\", legacy.\"b\") > ($1, "
      "$2) "
      "ORDER BY legacy.\"a\", legacy.\"b\" LIMIT 11) AS page WINDOW in_order AS (ORDER BY page.\"a\", page.\"b\") "
      "ORDER BY page.\"a\", page.\"b\"");
}

TEST(LegacyQuery, NamesAreQuoted) {
  EXPECT_EQ(
      LegacyNullKeySql({.sql = "SELECT 1", .key = {"a\" OR \"b", "c"}}),
      "SELECT 1 FROM (\nSELECT 1\n) AS legacy WHERE legacy.\"a\"\" OR \"\"b\" IS NULL OR legacy.\"c\" IS NULL LIMIT 1");
}

TEST(LegacyQuery, OneWithoutSqlOrKeyIsRefused) {
  EXPECT_THAT(CheckLegacyQuery({.sql = "SELECT 1", .key = {"a"}}), IsOk());
  EXPECT_THAT(CheckLegacyQuery({.sql = "", .key = {"a"}}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckLegacyQuery({.sql = "SELECT 1", .key = {}}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckLegacyQuery({.sql = "SELECT 1", .key = {""}}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckLegacyQuery({.sql = "SELECT 1", .key = {"a", "b", "a"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a twice")));
  EXPECT_THAT(CheckLegacyQuery({.sql = "SELECT 1", .key = std::vector<std::string>(kMaxLegacyKeyColumns + 1, "a")}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckLegacyQuery({.sql = std::string("SELECT 1\0;", 10), .key = {"a"}}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(LegacyCursor, BringsTheKeyBackForItsOwnQueryOnly) {
  const LegacyQuery query = {.sql = "SELECT 1", .key = {"a", "b"}};
  const std::vector<std::string> key = {"", "'; DROP TABLE x; --\xc3\xa9"};
  const std::string cursor = EncodeLegacyCursor(query, key);
  EXPECT_THAT(DecodeLegacyCursor(query, cursor), IsOkAndHolds(key));
  EXPECT_EQ(cursor.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
  EXPECT_THAT(DecodeLegacyCursor({.sql = "SELECT 2", .key = {"a", "b"}}, cursor),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another query")));
  EXPECT_THAT(DecodeLegacyCursor({.sql = "SELECT 1", .key = {"b", "a"}}, cursor),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another query")));
  for (size_t size = 0; size < cursor.size(); ++size) {
    EXPECT_THAT(DecodeLegacyCursor(query, cursor.substr(0, size)), StatusIs(absl::StatusCode::kInvalidArgument))
        << size;
  }
  EXPECT_THAT(DecodeLegacyCursor(query, cursor + "AAAA"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(DecodeLegacyCursor(query, "not one!"), StatusIs(absl::StatusCode::kInvalidArgument));
}

LegacyPage Balances(const std::string& column, std::vector<LegacyRow> rows) {
  return {.columns = {"merchant_id", "asset", column}, .rows = std::move(rows), .next = ""};
}

const LegacyQuery kByMerchant = {.sql = "SELECT", .key = {"merchant_id", "asset"}};

absl::StatusOr<absl::int128> Units(const std::string& column, const std::string& asset, const std::string& value) {
  const auto balances = BalancesOf(kByMerchant, Balances(column, {{"m", asset, value}}));
  if (!balances.ok()) return balances.status();
  return (*balances)[0].units;
}

TEST(LegacyRecords, BalancesAreExact) {
  EXPECT_THAT(Units("amount", "USD/2", "12.34"), IsOkAndHolds(1234));
  EXPECT_THAT(Units("amount", "USD/2", "-12.34"), IsOkAndHolds(-1234));
  EXPECT_THAT(Units("amount", "USD/2", "12"), IsOkAndHolds(1200));
  EXPECT_THAT(Units("amount", "USD/2", "12.3"), IsOkAndHolds(1230));
  EXPECT_THAT(Units("amount", "USD/2", "12.340000"), IsOkAndHolds(1234));
  EXPECT_THAT(Units("amount", "USD/2", "0.00"), IsOkAndHolds(0));
  EXPECT_THAT(Units("amount", "JPY/0", "1200.0000"), IsOkAndHolds(1200));
  EXPECT_THAT(Units("amount", "JPY/0", "1200"), IsOkAndHolds(1200));
  EXPECT_THAT(Units("units", "USD/2", "-1200"), IsOkAndHolds(-1200));
  EXPECT_THAT(Units("units", "USD/2", "170141183460469231731687303715884105727"),
              IsOkAndHolds(absl::MakeInt128(0x7fffffffffffffff, ~uint64_t{0})));
}

TEST(LegacyRecords, WhatIsNoBalanceIsNamed) {
  for (const char* value :
       {"", "12.345", "1e3", "NaN", "Infinity", "--1", "+1", " 1", "$1.00", "1,000.00", "1.", ".5", "-"}) {
    EXPECT_THAT(Units("amount", "USD/2", value),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("merchant_id = m, asset = USD/2")))
        << value;
  }
  EXPECT_THAT(Units("units", "USD/2", "12.34"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Units("units", "USD/2", "170141183460469231731687303715884105728"),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(Units("amount", "usd", "1"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(BalancesOf(kByMerchant, Balances("units", {{"m", "USD/2", std::nullopt}})),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(BalancesOf(kByMerchant, Balances("units", {{std::nullopt, "USD/2", "1"}})),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(BalancesOf(kByMerchant, Balances("money", {})), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(BalancesOf(kByMerchant, {.columns = {"merchant_id", "asset", "units", "amount"}, .rows = {}, .next = ""}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not both")));
}

TEST(LegacyRecords, MerchantsMayHaveNames) {
  const auto named = MerchantsOf(
      kByMerchant, {.columns = {"name", "merchant_id"}, .rows = {{"Anna", "a"}, {std::nullopt, "b"}}, .next = ""});
  ASSERT_THAT(named, IsOk());
  ASSERT_EQ(named->size(), 2U);
  EXPECT_EQ((*named)[0].name, "Anna");
  EXPECT_EQ((*named)[1].merchant_id, "b");
  EXPECT_EQ((*named)[1].name, "");
  EXPECT_THAT(MerchantsOf(kByMerchant, {.columns = {"merchant_id"}, .rows = {{"a"}}, .next = ""}), IsOk());
  EXPECT_THAT(MerchantsOf(kByMerchant, {.columns = {"merchant_id"}, .rows = {{""}}, .next = ""}),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(MerchantsOf(kByMerchant, {.columns = {"id"}, .rows = {}, .next = ""}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no column merchant_id")));
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
#include "src/compare/row_mapping.h"

#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/seed.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::Random;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;
using Kind = MappedRow::Kind;
using Cells = std::map<std::string, std::optional<std::string>>;

// A column is named in capitals as the member is, so that a mistaken message cannot be right by chance.
LegacyMapping AllColumns() {
  LegacyMapping mapping;
  mapping.row_id = "ROW";
  mapping.leg = "LEG";
  mapping.legs = {{"sale", Leg::kCapture},  {"refund", Leg::kRefund},       {"chargeback", Leg::kDispute},
                  {"payout", Leg::kPayout}, {"bounce", Leg::kPayoutReturn}, {"manual", Leg::kAdjustment}};
  mapping.id = "ID";
  mapping.refund_id = "REFUND";
  mapping.merchant_id = "MERCHANT";
  mapping.asset = "CURRENCY";
  mapping.assets = {{"usd", "USD/2"}, {"yen", "JPY/0"}, {"eth", "ETH/18"}};
  mapping.amount = "AMOUNT";
  mapping.fee = "FEE";
  mapping.status = "STATUS";
  mapping.statuses = {{"done", LegStatus::kSettled},  {"held", LegStatus::kOpen},         {"paid", LegStatus::kPaid},
                      {"failed", LegStatus::kFailed}, {"canceled", LegStatus::kCanceled}, {"lost", LegStatus::kLost},
                      {"won", LegStatus::kWon}};
  mapping.skipped_statuses = {"draft"};
  mapping.day = "DAY";
  mapping.at = "AT";
  return mapping;
}

const std::vector<std::string> kColumns = {"ROW",    "LEG", "ID",     "REFUND", "MERCHANT", "CURRENCY",
                                           "AMOUNT", "FEE", "STATUS", "DAY",    "AT",       "NOTE"};

const Cells kSale = {{"ROW", "r1"},
                     {"LEG", "sale"},
                     {"ID", "pay_1"},
                     {"REFUND", std::nullopt},
                     {"MERCHANT", "m_42"},
                     {"CURRENCY", "usd"},
                     {"AMOUNT", "100.00"},
                     {"FEE", "2.90"},
                     {"STATUS", "done"},
                     {"DAY", "2026-03-01"},
                     {"AT", "2026-03-01 12:00:00.5+00"},
                     {"NOTE", "x"}};

// That row with some cells changed.
RawRow Row(const Cells& changes = {}, const std::vector<std::string>& columns = kColumns) {
  Cells cells = kSale;
  for (const auto& [column, value] : changes) cells[column] = value;
  RawRow raw;
  for (const std::string& column : columns) raw.push_back(cells.at(column));
  return raw;
}

RowMapping Bind(const LegacyMapping& mapping, const std::vector<std::string>& columns = kColumns) {
  absl::StatusOr<RowMapping> bound = RowMapping::Bind(mapping, columns);
  EXPECT_TRUE(bound.ok()) << bound.status();
  return *std::move(bound);
}

SettledRow Sale() {
  return {
      .leg = Leg::kCapture,
      .id = "pay_1",
      .merchant_id = "m_42",
      .asset = {.code = "USD", .scale = 2},
      .units = 10'000,
      .fee = 290,
      .status = LegStatus::kSettled,
      .day = absl::CivilDay(2026, 3, 1),
      .at = absl::FromCivil(absl::CivilSecond(2026, 3, 1, 12, 0, 0), absl::UTCTimeZone()) + absl::Milliseconds(500)};
}

SettledRow Read(const LegacyMapping& mapping, const Cells& changes = {}) {
  const MappedRow read = Bind(mapping).Read(Row(changes));
  EXPECT_EQ(read.kind, Kind::kRow) << read.error;
  return read.row;
}

TEST(RowMapping, ReadsEveryColumn) {
  const MappedRow read = Bind(AllColumns()).Read(Row());
  EXPECT_EQ(read.kind, Kind::kRow);
  EXPECT_EQ(read.row_id, "r1");
  EXPECT_EQ(read.row, Sale());
  EXPECT_EQ(read.error, "");
}

TEST(RowMapping, ReadsColumnsInAnyOrder) {
  const std::vector<std::string> turned(kColumns.rbegin(), kColumns.rend());
  EXPECT_EQ(Bind(AllColumns(), turned).Read(Row({}, turned)).row, Sale());
}

TEST(RowMapping, TheLegSaysTheDirectionOfMagnitudes) {
  const std::map<std::string, int> signs = {{"sale", 1},    {"refund", -1}, {"chargeback", -1},
                                            {"payout", -1}, {"bounce", 1},  {"manual", 1}};
  for (const auto& [leg, sign] : signs) EXPECT_EQ(Read(AllColumns(), {{"LEG", leg}}).units, sign * 10'000) << leg;
  EXPECT_EQ(Read(AllColumns(), {{"LEG", "manual"}, {"AMOUNT", "-0.01"}}).units, -1);
  const MappedRow negative = Bind(AllColumns()).Read(Row({{"LEG", "payout"}, {"AMOUNT", "-1"}}));
  EXPECT_EQ(negative.kind, Kind::kUnreadable);
  EXPECT_EQ(negative.error, "AMOUNT: must not be negative: '-1'");
}

TEST(RowMapping, AmountsSignedAsTheMerchantSeesThemAreTakenAsTheyAre) {
  LegacyMapping mapping = AllColumns();
  mapping.amount_sign = LegacyAmountSign::kMerchant;
  for (const char* leg : {"sale", "refund", "chargeback", "payout", "bounce", "manual"}) {
    EXPECT_EQ(Read(mapping, {{"LEG", leg}, {"AMOUNT", "-12.50"}}).units, -1250) << leg;
    EXPECT_EQ(Read(mapping, {{"LEG", leg}, {"AMOUNT", "12.50"}}).units, 1250) << leg;
  }
}

TEST(RowMapping, AmountsMayBeMinorUnits) {
  LegacyMapping mapping = AllColumns();
  mapping.amount_form = LegacyAmountForm::kMinorUnits;
  const SettledRow row = Read(mapping, {{"AMOUNT", "10000"}, {"FEE", "290"}});
  EXPECT_EQ(row, Sale());
}

TEST(RowMapping, TheScaleOfDecimalsIsTheAssets) {
  EXPECT_EQ(Read(AllColumns(), {{"CURRENCY", "yen"}, {"AMOUNT", "100.00"}, {"FEE", "3"}}).units, 100);
  EXPECT_EQ(Read(AllColumns(), {{"CURRENCY", "BHD/3"}, {"AMOUNT", "100.125"}}).units, 100'125);
  EXPECT_EQ(Bind(AllColumns()).Read(Row({{"CURRENCY", "yen"}, {"AMOUNT", "100.5"}})).error,
            "AMOUNT: more than 0 digits after the point: '100.5'");
}

TEST(RowMapping, RefundsAreKnownByPaymentAndRefund) {
  EXPECT_EQ(Read(AllColumns(), {{"LEG", "refund"}, {"REFUND", "re_1"}}).id, "pay_1/re_1");
  EXPECT_EQ(Read(AllColumns(), {{"LEG", "refund"}}).id, "pay_1");
  EXPECT_EQ(Read(AllColumns(), {{"LEG", "refund"}, {"REFUND", ""}}).id, "pay_1");
  EXPECT_EQ(Read(AllColumns(), {{"REFUND", "re_1"}}).id, "pay_1");
  const std::string longest = std::string(64, 'p');
  EXPECT_EQ(Read(AllColumns(), {{"LEG", "refund"}, {"ID", longest}, {"REFUND", std::string(63, 'r')}}).id.size(), 128u);
}

TEST(RowMapping, WhatIsNotMappedIsNotCompared) {
  LegacyMapping mapping = AllColumns();
  mapping.fee = mapping.status = mapping.at = mapping.refund_id = mapping.leg = "";
  mapping.legs.clear();
  mapping.statuses.clear();
  mapping.skipped_statuses.clear();
  mapping.only_leg = Leg::kPayoutReturn;
  SettledRow expected = Sale();
  expected.leg = Leg::kPayoutReturn;
  expected.fee.reset();
  expected.status.reset();
  expected.at.reset();
  EXPECT_EQ(Read(mapping), expected);
}

TEST(RowMapping, AFeeThatIsNullIsZero) { EXPECT_EQ(Read(AllColumns(), {{"FEE", std::nullopt}}).fee, absl::int128(0)); }

TEST(RowMapping, TheDayFollowsFromTheMomentIfItIsNotGiven) {
  LegacyMapping mapping = AllColumns();
  mapping.day = "";
  mapping.time_zone = "Asia/Tokyo";
  mapping.day_begins = absl::Hours(2);
  EXPECT_EQ(Read(mapping, {{"AT", "2026-03-01T16:59:59Z"}}).day, absl::CivilDay(2026, 3, 1));
  EXPECT_EQ(Read(mapping, {{"AT", "2026-03-01T17:00:00Z"}}).day, absl::CivilDay(2026, 3, 2));
  EXPECT_EQ(Bind(mapping).Read(Row({{"AT", std::nullopt}})).error, "AT: NULL");
}

TEST(RowMapping, BesideADayTheMomentMayBeMissingButNotWrong) {
  EXPECT_EQ(Read(AllColumns(), {{"AT", std::nullopt}}).at, std::nullopt);
  EXPECT_EQ(Bind(AllColumns()).Read(Row({{"AT", ""}})).kind, Kind::kUnreadable);
}

TEST(RowMapping, RowsOfASkippedStatusAreReadAllTheSame) {
  const MappedRow skipped = Bind(AllColumns()).Read(Row({{"STATUS", "draft"}}));
  EXPECT_EQ(skipped.kind, Kind::kSkipped);
  EXPECT_EQ(skipped.row_id, "r1");
  SettledRow expected = Sale();
  expected.status.reset();
  EXPECT_EQ(skipped.row, expected);
  EXPECT_EQ(Bind(AllColumns()).Read(Row({{"STATUS", "draft"}, {"AMOUNT", "?"}})).kind, Kind::kUnreadable);
}

TEST(RowMapping, WhatCannotBeReadIsNamedByItsColumn) {
  const std::string long_id(65, 'a');
  const std::vector<std::pair<std::string, std::vector<std::optional<std::string>>>> bad = {
      {"ROW", {std::nullopt, "", std::string(129, 'r'), "a\nb", "a\tb", "\x7F", "\xFF"}},
      {"LEG", {std::nullopt, "", "Sale", "capture"}},
      {"ID", {std::nullopt, "", long_id, "pay 1", "pay/1", "pay\n"}},
      {"MERCHANT", {std::nullopt, "", long_id, "m:42", "m 42"}},
      {"CURRENCY", {std::nullopt, "", "USD", "eur", "USD/19", "USD/02"}},
      {"AMOUNT", {std::nullopt, "", "100.001", "1e2", "-1", "1,00", "170141183460469231731687303715884105728"}},
      {"FEE", {"", "-0.01", "2.901", "x"}},
      {"STATUS", {std::nullopt, "", "Done", "settled"}},
      {"DAY", {std::nullopt, "", "2026-02-30", "2026-03-01T00:00:00Z"}},
      {"AT", {"", "2026-03-01", "2026-03-01 12:00:00"}},
  };
  const RowMapping mapping = Bind(AllColumns());
  for (const auto& [column, values] : bad) {
    for (const auto& value : values) {
      const MappedRow read = mapping.Read(Row({{column, value}}));
      SCOPED_TRACE(column + " = " + value.value_or("NULL"));
      EXPECT_EQ(read.kind, Kind::kUnreadable);
      EXPECT_EQ(read.error.find(column + ": "), 0u) << read.error;
      EXPECT_EQ(read.row_id, column == "ROW" ? "" : "r1");
      EXPECT_EQ(read.row, SettledRow());
      if (!value.has_value()) {
        EXPECT_EQ(read.error, column + ": NULL");
      }
    }
  }
  EXPECT_EQ(mapping.Read(Row({{"LEG", "refund"}, {"REFUND", std::string(64, 'r')}})).error.find("REFUND: "), 0u);
  EXPECT_EQ(mapping.Read(Row({{"LEG", "refund"}, {"REFUND", "a/b"}})).error.find("REFUND: "), 0u);
}

TEST(RowMapping, ErrorsShowTheTextSafeAndShort) {
  const MappedRow read = Bind(AllColumns()).Read(Row({{"AMOUNT", "1\n" + std::string(10'000, '9')}}));
  EXPECT_EQ(read.error, "AMOUNT: not a decimal amount: '1\\n" + std::string(62, '9') + "'");
}

TEST(RowMapping, ARowOfAnotherLengthCannotBeRead) {
  RawRow raw = Row();
  raw.pop_back();
  const MappedRow read = Bind(AllColumns()).Read(raw);
  EXPECT_EQ(read.kind, Kind::kUnreadable);
  EXPECT_EQ(read.error, "columns: 11 of them, but 12 were bound");
}

TEST(RowMapping, AColumnThatIsNotThereOrTwiceIsRefused) {
  for (size_t i = 0; i + 1 < kColumns.size(); ++i) {  // the last is not mapped
    std::vector<std::string> columns = kColumns;
    columns.erase(columns.begin() + static_cast<int>(i));
    const auto bound = RowMapping::Bind(AllColumns(), columns);
    EXPECT_TRUE(absl::IsInvalidArgument(bound.status()));
    EXPECT_EQ(bound.status().message(), "no column '" + kColumns[i] + "'");
  }
  std::vector<std::string> twice = kColumns;
  twice.push_back("NOTE");
  EXPECT_EQ(RowMapping::Bind(AllColumns(), twice).status().message(), "column 'NOTE' is there twice");
  LegacyMapping bad = AllColumns();
  bad.amount = "";
  EXPECT_EQ(RowMapping::Bind(bad, kColumns).status().message(), "amount: must name a column");
}

TEST(RowMapping, WritesWhatDiffersAndLeavesTheRest) {
  const RowMapping mapping = Bind(AllColumns());
  SettledRow row = Sale();
  row.units = 10'001;
  const auto raw = mapping.Write(Row({{"NOTE", "kept"}}), "r2", row);
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_EQ(*raw, Row({{"ROW", "r2"}, {"AMOUNT", "100.01"}, {"NOTE", "kept"}}));
}

TEST(RowMapping, WritesOfSeveralTextsTheOneThatIsThere) {
  LegacyMapping mapping = AllColumns();
  mapping.legs["card"] = Leg::kCapture;
  mapping.statuses["booked"] = LegStatus::kSettled;
  mapping.assets["dollar"] = "USD/2";
  const RawRow like = Row({{"LEG", "sale"}, {"STATUS", "booked"}, {"CURRENCY", "usd"}});
  const auto raw = Bind(mapping).Write(like, "r1", Sale());
  ASSERT_TRUE(raw.ok()) << raw.status();
  EXPECT_EQ(*raw, like);
}

TEST(RowMapping, DoesNotWriteWhatTheColumnsCannotSay) {
  const auto why_not = [](const LegacyMapping& mapping, const SettledRow& row) {
    const auto raw = Bind(mapping).Write(Row(), "r1", row);
    EXPECT_TRUE(absl::IsInvalidArgument(raw.status()));
    return std::string(raw.status().message());
  };
  SettledRow row = Sale();
  row.units = -1;
  EXPECT_EQ(why_not(AllColumns(), row), "AMOUNT: must not be negative: '-0.01'");
  row.units = std::numeric_limits<absl::int128>::min();
  EXPECT_EQ(why_not(AllColumns(), row), "amount: out of range");

  LegacyMapping mapping = AllColumns();
  mapping.legs.erase("chargeback");
  row = Sale();
  row.leg = Leg::kDispute;
  EXPECT_EQ(why_not(mapping, row), "leg: no text stands for dispute");
  mapping.statuses.erase("won");
  row = Sale();
  row.status = LegStatus::kWon;
  EXPECT_EQ(why_not(mapping, row), "status: no text stands for won");
  row.status.reset();
  EXPECT_EQ(why_not(mapping, row), "status: the mapping reads one");

  // A day that is not the moment's, where the moment says it.
  mapping = AllColumns();
  mapping.day = "";
  row = Sale();
  row.day = absl::CivilDay(2026, 3, 2);
  EXPECT_EQ(why_not(mapping, row), "the columns of the mapping cannot say this row");
  // A fee where none is read, and a row id in the column of the payment's.
  mapping = AllColumns();
  mapping.fee = "";
  EXPECT_EQ(why_not(mapping, Sale()), "the columns of the mapping cannot say this row");
  mapping = AllColumns();
  mapping.row_id = "ID";
  EXPECT_EQ(why_not(mapping, Sale()), "the columns of the mapping cannot say this row");
  EXPECT_TRUE(absl::IsInvalidArgument(Bind(AllColumns()).Write(RawRow(3), "r1", Sale()).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Bind(AllColumns()).Write(Row(), "", Sale()).status()));
}

// A mapping that differs from the whole one in what it may leave out or say in another way.
LegacyMapping RandomMapping(Random& random) {
  LegacyMapping mapping = AllColumns();
  if (random.OneIn(4)) {
    mapping.leg = "";
    mapping.legs.clear();
    mapping.only_leg = static_cast<Leg>(random.Between(1, kLegs));
  }
  if (random.OneIn(3)) mapping.refund_id = "";
  if (random.OneIn(3)) mapping.assets.clear();
  if (random.OneIn(2)) mapping.amount_form = LegacyAmountForm::kMinorUnits;
  if (random.OneIn(2)) mapping.amount_sign = LegacyAmountSign::kMerchant;
  if (random.OneIn(3)) mapping.fee = "";
  if (random.OneIn(3)) {
    mapping.status = "";
    mapping.statuses.clear();
    mapping.skipped_statuses.clear();
  }
  const uint64_t when = random.Below(3);
  if (when == 0) mapping.day = "";
  if (when == 1) mapping.at = "";
  mapping.time_zone = random.Pick<std::string>({"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"});
  mapping.day_begins = absl::Minutes(random.Between(-720, 720));
  return mapping;
}

absl::int128 RandomMagnitude(Random& random) {
  const auto bits = absl::MakeUint128(random.Next(), random.Next());
  return static_cast<absl::int128>(bits >> static_cast<int>(1 + random.Below(127)));
}

SettledRow RandomRow(Random& random, const LegacyMapping& mapping, const BusinessDays& days) {
  SettledRow row;
  row.leg = mapping.only_leg.value_or(static_cast<Leg>(random.Between(1, kLegs)));
  row.id = "pay_" + std::to_string(random.Next());
  if (row.leg == Leg::kRefund && !mapping.refund_id.empty() && random.OneIn(2)) row.id += "/re:1";
  row.merchant_id = "m_" + std::to_string(random.Below(100));
  row.asset = *Asset::Parse(random.Pick<std::string>({"USD/2", "JPY/0", "ETH/18", "BHD/3"}));
  row.units = RandomMagnitude(random);
  const bool positive = row.leg == Leg::kCapture || row.leg == Leg::kPayoutReturn;
  const bool free_sign = mapping.amount_sign == LegacyAmountSign::kMerchant || row.leg == Leg::kAdjustment;
  if (free_sign ? random.OneIn(2) : !positive) row.units = -row.units;
  if (!mapping.fee.empty()) row.fee = RandomMagnitude(random);
  if (!mapping.status.empty()) row.status = static_cast<LegStatus>(random.Between(1, 7));
  if (!mapping.at.empty() && (mapping.day.empty() || random.OneIn(2))) {
    row.at = absl::FromUnixNanos(random.Between(946'771'200'000'000'000, 4'102'444'800'000'000'000));
  }
  row.day = mapping.day.empty() ? days.DayOf(*row.at) : absl::CivilDay(2026, 1, 1) + random.Between(0, 800);
  return row;
}

TEST(RowMapping, ReadsWhatItWrites) {
  Random random(TestSeed());
  for (uint64_t i = TestOps(20'000); i > 0; --i) {
    const LegacyMapping mapping = RandomMapping(random);
    const RowMapping bound = Bind(mapping);
    const SettledRow row = RandomRow(random, mapping, bound.days());
    const std::string row_id = "row " + std::to_string(i);
    const auto raw = bound.Write(Row(), row_id, row);
    ASSERT_TRUE(raw.ok()) << raw.status();
    const MappedRow read = bound.Read(*raw);
    ASSERT_EQ(read.kind, Kind::kRow) << read.error;
    ASSERT_EQ(read.row_id, row_id);
    ASSERT_EQ(read.row, row);
  }
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
//
// Golden bytes of what the parallel run keeps (docs/format.md): a change here is a change of the format.
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/compare/day_figures.h"
#include "src/compare/day_index.h"
#include "src/compare/discrepancy.h"
#include "src/compare/item.h"
#include "src/compare/keys.h"
#include "src/compare/row_ids.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal::compare {
namespace {

using northwind::testing::IsOkAndHolds;
using northwind::testing::StatusIs;

const absl::CivilDay kDay(2026, 3, 2);

std::string Hex(std::string_view bytes) {
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

Item Sample() {
  Item item = Item::Named("payout:po_1");
  item.disputed = true;
  item.ours.push_back({.records = {7, 9},
                       .merchant_id = "m1",
                       .asset = {"USD", 2},
                       .units = -2500,
                       .status = LegStatus::kPaid,
                       .at = absl::FromUnixNanos(1),
                       .day = kDay,
                       .hour = 12,
                       .fate = RowFate::kMismatched});
  TheirKept theirs{
      .source = "b", .row_id = "17", .columns = 1, .raw = {"x", std::nullopt}, .kind = MappedRow::Kind::kRow};
  theirs.row = {.leg = Leg::kPayout,
                .id = "po_1",
                .merchant_id = "m1",
                .asset = {"USD", 2},
                .units = -2501,
                .fee = 0,
                .status = LegStatus::kPaid,
                .day = kDay};
  theirs.late = true;
  theirs.fate = RowFate::kMismatched;
  item.theirs.push_back(theirs);
  TheirKept unreadable{.source = "b", .row_id = "18", .raw = {"y"}, .error = "bad", .fate = RowFate::kUnreadable};
  unreadable.row.day = kDay;
  item.theirs.push_back(unreadable);
  item.many.push_back({.side = Side::kTheirs, .place = {kDay, "m1", 3}, .asset = {"EUR", 2}, .rows = {2, 10}});
  return item;
}

TEST(RecordCodec, Item) {
  const Item item = Sample();
  const std::string bytes = EncodeItem(item);
  EXPECT_EQ(Hex(bytes),
            "010101020709026d310355534402872700030202c4c0020c000202016202313701020101780001c4c00200026d310355"
            "534402892703000301020162023138000101017903c4c002000362616400050101c4c002026d310303455552020214");
  EXPECT_THAT(DecodeItem("payout:po_1", bytes), IsOkAndHolds(item));
}

TEST(RecordCodec, WhatNorthwindPays) {
  Item item = Item::Named("payout:po_1");
  item.northwind = true;
  item.ours.push_back({.records = {7},
                       .merchant_id = "m1",
                       .asset = {"USD", 2},
                       .units = -2500,
                       .status = LegStatus::kPaid,
                       .at = absl::FromUnixNanos(1),
                       .day = kDay,
                       .hour = 12,
                       .fate = RowFate::kByNorthwind});
  const std::string bytes = EncodeItem(item);
  EXPECT_EQ(Hex(bytes), "0108010107026d310355534402872700030202c4c0020c00060000");
  EXPECT_THAT(DecodeItem("payout:po_1", bytes), IsOkAndHolds(item));
  const Terms terms{.days = *BusinessDays::Make("UTC", absl::ZeroDuration()), .statuses = true};
  const auto entries = IndexEntriesOf(item, terms);
  ASSERT_EQ(entries.size(), 1);
  EXPECT_EQ(Hex(entries[0].second), "010201b60355534402872703");
  const auto entry = DecodeIndexEntry(entries[0].first, entries[0].second);
  ASSERT_TRUE(entry.ok());
  EXPECT_TRUE(entry->by_northwind());
  EXPECT_TRUE(entry->rows.at(0).by_northwind);
}

TEST(RecordCodec, EveryPieceOfAnItemIsNeededAndNothingMayFollow) {
  const std::string bytes = EncodeItem(Sample());
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THAT(DecodeItem("payout:po_1", bytes.substr(0, n)), StatusIs(absl::StatusCode::kDataLoss)) << n;
  }
  EXPECT_THAT(DecodeItem("payout:po_1", bytes + "x"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(RecordCodec, IndexEntry) {
  Item item = Item::Named("capture:p");
  item.ours.push_back({.records = {1},
                       .merchant_id = "m1",
                       .asset = {"USD", 2},
                       .units = 100,
                       .fee = 3,
                       .status = LegStatus::kSettled,
                       .day = kDay,
                       .hour = 13,
                       .fate = RowFate::kMatched});
  const Terms terms{
      .days = *BusinessDays::Make("UTC", absl::ZeroDuration()), .fees = true, .statuses = true, .moments = true};
  const auto entries = IndexEntriesOf(item, terms);
  ASSERT_EQ(entries.size(), 1);
  EXPECT_EQ(Hex(entries[0].first), "6e772f636f6d706172652f696e6465782f800050226d31000d636170747572653a70");
  EXPECT_EQ(Hex(entries[0].second), "010201180355534402c8010601");
  const auto key = ParseIndexKey(entries[0].first);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->day, kDay);
  EXPECT_EQ(key->merchant_id, "m1");
  EXPECT_EQ(key->hour, 13);
  EXPECT_EQ(key->name, "capture:p");
  EXPECT_TRUE(DecodeIndexEntry(entries[0].first, entries[0].second)->settled());
}

TEST(RecordCodec, Discrepancy) {
  DiscrepancyRecord record{
      .classes = {DiscrepancyClass::kAmount},
      .state = DiscrepancyState::kExplained,
      .day = kDay,
      .merchant_id = "m1",
      .first_seen = absl::FromUnixNanos(5),
      .last_seen = absl::FromUnixNanos(6),
      .fingerprint = std::string(16, 'f'),
      .rules = {"r"},
      .charged = {{"USD/2", 7}},
      .history = {
          {.at = absl::FromUnixNanos(6), .state = DiscrepancyState::kExplained, .actor = "a", .reason = "why"}}};
  const std::string bytes = EncodeDiscrepancy(record);
  EXPECT_EQ(Hex(bytes),
            "0101050200c4c002026d31020a020c000000000000000000000000000000000000000000000000000000000000000066"
            "66666666666666666666666666666601017201055553442f320701020c0200016103776879");
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THAT(DecodeDiscrepancy("x", bytes.substr(0, n)), StatusIs(absl::StatusCode::kDataLoss)) << n;
  }
  const auto decoded = DecodeDiscrepancy("x", bytes);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(EncodeDiscrepancy(*decoded), bytes);
}

TEST(RecordCodec, RowPlaceAndDay) {
  const RowPlace kept{.name = "capture:p"};
  EXPECT_EQ(Hex(EncodeRowPlace(kept)), "09636170747572653a70");
  EXPECT_EQ(DecodeRowPlace("k", EncodeRowPlace(kept))->name, "capture:p");
  EXPECT_EQ(Hex(EncodeCameIn({{"USD/2", {CountAndSum{1, -5}, CountAndSum{2, 7}}}})), "0101055553442f320109020e");
  DayFigures figures{.day = kDay,
                     .state = DayState::kClosed,
                     .closed_at = absl::FromUnixNanos(1),
                     .closed_by = "ops",
                     .by_class = {{DiscrepancyClass::kAmount, 2}},
                     .by_state = {{DiscrepancyState::kOpen, 2}},
                     .rules_hash = "ab",
                     .canaries = {{DiscrepancyClass::kFee, {DiscrepancyClass::kFee}}},
                     .sound = true,
                     .incomplete = {"less"},
                     .totals = {{"USD/2", {1, 5}}},
                     .totals_told = true};
  figures.assets["USD/2"].ours = {.ingested = {1, 5}, .ignored = {1, 3}, .by_northwind = {1, 3}};
  const std::string bytes = EncodeFigures(figures);
  EXPECT_EQ(Hex(bytes),
            "01020202036f707301055553442f32010a0000000000000106010600000000000000000000000001050201010202616201060106"
            "0101046c6573730000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "00000000000000000000000000000000000000000000000101055553442f32010a");
  EXPECT_THAT(DecodeFigures(kDay, "\x02" + bytes.substr(1)), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(EncodeFigures(*DecodeFigures(kDay, bytes)), bytes);
  EXPECT_THAT(DecodeFigures(kDay, bytes.substr(1)), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace northwind::internal::compare

// SPDX-License-Identifier: Apache-2.0
//
// What comes when, and again; days that are closed, change, and are closed again; canaries.
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/compare/classify.h"
#include "tests/compare/run_world.h"

namespace northwind::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using enum DiscrepancyClass;
using Totals = std::map<std::string, CountAndSum>;

TEST(Days, ADayIsClosedOnlyWhenItIsOverAndTheJournalFollowed) {
  RunWorld world;
  EXPECT_THAT(world.run_->CloseDay(kDay + 1, {.actor = "ops"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("may not be closed yet")));
  world.Apply(Capture("pay_1", 1'00));
  EXPECT_THAT(world.run_->CloseDay(kDay, {.actor = "ops"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("followed")));
  EXPECT_THAT(world.run_->CloseDay(kDay, {}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("actor")));
}

TEST(Days, SoLongAfterItsEndADayWaitsForWhatIsLate) {
  RunWorld world;
  world.run_.reset();
  world.options_of_run_.close_after = absl::Hours(12);
  world.OpenRun();
  world.clock_.Set(Noon(kDay + 1) - absl::Nanoseconds(1));
  EXPECT_THAT(world.run_->CloseDay(kDay, {.actor = "ops"}), StatusIs(absl::StatusCode::kFailedPrecondition));
  world.clock_.Set(Noon(kDay + 1));
  EXPECT_THAT(world.run_->CloseDay(kDay, {.actor = "ops"}), IsOk());
}

TEST(Days, WhatComesAfterTheCloseReopensTheDayAndIsLate) {
  RunWorld world;
  world.Settle({Capture("pay_1", 100'00), Capture("pay_2", 5'00)});
  world.Ingest({{.ref = "pay_2", .amount = "5.00"}});
  world.Close();
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kMissingThere));
  EXPECT_EQ(world.Day().state, DayState::kClosed);
  world.Ingest({{.ref = "pay_1", .amount = "100.00"}});
  EXPECT_EQ(world.Day().state, DayState::kReopened);
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kLate));
  EXPECT_THAT(world.Find("capture:pay_1")->detail, HasSubstr("late there"));
  EXPECT_FALSE(world.Close().clean());
  ASSERT_THAT(world.run_->Explain("capture:pay_1", "ops", "the batch ran late"), IsOk());
  EXPECT_EQ(world.Day().state, DayState::kReopened);
  EXPECT_TRUE(world.Close().clean());
}

TEST(Days, WhatIsOursMayBeLateToo) {
  RunWorld world;
  world.Settle(Capture("pay_2", 5'00));
  world.Ingest({{.ref = "pay_2", .amount = "5.00"}, {.ref = "pay_1", .amount = "100.00"}});
  world.Close();
  world.Settle(Capture("pay_1", 100'00));
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kLate));
  EXPECT_EQ(world.Day().state, DayState::kReopened);
}

TEST(Days, WhatComesLateAndDiffersIsWhatDiffers) {
  RunWorld world;
  world.Settle(Capture("pay_1", 100'00));
  world.Close();
  world.Ingest({{.ref = "pay_1", .amount = "99.00"}});
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kAmount));
}

TEST(Days, TheSameAgainChangesNothing) {
  RunWorld world;
  const std::vector<Line> lines = {{.ref = "pay_1", .amount = "100.00"},
                                   {.ref = "pay_2", .amount = "7.00"},
                                   {.row = "x", .ref = "pay_3", .amount = "?"}};
  world.Settle(Capture("pay_1", 100'00));
  EXPECT_EQ(world.Ingest(lines).new_rows, 3);
  world.Close();
  const std::vector<Discrepancy> before = world.List();
  world.clock_.Advance(absl::Hours(1));
  const IngestResult again = world.Ingest(lines);
  EXPECT_EQ(again.unchanged, 3);
  EXPECT_EQ(again.new_rows + again.corrected, 0);
  EXPECT_EQ(world.Day().state, DayState::kClosed);
  EXPECT_EQ(world.List().size(), before.size());
  EXPECT_EQ(world.Find("capture:pay_2")->last_seen, before[0].last_seen);
}

TEST(Days, ACorrectionUnderTheSameRowIdTakesTheRowsPlace) {
  RunWorld world;
  world.Settle(Capture("pay_1", 100'00));
  world.Ingest({{.row = "1", .ref = "pay_1", .amount = "90.00"}});
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kAmount));
  EXPECT_EQ(world.Ingest({{.row = "1", .ref = "pay_1", .amount = "100.00"}}).corrected, 1);
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kResolved);
  EXPECT_EQ(world.Day().assets.at("USD/2").theirs.ingested, (CountAndSum{1, 100'00}));
  EXPECT_TRUE(world.Close().clean());
}

TEST(Days, ACorrectionMayMoveARowToAnotherPaymentAndAnotherDay) {
  RunWorld world;
  world.Settle({Capture("pay_1", 100'00), Capture("pay_2", 100'00, 0, Noon(kDay - 1))});
  world.Ingest({{.row = "1", .ref = "pay_1", .amount = "100.00"}});
  world.Close();
  world.Close(kDay - 1);
  EXPECT_THAT(world.ClassesOf("capture:pay_2"), ElementsAre(kMissingThere));
  EXPECT_EQ(world.Ingest({{.row = "1", .ref = "pay_2", .amount = "100.00", .day = "2026-03-01"}}).corrected, 1);
  EXPECT_EQ(world.Day(kDay).state, DayState::kReopened);
  EXPECT_EQ(world.Day(kDay - 1).state, DayState::kReopened);
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kMissingThere));
  EXPECT_THAT(world.ClassesOf("capture:pay_2"), ElementsAre(kLate));
}

TEST(Days, TheSameRowIdTwiceInOneCallIsACorrectionToo) {
  RunWorld world;
  const IngestResult result = world.Ingest({{.row = "1", .ref = "pay_1", .amount = "1.00"},
                                            {.row = "1", .ref = "pay_2", .amount = "2.00"},
                                            {.row = "1", .ref = "pay_2", .amount = "2.00"}});
  EXPECT_EQ(result.new_rows, 1);
  EXPECT_EQ(result.corrected, 1);
  EXPECT_EQ(result.unchanged, 1);
  EXPECT_EQ(world.Day().assets.at("USD/2").theirs.ingested, (CountAndSum{1, 2'00}));
}

TEST(Days, RowsOfOtherSourcesAreOtherRows) {
  RunWorld world;
  world.Ingest({{.row = "1", .ref = "pay_1", .amount = "1.00"}});
  const std::vector<RawRow> rows = {Raw({.row = "1", .ref = "pay_1", .amount = "1.00"})};
  ASSERT_THAT(world.run_->Ingest("other", Columns(), rows, "p2"), IsOk());
  EXPECT_EQ(world.Day().assets.at("USD/2").theirs.ingested.count, 2);
  EXPECT_THAT(world.run_->Cursor("other"), IsOkAndHolds("p2"));
  EXPECT_THAT(world.run_->Cursor("batch"), IsOkAndHolds(""));
}

TEST(Days, ColumnsThatAreMissingOrRowsOfAnotherLengthAreRefusedWhole) {
  RunWorld world;
  std::vector<RawRow> rows = {Raw({.ref = "pay_1", .amount = "1.00"}), Raw({.ref = "pay_2", .amount = "1.00"})};
  rows[1].pop_back();
  EXPECT_THAT(world.run_->Ingest("batch", Columns(), rows, "p"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("row 1")));
  std::vector<std::string> columns = Columns();
  columns[6] = "sum";
  rows.pop_back();
  EXPECT_THAT(world.run_->Ingest("batch", columns, rows, "p"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("amount")));
  EXPECT_THAT(world.run_->Cursor("batch"), IsOkAndHolds(""));
  EXPECT_TRUE(world.Day().assets.empty());
}

TEST(Days, WhatTheBatchCountsItselfIsCompared) {
  RunWorld world;
  world.Settle(Capture("pay_1", 100'00));
  world.Ingest({{.ref = "pay_1", .amount = "100.00"}});
  const Totals right = {{"USD/2", {1, 100'00}}};
  EXPECT_THAT(world.Close(kDay, {.actor = "ops", .expected = right}).incomplete, IsEmpty());
  const DayFigures day =
      world.Close(kDay, {.actor = "ops", .expected = Totals{{"USD/2", {2, 101'00}}, {"EUR/2", {1, 5}}}});
  EXPECT_THAT(day.incomplete, ElementsAre("EUR/2: the batch has 1 rows of 0.05, there came 0 rows of 0.00",
                                          "USD/2: the batch has 2 rows of 101.00, there came 1 rows of 100.00"));
  EXPECT_FALSE(day.clean());
}

TEST(Days, WhatTheBatchWasSaidToHaveIsKeptAndCheckedAtEveryLaterClosing) {
  RunWorld world;
  world.Settle(Capture("pay_1", 100'00));
  world.Ingest({{.ref = "pay_1", .amount = "100.00"}});
  EXPECT_FALSE(world.Close().totals_told);
  const CloseDayOptions too_many{.actor = "ops", .expected = Totals{{"USD/2", {2, 101'00}}}};
  EXPECT_THAT(world.Close(kDay, too_many).incomplete, SizeIs(1));
  world.ReopenRun();
  const DayFigures again = world.Close();
  EXPECT_THAT(again.incomplete, SizeIs(1));
  EXPECT_TRUE(again.totals_told);
  EXPECT_FALSE(again.clean());
  // The row comes that was missing.
  world.Ingest({{.ref = "pay_2", .amount = "1.00"}});
  EXPECT_THAT(world.Close().incomplete, IsEmpty());
  // Told anew; also that there is nothing.
  EXPECT_THAT(world.Close(kDay, {.actor = "ops", .expected = Totals{}}).incomplete,
              ElementsAre("USD/2: the batch has 0 rows of 0.00, there came 2 rows of 101.00"));
  EXPECT_THAT(world.run_->CloseDay(kDay, {.actor = "ops", .expected = Totals{{"dollars", {}}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("dollars")));
}

TEST(Days, ClosingADayLeavesTheNextOneClosedThatADiscrepancyReachesInto) {
  RunWorld world;
  world.clock_.Set(Noon(kDay + 5));
  world.Settle({Capture("pay_1", 100'00), Capture("pay_2", 1'00), Capture("pay_3", 1'00, 0, Noon(kDay + 1))});
  world.Ingest({{.ref = "pay_1", .amount = "100.00", .day = "2026-03-03"},
                {.ref = "pay_2", .amount = "1.00"},
                {.ref = "pay_3", .amount = "1.00", .day = "2026-03-03"}});
  world.Close(kDay);
  world.Close(kDay + 1);
  world.Close(kDay);
  EXPECT_EQ(world.Day(kDay).state, DayState::kClosed);
  EXPECT_EQ(world.Day(kDay + 1).state, DayState::kClosed);
  EXPECT_EQ(world.Day(kDay).by_class.at(kDayShift), 1);
  EXPECT_TRUE(world.Day(kDay + 1).by_class.empty());
}

TEST(Days, DigestsLeadDownToTheRowThatDiffers) {
  RunWorld world;
  world.Settle({Capture("pay_1", 1'00), Capture("pay_2", 2'00), Capture("pay_3", 3'00, 0, Noon(), "m2"),
                Capture("pay_4", 4'00, 0, Noon(kDay, 90), "m2")});
  world.Ingest({{.ref = "pay_1", .amount = "1.00"},
                {.ref = "pay_2", .amount = "2.00"},
                {.ref = "pay_3", .merchant = "m2", .amount = "3.00"},
                {.ref = "pay_4", .merchant = "m2", .amount = "4.01"}});
  const DigestPage first = *world.run_->MerchantDigests(kDay, {}, 1);
  ASSERT_THAT(first.nodes, SizeIs(1));
  EXPECT_TRUE(first.nodes[0].same());
  EXPECT_EQ(first.nodes[0].our_rows, 2);
  const DigestPage second = *world.run_->MerchantDigests(kDay, first.next, 5);
  ASSERT_THAT(second.nodes, SizeIs(1));
  EXPECT_EQ(second.nodes[0].name, "m2");
  EXPECT_FALSE(second.nodes[0].same());
  EXPECT_EQ(second.next, "");
  const DigestPage hours = *world.run_->HourDigests(kDay, "m2");
  ASSERT_THAT(hours.nodes, SizeIs(2));
  EXPECT_TRUE(hours.nodes[0].same());
  EXPECT_EQ(hours.nodes[1].name, "13");
  const DigestPage rows = *world.run_->RowDigests(kDay, "m2", 13);
  ASSERT_THAT(rows.nodes, SizeIs(1));
  EXPECT_EQ(rows.nodes[0].name, "capture:pay_4");
  EXPECT_FALSE(rows.nodes[0].same());
  EXPECT_NE(world.Close().our_digest, world.Close().their_digest);
}

// ---- Another mapping ----------------------------------------------------------------------------------------

TEST(Days, AnotherMappingReadsWhatWasKeptAnewAndMakesTheDaysStale) {
  RunWorld world;
  world.Settle({Capture("pay_1", 100'00), Capture("pay_2", 1'00)});
  world.Ingest(
      {{.row = "1", .ref = "pay_1", .currency = "DOLLAR", .amount = "100.00"}, {.ref = "pay_2", .amount = "1.00"}});
  world.Close();
  EXPECT_THAT(world.ClassesOf("row:batch:1"), ElementsAre(kUnreadable));
  world.options_of_run_.mapping.assets["DOLLAR"] = "USD/2";
  world.ReopenRun();
  world.Check();
  EXPECT_EQ(world.Day().state, DayState::kReopened);
  EXPECT_EQ(world.Find("row:batch:1")->state, DiscrepancyState::kResolved);
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kResolved);  // it was there in time
  EXPECT_EQ(world.Ingest({{.row = "1", .ref = "pay_1", .currency = "DOLLAR", .amount = "100.00"}}).unchanged, 1);
  // In another time zone all of it is of other days.
  world.options_of_run_.mapping.day.clear();
  world.options_of_run_.mapping.time_zone = "Pacific/Kiritimati";
  world.ReopenRun();
  world.Check();
  EXPECT_EQ(world.Day(kDay + 1).assets.at("USD/2").ours.ingested.count, 2);
  EXPECT_THAT(world.ClassesOf("row:batch:1"), ElementsAre(kUnreadable));  // it has no moment
}

TEST(Days, ARunMayBeOpenedOncePerStore) {
  RunWorld world;
  EXPECT_THAT(ParallelRun::Open(*world.ledger_, *world.store_, world.options_of_run_),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  world.ReopenRun();
  EXPECT_EQ(world.run_->followed(), world.ledger_->Head().sequence);
}

// ---- Canaries -----------------------------------------------------------------------------------------------

std::vector<bool> SoundOnes(const DayFigures& day) {
  std::vector<bool> sound;
  for (const CanaryResult& canary : day.canaries) sound.push_back(canary.sound());
  return sound;
}

TEST(Canaries, EachClassIsFoundAndNothingOfThemStays) {
  RunWorld world;
  world.Settle(Capture("pay_1", 100'00, 3'00));
  world.Ingest({{.ref = "pay_1", .amount = "100.00", .fee = "3.00"}});
  const DayFigures day = world.Close();
  EXPECT_THAT(SoundOnes(day), ElementsAre(true, true, true, true, true, true, true, true, true));
  EXPECT_TRUE(day.sound);
  EXPECT_THAT(world.List(), IsEmpty());
  EXPECT_EQ(day.assets.at("USD/2").ours.ingested, (CountAndSum{1, 100'00}));
  EXPECT_EQ(day.assets.size(), 1);
  EXPECT_EQ(world.Day(kDay + 2).assets.size(), 0);
}

TEST(Canaries, EveryLegWillDoAndEveryMapping) {
  LegacyMapping mapping = BatchMapping();
  mapping.day.clear();
  mapping.amount_form = LegacyAmountForm::kMinorUnits;
  mapping.amount_sign = LegacyAmountSign::kMerchant;
  mapping.statuses = {{"PAID", LegStatus::kPaid}};
  RunWorld world(mapping);
  world.Settle({OfPayout(EventType::kPayoutRequested, "po_1", Noon(), 25'00),
                OfPayout(EventType::kPayoutPaid, "po_1", Noon(kDay, 3))});
  world.Ingest({{.type = "PAY", .ref = "po_1", .amount = "-2500", .at = "2026-03-02T12:00:00Z"}});
  EXPECT_TRUE(world.Close().clean());
}

TEST(Canaries, WithoutARowThatAgreesNothingIsProved) {
  RunWorld world;
  world.Settle(Capture("pay_1", 100'00));
  const DayFigures day = world.Close();
  EXPECT_THAT(day.canaries, IsEmpty());
  EXPECT_FALSE(day.sound);
}

TEST(Canaries, NoRuleCoversThem) {
  RunWorld world;
  ASSERT_THAT(world.run_->AddRule({.id = "r",
                                   .owner = "o",
                                   .reason = "x",
                                   .of = kMissingThere,
                                   .from = kDay,
                                   .to = kDay,
                                   .expires_at = absl::InfiniteFuture(),
                                   .max_count = 9,
                                   .max_units = {{"USD/2", 1'000'00}}}),
              IsOk());
  world.Settle(Capture("pay_1", 100'00));
  world.Ingest({{.ref = "pay_1", .amount = "100.00"}});
  EXPECT_TRUE(world.Close().sound);
  EXPECT_EQ(world.run_->Report(kDay, kDay)->rule_uses.at("r"), 0);
}

// A comparison that is broken in one thing.
template <DiscrepancyClass kBroken>
void Overlook(const internal::compare::Item& item, internal::compare::Verdict& verdict) {
  if (!item.canary) return;
  std::erase(verdict.classes, kBroken);
}

template <DiscrepancyClass kBroken>
void ExpectUnsound() {
  RunWorld world;
  world.Settle(Capture("pay_1", 100'00));
  world.Ingest({{.ref = "pay_1", .amount = "100.00"}});
  internal::compare::verdict_spoiler_for_testing = &Overlook<kBroken>;
  const DayFigures day = *world.run_->CloseDay(kDay, {.actor = "ops"});
  internal::compare::verdict_spoiler_for_testing = nullptr;
  EXPECT_FALSE(day.sound) << Name(kBroken);
  EXPECT_FALSE(day.clean());
  for (const CanaryResult& canary : day.canaries) EXPECT_EQ(canary.sound(), canary.expected != kBroken);
  EXPECT_FALSE(world.run_->Gate()->open);
  EXPECT_TRUE(world.Close().sound);
}

TEST(Canaries, AComparisonThatOverlooksAClassMakesTheDayUnsound) {
  ExpectUnsound<kMissingHere>();
  ExpectUnsound<kMissingThere>();
  ExpectUnsound<kDuplicate>();
  ExpectUnsound<kCurrency>();
  ExpectUnsound<kAmount>();
  ExpectUnsound<kFee>();
  ExpectUnsound<kMerchant>();
  ExpectUnsound<kStatus>();
  ExpectUnsound<kDayShift>();
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
//
// Each class of discrepancy, alone and with others, as a run finds it.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/compare/run_world.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using enum DiscrepancyClass;

TEST(Classes, WhatAgreesIsMatched) {
  RunWorld world;
  world.Settle({Capture("pay_1", 100'00, 2'90), Refund("pay_1", 40'00, Noon(kDay, 5), "r1"),
                OfPayout(EventType::kPayoutRequested, "po_1", Noon(), 25'00),
                OfPayout(EventType::kPayoutPaid, "po_1", Noon(kDay, 9))});
  world.Ingest({{.ref = "pay_1", .amount = "100.00", .fee = "2.90"},
                {.type = "REF", .ref = "pay_1", .refund = "r1", .amount = "40.00"},
                {.type = "PAY", .ref = "po_1", .amount = "25.00"}});
  const DayFigures day = world.Close();
  EXPECT_THAT(world.List(), IsEmpty());
  const SideBySide& usd = day.assets.at("USD/2");
  EXPECT_EQ(usd.ours.matched, (CountAndSum{3, 35'00}));
  EXPECT_EQ(usd.theirs.matched, usd.ours.ingested);
  EXPECT_EQ(day.our_digest, day.their_digest);
  EXPECT_TRUE(day.clean());
}

TEST(Classes, OnOneSideAloneIsPendingUntilTheDayIsClosedAndThenMissing) {
  RunWorld world;
  world.Settle({Capture("pay_1", 100'00), Capture("pay_2", 5'00)});
  world.Ingest({{.ref = "pay_2", .amount = "5.00"}, {.ref = "pay_3", .amount = "7.00"}});
  EXPECT_THAT(world.List(), IsEmpty());
  EXPECT_EQ(world.Day().assets.at("USD/2").ours.pending, (CountAndSum{1, 100'00}));
  EXPECT_EQ(world.Day().assets.at("USD/2").theirs.pending, (CountAndSum{1, 7'00}));
  const DayFigures day = world.Close();
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kMissingThere));
  EXPECT_THAT(world.ClassesOf("capture:pay_3"), ElementsAre(kMissingHere));
  EXPECT_EQ(day.assets.at("USD/2").ours.mismatched, (CountAndSum{1, 100'00}));
  EXPECT_EQ(day.by_class.at(kMissingThere), 1);
  EXPECT_EQ(day.by_state.at(DiscrepancyState::kOpen), 2);
  EXPECT_FALSE(day.clean());
}

TEST(Classes, EachFieldThatDiffersIsAClass) {
  RunWorld world;
  world.Settle({Capture("amount", 100'00), Capture("fee", 100'00, 3'00), Capture("merchant", 100'00),
                Capture("currency", 100'00), Capture("day", 100'00),
                OfPayout(EventType::kPayoutRequested, "status", Noon(), 25'00)});
  world.Ingest({{.ref = "amount", .amount = "100.01"},
                {.ref = "fee", .amount = "100.00", .fee = "2.99"},
                {.ref = "merchant", .merchant = "m2", .amount = "100.00"},
                {.ref = "currency", .currency = "EUR", .amount = "100.00"},
                {.ref = "day", .amount = "100.00", .day = "2026-03-03"},
                {.type = "PAY", .ref = "status", .amount = "25.00", .status = "FAILED"}});
  EXPECT_THAT(world.ClassesOf("capture:amount"), ElementsAre(kAmount));
  EXPECT_THAT(world.ClassesOf("capture:fee"), ElementsAre(kFee));
  EXPECT_THAT(world.ClassesOf("capture:merchant"), ElementsAre(kMerchant));
  EXPECT_THAT(world.ClassesOf("capture:currency"), ElementsAre(kCurrency));
  EXPECT_THAT(world.ClassesOf("capture:day"), ElementsAre(kDayShift));
  EXPECT_THAT(world.ClassesOf("payout:status"), ElementsAre(kStatus));
  EXPECT_EQ(world.Find("capture:amount")->detail, "amount: 100.00 here, 100.01 there (USD)");
  EXPECT_EQ(world.Find("capture:fee")->detail, "fee: 3.00 here, 2.99 there (USD)");
  EXPECT_EQ(world.Find("payout:status")->detail, "status: open here, failed there");
}

TEST(Classes, AllThatDiffersIsNamedAndTheFirstCounts) {
  RunWorld world;
  world.Settle(Capture("pay_1", 100'00, 3'00));
  world.Ingest({{.ref = "pay_1",
                 .merchant = "m2",
                 .currency = "EUR",
                 .amount = "99.00",
                 .fee = "1.00",
                 .status = "WON",
                 .day = "2026-03-01"}});
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kCurrency, kAmount, kFee, kMerchant, kStatus, kDayShift));
  world.Ingest({{.ref = "other", .amount = "1.00"}});
  EXPECT_EQ(world.Close().by_class.at(kCurrency), 1);
}

TEST(Classes, ADiscrepancyShowsBothSidesAsTheyAre) {
  RunWorld world;
  world.Settle(Capture("pay_1", 100'00));
  world.Ingest({{.row = "17", .ref = "pay_1", .amount = "99.00"}});
  const Discrepancy found = *world.Find("capture:pay_1");
  ASSERT_EQ(found.ours.size(), 1);
  EXPECT_THAT(found.ours[0].raw, HasSubstr("\"type\":\"PAYMENT_CAPTURED\",\"payment_id\":\"pay_1\""));
  EXPECT_EQ(found.ours[0].row.units, 100'00);
  ASSERT_EQ(found.theirs.size(), 1);
  EXPECT_EQ(found.theirs[0].source, "batch");
  EXPECT_EQ(found.theirs[0].row_id, "17");
  EXPECT_EQ(found.theirs[0].raw.at("amount"), "99.00");
  EXPECT_EQ(found.theirs[0].raw.at("fee"), std::nullopt);
  EXPECT_EQ(found.day, kDay);
  EXPECT_EQ(found.first_seen, world.clock_.Now());
}

TEST(Classes, ADuplicateOnEitherSideIsOneAtOnce) {
  RunWorld world;
  world.Settle({Capture("pay_1", 100'00)});
  world.Ingest({{.row = "1", .ref = "pay_1", .amount = "100.00"}, {.row = "2", .ref = "pay_1", .amount = "100.00"}});
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kDuplicate));
  const SideBySide usd = world.Day().assets.at("USD/2");
  EXPECT_EQ(usd.theirs.matched, (CountAndSum{1, 100'00}));
  EXPECT_EQ(usd.theirs.mismatched, (CountAndSum{1, 100'00}));
}

TEST(Classes, OfRefundsWithoutAnIdTwoThatAreEqualMayBeTwo) {
  RunWorld world;
  world.Settle({Capture("pay_1", 100'00), Refund("pay_1", 10'00, Noon(kDay, 1)), Refund("pay_1", 10'00, Noon(kDay, 2)),
                Refund("pay_1", 5'00, Noon(kDay, 3))});
  world.Ingest({{.ref = "pay_1", .amount = "100.00"},
                {.row = "r1", .type = "REF", .ref = "pay_1", .amount = "10.00"},
                {.row = "r2", .type = "REF", .ref = "pay_1", .amount = "5.00"}});
  EXPECT_THAT(world.List(), IsEmpty());
  world.Ingest({{.row = "r3", .type = "REF", .ref = "pay_1", .amount = "10.00"}});
  EXPECT_TRUE(world.Close().clean());
}

TEST(Classes, OfRefundsWithoutAnIdOneTooManyIsADuplicateOnceTheDayIsClosed) {
  RunWorld world;
  world.Settle(
      {Capture("pay_1", 100'00), Refund("pay_1", 10'00, Noon(kDay, 1)), Refund("pay_1", 10'00, Noon(kDay, 2))});
  world.Ingest({{.ref = "pay_1", .amount = "100.00"}, {.row = "r1", .type = "REF", .ref = "pay_1", .amount = "10.00"}});
  EXPECT_THAT(world.List(), IsEmpty());
  world.Close();
  EXPECT_THAT(world.ClassesOf("refund:pay_1"), ElementsAre(kDuplicate));
}

TEST(Classes, ADisputeIsOneRowWhateverBecomesOfIt) {
  RunWorld world;
  world.Settle({Capture("pay_1", 100'00), OfPayment(EventType::kDisputeOpened, "pay_1", Noon(), 100'00)});
  world.Ingest({{.ref = "pay_1", .amount = "100.00"}, {.type = "DIS", .ref = "pay_1", .amount = "100.00"}});
  EXPECT_THAT(world.List(), IsEmpty());
  world.Settle(OfPayment(EventType::kDisputeWon, "pay_1", Noon(kDay, 9)));
  EXPECT_THAT(world.ClassesOf("dispute:pay_1"), ElementsAre(kStatus));
  world.Ingest({{.type = "DIS", .ref = "pay_1", .amount = "100.00", .status = "WON"}});
  EXPECT_THAT(world.ClassesOf("dispute:pay_1"), IsEmpty());
  EXPECT_EQ(world.Find("dispute:pay_1")->state, DiscrepancyState::kResolved);
  EXPECT_TRUE(world.Close().clean());
}

TEST(Classes, OfAPayoutThatIsPaidInPartThePartCounts) {
  RunWorld world;
  world.Settle({OfPayout(EventType::kPayoutRequested, "po_1", Noon(), 25'00),
                OfPayout(EventType::kPayoutPaid, "po_1", Noon(kDay, 5), 20'00),
                OfPayout(EventType::kPayoutReturned, "po_1", Noon(kDay, 7))});
  world.Ingest({{.type = "PAY", .ref = "po_1", .amount = "20.00"}, {.type = "RET", .ref = "po_1", .amount = "20.00"}});
  EXPECT_TRUE(world.Close().clean());
  EXPECT_EQ(world.Day().assets.at("USD/2").ours.ingested, (CountAndSum{2, 0}));
}

TEST(Classes, AdjustmentsHaveASign) {
  RunWorld world;
  PaymentEvent credit = OfPayment(EventType::kAdjustment, "a1", Noon(), 5'00);
  credit.direction = AdjustmentDirection::kCredit;
  PaymentEvent debit = OfPayment(EventType::kAdjustment, "a2", Noon(), 5'00);
  debit.direction = AdjustmentDirection::kDebit;
  world.Settle({credit, debit});
  world.Ingest({{.type = "ADJ", .ref = "a1", .amount = "5.00"}, {.type = "ADJ", .ref = "a2", .amount = "5.00"}});
  EXPECT_THAT(world.ClassesOf("adjustment:a1"), IsEmpty());
  EXPECT_THAT(world.ClassesOf("adjustment:a2"), ElementsAre(kAmount));
}

TEST(Classes, WhatTheBatchDidNotSettleIsCountedAsIgnored) {
  RunWorld world;
  world.Settle(Capture("pay_1", 3'00));
  const IngestResult result =
      world.Ingest({{.ref = "pay_1", .amount = "3.00"}, {.ref = "pay_2", .amount = "9.00", .status = "VOID"}});
  EXPECT_EQ(result.skipped, 1);
  const DayFigures day = world.Close();
  EXPECT_EQ(day.assets.at("USD/2").theirs.ignored, (CountAndSum{1, 9'00}));
  EXPECT_EQ(day.our_digest, day.their_digest);
  EXPECT_TRUE(day.clean());
}

TEST(Classes, ARowThatCannotBeReadIsADiscrepancyOfTheDayOnWhichItCame) {
  RunWorld world;
  const IngestResult result = world.Ingest({{.row = "7", .ref = "pay_1", .amount = "many"}});
  EXPECT_EQ(result.unreadable, 1);
  const Discrepancy found = *world.Find("row:batch:7");
  EXPECT_THAT(found.classes, ElementsAre(kUnreadable));
  EXPECT_EQ(found.day, kDay + 1);
  EXPECT_THAT(found.detail, HasSubstr("amount"));
  EXPECT_EQ(found.theirs.at(0).row, std::nullopt);
  EXPECT_EQ(found.theirs[0].raw.at("amount"), "many");
  // Corrected, it is a row like others.
  world.Ingest({{.row = "7", .ref = "pay_1", .amount = "1.00"}});
  EXPECT_EQ(world.Find("row:batch:7")->state, DiscrepancyState::kResolved);
  EXPECT_EQ(world.Day().assets.at("USD/2").theirs.pending, (CountAndSum{1, 1'00}));
}

TEST(Classes, DaysMayDifferByTheToleranceAroundMidnight) {
  LegacyMapping mapping = BatchMapping();
  mapping.time_tolerance = absl::Minutes(10);
  RunWorld world(mapping);
  const absl::Time midnight = absl::FromCivil(kDay + 1, absl::UTCTimeZone());
  world.Settle({Capture("near", 1'00, 0, midnight - absl::Minutes(10)),
                Capture("far", 1'00, 0, midnight - absl::Minutes(10) - absl::Nanoseconds(1)),
                Capture("after", 1'00, 0, midnight + absl::Minutes(9))});
  world.Ingest({{.ref = "near", .amount = "1.00", .day = "2026-03-03"},
                {.ref = "far", .amount = "1.00", .day = "2026-03-03"},
                {.ref = "after", .amount = "1.00", .day = "2026-03-02"}});
  EXPECT_THAT(world.ClassesOf("capture:near"), IsEmpty());
  EXPECT_THAT(world.ClassesOf("capture:after"), IsEmpty());
  EXPECT_THAT(world.ClassesOf("capture:far"), ElementsAre(kDayShift));
}

TEST(Classes, WithoutToleranceTheMidnightItselfIsOfTheNextDay) {
  RunWorld world;
  world.Settle(Capture("pay_1", 1'00, 0, absl::FromCivil(kDay + 1, absl::UTCTimeZone())));
  world.Ingest({{.ref = "pay_1", .amount = "1.00", .day = "2026-03-02"}});
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kDayShift));
}

TEST(Classes, ABusinessDayBeginsWhereAndWhenTheBatchSaysAlsoWhenTheClocksChange) {
  LegacyMapping mapping = BatchMapping();
  mapping.time_zone = "Europe/Berlin";
  mapping.day_begins = absl::Hours(-1);  // at 23:00
  RunWorld world(mapping);
  world.clock_.Set(Noon(absl::CivilDay(2026, 4, 5)));
  absl::TimeZone berlin;
  ASSERT_TRUE(absl::LoadTimeZone("Europe/Berlin", &berlin));
  // In the night to 29 March the clocks went forward.
  const auto at = [&](int day, int hour, int minute) {
    return absl::FromCivil(absl::CivilMinute(2026, 3, day, hour, minute), berlin);
  };
  world.Settle({Capture("before", 1'00, 0, at(28, 22, 59)), Capture("first", 1'00, 0, at(28, 23, 0)),
                Capture("last", 1'00, 0, at(29, 22, 59)), Capture("next", 1'00, 0, at(29, 23, 0))});
  world.Ingest({{.ref = "before", .amount = "1.00", .day = "2026-03-28"},
                {.ref = "first", .amount = "1.00", .day = "2026-03-29"},
                {.ref = "last", .amount = "1.00", .day = "2026-03-29"},
                {.ref = "next", .amount = "1.00", .day = "2026-03-30"}});
  EXPECT_THAT(world.List(), IsEmpty());
  EXPECT_EQ(world.Close(absl::CivilDay(2026, 3, 29)).assets.at("USD/2").ours.matched, (CountAndSum{2, 2'00}));
}

TEST(Classes, FeesAndStatusesAreComparedOnlyIfTheyAreMapped) {
  LegacyMapping mapping = BatchMapping();
  mapping.fee.clear();
  mapping.status.clear();
  mapping.statuses.clear();
  mapping.skipped_statuses.clear();
  RunWorld world(mapping);
  world.Settle({Capture("pay_1", 100'00, 3'00), OfPayout(EventType::kPayoutRequested, "po_1", Noon(), 25'00)});
  world.Ingest({{.ref = "pay_1", .amount = "100.00"}, {.type = "PAY", .ref = "po_1", .amount = "25.00"}});
  const DayFigures day = world.Close();
  EXPECT_TRUE(day.clean());
  EXPECT_EQ(day.canaries.size(), 7);
  EXPECT_EQ(day.our_digest, day.their_digest);
}

TEST(Classes, MoreRowsThanAreKeptAreADuplicateAndStillCounted) {
  RunWorld world;
  std::vector<Line> lines;
  for (size_t i = 0; i < kMaxRowsPerItem + 3; ++i) {
    lines.push_back({.row = absl::StrCat("r", i), .ref = "pay_1", .amount = "1.00"});
  }
  EXPECT_EQ(world.Ingest(lines).new_rows, kMaxRowsPerItem + 3);
  EXPECT_EQ(world.Ingest(lines).unchanged, kMaxRowsPerItem + 3);
  world.Settle(Capture("pay_1", 1'00));
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kDuplicate));
  EXPECT_EQ(world.Find("capture:pay_1")->theirs.size(), kMaxRowsPerItem);
  EXPECT_EQ(world.Day().assets.at("USD/2").theirs.ingested.count, kMaxRowsPerItem + 3);
  // One that was not kept is corrected: it is of something else.
  EXPECT_EQ(world.Ingest({{.row = absl::StrCat("r", kMaxRowsPerItem + 1), .ref = "pay_2", .amount = "1.00"}}).corrected,
            1);
  EXPECT_EQ(world.Day().assets.at("USD/2").theirs.ingested.count, kMaxRowsPerItem + 3);
}

TEST(Classes, WhatAHostCommitsUnderOtherCodesOrIsRejectedIsNoRow) {
  RunWorld world;
  const AccountId merchant = *world.ledger_->FindAccount("merchant:m1:available:USD/2");
  const AccountId processor = *world.ledger_->FindAccount("processor:USD/2");
  ASSERT_THAT(world.ledger_->Commit(Transaction{.key = DeriveKey("x", Noon(), "HOST"),
                                                .postings = {{processor, merchant, 500}},
                                                .code = 7,
                                                .reference = "pay_9"}),
              IsOk());
  EXPECT_EQ(world.Apply(OfPayout(EventType::kPayoutRequested, "po_9", Noon(), 9'000'000'00)).status,
            EventStatus::kRejected);
  ASSERT_THAT(world.run_->CatchUp(), IsOk());
  EXPECT_TRUE(world.Day().assets.empty());
}

}  // namespace
}  // namespace northwind::testing

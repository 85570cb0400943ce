// SPDX-License-Identifier: Apache-2.0
//
// What becomes of events: every row of the table in the right and in wrong orders, copies, conflicts, parking, quarantine.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/settlement/intake_fixture.h"
#include "tests/settlement/sample_events.h"

namespace northwind {
namespace {

using ::northwind::testing::Adjusted;
using ::northwind::testing::Captured;
using ::northwind::testing::IntakeWorld;
using ::northwind::testing::IsOk;
using ::northwind::testing::OfPayment;
using ::northwind::testing::OfPayout;
using ::northwind::testing::Refunded;
using ::northwind::testing::Show;
using ::northwind::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kMerchant[] = "merchant:m1:available:USD/2";

MATCHER_P(Is, status, std::string("is ") + std::string(Name(status))) {
  *result_listener << Name(arg.status) << " " << Name(arg.reason) << " " << Name(arg.cause) << " " << arg.detail;
  return arg.status == status;
}
MATCHER_P(IsRejected, reason, std::string("is rejected for ") + std::string(Name(reason))) {
  *result_listener << Name(arg.status) << " " << Name(arg.reason) << " " << arg.detail;
  return arg.status == EventStatus::kRejected && arg.reason == reason;
}
MATCHER_P2(IsQuarantined, cause, detail, std::string("is quarantined for ") + std::string(Name(cause))) {
  *result_listener << Name(arg.status) << " " << Name(arg.cause) << " " << arg.detail;
  return arg.status == EventStatus::kQuarantined && arg.cause == cause && arg.detail.find(detail) != std::string::npos;
}
MATCHER_P2(IsLate, position, status, "") {
  *result_listener << "at " << arg.position << " " << Name(arg.outcome.status);
  return arg.position == static_cast<uint64_t>(position) && arg.outcome.status == status;
}

constexpr EventStatus kApplied = EventStatus::kApplied;
constexpr EventStatus kDuplicate = EventStatus::kDuplicate;
constexpr EventStatus kAlreadySettled = EventStatus::kAlreadySettled;
constexpr EventStatus kParked = EventStatus::kParked;

class IntakeTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (w_.ledger_->Head().sequence > Sequence(0)) testing::ExpectInvariants(*w_.ledger_);
  }
  std::string TotalsOf(std::string_view name) {
    const auto id = w_.ledger_->FindAccount(name);
    return id.ok() ? Show(*w_.ledger_->Balance(*id)) : "none";
  }

  IntakeWorld w_;
};

// ---- The table --------------------------------------------------------------------------------------------------

TEST_F(IntakeTest, CaptureAndPartialRefundWithItsFee) {
  EXPECT_THAT(w_.Apply(Captured("p1", 1000, 30)), Is(kApplied));
  PaymentEvent refund = Refunded("p1", 400, 5, "r1");
  refund.fee = testing::Usd(12);
  EXPECT_THAT(w_.Apply(refund), Is(kApplied));
  EXPECT_EQ(TotalsOf(kMerchant), "430 1012 0 0");
  EXPECT_EQ(TotalsOf("processor:USD/2"), "1000 400 0 0");
  EXPECT_EQ(TotalsOf("platform:fees:USD/2"), "12 30 0 0");
  EXPECT_THAT(w_.Apply(Refunded("p1", 601, 6, "r2")), IsRejected(Reason::kExceedsTarget));
  EXPECT_THAT(w_.Apply(Refunded("p1", 582, 6, "r3")), Is(kApplied));
  EXPECT_EQ(w_.Available(kMerchant), 0);
  EXPECT_THAT(w_.Apply(Refunded("p1", 18, 7, "r4")), IsRejected(Reason::kInsufficientFunds));
}

TEST_F(IntakeTest, RefundOfAnotherMerchantsPaymentOrInAnotherAssetIsRejected) {
  EXPECT_THAT(w_.Apply(Captured("p1", 1000)), Is(kApplied));
  PaymentEvent other = Refunded("p1", 10, 5, "r1");
  other.merchant_id = "m2";
  EXPECT_THAT(w_.Apply(other), IsRejected(Reason::kTargetMismatch));
  other = Refunded("p1", 10, 5, "r2");
  other.amount->asset.code = "EUR";
  EXPECT_THAT(w_.Apply(other), IsRejected(Reason::kTargetMismatch));
  other = Refunded("p1", 10, 5, "r3");
  other.fee = testing::Usd(1);  // there was none
  EXPECT_THAT(w_.Apply(other), IsRejected(Reason::kTargetMismatch));
}

TEST_F(IntakeTest, DisputeLostInPart) {
  w_.Apply(Captured("p1", 1000));
  EXPECT_THAT(w_.Apply(OfPayment(EventType::kDisputeOpened, "p1", 1, 600)), Is(kApplied));
  EXPECT_EQ(w_.Available(kMerchant), 400);
  EXPECT_THAT(w_.Apply(OfPayment(EventType::kDisputeLost, "p1", 2, 250)), Is(kApplied));
  EXPECT_EQ(TotalsOf(kMerchant), "250 1000 0 0");
  EXPECT_THAT(w_.Apply(OfPayment(EventType::kDisputeWon, "p1", 3)), IsRejected(Reason::kTargetResolved));
}

TEST_F(IntakeTest, DisputeWonGivesAllBack) {
  w_.Apply(Captured("p1", 1000));
  w_.Apply(OfPayment(EventType::kDisputeOpened, "p1", 1, 1000));
  EXPECT_THAT(w_.Apply(OfPayment(EventType::kDisputeWon, "p1", 2)), Is(kApplied));
  EXPECT_EQ(TotalsOf(kMerchant), "0 1000 0 0");
  EXPECT_THAT(w_.Apply(OfPayment(EventType::kDisputeLost, "p1", 3)), IsRejected(Reason::kTargetResolved));
}

TEST_F(IntakeTest, PayoutPaidAndReturnedInParts) {
  w_.Apply(Captured("p1", 1000));
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutRequested, "o1", 1, 800)), Is(kApplied));
  EXPECT_EQ(TotalsOf(kMerchant), "0 1000 800 0");
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutPaid, "o1", 2)), Is(kApplied));
  EXPECT_EQ(TotalsOf("bank:clearing:USD/2"), "0 800 0 0");
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutReturned, "o1", 3, 300)), Is(kApplied));
  EXPECT_EQ(w_.Available(kMerchant), 500);
  // A payout is returned once, in whole or in part.
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutReturned, "o1", 4)), Is(kAlreadySettled));
}

TEST_F(IntakeTest, PayoutFailedOrCanceledGivesTheMoneyBackOnce) {
  w_.Apply(Captured("p1", 1000));
  for (const EventType type : {EventType::kPayoutFailed, EventType::kPayoutCanceled}) {
    const std::string id = std::string("o-") + std::to_string(static_cast<int>(type));
    EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutRequested, id, 1, 1000)), Is(kApplied));
    EXPECT_EQ(w_.Available(kMerchant), 0);
    EXPECT_THAT(w_.Apply(OfPayout(type, id, 2)), Is(kApplied));
    EXPECT_EQ(w_.Available(kMerchant), 1000);
    EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutPaid, id, 3)), IsRejected(Reason::kTargetResolved));
  }
}

TEST_F(IntakeTest, PayoutBeyondTheFundsIsRejectedAndItsEndFindsNothing) {
  w_.Apply(Captured("p1", 1000));
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutRequested, "o1", 1, 1001)), IsRejected(Reason::kInsufficientFunds));
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutPaid, "o1", 2), 7), Is(kParked));
  EXPECT_THAT(w_.Finish(), ElementsAre(IsLate(7, EventStatus::kQuarantined)));
  // Sent again when there is enough, it is another try.
  w_.Apply(Captured("p2", 1));
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutRequested, "o1", 3, 1001)), Is(kApplied));
}

TEST_F(IntakeTest, AdjustmentsGoBothWaysButNotBelowZero) {
  EXPECT_THAT(w_.Apply(Adjusted("a1", 50, AdjustmentDirection::kCredit, 1)), Is(kApplied));
  EXPECT_THAT(w_.Apply(Adjusted("a2", 51, AdjustmentDirection::kDebit, 2)), IsRejected(Reason::kInsufficientFunds));
  EXPECT_THAT(w_.Apply(Adjusted("a3", 20, AdjustmentDirection::kDebit, 3)), Is(kApplied));
  EXPECT_EQ(TotalsOf(kMerchant), "20 50 0 0");
  EXPECT_EQ(TotalsOf("platform:adjustments:USD/2"), "50 20 0 0");
}

// ---- Wrong orders -------------------------------------------------------------------------------------------------

TEST_F(IntakeTest, ARefundBeforeItsCaptureWaitsAndIsAppliedRightAfterIt) {
  EXPECT_THAT(w_.Apply(Refunded("p1", 400, 5, "r1"), 1), Is(kParked));
  EXPECT_EQ(w_.intake_->parked(), 1u);
  const IntakeResult result =
      w_.Apply(std::vector<PaymentEvent>{Captured("p1", 400), OfPayout(EventType::kPayoutRequested, "o1", 6, 1)}, 2);
  // One by one the refund comes right after the capture: there is nothing left for the payout.
  EXPECT_THAT(result.outcomes, ElementsAre(Is(kApplied), IsRejected(Reason::kInsufficientFunds)));
  EXPECT_THAT(result.late, ElementsAre(IsLate(1, kApplied)));
  EXPECT_EQ(w_.intake_->parked(), 0u);
}

TEST_F(IntakeTest, TheEndOfADisputeBeforeItsBeginning) {
  w_.Apply(Captured("p1", 1000));
  EXPECT_THAT(w_.Apply(OfPayment(EventType::kDisputeLost, "p1", 2), 1), Is(kParked));
  EXPECT_THAT(w_.Apply(OfPayment(EventType::kDisputeWon, "p1", 3), 2), Is(kParked));
  const IntakeResult result =
      w_.Apply(std::vector<PaymentEvent>{OfPayment(EventType::kDisputeOpened, "p1", 1, 600)}, 3);
  EXPECT_THAT(result.late, ElementsAre(IsLate(1, kApplied), IsLate(2, EventStatus::kRejected)));
  EXPECT_EQ(TotalsOf(kMerchant), "600 1000 0 0");
}

TEST_F(IntakeTest, EveryEndOfAPayoutBeforeItsRequest) {
  for (const EventType type : {EventType::kPayoutPaid, EventType::kPayoutFailed, EventType::kPayoutCanceled}) {
    const std::string id = std::string("o-") + std::to_string(static_cast<int>(type));
    w_.Apply(Captured("for-" + id, 100));
    EXPECT_THAT(w_.Apply(OfPayout(type, id, 2), 1), Is(kParked));
    const IntakeResult result =
        w_.Apply(std::vector<PaymentEvent>{OfPayout(EventType::kPayoutRequested, id, 1, 100)}, 2);
    EXPECT_THAT(result.outcomes, ElementsAre(Is(kApplied)));
    EXPECT_THAT(result.late, ElementsAre(IsLate(1, kApplied)));
  }
  EXPECT_EQ(TotalsOf(kMerchant), "100 300 0 0");
}

TEST_F(IntakeTest, AChainThatArrivesBackwardsIsAppliedForwards) {
  w_.Apply(Captured("p1", 1000));
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutReturned, "o1", 3), 1), Is(kParked));
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutPaid, "o1", 2), 2), Is(kParked));
  const IntakeResult result =
      w_.Apply(std::vector<PaymentEvent>{OfPayout(EventType::kPayoutRequested, "o1", 1, 1000)}, 3);
  EXPECT_THAT(result.late, ::testing::UnorderedElementsAre(IsLate(2, kApplied), IsLate(1, kApplied)));
  EXPECT_EQ(w_.Available(kMerchant), 1000);
  EXPECT_EQ(TotalsOf("bank:clearing:USD/2"), "1000 1000 0 0");
}

TEST_F(IntakeTest, AnEventParkedAndSetFreeInOneCallHasItsFinalOutcome) {
  w_.options_.batch_size = 1;
  w_.Reopen();
  const IntakeResult result = w_.Apply(std::vector<PaymentEvent>{Refunded("p1", 1, 1), Captured("p1", 10)});
  EXPECT_THAT(result.outcomes, ElementsAre(Is(kApplied), Is(kApplied)));
  EXPECT_THAT(result.late, IsEmpty());
}

TEST_F(IntakeTest, ATargetThatComesButIsRejectedSetsNothingFree) {
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutPaid, "o1", 2), 1), Is(kParked));
  const IntakeResult rejected =
      w_.Apply(std::vector<PaymentEvent>{OfPayout(EventType::kPayoutRequested, "o1", 1, 5)}, 2);
  EXPECT_THAT(rejected.outcomes, ElementsAre(IsRejected(Reason::kInsufficientFunds)));
  EXPECT_THAT(rejected.late, IsEmpty());
  w_.Apply(Captured("p1", 5));
  const IntakeResult applied =
      w_.Apply(std::vector<PaymentEvent>{OfPayout(EventType::kPayoutRequested, "o1", 3, 5)}, 3);
  EXPECT_THAT(applied.late, ElementsAre(IsLate(1, kApplied)));
}

// ---- Copies ---------------------------------------------------------------------------------------------------------

TEST_F(IntakeTest, TheSameEventAgainDoesNothing) {
  EXPECT_THAT(w_.Apply(Captured("p1", 1000)), Is(kApplied));
  EXPECT_THAT(w_.Apply(Captured("p1", 1000)), Is(kDuplicate));
  w_.Reopen();
  EXPECT_THAT(w_.Apply(Captured("p1", 1000)), Is(kDuplicate));
  EXPECT_EQ(w_.Available(kMerchant), 1000);
  const IntakeResult two = w_.Apply(std::vector<PaymentEvent>{Captured("p2", 1), Captured("p2", 1)});
  EXPECT_THAT(two.outcomes, ElementsAre(Is(kApplied), Is(kDuplicate)));
}

TEST_F(IntakeTest, ADuplicateOfARejectedEventSaysWhy) {
  const PaymentEvent event = OfPayout(EventType::kPayoutRequested, "o1", 1, 5);
  EXPECT_THAT(w_.Apply(event), IsRejected(Reason::kInsufficientFunds));
  const EventOutcome again = w_.Apply(event);
  EXPECT_THAT(again, Is(kDuplicate));
  EXPECT_EQ(again.reason, Reason::kInsufficientFunds);
}

TEST_F(IntakeTest, TheSameThingUnderANewTimestampIsAlreadySettled) {
  w_.Apply(Captured("p1", 1000));
  PaymentEvent again = Captured("p1", 1000);
  again.occurred_at += absl::Seconds(1);
  EXPECT_THAT(w_.Apply(again), Is(kAlreadySettled));
  w_.Apply(Refunded("p1", 100, 1, "r1"));
  EXPECT_THAT(w_.Apply(Refunded("p1", 100, 2, "r1")), Is(kAlreadySettled));
  EXPECT_THAT(w_.Apply(Refunded("p1", 100, 2, "r2")), Is(kApplied));
  w_.Apply(OfPayout(EventType::kPayoutRequested, "o1", 1, 500));
  w_.Apply(OfPayout(EventType::kPayoutPaid, "o1", 2));
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutRequested, "o1", 3, 500)), Is(kAlreadySettled));
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutPaid, "o1", 4)), Is(kAlreadySettled));
  EXPECT_EQ(TotalsOf("bank:clearing:USD/2"), "0 500 0 0");
}

// docs/events.md says so: give refunds an id.
TEST_F(IntakeTest, ARefundWithoutIdUnderANewTimestampIsAnotherRefund) {
  w_.Apply(Captured("p1", 1000));
  EXPECT_THAT(w_.Apply(Refunded("p1", 100, 1)), Is(kApplied));
  EXPECT_THAT(w_.Apply(Refunded("p1", 100, 1)), Is(kDuplicate));
  EXPECT_THAT(w_.Apply(Refunded("p1", 100, 2)), Is(kApplied));
  EXPECT_THAT(w_.Apply(Refunded("p1", 801, 3)), IsRejected(Reason::kExceedsTarget));
}

TEST_F(IntakeTest, CopiesOfAParkedEventAreAnsweredWithIt) {
  EXPECT_THAT(w_.Apply(Refunded("p1", 4, 5, "r1"), 1), Is(kParked));
  EXPECT_THAT(w_.Apply(Refunded("p1", 4, 5, "r1"), 2), Is(kParked));
  EXPECT_EQ(w_.intake_->parked(), 1u);
  const IntakeResult result = w_.Apply(std::vector<PaymentEvent>{Refunded("p1", 4, 5, "r1"), Captured("p1", 10)}, 3);
  EXPECT_THAT(result.outcomes, ElementsAre(Is(kDuplicate), Is(kApplied)));
  EXPECT_THAT(result.late, ElementsAre(IsLate(1, kApplied), IsLate(2, kDuplicate)));
  EXPECT_EQ(w_.Available(kMerchant), 6);
}

// ---- Quarantine -----------------------------------------------------------------------------------------------------

TEST_F(IntakeTest, AConflictNamesTheFieldAndMovesNothing) {
  w_.Apply(Captured("p1", 1000));
  EXPECT_THAT(w_.Apply(Captured("p1", 1001), 5), IsQuarantined(QuarantineCause::kConflict, "amount"));
  PaymentEvent other = Captured("p1", 1000);
  other.metadata["a"] = "b";
  EXPECT_THAT(w_.Apply(other, 6), IsQuarantined(QuarantineCause::kConflict, "metadata"));
  other = Captured("p1", 1000);
  other.merchant_id = "m2";
  EXPECT_THAT(w_.Apply(other, 7), IsQuarantined(QuarantineCause::kConflict, "merchant_id"));
  w_.Apply(OfPayout(EventType::kPayoutRequested, "o1", 1, 10));
  w_.Apply(OfPayout(EventType::kPayoutFailed, "o1", 2));
  other = OfPayout(EventType::kPayoutFailed, "o1", 2);
  other.merchant_id = "m2";
  EXPECT_THAT(w_.Apply(other, 8), IsQuarantined(QuarantineCause::kConflict, "merchant_id"));
  EXPECT_EQ(w_.Quarantine().size(), 4u);
}

TEST_F(IntakeTest, WhatTheCallerRefusesIsNotDecodedButKeptWithItsReason) {
  const std::string good = *EncodeEventJson(Captured("p1", 10));
  const std::vector<RawEvent> events = {{.bytes = good, .position = 7, .refused = "body: not base64"}};
  EXPECT_THAT(w_.ApplyLines(events).outcomes,
              ElementsAre(IsQuarantined(QuarantineCause::kMalformed, "body: not base64")));
  const std::vector<QuarantinedEvent> all = w_.Quarantine();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].raw, good);
  EXPECT_EQ(all[0].position, 7u);
  // What is tried again is not refused: whoever does that has seen what it is.
  const auto outcomes = w_.intake_->RedriveQuarantined({{all[0].id}});
  ASSERT_TRUE(outcomes.ok());
  EXPECT_THAT(*outcomes, ElementsAre(Is(kApplied)));
  EXPECT_TRUE(w_.Quarantine().empty());
}

TEST_F(IntakeTest, WhatCannotBeReadIsKeptAsItCame) {
  const std::string bad = R"({"type":"PAYMENT_CAPTURED","amount":{"asset":"USD/2","units":12}})";
  const std::string good = *EncodeEventJson(Captured("p1", 10));
  const std::string huge(100'000, 'x');
  const std::string other = *EncodeEventJson(Captured("p2", 10));  // not protobuf
  const std::vector<RawEvent> lines = {{.bytes = bad, .position = 11},
                                       {.bytes = good, .position = 12},
                                       {.bytes = bad, .position = 13},
                                       {.bytes = huge, .position = 14},
                                       {.bytes = other, .position = 15, .format = EventFormat::kProtobuf}};
  const IntakeResult result = w_.ApplyLines(lines);
  EXPECT_THAT(result.outcomes, ElementsAre(IsQuarantined(QuarantineCause::kMalformed, "amount.units: must be a string"),
                                           Is(kApplied), IsQuarantined(QuarantineCause::kMalformed, "amount.units"),
                                           IsQuarantined(QuarantineCause::kMalformed, "json: longer than"),
                                           IsQuarantined(QuarantineCause::kMalformed, "protobuf: ")));
  const std::vector<QuarantinedEvent> all = w_.Quarantine();
  ASSERT_EQ(all.size(), 3u);
  for (const QuarantinedEvent& event : all) {
    EXPECT_EQ(event.id.size(), 16u);
    EXPECT_EQ(event.cause, QuarantineCause::kMalformed);
    switch (event.position) {
      case 11:  // and again at 13
        EXPECT_EQ(event.raw, bad);
        break;
      case 14:
        EXPECT_EQ(event.raw, huge.substr(0, kMaxEventBytes));
        EXPECT_EQ(event.raw_size, huge.size());
        break;
      default:
        EXPECT_EQ(event.position, 15u);
        EXPECT_EQ(event.format, EventFormat::kProtobuf);
    }
  }
  w_.Crash();
  EXPECT_EQ(w_.Quarantine().size(), 3u);
}

TEST_F(IntakeTest, EventsBuiltInCodeThatAreInvalidAreKeptToo) {
  PaymentEvent event = Captured("p1", 10);
  event.merchant_id = "no:colons";
  event.metadata["k"] = "\xff";
  EXPECT_THAT(w_.Apply(event, 3), IsQuarantined(QuarantineCause::kMalformed, "merchant_id: "));
  ASSERT_EQ(w_.Quarantine().size(), 1u);
  EXPECT_THAT(w_.Quarantine()[0].raw, HasSubstr("no:colons"));
}

TEST_F(IntakeTest, SumsPastTheLargestAmountAreInvalid) {
  PaymentEvent event = Captured("p1", 1);
  event.amount->units = Amount::Max();
  event.fee = event.amount;
  EXPECT_THAT(w_.Apply(event), IsQuarantined(QuarantineCause::kInvalid, "amount_too_large"));
}

TEST_F(IntakeTest, FinishNamesWhatNeverCame) {
  EXPECT_THAT(w_.Apply(Refunded("p1", 4, 5, "r1"), 1), Is(kParked));
  EXPECT_THAT(w_.Apply(Refunded("p1", 4, 5, "r1"), 2), Is(kParked));
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutPaid, "o1", 2), 3), Is(kParked));
  const std::vector<LateOutcome> late = w_.Finish();
  ASSERT_EQ(late.size(), 3u);
  EXPECT_THAT(late[0].outcome, IsQuarantined(QuarantineCause::kTargetNotFound, "never came: PAYMENT_CAPTURED p1"));
  EXPECT_THAT(late[1].outcome, IsQuarantined(QuarantineCause::kTargetNotFound, "never came: PAYMENT_CAPTURED p1"));
  EXPECT_THAT(late[2].outcome, IsQuarantined(QuarantineCause::kTargetNotFound, "never came: PAYOUT_REQUESTED o1"));
  EXPECT_EQ(w_.Quarantine().size(), 2u);
  EXPECT_EQ(w_.intake_->parked(), 0u);
  EXPECT_THAT(w_.Finish(), IsEmpty());
}

TEST_F(IntakeTest, AnEventAppliedLaterLeavesTheQuarantine) {
  const PaymentEvent refund = Refunded("p1", 4, 5, "r1");
  w_.Apply(refund, 1);
  w_.Finish();
  ASSERT_EQ(w_.Quarantine().size(), 1u);
  w_.Crash();
  w_.Apply(Captured("p1", 10));
  ASSERT_EQ(w_.Quarantine().size(), 1u);
  const std::string raw = w_.Quarantine()[0].raw;
  EXPECT_THAT(w_.ApplyLines(std::vector<RawEvent>{{.bytes = raw, .position = 9}}).outcomes, ElementsAre(Is(kApplied)));
  EXPECT_THAT(w_.Quarantine(), IsEmpty());
  w_.Crash();
  EXPECT_THAT(w_.Quarantine(), IsEmpty());
}

TEST_F(IntakeTest, AnEventSeenAgainKeepsItsFirstPlace) {
  w_.Apply(Refunded("p1", 4, 5, "r1"), 1);
  w_.Finish();
  w_.Reopen();
  w_.Apply(Refunded("p1", 4, 5, "r1"), 77);
  w_.Finish();
  ASSERT_EQ(w_.Quarantine().size(), 1u);
  EXPECT_EQ(w_.Quarantine()[0].position, 1u);
}

// ---- Bounds and errors ------------------------------------------------------------------------------------------------

TEST(IntakeBounds, AnEventOfAnAssetForWhichTheLedgerHasNoRoomIsInQuarantineAndDoesNotHoldUpTheOthers) {
  IntakeWorld w;
  constexpr size_t kMaxAssets = 65'535;
  EXPECT_THAT(w.Apply(Captured("p0", 100)), Is(kApplied));
  std::vector<AccountSpec> specs;
  for (size_t i = 0; i + 2 < kMaxAssets; ++i) {
    const std::string asset = "A" + std::to_string(i) + "/0";
    specs.push_back({.name = "world:" + asset, .asset = asset, .external = true});
  }
  ASSERT_THAT(w.ledger_->OpenAccounts(specs), IsOk());
  const auto captured_in = [](const char* code, const char* payment, const char* merchant) {
    PaymentEvent event = Captured(payment, 100, 0, merchant);
    event.amount->asset.code = code;
    return event;
  };
  // There is room for one more, which the first takes.
  const IntakeResult result =
      w.Apply({captured_in("EUR", "p1", "m1"), captured_in("CHF", "p2", "m1"), captured_in("USD", "p3", "m2"),
               captured_in("SEK", "p4", "m2"), captured_in("EUR", "p5", "m3")});
  EXPECT_THAT(result.outcomes,
              ElementsAre(Is(kApplied), IsQuarantined(QuarantineCause::kInvalid, "65535 assets"), Is(kApplied),
                          IsQuarantined(QuarantineCause::kInvalid, "65535 assets"), Is(kApplied)));
  EXPECT_EQ(result.outcomes[1].type, EventType::kPaymentCaptured);
  EXPECT_THAT(w.Quarantine(), SizeIs(2));
  EXPECT_THAT(w.ledger_->OpenAccount({.name = "more", .asset = "NOK/2"}), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(IntakeTest, AFullParkingSendsToQuarantine) {
  w_.options_.max_waiting_per_target = 2;
  w_.options_.max_parked = 3;
  w_.Reopen();
  w_.Apply(Refunded("p1", 1, 1, "a"));
  w_.Apply(Refunded("p1", 1, 2, "b"));
  EXPECT_THAT(w_.Apply(Refunded("p1", 1, 3, "c")),
              IsQuarantined(QuarantineCause::kParkingFull, "more than 2 events wait for PAYMENT_CAPTURED p1"));
  EXPECT_THAT(w_.Apply(Refunded("p2", 1, 1, "a")), Is(kParked));
  EXPECT_THAT(w_.Apply(Refunded("p3", 1, 1, "a")), IsQuarantined(QuarantineCause::kParkingFull, "parking is full"));
  w_.Apply(Captured("p1", 100));
  EXPECT_EQ(w_.intake_->parked(), 1u);
  // Sent again, it finds its capture.
  EXPECT_THAT(w_.Apply(Refunded("p1", 1, 3, "c")), Is(kApplied));
  EXPECT_EQ(w_.Quarantine().size(), 1u);
}

TEST_F(IntakeTest, WhatOneEventSetsFreeMayFillABatchAndMore) {
  w_.options_.batch_size = 8;
  w_.Reopen();
  std::vector<PaymentEvent> events;
  for (int i = 0; i < 100; ++i) events.push_back(Refunded("p1", 1, i, "r" + std::to_string(i)));
  for (const EventOutcome& outcome : w_.Apply(events).outcomes) EXPECT_THAT(outcome, Is(kParked));
  events.clear();
  for (int i = 0; i < 5; ++i) events.push_back(Captured("before" + std::to_string(i), 1));
  events.push_back(Captured("p1", 100));
  events.push_back(Captured("after", 1));
  const IntakeResult result = w_.Apply(events, 200);
  EXPECT_EQ(result.late.size(), 100u);
  for (const LateOutcome& late : result.late) EXPECT_THAT(late.outcome, Is(kApplied));
  EXPECT_EQ(w_.Available(kMerchant), 6);
}

TEST_F(IntakeTest, AnAccountThatTheHostOpenedIsUsedAsItIs) {
  ASSERT_THAT(w_.ledger_->OpenAccount({.name = kMerchant, .asset = "USD/2", .min_available = -500}), IsOk());
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutRequested, "o1", 1, 500)), Is(kApplied));
  EXPECT_THAT(w_.Apply(OfPayout(EventType::kPayoutRequested, "o2", 1, 1)), IsRejected(Reason::kInsufficientFunds));
  const auto id = w_.ledger_->FindAccount(kMerchant);
  ASSERT_THAT(w_.ledger_->Freeze(*id), IsOk());
  EXPECT_THAT(w_.Apply(Captured("p1", 1)), IsRejected(Reason::kAccountFrozen));
}

TEST_F(IntakeTest, AFullQueueIsWaitedForAndThenReturnedWithNothingLost) {
  w_.Apply(Refunded("p1", 1, 1, "a"), 1);
  w_.Shut();
  w_.ledger_options_.max_queued_transactions = 4;
  w_.options_.max_wait = absl::Milliseconds(20);
  w_.Open();
  w_.Apply(Refunded("p1", 1, 1, "a"), 1);
  const std::vector<PaymentEvent> events = {Captured("a", 1), Captured("b", 1), Captured("c", 1), Captured("d", 1),
                                            Captured("p1", 1)};
  EXPECT_THAT(w_.intake_->Apply(events, 10), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(w_.intake_->parked(), 1u);
  const IntakeResult result = w_.Apply(std::vector<PaymentEvent>{Captured("p1", 1)}, 10);
  EXPECT_THAT(result.late, ElementsAre(IsLate(1, kApplied)));
}

TEST_F(IntakeTest, AFailedWriteIsReturnedAndSendingAgainAfterReopeningCompletes) {
  w_.Apply(Captured("p1", 100));
  w_.disk_.CutPowerAfter(0);
  EXPECT_THAT(w_.intake_->Apply(std::vector<PaymentEvent>{Captured("p2", 1)}, 10),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_FALSE(w_.intake_->Apply(std::vector<PaymentEvent>{Captured("p3", 1)}, 11).ok());
  w_.Crash();
  const IntakeResult result = w_.Apply(std::vector<PaymentEvent>{Captured("p1", 100), Captured("p2", 1)}, 10);
  EXPECT_THAT(result.outcomes[0], Is(kDuplicate));
  EXPECT_EQ(w_.Available(kMerchant), 101);
}

TEST_F(IntakeTest, RefusesOptionsOutOfRange) {
  const auto open = [&](const IntakeOptions& options) {
    return Intake::Open(*w_.ledger_, *w_.store_, options).status();
  };
  EXPECT_THAT(open({.batch_size = 0}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(open({.batch_size = kMaxBatchTransactions + 1}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(open({.max_waiting_per_target = 0}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(open({.max_waiting_per_target = 513}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(open({.decode_threads = -1}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(open({.max_wait = -absl::Seconds(1)}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(w_.intake_->ListQuarantine("", 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(w_.intake_->ListQuarantine("", kMaxQuarantinePage + 1), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(IntakeTest, NothingInNothingOut) {
  EXPECT_THAT(w_.Apply(std::vector<PaymentEvent>{}).outcomes, IsEmpty());
  EXPECT_THAT(w_.Finish(), IsEmpty());
}

}  // namespace
}  // namespace northwind

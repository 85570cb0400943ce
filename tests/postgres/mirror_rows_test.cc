// SPDX-License-Identifier: Apache-2.0
//
// What each kind of journal record is as rows, read back by SQL, to the last digit.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/mirror_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;

// Records 1–3 open world, alice and bob.
class MirrorRows : public MirrorFixture {};

TEST_F(MirrorRows, APostIsATransactionAndTwoEntriesWithTheBalancesAfterThem) {
  Transaction post = Named(MakePost(1, world_, alice_, 1000), 7, "pay_1");
  post.effective_at = absl::FromUnixMicros(1'600'000'000'123'456) + absl::Nanoseconds(789);
  post.metadata = std::string("\0\xff", 2);
  ASSERT_EQ(Commit(post).outcome, Outcome::kApplied);
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Ask("TABLE transactions"),
              ElementsAre(ElementsAre("4", "2023-11-14 22:13:20+00", "00000000-0000-0000-0000-000000000001", "NULL",
                                      "2020-09-13 12:26:40.123456+00", "NULL", "7", "f", "f", "post", "pay_1", "NULL",
                                      "NULL", "NULL", "\\x00ff")));
  EXPECT_THAT(Ask("SELECT sequence, entry, account_id, kind, amount, posted, available FROM postings ORDER BY 1, 2"),
              ElementsAre(ElementsAre("4", "0", "1", "debit", "1000", "-1000", "-1000"),
                          ElementsAre("4", "1", "2", "credit", "1000", "1000", "1000")));
  EXPECT_THAT(
      Ask("SELECT account_id, name, asset, external, state, min_available, debits_posted, credits_posted, "
          "debits_held, credits_held, posted, available, opened_sequence, updated_sequence FROM accounts ORDER BY 1"),
      ElementsAre(
          ElementsAre("1", "world", "USD/2", "t", "open", "0", "1000", "0", "0", "0", "-1000", "-1000", "1", "4"),
          ElementsAre("2", "alice", "USD/2", "f", "open", "0", "0", "1000", "0", "0", "1000", "1000", "2", "4"),
          ElementsAre("3", "bob", "USD/2", "f", "open", "0", "0", "0", "0", "0", "0", "0", "3", "3")));
}

TEST_F(MirrorRows, AHoldIsCapturedInPartsAndTheRestReleased) {
  Give(alice_, 1000);  // 4
  ASSERT_EQ(Commit(MakeHold(1, alice_, bob_, 600)).outcome, Outcome::kApplied);
  ASSERT_EQ(Commit(MakeCapture(2, Target::Key(Key(1)), 100)).outcome, Outcome::kApplied);
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  const std::string holds =
      "SELECT sequence, debit_account_id, credit_account_id, state, amount, captured, released, remaining, "
      "resolved_sequence FROM holds";
  EXPECT_THAT(Ask(holds), ElementsAre(ElementsAre("5", "2", "3", "open", "600", "100", "0", "500", "NULL")));
  ASSERT_EQ(Commit(MakeFinalCapture(3, Target::Key(Key(1)), 200)).outcome, Outcome::kApplied);
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Ask(holds), ElementsAre(ElementsAre("5", "2", "3", "captured", "600", "300", "300", "0", "7")));
  EXPECT_THAT(
      Ask("SELECT sequence, kind, target_sequence, final_capture, released FROM transactions WHERE sequence > 4 "
          "ORDER BY 1"),
      ElementsAre(ElementsAre("5", "hold", "NULL", "f", "NULL"), ElementsAre("6", "capture", "5", "f", "NULL"),
                  ElementsAre("7", "capture", "5", "t", "300")));
  EXPECT_THAT(Ask("SELECT sequence, entry, account_id, kind, amount, posted, available FROM postings "
                  "WHERE sequence > 4 ORDER BY 1, 2"),
              ElementsAre(ElementsAre("5", "0", "2", "hold_debit", "600", "1000", "400"),
                          ElementsAre("5", "1", "3", "hold_credit", "600", "0", "0"),
                          ElementsAre("6", "0", "2", "capture_debit", "100", "900", "400"),
                          ElementsAre("6", "1", "3", "capture_credit", "100", "100", "100"),
                          ElementsAre("7", "0", "2", "capture_debit", "200", "700", "400"),
                          ElementsAre("7", "1", "3", "capture_credit", "200", "300", "300"),
                          ElementsAre("7", "2", "2", "release_debit", "300", "700", "700"),
                          ElementsAre("7", "3", "3", "release_credit", "300", "300", "300")));
}

TEST_F(MirrorRows, AHoldThatRunsOutHasAnExpiryOfItsOwn) {
  Give(alice_, 1000);  // 4
  Transaction hold = Named(MakeHold(1, alice_, bob_, 600), 9, "h");
  hold.expires_at = clock_.Now() + absl::Hours(1);
  ASSERT_EQ(Commit(hold).outcome, Outcome::kApplied);
  clock_.Advance(absl::Hours(2));
  ASSERT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(size_t{1}));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(
      Ask("SELECT state, captured, released, remaining, resolved_sequence, resolved_at, expires_at FROM holds"),
      ElementsAre(ElementsAre("expired", "0", "600", "0", "6", "2023-11-15 00:13:20+00", "2023-11-14 23:13:20+00")));
  EXPECT_THAT(Ask("SELECT kind, key, target_sequence, released, code, reference FROM transactions WHERE sequence = 6"),
              ElementsAre(ElementsAre("expiry", "NULL", "5", "600", "9", "NULL")));
  EXPECT_THAT(Ask("SELECT entry, account_id, kind, amount, available FROM postings WHERE sequence = 6 ORDER BY 1"),
              ElementsAre(ElementsAre("0", "2", "release_debit", "600", "1000"),
                          ElementsAre("1", "3", "release_credit", "600", "0")));
}

TEST_F(MirrorRows, WhatTheLedgerRefusesMovesNothingAndSaysWhy) {
  ASSERT_EQ(Commit(Named(MakePost(1, alice_, bob_, 5), 3, "r")).outcome, Outcome::kRejected);
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(
      Ask("SELECT sequence, kind, reason, code, reference, postings, debit_account_id, credit_account_id, asset, "
          "amount, target_key, target_code, merchant_id FROM rejections"),
      ElementsAre(ElementsAre("4", "post", "insufficient_funds", "3", "r", "1", "2", "3", "USD/2", "5", "NULL", "NULL",
                              "NULL")));
  EXPECT_EQ(AskOne("SELECT count(*) FROM transactions"), "0");
}

TEST_F(MirrorRows, AccountsAreFrozenLimitedAndClosed) {
  ASSERT_THAT(ledger_->SetMinAvailable(alice_, -50), IsOk());
  ASSERT_THAT(ledger_->Freeze(alice_), IsOk());
  ASSERT_THAT(ledger_->CloseAccount(bob_), IsOk());
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Ask("SELECT name, state, min_available, updated_sequence FROM accounts WHERE account_id > 1 ORDER BY 1"),
              ElementsAre(ElementsAre("alice", "frozen", "-50", "5"), ElementsAre("bob", "closed", "0", "6")));
  ASSERT_THAT(ledger_->Unfreeze(alice_), IsOk());
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Ask("SELECT state, min_available FROM accounts WHERE account_id = 2"),
              ElementsAre(ElementsAre("open", "-50")));
}

TEST_F(MirrorRows, TheLargestAmountsAreExact) {
  const Amount max = Amount::Max();
  ASSERT_EQ(Commit(MakePost(1, world_, alice_, max)).outcome, Outcome::kApplied);
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Ask("SELECT posted FROM accounts ORDER BY account_id"),
              ElementsAre(ElementsAre("-170141183460469231731687303715884105727"),
                          ElementsAre("170141183460469231731687303715884105727"), ElementsAre("0")));
}

TEST_F(MirrorRows, ReferencesOfAnyBytesAreTextThatTellsThemApart) {
  Give(alice_, 100);
  for (uint64_t i = 0; const std::string& reference :
                       {std::string("caf\xc3\xa9"), std::string("a\0b", 3), std::string("\xc3("),
                        std::string("a\\000b"), std::string("\xed\xa0\x80"), std::string("\xf0\x9f\x92\xb6")}) {
    ASSERT_EQ(Commit(Named(MakePost(++i, alice_, bob_, 1), 1, reference)).outcome, Outcome::kApplied);
  }
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Ask("SELECT reference FROM transactions WHERE reference IS NOT NULL ORDER BY sequence"),
              ElementsAre(ElementsAre("caf\xc3\xa9"), ElementsAre("a\\000b"), ElementsAre("\\303("),
                          ElementsAre("a\\134000b"), ElementsAre("\\355\\240\\200"), ElementsAre("\xf0\x9f\x92\xb6")));
}

TEST_F(MirrorRows, EveryEventOfSettlementNamesItsMerchant) {
  ASSERT_NO_FATAL_FAILURE(Apply({
      Captured("p1", 10'000, 300),
      Refunded("p1", 1'000, 1, "r1"),
      OfPayment(EventType::kDisputeOpened, "p1", 2, 2'000),
      OfPayment(EventType::kDisputeLost, "p1", 3, 500),
      Adjusted("a1", 50, AdjustmentDirection::kDebit, 4),
      OfPayout(EventType::kPayoutRequested, "po1", 5, 3'000),
      OfPayout(EventType::kPayoutPaid, "po1", 6),
      OfPayout(EventType::kPayoutReturned, "po1", 7, 1'000),
      OfPayout(EventType::kPayoutRequested, "po2", 8, 4'000),
      OfPayout(EventType::kPayoutFailed, "po2", 9),
      OfPayout(EventType::kPayoutRequested, "po3", 10, 100),
      OfPayout(EventType::kPayoutCanceled, "po3", 11),
      OfPayment(EventType::kDisputeOpened, "p9", 12, 10),
      OfPayment(EventType::kDisputeWon, "p9", 13),
      OfPayout(EventType::kPayoutRequested, "po4", 14, 200),
      OfPayout(EventType::kPayoutRequested, "po5", 15, 1'000'000),
      OfPayout(EventType::kPayoutCanceled, "po3", 16),
  }));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Ask("SELECT event_type, kind, merchant_id, reference, released FROM transactions ORDER BY sequence"),
              ElementsAre(ElementsAre("PAYMENT_CAPTURED", "post", "m1", "p1", "NULL"),
                          ElementsAre("PAYMENT_REFUNDED", "reverse", "m1", "p1/r1", "NULL"),
                          ElementsAre("DISPUTE_OPENED", "hold", "m1", "p1", "NULL"),
                          ElementsAre("DISPUTE_LOST", "capture", "m1", "p1", "1500"),
                          ElementsAre("ADJUSTMENT", "post", "m1", "a1", "NULL"),
                          ElementsAre("PAYOUT_REQUESTED", "hold", "m1", "po1", "NULL"),
                          ElementsAre("PAYOUT_PAID", "capture", "m1", "po1", "NULL"),
                          ElementsAre("PAYOUT_RETURNED", "reverse", "m1", "po1", "NULL"),
                          ElementsAre("PAYOUT_REQUESTED", "hold", "m1", "po2", "NULL"),
                          ElementsAre("PAYOUT_FAILED", "release", "m1", "po2", "4000"),
                          ElementsAre("PAYOUT_REQUESTED", "hold", "m1", "po3", "NULL"),
                          ElementsAre("PAYOUT_CANCELED", "release", "m1", "po3", "100"),
                          ElementsAre("DISPUTE_OPENED", "hold", "m1", "p9", "NULL"),
                          ElementsAre("DISPUTE_WON", "release", "m1", "p9", "10"),
                          ElementsAre("PAYOUT_REQUESTED", "hold", "m1", "po4", "NULL")));
  EXPECT_THAT(
      Ask("SELECT payout_id, merchant_id, asset, state, amount, paid, returned, settled_at IS NULL FROM payouts "
          "ORDER BY 1"),
      ElementsAre(ElementsAre("po1", "m1", "USD/2", "returned", "3000", "3000", "1000", "f"),
                  ElementsAre("po2", "m1", "USD/2", "failed", "4000", "0", "0", "f"),
                  ElementsAre("po3", "m1", "USD/2", "canceled", "100", "0", "0", "f"),
                  ElementsAre("po4", "m1", "USD/2", "requested", "200", "0", "0", "t")));
  EXPECT_THAT(
      Ask("SELECT event_type, state, amount FROM payout_events WHERE payout_id IN ('po1', 'po2') "
          "ORDER BY payout_id, sequence"),
      ElementsAre(ElementsAre("PAYOUT_REQUESTED", "requested", "3000"), ElementsAre("PAYOUT_PAID", "paid", "3000"),
                  ElementsAre("PAYOUT_RETURNED", "returned", "1000"),
                  ElementsAre("PAYOUT_REQUESTED", "requested", "4000"),
                  ElementsAre("PAYOUT_FAILED", "failed", "4000")));
  EXPECT_THAT(
      Ask("SELECT event_type, merchant_id, reference, reason, amount, target_code, target_reference FROM rejections "
          "ORDER BY sequence"),
      ElementsAre(ElementsAre("PAYOUT_REQUESTED", "m1", "po5", "insufficient_funds", "1000000", "NULL", "NULL"),
                  ElementsAre("PAYOUT_CANCELED", "m1", "po3", "reference_used", "NULL", "1006", "po3")));
}

TEST_F(MirrorRows, AnAccountOfAMerchantSaysSo) {
  ASSERT_NO_FATAL_FAILURE(Apply({Captured("p1", 100, 0, "shop.7")}));
  OpenAccount({.name = "merchant:x:available:USD/3", .asset = "USD/2"});
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Ask("SELECT name, merchant_id FROM accounts WHERE name LIKE 'merchant%' ORDER BY 1"),
              ElementsAre(ElementsAre("merchant:shop.7:available:USD/2", "shop.7"),
                          ElementsAre("merchant:x:available:USD/3", "NULL")));
}

TEST_F(MirrorRows, WhatAHostDoesUnderSettlementsCodesIsNoPayout) {
  Give(alice_, 1000);
  // Not unique; not a merchant's account; and a release that says it is a payout's.
  const uint16_t requested = EventCode(EventType::kPayoutRequested), failed = EventCode(EventType::kPayoutFailed);
  ASSERT_EQ(Commit(Named(MakeHold(1, alice_, bob_, 10), requested, "po")).outcome, Outcome::kApplied);
  ASSERT_EQ(Commit(Named(MakePost(2, alice_, bob_, 10), requested, "po")).outcome, Outcome::kApplied);
  ASSERT_EQ(Commit(Unique(MakeHold(3, alice_, bob_, 10), requested, "p2")).outcome, Outcome::kApplied);
  ASSERT_EQ(Commit(Named(MakeRelease(4, Target::Key(Key(3))), failed, "p2")).outcome, Outcome::kApplied);
  ASSERT_EQ(Commit(Named(MakePost(5, alice_, bob_, 10), failed, "p2")).outcome, Outcome::kApplied);
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_EQ(AskOne("SELECT count(*) FROM payouts"), "0");
  EXPECT_EQ(AskOne("SELECT count(*) FROM payout_events"), "0");
  EXPECT_EQ(AskOne("SELECT count(*) FROM transactions"), "6");
}

TEST_F(MirrorRows, EveryMonthHasItsPartition) {
  for (uint64_t i = 0; i < 5; ++i) {
    Give(alice_, 1);
    clock_.Advance(absl::Hours(24 * 31));
  }
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Ask("SELECT tableoid::regclass::text, count(*) FROM postings GROUP BY 1 ORDER BY 1"),
              ElementsAre(ElementsAre("postings_2023_11", "2"), ElementsAre("postings_2023_12", "2"),
                          ElementsAre("postings_2024_01", "2"), ElementsAre("postings_2024_02", "2"),
                          ElementsAre("postings_2024_03", "2")));
  EXPECT_EQ(AskOne("SELECT count(*) FROM transactions_2024_02"), "1");
}

TEST_F(MirrorRows, TheViewsAnswerWhatFinanceAsks) {
  ASSERT_NO_FATAL_FAILURE(Apply({Captured("p1", 10'000, 300), OfPayment(EventType::kDisputeOpened, "p1", 2, 2'000),
                                 OfPayout(EventType::kPayoutRequested, "po1", 5, 3'000),
                                 OfPayout(EventType::kPayoutRequested, "po2", 6, 1'000'000)}));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Ask("SELECT asset, event_type, kind, amount, change, posted, available FROM merchant_statement "
                  "WHERE merchant_id = 'm1' ORDER BY sequence, entry"),
              ElementsAre(ElementsAre("USD/2", "PAYMENT_CAPTURED", "credit", "10000", "10000", "10000", "10000"),
                          ElementsAre("USD/2", "PAYMENT_CAPTURED", "debit", "300", "-300", "9700", "9700"),
                          ElementsAre("USD/2", "DISPUTE_OPENED", "hold_debit", "2000", "0", "9700", "7700"),
                          ElementsAre("USD/2", "PAYOUT_REQUESTED", "hold_debit", "3000", "0", "9700", "4700")));
  EXPECT_THAT(Ask("SELECT day, asset, what, transactions, moved, held, released FROM day_totals ORDER BY 1, 2, 3"),
              ElementsAre(ElementsAre("2023-11-14", "USD/2", "DISPUTE_OPENED", "1", "0", "2000", "0"),
                          ElementsAre("2023-11-14", "USD/2", "PAYMENT_CAPTURED", "1", "10300", "0", "0"),
                          ElementsAre("2023-11-14", "USD/2", "PAYOUT_REQUESTED", "1", "0", "3000", "0")));
  EXPECT_THAT(Ask("SELECT asset, debits_posted, credits_posted, debits_held, credits_held FROM trial_balance"),
              ElementsAre(ElementsAre("USD/2", "10300", "10300", "5000", "5000")));
  EXPECT_THAT(Ask("SELECT payout_id, amount, age > interval '1 day' FROM open_payouts"),
              ElementsAre(ElementsAre("po1", "3000", "t")));
  EXPECT_THAT(Ask("SELECT item, reference, merchant_id, amount, reason FROM unreconciled_items ORDER BY sequence"),
              ElementsAre(ElementsAre("dispute", "p1", "m1", "2000", "NULL"),
                          ElementsAre("payout", "po1", "m1", "3000", "NULL"),
                          ElementsAre("rejection", "po2", "m1", "1000000", "insufficient_funds")));
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tests/support/ledger_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LedgerHold : public LedgerFixture {
 protected:
  void SetUp() override {
    LedgerFixture::SetUp();
    Give(alice_, 100);
  }
  Transaction Expiring(Transaction hold, absl::Duration in) {
    hold.expires_at = clock_.Now() + in;
    return hold;
  }
  // captured, released, remaining
  void ExpectShares(uint64_t key, Amount captured, Amount released, Amount remaining) {
    const TransactionView view = ViewOf(key);
    EXPECT_EQ(view.captured, captured);
    EXPECT_EQ(view.released, released);
    EXPECT_EQ(view.remaining, remaining);
  }
};

TEST_F(LedgerHold, ReservesOnBothSidesWithoutMoving) {
  EXPECT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(0, 100, 30, 0));
  EXPECT_EQ(BalanceOf(bob_), MakeTotals(0, 0, 0, 30));
  EXPECT_EQ(BalanceOf(alice_).posted(), 100);
  EXPECT_EQ(Available(alice_), 70);
  EXPECT_EQ(Available(bob_), 0);
  ExpectShares(1, 0, 0, 30);
}

TEST_F(LedgerHold, CaptureMovesPartOfItAndLeavesTheRestHeld) {
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  const CommitResult result = Commit(MakeCapture(2, Target::Key(Key(1)), 12), {.balances = true});
  EXPECT_EQ(result.outcome, Outcome::kApplied);
  ASSERT_THAT(result.balances, SizeIs(2));
  EXPECT_EQ(result.balances[0].account, alice_);
  EXPECT_EQ(result.balances[0].totals, MakeTotals(12, 100, 18, 0));
  EXPECT_EQ(result.balances[1].account, bob_);
  EXPECT_EQ(result.balances[1].totals, MakeTotals(0, 12, 0, 18));
  ExpectShares(1, 12, 0, 18);
}

TEST_F(LedgerHold, CaptureOfZeroTakesAllThatRemains) {
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeCapture(2, Target::Key(Key(1)), 12)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeCapture(3, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(30, 100));
  EXPECT_EQ(BalanceOf(bob_), MakeTotals(0, 30));
  ExpectShares(1, 30, 0, 0);
  EXPECT_THAT(ViewOf(3).record.moved, ElementsAre(Posting{alice_, bob_, 18}));
}

TEST_F(LedgerHold, FinalCaptureGivesTheRestBack) {
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeFinalCapture(2, Target::Key(Key(1)), 12)), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(12, 100));
  EXPECT_EQ(BalanceOf(bob_), MakeTotals(0, 12));
  ExpectShares(1, 12, 18, 0);
  EXPECT_EQ(ViewOf(2).record.released, Amount(18));
  EXPECT_EQ(ViewOf(2).record.target, Sequence(5));
}

TEST_F(LedgerHold, FinalCaptureOfAllReleasesNothingAndWritesNoReleaseEntries) {
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeFinalCapture(2, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(ViewOf(2).record.released, Amount(0));
  EXPECT_THAT(HistoryOf(bob_), SizeIs(2));
}

TEST_F(LedgerHold, ReleaseGivesAllThatRemainsBack) {
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeCapture(2, Target::Key(Key(1)), 10)), HasOutcome(Outcome::kApplied));
  const CommitResult result = Commit(MakeRelease(3, Target::Key(Key(1))), {.balances = true});
  ASSERT_THAT(result.balances, SizeIs(2));
  EXPECT_EQ(result.balances[0].totals, MakeTotals(10, 100));
  EXPECT_EQ(BalanceOf(bob_), MakeTotals(0, 10));
  ExpectShares(1, 10, 20, 0);
  EXPECT_THAT(ViewOf(3).record.moved, IsEmpty());
  EXPECT_EQ(ViewOf(3).record.released, Amount(20));
}

TEST_F(LedgerHold, AResolvedHoldCannotBeResolvedAgain) {
  for (const Transaction& end : {MakeCapture(2, Target::Key(Key(1))), MakeFinalCapture(12, Target::Key(Key(11)), 1),
                                 MakeRelease(22, Target::Key(Key(21)))}) {
    const uint64_t n = static_cast<uint64_t>(end.key.bytes()[15]) - 1;
    ASSERT_THAT(Commit(MakeHold(n, alice_, bob_, 10)), HasOutcome(Outcome::kApplied));
    ASSERT_THAT(Commit(end), HasOutcome(Outcome::kApplied));
    const Target target = Target::Key(Key(n));
    EXPECT_THAT(Commit(MakeCapture(n + 2, target)), HasOutcome(Outcome::kRejected, Reason::kTargetResolved));
    EXPECT_THAT(Commit(MakeCapture(n + 3, target, 99)), HasOutcome(Outcome::kRejected, Reason::kTargetResolved));
    EXPECT_THAT(Commit(MakeRelease(n + 4, target)), HasOutcome(Outcome::kRejected, Reason::kTargetResolved));
  }
}

TEST_F(LedgerHold, CaptureOfMoreThanRemainsIsRejected) {
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakeCapture(2, Target::Key(Key(1)), 31)), HasOutcome(Outcome::kRejected, Reason::kExceedsTarget));
  ASSERT_THAT(Commit(MakeCapture(3, Target::Key(Key(1)), 29)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakeCapture(4, Target::Key(Key(1)), 2)), HasOutcome(Outcome::kRejected, Reason::kExceedsTarget));
  EXPECT_THAT(Commit(MakeCapture(5, Target::Key(Key(1)), 1)), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerHold, OnlyAHoldCanBeCapturedOrReleased) {
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeCapture(2, Target::Key(Key(1)), 5)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakePost(3, alice_, bob_, 5)), HasOutcome(Outcome::kApplied));
  for (const uint64_t target : {2, 3}) {
    EXPECT_THAT(Commit(MakeCapture(10 + target, Target::Key(Key(target)))),
                HasOutcome(Outcome::kRejected, Reason::kTargetMismatch));
    EXPECT_THAT(Commit(MakeRelease(20 + target, Target::Key(Key(target)))),
                HasOutcome(Outcome::kRejected, Reason::kTargetMismatch));
  }
}

TEST_F(LedgerHold, ARejectedHoldCannotBeCaptured) {
  ASSERT_THAT(Commit(Named(MakeHold(1, alice_, bob_, 101), 7, "h")), HasOutcome(Outcome::kRejected));
  EXPECT_THAT(Commit(MakeCapture(2, Target::Key(Key(1)))), HasOutcome(Outcome::kRejected, Reason::kTargetMismatch));
  EXPECT_THAT(Commit(MakeCapture(3, Target::Reference(7, "h"))),
              HasOutcome(Outcome::kDeferred, Reason::kTargetNotFound))
      << "by reference only applied transactions are found";
}

TEST_F(LedgerHold, ByReferenceTheEarliestAppliedTransactionIsMeant) {
  ASSERT_THAT(CommitAll({Named(MakePost(1, alice_, bob_, 1), 7, "r"), Named(MakeHold(2, alice_, bob_, 5), 7, "r")}),
              ElementsAre(HasOutcome(Outcome::kApplied), HasOutcome(Outcome::kApplied)));
  EXPECT_THAT(Commit(MakeCapture(3, Target::Reference(7, "r"))),
              HasOutcome(Outcome::kRejected, Reason::kTargetMismatch));
  ASSERT_THAT(CommitAll({Named(MakeHold(4, alice_, bob_, 6), 8, "r"), Named(MakeHold(5, alice_, bob_, 7), 8, "r")}),
              ElementsAre(HasOutcome(Outcome::kApplied), HasOutcome(Outcome::kApplied)));
  Reopen();
  EXPECT_THAT(Commit(MakeCapture(6, Target::Reference(8, "r"))), HasOutcome(Outcome::kApplied));
  ExpectShares(4, 6, 0, 0);
  ExpectShares(5, 0, 0, 7);
}

TEST_F(LedgerHold, CaptureOfAFrozenOrClosedAccountsHoldIsRejectedButReleaseGoesThrough) {
  ASSERT_THAT(CommitAll({MakeHold(1, alice_, bob_, 30), MakeHold(2, alice_, bob_, 30)}), SizeIs(2));
  ASSERT_THAT(ledger_->Freeze(bob_), IsOk());
  EXPECT_THAT(Commit(MakeCapture(3, Target::Key(Key(1)))), HasOutcome(Outcome::kRejected, Reason::kAccountFrozen));
  EXPECT_THAT(Commit(MakeRelease(4, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(0, 100, 30, 0));
  ASSERT_THAT(ledger_->Unfreeze(bob_), IsOk());
  EXPECT_THAT(Commit(MakeCapture(5, Target::Key(Key(2)))), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerHold, CaptureNeedsNoMoneyBeyondTheHold) {
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 100)), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(Available(alice_), 0);
  EXPECT_THAT(Commit(MakeCapture(2, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerHold, CaptureThatWouldOverflowTheCreditedTotalIsRejected) {
  ASSERT_THAT(Commit(MakePost(1, world_, bob_, Amount::FromUnits(Amount::Max().units() - 100).value())),
              HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakePost(2, bob_, alice_, 5)), HasOutcome(Outcome::kApplied));
  const AccountId mint = OpenAccount({.name = "mint", .asset = "USD/2", .external = true});
  ASSERT_THAT(Commit(MakeHold(3, mint, bob_, 200)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakeCapture(4, Target::Key(Key(3)))), HasOutcome(Outcome::kRejected, Reason::kTotalOverflow));
  EXPECT_THAT(Commit(MakeCapture(5, Target::Key(Key(3)), 100)), HasOutcome(Outcome::kApplied));
}

// ---- Expiry -------------------------------------------------------------------------------------------------------

TEST_F(LedgerHold, RunsOutAtItsTimeAndNotANanosecondBefore) {
  ASSERT_THAT(Commit(Expiring(MakeHold(1, alice_, bob_, 30), absl::Seconds(60))), HasOutcome(Outcome::kApplied));
  clock_.Advance(absl::Seconds(60) - absl::Nanoseconds(1));
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(0U));
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(1U));
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(0U));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(0, 100));
  EXPECT_EQ(BalanceOf(bob_), MakeTotals(0, 0));
  ExpectShares(1, 0, 30, 0);
  const std::vector<JournalRecord> records = JournalAfter(5);
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].recorded_at, clock_.Now());
  EXPECT_EQ(std::get<HoldExpired>(records[0].body).hold, Sequence(5));
  EXPECT_EQ(std::get<HoldExpired>(records[0].body).released, Amount(30));
}

TEST_F(LedgerHold, OnlyWhatRemainsRunsOut) {
  ASSERT_THAT(Commit(Expiring(MakeHold(1, alice_, bob_, 30), absl::Seconds(1))), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeCapture(2, Target::Key(Key(1)), 10)), HasOutcome(Outcome::kApplied));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(1U));
  ExpectShares(1, 10, 20, 0);
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(10, 100));
}

TEST_F(LedgerHold, AResolvedHoldDoesNotRunOut) {
  ASSERT_THAT(Commit(Expiring(MakeHold(1, alice_, bob_, 30), absl::Seconds(1))), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeRelease(2, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(0U));
  EXPECT_EQ(HeadSequence(), 6U);
}

TEST_F(LedgerHold, AnExpiredHoldIsResolved) {
  ASSERT_THAT(Commit(Expiring(MakeHold(1, alice_, bob_, 30), absl::Seconds(1))), HasOutcome(Outcome::kApplied));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(Commit(MakeCapture(2, Target::Key(Key(1)))), HasOutcome(Outcome::kRejected, Reason::kTargetResolved));
}

TEST_F(LedgerHold, HoldsRunOutInOrderOfTheirTimesThenTheirSequences) {
  ASSERT_THAT(CommitAll({Expiring(MakeHold(1, alice_, bob_, 1), absl::Seconds(3)),
                         Expiring(MakeHold(2, alice_, bob_, 2), absl::Seconds(1)),
                         Expiring(MakeHold(3, alice_, bob_, 3), absl::Seconds(2)),
                         Expiring(MakeHold(4, alice_, bob_, 4), absl::Seconds(1))}),
              SizeIs(4));
  clock_.Advance(absl::Seconds(3));
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(4U));
  std::vector<uint64_t> order;
  for (const JournalRecord& record : JournalAfter(8)) {
    order.push_back(std::get<HoldExpired>(record.body).hold.value());
  }
  EXPECT_THAT(order, ElementsAre(6, 8, 7, 5));
}

TEST_F(LedgerHold, AHoldThatIsOverWhenPlacedRunsOutWithTheNextBlock) {
  ASSERT_THAT(Commit(Expiring(MakeHold(1, alice_, bob_, 30), -absl::Seconds(1))), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(Available(alice_), 70);
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(1U));
  EXPECT_EQ(Available(alice_), 100);
}

TEST_F(LedgerHold, RunsOutAfterReopeningToo) {
  ASSERT_THAT(Commit(Expiring(MakeHold(1, alice_, bob_, 30), absl::Seconds(1))), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(Expiring(MakeHold(2, alice_, bob_, 20), absl::Seconds(100))), HasOutcome(Outcome::kApplied));
  Reopen();
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(1U));
  EXPECT_EQ(Available(alice_), 80);
  Reopen();
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(0U));
}

TEST_F(LedgerHold, RunsOutOnAFrozenAccountToo) {
  ASSERT_THAT(Commit(Expiring(MakeHold(1, alice_, bob_, 30), absl::Seconds(1))), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(ledger_->Freeze(alice_), IsOk());
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(1U));
}

TEST_F(LedgerHold, MoreThanABlockCanTakeRunOutOverSeveralBlocks) {
  constexpr size_t kHolds = 8192 + 100;
  const absl::Time end = clock_.Now() + absl::Seconds(1);
  std::vector<Transaction> batch;
  for (size_t i = 0; i < kHolds; ++i) {
    batch.push_back(MakeHold(i, world_, bob_, 1));
    batch.back().expires_at = end;
    if (batch.size() == 4000 || i + 1 == kHolds) {
      for (const CommitResult& result : CommitAll(batch)) ASSERT_THAT(result, HasOutcome(Outcome::kApplied));
      batch.clear();
    }
  }
  clock_.Advance(absl::Seconds(1));
  const uint64_t head = HeadSequence();
  // A commit begins one block, and that takes 8,192.
  EXPECT_THAT(Commit(MakePost(100'000, world_, alice_, 1)), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(HeadSequence(), head + 8192 + 1);
  EXPECT_EQ(BalanceOf(bob_).credits_held, 100U);
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(100U));
  EXPECT_EQ(BalanceOf(bob_).credits_held, 0U);
}

TEST_F(LedgerHold, ExpireHoldsTakesAllThatAreDueHoweverMany) {
  const absl::Time end = clock_.Now() + absl::Seconds(1);
  std::vector<Transaction> batch;
  for (size_t i = 0; i < 8190; ++i) {
    batch.push_back(MakeHold(i, world_, bob_, 1));
    batch.back().expires_at = end;
  }
  ASSERT_THAT(CommitAll(batch), SizeIs(8190));
  for (size_t i = 0; i < 10; ++i) batch[i].key = Key(10'000 + i);
  batch.resize(10);
  ASSERT_THAT(CommitAll(batch), SizeIs(10));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(8200U));
}

// ---- Open holds ---------------------------------------------------------------------------------------------------

TEST_F(LedgerHold, OpenHoldsAreListedForBothAccountsBySequence) {
  const absl::Time end = clock_.Now() + absl::Seconds(60);
  Transaction first = Named(MakeHold(1, alice_, bob_, 30), 7, "a");
  first.expires_at = end;
  ASSERT_THAT(CommitAll({first, MakeHold(2, alice_, world_, 20), MakeHold(3, world_, alice_, 10)}), SizeIs(3));
  ASSERT_THAT(Commit(MakeCapture(4, Target::Key(Key(1)), 12)), HasOutcome(Outcome::kApplied));
  NW_ASSERT_OK_AND_ASSIGN(const HoldPage page, ledger_->OpenHolds(alice_));
  ASSERT_THAT(page.holds, SizeIs(3));
  EXPECT_EQ(page.holds[0], (northwind::Hold{.sequence = Sequence(5),
                                            .key = Key(1),
                                            .posting = {alice_, bob_, 30},
                                            .remaining = 18,
                                            .code = 7,
                                            .reference = "a",
                                            .expires_at = end}));
  EXPECT_EQ(page.holds[1].sequence, Sequence(6));
  EXPECT_EQ(page.holds[1].expires_at, std::nullopt);
  EXPECT_EQ(page.holds[2].sequence, Sequence(7));
  EXPECT_EQ(page.next, Sequence());
  NW_ASSERT_OK_AND_ASSIGN(const HoldPage of_bob, ledger_->OpenHolds(bob_));
  ASSERT_THAT(of_bob.holds, SizeIs(1));
  EXPECT_EQ(of_bob.holds[0], page.holds[0]);
}

TEST_F(LedgerHold, AResolvedHoldIsNoLongerListed) {
  ASSERT_THAT(CommitAll({MakeHold(1, alice_, bob_, 30), MakeHold(2, alice_, bob_, 20),
                         Expiring(MakeHold(3, alice_, bob_, 10), absl::Seconds(1)), MakeHold(4, alice_, bob_, 5)}),
              SizeIs(4));
  ASSERT_THAT(Commit(MakeCapture(5, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeRelease(6, Target::Key(Key(2)))), HasOutcome(Outcome::kApplied));
  clock_.Advance(absl::Seconds(1));
  ASSERT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(1U));
  for (int round = 0; round < 2; ++round) {
    NW_ASSERT_OK_AND_ASSIGN(const HoldPage page, ledger_->OpenHolds(alice_));
    ASSERT_THAT(page.holds, SizeIs(1));
    EXPECT_EQ(page.holds[0].key, Key(4));
    EXPECT_EQ(ledger_->Stats().open_holds, 1U);
    Reopen();
  }
}

TEST_F(LedgerHold, OpenHoldsComeInPages) {
  for (uint64_t key = 1; key <= 5; ++key) Commit(MakeHold(key, alice_, bob_, 1));
  NW_ASSERT_OK_AND_ASSIGN(HoldPage page, ledger_->OpenHolds(bob_, Sequence(), 2));
  ASSERT_THAT(page.holds, SizeIs(2));
  EXPECT_EQ(page.next, Sequence(6));
  NW_ASSERT_OK_AND_ASSIGN(page, ledger_->OpenHolds(bob_, page.next, 3));
  ASSERT_THAT(page.holds, SizeIs(3));
  EXPECT_EQ(page.holds[0].sequence, Sequence(7));
  EXPECT_EQ(page.next, Sequence()) << "nothing is left";
  EXPECT_THAT(ledger_->OpenHolds(bob_, Sequence(), 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ledger_->OpenHolds(bob_, Sequence(), kMaxHoldPage + 1), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace northwind::testing

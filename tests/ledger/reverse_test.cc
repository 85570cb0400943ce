// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "tests/support/ledger_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class LedgerReverse : public LedgerFixture {
 protected:
  void SetUp() override {
    LedgerFixture::SetUp();
    carol_ = OpenAccount({.name = "carol", .asset = "USD/2"});
    Give(alice_, 100);
  }
  void ExpectRejected(const Transaction& t, Reason reason) {
    const CommitResult result = Commit(t);
    EXPECT_THAT(result, HasOutcome(Outcome::kRejected, reason)) << Describe(t);
    EXPECT_EQ(result.posting, 0) << Describe(t);
  }
  AccountId carol_;
};

TEST_F(LedgerReverse, WithoutPostingsMovesAllBack) {
  ASSERT_THAT(Commit(MakePost(1, {{alice_, bob_, 30}, {bob_, carol_, 10}})), HasOutcome(Outcome::kApplied));
  const CommitResult result = Commit(MakeReverse(2, Target::Key(Key(1))), {.balances = true});
  EXPECT_EQ(result.outcome, Outcome::kApplied);
  ASSERT_THAT(result.balances, SizeIs(3));
  EXPECT_EQ(result.balances[0].account, bob_);
  EXPECT_EQ(result.balances[1].account, alice_);
  EXPECT_EQ(result.balances[2].account, carol_);
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(30, 130));
  EXPECT_EQ(BalanceOf(bob_), MakeTotals(40, 40));
  EXPECT_EQ(BalanceOf(carol_), MakeTotals(10, 10));
  EXPECT_THAT(ViewOf(2).record.moved, ElementsAre(Posting{bob_, alice_, 30}, Posting{carol_, bob_, 10}));
  EXPECT_EQ(ViewOf(2).record.target, Sequence(6));
  EXPECT_EQ(ViewOf(1).reversed, Amount(40));
  EXPECT_THAT(ViewOf(1).links, ElementsAre(Sequence(7)));
}

TEST_F(LedgerReverse, InPartsNeverMoreThanTheOriginal) {
  ASSERT_THAT(Commit(MakePost(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  const Target target = Target::Key(Key(1));
  EXPECT_THAT(Commit(MakeReverse(2, target, {{bob_, alice_, 20}})), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(ViewOf(1).reversed, Amount(20));
  ExpectRejected(MakeReverse(3, target, {{bob_, alice_, 11}}), Reason::kExceedsTarget);
  EXPECT_THAT(Commit(MakeReverse(4, target, {{bob_, alice_, 4}})), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakeReverse(5, target)), HasOutcome(Outcome::kApplied)) << "the rest";
  EXPECT_THAT(ViewOf(5).record.moved, ElementsAre(Posting{bob_, alice_, 6}));
  EXPECT_EQ(ViewOf(1).reversed, Amount(30));
  ExpectRejected(MakeReverse(6, target), Reason::kTargetResolved);
  ExpectRejected(MakeReverse(7, target, {{bob_, alice_, 1}}), Reason::kTargetResolved);
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(30, 130));
}

TEST_F(LedgerReverse, TheBoundHoldsAfterReopening) {
  ASSERT_THAT(Commit(MakePost(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeReverse(2, Target::Key(Key(1)), {{bob_, alice_, 20}})), HasOutcome(Outcome::kApplied));
  Reopen();
  ExpectRejected(MakeReverse(3, Target::Key(Key(1)), {{bob_, alice_, 11}}), Reason::kExceedsTarget);
  EXPECT_THAT(Commit(MakeReverse(4, Target::Key(Key(1)), {{bob_, alice_, 10}})), HasOutcome(Outcome::kApplied));
  Reopen();
  ExpectRejected(MakeReverse(5, Target::Key(Key(1))), Reason::kTargetResolved);
}

TEST_F(LedgerReverse, EqualPairsAreAddedUp) {
  ASSERT_THAT(Commit(MakePost(1, {{alice_, bob_, 10}, {alice_, carol_, 5}, {alice_, bob_, 10}})),
              HasOutcome(Outcome::kApplied));
  const Target target = Target::Key(Key(1));
  ExpectRejected(MakeReverse(2, target, {{bob_, alice_, 15}, {bob_, alice_, 6}}), Reason::kExceedsTarget);
  EXPECT_THAT(Commit(MakeReverse(3, target, {{bob_, alice_, 15}})), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakeReverse(4, target)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(ViewOf(4).record.moved, ElementsAre(Posting{bob_, alice_, 5}, Posting{carol_, alice_, 5}));
}

TEST_F(LedgerReverse, APairThatIsExhaustedIsExceededWhileAnotherRemains) {
  ASSERT_THAT(Commit(MakePost(1, {{alice_, bob_, 10}, {alice_, carol_, 5}})), HasOutcome(Outcome::kApplied));
  const Target target = Target::Key(Key(1));
  ASSERT_THAT(Commit(MakeReverse(2, target, {{bob_, alice_, 10}})), HasOutcome(Outcome::kApplied));
  ExpectRejected(MakeReverse(3, target, {{bob_, alice_, 1}}), Reason::kExceedsTarget);
  EXPECT_THAT(Commit(MakeReverse(4, target)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(ViewOf(4).record.moved, ElementsAre(Posting{carol_, alice_, 5}));
}

TEST_F(LedgerReverse, APostingThatTheTargetDoesNotHaveIsAMismatch) {
  ASSERT_THAT(Commit(MakePost(1, alice_, bob_, 10)), HasOutcome(Outcome::kApplied));
  const Target target = Target::Key(Key(1));
  ExpectRejected(MakeReverse(2, target, {{alice_, bob_, 1}}), Reason::kTargetMismatch);
  ExpectRejected(MakeReverse(3, target, {{bob_, alice_, 1}, {carol_, alice_, 1}}), Reason::kTargetMismatch);
  ExpectRejected(MakeReverse(4, target, {{bob_, alice_, 99}, {carol_, alice_, 1}}), Reason::kTargetMismatch);
}

TEST_F(LedgerReverse, AMismatchIsTheAnswerBeforeAResolvedTarget) {
  ASSERT_THAT(Commit(MakePost(1, alice_, bob_, 10)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeReverse(2, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
  ExpectRejected(MakeReverse(3, Target::Key(Key(1)), {{carol_, alice_, 1}}), Reason::kTargetMismatch);
}

TEST_F(LedgerReverse, ACaptureCanBeReversedAndItsHoldStaysCaptured) {
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeCapture(2, Target::Key(Key(1)), 20)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakeReverse(3, Target::Key(Key(2)))), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(20, 120, 10, 0));
  EXPECT_EQ(ViewOf(1).captured, Amount(20));
  EXPECT_EQ(ViewOf(1).remaining, Amount(10));
  EXPECT_EQ(ViewOf(2).reversed, Amount(20));
  EXPECT_THAT(ViewOf(1).links, ElementsAre(ViewOf(2).sequence));
  EXPECT_THAT(ViewOf(2).links, ElementsAre(ViewOf(3).sequence));
}

TEST_F(LedgerReverse, OnlyAPostOrACaptureCanBeReversed) {
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeRelease(2, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakePost(3, alice_, bob_, 5)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeReverse(4, Target::Key(Key(3)))), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakePost(5, alice_, bob_, 500)), HasOutcome(Outcome::kRejected));
  for (const uint64_t target : {1, 2, 4, 5}) {
    ExpectRejected(MakeReverse(10 + target, Target::Key(Key(target))), Reason::kTargetMismatch);
  }
}

TEST_F(LedgerReverse, TheOneWhoGivesBackMustHaveTheMoney) {
  ASSERT_THAT(Commit(MakePost(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakePost(2, bob_, carol_, 25)), HasOutcome(Outcome::kApplied));
  ExpectRejected(MakeReverse(3, Target::Key(Key(1))), Reason::kInsufficientFunds);
  EXPECT_THAT(Commit(MakeReverse(4, Target::Key(Key(1)), {{bob_, alice_, 5}})), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(ViewOf(1).reversed, Amount(5)) << "a rejected reversal uses nothing up";
}

TEST_F(LedgerReverse, AFrozenAccountRejectsIt) {
  ASSERT_THAT(Commit(MakePost(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(ledger_->Freeze(alice_), IsOk());
  ExpectRejected(MakeReverse(2, Target::Key(Key(1))), Reason::kAccountFrozen);
}

TEST_F(LedgerReverse, AnUnknownAccountDefersBeforeTheTargetIsLookedAt) {
  ASSERT_THAT(Commit(MakePost(1, alice_, bob_, 30)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakeReverse(2, Target::Key(Key(9)), {{bob_, AccountId(77), 1}})),
              HasOutcome(Outcome::kDeferred, Reason::kAccountNotFound));
}

TEST_F(LedgerReverse, AlsoByReference) {
  ASSERT_THAT(Commit(Unique(MakePost(1, alice_, bob_, 30), 7, "pay_1")), HasOutcome(Outcome::kApplied));
  Transaction refund = MakeReverse(2, Target::Reference(7, "pay_1"), {{bob_, alice_, 3}});
  refund.code = 8;
  refund.reference = "pay_1";
  EXPECT_THAT(Commit(refund), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(ViewOf(1).reversed, Amount(3));
}

TEST_F(LedgerReverse, OfTheLargestPostingCountMovesEveryPairBack) {
  Postings postings;
  std::vector<AccountSpec> specs;
  for (int i = 0; i < 256; ++i) specs.push_back({.name = "many:" + std::to_string(i), .asset = "USD/2"});
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<AccountId> ids, ledger_->OpenAccounts(specs));
  for (const AccountId id : ids) postings.push_back({world_, id, 2});
  ASSERT_THAT(Commit(MakePost(1, postings)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeReverse(2, Target::Key(Key(1)))), HasOutcome(Outcome::kApplied));
  for (const AccountId id : ids) EXPECT_EQ(BalanceOf(id), MakeTotals(2, 2));
  EXPECT_EQ(ViewOf(1).reversed, Amount(512));
}

}  // namespace
}  // namespace northwind::testing

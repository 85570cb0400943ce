// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/support/ledger_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Time kLastTime = absl::FromUnixNanos(std::numeric_limits<int64_t>::max());

class LedgerCommit : public LedgerFixture {
 protected:
  // Exactly this, at this posting, and no trace of it.
  void ExpectInvalid(const Transaction& t, Reason reason, uint16_t posting = 0) {
    const uint64_t head = HeadSequence();
    const CommitResult result = Commit(t, {.balances = true});
    EXPECT_THAT(result, HasOutcome(Outcome::kInvalid, reason)) << Describe(t);
    EXPECT_EQ(result.original, Outcome::kInvalid);
    EXPECT_EQ(result.posting, posting) << Describe(t);
    EXPECT_EQ(result.conflict, Field::kNone);
    EXPECT_EQ(result.sequence, Sequence());
    EXPECT_EQ(result.recorded_at, absl::InfinitePast());
    EXPECT_THAT(result.balances, IsEmpty());
    EXPECT_EQ(HeadSequence(), head);
    EXPECT_THAT(ledger_->GetTransaction(t.key), StatusIs(absl::StatusCode::kNotFound));
  }
  // Recorded as rejected, and so again when asked again.
  void ExpectRejected(const Transaction& t, Reason reason, uint16_t posting = 0) {
    const uint64_t head = HeadSequence();
    const CommitResult first = Commit(t, {.balances = true});
    EXPECT_THAT(first, HasOutcome(Outcome::kRejected, reason)) << Describe(t);
    EXPECT_EQ(first.original, Outcome::kRejected);
    EXPECT_EQ(first.posting, posting) << Describe(t);
    EXPECT_EQ(first.sequence, Sequence(head + 1));
    EXPECT_THAT(first.balances, IsEmpty());
    const CommitResult again = Commit(t);
    EXPECT_THAT(again, HasOutcome(Outcome::kDuplicate, reason));
    EXPECT_EQ(again.original, Outcome::kRejected);
    EXPECT_EQ(again.sequence, first.sequence);
    EXPECT_EQ(again.recorded_at, first.recorded_at);
    EXPECT_EQ(HeadSequence(), head + 1);
  }
  void ExpectDeferred(const Transaction& t, Reason reason, uint16_t posting = 0) {
    const uint64_t head = HeadSequence();
    const CommitResult result = Commit(t);
    EXPECT_THAT(result, HasOutcome(Outcome::kDeferred, reason)) << Describe(t);
    EXPECT_EQ(result.original, Outcome::kDeferred);
    EXPECT_EQ(result.posting, posting);
    EXPECT_EQ(result.sequence, Sequence());
    EXPECT_EQ(result.recorded_at, absl::InfinitePast());
    EXPECT_EQ(HeadSequence(), head);
  }
  void ExpectConflict(Transaction t, Field field) {
    const uint64_t head = HeadSequence();
    const CommitResult result = Commit(t, {.balances = true});
    EXPECT_EQ(result.outcome, Outcome::kConflict) << Describe(t);
    EXPECT_EQ(result.original, Outcome::kConflict);
    EXPECT_EQ(result.reason, Reason::kNone);
    EXPECT_EQ(result.conflict, field) << Describe(t);
    EXPECT_NE(result.sequence, Sequence());
    EXPECT_THAT(result.balances, IsEmpty());
    EXPECT_EQ(HeadSequence(), head);
  }
  AccountId Euro() { return OpenAccount({.name = "euro", .asset = "EUR/2"}); }
};

// ---- Applied --------------------------------------------------------------------------------------------------

TEST_F(LedgerCommit, APostMovesMoneyAndSaysWhereItStands) {
  clock_.Advance(absl::Seconds(5));
  const CommitResult result = Commit(MakePost(1, world_, alice_, 10'000));
  EXPECT_EQ(result.outcome, Outcome::kApplied);
  EXPECT_EQ(result.original, Outcome::kApplied);
  EXPECT_EQ(result.reason, Reason::kNone);
  EXPECT_EQ(result.conflict, Field::kNone);
  EXPECT_EQ(result.sequence, Sequence(4));
  EXPECT_EQ(result.recorded_at, clock_.Now());
  EXPECT_THAT(result.balances, IsEmpty()) << "not asked for";
  EXPECT_EQ(BalanceOf(world_), MakeTotals(10'000, 0));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(0, 10'000));
  EXPECT_EQ(BalanceOf(alice_).posted(), 10'000);
  EXPECT_EQ(ledger_->Head().sequence, Sequence(4));
}

TEST_F(LedgerCommit, RecordedTimesOfABlockAreANanosecondApart) {
  const absl::Time now = clock_.Now() + absl::Seconds(1);
  clock_.Set(now);
  const auto results =
      CommitAll({MakePost(1, world_, alice_, 1), MakePost(2, world_, alice_, 1), MakePost(3, world_, alice_, 1)});
  EXPECT_EQ(results[0].recorded_at, now);
  EXPECT_EQ(results[1].recorded_at, now + absl::Nanoseconds(1));
  EXPECT_EQ(results[2].recorded_at, now + absl::Nanoseconds(2));
  EXPECT_EQ(Commit(MakePost(4, world_, alice_, 1)).recorded_at, now + absl::Nanoseconds(3)) << "the clock stands";
  clock_.Set(now - absl::Hours(1));
  EXPECT_EQ(Commit(MakePost(5, world_, alice_, 1)).recorded_at, now + absl::Nanoseconds(4)) << "the clock fell back";
}

TEST_F(LedgerCommit, ResultingBalancesComeInOrderOfFirstAppearanceOncePerAccount) {
  const CommitResult result =
      Commit(MakePost(1, {{world_, alice_, 100}, {alice_, bob_, 30}, {world_, bob_, 1}}), {.balances = true});
  ASSERT_THAT(result.balances, SizeIs(3));
  EXPECT_EQ(result.balances[0].account, world_);
  EXPECT_EQ(result.balances[0].totals, MakeTotals(101, 0));
  EXPECT_EQ(result.balances[1].account, alice_);
  EXPECT_EQ(result.balances[1].totals, MakeTotals(30, 100));
  EXPECT_EQ(result.balances[2].account, bob_);
  EXPECT_EQ(result.balances[2].totals, MakeTotals(0, 31));
}

TEST_F(LedgerCommit, OnlyTheNetEffectOfAllPostingsCountsForTheLimit) {
  // Alice has nothing, and gives before she gets.
  EXPECT_THAT(Commit(MakePost(1, {{alice_, bob_, 50}, {world_, alice_, 50}})), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakePost(2, {{alice_, bob_, 50}, {world_, alice_, 49}})),
              HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(50, 50));
}

TEST_F(LedgerCommit, AnAccountAtItsLimitMayStillPassOnWhatItReceives) {
  ASSERT_THAT(ledger_->SetMinAvailable(alice_, -100), IsOk());
  ASSERT_THAT(Commit(MakePost(1, alice_, bob_, 100)), HasOutcome(Outcome::kApplied));
  // As much in as out: it has no less than before, so that its limit is not asked.
  EXPECT_THAT(Commit(MakePost(2, {{world_, alice_, 5}, {alice_, bob_, 5}})), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerCommit, AnExternalAccountHasNoLimit) {
  EXPECT_THAT(Commit(MakePost(1, world_, alice_, Amount::Max())), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(Available(alice_), static_cast<absl::int128>(Amount::Max().units()));
  EXPECT_EQ(Available(world_), -static_cast<absl::int128>(Amount::Max().units()));
}

TEST_F(LedgerCommit, A256PostingTransactionIsAllOrNothing) {
  Postings postings(256, Posting{world_, alice_, 1});
  EXPECT_THAT(Commit(MakePost(1, postings)), HasOutcome(Outcome::kApplied));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(0, 256));
  postings.back() = {bob_, alice_, 1};
  EXPECT_THAT(Commit(MakePost(2, postings)), HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(0, 256));
}

TEST_F(LedgerCommit, EveryFieldIsKeptAsAsked) {
  Transaction t = Unique(MakePost(1, {{world_, alice_, 3}, {world_, bob_, 4}}), 65'535, std::string(128, 'r'));
  t.effective_at = kLastTime;
  t.metadata = std::string(4096, '\0');
  ASSERT_THAT(Commit(t), HasOutcome(Outcome::kApplied));
  Reopen();
  EXPECT_TRUE(Same(ViewOf(1).record.transaction, t)) << Describe(ViewOf(1).record.transaction);
}

// ---- Invalid --------------------------------------------------------------------------------------------------

TEST_F(LedgerCommit, AnUnknownKindIsInvalid) {
  Transaction t = MakePost(1, world_, alice_, 1);
  for (const int kind : {0, 6, 255}) {
    t.kind = static_cast<TransactionKind>(kind);
    ExpectInvalid(t, Reason::kUnknownKind);
  }
}

TEST_F(LedgerCommit, AReferenceOver128BytesIsInvalid) {
  ExpectInvalid(Named(MakePost(1, world_, alice_, 1), 1, std::string(129, 'r')), Reason::kReferenceTooLong);
}

TEST_F(LedgerCommit, UniqueWithoutReferenceIsInvalid) {
  ExpectInvalid(Unique(MakePost(1, world_, alice_, 1), 1, ""), Reason::kReferenceMissing);
}

TEST_F(LedgerCommit, MetadataOver4096BytesIsInvalid) {
  Transaction t = MakePost(1, world_, alice_, 1);
  t.metadata = std::string(4097, 'm');
  ExpectInvalid(t, Reason::kMetadataTooLong);
}

TEST_F(LedgerCommit, TimesOutside1970To2262AreInvalid) {
  for (const absl::Time time : {absl::UnixEpoch() - absl::Nanoseconds(1), kLastTime + absl::Nanoseconds(1),
                                absl::InfinitePast(), absl::InfiniteFuture()}) {
    Transaction post = MakePost(1, world_, alice_, 1);
    post.effective_at = time;
    ExpectInvalid(post, Reason::kTimeOutOfRange);
    Transaction hold = MakeHold(1, world_, alice_, 1);
    hold.expires_at = time;
    ExpectInvalid(hold, Reason::kTimeOutOfRange);
  }
  Transaction post = MakePost(1, world_, alice_, 1);
  post.effective_at = absl::UnixEpoch();
  EXPECT_THAT(Commit(post), HasOutcome(Outcome::kApplied));
  Transaction hold = MakeHold(2, world_, alice_, 1);
  hold.expires_at = kLastTime;
  EXPECT_THAT(Commit(hold), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerCommit, HostRecordsOverTheirBoundsAreInvalid) {
  Transaction t = MakePost(1, world_, alice_, 1);
  t.host_records.assign(9, {"k", "v"});
  ExpectInvalid(t, Reason::kHostRecordTooLarge);
  t.host_records = {{"", "v"}};
  ExpectInvalid(t, Reason::kHostRecordTooLarge);
  t.host_records = {{std::string(257, 'k'), "v"}};
  ExpectInvalid(t, Reason::kHostRecordTooLarge);
  t.host_records = {{"k", std::string(4097, 'v')}};
  ExpectInvalid(t, Reason::kHostRecordTooLarge);
  t.host_records.assign(8, {std::string(256, 'k'), std::string(4096, 'v')});
  EXPECT_THAT(Commit(t), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerCommit, AFieldThatTheKindDoesNotTakeIsInvalid) {
  const Target target = Target::Key(Key(9));
  const absl::Time soon = clock_.Now() + absl::Seconds(1);
  const auto with = [](Transaction t, auto change) {
    change(t);
    return t;
  };
  const auto add_target = [&](Transaction& t) { t.target = target; };
  const auto add_amount = [](Transaction& t) { t.amount = 1; };
  const auto add_final = [](Transaction& t) { t.final_capture = true; };
  const auto add_expiry = [&](Transaction& t) { t.expires_at = soon; };
  const auto add_posting = [&](Transaction& t) { t.postings.push_back({world_, alice_, 1}); };
  const Transaction post = MakePost(1, world_, alice_, 1);
  const Transaction hold = MakeHold(1, world_, alice_, 1);
  const Transaction capture = MakeCapture(1, target);
  const Transaction release = MakeRelease(1, target);
  const Transaction reverse = MakeReverse(1, target);
  for (const Transaction& t :
       {with(post, add_target), with(post, add_amount), with(post, add_final), with(post, add_expiry),
        with(hold, add_target), with(hold, add_amount), with(hold, add_final), with(capture, add_expiry),
        with(capture, add_posting), with(release, add_amount), with(release, add_final), with(release, add_expiry),
        with(release, add_posting), with(reverse, add_amount), with(reverse, add_final), with(reverse, add_expiry)}) {
    ExpectInvalid(t, Reason::kUnexpectedField);
  }
}

TEST_F(LedgerCommit, ATargetThatNamesNothingOrTwoThingsIsInvalid) {
  Target both = Target::Key(Key(9));
  both.reference = "r";
  Target key_and_code = Target::Key(Key(9));
  key_and_code.code = 1;
  const auto kinds = {TransactionKind::kCapture, TransactionKind::kRelease, TransactionKind::kReverse};
  for (const TransactionKind kind : kinds) {
    Transaction t{.key = Key(1), .kind = kind};
    ExpectInvalid(t, Reason::kTargetMissing);
    for (const Target& target :
         {Target{}, Target::Reference(7, ""), both, key_and_code, Target::Reference(1, std::string(129, 'r'))}) {
      t.target = target;
      ExpectInvalid(t, Reason::kTargetMissing);
    }
  }
}

TEST_F(LedgerCommit, TooFewOrTooManyPostingsAreInvalid) {
  ExpectInvalid(MakePost(1, Postings{}), Reason::kPostingCount);
  ExpectInvalid(MakePost(1, Postings(257, Posting{world_, alice_, 1})), Reason::kPostingCount);
  Transaction hold = MakeHold(1, world_, alice_, 1);
  hold.postings.clear();
  ExpectInvalid(hold, Reason::kPostingCount);
  hold.postings.assign(2, Posting{world_, alice_, 1});
  ExpectInvalid(hold, Reason::kPostingCount);
  ExpectInvalid(MakeReverse(1, Target::Key(Key(9)), Postings(257, Posting{world_, alice_, 1})), Reason::kPostingCount);
}

TEST_F(LedgerCommit, AZeroAmountIsInvalidAndNamesItsPosting) {
  ExpectInvalid(MakePost(1, {{world_, alice_, 1}, {world_, bob_, 0}}), Reason::kZeroAmount, 1);
  ExpectInvalid(MakeHold(1, world_, alice_, 0), Reason::kZeroAmount);
}

TEST_F(LedgerCommit, MoneyFromAnAccountToItselfIsInvalid) {
  ExpectInvalid(MakePost(1, {{world_, alice_, 1}, {world_, bob_, 1}, {bob_, bob_, 1}}), Reason::kSameAccount, 2);
}

TEST_F(LedgerCommit, AmountsThatAddUpPastTheLargestAreInvalid) {
  ExpectInvalid(MakePost(1, {{world_, alice_, Amount::Max()}, {world_, bob_, 1}}), Reason::kAmountTooLarge, 1);
}

TEST_F(LedgerCommit, TwoAssetsInOnePostingAreInvalid) {
  ExpectInvalid(MakePost(1, {{world_, alice_, 1}, {world_, Euro(), 1}}), Reason::kAssetMismatch, 1);
}

TEST_F(LedgerCommit, OneTransactionMayMoveSeveralAssets) {
  const AccountId mint = OpenAccount({.name = "mint", .asset = "EUR/2", .external = true});
  EXPECT_THAT(Commit(MakePost(1, {{world_, alice_, 1}, {mint, Euro(), 2}})), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerCommit, AnInvalidTransactionLeavesItsKeyFree) {
  ExpectInvalid(MakePost(1, world_, alice_, 0), Reason::kZeroAmount);
  EXPECT_THAT(Commit(MakePost(1, world_, alice_, 5)), HasOutcome(Outcome::kApplied));
}

// ---- Deferred -------------------------------------------------------------------------------------------------

TEST_F(LedgerCommit, AnUnknownAccountDefersAndNamesItsPosting) {
  ExpectDeferred(MakePost(1, {{world_, alice_, 1}, {world_, AccountId(99), 1}}), Reason::kAccountNotFound, 1);
  ExpectDeferred(MakePost(1, AccountId(0), alice_, 1), Reason::kAccountNotFound);
  ExpectDeferred(MakeHold(1, world_, AccountId(4), 1), Reason::kAccountNotFound);
}

TEST_F(LedgerCommit, ADeferredTransactionGoesThroughOnceItsAccountExists) {
  ExpectDeferred(MakePost(1, world_, AccountId(4), 1), Reason::kAccountNotFound);
  ASSERT_EQ(OpenAccount({.name = "late", .asset = "USD/2"}), AccountId(4));
  EXPECT_THAT(Commit(MakePost(1, world_, AccountId(4), 1)), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerCommit, AnUnknownTargetDefers) {
  ExpectDeferred(MakeCapture(1, Target::Key(Key(9))), Reason::kTargetNotFound);
  ExpectDeferred(MakeRelease(1, Target::Reference(3, "r")), Reason::kTargetNotFound);
  ExpectDeferred(MakeReverse(1, Target::Key(Key(1))), Reason::kTargetNotFound);
}

// ---- Rejected -------------------------------------------------------------------------------------------------

TEST_F(LedgerCommit, TooLittleMoneyRejects) {
  Give(alice_, 99);
  ExpectRejected(MakePost(1, alice_, bob_, 100), Reason::kInsufficientFunds);
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(0, 99));
}

TEST_F(LedgerCommit, TooLittleMoneyAndTooMuchTotalNameTheFirstPostingOfTheAccount) {
  const AccountId carol = OpenAccount({.name = "carol", .asset = "USD/2"});
  Give(alice_, 5);
  ExpectRejected(MakePost(1, {{world_, carol, 1}, {alice_, bob_, 3}, {alice_, bob_, 3}}), Reason::kInsufficientFunds,
                 1);
  // Both have too little; alice is named first, as a credit.
  ExpectRejected(MakePost(2, {{world_, carol, 1}, {world_, alice_, 1}, {bob_, carol, 9}, {alice_, carol, 9}}),
                 Reason::kInsufficientFunds, 1);
  const AccountId mint = OpenAccount({.name = "mint", .asset = "USD/2", .external = true});
  ASSERT_THAT(Commit(MakePost(3, mint, carol, Amount::Max())), HasOutcome(Outcome::kApplied));
  ExpectRejected(MakePost(4, {{world_, alice_, 1}, {world_, carol, 1}}), Reason::kTotalOverflow, 1);
}

TEST_F(LedgerCommit, ARejectionIsFrozenToItsKeyEvenWhenMoneyHasCome) {
  ExpectRejected(MakePost(1, alice_, bob_, 100), Reason::kInsufficientFunds);
  Give(alice_, 1000);
  const CommitResult again = Commit(MakePost(1, alice_, bob_, 100));
  EXPECT_THAT(again, HasOutcome(Outcome::kDuplicate, Reason::kInsufficientFunds));
  EXPECT_EQ(again.original, Outcome::kRejected);
  EXPECT_EQ(Available(alice_), 1000);
  EXPECT_THAT(Commit(MakePost(2, alice_, bob_, 100)), HasOutcome(Outcome::kApplied)) << "another key is another try";
}

TEST_F(LedgerCommit, HeldMoneyIsNotAvailable) {
  Give(alice_, 100);
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 60)), HasOutcome(Outcome::kApplied));
  ExpectRejected(MakePost(2, alice_, bob_, 41), Reason::kInsufficientFunds);
  EXPECT_THAT(Commit(MakePost(3, alice_, bob_, 40)), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerCommit, MoneyHeldForAnAccountIsNotYetItsOwn) {
  Give(alice_, 100);
  ASSERT_THAT(Commit(MakeHold(1, alice_, bob_, 60)), HasOutcome(Outcome::kApplied));
  ExpectRejected(MakePost(2, bob_, alice_, 1), Reason::kInsufficientFunds);
}

TEST_F(LedgerCommit, AFrozenAccountRejectsOnEitherSideAndNamesThePosting) {
  ASSERT_THAT(ledger_->Freeze(bob_), IsOk());
  ExpectRejected(MakePost(1, {{world_, alice_, 1}, {world_, bob_, 1}}), Reason::kAccountFrozen, 1);
  ExpectRejected(MakePost(2, {{world_, alice_, 1}, {alice_, world_, 1}, {bob_, alice_, 1}}), Reason::kAccountFrozen, 2);
  ExpectRejected(MakeHold(3, world_, bob_, 1), Reason::kAccountFrozen);
  ASSERT_THAT(ledger_->Unfreeze(bob_), IsOk());
  EXPECT_THAT(Commit(MakePost(4, world_, bob_, 1)), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerCommit, AClosedAccountRejectsOnEitherSide) {
  ASSERT_THAT(ledger_->CloseAccount(bob_), IsOk());
  ExpectRejected(MakePost(1, {{world_, alice_, 1}, {world_, bob_, 1}}), Reason::kAccountClosed, 1);
  ExpectRejected(MakeHold(2, bob_, alice_, 1), Reason::kAccountClosed);
}

TEST_F(LedgerCommit, TheFirstPostingsAccountStateIsTheAnswer) {
  const AccountId carol = OpenAccount({.name = "carol", .asset = "USD/2"});
  ASSERT_THAT(ledger_->Freeze(alice_), IsOk());
  ASSERT_THAT(ledger_->CloseAccount(bob_), IsOk());
  ExpectRejected(MakePost(1, {{alice_, carol, 1}, {bob_, carol, 1}}), Reason::kAccountFrozen);
  ExpectRejected(MakePost(2, {{bob_, carol, 1}, {alice_, carol, 1}}), Reason::kAccountClosed);
  ExpectRejected(MakePost(3, alice_, bob_, 1), Reason::kAccountFrozen);
  ExpectRejected(MakePost(4, bob_, alice_, 1), Reason::kAccountClosed);
}

TEST_F(LedgerCommit, AUniqueReferenceIsAppliedOnlyOnceUnderWhateverKey) {
  ASSERT_THAT(Commit(Unique(MakePost(1, world_, alice_, 5), 7, "pay_1")), HasOutcome(Outcome::kApplied));
  ExpectRejected(Unique(MakePost(2, world_, alice_, 5), 7, "pay_1"), Reason::kReferenceUsed);
  ExpectRejected(Named(MakePost(3, world_, alice_, 5), 7, "pay_1"), Reason::kReferenceUsed);
  EXPECT_THAT(Commit(Unique(MakePost(4, world_, alice_, 5), 8, "pay_1")), HasOutcome(Outcome::kApplied))
      << "other code";
  EXPECT_THAT(Commit(Unique(MakePost(5, world_, alice_, 5), 7, "pay_2")), HasOutcome(Outcome::kApplied))
      << "other name";
  EXPECT_EQ(Available(alice_), 15);
}

TEST_F(LedgerCommit, AReferenceInUseCannotBecomeUnique) {
  ASSERT_THAT(Commit(Named(MakePost(1, world_, alice_, 5), 7, "pay_1")), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(Named(MakePost(2, world_, alice_, 5), 7, "pay_1")), HasOutcome(Outcome::kApplied));
  ExpectRejected(Unique(MakePost(3, world_, alice_, 5), 7, "pay_1"), Reason::kReferenceUsed);
}

TEST_F(LedgerCommit, ARejectedTransactionDoesNotUseItsReference) {
  ExpectRejected(Unique(MakePost(1, alice_, bob_, 5), 7, "pay_1"), Reason::kInsufficientFunds);
  EXPECT_THAT(Commit(Unique(MakePost(2, world_, bob_, 5), 7, "pay_1")), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerCommit, AUniqueReferenceHoldsAfterReopening) {
  ASSERT_THAT(Commit(Unique(MakePost(1, world_, alice_, 5), 7, "pay_1")), HasOutcome(Outcome::kApplied));
  Reopen();
  ExpectRejected(Named(MakePost(2, world_, alice_, 5), 7, "pay_1"), Reason::kReferenceUsed);
}

TEST_F(LedgerCommit, ATotalPastTheLargestAmountRejects) {
  ASSERT_THAT(Commit(MakePost(1, world_, alice_, Amount::Max())), HasOutcome(Outcome::kApplied));
  ExpectRejected(MakePost(2, world_, bob_, 1), Reason::kTotalOverflow);
  const AccountId mint = OpenAccount({.name = "mint", .asset = "USD/2", .external = true});
  ExpectRejected(MakePost(3, mint, alice_, 1), Reason::kTotalOverflow);
  EXPECT_THAT(Commit(MakePost(4, mint, bob_, 1)), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerCommit, PostedAndHeldDebitsTogetherStayBelowTheLargestAmount) {
  const Amount half = Amount::FromUnits(Amount::Max().units() / 2).value();
  ASSERT_THAT(Commit(MakePost(1, world_, alice_, half)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakeHold(2, world_, bob_, half)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakeHold(3, world_, bob_, 1)), HasOutcome(Outcome::kApplied));
  ExpectRejected(MakeHold(4, world_, bob_, 1), Reason::kTotalOverflow);
  ExpectRejected(MakePost(5, world_, bob_, 1), Reason::kTotalOverflow);
  EXPECT_THAT(Commit(MakeRelease(6, Target::Key(Key(3)))), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakePost(7, world_, bob_, 1)), HasOutcome(Outcome::kApplied));
}

// ---- Which answer comes first -----------------------------------------------------------------------------------

// A transaction with everything wrong, put right one by one in the order of docs/ledger.md.
TEST_F(LedgerCommit, TheFirstThingWrongIsTheAnswer) {
  ASSERT_THAT(Commit(Unique(MakePost(100, world_, alice_, 50), 7, "used")), HasOutcome(Outcome::kApplied));
  const AccountId euro = Euro();
  const AccountId frozen = OpenAccount({.name = "frozen", .asset = "USD/2"});
  ASSERT_THAT(ledger_->Freeze(frozen), IsOk());

  Transaction t{.key = Key(1), .kind = static_cast<TransactionKind>(99), .amount = 1};
  t.postings.assign(257, Posting{AccountId(99), AccountId(99), 0});
  t.target = Target{};
  t.reference = std::string(129, 'r');
  t.metadata = std::string(4097, 'm');
  t.effective_at = absl::InfiniteFuture();
  t.host_records.assign(9, {"", ""});
  ExpectInvalid(t, Reason::kUnknownKind);
  t.kind = TransactionKind::kPost;
  ExpectInvalid(t, Reason::kReferenceTooLong);
  t.reference.clear();
  t.unique_reference = true;
  ExpectInvalid(t, Reason::kReferenceMissing);
  t.reference = "used";
  t.code = 7;
  ExpectInvalid(t, Reason::kMetadataTooLong);
  t.metadata.clear();
  ExpectInvalid(t, Reason::kTimeOutOfRange);
  t.effective_at.reset();
  ExpectInvalid(t, Reason::kHostRecordTooLarge);
  t.host_records.clear();
  ExpectInvalid(t, Reason::kUnexpectedField);
  t.kind = TransactionKind::kReverse;
  t.amount = 0;
  ExpectInvalid(t, Reason::kTargetMissing);
  t.target.reset();
  t.kind = TransactionKind::kPost;
  ExpectInvalid(t, Reason::kPostingCount);
  t.postings.resize(1);
  ExpectInvalid(t, Reason::kZeroAmount);
  t.postings[0].amount = Amount::Max();
  ExpectInvalid(t, Reason::kSameAccount);
  t.postings[0].debit = euro;
  t.postings.push_back({alice_, bob_, 1});
  ExpectInvalid(t, Reason::kAmountTooLarge, 1);
  t.postings[0].amount = 51;
  ExpectDeferred(t, Reason::kAccountNotFound);
  t.postings[0].credit = frozen;
  ExpectInvalid(t, Reason::kAssetMismatch);
  t.postings[0].debit = alice_;
  ExpectRejected(t, Reason::kReferenceUsed);
  t.reference = "free";
  t.key = Key(2);
  ExpectRejected(t, Reason::kAccountFrozen);
  ASSERT_THAT(ledger_->Unfreeze(frozen), IsOk());
  t.key = Key(3);
  ExpectRejected(t, Reason::kInsufficientFunds);
  t.postings[0].amount = 49;
  t.key = Key(4);
  EXPECT_THAT(Commit(t), HasOutcome(Outcome::kApplied));
}

TEST_F(LedgerCommit, AKnownKeyIsADuplicateBeforeAccountsOrMoneyAreLookedAt) {
  Give(alice_, 10);
  ASSERT_THAT(Commit(MakePost(1, alice_, bob_, 10)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(ledger_->Freeze(alice_), IsOk());
  EXPECT_THAT(Commit(MakePost(1, alice_, bob_, 10)), HasOutcome(Outcome::kDuplicate));
  ExpectConflict(MakePost(1, alice_, AccountId(99), 10), Field::kPostings);
}

TEST_F(LedgerCommit, AMalformedTransactionIsInvalidEvenUnderAKnownKey) {
  ASSERT_THAT(Commit(MakePost(1, world_, alice_, 10)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakePost(1, world_, alice_, 0)), HasOutcome(Outcome::kInvalid, Reason::kZeroAmount));
}

TEST_F(LedgerCommit, AUsedReferenceIsTheAnswerBeforeAnUnknownTarget) {
  ASSERT_THAT(Commit(Unique(MakePost(1, world_, alice_, 10), 7, "used")), HasOutcome(Outcome::kApplied));
  ExpectRejected(Named(MakeCapture(2, Target::Key(Key(9))), 7, "used"), Reason::kReferenceUsed);
}

TEST_F(LedgerCommit, AnOverflowIsTheAnswerBeforeMissingMoney) {
  ASSERT_THAT(Commit(MakePost(1, world_, alice_, Amount::Max())), HasOutcome(Outcome::kApplied));
  ExpectRejected(MakePost(2, bob_, alice_, 1), Reason::kTotalOverflow);
}

// ---- Duplicates and conflicts -----------------------------------------------------------------------------------

TEST_F(LedgerCommit, ADuplicateCarriesTheFirstAnswerAndMovesNothing) {
  const CommitResult first = Commit(MakePost(1, world_, alice_, 10), {.balances = true});
  Give(alice_, 5);
  clock_.Advance(absl::Hours(1));
  const CommitResult again = Commit(MakePost(1, world_, alice_, 10), {.balances = true});
  EXPECT_EQ(again.outcome, Outcome::kDuplicate);
  EXPECT_EQ(again.original, Outcome::kApplied);
  EXPECT_EQ(again.reason, Reason::kNone);
  EXPECT_EQ(again.sequence, first.sequence);
  EXPECT_EQ(again.recorded_at, first.recorded_at);
  ASSERT_THAT(again.balances, SizeIs(2));
  EXPECT_EQ(again.balances[0].totals, first.balances[0].totals) << "as they were right after the original";
  EXPECT_EQ(again.balances[1].totals, MakeTotals(0, 10));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(0, 15));
  EXPECT_EQ(HeadSequence(), 5U);
}

TEST_F(LedgerCommit, ADuplicateInsideOneBatchIsFound) {
  const auto results = CommitAll({MakePost(1, world_, alice_, 10), MakePost(1, world_, alice_, 10),
                                  MakePost(1, world_, alice_, 11), MakePost(1, world_, alice_, 10)});
  EXPECT_THAT(results, ElementsAre(HasOutcome(Outcome::kApplied), HasOutcome(Outcome::kDuplicate),
                                   HasOutcome(Outcome::kConflict), HasOutcome(Outcome::kDuplicate)));
  EXPECT_EQ(results[1].original, Outcome::kApplied);
  EXPECT_EQ(results[1].sequence, results[0].sequence);
  EXPECT_EQ(results[1].recorded_at, results[0].recorded_at);
  EXPECT_EQ(results[2].conflict, Field::kPostings);
  EXPECT_EQ(results[2].sequence, results[0].sequence);
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(0, 10));
}

TEST_F(LedgerCommit, ADuplicateOfARejectedOneInsideABatchIsFound) {
  const auto results =
      CommitAll({MakePost(1, alice_, bob_, 10), MakePost(2, world_, alice_, 10), MakePost(1, alice_, bob_, 10)});
  EXPECT_THAT(results[0], HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds));
  EXPECT_THAT(results[2], HasOutcome(Outcome::kDuplicate, Reason::kInsufficientFunds));
  EXPECT_EQ(results[2].original, Outcome::kRejected);
  EXPECT_EQ(results[2].sequence, results[0].sequence);
}

TEST_F(LedgerCommit, DuplicatesAreFoundAfterReopening) {
  ASSERT_THAT(Commit(MakePost(1, world_, alice_, 10)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakePost(2, bob_, alice_, 10)), HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds));
  Reopen();
  const CommitResult applied = Commit(MakePost(1, world_, alice_, 10), {.balances = true});
  EXPECT_EQ(applied.outcome, Outcome::kDuplicate);
  EXPECT_EQ(applied.original, Outcome::kApplied);
  EXPECT_EQ(applied.sequence, Sequence(4));
  ASSERT_THAT(applied.balances, SizeIs(2));
  EXPECT_EQ(applied.balances[1].totals, MakeTotals(0, 10));
  const CommitResult rejected = Commit(MakePost(2, bob_, alice_, 10), {.balances = true});
  EXPECT_THAT(rejected, HasOutcome(Outcome::kDuplicate, Reason::kInsufficientFunds));
  EXPECT_EQ(rejected.original, Outcome::kRejected);
  EXPECT_THAT(rejected.balances, IsEmpty());
  ExpectConflict(MakePost(2, bob_, alice_, 11), Field::kPostings);
}

TEST_F(LedgerCommit, AConflictNamesEachFieldAndLeavesNothingBehind) {
  Transaction t = Unique(MakePost(1, {{world_, alice_, 1}, {world_, bob_, 2}}), 7, "r");
  t.effective_at = clock_.Now();
  t.metadata = "m";
  ASSERT_THAT(Commit(t), HasOutcome(Outcome::kApplied));
  const auto altered = [&t](auto change) {
    Transaction other = t;
    change(other);
    return other;
  };
  const auto hold = altered([&](Transaction& o) {
    o.kind = TransactionKind::kHold;
    o.postings = {{world_, alice_, 9}};
  });
  for (int round = 0; round < 2; ++round) {
    ExpectConflict(hold, Field::kKind);
    ExpectConflict(altered([](Transaction& o) { o.postings[1].amount = 3; }), Field::kPostings);
    ExpectConflict(altered([](Transaction& o) { o.postings.resize(1); }), Field::kPostings);
    ExpectConflict(altered([&](Transaction& o) { o.postings[0].debit = bob_; }), Field::kPostings);
    ExpectConflict(altered([](Transaction& o) { std::swap(o.postings[0], o.postings[1]); }), Field::kPostings);
    ExpectConflict(altered([](Transaction& o) { o.code = 8; }), Field::kCode);
    ExpectConflict(altered([](Transaction& o) { o.reference = "s"; }), Field::kReference);
    ExpectConflict(altered([](Transaction& o) { o.unique_reference = false; }), Field::kUniqueReference);
    ExpectConflict(altered([](Transaction& o) { o.effective_at.reset(); }), Field::kEffectiveAt);
    ExpectConflict(altered([](Transaction& o) { *o.effective_at += absl::Nanoseconds(1); }), Field::kEffectiveAt);
    ExpectConflict(altered([](Transaction& o) { o.metadata = "n"; }), Field::kMetadata);
    ExpectConflict(altered([](Transaction& o) { o.metadata.clear(); }), Field::kMetadata);
    EXPECT_THAT(Commit(t), HasOutcome(Outcome::kDuplicate));
    Reopen();
  }
}

TEST_F(LedgerCommit, AConflictNamesEachFieldOfAHoldAndACapture) {
  Transaction hold = MakeHold(1, world_, alice_, 10);
  hold.expires_at = clock_.Now() + absl::Hours(1);
  Transaction capture = MakeCapture(2, Target::Key(Key(1)), 4);
  ASSERT_THAT(CommitAll({hold, capture}), ElementsAre(HasOutcome(Outcome::kApplied), HasOutcome(Outcome::kApplied)));
  for (int round = 0; round < 2; ++round) {
    Transaction other = hold;
    *other.expires_at += absl::Nanoseconds(1);
    ExpectConflict(other, Field::kExpiresAt);
    other.expires_at.reset();
    ExpectConflict(other, Field::kExpiresAt);
    other = capture;
    other.target = Target::Key(Key(3));
    ExpectConflict(other, Field::kTarget);
    other.target = Target::Reference(1, "r");
    ExpectConflict(other, Field::kTarget);
    other = capture;
    other.amount = 5;
    ExpectConflict(other, Field::kAmount);
    other.amount = 0;
    ExpectConflict(other, Field::kAmount);
    other = capture;
    other.final_capture = true;
    ExpectConflict(other, Field::kFinalCapture);
    Reopen();
  }
}

TEST_F(LedgerCommit, AConflictNamesTheFirstOfSeveralDifferences) {
  Transaction t = Unique(MakeCapture(1, Target::Key(Key(9)), 4), 7, "r");
  ASSERT_THAT(CommitAll({MakeHold(9, world_, alice_, 10), t}),
              ElementsAre(HasOutcome(Outcome::kApplied), HasOutcome(Outcome::kApplied)));
  Transaction other = Named(MakeRelease(1, Target::Reference(2, "x")), 8, "s");
  other.metadata = "m";
  ExpectConflict(other, Field::kKind);
  other = Named(MakeFinalCapture(1, Target::Reference(2, "x"), 5), 8, "s");
  other.metadata = "m";
  other.effective_at = clock_.Now();
  ExpectConflict(other, Field::kTarget);
  other.target = t.target;
  ExpectConflict(other, Field::kAmount);
  other.amount = t.amount;
  ExpectConflict(other, Field::kFinalCapture);
  other.final_capture = false;
  ExpectConflict(other, Field::kCode);
  other.code = 7;
  ExpectConflict(other, Field::kReference);
  other.reference = "r";
  ExpectConflict(other, Field::kUniqueReference);
  other.unique_reference = true;
  ExpectConflict(other, Field::kEffectiveAt);
  other.effective_at.reset();
  ExpectConflict(other, Field::kMetadata);
  other.metadata.clear();
  EXPECT_THAT(Commit(other), HasOutcome(Outcome::kDuplicate));
}

TEST_F(LedgerCommit, AConflictWithARejectedTransactionNamesItsPlace) {
  const CommitResult rejected = Commit(MakePost(1, alice_, bob_, 10));
  ASSERT_THAT(rejected, HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds));
  const CommitResult conflict = Commit(MakePost(1, alice_, bob_, 11));
  EXPECT_EQ(conflict.outcome, Outcome::kConflict);
  EXPECT_EQ(conflict.sequence, rejected.sequence);
  EXPECT_EQ(conflict.recorded_at, rejected.recorded_at);
}

TEST_F(LedgerCommit, TimesAreComparedInWholeNanoseconds) {
  Transaction t = MakePost(1, world_, alice_, 1);
  t.effective_at = clock_.Now() + absl::Nanoseconds(1) / 4;
  ASSERT_THAT(Commit(t), HasOutcome(Outcome::kApplied));
  t.effective_at = clock_.Now() + absl::Nanoseconds(1) / 2;
  EXPECT_THAT(Commit(t), HasOutcome(Outcome::kDuplicate));
  t.effective_at = clock_.Now();
  EXPECT_THAT(Commit(t), HasOutcome(Outcome::kDuplicate));
  EXPECT_EQ(ViewOf(1).record.transaction.effective_at, clock_.Now());
}

TEST_F(LedgerCommit, HostRecordsAreNoContent) {
  Transaction t = MakePost(1, world_, alice_, 1);
  t.host_records = {{"k", "1"}};
  ASSERT_THAT(Commit(t), HasOutcome(Outcome::kApplied));
  t.host_records = {{"k", "2"}};
  EXPECT_THAT(Commit(t), HasOutcome(Outcome::kDuplicate));
  EXPECT_THAT(store_->Get("k"), IsOkAndHolds(std::optional<std::string>("1")));
}

TEST_F(LedgerCommit, AnyKeyIsAKeyAndNeighboursAreNotMixedUp) {
  Transaction zero = MakePost(0, world_, alice_, 1);
  std::array<uint8_t, 16> ones;
  ones.fill(0xff);
  Transaction last = MakePost(0, world_, alice_, 2);
  last.key = IdempotencyKey(ones);
  ones[15] = 0xfe;
  Transaction before_last = MakePost(0, world_, alice_, 4);
  before_last.key = IdempotencyKey(ones);
  for (const Transaction& t : {last, zero, before_last}) EXPECT_THAT(Commit(t), HasOutcome(Outcome::kApplied));
  Reopen();
  for (const Transaction& t : {last, zero, before_last}) EXPECT_THAT(Commit(t), HasOutcome(Outcome::kDuplicate));
  EXPECT_EQ(Available(alice_), 7);
}

// ---- Batches ----------------------------------------------------------------------------------------------------

TEST_F(LedgerCommit, ABatchIsDecidedInTheOrderGiven) {
  EXPECT_THAT(
      CommitAll({MakePost(1, alice_, bob_, 10), MakePost(2, world_, alice_, 10), MakePost(3, alice_, bob_, 10)}),
      ElementsAre(HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds), HasOutcome(Outcome::kApplied),
                  HasOutcome(Outcome::kApplied)));
}

TEST_F(LedgerCommit, OneBadTransactionDoesNotHoldUpTheOthers) {
  EXPECT_THAT(CommitAll({MakePost(1, world_, alice_, 0), MakePost(2, world_, AccountId(77), 1),
                         MakeCapture(3, Target::Key(Key(8))), MakePost(4, world_, alice_, 1)}),
              ElementsAre(HasOutcome(Outcome::kInvalid, Reason::kZeroAmount),
                          HasOutcome(Outcome::kDeferred, Reason::kAccountNotFound),
                          HasOutcome(Outcome::kDeferred, Reason::kTargetNotFound), HasOutcome(Outcome::kApplied)));
  EXPECT_EQ(HeadSequence(), 4U);
}

TEST_F(LedgerCommit, AnEmptyBatchIsRefused) {
  EXPECT_THAT(ledger_->Commit(std::vector<Transaction>{}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(LedgerCommit, ABatchOverTheBoundIsRefusedAndNothingDone) {
  std::vector<Transaction> batch;
  for (size_t i = 0; i <= kMaxBatchTransactions; ++i) batch.push_back(MakePost(i, world_, alice_, 1));
  EXPECT_THAT(ledger_->Commit(batch), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(HeadSequence(), 3U);
  batch.pop_back();
  EXPECT_THAT(ledger_->Commit(batch), IsOk());
  EXPECT_EQ(Available(alice_), kMaxBatchTransactions);
}

TEST_F(LedgerCommit, ABatchOverEightMebibytesIsRefusedAndNothingDone) {
  std::vector<Transaction> batch;
  for (size_t i = 0; i < 2200; ++i) {
    batch.push_back(MakePost(i, world_, alice_, 1));
    batch.back().metadata = std::string(4096, 'm');
  }
  EXPECT_THAT(ledger_->Commit(batch), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(HeadSequence(), 3U);
  batch.resize(1900);
  EXPECT_THAT(ledger_->Commit(batch), IsOk());
  EXPECT_EQ(Available(alice_), 1900);
}

TEST_F(LedgerCommit, HostRecordsCountTowardsTheBytesOfABatch) {
  std::vector<Transaction> batch;
  for (size_t i = 0; i < 300; ++i) {
    batch.push_back(MakePost(i, world_, alice_, 1));
    batch.back().host_records.assign(8, {"k", std::string(4096, 'v')});
  }
  EXPECT_THAT(ledger_->Commit(batch), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(HeadSequence(), 3U);
}

// ---- Retry in the batch -------------------------------------------------------------------------------------------

constexpr CommitOptions kRetry = {.balances = false, .deferred = DeferredPolicy::kRetryInBatch};

TEST_F(LedgerCommit, WithoutRetryATargetLaterInTheBatchIsNotWaitedFor) {
  EXPECT_THAT(CommitAll({MakeCapture(1, Target::Key(Key(2))), MakeHold(2, world_, alice_, 5)}),
              ElementsAre(HasOutcome(Outcome::kDeferred, Reason::kTargetNotFound), HasOutcome(Outcome::kApplied)));
}

TEST_F(LedgerCommit, WithRetryATransactionRunsRightAfterTheTargetItWaitsFor) {
  const auto results = CommitAll({MakeReverse(1, Target::Key(Key(2))), MakeCapture(2, Target::Reference(7, "h")),
                                  Named(MakeHold(3, world_, alice_, 5), 7, "h"), MakePost(4, world_, bob_, 1)},
                                 kRetry);
  for (const CommitResult& result : results) EXPECT_EQ(result.outcome, Outcome::kApplied);
  // The hold, its capture, that one's reversal, and only then the next in the batch.
  EXPECT_EQ(results[2].sequence, Sequence(4));
  EXPECT_EQ(results[1].sequence, Sequence(5));
  EXPECT_EQ(results[0].sequence, Sequence(6));
  EXPECT_EQ(results[3].sequence, Sequence(7));
}

TEST_F(LedgerCommit, ThoseThatWaitForOneAreTriedInTheOrderGiven) {
  const auto results =
      CommitAll({MakeCapture(1, Target::Reference(7, "h"), 6), MakeCapture(2, Target::Key(Key(4)), 6),
                 MakeCapture(3, Target::Reference(7, "h"), 4), Named(MakeHold(4, world_, alice_, 10), 7, "h")},
                kRetry);
  EXPECT_THAT(results,
              ElementsAre(HasOutcome(Outcome::kApplied), HasOutcome(Outcome::kRejected, Reason::kExceedsTarget),
                          HasOutcome(Outcome::kApplied), HasOutcome(Outcome::kApplied)));
}

TEST_F(LedgerCommit, ThoseThatOneTransactionWakesAreTakenAllAtOnce) {
  // The first capture, once applied, has the code and reference that the third names too; the third was woken before.
  const auto results =
      CommitAll({Named(MakeCapture(1, Target::Key(Key(4)), 1), 7, "h"), MakeCapture(2, Target::Key(Key(4)), 1),
                 MakeCapture(3, Target::Reference(7, "h"), 1), Named(MakeHold(4, world_, alice_, 10), 7, "h")},
                kRetry);
  EXPECT_EQ(results[3].sequence, Sequence(4));
  EXPECT_EQ(results[0].sequence, Sequence(5));
  EXPECT_EQ(results[1].sequence, Sequence(6));
  EXPECT_EQ(results[2].sequence, Sequence(7));
  EXPECT_EQ(results[2].outcome, Outcome::kApplied);
}

TEST_F(LedgerCommit, ARejectedTargetIsNotTheOneWaitedFor) {
  const auto results = CommitAll({MakeCapture(1, Target::Key(Key(2))), MakeHold(2, alice_, bob_, 5)}, kRetry);
  EXPECT_THAT(results[1], HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds));
  EXPECT_THAT(results[0], HasOutcome(Outcome::kDeferred, Reason::kTargetNotFound));
  EXPECT_THAT(Commit(MakeCapture(1, Target::Key(Key(2)))), HasOutcome(Outcome::kRejected, Reason::kTargetMismatch))
      << "asked again, the target is known to be rejected";
}

TEST_F(LedgerCommit, WhatNeverComesStaysDeferred) {
  EXPECT_THAT(CommitAll({MakeCapture(1, Target::Key(Key(2))), MakePost(3, world_, AccountId(9), 1),
                         MakeReverse(4, Target::Key(Key(4))), MakePost(5, world_, alice_, 1)},
                        kRetry),
              ElementsAre(HasOutcome(Outcome::kDeferred, Reason::kTargetNotFound),
                          HasOutcome(Outcome::kDeferred, Reason::kAccountNotFound),
                          HasOutcome(Outcome::kDeferred, Reason::kTargetNotFound), HasOutcome(Outcome::kApplied)));
}

TEST_F(LedgerCommit, TheSameWaitingTransactionTwiceIsAppliedOnce) {
  const auto results = CommitAll(
      {MakeCapture(1, Target::Key(Key(2)), 3), MakeCapture(1, Target::Key(Key(2)), 3), MakeHold(2, world_, alice_, 5)},
      kRetry);
  EXPECT_THAT(results, ElementsAre(HasOutcome(Outcome::kApplied), HasOutcome(Outcome::kDuplicate),
                                   HasOutcome(Outcome::kApplied)));
  EXPECT_EQ(BalanceOf(alice_), MakeTotals(0, 3, 0, 2));
}

// ---- Expiry before a block ------------------------------------------------------------------------------------------

TEST_F(LedgerCommit, HoldsRunOutBeforeTheBatchIsDecided) {
  Give(alice_, 10);
  Transaction hold = MakeHold(1, alice_, bob_, 10);
  hold.expires_at = clock_.Now() + absl::Seconds(10);
  ASSERT_THAT(Commit(hold), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(Commit(MakePost(2, alice_, bob_, 1)), HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds));
  clock_.Advance(absl::Seconds(10));
  const CommitResult result = Commit(MakePost(3, alice_, bob_, 10));
  EXPECT_THAT(result, HasOutcome(Outcome::kApplied));
  EXPECT_EQ(result.sequence, Sequence(8));
  EXPECT_EQ(result.recorded_at, clock_.Now() + absl::Nanoseconds(1));
  EXPECT_EQ(std::get<HoldExpired>(JournalAfter(6).at(0).body).hold, Sequence(5));
}

TEST_F(LedgerCommit, ABatchOfOnlyInvalidOnesStillExpiresHolds) {
  Transaction hold = MakeHold(1, world_, bob_, 10);
  hold.expires_at = clock_.Now() + absl::Seconds(10);
  ASSERT_THAT(Commit(hold), HasOutcome(Outcome::kApplied));
  clock_.Advance(absl::Seconds(10));
  EXPECT_THAT(Commit(MakePost(2, world_, bob_, 0)), HasOutcome(Outcome::kInvalid, Reason::kZeroAmount));
  EXPECT_EQ(HeadSequence(), 5U);
}

}  // namespace
}  // namespace northwind::testing

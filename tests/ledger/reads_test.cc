// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <vector>

#include "tests/support/ledger_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LedgerReads : public LedgerFixture {
 protected:
  // Ten posts of 1 … 10 to alice, a second apart, at sequences 4 … 13 and times first_ … first_ + 9 s; codes 0, 1, 2, …
  void TenPosts() {
    first_ = clock_.Now() + absl::Seconds(100);
    for (uint64_t n = 1; n <= 10; ++n) {
      clock_.Set(first_ + absl::Seconds(n - 1));
      Transaction t = MakePost(n, world_, alice_, n);
      t.code = static_cast<uint16_t>(n % 3);
      ASSERT_THAT(Commit(t), HasOutcome(Outcome::kApplied));
    }
  }
  std::vector<uint64_t> Sequences(const HistoryPage& page) {
    std::vector<uint64_t> sequences;
    for (const Entry& entry : page.entries) sequences.push_back(entry.sequence.value());
    return sequences;
  }
  HistoryPage PageOf(AccountId id, const HistoryQuery& query) {
    auto page = ledger_->History(id, query);
    EXPECT_THAT(page, IsOk());
    return page.ok() ? *page : HistoryPage{};
  }
  absl::Time first_;
};

// ---- Balances -------------------------------------------------------------------------------------------------------

TEST_F(LedgerReads, BalancesOfSeveralAccountsComeInTheOrderAsked) {
  Give(alice_, 5);
  Give(bob_, 7);
  EXPECT_THAT(ledger_->Balances(std::vector<AccountId>{bob_, world_, alice_, bob_}),
              IsOkAndHolds(ElementsAre(MakeTotals(0, 7), MakeTotals(12, 0), MakeTotals(0, 5), MakeTotals(0, 7))));
  EXPECT_THAT(ledger_->Balances(std::vector<AccountId>{}), IsOkAndHolds(IsEmpty()));
}

TEST_F(LedgerReads, ABalanceAsOfASequenceStandsRightAfterThatRecord) {
  TenPosts();
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(ledger_->BalanceAt(alice_, Sequence(0)), IsOkAndHolds(Totals{}));
    EXPECT_THAT(ledger_->BalanceAt(alice_, Sequence(3)), IsOkAndHolds(Totals{}));
    EXPECT_THAT(ledger_->BalanceAt(alice_, Sequence(4)), IsOkAndHolds(MakeTotals(0, 1)));
    EXPECT_THAT(ledger_->BalanceAt(alice_, Sequence(6)), IsOkAndHolds(MakeTotals(0, 6)));
    EXPECT_THAT(ledger_->BalanceAt(world_, Sequence(6)), IsOkAndHolds(MakeTotals(6, 0)));
    EXPECT_THAT(ledger_->BalanceAt(bob_, Sequence(6)), IsOkAndHolds(Totals{}));
    EXPECT_THAT(ledger_->BalanceAt(alice_, Sequence(13)), IsOkAndHolds(MakeTotals(0, 55)));
    EXPECT_THAT(ledger_->BalanceAt(alice_, Sequence(14)), StatusIs(absl::StatusCode::kOutOfRange));
    Reopen();
  }
}

TEST_F(LedgerReads, ABalanceAsOfATimeCountsTheRecordOfThatNanosecond) {
  TenPosts();
  for (int round = 0; round < 2; ++round) {
    const absl::Time third = first_ + absl::Seconds(2);
    EXPECT_THAT(ledger_->BalanceAt(alice_, third - absl::Nanoseconds(1)), IsOkAndHolds(MakeTotals(0, 3)));
    EXPECT_THAT(ledger_->BalanceAt(alice_, third), IsOkAndHolds(MakeTotals(0, 6)));
    EXPECT_THAT(ledger_->BalanceAt(alice_, third + absl::Nanoseconds(1)), IsOkAndHolds(MakeTotals(0, 6)));
    EXPECT_THAT(ledger_->BalanceAt(alice_, absl::InfinitePast()), IsOkAndHolds(Totals{}));
    EXPECT_THAT(ledger_->BalanceAt(alice_, first_ - absl::Nanoseconds(1)), IsOkAndHolds(Totals{}));
    EXPECT_THAT(ledger_->BalanceAt(alice_, absl::InfiniteFuture()), IsOkAndHolds(MakeTotals(0, 55)));
    Reopen();
  }
}

TEST_F(LedgerReads, ABalanceAsOfNeverFollowsTheClockBack) {
  TenPosts();
  clock_.Set(first_ - absl::Hours(1));
  ASSERT_THAT(Commit(MakePost(11, world_, alice_, 100)), HasOutcome(Outcome::kApplied));
  EXPECT_THAT(ledger_->BalanceAt(alice_, first_), IsOkAndHolds(MakeTotals(0, 1)));
  EXPECT_THAT(ledger_->BalanceAt(alice_, first_ + absl::Seconds(9)), IsOkAndHolds(MakeTotals(0, 55)));
  EXPECT_THAT(ledger_->BalanceAt(alice_, first_ + absl::Seconds(9) + absl::Nanoseconds(1)),
              IsOkAndHolds(MakeTotals(0, 155)));
}

// ---- History --------------------------------------------------------------------------------------------------------

TEST_F(LedgerReads, AnEntrySaysWhatItDidAndWhereItLeftTheAccount) {
  clock_.Advance(absl::Seconds(1));
  Transaction t = MakePost(1, {{world_, alice_, 10}, {alice_, bob_, 4}, {world_, alice_, 1}});
  t.code = 9;
  ASSERT_THAT(Commit(t), HasOutcome(Outcome::kApplied));
  const std::vector<Entry> entries = HistoryOf(alice_);
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_EQ(entries[0], (Entry{.sequence = Sequence(4),
                               .index = 0,
                               .recorded_at = clock_.Now(),
                               .kind = EntryKind::kCredit,
                               .amount = 10,
                               .code = 9,
                               .after = MakeTotals(0, 10)}));
  EXPECT_EQ(entries[1], (Entry{.sequence = Sequence(4),
                               .index = 1,
                               .recorded_at = clock_.Now(),
                               .kind = EntryKind::kDebit,
                               .amount = 4,
                               .code = 9,
                               .after = MakeTotals(4, 10)}));
  EXPECT_EQ(entries[2].index, 2U);
  EXPECT_EQ(entries[2].after, MakeTotals(4, 11));
}

TEST_F(LedgerReads, EveryKindOfEntryIsToldApart) {
  Give(alice_, 100);
  Transaction expiring = Named(MakeHold(4, alice_, bob_, 3), 9, "x");
  expiring.expires_at = clock_.Now() + absl::Seconds(1);
  ASSERT_THAT(CommitAll({MakeHold(1, alice_, bob_, 30), MakeCapture(2, Target::Key(Key(1)), 10),
                         Named(MakeFinalCapture(3, Target::Key(Key(1)), 5), 6, "f"), expiring,
                         MakeReverse(5, Target::Key(Key(2)))}),
              SizeIs(5));
  clock_.Advance(absl::Seconds(1));
  ASSERT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(1U));
  for (int round = 0; round < 2; ++round) {
    const std::vector<Entry> entries = HistoryOf(alice_);
    std::vector<EntryKind> kinds;
    for (const Entry& entry : entries) kinds.push_back(entry.kind);
    ASSERT_THAT(kinds, ElementsAre(EntryKind::kCredit, EntryKind::kHoldDebit, EntryKind::kCaptureDebit,
                                   EntryKind::kCaptureDebit, EntryKind::kReleaseDebit, EntryKind::kHoldDebit,
                                   EntryKind::kCredit, EntryKind::kReleaseDebit));
    EXPECT_EQ(entries[3].sequence, entries[4].sequence);
    EXPECT_EQ(entries[3].index, 0U);
    EXPECT_EQ(entries[4].index, 1U) << "the rest is released after the capture";
    EXPECT_EQ(entries[4].amount, Amount(15));
    EXPECT_EQ(entries[4].code, 6);
    EXPECT_EQ(entries[7].code, 9) << "an expiry has the code of its hold";
    EXPECT_EQ(entries[7].after, MakeTotals(15, 110));
    std::vector<EntryKind> of_bob;
    for (const Entry& entry : HistoryOf(bob_)) of_bob.push_back(entry.kind);
    EXPECT_THAT(of_bob, ElementsAre(EntryKind::kHoldCredit, EntryKind::kCaptureCredit, EntryKind::kCaptureCredit,
                                    EntryKind::kReleaseCredit, EntryKind::kHoldCredit, EntryKind::kDebit,
                                    EntryKind::kReleaseCredit));
    Reopen();
  }
}

TEST_F(LedgerReads, RejectedTransactionsHaveNoEntries) {
  ASSERT_THAT(Commit(MakePost(1, alice_, bob_, 4)), HasOutcome(Outcome::kRejected));
  EXPECT_THAT(HistoryOf(alice_), IsEmpty());
  EXPECT_THAT(HistoryOf(bob_), IsEmpty());
}

TEST_F(LedgerReads, HistoryComesForwardAndBackwardInPages) {
  TenPosts();
  for (int round = 0; round < 2; ++round) {
    HistoryPage page = PageOf(alice_, {.limit = 4});
    EXPECT_THAT(Sequences(page), ElementsAre(4, 5, 6, 7));
    ASSERT_TRUE(page.next.has_value());
    page = PageOf(alice_, {.limit = 4, .cursor = page.next});
    EXPECT_THAT(Sequences(page), ElementsAre(8, 9, 10, 11));
    page = PageOf(alice_, {.limit = 4, .cursor = page.next});
    EXPECT_THAT(Sequences(page), ElementsAre(12, 13));
    EXPECT_EQ(page.next, std::nullopt);

    page = PageOf(alice_, {.direction = Direction::kBackward, .limit = 6});
    EXPECT_THAT(Sequences(page), ElementsAre(13, 12, 11, 10, 9, 8));
    page = PageOf(alice_, {.direction = Direction::kBackward, .limit = 4, .cursor = page.next});
    EXPECT_THAT(Sequences(page), ElementsAre(7, 6, 5, 4));
    EXPECT_EQ(page.next, std::nullopt) << "a full last page says that it is the last";
    Reopen();
  }
}

TEST_F(LedgerReads, ACursorStaysWhereItIsWhileEntriesAreAdded) {
  TenPosts();
  const HistoryPage page = PageOf(alice_, {.limit = 4});
  ASSERT_THAT(Commit(MakePost(11, world_, alice_, 1)), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(ledger_->WriteIndexes(), IsOk());
  EXPECT_THAT(Sequences(PageOf(alice_, {.limit = 100, .cursor = page.next})), ElementsAre(8, 9, 10, 11, 12, 13, 14));
  EXPECT_THAT(Sequences(PageOf(alice_, {.direction = Direction::kBackward, .limit = 100, .cursor = page.next})),
              ElementsAre(6, 5, 4))
      << "a cursor serves both directions";
}

TEST_F(LedgerReads, APageMayEndInsideATransaction) {
  ASSERT_THAT(Commit(MakePost(1, {{world_, alice_, 1}, {world_, alice_, 2}, {world_, alice_, 3}})),
              HasOutcome(Outcome::kApplied));
  const HistoryPage first = PageOf(alice_, {.limit = 2});
  ASSERT_THAT(first.entries, SizeIs(2));
  EXPECT_EQ(first.next, (HistoryCursor{Sequence(4), 1}));
  const HistoryPage second = PageOf(alice_, {.limit = 2, .cursor = first.next});
  ASSERT_THAT(second.entries, SizeIs(1));
  EXPECT_EQ(second.entries[0].amount, Amount(3));
  EXPECT_EQ(second.entries[0].after, MakeTotals(0, 6));
}

TEST_F(LedgerReads, HistoryIsFilteredByCode) {
  TenPosts();
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(Sequences(PageOf(alice_, {.code = 1})), ElementsAre(4, 7, 10, 13));
    EXPECT_THAT(Sequences(PageOf(alice_, {.direction = Direction::kBackward, .code = 2})), ElementsAre(11, 8, 5));
    EXPECT_THAT(Sequences(PageOf(alice_, {.code = 77})), IsEmpty());
    const HistoryPage page = PageOf(alice_, {.limit = 2, .code = 1});
    EXPECT_THAT(Sequences(PageOf(alice_, {.limit = 2, .cursor = page.next, .code = 1})), ElementsAre(10, 13));
    Reopen();
  }
}

TEST_F(LedgerReads, HistoryIsFilteredByTimeFromInclusiveToExclusive) {
  TenPosts();
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(Sequences(PageOf(alice_, {.from = first_ + absl::Seconds(2), .to = first_ + absl::Seconds(5)})),
                ElementsAre(6, 7, 8));
    EXPECT_THAT(Sequences(PageOf(alice_, {.direction = Direction::kBackward,
                                          .from = first_ + absl::Seconds(2),
                                          .to = first_ + absl::Seconds(5)})),
                ElementsAre(8, 7, 6));
    EXPECT_THAT(Sequences(PageOf(alice_, {.from = first_ + absl::Seconds(9)})), ElementsAre(13));
    EXPECT_THAT(Sequences(PageOf(alice_, {.to = first_ + absl::Nanoseconds(1)})), ElementsAre(4));
    EXPECT_THAT(Sequences(PageOf(alice_, {.to = first_})), IsEmpty());
    EXPECT_THAT(Sequences(PageOf(alice_, {.from = first_ + absl::Seconds(5), .to = first_})), IsEmpty());
    EXPECT_THAT(
        Sequences(PageOf(alice_, {.code = 1, .from = first_ + absl::Seconds(1), .to = first_ + absl::Seconds(7)})),
        ElementsAre(7, 10));
    Reopen();
  }
}

TEST_F(LedgerReads, APageOutsideItsBoundsIsRefused) {
  EXPECT_THAT(ledger_->History(alice_, {.limit = 0}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ledger_->History(alice_, {.limit = kMaxHistoryPage + 1}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ledger_->History(alice_, {.limit = kMaxHistoryPage}), IsOk());
  EXPECT_THAT(ledger_->FindByReference(1, "r", 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ledger_->FindByReference(1, "r", kMaxLinkPage + 1), StatusIs(absl::StatusCode::kInvalidArgument));
}

// More than one chunk of an index, several checkpoints, and some still in memory.
TEST_F(LedgerReads, ALongHistoryIsOnePieceAcrossCheckpoints) {
  absl::uint128 sum = 0;
  uint64_t key = 0;
  for (int part = 0; part < 4; ++part) {
    std::vector<Transaction> batch;
    for (int i = 0; i < 700; ++i) {
      ++key;
      sum += key;
      batch.push_back(MakePost(key, world_, alice_, key));
    }
    ASSERT_THAT(CommitAll(batch), SizeIs(700));
    if (part < 3) {
      ASSERT_THAT(ledger_->WriteIndexes(), IsOk());
    }
  }
  for (int round = 0; round < 2; ++round) {
    for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
      HistoryQuery query{.direction = direction, .limit = 333};
      uint64_t seen = 0;
      do {
        const HistoryPage page = PageOf(alice_, query);
        for (const Entry& entry : page.entries) {
          const uint64_t n = direction == Direction::kForward ? seen + 1 : 2800 - seen;
          ASSERT_EQ(entry.amount, Amount(n));
          ASSERT_EQ(entry.sequence, Sequence(n + 3));
          ASSERT_EQ(entry.after, MakeTotals(0, n * (n + 1) / 2));
          ++seen;
        }
        query.cursor = page.next;
      } while (query.cursor.has_value());
      EXPECT_EQ(seen, 2800U);
    }
    for (const uint64_t n : {1, 255, 256, 257, 512, 699, 700, 701, 1400, 2099, 2100, 2101, 2799, 2800}) {
      EXPECT_THAT(ledger_->BalanceAt(alice_, Sequence(n + 3)), IsOkAndHolds(MakeTotals(0, n * (n + 1) / 2))) << n;
    }
    EXPECT_EQ(BalanceOf(alice_).credits_posted, sum);
    Reopen();
  }
}

// ---- Transactions -----------------------------------------------------------------------------------------------------

TEST_F(LedgerReads, ATransactionIsFoundByKeyAndBySequence) {
  clock_.Advance(absl::Seconds(1));
  ASSERT_THAT(Commit(Named(MakePost(1, world_, alice_, 10), 7, "r")), HasOutcome(Outcome::kApplied));
  ASSERT_THAT(Commit(MakePost(2, bob_, alice_, 10)), HasOutcome(Outcome::kRejected));
  for (int round = 0; round < 2; ++round) {
    NW_ASSERT_OK_AND_ASSIGN(const TransactionView view, ledger_->GetTransaction(Sequence(4)));
    EXPECT_TRUE(Same(view, ViewOf(1)));
    EXPECT_EQ(view.sequence, Sequence(4));
    EXPECT_EQ(view.recorded_at, clock_.Now());
    EXPECT_EQ(view.record.outcome, Outcome::kApplied);
    EXPECT_EQ(view.record.target, Sequence());
    EXPECT_THAT(view.record.moved, ElementsAre(Posting{world_, alice_, 10}));
    EXPECT_TRUE(Same(view.record.transaction, Named(MakePost(1, world_, alice_, 10), 7, "r")));
    EXPECT_THAT(view.links, IsEmpty());
    const TransactionView rejected = ViewOf(2);
    EXPECT_EQ(rejected.sequence, Sequence(5));
    EXPECT_EQ(rejected.record.outcome, Outcome::kRejected);
    EXPECT_EQ(rejected.record.reason, Reason::kInsufficientFunds);
    EXPECT_THAT(rejected.record.moved, IsEmpty());
    Reopen();
  }
}

TEST_F(LedgerReads, WhatIsNotATransactionIsNotFound) {
  EXPECT_THAT(ledger_->GetTransaction(Sequence(0)), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ledger_->GetTransaction(Sequence(1)), StatusIs(absl::StatusCode::kNotFound)) << "an account's opening";
  EXPECT_THAT(ledger_->GetTransaction(Sequence(4)), StatusIs(absl::StatusCode::kNotFound)) << "after the head";
  EXPECT_THAT(ledger_->GetTransaction(Key(1)), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(LedgerReads, AViewNamesAllThatWorkedOnATransactionInOrder) {
  Transaction hold = Named(MakeHold(1, world_, alice_, 100), 7, "h");
  hold.expires_at = clock_.Now() + absl::Seconds(1);
  ASSERT_THAT(
      CommitAll({hold, MakeCapture(2, Target::Key(Key(1)), 10), MakeCapture(3, Target::Reference(7, "h"), 20),
                 MakeCapture(4, Target::Key(Key(1)), 999), MakeReverse(5, Target::Key(Key(3)), {{alice_, world_, 5}})}),
      SizeIs(5));
  ASSERT_THAT(ledger_->WriteIndexes(), IsOk());
  clock_.Advance(absl::Seconds(1));
  ASSERT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(1U));
  for (int round = 0; round < 2; ++round) {
    const TransactionView view = ViewOf(1);
    EXPECT_THAT(view.links, ElementsAre(Sequence(5), Sequence(6), Sequence(9))) << "the rejected one did nothing";
    EXPECT_EQ(view.captured, Amount(30));
    EXPECT_EQ(view.released, Amount(70));
    EXPECT_EQ(view.remaining, Amount(0));
    EXPECT_THAT(ViewOf(3).links, ElementsAre(Sequence(8)));
    EXPECT_EQ(ViewOf(3).reversed, Amount(5));
    EXPECT_EQ(ViewOf(5).record.target, Sequence(6));
    Reopen();
  }
}

TEST_F(LedgerReads, LinksAreTheFirstThousand) {
  ASSERT_THAT(Commit(MakePost(1, world_, alice_, 2000)), HasOutcome(Outcome::kApplied));
  std::vector<Transaction> batch;
  for (uint64_t n = 2; n <= 1202; ++n) batch.push_back(MakeReverse(n, Target::Key(Key(1)), {{alice_, world_, 1}}));
  ASSERT_THAT(CommitAll(batch), SizeIs(1201));
  for (int round = 0; round < 2; ++round) {
    const TransactionView view = ViewOf(1);
    ASSERT_THAT(view.links, SizeIs(kMaxLinkPage));
    EXPECT_EQ(view.links.front(), Sequence(5));
    EXPECT_EQ(view.links.back(), Sequence(1004));
    EXPECT_EQ(view.reversed, Amount(1201)) << "all of them count all the same";
    Reopen();
  }
}

TEST_F(LedgerReads, AppliedTransactionsAreFoundByCodeAndReference) {
  ASSERT_THAT(CommitAll({Named(MakePost(1, world_, alice_, 1), 7, "r"), Named(MakePost(2, world_, alice_, 2), 8, "r"),
                         Named(MakePost(3, bob_, alice_, 3), 7, "r"), Named(MakePost(4, world_, alice_, 4), 7, "r"),
                         Named(MakePost(5, world_, alice_, 5), 7, "rr")}),
              SizeIs(5));
  const auto sequences = [this](uint16_t code, const char* reference, size_t limit = 100) {
    std::vector<uint64_t> found;
    const auto views = ledger_->FindByReference(code, reference, limit);
    EXPECT_THAT(views, IsOk());
    for (const TransactionView& view : *views) found.push_back(view.sequence.value());
    return found;
  };
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(sequences(7, "r"), ElementsAre(4, 7));
    EXPECT_THAT(sequences(7, "r", 1), ElementsAre(4));
    EXPECT_THAT(sequences(8, "r"), ElementsAre(5));
    EXPECT_THAT(sequences(7, "rr"), ElementsAre(8));
    EXPECT_THAT(sequences(9, "r"), IsEmpty());
    EXPECT_THAT(sequences(7, "rrr"), IsEmpty());
    Reopen();
  }
}

TEST_F(LedgerReads, ReferencesAreAnyBytes) {
  const std::string with_zero("a\0b", 3);
  const std::string high("\xff\xff\x00\xff", 4);
  ASSERT_THAT(CommitAll({Named(MakePost(1, world_, alice_, 1), 0, with_zero),
                         Named(MakePost(2, world_, alice_, 2), 0, "a"), Named(MakePost(3, world_, alice_, 3), 0, high),
                         Named(MakePost(4, world_, alice_, 4), 0, high + high)}),
              SizeIs(4));
  for (int round = 0; round < 2; ++round) {
    for (const auto& [reference, sequence] :
         {std::pair(with_zero, 4), std::pair(std::string("a"), 5), std::pair(high, 6), std::pair(high + high, 7)}) {
      NW_ASSERT_OK_AND_ASSIGN(const std::vector<TransactionView> found, ledger_->FindByReference(0, reference));
      ASSERT_THAT(found, SizeIs(1));
      EXPECT_EQ(found[0].sequence, Sequence(static_cast<uint64_t>(sequence)));
    }
    Reopen();
  }
}

// ---- Head and figures -------------------------------------------------------------------------------------------------

TEST_F(LedgerReads, TheHeadMovesWithEveryRecordAndPinsItsContent) {
  const Head first = ledger_->Head();
  EXPECT_EQ(first.sequence, Sequence(3));
  Give(alice_, 5);
  const Head second = ledger_->Head();
  EXPECT_EQ(second.sequence, Sequence(4));
  EXPECT_NE(second.hash, first.hash);
  EXPECT_THAT(Commit(MakePost(1, world_, alice_, 0)), HasOutcome(Outcome::kInvalid));
  EXPECT_EQ(ledger_->Head(), second) << "nothing was recorded";
  Reopen();
  EXPECT_EQ(ledger_->Head(), second);
}

TEST_F(LedgerReads, AnEmptyLedgerHasTheHeadZero) {
  const TempDir directory;
  NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = directory / "store", .free_space_floor_bytes = 0}));
  NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
  EXPECT_EQ(ledger->Head().sequence, Sequence(0));
  EXPECT_THAT(ledger->ListAccounts(""), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const VerifyReport report, ledger->Verify());
  EXPECT_EQ(report.records, 0U);
  EXPECT_EQ(report.blocks, 0U);
}

TEST_F(LedgerReads, StatsCountWhatIsThere) {
  ASSERT_THAT(Commit(MakeHold(1, world_, alice_, 5)), HasOutcome(Outcome::kApplied));
  const LedgerStats stats = ledger_->Stats();
  EXPECT_EQ(stats.head, ledger_->Head());
  EXPECT_EQ(stats.accounts, 3U);
  EXPECT_EQ(stats.open_holds, 1U);
  EXPECT_EQ(stats.queued_transactions, 0U);
  EXPECT_GT(stats.disk_bytes, 0U);
}

}  // namespace
}  // namespace northwind::testing

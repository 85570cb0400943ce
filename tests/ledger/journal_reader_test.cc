// SPDX-License-Identifier: Apache-2.0
#include <future>
#include <thread>
#include <variant>
#include <vector>

#include "absl/time/clock.h"
#include "tests/support/ledger_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class LedgerJournal : public LedgerFixture {
 protected:
  // A wait that no test ever sits out.
  static absl::Time Long() { return absl::Now() + absl::Hours(1); }
};

TEST_F(LedgerJournal, IsReadFromTheStartInPages) {
  for (uint64_t n = 1; n <= 5; ++n) Commit(MakePost(n, world_, alice_, n));
  JournalReader reader = ledger_->ReadJournal(Sequence(0));
  uint64_t expected = 0;
  while (expected < 8) {
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<JournalRecord> records, reader.Next(3));
    ASSERT_FALSE(records.empty());
    ASSERT_LE(records.size(), 3U);
    for (const JournalRecord& record : records) EXPECT_EQ(record.sequence, Sequence(++expected));
    EXPECT_EQ(reader.position(), Sequence(expected));
  }
  EXPECT_THAT(reader.Next(3), IsOkAndHolds(IsEmpty()));
}

TEST_F(LedgerJournal, IsReadFromAnyPlaceInsideABlock) {
  std::vector<Transaction> batch;
  for (uint64_t n = 1; n <= 20; ++n) batch.push_back(MakePost(n, world_, alice_, n));
  CommitAll(batch);
  for (int round = 0; round < 2; ++round) {
    for (uint64_t after = 3; after < 23; ++after) {
      const std::vector<JournalRecord> records = JournalAfter(after);
      ASSERT_FALSE(records.empty());
      EXPECT_EQ(records[0].sequence, Sequence(after + 1));
      EXPECT_EQ(std::get<TransactionRecorded>(records[0].body).transaction.key, Key(after - 2));
    }
    Reopen();
  }
}

TEST_F(LedgerJournal, GivesTransactionsAsTheyWereAskedForWithoutHostRecords) {
  Transaction t = Unique(MakePost(1, {{world_, alice_, 3}, {world_, bob_, 4}}), 7, "r");
  t.effective_at = clock_.Now() - absl::Hours(5);
  t.metadata = std::string("\0meta", 5);
  Transaction with_host_records = t;
  with_host_records.host_records = {{"k", "v"}};
  ASSERT_THAT(Commit(with_host_records), HasOutcome(Outcome::kApplied));
  const std::vector<JournalRecord> records = JournalAfter(3);
  ASSERT_THAT(records, SizeIs(1));
  const auto& body = std::get<TransactionRecorded>(records[0].body);
  EXPECT_TRUE(Same(body.transaction, t)) << Describe(body.transaction);
  EXPECT_EQ(body.outcome, Outcome::kApplied);
  EXPECT_EQ(body.moved, t.postings);
}

TEST_F(LedgerJournal, AReadWithoutDeadlineDoesNotWait) {
  JournalReader reader = ledger_->ReadJournal(Sequence(3));
  EXPECT_THAT(reader.Next(10), IsOkAndHolds(IsEmpty()));
  EXPECT_EQ(reader.position(), Sequence(3));
}

TEST_F(LedgerJournal, AWaitEndsAtItsDeadlineWithNothing) {
  JournalReader reader = ledger_->ReadJournal(Sequence(3));
  EXPECT_THAT(reader.Next(10, absl::Now() + absl::Milliseconds(1)), IsOkAndHolds(IsEmpty()));
}

TEST_F(LedgerJournal, AWaitIsWokenByTheNextRecord) {
  std::promise<void> started;
  std::vector<JournalRecord> seen;
  std::thread waiter([&] {
    JournalReader reader = ledger_->ReadJournal(Sequence(3));
    started.set_value();
    auto records = reader.Next(10, Long());
    if (records.ok()) seen = *std::move(records);
  });
  started.get_future().wait();
  Commit(MakePost(1, world_, alice_, 5));
  waiter.join();
  ASSERT_THAT(seen, SizeIs(1));
  EXPECT_EQ(seen[0].sequence, Sequence(4));
}

TEST_F(LedgerJournal, AFollowerSeesEveryRecordOnceAndInOrder) {
  constexpr uint64_t kRecords = 2000;
  std::vector<uint64_t> seen;
  std::thread follower([&] {
    JournalReader reader = ledger_->ReadJournal(Sequence(3));
    while (seen.size() < kRecords) {
      const auto records = reader.Next(7, Long());
      if (!records.ok()) return;
      for (const JournalRecord& record : *records) seen.push_back(record.sequence.value());
    }
  });
  for (uint64_t n = 1; n <= kRecords;) {
    std::vector<Transaction> batch;
    for (int i = 0; i < 40 && n <= kRecords; ++i, ++n) batch.push_back(MakePost(n, world_, alice_, 1));
    CommitAll(batch);
  }
  follower.join();
  ASSERT_THAT(seen, SizeIs(kRecords));
  for (uint64_t n = 0; n < kRecords; ++n) ASSERT_EQ(seen[n], n + 4);
}

TEST_F(LedgerJournal, AWaitIsCancelledWhenTheLedgerCloses) {
  std::promise<void> started;
  absl::Status status;
  std::thread waiter([&] {
    JournalReader reader = ledger_->ReadJournal(Sequence(3));
    started.set_value();
    status = reader.Next(10, Long()).status();
  });
  started.get_future().wait();
  ASSERT_THAT(ledger_->Close(), IsOk());
  waiter.join();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
  Reopen();
}

TEST_F(LedgerJournal, AReaderAheadOfTheHeadWaitsForItsPlace) {
  JournalReader reader = ledger_->ReadJournal(Sequence(4));
  EXPECT_THAT(reader.Next(10), IsOkAndHolds(IsEmpty()));
  CommitAll({MakePost(1, world_, alice_, 5), MakePost(2, world_, alice_, 5)});
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<JournalRecord> records, reader.Next(10));
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].sequence, Sequence(5));
}

TEST_F(LedgerJournal, APageOutsideItsBoundsIsRefused) {
  JournalReader reader = ledger_->ReadJournal(Sequence(0));
  EXPECT_THAT(reader.Next(0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(reader.Next(kMaxJournalPage + 1), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(reader.position(), Sequence(0));
}

TEST_F(LedgerJournal, IsReadFromDiskWhenItIsNoLongerInMemory) {
  options_.journal_cache_bytes = 0;
  Reopen();
  for (uint64_t n = 1; n <= 300; ++n) Commit(MakePost(n, world_, alice_, n));
  JournalReader reader = ledger_->ReadJournal(Sequence(3));
  uint64_t n = 0;
  while (n < 300) {
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<JournalRecord> records, reader.Next(50));
    ASSERT_FALSE(records.empty());
    for (const JournalRecord& record : records) {
      EXPECT_EQ(std::get<TransactionRecorded>(record.body).moved[0].amount, Amount(++n));
    }
  }
}

TEST_F(LedgerJournal, EveryRecordIsInABlockWhoseHashIsThatOfTheHeadWhenItWasTheLast) {
  CommitAll({MakePost(1, world_, alice_, 5), MakePost(2, world_, alice_, 5)});
  const Head before = ledger_->Head();
  Commit(MakePost(3, world_, alice_, 5));
  for (int round = 0; round < 2; ++round) {
    for (uint64_t n = before.sequence.value() - 1; n <= before.sequence.value(); ++n) {
      EXPECT_THAT(ledger_->BlockAt(Sequence(n)), IsOkAndHolds(before));
    }
    EXPECT_THAT(ledger_->BlockAt(ledger_->Head().sequence), IsOkAndHolds(ledger_->Head()));
    EXPECT_THAT(ledger_->BlockAt(Sequence()), StatusIs(absl::StatusCode::kOutOfRange));
    EXPECT_THAT(ledger_->BlockAt(Sequence(ledger_->Head().sequence.value() + 1)),
                StatusIs(absl::StatusCode::kOutOfRange));
    const auto id = ledger_->id();
    Reopen();
    EXPECT_EQ(ledger_->id(), id);
  }
}

}  // namespace
}  // namespace northwind::testing

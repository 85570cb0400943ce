// SPDX-License-Identifier: Apache-2.0
//
// Index checkpoints (what a reopening need not replay) and Ledger::Checkpoint (an online copy of the whole store).
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fault_fs.h"
#include "tests/support/ledger_fixture.h"
#include "tests/support/store_on.h"

namespace northwind::testing {
namespace {

using ::testing::SizeIs;

class LedgerCheckpoint : public LedgerFixture {
 protected:
  void CommitPosts(uint64_t first, uint64_t last) {
    std::vector<Transaction> batch;
    for (uint64_t n = first; n <= last; ++n) batch.push_back(MakePost(n, world_, alice_, 1));
    for (const CommitResult& result : CommitAll(batch)) ASSERT_THAT(result, HasOutcome(Outcome::kApplied));
  }
  std::vector<JournalRecord> AllRecords(const Ledger& ledger) {
    std::vector<JournalRecord> all;
    JournalReader reader = ledger.ReadJournal(Sequence());
    while (true) {
      const auto records = reader.Next(kMaxJournalPage);
      EXPECT_THAT(records, IsOk());
      if (!records.ok() || records->empty()) return all;
      all.insert(all.end(), records->begin(), records->end());
    }
  }
  struct Opened {
    std::unique_ptr<Store> store;
    std::unique_ptr<Ledger> ledger;
  };
  void OpenCopy(const std::string& path, Opened& copy) {
    NW_ASSERT_OK_AND_ASSIGN(copy.store,
                            Store::Open({.path = path, .create_if_missing = false, .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(copy.ledger, Ledger::Open(*copy.store, options_));
  }
};

// ---- Indexes ----------------------------------------------------------------------------------------------------------

TEST_F(LedgerCheckpoint, AfterACleanCloseNothingIsReplayed) {
  CommitPosts(1, 500);
  ASSERT_THAT(ledger_->Close(), IsOk());
  Reopen();
  EXPECT_EQ(ledger_->Stats().replayed_at_open, 0U);
  EXPECT_EQ(ledger_->Stats().checkpointed, Sequence(503));
  EXPECT_EQ(Available(alice_), 500);
}

TEST_F(LedgerCheckpoint, WriteIndexesCoversTheJournalUpToTheCall) {
  CommitPosts(1, 100);
  EXPECT_LT(ledger_->Stats().checkpointed, Sequence(103));
  ASSERT_THAT(ledger_->WriteIndexes(), IsOk());
  EXPECT_EQ(ledger_->Stats().checkpointed, Sequence(103));
  ASSERT_THAT(ledger_->WriteIndexes(), IsOk()) << "again, with nothing to do";
}

TEST_F(LedgerCheckpoint, OpeningReplaysOnlyWhatFollowsTheLastIndexCheckpoint) {
  CommitPosts(1, 100);
  ASSERT_THAT(ledger_->WriteIndexes(), IsOk());
  CommitPosts(101, 130);
  const std::string path = directory_ / "copy";
  ASSERT_THAT(ledger_->Checkpoint(path), IsOkAndHolds(ledger_->Head()));
  Opened copy;
  ASSERT_NO_FATAL_FAILURE(OpenCopy(path, copy));
  EXPECT_EQ(copy.ledger->Stats().replayed_at_open, 30U);
  EXPECT_EQ(copy.ledger->Stats().checkpointed, Sequence(103));
  EXPECT_EQ(copy.ledger->Head(), ledger_->Head());
  EXPECT_THAT(copy.ledger->Balance(alice_), IsOkAndHolds(MakeTotals(0, 130)));
  EXPECT_THAT(copy.ledger->Verify(), IsOk());
}

TEST_F(LedgerCheckpoint, IndexesAreWrittenInTheBackgroundEverySoManyRecords) {
  options_.checkpoint_interval = 100;
  Reopen();
  CommitPosts(1, 1000);
  // In the background: but what is kept in memory is bounded, so that it must come to pass as more is committed.
  uint64_t n = 1000;
  while (ledger_->Stats().checkpointed < Sequence(500)) {
    CommitPosts(n + 1, n + 50);
    n += 50;
    ASSERT_LT(n, 1'000'000U) << "no checkpoint was ever written";
  }
  EXPECT_EQ(Available(alice_), n);
}

// ---- Online copies ------------------------------------------------------------------------------------------------------

TEST_F(LedgerCheckpoint, ACopyIsALedgerOfItsOwnFromThenOn) {
  CommitPosts(1, 10);
  const std::string path = directory_ / "copy";
  NW_ASSERT_OK_AND_ASSIGN(const Head head, ledger_->Checkpoint(path));
  CommitPosts(11, 20);
  Opened copy;
  ASSERT_NO_FATAL_FAILURE(OpenCopy(path, copy));
  EXPECT_EQ(copy.ledger->Head(), head);
  EXPECT_THAT(copy.ledger->Balance(alice_), IsOkAndHolds(MakeTotals(0, 10)));
  EXPECT_THAT(copy.ledger->Commit(MakePost(5, world_, alice_, 1)), IsOkAndHolds(HasOutcome(Outcome::kDuplicate)));
  EXPECT_THAT(copy.ledger->Commit(MakePost(11, world_, bob_, 1)), IsOkAndHolds(HasOutcome(Outcome::kApplied)));
  EXPECT_EQ(Available(alice_), 20);
  EXPECT_EQ(Available(bob_), 0);
  ExpectInvariants(*copy.ledger);
}

TEST_F(LedgerCheckpoint, HostRecordsAreCopiedToo) {
  Transaction t = MakePost(1, world_, alice_, 1);
  t.host_records = {{"k", "v"}};
  Commit(t);
  const std::string path = directory_ / "copy";
  ASSERT_THAT(ledger_->Checkpoint(path), IsOk());
  Opened copy;
  ASSERT_NO_FATAL_FAILURE(OpenCopy(path, copy));
  EXPECT_THAT(copy.store->Get("k"), IsOkAndHolds(std::optional<std::string>("v")));
}

TEST_F(LedgerCheckpoint, ACopyOntoSomethingThatExistsIsRefused) {
  std::filesystem::create_directory(directory_ / "there");
  EXPECT_FALSE(ledger_->Checkpoint(directory_ / "there").ok());
  EXPECT_FALSE(ledger_->Checkpoint(store_options_.path).ok());
  CommitPosts(1, 1);
}

TEST_F(LedgerCheckpoint, ACopyOfACopyHasTheSameHead) {
  CommitPosts(1, 10);
  ASSERT_THAT(ledger_->Checkpoint(directory_ / "one"), IsOk());
  Opened one;
  ASSERT_NO_FATAL_FAILURE(OpenCopy(directory_ / "one", one));
  ASSERT_THAT(one.ledger->Checkpoint(directory_ / "two"), IsOkAndHolds(ledger_->Head()));
  Opened two;
  ASSERT_NO_FATAL_FAILURE(OpenCopy(directory_ / "two", two));
  EXPECT_EQ(two.ledger->Head(), ledger_->Head());
}

TEST_F(LedgerCheckpoint, CopiesMadeUnderLoadArePrefixesOfTheJournal) {
  options_.checkpoint_interval = 200;
  Reopen();
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (uint64_t thread = 0; thread < 3; ++thread) {
    writers.emplace_back([&, thread] {
      for (uint64_t n = 0; !stop; n += 10) {
        std::vector<Transaction> batch;
        for (uint64_t i = 0; i < 10; ++i) {
          batch.push_back(MakePost((thread + 1) * 1'000'000 + n + i, world_, i % 2 == 0 ? alice_ : bob_, 1));
        }
        ASSERT_THAT(ledger_->Commit(batch), IsOk());
      }
    });
  }
  std::vector<Head> heads;
  for (int i = 0; i < 4; ++i) {
    // Some progress between two copies.
    const uint64_t before = HeadSequence();
    while (HeadSequence() < before + 300) std::this_thread::yield();
    const auto head = ledger_->Checkpoint(directory_ / ("copy" + std::to_string(i)));
    EXPECT_THAT(head, IsOk());
    heads.push_back(head.value_or(Head{}));
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();

  const std::vector<JournalRecord> journal = AllRecords(*ledger_);
  for (size_t i = 0; i < heads.size(); ++i) {
    Opened copy;
    ASSERT_NO_FATAL_FAILURE(OpenCopy(directory_ / ("copy" + std::to_string(i)), copy));
    EXPECT_EQ(copy.ledger->Head(), heads[i]);
    EXPECT_EQ(heads[i].sequence.value() % 10, 3U) << "batches are whole";
    ASSERT_NO_FATAL_FAILURE(ExpectInvariants(*copy.ledger));
    const std::vector<JournalRecord> records = AllRecords(*copy.ledger);
    ASSERT_THAT(records, SizeIs(heads[i].sequence.value()));
    for (size_t n = 0; n < records.size(); ++n) {
      ASSERT_TRUE(Same(records[n], journal[n])) << Describe(records[n]) << "\n" << Describe(journal[n]);
    }
  }
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
//
// A child process commits batches from several threads and is killed with SIGKILL at seeded random moments: while it
// opens and replays, while it commits, while it writes its indexes. After each few kills the parent opens what is left.
// Every batch that the child was told is durable must be there; no batch may be there in part; and all books must be
// in order. NORTHWIND_TEST_KILLS sets the number of kills of each case.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "northwind/ledger.h"
#include "northwind/store.h"
#include "tests/ledger/kill_protocol.h"
#include "tests/support/invariants.h"
#include "tests/support/killer.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

class KillLoop {
 public:
  KillLoop(uint64_t seed, uint64_t checkpoint_interval) : random_(seed), checkpoint_interval_(checkpoint_interval) {}

  void Run(uint64_t kills) {
    while (killer_.kills() < kills) {
      StartOver();
      // A new directory now and then, so that checking everything stays quick.
      for (int round = 0; round < 8 && killer_.kills() < kills; ++round) {
        const uint64_t in_a_row = 1 + random_.Below(3);
        for (uint64_t i = 0; i < in_a_row; ++i) ASSERT_NO_FATAL_FAILURE(RunAndKill()) << "kill " << killer_.kills();
        ASSERT_NO_FATAL_FAILURE(Check(round % 4 == 3)) << "after kill " << killer_.kills();
      }
    }
    std::printf("%llu kills, %llu while opening; %llu batches said to be durable, %llu found beyond those\n",
                killer_.kills(), killer_.kills_while_opening(), acknowledged_in_all_, found_beyond_);
    // A few kills may all come while it is opened.
    if (kills >= 40) {
      EXPECT_GT(acknowledged_in_all_, kills);
      EXPECT_GT(found_beyond_, 0U) << "not one kill came between a write and its answer";
    }
  }

 private:
  void StartOver() {
    directory_ = std::make_unique<TempDir>();
    acknowledged_.clear();
    recount_ = Recount();
    batches_.clear();
    host_records_.clear();
  }

  void RunAndKill() {
    ++run_;
    killer_.RunAndKill({NORTHWIND_LEDGER_CHILD, "commit", *directory_ / "store", std::to_string(run_),
                        std::to_string(random_.Next() >> 1), std::to_string(checkpoint_interval_)},
                       [this](const Message& message) {
                         if (message.kind == Message::kOpened) return true;
                         acknowledged_.insert(message.batch);
                         ++acknowledged_in_all_;
                         return false;
                       });
  }

  void Check(bool thoroughly) {
    NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = *directory_ / "store", .free_space_floor_bytes = 0}));
    LedgerOptions options;
    options.checkpoint_interval = checkpoint_interval_;
    NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store, options));
    ASSERT_NO_FATAL_FAILURE(ReadNewRecords(*ledger));
    ASSERT_NO_FATAL_FAILURE(CheckBatches());
    for (const auto& [committer, batch] : host_records_) {
      ASSERT_THAT(store->Get(HostKey(committer)), IsOkAndHolds(std::optional<std::string>(HostValue(batch))))
          << "a host record is not in step with its transaction";
    }
    ASSERT_THAT(ledger->Verify(), IsOk());
    ASSERT_NO_FATAL_FAILURE(ExpectBooksBalance(*ledger));
    if (thoroughly) {
      ASSERT_NO_FATAL_FAILURE(ExpectInvariants(*ledger));
    }
  }

  void ReadNewRecords(const Ledger& ledger) {
    // Nothing that was there at the last check is gone.
    ASSERT_GE(ledger.Head().sequence, recount_.head());
    JournalReader reader = ledger.ReadJournal(recount_.head());
    while (true) {
      NW_ASSERT_OK_AND_ASSIGN(const std::vector<JournalRecord> records, reader.Next(kMaxJournalPage));
      if (records.empty()) break;
      for (const JournalRecord& record : records) {
        recount_.Add(record);
        const auto* body = std::get_if<TransactionRecorded>(&record.body);
        if (body == nullptr) continue;
        const MemberName name = NameOf(body->transaction.key);
        Batch& batch = batches_[name.batch];
        batch.size = name.size;
        batch.members.insert(name.index);
        if (name.index == 0) host_records_[name.batch.committer] = name.batch;
      }
    }
    ASSERT_TRUE(recount_.problems().empty()) << recount_.problems().front();
    ASSERT_EQ(recount_.head(), ledger.Head().sequence);
    for (const auto& [id, totals] : recount_.totals()) ASSERT_THAT(ledger.Balance(id), IsOkAndHolds(totals));
  }

  void CheckBatches() {
    for (const BatchName& name : acknowledged_) {
      ASSERT_TRUE(batches_.contains(name))
          << "lost: batch " << name.batch << " of committer " << name.committer << " in run " << name.run;
    }
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> next;
    for (const auto& [name, batch] : batches_) {
      ASSERT_EQ(batch.members.size(), batch.size)
          << "in part: batch " << name.batch << " of committer " << name.committer << " in run " << name.run;
      // One committer's batches are applied in its order, so that what is there of a run is a prefix of it.
      ASSERT_EQ(name.batch, next[std::pair(name.run, name.committer)]++) << "a hole before batch " << name.batch;
      if (!acknowledged_.contains(name)) ++found_beyond_;
    }
    acknowledged_.clear();
    batches_.clear();
  }

  struct Batch {
    size_t size = 0;
    std::set<uint16_t> members;
  };

  Random random_;
  Killer<Message> killer_{random_, KillMoments()};
  const uint64_t checkpoint_interval_;
  std::unique_ptr<TempDir> directory_;
  uint32_t run_ = 0;
  unsigned long long acknowledged_in_all_ = 0;
  unsigned long long found_beyond_ = 0;

  std::set<BatchName> acknowledged_;    // since the last check
  std::map<BatchName, Batch> batches_;  // found since the last check
  std::map<uint32_t, BatchName> host_records_;
  Recount recount_;
};

void RunKillLoop(uint64_t checkpoint_interval) {
  KillLoop loop(TestSeed(), checkpoint_interval);
  loop.Run(TestOps(40, "NORTHWIND_TEST_KILLS"));
}

TEST(LedgerKill, WhileIndexesAreWrittenAllTheTime) { RunKillLoop(100); }
TEST(LedgerKill, WhileIndexesAreWrittenNowAndThen) { RunKillLoop(3000); }
TEST(LedgerKill, WhileIndexesAreNeverWritten) { RunKillLoop(1 << 20); }

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
//
// Everything at once from many threads: what ThreadSanitizer is run on. Each reader checks what must hold whenever it
// looks.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "tests/support/ledger_fixture.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

class LedgerConcurrency : public LedgerFixture {
 protected:
  void SetUp() override {
    options_.clock = nullptr;
    options_.checkpoint_interval = 300;
    options_.journal_cache_bytes = 64 << 10;
    store_options_.path = directory_ / "store";
    store_options_.free_space_floor_bytes = 0;
    store_options_.write_buffer_bytes = 256 << 10;
    Open();
    accounts_.push_back(OpenAccount({.name = "world", .asset = "USD/2", .external = true}));
    for (int i = 0; i < 15; ++i) {
      accounts_.push_back(OpenAccount({.name = "account:" + std::to_string(i), .asset = "USD/2"}));
    }
    seed_ = TestSeed();
  }

  // Runs until the writers are done, if `body` stands aside for them; each turn of `body` is one pass.
  template <typename Body>
  void Beside(const char* name, Body body) {
    const uint64_t seed = seed_ + threads_.size();
    threads_.emplace_back([this, name, body, seed]() mutable {
      Random random(seed);
      uint64_t turns = 0;
      do {
        body(random);
        ++turns;
      } while (!done_ && !HasFailure());
      if (turns < 2) std::printf("%s: only %d turn\n", name, static_cast<int>(turns));
    });
  }
  template <typename Body>
  void Writer(Body body) {
    const uint64_t seed = seed_ + 1000 + writers_.size();
    const uint64_t number = writers_.size();
    writers_.emplace_back([body, seed, number]() mutable {
      Random random(seed);
      body(random, number);
    });
  }
  void Join() {
    for (std::thread& writer : writers_) writer.join();
    done_ = true;
    for (std::thread& thread : threads_) thread.join();
    writers_.clear();
    threads_.clear();
  }

  AccountId Any(Random& random) { return accounts_[random.Below(accounts_.size())]; }

  // Every kind, with targets among the keys of the same writer.
  Transaction Next(Random& random, uint64_t writer, uint64_t n) {
    const auto key = [writer](uint64_t of) { return writer << 32 | of; };
    const Target earlier = Target::Key(Key(key(n > 10 ? n - 1 - random.Below(10) : 0)));
    const AccountId from = Any(random);
    AccountId to = Any(random);
    if (to == from) to = accounts_[from == accounts_[0] ? 1 : 0];
    switch (random.Below(8)) {
      case 0: {
        Transaction hold = Named(MakeHold(key(n), from, to, 1 + random.Below(20)), 1, "hold" + std::to_string(n % 50));
        if (random.OneIn(2)) hold.expires_at = absl::Now() + absl::Milliseconds(random.Between(0, 30));
        return hold;
      }
      case 1:
        return MakeCapture(key(n), earlier);
      case 2:
        return MakeRelease(key(n), earlier);
      case 3:
        return MakeReverse(key(n), earlier);
      case 4:
        return MakePost(key(n > 20 ? n - 20 : n), from, to, 7);
      default:
        return MakePost(key(n), from == accounts_[0] ? from : (random.OneIn(3) ? accounts_[0] : from), to,
                        1 + random.Below(50));
    }
  }
  std::vector<Transaction> NextBatch(Random& random, uint64_t writer, uint64_t& n) {
    std::vector<Transaction> batch;
    const uint64_t size = 1 + random.Below(random.OneIn(10) ? 200 : 8);
    for (uint64_t i = 0; i < size; ++i) {
      batch.push_back(Next(random, writer, ++n));
      if (batch.back().postings.size() == 1 && batch.back().postings[0].debit == batch.back().postings[0].credit) {
        batch.pop_back();
      }
    }
    if (batch.empty()) batch.push_back(MakePost(writer << 32 | ++n, accounts_[0], accounts_[1], 1));
    return batch;
  }

  void ExpectBalancedAtOneMoment() {
    const auto totals = ledger_->Balances(accounts_);
    ASSERT_THAT(totals, IsOk());
    absl::uint128 debits = 0, credits = 0, debits_held = 0, credits_held = 0;
    for (const Totals& of : *totals) {
      debits += of.debits_posted;
      credits += of.credits_posted;
      debits_held += of.debits_held;
      credits_held += of.credits_held;
    }
    ASSERT_EQ(debits, credits) << "not all at one sequence";
    ASSERT_EQ(debits_held, credits_held);
  }

  // Nothing known at one moment may change in what is asked about that moment later.
  void ExpectThePastStands(Random& random) {
    const AccountId id = Any(random);
    const Head head = ledger_->Head();
    const auto then = ledger_->BalanceAt(id, head.sequence);
    ASSERT_THAT(then, IsOk());
    std::this_thread::yield();
    ASSERT_THAT(ledger_->BalanceAt(id, head.sequence), IsOkAndHolds(*then));
    const Sequence earlier(random.Below(head.sequence.value()) + 1);
    const auto before = ledger_->BalanceAt(id, earlier);
    ASSERT_THAT(before, IsOk());
    ASSERT_LE(before->credits_posted, then->credits_posted) << "what is posted only grows";
    ASSERT_LE(before->debits_posted, then->debits_posted);
  }

  void ExpectHistoryFolds(Random& random) {
    const AccountId id = Any(random);
    HistoryQuery query{.limit = 200};
    Totals before;
    bool first = true;
    if (random.OneIn(2)) {
      query.direction = Direction::kBackward;
      query.limit = 50;
    }
    std::vector<Entry> entries;
    for (int pages = 0; pages < 20; ++pages) {
      const auto page = ledger_->History(id, query);
      ASSERT_THAT(page, IsOk());
      entries.insert(entries.end(), page->entries.begin(), page->entries.end());
      query.cursor = page->next;
      if (!query.cursor.has_value()) break;
    }
    if (query.direction == Direction::kBackward) std::reverse(entries.begin(), entries.end());
    for (const Entry& entry : entries) {
      if (!first) {
        const absl::uint128 moved =
            entry.after.debits_posted + entry.after.credits_posted - before.debits_posted - before.credits_posted;
        const bool posts = entry.kind == EntryKind::kDebit || entry.kind == EntryKind::kCredit ||
                           entry.kind == EntryKind::kCaptureDebit || entry.kind == EntryKind::kCaptureCredit;
        ASSERT_EQ(moved, posts ? entry.amount.units() : 0) << Describe(entry);
      }
      first = false;
      before = entry.after;
    }
  }

  void ReadAround(Random& random) {
    const Sequence any(1 + random.Below(ledger_->Head().sequence.value()));
    const auto view = ledger_->GetTransaction(any);
    if (view.ok()) {
      ASSERT_EQ(view->sequence, any);
      const TransactionRecorded& record = view->record;
      if (record.outcome == Outcome::kApplied && record.transaction.kind == TransactionKind::kHold) {
        ASSERT_EQ(view->captured.units() + view->released.units() + view->remaining.units(),
                  record.moved[0].amount.units());
      }
      const auto by_key = ledger_->GetTransaction(record.transaction.key);
      ASSERT_THAT(by_key, IsOk());
      ASSERT_EQ(by_key->sequence, any);
      for (const Sequence link : view->links) {
        const auto linked = ledger_->GetTransaction(link);
        if (linked.ok()) {
          ASSERT_EQ(linked->record.target, any);
        }
      }
    }
    ASSERT_THAT(ledger_->FindByReference(1, "hold" + std::to_string(random.Below(50))), IsOk());
    ASSERT_THAT(ledger_->OpenHolds(Any(random)), IsOk());
    ASSERT_THAT(ledger_->ListAccounts("account:"), IsOk());
    ASSERT_THAT(ledger_->BalanceAt(Any(random), absl::Now() - absl::Milliseconds(random.Between(0, 50))), IsOk());
    ASSERT_LE(ledger_->Stats().checkpointed, ledger_->Head().sequence);
  }

  std::vector<AccountId> accounts_;
  uint64_t seed_ = 0;
  uint64_t async_in_all_ = 0;
  uint64_t blocking_in_all_ = 0;
  std::atomic<bool> done_ = false;
  std::vector<std::thread> writers_;
  std::vector<std::thread> threads_;
};

TEST_F(LedgerConcurrency, CommitsReadsCheckpointsAndVerificationRunBesideEachOther) {
  constexpr uint64_t kBatches = 250;
  for (int i = 0; i < 2; ++i) {
    Writer([this](Random& random, uint64_t number) {
      uint64_t n = 0;
      for (uint64_t batch = 0; batch < kBatches; ++batch) {
        CommitOptions options{.balances = random.OneIn(2)};
        if (random.OneIn(2)) options.deferred = DeferredPolicy::kRetryInBatch;
        ASSERT_THAT(ledger_->Commit(NextBatch(random, number, n), options), IsOk());
      }
    });
  }
  std::atomic<uint64_t> answered = 0;
  Writer([&](Random& random, uint64_t number) {
    uint64_t n = 0;
    for (uint64_t batch = 0; batch < kBatches; ++batch) {
      ASSERT_THAT(ledger_->CommitAsync(NextBatch(random, number, n),
                                       [&](auto results) {
                                         EXPECT_THAT(results, IsOk());
                                         ++answered;
                                       }),
                  IsOk());
      while (answered + 30 < batch) std::this_thread::yield();
    }
    while (answered < kBatches) std::this_thread::yield();
  });
  Writer([this](Random& random, uint64_t) {
    for (int i = 0; i < 60; ++i) {
      ASSERT_THAT(ledger_->OpenAccount({.name = "late:" + std::to_string(i), .asset = "USD/2"}), IsOk());
      const AccountId id = Any(random);
      ASSERT_THAT(ledger_->Freeze(id), IsOk());
      ASSERT_THAT(ledger_->Unfreeze(id), IsOk());
      ASSERT_THAT(ledger_->ExpireHolds(), IsOk());
    }
  });
  Beside("balances", [this](Random&) { ExpectBalancedAtOneMoment(); });
  Beside("past", [this](Random& random) { ExpectThePastStands(random); });
  Beside("history", [this](Random& random) { ExpectHistoryFolds(random); });
  Beside("reads", [this](Random& random) { ReadAround(random); });
  Beside("indexes", [this](Random&) { ASSERT_THAT(ledger_->WriteIndexes(), IsOk()); });
  Beside("verify", [this](Random&) { ASSERT_THAT(ledger_->Verify(), IsOk()); });
  std::atomic<int> copies = 0;
  Beside("copies", [this, &copies](Random&) {
    const TempDir directory;
    ASSERT_THAT(ledger_->Checkpoint(directory / "copy"), IsOk());
    ++copies;
    std::this_thread::sleep_for(
        std::chrono::milliseconds(20));  // not a wait for anything: so as not to copy without end
  });
  std::atomic<uint64_t> followed = 0;
  Beside("follower", [this, &followed](Random&) {
    JournalReader reader = ledger_->ReadJournal(Sequence(followed));
    const auto records = reader.Next(100, absl::Now() + absl::Milliseconds(1));
    ASSERT_THAT(records, IsOk());
    for (const JournalRecord& record : *records) ASSERT_EQ(record.sequence.value(), ++followed);
  });
  Join();
}

// The indexes change under a verification all the time.
TEST_F(LedgerConcurrency, VerificationNeverSeesAHalfWrittenIndex) {
  options_.checkpoint_interval = 64;
  Reopen();
  Writer([this](Random& random, uint64_t number) {
    uint64_t n = 0;
    for (int batch = 0; batch < 1500; ++batch) ASSERT_THAT(ledger_->Commit(NextBatch(random, number, n)), IsOk());
  });
  for (int i = 0; i < 2; ++i) Beside("verify", [this](Random&) { ASSERT_THAT(ledger_->Verify(), IsOk()); });
  Join();
}

TEST_F(LedgerConcurrency, ClosingWaitsForNobodyAndLosesNothing) {
  for (int round = 0; round < 6; ++round) {
    std::atomic<uint64_t> accepted = 0;
    std::atomic<uint64_t> answered = 0;
    std::atomic<uint64_t> blocking = 0;
    std::atomic<bool> closed = false;
    const uint64_t base = static_cast<uint64_t>(round + 1) << 40;
    std::vector<std::thread> threads;
    for (uint64_t thread = 0; thread < 2; ++thread) {
      threads.emplace_back([&, thread] {
        for (uint64_t n = 0;; ++n) {
          const Transaction t = MakePost(base | thread << 32 | n, accounts_[0], accounts_[1], 1);
          const absl::Status status = ledger_->CommitAsync({t}, [&](auto results) {
            EXPECT_THAT(results, IsOk());
            ++answered;
          });
          if (status.code() == absl::StatusCode::kResourceExhausted) continue;
          if (!status.ok()) {
            EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition));
            return;
          }
          ++accepted;
          while (accepted > answered + 100) std::this_thread::yield();
        }
      });
    }
    threads.emplace_back([&] {
      for (uint64_t n = 0;; ++n) {
        const auto result = ledger_->Commit(MakePost(base | uint64_t{7} << 32 | n, accounts_[0], accounts_[2], 1));
        if (!result.ok()) return;
        ++blocking;
      }
    });
    threads.emplace_back([&] {
      JournalReader reader = ledger_->ReadJournal(ledger_->Head().sequence);
      while (reader.Next(1000, absl::InfiniteFuture()).ok()) {
      }
    });
    threads.emplace_back([&] {
      while (!closed) ledger_->WriteIndexes().IgnoreError();
    });
    while (blocking < 30) std::this_thread::yield();
    EXPECT_THAT(ledger_->Close(), IsOk());
    closed = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(accepted, answered);
    const uint64_t expected_async = accepted;
    const uint64_t expected_blocking = blocking;
    async_in_all_ += expected_async;
    blocking_in_all_ += expected_blocking;
    Reopen();
    EXPECT_EQ(BalanceOf(accounts_[1]).credits_posted, async_in_all_);
    EXPECT_EQ(BalanceOf(accounts_[2]).credits_posted, blocking_in_all_);
  }
}

}  // namespace
}  // namespace northwind::testing

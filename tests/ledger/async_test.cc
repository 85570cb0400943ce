// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/fault_fs.h"
#include "tests/support/ledger_fixture.h"
#include "tests/support/store_on.h"
#include "tests/support/sync_gate.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Answer = absl::StatusOr<std::vector<CommitResult>>;

// Answers of asynchronous commits, in the order in which they came.
class Answers {
 public:
  CommitCallback Callback(size_t n) {
    return [this, n](Answer answer) {
      const std::lock_guard lock(mutex_);
      answers_.emplace_back(n, std::move(answer));
      changed_.notify_all();
    };
  }
  void Await(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answers_.size() >= count; });
  }
  std::vector<std::pair<size_t, Answer>> all() {
    const std::lock_guard lock(mutex_);
    return answers_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<size_t, Answer>> answers_;
};

// On a disk whose syncs can be made to wait or to fail.
class LedgerCommitAsync : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.clock = &clock_;
    Open();
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<AccountId> ids, ledger_->OpenAccounts(std::vector<AccountSpec>{
                                                                  {.name = "world", .asset = "USD/2", .external = true},
                                                                  {.name = "alice", .asset = "USD/2"},
                                                                  {.name = "bob", .asset = "USD/2"}}));
    world_ = ids[0];
    alice_ = ids[1];
    bob_ = ids[2];
  }
  void TearDown() override {
    gate_.Open();
    if (expiry_.joinable()) expiry_.join();
    if (ledger_ != nullptr && !HasFatalFailure()) ExpectInvariants(*ledger_);
    ledger_.reset();
    store_.reset();
  }
  void Open() {
    NW_ASSERT_OK_AND_ASSIGN(store_, OpenStoreOn(gate_.env(), {.path = "/store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(ledger_, Ledger::Open(*store_, options_));
  }
  void Reopen() {
    ledger_.reset();
    store_.reset();
    Open();
  }
  absl::Status Submit(size_t n, std::vector<Transaction> batch) {
    return ledger_->CommitAsync(std::move(batch), answers_.Callback(n));
  }
  uint64_t HeadSequence() { return ledger_->Head().sequence.value(); }
  void AwaitQueued(uint64_t transactions) {
    while (ledger_->Stats().queued_transactions != transactions) std::this_thread::yield();
  }
  // From now on, until the gate opens, what is submitted waits in the queue. Batch 0, with key 1, is at its sync; batch 1,
  // with key 2, has begun the next block; and first in the queue is an expiry, which goes into no block that is begun. It
  // counts as one transaction.
  void HoldTheQueue() {
    gate_.Close();
    ASSERT_THAT(Submit(0, {MakePost(1, world_, alice_, 1)}), IsOk());
    gate_.AwaitSync();
    ASSERT_THAT(Submit(1, {MakePost(2, world_, alice_, 1)}), IsOk());
    AwaitQueued(0);
    expiry_ = std::thread([this] { EXPECT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(0U)); });
    AwaitQueued(1);
  }

  FaultFs disk_;
  SyncGate gate_{disk_.env()};
  FakeClock clock_;
  LedgerOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  AccountId world_;
  AccountId alice_;
  AccountId bob_;
  Answers answers_;
  std::thread expiry_;
};

TEST_F(LedgerCommitAsync, AnswersComeWithOneResultPerTransaction) {
  ASSERT_THAT(Submit(0, {MakePost(1, world_, alice_, 5), MakePost(2, alice_, bob_, 6), MakePost(1, world_, alice_, 5)}),
              IsOk());
  answers_.Await(1);
  const auto answer = answers_.all()[0].second;
  ASSERT_THAT(answer, IsOk());
  EXPECT_THAT(*answer,
              ElementsAre(HasOutcome(Outcome::kApplied), HasOutcome(Outcome::kRejected, Reason::kInsufficientFunds),
                          HasOutcome(Outcome::kDuplicate)));
}

TEST_F(LedgerCommitAsync, BatchesOfOneThreadAreAppliedInTheOrderOfTheCallsAndAnsweredOnce) {
  constexpr size_t kBatches = 2000;
  for (size_t n = 0; n < kBatches; ++n) {
    // Each needs what the one before it brought.
    ASSERT_THAT(Submit(n, {MakePost(2 * n + 1, world_, alice_, 1), MakePost(2 * n + 2, alice_, bob_, 1)}), IsOk());
  }
  answers_.Await(kBatches);
  ASSERT_THAT(ledger_->Close(), IsOk());
  const auto all = answers_.all();
  ASSERT_THAT(all, SizeIs(kBatches));
  std::vector<int> times(kBatches);
  for (const auto& [n, answer] : all) {
    ++times[n];
    ASSERT_THAT(answer, IsOk());
    EXPECT_THAT(*answer, ElementsAre(HasOutcome(Outcome::kApplied), HasOutcome(Outcome::kApplied)));
    EXPECT_EQ((*answer)[0].sequence, Sequence(3 + 2 * n + 1));
    EXPECT_EQ((*answer)[1].sequence, Sequence(3 + 2 * n + 2));
  }
  for (const int count : times) EXPECT_EQ(count, 1);
  Reopen();
}

TEST_F(LedgerCommitAsync, OfSeveralThreadsEachKeepsItsOwnOrder) {
  constexpr size_t kThreads = 4;
  constexpr size_t kEach = 500;
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([this, thread] {
      for (size_t i = 0; i < kEach; ++i) {
        const size_t n = thread * kEach + i;
        ASSERT_THAT(Submit(n, {MakePost(n + 1, world_, alice_, 1)}), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  answers_.Await(kThreads * kEach);
  std::vector<uint64_t> sequences(kThreads * kEach);
  for (const auto& [n, answer] : answers_.all()) {
    ASSERT_THAT(answer, IsOk());
    sequences[n] = (*answer)[0].sequence.value();
  }
  for (size_t n = 0; n < sequences.size(); ++n) {
    ASSERT_NE(sequences[n], 0U);
    if (n % kEach != 0) {
      EXPECT_LT(sequences[n - 1], sequences[n]);
    }
  }
  EXPECT_EQ(HeadSequence(), 3 + kThreads * kEach);
}

TEST_F(LedgerCommitAsync, ABadBatchIsRefusedAtOnceAndItsCallbackNeverCalled) {
  EXPECT_THAT(Submit(0, {}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Submit(1, std::vector<Transaction>(kMaxBatchTransactions + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(ledger_->Close(), IsOk());
  EXPECT_THAT(answers_.all(), IsEmpty());
  Reopen();
}

TEST_F(LedgerCommitAsync, ACallbackMayCommitAndRead) {
  std::promise<Totals> done;
  ASSERT_THAT(ledger_->CommitAsync({MakePost(1, world_, alice_, 5)},
                                   [&](Answer) {
                                     const absl::Status status = ledger_->CommitAsync(
                                         {MakePost(2, alice_, bob_, 3)},
                                         [&](Answer) { done.set_value(ledger_->Balance(alice_).value_or(Totals{})); });
                                     if (!status.ok()) done.set_value(Totals{});
                                   }),
              IsOk());
  EXPECT_EQ(done.get_future().get(), MakeTotals(3, 5));
}

// ---- Before it is durable -------------------------------------------------------------------------------------------

TEST_F(LedgerCommitAsync, NothingThatIsNotDurableIsEverSeen) {
  Transaction hold = Unique(MakeHold(1, world_, alice_, 5), 7, "r");
  hold.host_records = {{"host", "1"}};
  const Head before = ledger_->Head();
  JournalReader reader = ledger_->ReadJournal(before.sequence);
  gate_.Close();
  ASSERT_THAT(Submit(0, {hold, MakePost(2, world_, bob_, 9)}), IsOk());
  gate_.AwaitSync();

  EXPECT_THAT(answers_.all(), IsEmpty());
  EXPECT_EQ(ledger_->Head(), before);
  EXPECT_EQ(ledger_->Stats().head, before);
  EXPECT_EQ(ledger_->Stats().open_holds, 0U);
  EXPECT_THAT(ledger_->Balance(alice_), IsOkAndHolds(Totals{}));
  EXPECT_THAT(ledger_->Balances(std::vector<AccountId>{bob_}), IsOkAndHolds(ElementsAre(Totals{})));
  EXPECT_EQ(ledger_->GetAccount(world_)->totals, Totals{});
  EXPECT_EQ(ledger_->ListAccounts("bob")->accounts.at(0).totals, Totals{});
  EXPECT_THAT(ledger_->BalanceAt(alice_, Sequence(before.sequence.value() + 1)),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(ledger_->BalanceAt(bob_, absl::InfiniteFuture()), IsOkAndHolds(Totals{}));
  EXPECT_THAT(ledger_->History(world_)->entries, IsEmpty());
  EXPECT_THAT(ledger_->OpenHolds(alice_)->holds, IsEmpty());
  EXPECT_THAT(ledger_->GetTransaction(Key(1)), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ledger_->GetTransaction(Sequence(before.sequence.value() + 1)), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ledger_->FindByReference(7, "r"), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(reader.Next(10), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(store_->Get("host"), IsOkAndHolds(std::optional<std::string>()));

  gate_.Open();
  answers_.Await(1);
  EXPECT_EQ(HeadSequence(), before.sequence.value() + 2);
  EXPECT_THAT(ledger_->Balance(bob_), IsOkAndHolds(MakeTotals(0, 9)));
  EXPECT_THAT(ledger_->OpenHolds(alice_)->holds, SizeIs(1));
  EXPECT_THAT(ledger_->FindByReference(7, "r"), IsOkAndHolds(SizeIs(1)));
  EXPECT_THAT(reader.Next(10), IsOkAndHolds(SizeIs(2)));
  EXPECT_THAT(store_->Get("host"), IsOkAndHolds(std::optional<std::string>("1")));
}

TEST_F(LedgerCommitAsync, AnAccountThatIsNotDurableIsNotSeen) {
  gate_.Close();
  std::thread opener([this] { EXPECT_THAT(ledger_->OpenAccount({.name = "carol", .asset = "USD/2"}), IsOk()); });
  gate_.AwaitSync();
  EXPECT_THAT(ledger_->FindAccount("carol"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ledger_->GetAccount(AccountId(4)), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ledger_->ListAccounts("")->accounts, SizeIs(3));
  EXPECT_EQ(ledger_->Stats().accounts, 3U);
  gate_.Open();
  opener.join();
  EXPECT_THAT(ledger_->FindAccount("carol"), IsOkAndHolds(AccountId(4)));
}

TEST_F(LedgerCommitAsync, AChangeOfStateThatIsNotDurableIsNotSeen) {
  gate_.Close();
  std::thread freezer([this] { EXPECT_THAT(ledger_->Freeze(alice_), IsOk()); });
  gate_.AwaitSync();
  EXPECT_EQ(ledger_->GetAccount(alice_)->state, AccountState::kOpen);
  gate_.Open();
  freezer.join();
  EXPECT_EQ(ledger_->GetAccount(alice_)->state, AccountState::kFrozen);
}

TEST_F(LedgerCommitAsync, ADuplicateOfWhatIsNotYetDurableIsNotAnsweredBeforeItIs) {
  gate_.Close();
  ASSERT_THAT(Submit(0, {MakePost(1, world_, alice_, 5)}), IsOk());
  gate_.AwaitSync();
  ASSERT_THAT(Submit(1, {MakePost(1, world_, alice_, 5)}), IsOk());
  std::promise<void> asked;
  std::thread caller([&] {
    asked.set_value();
    EXPECT_THAT(ledger_->Commit(MakePost(1, world_, alice_, 5)), IsOkAndHolds(HasOutcome(Outcome::kDuplicate)));
  });
  asked.get_future().wait();
  EXPECT_THAT(answers_.all(), IsEmpty());
  gate_.Open();
  caller.join();
  answers_.Await(2);
  auto all = answers_.all();
  // Answers of two blocks may be delivered by two threads, in either order.
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  EXPECT_THAT(all[0].second, IsOkAndHolds(ElementsAre(HasOutcome(Outcome::kApplied))));
  EXPECT_THAT(all[1].second, IsOkAndHolds(ElementsAre(HasOutcome(Outcome::kDuplicate))));
  EXPECT_EQ((*all[1].second)[0].sequence, Sequence(4));
}

TEST_F(LedgerCommitAsync, ReadsDoNotWaitForASync) {
  gate_.Close();
  ASSERT_THAT(Submit(0, {MakePost(1, world_, alice_, 5)}), IsOk());
  gate_.AwaitSync();
  ASSERT_THAT(Submit(1, {MakePost(2, world_, alice_, 5)}), IsOk());
  // Each of these would hang if it stood behind the sync.
  EXPECT_THAT(ledger_->Balance(alice_), IsOk());
  EXPECT_THAT(ledger_->History(alice_), IsOk());
  EXPECT_THAT(ledger_->GetTransaction(Key(1)), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(ledger_->ListAccounts(""), IsOk());
  gate_.Open();
  answers_.Await(2);
}

// ---- Bounds -----------------------------------------------------------------------------------------------------------

TEST_F(LedgerCommitAsync, AFullQueueRefusesAtOnceAndTakesMoreOnceItHasDrained) {
  options_.max_queued_transactions = 10;
  Reopen();
  ASSERT_NO_FATAL_FAILURE(HoldTheQueue());  // with one waiting
  for (size_t n = 2; n < 5; ++n) {
    ASSERT_THAT(Submit(n, {MakePost(3 * n, world_, alice_, 1), MakePost(3 * n + 1, world_, alice_, 1),
                           MakePost(3 * n + 2, world_, alice_, 1)}),
                IsOk());
  }
  EXPECT_EQ(ledger_->Stats().queued_transactions, 10U);
  EXPECT_THAT(Submit(5, {MakePost(100, world_, alice_, 1)}), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(ledger_->Commit(MakePost(101, world_, alice_, 1)), StatusIs(absl::StatusCode::kResourceExhausted))
      << "waiting callers are bounded too";
  gate_.Open();
  answers_.Await(5);
  EXPECT_THAT(ledger_->Balance(alice_), IsOkAndHolds(MakeTotals(0, 2 + 3 * 3)));
  EXPECT_THAT(Submit(5, {MakePost(100, world_, alice_, 1)}), IsOk());
  answers_.Await(6);
  ASSERT_THAT(ledger_->Close(), IsOk());
  EXPECT_THAT(answers_.all(), SizeIs(6)) << "a refused batch is never answered";
  expiry_.join();
  Reopen();
}

TEST_F(LedgerCommitAsync, TheQueueIsBoundedInBytesToo) {
  options_.max_queued_bytes = 100'000;
  Reopen();
  ASSERT_NO_FATAL_FAILURE(HoldTheQueue());
  size_t accepted = 2;
  absl::Status refused;
  while (refused.ok()) {
    ASSERT_LT(accepted, 30U) << "no bound";
    Transaction t = MakePost(accepted + 1, world_, alice_, 1);
    t.metadata = std::string(4096, 'm');
    refused = Submit(accepted, std::vector<Transaction>{t});
    if (refused.ok()) ++accepted;
  }
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_GE(accepted, 2 + 22U) << "of 4096 bytes, and somewhat more for all the rest";
  EXPECT_LE(accepted, 2 + 24U);
  gate_.Open();
  answers_.Await(accepted);
  EXPECT_THAT(ledger_->Balance(alice_), IsOkAndHolds(MakeTotals(0, accepted)));
}

// ---- Closing ----------------------------------------------------------------------------------------------------------

TEST_F(LedgerCommitAsync, CloseFinishesWhatIsQueued) {
  gate_.Close();
  constexpr size_t kBatches = 20;
  for (size_t n = 0; n < kBatches; ++n) ASSERT_THAT(Submit(n, {MakePost(n + 1, world_, alice_, 1)}), IsOk());
  gate_.AwaitSync();
  std::thread closer([this] { EXPECT_THAT(ledger_->Close(), IsOk()); });
  gate_.Open();
  closer.join();
  EXPECT_THAT(answers_.all(), SizeIs(kBatches)) << "all answered when Close returns";
  for (const auto& [n, answer] : answers_.all()) {
    EXPECT_THAT(answer, IsOkAndHolds(ElementsAre(HasOutcome(Outcome::kApplied))));
  }
  Reopen();
  EXPECT_THAT(ledger_->Balance(alice_), IsOkAndHolds(MakeTotals(0, kBatches)));
}

TEST_F(LedgerCommitAsync, DestroyingTheLedgerFinishesWhatIsQueuedToo) {
  constexpr size_t kBatches = 100;
  for (size_t n = 0; n < kBatches; ++n) ASSERT_THAT(Submit(n, {MakePost(n + 1, world_, alice_, 1)}), IsOk());
  ledger_.reset();
  EXPECT_THAT(answers_.all(), SizeIs(kBatches));
  Reopen();
  EXPECT_THAT(ledger_->Balance(alice_), IsOkAndHolds(MakeTotals(0, kBatches)));
}

TEST_F(LedgerCommitAsync, AClosedLedgerRefusesWork) {
  ASSERT_THAT(ledger_->Close(), IsOk());
  EXPECT_THAT(ledger_->Close(), IsOk()) << "closing again is nothing";
  EXPECT_THAT(Submit(0, {MakePost(1, world_, alice_, 1)}), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->Commit(MakePost(1, world_, alice_, 1)), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->OpenAccount({.name = "carol", .asset = "USD/2"}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->Freeze(alice_), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->ExpireHolds(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(answers_.all(), IsEmpty());
  Reopen();
  EXPECT_EQ(HeadSequence(), 3U);
}

// ---- A sync that fails --------------------------------------------------------------------------------------------------

TEST_F(LedgerCommitAsync, AFailedSyncLeavesEveryWaitingCallerWithoutAnAnswerAndPoisonsTheLedger) {
  const Head before = ledger_->Head();
  gate_.Close();
  ASSERT_THAT(Submit(0, {MakePost(1, world_, alice_, 5)}), IsOk());
  gate_.AwaitSync();
  ASSERT_THAT(Submit(1, {MakePost(2, world_, alice_, 5)}), IsOk());
  ASSERT_THAT(Submit(2, {MakePost(1, world_, alice_, 5)}), IsOk());
  gate_.OpenWithFailure();
  answers_.Await(3);
  EXPECT_THAT(answers_.all()[0].second, StatusIs(absl::StatusCode::kAborted));
  for (const auto& [n, answer] : answers_.all()) {
    EXPECT_FALSE(answer.ok()) << n;
    EXPECT_TRUE(answer.status().code() == absl::StatusCode::kAborted ||
                answer.status().code() == absl::StatusCode::kFailedPrecondition)
        << answer.status();
  }
  EXPECT_EQ(ledger_->Head(), before) << "nothing uncertain is shown";
  EXPECT_THAT(ledger_->Balance(alice_), IsOkAndHolds(Totals{}));
  EXPECT_THAT(Submit(3, {MakePost(4, world_, alice_, 1)}), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->Commit(MakePost(4, world_, alice_, 1)), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->OpenAccount({.name = "carol", .asset = "USD/2"}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->Freeze(alice_), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->SetMinAvailable(alice_, -1), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger_->ExpireHolds(), StatusIs(absl::StatusCode::kFailedPrecondition));
  ledger_.reset();
  EXPECT_THAT(answers_.all(), SizeIs(3));

  // The same keys tell the truth.
  Reopen();
  const auto first = ledger_->Commit(MakePost(1, world_, alice_, 5));
  ASSERT_THAT(first, IsOk());
  EXPECT_TRUE(first->outcome == Outcome::kApplied || first->outcome == Outcome::kDuplicate) << Describe(*first);
  const auto second = ledger_->Commit(MakePost(2, world_, alice_, 5));
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT(ledger_->Balance(alice_), IsOkAndHolds(MakeTotals(0, 10)));
}

TEST_F(LedgerCommitAsync, ABlockingCallerIsToldThatTheOutcomeIsIndeterminate) {
  gate_.Close();
  std::thread caller(
      [this] { EXPECT_THAT(ledger_->Commit(MakePost(1, world_, alice_, 5)), StatusIs(absl::StatusCode::kAborted)); });
  gate_.AwaitSync();
  gate_.OpenWithFailure();
  caller.join();
  Reopen();
}

TEST_F(LedgerCommitAsync, ARefusalWhoseBlockWasNotWrittenIsIndeterminateToo) {
  Transaction hold = MakeHold(1, world_, alice_, 5);
  hold.expires_at = clock_.Now() + absl::Seconds(1);
  ASSERT_THAT(ledger_->Commit(hold), IsOkAndHolds(HasOutcome(Outcome::kApplied)));
  clock_.Advance(absl::Seconds(2));
  gate_.Close();
  // Refused, but its block has the hold's expiry in it.
  std::thread opener([this] {
    EXPECT_THAT(ledger_->OpenAccount({.name = "alice", .asset = "EUR/2"}), StatusIs(absl::StatusCode::kAborted));
  });
  gate_.AwaitSync();
  gate_.OpenWithFailure();
  opener.join();
  Reopen();
}

TEST_F(LedgerCommitAsync, AWaitingJournalReaderDoesNotHangOnAPoisonedLedger) {
  std::promise<void> started;
  absl::StatusOr<std::vector<JournalRecord>> records;
  std::thread waiter([&] {
    JournalReader reader = ledger_->ReadJournal(ledger_->Head().sequence);
    started.set_value();
    records = reader.Next(10, absl::InfiniteFuture());
  });
  started.get_future().wait();
  gate_.Close();
  ASSERT_THAT(Submit(0, {MakePost(1, world_, alice_, 5)}), IsOk());
  gate_.AwaitSync();
  gate_.OpenWithFailure();
  answers_.Await(1);
  ledger_->Close().IgnoreError();
  waiter.join();
  EXPECT_FALSE(records.ok());
  Reopen();
}

}  // namespace
}  // namespace northwind::testing

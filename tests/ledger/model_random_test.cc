// SPDX-License-Identifier: Apache-2.0
//
// Seeded random workloads, each operation done twice: by the ledger and by tests/support/model.h. Whatever can be
// asked must be answered alike. NORTHWIND_TEST_SEED repeats a run; NORTHWIND_TEST_OPS makes each profile longer.
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/ledger.h"
#include "northwind/store.h"
#include "tests/support/compare.h"
#include "tests/support/describe.h"
#include "tests/support/fake_clock.h"
#include "tests/support/invariants.h"
#include "tests/support/model.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"

namespace northwind::testing {
namespace {

class ModelRun {
 public:
  ModelRun(const Profile& profile, uint64_t seed)
      : profile_(profile), random_(seed), workload_(profile, model_, random_), base_time_(clock_.Now()) {}

  void Run(uint64_t operations) {
    ASSERT_NO_FATAL_FAILURE(Open());
    ASSERT_NO_FATAL_FAILURE(OpenFirstAccounts());
    uint64_t full_comparison_at = operations / 2;
    while (operations_ < operations) {
      ++steps_;
      ASSERT_NO_FATAL_FAILURE(Step()) << "step " << steps_ << ", operation " << operations_ << ": " << doing_;
      ASSERT_NO_FATAL_FAILURE(Look()) << "after step " << steps_ << ", operation " << operations_ << ": " << doing_;
      if (operations_ >= full_comparison_at) {
        ASSERT_NO_FATAL_FAILURE(ExpectSameEverything(*ledger_, model_)) << "step " << steps_;
        full_comparison_at = UINT64_MAX;
      }
    }
    ASSERT_NO_FATAL_FAILURE(Reopen());
    ASSERT_NO_FATAL_FAILURE(ExpectSameEverything(*ledger_, model_));
    ASSERT_NO_FATAL_FAILURE(ExpectInvariants(*ledger_));
  }

 private:
  void Open() {
    store_options_.path = directory_ / ("store" + std::to_string(stores_));
    store_options_.free_space_floor_bytes = 0;
    store_options_.block_cache_bytes = 1 << 20;
    store_options_.write_buffer_bytes = random_.OneIn(2) ? 256 << 10 : 4 << 20;
    LedgerOptions options;
    options.clock = &clock_;
    options.checkpoint_interval = static_cast<uint64_t>(random_.Between(64, 5000));
    options.journal_cache_bytes = random_.OneIn(2) ? 16 << 10 : 4 << 20;
    NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open(store_options_));
    NW_ASSERT_OK_AND_ASSIGN(ledger_, Ledger::Open(*store_, options));
  }

  void Close() {
    if (random_.OneIn(2)) {
      ASSERT_THAT(ledger_->Close(), IsOk());
    }
    ledger_.reset();
    store_.reset();
  }

  void Reopen() {
    const Head head = ledger_->Head();
    ASSERT_NO_FATAL_FAILURE(Close());
    ASSERT_NO_FATAL_FAILURE(Open());
    ASSERT_EQ(ledger_->Head(), head);
    ASSERT_NO_FATAL_FAILURE(ExpectSameAccounts(*ledger_, model_));
    for (int i = 0; i < 30; ++i) ASSERT_NO_FATAL_FAILURE(ExpectSameRandomRead(*ledger_, model_, random_));
  }

  // Goes on in an online copy: what a crash leaves, as nothing is written at close.
  void MoveToCopy() {
    const std::string copy = directory_ / ("store" + std::to_string(++stores_));
    NW_ASSERT_OK_AND_ASSIGN(const Head head, ledger_->Checkpoint(copy));
    ASSERT_EQ(head, ledger_->Head());
    ASSERT_NO_FATAL_FAILURE(Close());
    ASSERT_NO_FATAL_FAILURE(Open());
    ASSERT_EQ(ledger_->Head(), head);
    ASSERT_NO_FATAL_FAILURE(ExpectSameAccounts(*ledger_, model_));
    for (int i = 0; i < 30; ++i) ASSERT_NO_FATAL_FAILURE(ExpectSameRandomRead(*ledger_, model_, random_));
  }

  void OpenFirstAccounts() {
    std::vector<AccountSpec> specs;
    for (size_t i = 0; i < profile_.accounts; ++i) {
      // External ones first in each asset, so that there is money to come in from.
      specs.push_back({.name = "first:" + std::to_string(i),
                       .asset = i % 3 == 0 ? "USD/2" : "EUR/2",
                       .external = i < profile_.accounts / 4 + 2,
                       .min_available = i == profile_.accounts - 1 ? -100 : 0});
    }
    ASSERT_NO_FATAL_FAILURE(OpenAccounts(specs));
  }

  void MoveClock() {
    base_time_ += absl::Nanoseconds(random_.Between(0, 200'000'000));
    if (random_.OneIn(10)) base_time_ += absl::Seconds(random_.Between(0, 20));
    absl::Time now = base_time_;
    if (random_.OneIn(12)) now -= absl::Nanoseconds(random_.Between(0, 100'000'000'000'000));
    if (random_.OneIn(40)) now += absl::Seconds(random_.Between(0, 100));
    if (!random_.OneIn(6)) clock_.Set(now);
  }

  // Named in every failure.
  void Doing(const char* what) { doing_ = what; }

  void Step() {
    MoveClock();
    const uint64_t draw = random_.Below(2000);
    if (draw < 12) return Doing("reopen"), Reopen();
    if (draw < 14) return Doing("move to copy"), MoveToCopy();
    if (draw < 24) return Doing("expire"), Expire();
    if (draw < 34) {
      Doing("write indexes");
      const Sequence before = ledger_->Head().sequence;
      ASSERT_THAT(ledger_->WriteIndexes(), IsOk());
      // It may have to begin a block, in which holds run out.
      if (ledger_->Head().sequence != model_.head()) model_.ExpireHolds(clock_.Now());
      ASSERT_GE(ledger_->Stats().checkpointed, before);
      return;
    }
    if (draw < 36) {
      Doing("verify");
      ASSERT_THAT(ledger_->Verify(), IsOk());
      return;
    }
    if (random_.Percent(profile_.account_change)) return Doing("change accounts"), ChangeAccounts();
    Doing("commit");
    CommitBatch();
  }

  void Expire() {
    ++operations_;
    const size_t expected = model_.ExpireHolds(clock_.Now());
    ASSERT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(expected));
  }

  void ChangeAccounts() {
    ++operations_;
    const AccountId id = workload_.AnyAccount();
    const absl::Time now = clock_.Now();
    switch (random_.Below(8)) {
      case 0:
        return SameStatus("Freeze", ledger_->Freeze(id), model_.Freeze(id, now));
      case 1:
      case 2:
      case 3:
        return SameStatus("Unfreeze", ledger_->Unfreeze(id), model_.Unfreeze(id, now));
      case 4:
        // Rarely of an early account, or all of them end closed.
        if (id.value() <= profile_.accounts && !random_.OneIn(20)) return;
        return SameStatus("CloseAccount", ledger_->CloseAccount(id), model_.CloseAccount(id, now));
      case 5: {
        const absl::int128 limit = -random_.Between(-5, 60);
        return SameStatus("SetMinAvailable", ledger_->SetMinAvailable(id, limit),
                          model_.SetMinAvailable(id, limit, now));
      }
      default: {
        if (model_.account_count() >= profile_.max_accounts && !random_.OneIn(4)) return;
        std::vector<AccountSpec> specs;
        const size_t count = random_.OneIn(3) ? 1 + random_.Below(4) : 1;
        for (size_t i = 0; i < count; ++i) specs.push_back(workload_.NextAccount());
        if (random_.OneIn(30)) specs.back().name = random_.OneIn(2) ? "" : "with blank";
        if (random_.OneIn(30)) specs.back().asset = "usd/2";
        return OpenAccounts(specs);
      }
    }
  }

  void SameStatus(const char* what, const absl::Status& status, const absl::Status& expected) {
    Doing(what);
    ASSERT_EQ(status.code(), expected.code()) << what << ": " << status << ", model: " << expected;
  }

  void OpenAccounts(const std::vector<AccountSpec>& specs) {
    const auto expected = model_.OpenAccounts(specs, clock_.Now());
    const auto ids = ledger_->OpenAccounts(specs);
    ASSERT_NO_FATAL_FAILURE(SameStatus("OpenAccounts", ids.status(), expected.status()));
    if (ids.ok()) {
      ASSERT_EQ(*ids, *expected);
    }
  }

  void CommitBatch() {
    const std::vector<Transaction> batch = workload_.NextBatch(base_time_);
    CommitOptions options;
    options.balances = random_.OneIn(3);
    options.deferred = random_.OneIn(2) ? DeferredPolicy::kRetryInBatch : DeferredPolicy::kReturn;
    operations_ += batch.size();
    const std::vector<CommitResult> expected = model_.Commit(batch, options, clock_.Now());
    std::vector<CommitResult> results;
    ASSERT_NO_FATAL_FAILURE(CommitToLedger(batch, options, results));
    ASSERT_EQ(results.size(), expected.size());
    for (size_t i = 0; i < results.size(); ++i) {
      ASSERT_TRUE(Same(results[i], expected[i]))
          << "transaction " << i << " of " << batch.size() << ": " << Describe(batch[i])
          << "\n  ledger: " << Describe(results[i]) << "\n  model:  " << Describe(expected[i]);
    }
  }

  // By one of the three ways there are.
  void CommitToLedger(const std::vector<Transaction>& batch, const CommitOptions& options,
                      std::vector<CommitResult>& results) {
    if (batch.size() == 1 && random_.OneIn(2)) {
      NW_ASSERT_OK_AND_ASSIGN(CommitResult result, ledger_->Commit(batch[0], options));
      results.push_back(std::move(result));
    } else if (random_.OneIn(3)) {
      std::promise<absl::StatusOr<std::vector<CommitResult>>> promise;
      ASSERT_THAT(ledger_->CommitAsync(
                      batch, [&promise](auto answer) { promise.set_value(std::move(answer)); }, options),
                  IsOk());
      NW_ASSERT_OK_AND_ASSIGN(results, promise.get_future().get());
    } else {
      NW_ASSERT_OK_AND_ASSIGN(results, ledger_->Commit(batch, options));
    }
  }

  // After every step: a few reads, and the cheap invariants.
  void Look() {
    ASSERT_EQ(ledger_->Head().sequence, model_.head());
    for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(ExpectSameRandomRead(*ledger_, model_, random_));
    ASSERT_NO_FATAL_FAILURE(ExpectBooksBalance(*ledger_));
    if (random_.OneIn(25)) {
      ASSERT_NO_FATAL_FAILURE(ExpectSameAccounts(*ledger_, model_, 1 + random_.Below(30)));
    }
    if (random_.OneIn(25)) {
      const AccountId id(static_cast<uint32_t>(1 + random_.Below(model_.account_count())));
      ASSERT_NO_FATAL_FAILURE(ExpectSameHistory(*ledger_, model_, id, 1 + random_.Below(kMaxHistoryPage)));
    }
    if (random_.OneIn(25)) {
      for (const auto& [key, value] : model_.host_records()) {
        ASSERT_THAT(store_->Get(key), IsOkAndHolds(std::optional<std::string>(value))) << key;
      }
    }
  }

  const Profile profile_;
  TempDir directory_;
  FakeClock clock_;
  Random random_;
  Model model_;
  Workload workload_;
  absl::Time base_time_;
  StoreOptions store_options_;
  int stores_ = 0;
  const char* doing_ = "open";
  uint64_t steps_ = 0;
  uint64_t operations_ = 0;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
};

void RunProfile(const Profile& profile, uint64_t operations) {
  ModelRun run(profile, TestSeed());
  run.Run(TestOps(operations));
}

TEST(LedgerAgainstModel, EverydayMix) { RunProfile({.name = "everyday"}, 200'000); }

TEST(LedgerAgainstModel, DuplicatesAndConflictsOverFewKeysAndReferences) {
  RunProfile({.name = "collisions", .duplicate = 30, .conflict = 15, .reference = 80, .unique = 50, .references = 20},
             150'000);
}

TEST(LedgerAgainstModel, HoldsThatAreCapturedReleasedAndRunOut) {
  RunProfile({.name = "holds", .post = 25, .hold = 35, .capture = 25, .release = 10, .reverse = 5, .expiring = 70},
             150'000);
}

TEST(LedgerAgainstModel, ReversalsInPartAndInWhole) {
  RunProfile({.name = "reversals", .post = 30, .hold = 10, .capture = 10, .release = 2, .reverse = 48, .max_amount = 9},
             120'000);
}

TEST(LedgerAgainstModel, TargetsThatComeAfterWhatNeedsThem) {
  RunProfile({.name = "shuffled", .post = 20, .hold = 25, .capture = 25, .release = 10, .reverse = 20, .shuffle = 100},
             120'000);
}

TEST(LedgerAgainstModel, LargeBatches) { RunProfile({.name = "large", .max_batch = 1500}, 150'000); }

TEST(LedgerAgainstModel, SingleTransactions) {
  RunProfile({.name = "single", .max_batch = 3, .big_batch_one_in = 0}, 15'000);
}

TEST(LedgerAgainstModel, AmountsNearTheLargest) {
  RunProfile({.name = "huge", .accounts = 16, .conflict = 3, .huge_amount = 30}, 100'000);
}

TEST(LedgerAgainstModel, MalformedTransactions) { RunProfile({.name = "malformed", .invalid = 60}, 100'000); }

TEST(LedgerAgainstModel, AccountsThatComeAndGo) {
  RunProfile({.name = "accounts", .accounts = 30, .max_accounts = 400, .max_batch = 20, .account_change = 50}, 60'000);
}

TEST(LedgerAgainstModel, ManyPostings) { RunProfile({.name = "wide", .accounts = 40, .max_postings = 60}, 60'000); }

}  // namespace
}  // namespace northwind::testing

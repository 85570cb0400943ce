// SPDX-License-Identifier: Apache-2.0
//
// The ledger on a disk that loses power, fails and fills up, at every place in turn and at random ones. What was
// acknowledged is there afterwards; of what was under way, all or nothing; and nothing else. A ledger that cannot do its
// work says so, and never shows or keeps anything wrong.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/ledger.h"
#include "tests/support/compare.h"
#include "tests/support/describe.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_fs.h"
#include "tests/support/invariants.h"
#include "tests/support/ledger_fixture.h"
#include "tests/support/model.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_on.h"
#include "tests/support/workload.h"

namespace northwind::testing {
namespace {

Profile SmallProfile() { return {.name = "faults", .accounts = 8, .max_batch = 12, .big_batch_one_in = 60}; }

// One ledger on one faulty disk, and what must be found on it.
class FaultRun {
 public:
  explicit FaultRun(uint64_t seed) : disk_(seed), random_(seed), workload_(SmallProfile(), acknowledged_, random_) {
    store_options_.path = "/store";
    store_options_.free_space_floor_bytes = 0;
    store_options_.write_buffer_bytes = 64 << 10;
    store_options_.block_cache_bytes = 1 << 20;
  }
  ~FaultRun() { Shut(); }

  FaultFs& disk() { return disk_; }
  Ledger& ledger() { return *ledger_; }
  StoreOptions& store_options() { return store_options_; }
  const Model& acknowledged() const { return acknowledged_; }

  absl::Status Open() {
    NW_ASSIGN_OR_RETURN(store_, OpenStoreOn(disk_.env(), store_options_));
    LedgerOptions options;
    options.clock = &clock_;
    options.checkpoint_interval = static_cast<uint64_t>(random_.Between(64, 300));
    options.journal_cache_bytes = 8 << 10;
    NW_ASSIGN_OR_RETURN(ledger_, Ledger::Open(*store_, options));
    poisoned_ = false;
    return absl::OkStatus();
  }
  void Shut() {
    ledger_.reset();
    store_.reset();
  }

  // One change, of a random kind. What it answers, if not right, is a fatal failure; an error is returned.
  void Step(absl::Status& status) {
    if (poisoned_) {
      status = ledger_->Commit(MakePost(random_.Next(), AccountId(1), AccountId(2), 1)).status();
      ASSERT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition)) << "poisoned until it is opened again";
      return;
    }
    clock_.Advance(absl::Milliseconds(random_.Between(0, 3000)));
    possible_ = acknowledged_;
    ASSERT_NO_FATAL_FAILURE(Change(status));
    poisoned_ = absl::IsAborted(status) || absl::IsFailedPrecondition(status);
    if (status.ok()) acknowledged_ = possible_;
    // Nothing uncertain is shown.
    ASSERT_EQ(ledger_->Head().sequence, acknowledged_.head()) << status;
    if (!status.ok()) {
      ASSERT_NO_FATAL_FAILURE(ExpectSameAccounts(*ledger_, acknowledged_)) << status;
    }
  }

  // Steps until something fails or so many are done.
  absl::Status Run(int steps) {
    absl::Status status;
    for (int i = 0; i < steps && status.ok() && !::testing::Test::HasFatalFailure(); ++i) Step(status);
    return status;
  }

  // The process ends, and the disk comes back as told. What is found then must be what was acknowledged, with or
  // without what was under way; the run goes on from there.
  void Recover(Loss loss, Tail tail = Tail::kTorn, bool thoroughly = true) {
    Shut();
    disk_.Restart(loss, tail);
    ASSERT_THAT(Open(), IsOk()) << "cannot be opened any more";
    ASSERT_NO_FATAL_FAILURE(Settle(thoroughly));
  }

  void Settle(bool thoroughly = true) {
    const Sequence head = ledger_->Head().sequence;
    if (head != acknowledged_.head() && head == possible_.head()) acknowledged_ = possible_;
    ASSERT_EQ(head, acknowledged_.head()) << "under way: up to #" << possible_.head().value();
    if (thoroughly) {
      ASSERT_NO_FATAL_FAILURE(ExpectSameEverything(*ledger_, acknowledged_));
    } else {
      ASSERT_NO_FATAL_FAILURE(ExpectSameAccounts(*ledger_, acknowledged_));
      ASSERT_NO_FATAL_FAILURE(ExpectSameJournal(*ledger_, acknowledged_));
      ASSERT_THAT(ledger_->Verify(), IsOk());
    }
    for (const auto& [key, value] : acknowledged_.host_records()) {
      ASSERT_THAT(store_->Get(key), IsOkAndHolds(std::optional<std::string>(value)));
    }
  }

  // The ledger is as good as new.
  void ExpectWorking(int steps = 5) {
    ASSERT_THAT(Run(steps), IsOk());
    Shut();
    ASSERT_THAT(Open(), IsOk());
    ASSERT_NO_FATAL_FAILURE(Settle());
  }

 private:
  static std::vector<AccountSpec> FirstAccounts() {
    std::vector<AccountSpec> specs;
    for (int i = 0; i < 8; ++i) {
      specs.push_back({.name = "first:" + std::to_string(i), .asset = "USD/2", .external = i < 2});
    }
    return specs;
  }

  void Change(absl::Status& status) {
    if (acknowledged_.account_count() == 0) return OpenAccounts(FirstAccounts(), status);
    switch (random_.Below(12)) {
      case 0:
        return OpenAccounts({workload_.NextAccount()}, status);
      case 1:
        possible_.ExpireHolds(clock_.Now());
        status = ledger_->ExpireHolds().status();
        return;
      case 2: {
        const Sequence before = ledger_->Head().sequence;
        status = ledger_->WriteIndexes();
        // It may have to begin a block, in which holds run out, whether or not the indexes could be written then.
        if (ledger_->Head().sequence == before && !absl::IsAborted(status)) return;
        possible_.ExpireHolds(clock_.Now());
        if (ledger_->Head().sequence != before) acknowledged_ = possible_;
        return;
      }
      default:
        return Commit(workload_.NextBatch(clock_.Now()), status);
    }
  }

  void OpenAccounts(const std::vector<AccountSpec>& specs, absl::Status& status) {
    const auto expected = possible_.OpenAccounts(specs, clock_.Now());
    const auto ids = ledger_->OpenAccounts(specs);
    status = ids.status();
    if (absl::IsAlreadyExists(status)) {
      ASSERT_EQ(status.code(), expected.status().code());
      // True whatever becomes of the block; but holds may have run out in it, and it may not have been written.
      const bool written = ledger_->Head().sequence == possible_.head();
      status = written ? absl::OkStatus() : absl::AbortedError("the holds that ran out with it were not written");
    }
  }

  void Commit(const std::vector<Transaction>& batch, absl::Status& status) {
    CommitOptions options{.balances = random_.OneIn(2)};
    if (random_.OneIn(2)) options.deferred = DeferredPolicy::kRetryInBatch;
    const std::vector<CommitResult> expected = possible_.Commit(batch, options, clock_.Now());
    const auto results = ledger_->Commit(batch, options);
    status = results.status();
    if (!results.ok()) return;
    ASSERT_EQ(results->size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_TRUE(Same((*results)[i], expected[i]))
          << Describe(batch[i]) << "\n  ledger: " << Describe((*results)[i]) << "\n  model:  " << Describe(expected[i]);
    }
  }

  FaultFs disk_;
  FakeClock clock_;
  Random random_;
  Model acknowledged_;  // all that was answered
  Model possible_;      // and the one call that may or may not have happened
  Workload workload_;
  StoreOptions store_options_;
  bool poisoned_ = false;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
};

bool IsClearRefusal(const absl::Status& status) {
  return absl::IsAborted(status) || absl::IsFailedPrecondition(status) || absl::IsResourceExhausted(status) ||
         absl::IsUnavailable(status) || absl::IsDataLoss(status);
}

// ---- Power --------------------------------------------------------------------------------------------------------

// Cuts after every so many changes of one and the same work, from the first change of the first opening on.
void CutPowerEverywhere(Loss loss, Tail tail) {
  const uint64_t seed = TestSeed();
  constexpr int kSteps = 25;
  constexpr uint64_t kStride = 4;
  uint64_t cuts = 0;
  for (uint64_t after = seed % kStride;; after += kStride, ++cuts) {
    FaultRun run(seed);
    run.disk().CutPowerAfter(after);
    absl::Status status = run.Open();
    if (status.ok()) status = run.Run(kSteps);
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "power cut after change " << after;
    if (status.ok()) break;
    ASSERT_TRUE(IsClearRefusal(status)) << status;
    ASSERT_NO_FATAL_FAILURE(run.Recover(loss, tail)) << "power cut after change " << after;
    ASSERT_NO_FATAL_FAILURE(run.ExpectWorking()) << "power cut after change " << after;
  }
  std::printf("%llu cuts\n", static_cast<unsigned long long>(cuts));
  EXPECT_GT(cuts, 20U);
}

TEST(LedgerPowerCut, AtEveryPlaceWithTornTails) { CutPowerEverywhere(Loss::kUnsynced, Tail::kTorn); }
TEST(LedgerPowerCut, AtEveryPlaceWithHolesInTails) { CutPowerEverywhere(Loss::kUnsynced, Tail::kHoles); }
TEST(LedgerPowerCut, AtEveryPlaceOfAProcessOnly) { CutPowerEverywhere(Loss::kNothing, Tail::kTorn); }

TEST(LedgerPowerCut, AgainAndAgainOnOneLedger) {
  const uint64_t seed = TestSeed();
  Random random(seed ^ 1);
  FaultRun run(seed);
  ASSERT_THAT(run.Open(), IsOk());
  const uint64_t cycles = TestOps(60, "NORTHWIND_TEST_KILLS");
  for (uint64_t cycle = 0; cycle < cycles; ++cycle) {
    run.disk().CutPowerAfter(random.Below(random.OneIn(3) ? 20 : 300));
    ASSERT_TRUE(run.Run(200).ok() || run.disk().PowerIsCut());
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "cycle " << cycle;
    run.disk().CutPower();
    const auto tail = [&random] { return random.OneIn(2) ? Tail::kTorn : Tail::kHoles; };
    // Power may fail again while the ledger recovers.
    if (random.OneIn(3)) {
      run.Shut();
      run.disk().Restart(Loss::kUnsynced, tail());
      run.disk().CutPowerAfter(random.Below(60));
      run.Open().IgnoreError();
    }
    const Loss loss = random.OneIn(4) ? Loss::kNothing : Loss::kUnsynced;
    ASSERT_NO_FATAL_FAILURE(run.Recover(loss, tail(), cycle % 10 == 9)) << "cycle " << cycle;
  }
  ASSERT_NO_FATAL_FAILURE(run.ExpectWorking());
  ExpectInvariants(run.ledger());
}

// ---- Errors of the disk ---------------------------------------------------------------------------------------------

struct FaultCase {
  const char* name;
  DiskOp op;
  const char* path;
  bool forever;
  bool no_space;
};

class LedgerDiskError : public ::testing::TestWithParam<FaultCase> {};

// The n-th operation fails, for every n up to what the work takes.
TEST_P(LedgerDiskError, GivesRightDataOrAClearRefusal) {
  const FaultCase& fault = GetParam();
  const uint64_t seed = TestSeed();
  uint64_t met = 0;
  uint64_t stride = 1;
  for (uint64_t nth = 1; nth < 400; nth += stride) {
    FaultRun run(seed);
    ASSERT_THAT(run.Open(), IsOk());
    ASSERT_THAT(run.Run(6), IsOk());
    run.disk().Inject({.op = fault.op,
                       .path_contains = fault.path,
                       .nth = nth,
                       .forever = fault.forever,
                       .no_space = fault.no_space});
    const absl::Status status = run.Run(30);
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "operation " << nth;
    if (!status.ok()) {
      ++met;
      ASSERT_TRUE(IsClearRefusal(status)) << status;
      // Refuses from then on, or, if only its indexes could not be written, goes on and is right.
      run.Run(5).IgnoreError();
      ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "operation " << nth << ": " << status;
    }
    // Whether or not anyone noticed.
    ASSERT_NO_FATAL_FAILURE(run.Recover(nth % 2 == 0 ? Loss::kNothing : Loss::kUnsynced)) << "operation " << nth;
    ASSERT_NO_FATAL_FAILURE(run.ExpectWorking()) << "operation " << nth;
    if (nth >= 10) stride = 5 + seed % 3;
    if (nth > 50 && status.ok()) break;
  }
  std::printf("%llu refusals\n", static_cast<unsigned long long>(met));
}

INSTANTIATE_TEST_SUITE_P(Of, LedgerDiskError,
                         ::testing::Values(FaultCase{"AnAppendToTheLog", DiskOp::kAppend, ".log", false, false},
                                           FaultCase{"ASyncOfTheLog", DiskOp::kSync, ".log", false, false},
                                           FaultCase{"EverySyncOfTheLog", DiskOp::kSync, ".log", true, false},
                                           FaultCase{"AnAppendToATable", DiskOp::kAppend, ".sst", false, false},
                                           FaultCase{"ASyncOfATable", DiskOp::kSync, ".sst", false, false},
                                           FaultCase{"AnAppendToTheManifest", DiskOp::kAppend, "MANIFEST", false,
                                                     false},
                                           FaultCase{"ASyncOfTheManifest", DiskOp::kSync, "MANIFEST", false, false},
                                           FaultCase{"ALink", DiskOp::kLink, "", false, false},
                                           FaultCase{"ADirectorySync", DiskOp::kDirectorySync, "", false, false},
                                           FaultCase{"ACreation", DiskOp::kCreate, "", false, false},
                                           FaultCase{"ADeletion", DiskOp::kDelete, "", false, false},
                                           FaultCase{"ARename", DiskOp::kRename, "", false, false},
                                           FaultCase{"AnAppendWithoutSpace", DiskOp::kAppend, "", false, true},
                                           FaultCase{"EveryAppendWithoutSpace", DiskOp::kAppend, "", true, true}),
                         [](const auto& of) { return of.param.name; });

// ---- Space ------------------------------------------------------------------------------------------------------------

TEST(LedgerDiskFull, WithoutAFloorRefusesAndLosesNothing) {
  const uint64_t seed = TestSeed();
  Random random(seed);
  for (int round = 0; round < 25; ++round) {
    FaultRun run(seed + static_cast<uint64_t>(round));
    ASSERT_THAT(run.Open(), IsOk());
    ASSERT_THAT(run.Run(5), IsOk());
    run.disk().SetFreeSpace(random.Below(60'000));
    const absl::Status status = run.Run(400);
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "round " << round;
    ASSERT_FALSE(status.ok());
    ASSERT_TRUE(IsClearRefusal(status)) << status;
    run.Run(5).IgnoreError();
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "round " << round << ": " << status;
    run.Shut();
    run.disk().SetFreeSpace(1 << 30);
    ASSERT_NO_FATAL_FAILURE(run.Recover(Loss::kUnsynced)) << "round " << round;
    ASSERT_NO_FATAL_FAILURE(run.ExpectWorking());
  }
}

TEST(LedgerDiskFull, BelowItsFloorTheLedgerTakesNothingOnAndGoesOnWhenThereIsSpace) {
  FaultRun run(TestSeed());
  run.store_options().free_space_floor_bytes = 10 << 20;
  run.disk().SetFreeSpace(100 << 20);
  ASSERT_THAT(run.Open(), IsOk());
  ASSERT_THAT(run.Run(20), IsOk());
  run.disk().SetFreeSpace(5 << 20);
  // The free space is asked for now and then only.
  absl::Status status;
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (status.ok() && absl::Now() < deadline) status = run.Run(1);
  ASSERT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_NO_FATAL_FAILURE(run.Settle()) << "nothing was done";
  run.disk().SetFreeSpace(100 << 20);
  while (!status.ok() && absl::Now() < deadline) {
    status = run.Run(1);
    ASSERT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
  }
  ASSERT_THAT(status, IsOk()) << "not poisoned: it goes on";
  ASSERT_NO_FATAL_FAILURE(run.ExpectWorking());
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/child_process.h"
#include "tests/support/fault_fs.h"
#include "tests/support/ledger_fixture.h"
#include "tests/support/store_on.h"

namespace northwind::testing {
namespace {

using ::testing::HasSubstr;

class LedgerOpenErrors : public LedgerFixture {};

TEST_F(LedgerOpenErrors, AStoreHasOneLedgerAtATime) {
  EXPECT_THAT(Ledger::Open(*store_, options_), StatusIs(absl::StatusCode::kFailedPrecondition));
  ledger_.reset();
  NW_ASSERT_OK_AND_ASSIGN(ledger_, Ledger::Open(*store_, options_));
}

TEST_F(LedgerOpenErrors, AClosedLedgerThatStillExistsKeepsItsStore) {
  ASSERT_THAT(ledger_->Close(), IsOk());
  EXPECT_THAT(Ledger::Open(*store_, options_), StatusIs(absl::StatusCode::kFailedPrecondition));
  Reopen();
}

TEST_F(LedgerOpenErrors, ADirectoryIsOpenOnceInAProcess) {
  EXPECT_THAT(Store::Open(store_options_), StatusIs(absl::StatusCode::kFailedPrecondition));
  Give(alice_, 1);
}

TEST_F(LedgerOpenErrors, ADirectoryIsOpenInOneProcess) {
  const auto open_elsewhere = [this] {
    ChildProcess child({NORTHWIND_LEDGER_CHILD, "open", store_options_.path});
    const int status = child.Wait();
    EXPECT_TRUE(WIFEXITED(status));
    return static_cast<absl::StatusCode>(WEXITSTATUS(status));
  };
  EXPECT_EQ(open_elsewhere(), absl::StatusCode::kFailedPrecondition);
  Give(alice_, 1);
  Shut();
  EXPECT_EQ(open_elsewhere(), absl::StatusCode::kOk);
  Open();
  EXPECT_EQ(Available(alice_), 1);
}

TEST_F(LedgerOpenErrors, AMissingDirectoryIsNotFoundUnlessItIsToBeMade) {
  EXPECT_THAT(Store::Open({.path = directory_ / "nothing", .create_if_missing = false}),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "nothing"));
}

TEST_F(LedgerOpenErrors, ADirectoryOfSomethingElseIsRefusedAndLeftAlone) {
  std::filesystem::create_directory(directory_ / "photos");
  std::ofstream(directory_ / "photos/holiday.jpg") << "not a ledger";
  EXPECT_THAT(Store::Open({.path = directory_ / "photos"}), StatusIs(absl::StatusCode::kFailedPrecondition));
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_ / "photos")) ++files;
  EXPECT_EQ(files, 1U);
}

TEST_F(LedgerOpenErrors, AFileInPlaceOfTheDirectoryIsRefused) {
  std::ofstream(directory_ / "file") << "x";
  EXPECT_FALSE(Store::Open({.path = directory_ / "file"}).ok());
}

TEST_F(LedgerOpenErrors, ErrorsNameThePath) {
  EXPECT_THAT(Store::Open({.path = directory_ / "nothing", .create_if_missing = false}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nothing")));
}

// ---- After a write that failed ----------------------------------------------------------------------------------------

class LedgerAfterAFailedWrite : public ::testing::TestWithParam<DiskOp> {};

TEST_P(LedgerAfterAFailedWrite, ReopeningTellsTheTruth) {
  FaultFs disk;
  FakeClock clock;
  const LedgerOptions options{.clock = &clock};
  const StoreOptions store_options{.path = "/store", .free_space_floor_bytes = 0};
  NW_ASSERT_OK_AND_ASSIGN(auto store, OpenStoreOn(disk.env(), store_options));
  NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store, options));
  NW_ASSERT_OK_AND_ASSIGN(const AccountId world,
                          ledger->OpenAccount({.name = "world", .asset = "USD/2", .external = true}));
  NW_ASSERT_OK_AND_ASSIGN(const AccountId alice, ledger->OpenAccount({.name = "alice", .asset = "USD/2"}));
  ASSERT_THAT(ledger->Commit(MakePost(1, world, alice, 1)), IsOkAndHolds(HasOutcome(Outcome::kApplied)));

  disk.Inject({.op = GetParam(), .path_contains = ".log"});
  EXPECT_THAT(ledger->Commit(MakePost(2, world, alice, 10)), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(ledger->Balance(alice), IsOkAndHolds(MakeTotals(0, 1))) << "what is uncertain is not shown";
  EXPECT_THAT(ledger->Commit(MakePost(3, world, alice, 100)), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ledger->Commit(MakePost(1, world, alice, 1)), StatusIs(absl::StatusCode::kFailedPrecondition))
      << "poisoned until reopened, even for what is known";
  ledger.reset();
  store.reset();
  disk.Restart(Loss::kNothing);

  NW_ASSERT_OK_AND_ASSIGN(store, OpenStoreOn(disk.env(), store_options));
  NW_ASSERT_OK_AND_ASSIGN(ledger, Ledger::Open(*store, options));
  NW_ASSERT_OK_AND_ASSIGN(const CommitResult second, ledger->Commit(MakePost(2, world, alice, 10)));
  EXPECT_TRUE(second.outcome == Outcome::kApplied || second.outcome == Outcome::kDuplicate) << Describe(second);
  EXPECT_THAT(ledger->Commit(MakePost(3, world, alice, 100)), IsOkAndHolds(HasOutcome(Outcome::kApplied)));
  EXPECT_THAT(ledger->Commit(MakePost(1, world, alice, 1)), IsOkAndHolds(HasOutcome(Outcome::kDuplicate)));
  EXPECT_THAT(ledger->Balance(alice), IsOkAndHolds(MakeTotals(0, 111)));
  ExpectInvariants(*ledger);
}

INSTANTIATE_TEST_SUITE_P(OfTheLog, LedgerAfterAFailedWrite, ::testing::Values(DiskOp::kAppend, DiskOp::kSync),
                         [](const auto& op) { return op.param == DiskOp::kAppend ? "Append" : "Sync"; });

}  // namespace
}  // namespace northwind::testing

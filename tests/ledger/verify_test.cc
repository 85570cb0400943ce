// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/ledger_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

class LedgerVerify : public LedgerFixture {
 protected:
  void CommitPosts(uint64_t first, uint64_t last) {
    std::vector<Transaction> batch;
    for (uint64_t n = first; n <= last; ++n) batch.push_back(MakePost(n, world_, alice_, 1));
    for (const CommitResult& result : CommitAll(batch)) ASSERT_THAT(result, HasOutcome(Outcome::kApplied));
  }
};

TEST_F(LedgerVerify, CountsWhatItChecked) {
  Give(alice_, 100);
  Transaction expiring = MakeHold(4, alice_, bob_, 5);
  expiring.expires_at = clock_.Now();
  CommitAll({MakeHold(1, alice_, bob_, 10), MakeFinalCapture(2, Target::Key(Key(1)), 4),
             MakePost(3, alice_, bob_, 1000), expiring, MakeHold(5, alice_, bob_, 5), MakePost(6, world_, alice_, 0)});
  ASSERT_THAT(ledger_->ExpireHolds(), IsOkAndHolds(1U));
  ASSERT_THAT(ledger_->Freeze(bob_), IsOk());
  for (int round = 0; round < 2; ++round) {
    NW_ASSERT_OK_AND_ASSIGN(const VerifyReport report, ledger_->Verify());
    EXPECT_EQ(report.head, ledger_->Head());
    EXPECT_EQ(report.blocks, 7U) << "three openings, a gift, a batch, an expiry, a freeze";
    EXPECT_EQ(report.records, 11U);
    EXPECT_EQ(report.transactions_applied, 5U);
    EXPECT_EQ(report.transactions_rejected, 1U);
    EXPECT_EQ(report.accounts, 3U);
    EXPECT_EQ(report.entries, 2U + 2 + 4 + 2 + 2 + 2);
    EXPECT_EQ(report.open_holds, 1U);
    Reopen();
  }
}

TEST_F(LedgerVerify, TellsHowFarItIs) {
  for (uint64_t n = 0; n < 20; ++n) CommitPosts(n * 500 + 1, n * 500 + 500);
  std::vector<uint64_t> checked;
  VerifyOptions options;
  options.progress = [&](const VerifyProgress& progress) {
    EXPECT_EQ(progress.head, Sequence(10'003));
    EXPECT_LE(progress.checked, progress.head);
    checked.push_back(progress.checked.value());
    return true;
  };
  ASSERT_THAT(ledger_->Verify(options), IsOk());
  EXPECT_THAT(checked, Not(IsEmpty()));
  EXPECT_TRUE(std::is_sorted(checked.begin(), checked.end()));
}

TEST_F(LedgerVerify, CanBeCancelled) {
  for (uint64_t n = 0; n < 20; ++n) CommitPosts(n * 500 + 1, n * 500 + 500);
  VerifyOptions options;
  options.progress = [](const VerifyProgress&) { return false; };
  EXPECT_THAT(ledger_->Verify(options), StatusIs(absl::StatusCode::kCancelled));
  CommitPosts(100'000, 100'001);
}

TEST_F(LedgerVerify, RunsBesideCommitsOnOneMoment) {
  options_.checkpoint_interval = 500;
  Reopen();
  CommitPosts(1, 2000);
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> committed = 0;
  std::thread writer([&] {
    for (uint64_t n = 1'000'000; !stop; n += 7) {
      std::vector<Transaction> batch;
      for (uint64_t i = 0; i < 7; ++i) batch.push_back(MakePost(n + i, world_, bob_, 1));
      ASSERT_THAT(ledger_->Commit(batch), IsOk());
      committed += 7;
    }
  });
  for (int i = 0; i < 5; ++i) {
    const uint64_t before = committed;
    while (committed < before + 50) std::this_thread::yield();
    const auto report = ledger_->Verify();
    EXPECT_THAT(report, IsOk());
    if (report.ok()) {
      EXPECT_EQ(report->records, report->head.sequence.value());
      EXPECT_EQ((report->head.sequence.value() - 2003) % 7, 0U);
    }
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace northwind::testing

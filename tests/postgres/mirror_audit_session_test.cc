// SPDX-License-Identifier: Apache-2.0
//
// What goes on around an audit: whose database it is, a mirror that goes on meanwhile, a connection that breaks, a caller that has enough.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/cutting_proxy.h"
#include "tests/postgres/mirror_audit_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using Direction = CuttingProxy::Direction;
using Fault = CuttingProxy::Fault;

class MirrorAuditSession : public MirrorAudit {
 protected:
  // Another ledger, or a copy of this one, with its database where this one's is.
  struct Other {
    std::unique_ptr<Store> store;
    std::unique_ptr<Ledger> ledger;
    std::unique_ptr<Mirror> mirror;
  };
  Other OpenOther(const std::string& path) {
    Other other;
    StoreOptions store_options = store_options_;
    store_options.path = path;
    auto store = Store::Open(store_options);
    EXPECT_THAT(store, IsOk());
    other.store = *std::move(store);
    auto ledger = Ledger::Open(*other.store, options_);
    EXPECT_THAT(ledger, IsOk());
    other.ledger = *std::move(ledger);
    auto mirror = Mirror::Open(*other.ledger, mirror_options_);
    EXPECT_THAT(mirror, IsOk());
    other.mirror = *std::move(mirror);
    return other;
  }
  // Posts, each with two rows of postings.
  void CommitPosts(uint64_t count) {
    std::vector<Transaction> batch;
    for (; count > 0; --count) batch.push_back(MakePost(++posts_, world_, alice_, 1 + count % 100));
    for (const CommitResult& result : CommitAll(batch)) ASSERT_EQ(result.outcome, Outcome::kApplied);
  }

  uint64_t posts_ = 10'000;
};

TEST_F(MirrorAuditSession, OfAWatermarkThatWasMovedIsRefusedOrFound) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  mirror_->Stop();
  sql_->Run("UPDATE watermark SET recorded_at = recorded_at + interval '1 second'");
  EXPECT_THAT(Audit().findings, SizeIs(1));
  sql_->Run("UPDATE watermark SET recorded_at = recorded_at - interval '1 second', block_hash = '\\x00'");
  EXPECT_THAT(mirror_->Audit(), StatusIs(absl::StatusCode::kFailedPrecondition));
  sql_->Run("UPDATE watermark SET sequence = sequence + 1000");
  EXPECT_THAT(mirror_->Audit(), StatusIs(absl::StatusCode::kFailedPrecondition));
  sql_->Run("UPDATE watermark SET sequence = 1, ledger_id = gen_random_uuid()");
  EXPECT_THAT(mirror_->Audit(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(MirrorAuditSession, TellsHowFarItIsAndIsCancelled) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  std::vector<AuditProgress> told;
  ASSERT_THAT(mirror_->Audit([&](const AuditProgress& progress) {
    told.push_back(progress);
    return true;
  }),
              IsOk());
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().checked, ledger_->Head().sequence);
  EXPECT_EQ(told.back().end, ledger_->Head().sequence);
  EXPECT_THAT(mirror_->Audit([](const AuditProgress&) { return false; }), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(MirrorAuditSession, RunsBesideAMirrorThatGoesOn) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  for (uint64_t n = 100; n < 400; ++n) {
    Commit(MakePost(n, world_, alice_, n));
    if (n % 50 == 0) {
      const AuditReport report = Audit();
      EXPECT_TRUE(report.clean()) << absl::StrJoin(report.findings, "\n");
    }
  }
}

TEST_F(MirrorAuditSession, ShowsTheMomentThatItBeganAtWhateverTheMirrorDoesMeanwhile) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  const Sequence began_at = ledger_->Head().sequence;
  mirror_options_.batch = 4;
  NW_ASSERT_OK_AND_ASSIGN(const auto auditor, Mirror::Open(*ledger_, mirror_options_));
  uint64_t moves = 0;
  const auto report = auditor->Audit([&](const AuditProgress& progress) {
    EXPECT_EQ(progress.end, began_at);
    // Rows that it has yet to come to change, and others come.
    clock_.Advance(absl::Seconds(1));
    Commit(MakeCapture(1'000 + ++moves, Target::Key(Key(6)), 1));
    CommitPosts(3);
    Commit(MakeHold(2'000 + moves, alice_, bob_, 1));
    Apply({OfPayout(EventType::kPayoutRequested, absl::StrCat("later", moves), 20, 1)});
    if (moves == 1) Apply({OfPayout(EventType::kPayoutPaid, "po4", 21)});
    CatchUp();
    return true;
  });
  ASSERT_THAT(report, IsOk());
  EXPECT_TRUE(report->clean()) << absl::StrJoin(report->findings, "\n");
  EXPECT_EQ(report->watermark, began_at);
  EXPECT_GT(moves, 5U);
  ExpectClean();
}

TEST_F(MirrorAuditSession, IsCancelledWheneverTheCallerSaysSo) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  mirror_options_.batch = 4;
  NW_ASSERT_OK_AND_ASSIGN(const auto auditor, Mirror::Open(*ledger_, mirror_options_));
  uint64_t calls = 0;
  Sequence before;
  ASSERT_THAT(auditor->Audit([&](const AuditProgress& progress) {
    ++calls;
    EXPECT_GE(progress.checked, before);
    EXPECT_LE(progress.checked, progress.end);
    before = progress.checked;
    return true;
  }),
              IsOk());
  EXPECT_EQ(before, ledger_->Head().sequence);
  ASSERT_GT(calls, 5U);
  for (uint64_t last = 1; last <= calls; ++last) {
    uint64_t told = 0;
    EXPECT_THAT(auditor->Audit([&](const AuditProgress&) { return ++told < last; }),
                StatusIs(absl::StatusCode::kCancelled));
    EXPECT_EQ(told, last) << "it was asked again";
  }
  ExpectClean();
}

TEST_F(MirrorAuditSession, IsUnavailableWhereverTheConnectionIsCutAndALaterOneGoesWell) {
  CuttingProxy proxy(PostgresServer::Shared().port());
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  // More rows than one FETCH brings.
  ASSERT_NO_FATAL_FAILURE(CommitPosts(3'000));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  MirrorOptions options = mirror_options_;
  options.connection = absl::StrCat("host=127.0.0.1 port=", proxy.port(), " dbname=", database_, " user=postgres");
  options.batch = 500;
  NW_ASSERT_OK_AND_ASSIGN(const auto auditor, Mirror::Open(*ledger_, options));
  ASSERT_THAT(auditor->Audit(), IsOk());
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    const uint64_t before = proxy.forwarded(direction);
    ASSERT_THAT(auditor->Audit(), IsOk());
    const uint64_t whole = proxy.forwarded(direction) - before;
    constexpr uint64_t kCuts = 20;
    for (uint64_t cut = 0; cut < kCuts; ++cut) {
      SCOPED_TRACE(absl::StrCat("byte ", whole * cut / kCuts, " of ", whole));
      proxy.BreakAfter(direction, whole * cut / kCuts, Fault::kCut);
      EXPECT_THAT(auditor->Audit(), StatusIs(absl::StatusCode::kUnavailable));
    }
  }
  // While the caller is being told.
  uint64_t told = 0;
  EXPECT_THAT(auditor->Audit([&](const AuditProgress&) {
    if (++told == 2) proxy.Break(Fault::kCut);
    return true;
  }),
              StatusIs(absl::StatusCode::kUnavailable));
  proxy.Break(Fault::kRefuse);
  EXPECT_THAT(auditor->Audit(), StatusIs(absl::StatusCode::kUnavailable));
  proxy.Mend();
  const auto report = auditor->Audit();
  ASSERT_THAT(report, IsOk());
  EXPECT_TRUE(report->clean()) << absl::StrJoin(report->findings, "\n");
}

TEST_F(MirrorAuditSession, GivesUpAServerThatDoesNotAnswer) {
  CuttingProxy proxy(PostgresServer::Shared().port());
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  MirrorOptions options = mirror_options_;
  options.connection = absl::StrCat("host=127.0.0.1 port=", proxy.port(), " dbname=", database_, " user=postgres");
  options.statement_timeout = absl::Seconds(2);
  NW_ASSERT_OK_AND_ASSIGN(const auto auditor, Mirror::Open(*ledger_, options));
  EXPECT_THAT(auditor->Audit([&](const AuditProgress&) {
    proxy.Break(Fault::kFreeze);
    return true;
  }),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(MirrorAuditSession, RefusesTheDatabaseOfAnotherLedger) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  const Other other = OpenOther(directory_ / "other");
  EXPECT_THAT(other.mirror->Audit(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("belongs to the ledger")));
  // It has told nothing to it, and changed nothing in it.
  ExpectClean();
}

TEST_F(MirrorAuditSession, RefusesADatabaseThatIsAheadOrHoldsAnotherHistory) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  const std::string copy = directory_ / "copy";
  ASSERT_THAT(ledger_->Checkpoint(copy), IsOk());
  const Other restored = OpenOther(copy);
  const auto as_it_was = restored.mirror->Audit();
  ASSERT_THAT(as_it_was, IsOk());
  EXPECT_TRUE(as_it_was->clean());

  ASSERT_NO_FATAL_FAILURE(CommitPosts(5));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(restored.mirror->Audit(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is ahead of the ledger")));
  // As many records, and more, but others.
  for (uint64_t n = 1; n <= 6; ++n) {
    ASSERT_THAT(restored.ledger->Commit(MakePost(20'000 + n, world_, bob_, 1)), IsOk());
  }
  EXPECT_THAT(restored.mirror->Audit(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another history")));
  ExpectClean();
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
//
// How a mirror begins, waits, stops and gives way, and what it says of itself meanwhile.
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/cutting_proxy.h"
#include "tests/postgres/followed_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Fault = CuttingProxy::Fault;

class MirrorFollower : public FollowedFixture {
 protected:
  // From now on mirrors go to the server through this.
  void UseProxy() {
    proxy_ = std::make_unique<CuttingProxy>(PostgresServer::Shared().port());
    mirror_options_.connection =
        absl::StrCat("host=127.0.0.1 user=postgres port=", proxy_->port(), " dbname=", database_);
  }
  // Somebody's transaction that a batch has to wait for.
  void LockPostings() { sql_->Run("BEGIN; LOCK TABLE postings IN EXCLUSIVE MODE"); }

  std::unique_ptr<CuttingProxy> proxy_;
};

// ---- Begin and end ------------------------------------------------------------------------------------------

TEST_F(MirrorFollower, IsOpenedWithoutAServerAndRefusesOptionsOutOfRange) {
  EXPECT_THAT(Mirror::Open(*ledger_, {.connection = "host=/nowhere"}), IsOk());
  const auto refuses = [this](const char* field, const auto& alter) {
    MirrorOptions options = mirror_options_;
    alter(options);
    EXPECT_THAT(Mirror::Open(*ledger_, options), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(field)));
    EXPECT_THAT(Mirror::Migrate(options), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(field)));
  };
  refuses("connection", [](MirrorOptions& o) { o.connection.clear(); });
  refuses("schema", [](MirrorOptions& o) { o.schema = ""; });
  refuses("schema", [](MirrorOptions& o) { o.schema = "1a"; });
  refuses("schema", [](MirrorOptions& o) { o.schema = "a\"; DROP SCHEMA b"; });
  refuses("schema", [](MirrorOptions& o) { o.schema = std::string(64, 'a'); });
  refuses("batch", [](MirrorOptions& o) { o.batch = 0; });
  refuses("batch", [](MirrorOptions& o) { o.batch = kMaxJournalPage + 1; });
  refuses("statement_timeout", [](MirrorOptions& o) { o.statement_timeout = absl::ZeroDuration(); });
  refuses("min_retry", [](MirrorOptions& o) { o.min_retry = absl::ZeroDuration(); });
  refuses("max_retry", [](MirrorOptions& o) { o.max_retry = o.min_retry - absl::Nanoseconds(1); });
  refuses("max_retry", [](MirrorOptions& o) { o.max_retry = absl::InfiniteDuration(); });
}

TEST_F(MirrorFollower, StartsOnceAndAgainAfterItWasStopped) {
  ASSERT_NO_FATAL_FAILURE(StartMirror());
  EXPECT_THAT(mirror_->Start(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("it is running")));
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  mirror_->Stop();
  mirror_->Stop();
  EXPECT_EQ(mirror_->Stats().state, MirrorState::kStopped);
  CommitSome();
  ASSERT_THAT(mirror_->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  EXPECT_EQ(mirror_->Stats().connections, 2U);
  EXPECT_EQ(mirror_->Stats().records, HeadSequence());
  EXPECT_EQ(AskOne("SELECT epoch FROM watermark"), "2");
}

TEST_F(MirrorFollower, AServerThatIsNotThereIsWaitedForAndThenFollowedOnto) {
  UseProxy();
  proxy_->Break(Fault::kRefuse);
  ASSERT_NO_FATAL_FAILURE(StartMirror());
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(AwaitWaiting("connecting to PostgreSQL"));
  EXPECT_THAT(mirror_->Stats().status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(mirror_->Start(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(mirror_->Stats().connections, 0U);
  proxy_->Mend();
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  EXPECT_EQ(mirror_->Stats().state, MirrorState::kRunning);
  EXPECT_THAT(mirror_->Stats().status, IsOk());
}

// Nothing here but Stop ends the waits: they are of hours.
TEST_F(MirrorFollower, StopEndsAWaitForTheNextTry) {
  UseProxy();
  proxy_->Break(Fault::kRefuse);
  mirror_options_.min_retry = mirror_options_.max_retry = absl::Hours(1000);
  ASSERT_NO_FATAL_FAILURE(StartMirror());
  ASSERT_NO_FATAL_FAILURE(AwaitWaiting("connecting to PostgreSQL"));
  mirror_->Stop();
  EXPECT_EQ(mirror_->Stats().state, MirrorState::kStopped);
  EXPECT_THAT(mirror_->Stats().status, IsOk());
}

TEST_F(MirrorFollower, StopEndsAWaitForAConnection) {
  UseProxy();
  proxy_->Break(Fault::kFreeze);
  mirror_options_.connection += " connect_timeout=100000";
  mirror_options_.statement_timeout = absl::Hours(24);
  ASSERT_NO_FATAL_FAILURE(StartMirror());
  ASSERT_NO_FATAL_FAILURE(Await("a connection", [this] { return proxy_->connections() == 1; }));
  EXPECT_EQ(mirror_->Stats().state, MirrorState::kRunning);
  mirror_->Stop();
  EXPECT_EQ(mirror_->Stats().connections, 0U);
}

TEST_F(MirrorFollower, StopEndsAWaitForAnAnswerAndTheNextStartFindsOutWhatBecameOfIt) {
  mirror_options_.statement_timeout = absl::Hours(24);
  for (const uint64_t backfill_lag : {uint64_t{100'000}, uint64_t{0}}) {
    mirror_options_.backfill_lag = backfill_lag;
    mirror_.reset();
    ASSERT_NO_FATAL_FAILURE(CatchUp());
    LockPostings();
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(AwaitBlocked());
    mirror_->Stop();
    // What was sent may be committed yet, or not: the server has not noticed that nobody waits for the answer.
    sql_->Run("COMMIT");
    ASSERT_THAT(mirror_->Start(), IsOk());
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  }
}

TEST_F(MirrorFollower, AnIdleSessionThatIsCutOffIsNoticedWithoutAnythingToSend) {
  UseProxy();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  proxy_->Break(Fault::kCut);
  ASSERT_NO_FATAL_FAILURE(Await("a new connection", [this] { return mirror_->Stats().connections == 2; }));
  EXPECT_EQ(mirror_->Stats().ambiguous, 0U);
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
}

// ---- Two mirrors --------------------------------------------------------------------------------------------

TEST_F(MirrorFollower, ASecondMirrorTakesOverAndTheFirstHaltsAtItsNextBatch) {
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  const std::unique_ptr<Mirror> first = std::move(mirror_);
  ASSERT_NO_FATAL_FAILURE(CatchUp());  // of the second
  EXPECT_EQ(AskOne("SELECT epoch FROM watermark"), "2");
  EXPECT_EQ(first->Stats().state, MirrorState::kRunning);
  CommitSome();
  EXPECT_THAT(first->WaitFor(Sequence(UINT64_MAX), absl::Minutes(1)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("halted")));
  EXPECT_THAT(first->Stats().status,
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("NW001"), HasSubstr("another mirror or a reset has taken over"))));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  // And back again.
  ASSERT_THAT(first->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(Await("its epoch", [this] { return AskOne("SELECT epoch FROM watermark") == "3"; }));
  CommitSome();
  EXPECT_THAT(Halted(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("NW001")));
  EXPECT_THAT(first->WaitFor(ledger_->Head().sequence, absl::Minutes(1)), IsOk());
  ASSERT_NO_FATAL_FAILURE(ExpectPrefix());
  EXPECT_EQ(Watermark(), HeadSequence());
}

TEST_F(MirrorFollower, AResetHaltsTheOneThatRunsAndItsNextStartFillsAllAnew) {
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  ASSERT_THAT(Mirror::Reset(mirror_options_), IsOk());
  CommitSome();
  EXPECT_THAT(Halted(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("NW001")));
  EXPECT_EQ(Watermark(), 0U);
  ASSERT_THAT(mirror_->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
}

// ---- What it says -------------------------------------------------------------------------------------------

TEST_F(MirrorFollower, WaitForTellsWhyItIsNotThere) {
  NW_ASSERT_OK_AND_ASSIGN(mirror_, Mirror::Open(*ledger_, mirror_options_));
  EXPECT_THAT(mirror_->WaitFor(Sequence(), absl::ZeroDuration()), IsOk());
  EXPECT_THAT(mirror_->WaitFor(Sequence(1), absl::Hours(1)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("it is stopped at 0")));
  ASSERT_THAT(mirror_->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  const Sequence head = ledger_->Head().sequence;
  EXPECT_THAT(mirror_->WaitFor(head, absl::ZeroDuration()), IsOk());
  EXPECT_THAT(mirror_->WaitFor(Sequence(head.value() + 1), absl::Milliseconds(1)),
              StatusIs(absl::StatusCode::kDeadlineExceeded,
                       HasSubstr(absl::StrCat("at ", head.value(), ", not yet at ", head.value() + 1))));
  // One that waits when it stops, and one that waits when it halts.
  absl::Status waited;
  std::thread waiter([&] { waited = mirror_->WaitFor(Sequence(UINT64_MAX), absl::Hours(1)); });
  mirror_->Stop();
  waiter.join();
  EXPECT_THAT(waited, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("it is stopped")));
  EXPECT_THAT(mirror_->WaitFor(head, absl::ZeroDuration()), IsOk());
  ASSERT_THAT(mirror_->Start(), IsOk());
  waiter = std::thread([&] { waited = mirror_->WaitFor(Sequence(UINT64_MAX), absl::Hours(1)); });
  sql_->Run("UPDATE watermark SET epoch = epoch + 10");
  while (mirror_->Stats().state != MirrorState::kHalted) {
    Give(alice_, 1);
    sql_->Run("UPDATE watermark SET epoch = epoch + 10");
  }
  waiter.join();
  EXPECT_THAT(waited,
              StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("it is halted"), HasSubstr("NW001"))));
}

TEST_F(MirrorFollower, StatsTellTheLagInRecordsAndTheAgeOfTheOldest) {
  NW_ASSERT_OK_AND_ASSIGN(mirror_, Mirror::Open(*ledger_, mirror_options_));
  EXPECT_EQ(mirror_->Stats().state, MirrorState::kStopped);
  EXPECT_EQ(mirror_->Stats().lag_records, HeadSequence());
  // Ages by the wall clock: many hours apart, so that it does not matter how long this takes.
  clock_.Set(absl::Now() - absl::Hours(1000));
  Give(alice_, 1);
  ASSERT_THAT(mirror_->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  MirrorStats stats = mirror_->Stats();
  EXPECT_EQ(stats.mirrored, ledger_->Head().sequence);
  EXPECT_EQ(stats.head, ledger_->Head().sequence);
  EXPECT_EQ(stats.lag_records, 0U);
  EXPECT_EQ(stats.lag, absl::ZeroDuration());
  EXPECT_EQ(stats.records, HeadSequence());
  EXPECT_GE(stats.batches, 1U);

  mirror_->Stop();
  clock_.Set(absl::Now() - absl::Hours(500));
  Give(alice_, 1);
  clock_.Set(absl::Now() - absl::Hours(100));
  Give(alice_, 1);
  Give(alice_, 1);
  stats = mirror_->Stats();
  EXPECT_EQ(stats.lag_records, 3U);
  EXPECT_EQ(stats.head.value(), stats.mirrored.value() + 3);
  EXPECT_GE(stats.lag, absl::Hours(500));
  EXPECT_LT(stats.lag, absl::Hours(900));
  // A clock that is ahead of this one's makes no lag below none.
  ASSERT_THAT(mirror_->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  mirror_->Stop();
  clock_.Set(absl::Now() + absl::Hours(100));
  Give(alice_, 1);
  EXPECT_EQ(mirror_->Stats().lag_records, 1U);
  EXPECT_EQ(mirror_->Stats().lag, absl::ZeroDuration());
}

TEST_F(MirrorFollower, ABatchIsNoLongerThanItMayBe) {
  for (int i = 0; i < 20; ++i) Give(alice_, 1);
  mirror_options_.batch = 4;
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  EXPECT_GE(mirror_->Stats().batches, (HeadSequence() + 3) / 4);
  EXPECT_EQ(mirror_->Stats().records, HeadSequence());
}

TEST_F(MirrorFollower, ABatchHasNoMorePostingsThanItMay) {
  std::vector<Transaction> large;
  for (uint64_t key = 1; key <= 200; ++key) {
    large.push_back(MakePost(key, Postings(kMaxPostings, Posting{world_, alice_, 1})));
  }
  CommitAll(large);
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_EQ(mirror_->Stats().batches, 2U);  // 200 × 512 rows
  EXPECT_EQ(AskOne("SELECT count(*) FROM postings"), "102400");
}

// A server that can do three of the first transactions in time, and any number of later ones. What it says is what it says after
// statement_timeout.
TEST_F(MirrorFollower, ABatchThatCannotBeDoneInTimeIsHalvedUntilOneGetsThroughAndGrowsAgain) {
  constexpr uint64_t kSlow = 30;
  for (int i = 0; i < 200; ++i) Give(alice_, 1);
  for (const uint64_t backfill_lag : {UINT64_MAX, uint64_t{0}}) {
    mirror_.reset();
    ASSERT_THAT(Mirror::Reset(mirror_options_), IsOk());
    sql_->Run("DROP TABLE IF EXISTS sizes CASCADE; CREATE TABLE sizes (last bigint, size bigint)");
    sql_->Run(
        absl::StrCat("CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                     "IF (SELECT count(*) > 3 AND min(sequence) <= ",
                     kSlow,
                     " FROM fresh) THEN "
                     "  RAISE 'canceling statement due to statement timeout' USING ERRCODE = '57014'; END IF; "
                     "INSERT INTO sizes SELECT max(sequence), count(*) FROM fresh; RETURN NULL; END $$"));
    sql_->Run(
        "DROP TRIGGER IF EXISTS slow ON transactions; CREATE TRIGGER slow AFTER INSERT ON transactions REFERENCING NEW "
        "TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION slow()");
    mirror_options_.backfill_lag = backfill_lag;
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
    EXPECT_EQ(mirror_->Stats().copied, backfill_lag == 0 ? HeadSequence() : 0);
    EXPECT_EQ(AskOne(absl::StrCat("SELECT max(size) FROM sizes WHERE last <= ", kSlow)), "3");
    EXPECT_GE(std::stoi(AskOne("SELECT max(size) FROM sizes")), 10);
  }
}

}  // namespace
}  // namespace northwind::testing

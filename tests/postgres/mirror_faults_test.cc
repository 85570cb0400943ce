// SPDX-License-Identifier: Apache-2.0
//
// What passes: connections that are cut at every place of a batch, and what a server says in passing, provoked for real. After each the
// database is the journal up to its watermark, and what was in doubt is there once or not at all.
#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/cutting_proxy.h"
#include "tests/postgres/followed_fixture.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

using Direction = CuttingProxy::Direction;
using Fault = CuttingProxy::Fault;

constexpr uint64_t kByCopy = 0, kByArrays = UINT64_MAX;

// ---- The network --------------------------------------------------------------------------------------------

class MirrorFaults : public FollowedFixture {
 protected:
  void SetUp() override {
    FollowedFixture::SetUp();
    proxy_ = std::make_unique<CuttingProxy>(PostgresServer::Shared().port());
    mirror_options_.connection =
        absl::StrCat("host=127.0.0.1 user=postgres port=", proxy_->port(), " dbname=", database_);
  }
  void TearDown() override {
    mirror_.reset();
    FollowedFixture::TearDown();
  }

  void Begin(uint64_t backfill_lag) {
    mirror_.reset();
    mirror_options_.backfill_lag = backfill_lag;
    CommitOne();
    ASSERT_NO_FATAL_FAILURE(CatchUp());
  }
  // One batch, always of the same size: two accounts are updated, a transaction and two postings are added.
  void CommitOne() { Give(alice_, 1); }
  // How many bytes go in this direction for such a batch and for nothing else.
  uint64_t BytesOfABatch(Direction direction) {
    const uint64_t before = proxy_->forwarded(direction);
    CommitOne();
    EXPECT_THAT(mirror_->WaitFor(ledger_->Head().sequence, absl::Minutes(1)), IsOk());
    return proxy_->forwarded(direction) - before;
  }
  // The network, which stands still at some byte, breaks there; new connections are welcome.
  void CutWhereItStands() {
    proxy_->Break(Fault::kCut);
    proxy_->Mend();
  }
  // Until the server has said or done all that it could with what has reached it.
  void AwaitFrozen() {
    ASSERT_NO_FATAL_FAILURE(Await("the network stands still", [this] { return proxy_->broken(); }));
  }
  void AwaitWatermark(uint64_t sequence) {
    ASSERT_NO_FATAL_FAILURE(Await("the watermark", [this, sequence] { return Watermark() == sequence; }));
  }
  uint64_t ambiguous() { return mirror_->Stats().ambiguous; }

  std::unique_ptr<CuttingProxy> proxy_;
};

TEST_F(MirrorFaults, ACommitWhoseAnswerIsLostIsFoundInTheWatermark) {
  for (const uint64_t backfill_lag : {kByArrays, kByCopy}) {
    SCOPED_TRACE(backfill_lag);
    ASSERT_NO_FATAL_FAILURE(Begin(backfill_lag));
    const uint64_t answer = BytesOfABatch(Direction::kToClient), records = mirror_->Stats().records;
    // All but the last byte of it: that of ReadyForQuery, after COMMIT.
    proxy_->BreakAfter(Direction::kToClient, answer - 1, Fault::kFreeze);
    CommitOne();
    ASSERT_NO_FATAL_FAILURE(AwaitFrozen());
    ASSERT_NO_FATAL_FAILURE(AwaitWatermark(HeadSequence()));
    EXPECT_EQ(mirror_->Stats().lag_records, 1U);
    CutWhereItStands();
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
    EXPECT_EQ(ambiguous(), 1U);
    // It was not written a second time.
    EXPECT_EQ(mirror_->Stats().records, records);
    EXPECT_EQ(mirror_->Stats().connections, 2U);
  }
}

TEST_F(MirrorFaults, ACommitThatDoesNotReachTheServerIsDoneAgain) {
  for (const uint64_t backfill_lag : {kByArrays, kByCopy}) {
    SCOPED_TRACE(backfill_lag);
    ASSERT_NO_FATAL_FAILURE(Begin(backfill_lag));
    const uint64_t batch = BytesOfABatch(Direction::kToServer), records = mirror_->Stats().records;
    const uint64_t before = Watermark();
    // Without the last byte of Execute, which the 5 of Sync follow.
    proxy_->BreakAfter(Direction::kToServer, batch - 6, Fault::kFreeze);
    CommitOne();
    ASSERT_NO_FATAL_FAILURE(AwaitFrozen());
    EXPECT_EQ(Watermark(), before);
    CutWhereItStands();
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
    EXPECT_EQ(ambiguous(), 1U);
    EXPECT_EQ(mirror_->Stats().records, records + 1);
  }
}

TEST_F(MirrorFaults, ACommitThatReachesTheServerWithoutItsSyncIsDoneOnce) {
  ASSERT_NO_FATAL_FAILURE(Begin(kByArrays));
  const uint64_t batch = BytesOfABatch(Direction::kToServer), records = mirror_->Stats().records;
  proxy_->BreakAfter(Direction::kToServer, batch - 5, Fault::kFreeze);
  CommitOne();
  ASSERT_NO_FATAL_FAILURE(AwaitFrozen());
  ASSERT_NO_FATAL_FAILURE(AwaitWatermark(HeadSequence()));
  CutWhereItStands();
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  EXPECT_EQ(ambiguous(), 1U);
  EXPECT_EQ(mirror_->Stats().records, records);
}

TEST_F(MirrorFaults, ABatchByCopyThatIsCutBeforeItsCommitIsNotInDoubt) {
  ASSERT_NO_FATAL_FAILURE(Begin(kByCopy));
  const uint64_t batch = BytesOfABatch(Direction::kToServer);
  // In the midst of the rows of some table.
  proxy_->BreakAfter(Direction::kToServer, batch / 2, Fault::kCut);
  CommitOne();
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  EXPECT_EQ(ambiguous(), 0U);
  EXPECT_EQ(mirror_->Stats().connections, 2U);
}

TEST_F(MirrorFaults, ACutAtAnyByteOfABatchLosesAndDoublesNothing) {
  Random random(TestSeed());
  for (const uint64_t backfill_lag : {kByArrays, kByCopy}) {
    ASSERT_NO_FATAL_FAILURE(Begin(backfill_lag));
    for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
      const uint64_t batch = BytesOfABatch(direction);
      // Everywhere near the end, where COMMIT is and its answer; and here and there before.
      std::vector<uint64_t> places;
      for (uint64_t back = 0; back < 16; ++back) places.push_back(batch - std::min(batch, back));
      for (int i = 0; i < 10; ++i) places.push_back(random.Below(batch));
      for (const uint64_t place : places) {
        SCOPED_TRACE(absl::StrCat(backfill_lag == kByCopy ? "COPY" : "arrays", ", cut after ", place, " of ", batch,
                                  direction == Direction::kToServer ? " bytes of a batch" : " bytes of its answer"));
        // The first batch of a session asks for the month, too.
        CommitOne();
        ASSERT_NO_FATAL_FAILURE(CatchUp());
        const MirrorStats before = mirror_->Stats();
        proxy_->BreakAfter(direction, place, Fault::kCut);
        CommitOne();
        ASSERT_NO_FATAL_FAILURE(CatchUp());
        proxy_->Mend();
        const MirrorStats after = mirror_->Stats();
        EXPECT_EQ(Watermark(), HeadSequence());
        EXPECT_LE(after.ambiguous - before.ambiguous, 1U);
        // By arrays all is sent at once: whatever breaks before the end of the answer leaves a doubt.
        if (backfill_lag == kByArrays && place < batch) {
          EXPECT_EQ(after.ambiguous - before.ambiguous, 1U);
        }
      }
    }
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  }
}

TEST_F(MirrorFaults, ACutAtAnyByteOfConnectingIsTriedAgain) {
  Random random(TestSeed());
  const auto all = [this](Direction direction) {
    mirror_.reset();
    const uint64_t before = proxy_->forwarded(direction);
    CatchUp();
    return proxy_->forwarded(direction) - before;
  };
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    const uint64_t bytes = all(direction);
    for (int i = 0; i < 25; ++i) {
      const uint64_t place = random.Below(bytes);
      SCOPED_TRACE(absl::StrCat("cut after ", place, " of ", bytes, " bytes"));
      mirror_.reset();
      proxy_->BreakAfter(direction, place, Fault::kCut);
      ASSERT_NO_FATAL_FAILURE(CatchUp());
      proxy_->Mend();
      EXPECT_EQ(ambiguous(), 0U);
    }
  }
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
}

TEST_F(MirrorFaults, ANetworkThatSaysNothingIsGivenUpAfterTheTimeout) {
  for (const uint64_t backfill_lag : {kByArrays, kByCopy}) {
    mirror_options_.statement_timeout = absl::Seconds(1);
    ASSERT_NO_FATAL_FAILURE(Begin(backfill_lag));
    mirror_options_.statement_timeout = absl::Minutes(2);
    proxy_->BreakAfter(Direction::kToClient, 0, Fault::kFreeze);
    CommitOne();
    ASSERT_NO_FATAL_FAILURE(AwaitWaiting("in time"));
    EXPECT_EQ(mirror_->Stats().status.code(), absl::StatusCode::kDeadlineExceeded);
    CutWhereItStands();
    ASSERT_NO_FATAL_FAILURE(CatchUp());
    ASSERT_NO_FATAL_FAILURE(ExpectPrefix());
    EXPECT_EQ(Watermark(), HeadSequence());
  }
}

// ---- The server ---------------------------------------------------------------------------------------------

class MirrorServerFaults : public FollowedFixture {
 protected:
  void SetUp() override {
    FollowedFixture::SetUp();
    // After the first fault it waits, until it is started again: so that one can see what it waits for.
    mirror_options_.min_retry = mirror_options_.max_retry = absl::Hours(1000);
    mirror_options_.statement_timeout = absl::Hours(1);
  }
  void BeginWith(const std::string& settings, uint64_t backfill_lag) {
    mirror_.reset();
    const std::string plain = mirror_options_.connection;
    mirror_options_.connection = plain + " options='" + settings + "'";
    mirror_options_.backfill_lag = backfill_lag;
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(CatchUp());
    mirror_options_.connection = plain;
  }
  std::unique_ptr<PostgresSession> Session(const std::string& settings = "") {
    auto session = std::make_unique<PostgresSession>(PostgresServer::Shared().Connection(database_));
    session->Run("SET search_path = northwind; " + settings);
    return session;
  }
  std::string SessionsOfMirror(const char* what = "count(*)") {
    return AskOne(absl::StrCat("SELECT ", what, " FROM pg_stat_activity WHERE datname = current_database() AND ",
                               "application_name = 'northwind mirror'"));
  }
  // Once those of mirrors and audits before are gone.
  std::string PidOfMirror() {
    Await("one session", [this] { return SessionsOfMirror() == "1"; });
    return SessionsOfMirror("pid");
  }
  // It waits because of this, with nothing but a prefix there; and goes on when it is started.
  void ExpectPassed(const std::string& sqlstate, absl::StatusCode code) {
    ASSERT_NO_FATAL_FAILURE(AwaitWaiting(sqlstate));
    EXPECT_EQ(mirror_->Stats().status.code(), code);
    EXPECT_EQ(mirror_->Stats().ambiguous, 0U) << "the server has said which way it went";
    ASSERT_NO_FATAL_FAILURE(ExpectPrefix());
    mirror_->Stop();
    ASSERT_THAT(mirror_->Start(), IsOk());
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  }
};

// Two that block a batch: the first at `transactions`, the second later on.
TEST_F(MirrorServerFaults, ADeadlock40P01) {
  for (const uint64_t backfill_lag : {kByArrays, kByCopy}) {
    // It is the mirror that looks for deadlocks, so that it is the one that is ended.
    ASSERT_NO_FATAL_FAILURE(BeginWith("-c deadlock_timeout=10ms", backfill_lag));
    const auto first = Session(), second = Session("SET deadlock_timeout = '1h'");
    first->Run("BEGIN; LOCK TABLE transactions IN EXCLUSIVE MODE");
    second->Run("BEGIN; LOCK TABLE postings IN EXCLUSIVE MODE");
    const std::string pid = second->Value("SELECT pg_backend_pid()");
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(AwaitBlocked());
    ASSERT_EQ(PQsendQuery(second->raw(), "UPDATE watermark SET updated_at = updated_at"), 1);
    ASSERT_NO_FATAL_FAILURE(Await("the second waits for the mirror", [&] {
      return AskOne("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = " + pid) == "t";
    }));
    first->Run("COMMIT");
    ASSERT_NO_FATAL_FAILURE(AwaitWaiting("40P01"));
    while (PGresult* result = PQgetResult(second->raw())) {
      EXPECT_EQ(PQresultStatus(result), PGRES_COMMAND_OK) << PQerrorMessage(second->raw());
      PQclear(result);
    }
    second->Run("COMMIT");
    ASSERT_NO_FATAL_FAILURE(ExpectPassed("40P01", absl::StatusCode::kAborted));
  }
}

TEST_F(MirrorServerFaults, ASerialisationFailure40001) {
  for (const uint64_t backfill_lag : {kByArrays, kByCopy}) {
    ASSERT_NO_FATAL_FAILURE(BeginWith("-c default_transaction_isolation=serializable", backfill_lag));
    const auto first = Session();
    first->Run("BEGIN; LOCK TABLE transactions IN EXCLUSIVE MODE");
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(AwaitBlocked());  // its snapshot is taken
    sql_->Run("UPDATE accounts SET external = external");
    first->Run("COMMIT");
    ASSERT_NO_FATAL_FAILURE(ExpectPassed("40001", absl::StatusCode::kAborted));
  }
}

TEST_F(MirrorServerFaults, ALockThatIsNotGivenInTime55P03) {
  for (const uint64_t backfill_lag : {kByArrays, kByCopy}) {
    ASSERT_NO_FATAL_FAILURE(BeginWith("-c lock_timeout=10ms", backfill_lag));
    const auto first = Session();
    first->Run("BEGIN; LOCK TABLE postings IN EXCLUSIVE MODE");
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(AwaitWaiting("55P03"));
    first->Run("COMMIT");
    ASSERT_NO_FATAL_FAILURE(ExpectPassed("55P03", absl::StatusCode::kUnavailable));
  }
}

TEST_F(MirrorServerFaults, AStatementThatIsCancelled57014) {
  for (const uint64_t backfill_lag : {kByArrays, kByCopy}) {
    ASSERT_NO_FATAL_FAILURE(BeginWith("", backfill_lag));
    const auto first = Session();
    first->Run("BEGIN; LOCK TABLE postings IN EXCLUSIVE MODE");
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(AwaitBlocked());
    EXPECT_EQ(AskOne("SELECT pg_cancel_backend(" + PidOfMirror() + ")"), "t");
    ASSERT_NO_FATAL_FAILURE(AwaitWaiting("57014"));
    first->Run("COMMIT");
    ASSERT_NO_FATAL_FAILURE(ExpectPassed("57014", absl::StatusCode::kDeadlineExceeded));
  }
}

TEST_F(MirrorServerFaults, ABatchThatTakesTooLongIsGivenUpByBothSides) {
  for (const uint64_t backfill_lag : {kByArrays, kByCopy}) {
    ASSERT_NO_FATAL_FAILURE(BeginWith("", backfill_lag));
    mirror_options_.statement_timeout = absl::Seconds(1);
    mirror_.reset();
    ASSERT_NO_FATAL_FAILURE(CatchUp());
    mirror_options_.statement_timeout = absl::Hours(1);
    const auto first = Session();
    first->Run("BEGIN; LOCK TABLE postings IN EXCLUSIVE MODE");
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(AwaitWaiting(""));
    EXPECT_EQ(mirror_->Stats().status.code(), absl::StatusCode::kDeadlineExceeded);
    // The server does not go on waiting for the lock, with locks of its own.
    ASSERT_NO_FATAL_FAILURE(Await("the session's end", [this] { return SessionsOfMirror() == "0"; }));
    ASSERT_NO_FATAL_FAILURE(ExpectPrefix());
    first->Run("COMMIT");
    mirror_.reset();
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  }
}

// Its last words get lost now and then: the connection is gone as soon as they are said.
TEST_F(MirrorServerFaults, ASessionThatIsTerminated57P01) {
  for (const uint64_t backfill_lag : {kByArrays, kByCopy}) {
    ASSERT_NO_FATAL_FAILURE(BeginWith("", backfill_lag));
    const auto first = Session();
    first->Run("BEGIN; LOCK TABLE postings IN EXCLUSIVE MODE");
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(AwaitBlocked());
    EXPECT_EQ(AskOne("SELECT pg_terminate_backend(" + PidOfMirror() + ", 60000)"), "t");
    ASSERT_NO_FATAL_FAILURE(AwaitWaiting(""));
    EXPECT_EQ(mirror_->Stats().status.code(), absl::StatusCode::kUnavailable);
    ASSERT_NO_FATAL_FAILURE(ExpectPrefix());
    first->Run("COMMIT");
    mirror_->Stop();
    ASSERT_THAT(mirror_->Start(), IsOk());
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
    // And one that has nothing to do.
    EXPECT_EQ(AskOne("SELECT pg_terminate_backend(" + PidOfMirror() + ", 60000)"), "t");
    ASSERT_NO_FATAL_FAILURE(AwaitWaiting(""));
    EXPECT_EQ(mirror_->Stats().status.code(), absl::StatusCode::kUnavailable);
    mirror_->Stop();
    ASSERT_THAT(mirror_->Start(), IsOk());
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  }
}

TEST_F(MirrorServerFaults, NoConnectionLeft53300) {
  const std::string role = database_ + "_crowd";
  sql_->Run("CREATE ROLE " + role + " LOGIN CONNECTION LIMIT 1");
  sql_->Run("GRANT USAGE ON SCHEMA northwind TO " + role);
  sql_->Run("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA northwind TO " + role);
  sql_->Run("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA northwind TO " + role);
  mirror_options_.connection += " user=" + role;
  {
    const PostgresSession only(mirror_options_.connection);
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(StartMirror());
    ASSERT_NO_FATAL_FAILURE(AwaitWaiting("53300"));
    EXPECT_EQ(mirror_->Stats().status.code(), absl::StatusCode::kResourceExhausted);
  }
  mirror_->Stop();
  // The server lets the one that went go when it comes to it.
  ASSERT_NO_FATAL_FAILURE(Await("the other to be gone", [&] {
    return AskOne("SELECT count(*) FROM pg_stat_activity WHERE usename = '" + role + "'") == "0";
  }));
  ASSERT_THAT(mirror_->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  ASSERT_NO_FATAL_FAILURE(ExpectPrefix());
  EXPECT_EQ(Watermark(), HeadSequence());
  mirror_.reset();
  sql_->Run("DROP OWNED BY " + role + "; DROP ROLE " + role);
}

TEST_F(MirrorServerFaults, AServerThatOnlyReadsIsWaitedFor) {
  ASSERT_NO_FATAL_FAILURE(BeginWith("", kByArrays));
  sql_->Run("ALTER DATABASE " + database_ + " SET default_transaction_read_only = on");
  EXPECT_EQ(AskOne("SELECT pg_terminate_backend(" + PidOfMirror() + ", 60000)"), "t");
  ASSERT_NO_FATAL_FAILURE(AwaitWaiting(""));
  mirror_->Stop();
  ASSERT_THAT(mirror_->Start(), IsOk());
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(AwaitWaiting("session is read-only"));
  EXPECT_EQ(mirror_->Stats().status.code(), absl::StatusCode::kUnavailable);
  sql_->Run("ALTER DATABASE " + database_ + " RESET default_transaction_read_only");
  mirror_->Stop();
  ASSERT_THAT(mirror_->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
}

}  // namespace
}  // namespace northwind::testing

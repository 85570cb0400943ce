// SPDX-License-Identifier: Apache-2.0
//
// A mirror, its PostgreSQL and the network between them die at random moments. After each stop PostgreSQL holds exactly the journal up to
// its watermark, and no less than it had said.
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "northwind/postgres.h"
#include "tests/postgres/cutting_proxy.h"
#include "tests/postgres/journal_rows.h"
#include "tests/postgres/mirror_kill_protocol.h"
#include "tests/postgres/postgres_server.h"
#include "tests/postgres/postgres_session.h"
#include "tests/support/child_process.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using Direction = CuttingProxy::Direction;
using Fault = CuttingProxy::Fault;

// A child and what it has said.
class RunningChild {
 public:
  RunningChild(const std::string& directory, const std::string& connection, uint64_t run, uint64_t seed)
      : child_({NORTHWIND_MIRROR_CHILD, directory, connection, std::to_string(run), std::to_string(seed)}) {}

  // Until it has opened and has sent so many messages more from now on.
  void Await(uint64_t messages) {
    const uint64_t enough = messages_ + messages;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (!opened_ || messages_ < enough) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the mirror does not go on";
      ASSERT_NO_FATAL_FAILURE(Read(100));
    }
  }
  void AwaitTime(std::chrono::microseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < until) ASSERT_NO_FATAL_FAILURE(Read(1));
  }
  // What it said last: PostgreSQL has acknowledged this much.
  void Kill() {
    child_.Kill();
    while (child_.Read(bytes_, -1)) TakeMessages();
    TakeMessages();
    const int status = child_.Wait();
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended with " << status;
  }
  uint64_t acknowledged() const { return last_.sequence; }
  uint64_t copied() const { return last_.copied; }
  uint64_t ambiguous() const { return last_.ambiguous; }

 private:
  void Read(int timeout_ms) {
    ASSERT_TRUE(child_.Read(bytes_, timeout_ms)) << "the child ended by itself with " << child_.Wait();
    TakeMessages();
  }
  void TakeMessages() {
    for (; bytes_.size() >= sizeof(MirrorMessage); bytes_.erase(0, sizeof(MirrorMessage))) {
      MirrorMessage message;
      std::memcpy(&message, bytes_.data(), sizeof(message));
      if (message.kind == MirrorMessage::kOpened) {
        opened_ = true;
      } else {
        ++messages_;
        last_ = message;
      }
    }
  }

  ChildProcess child_;
  std::string bytes_;
  bool opened_ = false;
  uint64_t messages_ = 0;
  MirrorMessage last_;
};

class MirrorKill : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_THAT(Mirror::Migrate(MirrorOfKillTest(server_.Connection())), IsOk()); }

  std::string ThroughProxy() const {
    return absl::StrCat("host=127.0.0.1 dbname=postgres user=postgres port=", proxy_.port());
  }

  // Something that goes wrong while the child runs.
  void Break(RunningChild& child) {
    const uint64_t kind = random_.Below(8);
    ++faults_[kind];
    switch (kind) {
      case 0:
      case 1:
        return;  // the child is all that dies
      case 2:
        server_.Stop(PostgresServer::Shutdown::kImmediate);
        ASSERT_NO_FATAL_FAILURE(child.AwaitTime(std::chrono::milliseconds(random_.Below(100))));
        server_.Start();
        break;
      case 3:
        server_.Kill();
        server_.Start();
        break;
      case 4:
        proxy_.BreakAfter(random_.Percent(50) ? Direction::kToServer : Direction::kToClient, random_.Below(100'000),
                          Fault::kCut);
        break;
      case 5:
        // Some bytes of the answer to a batch, which is short: not seldom a COMMIT whose answer is lost.
        proxy_.BreakAfter(Direction::kToClient, random_.Below(2'000), Fault::kCut);
        break;
      case 6:
        proxy_.BreakAfter(Direction::kToServer, random_.Below(100'000), Fault::kRefuse);
        ASSERT_NO_FATAL_FAILURE(AwaitBroken(child));
        break;
      default:
        proxy_.BreakAfter(random_.Percent(50) ? Direction::kToServer : Direction::kToClient, random_.Below(10'000),
                          Fault::kFreeze);
        ASSERT_NO_FATAL_FAILURE(AwaitBroken(child));
        break;
    }
    // It goes on, most times until after it has shown that it can.
    ASSERT_NO_FATAL_FAILURE(child.Await(random_.OneIn(3) ? 0 : 1 + random_.Below(10)));
  }
  void AwaitBroken(RunningChild& child) {
    while (!proxy_.broken()) ASSERT_NO_FATAL_FAILURE(child.AwaitTime(std::chrono::milliseconds(1)));
    ASSERT_NO_FATAL_FAILURE(child.AwaitTime(std::chrono::milliseconds(random_.Below(100))));
    proxy_.Mend();
  }

  // The database of the moment against the journal.
  void Compare(uint64_t acknowledged) {
    NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = ledger_directory_, .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(const auto ledger, Ledger::Open(*store));
    PostgresSession sql(server_.Connection());
    sql.Run("SET search_path = northwind; BEGIN ISOLATION LEVEL REPEATABLE READ");
    const uint64_t watermark = std::stoull(sql.Value("SELECT sequence FROM watermark"));
    ASSERT_GE(watermark, acknowledged) << "PostgreSQL had acknowledged more";
    ASSERT_GE(watermark, rows_.end().value()) << "the watermark has gone back";
    ASSERT_NO_FATAL_FAILURE(rows_.ReadAndCompare(*ledger, Sequence(watermark), sql));
  }

  Random random_{TestSeed()};
  PostgresServer server_{{.tcp = true}};
  CuttingProxy proxy_{server_.port()};
  TempDir directory_;
  const std::string ledger_directory_ = directory_ / "ledger";
  JournalRows rows_;
  std::map<uint64_t, int> faults_;
};

TEST_F(MirrorKill, AfterEveryStopTheDatabaseIsTheJournalUpToItsWatermark) {
  const uint64_t rounds = TestOps(8, "NORTHWIND_TEST_KILLS");
  unsigned long long while_opening = 0, copied = 0, ambiguous = 0;
  for (uint64_t round = 1; round <= rounds; ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round));
    RunningChild child(ledger_directory_, ThroughProxy(), round, random_.Next());
    if (round > 1 && random_.OneIn(6)) {
      ++while_opening;
      ASSERT_NO_FATAL_FAILURE(child.AwaitTime(std::chrono::microseconds(random_.Below(150'000))));
    } else {
      ASSERT_NO_FATAL_FAILURE(child.Await(random_.Below(20)));
      ASSERT_NO_FATAL_FAILURE(Break(child));
    }
    ASSERT_NO_FATAL_FAILURE(child.Kill());
    proxy_.Mend();
    copied += child.copied();
    ambiguous += child.ambiguous();
    ASSERT_NO_FATAL_FAILURE(Compare(child.acknowledged()));
  }
  std::printf(
      "%llu stops (%llu while opening, %d of PostgreSQL, %d of the network, %llu answers to COMMIT lost): %llu "
      "transactions, %llu "
      "postings, %llu records by COPY\n",
      static_cast<unsigned long long>(rounds), while_opening, faults_[2] + faults_[3],
      faults_[4] + faults_[5] + faults_[6] + faults_[7], ambiguous,
      static_cast<unsigned long long>(rows_.transactions()), static_cast<unsigned long long>(rows_.postings()), copied);

  // Then all of it, compared anew from the first row on.
  NW_ASSERT_OK_AND_ASSIGN(const auto store, Store::Open({.path = ledger_directory_, .free_space_floor_bytes = 0}));
  NW_ASSERT_OK_AND_ASSIGN(const auto ledger, Ledger::Open(*store));
  NW_ASSERT_OK_AND_ASSIGN(const auto mirror, Mirror::Open(*ledger, MirrorOfKillTest(server_.Connection())));
  ASSERT_THAT(mirror->Start(), IsOk());
  const Sequence head = ledger->Head().sequence;
  ASSERT_THAT(mirror->WaitFor(head, absl::Minutes(2)), IsOk());
  PostgresSession sql(server_.Connection());
  sql.Run("SET search_path = northwind");
  JournalRows all;
  ASSERT_NO_FATAL_FAILURE(all.ReadAndCompare(*ledger, head, sql));
  NW_ASSERT_OK_AND_ASSIGN(const AuditReport audit, mirror->Audit());
  EXPECT_TRUE(audit.clean()) << audit.differences
                             << " differences, first: " << (audit.findings.empty() ? "" : audit.findings.front());
  EXPECT_EQ(audit.transactions, all.transactions());
  EXPECT_EQ(audit.postings, all.postings());
}

}  // namespace
}  // namespace northwind::testing

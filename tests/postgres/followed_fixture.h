// SPDX-License-Identifier: Apache-2.0
//
// A mirror that is stopped, hindered and mended; and what must hold of its database meanwhile.
#ifndef NORTHWIND_TESTS_POSTGRES_FOLLOWED_FIXTURE_H_
#define NORTHWIND_TESTS_POSTGRES_FOLLOWED_FIXTURE_H_

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "tests/postgres/journal_rows.h"
#include "tests/postgres/mirror_fixture.h"

namespace northwind::testing {

class FollowedFixture : public MirrorFixture {
 protected:
  // The database is the journal up to its watermark: in one snapshot, told by the journal alone.
  void ExpectPrefix() {
    PostgresSession sql(PostgresServer::Shared().Connection(database_));
    sql.Run("SET search_path = northwind; BEGIN ISOLATION LEVEL REPEATABLE READ");
    JournalRows rows;
    ASSERT_NO_FATAL_FAILURE(
        rows.ReadAndCompare(*ledger_, Sequence(std::stoull(sql.Value("SELECT sequence FROM watermark"))), sql));
  }
  // It catches up, and then the database is the whole journal, also to the audit.
  void ExpectWhole() {
    ASSERT_NO_FATAL_FAILURE(CatchUp());
    EXPECT_EQ(Watermark(), HeadSequence());
    ASSERT_NO_FATAL_FAILURE(ExpectPrefix());
    NW_ASSERT_OK_AND_ASSIGN(const AuditReport audit, mirror_->Audit());
    ASSERT_TRUE(audit.clean()) << absl::StrJoin(audit.findings, "\n");
  }
  uint64_t Watermark() { return std::stoull(AskOne("SELECT sequence FROM watermark")); }

  // Until `holds`, which is something that another thread or process does.
  template <typename Holds>
  static void Await(const char* what, const Holds& holds) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (!holds()) {
      ASSERT_LT(absl::Now(), deadline) << what;
      absl::SleepFor(absl::Milliseconds(1));
    }
  }
  // Until it waits for something that its status names.
  void AwaitWaiting(const std::string& why) {
    MirrorStats stats;
    Await("the mirror waits", [&] {
      stats = mirror_->Stats();
      return stats.state == MirrorState::kHalted ||
             (stats.state == MirrorState::kWaiting && absl::StrContains(stats.status.message(), why));
    });
    ASSERT_EQ(stats.state, MirrorState::kWaiting) << stats.status;
  }
  // Until the mirror's session waits for a lock. Asked by a session of its own: inside a transaction the answer would stay the same.
  void AwaitBlocked() {
    PostgresSession sql(PostgresServer::Shared().Connection(database_));
    Await("the mirror waits for a lock", [&sql] {
      return sql.Value(
                 "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = "
                 "'northwind mirror' AND wait_event_type = 'Lock'") == "1";
    });
  }

  // Rows of every kind, new and changed; different ones at each call.
  void CommitSome() {
    const uint64_t key = 100 * ++rounds_;
    const std::string round = absl::StrCat(rounds_);
    Commit(Named(MakePost(key + 1, world_, alice_, 1'000), 9, "post" + round));
    Commit(MakeHold(key + 2, alice_, bob_, 30));
    Commit(MakeHold(key + 3, alice_, bob_, 40));
    Commit(MakeFinalCapture(key + 4, Target::Key(Key(key + 2)), 10));
    Commit(MakePost(key + 5, alice_, bob_, 1'000'000));  // rejected
    Apply({Captured("pay" + round, 1'000), OfPayout(EventType::kPayoutRequested, "po" + round, 2, 100),
           OfPayout(EventType::kPayoutRequested, "late" + round, 2, 50),
           OfPayout(EventType::kPayoutPaid, "po" + round, 3)});
    if (rounds_ > 1) Apply({OfPayout(EventType::kPayoutFailed, absl::StrCat("late", rounds_ - 1), 4)});
  }

 private:
  uint64_t rounds_ = 0;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_POSTGRES_FOLLOWED_FIXTURE_H_

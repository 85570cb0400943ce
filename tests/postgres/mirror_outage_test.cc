// SPDX-License-Identifier: Apache-2.0
//
// What operators meet: a primary that is lost and a standby that takes its place, and a disk that is full.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "northwind/postgres.h"
#include "tests/postgres/journal_rows.h"
#include "tests/postgres/postgres_server.h"
#include "tests/postgres/postgres_session.h"
#include "tests/support/ledger_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::HasSubstr;

class MirrorOutage : public LedgerFixture {
 protected:
  void CommitPosts(uint64_t count) {
    std::vector<Transaction> batch;
    for (; count > 0; --count) batch.push_back(MakePost(++keys_, world_, alice_, 1 + count % 100));
    NW_ASSERT_OK_AND_ASSIGN(const auto results, ledger_->Commit(batch));
    for (const CommitResult& result : results) ASSERT_EQ(result.outcome, Outcome::kApplied);
  }
  static MirrorOptions Options(const std::string& connection) {
    return {.connection = connection,
            .batch = 500,
            .statement_timeout = absl::Seconds(30),
            .min_retry = absl::Milliseconds(1),
            .max_retry = absl::Milliseconds(50)};
  }
  // Until it says that it waits for something that its message names.
  static void AwaitWaiting(const Mirror& mirror, const std::string& why) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (true) {
      const MirrorStats stats = mirror.Stats();
      if (stats.state == MirrorState::kWaiting && std::string(stats.status.message()).find(why) != std::string::npos)
        return;
      ASSERT_NE(stats.state, MirrorState::kHalted) << stats.status;
      ASSERT_LT(absl::Now(), deadline) << Name(stats.state) << ": " << stats.status;
      // Some time for what it waits for.
      ASSERT_THAT(mirror.WaitFor(Sequence(UINT64_MAX), absl::Milliseconds(1)),
                  StatusIs(absl::StatusCode::kDeadlineExceeded));
    }
  }
  void CompareAll(const std::string& connection) {
    PostgresSession sql(connection);
    sql.Run("SET search_path = northwind");
    JournalRows rows;
    ASSERT_NO_FATAL_FAILURE(rows.ReadAndCompare(*ledger_, ledger_->Head().sequence, sql));
  }

  uint64_t keys_ = 0;
};

TEST_F(MirrorOutage, AStandbyThatIsPromotedIsFollowedOnto) {
  PostgresServer primary({.tcp = true});
  PostgresServer standby({.tcp = true, .standby_of = &primary});
  PostgresSession(primary.Connection()).Run("ALTER SYSTEM SET synchronous_standby_names = '*'");
  PostgresSession(primary.Connection()).Run("SELECT pg_reload_conf()");
  // The standby first: its session is read-only, and it is passed over.
  const MirrorOptions options = Options(absl::StrCat("host=127.0.0.1,127.0.0.1 port=", standby.port(), ",",
                                                     primary.port(), " dbname=postgres user=postgres"));
  ASSERT_THAT(Mirror::Migrate(options), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const auto mirror, Mirror::Open(*ledger_, options));
  ASSERT_THAT(mirror->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(CommitPosts(3'000));
  ASSERT_THAT(mirror->WaitFor(ledger_->Head().sequence, absl::Minutes(1)), IsOk());
  // A reader may use the standby meanwhile.
  EXPECT_THAT(LegacyReader::Open({.connection = standby.TcpConnection()}), IsOk());

  primary.Kill();
  ASSERT_NO_FATAL_FAILURE(CommitPosts(3'000));
  ASSERT_NO_FATAL_FAILURE(AwaitWaiting(*mirror, "connecting to PostgreSQL"));
  EXPECT_EQ(PostgresSession(standby.Connection()).Value("SELECT pg_promote()"), "t");
  // Alone now, it would wait for a standby of its own.
  PostgresSession(standby.Connection()).Run("ALTER SYSTEM SET synchronous_standby_names = ''");
  PostgresSession(standby.Connection()).Run("SELECT pg_reload_conf()");
  ASSERT_THAT(mirror->WaitFor(ledger_->Head().sequence, absl::Minutes(1)), IsOk());
  EXPECT_GE(mirror->Stats().connections, 2U);
  ASSERT_NO_FATAL_FAILURE(CompareAll(standby.Connection()));
}

// A small file system that only this thread, and what it starts, can see: it is gone with them.
class SmallDisk {
 public:
  SmallDisk() {
    const std::string path = directory_.path();
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
    mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=20m,mode=777") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::string& path() const { return directory_.path(); }
  void Grow() const { ASSERT_EQ(mount("tmpfs", path().c_str(), "tmpfs", MS_REMOUNT, "size=500m,mode=777"), 0); }

 private:
  TempDir directory_;
  bool mounted_ = false;
};

TEST_F(MirrorOutage, AFullDiskIsWaitedForAndNothingIsLost) {
  const SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a file system";
  PostgresServer server;
  {
    PostgresSession sql(server.Connection());
    ASSERT_TRUE(server.RunAsServer({"/bin/mkdir", disk.path() + "/tablespace"})) << server.Log();
    sql.Run("CREATE TABLESPACE small LOCATION '" + disk.path() + "/tablespace'");
    sql.Run("CREATE DATABASE small TEMPLATE template0 TABLESPACE small");
  }
  const MirrorOptions options = Options(server.Connection("small"));
  ASSERT_THAT(Mirror::Migrate(options), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const auto mirror, Mirror::Open(*ledger_, options));
  ASSERT_THAT(mirror->Start(), IsOk());
  for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(CommitPosts(5'000));
  ASSERT_NO_FATAL_FAILURE(AwaitWaiting(*mirror, "53100"));
  const MirrorStats full = mirror->Stats();
  EXPECT_GT(full.mirrored, Sequence());
  EXPECT_GT(full.lag_records, 0U);
  // Whoever looks meanwhile sees a prefix of the journal, whole.
  {
    PostgresSession sql(server.Connection("small"));
    // Its own sorting must not need the disk that is full.
    sql.Run("SET temp_tablespaces = pg_default; SET search_path = northwind; BEGIN ISOLATION LEVEL REPEATABLE READ");
    JournalRows rows;
    const uint64_t watermark = std::stoull(sql.Value("SELECT sequence FROM watermark"));
    EXPECT_LT(watermark, ledger_->Head().sequence.value());
    ASSERT_NO_FATAL_FAILURE(rows.ReadAndCompare(*ledger_, Sequence(watermark), sql));
  }
  ASSERT_NO_FATAL_FAILURE(disk.Grow());
  ASSERT_THAT(mirror->WaitFor(ledger_->Head().sequence, absl::Minutes(2)), IsOk());
  ASSERT_NO_FATAL_FAILURE(CompareAll(server.Connection("small")));
}

}  // namespace
}  // namespace northwind::testing

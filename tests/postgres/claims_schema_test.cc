// SPDX-License-Identifier: Apache-2.0
//
// The schema of claims: what its locks and triggers keep, whatever a session sets; and how it comes to be.
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/claims_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::HasSubstr;

class ClaimsSchema : public ClaimsFixture {
 protected:
  // Until so many sessions of this database wait for a lock.
  void AwaitWaiting(int count) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    const std::string waiting = absl::StrCat(
        "SELECT count(DISTINCT pid) >= ", count,
        " FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE datname = current_database() AND NOT granted");
    while (sql_->Value(waiting) != "t") ASSERT_LT(absl::Now(), deadline);
  }
};

TEST_F(ClaimsSchema, AnEpochIsPublishedAfterTheClaimsUnderWayAndBeforeTheNext) {
  const auto batch = Session();
  batch->Run("BEGIN");
  ASSERT_EQ(batch->Value(ClaimSql("po_1", "batch", 1, 1)), "claimed");
  std::thread publisher([&] { EXPECT_THAT(claims_->PublishEpoch(2), IsOk()); });
  AwaitWaiting(1);
  // Comes while the publisher waits, and does not overtake it.
  std::thread zombie([&] {
    EXPECT_THAT(claims_->Claim(ClaimOf("po_2", SettlementSystem::kNorthwind, 2, 1)),
                IsOkAndHolds(ClaimVerdict::kStale));
  });
  AwaitWaiting(2);
  EXPECT_EQ(sql_->Value("SELECT epoch FROM published_epoch"), "0");
  batch->Run("COMMIT");
  publisher.join();
  zombie.join();
  EXPECT_THAT(claims_->PublishedEpoch(), IsOkAndHolds(2U));
  EXPECT_EQ(sql_->Value("SELECT string_agg(id, ',') FROM claims"), "po_1");
}

TEST_F(ClaimsSchema, AClaimThatIsNotCommittedIsWaitedForAndMayFallThrough) {
  const auto batch = Session();
  for (const char* end : {"COMMIT", "ROLLBACK"}) {
    const std::string id = absl::StrCat("po_", end);
    batch->Run("BEGIN");
    ASSERT_EQ(batch->Value(ClaimSql(id, "batch", 1)), "claimed");
    std::thread other([&] {
      EXPECT_THAT(claims_->Claim(ClaimOf(id, SettlementSystem::kNorthwind, 2)),
                  IsOkAndHolds(std::string(end) == "COMMIT" ? ClaimVerdict::kOther : ClaimVerdict::kClaimed));
    });
    AwaitWaiting(1);
    batch->Run(end);
    other.join();
  }
}

// A snapshot of before must not hide a claim or an epoch.
TEST_F(ClaimsSchema, AnOldSnapshotIsAnErrorAndNoAnswer) {
  const auto batch = Session();
  for (const char* level : {"REPEATABLE READ", "SERIALIZABLE"}) {
    batch->Run(absl::StrCat("BEGIN ISOLATION LEVEL ", level));
    batch->Value("SELECT count(*) FROM claims");
    const std::string id = absl::StrCat("po_", std::string(level).substr(0, 4));
    ASSERT_THAT(claims_->Claim(ClaimOf(id, SettlementSystem::kNorthwind, 1, 9)), IsOk());
    EXPECT_EQ(batch->Refusal(ClaimSql(id, "batch", 2, 9)), "40001") << level;
    batch->Run("ROLLBACK");
  }
  batch->Run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  batch->Value("SELECT epoch FROM published_epoch");
  ASSERT_THAT(claims_->PublishEpoch(5), IsOk());
  EXPECT_EQ(batch->Refusal(ClaimSql("po_new", "batch", 2, 1)), "40001");
  batch->Run("ROLLBACK");

  sql_->Run(absl::StrCat("ALTER DATABASE ", database_, " SET default_transaction_isolation = 'serializable'"));
  NW_ASSERT_OK_AND_ASSIGN(const auto claims, PostgresClaims::Open(options_));
  EXPECT_THAT(claims->Claim(ClaimOf("po_a", SettlementSystem::kNorthwind, 1, 5)), IsOkAndHolds(ClaimVerdict::kClaimed));
}

TEST_F(ClaimsSchema, AnAnswerIsOnDiskWhateverTheSessionSays) {
  for (const auto& [set, is] : std::vector<std::pair<std::string, std::string>>{
           {"off", "on"}, {"local", "on"}, {"remote_write", "on"}, {"on", "on"}, {"remote_apply", "remote_apply"}}) {
    for (const std::string& call : {ClaimSql(set, "batch", 1), std::string("SELECT publish_epoch(0)")}) {
      sql_->Run("SET synchronous_commit = " + set);
      sql_->Run("BEGIN");
      sql_->Value(call);
      EXPECT_EQ(sql_->Value("SHOW synchronous_commit"), is) << set << " " << call;
      sql_->Run("COMMIT");
      EXPECT_EQ(sql_->Value("SHOW synchronous_commit"), set);
    }
  }
}

TEST_F(ClaimsSchema, RowsAreForEverAlsoForTheOwner) {
  ASSERT_THAT(claims_->Claim(ClaimOf("po_1", SettlementSystem::kNorthwind, 1)), IsOk());
  for (const char* statement :
       {"UPDATE claims SET system = 'batch'", "DELETE FROM claims", "TRUNCATE claims", "DELETE FROM published_epoch",
        "TRUNCATE published_epoch",
        "INSERT INTO claims SELECT * FROM claims ON CONFLICT (id) DO UPDATE SET system = 'batch'"}) {
    EXPECT_EQ(sql_->Refusal(statement), "NW101") << statement;
  }
  EXPECT_EQ(sql_->Value("SELECT system FROM claims"), "northwind");
}

TEST_F(ClaimsSchema, EverythingIsDescribed) {
  EXPECT_EQ(
      sql_->Value("SELECT string_agg(c.relname || '.' || a.attname, ', ') FROM pg_class c JOIN pg_attribute a ON "
                  "a.attrelid = c.oid WHERE c.relnamespace = 'northwind_claims'::regnamespace AND c.relkind = 'r' "
                  "AND a.attnum > 0 AND (col_description(c.oid, a.attnum) IS NULL OR "
                  "obj_description(c.oid, 'pg_class') IS NULL)"),
      "NULL");
  EXPECT_EQ(sql_->Value("SELECT string_agg(proname, ', ') FROM pg_proc WHERE pronamespace = "
                        "'northwind_claims'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL"),
            "NULL");
}

// ---- How it comes to be -------------------------------------------------------------------------------------

TEST_F(ClaimsSchema, ManyMayMigrateAtOnceAndAgain) {
  ASSERT_THAT(claims_->Claim(ClaimOf("po_1", SettlementSystem::kNorthwind, 1)), IsOk());
  PostgresClaimsOptions elsewhere = options_;
  elsewhere.schema = "elsewhere";
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] { EXPECT_THAT(PostgresClaims::Migrate(i % 2 == 0 ? options_ : elsewhere), IsOk()); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sql_->Value("SELECT count(*) FROM elsewhere.schema_version"), "1");
  EXPECT_EQ(sql_->Value("SELECT name FROM schema_version"), "claims_0001_schema");
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", SettlementSystem::kNorthwind, 1)), IsOkAndHolds(ClaimVerdict::kClaimed));
  NW_ASSERT_OK_AND_ASSIGN(const auto others, PostgresClaims::Open(elsewhere));
  EXPECT_THAT(IsFound(*others, "po_1"), IsOkAndHolds(false));
}

TEST_F(ClaimsSchema, ASchemaOfSomethingElseIsRefused) {
  const auto refused = [](const std::string& why) {
    return StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(why));
  };
  // The mirror's is of a version that claims have as well.
  const MirrorOptions mirror{.connection = options_.connection};
  ASSERT_THAT(Mirror::Migrate(mirror), IsOk());
  PostgresClaimsOptions options = options_;
  options.schema = "northwind";
  EXPECT_THAT(PostgresClaims::Migrate(options), refused("schema_version is not one of northwind's claims"));
  MirrorOptions of_claims = mirror;
  of_claims.schema = options_.schema;
  EXPECT_THAT(Mirror::Migrate(of_claims), refused("schema_version is not one of northwind's mirror"));

  sql_->Run("CREATE SCHEMA taken; CREATE TABLE taken.x(a int)");
  options.schema = "taken";
  EXPECT_THAT(PostgresClaims::Migrate(options), refused("not one of northwind"));
  options.schema = "nowhere";
  NW_ASSERT_OK_AND_ASSIGN(const auto nowhere, PostgresClaims::Open(options));
  EXPECT_THAT(nowhere->Find("po_1"), refused("run PostgresClaims::Migrate"));

  sql_->Run("INSERT INTO schema_version VALUES (2, 'claims_0002_later')");
  EXPECT_THAT(PostgresClaims::Migrate(options_), refused("newer than this library's 1"));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", SettlementSystem::kBatch, 1)), refused("newer than this library's 1"));
  // It goes on as soon as that is mended.
  sql_->Run("DELETE FROM schema_version WHERE version = 2");
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", SettlementSystem::kBatch, 1)), IsOkAndHolds(ClaimVerdict::kClaimed));
}

}  // namespace
}  // namespace northwind::testing

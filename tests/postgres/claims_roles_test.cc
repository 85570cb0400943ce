// SPDX-License-Identifier: Apache-2.0
//
// scripts/claims-roles.sql: each role can do what it is for, and nothing else.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/postgres/claims_fixture.h"
#include "tests/support/child_process.h"

namespace northwind::testing {
namespace {

constexpr char kDenied[] = "42501";

class ClaimsRoles : public ClaimsFixture {
 protected:
  // A schema that nobody has migrated, and the roles.
  void SetUp() override {
    ClaimsFixture::SetUp();
    sql_->Run("DROP SCHEMA northwind_claims CASCADE");
    ASSERT_NO_FATAL_FAILURE(RunScript());
    options_.connection = As("northwind_claims_owner");
    ASSERT_THAT(PostgresClaims::Migrate(options_), IsOk());
    ASSERT_NO_FATAL_FAILURE(RunScript());
    options_.connection = As("northwind_claims");
    NW_ASSERT_OK_AND_ASSIGN(claims_, PostgresClaims::Open(options_));
  }

  void RunScript(const std::vector<std::string>& more = {}) {
    std::vector<std::string> command = {PostgresServer::Shared().Program("psql"),
                                        "--no-psqlrc",
                                        "--quiet",
                                        "--set",
                                        "ON_ERROR_STOP=1",
                                        "--dbname",
                                        PostgresServer::Shared().Connection(database_),
                                        "--file",
                                        NORTHWIND_SOURCE_DIR "/scripts/claims-roles.sql"};
    command.insert(command.end(), more.begin(), more.end());
    ChildProcess psql(command);
    ASSERT_EQ(psql.Wait(), 0);
  }
  std::string As(const std::string& role) const {
    return PostgresServer::Shared().Connection(database_) + " user=" + role;
  }
  PostgresSession SessionAs(const std::string& role) const {
    PostgresSession session(As(role));
    session.Run("SET search_path = northwind_claims");
    return session;
  }
};

TEST_F(ClaimsRoles, NorthwindClaimsHandsBackAndPublishesAndTheBatchClaimsForItself) {
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", SettlementSystem::kNorthwind, 1)), IsOkAndHolds(ClaimVerdict::kClaimed));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_2", SettlementSystem::kBatch, 2)), IsOkAndHolds(ClaimVerdict::kClaimed));
  EXPECT_THAT(claims_->PublishEpoch(3), IsOk());
  EXPECT_THAT(claims_->PublishedEpoch(), IsOkAndHolds(3U));

  PostgresSession batch = SessionAs("northwind_batch");
  EXPECT_EQ(batch.Value("SELECT claim_for_batch('po_1', 'm1', 3, gen_random_uuid())"), "other");
  EXPECT_EQ(batch.Value("SELECT claim_for_batch('po_2', 'm1', 3, gen_random_uuid())"), "held");
  EXPECT_EQ(batch.Value("SELECT claim_for_batch('po_3', 'm1', 2, gen_random_uuid())"), "stale");
  EXPECT_EQ(batch.Value("SELECT claim_for_batch('po_3', 'm1', (SELECT epoch FROM published_epoch), gen_random_uuid())"),
            "claimed");
  EXPECT_EQ(batch.Value("SELECT bucket('salt', 'm1') BETWEEN 0 AND 9999"), "t");
  EXPECT_EQ(batch.Value("SELECT string_agg(id || ' ' || system, ', ' ORDER BY id) FROM claims"),
            "po_1 northwind, po_2 batch, po_3 batch");
  NW_ASSERT_OK_AND_ASSIGN(const auto found, claims_->Find("po_3"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->system, SettlementSystem::kBatch);
}

TEST_F(ClaimsRoles, NobodyCanTakeAClaimBackOrDoMore) {
  ASSERT_THAT(claims_->Claim(ClaimOf("po_1", SettlementSystem::kNorthwind, 1)), IsOk());
  const std::vector<std::string> denied = {
      "INSERT INTO claims VALUES ('po_9', 'm1', 'batch', 0, gen_random_uuid())",
      "UPDATE claims SET system = 'batch'",
      "UPDATE claims SET claimed_at = now()",
      "DELETE FROM claims",
      "TRUNCATE claims",
      "SELECT * FROM claims FOR UPDATE",
      "DO $$BEGIN LOCK TABLE claims IN ACCESS EXCLUSIVE MODE; END$$",
      "DO $$BEGIN LOCK TABLE published_epoch IN EXCLUSIVE MODE; END$$",
      "UPDATE published_epoch SET epoch = 0",
      "INSERT INTO published_epoch DEFAULT VALUES",
      "DELETE FROM published_epoch",
      "SELECT commit_durably()",
      "INSERT INTO schema_version VALUES (9, 'x')",
      "CREATE TABLE x(a int)",
      "CREATE SCHEMA x",
      "CREATE OR REPLACE FUNCTION claim(text, text, text, bigint, uuid) RETURNS text LANGUAGE sql AS $$SELECT "
      "'claimed'$$",
      "ALTER TABLE claims DISABLE TRIGGER ALL",
      "DROP TABLE claims",
      "DROP SCHEMA northwind_claims CASCADE",
      "SET session_replication_role = replica",
      "SET ROLE northwind_claims_owner",
      "SET ROLE postgres"};
  for (const char* role : {"northwind_claims", "northwind_batch"}) {
    PostgresSession session = SessionAs(role);
    for (const std::string& statement : denied)
      EXPECT_EQ(session.Refusal(statement), kDenied) << role << " " << statement;
  }
  PostgresSession batch = SessionAs("northwind_batch");
  EXPECT_EQ(batch.Refusal("SELECT claim('po_9', 'm1', 'northwind', 0, gen_random_uuid())"), kDenied);
  EXPECT_EQ(batch.Refusal("SELECT claim('po_9', 'm1', 'batch', 0, gen_random_uuid())"), kDenied);
  EXPECT_EQ(batch.Refusal("SELECT publish_epoch(9)"), kDenied);
  EXPECT_EQ(batch.Refusal("SET ROLE northwind_claims"), kDenied);
  PostgresClaimsOptions as_batch = options_;
  as_batch.connection = As("northwind_batch");
  NW_ASSERT_OK_AND_ASSIGN(const auto mistaken, PostgresClaims::Open(as_batch));
  EXPECT_THAT(mistaken->Claim(ClaimOf("po_9", SettlementSystem::kNorthwind, 1)),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_EQ(sql_->Value("SELECT count(*) FROM northwind_claims.claims"), "1");
}

TEST_F(ClaimsRoles, ItCanBeRunAgainAndForOtherNames) {
  sql_->Run("CREATE ROLE \"nightly job\" LOGIN");
  const std::vector<std::string> names = {"--set", "schema=payouts",           "--set", "owner=payouts_owner",
                                          "--set", "claims=payouts_northwind", "--set", "batch=nightly job"};
  ASSERT_NO_FATAL_FAILURE(RunScript(names));
  PostgresClaimsOptions owner = options_;
  owner.schema = "payouts";
  owner.connection = As("payouts_owner");
  ASSERT_THAT(PostgresClaims::Migrate(owner), IsOk());
  ASSERT_NO_FATAL_FAILURE(RunScript(names));
  ASSERT_NO_FATAL_FAILURE(RunScript(names));
  PostgresSession batch(As("'nightly job'"));
  EXPECT_EQ(batch.Value("SELECT payouts.claim_for_batch('po_1', 'm1', 0, gen_random_uuid())"), "claimed");
  EXPECT_EQ(batch.Refusal("SELECT * FROM northwind_claims.claims"), kDenied);
  EXPECT_EQ(batch.Value("SHOW idle_in_transaction_session_timeout"), "1min");
}

}  // namespace
}  // namespace northwind::testing

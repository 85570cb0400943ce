// SPDX-License-Identifier: Apache-2.0
//
// scripts/mirror-roles.sql: each role can do what it is for, and nothing else.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/postgres/mirror_fixture.h"
#include "tests/support/child_process.h"

namespace northwind::testing {
namespace {

constexpr char kDenied[] = "42501";

class MirrorRoles : public MirrorFixture {
 protected:
  // A schema that nobody has migrated, and the roles.
  void SetUp() override {
    MirrorFixture::SetUp();
    sql_->Run("DROP SCHEMA northwind CASCADE");
    ASSERT_NO_FATAL_FAILURE(RunScript());
    owner_.connection = As("northwind_owner");
    owner_.min_retry = absl::Milliseconds(1);
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
                                        NORTHWIND_SOURCE_DIR "/scripts/mirror-roles.sql"};
    command.insert(command.end(), more.begin(), more.end());
    ChildProcess psql(command);
    ASSERT_EQ(psql.Wait(), 0);
  }
  std::string As(const std::string& role) const {
    return PostgresServer::Shared().Connection(database_) + " user=" + role;
  }

  MirrorOptions owner_;
};

TEST_F(MirrorRoles, TheOwnerMigratesTheMirrorFollowsAndTheReaderReads) {
  ASSERT_THAT(Mirror::Migrate(owner_), IsOk());
  ASSERT_NO_FATAL_FAILURE(RunScript());
  mirror_options_.connection = As("northwind_mirror");
  // Of every kind that makes rows, new and changed, in a month whose partitions are not there yet; by arrays and by COPY.
  Apply({Captured("pay1", 1000), OfPayout(EventType::kPayoutRequested, "po1", 2, 100)});
  Commit(MakePost(1, world_, alice_, 100));
  Commit(MakeHold(2, alice_, bob_, 30));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  mirror_.reset();
  mirror_options_.backfill_lag = 0;
  Commit(MakeFinalCapture(3, Target::Key(Key(2)), 10));
  Commit(MakePost(4, alice_, bob_, 1'000'000));
  Apply({OfPayout(EventType::kPayoutPaid, "po1", 3, 100)});
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_EQ(mirror_->Stats().state, MirrorState::kRunning);

  PostgresSession reader(As("northwind_reader"));
  reader.Run("SET search_path = northwind");
  for (const char* table :
       {"accounts", "transactions", "postings", "holds", "payouts", "payout_events", "rejections", "watermark",
        "schema_version", "merchant_statement", "day_totals", "trial_balance", "open_payouts", "unreconciled_items"}) {
    EXPECT_EQ(reader.Refusal(absl::StrCat("SELECT * FROM ", table)), "00000") << table;
  }
  EXPECT_EQ(reader.Value("SELECT count(*) > 0 FROM postings"), "t");
}

TEST_F(MirrorRoles, TheReaderAudits) {
  ASSERT_THAT(Mirror::Migrate(owner_), IsOk());
  ASSERT_NO_FATAL_FAILURE(RunScript());
  Apply({Captured("pay1", 1000), OfPayout(EventType::kPayoutRequested, "po1", 2, 100)});
  Commit(MakePost(1, world_, alice_, 100));
  Commit(MakeHold(2, alice_, bob_, 30));
  mirror_options_.connection = As("northwind_mirror");
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  MirrorOptions options = mirror_options_;
  options.connection = As("northwind_reader");
  NW_ASSERT_OK_AND_ASSIGN(const auto auditor, Mirror::Open(*ledger_, options));
  EXPECT_THAT(auditor->ReadWatermark(), IsOkAndHolds(ledger_->Head().sequence));
  const auto report = auditor->Audit();
  ASSERT_THAT(report, IsOk());
  EXPECT_TRUE(report->clean());
  EXPECT_EQ(std::to_string(report->postings), AskOne("SELECT count(*) FROM postings"));
  sql_->Run("UPDATE postings SET amount = amount + 1 WHERE entry = 0");
  const auto altered = auditor->Audit();
  ASSERT_THAT(altered, IsOk());
  EXPECT_EQ(std::to_string(altered->differences), AskOne("SELECT count(*) FROM postings WHERE entry = 0"));
  // Not without a right to read all of it.
  sql_->Run("REVOKE SELECT ON holds FROM northwind_reader");
  EXPECT_THAT(auditor->Audit(), StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(MirrorRoles, TheMirrorCannotDoMore) {
  ASSERT_THAT(Mirror::Migrate(owner_), IsOk());
  ASSERT_NO_FATAL_FAILURE(RunScript());
  mirror_options_.connection = As("northwind_mirror");
  Commit(MakePost(1, world_, alice_, 100));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_THAT(Mirror::Reset(mirror_options_), StatusIs(absl::StatusCode::kPermissionDenied));
  PostgresSession mirror(As("northwind_mirror"));
  mirror.Run("SET search_path = northwind");
  const std::string partition =
      AskOne("SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'postings'::regclass");
  for (const std::string& statement :
       std::vector<std::string>{"DELETE FROM transactions",
                                "DELETE FROM postings",
                                "DELETE FROM accounts",
                                "DELETE FROM watermark",
                                "DELETE FROM holds",
                                "TRUNCATE postings",
                                "UPDATE transactions SET code = 1",
                                "UPDATE postings SET amount = 1",
                                "UPDATE rejections SET code = 1",
                                "UPDATE payout_events SET amount = 1",
                                "UPDATE accounts SET name = 'x'",
                                "UPDATE holds SET amount = 1",
                                "UPDATE payouts SET merchant_id = 'x'",
                                "INSERT INTO watermark DEFAULT VALUES",
                                "INSERT INTO schema_version VALUES (99, 'x')",
                                "DELETE FROM schema_version",
                                "CREATE TABLE x(a int)",
                                "CREATE SCHEMA x",
                                "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                                "CREATE ROLE x",
                                "DELETE FROM " + partition,
                                "UPDATE " + partition + " SET amount = 1",
                                "COPY postings TO PROGRAM 'true'",
                                "DROP TABLE postings",
                                "ALTER TABLE accounts DISABLE TRIGGER ALL",
                                "DROP SCHEMA northwind CASCADE",
                                "SET ROLE northwind_owner",
                                "SET ROLE postgres"}) {
    EXPECT_EQ(mirror.Refusal(statement), kDenied) << statement;
  }
  PostgresSession reader(As("northwind_reader"));
  reader.Run("SET search_path = northwind; SET default_transaction_read_only = off");
  for (const char* statement :
       {"INSERT INTO postings SELECT * FROM postings", "UPDATE watermark SET epoch = 9", "DELETE FROM accounts",
        "SELECT * FROM watermark FOR UPDATE", "SELECT ensure_month(now())", "CREATE TABLE x(a int)"}) {
    EXPECT_EQ(reader.Refusal(statement), kDenied) << statement;
  }
}

TEST_F(MirrorRoles, ItCanBeRunAgainAndForOtherNames) {
  sql_->Run(
      "CREATE SCHEMA billing; CREATE TABLE billing.shops(id int PRIMARY KEY); INSERT INTO billing.shops VALUES (7)");
  ASSERT_NO_FATAL_FAILURE(
      RunScript({"--set", "schema=books", "--set", "owner=books_owner", "--set", "mirror=books \"mirror\"", "--set",
                 "reader=books_reader", "--set", "legacy=old_reader", "--set", "legacy_schema=billing"}));
  MirrorOptions owner = {.connection = As("books_owner"), .schema = "books"};
  ASSERT_THAT(Mirror::Migrate(owner), IsOk());
  ASSERT_THAT(Mirror::Migrate(owner), IsOk());
  PostgresSession legacy(As("old_reader"));
  EXPECT_EQ(legacy.Refusal("SELECT * FROM books.accounts"), kDenied);
  EXPECT_EQ(legacy.Refusal("INSERT INTO billing.shops VALUES (8)"), "25006");
  NW_ASSERT_OK_AND_ASSIGN(const auto reader, LegacyReader::Open({.connection = As("old_reader")}));
  NW_ASSERT_OK_AND_ASSIGN(const LegacyPage page, reader->Read({.sql = "SELECT id FROM billing.shops", .key = {"id"}}));
  EXPECT_EQ(page.rows, (std::vector<LegacyRow>{{"7"}}));
  ASSERT_NO_FATAL_FAILURE(RunScript());
  ASSERT_NO_FATAL_FAILURE(RunScript());
}

}  // namespace
}  // namespace northwind::testing

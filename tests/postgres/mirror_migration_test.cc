// SPDX-License-Identifier: Apache-2.0
//
// The schema is made once, whoever asks for it and how often; and what a mirror fills it with is the same every time, by arrays, by COPY,
// and after a reset.
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/followed_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kTables[] = {"transactions", "postings", "rejections",   "accounts",
                                   "holds",        "payouts",  "payout_events"};

class MirrorMigration : public FollowedFixture {
 protected:
  // Every row of every table, and the watermark but for what each session changes.
  std::vector<std::string> Dump(const std::string& schema = "northwind") {
    std::vector<std::string> dump;
    for (const char* table : kTables) {
      for (const auto& row : Ask(absl::StrCat("SELECT t::text FROM ", schema, ".", table, " t ORDER BY 1"))) {
        dump.push_back(absl::StrCat(table, row[0]));
      }
    }
    dump.push_back(AskOne(
        absl::StrCat("SELECT (ledger_id, sequence, block_hash, recorded_at)::text FROM ", schema, ".watermark")));
    return dump;
  }
  // What there is in the schema, and since when.
  Table Objects() {
    return Ask(
        "SELECT c.oid, relname, relkind FROM pg_class c WHERE relnamespace = 'northwind'::regnamespace ORDER BY "
        "1");
  }
  void Forget() { sql_->Run("DROP SCHEMA northwind CASCADE"); }
};

TEST_F(MirrorMigration, ASecondOneFindsNothingToDo) {
  const Table objects = Objects(), versions = Ask("TABLE schema_version");
  ASSERT_THAT(Mirror::Migrate(mirror_options_), IsOk());
  EXPECT_EQ(Objects(), objects);
  EXPECT_EQ(Ask("TABLE schema_version"), versions);
  EXPECT_EQ(versions.back()[1], "0001_schema");
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  const std::vector<std::string> dump = Dump();
  ASSERT_THAT(Mirror::Migrate(mirror_options_), IsOk());
  EXPECT_EQ(Dump(), dump);
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
}

TEST_F(MirrorMigration, EightAtOnceMakeOneSchema) {
  const Table versions = Ask("SELECT version, name FROM schema_version ORDER BY 1");
  for (int round = 0; round < 3; ++round) {
    Forget();
    std::vector<absl::Status> answers(8);
    std::vector<std::thread> threads;
    for (absl::Status& answer : answers) {
      threads.emplace_back([this, &answer] { answer = Mirror::Migrate(mirror_options_); });
    }
    for (std::thread& thread : threads) thread.join();
    for (const absl::Status& answer : answers) EXPECT_THAT(answer, IsOk());
    EXPECT_EQ(Ask("SELECT version, name FROM schema_version ORDER BY 1"), versions);
    EXPECT_EQ(AskOne("SELECT count(*) FROM watermark"), "1");
  }
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
}

TEST_F(MirrorMigration, OneThatFailsLeavesNothing) {
  Forget();
  sql_->Run("CREATE SCHEMA northwind");
  const std::string role = database_ + "_owner";
  sql_->Run("CREATE ROLE " + role + " LOGIN");
  MirrorOptions owner = mirror_options_;
  owner.connection += " user=" + role;
  EXPECT_THAT(Mirror::Migrate(owner),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("may not use the schema northwind")));
  sql_->Run("GRANT USAGE ON SCHEMA northwind TO " + role);
  EXPECT_THAT(Mirror::Migrate(owner), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("42501")));
  sql_->Run("GRANT CREATE ON SCHEMA northwind TO " + role);
  // Most of the way: what comes late is not allowed.
  sql_->Run("CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no views''; END'");
  sql_->Run("CREATE EVENT TRIGGER no_views ON ddl_command_start WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION refuse()");
  sql_->Run("ALTER FUNCTION refuse SET SCHEMA public");
  EXPECT_THAT(Mirror::Migrate(owner), StatusIs(absl::StatusCode::kInternal, HasSubstr("no views")));
  EXPECT_THAT(Objects(), IsEmpty());
  sql_->Run("DROP EVENT TRIGGER no_views");
  ASSERT_THAT(Mirror::Migrate(owner), IsOk());
  EXPECT_EQ(AskOne("SELECT count(*) FROM schema_version"), "1");
  sql_->Run("DROP OWNED BY " + role + "; DROP ROLE " + role);
}

TEST_F(MirrorMigration, ASchemaWithSomethingElseInItIsLeftAlone) {
  Forget();
  sql_->Run("CREATE SCHEMA northwind; CREATE TABLE northwind.theirs (a int)");
  EXPECT_THAT(Mirror::Migrate(mirror_options_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is not one of northwind")));
  EXPECT_THAT(Mirror::Reset(mirror_options_), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Objects(), SizeIs(1));
}

TEST_F(MirrorMigration, OfANewerVersionIsRefusedAndLeftAlone) {
  sql_->Run("INSERT INTO schema_version VALUES (1000, 'of tomorrow')");
  const Table objects = Objects();
  EXPECT_THAT(Mirror::Migrate(mirror_options_), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("1000")));
  EXPECT_EQ(Objects(), objects);
}

TEST_F(MirrorMigration, NeedsAServer) {
  EXPECT_THAT(Mirror::Migrate({.connection = "host=" + directory_.path()}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(Mirror::Reset({.connection = "host=" + directory_.path()}), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(MirrorMigration, AResetAndAllAnewGiveTheSameRows) {
  for (int i = 0; i < 5; ++i) CommitSome();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  const std::vector<std::string> dump = Dump();
  EXPECT_THAT(dump, SizeIs(::testing::Gt(100U)));
  mirror_->Stop();
  const uint64_t epoch = std::stoull(AskOne("SELECT epoch FROM watermark"));
  ASSERT_THAT(Mirror::Reset(mirror_options_), IsOk());
  EXPECT_EQ(Dump(), std::vector<std::string>{"(,0,,)"});
  EXPECT_GT(std::stoull(AskOne("SELECT epoch FROM watermark")), epoch);
  ASSERT_THAT(Mirror::Reset(mirror_options_), IsOk());
  // The same mirror: it does not go by what it knew before.
  ASSERT_THAT(mirror_->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  EXPECT_EQ(Dump(), dump);
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
}

TEST_F(MirrorMigration, ArraysAndCopyInBatchesOfAnySizeGiveTheSameRows) {
  for (int i = 0; i < 8; ++i) CommitSome();
  std::vector<std::string> first;
  for (const size_t batch : {size_t{1}, size_t{7}, kMaxJournalPage}) {
    for (const uint64_t backfill_lag : {uint64_t{0}, UINT64_MAX}) {
      SCOPED_TRACE(absl::StrCat("batches of ", batch, ", COPY when further behind than ", backfill_lag));
      MirrorOptions options = mirror_options_;
      options.schema = absl::StrCat("by_", batch, backfill_lag == 0 ? "_copy" : "_arrays");
      options.batch = batch;
      options.backfill_lag = backfill_lag;
      options.cached_accounts = batch == 7 ? 0 : 100'000;
      ASSERT_THAT(Mirror::Migrate(options), IsOk());
      NW_ASSERT_OK_AND_ASSIGN(const auto mirror, Mirror::Open(*ledger_, options));
      ASSERT_THAT(mirror->Start(), IsOk());
      ASSERT_THAT(mirror->WaitFor(ledger_->Head().sequence, absl::Minutes(1)), IsOk());
      EXPECT_EQ(mirror->Stats().records, HeadSequence());
      EXPECT_EQ(mirror->Stats().copied, backfill_lag == 0 ? HeadSequence() : 0);
      EXPECT_EQ(mirror->Stats().batches, (HeadSequence() + batch - 1) / batch);
      const std::vector<std::string> dump = Dump(options.schema);
      if (first.empty()) first = dump;
      EXPECT_EQ(dump, first);
    }
  }
  EXPECT_THAT(first, SizeIs(::testing::Gt(150U)));
}

}  // namespace
}  // namespace northwind::testing

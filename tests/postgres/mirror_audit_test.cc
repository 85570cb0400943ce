// SPDX-License-Identifier: Apache-2.0
//
// The audit finds nothing in a mirror that is what the journal says, and everything in one that is not: each column of each table is
// altered in turn.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/mirror_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kTables[] = {"transactions", "postings", "rejections",   "accounts",
                                   "holds",        "payouts",  "payout_events"};

class MirrorAudit : public MirrorFixture {
 protected:
  // Something of everything: each kind, each event, holds and payouts in every state, changed accounts.
  void MakeHistory() {
    Transaction post = MakePost(1, world_, alice_, 1000);
    post.metadata = std::string("\0\xff", 2);
    post.effective_at = clock_.Now();
    post.reference = "pay";
    Commit(post);
    Commit(MakeHold(2, alice_, bob_, 300));
    Commit(MakeCapture(3, Target::Key(Key(2)), 100));
    Commit(MakeFinalCapture(4, Target::Key(Key(2)), 50));
    Transaction expiring = MakeHold(5, alice_, bob_, 70);
    expiring.expires_at = clock_.Now() + absl::Seconds(5);
    Commit(expiring);
    Commit(MakeHold(6, alice_, bob_, 20));
    clock_.Advance(absl::Seconds(10));
    ASSERT_THAT(ledger_->ExpireHolds(), IsOk());
    Commit(MakePost(7, bob_, alice_, 1'000'000));  // rejected
    ASSERT_THAT(ledger_->SetMinAvailable(alice_, -50), IsOk());
    ASSERT_NO_FATAL_FAILURE(Apply({
        Captured("p1", 10'000, 300),
        Refunded("p1", 1'000, 1, "r1"),
        OfPayment(EventType::kDisputeOpened, "p1", 2, 2'000),
        OfPayment(EventType::kDisputeLost, "p1", 3, 500),
        OfPayout(EventType::kPayoutRequested, "po1", 5, 3'000),
        OfPayout(EventType::kPayoutPaid, "po1", 6),
        OfPayout(EventType::kPayoutReturned, "po1", 7, 1'000),
        OfPayout(EventType::kPayoutRequested, "po2", 8, 400),
        OfPayout(EventType::kPayoutFailed, "po2", 9),
        OfPayout(EventType::kPayoutRequested, "po3", 10, 100),
        OfPayout(EventType::kPayoutCanceled, "po3", 11),
        OfPayout(EventType::kPayoutRequested, "po4", 14, 200),
        OfPayout(EventType::kPayoutRequested, "po5", 15, 1'000'000),
    }));
    ASSERT_THAT(ledger_->Freeze(bob_), IsOk());
    ASSERT_NO_FATAL_FAILURE(CatchUp());
  }

  AuditReport Audit() {
    const absl::StatusOr<AuditReport> report = mirror_->Audit();
    EXPECT_THAT(report, IsOk());
    return report.ok() ? *report : AuditReport();
  }

  // From here on whatever is done to the tables can be undone, and no constraint keeps it from being done.
  void KeepTables() {
    sql_->Run("CREATE SCHEMA kept");
    sql_->Run(
        "DO $$ DECLARE c record; BEGIN FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint JOIN "
        "pg_class ON "
        "pg_class.oid = conrelid WHERE contype = 'c' AND relnamespace = 'northwind'::regnamespace AND coninhcount = 0 "
        "LOOP "
        "EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP; END $$");
    for (const char* table : kTables) {
      sql_->Run(absl::StrCat("CREATE TABLE kept.", table, " AS TABLE ", table));
    }
  }
  void Restore(const std::string& table) {
    const std::string columns = AskOne(absl::StrCat(
        "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns WHERE "
        "table_schema = 'northwind' AND table_name = '",
        table, "' AND is_generated = 'NEVER'"));
    sql_->Run(absl::StrCat("DELETE FROM ", table));
    sql_->Run(absl::StrCat("INSERT INTO ", table, " (", columns, ") SELECT ", columns, " FROM kept.", table));
  }
  // Some other value of a column.
  static std::string Another(const std::string& column, const std::string& type) {
    if (type == "boolean") return absl::StrCat("NOT ", column);
    if (type == "text") return absl::StrCat("coalesce(", column, ", '') || 'x'");
    if (type == "uuid") return "gen_random_uuid()";
    if (type == "bytea") return absl::StrCat("coalesce(", column, ", '') || '\\x01'");
    if (type == "timestamp with time zone") {
      return absl::StrCat("coalesce(", column, " + interval '1 microsecond', '2020-01-01')");
    }
    return absl::StrCat("coalesce(", column, " + 1000000, 7)");
  }
};

TEST_F(MirrorAudit, FindsNothingInAMirrorThatIsWhatTheJournalSays) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  const AuditReport report = Audit();
  EXPECT_TRUE(report.clean()) << absl::StrJoin(report.findings, "\n");
  EXPECT_EQ(report.watermark, ledger_->Head().sequence);
  const auto count = [this](const char* table) { return AskOne(absl::StrCat("SELECT count(*) FROM ", table)); };
  EXPECT_EQ(std::to_string(report.transactions), count("transactions"));
  EXPECT_EQ(std::to_string(report.postings), count("postings"));
  EXPECT_EQ(std::to_string(report.accounts), count("accounts"));
  EXPECT_EQ(std::to_string(report.holds), count("holds"));
  EXPECT_EQ(std::to_string(report.payouts), count("payouts"));
  EXPECT_EQ(std::to_string(report.payout_events), count("payout_events"));
  EXPECT_EQ(std::to_string(report.rejections), count("rejections"));
  EXPECT_GE(report.holds, 7U);
  EXPECT_EQ(report.payouts, 4U);
  EXPECT_EQ(report.rejections, 2U);
}

TEST_F(MirrorAudit, FindsNothingWhateverWayAndInWhateverPiecesTheRowsWent) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  for (const uint64_t lag : {uint64_t{0}, uint64_t{7}, uint64_t{1'000'000}}) {
    mirror_.reset();
    mirror_options_.batch = 3;
    mirror_options_.cached_accounts = 1;
    mirror_options_.backfill_lag = lag;
    ASSERT_THAT(Mirror::Reset(mirror_options_), IsOk());
    ASSERT_NO_FATAL_FAILURE(CatchUp());
    const AuditReport report = Audit();
    EXPECT_TRUE(report.clean()) << absl::StrJoin(report.findings, "\n");
  }
}

TEST_F(MirrorAudit, FindsEveryColumnThatIsNotWhatItWas) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  mirror_->Stop();
  KeepTables();
  int altered = 0;
  for (const std::string table : kTables) {
    const Table columns = Ask(absl::StrCat(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'northwind' AND "
        "table_name = '",
        table, "' AND is_generated = 'NEVER' ORDER BY ordinal_position"));
    ASSERT_FALSE(columns.empty());
    for (const std::vector<std::string>& column : columns) {
      SCOPED_TRACE(table + "." + column[0]);
      sql_->Run(absl::StrCat("UPDATE ", table, " SET ", column[0], " = ", Another(column[0], column[1]),
                             " WHERE ctid = (SELECT max(ctid) FROM ", table, ")"));
      const AuditReport report = Audit();
      // A changed key is a row that is missing and one that is too many.
      ASSERT_GE(report.differences, 1U);
      ASSERT_LE(report.differences, 2U) << absl::StrJoin(report.findings, "\n");
      EXPECT_THAT(report.findings.front(), HasSubstr(table.substr(0, table.size() - 1)));
      EXPECT_THAT(report.findings.front(),
                  ::testing::AnyOf(HasSubstr(column[0]), HasSubstr("missing"), HasSubstr("too many")));
      Restore(table);
      ++altered;
    }
  }
  EXPECT_GT(altered, 70);
  const AuditReport report = Audit();
  EXPECT_TRUE(report.clean()) << absl::StrJoin(report.findings, "\n");
}

TEST_F(MirrorAudit, FindsEveryRowThatIsMissingOrTooMany) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  mirror_->Stop();
  KeepTables();
  for (const std::string table : kTables) {
    SCOPED_TRACE(table);
    const std::string rows = AskOne("SELECT count(*) FROM " + table);
    sql_->Run(absl::StrCat("DELETE FROM ", table, " WHERE ctid = (SELECT min(ctid) FROM ", table, ")"));
    AuditReport report = Audit();
    ASSERT_THAT(report.findings, SizeIs(1));
    EXPECT_THAT(report.findings[0], HasSubstr("missing"));
    sql_->Run("DELETE FROM " + table);
    report = Audit();
    EXPECT_EQ(std::to_string(report.differences), rows);
    Restore(table);
  }
  // Beyond the watermark, too.
  sql_->Run(
      "INSERT INTO payout_events SELECT sequence + 1000000, recorded_at, payout_id, event_type, state, amount FROM "
      "kept.payout_events LIMIT 1");
  const AuditReport report = Audit();
  ASSERT_THAT(report.findings, SizeIs(1));
  EXPECT_THAT(report.findings[0], HasSubstr("too many"));
}

TEST_F(MirrorAudit, CountsAllAndSpellsOutTheFirst) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  for (uint64_t n = 100; n < 300; ++n) Commit(MakePost(n, world_, alice_, n));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  mirror_->Stop();
  sql_->Run("UPDATE postings SET amount = amount + 1");
  const AuditReport report = Audit();
  EXPECT_EQ(std::to_string(report.differences), AskOne("SELECT count(*) FROM postings"));
  EXPECT_THAT(report.findings, SizeIs(kMaxAuditFindings));
}

TEST_F(MirrorAudit, OfAWatermarkThatWasMovedIsRefusedOrFound) {
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

TEST_F(MirrorAudit, TellsHowFarItIsAndIsCancelled) {
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

TEST_F(MirrorAudit, RunsBesideAMirrorThatGoesOn) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  for (uint64_t n = 100; n < 400; ++n) {
    Commit(MakePost(n, world_, alice_, n));
    if (n % 50 == 0) {
      const AuditReport report = Audit();
      EXPECT_TRUE(report.clean()) << absl::StrJoin(report.findings, "\n");
    }
  }
}

}  // namespace
}  // namespace northwind::testing

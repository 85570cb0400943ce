// SPDX-License-Identifier: Apache-2.0
//
// A mirror of a history that has something of everything, and tables that can be altered.
#ifndef NORTHWIND_TESTS_POSTGRES_MIRROR_AUDIT_FIXTURE_H_
#define NORTHWIND_TESTS_POSTGRES_MIRROR_AUDIT_FIXTURE_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/postgres/mirror_fixture.h"

namespace northwind::testing {

inline constexpr const char* kAuditedTables[] = {"transactions", "postings", "rejections",   "accounts",
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
  void ExpectClean() {
    const AuditReport report = Audit();
    EXPECT_TRUE(report.clean()) << absl::StrJoin(report.findings, "\n");
    EXPECT_EQ(report.watermark, ledger_->Head().sequence);
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
    for (const char* table : kAuditedTables) {
      sql_->Run(absl::StrCat("CREATE TABLE kept.", table, " AS TABLE ", table));
    }
  }
  std::string WrittenColumns(const std::string& table) {
    return AskOne(absl::StrCat(
        "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns WHERE "
        "table_schema = 'northwind' AND table_name = '",
        table, "' AND is_generated = 'NEVER'"));
  }
  void Restore(const std::string& table) {
    const std::string columns = WrittenColumns(table);
    sql_->Run(absl::StrCat("DELETE FROM ", table));
    sql_->Run(absl::StrCat("INSERT INTO ", table, " (", columns, ") SELECT ", columns, " FROM kept.", table));
  }
  // Every row once more; the constraints against that must be gone.
  void Duplicate(const std::string& table) {
    const std::string columns = WrittenColumns(table);
    sql_->Run(absl::StrCat("INSERT INTO ", table, " (", columns, ") SELECT ", columns, " FROM ", table));
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

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_POSTGRES_MIRROR_AUDIT_FIXTURE_H_

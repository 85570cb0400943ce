// SPDX-License-Identifier: Apache-2.0
//
// The audit finds nothing in a mirror that is what the journal says, and everything in one that is not: each column of each table is
// altered in turn.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/mirror_audit_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

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

TEST_F(MirrorAudit, TheWatermarkIsReadAndNothingIsWritten) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  const auto row = [this] { return AskOne("SELECT watermark::text || xmin FROM watermark"); };
  const std::string before = row();
  const Sequence mirrored = ledger_->Head().sequence;
  EXPECT_THAT(mirror_->ReadWatermark(), IsOkAndHolds(mirrored));
  mirror_->Stop();
  Commit(MakePost(8, world_, alice_, 1));
  EXPECT_THAT(mirror_->ReadWatermark(), IsOkAndHolds(mirrored));
  EXPECT_EQ(row(), before);
  // It is this ledger's, or it is refused.
  sql_->Run("UPDATE watermark SET ledger_id = gen_random_uuid()");
  EXPECT_THAT(mirror_->ReadWatermark(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("belongs to the ledger")));
  ASSERT_THAT(Mirror::Reset(mirror_options_), IsOk());
  EXPECT_THAT(mirror_->ReadWatermark(), IsOkAndHolds(Sequence()));
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
  for (const std::string table : kAuditedTables) {
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
  for (const std::string table : kAuditedTables) {
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

TEST_F(MirrorAudit, FindsKeysThatAreThereTwiceOrNull) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  mirror_->Stop();
  KeepTables();
  sql_->Run(
      "DO $$ DECLARE c record; BEGIN FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint JOIN pg_class "
      "ON "
      "pg_class.oid = conrelid WHERE contype IN ('p', 'u') AND relnamespace = 'northwind'::regnamespace AND "
      "coninhcount = 0 "
      "LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP; END $$");
  sql_->Run(
      "DO $$ DECLARE c record; BEGIN FOR c IN SELECT attrelid::regclass AS t, attname FROM pg_attribute JOIN pg_class "
      "ON "
      "pg_class.oid = attrelid WHERE attnotnull AND attnum > 0 AND attgenerated = '' AND relkind IN ('r', 'p') AND NOT "
      "relispartition AND relnamespace = 'northwind'::regnamespace LOOP "
      "EXECUTE format('ALTER TABLE %s ALTER %I DROP NOT NULL', c.t, c.attname); END LOOP; END $$");
  const std::pair<std::string, std::string> keys[] = {{"transactions", "sequence"}, {"postings", "entry"},
                                                      {"rejections", "sequence"},   {"accounts", "account_id"},
                                                      {"holds", "sequence"},        {"payouts", "hold_sequence"},
                                                      {"payout_events", "sequence"}};
  for (const auto& [table, key] : keys) {
    SCOPED_TRACE(table);
    const std::string row = absl::StrCat(" WHERE ctid = (SELECT min(ctid) FROM ", table, ")");
    // Each row twice: the second of each is too many, and no other is taken for it.
    Duplicate(table);
    AuditReport report = Audit();
    EXPECT_EQ(std::to_string(report.differences), AskOne("SELECT count(*) FROM kept." + table));
    for (const std::string& finding : report.findings) EXPECT_THAT(finding, HasSubstr("too many"));
    Restore(table);

    sql_->Run(absl::StrCat("UPDATE ", table, " SET ", key, " = NULL", row));
    report = Audit();
    EXPECT_THAT(report.findings,
                ::testing::UnorderedElementsAre(HasSubstr("missing"), AllOf(HasSubstr("too many"), HasSubstr("NULL"))));
    Restore(table);
  }
  ExpectClean();
}

TEST_F(MirrorAudit, FindsNullWhereAValueWasAndAValueWhereNullWas) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  mirror_->Stop();
  KeepTables();
  sql_->Run("ALTER TABLE postings ALTER posted DROP NOT NULL; ALTER TABLE accounts ALTER min_available DROP NOT NULL");
  for (const char* alteration : {"UPDATE postings SET posted = NULL", "UPDATE accounts SET min_available = NULL",
                                 "UPDATE transactions SET metadata = coalesce(metadata, '')",
                                 "UPDATE transactions SET reference = coalesce(reference, '')"}) {
    SCOPED_TRACE(alteration);
    const std::string table = std::vector<std::string>(absl::StrSplit(alteration, ' '))[1];
    sql_->Run(alteration);
    const AuditReport report = Audit();
    ASSERT_FALSE(report.clean());
    EXPECT_THAT(report.findings.front(), AllOf(HasSubstr("NULL"), Not(HasSubstr("missing"))));
    Restore(table);
  }
  ExpectClean();
}

TEST_F(MirrorAudit, FindsPartitionsThatSomebodyElseHasMadeAndTheirRows) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  mirror_->Stop();
  // Empty: the partition itself is what is strange.
  sql_->Run("CREATE TABLE mine PARTITION OF postings FOR VALUES FROM ('1999-01-01') TO ('1999-02-01')");
  AuditReport report = Audit();
  ASSERT_THAT(report.findings, SizeIs(1));
  EXPECT_THAT(report.findings[0], AllOf(HasSubstr("postings"), HasSubstr("mine"), HasSubstr("1999-01-01")));
  // A month's, as the mirror would have made it, is none of theirs.
  sql_->Run("DROP TABLE mine; SELECT ensure_month('1999-01-15')");
  ExpectClean();
  // By the name of a month, for another time than that month's.
  sql_->Run("CREATE TABLE postings_1998_01 PARTITION OF postings FOR VALUES FROM ('1998-01-01') TO ('1998-01-31')");
  report = Audit();
  ASSERT_THAT(report.findings, SizeIs(1));
  EXPECT_THAT(report.findings[0], HasSubstr("postings_1998_01"));
  sql_->Run("DROP TABLE postings_1998_01");
  // For all that fits nowhere else, and with a row in it.
  sql_->Run("CREATE TABLE rest PARTITION OF postings DEFAULT");
  sql_->Run(
      "INSERT INTO postings SELECT sequence, '1997-05-05', account_id, entry, kind, amount, posted, available FROM "
      "postings ORDER BY sequence, entry LIMIT 1");
  report = Audit();
  // Of two rows of one key the older is compared, the other one is too many.
  EXPECT_THAT(report.findings,
              ::testing::ElementsAre(HasSubstr("rest"), HasSubstr("recorded_at is 1997-05-05"), HasSubstr("too many")));
}

TEST_F(MirrorAudit, FindsTheRowsOfAPartitionThatWasDetached) {
  ASSERT_NO_FATAL_FAILURE(MakeHistory());
  mirror_->Stop();
  const std::string rows = AskOne("SELECT count(*) FROM transactions");
  sql_->Run(
      absl::StrCat("ALTER TABLE transactions DETACH PARTITION ",
                   AskOne("SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'transactions'::regclass")));
  EXPECT_EQ(std::to_string(Audit().differences), rows);
}

// A page of links does not hold all of theirs: whether more is to come cannot be told, and is not to be guessed.
TEST_F(MirrorAudit, OfTransactionsThatMoreWorkedOnThanAPageOfLinksHolds) {
  constexpr uint64_t kTimes = kMaxLinkPage + 100;
  Give(alice_, 100'000);
  ASSERT_NO_FATAL_FAILURE(
      Apply({Captured("p1", 100'000), OfPayout(EventType::kPayoutRequested, "po1", 1, 5'000),
             OfPayout(EventType::kPayoutPaid, "po1", 2), OfPayout(EventType::kPayoutRequested, "po2", 3, 5'000)}));
  NW_ASSERT_OK_AND_ASSIGN(const auto paid, ledger_->FindByReference(EventCode(EventType::kPayoutPaid), "po1"));
  NW_ASSERT_OK_AND_ASSIGN(const auto asked, ledger_->FindByReference(EventCode(EventType::kPayoutRequested), "po2"));
  ASSERT_THAT(paid, SizeIs(1));
  ASSERT_THAT(asked, SizeIs(1));
  const Posting moved = paid[0].record.moved.front();

  Commit(MakePost(1, alice_, bob_, 50'000));
  Commit(MakeHold(2, alice_, bob_, 5'000));
  for (uint64_t n = 1; n <= kTimes; ++n) {
    const std::vector<Transaction> batch = {
        MakeReverse(10 * n, Target::Key(Key(1)), {{bob_, alice_, 1}}),
        MakeCapture(10 * n + 1, Target::Key(Key(2)), 1),
        // A payout that is paid bit by bit, and one that comes back so.
        Named(MakeCapture(10 * n + 2, Target::Key(asked[0].record.transaction.key), 1),
              EventCode(EventType::kPayoutPaid), "po2"),
        Named(MakeReverse(10 * n + 3, Target::Key(paid[0].record.transaction.key), {{moved.credit, moved.debit, 1}}),
              EventCode(EventType::kPayoutReturned), "po1"),
    };
    for (const CommitResult& result : CommitAll(batch)) ASSERT_THAT(result, HasOutcome(Outcome::kApplied));
  }
  mirror_options_.batch = 64;
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  mirror_->Stop();
  ASSERT_EQ(AskOne("SELECT returned FROM payouts WHERE payout_id = 'po1'"), std::to_string(kTimes));
  ASSERT_EQ(AskOne("SELECT paid FROM payouts WHERE payout_id = 'po2'"), std::to_string(kTimes));
  ASSERT_EQ(AskOne("SELECT captured FROM holds WHERE key = '00000000-0000-0000-0000-000000000002'"),
            std::to_string(kTimes));
  ExpectClean();
  sql_->Run("UPDATE payouts SET returned = returned - 1 WHERE payout_id = 'po1'");
  EXPECT_THAT(Audit().findings, ::testing::ElementsAre(HasSubstr("returned is 1099, not 1100")));
  sql_->Run("UPDATE payouts SET returned = returned + 1, paid = paid + 1 WHERE payout_id = 'po1'");
  EXPECT_THAT(Audit().findings, ::testing::ElementsAre(HasSubstr("paid is 5001, not 5000")));
}

}  // namespace
}  // namespace northwind::testing

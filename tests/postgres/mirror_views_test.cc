// SPDX-License-Identifier: Apache-2.0
//
// What finance asks costs what it is about: a day, a merchant, what is open; not everything that ever was.
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/mirror_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// 20,000 transactions of 500 merchants in five months, as many holds, payouts and refusals; of the holds and payouts few are open.
constexpr char kRows[] = R"sql(
CREATE TEMP VIEW n AS SELECT i, timestamptz '2024-01-01 00:00+00' + i * interval '151 days' / 20001 AS at FROM generate_series(1, 20000) i;
SELECT ensure_month(m) FROM generate_series(timestamptz '2024-01-01 00:00+00', '2024-05-01 00:00+00', '1 month') m;
INSERT INTO accounts (account_id, opened_sequence, opened_at, updated_sequence, updated_at, external, name, asset, merchant_id, state,
                      min_available, debits_posted, credits_posted, debits_held, credits_held)
  SELECT i, i + 1, '2024-01-01', i + 1, '2024-01-01', i = 0, 'account ' || i, 'USD/2', CASE i WHEN 0 THEN NULL ELSE 'm' || i END, 'open',
         0, 0, 0, 0, 0
  FROM generate_series(0, 500) i;
INSERT INTO transactions (sequence, recorded_at, key, code, unique_reference, final_capture, kind)
  SELECT 1000 + i, at, gen_random_uuid(), 9, false, false, 'post' FROM n;
INSERT INTO postings
  SELECT 1000 + i, at, CASE e WHEN 0 THEN 0 ELSE 1 + i % 500 END, e, CASE e WHEN 0 THEN 'debit' ELSE 'credit' END, 100, 100, 100
  FROM n, generate_series(0, 1) e;
INSERT INTO holds (sequence, recorded_at, key, debit_account_id, credit_account_id, code, asset, state, amount, captured, released,
                   resolved_sequence, resolved_at)
  SELECT 1000 + i, at, gen_random_uuid(), 1 + i % 500, 0, 9, 'USD/2', CASE WHEN open THEN 'open' ELSE 'captured' END, 100,
         CASE WHEN open THEN 0 ELSE 100 END, 0, CASE WHEN open THEN NULL ELSE i END, CASE WHEN open THEN NULL ELSE at END
  FROM n, LATERAL (SELECT i % 500 = 0 AS open) o;
INSERT INTO payouts
  SELECT 'po' || i, 1000 + i, at, CASE WHEN open THEN NULL ELSE at END, i, 'm' || 1 + i % 500, 'USD/2',
         CASE WHEN open THEN 'requested' ELSE 'paid' END, 100, 0, 0
  FROM n, LATERAL (SELECT i % 1000 = 0 AS open) o;
INSERT INTO rejections (sequence, recorded_at, key, code, postings, kind, reason)
  SELECT 1000 + i, at, gen_random_uuid(), 9, 1, 'post', 'insufficient_funds' FROM n;
UPDATE watermark SET sequence = 21000, block_hash = 'x', recorded_at = '2024-05-31 12:00+00')sql";

class MirrorViews : public MirrorFixture {
 protected:
  void Fill() { sql_->Run(kRows); }

  // What was executed of the plan, a line each.
  std::string Plan(const std::string& sql) {
    std::string plan;
    for (const auto& row : Ask("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + sql)) {
      if (!absl::StrContains(row[0], "never executed")) absl::StrAppend(&plan, row[0], "\n");
    }
    return plan;
  }
  // Of the tables' months, those that rows were read of; the index of sequences, that tells the first there is, apart.
  static std::set<std::string> MonthsRead(const std::string& plan) {
    std::set<std::string> months;
    for (const std::string& line : std::vector<std::string>(absl::StrSplit(plan, '\n'))) {
      for (const std::string table : {"transactions", "postings"}) {
        const size_t at = line.find(absl::StrCat(" on ", table, "_2"));
        if (at != std::string::npos && !absl::StrContains(line, "Index Only Scan")) {
          months.insert(line.substr(at + 4, table.size() + 8));
        }
      }
    }
    return months;
  }
};

TEST_F(MirrorViews, ADaysTotalsReadThatMonthAlone) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  const std::set<std::string> march = {"postings_2024_03", "transactions_2024_03"};
  for (const char* statistics : {"SELECT", "ANALYZE"}) {
    SCOPED_TRACE(statistics);
    sql_->Run(statistics);
    for (const char* zone : {"UTC", "Asia/Kolkata", "America/Los_Angeles"}) {
      sql_->Run(absl::StrCat("SET timezone = '", zone, "'"));
      for (const char* when : {"day = '2024-03-01'", "day = '2024-03-31'", "day BETWEEN '2024-03-04' AND '2024-03-05'",
                               "day = date '2024-03-15' + 1 AND asset = 'USD/2'"}) {
        const std::string plan = Plan(absl::StrCat("SELECT * FROM day_totals WHERE ", when));
        EXPECT_EQ(MonthsRead(plan), march) << when << "\n" << plan;
      }
    }
  }
  const std::string plan = Plan("SELECT * FROM day_totals WHERE day = '2024-03-05'");
  EXPECT_THAT(plan, HasSubstr("Bitmap Index Scan on postings_2024_03_recorded_at_idx"));
  EXPECT_THAT(plan, HasSubstr("Bitmap Index Scan on transactions_2024_03_recorded_at_idx"));
}

TEST_F(MirrorViews, OfAMerchantOrOfWhatIsOpenReadNoTableFromEndToEnd) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  sql_->Run("ANALYZE");
  for (const char* sql : {"SELECT * FROM merchant_statement WHERE merchant_id = 'm77' ORDER BY sequence, entry",
                          "SELECT * FROM open_payouts", "SELECT * FROM unreconciled_items WHERE item <> 'rejection'",
                          "SELECT * FROM unreconciled_items WHERE recorded_at > '2024-05-30'"}) {
    EXPECT_THAT(Plan(sql), Not(HasSubstr("Seq Scan"))) << sql;
  }
  const std::string plan = Plan(
      "SELECT * FROM merchant_statement WHERE merchant_id = 'm77' AND recorded_at >= '2024-03-01 00:00+00' AND "
      "recorded_at < '2024-04-01 00:00+00' ORDER BY sequence, entry");
  EXPECT_EQ(MonthsRead(plan), (std::set<std::string>{"postings_2024_03", "transactions_2024_03"})) << plan;
}

TEST_F(MirrorViews, ADayIsThatOfUtcToTheMicrosecondWhateverTheSession) {
  for (const char* moment :
       {"2024-02-29T23:59:59.999999Z", "2024-03-01T00:00:00Z", "2024-03-01T19:00:00Z", "2024-03-03T12:00:00Z"}) {
    absl::Time at;
    std::string error;
    ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, moment, &at, &error)) << error;
    clock_.Set(at);
    Give(alice_, 1);
  }
  Commit(MakeHold(1, alice_, bob_, 1));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  for (const char* zone : {"UTC", "Asia/Kolkata", "America/Los_Angeles"}) {
    SCOPED_TRACE(zone);
    sql_->Run(absl::StrCat("SET timezone = '", zone, "'"));
    EXPECT_THAT(
        Ask("SELECT day, what, transactions, moved, held FROM day_totals ORDER BY 1, 2"),
        ElementsAre(ElementsAre("2024-02-29", "post", "1", "1", "0"), ElementsAre("2024-03-01", "post", "2", "2", "0"),
                    ElementsAre("2024-03-03", "hold", "1", "0", "1"),
                    ElementsAre("2024-03-03", "post", "1", "1", "0")));
    EXPECT_THAT(Ask("SELECT transactions FROM day_totals WHERE day = '2024-03-01'"), ElementsAre(ElementsAre("2")));
    EXPECT_THAT(Ask("SELECT transactions FROM day_totals WHERE day = '2024-03-02'"), ElementsAre());
  }
}

TEST_F(MirrorViews, ADatabaseThatHoldsNothingHasNoDays) { EXPECT_THAT(Ask("SELECT * FROM day_totals"), ElementsAre()); }

}  // namespace
}  // namespace northwind::testing

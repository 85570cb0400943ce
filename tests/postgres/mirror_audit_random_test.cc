// SPDX-License-Identifier: Apache-2.0
//
// Whatever has happened, an audit of a true mirror is clean; and of one in which a single field was altered it is not.
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/postgres/mirror_audit_fixture.h"
#include "tests/support/model.h"
#include "tests/support/seed.h"
#include "tests/support/workload.h"

namespace northwind::testing {
namespace {

class MirrorAuditRandom : public MirrorAudit {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(MirrorAudit::SetUp());
    mirror_options_.batch = 1 + random_.Below(random_.Percent(50) ? 20 : 2'000);
    mirror_options_.cached_accounts = 1 + random_.Below(30);
    mirror_options_.backfill_lag = random_.Below(500);
  }

  // Transactions of every kind and outcome. The model has the accounts that the fixture has opened, and no others are opened but here.
  void RunTransactions(uint64_t operations) {
    ASSERT_THAT(model_.OpenAccounts({{.name = "world", .asset = "USD/2", .external = true},
                                     {.name = "alice", .asset = "USD/2"},
                                     {.name = "bob", .asset = "USD/2"}},
                                    clock_.Now()),
                IsOk());
    for (uint64_t done = 0; done < operations;) {
      clock_.Advance(absl::Milliseconds(random_.Below(random_.OneIn(50) ? 3'000'000'000 : 2'000)));
      if (random_.OneIn(8)) {
        const std::vector<AccountSpec> spec = {workload_.NextAccount()};
        const bool opened = ledger_->OpenAccounts(spec).ok();
        ASSERT_EQ(model_.OpenAccounts(spec, clock_.Now()).ok(), opened);
      }
      const std::vector<Transaction> batch = workload_.NextBatch(clock_.Now());
      const std::vector<CommitResult> expected = model_.Commit(batch, {}, clock_.Now());
      NW_ASSERT_OK_AND_ASSIGN(const std::vector<CommitResult> results, ledger_->Commit(batch));
      ASSERT_EQ(ledger_->Head().sequence, model_.head());
      done += batch.size();
      if (random_.OneIn(20)) {
        ASSERT_NO_FATAL_FAILURE(CatchUp());
        ExpectClean();
      }
    }
  }

  // Payouts of a few merchants that are asked for, paid, refused and come back, in any order.
  void RunPayouts(uint64_t operations) {
    for (uint64_t done = 0; done < operations; ++done) {
      clock_.Advance(absl::Seconds(random_.Below(100)));
      const std::string payment = absl::StrCat("pay", random_.Below(200));
      const std::string payout = absl::StrCat("po", random_.Below(100));
      const auto at = static_cast<int64_t>(done + 1);
      const EventType kinds[] = {EventType::kPayoutPaid, EventType::kPayoutFailed, EventType::kPayoutCanceled,
                                 EventType::kPayoutReturned};
      const EventType kind = kinds[random_.Below(4)];
      std::vector<PaymentEvent> events = {
          Captured(payment, 1 + random_.Below(5'000), random_.Below(2)),
          OfPayout(EventType::kPayoutRequested, payout, at, 1 + random_.Below(1'000)),
          OfPayout(kind, payout, at, random_.Percent(50) ? 1 + random_.Below(500) : 0),
      };
      // All but a few of them; the others are what events that are lost look like.
      if (random_.OneIn(3)) events.erase(events.begin() + static_cast<long>(random_.Below(3)));
      ASSERT_NO_FATAL_FAILURE(Apply(events));
      if (random_.OneIn(40)) {
        ASSERT_NO_FATAL_FAILURE(CatchUp());
        ExpectClean();
      }
    }
  }

  // Some column of some row.
  void AlterOne(uint64_t times) {
    mirror_->Stop();
    KeepTables();
    for (uint64_t n = 0; n < times; ++n) {
      const std::string table = kAuditedTables[random_.Below(std::size(kAuditedTables))];
      const Table columns =
          Ask(absl::StrCat("SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = "
                           "'northwind' AND table_name = '",
                           table, "' AND is_generated = 'NEVER'"));
      const std::vector<std::string>& column = random_.Pick(columns);
      const uint64_t rows = std::stoull(AskOne("SELECT count(*) FROM " + table));
      if (rows == 0) continue;
      // tableoid: each partition counts its own.
      sql_->Run(absl::StrCat("UPDATE ", table, " SET ", column[0], " = ", Another(column[0], column[1]),
                             " WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM ", table, " OFFSET ",
                             random_.Below(rows), " LIMIT 1)"));
      const AuditReport report = Audit();
      EXPECT_GE(report.differences, 1U) << table << "." << column[0];
      EXPECT_LE(report.differences, 2U) << absl::StrJoin(report.findings, "\n");
      Restore(table);
    }
    ExpectClean();
  }

  Random random_{TestSeed()};
  Model model_;
  Workload workload_{{.max_batch = 60, .big_batch_one_in = 0, .huge_amount = 2}, model_, random_};
};

TEST_F(MirrorAuditRandom, TransactionsOfEveryKind) {
  ASSERT_NO_FATAL_FAILURE(RunTransactions(TestOps(4'000)));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  const AuditReport report = Audit();
  EXPECT_TRUE(report.clean()) << absl::StrJoin(report.findings, "\n");
  EXPECT_GT(report.transactions, 100U);
  EXPECT_GT(report.holds, 10U);
  EXPECT_GT(report.rejections, 10U);
  ASSERT_NO_FATAL_FAILURE(AlterOne(10));
}

TEST_F(MirrorAuditRandom, PayoutsInWhateverOrder) {
  ASSERT_NO_FATAL_FAILURE(RunPayouts(TestOps(500)));
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  const AuditReport report = Audit();
  EXPECT_TRUE(report.clean()) << absl::StrJoin(report.findings, "\n");
  EXPECT_GT(report.payouts, 10U);
  ASSERT_NO_FATAL_FAILURE(AlterOne(10));
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
//
// Many transactions, and then the books by SQL: the totals of every account are the ledger's, to the last unit. NORTHWIND_TEST_OPS=1e6 for a
// million.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/postgres/mirror_fixture.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

class MirrorTotals : public MirrorFixture {
 protected:
  // Posts, and holds that the next transaction captures in part, between merchants and the world.
  std::vector<Transaction> NextBatch(size_t size) {
    std::vector<Transaction> batch;
    while (batch.size() < size) {
      const AccountId from = merchants_[random_.Below(merchants_.size())];
      switch (random_.Below(4)) {
        case 0: {
          batch.push_back(MakeHold(++count_, from, world_, 1 + random_.Below(1'000)));
          Transaction capture = MakeFinalCapture(count_ + 1, Target::Key(Key(count_)), 1);
          ++count_;
          batch.push_back(std::move(capture));
          break;
        }
        case 1:
          batch.push_back(
              MakePost(++count_, from, merchants_[random_.Below(merchants_.size())], 1 + random_.Below(100)));
          break;
        default:
          batch.push_back(MakePost(++count_, world_, from, 1 + random_.Below(1'000'000'000)));
          break;
      }
    }
    return batch;
  }

  Random random_{TestSeed()};
  std::vector<AccountId> merchants_;
  uint64_t count_ = 0;
};

TEST_F(MirrorTotals, OfEveryAccountBySqlAreThoseOfTheLedger) {
  const uint64_t transactions = TestOps(20'000);
  std::vector<AccountSpec> specs;
  for (int i = 0; i < 2'000; ++i)
    specs.push_back({.name = absl::StrCat("merchant:", i, ":available:USD/2"), .asset = "USD/2"});
  NW_ASSERT_OK_AND_ASSIGN(merchants_, ledger_->OpenAccounts(specs));
  // Some of the way beside the mirror, the rest at once.
  ASSERT_NO_FATAL_FAILURE(StartMirror());
  uint64_t applied = 0, rejected = 0;
  for (uint64_t done = 0; done < transactions;) {
    const std::vector<Transaction> batch = NextBatch(2'000);
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<CommitResult> results, ledger_->Commit(batch));
    for (const CommitResult& result : results) {
      applied += result.outcome == Outcome::kApplied ? 1 : 0;
      rejected += result.outcome == Outcome::kRejected ? 1 : 0;
    }
    done += batch.size();
  }
  const absl::Time start = absl::Now();
  ASSERT_THAT(mirror_->WaitFor(ledger_->Head().sequence, absl::Minutes(10)), IsOk());
  std::printf("%llu applied, %llu rejected; the mirror was there %.1f s later\n",
              static_cast<unsigned long long>(applied), static_cast<unsigned long long>(rejected),
              absl::ToDoubleSeconds(absl::Now() - start));

  EXPECT_EQ(AskOne("SELECT count(*) FROM transactions"), std::to_string(applied));
  EXPECT_EQ(AskOne("SELECT count(*) FROM rejections"), std::to_string(rejected));
  // By the postings alone, by the accounts' own columns, and by the last running balance.
  const Table by_sql =
      Ask("WITH sums AS (SELECT account_id, "
          "  coalesce(sum(amount) FILTER (WHERE kind IN ('debit', 'capture_debit')), 0) AS dp,"
          "  coalesce(sum(amount) FILTER (WHERE kind IN ('credit', 'capture_credit')), 0) AS cp,"
          "  coalesce(sum(amount) FILTER (WHERE kind = 'hold_debit'), 0)"
          "    - coalesce(sum(amount) FILTER (WHERE kind IN ('capture_debit', 'release_debit')), 0) AS dh,"
          "  coalesce(sum(amount) FILTER (WHERE kind = 'hold_credit'), 0)"
          "    - coalesce(sum(amount) FILTER (WHERE kind IN ('capture_credit', 'release_credit')), 0) AS ch FROM "
          "postings GROUP BY 1), "
          "last AS (SELECT DISTINCT ON (account_id) account_id, posted, available FROM postings ORDER BY account_id, "
          "sequence DESC, "
          "  entry DESC) "
          "SELECT a.account_id, coalesce(dp, 0), coalesce(cp, 0), coalesce(dh, 0), coalesce(ch, 0),"
          "  (a.debits_posted, a.credits_posted, a.debits_held, a.credits_held) = (coalesce(dp, 0), coalesce(cp, 0), "
          "coalesce(dh, 0), "
          "coalesce(ch, 0)) AND (a.posted, a.available) = (coalesce(l.posted, 0), coalesce(l.available, 0)) "
          "FROM accounts a LEFT JOIN sums USING (account_id) LEFT JOIN last l USING (account_id) ORDER BY 1");
  const auto text = [](absl::uint128 total) { return FormatUnits(static_cast<absl::int128>(total), 0); };
  std::vector<Account> accounts;
  std::string after;
  do {
    NW_ASSERT_OK_AND_ASSIGN(AccountPage page, ledger_->ListAccounts("", after, kMaxAccountPage));
    accounts.insert(accounts.end(), page.accounts.begin(), page.accounts.end());
    after = page.next;
  } while (!after.empty());
  ASSERT_EQ(by_sql.size(), accounts.size());
  std::sort(accounts.begin(), accounts.end(), [](const Account& a, const Account& b) { return a.id < b.id; });
  for (size_t i = 0; i < accounts.size(); ++i) {
    const Totals& totals = accounts[i].totals;
    EXPECT_EQ(by_sql[i], (std::vector<std::string>{absl::StrCat(accounts[i].id.value()), text(totals.debits_posted),
                                                   text(totals.credits_posted), text(totals.debits_held),
                                                   text(totals.credits_held), "t"}))
        << accounts[i].name;
  }
  EXPECT_EQ(AskOne("SELECT bool_and(debits_posted = credits_posted AND debits_held = credits_held) FROM trial_balance"),
            "t");
}

}  // namespace
}  // namespace northwind::testing

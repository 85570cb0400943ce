// SPDX-License-Identifier: Apache-2.0
#include "tests/support/compare.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/describe.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

#define NW_ASSERT_SAME(actual, expected, what)                                      \
  ASSERT_TRUE(Same(actual, expected)) << what << "\n  ledger: " << Describe(actual) \
                                      << "\n  model:  " << Describe(expected)

AccountId RandomAccount(const Model& model, Random& random) {
  return AccountId(static_cast<uint32_t>(1 + random.Below(model.account_count())));
}

absl::Time RandomTime(const Model& model, Random& random) {
  if (random.OneIn(30)) return random.OneIn(2) ? absl::InfinitePast() : absl::InfiniteFuture();
  const JournalRecord& record = model.journal()[random.Below(model.head().value())];
  return record.recorded_at + absl::Nanoseconds(random.Between(-1, 1));
}

Sequence RandomSequence(const Model& model, Random& random) { return Sequence(random.Below(model.head().value() + 1)); }

void SameHistoryPage(const Ledger& ledger, const Model& model, AccountId id, const HistoryQuery& query,
                     HistoryPage* page_out = nullptr) {
  NW_ASSERT_OK_AND_ASSIGN(HistoryPage page, ledger.History(id, query));
  const HistoryPage expected = model.History(id, query);
  for (size_t i = 0; i < std::min(page.entries.size(), expected.entries.size()); ++i) {
    ASSERT_EQ(page.entries[i], expected.entries[i]) << "entry " << i << " of a page of account " << id.value();
  }
  ASSERT_EQ(page.entries.size(), expected.entries.size()) << "entries in a page of account " << id.value();
  ASSERT_EQ(page.next, expected.next) << "next page of account " << id.value();
  if (page_out != nullptr) *page_out = std::move(page);
}

void SameHolds(const Ledger& ledger, const Model& model, AccountId id, Sequence after, size_t limit) {
  NW_ASSERT_OK_AND_ASSIGN(const HoldPage page, ledger.OpenHolds(id, after, limit));
  const HoldPage expected = model.OpenHolds(id, after, limit);
  ASSERT_EQ(page.holds, expected.holds) << "open holds of account " << id.value();
  ASSERT_EQ(page.next, expected.next);
}

void SameView(const Ledger& ledger, const Model& model, Sequence sequence) {
  const std::optional<TransactionView> expected = model.GetTransaction(sequence);
  const absl::StatusOr<TransactionView> view = ledger.GetTransaction(sequence);
  if (!expected.has_value()) {
    ASSERT_THAT(view, StatusIs(absl::StatusCode::kNotFound)) << "#" << sequence.value();
    return;
  }
  ASSERT_THAT(view, IsOk()) << "#" << sequence.value();
  NW_ASSERT_SAME(*view, *expected, "by sequence");
  const absl::StatusOr<TransactionView> by_key = ledger.GetTransaction(expected->record.transaction.key);
  ASSERT_THAT(by_key, IsOk());
  NW_ASSERT_SAME(*by_key, *expected, "by key");
}

void SameReference(const Ledger& ledger, const Model& model, uint16_t code, const std::string& reference,
                   size_t limit) {
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<TransactionView> found, ledger.FindByReference(code, reference, limit));
  const std::vector<TransactionView> expected = model.FindByReference(code, reference, limit);
  ASSERT_EQ(found.size(), expected.size()) << "transactions of " << code << "/" << reference;
  for (size_t i = 0; i < found.size(); ++i) NW_ASSERT_SAME(found[i], expected[i], "by reference");
}

void SameBalanceAt(const Ledger& ledger, const Model& model, AccountId id, Sequence at) {
  NW_ASSERT_OK_AND_ASSIGN(const Totals totals, ledger.BalanceAt(id, at));
  ASSERT_EQ(totals, model.BalanceAt(id, at)) << "account " << id.value() << " at #" << at.value();
}

void SameBalanceAt(const Ledger& ledger, const Model& model, AccountId id, absl::Time at) {
  NW_ASSERT_OK_AND_ASSIGN(const Totals totals, ledger.BalanceAt(id, at));
  ASSERT_EQ(totals, model.BalanceAt(id, at)) << "account " << id.value() << " at " << at;
}

HistoryQuery RandomQuery(const Model& model, AccountId id, Random& random) {
  HistoryQuery query;
  query.direction = random.OneIn(2) ? Direction::kForward : Direction::kBackward;
  query.limit = 1 + random.Below(random.OneIn(4) ? kMaxHistoryPage : 20);
  const std::vector<Entry>& entries = model.entries(id);
  if (random.OneIn(2) && !entries.empty()) {
    const Entry& entry = entries[random.Below(entries.size())];
    query.cursor = HistoryCursor{entry.sequence, entry.index};
  } else if (random.OneIn(5)) {
    query.cursor = HistoryCursor{RandomSequence(model, random), static_cast<uint32_t>(random.Below(3))};
  }
  if (random.OneIn(3)) query.code = static_cast<uint16_t>(random.Below(4));
  if (random.OneIn(3)) query.from = RandomTime(model, random);
  if (random.OneIn(3)) query.to = RandomTime(model, random);
  return query;
}

void SameRandomJournalPage(const Ledger& ledger, const Model& model, Random& random) {
  const Sequence after = RandomSequence(model, random);
  const size_t limit = 1 + random.Below(random.OneIn(10) ? 3000 : 40);
  JournalReader reader = ledger.ReadJournal(after);
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<JournalRecord> records, reader.Next(limit));
  const size_t expected = std::min<size_t>(limit, model.head().value() - after.value());
  ASSERT_LE(records.size(), expected);
  ASSERT_EQ(records.empty(), expected == 0);
  for (size_t i = 0; i < records.size(); ++i) {
    NW_ASSERT_SAME(records[i], model.journal()[after.value() + i], "journal");
  }
  ASSERT_EQ(reader.position(), Sequence(after.value() + records.size()));
}

void SameAccountPage(const Ledger& ledger, const Model& model, const std::string& prefix, const std::string& after,
                     size_t limit, std::string* next = nullptr) {
  NW_ASSERT_OK_AND_ASSIGN(const AccountPage page, ledger.ListAccounts(prefix, after, limit));
  const AccountPage expected = model.ListAccounts(prefix, after, limit);
  ASSERT_EQ(page.accounts.size(), expected.accounts.size()) << "accounts of '" << prefix << "' after '" << after << "'";
  for (size_t i = 0; i < page.accounts.size(); ++i) NW_ASSERT_SAME(page.accounts[i], expected.accounts[i], "listed");
  ASSERT_EQ(page.next, expected.next);
  if (next != nullptr) *next = page.next;
}

}  // namespace

void ExpectSameAccounts(const Ledger& ledger, const Model& model, size_t page) {
  ASSERT_EQ(ledger.Head().sequence, model.head());
  std::vector<AccountId> ids;
  for (uint32_t n = 1; n <= model.account_count(); ++n) {
    const AccountId id(n);
    ids.push_back(id);
    NW_ASSERT_OK_AND_ASSIGN(const Account account, ledger.GetAccount(id));
    NW_ASSERT_SAME(account, model.account(id), "account");
    ASSERT_THAT(ledger.FindAccount(account.name), IsOkAndHolds(id));
    ASSERT_THAT(ledger.Balance(id), IsOkAndHolds(account.totals));
  }
  ASSERT_THAT(ledger.GetAccount(AccountId(static_cast<uint32_t>(model.account_count() + 1))),
              StatusIs(absl::StatusCode::kNotFound));
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<Totals> totals, ledger.Balances(ids));
  ASSERT_EQ(totals.size(), ids.size());
  for (size_t i = 0; i < ids.size(); ++i) ASSERT_EQ(totals[i], model.account(ids[i]).totals);
  std::string after;
  do {
    ASSERT_NO_FATAL_FAILURE(SameAccountPage(ledger, model, "", after, page, &after));
  } while (!after.empty());
}

void ExpectSameJournal(const Ledger& ledger, const Model& model, Sequence after, size_t page) {
  JournalReader reader = ledger.ReadJournal(after);
  uint64_t place = after.value();
  while (true) {
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<JournalRecord> records, reader.Next(page));
    if (records.empty()) break;
    ASSERT_LE(records.size(), page);
    ASSERT_LE(place + records.size(), model.head().value());
    for (const JournalRecord& record : records) NW_ASSERT_SAME(record, model.journal()[place++], "journal");
  }
  ASSERT_EQ(place, model.head().value()) << "records in the journal";
}

void ExpectSameHistory(const Ledger& ledger, const Model& model, AccountId id, size_t page) {
  for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
    HistoryQuery query{.direction = direction, .limit = page};
    size_t seen = 0;
    do {
      HistoryPage result;
      ASSERT_NO_FATAL_FAILURE(SameHistoryPage(ledger, model, id, query, &result));
      seen += result.entries.size();
      query.cursor = result.next;
    } while (query.cursor.has_value());
    ASSERT_EQ(seen, model.entries(id).size()) << "history of account " << id.value();
  }
}

void ExpectSameRandomRead(const Ledger& ledger, const Model& model, Random& random) {
  const AccountId id = RandomAccount(model, random);
  switch (random.Below(10)) {
    case 0:
      return SameBalanceAt(ledger, model, id, RandomSequence(model, random));
    case 1:
      return SameBalanceAt(ledger, model, id, RandomTime(model, random));
    case 2:
    case 3:
      return SameHistoryPage(ledger, model, id, RandomQuery(model, id, random));
    case 4:
      return SameHolds(ledger, model, id, random.OneIn(2) ? Sequence() : RandomSequence(model, random),
                       1 + random.Below(random.OneIn(3) ? kMaxHoldPage : 5));
    case 5:
    case 6:
      return SameView(ledger, model, Sequence(random.Below(model.head().value() + 2)));
    case 7:
      return SameReference(ledger, model, static_cast<uint16_t>(random.Below(3)),
                           "ref" + std::to_string(random.Below(60)), 1 + random.Below(8));
    case 8:
      return SameRandomJournalPage(ledger, model, random);
    default: {
      const std::string prefix = random.OneIn(3) ? "" : "group:" + std::to_string(random.Below(8));
      const std::string after = random.OneIn(2) ? "" : model.account(RandomAccount(model, random)).name;
      return SameAccountPage(ledger, model, prefix, after, 1 + random.Below(20));
    }
  }
}

void ExpectSameEverything(const Ledger& ledger, const Model& model) {
  ASSERT_NO_FATAL_FAILURE(ExpectSameAccounts(ledger, model));
  ASSERT_NO_FATAL_FAILURE(ExpectSameJournal(ledger, model));
  std::set<std::pair<uint16_t, std::string>> references;
  for (const JournalRecord& record : model.journal()) {
    ASSERT_NO_FATAL_FAILURE(SameView(ledger, model, record.sequence));
    if (const auto* body = std::get_if<TransactionRecorded>(&record.body)) {
      if (!body->transaction.reference.empty()) {
        references.insert({body->transaction.code, body->transaction.reference});
      }
    }
  }
  for (const auto& [code, reference] : references) {
    ASSERT_NO_FATAL_FAILURE(SameReference(ledger, model, code, reference, kMaxLinkPage));
  }
  for (uint32_t n = 1; n <= model.account_count(); ++n) {
    ASSERT_NO_FATAL_FAILURE(ExpectSameHistory(ledger, model, AccountId(n), kMaxHistoryPage));
    ASSERT_NO_FATAL_FAILURE(SameHolds(ledger, model, AccountId(n), Sequence(), kMaxHoldPage));
  }
  NW_ASSERT_OK_AND_ASSIGN(const VerifyReport report, ledger.Verify());
  const VerifyReport expected = model.Report();
  ASSERT_EQ(report.head, ledger.Head());
  ASSERT_EQ(report.head.sequence, expected.head.sequence);
  ASSERT_EQ(report.blocks, expected.blocks);
  ASSERT_EQ(report.records, expected.records);
  ASSERT_EQ(report.transactions_applied, expected.transactions_applied);
  ASSERT_EQ(report.transactions_rejected, expected.transactions_rejected);
  ASSERT_EQ(report.accounts, expected.accounts);
  ASSERT_EQ(report.entries, expected.entries);
  ASSERT_EQ(report.open_holds, expected.open_holds);
}

}  // namespace northwind::testing

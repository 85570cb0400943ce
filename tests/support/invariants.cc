// SPDX-License-Identifier: Apache-2.0
#include "tests/support/invariants.h"

#include <algorithm>
#include <optional>
#include <variant>

#include "gtest/gtest.h"
#include "tests/support/describe.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

// All accounts, by id.
void AllAccounts(const Ledger& ledger, std::map<AccountId, Account>& accounts) {
  std::string after;
  do {
    NW_ASSERT_OK_AND_ASSIGN(const AccountPage page, ledger.ListAccounts("", after, kMaxAccountPage));
    for (const Account& account : page.accounts) {
      ASSERT_TRUE(after < account.name) << "accounts are not listed in order of their names";
      after = account.name;
      ASSERT_TRUE(accounts.emplace(account.id, account).second) << "listed twice: " << account.name;
    }
    after = page.next;
  } while (!after.empty());
}

// Applies one entry to totals, as EntryKind's comments say; false if it would take away what is not there.
bool Fold(Totals& totals, const Entry& entry) {
  const absl::uint128 amount = entry.amount.units();
  const bool takes_debit = entry.kind == EntryKind::kCaptureDebit || entry.kind == EntryKind::kReleaseDebit;
  const bool takes_credit = entry.kind == EntryKind::kCaptureCredit || entry.kind == EntryKind::kReleaseCredit;
  if (takes_debit && totals.debits_held < amount) return false;
  if (takes_credit && totals.credits_held < amount) return false;
  if (takes_debit) totals.debits_held -= amount;
  if (takes_credit) totals.credits_held -= amount;
  if (entry.kind == EntryKind::kDebit || entry.kind == EntryKind::kCaptureDebit) totals.debits_posted += amount;
  if (entry.kind == EntryKind::kCredit || entry.kind == EntryKind::kCaptureCredit) totals.credits_posted += amount;
  if (entry.kind == EntryKind::kHoldDebit) totals.debits_held += amount;
  if (entry.kind == EntryKind::kHoldCredit) totals.credits_held += amount;
  return true;
}

void ExpectHistoryFolds(const Ledger& ledger, const Account& account) {
  Totals totals;
  Sequence last_sequence;
  uint32_t next_index = 0;
  HistoryQuery query{.limit = kMaxHistoryPage};
  do {
    NW_ASSERT_OK_AND_ASSIGN(const HistoryPage page, ledger.History(account.id, query));
    for (const Entry& entry : page.entries) {
      if (entry.sequence != last_sequence) {
        ASSERT_LT(last_sequence, entry.sequence);
        last_sequence = entry.sequence;
        next_index = 0;
      }
      ASSERT_EQ(entry.index, next_index++) << account.name << ": " << Describe(entry);
      ASSERT_TRUE(Fold(totals, entry)) << account.name << ": " << Describe(entry);
      ASSERT_EQ(totals, entry.after) << account.name << ": " << Describe(entry);
    }
    query.cursor = page.next;
  } while (query.cursor.has_value());
  ASSERT_EQ(totals, account.totals) << account.name << " is not the fold of its history";
}

}  // namespace

void ExpectBooksBalance(const Ledger& ledger) {
  std::map<AccountId, Account> accounts;
  ASSERT_NO_FATAL_FAILURE(AllAccounts(ledger, accounts));
  std::map<std::string, Totals> by_asset;
  for (const auto& [id, account] : accounts) {
    // Wraps at 2^128 on both sides alike.
    Totals& sum = by_asset[account.asset.ToString()];
    sum.debits_posted += account.totals.debits_posted;
    sum.credits_posted += account.totals.credits_posted;
    sum.debits_held += account.totals.debits_held;
    sum.credits_held += account.totals.credits_held;
    if (!account.external) {
      ASSERT_GE(account.totals.available(), std::min(account.min_available, absl::int128(0)))
          << account.name << " is below its limit";
    }
  }
  for (const auto& [asset, sum] : by_asset) {
    ASSERT_EQ(sum.debits_posted, sum.credits_posted) << asset;
    ASSERT_EQ(sum.debits_held, sum.credits_held) << asset;
  }
}

void ExpectInvariants(const Ledger& ledger) {
  ASSERT_NO_FATAL_FAILURE(ExpectBooksBalance(ledger));
  Recount recount;
  JournalReader reader = ledger.ReadJournal(Sequence());
  while (true) {
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<JournalRecord> records, reader.Next(kMaxJournalPage));
    if (records.empty()) break;
    for (const JournalRecord& record : records) recount.Add(record);
  }
  ASSERT_TRUE(recount.problems().empty())
      << recount.problems().size() << " problems, the first: " << recount.problems().front();
  ASSERT_EQ(recount.head(), ledger.Head().sequence);
  std::map<AccountId, Account> accounts;
  ASSERT_NO_FATAL_FAILURE(AllAccounts(ledger, accounts));
  ASSERT_EQ(accounts.size(), recount.totals().size());
  for (const auto& [id, account] : accounts) {
    ASSERT_TRUE(recount.totals().contains(id)) << account.name << " was never opened";
    ASSERT_EQ(account.totals, recount.totals().at(id)) << account.name << " is not the fold of the journal";
    ASSERT_NO_FATAL_FAILURE(ExpectHistoryFolds(ledger, account));
  }
  NW_ASSERT_OK_AND_ASSIGN(const VerifyReport report, ledger.Verify());
  ASSERT_EQ(report.head, ledger.Head());
  ASSERT_EQ(report.open_holds, recount.open_holds());
}

void Recount::Problem(Sequence sequence, const std::string& text) {
  problems_.push_back("#" + std::to_string(sequence.value()) + ": " + text);
}

void Recount::Add(const JournalRecord& record) {
  if (record.sequence.value() != head_.value() + 1) Problem(record.sequence, "not the next sequence");
  if (record.recorded_at <= last_time_) Problem(record.sequence, "recorded no later than the one before");
  head_ = record.sequence;
  last_time_ = record.recorded_at;
  if (const auto* opened = std::get_if<AccountOpened>(&record.body)) {
    if (opened->id.value() != totals_.size() + 1) Problem(record.sequence, "account ids are not dense");
    if (!names_.insert(opened->spec.name).second) Problem(record.sequence, "account opened twice");
    totals_[opened->id] = Totals{};
  } else if (const auto* transaction = std::get_if<TransactionRecorded>(&record.body)) {
    AddTransaction(record.sequence, *transaction);
  } else if (const auto* expired = std::get_if<HoldExpired>(&record.body)) {
    Resolve(record.sequence, expired->hold, 0, expired->released.units());
  }
}

void Recount::AddTransaction(Sequence sequence, const TransactionRecorded& record) {
  const Transaction& t = record.transaction;
  if (!keys_.insert(t.key).second) Problem(sequence, "key recorded twice");
  if (record.outcome != Outcome::kApplied) return;
  if (!t.reference.empty()) {
    const std::pair reference(t.code, t.reference);
    if (unique_references_.contains(reference)) Problem(sequence, "unique reference applied twice");
    if (t.unique_reference && applied_references_[reference] > 0) Problem(sequence, "reference was not unique");
    if (t.unique_reference) unique_references_.insert(reference);
    ++applied_references_[reference];
  }
  absl::uint128 sum = 0;
  for (const Posting& p : record.moved) sum += p.amount.units();
  switch (t.kind) {
    case TransactionKind::kPost:
      for (const Posting& p : record.moved) Move(p);
      reversible_[sequence] = sum;
      break;
    case TransactionKind::kHold: {
      const Posting& p = record.moved.at(0);
      totals_[p.debit].debits_held += p.amount.units();
      totals_[p.credit].credits_held += p.amount.units();
      holds_[sequence] = PlacedHold{.posting = p};
      break;
    }
    case TransactionKind::kCapture:
      for (const Posting& p : record.moved) Move(p);
      reversible_[sequence] = sum;
      Resolve(sequence, record.target, sum, record.released.units());
      break;
    case TransactionKind::kRelease:
      Resolve(sequence, record.target, 0, record.released.units());
      break;
    case TransactionKind::kReverse:
      for (const Posting& p : record.moved) Move(p);
      if (!reversible_.contains(record.target) || reversible_[record.target] < sum) {
        Problem(sequence, "reverses more than was moved");
      }
      reversible_[record.target] -= sum;
      break;
  }
}

void Recount::Move(const Posting& p) {
  totals_[p.debit].debits_posted += p.amount.units();
  totals_[p.credit].credits_posted += p.amount.units();
}

// Takes what was captured and released off a hold.
void Recount::Resolve(Sequence sequence, Sequence hold, absl::uint128 captured, absl::uint128 released) {
  const auto it = holds_.find(hold);
  if (it == holds_.end()) return Problem(sequence, "its target is no hold");
  PlacedHold& placed = it->second;
  if (placed.resolved) Problem(sequence, "the hold was resolved already");
  placed.captured += captured;
  placed.released += released;
  const absl::uint128 gone = placed.captured + placed.released;
  if (gone > placed.posting.amount.units()) Problem(sequence, "more captured and released than placed");
  if (gone == placed.posting.amount.units()) placed.resolved = true;
  if (released > 0 && !placed.resolved) Problem(sequence, "a hold was released in part");
  totals_[placed.posting.debit].debits_held -= captured + released;
  totals_[placed.posting.credit].credits_held -= captured + released;
}

size_t Recount::open_holds() const {
  return static_cast<size_t>(
      std::count_if(holds_.begin(), holds_.end(), [](const auto& hold) { return !hold.second.resolved; }));
}

}  // namespace northwind::testing

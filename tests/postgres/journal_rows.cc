// SPDX-License-Identifier: Apache-2.0
#include "tests/postgres/journal_rows.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "northwind/settlement.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

std::string Text(absl::uint128 value) { return FormatUnits(static_cast<absl::int128>(value), 0); }

// A key as a uuid is written.
std::string Uuid(const IdempotencyKey& key) {
  std::string text;
  for (size_t i = 0; i < IdempotencyKey::kSize; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    absl::StrAppend(&text, absl::Hex(key.bytes()[i], absl::kZeroPad2));
  }
  return text;
}

// The rows of one query of one column, in its order.
void ExpectRows(PostgresSession& sql, const std::string& query, const std::vector<std::string>& expected) {
  const std::vector<std::vector<std::string>> found = sql.Rows(query);
  for (size_t i = 0; i < std::min(found.size(), expected.size()); ++i) {
    ASSERT_EQ(found[i][0], expected[i]) << "row " << i << " of " << query;
  }
  ASSERT_EQ(found.size(), expected.size()) << query;
}

}  // namespace

void JournalRows::ReadAndCompare(const Ledger& ledger, Sequence end, PostgresSession& sql) {
  const Sequence begin = end_;
  transaction_rows_.clear();
  posting_rows_.clear();
  rejection_rows_.clear();
  payout_event_rows_.clear();
  JournalReader reader = ledger.ReadJournal(begin);
  while (end_ < end) {
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<JournalRecord> records,
                            reader.Next(std::min<uint64_t>(kMaxJournalPage, end.value() - end_.value())));
    ASSERT_FALSE(records.empty()) << "the mirror is ahead of the journal: " << end.value();
    for (const JournalRecord& record : records) Add(record);
  }
  const std::string range = absl::StrCat(" WHERE sequence > ", begin.value(), " ORDER BY sequence");
  ASSERT_NO_FATAL_FAILURE(
      ExpectRows(sql,
                 "SELECT concat_ws('|', sequence, coalesce(key::text, '-'), kind, code, coalesce(target_sequence, 0), "
                 "coalesce(released, 0), reference) FROM transactions" +
                     range,
                 transaction_rows_));
  ASSERT_NO_FATAL_FAILURE(
      ExpectRows(sql,
                 "SELECT concat_ws('|', sequence, entry, account_id, kind, amount, posted, available) FROM postings" +
                     range + ", entry",
                 posting_rows_));
  ASSERT_NO_FATAL_FAILURE(
      ExpectRows(sql, "SELECT concat_ws('|', sequence, key, kind, reason) FROM rejections" + range, rejection_rows_));
  ASSERT_NO_FATAL_FAILURE(ExpectRows(
      sql, "SELECT concat_ws('|', sequence, payout_id, event_type, state, amount) FROM payout_events" + range,
      payout_event_rows_));
  // What was compared before is still there, and once.
  ASSERT_EQ(sql.Value("SELECT count(*) FROM transactions"), std::to_string(transactions_));
  ASSERT_EQ(sql.Value("SELECT count(*) FROM postings"), std::to_string(postings_));
  ASSERT_EQ(sql.Value("SELECT count(*) FROM rejections"), std::to_string(rejections_));
  ASSERT_NO_FATAL_FAILURE(CompareAccounts(sql));
  ASSERT_NO_FATAL_FAILURE(CompareHolds(sql));
  ASSERT_NO_FATAL_FAILURE(ComparePayouts(sql));
}

void JournalRows::CompareAccounts(PostgresSession& sql) const {
  std::vector<std::string> expected;
  for (const auto& [id, totals] : accounts_) {
    expected.push_back(absl::StrCat(id.value(), "|", Text(totals.debits_posted), "|", Text(totals.credits_posted), "|",
                                    Text(totals.debits_held), "|", Text(totals.credits_held)));
  }
  ExpectRows(sql,
             "SELECT concat_ws('|', account_id, debits_posted, credits_posted, debits_held, credits_held) FROM "
             "accounts ORDER BY "
             "account_id",
             expected);
}

void JournalRows::CompareHolds(PostgresSession& sql) const {
  std::vector<std::string> expected;
  for (const auto& [sequence, hold] : holds_) {
    expected.push_back(absl::StrCat(sequence.value(), "|", Text(hold.posting.amount.units()), "|", Text(hold.captured),
                                    "|", Text(hold.released), "|", hold.state));
  }
  ExpectRows(sql, "SELECT concat_ws('|', sequence, amount, captured, released, state) FROM holds ORDER BY sequence",
             expected);
}

void JournalRows::ComparePayouts(PostgresSession& sql) const {
  std::vector<std::string> expected;
  for (const auto& [id, payout] : payouts_) {
    expected.push_back(absl::StrCat(id, "|", payout.hold.value(), "|", payout.merchant_id, "|", payout.state, "|",
                                    payout.amount.ToString(0), "|", Text(payout.paid), "|", Text(payout.returned), "|",
                                    payout.last.value()));
  }
  ExpectRows(sql,
             "SELECT concat_ws('|', payout_id, hold_sequence, merchant_id, state, amount, paid, returned, "
             "updated_sequence) FROM payouts ORDER BY payout_id",
             expected);
}

void JournalRows::Add(const JournalRecord& record) {
  ASSERT_EQ(record.sequence.value(), end_.value() + 1);
  end_ = record.sequence;
  next_entry_ = 0;
  if (const auto* opened = std::get_if<AccountOpened>(&record.body)) {
    accounts_[opened->id];
    const std::string begin = "merchant:", end = ":available:" + opened->spec.asset;
    const std::string& name = opened->spec.name;
    if (name.starts_with(begin) && name.ends_with(end) && name.size() > begin.size() + end.size()) {
      merchants_[opened->id] = name.substr(begin.size(), name.size() - begin.size() - end.size());
    }
  } else if (const auto* expired = std::get_if<HoldExpired>(&record.body)) {
    ++transactions_;
    transaction_rows_.push_back(absl::StrCat(end_.value(), "|-|expiry|", holds_.at(expired->hold).code, "|",
                                             expired->hold.value(), "|", expired->released.ToString(0)));
    Give(end_, expired->hold, 0, expired->released, "expired");
  } else if (const auto* recorded = std::get_if<TransactionRecorded>(&record.body)) {
    const Transaction& t = recorded->transaction;
    if (recorded->outcome == Outcome::kRejected) {
      ++rejections_;
      rejection_rows_.push_back(absl::StrCat(end_.value(), "|", Uuid(t.key), "|", std::string(Name(t.kind)), "|",
                                             std::string(Name(recorded->reason))));
    } else {
      AddApplied(end_, *recorded);
    }
  }
}

void JournalRows::AddApplied(Sequence sequence, const TransactionRecorded& recorded) {
  const Transaction& t = recorded.transaction;
  ++transactions_;
  std::string row = absl::StrCat(sequence.value(), "|", Uuid(t.key), "|", std::string(Name(t.kind)), "|", t.code, "|",
                                 recorded.target.value(), "|", recorded.released.ToString(0));
  if (!t.reference.empty()) absl::StrAppend(&row, "|", t.reference);
  transaction_rows_.push_back(std::move(row));
  switch (t.kind) {
    case TransactionKind::kPost:
    case TransactionKind::kReverse:
      for (const Posting& p : recorded.moved) {
        accounts_[p.debit].debits_posted += p.amount.units();
        Entry(sequence, p.debit, "debit", p.amount);
        accounts_[p.credit].credits_posted += p.amount.units();
        Entry(sequence, p.credit, "credit", p.amount);
      }
      break;
    case TransactionKind::kHold: {
      const Posting& p = recorded.moved[0];
      holds_[sequence].posting = p;
      holds_[sequence].code = t.code;
      accounts_[p.debit].debits_held += p.amount.units();
      Entry(sequence, p.debit, "hold_debit", p.amount);
      accounts_[p.credit].credits_held += p.amount.units();
      Entry(sequence, p.credit, "hold_credit", p.amount);
      break;
    }
    case TransactionKind::kCapture:
      Give(sequence, recorded.target, recorded.moved[0].amount, recorded.released, "captured");
      break;
    case TransactionKind::kRelease:
      Give(sequence, recorded.target, 0, recorded.released, "released");
      break;
  }
  AddPayoutEvent(sequence, recorded);
}

// Told by code and kind, as docs/mirror.md has it: a hold for PAYOUT_REQUESTED of a merchant's money, and what works on it.
void JournalRows::AddPayoutEvent(Sequence sequence, const TransactionRecorded& recorded) {
  const Transaction& t = recorded.transaction;
  const auto is = [&t](EventType type, TransactionKind kind) { return t.code == EventCode(type) && t.kind == kind; };
  Sequence hold = recorded.target;
  std::string event, state;
  Amount amount = recorded.moved.empty() ? Amount() : recorded.moved[0].amount;
  if (is(EventType::kPayoutRequested, TransactionKind::kHold)) {
    const auto merchant = merchants_.find(t.postings[0].debit);
    if (!t.unique_reference || t.reference.empty() || merchant == merchants_.end()) return;
    hold = sequence;
    holds_[hold].payout_id = t.reference;
    payouts_[t.reference] = {.hold = hold, .merchant_id = merchant->second, .amount = amount};
    event = "PAYOUT_REQUESTED", state = "requested";
  } else if (is(EventType::kPayoutPaid, TransactionKind::kCapture)) {
    paid_[sequence] = hold;
    event = "PAYOUT_PAID", state = "paid";
  } else if (is(EventType::kPayoutFailed, TransactionKind::kRelease)) {
    event = "PAYOUT_FAILED", state = "failed", amount = recorded.released;
  } else if (is(EventType::kPayoutCanceled, TransactionKind::kRelease)) {
    event = "PAYOUT_CANCELED", state = "canceled", amount = recorded.released;
  } else if (is(EventType::kPayoutReturned, TransactionKind::kReverse) && paid_.contains(recorded.target)) {
    hold = paid_[recorded.target];
    event = "PAYOUT_RETURNED", state = "returned";
  } else {
    return;
  }
  const std::string& id = holds_.at(hold).payout_id;
  if (id.empty()) return;
  Payout& payout = payouts_.at(id);
  payout.state = state;
  payout.last = sequence;
  if (state == "paid") payout.paid += amount.units();
  if (state == "returned") payout.returned += amount.units();
  payout_event_rows_.push_back(
      absl::StrCat(sequence.value(), "|", id, "|", event, "|", state, "|", amount.ToString(0)));
}

void JournalRows::Give(Sequence sequence, Sequence placed, Amount captured, Amount released, const char* ending) {
  PlacedHold& hold = holds_.at(placed);
  Totals& debit = accounts_[hold.posting.debit];
  Totals& credit = accounts_[hold.posting.credit];
  if (!captured.is_zero()) {
    hold.captured += captured.units();
    debit.debits_held -= captured.units();
    debit.debits_posted += captured.units();
    Entry(sequence, hold.posting.debit, "capture_debit", captured);
    credit.credits_held -= captured.units();
    credit.credits_posted += captured.units();
    Entry(sequence, hold.posting.credit, "capture_credit", captured);
  }
  if (!released.is_zero()) {
    hold.released += released.units();
    debit.debits_held -= released.units();
    Entry(sequence, hold.posting.debit, "release_debit", released);
    credit.credits_held -= released.units();
    Entry(sequence, hold.posting.credit, "release_credit", released);
  }
  if (hold.captured + hold.released == hold.posting.amount.units()) hold.state = ending;
}

void JournalRows::Entry(Sequence sequence, AccountId account, const char* kind, Amount amount) {
  ++postings_;
  const Totals& totals = accounts_.at(account);
  posting_rows_.push_back(absl::StrCat(sequence.value(), "|", next_entry_++, "|", account.value(), "|", kind, "|",
                                       amount.ToString(0), "|", FormatUnits(totals.posted(), 0), "|",
                                       FormatUnits(totals.available(), 0)));
}

}  // namespace northwind::testing

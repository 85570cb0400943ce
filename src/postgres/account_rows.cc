// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/account_rows.h"

#include <algorithm>
#include <variant>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/settlement/event.h"

namespace northwind::internal::postgres {
namespace {

constexpr size_t kTellAccounts = 1'000;

// The accounts that rows are of, by their first column.
template <typename Touch>
void ForEachAccount(const Rows& rows, const Touch& touch) {
  Rows::Cursor cursor(rows);
  for (Fields row; cursor.Next(row);) {
    const size_t updated = &rows.table() == &kAccounts ? 3 : 1;  // updated_sequence
    touch(LoadBigEndian64(row[0]->data()), LoadBigEndian64(row[updated]->data()));
  }
}

}  // namespace

absl::Status AccountRows::Take(absl::Span<const JournalRecord> records, const Batch& batch) {
  for (const JournalRecord& record : records) {
    if (const auto* const opened = std::get_if<AccountOpened>(&record.body)) {
      if (opened->id.value() != accounts_.size() + 1) {
        return Error(absl::StatusCode::kDataLoss, "audit: the journal opens account ", opened->id.value(), " after ",
                     accounts_.size());
      }
      accounts_.push_back({.opened_sequence = record.sequence.value(),
                           .opened_micros = absl::ToUnixMicros(record.recorded_at),
                           .min_available = opened->spec.min_available});
    } else if (const auto* const changed = std::get_if<AccountChanged>(&record.body)) {
      Facts& facts = accounts_.at(changed->id.value() - 1);
      facts.state = changed->state;
      facts.min_available = changed->min_available;
    }
  }
  const auto touch = [&](uint64_t id, uint64_t sequence) {
    Facts& facts = accounts_.at(id - 1);
    facts.updated_sequence = sequence;
    facts.updated_micros = absl::ToUnixMicros(records[sequence - records.front().sequence.value()].recorded_at);
  };
  ForEachAccount(batch.accounts, touch);
  ForEachAccount(batch.account_updates, touch);
  return absl::OkStatus();
}

absl::Status AccountRows::Add(AccountId id, Sequence end, Rows& rows) const {
  const Facts& facts = accounts_[id.value() - 1];
  NW_ASSIGN_OR_RETURN(const Account account, ledger_.GetAccount(id));
  NW_ASSIGN_OR_RETURN(const Totals totals, ledger_.BalanceAt(id, end));
  const auto merchant = ParseMerchantAccount(account.name, account.asset);
  rows.Int8(id.value()).Int8(facts.opened_sequence).Timestamp(absl::FromUnixMicros(facts.opened_micros));
  rows.Int8(facts.updated_sequence).Timestamp(absl::FromUnixMicros(facts.updated_micros)).Bool(account.external);
  rows.Text(account.name).Text(account.asset.ToString());
  merchant ? rows.Text(merchant->merchant_id) : rows.Null();
  rows.Text(StateName(facts.state)).Numeric(facts.min_available);
  rows.Numeric(totals.debits_posted).Numeric(totals.credits_posted);
  rows.Numeric(totals.debits_held).Numeric(totals.credits_held);
  rows.Numeric(totals.posted()).Numeric(totals.available()).EndRow();
  return absl::OkStatus();
}

absl::Status AccountRows::Compare(Sequence end, TableAudit& audit, const std::function<absl::Status()>& tell) const {
  const Table table{.name = audit.table().name, .columns = audit.table().columns};
  for (size_t first = 0; first < accounts_.size(); first += kTellAccounts) {
    Rows rows(table);
    for (size_t i = first; i < std::min(first + kTellAccounts, accounts_.size()); ++i) {
      NW_RETURN_IF_ERROR(Add(AccountId(static_cast<uint32_t>(i + 1)), end, rows));
    }
    NW_RETURN_IF_ERROR(audit.Expect(rows));
    NW_RETURN_IF_ERROR(tell());
  }
  return absl::OkStatus();
}

}  // namespace northwind::internal::postgres

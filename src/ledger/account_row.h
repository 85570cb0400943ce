// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_LEDGER_ACCOUNT_ROW_H_
#define NORTHWIND_SRC_LEDGER_ACCOUNT_ROW_H_

#include <cstdint>
#include <vector>

#include "absl/numeric/int128.h"
#include "northwind/account.h"
#include "northwind/ledger.h"
#include "src/ledger/paged_array.h"
#include "src/ledger/record.h"

namespace northwind::internal {

// What the rules need of an account. The ledger keeps two rows an account: as applied, and as durable.
struct AccountRow {
  Totals totals;
  absl::int128 min_available = 0;
  uint16_t asset = 0;  // index into the ledger's list of assets
  AccountState state = AccountState::kOpen;
  bool external = false;
  // In the rows of View only: the name, in memory of the View's own. Stands here since alignment leaves the room.
  const char* name = nullptr;
};
static_assert(sizeof(AccountRow) == 96);

// By account id; row 0 is unused.
using AccountRows = PagedArray<AccountRow>;

// One change to one account's totals: the unit of history.
struct Effect {
  Amount amount;
  AccountId account;
  uint32_t offset = 0;  // of the record in its block
  EntryKind kind = EntryKind::kDebit;
  uint16_t code = 0;
};
using Effects = std::vector<Effect>;

// Adds an entry to totals. Bounds were checked when the record was decided; a total below zero means damaged data:
// false, and the totals are as before.
inline bool ApplyEntry(EntryKind kind, Amount amount, Totals& totals) {
  const absl::uint128 units = amount.units();
  switch (kind) {
    case EntryKind::kDebit:
      totals.debits_posted += units;
      return true;
    case EntryKind::kCredit:
      totals.credits_posted += units;
      return true;
    case EntryKind::kHoldDebit:
      totals.debits_held += units;
      return true;
    case EntryKind::kHoldCredit:
      totals.credits_held += units;
      return true;
    case EntryKind::kCaptureDebit:
      if (totals.debits_held < units) return false;
      totals.debits_held -= units;
      totals.debits_posted += units;
      return true;
    case EntryKind::kCaptureCredit:
      if (totals.credits_held < units) return false;
      totals.credits_held -= units;
      totals.credits_posted += units;
      return true;
    case EntryKind::kReleaseDebit:
      if (totals.debits_held < units) return false;
      totals.debits_held -= units;
      return true;
    case EntryKind::kReleaseCredit:
      if (totals.credits_held < units) return false;
      totals.credits_held -= units;
      return true;
  }
  return false;
}

// The entries of applied postings of one kind: debit and credit of each, in order.
inline void AppendEffects(const Postings& postings, EntryKind debit, EntryKind credit, uint16_t code, uint32_t offset,
                          Effects& effects) {
  for (const Posting& posting : postings) {
    effects.push_back({posting.amount, posting.debit, offset, debit, code});
    effects.push_back({posting.amount, posting.credit, offset, credit, code});
  }
}

// The entries that give a held amount back; none if it is zero.
inline void AppendRelease(const Posting& hold, Amount amount, uint16_t code, uint32_t offset, Effects& effects) {
  if (amount.is_zero()) return;
  effects.push_back({amount, hold.debit, offset, EntryKind::kReleaseDebit, code});
  effects.push_back({amount, hold.credit, offset, EntryKind::kReleaseCredit, code});
}

// All entries of a record, as docs/ledger.md "What applying does" lists them.
void AppendEffects(const TransactionRecorded& record, const Posting& hold, uint32_t offset, Effects& effects);
void AppendEffects(const StoredExpiry& expiry, uint32_t offset, Effects& effects);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_ACCOUNT_ROW_H_

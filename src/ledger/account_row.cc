// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/account_row.h"

namespace northwind::internal {
void AppendEffects(const TransactionRecorded& record, const Posting& hold, uint32_t offset, Effects& effects) {
  if (record.outcome != Outcome::kApplied) return;
  const uint16_t code = record.transaction.code;
  switch (record.transaction.kind) {
    case TransactionKind::kPost:
    case TransactionKind::kReverse:
      AppendEffects(record.moved, EntryKind::kDebit, EntryKind::kCredit, code, offset, effects);
      break;
    case TransactionKind::kHold:
      AppendEffects(record.moved, EntryKind::kHoldDebit, EntryKind::kHoldCredit, code, offset, effects);
      break;
    case TransactionKind::kCapture:
      AppendEffects(record.moved, EntryKind::kCaptureDebit, EntryKind::kCaptureCredit, code, offset, effects);
      AppendRelease(hold, record.released, code, offset, effects);
      break;
    case TransactionKind::kRelease:
      AppendRelease(hold, record.released, code, offset, effects);
      break;
  }
}

void AppendEffects(const StoredExpiry& expiry, uint32_t offset, Effects& effects) {
  AppendRelease({expiry.debit, expiry.credit, expiry.record.released}, expiry.record.released, expiry.code, offset,
                effects);
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_ACCOUNT_ROWS_H_
#define NORTHWIND_SRC_POSTGRES_ACCOUNT_ROWS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "northwind/ledger.h"
#include "src/postgres/projection.h"
#include "src/postgres/table_audit.h"

namespace northwind::internal::postgres {

// The rows of accounts where the journal has been read to its end: of what the ledger does not know as of then it keeps 64 bytes for each
// account; totals are asked of the ledger, and so are none of the mirror's making.
class AccountRows {
 public:
  explicit AccountRows(const Ledger& ledger) : ledger_(ledger) {}

  // The records, and what they are as rows.
  absl::Status Take(absl::Span<const JournalRecord> records, const Batch& batch);
  // Compares all as they stood right after `end`. `tell` is called now and then.
  absl::Status Compare(Sequence end, TableAudit& audit, const std::function<absl::Status()>& tell) const;

 private:
  struct Facts {
    uint64_t opened_sequence = 0;
    uint64_t updated_sequence = 0;
    int64_t opened_micros = 0;  // Unix
    int64_t updated_micros = 0;
    absl::int128 min_available = 0;
    AccountState state = AccountState::kOpen;
  };
  absl::Status Add(AccountId id, Sequence end, Rows& rows) const;

  const Ledger& ledger_;
  std::vector<Facts> accounts_;  // by their ids, from 1
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_ACCOUNT_ROWS_H_

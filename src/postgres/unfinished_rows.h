// SPDX-License-Identifier: Apache-2.0
//
// Holds and payouts, whose rows change after they were made: each is compared once the journal has nothing more to say of it.
#ifndef NORTHWIND_SRC_POSTGRES_UNFINISHED_ROWS_H_
#define NORTHWIND_SRC_POSTGRES_UNFINISHED_ROWS_H_

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/ledger.h"
#include "src/postgres/projection.h"
#include "src/postgres/table_audit.h"

namespace northwind::internal::postgres {

// Rows that wait for their end, by their hold: what is expected so far, and what was found. Some 600 bytes each.
class UnfinishedRows {
 public:
  explicit UnfinishedRows(TableAudit& audit) : audit_(audit) {}

  // Looks for the row; compares it if it is `finished`, else keeps it.
  absl::Status Begin(Sequence hold, const Fields& expected, bool finished);
  // Lets `change` bring what is expected up to date; compares it if it says that the row is finished.
  absl::Status Change(Sequence hold, const std::function<absl::StatusOr<bool>(Fields&)>& change);
  // Nothing more happens to any: compares those that are left, in order.
  void CompareRest();

 private:
  struct Kept {
    std::string expected;
    std::optional<std::string> found;
  };
  void Compare(const Kept& kept);

  TableAudit& audit_;
  absl::flat_hash_map<Sequence, Kept> kept_;
};

// Keeps the holds that are open where the audit is.
class HoldRows {
 public:
  explicit HoldRows(TableAudit& audit);
  absl::Status Take(const Batch& batch);
  void CompareRest() { rows_.CompareRest(); }

 private:
  UnfinishedRows rows_;
  const size_t resolved_sequence_, resolved_at_, state_, amount_, captured_, released_, remaining_;
};

// Keeps the payouts of open holds, and those of which something is still to be returned.
class PayoutRows {
 public:
  // `end`: where the audit ends.
  PayoutRows(const Ledger& ledger, Sequence end, TableAudit& audit);
  absl::Status Take(const Batch& batch);
  void CompareRest() { rows_.CompareRest(); }

 private:
  // Whether nothing after `at`, up to the end, works on the hold or on what worked on it. False also if that cannot be told.
  absl::StatusOr<bool> IsFinished(Sequence hold, Sequence at) const;

  const Ledger& ledger_;
  const Sequence end_;
  UnfinishedRows rows_;
  const size_t hold_sequence_, settled_at_, updated_sequence_, state_, paid_, returned_;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_UNFINISHED_ROWS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_TABLE_AUDIT_H_
#define NORTHWIND_SRC_POSTGRES_TABLE_AUDIT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/postgres.h"
#include "src/postgres/table_reader.h"

namespace northwind::internal::postgres {

void AddFinding(AuditReport& report, std::string text);

// Lays the rows that there should be beside those that there are: both come in the order of the key, so that neither side is kept. Each
// row that is missing, too many or not the same is one finding.
class TableAudit {
 public:
  // `compared` counts in the report the rows that both have.
  TableAudit(Connection& connection, AuditedTable table, absl::Duration timeout, AuditReport& report,
             uint64_t AuditReport::*compared)
      : table_(std::move(table)), reader_(connection, table_, timeout), report_(report), compared_(compared) {}
  TableAudit(const TableAudit&) = delete;
  TableAudit& operator=(const TableAudit&) = delete;

  absl::Status Open() { return reader_.Open(); }
  const AuditedTable& table() const { return table_; }

  // The row with the key of `expected`, whose key is greater than that of the call before; null if there is none. Rows in between are
  // too many. Good until the next call.
  absl::StatusOr<const Fields*> Find(const Fields& expected);
  // `found` may be null: it is missing.
  void Compare(const Fields& expected, const Fields* found);
  // Find, and Compare, of all of these; nothing else is in the table up to there.
  absl::Status Expect(const Rows& rows);
  // No more rows are expected. `tell` is called now and then.
  absl::Status Finish(const std::function<absl::Status()>& tell);

 private:
  void TooMany(const Fields& found);

  const AuditedTable table_;
  TableReader reader_;
  AuditReport& report_;
  uint64_t AuditReport::*const compared_;
  bool taken_ = false;  // the reader still shows the row that Find gave
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_TABLE_AUDIT_H_

// SPDX-License-Identifier: Apache-2.0
//
// A table as PostgreSQL has it, row after row, in the order of its key and in the bytes that the mirror sends: for the audit.
#ifndef NORTHWIND_SRC_POSTGRES_TABLE_READER_H_
#define NORTHWIND_SRC_POSTGRES_TABLE_READER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "src/postgres/connection.h"
#include "src/postgres/rows.h"

namespace northwind::internal::postgres {

// The fields of a row, in the order of the columns; nothing for NULL.
using Fields = std::vector<std::optional<std::string_view>>;

// What is compared of a table: the columns that the mirror writes, then those that the server computes.
struct AuditedTable {
  AuditedTable(const Table& written, std::vector<Column> computed, std::vector<size_t> key_columns,
               std::string order_by);

  // The place of a column, which there must be.
  size_t IndexOf(std::string_view column) const;
  // "postings (sequence 7, entry 0)"
  std::string Describe(const Fields& row) const;

  std::string_view name;
  std::vector<Column> columns;
  std::vector<size_t> key;  // whole numbers that tell rows apart, and in whose order they come
  std::string order;        // as SQL: that of the key, and of an index
  size_t described;         // so many of the first columns name a row to people
};

// Reads all rows of a table, in a transaction that stands still. Keeps some thousand at a time.
class TableReader {
 public:
  TableReader(Connection& connection, const AuditedTable& table, absl::Duration timeout)
      : connection_(connection), table_(table), timeout_(timeout) {}

  absl::Status Open();
  // The row that comes; null at the end. Good until Advance.
  absl::StatusOr<const Fields*> Peek();
  void Advance() { ++row_; }

 private:
  absl::Status Fetch();

  Connection& connection_;
  const AuditedTable& table_;
  const absl::Duration timeout_;
  Result page_;
  int row_ = 0;
  int loaded_ = -1;  // the row that fields_ are of
  bool ended_ = false;
  Fields fields_;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_TABLE_READER_H_

// SPDX-License-Identifier: Apache-2.0
//
// Rows of one table, encoded once: for arrays, for COPY, and to compare with what the server sends.
#ifndef NORTHWIND_SRC_POSTGRES_ROWS_H_
#define NORTHWIND_SRC_POSTGRES_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace northwind::internal::postgres {

enum class ColumnType : uint8_t { kBool, kInt4, kInt8, kText, kUuid, kBytea, kNumeric, kTimestamp };
// As SQL has it ("int8"), and the numbers that PostgreSQL gives the type and its array.
std::string_view SqlName(ColumnType type);
unsigned ArrayOid(ColumnType type);

struct Column {
  std::string_view name;
  ColumnType type;
};

// A table, or the parameters of an update. Lives for ever.
struct Table {
  std::string_view name;
  absl::Span<const Column> columns;
  size_t key = 1;  // so many of the first columns tell a row
};

// Values are given column by column, row by row: each of the type of its column.
class Rows {
 public:
  explicit Rows(const Table& table) : table_(&table), columns_(table.columns.size()) {}

  Rows& Null();
  Rows& Bool(bool value);
  Rows& Int4(int32_t value);
  Rows& Int8(int64_t value);
  Rows& Int8(uint64_t value) { return Int8(static_cast<int64_t>(value)); }
  Rows& Int8(uint32_t value) { return Int8(static_cast<int64_t>(value)); }
  Rows& Int8(std::optional<uint64_t> value) { return value ? Int8(static_cast<int64_t>(*value)) : Null(); }
  Rows& Text(std::string_view value);
  // Empty is NULL.
  Rows& TextOrNull(std::string_view value) { return value.empty() ? Null() : Text(value); }
  Rows& Uuid(std::string_view value);
  Rows& BytesOrNull(std::string_view value);
  Rows& Numeric(absl::int128 value);
  Rows& Numeric(absl::uint128 value) { return Numeric(static_cast<absl::int128>(value)); }
  Rows& Timestamp(absl::Time value);
  Rows& Timestamp(const std::optional<absl::Time>& value) { return value ? Timestamp(*value) : Null(); }
  // After the last column.
  void EndRow();

  const Table& table() const { return *table_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Of all fields.
  size_t bytes() const;

  // The column as a one-dimensional array in binary format:
  //
  //   array := i32 dimensions (1, or 0 if empty)  i32 has nulls  i32 type of the elements  [i32 size  i32 lower bound (1)]  fields
  std::string Array(size_t column) const;
  // Everything that COPY … FROM STDIN (FORMAT binary) reads: signature, rows (i16 columns, fields), end.
  std::string CopyData() const;

  // Reads the rows one after the other, from the first.
  class Cursor {
   public:
    explicit Cursor(const Rows& rows) : rows_(rows), offsets_(rows.columns_.size()) {}
    // The fields of the next row; nothing for NULL. False at the end.
    bool Next(std::vector<std::optional<std::string_view>>& fields);

   private:
    const Rows& rows_;
    size_t row_ = 0;
    std::vector<size_t> offsets_;
  };

 private:
  struct Fields {
    std::string bytes;
    bool has_nulls = false;
  };
  std::string& Begin(ColumnType type);

  const Table* table_;
  std::vector<Fields> columns_;
  size_t at_ = 0;  // the column that comes
  size_t size_ = 0;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_ROWS_H_

// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/rows.h"

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/postgres/binary_format.h"

namespace northwind::internal::postgres {
namespace {

struct TypeFacts {
  std::string_view name;
  uint32_t oid;  // src/include/catalog/pg_type.dat: fixed for ever
  uint32_t array_oid;
};

TypeFacts FactsOf(ColumnType type) {
  switch (type) {
    case ColumnType::kBool:
      return {"bool", 16, 1000};
    case ColumnType::kInt4:
      return {"int4", 23, 1007};
    case ColumnType::kInt8:
      return {"int8", 20, 1016};
    case ColumnType::kText:
      return {"text", 25, 1009};
    case ColumnType::kUuid:
      return {"uuid", 2950, 2951};
    case ColumnType::kBytea:
      return {"bytea", 17, 1001};
    case ColumnType::kNumeric:
      return {"numeric", 1700, 1231};
    case ColumnType::kTimestamp:
      return {"timestamptz", 1184, 1185};
  }
  return {};
}

// The field at `offset`, which is moved past it. `whole` is what stands there, length included.
std::optional<std::string_view> ReadField(std::string_view bytes, size_t& offset, std::string_view* whole = nullptr) {
  const size_t begin = offset;
  const auto length = static_cast<int32_t>(LoadBigEndian32(bytes.data() + offset));
  offset += 4;
  std::optional<std::string_view> field;
  if (length >= 0) {
    field = bytes.substr(offset, static_cast<size_t>(length));
    offset += static_cast<size_t>(length);
  }
  if (whole != nullptr) *whole = bytes.substr(begin, offset - begin);
  return field;
}

}  // namespace

std::string_view SqlName(ColumnType type) { return FactsOf(type).name; }
unsigned ArrayOid(ColumnType type) { return FactsOf(type).array_oid; }

std::string& Rows::Begin(ColumnType type) {
  NW_CHECK(at_ < columns_.size() && table_->columns[at_].type == type, "a value of another type than its column");
  return columns_[at_++].bytes;
}

Rows& Rows::Null() {
  NW_CHECK(at_ < columns_.size(), "more values than columns");
  columns_[at_].has_nulls = true;
  PutNull(columns_[at_++].bytes);
  return *this;
}

Rows& Rows::Bool(bool value) {
  PutBool(Begin(ColumnType::kBool), value);
  return *this;
}

Rows& Rows::Int4(int32_t value) {
  PutInt4(Begin(ColumnType::kInt4), value);
  return *this;
}

Rows& Rows::Int8(int64_t value) {
  PutInt8(Begin(ColumnType::kInt8), value);
  return *this;
}

Rows& Rows::Text(std::string_view value) {
  PutBytes(Begin(ColumnType::kText), value);
  return *this;
}

Rows& Rows::Uuid(std::string_view value) {
  NW_CHECK(value.size() == 16, "a uuid has 16 bytes");
  PutBytes(Begin(ColumnType::kUuid), value);
  return *this;
}

Rows& Rows::BytesOrNull(std::string_view value) {
  if (value.empty()) return Null();
  PutBytes(Begin(ColumnType::kBytea), value);
  return *this;
}

Rows& Rows::Numeric(absl::int128 value) {
  PutNumeric(Begin(ColumnType::kNumeric), value);
  return *this;
}

Rows& Rows::Timestamp(absl::Time value) {
  PutTimestamp(Begin(ColumnType::kTimestamp), value);
  return *this;
}

void Rows::EndRow() {
  NW_CHECK(at_ == columns_.size(), "fewer values than columns");
  at_ = 0;
  ++size_;
}

size_t Rows::bytes() const {
  size_t bytes = 0;
  for (const Fields& column : columns_) bytes += column.bytes.size();
  return bytes;
}

std::string Rows::Array(size_t column) const {
  const Fields& fields = columns_[column];
  std::string array;
  array.reserve(20 + fields.bytes.size());
  PutBigEndian32(array, empty() ? 0 : 1);
  PutBigEndian32(array, fields.has_nulls ? 1 : 0);
  PutBigEndian32(array, FactsOf(table_->columns[column].type).oid);
  if (empty()) return array;
  PutBigEndian32(array, static_cast<uint32_t>(size_));
  PutBigEndian32(array, 1);
  array += fields.bytes;
  return array;
}

std::string Rows::CopyData() const {
  constexpr std::string_view kSignature("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  const char count[2] = {static_cast<char>(columns_.size() >> 8), static_cast<char>(columns_.size())};
  std::string data;
  data.reserve(kSignature.size() + bytes() + 2 * size_ + 2);
  data += kSignature;
  std::vector<size_t> offsets(columns_.size());
  for (size_t row = 0; row < size_; ++row) {
    data.append(count, 2);
    for (size_t i = 0; i < columns_.size(); ++i) {
      std::string_view whole;
      ReadField(columns_[i].bytes, offsets[i], &whole);
      data += whole;
    }
  }
  data += "\377\377";
  return data;
}

bool Rows::Cursor::Next(std::vector<std::optional<std::string_view>>& fields) {
  if (row_ == rows_.size_) return false;
  ++row_;
  fields.resize(offsets_.size());
  for (size_t i = 0; i < offsets_.size(); ++i) fields[i] = ReadField(rows_.columns_[i].bytes, offsets_[i]);
  return true;
}

}  // namespace northwind::internal::postgres

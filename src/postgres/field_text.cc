// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/field_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/postgres/binary_format.h"

namespace northwind::internal::postgres {
namespace {

constexpr size_t kMostBytes = 80;

std::string Cut(std::string_view bytes, std::string (*write)(absl::string_view)) {
  if (bytes.size() <= kMostBytes) return write(ToAbsl(bytes));
  return absl::StrCat(write(ToAbsl(bytes.substr(0, kMostBytes))), "... of ", bytes.size(), " bytes");
}

std::string Quoted(absl::string_view text) { return absl::StrCat("'", absl::CHexEscape(text), "'"); }
std::string Hexadecimal(absl::string_view bytes) { return absl::StrCat("\\x", absl::BytesToHexString(bytes)); }

std::string TimestampText(std::string_view field) {
  const auto micros = static_cast<int64_t>(LoadBigEndian64(field.data()));
  const absl::Time at = absl::FromUnixSeconds(946'684'800) + absl::Microseconds(micros);
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", at, absl::UTCTimeZone());
}

}  // namespace

std::string FieldText(ColumnType type, std::optional<std::string_view> field) {
  if (!field) return "NULL";
  switch (type) {
    case ColumnType::kBool:
      if (field->size() == 1) return (*field)[0] != 0 ? "true" : "false";
      break;
    case ColumnType::kInt4:
      if (field->size() == 4) return absl::StrCat(static_cast<int32_t>(LoadBigEndian32(field->data())));
      break;
    case ColumnType::kInt8:
      if (field->size() == 8) return absl::StrCat(static_cast<int64_t>(LoadBigEndian64(field->data())));
      break;
    case ColumnType::kTimestamp:
      if (field->size() == 8) return TimestampText(*field);
      break;
    case ColumnType::kNumeric:
      return NumericText(*field);
    case ColumnType::kText:
      return Cut(*field, Quoted);
    case ColumnType::kUuid:
    case ColumnType::kBytea:
      break;
  }
  return Cut(*field, Hexadecimal);
}

}  // namespace northwind::internal::postgres

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_ROW_MAPPING_H_
#define NORTHWIND_SRC_COMPARE_ROW_MAPPING_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "northwind/compare.h"
#include "src/compare/business_day.h"

namespace northwind::internal {

// What a row of the batch system says.
struct MappedRow {
  enum class Kind : uint8_t { kRow, kSkipped, kUnreadable } kind = Kind::kUnreadable;
  std::string row_id;  // empty if that is what cannot be read
  SettledRow row;      // of skipped ones too, without a status; not of unreadable ones
  std::string error;   // unreadable: begins with the name of the column at fault
};

// A LegacyMapping bound to the columns of a query or file. Thread-compatible.
class RowMapping {
 public:
  // InvalidArgument that names the column which is not there, or twice; or as ValidateMapping.
  static absl::StatusOr<RowMapping> Bind(const LegacyMapping& mapping, absl::Span<const std::string> columns);

  // A row of another number of columns than were bound cannot be read.
  MappedRow Read(const RawRow& raw) const;
  const BusinessDays& days() const { return days_; }
  const LegacyMapping& mapping() const { return mapping_; }
  absl::Span<const std::string> columns() const { return columns_; }

  // A raw row that Read reads as `row` under `row_id`: `like`, with what differs written as its columns would. For canaries. What the mapping
  // has no text for (a leg or status that no text stands for, a day where only `at` is mapped and the like) is an InvalidArgument.
  absl::StatusOr<RawRow> Write(const RawRow& like, std::string_view row_id, const SettledRow& row) const;

 private:
  class Reader;
  class Writer;
  // Places in a row; kNoColumn for what is not mapped.
  static constexpr size_t kNoColumn = SIZE_MAX;
  struct Places {
    size_t row_id = kNoColumn;
    size_t leg = kNoColumn;
    size_t id = kNoColumn;
    size_t refund_id = kNoColumn;
    size_t merchant_id = kNoColumn;
    size_t asset = kNoColumn;
    size_t amount = kNoColumn;
    size_t fee = kNoColumn;
    size_t status = kNoColumn;
    size_t day = kNoColumn;
    size_t at = kNoColumn;
  };

  RowMapping(LegacyMapping mapping, BusinessDays days) : mapping_(std::move(mapping)), days_(std::move(days)) {}

  LegacyMapping mapping_;
  BusinessDays days_;
  std::vector<std::string> columns_;
  Places places_;
  std::map<std::string, Asset> assets_;  // of mapping_.assets
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_COMPARE_ROW_MAPPING_H_

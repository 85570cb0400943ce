// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/table_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/postgres/field_text.h"

namespace northwind::internal::postgres {
namespace {

constexpr int kFetchRows = 4096;

}  // namespace

AuditedTable::AuditedTable(const Table& written, std::vector<Column> computed, std::vector<size_t> key_columns,
                           std::string order_by)
    : name(written.name),
      columns(written.columns.begin(), written.columns.end()),
      key(std::move(key_columns)),
      order(std::move(order_by)),
      described(key.back() + 1) {
  columns.insert(columns.end(), computed.begin(), computed.end());
}

size_t AuditedTable::IndexOf(std::string_view column) const {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == column; });
  NW_CHECK(found != columns.end(), "no such column");
  return static_cast<size_t>(found - columns.begin());
}

std::string AuditedTable::Describe(const Fields& row) const {
  std::string text = absl::StrCat(ToAbsl(name), " (");
  for (size_t i = 0; i < described; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", ToAbsl(columns[i].name), " ", FieldText(columns[i].type, row[i]));
  }
  return text + ")";
}

absl::Status TableReader::Open() {
  std::string list;
  for (const Column& column : table_.columns) {
    absl::StrAppend(&list, list.empty() ? "" : ", ", ToAbsl(column.name), "::", ToAbsl(SqlName(column.type)));
  }
  return connection_
      .Execute(absl::StrCat("audit: ", ToAbsl(table_.name)),
               absl::StrCat("DECLARE nw_", ToAbsl(table_.name), " NO SCROLL CURSOR FOR SELECT ", list, " FROM ",
                            ToAbsl(table_.name), " ORDER BY ", table_.order),
               Deadline::In(timeout_))
      .status();
}

absl::Status TableReader::Fetch() {
  page_ = Result();
  NW_ASSIGN_OR_RETURN(page_, connection_.Execute(absl::StrCat("audit: ", ToAbsl(table_.name)),
                                                 absl::StrCat("FETCH ", kFetchRows, " FROM nw_", ToAbsl(table_.name)),
                                                 {}, Deadline::In(timeout_), ResultFormat::kBinary));
  row_ = 0;
  loaded_ = -1;
  ended_ = page_.rows() == 0;
  return absl::OkStatus();
}

absl::StatusOr<const Fields*> TableReader::Peek() {
  if (!ended_ && row_ >= (page_ ? page_.rows() : 0)) NW_RETURN_IF_ERROR(Fetch());
  if (ended_) return nullptr;
  if (loaded_ != row_) {
    fields_.resize(table_.columns.size());
    for (size_t i = 0; i < fields_.size(); ++i) {
      const int column = static_cast<int>(i);
      fields_[i] = page_.IsNull(row_, column) ? std::nullopt : std::optional(page_.Value(row_, column));
    }
    loaded_ = row_;
  }
  return &fields_;
}

}  // namespace northwind::internal::postgres

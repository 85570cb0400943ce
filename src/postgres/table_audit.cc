// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/table_audit.h"

#include <compare>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/postgres/field_text.h"

namespace northwind::internal::postgres {
namespace {

constexpr uint64_t kTellRows = 10'000;

// As the server orders them: NULL last.
int64_t KeyOf(std::optional<std::string_view> field) {
  if (!field) return std::numeric_limits<int64_t>::max();
  if (field->size() == 4) return static_cast<int32_t>(LoadBigEndian32(field->data()));
  return static_cast<int64_t>(LoadBigEndian64(field->data()));
}

std::strong_ordering CompareKeys(const AuditedTable& table, const Fields& a, const Fields& b) {
  for (const size_t column : table.key) {
    if (const auto order = KeyOf(a[column]) <=> KeyOf(b[column]); order != 0) return order;
  }
  return std::strong_ordering::equal;
}

}  // namespace

void AddFinding(AuditReport& report, std::string text) {
  ++report.differences;
  if (report.findings.size() < kMaxAuditFindings) report.findings.push_back(std::move(text));
}

absl::StatusOr<const Fields*> TableAudit::Find(const Fields& expected) {
  while (true) {
    if (std::exchange(taken_, false)) reader_.Advance();
    NW_ASSIGN_OR_RETURN(const Fields* const found, reader_.Peek());
    if (found == nullptr) return nullptr;
    const std::strong_ordering order = CompareKeys(table_, *found, expected);
    if (order > 0) return nullptr;
    taken_ = true;
    if (order == 0) return found;
    TooMany(*found);
  }
}

void TableAudit::Compare(const Fields& expected, const Fields* found) {
  if (found == nullptr) {
    AddFinding(report_, table_.Describe(expected) + ": missing");
    return;
  }
  ++(report_.*compared_);
  std::string differences;
  for (size_t i = 0; i < table_.columns.size(); ++i) {
    if (expected[i] == (*found)[i]) continue;
    const Column& column = table_.columns[i];
    absl::StrAppend(&differences, differences.empty() ? "" : "; ", ToAbsl(column.name), " is ",
                    FieldText(column.type, (*found)[i]), ", not ", FieldText(column.type, expected[i]));
  }
  if (!differences.empty()) AddFinding(report_, absl::StrCat(table_.Describe(expected), ": ", differences));
}

void TableAudit::TooMany(const Fields& found) {
  AddFinding(report_, table_.Describe(found) + ": too many, the journal has no such row");
}

absl::Status TableAudit::Expect(const Rows& rows) {
  Rows::Cursor cursor(rows);
  Fields expected;
  while (cursor.Next(expected)) {
    NW_ASSIGN_OR_RETURN(const Fields* const found, Find(expected));
    Compare(expected, found);
  }
  return absl::OkStatus();
}

absl::Status TableAudit::Finish(const std::function<absl::Status()>& tell) {
  for (uint64_t rows = 1;; ++rows) {
    if (std::exchange(taken_, false)) reader_.Advance();
    NW_ASSIGN_OR_RETURN(const Fields* const found, reader_.Peek());
    if (found == nullptr) return absl::OkStatus();
    TooMany(*found);
    taken_ = true;
    if (rows % kTellRows == 0) NW_RETURN_IF_ERROR(tell());
  }
}

}  // namespace northwind::internal::postgres

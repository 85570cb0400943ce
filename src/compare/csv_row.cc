// SPDX-License-Identifier: Apache-2.0
#include "src/compare/csv_row.h"

#include <csv.h>

#include "northwind/status.h"

namespace northwind::internal {
namespace {

// Blanks belong to their field: libcsv would cut them off.
int IsNoSpace(unsigned char) { return 0; }

}  // namespace

CsvRow::CsvRow() : parser_(std::make_unique<csv_parser>()) {
  constexpr unsigned char kOptions = CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL | CSV_REPALL_NL;
  NW_CHECK(csv_init(parser_.get(), kOptions) == 0, "libcsv takes its options");
  csv_set_space_func(parser_.get(), IsNoSpace);
}

CsvRow::~CsvRow() { csv_free(parser_.get()); }

void CsvRow::OnField(void* text, size_t size, void* self) {
  auto& row = *static_cast<CsvRow*>(self);
  row.late_ = row.late_ || !row.ends_.empty();
  auto& field = row.fields_.emplace_back();
  if (text != nullptr) field.emplace(static_cast<const char*>(text), size);
}

void CsvRow::OnEnd(int by, void* self) { static_cast<CsvRow*>(self)->ends_.push_back(static_cast<char>(by)); }

CsvRow::Answer CsvRow::Add(std::string_view line) {
  ends_.clear();
  if (csv_parse(parser_.get(), line.data(), line.size(), OnField, OnEnd, this) != line.size()) {
    what_ = "a quote where none may be";
    return Answer::kBad;
  }
  if (ends_.empty()) return Answer::kMore;
  // Rows end with the line, so that a row more in it was ended by a carriage return that stands alone.
  if (late_ || (ends_ != "\n" && ends_ != "\r\n")) {
    what_ = "a carriage return that is no part of a line end";
    return Answer::kBad;
  }
  if (fields_.empty()) {
    what_ = "empty";
    return Answer::kBad;
  }
  return Answer::kRow;
}

}  // namespace northwind::internal

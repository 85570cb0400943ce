// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_CSV_ROW_H_
#define NORTHWIND_SRC_COMPARE_CSV_ROW_H_

#include <memory>
#include <string>
#include <string_view>

#include "northwind/compare.h"

struct csv_parser;

namespace northwind::internal {

// Rows of CSV (RFC 4180) from lines, by libcsv in its strict mode. Blanks are kept; an unquoted field of nothing is NULL. Thread-compatible.
class CsvRow {
 public:
  CsvRow();
  ~CsvRow();
  CsvRow(const CsvRow&) = delete;
  CsvRow& operator=(const CsvRow&) = delete;

  enum class Answer { kMore, kRow, kBad };
  // Takes a line with its line end. kMore: the row goes on in the next line, as a quoted field holds the line end. kBad: what() says
  // why, and no more may be added.
  Answer Add(std::string_view line);
  // After kRow: its fields, taken out.
  RawRow Take() { return std::move(fields_); }
  const char* what() const { return what_; }

 private:
  static void OnField(void* text, size_t size, void* self);
  static void OnEnd(int by, void* self);

  std::unique_ptr<csv_parser> parser_;
  RawRow fields_;
  std::string ends_;   // the characters that ended rows of this line
  bool late_ = false;  // a field after such an end
  const char* what_ = "";
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_COMPARE_CSV_ROW_H_

// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/csv.h"

#include <algorithm>

namespace northwind::server {
namespace {

bool AreDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "-12", "12.50"
bool IsNumber(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const size_t point = text.find('.');
  if (point == std::string_view::npos) return AreDigits(text);
  return AreDigits(text.substr(0, point)) && AreDigits(text.substr(point + 1));
}

bool LooksLikeFormula(std::string_view cell) {
  constexpr std::string_view kBeginnings = "=+-@\t\r\n";
  return !cell.empty() && kBeginnings.find(cell.front()) != std::string_view::npos && !IsNumber(cell);
}

void AppendCell(std::string& out, std::string_view cell) {
  const bool formula = LooksLikeFormula(cell);
  const bool quoted = cell.find_first_of("\",\r\n") != std::string_view::npos;
  if (quoted) out += '"';
  if (formula) out += '\'';
  for (const char c : cell) {
    if (c == '"') out += '"';
    out += c;
  }
  if (quoted) out += '"';
}

}  // namespace

void AppendCsvLine(std::string& out, std::initializer_list<std::string_view> cells) {
  bool first = true;
  for (const std::string_view cell : cells) {
    if (!first) out += ',';
    first = false;
    AppendCell(out, cell);
  }
  out += "\r\n";
}

}  // namespace northwind::server

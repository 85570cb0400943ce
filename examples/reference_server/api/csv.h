// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_CSV_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_CSV_H_

#include <initializer_list>
#include <string>
#include <string_view>

namespace northwind::server {

inline constexpr char kCsvType[] = "text/csv; charset=utf-8; header=present";

// Appends a line as RFC 4180 has it, with CR LF. A cell that a spreadsheet could take for a formula (it begins with = + - @, a tab or a
// line end, and is no plain number) gets an apostrophe in front: https://owasp.org/www-community/attacks/CSV_Injection
void AppendCsvLine(std::string& out, std::initializer_list<std::string_view> cells);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_CSV_H_

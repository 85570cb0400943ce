// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_JSON_ROW_H_
#define NORTHWIND_SRC_COMPARE_JSON_ROW_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "northwind/compare.h"

namespace northwind::internal {

// An object of scalars, in one line: its members as they stand. Strings are their text, numbers and booleans what is written, null is nothing.
// InvalidArgument says what is wrong: nested values, a member given twice, a NUL.
using JsonMembers = std::vector<std::pair<std::string, std::optional<std::string>>>;
absl::StatusOr<JsonMembers> ParseJsonRow(std::string_view line);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_COMPARE_JSON_ROW_H_

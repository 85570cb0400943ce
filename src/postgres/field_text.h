// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_FIELD_TEXT_H_
#define NORTHWIND_SRC_POSTGRES_FIELD_TEXT_H_

#include <optional>
#include <string>
#include <string_view>

#include "src/postgres/rows.h"

namespace northwind::internal::postgres {

// A field in binary format for people to read, on one line: NULL, 5, 'text', 2024-03-01T12:00:00.5+00:00. Long ones are cut.
std::string FieldText(ColumnType type, std::optional<std::string_view> field);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_FIELD_TEXT_H_

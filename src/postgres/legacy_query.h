// SPDX-License-Identifier: Apache-2.0
//
// The SQL by which LegacyReader reads what somebody else's SQL says.
#ifndef NORTHWIND_SRC_POSTGRES_LEGACY_QUERY_H_
#define NORTHWIND_SRC_POSTGRES_LEGACY_QUERY_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "northwind/postgres.h"

namespace northwind::internal::postgres {

// InvalidArgument for one that could not be right, before a server is asked.
absl::Status CheckLegacyQuery(const LegacyQuery& query);

// All of it, to be described: which columns there are, and of what types.
std::string LegacyDescriptionSql(const LegacyQuery& query);

// One row if there is one with a key that is null, in part or whole. Such rows are after all others in the order of the key and
// before none: pages would leave them out without a word.
std::string LegacyNullKeySql(const LegacyQuery& query);

enum class LegacyPosition : uint8_t { kBegin, kAfter };

// A page in order of the key and one row more; behind its columns one that says whether the row has the key of the row before it, as
// PostgreSQL compares them. kAfter: parameters $1 … are the key, each of its column's type. The comparison and the order take the
// column's own collation, as a parameter has none to set against it.
std::string LegacyPageSql(const LegacyQuery& query, LegacyPosition position, size_t page);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_LEGACY_QUERY_H_

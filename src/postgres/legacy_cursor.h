// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_LEGACY_CURSOR_H_
#define NORTHWIND_SRC_POSTGRES_LEGACY_CURSOR_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "northwind/postgres.h"

namespace northwind::internal::postgres {

// What LegacyPage::next is: the key of a row, as text, bound to the query that it is of. Printable (base64url) of
//
//   'L' '1' · first 16 bytes of SHA-256 of the query · one string for each column of the key, each behind its length (varint)
//
// Whoever makes one up can name another place to go on from, and no more: values go to the server as parameters.
std::string EncodeLegacyCursor(const LegacyQuery& query, const std::vector<std::string>& key);

// InvalidArgument if it is not one, or not of this query.
absl::StatusOr<std::vector<std::string>> DecodeLegacyCursor(const LegacyQuery& query, std::string_view cursor);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_LEGACY_CURSOR_H_

// SPDX-License-Identifier: Apache-2.0
//
// The versions of the mirror's schema.
#ifndef NORTHWIND_SRC_POSTGRES_MIGRATION_H_
#define NORTHWIND_SRC_POSTGRES_MIGRATION_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "src/postgres/connection.h"

namespace northwind::internal::postgres {

struct Migration {
  int version;            // from 1, dense
  std::string_view name;  // of its file
  std::string_view sql;
};
// All, in order: migrations/*.sql.
absl::Span<const Migration> Migrations();

// OK if the schema on the connection's search path is of the newest version. FailedPrecondition if it is older, newer or not there.
absl::Status CheckSchema(Connection& connection, Deadline deadline);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_MIGRATION_H_

// SPDX-License-Identifier: Apache-2.0
//
// The versions of a schema of northwind's own: the mirror's, and that of claims.
#ifndef NORTHWIND_SRC_POSTGRES_MIGRATION_H_
#define NORTHWIND_SRC_POSTGRES_MIGRATION_H_

#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "src/postgres/connection.h"
#include "src/postgres/session.h"

namespace northwind::internal::postgres {

struct Migration {
  int version;            // from 1, dense
  std::string_view name;  // of its file; no other history has it
  std::string_view sql;
};
// Made of migrations/*.sql.
absl::Span<const Migration> MirrorMigrations();
absl::Span<const Migration> ClaimsMigrations();

struct SchemaHistory {
  std::string_view who;      // SessionTarget::who of those that use it
  std::string_view migrate;  // "Mirror::Migrate": what brings it up to date
  absl::Span<const Migration> migrations;
};
SchemaHistory MirrorHistory();
SchemaHistory ClaimsHistory();

// OK if the schema on the connection's search path is of the newest version. FailedPrecondition if it is older, newer, not there, or
// another history's.
absl::Status CheckSchema(Connection& connection, const SchemaHistory& history, Deadline deadline);

// Makes the schema, or brings it up to date: one transaction under a lock. Errors: as Mirror::Migrate.
absl::Status Migrate(const SessionTarget& target, const SchemaHistory& history);
// Runs `body` in one transaction, under the lock that Migrate takes.
absl::Status UnderMigrationLock(const SessionTarget& target,
                                absl::FunctionRef<absl::Status(Connection&, Deadline)> body);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_MIGRATION_H_

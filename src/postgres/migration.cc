// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/migration.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "northwind/postgres.h"
#include "src/base/error.h"
#include "src/postgres/session.h"
#include "src/postgres/sqlstate.h"

namespace northwind {
namespace internal::postgres {
namespace {

constexpr absl::string_view kUndefinedTable = "42P01";
// What a table of that name has that is somebody else's: columns of other names or types.
constexpr absl::string_view kUndefinedColumn = "42703";
constexpr absl::string_view kUndefinedFunction = "42883";
constexpr absl::string_view kDatatypeMismatch = "42804";

// Any two that migrate or reset one schema of one database go one after the other.
std::string LockSql(const std::string& schema) {
  return absl::StrCat("SELECT pg_advisory_xact_lock(hashtextextended('northwind mirror ", schema, "', 0))");
}

constexpr char kVersionTable[] =
    "CREATE TABLE schema_version (version integer PRIMARY KEY, name text NOT NULL, "
    "applied_at timestamptz NOT NULL DEFAULT now());"
    "COMMENT ON TABLE schema_version IS 'The migrations that made this schema what it is: one row each.';"
    "COMMENT ON COLUMN schema_version.version IS 'Its number, from 1.';"
    "COMMENT ON COLUMN schema_version.name IS 'Of its file, in src/postgres/migrations.';"
    "COMMENT ON COLUMN schema_version.applied_at IS 'When it was applied.';";

// 0 if the table is there but empty. FailedPrecondition if it is not northwind's.
absl::StatusOr<int> VersionOf(Connection& connection, Deadline deadline) {
  const absl::StatusOr<Result> result = connection.Execute(
      "mirror: the schema's version",
      "SELECT coalesce(max(version), 0), count(name), count(applied_at) FROM schema_version", deadline);
  const std::string state = SqlStateOf(result.status());
  const bool theirs = state == kUndefinedColumn || state == kUndefinedFunction || state == kDatatypeMismatch;
  if (!theirs) NW_RETURN_IF_ERROR(result.status());
  int version = 0;
  if (theirs || result->rows() != 1 || !absl::SimpleAtoi(ToAbsl(result->Value(0, 0)), &version)) {
    return Error(absl::StatusCode::kFailedPrecondition, "mirror: schema_version is not one of northwind");
  }
  return version;
}

absl::Status TooNew(int version) {
  return Error(absl::StatusCode::kFailedPrecondition, "mirror: the schema is of version ", version,
               ", newer than this library's ", Migrations().size());
}

absl::Status MakeSchema(Connection& connection, const std::string& schema, Deadline deadline) {
  NW_ASSIGN_OR_RETURN(
      const Result found,
      connection.Execute("mirror: looking for the schema",
                         absl::StrCat("SELECT (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid), "
                                      "to_regclass('schema_version') IS NOT NULL, has_schema_privilege(n.oid, 'USAGE') "
                                      "FROM pg_namespace n WHERE nspname = '",
                                      schema, "'"),
                         deadline));
  // One that may not be used is passed over, and what is made would be temporary tables.
  if (found.rows() == 1 && found.Value(0, 2) != "t") {
    return Error(absl::StatusCode::kPermissionDenied, "mirror: this role may not use the schema ", schema);
  }
  if (found.rows() == 1 && found.Value(0, 1) == "t") return absl::OkStatus();
  if (found.rows() == 1 && found.Value(0, 0) != "0") {
    return Error(absl::StatusCode::kFailedPrecondition, "mirror: the schema ", schema,
                 " has something in it and is not one of northwind");
  }
  const std::string make = found.rows() == 1 ? "" : absl::StrCat("CREATE SCHEMA \"", schema, "\";");
  return connection.Run("mirror: making the schema", make + kVersionTable, deadline).status();
}

absl::Status MigrateLocked(Connection& connection, const std::string& schema, Deadline deadline) {
  NW_RETURN_IF_ERROR(MakeSchema(connection, schema, deadline));
  NW_ASSIGN_OR_RETURN(const int version, VersionOf(connection, deadline));
  if (version > static_cast<int>(Migrations().size())) return TooNew(version);
  for (const Migration& migration : Migrations()) {
    if (migration.version <= version) continue;
    const std::string what = absl::StrCat("mirror: migration ", ToAbsl(migration.name));
    NW_RETURN_IF_ERROR(connection.Run(what, std::string(migration.sql), deadline).status());
    NW_RETURN_IF_ERROR(connection
                           .Execute(what,
                                    absl::StrCat("INSERT INTO schema_version (version, name) VALUES (",
                                                 migration.version, ", '", ToAbsl(migration.name), "')"),
                                    deadline)
                           .status());
  }
  return absl::OkStatus();
}

absl::Status ResetLocked(Connection& connection, Deadline deadline) {
  NW_RETURN_IF_ERROR(CheckSchema(connection, deadline));
  // The watermark first, as the mirror does: the two wait for each other in one order. The epoch goes on, so that a mirror that runs
  // finds that it is not its own any more.
  return connection
      .Run("mirror: reset",
           "UPDATE watermark SET ledger_id = NULL, sequence = 0, block_hash = NULL, recorded_at = NULL, epoch = epoch "
           "+ 1, "
           "updated_at = clock_timestamp();"
           "TRUNCATE transactions, postings, rejections, accounts, holds, payouts, payout_events",
           deadline)
      .status();
}

template <typename Body>
absl::Status InTransaction(const MirrorOptions& options, const Body& body) {
  NW_RETURN_IF_ERROR(CheckOptions(options));
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection, ConnectTo(options, Access::kWrite, nullptr));
  const Deadline deadline = Deadline::In(options.statement_timeout);
  NW_RETURN_IF_ERROR(connection->Execute("mirror: begin", "BEGIN", deadline).status());
  NW_RETURN_IF_ERROR(connection->Execute("mirror: lock", LockSql(options.schema), deadline).status());
  NW_RETURN_IF_ERROR(body(*connection, deadline));  // an open transaction ends with its connection
  return connection->Execute("mirror: commit", "COMMIT", deadline).status();
}

}  // namespace

absl::Status CheckSchema(Connection& connection, Deadline deadline) {
  const absl::StatusOr<int> version = VersionOf(connection, deadline);
  if (SqlStateOf(version.status()) == kUndefinedTable) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "mirror: there is no such schema, or this role may not use it: run Mirror::Migrate");
  }
  NW_RETURN_IF_ERROR(version.status());
  if (*version > static_cast<int>(Migrations().size())) return TooNew(*version);
  if (*version < static_cast<int>(Migrations().size())) {
    return Error(absl::StatusCode::kFailedPrecondition, "mirror: the schema is of version ", *version,
                 ", older than this library's ", Migrations().size(), ": run Mirror::Migrate");
  }
  return absl::OkStatus();
}

}  // namespace internal::postgres

absl::Status Mirror::Migrate(const MirrorOptions& options) {
  using internal::postgres::Connection;
  using internal::postgres::Deadline;
  return internal::postgres::InTransaction(options, [&](Connection& connection, Deadline deadline) {
    return internal::postgres::MigrateLocked(connection, options.schema, deadline);
  });
}

absl::Status Mirror::Reset(const MirrorOptions& options) {
  return internal::postgres::InTransaction(options, internal::postgres::ResetLocked);
}

}  // namespace northwind

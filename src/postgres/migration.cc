// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/migration.h"

#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "northwind/postgres.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/postgres/sqlstate.h"

namespace northwind {
namespace internal::postgres {
namespace {

constexpr absl::string_view kUndefinedTable = "42P01";

// Any two that migrate or reset one schema of one database go one after the other.
std::string LockSql(const SessionTarget& target) {
  return absl::StrCat("SELECT pg_advisory_xact_lock(hashtextextended('northwind ", target.who, " ", target.schema,
                      "', 0))");
}

constexpr char kVersionTable[] =
    "CREATE TABLE schema_version (version integer PRIMARY KEY, name text NOT NULL, "
    "applied_at timestamptz NOT NULL DEFAULT now());"
    "COMMENT ON TABLE schema_version IS 'The migrations that made this schema what it is: one row each.';"
    "COMMENT ON COLUMN schema_version.version IS 'Its number, from 1.';"
    "COMMENT ON COLUMN schema_version.name IS 'Of its file, in src/postgres/migrations.';"
    "COMMENT ON COLUMN schema_version.applied_at IS 'When it was applied.';";

template <typename... Parts>
absl::Status Refused(const SchemaHistory& history, const Parts&... parts) {
  return Error(absl::StatusCode::kFailedPrecondition, ToAbsl(history.who), ": ", parts...);
}

// 0 if the table is there but empty. FailedPrecondition if what is there was made by another history.
absl::StatusOr<int> VersionOf(Connection& connection, const SchemaHistory& history, Deadline deadline) {
  const std::string what = absl::StrCat(ToAbsl(history.who), ": the schema's version");
  NW_ASSIGN_OR_RETURN(
      const Result result,
      connection.Execute(what, "SELECT version, name FROM schema_version ORDER BY version DESC LIMIT 1", deadline));
  if (result.rows() == 0) return 0;
  int version = 0;
  const bool is_number = absl::SimpleAtoi(ToAbsl(result.Value(0, 0)), &version);
  const bool is_known = version >= 1 && version <= static_cast<int>(history.migrations.size());
  if (!is_number || version < 1 || (is_known && result.Value(0, 1) != history.migrations[version - 1].name)) {
    return Refused(history, "schema_version is not one of the ", ToAbsl(history.who));
  }
  return version;
}

absl::Status TooNew(const SchemaHistory& history, int version) {
  return Refused(history, "the schema is of version ", version, ", newer than this library's ",
                 history.migrations.size());
}

absl::Status MakeSchema(Connection& connection, const SchemaHistory& history, const std::string& schema,
                        Deadline deadline) {
  const std::string who(history.who);
  NW_ASSIGN_OR_RETURN(
      const Result found,
      connection.Execute(who + ": looking for the schema",
                         absl::StrCat("SELECT (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid), "
                                      "to_regclass('schema_version') IS NOT NULL FROM pg_namespace n WHERE nspname = '",
                                      schema, "'"),
                         deadline));
  if (found.rows() == 1 && found.Value(0, 1) == "t") return absl::OkStatus();
  if (found.rows() == 1 && found.Value(0, 0) != "0") {
    return Refused(history, "the schema ", schema, " has something in it and is not one of northwind");
  }
  const std::string make = found.rows() == 1 ? "" : absl::StrCat("CREATE SCHEMA \"", schema, "\";");
  return connection.Run(who + ": making the schema", make + kVersionTable, deadline).status();
}

absl::Status MigrateLocked(Connection& connection, const SchemaHistory& history, const std::string& schema,
                           Deadline deadline) {
  NW_RETURN_IF_ERROR(MakeSchema(connection, history, schema, deadline));
  NW_ASSIGN_OR_RETURN(const int version, VersionOf(connection, history, deadline));
  if (version > static_cast<int>(history.migrations.size())) return TooNew(history, version);
  for (const Migration& migration : history.migrations) {
    if (migration.version <= version) continue;
    const std::string what = absl::StrCat(ToAbsl(history.who), ": migration ", ToAbsl(migration.name));
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
  NW_RETURN_IF_ERROR(CheckSchema(connection, MirrorHistory(), deadline));
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

}  // namespace

SchemaHistory MirrorHistory() {
  return {.who = "mirror", .migrate = "Mirror::Migrate", .migrations = MirrorMigrations()};
}

SchemaHistory ClaimsHistory() {
  return {.who = "claims", .migrate = "PostgresClaims::Migrate", .migrations = ClaimsMigrations()};
}

absl::Status CheckSchema(Connection& connection, const SchemaHistory& history, Deadline deadline) {
  const absl::StatusOr<int> version = VersionOf(connection, history, deadline);
  if (SqlStateOf(version.status()) == kUndefinedTable) {
    return Refused(history, "there is no such schema, or this role may not use it: run ", ToAbsl(history.migrate));
  }
  NW_RETURN_IF_ERROR(version.status());
  if (*version > static_cast<int>(history.migrations.size())) return TooNew(history, *version);
  if (*version < static_cast<int>(history.migrations.size())) {
    return Refused(history, "the schema is of version ", *version, ", older than this library's ",
                   history.migrations.size(), ": run ", ToAbsl(history.migrate));
  }
  return absl::OkStatus();
}

absl::Status UnderMigrationLock(const SessionTarget& target,
                                absl::FunctionRef<absl::Status(Connection&, Deadline)> body) {
  NW_RETURN_IF_ERROR(CheckTarget(target));
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection, ConnectTo(target, Access::kWrite, nullptr));
  const Deadline deadline = Deadline::In(target.statement_timeout);
  NW_RETURN_IF_ERROR(connection->Execute(target.who + ": begin", "BEGIN", deadline).status());
  NW_RETURN_IF_ERROR(connection->Execute(target.who + ": lock", LockSql(target), deadline).status());
  NW_RETURN_IF_ERROR(body(*connection, deadline));  // an open transaction ends with its connection
  return connection->Execute(target.who + ": commit", "COMMIT", deadline).status();
}

absl::Status Migrate(const SessionTarget& target, const SchemaHistory& history) {
  return UnderMigrationLock(target, [&](Connection& connection, Deadline deadline) {
    return MigrateLocked(connection, history, target.schema, deadline);
  });
}

}  // namespace internal::postgres

absl::Status Mirror::Migrate(const MirrorOptions& options) {
  NW_RETURN_IF_ERROR(internal::postgres::CheckOptions(options));
  return internal::postgres::Migrate(internal::postgres::TargetOf(options), internal::postgres::MirrorHistory());
}

absl::Status Mirror::Reset(const MirrorOptions& options) {
  NW_RETURN_IF_ERROR(internal::postgres::CheckOptions(options));
  return internal::postgres::UnderMigrationLock(internal::postgres::TargetOf(options), internal::postgres::ResetLocked);
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/session.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "src/base/error.h"

namespace northwind::internal::postgres {
namespace {

constexpr size_t kMaxSchemaBytes = 63;
constexpr int kOldestServer = 150'000;

absl::Status Bad(absl::string_view who, absl::string_view field, absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, who, ": ", field, " ", why);
}

bool IsSchemaName(std::string_view name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.size() <= kMaxSchemaBytes && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), fits);
}

}  // namespace

SessionTarget TargetOf(const MirrorOptions& options) {
  return {.who = "mirror",
          .connection = options.connection,
          .schema = options.schema,
          .statement_timeout = options.statement_timeout};
}

absl::Status CheckTarget(const SessionTarget& target) {
  if (target.connection.empty()) return Bad(target.who, "connection", "must not be empty");
  if (!IsSchemaName(target.schema)) {
    return Bad(target.who, "schema", "must be 1-63 of a-z 0-9 _, not beginning with a digit");
  }
  if (target.statement_timeout <= absl::ZeroDuration()) {
    return Bad(target.who, "statement_timeout", "must be positive");
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const MirrorOptions& options) {
  const SessionTarget target = TargetOf(options);
  NW_RETURN_IF_ERROR(CheckTarget(target));
  if (options.batch < 1 || options.batch > kMaxJournalPage) return Bad(target.who, "batch", "must be 1 ... 10,000");
  if (options.min_retry <= absl::ZeroDuration()) return Bad(target.who, "min_retry", "must be positive");
  if (options.max_retry < options.min_retry) return Bad(target.who, "max_retry", "must not be below min_retry");
  if (options.max_retry == absl::InfiniteDuration()) return Bad(target.who, "max_retry", "must be finite");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Connection>> ConnectTo(const SessionTarget& target, Access access,
                                                      const StopSignal* stop) {
  NW_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection,
                      Connection::Connect({.connection = target.connection,
                                           .application_name = "northwind " + target.who,
                                           .read_write = access == Access::kWrite,
                                           .statement_timeout = target.statement_timeout},
                                          stop));
  const Deadline deadline = Deadline::In(target.statement_timeout);
  if (connection->server_version() < kOldestServer) {
    return Error(absl::StatusCode::kInvalidArgument, target.who, ": ", connection->Peer(), " is PostgreSQL ",
                 connection->server_version() / 10'000, "; it needs 15 or newer");
  }
  // Temporary tables last, so that nothing of theirs is taken for the schema's. Moments that are written as text and read again must
  // not depend on what a role or a database prefers. A peer that went away without a word must not keep its locks for the hours of the
  // kernel's own keepalive.
  const std::string settings =
      absl::StrCat("SET search_path = \"", target.schema, "\", pg_temp; SET timezone = 'UTC'; SET datestyle = 'ISO'; ",
                   "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3");
  NW_RETURN_IF_ERROR(connection->Run(target.who + ": setting up the session", settings, deadline).status());
  NW_ASSIGN_OR_RETURN(const Result encoding,
                      connection->Execute(target.who + ": encoding", "SHOW server_encoding", deadline));
  if (encoding.Value(0, 0) != "UTF8") {
    return Error(absl::StatusCode::kInvalidArgument, target.who, ": the database is in ", ToAbsl(encoding.Value(0, 0)),
                 "; it must be in UTF8");
  }
  return connection;
}

}  // namespace northwind::internal::postgres

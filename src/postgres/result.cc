// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/result.h"

#include <cstdlib>
#include <string>

#include "src/base/error.h"
#include "src/postgres/sqlstate.h"

namespace northwind::internal::postgres {
namespace {

constexpr size_t kMaxMessage = 1024;  // bytes of what the server said, of each part

std::string Field(const PGresult* result, int field) {
  const char* const text = PQresultErrorField(result, field);
  return text == nullptr ? std::string() : std::string(text).substr(0, kMaxMessage);
}

}  // namespace

absl::Status Result::Check(std::string_view what) const {
  switch (status()) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_PIPELINE_SYNC:
      return absl::OkStatus();
    case PGRES_PIPELINE_ABORTED:
      return Error(absl::StatusCode::kUnavailable, ToAbsl(what), ": not done, as what came before it failed");
    case PGRES_EMPTY_QUERY:
      return Error(absl::StatusCode::kInvalidArgument, ToAbsl(what), ": there is no statement");
    default:
      break;
  }
  const std::string sqlstate = Field(get(), PG_DIAG_SQLSTATE);
  // Without one it is libpq itself that speaks, of a connection that broke or of memory that it had not.
  if (sqlstate.empty()) {
    std::string message = get() == nullptr ? "" : PQresultErrorMessage(get());
    while (!message.empty() && message.back() == '\n') message.pop_back();
    return Error(absl::StatusCode::kUnavailable, ToAbsl(what), ": ", message);
  }
  std::string message = Field(get(), PG_DIAG_MESSAGE_PRIMARY);
  if (const std::string detail = Field(get(), PG_DIAG_MESSAGE_DETAIL); !detail.empty()) message += " (" + detail + ")";
  return SqlError(sqlstate, what, message);
}

unsigned long long Result::RowsAffected() const { return std::strtoull(PQcmdTuples(get()), nullptr, 10); }

}  // namespace northwind::internal::postgres

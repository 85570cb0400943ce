// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/result.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
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

std::string OneLine(std::string_view text) {
  std::vector<std::string> lines = absl::StrSplit(ToAbsl(text), '\n', absl::SkipWhitespace());
  for (std::string& line : lines) absl::StripAsciiWhitespace(&line);
  std::erase_if(lines, [](std::string_view line) { return line.starts_with("LOCATION:"); });
  return absl::StrJoin(lines, "; ");
}

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
    return Error(absl::StatusCode::kUnavailable, ToAbsl(what), ": ",
                 get() == nullptr ? std::string("no answer") : OneLine(PQresultErrorMessage(get())));
  }
  std::string message = Field(get(), PG_DIAG_MESSAGE_PRIMARY);
  if (const std::string detail = Field(get(), PG_DIAG_MESSAGE_DETAIL); !detail.empty()) message += " (" + detail + ")";
  return SqlError(sqlstate, what, message);
}

unsigned long long Result::RowsAffected() const { return std::strtoull(PQcmdTuples(get()), nullptr, 10); }

}  // namespace northwind::internal::postgres

// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/legacy_query.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "src/base/error.h"

namespace northwind::internal::postgres {
namespace {

// The query as a table: on lines of its own, so that a comment at its end ends before the bracket does.
std::string AsTable(const LegacyQuery& query) { return absl::StrCat("(\n", query.sql, "\n) AS legacy"); }

// The columns of the key, each between these: JoinKey(query, "legacy.", "", ", ") is legacy."a", legacy."b".
std::string JoinKey(const LegacyQuery& query, std::string_view before, std::string_view after, const char* separator) {
  return absl::StrJoin(query.key, separator, [&](std::string* out, const std::string& column) {
    absl::StrAppend(out, ToAbsl(before), "\"", absl::StrReplaceAll(column, {{"\"", "\"\""}}), "\"", ToAbsl(after));
  });
}

bool HasNul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

}  // namespace

absl::Status CheckLegacyQuery(const LegacyQuery& query) {
  if (query.sql.empty() || HasNul(query.sql)) return absl::InvalidArgumentError("legacy query: no SQL");
  if (query.key.empty() || query.key.size() > kMaxLegacyKeyColumns) {
    return Error(absl::StatusCode::kInvalidArgument, "legacy query: the key has 1 to ", kMaxLegacyKeyColumns,
                 " columns, not ", query.key.size());
  }
  for (auto column = query.key.begin(); column != query.key.end(); ++column) {
    if (column->empty() || HasNul(*column))
      return absl::InvalidArgumentError("legacy query: a column of the key has no name");
    if (std::find(query.key.begin(), column, *column) != column) {
      return Error(absl::StatusCode::kInvalidArgument, "legacy query: the key has ", *column, " twice");
    }
  }
  return absl::OkStatus();
}

std::string LegacyDescriptionSql(const LegacyQuery& query) {
  return absl::StrCat("SELECT legacy.* FROM ", AsTable(query));
}

std::string LegacyNullKeySql(const LegacyQuery& query) {
  return absl::StrCat("SELECT 1 FROM ", AsTable(query), " WHERE ", JoinKey(query, "legacy.", " IS NULL", " OR "),
                      " LIMIT 1");
}

std::string LegacyPageSql(const LegacyQuery& query, LegacyPosition position, size_t page) {
  const std::string key = JoinKey(query, "legacy.", "", ", ");
  std::string where;
  if (position == LegacyPosition::kAfter) {
    std::vector<std::string> parameters;
    for (size_t i = 1; i <= query.key.size(); ++i) parameters.push_back(absl::StrCat("$", i));
    where = absl::StrCat(" WHERE (", key, ") > (", absl::StrJoin(parameters, ", "), ")");
  }
  const std::string page_key = JoinKey(query, "page.", "", ", ");
  const std::string key_before = JoinKey(query, "lag(page.", ") OVER in_order", ", ");
  return absl::StrCat("SELECT page.*, coalesce((", page_key, ") = (", key_before,
                      "), false) FROM (SELECT legacy.* FROM ", AsTable(query), where, " ORDER BY ", key, " LIMIT ",
                      page + 1, ") AS page WINDOW in_order AS (ORDER BY ", page_key, ") ORDER BY ", page_key);
}

}  // namespace northwind::internal::postgres

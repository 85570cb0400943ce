// SPDX-License-Identifier: Apache-2.0
//
// What the API's answers are made of: amounts as strings, times RFC 3339 in UTC, pages with an opaque cursor.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_JSON_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_JSON_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/reference_server/http/message.h"
#include "northwind/account.h"
#include "northwind/amount.h"

namespace northwind::server {

using Json = nlohmann::ordered_json;

// "2026-07-01T12:00:00.123456Z"; null for infinite times.
Json TimeJson(absl::Time time);
absl::StatusOr<absl::Time> ParseTime(std::string_view text);  // RFC 3339, any offset; InvalidArgument
// {"asset":"USD/2","units":"1050"}: as in events.
Json MoneyJson(const Asset& asset, absl::int128 units);

Response JsonResponse(const Json& body, int status = 200);

// An object, strictly: no name twice, nothing but `allowed`, at most 32 deep, 1,000 names in an object, a million values in all. In time that grows
// with the body alone. InvalidArgument says which.
absl::StatusOr<Json> ParseObject(std::string_view body, const std::vector<std::string_view>& allowed);

// Queries of lists, all by the same names: InvalidArgument for a name that is not in `allowed` (besides limit and cursor), for one that
// comes twice, for a limit that is not 1 … 1000.
class ListQuery {
 public:
  static absl::StatusOr<ListQuery> Read(const Request& request, const std::vector<std::string_view>& allowed);
  std::optional<std::string> text(std::string_view name) const;
  absl::StatusOr<std::optional<absl::Time>> time(std::string_view name) const;
  size_t limit() const { return limit_; }
  // What a page's `next` was given: decoded, empty for the first page. InvalidArgument is found by Read.
  const std::string& cursor() const { return cursor_; }

 private:
  std::vector<std::pair<std::string, std::string>> values_;
  size_t limit_ = 100;
  std::string cursor_;
};
// {"data":[…],"next_cursor":"…"|null}: `next` as the library gives it, made URL-safe (base64url).
Json PageJson(Json data, std::string_view next);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_JSON_H_

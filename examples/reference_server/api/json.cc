// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/json.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxLimit = 1000;

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

std::string QuoteName(std::string_view name) {
  return absl::StrCat("'", absl::CHexEscape(ToAbsl(name.substr(0, 64))), "'");
}

bool IsAmong(std::string_view name, const std::vector<std::string_view>& allowed) {
  return std::find(allowed.begin(), allowed.end(), name) != allowed.end();
}

std::string Joined(const std::vector<std::string_view>& names) {
  return absl::StrJoin(names, ", ", [](std::string* out, std::string_view name) { out->append(name); });
}

// Notes what the parser itself lets pass: a name that comes twice in one object, and depth.
class Strictness {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start:
        names_.emplace_back();
        [[fallthrough]];
      case Json::parse_event_t::array_start:
        if (static_cast<size_t>(depth) >= kMaxDepth) Note("is nested too deep");
        break;
      case Json::parse_event_t::key:
        if (const auto name = parsed.get<std::string>(); !names_.back().insert(name).second) {
          Note(absl::StrCat("has ", QuoteName(name), " twice"));
        }
        break;
      case Json::parse_event_t::object_end:
        names_.pop_back();
        break;
      default:
        break;
    }
    return true;
  }
  const std::string& fault() const { return fault_; }

 private:
  void Note(std::string fault) {
    if (fault_.empty()) fault_ = std::move(fault);
  }

  std::vector<std::set<std::string>> names_;
  std::string fault_;
};

// As RFC 3339 knows them: of four digits, in UTC.
bool HasYear(absl::Time time) {
  const int64_t year = absl::ToCivilYear(time, absl::UTCTimeZone()).year();
  return 0 <= year && year <= 9999;
}

}  // namespace

Json TimeJson(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return nullptr;
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

absl::StatusOr<absl::Time> ParseTime(std::string_view text) {
  absl::Time time;
  std::string error;
  // A bare "infinite-past" and years of any length are taken too by absl; and an offset may make a year of ours one of five digits.
  const bool has_year = text.find_first_not_of("0123456789") == 4 && text[4] == '-';
  if (!has_year || !absl::ParseTime(absl::RFC3339_full, ToAbsl(text), &time, &error) || !HasYear(time)) {
    return absl::InvalidArgumentError(
        absl::StrCat(QuoteName(text), " is no time of RFC 3339, such as 2026-07-01T12:00:00Z"));
  }
  return time;
}

Json MoneyJson(const Asset& asset, absl::int128 units) {
  return {{"asset", asset.ToString()}, {"units", FormatUnits(units, 0)}};
}

Response JsonResponse(const Json& body, int status) {
  Response response{.status = status};
  // What others sent in, such as the body that an endpoint answered, may be any bytes.
  response.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

absl::StatusOr<Json> ParseObject(std::string_view body, const std::vector<std::string_view>& allowed) {
  Strictness strictness;
  Json object = Json::parse(
      body, [&](int depth, Json::parse_event_t event, Json& parsed) { return strictness(depth, event, parsed); },
      false);
  if (object.is_discarded()) return absl::InvalidArgumentError("the body is no JSON");
  if (!object.is_object()) return absl::InvalidArgumentError("the body must be a JSON object");
  if (!strictness.fault().empty()) return absl::InvalidArgumentError(absl::StrCat("the body ", strictness.fault()));
  for (const auto& [name, value] : object.items()) {
    if (!IsAmong(name, allowed)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the body has ", QuoteName(name), "; known are: ", Joined(allowed)));
    }
  }
  return object;
}

absl::StatusOr<ListQuery> ListQuery::Read(const Request& request, const std::vector<std::string_view>& allowed) {
  ListQuery query;
  for (const auto& [name, value] : request.query) {
    const bool known = name == "limit" || name == "cursor" || IsAmong(name, allowed);
    if (!known) return absl::InvalidArgumentError(absl::StrCat("there is no query parameter ", QuoteName(name)));
    if (query.text(name).has_value()) return absl::InvalidArgumentError(absl::StrCat(QuoteName(name), " comes twice"));
    query.values_.emplace_back(name, value);
  }
  if (const auto limit = query.text("limit")) {
    const auto [end, error] = std::from_chars(limit->data(), limit->data() + limit->size(), query.limit_);
    if (error != std::errc() || end != limit->data() + limit->size() || query.limit_ < 1 || query.limit_ > kMaxLimit) {
      return absl::InvalidArgumentError(absl::StrCat("limit: must be a whole number from 1 to ", kMaxLimit));
    }
  }
  if (const auto cursor = query.text("cursor")) {
    if (!absl::WebSafeBase64Unescape(*cursor, &query.cursor_)) {
      return absl::InvalidArgumentError("cursor: is none that a page gave");
    }
  }
  return query;
}

std::optional<std::string> ListQuery::text(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<absl::Time>> ListQuery::time(std::string_view name) const {
  const auto value = text(name);
  if (!value.has_value()) return std::nullopt;
  const auto time = ParseTime(*value);
  if (!time.ok()) return absl::InvalidArgumentError(absl::StrCat(ToAbsl(name), ": ", time.status().message()));
  return *time;
}

Json PageJson(Json data, std::string_view next) {
  Json page = {{"data", std::move(data)}, {"next_cursor", nullptr}};
  if (!next.empty()) page["next_cursor"] = absl::WebSafeBase64Escape(ToAbsl(next));
  return page;
}

}  // namespace northwind::server

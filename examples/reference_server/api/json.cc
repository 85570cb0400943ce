// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/json.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"
#include "examples/reference_server/text.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxNames = 1000;        // of one object, whose names are looked up one after the other
constexpr size_t kMaxValues = 1'000'000;  // of one body: each takes some 50 bytes of memory, however short it is
constexpr size_t kMaxLimit = 1000;

std::string QuoteName(std::string_view name) {
  return absl::StrCat("'", absl::CHexEscape(ToAbsl(name.substr(0, 64))), "'");
}

std::string Joined(const std::vector<std::string_view>& names) {
  return absl::StrJoin(names, ", ", [](std::string* out, std::string_view name) { out->append(name); });
}

// Sees what the parser itself lets pass, before anything is built of it: depth, a name that comes twice in one object, and numbers of names and
// of values that take more time or memory than their bytes say. Ends at the first fault. (A callback of Json::parse would do, but looks through a
// whole array again for each object that ends in it.)
class Strictness : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t) override { return Value(); }
  bool number_float(number_float_t, const string_t&) override { return Value(); }
  bool string(string_t&) override { return Value(); }
  bool binary(binary_t&) override { return Value(); }
  bool start_object(size_t) override {
    names_.emplace_back();
    return Begin();
  }
  bool key(string_t& name) override {
    if (!names_.back().insert(name).second) return Note(absl::StrCat("has ", QuoteName(name), " twice"));
    if (names_.back().size() > kMaxNames) return Note(absl::StrCat("has an object of more than ", kMaxNames, " names"));
    return true;
  }
  bool end_object() override {
    names_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(size_t) override { return Begin(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(size_t, const std::string&, const Json::exception&) override { return Note("is no JSON"); }

  const std::string& fault() const { return fault_; }

 private:
  bool Value() { return ++values_ <= kMaxValues ? true : Note(absl::StrCat("has more than ", kMaxValues, " values")); }
  bool Begin() { return ++depth_ <= kMaxDepth ? Value() : Note("is nested too deep"); }
  bool Note(std::string fault) {
    if (fault_.empty()) fault_ = std::move(fault);
    return false;
  }

  std::vector<std::set<std::string>> names_;  // of the objects that we are in
  size_t depth_ = 0;
  size_t values_ = 0;
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
  if (!Json::sax_parse(body, &strictness))
    return absl::InvalidArgumentError(absl::StrCat("the body ", strictness.fault()));
  Json object = Json::parse(body, nullptr, false);
  if (!object.is_object()) return absl::InvalidArgumentError("the body must be a JSON object");
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

// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/body.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/text.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxIdempotencyKeyBytes = 64;

template <typename... Parts>
absl::Status Bad(std::string_view where, std::string_view name, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(where), ToAbsl(name), ": ", parts...));
}

const Json* At(const Json& object, std::string_view name) {
  const auto found = object.find(std::string(name));
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

absl::Status CheckQuery(const Request& request, const std::vector<std::string_view>& allowed) {
  std::set<std::string_view> seen;
  for (const auto& [name, value] : request.query) {
    const std::string quoted = absl::CHexEscape(ToAbsl(std::string_view(name).substr(0, 64)));
    if (!IsAmong(name, allowed)) {
      return absl::InvalidArgumentError(absl::StrCat("there is no query parameter '", quoted, "'"));
    }
    if (!seen.insert(name).second) return Bad(quoted, "", "comes twice");
    if (value.empty()) return Bad(quoted, "", "is empty");
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> OptionalObject(std::string_view body, const std::vector<std::string_view>& allowed) {
  if (body.empty()) return Json::object();
  return ParseObject(body, allowed);
}

absl::Status CheckObject(const Json& value, std::string_view where, const std::vector<std::string_view>& allowed) {
  if (!value.is_object()) return Bad(where, "", "must be an object");
  for (const auto& [name, ignored] : value.items()) {
    if (IsAmong(name, allowed)) continue;
    return Bad(where, "", "has '", absl::CHexEscape(ToAbsl(std::string_view(name).substr(0, 64))),
               "', which is unknown");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> TextAt(const Json& object, std::string_view name, std::string_view where) {
  const Json* value = At(object, name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) return Bad(where, name, "must be a string");
  return value->get<std::string>();
}

absl::StatusOr<std::optional<int64_t>> WholeAt(const Json& object, std::string_view name, int64_t low, int64_t high,
                                               std::string_view where) {
  const Json* value = At(object, name);
  if (value == nullptr) return std::nullopt;
  const bool fits = value->is_number_integer() &&
                    !(value->is_number_unsigned() &&
                      value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  if (fits && value->get<int64_t>() >= low && value->get<int64_t>() <= high) return value->get<int64_t>();
  return Bad(where, name, "must be a whole number from ", low, " to ", high);
}

absl::StatusOr<std::optional<double>> NumberAt(const Json& object, std::string_view name, std::string_view where) {
  const Json* value = At(object, name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number() || !std::isfinite(value->get<double>())) return Bad(where, name, "must be a number");
  return value->get<double>();
}

std::string MediaType(const Request& request) {
  const std::string_view field = request.field("Content-Type").value_or("");
  const std::string_view type = field.substr(0, field.find(';'));
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace({type.data(), type.size()}));
}

absl::StatusOr<std::optional<std::string>> IdempotencyKey(const Request& request) {
  const std::optional<std::string_view> key = request.field("Idempotency-Key");
  if (!key.has_value()) return std::nullopt;
  const auto fits = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; };
  if (key->empty() || key->size() > kMaxIdempotencyKeyBytes || !std::all_of(key->begin(), key->end(), fits)) {
    return absl::InvalidArgumentError(
        absl::StrCat("Idempotency-Key: must be 1 to ", kMaxIdempotencyKeyBytes, " characters of A-Z a-z 0-9 _ -"));
  }
  return std::string(*key);
}

absl::StatusOr<int64_t> ParseWhole(std::string_view text, std::string_view where, int64_t low, int64_t high) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && value >= low && value <= high) return value;
  return Bad(where, "", "must be a whole number from ", low, " to ", high);
}

}  // namespace northwind::server

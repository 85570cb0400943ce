// SPDX-License-Identifier: Apache-2.0
#include "src/compare/keys.h"

#include "src/base/coding.h"

namespace northwind::internal::compare {
namespace {

constexpr size_t kDayBytes = 4;
constexpr std::string_view kUnreadable = "row:";

}  // namespace

std::string Key(std::string_view prefix, std::string_view rest) {
  std::string key;
  key.reserve(prefix.size() + rest.size());
  return key.append(prefix).append(rest);
}

std::string EndOf(std::string_view prefix) {
  std::string end(prefix);
  end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

int32_t DayNumber(absl::CivilDay day) { return static_cast<int32_t>(day - absl::CivilDay(1970, 1, 1)); }
absl::CivilDay DayOfNumber(int32_t number) { return absl::CivilDay(1970, 1, 1) + number; }

void PutDay(std::string& out, absl::CivilDay day) {
  PutBigEndian32(out, static_cast<uint32_t>(DayNumber(day)) ^ 0x8000'0000U);
}
absl::CivilDay LoadDay(const char* p) { return DayOfNumber(static_cast<int32_t>(LoadBigEndian32(p) ^ 0x8000'0000U)); }

std::string DayKey(std::string_view prefix, absl::CivilDay day) {
  std::string key(prefix);
  PutDay(key, day);
  return key;
}

std::string RowKey(std::string_view source, std::string_view row_id) {
  std::string key;
  key.reserve(kRowPrefix.size() + source.size() + 1 + row_id.size());
  key.append(kRowPrefix).append(source);
  key.push_back('/');  // in no source
  return key.append(row_id);
}

std::string IndexKey(const Place& place, std::string_view name) {
  std::string key;
  key.reserve(kIndexPrefix.size() + kDayBytes + place.merchant_id.size() + 2 + name.size());
  key.append(kIndexPrefix);
  PutDay(key, place.day);
  key.append(place.merchant_id);
  key.push_back('\0');
  key.push_back(static_cast<char>(place.hour));
  return key.append(name);
}

std::optional<IndexKeyParts> ParseIndexKey(std::string_view key) {
  if (!key.starts_with(kIndexPrefix) || key.size() < kIndexPrefix.size() + kDayBytes) return std::nullopt;
  IndexKeyParts parts;
  parts.day = LoadDay(key.data() + kIndexPrefix.size());
  key.remove_prefix(kIndexPrefix.size() + kDayBytes);
  const size_t nul = key.find('\0');
  if (nul == std::string_view::npos || key.size() < nul + 3) return std::nullopt;
  parts.merchant_id = key.substr(0, nul);
  parts.hour = static_cast<uint8_t>(key[nul + 1]);
  parts.name = key.substr(nul + 2);
  if (parts.hour > 23) return std::nullopt;
  return parts;
}

std::string ItemName(Leg leg, std::string_view id) {
  const std::string_view prefix = northwind::Name(leg);
  std::string name;
  name.reserve(prefix.size() + 1 + id.size());
  name.append(prefix);
  name.push_back(':');
  return name.append(id);
}

std::string UnreadableName(std::string_view source, std::string_view row_id) {
  std::string name(kUnreadable);
  return name.append(source).append(":").append(row_id);
}

std::optional<LegAndId> ParseItemName(std::string_view name) {
  const size_t colon = name.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<Leg> leg = ParseLeg(name.substr(0, colon));
  if (!leg) return std::nullopt;
  return LegAndId{.leg = *leg, .id = name.substr(colon + 1)};
}

}  // namespace northwind::internal::compare

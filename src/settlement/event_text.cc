// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/event_text.h"

#include <array>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/time/civil_time.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr std::array<bool, 256> MakeIdCharacters() {
  std::array<bool, 256> table{};
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  table['.'] = table['_'] = table['-'] = true;
  return table;
}
constexpr std::array<bool, 256> kIdCharacters = MakeIdCharacters();

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reads `n` digits; false if there is anything else among them.
bool ReadDigits(std::string_view text, size_t at, size_t n, int& value) {
  value = 0;
  for (size_t i = at; i < at + n; ++i) {
    if (!IsDigit(text[i])) return false;
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

void AppendDigits(std::string& out, int64_t value, int digits) {
  char text[20];
  for (int i = digits - 1; i >= 0; --i, value /= 10) text[i] = static_cast<char>('0' + value % 10);
  out.append(text, static_cast<size_t>(digits));
}

}  // namespace

bool IsIdText(std::string_view text, Colon colon) {
  for (const char c : text) {
    if (!kIdCharacters[static_cast<uint8_t>(c)] && !(c == ':' && colon == Colon::kAllowed)) return false;
  }
  return true;
}

bool IsUtf8(std::string_view text) {
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* const end = p + text.size();
  while (p != end) {
    const uint8_t lead = *p++;
    if (lead < 0x80) continue;
    int more;
    uint32_t code;
    uint32_t least;
    if (lead >= 0xC2 && lead <= 0xDF) {
      more = 1, code = lead & 0x1Fu, least = 0x80;
    } else if ((lead & 0xF0) == 0xE0) {
      more = 2, code = lead & 0x0Fu, least = 0x800;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      more = 3, code = lead & 0x07u, least = 0x10000;
    } else {
      return false;
    }
    if (end - p < more) return false;
    for (; more > 0; --more, ++p) {
      if ((*p & 0xC0) != 0x80) return false;
      code = code << 6 | (*p & 0x3Fu);
    }
    if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
  }
  return true;
}

std::optional<absl::Time> ParseTimestamp(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (text.size() < kShape.size() + 1 || text.back() != 'Z') return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') return std::nullopt;
  int year, month, day, hour, minute, second;
  if (!ReadDigits(text, 0, 4, year) || !ReadDigits(text, 5, 2, month) || !ReadDigits(text, 8, 2, day) ||
      !ReadDigits(text, 11, 2, hour) || !ReadDigits(text, 14, 2, minute) || !ReadDigits(text, 17, 2, second)) {
    return std::nullopt;
  }
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const absl::CivilDay date(year, month, day);  // normalises: the thirtieth of February comes out as another day
  if (date.month() != month || date.day() != day) return std::nullopt;

  int nanos = 0;
  if (text.size() > kShape.size() + 1) {
    const size_t digits = text.size() - kShape.size() - 2;
    if (text[kShape.size()] != '.' || digits < 1 || digits > 9) return std::nullopt;
    if (!ReadDigits(text, kShape.size() + 1, digits, nanos)) return std::nullopt;
    for (size_t i = digits; i < 9; ++i) nanos *= 10;
  }
  const int64_t days = date - absl::CivilDay(1970, 1, 1);
  return absl::FromUnixSeconds(days * 86'400 + hour * 3600 + minute * 60 + second) + absl::Nanoseconds(nanos);
}

void AppendTimestamp(std::string& out, absl::Time time) {
  const absl::TimeZone::CivilInfo info = absl::UTCTimeZone().At(time);
  AppendDigits(out, info.cs.year(), 4);
  out.push_back('-');
  AppendDigits(out, info.cs.month(), 2);
  out.push_back('-');
  AppendDigits(out, info.cs.day(), 2);
  out.push_back('T');
  AppendDigits(out, info.cs.hour(), 2);
  out.push_back(':');
  AppendDigits(out, info.cs.minute(), 2);
  out.push_back(':');
  AppendDigits(out, info.cs.second(), 2);
  if (const int64_t nanos = absl::ToInt64Nanoseconds(info.subsecond); nanos != 0) {
    out.push_back('.');
    if (nanos % 1'000'000 == 0) {
      AppendDigits(out, nanos / 1'000'000, 3);
    } else if (nanos % 1000 == 0) {
      AppendDigits(out, nanos / 1000, 6);
    } else {
      AppendDigits(out, nanos, 9);
    }
  }
  out.push_back('Z');
}

std::optional<Amount> ParseUnits(std::string_view text) {
  constexpr size_t kMaxDigits = 39;  // of 2^127−1
  if (text.empty() || text.size() > kMaxDigits || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  absl::uint128 units = 0;
  uint64_t low = 0;
  constexpr size_t kDigitsOf64 = 19;  // 19 digits always fit 64 bits: the common case needs no wide arithmetic
  const size_t first = text.size() < kDigitsOf64 ? text.size() : kDigitsOf64;
  for (size_t i = 0; i < first; ++i) {
    if (!IsDigit(text[i])) return std::nullopt;
    low = low * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  units = low;
  for (size_t i = first; i < text.size(); ++i) {  // 39 digits stay below 2^130: check before the last could wrap
    if (!IsDigit(text[i])) return std::nullopt;
    if (units > Amount::Max().units() / 10) return std::nullopt;
    units = units * 10 + static_cast<unsigned>(text[i] - '0');
  }
  absl::StatusOr<Amount> amount = Amount::FromUnits(units);
  if (!amount.ok()) return std::nullopt;
  return *amount;
}

std::string Printable(std::string_view text) { return absl::CHexEscape(ToAbsl(text.substr(0, 64))); }

}  // namespace northwind::internal

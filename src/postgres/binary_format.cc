// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/binary_format.h"

#include <algorithm>
#include <cstddef>

#include "src/base/coding.h"

namespace northwind::internal::postgres {
namespace {

constexpr uint32_t kNull = 0xffffffff;
constexpr int kMaxNumericDigits = 10;  // of base 10,000: 2^127 has 39 decimal digits
constexpr uint64_t kBase = 10'000;

void PutInt2(std::string& out, uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}

// Digits of base 10,000 from the lowest; how many.
int SplitDigits(absl::uint128 value, uint16_t* digits) {
  int count = 0;
  while (absl::Uint128High64(value) != 0) {
    digits[count++] = static_cast<uint16_t>(absl::Uint128Low64(value % kBase));
    value /= kBase;
  }
  for (uint64_t rest = absl::Uint128Low64(value); rest != 0; rest /= kBase) {
    digits[count++] = static_cast<uint16_t>(rest % kBase);
  }
  return count;
}

// How many bytes the UTF-8 character at the front of `text` has; 0 if there is none, by the rules of the server: no overlong forms, no
// surrogates, nothing past U+10FFFF.
size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      if (i >= text.size() || (byte(i) & 0xc0) != 0x80) return false;
    }
    return true;
  };
  const uint8_t first = byte(0);
  if (first < 0x80) return first == 0 ? 0 : 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return continues(1, 2) ? 2 : 0;
  if (text.size() < 2) return 0;
  const uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  const size_t length = first < 0xf0 ? 3 : 4;
  return continues(2, length) ? length : 0;
}

}  // namespace

void PutNull(std::string& out) { PutBigEndian32(out, kNull); }

void PutBool(std::string& out, bool value) {
  PutBigEndian32(out, 1);
  out.push_back(value ? 1 : 0);
}

void PutInt4(std::string& out, int32_t value) {
  PutBigEndian32(out, 4);
  PutBigEndian32(out, static_cast<uint32_t>(value));
}

void PutInt8(std::string& out, int64_t value) {
  PutBigEndian32(out, 8);
  PutBigEndian64(out, static_cast<uint64_t>(value));
}

void PutBytes(std::string& out, std::string_view bytes) {
  PutBigEndian32(out, static_cast<uint32_t>(bytes.size()));
  out.append(bytes);
}

void PutNumeric(std::string& out, absl::int128 value) {
  uint16_t digits[kMaxNumericDigits];
  const absl::uint128 magnitude =
      value < 0 ? absl::uint128(0) - static_cast<absl::uint128>(value) : static_cast<absl::uint128>(value);
  const int count = SplitDigits(magnitude, digits);
  const int lowest = static_cast<int>(std::find_if(digits, digits + count, [](uint16_t d) { return d != 0; }) - digits);
  PutBigEndian32(out, static_cast<uint32_t>(8 + 2 * (count - lowest)));
  PutInt2(out, static_cast<uint16_t>(count - lowest));
  PutInt2(out, static_cast<uint16_t>(count == 0 ? 0 : count - 1));
  PutInt2(out, value < 0 ? 0x4000 : 0);
  PutInt2(out, 0);
  for (int i = count - 1; i >= lowest; --i) PutInt2(out, digits[i]);
}

std::optional<absl::int128> ParseNumeric(std::string_view bytes) {
  const std::string text = NumericText(bytes);
  const bool negative = text.starts_with('-');
  absl::int128 value = 0;  // below zero, where there is one more
  for (const char c : std::string_view(text).substr(negative ? 1 : 0)) {
    constexpr absl::int128 kMin = absl::Int128Min();
    if (c < '0' || c > '9' || value < (kMin + (c - '0')) / 10) return std::nullopt;
    value = value * 10 - (c - '0');
  }
  if (negative) return value;
  if (value == absl::Int128Min()) return std::nullopt;
  return -value;
}

std::string NumericText(std::string_view bytes) {
  constexpr uint16_t kNegative = 0x4000;
  constexpr size_t kHeader = 8;
  const auto word = [bytes](size_t i) {
    return static_cast<uint16_t>((uint8_t(bytes[2 * i]) << 8) | uint8_t(bytes[2 * i + 1]));
  };
  if (bytes.size() < kHeader || bytes.size() != kHeader + 2 * size_t{word(0)}) return "?";
  const int count = word(0), weight = static_cast<int16_t>(word(1)), scale = word(3);
  const uint16_t sign = word(2);
  if (sign != 0 && sign != kNegative) return sign == 0xc000 ? "NaN" : sign == 0xd000 ? "Infinity" : "-Infinity";
  std::string text;
  // A group of four decimal digits; `place` is the power of 10,000 that it stands for.
  const auto add = [&](int place) {
    const int i = weight - place;
    const int digits = i >= 0 && i < count ? word(kHeader / 2 + static_cast<size_t>(i)) : 0;
    for (int unit = 1000; unit > 0; unit /= 10) text.push_back(static_cast<char>('0' + digits / unit % 10));
  };
  for (int place = std::max(weight, 0); place >= 0; --place) add(place);
  text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
  if (scale > 0) {
    const size_t point = text.size();
    for (int place = -1; (-place - 1) * 4 < scale; --place) add(place);
    text.resize(point + static_cast<size_t>(scale));
    text.insert(point, ".");
  }
  return sign == kNegative ? "-" + text : text;
}

void PutTimestamp(std::string& out, absl::Time at) {
  constexpr int64_t kEpoch = 946'684'800'000'000;  // 2000-01-01 in Unix microseconds
  PutInt8(out, absl::ToUnixMicros(at) - kEpoch);
}

std::string EscapeText(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = bytes.front() == '\\' ? 0 : Utf8Length(bytes);
    if (length == 0) {
      const auto byte = static_cast<uint8_t>(bytes.front());
      text.push_back('\\');
      for (int shift = 6; shift >= 0; shift -= 3) text.push_back(static_cast<char>('0' + ((byte >> shift) & 7)));
      bytes.remove_prefix(1);
    } else {
      text.append(bytes.substr(0, length));
      bytes.remove_prefix(length);
    }
  }
  return text;
}

}  // namespace northwind::internal::postgres

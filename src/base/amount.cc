// SPDX-License-Identifier: Apache-2.0
#include "northwind/amount.h"

#include <algorithm>

#include "src/base/error.h"

namespace northwind {
namespace {

using internal::Error;
using internal::ToAbsl;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string Digits(absl::uint128 value) {
  std::string reversed;
  do {
    reversed.push_back(static_cast<char>('0' + static_cast<int>(absl::Uint128Low64(value % 10))));
    value /= 10;
  } while (value != 0);
  std::reverse(reversed.begin(), reversed.end());
  return reversed;
}

std::string WithPoint(absl::uint128 units, int scale) {
  NW_CHECK(scale >= 0 && scale <= kMaxScale, "scale out of range");
  std::string digits = Digits(units);
  if (scale == 0) return digits;
  const size_t places = static_cast<size_t>(scale);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  digits.insert(digits.size() - places, 1, '.');
  return digits;
}

}  // namespace

absl::StatusOr<Amount> Amount::FromUnits(absl::uint128 units) {
  if (units > Max().units_) return absl::OutOfRangeError("amount above 2^127-1");
  Amount amount;
  amount.units_ = units;
  return amount;
}

absl::StatusOr<Amount> Amount::Parse(std::string_view text, int scale) {
  NW_CHECK(scale >= 0 && scale <= kMaxScale, "scale out of range");
  absl::uint128 units = 0;
  bool overflow = false;
  auto append = [&](char digit) {
    overflow = overflow || units > Max().units_ / 10;
    units = units * 10 + static_cast<unsigned>(digit - '0');
    overflow = overflow || units > Max().units_;
  };
  size_t i = 0;
  while (i < text.size() && IsDigit(text[i])) append(text[i++]);
  const bool has_whole = i > 0;
  int places = 0;
  bool has_point = false;
  if (i < text.size() && text[i] == '.') {
    has_point = true;
    for (++i; i < text.size() && IsDigit(text[i]); ++i, ++places) {
      if (places < scale) append(text[i]);
    }
  }
  if (!has_whole || i != text.size() || (has_point && places == 0)) {
    return Error(absl::StatusCode::kInvalidArgument, "not a decimal amount: '", ToAbsl(text.substr(0, 64)), "'");
  }
  if (places > scale) {
    return Error(absl::StatusCode::kInvalidArgument, "more than ", scale, " digits after the point: '",
                 ToAbsl(text.substr(0, 64)), "'");
  }
  for (; places < scale; ++places) append('0');
  if (overflow) return Error(absl::StatusCode::kOutOfRange, "amount above 2^127-1: '", ToAbsl(text.substr(0, 64)), "'");
  return FromUnits(units);
}

std::string Amount::ToString(int scale) const { return WithPoint(units_, scale); }

std::string FormatUnits(absl::int128 units, int scale) {
  if (units >= 0) return WithPoint(static_cast<absl::uint128>(units), scale);
  return "-" + WithPoint(-static_cast<absl::uint128>(units), scale);
}

absl::StatusOr<Asset> Asset::Parse(std::string_view text) {
  const auto fail = [text] {
    return Error(absl::StatusCode::kInvalidArgument, "not an asset of the form CODE/SCALE (such as USD/2): '",
                 ToAbsl(text.substr(0, 64)), "'");
  };
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash < 1 || slash > 16) return fail();
  const std::string_view code = text.substr(0, slash);
  const std::string_view digits = text.substr(slash + 1);
  if (code[0] < 'A' || code[0] > 'Z') return fail();
  if (!std::all_of(code.begin(), code.end(), [](char c) { return IsDigit(c) || (c >= 'A' && c <= 'Z'); }))
    return fail();
  if (digits.empty() || digits.size() > 2 || !std::all_of(digits.begin(), digits.end(), IsDigit)) return fail();
  if (digits.size() == 2 && digits[0] == '0') return fail();
  int scale = 0;
  for (const char c : digits) scale = scale * 10 + (c - '0');
  if (scale > kMaxScale) return fail();
  return Asset{.code = std::string(code), .scale = scale};
}

std::string Asset::ToString() const { return code + "/" + std::to_string(scale); }

}  // namespace northwind

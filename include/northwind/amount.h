// SPDX-License-Identifier: Apache-2.0
//
// Amounts of money, as whole minor units. Nothing in northwind holds money in a float.
//
//   Amount fee = 250;                                   // 2.50 of an asset with scale 2
//   NW_ASSIGN_OR_RETURN(Amount a, Amount::Parse("12.34", 2));
//   a.ToString(2) == "12.34"; a.units() == 1234;
#ifndef NORTHWIND_AMOUNT_H_
#define NORTHWIND_AMOUNT_H_

#include <compare>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "northwind/status.h"

namespace northwind {

// An unsigned number of minor units, 0 … 2^127−1. Zero exists as "none"; a posting must carry at least 1.
// A value type: 16 bytes, cheap to copy, thread-compatible.
class Amount {
 public:
  constexpr Amount() = default;

  // Implicit from any built-in integer, so that `{debit, credit, 10'000}` reads well. A negative value is a
  // programmer error and aborts.
  template <std::integral T>
  constexpr Amount(T units) : units_(static_cast<absl::uint128>(units)) {  // NOLINT(google-explicit-constructor)
    if constexpr (std::signed_integral<T>) NW_CHECK(units >= 0, "an Amount cannot be negative");
  }

  // From 128 bits. OutOfRange above Max().
  static absl::StatusOr<Amount> FromUnits(absl::uint128 units);

  // Reads a decimal such as "12", "12.3" or "12.34" with at most `scale` digits after the point (0 ≤ scale ≤
  // kMaxScale). No sign, blanks, exponent or grouping. InvalidArgument for any other text, OutOfRange above Max().
  static absl::StatusOr<Amount> Parse(std::string_view text, int scale);

  // The largest amount, 2^127−1.
  static constexpr Amount Max() {
    Amount max;
    max.units_ = (absl::uint128(1) << 127) - 1;
    return max;
  }

  constexpr absl::uint128 units() const { return units_; }
  constexpr bool is_zero() const { return units_ == 0; }

  // Decimal text with exactly `scale` digits after the point ("12.34", or "1234" with scale 0).
  std::string ToString(int scale) const;

  // The sum, or nothing if it would pass Max().
  constexpr std::optional<Amount> CheckedAdd(Amount other) const {
    const absl::uint128 sum = units_ + other.units_;  // cannot wrap: both are below 2^127
    if (sum > Max().units_) return std::nullopt;
    Amount result;
    result.units_ = sum;
    return result;
  }

  // The difference, or nothing if it would fall below zero.
  constexpr std::optional<Amount> CheckedSubtract(Amount other) const {
    if (other.units_ > units_) return std::nullopt;
    Amount result;
    result.units_ = units_ - other.units_;
    return result;
  }

  friend constexpr bool operator==(Amount a, Amount b) { return a.units_ == b.units_; }
  friend constexpr std::strong_ordering operator<=>(Amount a, Amount b) {
    if (a.units_ == b.units_) return std::strong_ordering::equal;
    return a.units_ < b.units_ ? std::strong_ordering::less : std::strong_ordering::greater;
  }

 private:
  absl::uint128 units_ = 0;
};

// The most digits an asset may have after its decimal point.
inline constexpr int kMaxScale = 18;

// Decimal text of a signed balance in minor units: FormatUnits(-5, 2) == "-0.05". 0 ≤ scale ≤ kMaxScale.
std::string FormatUnits(absl::int128 units, int scale);

// An asset: a code of 1–16 characters A–Z and 0–9 beginning with a letter, and the number of digits after the
// decimal point. Written "USD/2".
struct Asset {
  std::string code;
  int scale = 0;

  // InvalidArgument for anything but CODE/SCALE in canonical form.
  static absl::StatusOr<Asset> Parse(std::string_view text);
  std::string ToString() const;
  friend bool operator==(const Asset&, const Asset&) = default;
};

}  // namespace northwind

#endif  // NORTHWIND_AMOUNT_H_

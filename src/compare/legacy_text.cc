// SPDX-License-Identifier: Apache-2.0
#include "src/compare/legacy_text.h"

#include <cstdint>

#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr int kFirstYear = 2000;
constexpr int kLastYear = 2199;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// What is left of a text that is read from its start. Each reader is false if it finds something else.
class Text {
 public:
  explicit Text(std::string_view text) : text_(text) {}

  bool AtEnd() const { return text_.empty(); }
  bool Next(char c) { return Next(std::string_view(&c, 1)); }
  // Any one of them.
  bool Next(std::string_view of) {
    if (text_.empty() || of.find(text_[0]) == std::string_view::npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool Number(size_t digits, int& value) {
    value = 0;
    if (text_.size() < digits) return false;
    for (size_t i = 0; i < digits; ++i) {
      if (!IsDigit(text_[i])) return false;
      value = value * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(digits);
    return true;
  }
  bool Date(absl::CivilDay& day) {
    int year, month, day_of_month;
    if (!Number(4, year) || !Next('-') || !Number(2, month) || !Next('-') || !Number(2, day_of_month)) return false;
    if (year < kFirstYear || year > kLastYear) return false;
    day = absl::CivilDay(year, month, day_of_month);  // normalises: the thirtieth of February is another day
    return day.month() == month && day.day() == day_of_month;
  }
  // 1 to 9 digits.
  bool Nanos(int& nanos) {
    int digits = 0;
    for (nanos = 0; digits < 9 && !text_.empty() && IsDigit(text_[0]); ++digits, text_.remove_prefix(1)) {
      nanos = nanos * 10 + (text_[0] - '0');
    }
    for (int i = digits; i < 9; ++i) nanos *= 10;
    return digits > 0;
  }
  // "Z", "+01", "+05:30" or "-00:01:15", to the end.
  bool Offset(int& seconds) {
    seconds = 0;
    if (Next("Zz")) return AtEnd();
    const bool west = !text_.empty() && text_[0] == '-';
    int hour, minute = 0, second = 0;
    if (!Next("+-") || !Number(2, hour)) return false;
    if (!AtEnd() && (!Next(':') || !Number(2, minute))) return false;
    if (!AtEnd() && (!Next(':') || !Number(2, second))) return false;
    if (hour > 23 || minute > 59 || second > 59) return false;
    seconds = (hour * 3600 + minute * 60 + second) * (west ? -1 : 1);
    return AtEnd();
  }

 private:
  std::string_view text_;
};

}  // namespace

absl::StatusOr<absl::int128> ParseLegacyUnits(std::string_view text, LegacyAmountForm form, int scale) {
  const bool decimal = form == LegacyAmountForm::kDecimal;
  const auto fail = [](absl::string_view why) { return Error(absl::StatusCode::kInvalidArgument, why); };
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  absl::uint128 units = 0;
  uint64_t low = 0;  // the first digits, while they fit: usually all
  int low_digits = 0;
  bool overflow = false;
  const auto append = [&](char digit) {
    const auto value = static_cast<uint64_t>(digit - '0');
    if (low_digits < 18) {
      low = low * 10 + value;
      low_digits += low != 0 ? 1 : 0;
      units = low;
      return;
    }
    overflow = overflow || units > Amount::Max().units() / 10;
    units = units * 10 + value;
    overflow = overflow || units > Amount::Max().units();
  };
  size_t i = 0;
  while (i < text.size() && IsDigit(text[i])) append(text[i++]);
  const bool whole = i > 0;
  int places = 0;
  if (decimal && whole && i < text.size() && text[i] == '.') {
    const size_t point = i++;
    for (; i < text.size() && IsDigit(text[i]); ++i) {
      if (places < scale) {
        append(text[i]);
        ++places;
      } else if (text[i] != '0') {
        return fail(absl::StrCat("more than ", scale, " digits after the point"));
      }
    }
    if (i == point + 1) return fail("not a decimal amount");
  }
  if (!whole || i != text.size()) return fail(decimal ? "not a decimal amount" : "not whole minor units");
  if (decimal) {
    for (; places < scale; ++places) append('0');
  }
  if (overflow) return fail("more than 2^127-1 minor units");
  return negative ? -static_cast<absl::int128>(units) : static_cast<absl::int128>(units);
}

std::optional<absl::CivilDay> ParseLegacyDay(std::string_view text) {
  Text rest(text);
  absl::CivilDay day;
  if (!rest.Date(day) || !rest.AtEnd()) return std::nullopt;
  return day;
}

void AppendDay(std::string& out, absl::CivilDay day) {
  const auto digits = [&out](int64_t value, int64_t power) {
    for (; power > 0; power /= 10) out.push_back(static_cast<char>('0' + value / power % 10));
  };
  digits(day.year(), 1000);
  out.push_back('-');
  digits(day.month(), 10);
  out.push_back('-');
  digits(day.day(), 10);
}

std::optional<absl::Time> ParseLegacyMoment(std::string_view text) {
  Text rest(text);
  absl::CivilDay day;
  int hour, minute, second, offset;
  int nanos = 0;
  if (!rest.Date(day) || !rest.Next("Tt ")) return std::nullopt;
  if (!rest.Number(2, hour) || !rest.Next(':') || !rest.Number(2, minute) || !rest.Next(':') || !rest.Number(2, second))
    return std::nullopt;
  if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
  if (rest.Next('.') && !rest.Nanos(nanos)) return std::nullopt;
  if (!rest.Offset(offset)) return std::nullopt;
  const int64_t days = day - absl::CivilDay(1970, 1, 1);
  return absl::FromUnixSeconds(days * 86'400 + hour * 3600 + minute * 60 + second - offset) + absl::Nanoseconds(nanos);
}

}  // namespace northwind::internal

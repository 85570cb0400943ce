// SPDX-License-Identifier: Apache-2.0
#include "src/http/retry_after.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/time/civil_time.h"

namespace northwind::internal::http {
namespace {

constexpr std::string_view kDays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::string_view kLongDays[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes a text apart from its front. Every step is false, and so is all of it, once something does not match.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return rest_.empty(); }
  bool Literal(std::string_view text) {
    if (rest_.substr(0, text.size()) != text) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  bool Digits(size_t count, int& value) {
    if (rest_.size() < count) return false;
    value = 0;
    for (size_t i = 0; i < count; ++i) {
      if (!IsDigit(rest_[i])) return false;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return true;
  }
  // One of the names; its place among them, from 0.
  template <size_t kCount>
  bool Name(const std::string_view (&names)[kCount], int& place) {
    for (size_t i = 0; i < kCount; ++i) {
      if (!Literal(names[i])) continue;
      place = static_cast<int>(i);
      return true;
    }
    return false;
  }
  // hh:mm:ss
  bool TimeOfDay(int& hour, int& minute, int& second) {
    return Digits(2, hour) && Literal(":") && Digits(2, minute) && Literal(":") && Digits(2, second) && hour <= 23 &&
           minute <= 59 && second <= 60;
  }

 private:
  std::string_view rest_;
};

struct Date {
  int year = 0;
  int month = 0;  // from 0
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

bool ParseImfFixdate(std::string_view text, Date& date) {
  Scanner scan(text);
  int weekday;
  return scan.Name(kDays, weekday) && scan.Literal(", ") && scan.Digits(2, date.day) && scan.Literal(" ") &&
         scan.Name(kMonths, date.month) && scan.Literal(" ") && scan.Digits(4, date.year) && scan.Literal(" ") &&
         scan.TimeOfDay(date.hour, date.minute, date.second) && scan.Literal(" GMT") && scan.AtEnd();
}

// Leaves a year of two digits.
bool ParseRfc850(std::string_view text, Date& date) {
  Scanner scan(text);
  int weekday;
  return scan.Name(kLongDays, weekday) && scan.Literal(", ") && scan.Digits(2, date.day) && scan.Literal("-") &&
         scan.Name(kMonths, date.month) && scan.Literal("-") && scan.Digits(2, date.year) && scan.Literal(" ") &&
         scan.TimeOfDay(date.hour, date.minute, date.second) && scan.Literal(" GMT") && scan.AtEnd();
}

bool ParseAsctime(std::string_view text, Date& date) {
  Scanner scan(text);
  int weekday;
  return scan.Name(kDays, weekday) && scan.Literal(" ") && scan.Name(kMonths, date.month) && scan.Literal(" ") &&
         (scan.Literal(" ") ? scan.Digits(1, date.day) : scan.Digits(2, date.day)) && scan.Literal(" ") &&
         scan.TimeOfDay(date.hour, date.minute, date.second) && scan.Literal(" ") && scan.Digits(4, date.year) &&
         scan.AtEnd();
}

std::optional<absl::Time> ToTime(const Date& date) {
  // CivilSecond carries 31 February over into March; a date that it changes is none. The leap second is to be carried.
  const absl::CivilDay day(date.year, date.month + 1, date.day);
  if (day.month() != date.month + 1 || day.day() != date.day) return std::nullopt;
  return absl::FromCivil(absl::CivilSecond(day) + date.hour * 3600 + date.minute * 60 + date.second,
                         absl::UTCTimeZone());
}

std::string_view TrimSpace(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

std::optional<absl::Time> ParseHttpDate(std::string_view text, absl::Time now) {
  Date date;
  if (ParseImfFixdate(text, date) || ParseAsctime(text, date)) return ToTime(date);
  if (!ParseRfc850(text, date)) return std::nullopt;
  const absl::CivilSecond civil_now = absl::ToCivilSecond(now, absl::UTCTimeZone());
  const auto latest = static_cast<int>(std::clamp<int64_t>(civil_now.year(), 1900, 9900)) + 50;
  // The last year of these digits up to the one in 50 years, which only partly lies within 50 years.
  date.year = latest - (latest - date.year) % 100;
  const absl::CivilSecond limit(latest, civil_now.month(), civil_now.day(), civil_now.hour(), civil_now.minute(),
                                civil_now.second());
  std::optional<absl::Time> time = ToTime(date);
  if (time && absl::ToCivilSecond(*time, absl::UTCTimeZone()) > limit) {
    date.year -= 100;
    time = ToTime(date);
  }
  return time;
}

std::optional<absl::Duration> ParseRetryAfter(std::string_view value, absl::Time now) {
  value = TrimSpace(value);
  if (!value.empty() && std::all_of(value.begin(), value.end(), IsDigit)) {
    int64_t seconds = 0;
    for (const char c : value) seconds = std::min<int64_t>(seconds * 10 + (c - '0'), kMaxRetryAfter / absl::Seconds(1));
    return absl::Seconds(seconds);
  }
  const std::optional<absl::Time> date = ParseHttpDate(value, now);
  if (!date) return std::nullopt;
  return std::clamp(*date - now, absl::ZeroDuration(), kMaxRetryAfter);
}

}  // namespace northwind::internal::http

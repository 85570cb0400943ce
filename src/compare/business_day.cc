// SPDX-License-Identifier: Apache-2.0
#include "src/compare/business_day.h"

#include <algorithm>
#include <string>

#include "src/base/error.h"
#include "src/settlement/event_text.h"

namespace northwind::internal {
namespace {

// As IANA names are: the library would also take paths, and names for the machine's own zone.
bool IsZoneName(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name == "localtime") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == '+';
  });
}

}  // namespace

absl::StatusOr<BusinessDays> BusinessDays::Make(std::string_view time_zone, absl::Duration begins) {
  absl::TimeZone zone;
  if (!IsZoneName(time_zone) || !absl::LoadTimeZone(std::string(time_zone), &zone)) {
    return Error(absl::StatusCode::kInvalidArgument, "time_zone: not known: '", Printable(time_zone), "'");
  }
  if (begins < absl::Hours(-12) || begins > absl::Hours(12)) {
    return Error(absl::StatusCode::kInvalidArgument, "day_begins: must be -12 to 12 hours after midnight, not ",
                 absl::FormatDuration(begins));
  }
  if (begins % absl::Minutes(1) != absl::ZeroDuration()) {
    return Error(absl::StatusCode::kInvalidArgument, "day_begins: must be whole minutes, not ",
                 absl::FormatDuration(begins));
  }
  return BusinessDays(zone, absl::ToInt64Minutes(begins));
}

absl::Time BusinessDays::BeginOf(absl::CivilDay day) const {
  const absl::TimeZone::TimeInfo info = zone_.At(absl::CivilSecond(day) + begins_minutes_ * 60);
  // Where clocks are put back over it, the day begins when they first show it; where they are put forward past it, then.
  return info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
}

absl::CivilDay BusinessDays::DayOf(absl::Time at) const {
  absl::CivilDay day(zone_.At(at).cs - begins_minutes_ * 60);
  // The wall clock shows some times twice, and some never: which day it is follows from when days begin.
  while (at < BeginOf(day)) --day;
  while (at >= EndOf(day)) ++day;
  return day;
}

int BusinessDays::HourOf(absl::Time at) const { return zone_.At(at).cs.hour(); }

absl::Duration BusinessDays::Distance(absl::Time at, absl::CivilDay day) const {
  if (const absl::Time begin = BeginOf(day); at < begin) return begin - at;
  // The end itself is outside: never zero.
  if (const absl::Time end = EndOf(day); at >= end) return std::max(at - end, absl::Nanoseconds(1));
  return absl::ZeroDuration();
}

}  // namespace northwind::internal

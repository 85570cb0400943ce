// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_BUSINESS_DAY_H_
#define NORTHWIND_SRC_COMPARE_BUSINESS_DAY_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace northwind::internal {

// Days as the batch counts them: of a time zone, each beginning so long after (or before) midnight on the wall clock there. A value;
// thread-compatible.
class BusinessDays {
 public:
  // InvalidArgument for a zone that is not known, or a beginning outside −12 h … 12 h or not of whole minutes.
  static absl::StatusOr<BusinessDays> Make(std::string_view time_zone, absl::Duration begins);

  absl::CivilDay DayOf(absl::Time at) const;
  int HourOf(absl::Time at) const;  // 0 … 23, on the wall clock there
  absl::Time BeginOf(absl::CivilDay day) const;
  absl::Time EndOf(absl::CivilDay day) const { return BeginOf(day + 1); }
  // How far outside the day it is; zero inside.
  absl::Duration Distance(absl::Time at, absl::CivilDay day) const;

 private:
  BusinessDays(absl::TimeZone zone, int64_t begins_minutes) : zone_(zone), begins_minutes_(begins_minutes) {}

  absl::TimeZone zone_;
  int64_t begins_minutes_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_COMPARE_BUSINESS_DAY_H_

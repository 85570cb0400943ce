// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_TERMS_H_
#define NORTHWIND_SRC_COMPARE_TERMS_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/compare.h"
#include "src/compare/business_day.h"
#include "src/compare/item.h"

namespace northwind::internal::compare {

// What of a row is compared, and when it happened: what the mapping says beyond how text is read. A value.
struct Terms {
  static absl::StatusOr<Terms> Of(const LegacyMapping& mapping) {
    absl::StatusOr<BusinessDays> days = BusinessDays::Make(mapping.time_zone, mapping.day_begins);
    if (!days.ok()) return days.status();
    return Terms{.days = *std::move(days),
                 .tolerance = mapping.time_tolerance,
                 .fees = !mapping.fee.empty(),
                 .statuses = !mapping.status.empty(),
                 .moments = !mapping.at.empty()};
  }

  BusinessDays days;
  absl::Duration tolerance;
  bool fees = false;      // are compared
  bool statuses = false;  // likewise
  bool moments = false;   // rows of theirs have them; else all rows of a day are of hour 0

  int HourOf(absl::Time at) const { return moments ? days.HourOf(at) : 0; }
  // Our row as it is compared.
  SettledRow RowOf(const Item& item, const OurKept& ours) const {
    SettledRow row{.leg = item.leg,
                   .id = item.id,
                   .merchant_id = ours.merchant_id,
                   .asset = ours.asset,
                   .units = ours.units,
                   .day = ours.day,
                   .at = ours.at};
    if (fees) row.fee = ours.fee;
    if (statuses) row.status = ours.status;
    return row;
  }
};

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_TERMS_H_

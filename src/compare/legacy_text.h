// SPDX-License-Identifier: Apache-2.0
//
// The small texts in rows of a batch system: amounts, days, moments. Each reader takes what its comment says, no more.
#ifndef NORTHWIND_SRC_COMPARE_LEGACY_TEXT_H_
#define NORTHWIND_SRC_COMPARE_LEGACY_TEXT_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "northwind/compare.h"

namespace northwind::internal {

// A magnitude of at most 2^127−1, after a '-' if it is negative. kDecimal: digits, and perhaps a point and more digits, of which those
// beyond `scale` are zeros. kMinorUnits: digits. No '+', blanks, exponent or grouping. The message of the error says what is wrong.
absl::StatusOr<absl::int128> ParseLegacyUnits(std::string_view text, LegacyAmountForm form, int scale);

// "2026-03-01". Of years 2000 to 2199, as moments: outside of them lies no event, only marks for "never" and "always".
std::optional<absl::CivilDay> ParseLegacyDay(std::string_view text);
// The same, of years 0–9999.
void AppendDay(std::string& out, absl::CivilDay day);

// RFC 3339 ("2026-03-01T12:00:00.25Z", "2026-03-01t13:00:00+01:00") or as PostgreSQL writes timestamptz
// ("2026-03-01 12:00:00.123+00", "…+05:30", "…-00:01:15"): with an offset always, to nanoseconds, no leap second.
std::optional<absl::Time> ParseLegacyMoment(std::string_view text);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_COMPARE_LEGACY_TEXT_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_HTTP_RETRY_AFTER_H_
#define NORTHWIND_SRC_HTTP_RETRY_AFTER_H_

#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace northwind::internal::http {

// A longer wait is cut to this.
inline constexpr absl::Duration kMaxRetryAfter = absl::Hours(24 * 30);

// How long a Retry-After header (RFC 9110 10.2.3) asks to wait from `now` on: 0 … kMaxRetryAfter. Takes delta-seconds of any
// length and all three forms of HTTP-date (5.6.7); a date gone by is no wait. Nothing, if it is anything else. Pure, and
// safe on any bytes.
std::optional<absl::Duration> ParseRetryAfter(std::string_view value, absl::Time now);

// An HTTP-date (RFC 9110 5.6.7) by itself:
//   Sun, 06 Nov 1994 08:49:37 GMT    IMF-fixdate
//   Sunday, 06-Nov-94 08:49:37 GMT   RFC 850: its year is the one within 50 years after `now`, or else the last one gone by
//   Sun Nov  6 08:49:37 1994         asctime
// The weekday must be one, but is not compared with the date. A leap second is the second after it.
std::optional<absl::Time> ParseHttpDate(std::string_view text, absl::Time now);

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_RETRY_AFTER_H_

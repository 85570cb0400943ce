// SPDX-License-Identifier: Apache-2.0
//
// Retry-After, as any server may send it: a wait within bounds, or nothing.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "northwind/status.h"
#include "src/http/retry_after.h"

namespace http = northwind::internal::http;

// First byte: when, in steps of a year around 1970. The rest: the value.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::Time now = absl::UnixEpoch() + absl::Hours(8766) * static_cast<int8_t>(data[0]);
  const std::string_view value(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (const auto wait = http::ParseRetryAfter(value, now)) {
    NW_CHECK(*wait >= absl::ZeroDuration() && *wait <= http::kMaxRetryAfter, "a wait out of bounds");
  }
  if (const auto date = http::ParseHttpDate(value, now)) {
    NW_CHECK(
        http::ParseHttpDate(absl::FormatTime("%a, %d %b %E4Y %H:%M:%S GMT", *date, absl::UTCTimeZone()), now) == date,
        "a date does not survive its own text");
  }
  return 0;
}

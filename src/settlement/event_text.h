// SPDX-License-Identifier: Apache-2.0
//
// The small texts inside an event: identifiers, times, amounts, UTF-8. Each reader accepts one spelling only.
#ifndef NORTHWIND_SRC_SETTLEMENT_EVENT_TEXT_H_
#define NORTHWIND_SRC_SETTLEMENT_EVENT_TEXT_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "northwind/amount.h"

namespace northwind::internal {

// All of A–Z a–z 0–9 . _ - and, if asked for, ':'.
enum class Colon { kRefused, kAllowed };
bool IsIdText(std::string_view text, Colon colon);

// Well-formed UTF-8: no overlong forms, surrogates, or code points past U+10FFFF.
bool IsUtf8(std::string_view text);

// "2024-03-01T12:00:00Z", with 1 to 9 more digits after a point if wanted. UTC only, no leap second.
std::optional<absl::Time> ParseTimestamp(std::string_view text);
// The shortest of 0, 3, 6 or 9 digits that holds the time, as proto3 JSON prints it. Years 0–9999.
void AppendTimestamp(std::string& out, absl::Time time);

// Decimal digits without sign or leading zeros, at most Amount::Max(); nothing for any other text.
std::optional<Amount> ParseUnits(std::string_view text);

// At most 64 bytes of hostile text, safe to print.
std::string Printable(std::string_view text);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_EVENT_TEXT_H_

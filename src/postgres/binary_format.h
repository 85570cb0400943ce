// SPDX-License-Identifier: Apache-2.0
//
// Values in the binary format of PostgreSQL, each as a field: its length as a big-endian 32-bit number, then its bytes; NULL is the
// length −1. So they stand in the rows of COPY, and so in arrays.
#ifndef NORTHWIND_SRC_POSTGRES_BINARY_FORMAT_H_
#define NORTHWIND_SRC_POSTGRES_BINARY_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/numeric/int128.h"
#include "absl/time/time.h"

namespace northwind::internal::postgres {

void PutNull(std::string& out);
void PutBool(std::string& out, bool value);
void PutInt4(std::string& out, int32_t value);
void PutInt8(std::string& out, int64_t value);
// text, bytea and uuid: the bytes as they are.
void PutBytes(std::string& out, std::string_view bytes);
// numeric with scale 0, in the one form that the server itself sends (src/backend/utils/adt/numeric.c, numeric_send):
//
//   numeric := i16 digits  i16 weight  i16 sign (0, or 0x4000 if negative)  i16 scale (0)  digits × i16
//
// Digits are of base 10,000, the first of them times 10,000^weight, with no zeros at either end. Zero has none, and the weight 0.
void PutNumeric(std::string& out, absl::int128 value);
// The bytes of such a field, without its length. Nothing for what is none, or does not fit.
std::optional<absl::int128> ParseNumeric(std::string_view bytes);
// Any numeric as decimal text.
std::string NumericText(std::string_view bytes);
// timestamptz: microseconds since 2000-01-01 UTC, rounded down.
void PutTimestamp(std::string& out, absl::Time at);

// Text for a column of type text, which takes neither every byte nor NUL: what is no UTF-8, NUL and the backslash itself as a backslash
// and three octal digits, as bytea's escape format has it; all else as it is. Different bytes give different texts.
std::string EscapeText(std::string_view bytes);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_BINARY_FORMAT_H_

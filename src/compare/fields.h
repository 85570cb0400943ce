// SPDX-License-Identifier: Apache-2.0
//
// The small pieces that the records of the parallel run are made of:
//
//   asset       = bytes(code) u8(scale)
//   int128      = varint128, zigzag
//   day         = zigzag(days since 1970-01-01)
//   time        = u8(0) past, u8(1) future, or u8(2) zigzag(nanoseconds since 1970)
//   count & sum = varint(count) int128(sum)
#ifndef NORTHWIND_SRC_COMPARE_FIELDS_H_
#define NORTHWIND_SRC_COMPARE_FIELDS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/numeric/int128.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "northwind/compare.h"
#include "src/base/coding.h"

namespace northwind::internal::compare {

void PutAsset(std::string& out, const Asset& asset);
bool GetAsset(ByteReader& in, Asset& asset);
void PutInt128(std::string& out, absl::int128 v);
bool GetInt128(ByteReader& in, absl::int128& v);
void PutDayField(std::string& out, absl::CivilDay day);
bool GetDayField(ByteReader& in, absl::CivilDay& day);
void PutTime(std::string& out, absl::Time time);
bool GetTime(ByteReader& in, absl::Time& time);
void PutCount(std::string& out, const CountAndSum& count);
bool GetCount(ByteReader& in, CountAndSum& count);
// Length-prefixed text of at most `max` bytes.
bool GetText(ByteReader& in, size_t max, std::string& text);
bool GetFlag(ByteReader& in, bool& flag);
void PutByte(std::string& out, uint8_t byte);
// A dense enumeration from 1 to `last`.
template <typename Enum>
bool GetEnum(ByteReader& in, Enum last, Enum& value) {
  uint8_t byte;
  if (!in.GetByte(byte)) return false;
  if (byte < 1 || byte > static_cast<uint8_t>(last)) return in.Fail();
  value = static_cast<Enum>(byte);
  return true;
}

// Sums wrap where they would overflow: on both sides of every comparison alike.
absl::int128 AddWrapping(absl::int128 a, absl::int128 b);
absl::uint128 Magnitude(absl::int128 units);
void Add(CountAndSum& to, const CountAndSum& what);
void Subtract(CountAndSum& from, const CountAndSum& what);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_FIELDS_H_

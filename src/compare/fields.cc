// SPDX-License-Identifier: Apache-2.0
#include "src/compare/fields.h"

#include "src/compare/keys.h"

namespace northwind::internal::compare {

void PutByte(std::string& out, uint8_t byte) { out.push_back(static_cast<char>(byte)); }

void PutAsset(std::string& out, const Asset& asset) {
  PutBytes(out, asset.code);
  PutByte(out, static_cast<uint8_t>(asset.scale));
}
bool GetAsset(ByteReader& in, Asset& asset) {
  uint8_t scale;
  if (!GetText(in, 16, asset.code) || !in.GetByte(scale)) return false;
  if (scale > kMaxScale) return in.Fail();
  asset.scale = scale;
  return true;
}

void PutInt128(std::string& out, absl::int128 v) { PutVarint128(out, ZigZag128(v)); }
bool GetInt128(ByteReader& in, absl::int128& v) {
  absl::uint128 raw;
  if (!in.GetVarint128(raw)) return false;
  v = UnZigZag128(raw);
  return true;
}

void PutDayField(std::string& out, absl::CivilDay day) { PutVarint64(out, ZigZag(DayNumber(day))); }
bool GetDayField(ByteReader& in, absl::CivilDay& day) {
  int64_t number;
  if (!in.GetZigZag(number)) return false;
  if (number < INT32_MIN || number > INT32_MAX) return in.Fail();
  day = DayOfNumber(static_cast<int32_t>(number));
  return true;
}

void PutTime(std::string& out, absl::Time time) {
  if (time == absl::InfinitePast()) return PutByte(out, 0);
  if (time == absl::InfiniteFuture()) return PutByte(out, 1);
  PutByte(out, 2);
  PutVarint64(out, ZigZag(absl::ToUnixNanos(time)));
}
bool GetTime(ByteReader& in, absl::Time& time) {
  uint8_t kind;
  int64_t nanos;
  if (!in.GetByte(kind)) return false;
  if (kind > 2) return in.Fail();
  if (kind == 2 && !in.GetZigZag(nanos)) return false;
  time = kind == 0 ? absl::InfinitePast() : kind == 1 ? absl::InfiniteFuture() : absl::FromUnixNanos(nanos);
  return true;
}

void PutCount(std::string& out, const CountAndSum& count) {
  PutVarint64(out, count.count);
  PutInt128(out, count.sum);
}
bool GetCount(ByteReader& in, CountAndSum& count) { return in.GetVarint64(count.count) && GetInt128(in, count.sum); }

bool GetText(ByteReader& in, size_t max, std::string& text) {
  std::string_view bytes;
  if (!in.GetBytes(max, bytes)) return false;
  text = bytes;
  return true;
}

bool GetFlag(ByteReader& in, bool& flag) {
  uint8_t byte;
  if (!in.GetByte(byte)) return false;
  if (byte > 1) return in.Fail();
  flag = byte == 1;
  return true;
}

absl::int128 AddWrapping(absl::int128 a, absl::int128 b) {
  return static_cast<absl::int128>(static_cast<absl::uint128>(a) + static_cast<absl::uint128>(b));
}
absl::uint128 Magnitude(absl::int128 units) {
  const absl::uint128 raw = static_cast<absl::uint128>(units);
  return units < 0 ? absl::uint128(0) - raw : raw;
}
void Add(CountAndSum& to, const CountAndSum& what) {
  to.count += what.count;
  to.sum = AddWrapping(to.sum, what.sum);
}
void Subtract(CountAndSum& from, const CountAndSum& what) {
  from.count -= what.count;
  from.sum = static_cast<absl::int128>(static_cast<absl::uint128>(from.sum) - static_cast<absl::uint128>(what.sum));
}

}  // namespace northwind::internal::compare

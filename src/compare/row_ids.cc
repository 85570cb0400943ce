// SPDX-License-Identifier: Apache-2.0
#include "src/compare/row_ids.h"

#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/fields.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::compare {
namespace {

constexpr size_t kFingerprintBytes = 8;
constexpr size_t kMaxText = 1 << 16;

bool GetRowPlace(ByteReader& in, RowPlace& place) {
  if (!GetText(in, kMaxText, place.name)) return false;
  if (in.AtEnd()) return true;
  DroppedRow& dropped = place.dropped.emplace();
  uint8_t hour;
  std::string_view fingerprint;
  if (!GetDayField(in, dropped.place.day) || !GetText(in, kMaxText, dropped.place.merchant_id) || !in.GetByte(hour) ||
      !GetAsset(in, dropped.asset) || !GetInt128(in, dropped.units) || !in.GetRaw(kFingerprintBytes, fingerprint)) {
    return false;
  }
  dropped.place.hour = hour;
  dropped.fingerprint = fingerprint;
  return hour <= 23 && in.AtEnd();
}

}  // namespace

std::string EncodeRowPlace(const RowPlace& place) {
  std::string out;
  PutBytes(out, place.name);
  if (!place.dropped) return out;
  PutDayField(out, place.dropped->place.day);
  PutBytes(out, place.dropped->place.merchant_id);
  PutByte(out, static_cast<uint8_t>(place.dropped->place.hour));
  PutAsset(out, place.dropped->asset);
  PutInt128(out, place.dropped->units);
  return out.append(place.dropped->fingerprint);
}

absl::StatusOr<RowPlace> DecodeRowPlace(std::string_view key, std::string_view bytes) {
  ByteReader in(bytes);
  RowPlace place;
  if (!GetRowPlace(in, place)) {
    return Error(absl::StatusCode::kDataLoss, "compare: where a row is kept is damaged: ", Printable(key));
  }
  return place;
}

std::string RowFingerprint(uint32_t columns, const RawRow& raw) {
  std::string text;
  PutVarint64(text, columns);
  for (const std::optional<std::string>& field : raw) {
    PutByte(text, field ? 1 : 0);
    if (field) PutBytes(text, *field);
  }
  return std::string(AsBytes(Sha256::Of(text)).substr(0, kFingerprintBytes));
}

}  // namespace northwind::internal::compare

// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/state_codec.h"

#include <cstring>
#include <limits>

#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"

namespace northwind::internal {
namespace {

constexpr uint64_t kLatest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

bool GetAmount(ByteReader& in, Amount& amount) {
  absl::uint128 units;
  if (!in.GetVarint128(units)) return false;
  if (units > Amount::Max().units()) return in.Fail();
  amount = *Amount::FromUnits(units);
  return true;
}

bool GetTotal(ByteReader& in, absl::uint128& total) {
  return in.GetVarint128(total) && (total <= Amount::Max().units() || in.Fail());
}

bool GetAccountId(ByteReader& in, AccountId& id) {
  uint32_t value;
  if (!in.GetVarint(value)) return false;
  id = AccountId(value);
  return true;
}

bool GetTime(ByteReader& in, int64_t& time) {
  uint64_t raw;
  if (!in.GetBigEndian64(raw)) return false;
  time = static_cast<int64_t>(raw);
  return raw <= kLatest || in.Fail();
}

bool GetText(ByteReader& in, size_t max, std::string& text) {
  std::string_view bytes;
  if (!in.GetBytes(max, bytes)) return false;
  text.assign(bytes);
  return true;
}

absl::Status Finish(const ByteReader& in, const char* what) {
  if (in.ok() && in.AtEnd()) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, "malformed ", what, " in a checkpoint");
}

}  // namespace

std::string AccountKey(AccountId id, char suffix) {
  std::string key;
  PutBigEndian32(key, id.value());
  key.push_back(suffix);
  return key;
}

void EncodeAttributes(const AccountAttributes& attributes, std::string& out) {
  PutBytes(out, attributes.spec.name);
  PutBytes(out, attributes.spec.asset);
  out.push_back(attributes.spec.external ? 1 : 0);
  out.push_back(static_cast<char>(attributes.state));
  PutVarint128(out, ZigZag128(attributes.min_available));
  PutVarint128(out, ZigZag128(attributes.spec.min_available));
}

absl::Status DecodeAttributes(std::string_view bytes, AccountAttributes& attributes) {
  ByteReader in(bytes);
  uint8_t external = 0, state = 0;
  absl::uint128 now = 0, opened = 0;
  if (GetText(in, kMaxAccountNameBytes, attributes.spec.name) && GetText(in, 32, attributes.spec.asset) &&
      in.GetByte(external) && in.GetByte(state) && in.GetVarint128(now) && in.GetVarint128(opened) &&
      (external > 1 || state < 1 || state > 3)) {
    in.Fail();
  }
  attributes.spec.external = external == 1;
  attributes.state = static_cast<AccountState>(state);
  attributes.min_available = UnZigZag128(now);
  attributes.spec.min_available = UnZigZag128(opened);
  return Finish(in, "account");
}

void EncodeTotals(const Totals& totals, std::string& out) {
  PutVarint128(out, totals.debits_posted);
  PutVarint128(out, totals.credits_posted);
  PutVarint128(out, totals.debits_held);
  PutVarint128(out, totals.credits_held);
}

absl::Status DecodeTotals(std::string_view bytes, Totals& totals) {
  ByteReader in(bytes);
  static_cast<void>(GetTotal(in, totals.debits_posted) && GetTotal(in, totals.credits_posted) &&
                    GetTotal(in, totals.debits_held) && GetTotal(in, totals.credits_held));
  return Finish(in, "balance");
}

void EncodeHold(const HoldRow& hold, std::string& out) {
  PutVarint64(out, hold.placed.debit.value());
  PutVarint64(out, hold.placed.credit.value());
  PutVarint128(out, hold.placed.amount.units());
  PutVarint128(out, hold.remaining.units());
  PutBigEndian64(out, static_cast<uint64_t>(hold.expires_at));
  PutVarint64(out, hold.code);
}

absl::Status DecodeHold(std::string_view bytes, HoldRow& hold) {
  ByteReader in(bytes);
  if (GetAccountId(in, hold.placed.debit) && GetAccountId(in, hold.placed.credit) &&
      GetAmount(in, hold.placed.amount) && GetAmount(in, hold.remaining) && GetTime(in, hold.expires_at) &&
      in.GetVarint(hold.code) && (hold.remaining > hold.placed.amount || hold.remaining.is_zero())) {
    in.Fail();
  }
  return Finish(in, "hold");
}

void EncodeWatermark(const Watermark& watermark, std::string& out) {
  PutBigEndian64(out, watermark.head.sequence.value());
  out.append(AsBytes(watermark.head.hash));
  PutBigEndian64(out, static_cast<uint64_t>(watermark.recorded_at));
  PutBigEndian64(out, watermark.last_time_sample);
}

absl::Status DecodeWatermark(std::string_view bytes, Watermark& watermark) {
  ByteReader in(bytes);
  uint64_t sequence = 0;
  std::string_view hash;
  if (in.GetBigEndian64(sequence) && in.GetRaw(watermark.head.hash.size(), hash) &&
      GetTime(in, watermark.recorded_at)) {
    in.GetBigEndian64(watermark.last_time_sample);
    watermark.head.sequence = Sequence(sequence);
    std::memcpy(watermark.head.hash.data(), hash.data(), hash.size());
  }
  return Finish(in, "watermark");
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/payout_record.h"

#include <utility>

#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/settlement/event_text.h"

namespace northwind {

std::string_view Name(RailState state) {
  switch (state) {
    case RailState::kPaid:
      return "paid";
    case RailState::kPending:
      return "pending";
    case RailState::kFailed:
      return "failed";
    case RailState::kUnknown:
      return "unknown";
    case RailState::kNotFound:
      return "not found";
    case RailState::kWithheld:
      return "withheld";
  }
  return "unknown";
}

std::string_view Name(PayoutState state) {
  switch (state) {
    case PayoutState::kRejected:
      return "rejected";
    case PayoutState::kRequested:
      return "requested";
    case PayoutState::kSubmitted:
      return "submitted";
    case PayoutState::kPaid:
      return "paid";
    case PayoutState::kFailed:
      return "failed";
    case PayoutState::kCanceled:
      return "canceled";
    case PayoutState::kReturned:
      return "returned";
  }
  return "unknown";
}

namespace internal {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kTaskPrefix = "nw/payout/";

absl::Status Damaged(const char* what, std::string_view payout_id) {
  return Error(absl::StatusCode::kDataLoss, "payout ", Printable(payout_id), ": its ", what, " is damaged");
}

bool GetTime(ByteReader& in, int64_t& nanos) {
  uint64_t raw = 0;
  if (!in.GetBigEndian64(raw)) return false;
  nanos = static_cast<int64_t>(raw);
  return true;
}

bool GetAmount(ByteReader& in, Amount& amount) {
  absl::uint128 units = 0;
  if (!in.GetVarint128(units)) return false;
  const absl::StatusOr<Amount> checked = Amount::FromUnits(units);
  if (!checked.ok()) return in.Fail();
  amount = *checked;
  return true;
}

bool GetKey(ByteReader& in, IdempotencyKey& key) {
  std::string_view bytes;
  if (!in.GetRaw(IdempotencyKey::kSize, bytes)) return false;
  key = *IdempotencyKey::FromBytes(bytes);
  return true;
}

bool GetText(ByteReader& in, size_t max, std::string& text) {
  std::string_view bytes;
  if (!in.GetBytes(max, bytes)) return false;
  text = bytes;
  return true;
}

std::string Key(std::string_view prefix, std::string_view rest) { return std::string(prefix).append(rest); }

}  // namespace

std::string PayoutTaskId(std::string_view payout_id) { return Key(kTaskPrefix, payout_id); }
std::string_view PayoutIdOfTask(std::string_view task_id) {
  if (!task_id.starts_with(kTaskPrefix)) return {};
  task_id.remove_prefix(kTaskPrefix.size());
  return task_id.size() <= kMaxEventIdBytes && IsIdText(task_id, Colon::kAllowed) ? task_id : std::string_view();
}
std::string PayoutViewKey(std::string_view payout_id) { return Key("nw/payout/view/", payout_id); }
std::string PayoutRailKey(std::string_view payout_id) { return Key("nw/payout/rail/", payout_id); }
std::string PayoutListPrefix(std::string_view merchant) { return Key("nw/payout/list/", merchant).append("/"); }

std::string PayoutListKey(std::string_view merchant, int64_t requested_at, std::string_view payout_id) {
  std::string key = PayoutListPrefix(merchant);
  PutBigEndian64(key, static_cast<uint64_t>(requested_at));
  return key.append(payout_id);
}

std::string EncodePayoutView(const PayoutView& view) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  out.push_back(static_cast<char>(view.state));
  PutBytes(out, view.merchant);
  PutBytes(out, view.asset);
  PutVarint128(out, view.amount.units());
  out.append(view.key.bytes());
  PutBigEndian64(out, static_cast<uint64_t>(view.requested_at));
  PutBigEndian64(out, static_cast<uint64_t>(view.settled_at));
  PutVarint64(out, static_cast<uint64_t>(view.reason));
  return out;
}

absl::StatusOr<PayoutView> DecodePayoutView(std::string_view payout_id, std::string_view bytes) {
  ByteReader in(bytes);
  PayoutView view;
  uint8_t version = 0, state = 0, reason = 0;
  if (!in.GetByte(version) || version != kVersion || !in.GetByte(state) || state < 1 ||
      state > static_cast<uint8_t>(PayoutState::kReturned) || !GetText(in, kMaxEventIdBytes, view.merchant) ||
      !GetText(in, kMaxAccountNameBytes, view.asset) || !GetAmount(in, view.amount) || !GetKey(in, view.key) ||
      !GetTime(in, view.requested_at) || !GetTime(in, view.settled_at) || !in.GetVarint(reason) || !in.AtEnd()) {
    return Damaged("view", payout_id);
  }
  view.state = static_cast<PayoutState>(state);
  view.reason = static_cast<Reason>(reason);
  return view;
}

void PayoutRailRecord::Add(RailAttempt attempt) {
  if (attempts.size() == kMaxRailAttempts) attempts.erase(attempts.begin());
  attempts.push_back(std::move(attempt));
}

std::string EncodePayoutRail(const PayoutRailRecord& record) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  out.push_back(record.submitted ? 1 : 0);
  PutVarint64(out, record.submits);
  PutVarint64(out, record.queries);
  PutBytes(out, record.attention);
  PutVarint64(out, record.attempts.size());
  for (const RailAttempt& attempt : record.attempts) {
    PutBigEndian64(out, static_cast<uint64_t>(absl::ToUnixNanos(attempt.at)));
    out.push_back(static_cast<char>(attempt.call));
    out.push_back(static_cast<char>(attempt.answer));
    PutBytes(out, attempt.reason);
  }
  return out;
}

absl::StatusOr<PayoutRailRecord> DecodePayoutRail(std::string_view payout_id, std::string_view bytes) {
  ByteReader in(bytes);
  PayoutRailRecord record;
  uint8_t version = 0, submitted = 0;
  uint64_t count = 0;
  if (!in.GetByte(version) || version != kVersion || !in.GetByte(submitted) || submitted > 1 ||
      !in.GetVarint(record.submits) || !in.GetVarint(record.queries) ||
      !GetText(in, kMaxTaskErrorBytes, record.attention) || !in.GetVarint64(count) || count > kMaxRailAttempts) {
    return Damaged("rail record", payout_id);
  }
  record.submitted = submitted != 0;
  for (uint64_t i = 0; i < count; ++i) {
    RailAttempt attempt;
    int64_t at = 0;
    uint8_t call = 0, answer = 0;
    if (!GetTime(in, at) || !in.GetByte(call) || call < 1 || call > 2 || !in.GetByte(answer) || answer < 1 ||
        answer > static_cast<uint8_t>(RailState::kWithheld) || !GetText(in, kMaxTaskErrorBytes, attempt.reason)) {
      return Damaged("rail record", payout_id);
    }
    attempt.at = absl::FromUnixNanos(at);
    attempt.call = static_cast<RailAttempt::Call>(call);
    attempt.answer = static_cast<RailState>(answer);
    record.attempts.push_back(std::move(attempt));
  }
  if (!in.AtEnd()) return Damaged("rail record", payout_id);
  return record;
}

std::string EncodeInstruction(const PayoutInstruction& payout, const IdempotencyKey& key) {
  std::string out;
  PutBytes(out, payout.payout_id);
  PutBytes(out, payout.merchant_id);
  PutBytes(out, payout.asset.ToString());
  PutVarint128(out, payout.amount.units());
  out.append(key.bytes());
  PutBigEndian64(out, static_cast<uint64_t>(absl::ToUnixNanos(payout.requested_at)));
  return out;
}

absl::StatusOr<PayoutInstruction> DecodeInstruction(std::string_view bytes) {
  ByteReader in(bytes);
  PayoutInstruction payout;
  std::string asset;
  IdempotencyKey key;
  int64_t requested_at = 0;
  if (!GetText(in, kMaxEventIdBytes, payout.payout_id) || !GetText(in, kMaxEventIdBytes, payout.merchant_id) ||
      !GetText(in, kMaxAccountNameBytes, asset) || !GetAmount(in, payout.amount) || !GetKey(in, key) ||
      !GetTime(in, requested_at) || !in.AtEnd()) {
    return Damaged("task", payout.payout_id);
  }
  absl::StatusOr<Asset> parsed = Asset::Parse(asset);
  if (!parsed.ok()) return Damaged("task", payout.payout_id);
  payout.asset = *std::move(parsed);
  payout.requested_at = absl::FromUnixNanos(requested_at);
  payout.provider_key = ProviderKey(key);
  return payout;
}

std::string ProviderKey(const IdempotencyKey& key) { return "nw" + key.ToString(); }

}  // namespace internal
}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/event.h"

#include <array>

#include "absl/time/civil_time.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/settlement/event_text.h"

namespace northwind {
namespace internal {
namespace {

enum class Need : uint8_t { kNo, kMay, kMust };

// Which fields a type takes. merchant_id and occurred_at are needed by all, metadata is free.
struct Rule {
  std::string_view name;
  Need payment_id, payout_id, refund_id, amount, fee, direction;
};

constexpr Need kNo = Need::kNo;
constexpr Need kMay = Need::kMay;
constexpr Need kMust = Need::kMust;

constexpr std::array<Rule, kEventTypes> kRules = {{
    // name               payment payout refund  amount fee   direction
    {"PAYMENT_CAPTURED", kMust, kNo, kNo, kMust, kMay, kNo},
    {"PAYMENT_REFUNDED", kMust, kNo, kMay, kMust, kMay, kNo},
    {"DISPUTE_OPENED", kMust, kNo, kNo, kMust, kNo, kNo},
    {"DISPUTE_LOST", kMust, kNo, kNo, kMay, kNo, kNo},
    {"DISPUTE_WON", kMust, kNo, kNo, kNo, kNo, kNo},
    {"PAYOUT_REQUESTED", kNo, kMust, kNo, kMust, kNo, kNo},
    {"PAYOUT_PAID", kNo, kMust, kNo, kMay, kNo, kNo},
    {"PAYOUT_FAILED", kNo, kMust, kNo, kNo, kNo, kNo},
    {"PAYOUT_CANCELED", kNo, kMust, kNo, kNo, kNo, kNo},
    {"PAYOUT_RETURNED", kNo, kMust, kNo, kMay, kNo, kNo},
    {"ADJUSTMENT", kMust, kNo, kNo, kMust, kNo, kMust},
}};

const Rule* RuleOf(EventType type) {
  const size_t index = static_cast<size_t>(type) - 1;  // 0 wraps to a huge index
  return index < kRules.size() ? &kRules[index] : nullptr;
}

absl::Status CheckPresence(absl::string_view field, Need need, bool present, const Rule& rule) {
  if (need == Need::kMust && !present) return FieldError(field, "missing; ", ToAbsl(rule.name), " needs it");
  if (need == Need::kNo && present) return FieldError(field, "not a field of ", ToAbsl(rule.name));
  return absl::OkStatus();
}

absl::Status CheckId(absl::string_view field, std::string_view id, size_t max_bytes, Colon colon) {
  if (id.size() > max_bytes) return FieldError(field, "longer than ", max_bytes, " characters");
  if (!IsIdText(id, colon)) {
    return FieldError(field, "only A-Z a-z 0-9 . _ ", colon == Colon::kAllowed ? ": " : "", "and - are allowed, not '",
                      Printable(id), "'");
  }
  return absl::OkStatus();
}

absl::Status CheckIds(const PaymentEvent& event, const Rule& rule) {
  NW_RETURN_IF_ERROR(CheckPresence("payment_id", rule.payment_id, !event.payment_id.empty(), rule));
  NW_RETURN_IF_ERROR(CheckPresence("payout_id", rule.payout_id, !event.payout_id.empty(), rule));
  NW_RETURN_IF_ERROR(CheckPresence("refund_id", rule.refund_id, !event.refund_id.empty(), rule));
  if (event.merchant_id.empty()) return FieldError("merchant_id", "missing");
  NW_RETURN_IF_ERROR(CheckId("payment_id", event.payment_id, kMaxEventIdBytes, Colon::kAllowed));
  NW_RETURN_IF_ERROR(CheckId("payout_id", event.payout_id, kMaxEventIdBytes, Colon::kAllowed));
  NW_RETURN_IF_ERROR(CheckId("refund_id", event.refund_id, kMaxRefundIdBytes, Colon::kAllowed));
  return CheckId("merchant_id", event.merchant_id, kMaxEventIdBytes, Colon::kRefused);
}

absl::Status CheckTime(absl::Time time) {
  static const absl::Time earliest = absl::FromCivil(absl::CivilDay(2000, 1, 1), absl::UTCTimeZone());
  static const absl::Time latest = absl::FromCivil(absl::CivilDay(2200, 1, 1), absl::UTCTimeZone());
  if (time == absl::InfinitePast()) return FieldError("occurred_at", "missing");
  if (time < earliest || time > latest) return FieldError("occurred_at", "not between 2000-01-01 and 2200-01-01");
  // The key and the journal count nanoseconds: a finer time could not be told apart.
  if (absl::FromUnixNanos(absl::ToUnixNanos(time)) != time) return FieldError("occurred_at", "finer than nanoseconds");
  return absl::OkStatus();
}

bool IsAsset(const Asset& asset) {
  if (asset.code.empty() || asset.code.size() > 16 || asset.scale < 0 || asset.scale > kMaxScale) return false;
  if (asset.code[0] < 'A' || asset.code[0] > 'Z') return false;
  for (const char c : asset.code) {
    if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

absl::Status CheckMoney(const PaymentEvent& event, const Rule& rule) {
  NW_RETURN_IF_ERROR(CheckPresence("amount", rule.amount, event.amount.has_value(), rule));
  NW_RETURN_IF_ERROR(CheckPresence("fee", rule.fee, event.fee.has_value(), rule));
  if (event.amount.has_value()) {
    if (!IsAsset(event.amount->asset)) return FieldError("amount.asset", "not of the form CODE/SCALE (such as USD/2)");
    if (event.amount->units.is_zero()) return FieldError("amount.units", "must be at least 1");
  }
  if (event.fee.has_value()) {
    if (!IsAsset(event.fee->asset)) return FieldError("fee.asset", "not of the form CODE/SCALE (such as USD/2)");
    if (event.fee->asset != event.amount->asset) return FieldError("fee.asset", "not the asset of the amount");
    if (event.fee->units > event.amount->units) return FieldError("fee.units", "more than the amount");
  }
  return absl::OkStatus();
}

absl::Status CheckMetadata(const PaymentEvent& event) {
  // What the encoding may take, the owner of EncodeMetadata at its longest included.
  constexpr size_t kOwnerBytes = 2 + kMaxEventIdBytes + 1 + 19;
  size_t bytes = kOwnerBytes;
  for (const auto& [key, value] : event.metadata) {
    if (key.empty()) return FieldError("metadata", "a key is empty");
    if (key.size() > kMaxMetadataKeyBytes) return FieldError("metadata", "a key is longer than 128 bytes");
    if (!IsUtf8(key) || !IsUtf8(value)) return FieldError("metadata", "not UTF-8");
    bytes += 4 + key.size() + value.size();
  }
  if (bytes > kMaxMetadataBytes && !event.metadata.empty()) {
    return FieldError("metadata", "more than ", kMaxMetadataBytes - kOwnerBytes, " bytes in all");
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<EventType> ParseEventType(std::string_view name) {
  for (size_t i = 0; i < kRules.size(); ++i) {
    if (kRules[i].name == name) return static_cast<EventType>(i + 1);
  }
  return std::nullopt;
}

bool IsOfPayout(EventType type) {
  const Rule* rule = RuleOf(type);
  return rule != nullptr && rule->payout_id == kMust;
}

std::string_view Name(AdjustmentDirection direction) {
  switch (direction) {
    case AdjustmentDirection::kCredit:
      return "CREDIT";
    case AdjustmentDirection::kDebit:
      return "DEBIT";
  }
  return "";
}

std::optional<AdjustmentDirection> ParseDirection(std::string_view name) {
  if (name == "CREDIT") return AdjustmentDirection::kCredit;
  if (name == "DEBIT") return AdjustmentDirection::kDebit;
  return std::nullopt;
}

std::string EncodeMetadata(std::string_view owner, const std::map<std::string, std::string>& metadata) {
  std::string out;
  if (!owner.empty()) {
    PutBytes(out, "");
    PutBytes(out, owner);
  }
  for (const auto& [key, value] : metadata) {
    PutBytes(out, key);
    PutBytes(out, value);
  }
  return out;
}

std::optional<DecodedMetadata> DecodeMetadata(std::string_view bytes) {
  DecodedMetadata decoded;
  ByteReader in(bytes);
  while (!in.AtEnd()) {
    std::string_view key, value;
    if (!in.GetBytes(bytes.size(), key) || !in.GetBytes(bytes.size(), value)) return std::nullopt;
    if (key.empty()) {
      if (!decoded.owner.empty() || !decoded.metadata.empty() || value.empty()) return std::nullopt;
      decoded.owner = value;
    } else {
      if (!decoded.metadata.empty() && key <= decoded.metadata.rbegin()->first) return std::nullopt;
      decoded.metadata.emplace_hint(decoded.metadata.end(), key, value);
    }
  }
  if (!in.ok()) return std::nullopt;
  return decoded;
}

}  // namespace internal

std::string_view Name(EventType type) {
  const internal::Rule* rule = internal::RuleOf(type);
  return rule == nullptr ? std::string_view() : rule->name;
}

std::string_view Name(EventStatus status) {
  switch (status) {
    case EventStatus::kApplied:
      return "applied";
    case EventStatus::kDuplicate:
      return "duplicate";
    case EventStatus::kAlreadySettled:
      return "already_settled";
    case EventStatus::kRejected:
      return "rejected";
    case EventStatus::kParked:
      return "parked";
    case EventStatus::kQuarantined:
      return "quarantined";
  }
  return "unknown";
}

std::string_view Name(QuarantineCause cause) {
  switch (cause) {
    case QuarantineCause::kNone:
      return "none";
    case QuarantineCause::kMalformed:
      return "malformed";
    case QuarantineCause::kInvalid:
      return "invalid";
    case QuarantineCause::kConflict:
      return "conflict";
    case QuarantineCause::kTargetNotFound:
      return "target_not_found";
    case QuarantineCause::kParkingFull:
      return "parking_full";
  }
  return "unknown";
}

std::optional<EventType> EventTypeOfCode(uint16_t code) {
  if (code <= kEventCodeBase || code > kEventCodeBase + kEventTypes) return std::nullopt;
  return static_cast<EventType>(code - kEventCodeBase);
}

absl::Status ValidateEvent(const PaymentEvent& event) {
  using internal::FieldError;
  const internal::Rule* rule = internal::RuleOf(event.type);
  if (rule == nullptr) return FieldError("type", event.type == EventType{} ? "missing" : "unknown");
  NW_RETURN_IF_ERROR(internal::CheckIds(event, *rule));
  NW_RETURN_IF_ERROR(internal::CheckTime(event.occurred_at));
  NW_RETURN_IF_ERROR(internal::CheckMoney(event, *rule));
  NW_RETURN_IF_ERROR(internal::CheckPresence("direction", rule->direction, event.direction.has_value(), *rule));
  if (event.direction.has_value() && internal::Name(*event.direction).empty()) {
    return FieldError("direction", "must be CREDIT or DEBIT");
  }
  return internal::CheckMetadata(event);
}

absl::StatusOr<PaymentEvent> DecodeEvent(EventFormat format, std::string_view bytes) {
  switch (format) {
    case EventFormat::kJson:
      return DecodeEventJson(bytes);
    case EventFormat::kProtobuf:
      return DecodeEventProto(bytes);
  }
  return internal::FieldError("format", "unknown");
}

}  // namespace northwind

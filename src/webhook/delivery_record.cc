// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/delivery_record.h"

#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "northwind/status.h"
#include "northwind/transaction.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/webhook/endpoint.h"
#include "src/webhook/event_filter.h"

namespace northwind::internal {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint64_t kMaxNanos = std::numeric_limits<int64_t>::max();
constexpr int kMaxStatus = 999;
constexpr uint8_t kTruncated = 1;
constexpr uint8_t kReused = 2;

constexpr std::string_view kDeliverySpace = "nw/webhook/delivery/";
constexpr std::string_view kAttemptSpace = "nw/webhook/attempt/";
constexpr std::string_view kTimeSpace = "nw/webhook/time/";
constexpr std::string_view kFailingSpace = "nw/webhook/failing/";
constexpr std::string_view kRecoverySpace = "nw/webhook/recovery/";
constexpr std::string_view kMessageIdPrefix = "msg_";
constexpr size_t kUlidBytes = kMessageIdBytes - kMessageIdPrefix.size();

// The longest of each fit the places that they are for.
constexpr size_t kLongestNames = kMaxMerchantIdBytes + 1 + kMessageIdBytes + 1 + kMaxEndpointIdBytes;
static_assert(kAttemptSpace.size() + kLongestNames + 1 + 4 <= kMaxHostKeyBytes);
static_assert(kDeliverySpace.size() + kLongestNames <= kMaxHostKeyBytes);
static_assert(kTimeSpace.size() + 8 + kLongestNames + 1 + 4 <= kMaxHostKeyBytes);
static_assert(kRecoverySpace.size() + kMaxMerchantIdBytes + 1 + kMaxEndpointIdBytes <= kMaxHostKeyBytes);
static_assert(2 + kMaxMerchantIdBytes + 1 + kMaxEndpointIdBytes + 1 + kUlidBytes <= kMaxTaskIdBytes);
static_assert(kMaxMerchantIdBytes + 1 + kMaxEndpointIdBytes <= kMaxTaskKeyBytes);
static_assert(kWebhookQueue.size() <= kMaxQueueNameBytes && kWebhookNowQueue.size() <= kMaxQueueNameBytes);

absl::Status Damaged(const char* what, std::string_view merchant, std::string_view second,
                     std::string_view third = {}) {
  std::string names(merchant.substr(0, kMaxMerchantIdBytes));
  names.append("/").append(second.substr(0, kMaxEndpointIdBytes));
  if (!third.empty()) names.append("/").append(third.substr(0, kMaxEndpointIdBytes));
  return Error(absl::StatusCode::kDataLoss, "webhook ", what, " damaged: ", absl::CHexEscape(names));
}

absl::Status Damaged(const char* what, const DeliveryName& name) {
  return Damaged(what, name.merchant_id, name.message_id, name.endpoint_id);
}

bool IsMerchantId(std::string_view id) { return ValidateMerchantId(id).ok(); }
bool IsEndpointId(std::string_view id) { return ValidateEndpointId(id).ok(); }

// ---- Parts of records ---------------------------------------------------------------------------------------

// Of a moment that there is: at least 1, since 0 says that there is none.
uint64_t NanosOf(absl::Time time) { return static_cast<uint64_t>(std::max<int64_t>(1, absl::ToUnixNanos(time))); }

void PutTime(std::string& out, absl::Time time) { PutVarint64(out, NanosOf(time)); }
void PutOptionalTime(std::string& out, absl::Time time) {
  PutVarint64(out, time == absl::InfinitePast() ? 0 : NanosOf(time));
}
void PutDuration(std::string& out, absl::Duration duration) {
  PutVarint64(out, static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Nanoseconds(duration))));
}
void PutStatus(std::string& out, int status) {
  PutVarint64(out, static_cast<uint64_t>(std::clamp(status, 0, kMaxStatus)));
}
void PutType(std::string& out, std::string_view type) {
  NW_CHECK(IsEventType(type), "a message has a type");
  PutBytes(out, type);
}

bool GetOptionalTime(ByteReader& in, absl::Time& time) {
  uint64_t nanos;
  if (!in.GetVarint64(nanos) || nanos > kMaxNanos) return false;
  time = nanos == 0 ? absl::InfinitePast() : absl::FromUnixNanos(static_cast<int64_t>(nanos));
  return true;
}
bool GetTime(ByteReader& in, absl::Time& time) { return GetOptionalTime(in, time) && time != absl::InfinitePast(); }
bool GetDuration(ByteReader& in, absl::Duration& duration) {
  uint64_t nanos;
  if (!in.GetVarint64(nanos) || nanos > kMaxNanos) return false;
  duration = absl::Nanoseconds(static_cast<int64_t>(nanos));
  return true;
}
bool GetStatus(ByteReader& in, int& status) {
  uint64_t raw;
  if (!in.GetVarint64(raw) || raw > kMaxStatus) return false;
  status = static_cast<int>(raw);
  return true;
}
bool GetText(ByteReader& in, size_t max, std::string& text) {
  std::string_view bytes;
  if (!in.GetBytes(max, bytes)) return false;
  text = bytes;
  return true;
}
bool GetType(ByteReader& in, std::string& type) { return GetText(in, kMaxEventTypeBytes, type) && IsEventType(type); }
bool GetSequence(ByteReader& in, Sequence& sequence) {
  uint64_t value;
  if (!in.GetVarint64(value)) return false;
  sequence = Sequence(value);
  return true;
}
bool GetVersion(ByteReader& in) {
  uint8_t version;
  return in.GetByte(version) && version == kVersion;
}
// A value of 1 to `last`.
template <typename Enum>
bool GetEnum(ByteReader& in, Enum last, Enum& value) {
  uint8_t raw;
  if (!in.GetByte(raw) || raw < 1 || raw > static_cast<uint8_t>(last)) return false;
  value = static_cast<Enum>(raw);
  return true;
}
bool GetFailure(ByteReader& in, AttemptFailure& failure) {
  uint8_t raw;
  if (!in.GetByte(raw)) return false;
  failure = static_cast<AttemptFailure>(raw);
  return failure <= AttemptFailure::kInternal ||
         (failure >= AttemptFailure::kStatus && failure <= AttemptFailure::kDisabled);
}

template <typename Enum>
void PutEnum(std::string& out, Enum value) {
  out.push_back(static_cast<char>(value));
}

// ---- Parts of keys ------------------------------------------------------------------------------------------

std::string Join(std::string_view space, std::string_view first, std::string_view second, std::string_view third = {}) {
  std::string key;
  key.reserve(space.size() + first.size() + second.size() + third.size() + 16);
  key.append(space).append(first).append("/").append(second);
  if (!third.empty()) key.append("/").append(third);
  return key;
}

bool Skip(std::string_view prefix, std::string_view& key) {
  if (!key.starts_with(prefix)) return false;
  key.remove_prefix(prefix.size());
  return true;
}

// Takes the id before the next "/", or all if there is none.
std::string_view TakeId(std::string_view& key) {
  const size_t slash = key.find('/');
  const std::string_view id = key.substr(0, slash);
  key.remove_prefix(slash == std::string_view::npos ? key.size() : slash + 1);
  return id;
}

bool TakeMerchant(std::string_view& key, std::string& merchant) {
  merchant = TakeId(key);
  return IsMerchantId(merchant);
}

bool TakeNumber(std::string_view& key, uint32_t& number) {
  if (key.size() < 5 || key[key.size() - 5] != '/') return false;
  number = LoadBigEndian32(key.data() + key.size() - 4);
  key.remove_suffix(5);
  return number != 0;
}

// Message "/" endpoint, to the end.
bool ReadMessageAndEndpoint(std::string_view key, DeliveryName& name) {
  if (key.size() <= kMessageIdBytes || key[kMessageIdBytes] != '/') return false;
  name.message_id = key.substr(0, kMessageIdBytes);
  name.endpoint_id = key.substr(kMessageIdBytes + 1);
  return MessageTime(name.message_id).has_value() && IsEndpointId(name.endpoint_id);
}

constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kTimeDigits = 10;

}  // namespace

std::string FirstMessageIdFrom(absl::Time time) {
  constexpr int64_t kMaxMillis = (int64_t{1} << 48) - 1;
  std::string id(kMessageIdPrefix);
  if (time > absl::FromUnixMillis(kMaxMillis)) return id.append("8");
  int64_t millis = std::max<int64_t>(0, absl::ToUnixMillis(time));
  if (absl::FromUnixMillis(millis) < time) ++millis;
  for (size_t digit = 0; digit < kTimeDigits; ++digit)
    id.push_back(kDigits[(millis >> (5 * (kTimeDigits - 1 - digit))) & 31]);
  return id.append(kUlidBytes - kTimeDigits, '0');
}

// ---- Keys ---------------------------------------------------------------------------------------------------

std::string MessagePrefix(std::string_view merchant) { return Join(kMessageSpace, merchant, ""); }
std::string MessageKey(std::string_view merchant, std::string_view message) {
  return Join(kMessageSpace, merchant, message);
}
std::string DeliveryPrefix(std::string_view merchant) { return Join(kDeliverySpace, merchant, ""); }
std::string DeliveryPrefix(std::string_view merchant, std::string_view message) {
  return Join(kDeliverySpace, merchant, message).append("/");
}
std::string DeliveryKey(const DeliveryName& name) {
  return Join(kDeliverySpace, name.merchant_id, name.message_id, name.endpoint_id);
}
std::string AttemptPrefix(std::string_view merchant, std::string_view message) {
  return Join(kAttemptSpace, merchant, message).append("/");
}
std::string AttemptPrefix(const DeliveryName& name) {
  return Join(kAttemptSpace, name.merchant_id, name.message_id, name.endpoint_id).append("/");
}
std::string AttemptKey(const DeliveryName& name, uint32_t number) {
  std::string key = AttemptPrefix(name);
  PutBigEndian32(key, number);
  return key;
}
std::string TimePrefix(std::string_view merchant) { return Join(kTimeSpace, merchant, ""); }
std::string TimeKey(const DeliveryName& name, absl::Time at, uint32_t number) {
  std::string key = TimePrefix(name.merchant_id);
  PutBigEndian64(key, NanosOf(at));
  key.append(name.message_id).append("/").append(name.endpoint_id).append("/");
  PutBigEndian32(key, number);
  return key;
}
std::string FailingKey(std::string_view merchant, std::string_view endpoint) {
  return Join(kFailingSpace, merchant, endpoint);
}
std::string DeletedEndpointKey(std::string_view merchant, std::string_view endpoint) {
  return Join("nw/webhook/deleted/", merchant, endpoint);
}
std::string RecoveryKey(std::string_view merchant, std::string_view endpoint) {
  return Join(kRecoverySpace, merchant, endpoint);
}

std::optional<std::pair<std::string, std::string>> ParseMessageKey(std::string_view key) {
  std::pair<std::string, std::string> names;
  if (!Skip(kMessageSpace, key) || !TakeMerchant(key, names.first) || !MessageTime(key).has_value())
    return std::nullopt;
  names.second = key;
  return names;
}

std::optional<WebhookKeyNames> ParseDeliveryKey(std::string_view key) {
  WebhookKeyNames names;
  if (!Skip(kDeliverySpace, key) || !TakeMerchant(key, names.name.merchant_id) ||
      !ReadMessageAndEndpoint(key, names.name)) {
    return std::nullopt;
  }
  return names;
}

std::optional<WebhookKeyNames> ParseAttemptKey(std::string_view key) {
  WebhookKeyNames names;
  if (!Skip(kAttemptSpace, key) || !TakeMerchant(key, names.name.merchant_id) || !TakeNumber(key, names.number) ||
      !ReadMessageAndEndpoint(key, names.name)) {
    return std::nullopt;
  }
  return names;
}

std::optional<WebhookKeyNames> ParseTimeKey(std::string_view key) {
  WebhookKeyNames names;
  if (!Skip(kTimeSpace, key) || !TakeMerchant(key, names.name.merchant_id) || key.size() < 8) return std::nullopt;
  const uint64_t nanos = LoadBigEndian64(key.data());
  key.remove_prefix(8);
  if (nanos == 0 || nanos > kMaxNanos || !TakeNumber(key, names.number) || !ReadMessageAndEndpoint(key, names.name)) {
    return std::nullopt;
  }
  names.at = absl::FromUnixNanos(static_cast<int64_t>(nanos));
  return names;
}

// ---- Records ------------------------------------------------------------------------------------------------

std::string EncodeMessage(const Message& message) {
  NW_CHECK(message.body.size() <= kMaxMessageBodyBytes, "a message's body is bounded");
  std::string out;
  out.reserve(message.body.size() + message.type.size() + 24);
  PutEnum(out, kVersion);
  PutVarint64(out, message.sequence.value());
  PutType(out, message.type);
  PutBytes(out, message.body);
  return out;
}

absl::StatusOr<Message> DecodeMessage(std::string_view merchant, std::string_view id, std::string_view value) {
  ByteReader in(value);
  Message message{.id = std::string(id), .merchant_id = std::string(merchant)};
  const std::optional<absl::Time> at = MessageTime(id);
  if (!at || !GetVersion(in) || !GetSequence(in, message.sequence) || !GetType(in, message.type) ||
      !GetText(in, kMaxMessageBodyBytes, message.body) || !in.AtEnd()) {
    return Damaged("message", merchant, id);
  }
  message.created_at = *at;
  return message;
}

std::string EncodeDelivery(const WebhookDelivery& delivery) {
  std::string out;
  PutEnum(out, kVersion);
  PutEnum(out, delivery.state);
  PutVarint64(out, delivery.sequence.value());
  PutType(out, delivery.type);
  PutVarint64(out, delivery.attempts);
  if (delivery.attempts > 0) {
    PutTime(out, delivery.last_attempt_at);
    PutEnum(out, delivery.last_failure);
    PutStatus(out, delivery.last_status);
  }
  if (delivery.state == DeliveryState::kDelivered) PutTime(out, delivery.delivered_at);
  return out;
}

absl::StatusOr<WebhookDelivery> DecodeDelivery(const DeliveryName& name, std::string_view value) {
  ByteReader in(value);
  WebhookDelivery delivery{.name = name};
  const std::optional<absl::Time> at = MessageTime(name.message_id);
  bool good = at && GetVersion(in) && GetEnum(in, DeliveryState::kCanceled, delivery.state) &&
              GetSequence(in, delivery.sequence) && GetType(in, delivery.type) && in.GetVarint(delivery.attempts);
  if (good && delivery.attempts > 0) {
    good = GetTime(in, delivery.last_attempt_at) && GetFailure(in, delivery.last_failure) &&
           GetStatus(in, delivery.last_status);
  }
  if (good && delivery.state == DeliveryState::kDelivered) good = GetTime(in, delivery.delivered_at);
  if (!good || !in.AtEnd()) return Damaged("delivery", name);
  delivery.created_at = *at;
  return delivery;
}

std::string EncodeAttempt(const WebhookAttempt& attempt) {
  const std::string_view body(attempt.response_body);
  const bool cut = body.size() > kMaxKeptResponseBytes;
  std::string out;
  out.reserve(body.size() + attempt.message.size() + 160);
  PutEnum(out, kVersion);
  PutEnum(out, attempt.trigger);
  PutEnum(out, attempt.failure);
  PutStatus(out, attempt.status);
  PutTime(out, attempt.at);
  PutType(out, attempt.type);
  PutVarint64(out, attempt.endpoint_version);
  PutBytes(out, std::string_view(attempt.message).substr(0, kMaxAttemptMessageBytes));
  PutOptionalTime(out, attempt.retry_at);
  PutBytes(out, body.substr(0, kMaxKeptResponseBytes));
  out.push_back(static_cast<char>((cut || attempt.response_truncated ? kTruncated : 0) |
                                  (attempt.reused_connection ? kReused : 0)));
  PutBytes(out, std::string_view(attempt.remote_address).substr(0, kMaxRemoteAddressBytes));
  for (const absl::Duration phase : {attempt.dns, attempt.connect, attempt.tls, attempt.first_byte, attempt.total}) {
    PutDuration(out, phase);
  }
  return out;
}

absl::StatusOr<WebhookAttempt> DecodeAttempt(const DeliveryName& name, uint32_t number, std::string_view value) {
  ByteReader in(value);
  WebhookAttempt attempt{.delivery = name, .number = number};
  uint8_t flags = 0;
  if (!GetVersion(in) || !GetEnum(in, AttemptTrigger::kTest, attempt.trigger) || !GetFailure(in, attempt.failure) ||
      !GetStatus(in, attempt.status) || !GetTime(in, attempt.at) || !GetType(in, attempt.type) ||
      !in.GetVarint64(attempt.endpoint_version) || !GetText(in, kMaxAttemptMessageBytes, attempt.message) ||
      !GetOptionalTime(in, attempt.retry_at) || !GetText(in, kMaxKeptResponseBytes, attempt.response_body) ||
      !in.GetByte(flags) || flags > (kTruncated | kReused) ||
      !GetText(in, kMaxRemoteAddressBytes, attempt.remote_address) || !GetDuration(in, attempt.dns) ||
      !GetDuration(in, attempt.connect) || !GetDuration(in, attempt.tls) || !GetDuration(in, attempt.first_byte) ||
      !GetDuration(in, attempt.total) || !in.AtEnd()) {
    return Damaged("attempt", name);
  }
  attempt.response_truncated = (flags & kTruncated) != 0;
  attempt.reused_connection = (flags & kReused) != 0;
  return attempt;
}

std::string EncodeAttemptLine(const AttemptLine& line) {
  std::string out;
  PutEnum(out, kVersion);
  PutEnum(out, line.failure);
  PutStatus(out, line.status);
  PutType(out, line.type);
  return out;
}

absl::StatusOr<AttemptLine> DecodeAttemptLine(const DeliveryName& name, std::string_view value) {
  ByteReader in(value);
  AttemptLine line;
  if (!GetVersion(in) || !GetFailure(in, line.failure) || !GetStatus(in, line.status) || !GetType(in, line.type) ||
      !in.AtEnd()) {
    return Damaged("attempt's line", name);
  }
  return line;
}

std::string EncodeFailing(const FailingRecord& record) {
  std::string out;
  PutEnum(out, kVersion);
  PutVarint64(out, record.endpoint_version);
  PutOptionalTime(out, record.since);
  return out;
}

absl::StatusOr<FailingRecord> DecodeFailing(std::string_view merchant, std::string_view endpoint,
                                            std::string_view value) {
  ByteReader in(value);
  FailingRecord record;
  if (!GetVersion(in) || !in.GetVarint64(record.endpoint_version) || !GetOptionalTime(in, record.since) ||
      !in.AtEnd()) {
    return Damaged("endpoint's failing record", merchant, endpoint);
  }
  return record;
}

std::string EncodeRecovery(const RecoveryRecord& record) {
  NW_CHECK(record.reached.empty() || MessageTime(record.reached).has_value(), "a recovery reaches a message");
  std::string out;
  PutEnum(out, kVersion);
  PutEnum(out, record.state);
  PutOptionalTime(out, record.since);
  PutTime(out, record.until);
  PutBytes(out, record.reached);
  PutVarint64(out, record.recovered);
  PutVarint64(out, record.per_second);
  return out;
}

absl::StatusOr<RecoveryRecord> DecodeRecovery(std::string_view merchant, std::string_view endpoint,
                                              std::string_view value) {
  ByteReader in(value);
  RecoveryRecord record;
  if (!GetVersion(in) || !GetEnum(in, RecoveryState::kCanceled, record.state) || !GetOptionalTime(in, record.since) ||
      !GetTime(in, record.until) || !GetText(in, kMessageIdBytes, record.reached) ||
      !(record.reached.empty() || MessageTime(record.reached).has_value()) || !in.GetVarint64(record.recovered) ||
      !in.GetVarint(record.per_second) || !in.AtEnd()) {
    return Damaged("recovery", merchant, endpoint);
  }
  return record;
}

// ---- Tasks --------------------------------------------------------------------------------------------------

namespace {

std::string TaskId(std::string_view kind, const DeliveryName& name) {
  return Join(kind, name.merchant_id, name.endpoint_id,
              std::string_view(name.message_id).substr(kMessageIdPrefix.size()));
}

}  // namespace

std::string DeliveryTaskId(const DeliveryName& name) { return TaskId("w/", name); }
std::string ResendTaskId(const DeliveryName& name) { return TaskId("r/", name); }
std::string EndpointTaskKey(std::string_view merchant, std::string_view endpoint) {
  return Join("", merchant, endpoint);
}

std::optional<DeliveryName> ParseDeliveryTaskId(std::string_view id) {
  DeliveryName name;
  if ((!Skip("w/", id) && !Skip("r/", id)) || !TakeMerchant(id, name.merchant_id)) return std::nullopt;
  name.endpoint_id = TakeId(id);
  name.message_id = std::string(kMessageIdPrefix).append(id);
  if (!IsEndpointId(name.endpoint_id) || !MessageTime(name.message_id).has_value()) return std::nullopt;
  return name;
}

std::string EncodeDeliveryTask(const DeliveryTask& task) {
  std::string out;
  PutEnum(out, kVersion);
  PutEnum(out, task.trigger);
  PutBytes(out, task.name.merchant_id);
  PutBytes(out, task.name.endpoint_id);
  PutBytes(out, task.name.message_id);
  PutVarint64(out, static_cast<uint64_t>(
                       absl::ToInt64Milliseconds(std::clamp(task.timeout, kMinWebhookTimeout, kMaxWebhookTimeout))));
  return out;
}

absl::StatusOr<DeliveryTask> DecodeDeliveryTask(std::string_view payload) {
  ByteReader in(payload);
  DeliveryTask task;
  uint64_t timeout;
  if (!GetVersion(in) || !GetEnum(in, AttemptTrigger::kTest, task.trigger) ||
      !GetText(in, kMaxMerchantIdBytes, task.name.merchant_id) || !IsMerchantId(task.name.merchant_id) ||
      !GetText(in, kMaxEndpointIdBytes, task.name.endpoint_id) || !IsEndpointId(task.name.endpoint_id) ||
      !GetText(in, kMessageIdBytes, task.name.message_id) || !MessageTime(task.name.message_id).has_value() ||
      !in.GetVarint64(timeout) || timeout < static_cast<uint64_t>(absl::ToInt64Milliseconds(kMinWebhookTimeout)) ||
      timeout > static_cast<uint64_t>(absl::ToInt64Milliseconds(kMaxWebhookTimeout)) || !in.AtEnd()) {
    return Damaged("task", task.name);
  }
  task.timeout = absl::Milliseconds(static_cast<int64_t>(timeout));
  return task;
}

}  // namespace northwind::internal

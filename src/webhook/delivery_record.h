// SPDX-License-Identifier: Apache-2.0
//
// What the store holds of messages, deliveries and attempts, in its host space. An id has no "/", so that no key is another's
// prefix but by intent; message ids are in the order of time by bytes.
//
//   "nw/webhook/message/"  merchant "/" message                                 → message
//   "nw/webhook/delivery/" merchant "/" message "/" endpoint                    → delivery
//   "nw/webhook/attempt/"  merchant "/" message "/" endpoint "/" be32(number)   → attempt
//   "nw/webhook/time/"     merchant "/" be64(Unix ns) message "/" endpoint "/" be32(number) → line
//   "nw/webhook/failing/"  merchant "/" endpoint                                → failing
//   "nw/webhook/recovery/" merchant "/" endpoint                                → recovery
//   "nw/webhook/deleted/"  merchant "/" endpoint                                → (empty)
//   "nw/webhook/cursor"                                                         → be64(sequence)
//
//   message  = u8(1) varint(sequence) bytes(type) bytes(body)
//   delivery = u8(1) u8(state) varint(sequence) bytes(type) varint(attempts)
//              [attempts > 0: time(last attempt) u8(last failure) varint(last status)] [delivered: time(delivered at)]
//   attempt  = u8(1) u8(trigger) u8(failure) varint(status) time(at) bytes(type) varint(endpoint version) bytes(message) time(retry at)
//              bytes(response body) u8(flags: 1 truncated, 2 reused connection) bytes(remote address)
//              5 × varint(ns: dns, connect, tls, first byte, total)
//   line     = u8(1) u8(failure) varint(status) bytes(type)                     what a list chooses by
//   failing  = u8(1) varint(endpoint version) time(since)
//   recovery = u8(1) u8(state) time(since) time(until) bytes(last message dealt with; empty: none) varint(recovered) varint(per second)
//   time     = varint(Unix nanoseconds; 0: none, that is InfinitePast)
//   bytes(s) = varint(size of s) s
//
// The encoder brings what the world may do into these forms: times are cut to nanoseconds and kept from 1970 to 2262, durations not
// negative, texts of attempts not longer than their bounds, statuses of HTTP 0 to 999.
// Decoding is strict: DataLoss, naming the key's names, for anything that the encoder would not have written.
#ifndef NORTHWIND_SRC_WEBHOOK_DELIVERY_RECORD_H_
#define NORTHWIND_SRC_WEBHOOK_DELIVERY_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/webhook.h"
#include "src/webhook/message.h"

namespace northwind::internal {

inline constexpr std::string_view kWebhookQueue = "nw/webhook";
inline constexpr std::string_view kWebhookNowQueue = "nw/webhook/now";
inline constexpr std::string_view kWebhookCursorKey = "nw/webhook/cursor";
// A message's record stays under what the scheduler takes of a host record.
inline constexpr size_t kMaxMessageBodyBytes = 60 << 10;
inline constexpr size_t kMaxAttemptMessageBytes = 512;
inline constexpr size_t kMaxRemoteAddressBytes = 80;

// The least id of a message that was made at `time` or later: not before it, unlike FirstMessageIdAt. Beyond all ids for times after
// those that an id can say.
std::string FirstMessageIdFrom(absl::Time time);

inline constexpr std::string_view kMessageSpace = "nw/webhook/message/";  // what all keys of messages begin with
inline constexpr std::string_view kRecoveryPrefix = "nw/webhook/recovery/";

std::string MessagePrefix(std::string_view merchant);  // ends with "/"
std::string MessageKey(std::string_view merchant, std::string_view message);
std::string DeliveryPrefix(std::string_view merchant);                            // likewise
std::string DeliveryPrefix(std::string_view merchant, std::string_view message);  // of all endpoints; likewise
std::string DeliveryKey(const DeliveryName& name);
std::string AttemptPrefix(std::string_view merchant, std::string_view message);  // of all endpoints; likewise
std::string AttemptPrefix(const DeliveryName& name);                             // of one delivery; likewise
std::string AttemptKey(const DeliveryName& name, uint32_t number);
std::string TimePrefix(std::string_view merchant);
std::string TimeKey(const DeliveryName& name, absl::Time at, uint32_t number);
std::string FailingKey(std::string_view merchant, std::string_view endpoint);
// That an endpoint of that id was deleted: the id is not used again.
std::string DeletedEndpointKey(std::string_view merchant, std::string_view endpoint);
std::string RecoveryKey(std::string_view merchant, std::string_view endpoint);

// The names that a key holds; nothing if the functions above make no such key. `number` and `at` as far as the kind of key has them.
struct WebhookKeyNames {
  DeliveryName name;
  uint32_t number = 0;
  absl::Time at = absl::InfinitePast();
};
std::optional<std::pair<std::string, std::string>> ParseMessageKey(std::string_view key);  // merchant, message
std::optional<WebhookKeyNames> ParseDeliveryKey(std::string_view key);
std::optional<WebhookKeyNames> ParseAttemptKey(std::string_view key);
std::optional<WebhookKeyNames> ParseTimeKey(std::string_view key);

std::string EncodeMessage(const Message& message);
absl::StatusOr<Message> DecodeMessage(std::string_view merchant, std::string_view id, std::string_view value);

// Of a delivery, what is stored: its name, next attempt and body are not.
std::string EncodeDelivery(const WebhookDelivery& delivery);
absl::StatusOr<WebhookDelivery> DecodeDelivery(const DeliveryName& name, std::string_view value);

std::string EncodeAttempt(const WebhookAttempt& attempt);
absl::StatusOr<WebhookAttempt> DecodeAttempt(const DeliveryName& name, uint32_t number, std::string_view value);

struct AttemptLine {
  AttemptFailure failure = AttemptFailure::kNone;
  int status = 0;
  std::string type;
};
std::string EncodeAttemptLine(const AttemptLine& line);
absl::StatusOr<AttemptLine> DecodeAttemptLine(const DeliveryName& name, std::string_view value);

struct FailingRecord {
  uint64_t endpoint_version = 0;
  absl::Time since;  // InfinitePast: it works again
};
std::string EncodeFailing(const FailingRecord& record);
absl::StatusOr<FailingRecord> DecodeFailing(std::string_view merchant, std::string_view endpoint,
                                            std::string_view value);

struct RecoveryRecord {
  RecoveryState state = RecoveryState::kRunning;
  absl::Time since;
  absl::Time until;
  std::string reached;  // the last message that was dealt with
  uint64_t recovered = 0;
  uint32_t per_second = 0;
};
std::string EncodeRecovery(const RecoveryRecord& record);
absl::StatusOr<RecoveryRecord> DecodeRecovery(std::string_view merchant, std::string_view endpoint,
                                              std::string_view value);

// ---- Tasks --------------------------------------------------------------------------------------------------
// Of the scheduler. Ids: "w/" merchant "/" endpoint "/" ULID of the message, "r/" likewise for a re-send or test.
// Key: merchant "/" endpoint.
std::string DeliveryTaskId(const DeliveryName& name);
std::string ResendTaskId(const DeliveryName& name);
std::string EndpointTaskKey(std::string_view merchant, std::string_view endpoint);
std::optional<DeliveryName> ParseDeliveryTaskId(std::string_view id);  // of both kinds

// payload = u8(1) u8(trigger) bytes(merchant) bytes(endpoint) bytes(message) varint(timeout, ms)
struct DeliveryTask {
  DeliveryName name;
  AttemptTrigger trigger = AttemptTrigger::kSchedule;
  absl::Duration timeout;
};
std::string EncodeDeliveryTask(const DeliveryTask& task);
absl::StatusOr<DeliveryTask> DecodeDeliveryTask(std::string_view payload);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_DELIVERY_RECORD_H_

// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/delivery_reader.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/webhook/delivery_record.h"
#include "src/webhook/delivery_state.h"
#include "src/webhook/event_filter.h"

namespace northwind::internal {
namespace {

// Beyond every key that begins with what stands before it: names are ASCII, and times before 2262 begin with a byte under 0x80.
constexpr char kBeyond = '\xff';
// Deliveries of other endpoints that lie between two of one: so many are passed step by step before it is sought.
constexpr int kMaxSteps = 16;

absl::Status Bad(const char* field, const char* what) {
  return Error(absl::StatusCode::kInvalidArgument, field, ": ", what);
}

absl::Status CheckName(const DeliveryName& name) {
  NW_RETURN_IF_ERROR(ValidateMerchantId(name.merchant_id));
  NW_RETURN_IF_ERROR(ValidateEndpointId(name.endpoint_id));
  return MessageTime(name.message_id) ? absl::OkStatus() : Bad("message_id", "is none");
}

template <typename Query>
absl::Status CheckQuery(const Query& query, size_t max) {
  NW_RETURN_IF_ERROR(ValidateMerchantId(query.merchant_id));
  if (!query.endpoint_id.empty()) NW_RETURN_IF_ERROR(ValidateEndpointId(query.endpoint_id));
  if (!query.message_id.empty() && !MessageTime(query.message_id)) return Bad("message_id", "is none");
  if (!query.type.empty() && !IsEventType(query.type)) return Bad("type", "is none of an event");
  if (query.limit >= 1 && query.limit <= max) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "limit: must be 1 to ", max);
}

absl::Status NoDelivery(const DeliveryName& name) {
  return Error(absl::StatusCode::kNotFound, "no webhook delivery ", name.message_id, " to ", name.merchant_id, "/",
               name.endpoint_id);
}

// The nanoseconds of the first time that a key can say which is not before `time`.
uint64_t FirstNanosFrom(absl::Time time) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  if (time <= absl::UnixEpoch()) return 0;
  if (time > absl::FromUnixNanos(kMax)) return static_cast<uint64_t>(kMax) + 1;
  const int64_t nanos = absl::ToUnixNanos(time);
  return static_cast<uint64_t>(nanos) + (absl::FromUnixNanos(nanos) < time ? 1 : 0);
}

// Keys of the host space, from `begin` to before `end`.
struct KeyRange {
  std::string begin;
  std::string end;
};

KeyRange Under(const std::string& prefix) { return {.begin = prefix, .end = prefix + kBeyond}; }

KeyRange Both(const KeyRange& a, const KeyRange& b) {
  return {.begin = std::max(a.begin, b.begin), .end = std::min(a.end, b.end)};
}

// A token is the last key that was looked at, without its prefix, in hexadecimal. Leaves of the range what lies behind that key in
// the direction; `is_key` says whether it is a key at all.
template <typename IsKey>
absl::Status GoOnAfter(const std::string& token, const std::string& prefix, Direction direction, const IsKey& is_key,
                       KeyRange& range) {
  if (token.empty()) return absl::OkStatus();
  std::string rest;
  if (token.size() % 2 == 0 && token.size() <= 2 * kMaxHostKeyBytes) rest = absl::HexStringToBytes(token);
  std::string key = prefix + rest;
  if (absl::BytesToHexString(rest) != token || !is_key(key)) return Bad("after", "is not what a page gave");
  if (direction == Direction::kBackward) {
    range.end = std::min(range.end, key);
  } else {
    range.begin = std::max(range.begin, key.append(1, '\0'));
  }
  return absl::OkStatus();
}

// Calls look(key, value), which says whether to go on, for the keys of the range in the direction.
template <typename Look>
absl::Status Walk(const Engine& engine, const KeyRange& range, Direction direction, const Look& look) {
  if (range.begin >= range.end) return absl::OkStatus();
  Cursor cursor = engine.NewCursor(Space::kHost);
  const bool forward = direction == Direction::kForward;
  if (forward) {
    cursor.Seek(range.begin);
  } else {
    cursor.SeekForPrev(range.end);
    if (cursor.Valid() && cursor.key() == range.end) cursor.Prev();
  }
  while (cursor.Valid() && (forward ? cursor.key() < range.end : cursor.key() >= range.begin)) {
    NW_ASSIGN_OR_RETURN(const bool more, look(cursor.key(), cursor.value()));
    if (!more) return absl::OkStatus();
    forward ? cursor.Next() : cursor.Prev();
  }
  return cursor.status();
}

absl::Status DamagedKey(std::string_view key) {
  return Error(absl::StatusCode::kDataLoss,
               "webhook record's key damaged: ", absl::CHexEscape(ToAbsl(key.substr(0, kMaxHostKeyBytes))));
}

}  // namespace

bool IsRecoverable(const Endpoint& endpoint, std::string_view type) {
  return type != kTestType && endpoint.events.Matches(type);
}

absl::StatusOr<WebhookDelivery> DeliveryReader::GetDelivery(const DeliveryName& name) const {
  NW_RETURN_IF_ERROR(CheckName(name));
  const std::string key = DeliveryKey(name);
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> stored, engine_.Get(Space::kHost, key));
  if (!stored) return NoDelivery(name);
  NW_ASSIGN_OR_RETURN(std::optional<WebhookDelivery> delivery,
                      ResolveDelivery(engine_, scheduler_, name, std::string(stored->view())));
  if (!delivery) return NoDelivery(name);
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> bytes,
                      engine_.Get(Space::kHost, MessageKey(name.merchant_id, name.message_id)));
  if (!bytes) {  // they go in one write, but were not read in one
    NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> again, engine_.Get(Space::kHost, key));
    if (!again) return NoDelivery(name);
    return Error(absl::StatusCode::kDataLoss, "webhook message ", name.message_id, " of ", name.merchant_id,
                 " is missing, but not its delivery to ", name.endpoint_id);
  }
  NW_ASSIGN_OR_RETURN(Message message, DecodeMessage(name.merchant_id, name.message_id, bytes->view()));
  delivery->body = std::move(message.body);
  return *std::move(delivery);
}

absl::StatusOr<WebhookDeliveryPage> DeliveryReader::ListDeliveries(const DeliveryQuery& query) const {
  NW_RETURN_IF_ERROR(CheckQuery(query, kMaxDeliveryPage));
  const std::string prefix = DeliveryPrefix(query.merchant_id);
  KeyRange range{.begin = prefix + FirstMessageIdFrom(query.from), .end = prefix + FirstMessageIdFrom(query.before)};
  if (!query.message_id.empty()) {
    range = Both(range, Under(DeliveryPrefix(query.merchant_id, query.message_id)));
  }
  NW_RETURN_IF_ERROR(GoOnAfter(
      query.after, prefix, query.direction, [](std::string_view key) { return ParseDeliveryKey(key).has_value(); },
      range));

  WebhookDeliveryPage page;
  std::string last;
  size_t looks = 0, asks = 0;
  const auto look = [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
    if (page.deliveries.size() == query.limit || looks == bounds_.looks || asks == bounds_.asks) {
      page.next = absl::BytesToHexString(last);
      return false;
    }
    ++looks;
    last = key.substr(prefix.size());
    const std::optional<WebhookKeyNames> names = ParseDeliveryKey(key);
    if (!names) return DamagedKey(key);
    if (!query.endpoint_id.empty() && names->name.endpoint_id != query.endpoint_id) return true;
    NW_ASSIGN_OR_RETURN(WebhookDelivery delivery, DecodeDelivery(names->name, value));
    if (!query.type.empty() && delivery.type != query.type) return true;
    // What is not final may be either of pending and dead, but neither of the others.
    if (query.state && IsFinal(*query.state) && delivery.state != *query.state) return true;
    if (!IsFinal(delivery.state)) {
      ++asks;
      NW_ASSIGN_OR_RETURN(std::optional<WebhookDelivery> resolved,
                          ResolveDelivery(engine_, scheduler_, names->name, std::string(value)));
      if (!resolved) return true;
      delivery = *std::move(resolved);
      delivery.next_attempt.reset();
    }
    if (!query.state || delivery.state == *query.state) page.deliveries.push_back(std::move(delivery));
    return true;
  };
  NW_RETURN_IF_ERROR(Walk(engine_, range, query.direction, look));
  return page;
}

absl::StatusOr<WebhookAttemptPage> DeliveryReader::ListAttempts(const AttemptQuery& query) const {
  NW_RETURN_IF_ERROR(CheckQuery(query, kMaxAttemptPage));
  return query.message_id.empty() ? ListAttemptsByTime(query) : ListAttemptsOfMessage(query);
}

absl::StatusOr<WebhookAttemptPage> DeliveryReader::ListAttemptsOfMessage(const AttemptQuery& query) const {
  const std::string prefix = AttemptPrefix(query.merchant_id, query.message_id);
  KeyRange range = Under(query.endpoint_id.empty() ? prefix
                                                   : AttemptPrefix({.merchant_id = query.merchant_id,
                                                                    .endpoint_id = query.endpoint_id,
                                                                    .message_id = query.message_id}));
  NW_RETURN_IF_ERROR(GoOnAfter(
      query.after, prefix, query.direction, [](std::string_view key) { return ParseAttemptKey(key).has_value(); },
      range));

  WebhookAttemptPage page;
  std::string last;
  size_t looks = 0;
  const auto look = [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
    if (page.attempts.size() == query.limit || looks == bounds_.looks) {
      page.next = absl::BytesToHexString(last);
      return false;
    }
    ++looks;
    last = key.substr(prefix.size());
    const std::optional<WebhookKeyNames> names = ParseAttemptKey(key);
    if (!names) return DamagedKey(key);
    NW_ASSIGN_OR_RETURN(WebhookAttempt attempt, DecodeAttempt(names->name, names->number, value));
    const bool chosen =
        (query.type.empty() || attempt.type == query.type) && (!query.failure || attempt.failure == *query.failure) &&
        (!query.status || attempt.status == *query.status) && attempt.at >= query.from && attempt.at < query.before;
    if (chosen) page.attempts.push_back(std::move(attempt));
    return true;
  };
  NW_RETURN_IF_ERROR(Walk(engine_, range, query.direction, look));
  return page;
}

absl::StatusOr<WebhookAttemptPage> DeliveryReader::ListAttemptsByTime(const AttemptQuery& query) const {
  const std::string prefix = TimePrefix(query.merchant_id);
  KeyRange range{.begin = prefix, .end = prefix};
  PutBigEndian64(range.begin, FirstNanosFrom(query.from));
  PutBigEndian64(range.end, FirstNanosFrom(query.before));
  NW_RETURN_IF_ERROR(GoOnAfter(
      query.after, prefix, query.direction, [](std::string_view key) { return ParseTimeKey(key).has_value(); }, range));

  WebhookAttemptPage page;
  std::string last;
  size_t looks = 0;
  const auto look = [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
    if (page.attempts.size() == query.limit || looks == bounds_.looks) {
      page.next = absl::BytesToHexString(last);
      return false;
    }
    ++looks;
    last = key.substr(prefix.size());
    const std::optional<WebhookKeyNames> names = ParseTimeKey(key);
    if (!names) return DamagedKey(key);
    if (!query.endpoint_id.empty() && names->name.endpoint_id != query.endpoint_id) return true;
    NW_ASSIGN_OR_RETURN(const AttemptLine line, DecodeAttemptLine(names->name, value));
    if ((!query.type.empty() && line.type != query.type) || (query.failure && line.failure != *query.failure) ||
        (query.status && line.status != *query.status)) {
      return true;
    }
    NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> receipt,
                        engine_.Get(Space::kHost, AttemptKey(names->name, names->number)));
    if (!receipt) return true;  // retention came between
    NW_ASSIGN_OR_RETURN(WebhookAttempt attempt, DecodeAttempt(names->name, names->number, receipt->view()));
    page.attempts.push_back(std::move(attempt));
    return true;
  };
  NW_RETURN_IF_ERROR(Walk(engine_, range, query.direction, look));
  return page;
}

absl::StatusOr<RecoveryCount> DeliveryReader::CountRecoverable(const Endpoint& endpoint, absl::Time since,
                                                               absl::Time until) const {
  NW_RETURN_IF_ERROR(ValidateMerchantId(endpoint.merchant_id));
  NW_RETURN_IF_ERROR(ValidateEndpointId(endpoint.id));
  RecoveryCount count;
  const std::string prefix = MessagePrefix(endpoint.merchant_id);
  const std::string end = prefix + FirstMessageIdFrom(until);
  // Both of one moment, or a message that is made meanwhile would be missing its delivery.
  const std::unique_ptr<Snapshot> snapshot = engine_.NewSnapshot();
  Cursor messages = snapshot->NewCursor(Space::kHost, {.fill_cache = false, .interruptible = true});
  Cursor deliveries = snapshot->NewCursor(Space::kHost, {.fill_cache = false});
  bool sought = false;
  for (messages.Seek(prefix + FirstMessageIdFrom(since)); messages.Valid() && messages.key() < end; messages.Next()) {
    auto key = ParseMessageKey(messages.key());
    if (!key) return DamagedKey(messages.key());
    NW_ASSIGN_OR_RETURN(const Message message, DecodeMessage(key->first, key->second, messages.value()));
    if (!IsRecoverable(endpoint, message.type)) continue;
    DeliveryName name{
        .merchant_id = endpoint.merchant_id, .endpoint_id = endpoint.id, .message_id = std::move(key->second)};
    const std::string wanted = DeliveryKey(name);
    for (int steps = 0; sought && steps < kMaxSteps && deliveries.Valid() && deliveries.key() < wanted; ++steps) {
      deliveries.Next();
    }
    if (!sought || (deliveries.Valid() && deliveries.key() < wanted)) deliveries.Seek(wanted);
    sought = true;
    NW_RETURN_IF_ERROR(deliveries.status());
    if (!deliveries.Valid() || deliveries.key() != wanted) {
      ++count.missing;
      continue;
    }
    NW_ASSIGN_OR_RETURN(const std::optional<WebhookDelivery> delivery,
                        ResolveDelivery(engine_, scheduler_, name, std::string(deliveries.value())));
    if (!delivery) continue;  // retention came between
    switch (delivery->state) {
      case DeliveryState::kDelivered:
        ++count.delivered;
        break;
      case DeliveryState::kPending:
        ++count.pending;
        break;
      case DeliveryState::kDead:
      case DeliveryState::kCanceled:
        ++count.dead;
        break;
    }
  }
  NW_RETURN_IF_ERROR(messages.status());
  return count;
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
//
// Where a merchant wants to be told, and of what: the model, its bounds, and its record in the store.
#ifndef NORTHWIND_SRC_WEBHOOK_ENDPOINT_H_
#define NORTHWIND_SRC_WEBHOOK_ENDPOINT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/sequence.h"
#include "northwind/webhook.h"
#include "src/webhook/event_filter.h"

namespace northwind::internal {

inline constexpr size_t kMaxMerchantIdBytes = 64;  // as of a payment event
inline constexpr size_t kMaxEndpointIdBytes = 64;
// Good at one time: the current one, and those that it took the place of until their overlap ends.
inline constexpr size_t kMaxEndpointSecrets = 4;
inline constexpr size_t kMaxDisableDetailBytes = 256;
// Of sealed texts as stored: what they hold, and room for the envelope.
inline constexpr size_t kMaxSealedKeyBytes = 256;
inline constexpr size_t kMaxSealedHeadersBytes = 10 << 10;

struct EndpointSecret {
  uint32_t number = 0;  // from 1, never used again in this endpoint; part of the place that it is sealed for
  SignatureScheme scheme = SignatureScheme::kHmacSha256;
  absl::Time created_at;
  absl::Time expires_at = absl::InfiniteFuture();
  std::string sealed;  // the signing key's text, by a SecretBox
  friend bool operator==(const EndpointSecret&, const EndpointSecret&) = default;
};

// Times are whole nanoseconds from 1970 to 2262.
struct Endpoint {
  std::string merchant_id;  // 1–64 characters of A–Z a–z 0–9 . _ -
  std::string id;           // 1–64 characters of A–Z a–z 0–9 _ -; unique in its merchant
  uint64_t version = 1;     // one more with each change
  // What is in the journal after this, it is told of. By the journal's order, as clocks may step back.
  Sequence since;
  absl::Time created_at;
  absl::Time updated_at;  // never before created_at, nor before that of the version before
  EndpointState state = EndpointState::kEnabled;
  std::optional<Disabled> disabled;  // if, and only if, that is the state
  std::string url;                   // canonical
  EventFilter events;
  std::string sealed_headers;  // custom headers, by a SecretBox; empty if there are none
  // 1–4, the newest first. That one does not expire, the others do.
  std::vector<EndpointSecret> secrets;
  std::optional<WebhookPolicy> policy;  // as KeptWebhookPolicy gives it; nothing: the merchant's or the default one
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Endpoints are shared and never change; a change is a new one.
using EndpointPtr = std::shared_ptr<const Endpoint>;

absl::Status ValidateMerchantId(std::string_view id);
absl::Status ValidateEndpointId(std::string_view id);

// Names of the places that an endpoint's sealed texts are bound to; the tenant is the merchant.
std::string SecretRecordName(std::string_view endpoint_id, uint32_t secret_number);
std::string HeadersRecordName(std::string_view endpoint_id);

// The record, in the store's host space:
//
//   key      = "nw/webhook/endpoint/" merchant id "/" endpoint id
//   value    = u8(1) varint(version) varint(since) time(created) time(updated) state bytes(url) events
//              bytes(sealed headers; empty = none) secrets bytes(policy of webhook_policy.h; empty = none)
//   state    = u8(1 enabled) | u8(2 paused) | u8(3 disabled) u8(reason) time(since) bytes(detail)
//   events   = varint(count) count × bytes(pattern)                                   in canonical form
//   secrets  = varint(count) count × (varint(number) u8(scheme) time(created) time(expires; 0 = never) bytes(sealed))
//   time     = varint(Unix nanoseconds)
//   bytes(s) = varint(size of s) s
inline constexpr std::string_view kEndpointPrefix = "nw/webhook/endpoint/";
std::string EndpointKey(std::string_view merchant_id, std::string_view endpoint_id);
std::string EncodeEndpoint(const Endpoint& endpoint);
// DataLoss if the record is damaged: anything that EncodeEndpoint would not have written.
absl::StatusOr<Endpoint> DecodeEndpoint(std::string_view key, std::string_view value);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_ENDPOINT_H_

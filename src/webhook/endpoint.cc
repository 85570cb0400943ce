// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/endpoint.h"

#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/webhook/endpoint_url.h"
#include "src/webhook/identifier.h"
#include "src/webhook/webhook_policy.h"

namespace northwind::internal {
namespace {

constexpr uint8_t kVersion = 1;

void PutTime(std::string& out, absl::Time time) { PutVarint64(out, static_cast<uint64_t>(absl::ToUnixNanos(time))); }

bool GetTime(ByteReader& in, absl::Time& time) {
  uint64_t nanos;
  if (!in.GetVarint64(nanos) || nanos > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return false;
  time = absl::FromUnixNanos(static_cast<int64_t>(nanos));
  return true;
}

bool GetString(ByteReader& in, size_t max, std::string& text) {
  std::string_view bytes;
  if (!in.GetBytes(max, bytes)) return false;
  text = bytes;
  return true;
}

bool GetState(ByteReader& in, Endpoint& endpoint) {
  uint8_t state;
  if (!in.GetByte(state) || state < 1 || state > 3) return false;
  endpoint.state = static_cast<EndpointState>(state);
  if (endpoint.state != EndpointState::kDisabled) return true;
  Disabled& disabled = endpoint.disabled.emplace();
  uint8_t reason;
  if (!in.GetByte(reason) || reason < 1 || reason > 3 || !GetTime(in, disabled.at) ||
      !GetString(in, kMaxDisableDetailBytes, disabled.detail)) {
    return false;
  }
  disabled.reason = static_cast<DisableReason>(reason);
  return std::all_of(disabled.detail.begin(), disabled.detail.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool GetUrl(ByteReader& in, std::string& url) {
  if (!GetString(in, kMaxUrlBytes, url)) return false;
  const absl::StatusOr<std::string> canonical = CanonicalUrl(url, PlainHttp::kAllowed);
  return canonical.ok() && *canonical == url;
}

bool GetEvents(ByteReader& in, EventFilter& events) {
  uint64_t count;
  if (!in.GetVarint64(count) || count > kMaxFilterPatterns) return false;
  std::vector<std::string> patterns(static_cast<size_t>(count));
  for (std::string& pattern : patterns) {
    if (!GetString(in, kMaxEventTypeBytes, pattern)) return false;
  }
  absl::StatusOr<EventFilter> made = EventFilter::Make(patterns);
  if (!made.ok() || made->patterns() != patterns) return false;
  events = *std::move(made);
  return true;
}

bool GetSequence(ByteReader& in, Sequence& sequence) {
  uint64_t value;
  if (!in.GetVarint64(value)) return false;
  sequence = Sequence(value);
  return true;
}

bool GetSecret(ByteReader& in, EndpointSecret& secret) {
  uint8_t scheme;
  uint64_t expires;
  if (!in.GetVarint(secret.number) || secret.number == 0 || !in.GetByte(scheme) || scheme < 1 || scheme > 2 ||
      !GetTime(in, secret.created_at) || !in.GetVarint64(expires) ||
      expires > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) ||
      !GetString(in, kMaxSealedKeyBytes, secret.sealed) || secret.sealed.empty()) {
    return false;
  }
  secret.scheme = static_cast<SignatureScheme>(scheme);
  if (expires != 0) secret.expires_at = absl::FromUnixNanos(static_cast<int64_t>(expires));
  return true;
}

bool GetSecrets(ByteReader& in, std::vector<EndpointSecret>& secrets) {
  uint64_t count;
  if (!in.GetVarint64(count) || count < 1 || count > kMaxEndpointSecrets) return false;
  secrets.resize(static_cast<size_t>(count));
  for (size_t i = 0; i < secrets.size(); ++i) {
    if (!GetSecret(in, secrets[i])) return false;
    const bool newest = i == 0;
    if (newest != (secrets[i].expires_at == absl::InfiniteFuture())) return false;
    if (!newest && secrets[i].number >= secrets[i - 1].number) return false;
  }
  return true;
}

bool GetPolicy(ByteReader& in, std::optional<WebhookPolicy>& policy) {
  std::string_view bytes;
  if (!in.GetBytes(kMaxEndpointPolicyBytes, bytes)) return false;
  if (bytes.empty()) return true;
  absl::StatusOr<WebhookPolicy> decoded = DecodeWebhookPolicy(bytes);
  if (!decoded.ok()) return false;
  policy = *std::move(decoded);
  return true;
}

// Splits a record's key; false if it is none.
bool ReadKey(std::string_view key, Endpoint& endpoint) {
  if (!key.starts_with(kEndpointPrefix)) return false;
  key.remove_prefix(kEndpointPrefix.size());
  const size_t slash = key.find('/');
  if (slash == std::string_view::npos) return false;
  endpoint.merchant_id = key.substr(0, slash);
  endpoint.id = key.substr(slash + 1);
  return ValidateMerchantId(endpoint.merchant_id).ok() && ValidateEndpointId(endpoint.id).ok();
}

}  // namespace

absl::Status ValidateMerchantId(std::string_view id) {
  if (IsIdentifier(id, kMaxMerchantIdBytes, Dots::kAllowed)) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "merchant_id: must be 1 to ", kMaxMerchantIdBytes,
               " characters of A-Z a-z 0-9 . _ -");
}

absl::Status ValidateEndpointId(std::string_view id) {
  if (IsIdentifier(id, kMaxEndpointIdBytes, Dots::kRefused)) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "endpoint_id: must be 1 to ", kMaxEndpointIdBytes,
               " characters of A-Z a-z 0-9 _ -");
}

std::string SecretRecordName(std::string_view endpoint_id, uint32_t secret_number) {
  return absl::StrCat("endpoint/", ToAbsl(endpoint_id), "/secret/", secret_number);
}

std::string HeadersRecordName(std::string_view endpoint_id) {
  return absl::StrCat("endpoint/", ToAbsl(endpoint_id), "/headers");
}

std::string EndpointKey(std::string_view merchant_id, std::string_view endpoint_id) {
  return std::string(kEndpointPrefix).append(merchant_id).append("/").append(endpoint_id);
}

std::string EncodeEndpoint(const Endpoint& endpoint) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  PutVarint64(out, endpoint.version);
  PutVarint64(out, endpoint.since.value());
  PutTime(out, endpoint.created_at);
  PutTime(out, endpoint.updated_at);
  out.push_back(static_cast<char>(endpoint.state));
  NW_CHECK(endpoint.disabled.has_value() == (endpoint.state == EndpointState::kDisabled),
           "disabled says why, and since");
  if (endpoint.disabled.has_value()) {
    out.push_back(static_cast<char>(endpoint.disabled->reason));
    PutTime(out, endpoint.disabled->at);
    PutBytes(out, endpoint.disabled->detail);
  }
  PutBytes(out, endpoint.url);
  PutVarint64(out, endpoint.events.patterns().size());
  for (const std::string& pattern : endpoint.events.patterns()) PutBytes(out, pattern);
  PutBytes(out, endpoint.sealed_headers);
  PutVarint64(out, endpoint.secrets.size());
  for (const EndpointSecret& secret : endpoint.secrets) {
    PutVarint64(out, secret.number);
    out.push_back(static_cast<char>(secret.scheme));
    PutTime(out, secret.created_at);
    if (secret.expires_at == absl::InfiniteFuture()) {
      PutVarint64(out, 0);
    } else {
      PutTime(out, secret.expires_at);
    }
    PutBytes(out, secret.sealed);
  }
  PutBytes(out, endpoint.policy.has_value() ? EncodeWebhookPolicy(*endpoint.policy) : "");
  return out;
}

absl::StatusOr<Endpoint> DecodeEndpoint(std::string_view key, std::string_view value) {
  ByteReader in(value);
  Endpoint endpoint;
  uint8_t version;
  if (ReadKey(key, endpoint) && in.GetByte(version) && version == kVersion && in.GetVarint64(endpoint.version) &&
      endpoint.version > 0 && GetSequence(in, endpoint.since) && GetTime(in, endpoint.created_at) &&
      GetTime(in, endpoint.updated_at) && endpoint.updated_at >= endpoint.created_at && GetState(in, endpoint) &&
      GetUrl(in, endpoint.url) && GetEvents(in, endpoint.events) &&
      GetString(in, kMaxSealedHeadersBytes, endpoint.sealed_headers) && GetSecrets(in, endpoint.secrets) &&
      GetPolicy(in, endpoint.policy) && in.AtEnd()) {
    return endpoint;
  }
  return Error(absl::StatusCode::kDataLoss, "endpoint record damaged: ",
               absl::CHexEscape(ToAbsl(key.substr(0, kEndpointPrefix.size() + 2 * kMaxMerchantIdBytes))));
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/endpoint_book.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/webhook/custom_header.h"
#include "src/webhook/webhook_policy.h"

namespace northwind {
namespace {

constexpr absl::string_view kVersionConflict = "northwind/webhook/version_conflict";

}  // namespace

bool IsVersionConflict(const absl::Status& status) { return status.GetPayload(kVersionConflict).has_value(); }

namespace internal {
namespace {

constexpr size_t kRandomIdBytes = 16;

absl::Status NoEndpoint(std::string_view merchant, std::string_view id) {
  return Error(absl::StatusCode::kNotFound, "no endpoint ", ToAbsl(id), " of merchant ", ToAbsl(merchant));
}

// An error about what is stored, with the endpoint's name before it.
absl::Status Named(const Endpoint& endpoint, const absl::Status& status) {
  return Error(status.code(), "endpoint ", endpoint.merchant_id, "/", endpoint.id, ": ", status.message());
}

absl::Status CheckNames(std::string_view merchant, std::string_view id) {
  NW_RETURN_IF_ERROR(ValidateMerchantId(merchant));
  return ValidateEndpointId(id);
}

absl::Status SetPolicy(Endpoint& endpoint, const std::optional<WebhookPolicy>& policy) {
  endpoint.policy.reset();
  if (!policy.has_value()) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(endpoint.policy, KeptWebhookPolicy(*policy));
  return absl::OkStatus();
}

absl::StatusOr<std::string> RandomId() {
  NW_ASSIGN_OR_RETURN(const SecretBytes bytes, SecretBytes::Random(kRandomIdBytes));
  return "ep_" + absl::BytesToHexString(ToAbsl(bytes.view()));
}

HostRecord Record(const Endpoint& endpoint) {
  return {EndpointKey(endpoint.merchant_id, endpoint.id), EncodeEndpoint(endpoint)};
}

std::string PrintableDetail(std::string_view detail) {
  std::string text(detail.substr(0, kMaxDisableDetailBytes));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

void DropExpired(std::vector<EndpointSecret>& secrets, absl::Time now) {
  secrets.erase(std::remove_if(secrets.begin(), secrets.end(),
                               [&](const EndpointSecret& secret) { return secret.expires_at <= now; }),
                secrets.end());
}

// Enabled or paused, as asked.
absl::Status SwitchTo(EndpointState state, Endpoint& endpoint) {
  if (endpoint.state == EndpointState::kDisabled) {
    return Error(absl::StatusCode::kFailedPrecondition, "endpoint ", endpoint.id, " is disabled; enable it first");
  }
  endpoint.state = state;
  return absl::OkStatus();
}

// The first endpoint with an id ≥ `id`.
auto LowerBound(const std::vector<EndpointPtr>& endpoints, std::string_view id) {
  return std::lower_bound(endpoints.begin(), endpoints.end(), id,
                          [](const EndpointPtr& endpoint, std::string_view other) { return endpoint->id < other; });
}

EndpointPtr Find(const std::vector<EndpointPtr>* endpoints, std::string_view id) {
  if (endpoints == nullptr) return nullptr;
  const auto it = LowerBound(*endpoints, id);
  return it == endpoints->end() || (*it)->id != id ? nullptr : *it;
}

}  // namespace

// ---- Opening ------------------------------------------------------------------------------------------------

absl::StatusOr<std::unique_ptr<EndpointBook>> EndpointBook::Open(Engine& engine, SecretBox box,
                                                                 const EndpointBookOptions& options) {
  NW_CHECK(options.clock != nullptr, "an endpoint book needs a clock");
  std::unique_ptr<EndpointBook> book(new EndpointBook(engine, std::move(box), options));
  NW_RETURN_IF_ERROR(book->Load());
  return book;
}

absl::Status EndpointBook::Load() {
  Cursor cursor = engine_.NewCursor(Space::kHost, {.fill_cache = false, .read_ahead = true});
  for (cursor.Seek(kEndpointPrefix); cursor.Valid() && cursor.key().starts_with(kEndpointPrefix); cursor.Next()) {
    NW_ASSIGN_OR_RETURN(Endpoint endpoint, DecodeEndpoint(cursor.key(), cursor.value()));
    // Not made into keys: that would take thirty times as long for ed25519.
    for (const EndpointSecret& secret : endpoint.secrets) NW_RETURN_IF_ERROR(OpenText(endpoint, secret).status());
    NW_RETURN_IF_ERROR(Headers(endpoint).status());
    Publish(std::make_shared<const Endpoint>(std::move(endpoint)));
  }
  return cursor.status();
}

// ---- Sealing ------------------------------------------------------------------------------------------------

absl::StatusOr<EndpointSecret> EndpointBook::SealKey(const Endpoint& endpoint, uint32_t number, absl::Time now,
                                                     const SigningKey& key) const {
  const std::string record = SecretRecordName(endpoint.id, number);
  NW_ASSIGN_OR_RETURN(std::string sealed, box_.Seal({endpoint.merchant_id, record}, key.Text().view()));
  return EndpointSecret{.number = number, .scheme = key.scheme(), .created_at = now, .sealed = std::move(sealed)};
}

absl::StatusOr<SecretBytes> EndpointBook::OpenText(const Endpoint& endpoint, const EndpointSecret& secret) const {
  const std::string record = SecretRecordName(endpoint.id, secret.number);
  absl::StatusOr<SecretBytes> text = box_.Open({endpoint.merchant_id, record}, secret.sealed);
  if (!text.ok()) return Named(endpoint, text.status());
  return text;
}

absl::StatusOr<SigningKey> EndpointBook::OpenKey(const Endpoint& endpoint, const EndpointSecret& secret) const {
  NW_ASSIGN_OR_RETURN(const SecretBytes text, OpenText(endpoint, secret));
  absl::StatusOr<SigningKey> key = SigningKey::Parse(text.view());
  if (key.ok() && key->scheme() == secret.scheme) return key;
  return Named(endpoint, Error(absl::StatusCode::kDataLoss, "secret ", secret.number, " is no key of its scheme"));
}

absl::StatusOr<std::vector<SigningKey>> EndpointBook::SigningKeys(const Endpoint& endpoint) const {
  const absl::Time now = Now();
  std::vector<SigningKey> keys;
  for (const EndpointSecret& secret : endpoint.secrets) {
    if (secret.expires_at <= now) continue;
    NW_ASSIGN_OR_RETURN(SigningKey key, OpenKey(endpoint, secret));
    keys.push_back(std::move(key));
  }
  return keys;
}

absl::StatusOr<std::vector<CustomHeader>> EndpointBook::Headers(const Endpoint& endpoint) const {
  if (endpoint.sealed_headers.empty()) return std::vector<CustomHeader>();
  const std::string record = HeadersRecordName(endpoint.id);
  absl::StatusOr<SecretBytes> bytes = box_.Open({endpoint.merchant_id, record}, endpoint.sealed_headers);
  if (!bytes.ok()) return Named(endpoint, bytes.status());
  absl::StatusOr<std::vector<CustomHeader>> headers = DecodeCustomHeaders(bytes->view());
  if (!headers.ok()) return Named(endpoint, headers.status());
  return headers;
}

absl::Status EndpointBook::SetHeaders(Endpoint& endpoint, const std::vector<CustomHeader>& headers) const {
  NW_RETURN_IF_ERROR(ValidateCustomHeaders(headers));
  NW_ASSIGN_OR_RETURN(const std::vector<CustomHeader> before, Headers(endpoint));
  if (headers == before) return absl::OkStatus();  // sealed again they would look like a change
  endpoint.sealed_headers.clear();
  if (headers.empty()) return absl::OkStatus();
  const std::string record = HeadersRecordName(endpoint.id);
  NW_ASSIGN_OR_RETURN(endpoint.sealed_headers,
                      box_.Seal({endpoint.merchant_id, record}, EncodeCustomHeaders(headers).view()));
  return absl::OkStatus();
}

bool EndpointBook::IsSealedNewest(const Endpoint& endpoint) const {
  return (endpoint.sealed_headers.empty() || box_.IsNewest(endpoint.sealed_headers)) &&
         std::all_of(endpoint.secrets.begin(), endpoint.secrets.end(),
                     [&](const EndpointSecret& secret) { return box_.IsNewest(secret.sealed); });
}

absl::StatusOr<Endpoint> EndpointBook::Resealed(const Endpoint& endpoint) const {
  Endpoint fresh = endpoint;
  for (EndpointSecret& secret : fresh.secrets) {
    NW_ASSIGN_OR_RETURN(const SigningKey key, OpenKey(endpoint, secret));
    NW_ASSIGN_OR_RETURN(EndpointSecret again, SealKey(endpoint, secret.number, secret.created_at, key));
    secret.sealed = std::move(again.sealed);
  }
  NW_ASSIGN_OR_RETURN(const std::vector<CustomHeader> headers, Headers(endpoint));
  fresh.sealed_headers.clear();
  NW_RETURN_IF_ERROR(SetHeaders(fresh, headers));
  return fresh;
}

// ---- Changes ------------------------------------------------------------------------------------------------

// What a record can hold: whole nanoseconds, not before 1970.
absl::Time EndpointBook::Now() const {
  return absl::FromUnixNanos(std::max<int64_t>(0, absl::ToUnixNanos(options_.clock->Now())));
}

absl::Status EndpointBook::Write(const HostRecord& endpoint) {
  WriteSet writes;
  writes.Put(Space::kHost, endpoint.key, endpoint.value);
  return engine_.Write(writes);
}

void EndpointBook::Publish(EndpointPtr endpoint) {
  const absl::MutexLock lock(&mutex_);
  SharedEndpoints& shared = merchants_[endpoint->merchant_id];
  MerchantEndpoints endpoints;
  if (shared != nullptr) endpoints = *shared;
  const auto place = endpoints.begin() + (LowerBound(endpoints, endpoint->id) - endpoints.cbegin());
  if (place != endpoints.end() && (*place)->id == endpoint->id) {
    *place = std::move(endpoint);
  } else {
    endpoints.insert(place, std::move(endpoint));
    ++size_;
  }
  shared = std::make_shared<const MerchantEndpoints>(std::move(endpoints));
}

void EndpointBook::Unpublish(const Endpoint& endpoint) {
  const absl::MutexLock lock(&mutex_);
  const auto merchant = merchants_.find(endpoint.merchant_id);
  NW_CHECK(merchant != merchants_.end(), "a current endpoint is in the book");
  MerchantEndpoints endpoints = *merchant->second;
  endpoints.erase(endpoints.begin() + (LowerBound(endpoints, endpoint.id) - endpoints.cbegin()));
  --size_;
  if (endpoints.empty()) {
    merchants_.erase(merchant);
  } else {
    merchant->second = std::make_shared<const MerchantEndpoints>(std::move(endpoints));
  }
}

absl::StatusOr<EndpointPtr> EndpointBook::Current(std::string_view merchant, std::string_view id,
                                                  std::optional<uint64_t> version) const {
  NW_RETURN_IF_ERROR(CheckNames(merchant, id));
  EndpointPtr endpoint = Find(Of(merchant).get(), id);
  if (endpoint == nullptr) return NoEndpoint(merchant, id);
  if (!version.has_value() || *version == endpoint->version) return endpoint;
  absl::Status conflict = Error(absl::StatusCode::kFailedPrecondition, "endpoint ", ToAbsl(id), " has version ",
                                endpoint->version, ", not ", *version);
  conflict.SetPayload(kVersionConflict, absl::Cord());
  return conflict;
}

absl::StatusOr<EndpointPtr> EndpointBook::Apply(std::string_view merchant, std::string_view id,
                                                std::optional<uint64_t> version, Change change) {
  return Apply(merchant, id, version, change, [this](const HostRecord& endpoint) { return Write(endpoint); });
}

absl::StatusOr<EndpointPtr> EndpointBook::Apply(std::string_view merchant, std::string_view id,
                                                std::optional<uint64_t> version, Change change, EndpointWriter write) {
  NW_ASSIGN_OR_RETURN(EndpointPtr current, Current(merchant, id, version));
  auto next = std::make_shared<Endpoint>(*current);
  const absl::Time now = Now();
  NW_RETURN_IF_ERROR(change(*next, now));
  if (*next == *current) return current;
  DropExpired(next->secrets, now);
  ++next->version;
  next->updated_at = std::max(now, current->updated_at);
  NW_RETURN_IF_ERROR(write(Record(*next)));
  Publish(next);
  return EndpointPtr(std::move(next));
}

absl::Status EndpointBook::CheckRoom(const MerchantEndpoints* of_merchant) const {
  if (of_merchant != nullptr && of_merchant->size() >= options_.max_endpoints_per_merchant) {
    return Error(absl::StatusCode::kResourceExhausted, "a merchant may have ", options_.max_endpoints_per_merchant,
                 " endpoints");
  }
  if (size() >= options_.max_endpoints) {
    return Error(absl::StatusCode::kResourceExhausted, "there may be ", options_.max_endpoints, " endpoints");
  }
  return absl::OkStatus();
}

absl::StatusOr<NewSecret> EndpointBook::Create(std::string_view merchant, const EndpointSpec& spec, Sequence since) {
  Endpoint endpoint{.merchant_id = std::string(merchant), .id = spec.id, .since = since};
  if (endpoint.id.empty()) {
    NW_ASSIGN_OR_RETURN(endpoint.id, RandomId());
  }
  NW_RETURN_IF_ERROR(CheckNames(endpoint.merchant_id, endpoint.id));
  NW_ASSIGN_OR_RETURN(endpoint.url, CanonicalUrl(spec.url, options_.plain_http));
  NW_ASSIGN_OR_RETURN(endpoint.events, EventFilter::Make(spec.events));
  NW_RETURN_IF_ERROR(SetHeaders(endpoint, spec.headers));
  NW_RETURN_IF_ERROR(SetPolicy(endpoint, spec.policy));
  NW_ASSIGN_OR_RETURN(const SigningKey key, SigningKey::Generate(spec.scheme));

  const absl::MutexLock lock(&write_mutex_);
  const SharedEndpoints others = Of(merchant);
  if (Find(others.get(), endpoint.id) != nullptr) {
    return Error(absl::StatusCode::kAlreadyExists, "merchant ", endpoint.merchant_id, " has an endpoint ", endpoint.id);
  }
  NW_RETURN_IF_ERROR(CheckRoom(others.get()));
  endpoint.created_at = endpoint.updated_at = Now();
  NW_ASSIGN_OR_RETURN(EndpointSecret secret, SealKey(endpoint, 1, endpoint.created_at, key));
  endpoint.secrets.push_back(std::move(secret));
  NW_RETURN_IF_ERROR(Write(Record(endpoint)));
  EndpointPtr made = std::make_shared<const Endpoint>(std::move(endpoint));
  Publish(made);
  return NewSecret{.endpoint = std::move(made), .verification_key = key.verification_key().Text()};
}

absl::StatusOr<EndpointPtr> EndpointBook::Update(std::string_view merchant, std::string_view id, uint64_t version,
                                                 const EndpointChange& change) {
  const absl::MutexLock lock(&write_mutex_);
  return Apply(merchant, id, version, [&](Endpoint& endpoint, absl::Time) -> absl::Status {
    if (change.url.has_value()) {
      NW_ASSIGN_OR_RETURN(endpoint.url, CanonicalUrl(*change.url, options_.plain_http));
    }
    if (change.events.has_value()) {
      NW_ASSIGN_OR_RETURN(endpoint.events, EventFilter::Make(*change.events));
    }
    if (change.headers.has_value()) NW_RETURN_IF_ERROR(SetHeaders(endpoint, *change.headers));
    if (change.policy.has_value()) NW_RETURN_IF_ERROR(SetPolicy(endpoint, *change.policy));
    return absl::OkStatus();
  });
}

absl::StatusOr<EndpointPtr> EndpointBook::Pause(std::string_view merchant, std::string_view id,
                                                std::optional<uint64_t> version) {
  const absl::MutexLock lock(&write_mutex_);
  return Apply(merchant, id, version,
               [](Endpoint& endpoint, absl::Time) { return SwitchTo(EndpointState::kPaused, endpoint); });
}

absl::StatusOr<EndpointPtr> EndpointBook::Resume(std::string_view merchant, std::string_view id,
                                                 std::optional<uint64_t> version) {
  const absl::MutexLock lock(&write_mutex_);
  return Apply(merchant, id, version,
               [](Endpoint& endpoint, absl::Time) { return SwitchTo(EndpointState::kEnabled, endpoint); });
}

absl::StatusOr<EndpointPtr> EndpointBook::Disable(std::string_view merchant, std::string_view id, DisableReason reason,
                                                  std::string_view detail, std::optional<uint64_t> version) {
  return DisableWith(merchant, id, reason, detail, version,
                     [this](const HostRecord& endpoint) { return Write(endpoint); });
}

absl::StatusOr<EndpointPtr> EndpointBook::DisableWith(std::string_view merchant, std::string_view id,
                                                      DisableReason reason, std::string_view detail,
                                                      std::optional<uint64_t> version, EndpointWriter write) {
  const auto disable = [&](Endpoint& endpoint, absl::Time now) {
    if (endpoint.state != EndpointState::kDisabled) {
      endpoint.state = EndpointState::kDisabled;
      endpoint.disabled = Disabled{reason, now, PrintableDetail(detail)};
    }
    return absl::OkStatus();
  };
  const absl::MutexLock lock(&write_mutex_);
  return Apply(merchant, id, version, disable, write);
}

absl::StatusOr<EndpointPtr> EndpointBook::Enable(std::string_view merchant, std::string_view id,
                                                 std::optional<uint64_t> version) {
  const absl::MutexLock lock(&write_mutex_);
  return Apply(merchant, id, version, [](Endpoint& endpoint, absl::Time) {
    if (endpoint.state == EndpointState::kDisabled) {
      endpoint.state = EndpointState::kEnabled;
      endpoint.disabled.reset();
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<NewSecret> EndpointBook::RotateSecret(std::string_view merchant, std::string_view id,
                                                     const SecretRotation& rotation, std::optional<uint64_t> version) {
  if (rotation.overlap < absl::ZeroDuration() || rotation.overlap > kMaxSecretOverlap) {
    return Error(absl::StatusCode::kInvalidArgument, "overlap: must be 0 to ", kMaxSecretOverlap / absl::Hours(24),
                 " days");
  }
  NewSecret made;
  const absl::MutexLock lock(&write_mutex_);
  const auto rotate = [&](Endpoint& endpoint, absl::Time now) -> absl::Status {
    const EndpointSecret& before = endpoint.secrets.front();
    if (before.number == std::numeric_limits<uint32_t>::max()) {
      return Error(absl::StatusCode::kResourceExhausted, "endpoint ", endpoint.id, " has had all secrets it may have");
    }
    NW_ASSIGN_OR_RETURN(const SigningKey key, SigningKey::Generate(rotation.scheme.value_or(before.scheme)));
    NW_ASSIGN_OR_RETURN(EndpointSecret fresh, SealKey(endpoint, before.number + 1, now, key));
    const absl::Time end = absl::FromUnixNanos(absl::ToUnixNanos(now + rotation.overlap));
    std::vector<EndpointSecret> secrets = {std::move(fresh)};
    for (EndpointSecret& old : endpoint.secrets) {
      old.expires_at = std::min(old.expires_at, end);
      secrets.push_back(std::move(old));
    }
    DropExpired(secrets, now);
    if (secrets.size() > kMaxEndpointSecrets) {
      return Error(absl::StatusCode::kFailedPrecondition, "endpoint ", endpoint.id, " has ", kMaxEndpointSecrets,
                   " secrets that are still good; wait, or rotate without overlap");
    }
    endpoint.secrets = std::move(secrets);
    made.verification_key = key.verification_key().Text();
    return absl::OkStatus();
  };
  NW_ASSIGN_OR_RETURN(made.endpoint, Apply(merchant, id, version, rotate));
  return made;
}

absl::Status EndpointBook::Delete(std::string_view merchant, std::string_view id, std::optional<uint64_t> version) {
  const absl::MutexLock lock(&write_mutex_);
  NW_ASSIGN_OR_RETURN(const EndpointPtr current, Current(merchant, id, version));
  WriteSet writes;
  writes.Delete(Space::kHost, EndpointKey(merchant, id));
  NW_RETURN_IF_ERROR(engine_.Write(writes));
  Unpublish(*current);
  return absl::OkStatus();
}

absl::StatusOr<size_t> EndpointBook::Reseal(size_t limit) {
  if (limit == 0) return Error(absl::StatusCode::kInvalidArgument, "limit: must be at least 1");
  const absl::MutexLock lock(&write_mutex_);
  std::vector<EndpointPtr> old;
  {
    const absl::ReaderMutexLock reading(&mutex_);
    for (const auto& [merchant, endpoints] : merchants_) {
      for (const EndpointPtr& endpoint : *endpoints) {
        if (old.size() < limit && !IsSealedNewest(*endpoint)) old.push_back(endpoint);
      }
    }
  }
  WriteSet writes;
  std::vector<EndpointPtr> fresh;
  for (const EndpointPtr& endpoint : old) {
    NW_ASSIGN_OR_RETURN(Endpoint resealed, Resealed(*endpoint));
    writes.Put(Space::kHost, EndpointKey(resealed.merchant_id, resealed.id), EncodeEndpoint(resealed));
    fresh.push_back(std::make_shared<const Endpoint>(std::move(resealed)));
  }
  NW_RETURN_IF_ERROR(engine_.Write(writes));
  for (EndpointPtr& endpoint : fresh) Publish(std::move(endpoint));
  return old.size();
}

// ---- Reads --------------------------------------------------------------------------------------------------

EndpointBook::SharedEndpoints EndpointBook::Of(std::string_view merchant) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const auto it = merchants_.find(ToAbsl(merchant));
  return it == merchants_.end() ? nullptr : it->second;
}

void EndpointBook::Visit(absl::FunctionRef<void(const EndpointPtr&)> visit) const {
  std::vector<SharedEndpoints> all;
  {
    const absl::ReaderMutexLock lock(&mutex_);
    all.reserve(merchants_.size());
    for (const auto& [merchant, endpoints] : merchants_) all.push_back(endpoints);
  }
  for (const SharedEndpoints& endpoints : all) {
    for (const EndpointPtr& endpoint : *endpoints) visit(endpoint);
  }
}

size_t EndpointBook::size() const {
  const absl::ReaderMutexLock lock(&mutex_);
  return size_;
}

absl::StatusOr<EndpointPtr> EndpointBook::Get(std::string_view merchant, std::string_view id) const {
  return Current(merchant, id, std::nullopt);
}

absl::StatusOr<EndpointPage> EndpointBook::List(std::string_view merchant, std::string_view after, size_t limit) const {
  NW_RETURN_IF_ERROR(ValidateMerchantId(merchant));
  if (limit == 0 || limit > kMaxEndpointPage) {
    return Error(absl::StatusCode::kInvalidArgument, "limit: must be 1 to ", kMaxEndpointPage);
  }
  EndpointPage page;
  const SharedEndpoints endpoints = Of(merchant);
  if (endpoints == nullptr) return page;
  auto it = LowerBound(*endpoints, after);
  if (it != endpoints->end() && (*it)->id == after) ++it;
  for (; it != endpoints->end() && page.endpoints.size() < limit; ++it) page.endpoints.push_back(*it);
  if (it != endpoints->end()) page.next = page.endpoints.back()->id;
  return page;
}

absl::StatusOr<std::vector<EndpointPtr>> EndpointBook::MatchingEndpoints(std::string_view merchant,
                                                                         std::string_view event_type) const {
  NW_RETURN_IF_ERROR(ValidateMerchantId(merchant));
  if (!IsEventType(event_type)) return Error(absl::StatusCode::kInvalidArgument, "event_type: is none");
  std::vector<EndpointPtr> matching;
  const SharedEndpoints endpoints = Of(merchant);
  if (endpoints == nullptr) return matching;
  for (const EndpointPtr& endpoint : *endpoints) {
    if (endpoint->state != EndpointState::kDisabled && endpoint->events.Matches(event_type))
      matching.push_back(endpoint);
  }
  return matching;
}

}  // namespace internal
}  // namespace northwind

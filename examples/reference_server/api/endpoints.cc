// SPDX-License-Identifier: Apache-2.0
//
// /v1/event-types and /v1/merchants/{merchant}/endpoints: secrets are in the answers to creating and rotating only, header values in none.
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/body.h"
#include "examples/reference_server/api/policy_json.h"
#include "examples/reference_server/api/routes.h"
#include "examples/reference_server/api/webhook_routes.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMostOfAPage = 100;  // what the library gives at once
// The library's bound is tighter, and says so; this one keeps the arithmetic whole.
constexpr int64_t kMostOverlapSeconds = 1'000'000'000;

// ---- What is answered

std::string_view BreakerName(EndpointHealth::Breaker breaker) {
  switch (breaker) {
    case EndpointHealth::Breaker::kClosed:
      return "closed";
    case EndpointHealth::Breaker::kOpen:
      return "open";
    case EndpointHealth::Breaker::kProbing:
      return "probing";
  }
  return "invalid";
}

absl::StatusOr<Json> EndpointJson(const Webhooks& webhooks, const WebhookEndpoint& endpoint) {
  NW_ASSIGN_OR_RETURN(const EndpointHealth health, webhooks.GetEndpointHealth(endpoint.merchant_id, endpoint.id));
  Json disabled;
  if (endpoint.disabled.has_value()) {
    disabled = {{"reason", Name(endpoint.disabled->reason)},
                {"at", TimeJson(endpoint.disabled->at)},
                {"detail", endpoint.disabled->detail}};
  }
  return Json{{"id", endpoint.id},
              {"version", endpoint.version},
              {"url", endpoint.url},
              {"events", endpoint.events},
              {"headers", endpoint.header_names},
              {"state", Name(endpoint.state)},
              {"disabled", std::move(disabled)},
              {"scheme", Name(endpoint.scheme)},
              {"created_at", TimeJson(endpoint.created_at)},
              {"updated_at", TimeJson(endpoint.updated_at)},
              {"policy", PolicyJson(endpoint.policy)},
              {"health",
               {{"breaker", BreakerName(health.breaker)},
                {"retry_at", TimeJson(health.retry_at)},
                {"failing_since", TimeJson(health.failing_since)},
                {"consecutive_failures", health.consecutive_failures}}}};
}

Field EntityTag(const WebhookEndpoint& endpoint) { return {"ETag", absl::StrCat("\"", endpoint.version, "\"")}; }

absl::StatusOr<Response> EndpointResponse(const Webhooks& webhooks, const WebhookEndpoint& endpoint) {
  NW_ASSIGN_OR_RETURN(const Json json, EndpointJson(webhooks, endpoint));
  Response response = JsonResponse(json);
  response.fields.push_back(EntityTag(endpoint));
  return response;
}

// ---- What is asked

absl::StatusOr<std::optional<SignatureScheme>> SchemeAt(const Json& body) {
  NW_ASSIGN_OR_RETURN(const auto text, TextAt(body, "scheme"));
  if (!text.has_value()) return std::nullopt;
  for (const SignatureScheme scheme : {SignatureScheme::kHmacSha256, SignatureScheme::kEd25519}) {
    if (*text == Name(scheme)) return scheme;
  }
  return absl::InvalidArgumentError("scheme: must be v1 or v1a");
}

// The array under `name`; InvalidArgument if something else stands there.
absl::StatusOr<const Json*> ArrayAt(const Json& body, const std::string& name) {
  const auto found = body.find(name);
  if (found == body.end()) return nullptr;
  if (!found->is_array()) return absl::InvalidArgumentError(absl::StrCat(name, ": must be an array"));
  return &*found;
}

absl::StatusOr<std::optional<std::vector<std::string>>> EventsAt(const Json& body) {
  NW_ASSIGN_OR_RETURN(const Json* values, ArrayAt(body, "events"));
  if (values == nullptr) return std::nullopt;
  std::vector<std::string> events;
  for (const Json& value : *values) {
    if (!value.is_string()) {
      return absl::InvalidArgumentError(absl::StrCat("events[", events.size(), "]: must be a string"));
    }
    events.push_back(value.get<std::string>());
  }
  return events;
}

absl::StatusOr<std::optional<std::vector<CustomHeader>>> HeadersAt(const Json& body) {
  NW_ASSIGN_OR_RETURN(const Json* values, ArrayAt(body, "headers"));
  if (values == nullptr) return std::nullopt;
  std::vector<CustomHeader> headers;
  for (const Json& value : *values) {
    const std::string where = absl::StrCat("headers[", headers.size(), "]");
    NW_RETURN_IF_ERROR(CheckObject(value, where, {"name", "value"}));
    NW_ASSIGN_OR_RETURN(const auto name, TextAt(value, "name", where + "."));
    NW_ASSIGN_OR_RETURN(const auto text, TextAt(value, "value", where + "."));
    if (!name.has_value() || !text.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": needs name and value"));
    }
    headers.push_back({.name = *name, .value = *text});
  }
  return headers;
}

// "ep_" and 32 hexadecimal digits that follow from merchant and key, so that a repeated request finds what the first one made. Empty
// without a key: the library takes a random one.
absl::StatusOr<std::string> IdFor(const Request& request) {
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> key, IdempotencyKey(request));
  if (!key.has_value()) return "";
  // Neither holds a zero byte.
  const std::string seed = absl::StrCat(request.param("merchant"), std::string(1, '\0'), *key);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(seed.data(), seed.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1 || size < 16) {
    return absl::InternalError("no SHA-256");
  }
  return "ep_" + absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), 16});
}

// What If-Match says, `"7"`; nothing without one.
absl::StatusOr<std::optional<uint64_t>> IfMatch(const Request& request) {
  const auto field = request.field("If-Match");
  if (!field.has_value()) return std::nullopt;
  const bool quoted = field->size() > 2 && field->front() == '"' && field->back() == '"';
  const auto version =
      quoted ? ParseWhole(field->substr(1, field->size() - 2), "If-Match", 1, std::numeric_limits<int64_t>::max())
             : absl::InvalidArgumentError("");
  if (!version.ok()) return absl::InvalidArgumentError("If-Match: must be a version in quotes, as ETag gives it");
  return static_cast<uint64_t>(*version);
}

// ---- Routes

absl::StatusOr<Response> ListEndpoints(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {}));
  NW_ASSIGN_OR_RETURN(const WebhookEndpointPage page, webhooks.ListEndpoints(request.param("merchant"), query.cursor(),
                                                                             std::min(query.limit(), kMostOfAPage)));
  Json data = Json::array();
  for (const WebhookEndpoint& endpoint : page.endpoints) {
    absl::StatusOr<Json> json = EndpointJson(webhooks, endpoint);
    if (absl::IsNotFound(json.status())) continue;  // deleted meanwhile
    NW_RETURN_IF_ERROR(json.status());
    data.push_back(*std::move(json));
  }
  return JsonResponse(PageJson(std::move(data), page.next));
}

absl::StatusOr<Response> CreateEndpoint(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  EndpointSpec spec;
  NW_ASSIGN_OR_RETURN(spec.id, IdFor(request));
  NW_ASSIGN_OR_RETURN(const Json body, ParseObject(request.body, {"url", "events", "headers", "scheme", "policy"}));
  NW_ASSIGN_OR_RETURN(const auto url, TextAt(body, "url"));
  NW_ASSIGN_OR_RETURN(auto events, EventsAt(body));
  NW_ASSIGN_OR_RETURN(auto headers, HeadersAt(body));
  NW_ASSIGN_OR_RETURN(const auto scheme, SchemeAt(body));
  spec.url = url.value_or("");
  if (events.has_value()) spec.events = *std::move(events);
  if (headers.has_value()) spec.headers = *std::move(headers);
  spec.scheme = scheme.value_or(spec.scheme);
  if (body.contains("policy")) {
    NW_ASSIGN_OR_RETURN(spec.policy, ReadPolicy(body["policy"]));
  }
  NW_ASSIGN_OR_RETURN(const NewEndpoint made, webhooks.CreateEndpoint(request.param("merchant"), spec));
  NW_ASSIGN_OR_RETURN(Json endpoint, EndpointJson(webhooks, made.endpoint));
  Response response = JsonResponse({{"endpoint", std::move(endpoint)}, {"secret", made.secret}}, 201);
  response.fields.push_back(
      {"Location", absl::StrCat("/v1/merchants/", made.endpoint.merchant_id, "/endpoints/", made.endpoint.id)});
  response.fields.push_back(EntityTag(made.endpoint));
  return response;
}

absl::StatusOr<Response> GetEndpoint(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const WebhookEndpoint endpoint,
                      webhooks.GetEndpoint(request.param("merchant"), request.param("endpoint")));
  return EndpointResponse(webhooks, endpoint);
}

absl::StatusOr<Response> UpdateEndpoint(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const std::optional<uint64_t> version, IfMatch(request));
  if (!version.has_value()) {
    return AsResponse({.status = 428,
                       .code = "precondition_required",
                       .detail = "If-Match: must say the version that the change is made to, as ETag gives it."},
                      request);
  }
  NW_ASSIGN_OR_RETURN(const Json body, ParseObject(request.body, {"url", "events", "headers", "policy"}));
  EndpointChange change;
  NW_ASSIGN_OR_RETURN(change.url, TextAt(body, "url"));
  NW_ASSIGN_OR_RETURN(change.events, EventsAt(body));
  NW_ASSIGN_OR_RETURN(change.headers, HeadersAt(body));
  if (body.contains("policy")) {
    NW_ASSIGN_OR_RETURN(change.policy.emplace(), ReadPolicy(body["policy"]));
  }
  NW_ASSIGN_OR_RETURN(const WebhookEndpoint endpoint,
                      webhooks.UpdateEndpoint(request.param("merchant"), request.param("endpoint"), *version, change));
  return EndpointResponse(webhooks, endpoint);
}

// If-Match is looked at if it is there; a change between that look and the deletion does not keep the endpoint.
absl::StatusOr<Response> DeleteEndpoint(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const std::optional<uint64_t> version, IfMatch(request));
  const std::string& merchant = request.param("merchant");
  const std::string& id = request.param("endpoint");
  NW_ASSIGN_OR_RETURN(const WebhookEndpoint endpoint, webhooks.GetEndpoint(merchant, id));
  if (version.has_value() && *version != endpoint.version) {
    return AsResponse({.status = 412,
                       .code = "version_conflict",
                       .detail = absl::StrCat("endpoint ", id, " has version ", endpoint.version, ", not ", *version)},
                      request);
  }
  NW_RETURN_IF_ERROR(webhooks.DeleteEndpoint(merchant, id));
  return Response{.status = 204, .content_type = ""};
}

// The four that only name what is to be.
template <typename Change>
absl::StatusOr<Response> ChangeState(Webhooks& webhooks, const Request& request, const Change& change) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_RETURN_IF_ERROR(OptionalObject(request.body, {}).status());
  NW_ASSIGN_OR_RETURN(const WebhookEndpoint endpoint, change(request.param("merchant"), request.param("endpoint")));
  return EndpointResponse(webhooks, endpoint);
}

absl::StatusOr<Response> PauseEndpoint(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  return ChangeState(webhooks, request,
                     [&](const auto& merchant, const auto& id) { return webhooks.PauseEndpoint(merchant, id); });
}

absl::StatusOr<Response> ResumeEndpoint(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  return ChangeState(webhooks, request,
                     [&](const auto& merchant, const auto& id) { return webhooks.ResumeEndpoint(merchant, id); });
}

absl::StatusOr<Response> DisableEndpoint(Webhooks& webhooks, const Request& request, const Caller& caller) {
  // The merchant sees it: it is not told which key of the operators' it was.
  const std::string_view by = caller.kind == Caller::Kind::kSession ? "by the merchant" : "through the API";
  return ChangeState(webhooks, request,
                     [&](const auto& merchant, const auto& id) { return webhooks.DisableEndpoint(merchant, id, by); });
}

absl::StatusOr<Response> EnableEndpoint(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  return ChangeState(webhooks, request,
                     [&](const auto& merchant, const auto& id) { return webhooks.EnableEndpoint(merchant, id); });
}

absl::StatusOr<Response> RotateSecret(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const Json body, OptionalObject(request.body, {"overlap_seconds", "scheme"}));
  SecretRotation rotation;
  NW_ASSIGN_OR_RETURN(const auto overlap, WholeAt(body, "overlap_seconds", -kMostOverlapSeconds, kMostOverlapSeconds));
  if (overlap.has_value()) rotation.overlap = absl::Seconds(*overlap);
  NW_ASSIGN_OR_RETURN(rotation.scheme, SchemeAt(body));
  NW_ASSIGN_OR_RETURN(const NewEndpoint made,
                      webhooks.RotateSecret(request.param("merchant"), request.param("endpoint"), rotation));
  NW_ASSIGN_OR_RETURN(Json endpoint, EndpointJson(webhooks, made.endpoint));
  const Json until =
      rotation.overlap == absl::ZeroDuration() ? Json() : TimeJson(made.endpoint.updated_at + rotation.overlap);
  Response response =
      JsonResponse({{"endpoint", std::move(endpoint)}, {"secret", made.secret}, {"old_valid_until", until}});
  response.fields.push_back(EntityTag(made.endpoint));
  return response;
}

absl::StatusOr<Response> SendTest(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_RETURN_IF_ERROR(OptionalObject(request.body, {}).status());
  NW_ASSIGN_OR_RETURN(const DeliveryName name, webhooks.SendTest(request.param("merchant"), request.param("endpoint")));
  return JsonResponse({{"message_id", name.message_id}}, 202);
}

Response ListEventTypes(const Request& request, const Caller& /*caller*/) {
  if (const absl::Status query = CheckQuery(request); !query.ok()) return AsResponse(FromStatus(query), request);
  Json data = Json::array();
  for (const std::string_view type : WebhookEventTypes()) data.push_back(type);
  return JsonResponse({{"data", std::move(data)}});
}

}  // namespace

void AddEndpointRoutes(Router& router, Host& host) {
  router.Add({.method = Method::kGet,
              .pattern = "/v1/event-types",
              .name = "listEventTypes",
              .scope = Scope::kPublic,
              .handler = ListEventTypes,
              .async_handler = nullptr});
  constexpr Scope kRead = Scope::kMerchantRead;
  constexpr Scope kWrite = Scope::kMerchantWrite;
  const std::string one = "/endpoints/{endpoint}";
  AddWebhookRoute(router, host, Method::kGet, "/endpoints", "listEndpoints", kRead, ListEndpoints);
  AddWebhookRoute(router, host, Method::kPost, "/endpoints", "createEndpoint", kWrite, CreateEndpoint);
  AddWebhookRoute(router, host, Method::kGet, one, "getEndpoint", kRead, GetEndpoint);
  AddWebhookRoute(router, host, Method::kPatch, one, "updateEndpoint", kWrite, UpdateEndpoint);
  AddWebhookRoute(router, host, Method::kDelete, one, "deleteEndpoint", kWrite, DeleteEndpoint);
  AddWebhookRoute(router, host, Method::kPost, one + "/pause", "pauseEndpoint", kWrite, PauseEndpoint);
  AddWebhookRoute(router, host, Method::kPost, one + "/resume", "resumeEndpoint", kWrite, ResumeEndpoint);
  AddWebhookRoute(router, host, Method::kPost, one + "/disable", "disableEndpoint", kWrite, DisableEndpoint);
  AddWebhookRoute(router, host, Method::kPost, one + "/enable", "enableEndpoint", kWrite, EnableEndpoint);
  AddWebhookRoute(router, host, Method::kPost, one + "/rotate-secret", "rotateSecret", kWrite, RotateSecret);
  AddWebhookRoute(router, host, Method::kPost, one + "/test", "sendTest", kWrite, SendTest);
  AddRecoveryRoutes(router, host);
  AddPolicyRoutes(router, host);
}

}  // namespace northwind::server

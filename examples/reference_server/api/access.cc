// SPDX-License-Identifier: Apache-2.0
//
// Portal links, sessions, keys. No answer of these may be kept by a cache.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "examples/reference_server/api/audited.h"
#include "examples/reference_server/api/body.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/routes.h"
#include "examples/reference_server/auth/record.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxPublicBody = 4096;  // a token

constexpr int64_t kMaxSeconds = int64_t{3600} * 24 * 365 * 100;

Response NotKept(Response response) {
  response.fields.push_back({"Cache-Control", "no-store"});
  return response;
}

Response Refused(const absl::Status& status, const Request& request) { return AsResponse(FromStatus(status), request); }

Response Forbidden(const Request& request) { return Refused(absl::PermissionDeniedError(""), request); }

// ---- Fields of bodies

absl::StatusOr<std::string> TextOf(const Json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end() || !found->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": must be a string"));
  }
  return found->get<std::string>();
}

absl::StatusOr<std::optional<std::string>> OptionalTextOf(const Json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end() || found->is_null()) return std::nullopt;
  return TextOf(body, name);
}

absl::StatusOr<std::set<Scope>> ScopesOf(const Json& body) {
  const auto found = body.find("scopes");
  if (found == body.end() || !found->is_array()) {
    return absl::InvalidArgumentError("scopes: must be an array of scopes");
  }
  std::set<Scope> scopes;
  for (const Json& item : *found) {
    const std::optional<Scope> scope = item.is_string() ? ParseScope(item.get<std::string>()) : std::nullopt;
    if (!scope.has_value()) {
      return absl::InvalidArgumentError(
          "scopes: known are events:write, merchant:read, merchant:write, portal:link, operator:read, operator:write");
    }
    scopes.insert(*scope);
  }
  return scopes;
}

absl::StatusOr<KeySpec> SpecOf(const Request& request) {
  NW_ASSIGN_OR_RETURN(const Json body, ParseObject(request.body, {"name", "scopes", "merchant_id", "expires_at"}));
  KeySpec spec;
  NW_ASSIGN_OR_RETURN(spec.name, TextOf(body, "name"));
  if (!IsPlainName(spec.name)) return absl::InvalidArgumentError("name: has 1 to 64 characters of A-Z a-z 0-9 . _ -");
  NW_ASSIGN_OR_RETURN(spec.scopes, ScopesOf(body));
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> merchant, OptionalTextOf(body, "merchant_id"));
  spec.merchant = merchant.value_or("");
  // "" would be a key for all merchants.
  if (merchant.has_value() && !IsPlainName(spec.merchant)) {
    return absl::InvalidArgumentError("merchant_id: has 1 to 64 characters of A-Z a-z 0-9 . _ -");
  }
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> expires, OptionalTextOf(body, "expires_at"));
  if (expires.has_value()) {
    NW_ASSIGN_OR_RETURN(spec.expires_at, ParseTime(*expires));
  }
  return spec;
}

// What a repeat of the request finds its key by; empty without the field.
absl::StatusOr<std::string> SeedOf(const Request& request, const Caller& caller) {
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> key, IdempotencyKey(request));
  if (!key.has_value()) return std::string();
  return absl::StrCat("createKey ", caller.id, " ", *key);
}

// ---- What is answered

Json ViewJson(const KeyView& view) {
  Json scopes = Json::array();
  for (const Scope scope : view.spec.scopes) scopes.push_back(Name(scope));
  return {{"id", view.id},
          {"name", view.spec.name},
          {"scopes", std::move(scopes)},
          {"merchant_id", view.spec.merchant.empty() ? Json(nullptr) : Json(view.spec.merchant)},
          {"created_at", TimeJson(view.created_at)},
          {"expires_at", TimeJson(view.spec.expires_at)},
          {"last_used_at", TimeJson(view.last_used_at)},
          {"revoked_at", TimeJson(view.revoked_at)}};
}

Json SessionJson(const Session& session) {
  return {{"merchant_id", session.merchant},
          {"csrf_token", session.csrf_token},
          {"expires_at", TimeJson(session.expires_at)}};
}

// Without Max-Age: it goes when the browser is closed, at the latest.
Field SetCookie(std::string_view name, const std::string& value) {
  return {"Set-Cookie", absl::StrCat(std::string(name), "=", value, "; Path=/; HttpOnly; SameSite=Strict",
                                     name == kSessionCookie ? "; Secure" : "", value.empty() ? "; Max-Age=0" : "")};
}

bool HoldsAll(const Caller& caller, const std::set<Scope>& scopes) {
  return std::includes(caller.scopes.begin(), caller.scopes.end(), scopes.begin(), scopes.end());
}

// ---- Links and sessions

Response CreatePortalLink(Host& host, const ServerOptions& options, const Request& request, const Caller& caller) {
  const absl::StatusOr<Json> body = ParseObject(request.body, {"merchant_id"});
  if (!body.ok()) return Refused(body.status(), request);
  const absl::StatusOr<std::string> merchant = TextOf(*body, "merchant_id");
  if (!merchant.ok()) return Refused(merchant.status(), request);
  if (!caller.merchant.empty() && caller.merchant != *merchant) return Forbidden(request);
  if (!IsPlainName(*merchant)) {
    return AsResponse(InvalidRequest("merchant_id: has 1 to 64 characters of A-Z a-z 0-9 . _ -"), request);
  }
  const Change change{.action = "createPortalLink", .subject = absl::StrCat("merchant ", *merchant), .asked = *body};
  return Audited(*host.audit, request, caller, change, [&]() -> absl::StatusOr<Outcome> {
    NW_ASSIGN_OR_RETURN(const PortalLink link, host.credentials->CreateLink(*merchant));
    const std::string base(absl::StripSuffix(options.public_url, "/"));
    const Json answer = {{"url", absl::StrCat(base, "/portal/#/signin/", link.token)},
                         {"expires_at", TimeJson(link.expires_at)}};
    return Outcome{NotKept(JsonResponse(answer, 201)), {{"expires_at", TimeJson(link.expires_at)}}};
  });
}

Response SignIn(Host& host, const Request& request, const Caller& caller) {
  // A form of another site can send text, and no JSON: so nobody is signed in as somebody else by one.
  if (MediaType(request) != "application/json") {
    return AsResponse(
        {.status = 415, .code = "unsupported_media_type", .detail = "Content-Type must be application/json."}, request);
  }
  const absl::StatusOr<Json> body = ParseObject(request.body, {"token"});
  if (!body.ok()) return Refused(body.status(), request);
  const absl::StatusOr<std::string> token = TextOf(*body, "token");
  if (!token.ok()) return Refused(token.status(), request);
  const absl::StatusOr<Session> session = host.credentials->SignIn(*token);
  if (absl::IsUnauthenticated(session.status())) {
    return AsResponse(
        {.status = 401, .code = "unauthenticated", .detail = "This link is not good, or not any more: get a new one."},
        request);
  }
  if (!session.ok()) return Refused(session.status(), request);
  // One line, after it: before it nobody is known, and whoever likes could fill the trail. Without the line there is no cookie.
  const Change change{.action = "signIn", .subject = absl::StrCat("merchant ", session->merchant)};
  const absl::Status written = AppendDone(*host.audit, request, absl::StrCat("merchant:", session->merchant), change);
  if (!written.ok()) {
    host.credentials->SignOut(session->cookie).IgnoreError();
    return Refused(written, request);
  }
  // Whose browser this was before has signed out by that.
  if (caller.kind == Caller::Kind::kSession) {
    if (const auto before = host.credentials->FindSession(request); before.ok()) {
      host.credentials->SignOut(before->cookie).IgnoreError();
    }
  }
  Response response = NotKept(JsonResponse(SessionJson(*session), 201));
  response.fields.push_back(SetCookie(host.credentials->cookie_name(), session->cookie));
  return response;
}

Response GetSession(Host& host, const Request& request, const Caller& caller) {
  if (caller.kind != Caller::Kind::kSession) return AsResponse(NotFound(), request);
  const absl::StatusOr<Session> session = host.credentials->FindSession(request);
  if (!session.ok()) return AsResponse(NotFound(), request);
  return NotKept(JsonResponse(SessionJson(*session)));
}

Response SignOut(Host& host, const Request& request, const Caller& caller) {
  if (caller.kind != Caller::Kind::kSession) return AsResponse(NotFound(), request);
  const Change change{.action = "signOut", .subject = absl::StrCat("session ", caller.id)};
  return Audited(*host.audit, request, caller, change, [&]() -> absl::StatusOr<Outcome> {
    if (const auto session = host.credentials->FindSession(request); session.ok()) {
      NW_RETURN_IF_ERROR(host.credentials->SignOut(session->cookie));
    }
    Response response = NotKept({.status = 204, .content_type = ""});
    response.fields.push_back(SetCookie(host.credentials->cookie_name(), ""));
    return Outcome{std::move(response)};
  });
}

// ---- Keys

Response ListKeys(Host& host, const Request& request) {
  const absl::StatusOr<ListQuery> query = ListQuery::Read(request, {});
  if (!query.ok()) return Refused(query.status(), request);
  const absl::StatusOr<std::vector<KeyView>> page = host.credentials->ListKeys(query->cursor(), query->limit());
  if (!page.ok()) return Refused(page.status(), request);
  Json data = Json::array();
  for (const KeyView& view : *page) data.push_back(ViewJson(view));
  return NotKept(JsonResponse(PageJson(std::move(data), page->size() == query->limit() ? page->back().id : "")));
}

Outcome NewKeyOutcome(const NewKey& made, int status) {
  const Json view = ViewJson(made.view);
  Response response = NotKept(JsonResponse({{"key", made.key}, {"view", view}}, status));
  return {std::move(response), view};
}

Response CreateKey(Host& host, const Request& request, const Caller& caller) {
  const absl::StatusOr<KeySpec> spec = SpecOf(request);
  if (!spec.ok()) return Refused(spec.status(), request);
  const absl::StatusOr<std::string> seed = SeedOf(request, caller);
  if (!seed.ok()) return Refused(seed.status(), request);
  // Nobody hands out more than they have.
  if (!HoldsAll(caller, spec->scopes)) return Forbidden(request);
  const Change change{
      .action = "createKey", .subject = "keys", .asked = ViewJson({.spec = *spec, .created_at = absl::InfinitePast()})};
  return Audited(*host.audit, request, caller, change, [&]() -> absl::StatusOr<Outcome> {
    NW_ASSIGN_OR_RETURN(const NewKey made, host.credentials->CreateKey(*spec, *seed));
    return NewKeyOutcome(made, 201);
  });
}

Response RotateKey(Host& host, const Request& request, const Caller& caller) {
  const absl::StatusOr<Json> body = ParseObject(request.body, {"overlap_seconds"});
  if (!body.ok()) return Refused(body.status(), request);
  const auto overlap = body->find("overlap_seconds");
  if (overlap == body->end() || !overlap->is_number_unsigned() || overlap->get<uint64_t>() > uint64_t{kMaxSeconds}) {
    return AsResponse(InvalidRequest("overlap_seconds: must be a whole number of seconds, at most 30 days"), request);
  }
  const std::string& id = request.param("key");
  const absl::StatusOr<KeyView> old = host.credentials->GetKey(id);
  if (!old.ok()) return Refused(old.status(), request);
  if (!HoldsAll(caller, old->spec.scopes)) return Forbidden(request);
  const Change change{.action = "rotateKey", .subject = absl::StrCat("key ", id), .asked = *body};
  return Audited(*host.audit, request, caller, change, [&]() -> absl::StatusOr<Outcome> {
    NW_ASSIGN_OR_RETURN(const NewKey made, host.credentials->RotateKey(id, absl::Seconds(overlap->get<int64_t>())));
    return NewKeyOutcome(made, 201);
  });
}

Response RevokeKey(Host& host, const Request& request, const Caller& caller) {
  const std::string& id = request.param("key");
  if (const auto old = host.credentials->GetKey(id); !old.ok()) return Refused(old.status(), request);
  const Change change{.action = "revokeKey", .subject = absl::StrCat("key ", id)};
  return Audited(*host.audit, request, caller, change, [&]() -> absl::StatusOr<Outcome> {
    NW_RETURN_IF_ERROR(host.credentials->RevokeKey(id));
    return Outcome{{.status = 204, .content_type = ""}};
  });
}

}  // namespace

void AddAccessRoutes(Router& router, Host& host, const ServerOptions& options) {
  const auto add = [&router](Method method, const char* pattern, const char* name, Scope scope, Handler handler) {
    Route route{.method = method, .pattern = pattern, .name = name, .scope = scope};
    if (scope == Scope::kPublic) route.max_body = kMaxPublicBody;
    route.handler = std::move(handler);
    router.Add(std::move(route));
  };
  add(Method::kPost, "/v1/portal-links", "createPortalLink", Scope::kPortalLink,
      [&](const Request& request, const Caller& caller) { return CreatePortalLink(host, options, request, caller); });
  add(Method::kPost, "/v1/session", "signIn", Scope::kPublic,
      [&](const Request& request, const Caller& caller) { return SignIn(host, request, caller); });
  add(Method::kGet, "/v1/session", "getSession", Scope::kMerchantRead,
      [&](const Request& request, const Caller& caller) { return GetSession(host, request, caller); });
  add(Method::kDelete, "/v1/session", "signOut", Scope::kMerchantRead,
      [&](const Request& request, const Caller& caller) { return SignOut(host, request, caller); });
  add(Method::kGet, "/v1/operator/keys", "listKeys", Scope::kOperatorRead,
      [&](const Request& request, const Caller& /*caller*/) { return ListKeys(host, request); });
  add(Method::kPost, "/v1/operator/keys", "createKey", Scope::kOperatorWrite,
      [&](const Request& request, const Caller& caller) { return CreateKey(host, request, caller); });
  add(Method::kPost, "/v1/operator/keys/{key}/rotate", "rotateKey", Scope::kOperatorWrite,
      [&](const Request& request, const Caller& caller) { return RotateKey(host, request, caller); });
  add(Method::kDelete, "/v1/operator/keys/{key}", "revokeKey", Scope::kOperatorWrite,
      [&](const Request& request, const Caller& caller) { return RevokeKey(host, request, caller); });
}

}  // namespace northwind::server

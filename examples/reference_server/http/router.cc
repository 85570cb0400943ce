// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/router.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/reference_server/http/percent.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr std::array<std::string_view, 7> kScopes = {"public",      "events:write",  "merchant:read", "merchant:write",
                                                     "portal:link", "operator:read", "operator:write"};
constexpr char kTenant[] = "merchant";

std::vector<std::string_view> Split(std::string_view path) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// Nothing if it is not well encoded, or hides what would make another path of it.
std::optional<std::string> DecodePart(std::string_view part) {
  std::string decoded;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '%') {
      decoded.push_back(part[i]);
      continue;
    }
    const std::optional<char> c = Unescape(part, i);
    if (!c.has_value() || *c == '/' || *c == '\0') return std::nullopt;
    decoded.push_back(*c);
    i += 2;
  }
  if (decoded == "." || decoded == "..") return std::nullopt;
  return decoded;
}

bool IsName(std::string_view part) { return part.size() > 2 && part.front() == '{' && part.back() == '}'; }

bool Changes(Method method) { return method != Method::kGet && method != Method::kHead; }

Problem Unauthenticated() {
  return {.status = 401, .code = "unauthenticated", .detail = "This needs a credential, and one that is good."};
}

Response RefuseUnauthenticated(const Request& request) {
  Response response = AsResponse(Unauthenticated(), request);
  response.fields.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

}  // namespace

std::string_view Name(Scope scope) { return kScopes.at(static_cast<size_t>(scope)); }

std::optional<Scope> ParseScope(std::string_view name) {
  // "public" is nothing that a credential has.
  for (size_t i = 1; i < kScopes.size(); ++i) {
    if (kScopes[i] == name) return static_cast<Scope>(i);
  }
  return std::nullopt;
}

void Router::Add(Route route) {
  NW_CHECK((route.handler != nullptr) != (route.async_handler != nullptr), "a route has one handler");
  for (const Route& other : routes_) {
    NW_CHECK(other.name != route.name, "two routes have one name");
    NW_CHECK(other.method != route.method || other.pattern != route.pattern, "the same route twice");
  }
  Pattern pattern;
  for (const std::string_view part : Split(route.pattern)) pattern.emplace_back(part);
  routes_.push_back(std::move(route));
  patterns_.push_back(std::move(pattern));
}

std::optional<std::map<std::string, std::string>> Router::Match(const Pattern& pattern,
                                                                const std::vector<std::string_view>& parts) {
  if (pattern.size() != parts.size()) return std::nullopt;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!IsName(pattern[i]) && pattern[i] != parts[i]) return std::nullopt;
  }
  std::map<std::string, std::string> params;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!IsName(pattern[i])) continue;
    std::optional<std::string> value = DecodePart(parts[i]);
    if (!value.has_value() || value->empty()) return std::nullopt;
    params[pattern[i].substr(1, pattern[i].size() - 2)] = *std::move(value);
  }
  return params;
}

const Route* Router::Find(Request& request, std::string* allow) const {
  const std::vector<std::string_view> parts = Split(request.path);
  const Method asked = request.method == Method::kHead ? Method::kGet : request.method;
  std::string methods;
  const Route* found = nullptr;
  // A part that is spelt out goes before one that is named: ".../payouts.csv" before ".../{payout}".
  size_t fewest_names = 0;
  for (size_t i = 0; i < routes_.size(); ++i) {
    std::optional<std::map<std::string, std::string>> params = Match(patterns_[i], parts);
    if (!params.has_value()) continue;
    if (routes_[i].method != asked) {
      absl::StrAppend(&methods, methods.empty() ? "" : ", ", std::string(Name(routes_[i].method)));
      if (routes_[i].method == Method::kGet) methods += ", HEAD";
    } else if (found == nullptr || params->size() < fewest_names) {
      found = &routes_[i];
      fewest_names = params->size();
      request.params = *std::move(params);
    }
  }
  if (allow != nullptr) *allow = std::move(methods);
  return found;
}

std::optional<Response> Router::RefuseLargeBody(const Route& route, const Request& request, std::string* caller) const {
  if (route.scope == Scope::kPublic) return std::nullopt;
  const absl::StatusOr<Caller> who = authenticator_.Authenticate(request);
  if (!who.ok() && !absl::IsUnauthenticated(who.status())) return AsResponse(FromStatus(who.status()), request);
  if (!who.ok() || who->kind == Caller::Kind::kNobody) return RefuseUnauthenticated(request);
  const auto tenant = request.params.find(kTenant);
  if (tenant != request.params.end() && !who->merchant.empty() && who->merchant != tenant->second) {
    return AsResponse(NotFound(), request);
  }
  if (who->scopes.count(route.scope) == 0) return AsResponse(FromStatus(absl::PermissionDeniedError("")), request);
  *caller = who->id;
  return std::nullopt;
}

std::optional<Response> Router::Refuse(const Route& route, const Request& request, Caller* caller) const {
  // Nobody in particular is answered: a browser sends the cookie of a session that has ended with each file of a page, and none of them
  // is an attempt at guessing one.
  if (route.scope == Scope::kPublic && route.unlimited) return std::nullopt;
  absl::StatusOr<Caller> who =
      route.by_itself ? authenticator_.Recognise(request) : authenticator_.Authenticate(request);
  if (who.ok()) {
    *caller = *std::move(who);
  } else if (!absl::IsUnauthenticated(who.status())) {
    return AsResponse(FromStatus(who.status()), request);
  } else if (route.scope != Scope::kPublic) {
    return RefuseUnauthenticated(request);
  }
  if (const auto wait = route.unlimited ? std::nullopt : authenticator_.OverRate(request, *caller)) {
    return AsResponse({.status = 429, .code = "rate_limited", .detail = "Too many requests.", .retry_after = *wait},
                      request);
  }
  if (route.scope != Scope::kPublic) {
    if (caller->kind == Caller::Kind::kNobody) return RefuseUnauthenticated(request);
    // Whoever may not see a tenant learns nothing of it, not even that a scope is what is missing.
    const auto tenant = request.params.find(kTenant);
    if (tenant != request.params.end() && !caller->merchant.empty() && caller->merchant != tenant->second) {
      return AsResponse(NotFound(), request);
    }
    if (caller->scopes.count(route.scope) == 0) {
      return AsResponse({.status = 403, .code = "forbidden", .detail = "This credential does not allow that."},
                        request);
    }
    // What nobody needs to be signed in for can be asked without the cookie too: no token would guard it.
    if (caller->kind == Caller::Kind::kSession && Changes(route.method) &&
        !authenticator_.HasCsrfToken(request, *caller)) {
      return AsResponse({.status = 403, .code = "csrf", .detail = "The CSRF token is missing or not this session's."},
                        request);
    }
  }
  return std::nullopt;
}

void Router::Answer(Request request, const std::function<void(std::function<void()>)>& block, Respond respond) const {
  std::string allow;
  const Route* route = Find(request, &allow);
  if (route == nullptr) {
    Response response = AsResponse(NotFound(), request);
    if (!allow.empty()) {
      response = AsResponse({.status = 405, .code = "method_not_allowed", .detail = "Not with this method."}, request);
      response.fields.push_back({"Allow", allow});
    }
    return respond(std::move(response));
  }
  Caller caller;
  if (std::optional<Response> refusal = Refuse(*route, request, &caller)) {
    refusal->route = route->name;
    refusal->caller = caller.id;
    return respond(*std::move(refusal));
  }
  const auto named = [respond = std::move(respond), name = route->name, id = caller.id](Response response) {
    response.route = name;
    response.caller = id;
    respond(std::move(response));
  };
  if (route->async_handler && request.body.size() <= kLargeBody) {
    return route->async_handler(std::move(request), std::move(caller), named);
  }
  block([route, request = std::move(request), caller = std::move(caller), named]() mutable {
    const Request asked{.id = request.id};  // for an answer, of a request that was moved on
    try {
      if (route->async_handler) return route->async_handler(std::move(request), std::move(caller), named);
      named(route->handler(request, caller));
    } catch (const std::exception& exception) {
      // Of a library below, such as memory that ran out: this request has failed, the process has not.
      named(AsResponse(FromStatus(absl::InternalError(exception.what())), asked));
    }
  });
}

}  // namespace northwind::server

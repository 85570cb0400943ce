// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/operator.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/audited.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxLoggedItems = 20;
constexpr size_t kMaxLoggedBytes = 3000;
constexpr char kNotConfigured[] = "not configured: ";

// What fits a line of the audit trail: long lists by their length and their beginning.
Json Shortened(const Json& asked) {
  Json shorter = asked;
  for (auto& [name, value] : shorter.items()) {
    if (!value.is_array() || value.size() <= kMaxLoggedItems) continue;
    Json first(value.begin(), value.begin() + kMaxLoggedItems);
    value = {{"count", value.size()}, {"first", std::move(first)}};
  }
  if (shorter.dump(-1, ' ', false, Json::error_handler_t::replace).size() <= kMaxLoggedBytes) return shorter;
  return {{"too_long", true}};
}

Response MakeChange(Host& host, const OperatorChange& change, const Request& request, const Caller& caller) {
  const absl::StatusOr<Json> body = request.body.empty() ? Json::object() : ParseObject(request.body, change.fields);
  if (!body.ok()) return AnswerError(body.status(), request);
  const auto param = request.params.find(change.subject);
  const Change asked{.action = change.name,
                     .subject = param == request.params.end() ? change.subject : param->second,
                     .asked = Shortened(change.logged ? change.logged(*body) : *body),
                     .emergency = change.emergency};
  std::optional<absl::Status> failed;
  Response response = Audited(*host.audit, request, caller, asked, [&]() -> absl::StatusOr<Outcome> {
    const absl::StatusOr<Json> done = change.run(request, caller, *body);
    if (!done.ok()) {
      failed = done.status();
      return done.status();
    }
    return Outcome{.response = JsonResponse(*done, change.status)};
  });
  return failed.has_value() ? AnswerError(*failed, request) : response;  // not_configured, and a line in the log
}

absl::Status Wrong(const char* name, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": must be ", what));
}

}  // namespace

Response AnswerError(const absl::Status& status, const Request& request) {
  const std::string message(status.message());
  if (absl::IsFailedPrecondition(status) && message.rfind(kNotConfigured, 0) == 0) {
    return AsResponse({.status = 409, .code = "not_configured", .detail = message.substr(sizeof(kNotConfigured) - 1)},
                      request);
  }
  return AsResponse(FromStatus(status), request);
}

void AddOperatorRoutes(Router& router, Host& host, const Metrics& metrics, const ServerOptions& options) {
  AddOverviewRoutes(router, host, metrics);
  AddQuarantineRoutes(router, host);
  AddDeadLetterRoutes(router, host);
  AddCareRoutes(router, host, options);
}

void AddRead(Router& router, std::string pattern, std::string name, Read read, Queries queries) {
  Route route{.pattern = std::move(pattern), .name = std::move(name), .scope = Scope::kOperatorRead};
  route.handler = [read = std::move(read), queries](const Request& request, const Caller&) {
    if (queries == Queries::kNone && !request.query.empty()) {
      return AsResponse(InvalidRequest("this takes no query parameters"), request);
    }
    const absl::StatusOr<Json> answer = read(request);
    return answer.ok() ? JsonResponse(*answer) : AnswerError(answer.status(), request);
  };
  router.Add(std::move(route));
}

void AddChange(Router& router, Host& host, OperatorChange change) {
  Route route{.method = change.method, .pattern = change.pattern, .name = change.name, .scope = Scope::kOperatorWrite};
  route.max_body = change.max_body;
  route.handler = [&host, change = std::move(change)](const Request& request, const Caller& caller) {
    return MakeChange(host, change, request, caller);
  };
  router.Add(std::move(route));
}

absl::Status NotConfigured(std::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(kNotConfigured, std::string(what)));
}

absl::StatusOr<std::string> TextOf(const Json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end() || !found->is_string()) return Wrong(name, "a text");
  return found->get<std::string>();
}

absl::StatusOr<uint64_t> NumberOf(const Json& body, const char* name, uint64_t most) {
  const auto found = body.find(name);
  if (found == body.end() || !found->is_number_unsigned() || found->get<uint64_t>() > most) {
    return Wrong(name, absl::StrCat("a whole number from 0 to ", most));
  }
  return found->get<uint64_t>();
}

absl::StatusOr<std::vector<std::string>> TextsOf(const Json& body, const char* name, size_t most) {
  const auto found = body.find(name);
  const std::string what = absl::StrCat("a list of 1 to ", most, " texts");
  if (found == body.end() || !found->is_array() || found->empty() || found->size() > most) return Wrong(name, what);
  std::vector<std::string> texts;
  for (const Json& one : *found) {
    if (!one.is_string()) return Wrong(name, what);
    texts.push_back(one.get<std::string>());
  }
  return texts;
}

Json Digits(uint64_t value) { return std::to_string(value); }
Json Digits(Sequence sequence) { return std::to_string(sequence.value()); }
std::string Hex(const Hash256& hash) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

}  // namespace northwind::server

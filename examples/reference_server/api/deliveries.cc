// SPDX-License-Identifier: Apache-2.0
//
// /v1/merchants/{merchant}/deliveries and /attempts: what was sent, what came of it, and sending it again.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/body.h"
#include "examples/reference_server/api/routes.h"
#include "examples/reference_server/api/webhook_routes.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxResends = 100;
constexpr int kLastFailure = 255;  // of the values that an AttemptFailure may have

// ---- What is answered

Json FailureJson(AttemptFailure failure) {
  if (failure == AttemptFailure::kNone) return nullptr;
  return Name(failure);
}

Json StatusJson(int status) {
  if (status == 0) return nullptr;
  return status;
}

// To the microsecond.
double Milliseconds(absl::Duration duration) { return std::round(absl::ToDoubleMicroseconds(duration)) / 1000; }

Json AttemptJson(const WebhookAttempt& attempt, const Caller& caller) {
  Json json = {{"message_id", attempt.delivery.message_id},
               {"endpoint_id", attempt.delivery.endpoint_id},
               {"type", attempt.type},
               {"number", attempt.number},
               {"trigger", Name(attempt.trigger)},
               {"at", TimeJson(attempt.at)},
               {"failure", FailureJson(attempt.failure)},
               {"status", StatusJson(attempt.status)},
               {"message", attempt.message},
               {"retry_at", TimeJson(attempt.retry_at)},
               {"response_body", attempt.response_body},
               {"response_truncated", attempt.response_truncated},
               {"timings_ms",
                {{"dns", Milliseconds(attempt.dns)},
                 {"connect", Milliseconds(attempt.connect)},
                 {"tls", Milliseconds(attempt.tls)},
                 {"first_byte", Milliseconds(attempt.first_byte)},
                 {"total", Milliseconds(attempt.total)}}}};
  // What a name resolves to inside a network is not the merchant's to know.
  if (caller.scopes.count(Scope::kOperatorRead) != 0) json["remote_address"] = attempt.remote_address;
  return json;
}

// ---- What is asked

DeliveryName NameOf(const Request& request) {
  return {.merchant_id = request.param("merchant"),
          .endpoint_id = request.param("endpoint"),
          .message_id = request.param("message")};
}

// What the library calls `after` came as the cursor.
absl::Status OfCursor(const absl::Status& status) {
  if (!absl::IsInvalidArgument(status) || status.message().substr(0, 6) != "after:") return status;
  return absl::InvalidArgumentError(absl::StrCat("cursor", status.message().substr(5)));
}

// What both lists choose by.
template <typename Query>
absl::Status ReadCommon(const Request& request, const ListQuery& query, Query& into) {
  for (const auto& [name, value] : request.query) {
    if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(name, ": is empty"));
  }
  into.merchant_id = request.param("merchant");
  into.endpoint_id = query.text("endpoint").value_or("");
  into.message_id = query.text("message").value_or("");
  into.type = query.text("type").value_or("");
  NW_ASSIGN_OR_RETURN(const auto from, query.time("from"));
  NW_ASSIGN_OR_RETURN(const auto before, query.time("before"));
  into.from = from.value_or(into.from);
  into.before = before.value_or(into.before);
  into.after = query.cursor();
  into.limit = query.limit();
  return absl::OkStatus();
}

absl::StatusOr<DeliveryState> ParseState(std::string_view text) {
  for (const DeliveryState state :
       {DeliveryState::kPending, DeliveryState::kDelivered, DeliveryState::kDead, DeliveryState::kCanceled}) {
    if (text == Name(state)) return state;
  }
  return absl::InvalidArgumentError("state: must be pending, delivered, dead or canceled");
}

absl::StatusOr<AttemptFailure> ParseFailure(std::string_view text) {
  for (int value = 0; value <= kLastFailure && text != "invalid"; ++value) {
    if (text == Name(static_cast<AttemptFailure>(value))) return static_cast<AttemptFailure>(value);
  }
  return absl::InvalidArgumentError("failure: is none of an attempt");
}

// ---- Routes

absl::StatusOr<Response> ListDeliveries(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_ASSIGN_OR_RETURN(const ListQuery list,
                      ListQuery::Read(request, {"endpoint", "message", "type", "state", "from", "before"}));
  DeliveryQuery query;
  NW_RETURN_IF_ERROR(ReadCommon(request, list, query));
  if (const auto state = list.text("state")) {
    NW_ASSIGN_OR_RETURN(query.state, ParseState(*state));
  }
  const absl::StatusOr<WebhookDeliveryPage> page = webhooks.ListDeliveries(query);
  NW_RETURN_IF_ERROR(OfCursor(page.status()));
  Json data = Json::array();
  for (const WebhookDelivery& delivery : page->deliveries) data.push_back(DeliveryJson(delivery));
  return JsonResponse(PageJson(std::move(data), page->next));
}

absl::StatusOr<Response> ListAttempts(Webhooks& webhooks, const Request& request, const Caller& caller) {
  NW_ASSIGN_OR_RETURN(const ListQuery list,
                      ListQuery::Read(request, {"endpoint", "message", "type", "failure", "status", "from", "before"}));
  AttemptQuery query;
  NW_RETURN_IF_ERROR(ReadCommon(request, list, query));
  if (const auto failure = list.text("failure")) {
    NW_ASSIGN_OR_RETURN(query.failure, ParseFailure(*failure));
  }
  if (const auto status = list.text("status")) {
    NW_ASSIGN_OR_RETURN(const int64_t code, ParseWhole(*status, "status", 100, 999));
    query.status = static_cast<int>(code);
  }
  const absl::StatusOr<WebhookAttemptPage> page = webhooks.ListAttempts(query);
  NW_RETURN_IF_ERROR(OfCursor(page.status()));
  Json data = Json::array();
  for (const WebhookAttempt& attempt : page->attempts) data.push_back(AttemptJson(attempt, caller));
  return JsonResponse(PageJson(std::move(data), page->next));
}

absl::StatusOr<Response> GetDelivery(Webhooks& webhooks, const Request& request, const Caller& caller) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  const DeliveryName name = NameOf(request);
  NW_ASSIGN_OR_RETURN(const WebhookDelivery delivery, webhooks.GetDelivery(name));
  // The last ones, should there be more.
  NW_ASSIGN_OR_RETURN(const WebhookAttemptPage page, webhooks.ListAttempts({.merchant_id = name.merchant_id,
                                                                            .endpoint_id = name.endpoint_id,
                                                                            .message_id = name.message_id,
                                                                            .limit = kMaxAttemptPage}));
  Json json = DeliveryJson(delivery);
  json["next_attempt"] = delivery.next_attempt.has_value() ? TimeJson(*delivery.next_attempt) : Json();
  json["body"] = delivery.body;
  json["attempts_list"] = Json::array();
  for (auto attempt = page.attempts.rbegin(); attempt != page.attempts.rend(); ++attempt) {
    json["attempts_list"].push_back(AttemptJson(*attempt, caller));
  }
  return JsonResponse(json);
}

absl::StatusOr<Response> ResendDelivery(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_RETURN_IF_ERROR(OptionalObject(request.body, {}).status());
  NW_RETURN_IF_ERROR(webhooks.Resend(NameOf(request)));
  NW_ASSIGN_OR_RETURN(const WebhookDelivery delivery, webhooks.GetDelivery(NameOf(request)));
  return JsonResponse(DeliveryJson(delivery), 202);
}

absl::StatusOr<std::vector<DeliveryName>> ReadNames(const Request& request) {
  NW_ASSIGN_OR_RETURN(const Json body, ParseObject(request.body, {"deliveries"}));
  const auto list = body.find("deliveries");
  if (list == body.end() || !list->is_array() || list->empty() || list->size() > kMaxResends) {
    return absl::InvalidArgumentError(absl::StrCat("deliveries: must be an array of 1 to ", kMaxResends));
  }
  std::vector<DeliveryName> names;
  for (const Json& item : *list) {
    const std::string where = absl::StrCat("deliveries[", names.size(), "]");
    NW_RETURN_IF_ERROR(CheckObject(item, where, {"endpoint_id", "message_id"}));
    NW_ASSIGN_OR_RETURN(const auto endpoint, TextAt(item, "endpoint_id", where + "."));
    NW_ASSIGN_OR_RETURN(const auto message, TextAt(item, "message_id", where + "."));
    if (!endpoint.has_value() || !message.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": needs endpoint_id and message_id"));
    }
    names.push_back({.merchant_id = request.param("merchant"), .endpoint_id = *endpoint, .message_id = *message});
  }
  return names;
}

// What became of one of many. Errors that are not of the delivery end the request: it may be repeated, and what still waits is not sent
// twice.
absl::StatusOr<std::string_view> ResendOne(Webhooks& webhooks, const DeliveryName& name) {
  const absl::Status status = webhooks.Resend(name);
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return "sent";
    case absl::StatusCode::kAlreadyExists:
      return "already_under_way";
    case absl::StatusCode::kFailedPrecondition:
      return "disabled";
    case absl::StatusCode::kInvalidArgument:  // nothing can have such a name
    case absl::StatusCode::kNotFound:
      return "not_found";
    default:
      return status;
  }
}

absl::StatusOr<Response> ResendDeliveries(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const std::vector<DeliveryName> names, ReadNames(request));
  Json data = Json::array();
  for (const DeliveryName& name : names) {
    NW_ASSIGN_OR_RETURN(const std::string_view status, ResendOne(webhooks, name));
    data.push_back({{"endpoint_id", name.endpoint_id}, {"message_id", name.message_id}, {"status", status}});
  }
  return JsonResponse({{"data", std::move(data)}});
}

}  // namespace

Json DeliveryJson(const WebhookDelivery& delivery) {
  Json sequence;
  if (delivery.sequence.value() != 0) sequence = absl::StrCat(delivery.sequence.value());
  return {{"message_id", delivery.name.message_id},
          {"endpoint_id", delivery.name.endpoint_id},
          {"type", delivery.type},
          {"state", Name(delivery.state)},
          {"created_at", TimeJson(delivery.created_at)},
          {"attempts", delivery.attempts},
          {"last_attempt_at", TimeJson(delivery.last_attempt_at)},
          {"last_failure", FailureJson(delivery.last_failure)},
          {"last_status", StatusJson(delivery.last_status)},
          {"delivered_at", TimeJson(delivery.delivered_at)},
          {"sequence", std::move(sequence)}};
}

void AddDeliveryRoutes(Router& router, Host& host) {
  const std::string one = "/deliveries/{endpoint}/{message}";
  AddWebhookRoute(router, host, Method::kGet, "/deliveries", "listDeliveries", Scope::kMerchantRead, ListDeliveries);
  AddWebhookRoute(router, host, Method::kGet, one, "getDelivery", Scope::kMerchantRead, GetDelivery);
  AddWebhookRoute(router, host, Method::kGet, "/attempts", "listAttempts", Scope::kMerchantRead, ListAttempts);
  AddWebhookRoute(router, host, Method::kPost, one + "/resend", "resendDelivery", Scope::kMerchantWrite,
                  ResendDelivery);
  AddWebhookRoute(router, host, Method::kPost, "/deliveries/resend", "resendDeliveries", Scope::kMerchantWrite,
                  ResendDeliveries);
}

}  // namespace northwind::server

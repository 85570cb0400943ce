// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/events_body.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/routes.h"
#include "northwind/settlement.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxBody = 16 << 20;

enum class Shape : uint8_t { kOne, kArray, kLines };

Json OrNull(std::string_view text) { return text.empty() ? Json(nullptr) : Json(text); }

std::optional<Shape> ShapeOf(const Request& request) {
  const std::string_view type = request.field("Content-Type").value_or("application/json");
  const auto is = [type](absl::string_view wanted) {
    const absl::string_view text(type.data(), type.find(';') == std::string_view::npos ? type.size() : type.find(';'));
    return absl::EqualsIgnoreCase(text, wanted);
  };
  if (is("application/x-ndjson")) return Shape::kLines;
  if (!is("application/json")) return std::nullopt;
  const size_t first = request.body.find_first_not_of(" \t\r\n");
  return first != std::string::npos && request.body[first] == '[' ? Shape::kArray : Shape::kOne;
}

absl::StatusOr<std::vector<std::string>> Split(std::string body, Shape shape) {
  if (shape == Shape::kArray) return SplitArray(body);
  if (shape == Shape::kLines) return SplitLines(body);
  const size_t first = body.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || body[first] != '{') {
    return absl::InvalidArgumentError("the body must be one event, or an array of events");
  }
  return std::vector<std::string>{std::move(body)};
}

// A key that is good for one merchant brings that one's events only.
absl::Status CheckTenant(const std::vector<std::string>& events, const Caller& caller) {
  if (caller.merchant.empty()) return absl::OkStatus();
  for (const std::string& event : events) {
    const absl::StatusOr<PaymentEvent> decoded = DecodeEventJson(event);
    if (!decoded.ok() || decoded->merchant_id != caller.merchant) {
      return absl::PermissionDeniedError("an event of another merchant, or of none");
    }
  }
  return absl::OkStatus();
}

Response Answer(const std::vector<EventOutcome>& outcomes, Shape shape) {
  if (shape != Shape::kLines) {
    Json list = Json::array();
    for (const EventOutcome& outcome : outcomes) list.push_back(OutcomeJson(outcome));
    return JsonResponse({{"outcomes", std::move(list)}}, 202);
  }
  Response response{.status = 202, .content_type = "application/x-ndjson"};
  for (const EventOutcome& outcome : outcomes) {
    response.body += OutcomeJson(outcome).dump(-1, ' ', false, Json::error_handler_t::replace);
    response.body += '\n';
  }
  return response;
}

void PostEvents(EventBatcher& batcher, Request request, const Caller& caller, Respond respond) {
  const std::optional<Shape> shape = ShapeOf(request);
  if (!shape.has_value()) {
    return respond(AsResponse(
        {.status = 415, .code = "media_type", .detail = "Events come as application/json or application/x-ndjson."},
        request));
  }
  absl::StatusOr<std::vector<std::string>> events = Split(std::move(request.body), *shape);
  if (!events.ok()) return respond(AsResponse(FromStatus(events.status()), request));
  if (const absl::Status allowed = CheckTenant(*events, caller); !allowed.ok()) {
    return respond(AsResponse(FromStatus(allowed), request));
  }
  if (events->empty()) return respond(Answer({}, *shape));
  Request asked{.id = request.id};
  const absl::Status taken = batcher.Apply(
      *std::move(events), [respond, asked, shape = *shape](absl::StatusOr<std::vector<EventOutcome>> outcomes) {
        respond(outcomes.ok() ? Answer(*outcomes, shape) : AsResponse(FromStatus(outcomes.status()), asked));
      });
  if (!taken.ok()) respond(AsResponse(FromStatus(taken), asked));
}

}  // namespace

Json OutcomeJson(const EventOutcome& outcome) {
  return {{"status", Name(outcome.status)},
          {"type", outcome.type.has_value() ? Json(Name(*outcome.type)) : Json(nullptr)},
          {"sequence", outcome.sequence == Sequence() ? Json(nullptr) : Json(absl::StrCat(outcome.sequence.value()))},
          {"reason", outcome.reason == Reason::kNone ? Json(nullptr) : OrNull(Name(outcome.reason))},
          {"cause", outcome.cause == QuarantineCause::kNone ? Json(nullptr) : OrNull(Name(outcome.cause))},
          {"detail", OrNull(outcome.detail)}};
}

void AddEventRoutes(Router& router, EventBatcher& batcher) {
  Route route{.method = Method::kPost,
              .pattern = "/v1/events",
              .name = "postEvents",
              .scope = Scope::kEventsWrite,
              .max_body = kMaxBody};
  route.async_handler = [&batcher](Request request, const Caller& caller, Respond respond) {
    PostEvents(batcher, std::move(request), caller, std::move(respond));
  };
  router.Add(std::move(route));
}

}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
//
// POST /v1/events: what happened, from whoever saw it.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/body.h"
#include "examples/reference_server/api/event_body.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/outcome.h"
#include "examples/reference_server/api/routes.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxEventsBody = 16 << 20;
constexpr char kJsonType[] = "application/json";
constexpr char kLinesType[] = "application/x-ndjson";

Response AsLines(const std::vector<EventOutcome>& outcomes) {
  Response response{.status = 202, .content_type = kLinesType};
  for (const EventOutcome& outcome : outcomes) {
    response.body += OutcomeJson(outcome).dump(-1, ' ', false, Json::error_handler_t::replace);
    response.body += '\n';
  }
  return response;
}

Response AsObject(const std::vector<EventOutcome>& outcomes) {
  Json list = Json::array();
  for (const EventOutcome& outcome : outcomes) list.push_back(OutcomeJson(outcome));
  return JsonResponse({{"outcomes", std::move(list)}}, 202);
}

// The end of a payout or dispute moves money of whoever it was opened for: its own merchant_id is not compared with that
// (docs/events.md). So it is for no key to send that is good for one merchant only.
bool EndsByIdAlone(EventType type) {
  switch (type) {
    case EventType::kDisputeLost:
    case EventType::kDisputeWon:
    case EventType::kPayoutPaid:
    case EventType::kPayoutFailed:
    case EventType::kPayoutCanceled:
    case EventType::kPayoutReturned:
      return true;
    default:
      return false;
  }
}

// Whether a key that is good for one merchant may send them. What cannot be decoded is nobody's, and moves nothing.
bool AreOf(const std::vector<std::string>& events, std::string_view merchant) {
  return std::all_of(events.begin(), events.end(), [&](const std::string& text) {
    const absl::StatusOr<PaymentEvent> event = DecodeEventJson(text);
    return !event.ok() || (event->merchant_id == merchant && !EndsByIdAlone(event->type));
  });
}

// A ledger that is closed or poisoned takes the same events once it is open again: for a producer that is "later", not "never".
absl::Status ForProducers(const absl::Status& status) {
  if (!absl::IsFailedPrecondition(status)) return status;
  return absl::UnavailableError("the ledger takes no events now: send them again later");
}

void PostEvents(EventBatcher& batcher, Request request, const Caller& caller, const Respond& respond) {
  const std::string type = MediaType(request);
  if (type != kJsonType && type != kLinesType) {
    return respond(AsResponse({.status = 415,
                               .code = "unsupported_media_type",
                               .detail = absl::StrCat("Content-Type must be ", kJsonType, " or ", kLinesType)},
                              request));
  }
  if (!request.query.empty()) return respond(AsResponse(InvalidRequest("there are no query parameters"), request));
  const bool lines = type == kLinesType;
  absl::StatusOr<std::vector<std::string>> events = lines ? CutEventLines(request.body) : CutJsonEvents(request.body);
  if (!events.ok()) return respond(AsResponse(FromStatus(events.status()), request));
  if (!caller.merchant.empty() && !AreOf(*events, caller.merchant)) {
    return respond(AsResponse({.status = 403,
                               .code = "forbidden",
                               .detail = "This key is good for one merchant: not for events of others, nor for ends of "
                                         "payouts and disputes."},
                              request));
  }
  request.body.clear();
  // Kept by both ways to an answer; the batcher takes one of them.
  const auto asked = std::make_shared<const Request>(std::move(request));
  const absl::Status taken = batcher.Apply(
      *std::move(events), [asked, lines, respond](const absl::StatusOr<std::vector<EventOutcome>>& outcomes) {
        if (!outcomes.ok()) return respond(AsResponse(FromStatus(ForProducers(outcomes.status())), *asked));
        respond(lines ? AsLines(*outcomes) : AsObject(*outcomes));
      });
  if (!taken.ok()) respond(AsResponse(FromStatus(taken), *asked));
}

}  // namespace

void AddEventRoutes(Router& router, EventBatcher& batcher) {
  router.Add({.method = Method::kPost,
              .pattern = "/v1/events",
              .name = "postEvents",
              .scope = Scope::kEventsWrite,
              .max_body = kMaxEventsBody,
              .async_handler = [&batcher](Request request, const Caller& caller, const Respond& respond) {
                PostEvents(batcher, std::move(request), caller, respond);
              }});
}

}  // namespace northwind::server

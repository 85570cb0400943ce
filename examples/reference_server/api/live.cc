// SPDX-License-Identifier: Apache-2.0
//
// GET /v1/merchants/{merchant}/live: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
#include <utility>

#include "absl/strings/numbers.h"
#include "examples/reference_server/api/merchant_book.h"
#include "examples/reference_server/api/routes.h"

namespace northwind::server {
namespace {

// Nothing given (or the empty id, which is a reader's that has none): from now on.
absl::StatusOr<std::optional<Sequence>> LastEvent(const Request& request) {
  const std::string_view text = request.field("Last-Event-ID").value_or("");
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  if (text.front() < '0' || text.front() > '9' ||
      !absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &value)) {
    return absl::InvalidArgumentError("Last-Event-ID: is no sequence");
  }
  return Sequence(value);
}

Response WatchMerchant(LiveHub& hub, const Request& request, std::function<bool()> still_good) {
  if (!request.query.empty()) return AsResponse(InvalidRequest("there are no query parameters"), request);
  if (!IsMerchantId(request.param("merchant"))) return AsResponse(NotFound(), request);
  const absl::StatusOr<std::optional<Sequence>> last = LastEvent(request);
  if (!last.ok()) return AsResponse(FromStatus(last.status()), request);
  absl::StatusOr<std::shared_ptr<EventStream>> stream =
      hub.Watch(request.param("merchant"), *last, std::move(still_good));
  if (!stream.ok()) return AsResponse(FromStatus(stream.status()), request);
  Response response{.content_type = "text/event-stream"};
  response.fields.push_back({"Cache-Control", "no-store"});
  response.stream = *std::move(stream);
  return response;
}

}  // namespace

void AddLiveRoutes(Router& router, LiveHub& hub, StillGood still_good) {
  // It may block: what a reader missed is read from the journal.
  router.Add({.pattern = "/v1/merchants/{merchant}/live",
              .name = "watchMerchant",
              .scope = Scope::kMerchantRead,
              .by_itself = true,  // browsers open a stream again whenever it ends, whether or not somebody is there
              .handler = [&hub, still_good = std::move(still_good)](const Request& request, const Caller& caller) {
                return WatchMerchant(hub, request, still_good(request, caller));
              }});
}

}  // namespace northwind::server

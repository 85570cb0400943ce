// SPDX-License-Identifier: Apache-2.0
//
// Payouts: of a merchant, with what became of each, and an operator's cancel.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/csv.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/merchant_book.h"
#include "examples/reference_server/api/routes.h"
#include "examples/reference_server/api/webhook_routes.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxCalls = 10;    // of ListPayouts for one page: each looks at no more than 10,000 payouts
constexpr size_t kCsvPiece = 500;   // payouts that are written at a time
constexpr size_t kMaxMoments = 32;  // of a payout whose deliveries are looked for

constexpr std::array kStates = {PayoutState::kRejected, PayoutState::kRequested, PayoutState::kSubmitted,
                                PayoutState::kPaid,     PayoutState::kFailed,    PayoutState::kCanceled,
                                PayoutState::kReturned};

Problem NotConfigured() {
  return {.status = 409, .code = "not_configured", .detail = "This server executes no payouts."};
}

bool IsOperator(const Caller& caller) { return caller.scopes.count(Scope::kOperatorRead) != 0; }

Json PayoutJson(const Payout& payout) {
  Json json = {{"payout_id", payout.payout_id},
               {"merchant_id", payout.merchant_id},
               {"amount", MoneyJson(payout.asset, static_cast<absl::int128>(payout.amount.units()))},
               {"state", Name(payout.state)},
               {"reason", nullptr},
               {"requested_at", TimeJson(payout.requested_at)},
               {"settled_at", TimeJson(payout.settled_at)},
               {"submits", payout.submits},
               {"queries", payout.queries},
               {"attention", payout.attention}};
  if (payout.reason != Reason::kNone) json["reason"] = Name(payout.reason);
  return json;
}

// ---- Lists

struct PayoutFilter {
  PayoutQuery query;
  std::optional<Asset> asset;
  std::optional<Amount> least;
  std::optional<Amount> most;

  bool Wants(const Payout& payout) const {
    return (!asset.has_value() || payout.asset == *asset) && (!least.has_value() || payout.amount >= *least) &&
           (!most.has_value() || payout.amount <= *most);
  }
};

absl::StatusOr<std::optional<Amount>> UnitsOf(const ListQuery& query, std::string_view name) {
  const std::optional<std::string> text = query.text(name);
  if (!text.has_value()) return std::nullopt;
  const absl::StatusOr<Amount> amount = Amount::Parse(*text, 0);
  if (!amount.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(std::string(name), ": must be a whole number of minor units"));
  }
  return *amount;
}

absl::StatusOr<PayoutFilter> ReadFilter(const Request& request) {
  NW_ASSIGN_OR_RETURN(const ListQuery query,
                      ListQuery::Read(request, {"state", "from", "before", "asset", "min_units", "max_units"}));
  PayoutFilter filter;
  filter.query.merchant_id = request.param("merchant");
  filter.query.limit = query.limit();
  filter.query.after = query.cursor();
  if (const auto name = query.text("state")) {
    const auto found =
        std::find_if(kStates.begin(), kStates.end(), [&](PayoutState state) { return Name(state) == *name; });
    if (found == kStates.end()) return absl::InvalidArgumentError("state: is no state of a payout, such as paid");
    filter.query.state = *found;
  }
  NW_ASSIGN_OR_RETURN(const std::optional<absl::Time> from, query.time("from"));
  NW_ASSIGN_OR_RETURN(const std::optional<absl::Time> before, query.time("before"));
  filter.query.from = from.value_or(absl::InfinitePast());
  filter.query.before = before.value_or(absl::InfiniteFuture());
  if (const auto text = query.text("asset")) {
    NW_ASSIGN_OR_RETURN(filter.asset, Asset::Parse(*text));
  }
  NW_ASSIGN_OR_RETURN(filter.least, UnitsOf(query, "min_units"));
  NW_ASSIGN_OR_RETURN(filter.most, UnitsOf(query, "max_units"));
  return filter;
}

// A page may be short and have a next one.
absl::StatusOr<PayoutPage> ListWanted(const Payouts& payouts, const PayoutFilter& filter) {
  PayoutPage wanted;
  if (!IsMerchantId(filter.query.merchant_id)) return wanted;
  PayoutQuery query = filter.query;
  for (size_t calls = 0; calls < kMaxCalls; ++calls) {
    // No more than there is still room for, so that none that was looked at is left out.
    query.limit = filter.query.limit - wanted.payouts.size();
    NW_ASSIGN_OR_RETURN(PayoutPage page, payouts.ListPayouts(query));
    for (Payout& payout : page.payouts) {
      if (filter.Wants(payout)) wanted.payouts.push_back(std::move(payout));
    }
    wanted.next = page.next;
    query.after = std::move(page.next);
    if (query.after.empty() || wanted.payouts.size() == filter.query.limit) break;
  }
  return wanted;
}

Response ListPayouts(const Host& host, const Request& request) {
  if (host.payouts == nullptr) return AsResponse(NotConfigured(), request);
  absl::StatusOr<PayoutFilter> filter = ReadFilter(request);
  if (!filter.ok()) return AsResponse(FromStatus(filter.status()), request);
  filter->query.direction = Direction::kBackward;  // what has just been requested is what somebody looks for
  const absl::StatusOr<PayoutPage> page = ListWanted(*host.payouts, *filter);
  if (!page.ok()) return AsResponse(FromStatus(page.status()), request);
  Json data = Json::array();
  for (const Payout& payout : page->payouts) data.push_back(PayoutJson(payout));
  return JsonResponse(PageJson(std::move(data), page->next));
}

// ---- CSV

class PayoutWriter {
 public:
  PayoutWriter(const Payouts& payouts, PayoutFilter filter) : payouts_(payouts), filter_(std::move(filter)) {
    filter_.query.limit = kCsvPiece;
  }
  absl::StatusOr<std::string> Next() {
    std::string piece;
    if (!std::exchange(begun_, true)) {
      AppendCsvLine(piece, {"payout_id", "merchant_id", "asset", "amount", "state", "reason", "requested_at",
                            "settled_at", "submits", "queries"});
    }
    // An empty piece would be the end.
    while (piece.empty() && !ended_) NW_RETURN_IF_ERROR(Append(piece));
    return piece;
  }

 private:
  absl::Status Append(std::string& piece) {
    NW_ASSIGN_OR_RETURN(PayoutPage page, ListWanted(payouts_, filter_));
    for (const Payout& payout : page.payouts) {
      AppendCsvLine(
          piece, {payout.payout_id, payout.merchant_id, payout.asset.ToString(),
                  payout.amount.ToString(payout.asset.scale), Name(payout.state),
                  payout.reason == Reason::kNone ? std::string_view() : Name(payout.reason), Time(payout.requested_at),
                  Time(payout.settled_at), std::to_string(payout.submits), std::to_string(payout.queries)});
    }
    ended_ = page.next.empty();
    filter_.query.after = std::move(page.next);
    return absl::OkStatus();
  }
  static std::string Time(absl::Time time) {
    const Json json = TimeJson(time);
    return json.is_null() ? std::string() : json.get<std::string>();
  }

  const Payouts& payouts_;
  PayoutFilter filter_;
  bool begun_ = false;
  bool ended_ = false;
};

Response ExportPayouts(const Host& host, const Request& request) {
  if (host.payouts == nullptr) return AsResponse(NotConfigured(), request);
  absl::StatusOr<PayoutFilter> filter = ReadFilter(request);
  if (!filter.ok()) return AsResponse(FromStatus(filter.status()), request);
  // All of the list: no page of it.
  if (request.query_value("limit").has_value() || request.query_value("cursor").has_value()) {
    return AsResponse(InvalidRequest("an export has no pages: no limit and no cursor"), request);
  }
  Response response{.content_type = kCsvType};
  response.fields.push_back({"Content-Disposition", "attachment; filename=\"payouts.csv\""});
  response.pull = [writer = std::make_shared<PayoutWriter>(*host.payouts, *std::move(filter))] {
    return writer->Next();
  };
  return response;
}

// ---- One

// What the merchant was told of one moment: the message of a journal record is of the record's millisecond.
absl::Status AddDeliveries(const Webhooks& webhooks, const Payout& payout, const PayoutMoment& moment, Json& list) {
  DeliveryQuery query{.merchant_id = payout.merchant_id, .limit = kMaxDeliveryPage};
  query.from = absl::FromUnixMillis(absl::ToUnixMillis(moment.at));
  query.before = query.from + absl::Milliseconds(1);
  NW_ASSIGN_OR_RETURN(const WebhookDeliveryPage page, webhooks.ListDeliveries(query));
  for (const WebhookDelivery& delivery : page.deliveries) {
    if (delivery.sequence == moment.sequence) list.push_back(DeliveryJson(delivery));
  }
  return absl::OkStatus();
}

// What of a moment everybody may read. A refusal of the bank is for the merchant; why an answer is not known, or withheld, may name what stands
// inside the company's network.
std::string DetailFor(const PayoutMoment& moment, const Caller& caller) {
  if (moment.sequence != Sequence() || IsOperator(caller) || moment.detail.starts_with(Name(RailState::kFailed))) {
    return moment.detail;
  }
  return moment.detail.substr(0, moment.detail.find(':'));
}

absl::StatusOr<Json> FullPayoutJson(const Host& host, const Payout& payout, const Caller& caller) {
  Json json = PayoutJson(payout);
  Json timeline = Json::array();
  Json transactions = Json::array();
  Json deliveries = Json::array();
  size_t moments = 0;
  for (const PayoutMoment& moment : payout.timeline) {
    Json line = {{"at", TimeJson(moment.at)},
                 {"what", moment.what},
                 {"detail", DetailFor(moment, caller)},
                 {"sequence", nullptr}};
    if (moment.sequence != Sequence()) {
      line["sequence"] = std::to_string(moment.sequence.value());
      transactions.push_back(line["sequence"]);
      if (host.webhooks != nullptr && ++moments <= kMaxMoments) {
        NW_RETURN_IF_ERROR(AddDeliveries(*host.webhooks, payout, moment, deliveries));
      }
    }
    timeline.push_back(std::move(line));
  }
  json["timeline"] = std::move(timeline);
  json["next_attempt"] = TimeJson(payout.next_attempt.value_or(absl::InfiniteFuture()));
  if (IsOperator(caller)) json["provider_key"] = payout.provider_key;
  json["transactions"] = std::move(transactions);
  json["deliveries"] = std::move(deliveries);
  return json;
}

// Another merchant's is not there, as one that was never requested is not.
absl::StatusOr<Payout> FindPayout(const Host& host, const std::string& id, std::string_view merchant) {
  absl::StatusOr<Payout> payout = host.payouts->GetPayout(id);
  if (absl::IsInvalidArgument(payout.status())) return absl::NotFoundError("no payout has such an id");
  if (payout.ok() && !merchant.empty() && payout->merchant_id != merchant) {
    return absl::NotFoundError("no payout of this merchant");
  }
  return payout;
}

Response GetPayout(const Host& host, const Request& request, const Caller& caller) {
  if (host.payouts == nullptr) return AsResponse(NotConfigured(), request);
  const absl::StatusOr<ListQuery> query = ListQuery::Read(request, {});
  if (!query.ok()) return AsResponse(FromStatus(query.status()), request);
  const absl::StatusOr<Payout> payout = FindPayout(host, request.param("payout"), request.param("merchant"));
  if (!payout.ok()) return AsResponse(FromStatus(payout.status()), request);
  const absl::StatusOr<Json> json = FullPayoutJson(host, *payout, caller);
  if (!json.ok()) return AsResponse(FromStatus(json.status()), request);
  return JsonResponse(*json);
}

// ---- Cancel

absl::Status WriteTrail(AuditTrail& audit, const Request& request, const Caller& caller, const Json& detail) {
  return audit.Append({.request_id = request.id,
                       .actor = caller.actor,
                       .action = "cancelPayout",
                       .subject = absl::StrCat("payout ", request.param("payout")),
                       .detail = detail.dump(-1, ' ', false, Json::error_handler_t::replace)});
}

// No change without a line before it: if that cannot be written, nothing is done. If the line after it cannot, the change stands, and
// the answer is the error.
absl::StatusOr<Payout> Cancel(Host& host, const Request& request, const Caller& caller) {
  const std::string& id = request.param("payout");
  NW_RETURN_IF_ERROR(FindPayout(host, id, caller.merchant).status());
  NW_RETURN_IF_ERROR(WriteTrail(*host.audit, request, caller, {{"stage", "asked"}}));
  const absl::Status canceled = host.payouts->Cancel(id);
  Json detail = {{"stage", "done"}, {"outcome", canceled.ok() ? "canceled" : "refused"}};
  // It may have been canceled all the same.
  if (absl::IsAborted(canceled) || absl::IsUnavailable(canceled)) detail["outcome"] = "unknown";
  if (!canceled.ok()) detail["error"] = std::string(canceled.message());
  const absl::Status written = WriteTrail(*host.audit, request, caller, detail);
  NW_RETURN_IF_ERROR(canceled);
  NW_RETURN_IF_ERROR(written);
  NW_ASSIGN_OR_RETURN(Payout payout, host.payouts->GetPayout(id));
  // The event is durable; the follower may not have come to it yet.
  payout.state = PayoutState::kCanceled;
  return payout;
}

Response CancelPayout(Host& host, const Request& request, const Caller& caller) {
  if (host.payouts == nullptr) return AsResponse(NotConfigured(), request);
  if (!request.query.empty() || !request.body.empty()) {
    return AsResponse(InvalidRequest("a cancel has no body and no query"), request);
  }
  const absl::StatusOr<Payout> payout = Cancel(host, request, caller);
  if (!payout.ok()) return AsResponse(FromStatus(payout.status()), request);
  return JsonResponse(PayoutJson(*payout));
}

}  // namespace

void AddPayoutRoutes(Router& router, Host& host) {
  router.Add({.pattern = "/v1/merchants/{merchant}/payouts",
              .name = "listPayouts",
              .scope = Scope::kMerchantRead,
              .handler = [&host](const Request& request, const Caller&) { return ListPayouts(host, request); }});
  router.Add(
      {.pattern = "/v1/merchants/{merchant}/payouts/{payout}",
       .name = "getPayout",
       .scope = Scope::kMerchantRead,
       .handler = [&host](const Request& request, const Caller& caller) { return GetPayout(host, request, caller); }});
  router.Add({.pattern = "/v1/merchants/{merchant}/payouts.csv",
              .name = "exportPayouts",
              .scope = Scope::kMerchantRead,
              .handler = [&host](const Request& request, const Caller&) { return ExportPayouts(host, request); }});
  router.Add({.method = Method::kPost,
              .pattern = "/v1/operator/payouts/{payout}/cancel",
              .name = "cancelPayout",
              .scope = Scope::kOperatorWrite,
              .handler = [&host](const Request& request, const Caller& caller) {
                return CancelPayout(host, request, caller);
              }});
}

}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
//
// /v1/merchants/{merchant}/endpoints/{endpoint}/recovery and /redrive: what an endpoint missed, sent after all.
#include <limits>

#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/body.h"
#include "examples/reference_server/api/webhook_routes.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr int64_t kMostPerSecond = std::numeric_limits<uint32_t>::max();

Json RecoveryJson(const Recovery& recovery) {
  return {{"state", Name(recovery.state)},     {"since", TimeJson(recovery.since)},
          {"until", TimeJson(recovery.until)}, {"reached", TimeJson(recovery.reached)},
          {"recovered", recovery.recovered},   {"per_second", recovery.per_second}};
}

absl::StatusOr<absl::Time> ParseSince(std::string_view text) {
  const absl::StatusOr<absl::Time> since = ParseTime(text);
  if (since.ok()) return *since;
  return absl::InvalidArgumentError(absl::StrCat("since: ", since.status().message()));
}

absl::StatusOr<Response> DryRun(const Webhooks& webhooks, const Request& request, absl::Time since) {
  NW_ASSIGN_OR_RETURN(const RecoveryCount count,
                      webhooks.CountRecoverable(request.param("merchant"), request.param("endpoint"), since));
  return JsonResponse({{"count",
                        {{"delivered", count.delivered},
                         {"pending", count.pending},
                         {"dead", count.dead},
                         {"missing", count.missing},
                         {"recoverable", count.recoverable()}}}});
}

absl::StatusOr<Response> GetRecovery(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request, {"since"}));
  if (const auto text = request.query_value("since")) {
    NW_ASSIGN_OR_RETURN(const absl::Time since, ParseSince(*text));
    return DryRun(webhooks, request, since);
  }
  const std::string& merchant = request.param("merchant");
  const std::string& endpoint = request.param("endpoint");
  // That there was no recovery is an answer; that there is no endpoint is none.
  NW_RETURN_IF_ERROR(webhooks.GetEndpoint(merchant, endpoint).status());
  const absl::StatusOr<Recovery> recovery = webhooks.GetRecovery(merchant, endpoint);
  if (absl::IsNotFound(recovery.status())) return JsonResponse({{"recovery", nullptr}});
  NW_RETURN_IF_ERROR(recovery.status());
  return JsonResponse({{"recovery", RecoveryJson(*recovery)}});
}

absl::StatusOr<Response> StartRecovery(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const Json body, ParseObject(request.body, {"since", "per_second"}));
  NW_ASSIGN_OR_RETURN(const auto text, TextAt(body, "since"));
  if (!text.has_value()) return absl::InvalidArgumentError("since: is missing");
  NW_ASSIGN_OR_RETURN(const absl::Time since, ParseSince(*text));
  NW_ASSIGN_OR_RETURN(const auto per_second, WholeAt(body, "per_second", 0, kMostPerSecond));
  NW_ASSIGN_OR_RETURN(const Recovery recovery,
                      webhooks.StartRecovery(request.param("merchant"), request.param("endpoint"), since,
                                             static_cast<uint32_t>(per_second.value_or(100))));
  return JsonResponse(RecoveryJson(recovery), 202);
}

absl::StatusOr<Response> CancelRecovery(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const Recovery recovery,
                      webhooks.CancelRecovery(request.param("merchant"), request.param("endpoint")));
  return JsonResponse(RecoveryJson(recovery));
}

absl::StatusOr<Response> Redrive(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const Json body, OptionalObject(request.body, {"per_second"}));
  NW_ASSIGN_OR_RETURN(const auto per_second, WholeAt(body, "per_second", 0, kMostPerSecond));
  NW_ASSIGN_OR_RETURN(const size_t redriven, webhooks.RedriveDead(request.param("merchant"), request.param("endpoint"),
                                                                  static_cast<uint32_t>(per_second.value_or(0))));
  return JsonResponse({{"redriven", redriven}});
}

}  // namespace

void AddRecoveryRoutes(Router& router, Host& host) {
  const std::string recovery = "/endpoints/{endpoint}/recovery";
  AddWebhookRoute(router, host, Method::kGet, recovery, "getRecovery", Scope::kMerchantRead, GetRecovery);
  AddWebhookRoute(router, host, Method::kPost, recovery, "startRecovery", Scope::kMerchantWrite, StartRecovery);
  AddWebhookRoute(router, host, Method::kDelete, recovery, "cancelRecovery", Scope::kMerchantWrite, CancelRecovery);
  AddWebhookRoute(router, host, Method::kPost, "/endpoints/{endpoint}/redrive", "redriveEndpoint",
                  Scope::kMerchantWrite, Redrive);
}

}  // namespace northwind::server

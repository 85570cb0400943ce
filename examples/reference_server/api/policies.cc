// SPDX-License-Identifier: Apache-2.0
//
// /v1/merchants/{merchant}/policy
#include "examples/reference_server/api/body.h"
#include "examples/reference_server/api/policy_json.h"
#include "examples/reference_server/api/webhook_routes.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

absl::StatusOr<Response> GetPolicy(Webhooks& webhooks, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const auto policy, webhooks.GetMerchantPolicy(request.param("merchant")));
  return JsonResponse(PolicyJson(policy));
}

// Answers what is kept, which may be rounded.
absl::StatusOr<Response> SetPolicy(Webhooks& webhooks, const Request& request, const Caller& caller) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const auto policy, ParsePolicy(request.body));
  NW_RETURN_IF_ERROR(webhooks.SetMerchantPolicy(request.param("merchant"), policy));
  return GetPolicy(webhooks, request, caller);
}

absl::StatusOr<Response> PreviewPolicy(Webhooks& /*webhooks*/, const Request& request, const Caller& /*caller*/) {
  NW_RETURN_IF_ERROR(CheckQuery(request));
  NW_ASSIGN_OR_RETURN(const auto policy, ParsePolicy(request.body));
  if (!policy.has_value()) return absl::InvalidArgumentError("policy: must be an object");
  NW_ASSIGN_OR_RETURN(const Json plan, PlanJson(*policy));
  return JsonResponse(plan);
}

}  // namespace

void AddPolicyRoutes(Router& router, Host& host) {
  AddWebhookRoute(router, host, Method::kGet, "/policy", "getPolicy", Scope::kMerchantRead, GetPolicy);
  AddWebhookRoute(router, host, Method::kPut, "/policy", "setPolicy", Scope::kMerchantWrite, SetPolicy);
  AddWebhookRoute(router, host, Method::kPost, "/policy/preview", "previewPolicy", Scope::kMerchantRead, PreviewPolicy);
}

}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/webhook_routes.h"

#include <utility>

namespace northwind::server {
namespace {

Problem ProblemOf(const absl::Status& status) {
  if (!IsVersionConflict(status)) return FromStatus(status);
  return {.status = 412, .code = "version_conflict", .detail = std::string(status.message())};
}

}  // namespace

void AddWebhookRoute(Router& router, Host& host, Method method, const std::string& pattern, std::string name,
                     Scope scope, WebhookAct act) {
  Route route{
      .method = method, .pattern = "/v1/merchants/{merchant}" + pattern, .name = std::move(name), .scope = scope};
  route.handler = [&host, act](const Request& request, const Caller& caller) {
    if (host.webhooks == nullptr) {
      return AsResponse({.status = 409, .code = "not_configured", .detail = "This server sends no webhooks."}, request);
    }
    absl::StatusOr<Response> response = act(*host.webhooks, request, caller);
    return response.ok() ? *std::move(response) : AsResponse(ProblemOf(response.status()), request);
  };
  router.Add(std::move(route));
}

}  // namespace northwind::server

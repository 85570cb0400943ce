// SPDX-License-Identifier: Apache-2.0
//
// What the routes over webhooks share: /v1/merchants/{merchant}/endpoints…, …/policy, …/deliveries, …/attempts.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_WEBHOOK_ROUTES_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_WEBHOOK_ROUTES_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/host.h"
#include "examples/reference_server/http/router.h"

namespace northwind::server {

using WebhookAct = absl::StatusOr<Response> (*)(Webhooks&, const Request&, const Caller&);

// `pattern` is behind "/v1/merchants/{merchant}". 409 not_configured where there are no webhooks (a shadow store); errors as by
// FromStatus, and 412 version_conflict for an endpoint of another version.
void AddWebhookRoute(Router& router, Host& host, Method method, const std::string& pattern, std::string name,
                     Scope scope, WebhookAct act);

// A delivery without what only one of its own has; in deliveries.cc.
Json DeliveryJson(const WebhookDelivery& delivery);

// Of endpoints.cc, policies.cc and recovery.cc, which AddEndpointRoutes puts together.
void AddPolicyRoutes(Router& router, Host& host);
void AddRecoveryRoutes(Router& router, Host& host);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_WEBHOOK_ROUTES_H_

// SPDX-License-Identifier: Apache-2.0
//
// The API by subject: each function adds its routes to the router. What they share is in json.h. docs/openapi.yaml describes all of them.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_ROUTES_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_ROUTES_H_

#include <functional>
#include <string>
#include <vector>

#include "examples/reference_server/api/event_batcher.h"
#include "examples/reference_server/api/live_hub.h"
#include "examples/reference_server/host.h"
#include "examples/reference_server/http/listener.h"
#include "examples/reference_server/http/router.h"
#include "examples/reference_server/observe/metrics.h"

namespace northwind::server {

// POST /v1/events
void AddEventRoutes(Router& router, EventBatcher& batcher);
// /v1/merchants…: balances, transactions, statement
void AddMerchantRoutes(Router& router, Host& host);
// /v1/merchants/{merchant}/payouts…
void AddPayoutRoutes(Router& router, Host& host);
// GET /v1/merchants/{merchant}/live (text/event-stream)
// `still_good` makes of a request what tells, later, whether its caller may still watch.
using StillGood = std::function<std::function<bool()>(const Request&, const Caller&)>;
void AddLiveRoutes(Router& router, LiveHub& hub, StillGood still_good);
// /v1/merchants/{merchant}/endpoints…, /v1/event-types
void AddEndpointRoutes(Router& router, Host& host);
// /v1/merchants/{merchant}/deliveries…, …/attempts
void AddDeliveryRoutes(Router& router, Host& host);
// /v1/portal-links, /v1/session, /v1/operator/keys…
void AddAccessRoutes(Router& router, Host& host, const ServerOptions& options);
// /v1/operator/…: quarantine, dead letters, mirror, verify, backup, audit log, overview
void AddOperatorRoutes(Router& router, Host& host, const Metrics& metrics, const ServerOptions& options);
// /v1/operator/cutover…, /v1/operator/parallel-run…
void AddCutoverRoutes(Router& router, Host& host);
// /healthz, /readyz, /metrics. `listener`: null before there is one, and when it is about to end; `trouble`: sentences, what else keeps the
// server from being ready.
void AddHealthRoutes(Router& router, Host& host, Metrics& metrics, const ServerOptions& options,
                     const std::function<const Listener*()>& listener,
                     std::function<std::vector<std::string>()> trouble);
// The pages of the portal and of the operators' console, which are in the binary.
void AddPageRoutes(Router& router, const ServerOptions& options);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_ROUTES_H_

// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/routes.h"

namespace northwind::server {
namespace {

// Why it should get no requests. What stands beside, such as the mirror, is no reason: its figures tell.
std::vector<std::string> ReasonsNot(const Host& host, const Listener* listener, std::vector<std::string> reasons) {
  if (listener == nullptr) reasons.emplace_back("the server is starting or ending");
  if (host.payouts != nullptr && !host.payouts->status().ok()) reasons.emplace_back("payouts have stopped");
  if (host.webhooks != nullptr && !host.webhooks->status().ok()) reasons.emplace_back("webhooks have stopped");
  return reasons;
}

Response Uncached(Response response) {
  response.fields.push_back({"Cache-Control", "no-store"});
  return response;
}

}  // namespace

void AddHealthRoutes(Router& router, Host& host, Metrics& metrics, const ServerOptions& options,
                     const std::function<const Listener*()>& listener,
                     std::function<std::vector<std::string>()> trouble) {
  router.Add({.pattern = "/healthz",
              .name = "getHealth",
              .scope = Scope::kPublic,
              .unlimited = true,
              .handler = [](const Request&, const Caller&) {
                return Uncached(JsonResponse({{"status", "ok"}}));
              }});
  router.Add({.pattern = "/readyz",
              .name = "getReadiness",
              .scope = Scope::kPublic,
              .unlimited = true,
              .handler = [&host, listener, trouble = std::move(trouble)](const Request&, const Caller&) {
                const std::vector<std::string> reasons = ReasonsNot(host, listener(), trouble());
                if (reasons.empty()) return Uncached(JsonResponse({{"status", "ready"}}));
                return Uncached(JsonResponse({{"status", "not ready"}, {"reasons", reasons}}, 503));
              }});
  router.Add({.pattern = "/metrics",
              .name = "getMetrics",
              .scope = options.open_metrics ? Scope::kPublic : Scope::kOperatorRead,
              .handler = [&host, &metrics, listener](const Request&, const Caller&) {
                return Uncached({.content_type = "text/plain; version=0.0.4; charset=utf-8",
                                 .body = metrics.Scrape(host, listener())});
              }});
}

}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "examples/reference_server/api/operator.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

Json LedgerJson(const LedgerStats& stats) {
  return {{"head", {{"sequence", Digits(stats.head.sequence)}, {"hash", Hex(stats.head.hash)}}},
          {"accounts", Digits(stats.accounts)},
          {"open_holds", Digits(stats.open_holds)},
          {"queued", Digits(stats.queued_transactions)},
          {"checkpointed", Digits(stats.checkpointed)},
          {"disk_bytes", Digits(stats.disk_bytes)}};
}

Json SchedulerJson(const SchedulerStats& stats) {
  Json queues = Json::array();
  for (const QueueStats& queue : stats.queues) {
    queues.push_back({{"queue", queue.queue},
                      {"paused", queue.config.paused},
                      {"waiting", Digits(queue.waiting)},
                      {"ready", Digits(queue.ready)},
                      {"leased", Digits(queue.leased)},
                      {"dead", Digits(queue.dead)}});
  }
  return {{"queues", std::move(queues)},
          {"tasks", Digits(stats.tasks)},
          {"next_due", stats.next_due ? TimeJson(*stats.next_due) : Json()}};
}

Json WebhooksJson(const WebhookStats& stats) {
  return {{"followed", Digits(stats.followed)},     {"endpoints", Digits(stats.endpoints)},
          {"waiting", Digits(stats.waiting)},       {"dead", Digits(stats.dead)},
          {"in_flight", Digits(stats.in_flight)},   {"messages", Digits(stats.messages)},
          {"deliveries", Digits(stats.deliveries)}, {"attempts", Digits(stats.attempts)},
          {"delivered", Digits(stats.delivered)},   {"failed", Digits(stats.failed)},
          {"disabled", Digits(stats.disabled)}};
}

Json MirrorJson(const MirrorStats& stats) {
  return {{"enabled", true},
          {"state", Name(stats.state)},
          {"status", stats.status.ok() ? "" : std::string(stats.status.message())},
          {"mirrored", Digits(stats.mirrored)},
          {"head", Digits(stats.head)},
          {"lag_records", Digits(stats.lag_records)},
          {"lag_seconds", absl::ToDoubleSeconds(stats.lag)},
          {"batches", Digits(stats.batches)},
          {"records", Digits(stats.records)},
          {"copied", Digits(stats.copied)},
          {"connections", Digits(stats.connections)},
          {"ambiguous", Digits(stats.ambiguous)}};
}

Json SqsJson(const SqsStats& stats) {
  return {
      {"state", Name(stats.state)},         {"status", stats.status.ok() ? "" : std::string(stats.status.message())},
      {"received", Digits(stats.received)}, {"deleted", Digits(stats.deleted)},
      {"applied", Digits(stats.applied)},   {"duplicates", Digits(stats.duplicates)},
      {"rejected", Digits(stats.rejected)}, {"parked", Digits(stats.parked)},
      {"poison", Digits(stats.poison)},     {"held", Digits(stats.held)}};
}

Json RatesJson(const Rates& rates) {
  const auto milliseconds = [](const std::optional<absl::Duration>& time) {
    return time ? Json(absl::ToDoubleMilliseconds(*time)) : Json();
  };
  return {{"events_per_second", rates.events_per_second},
          {"commit_p50_ms", milliseconds(rates.median)},
          {"commit_p99_ms", milliseconds(rates.slowest_percent)}};
}

absl::StatusOr<Json> Overview(const Host& host, const Metrics& metrics) {
  NW_ASSIGN_OR_RETURN(const SchedulerStats scheduler, host.scheduler->Stats());
  Json json = {{"shadow", host.store->shadow()},
               {"ledger", LedgerJson(host.ledger->Stats())},
               {"scheduler", SchedulerJson(scheduler)},
               {"webhooks", nullptr},
               {"payouts", nullptr},
               {"intake", {{"parked", Digits(host.intake->parked())}}},
               {"mirror", host.mirror ? MirrorJson(host.mirror->Stats()) : Json()},
               {"sqs", host.source ? SqsJson(host.source->Stats()) : Json()},
               {"cutover", host.cutover ? CutoverJson(host.cutover->Status()) : Json()},
               {"claims", host.claims != nullptr},
               {"parallel_run", host.run != nullptr},
               {"rates", RatesJson(metrics.rates(absl::Now()))}};
  if (host.webhooks != nullptr) {
    NW_ASSIGN_OR_RETURN(const WebhookStats webhooks, host.webhooks->Stats());
    json["webhooks"] = WebhooksJson(webhooks);
  }
  if (host.payouts != nullptr) json["payouts"] = {{"followed", Digits(host.payouts->followed())}};
  return json;
}

}  // namespace

void AddOverviewRoutes(Router& router, Host& host, const Metrics& metrics) {
  AddRead(router, "/v1/operator/overview", "getOverview",
          [&host, &metrics](const Request&) { return Overview(host, metrics); });
  AddRead(router, "/v1/operator/mirror", "getMirror", [&host](const Request&) -> absl::StatusOr<Json> {
    return host.mirror ? MirrorJson(host.mirror->Stats()) : Json{{"enabled", false}};
  });
}

}  // namespace northwind::server

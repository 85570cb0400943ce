// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/observe/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "examples/reference_server/host.h"
#include "examples/reference_server/observe/log.h"

namespace northwind::server {
namespace {

constexpr char kEventsRoute[] = "postEvents";
constexpr absl::Duration kWindow = absl::Minutes(1);
constexpr size_t kMaxTaken = 100'000;

const prometheus::Histogram::BucketBoundaries kSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                          0.25,  0.5,    1,     2.5,  5,     10,   30};
const prometheus::Histogram::BucketBoundaries kBytes = {256, 1024, 4096, 16384, 65536, 262144, 1048576, 16777216};

// Figures that the parts count themselves, as families beside those that are counted here.
class Figures {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  void Gauge(const char* name, const char* help, double value, const Labels& labels = {}) {
    Metric(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
  }
  void Counter(const char* name, const char* help, double value, const Labels& labels = {}) {
    Metric(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
  }
  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  prometheus::ClientMetric& Metric(const char* name, const char* help, prometheus::MetricType type,
                                   const Labels& labels) {
    // All of one name come one after the other.
    if (families_.empty() || families_.back().name != name) {
      families_.push_back({.name = name, .help = help, .type = type, .metric = {}});
    }
    prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
    for (const auto& [label, value] : labels) metric.label.push_back({label, value});
    return metric;
  }

  std::vector<prometheus::MetricFamily> families_;
};

double Number(uint64_t value) { return static_cast<double>(value); }
double Number(Sequence sequence) { return static_cast<double>(sequence.value()); }

void AddLedger(const Host& host, Figures& figures) {
  const LedgerStats stats = host.ledger->Stats();
  figures.Counter("northwind_ledger_records_total", "Records in the journal.", Number(stats.head.sequence));
  figures.Gauge("northwind_ledger_checkpointed_records", "Records that the indexes on disk cover.",
                Number(stats.checkpointed));
  figures.Gauge("northwind_ledger_accounts", "Accounts.", Number(stats.accounts));
  figures.Gauge("northwind_ledger_open_holds", "Holds that are neither captured nor released.",
                Number(stats.open_holds));
  figures.Gauge("northwind_ledger_queued_transactions", "Transactions that wait to be applied.",
                Number(stats.queued_transactions));
  figures.Gauge("northwind_store_disk_bytes", "Live files of the store, log included.", Number(stats.disk_bytes));
  figures.Gauge("northwind_intake_parked_events", "Events that wait for another one.", Number(host.intake->parked()));
}

void AddScheduler(const Host& host, Figures& figures) {
  const absl::StatusOr<SchedulerStats> stats = host.scheduler->Stats();
  if (!stats.ok()) return;
  const auto each = [&](const char* name, const char* help, uint64_t QueueStats::*member) {
    for (const QueueStats& queue : stats->queues) {
      figures.Gauge(name, help, Number(queue.*member), {{"queue", queue.queue}});
    }
  };
  each("northwind_scheduler_waiting_tasks", "Tasks that are not claimed.", &QueueStats::waiting);
  each("northwind_scheduler_ready_tasks", "Of those, the ones that are due.", &QueueStats::ready);
  each("northwind_scheduler_leased_tasks", "Tasks that are worked on.", &QueueStats::leased);
  each("northwind_scheduler_dead_tasks", "Dead letters.", &QueueStats::dead);
}

void AddWebhooks(const Host& host, Figures& figures) {
  if (host.payouts != nullptr) {
    figures.Gauge("northwind_payouts_followed_records", "Records of the journal that payouts were made of.",
                  Number(host.payouts->followed()));
    figures.Gauge("northwind_payouts_up", "Whether payouts are worked on.", host.payouts->status().ok() ? 1 : 0);
  }
  if (host.webhooks == nullptr) return;
  figures.Gauge("northwind_webhooks_up", "Whether webhooks are sent.", host.webhooks->status().ok() ? 1 : 0);
  const absl::StatusOr<WebhookStats> stats = host.webhooks->Stats();
  if (!stats.ok()) return;
  figures.Gauge("northwind_webhooks_followed_records", "Records of the journal that messages were made of.",
                Number(stats->followed));
  figures.Gauge("northwind_webhooks_endpoints", "Endpoints.", Number(stats->endpoints));
  figures.Gauge("northwind_webhooks_waiting_deliveries", "Deliveries that are not final.", Number(stats->waiting));
  figures.Gauge("northwind_webhooks_dead_deliveries", "Deliveries that were given up.", Number(stats->dead));
  figures.Gauge("northwind_webhooks_in_flight_attempts", "Attempts under way.", Number(stats->in_flight));
  figures.Counter("northwind_webhooks_attempts_total", "Attempts that ended.", Number(stats->delivered),
                  {{"outcome", "delivered"}});
  figures.Counter("northwind_webhooks_attempts_total", "Attempts that ended.", Number(stats->failed),
                  {{"outcome", "failed"}});
  figures.Counter("northwind_webhooks_messages_total", "Messages made.", Number(stats->messages));
  figures.Counter("northwind_webhooks_endpoints_disabled_total", "Endpoints that were disabled for failing.",
                  Number(stats->disabled));
}

void AddNeighbours(const Host& host, Figures& figures) {
  if (host.mirror != nullptr) {
    const MirrorStats stats = host.mirror->Stats();
    figures.Gauge("northwind_mirror_up", "Whether the mirror follows the journal.",
                  stats.state == MirrorState::kRunning ? 1 : 0);
    figures.Gauge("northwind_mirror_lag_records", "Records that PostgreSQL does not have yet.",
                  Number(stats.lag_records));
    figures.Gauge("northwind_mirror_lag_seconds", "Age of the oldest of those.", absl::ToDoubleSeconds(stats.lag));
    figures.Counter("northwind_mirror_records_total", "Records mirrored.", Number(stats.records));
    figures.Counter("northwind_mirror_connections_total", "Connections made.", Number(stats.connections));
  }
  if (host.source != nullptr) {
    const SqsStats stats = host.source->Stats();
    figures.Gauge("northwind_sqs_up", "Whether messages are received.", stats.state == SqsState::kRunning ? 1 : 0);
    figures.Counter("northwind_sqs_received_messages_total", "Messages received, each delivery counted.",
                    Number(stats.received));
    figures.Counter("northwind_sqs_deleted_messages_total", "Messages dealt with.", Number(stats.deleted));
    figures.Counter("northwind_sqs_poison_messages_total", "Messages that went to quarantine.", Number(stats.poison));
    figures.Gauge("northwind_sqs_held_messages", "Messages received and neither deleted nor given back.",
                  Number(stats.held));
  }
  if (host.cutover != nullptr) {
    const CutoverStatus status = host.cutover->Status();
    figures.Gauge("northwind_cutover_threshold_ratio", "Share of merchants that are settled here.",
                  static_cast<double>(status.threshold) / kBasisPoints);
    figures.Gauge("northwind_cutover_epoch", "Changes of its settings.", Number(status.epoch));
    figures.Gauge("northwind_cutover_routed_to_batch", "Whether everything new goes to the batch.",
                  status.routed_to_batch ? 1 : 0);
    figures.Gauge("northwind_cutover_sending_stopped", "Whether nothing is submitted to the bank.",
                  status.sending_stopped ? 1 : 0);
    figures.Gauge("northwind_cutover_residue_payouts", "Assigned here and not finished.", Number(status.residue));
  }
  if (host.run != nullptr) {
    figures.Gauge("northwind_parallel_run_followed_records", "Records of the journal that were compared.",
                  Number(host.run->followed()));
  }
}

void AddListener(const Listener* listener, Figures& figures) {
  if (listener == nullptr) return;
  const ListenerStats stats = listener->stats();
  figures.Gauge("northwind_http_connections", "Connections.", Number(stats.connections));
  figures.Gauge("northwind_http_requests_in_flight", "Requests whose answer is not ready.", Number(stats.in_flight));
  figures.Gauge("northwind_http_event_streams", "Event streams.", Number(stats.streams));
  figures.Gauge("northwind_http_body_bytes", "Bodies of requests that are not answered yet.", Number(stats.body_bytes));
  figures.Counter("northwind_http_connections_accepted_total", "Connections accepted.", Number(stats.accepted));
  figures.Counter("northwind_http_connections_refused_total", "Connections over the limit.", Number(stats.refused));
}

}  // namespace

class Metrics::Core {
 public:
  Core()
      : requests_(prometheus::BuildCounter()
                      .Name("northwind_http_requests_total")
                      .Help("Requests answered.")
                      .Register(registry_)),
        seconds_(prometheus::BuildHistogram()
                     .Name("northwind_http_request_duration_seconds")
                     .Help("From the whole request to its answer.")
                     .Register(registry_)),
        bytes_(prometheus::BuildHistogram()
                   .Name("northwind_http_response_size_bytes")
                   .Help("Bodies of answers.")
                   .Register(registry_)) {}

  void Observe(const RequestRecord& record) {
    // Paths that are none of ours are one label, so that nobody can make a million of them.
    const std::string route(record.route.empty() ? "none" : record.route);
    requests_
        .Add({{"route", route},
              {"method", std::string(Name(record.request.method))},
              {"status", std::to_string(record.status)}})
        .Increment();
    seconds_.Add({{"route", route}}, kSeconds).Observe(absl::ToDoubleSeconds(record.took));
    bytes_.Add({{"route", route}}, kBytes).Observe(static_cast<double>(record.bytes));
    if (record.route != kEventsRoute || record.status >= 300) return;
    const absl::MutexLock lock(&mutex_);
    taken_.emplace_back(record.request.received_at + record.took, record.took);
    if (taken_.size() > kMaxTaken) taken_.pop_front();
  }

  std::vector<prometheus::MetricFamily> Collect() { return registry_.Collect(); }

  void Sample(Sequence head, absl::Time now) {
    const absl::MutexLock lock(&mutex_);
    heads_.emplace_back(now, head);
    while (heads_.size() > 2 && heads_[1].first <= now - kWindow) heads_.pop_front();
    while (!taken_.empty() && taken_.front().first < now - kWindow) taken_.pop_front();
  }

  Rates rates(absl::Time now) const {
    Rates rates;
    std::vector<absl::Duration> sorted;
    const absl::MutexLock lock(&mutex_);
    // Of the last few seconds: a graph of it should move.
    if (heads_.size() >= 2) {
      const auto& [from, first] = heads_[heads_.size() - std::min<size_t>(heads_.size(), 6)];
      const auto& [to, last] = heads_.back();
      if (to > from) {
        rates.events_per_second = static_cast<double>(last.value() - first.value()) / absl::ToDoubleSeconds(to - from);
      }
    }
    for (const auto& [at, took] : taken_) {
      if (at >= now - kWindow) sorted.push_back(took);
    }
    if (sorted.empty()) return rates;
    std::sort(sorted.begin(), sorted.end());
    rates.median = sorted[sorted.size() / 2];
    rates.slowest_percent = sorted[(sorted.size() - 1) * 99 / 100];
    return rates;
  }

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Family<prometheus::Histogram>& bytes_;
  mutable absl::Mutex mutex_;
  std::deque<std::pair<absl::Time, Sequence>> heads_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::pair<absl::Time, absl::Duration>> taken_ ABSL_GUARDED_BY(mutex_);
};

Metrics::Metrics() : core_(std::make_unique<Core>()) {}
Metrics::~Metrics() = default;

void Metrics::Observe(const RequestRecord& record) { core_->Observe(record); }
void Metrics::Sample(Sequence head, absl::Time now) { core_->Sample(head, now); }
Rates Metrics::rates(absl::Time now) const { return core_->rates(now); }

std::string Metrics::Scrape(const Host& host, const Listener* listener) {
  Figures figures;
  AddLedger(host, figures);
  AddScheduler(host, figures);
  AddWebhooks(host, figures);
  AddNeighbours(host, figures);
  AddListener(listener, figures);
  figures.Counter("northwind_log_dropped_lines_total", "Lines of the log that found no room, or could not be written.",
                  Number(DroppedLogLines()));
  std::vector<prometheus::MetricFamily> families = core_->Collect();
  std::vector<prometheus::MetricFamily> of_parts = figures.Take();
  std::move(of_parts.begin(), of_parts.end(), std::back_inserter(families));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace northwind::server

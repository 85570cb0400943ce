// SPDX-License-Identifier: Apache-2.0
//
// Figures in Prometheus's text format, by prometheus-cpp's core: names and units by https://prometheus.io/docs/practices/naming/.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_METRICS_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_METRICS_H_

#include <memory>
#include <optional>
#include <string>

#include "examples/reference_server/http/listener.h"
#include "northwind/sequence.h"

namespace northwind::server {

struct Host;

// Of the last minute, for people; a monitor has the counters.
struct Rates {
  double events_per_second = 0;  // records of the journal
  // How long requests with events took, which is until they are durable. Nothing: there was none.
  std::optional<absl::Duration> median;
  std::optional<absl::Duration> slowest_percent;
};

// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  // northwind_http_requests_total{route,method,status}, northwind_http_request_duration_seconds{route}, …_response_size_bytes.
  void Observe(const RequestRecord& record);
  // Asked at each scrape: `listener` is null before there is one.
  std::string Scrape(const Host& host, const Listener* listener);

  // To be called every second or so.
  void Sample(Sequence head, absl::Time now);
  Rates rates(absl::Time now) const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_METRICS_H_

// SPDX-License-Identifier: Apache-2.0
//
// Figures in Prometheus's text format, by prometheus-cpp's core: names and units by https://prometheus.io/docs/practices/naming/.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_METRICS_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_METRICS_H_

#include <functional>
#include <memory>
#include <string>

#include "examples/reference_server/http/listener.h"

namespace northwind::server {

struct Host;

// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  // northwind_http_requests_total{route,method,status}, northwind_http_request_duration_seconds{route}, …_response_size_bytes.
  void Observe(const RequestRecord& record);
  // Asked at each scrape: `listener` is null before there is one.
  std::string Scrape(const Host& host, const Listener* listener);

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_METRICS_H_

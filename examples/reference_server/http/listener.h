// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 on sockets, by Boost.Beast: reads requests within limits and deadlines, gives them to a router, writes what
// is answered.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_LISTENER_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_LISTENER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/reference_server/http/message.h"
#include "examples/reference_server/http/router.h"

namespace northwind::server {

struct ListenerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;            // 0: any that is free; see Listener::port
  std::string tls_certificate;  // PEM files, both or none; TLS 1.2 or newer
  std::string tls_key;
  int io_threads = 2;
  int worker_threads = 8;  // that handlers block on
  size_t max_connections = 10'000;
  size_t max_in_flight = 2'000;  // requests whose answer is not ready; more are answered 503 busy
  size_t max_header = 16 << 10;
  // Bodies up to here are read of anybody who may connect, and are bounded by max_connections alone, so that whoever fills the room of large ones
  // holds up no sign-in and no emergency. Larger ones are read of those who may send them.
  size_t small_body = 16 << 10;
  // Of all large bodies together, and of one caller's, from what has come of them until they are answered; what comes then is answered 503
  // busy.
  size_t max_body_bytes = 256 << 20;
  size_t max_body_bytes_of_caller = 64 << 20;
  absl::Duration header_timeout = absl::Seconds(10);  // from the first byte of a request to the end of its head
  absl::Duration body_timeout = absl::Seconds(30);
  absl::Duration write_timeout = absl::Seconds(30);  // without progress
  absl::Duration idle_timeout = absl::Seconds(75);   // between two requests
  absl::Duration drain_timeout = absl::Seconds(20);  // Stop: for requests under way
  absl::Duration stream_heartbeat =
      absl::Seconds(15);  // a comment line on an event stream, so that dead peers are noticed
  // The address of the client is the last of X-Forwarded-For if, and only if, the peer is a proxy of these addresses.
  std::vector<std::string> trusted_proxies;
};

// What became of a request: for logs and metrics.
struct RequestRecord {
  const Request& request;
  std::string_view route;  // Route::name; empty if none fits
  std::string_view caller;
  int status = 0;
  size_t bytes = 0;  // of the answer's body
  absl::Duration took;
  std::string_view cause;  // of a failure
};

struct ListenerStats {
  size_t connections = 0;
  size_t in_flight = 0;
  size_t streams = 0;
  size_t body_bytes = 0;  // of requests that are being read, or whose answer is not ready
  uint64_t accepted = 0;
  uint64_t refused = 0;  // connections over the limit
};

// Threads: io_threads and worker_threads of its own. Thread-safe.
class Listener {
 public:
  // Binds, and begins to answer. InvalidArgument, Unavailable (the address is taken), with what to do about it.
  static absl::StatusOr<std::unique_ptr<Listener>> Start(const ListenerOptions& options, const Router& router,
                                                         std::function<void(const RequestRecord&)> record = nullptr);
  ~Listener();  // Stop()
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  uint16_t port() const;
  ListenerStats stats() const;
  // No new connections; those that are idle are closed, answers under way are written with `Connection: close`, event streams ended;
  // what takes longer than drain_timeout is cut off. Idempotent.
  void Stop();

 private:
  class Core;
  explicit Listener(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_LISTENER_H_

// SPDX-License-Identifier: Apache-2.0
//
// One connection: reads a request, has it answered, writes the answer, and again. One step after the other on the connection's strand, as
// callbacks: clang 14, which the sanitizers and clang-tidy come from here, has no coroutines that Asio could use with all of them.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_CONNECTION_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_CONNECTION_H_

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "examples/reference_server/http/listener.h"
#include "examples/reference_server/http/router.h"

namespace northwind::server {

class Connection {
 public:
  virtual ~Connection() = default;
  // Null if it is just ending.
  virtual std::shared_ptr<Connection> Share() = 0;
  virtual void Begin() = 0;
  // From any thread. Ends it as soon as nothing is under way on it; event streams are closed.
  virtual void Drain() = 0;
  virtual void Cut() = 0;
};

// What all connections of a listener share. Outlives them: they hold it.
struct Hub {
  Hub(const ListenerOptions& listener_options, const Router& listener_router,
      std::function<void(const RequestRecord&)> listener_record)
      : options(listener_options),
        router(listener_router),
        record(std::move(listener_record)),
        io(listener_options.io_threads),
        pool(static_cast<size_t>(listener_options.worker_threads)) {}

  ListenerOptions options;  // does not change once there are threads
  const Router& router;
  const std::function<void(const RequestRecord&)> record;
  boost::asio::io_context io;
  boost::asio::thread_pool pool;
  std::unique_ptr<boost::asio::ssl::context> tls;

  std::atomic<bool> draining = false;
  std::atomic<size_t> in_flight = 0;
  std::atomic<size_t> streams = 0;
  std::atomic<size_t> body_bytes = 0;
  absl::Mutex bodies_mutex;
  absl::flat_hash_map<std::string, size_t> bodies_of
      ABSL_GUARDED_BY(bodies_mutex);  // by caller; their sum is body_bytes
  std::atomic<uint64_t> accepted = 0;
  std::atomic<uint64_t> refused = 0;

  absl::Mutex mutex;
  std::unordered_set<Connection*> connections ABSL_GUARDED_BY(mutex);
  // Nothing is run any more: answers that come now are dropped. Taken before `mutex`, which the end of a connection takes.
  absl::Mutex end_mutex ABSL_ACQUIRED_BEFORE(mutex);
  bool ended ABSL_GUARDED_BY(end_mutex) = false;
};

std::shared_ptr<Connection> MakeConnection(std::shared_ptr<Hub> hub, boost::asio::ip::tcp::socket socket);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_CONNECTION_H_

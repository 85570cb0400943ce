// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_CONNECTOR_H_
#define NORTHWIND_SRC_POSTGRES_CONNECTOR_H_

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "src/postgres/connection_string.h"
#include "src/postgres/deadline.h"
#include "src/postgres/stop_signal.h"

namespace northwind::internal::postgres {

struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using ConnectionHandle = std::unique_ptr<PGconn, FinishConnection>;

// Makes one connection without blocking, which takes what the blocking calls of libpq do by themselves: connect_timeout is ours to
// keep, host by host.
class Connector {
 public:
  // `stop` may be null.
  Connector(ConnectionParameters parameters, const StopSignal* stop, Deadline deadline)
      : parameters_(std::move(parameters)), stop_(stop), deadline_(deadline) {}

  // See Connection::Connect.
  absl::StatusOr<ConnectionHandle> Connect();

 private:
  // Until it stands or fails; nothing if one of its hosts gave no answer for connect_timeout.
  absl::StatusOr<bool> Establish(PGconn* connection);
  // Whether the socket is ready; false if `until` passed before.
  absl::StatusOr<bool> Wait(int socket, short events, Deadline until) const;
  // Leaves only the hosts behind the one at which the connection is; false if there are none.
  bool SkipTo(PGconn* connection);
  absl::Status Failed(PGconn* connection) const;

  ConnectionParameters parameters_;
  const StopSignal* const stop_;
  const Deadline deadline_;
  std::string silent_;  // what there is to say of hosts that gave no answer
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_CONNECTOR_H_

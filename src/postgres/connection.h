// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_CONNECTION_H_
#define NORTHWIND_SRC_POSTGRES_CONNECTION_H_

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "src/postgres/connector.h"
#include "src/postgres/deadline.h"
#include "src/postgres/result.h"
#include "src/postgres/stop_signal.h"

namespace northwind::internal::postgres {

inline constexpr Oid kTypeUnknown = 0;  // as the statement implies

// A parameter of a statement. Does not own its bytes: they live until the call returns.
struct Parameter {
  static Parameter Null(Oid type = kTypeUnknown) { return {.data = nullptr, .size = 0, .type = type}; }
  // Must not have a NUL in it: InvalidArgument then.
  static Parameter Text(const std::string& text, Oid type = kTypeUnknown) {
    return {.data = text.c_str(), .size = text.size(), .type = type};
  }
  static Parameter Binary(std::string_view bytes, Oid type) {
    return {.data = bytes.data() == nullptr ? "" : bytes.data(), .size = bytes.size(), .binary = true, .type = type};
  }

  const char* data;
  size_t size;
  bool binary = false;
  Oid type = kTypeUnknown;
};

enum class ResultFormat : uint8_t { kText = 0, kBinary = 1 };

struct ConnectionOptions {
  std::string connection;  // a connection string or URI
  // What the string does not set.
  std::string application_name;
  bool read_write = false;  // target_session_attrs=read-write
  // Set for the session, and the limit of Connect as a whole. Infinite: none.
  absl::Duration statement_timeout = absl::InfiniteDuration();
};

// One session of a server, whose calls wait no longer than until a deadline, or until somebody else stops them. One thread at a time, but
// for the StopSignal. Once a call ended by DeadlineExceeded, Cancelled or Unavailable nothing can be known of what the server does: the
// connection is broken, and every call after that fails with Unavailable. An InterruptScope ends waits as well, with Cancelled: then the
// server is asked to end the statement, and if it does so at once the connection stays whole.
class Connection {
 public:
  // Tries the hosts in their order, each for connect_timeout at most. Errors: InvalidArgument for the string; PermissionDenied and
  // InvalidArgument for a role or database that the server does not take; Unavailable for a server that cannot be reached, is not one
  // that was asked for, or is not who it should be; DeadlineExceeded; Cancelled if `stop` is set. `stop` may be null, else outlives the
  // connection. The names of hosts are looked up by libpq, which waits for the resolver whatever the deadline.
  static absl::StatusOr<std::unique_ptr<Connection>> Connect(const ConnectionOptions& options, const StopSignal* stop);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One statement. `what` begins the message of an error. An error of the server leaves the connection whole.
  absl::StatusOr<Result> Execute(std::string_view what, const std::string& sql, absl::Span<const Parameter> parameters,
                                 Deadline deadline, ResultFormat format = ResultFormat::kText);
  absl::StatusOr<Result> Execute(std::string_view what, const std::string& sql, Deadline deadline) {
    return Execute(what, sql, {}, deadline);
  }
  absl::Status Prepare(std::string_view what, const std::string& name, const std::string& sql,
                       absl::Span<const Oid> types, Deadline deadline);
  absl::StatusOr<Result> ExecutePrepared(std::string_view what, const std::string& name,
                                         absl::Span<const Parameter> parameters, Deadline deadline,
                                         ResultFormat format = ResultFormat::kText);
  // Any number of statements, in one transaction unless they say otherwise. The result of the last.
  absl::StatusOr<Result> Run(std::string_view what, const std::string& script, Deadline deadline);
  // Columns and parameter types of a prepared statement (PQfname, PQftype, PQparamtype).
  absl::StatusOr<Result> DescribePrepared(std::string_view what, const std::string& name, Deadline deadline);

  // COPY … FROM STDIN: after a statement whose result is PGRES_COPY_IN, any number of PutCopyData, then EndCopy.
  absl::Status PutCopyData(std::string_view what, std::string_view bytes, Deadline deadline);
  // The result of the COPY.
  absl::StatusOr<Result> EndCopy(std::string_view what, Deadline deadline);

  // For pipelines: with PQenterPipelineMode and the PQsend… calls of libpq on raw(), which does not block. Flush sends what is queued (reading
  // meanwhile, so that neither side waits for the other); NextResult waits for what PQgetResult gives, and gives it as it is.
  PGconn* raw() { return connection_.get(); }
  absl::Status Flush(std::string_view what, Deadline deadline);
  absl::StatusOr<Result> NextResult(std::string_view what, Deadline deadline);

  bool broken() const { return broken_; }
  // For a caller that can make nothing of it any more.
  void Abandon() { broken_ = true; }
  // "host:port" or the socket's directory, for messages.
  std::string Peer() const;
  int server_version() const { return PQserverVersion(connection_.get()); }  // 150018

 private:
  Connection(ConnectionHandle connection, const StopSignal* stop) : connection_(std::move(connection)), stop_(stop) {}

  // Waits for the socket; what ends it otherwise breaks the connection.
  absl::Status Wait(std::string_view what, short events, Deadline deadline);
  // The results of one statement but for the first error or the last; no more than `sent` says.
  absl::StatusOr<Result> Finished(std::string_view what, int sent, Deadline deadline);
  absl::Status Broken(std::string_view what);
  // Asks the server to end the statement; true if it did so in time, and the connection is whole.
  bool EndStatement();

  const ConnectionHandle connection_;
  const StopSignal* const stop_;
  bool broken_ = false;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_CONNECTION_H_

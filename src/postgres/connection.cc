// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/connection.h"

#include <poll.h>

#include <algorithm>
#include <climits>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "northwind/interrupt.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/postgres/connection_string.h"

namespace northwind::internal::postgres {
namespace {

// Whoever presses Ctrl-C does not wait longer for a server that does not answer.
constexpr absl::Duration kPatienceAfterInterrupt = absl::Milliseconds(300);

// Parameters as libpq takes them.
struct ParameterArrays {
  explicit ParameterArrays(absl::Span<const Parameter> parameters) {
    for (const Parameter& parameter : parameters) {
      types.push_back(parameter.type);
      values.push_back(parameter.data);
      sizes.push_back(static_cast<int>(parameter.size));
      formats.push_back(parameter.binary ? 1 : 0);
    }
  }
  // libpq takes text up to its first NUL, and would send less than what is meant.
  static absl::Status Check(std::string_view what, absl::Span<const Parameter> parameters) {
    for (const Parameter& parameter : parameters) {
      if (parameter.size > INT_MAX) {
        return Error(absl::StatusCode::kInvalidArgument, ToAbsl(what), ": a parameter is longer than 2 GiB");
      }
      if (parameter.data != nullptr && !parameter.binary &&
          std::string_view(parameter.data, parameter.size).find('\0') != std::string_view::npos) {
        return Error(absl::StatusCode::kInvalidArgument, ToAbsl(what), ": a parameter has a NUL");
      }
    }
    return absl::OkStatus();
  }

  int count() const { return static_cast<int>(values.size()); }

  std::vector<Oid> types;
  std::vector<const char*> values;
  std::vector<int> sizes;
  std::vector<int> formats;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Connect(const ConnectionOptions& options,
                                                                const StopSignal* stop) {
  NW_ASSIGN_OR_RETURN(ConnectionParameters parameters, ParseConnectionString(options.connection));
  if (!options.application_name.empty()) parameters.try_emplace("fallback_application_name", options.application_name);
  if (options.read_write) parameters.try_emplace("target_session_attrs", "read-write");
  const Deadline deadline = Deadline::In(options.statement_timeout);
  NW_ASSIGN_OR_RETURN(ConnectionHandle handle, Connector(std::move(parameters), stop, deadline).Connect());
  auto connection = std::unique_ptr<Connection>(new Connection(std::move(handle), stop));
  if (options.statement_timeout != absl::InfiniteDuration()) {
    // The server ends it too, so that nothing of a connection that was given up holds locks for longer.
    const int64_t limit = std::clamp<int64_t>(absl::ToInt64Milliseconds(options.statement_timeout), 1, INT_MAX);
    const std::string text = absl::StrCat(limit);
    NW_RETURN_IF_ERROR(connection
                           ->Execute("statement_timeout", "SELECT set_config('statement_timeout', $1, false)",
                                     {Parameter::Text(text)}, deadline)
                           .status());
  }
  return connection;
}

Connection::~Connection() = default;

absl::StatusOr<Result> Connection::Execute(std::string_view what, const std::string& sql,
                                           absl::Span<const Parameter> parameters, Deadline deadline,
                                           ResultFormat format) {
  if (broken_) return Broken(what);
  NW_RETURN_IF_ERROR(ParameterArrays::Check(what, parameters));
  const ParameterArrays arrays(parameters);
  const int sent = PQsendQueryParams(raw(), sql.c_str(), arrays.count(), arrays.types.data(), arrays.values.data(),
                                     arrays.sizes.data(), arrays.formats.data(), static_cast<int>(format));
  return Finished(what, sent, deadline);
}

absl::Status Connection::Prepare(std::string_view what, const std::string& name, const std::string& sql,
                                 absl::Span<const Oid> types, Deadline deadline) {
  if (broken_) return Broken(what);
  const int sent = PQsendPrepare(raw(), name.c_str(), sql.c_str(), static_cast<int>(types.size()), types.data());
  return Finished(what, sent, deadline).status();
}

absl::StatusOr<Result> Connection::ExecutePrepared(std::string_view what, const std::string& name,
                                                   absl::Span<const Parameter> parameters, Deadline deadline,
                                                   ResultFormat format) {
  if (broken_) return Broken(what);
  NW_RETURN_IF_ERROR(ParameterArrays::Check(what, parameters));
  const ParameterArrays arrays(parameters);
  const int sent = PQsendQueryPrepared(raw(), name.c_str(), arrays.count(), arrays.values.data(), arrays.sizes.data(),
                                       arrays.formats.data(), static_cast<int>(format));
  return Finished(what, sent, deadline);
}

absl::StatusOr<Result> Connection::Run(std::string_view what, const std::string& script, Deadline deadline) {
  if (broken_) return Broken(what);
  return Finished(what, PQsendQuery(raw(), script.c_str()), deadline);
}

absl::StatusOr<Result> Connection::DescribePrepared(std::string_view what, const std::string& name, Deadline deadline) {
  if (broken_) return Broken(what);
  return Finished(what, PQsendDescribePrepared(raw(), name.c_str()), deadline);
}

absl::Status Connection::PutCopyData(std::string_view what, std::string_view bytes, Deadline deadline) {
  if (broken_) return Broken(what);
  constexpr size_t kPiece = size_t{1} << 30;  // libpq counts in int
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPiece);
    const int taken = PQputCopyData(raw(), piece.data(), static_cast<int>(piece.size()));
    if (taken < 0) return Broken(what);
    if (taken == 0) {
      NW_RETURN_IF_ERROR(Flush(what, deadline));
    } else {
      bytes.remove_prefix(piece.size());
    }
  }
  return Flush(what, deadline);
}

absl::StatusOr<Result> Connection::EndCopy(std::string_view what, Deadline deadline) {
  if (broken_) return Broken(what);
  int taken;
  while ((taken = PQputCopyEnd(raw(), nullptr)) == 0) NW_RETURN_IF_ERROR(Flush(what, deadline));
  return Finished(what, taken > 0 ? 1 : 0, deadline);
}

absl::Status Connection::Flush(std::string_view what, Deadline deadline) {
  if (broken_) return Broken(what);
  int left;
  while ((left = PQflush(raw())) == 1) {
    NW_RETURN_IF_ERROR(Wait(what, POLLIN | POLLOUT, deadline));
    // A server that waits for its answers to be taken takes nothing more.
    if (PQconsumeInput(raw()) == 0) return Broken(what);
  }
  return left == 0 ? absl::OkStatus() : Broken(what);
}

absl::StatusOr<Result> Connection::NextResult(std::string_view what, Deadline deadline) {
  if (broken_) return Broken(what);
  while (PQisBusy(raw()) != 0) {
    NW_RETURN_IF_ERROR(Wait(what, POLLIN, deadline));
    if (PQconsumeInput(raw()) == 0) return Broken(what);
  }
  return Result(PQgetResult(raw()));
}

std::string Connection::Peer() const {
  const std::string_view host = PQhost(connection_.get());
  return host.starts_with('/') ? std::string(host) : absl::StrCat(ToAbsl(host), ":", PQport(connection_.get()));
}

absl::Status Connection::Wait(std::string_view what, short events, Deadline deadline) {
  for (;;) {
    if (stop_ != nullptr && stop_->IsSet()) {
      broken_ = true;
      return Error(absl::StatusCode::kCancelled, ToAbsl(what), ": stopped");
    }
    if (Interrupted()) {
      broken_ = !EndStatement();
      return Error(absl::StatusCode::kCancelled, ToAbsl(what), ": interrupted");
    }
    if (deadline.HasPassed()) {
      broken_ = true;
      return Error(absl::StatusCode::kDeadlineExceeded, ToAbsl(what), ": no answer of PostgreSQL in time");
    }
    pollfd ready[2] = {{.fd = PQsocket(raw()), .events = events, .revents = 0},
                       {.fd = stop_ != nullptr ? stop_->descriptor() : -1, .events = POLLIN, .revents = 0}};
    poll(ready, 2, BeforeNextAsk(deadline).RemainingMs());
    if (ready[0].revents != 0) return absl::OkStatus();
  }
}

bool Connection::EndStatement() {
  if (PQpipelineStatus(raw()) != PQ_PIPELINE_OFF) return false;
  // libpq asks on a connection of its own and waits for that, however long: a thread of nobody does. All that it needs is its own. Until
  // the server has been asked, that could end the next statement as well.
  PGcancel* const cancel = PQgetCancel(raw());
  if (cancel == nullptr) return false;
  const auto asked = std::make_shared<absl::Notification>();
  try {
    std::thread([cancel, asked] {
      char error[256];
      PQcancel(cancel, error, sizeof error);
      PQfreeCancel(cancel);
      asked->Notify();
    }).detach();
  } catch (const std::system_error&) {  // no thread left
    PQfreeCancel(cancel);
    return false;
  }
  const Deadline deadline = Deadline::In(kPatienceAfterInterrupt);
  while (PQflush(raw()) == 1 && !deadline.HasPassed()) {
    pollfd socket = {.fd = PQsocket(raw()), .events = POLLIN | POLLOUT, .revents = 0};
    poll(&socket, 1, deadline.RemainingMs());
    if (PQconsumeInput(raw()) == 0) return false;
  }
  while (true) {
    while (PQisBusy(raw()) != 0) {
      if (deadline.HasPassed()) return false;
      pollfd socket = {.fd = PQsocket(raw()), .events = POLLIN, .revents = 0};
      poll(&socket, 1, deadline.RemainingMs());
      if (PQconsumeInput(raw()) == 0) return false;
    }
    const Result result(PQgetResult(raw()));
    if (!result) break;
    // A copy would want to be ended first.
    if (result.status() == PGRES_COPY_IN || result.status() == PGRES_COPY_OUT) return false;
  }
  return asked->WaitForNotificationWithTimeout(absl::Milliseconds(deadline.RemainingMs())) &&
         PQstatus(raw()) == CONNECTION_OK;
}

absl::StatusOr<Result> Connection::Finished(std::string_view what, int sent, Deadline deadline) {
  if (sent == 0) {
    if (PQstatus(raw()) == CONNECTION_BAD) return Broken(what);
    return Error(absl::StatusCode::kInternal, ToAbsl(what), ": ", OneLine(PQerrorMessage(raw())));
  }
  NW_RETURN_IF_ERROR(Flush(what, deadline));
  Result last;
  absl::Status first_error;
  for (;;) {
    NW_ASSIGN_OR_RETURN(Result next, NextResult(what, deadline));
    if (!next) break;
    if (first_error.ok()) first_error = next.Check(what);
    const bool copies = next.status() == PGRES_COPY_IN || next.status() == PGRES_COPY_OUT;
    last = std::move(next);
    if (copies) break;  // there is no end of results before that of the copy
  }
  if (PQstatus(raw()) == CONNECTION_BAD) {
    broken_ = true;
    if (first_error.ok()) return Broken(what);
  }
  if (!first_error.ok()) return first_error;
  return last;
}

absl::Status Connection::Broken(std::string_view what) {
  const std::string message = broken_ ? "" : OneLine(PQerrorMessage(raw()));
  broken_ = true;
  return Error(absl::StatusCode::kUnavailable, ToAbsl(what), ": the connection to PostgreSQL is broken",
               message.empty() ? "" : ": ", message);
}

}  // namespace northwind::internal::postgres

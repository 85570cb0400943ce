// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/connector.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "northwind/interrupt.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/postgres/result.h"
#include "src/postgres/sqlstate.h"

namespace northwind::internal::postgres {
namespace {

constexpr char kWhat[] = "connecting to PostgreSQL";

// Keeps the server's notices off the host's standard error.
void DropNotice(void* /*unused*/, const PGresult* /*notice*/) {}

std::string OptionOf(PGconn* connection, std::string_view keyword) {
  std::string value;
  PQconninfoOption* const options = PQconninfo(connection);
  for (const PQconninfoOption* option = options; option != nullptr && option->keyword != nullptr; ++option) {
    if (option->keyword == keyword && option->val != nullptr) value = option->val;
  }
  PQconninfoFree(options);
  return value;
}

// As libpq has it: none for 0 and below, and 2 seconds at least.
Deadline HostDeadline(PGconn* connection) {
  const int seconds = std::atoi(OptionOf(connection, "connect_timeout").c_str());
  return seconds <= 0 ? Deadline::Never() : Deadline::In(absl::Seconds(std::max(seconds, 2)));
}

std::string HostOf(PGconn* connection) {
  const char* const host = PQhost(connection);
  const char* const port = PQport(connection);
  return absl::StrCat(host != nullptr ? host : "", ":", port != nullptr ? port : "");
}

// The SQLSTATEs in verbose messages: "FATAL:  28P01: password authentication failed …", in whatever language.
std::vector<std::string> SqlStatesIn(std::string_view text) {
  std::vector<std::string> found;
  for (size_t at = text.find(":  "); at != std::string_view::npos; at = text.find(":  ", at + 1)) {
    const std::string_view state = text.substr(at + 3, 5);
    const bool shaped = state.size() == 5 && text.substr(at + 8, 2) == ": " &&
                        std::all_of(state.begin(), state.end(),
                                    [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
    if (shaped) found.emplace_back(state);
  }
  return found;
}

}  // namespace

absl::StatusOr<ConnectionHandle> Connector::Connect() {
  for (;;) {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [keyword, value] : parameters_) {
      keywords.push_back(keyword.c_str());
      values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    ConnectionHandle connection(PQconnectStartParams(keywords.data(), values.data(), 0));
    if (connection == nullptr) return Error(absl::StatusCode::kResourceExhausted, kWhat, ": out of memory");
    // With the SQLSTATE, which libpq tells of a connection that failed only in this way.
    PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);
    PQsetNoticeReceiver(connection.get(), DropNotice, nullptr);
    NW_ASSIGN_OR_RETURN(const bool stands, Establish(connection.get()));
    if (stands) {
      PQsetErrorVerbosity(connection.get(), PQERRORS_DEFAULT);
      if (PQsetnonblocking(connection.get(), 1) != 0) return Failed(connection.get());
      return connection;
    }
    absl::StrAppend(&silent_, silent_.empty() ? "" : "; ", HostOf(connection.get()), ": no answer in time");
    if (!SkipTo(connection.get())) return Error(absl::StatusCode::kUnavailable, kWhat, ": ", silent_);
  }
}

absl::StatusOr<bool> Connector::Establish(PGconn* connection) {
  std::string host = HostOf(connection);
  Deadline until = HostDeadline(connection);
  PostgresPollingStatusType state =
      PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) return Failed(connection);
    NW_ASSIGN_OR_RETURN(const bool ready,
                        Wait(PQsocket(connection), state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until));
    if (!ready) return false;
    state = PQconnectPoll(connection);
    if (std::string now = HostOf(connection); now != host) {
      host = std::move(now);
      until = HostDeadline(connection);
    }
  }
  return true;
}

absl::StatusOr<bool> Connector::Wait(int socket, short events, Deadline until) const {
  for (;;) {
    if (stop_ != nullptr && stop_->IsSet()) return Error(absl::StatusCode::kCancelled, kWhat, ": stopped");
    if (Interrupted()) return Error(absl::StatusCode::kCancelled, kWhat, ": interrupted");
    if (deadline_.HasPassed()) return Error(absl::StatusCode::kDeadlineExceeded, kWhat, ": no connection in time");
    pollfd ready[2] = {{.fd = socket, .events = events, .revents = 0},
                       {.fd = stop_ != nullptr ? stop_->descriptor() : -1, .events = POLLIN, .revents = 0}};
    poll(ready, 2, BeforeNextAsk(Earlier(until, deadline_)).RemainingMs());
    if (ready[0].revents != 0) return true;
    if (until.HasPassed()) return false;
  }
}

bool Connector::SkipTo(PGconn* connection) {
  const std::vector<std::string> hosts = absl::StrSplit(OptionOf(connection, "host"), ',');
  const std::vector<std::string> addresses = absl::StrSplit(OptionOf(connection, "hostaddr"), ',');
  const std::vector<std::string> ports = absl::StrSplit(OptionOf(connection, "port"), ',');
  const size_t count = std::max(hosts.size(), addresses.size());
  // One port is that of all hosts.
  const auto port_at = [&](size_t i) { return ports.size() == 1 ? ports[0] : ports[i]; };
  const auto is_at = [&](size_t i) {
    const std::string& host = i < hosts.size() && !hosts[i].empty() ? hosts[i]
                              : i < addresses.size()                ? addresses[i]
                                                                    : "";
    return (host.empty() || host == PQhost(connection)) && (port_at(i).empty() || port_at(i) == PQport(connection));
  };
  size_t skipped = 0;
  while (skipped < count && !is_at(skipped)) ++skipped;
  if (++skipped >= count) return false;
  const auto keep_rest = [&](const char* keyword, const std::vector<std::string>& list) {
    if (list.size() == count) {
      parameters_[keyword] = absl::StrJoin(list.begin() + static_cast<std::ptrdiff_t>(skipped), list.end(), ",");
    }
  };
  keep_rest("host", hosts);
  keep_rest("hostaddr", addresses);
  keep_rest("port", ports);
  return true;
}

absl::Status Connector::Failed(PGconn* connection) const {
  const std::string_view text = PQerrorMessage(connection);
  std::string message = OneLine(text);
  if (!silent_.empty()) message = absl::StrCat(silent_, "; ", message);
  const std::vector<std::string> states = SqlStatesIn(text);
  // With several hosts one may yet come to its senses, whatever the others say.
  size_t attempts = 0;
  for (size_t at = text.find("connection to server"); at != std::string_view::npos;
       at = text.find("connection to server", at + 1)) {
    ++attempts;
  }
  const bool several = OptionOf(connection, "host").find(',') != std::string::npos ||
                       OptionOf(connection, "hostaddr").find(',') != std::string::npos || !silent_.empty();
  const bool passes = states.empty() || (several && states.size() < attempts) ||
                      std::any_of(states.begin(), states.end(),
                                  [](std::string_view state) { return ClassOf(state) == FaultClass::kPasses; });
  if (states.empty() || (passes && ClassOf(states.back()) == FaultClass::kHalts)) {
    return Error(absl::StatusCode::kUnavailable, kWhat, ": ", message);
  }
  return SqlError(states.back(), kWhat, message);
}

}  // namespace northwind::internal::postgres

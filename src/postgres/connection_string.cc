// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/connection_string.h"

#include <libpq-fe.h>

#include <memory>

#include "src/base/error.h"

namespace northwind::internal::postgres {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

struct FreeConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};

ConnectionParameters AsMap(const PQconninfoOption* option) {
  ConnectionParameters parameters;
  for (; option != nullptr && option->keyword != nullptr; ++option) {
    if (option->val != nullptr && *option->val != '\0') parameters[option->keyword] = option->val;
  }
  return parameters;
}

// What libpq says of the string, without what it cites from it.
std::string WithoutCitation(std::string message) {
  const size_t begin = message.find('"');
  const size_t end = message.rfind('"');
  if (begin != std::string::npos && end > begin) message.replace(begin + 1, end - begin - 1, "…");
  while (!message.empty() && message.back() == '\n') message.pop_back();
  return message;
}

// What is in force, services and the environment included. libpq only says so of a connection, so this asks for one that it refuses
// before it touches the network.
ConnectionParameters InForce(const std::string& connection) {
  const char* const keywords[] = {"dbname", "channel_binding", nullptr};
  const char* const values[] = {connection.c_str(), "not one", nullptr};
  const std::unique_ptr<PGconn, FreeConnection> refused(PQconnectStartParams(keywords, values, 1));
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfo(refused.get()));
  return AsMap(options.get());
}

}  // namespace

absl::StatusOr<ConnectionParameters> ParseConnectionString(const std::string& connection) {
  if (connection.find('\0') != std::string::npos) return absl::InvalidArgumentError("connection string: has a NUL");
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(connection.c_str(), &error));
  if (options == nullptr) {
    absl::Status status =
        Error(absl::StatusCode::kInvalidArgument,
              "connection string: ", error != nullptr ? WithoutCitation(error) : std::string("out of memory"));
    PQfreemem(error);
    return status;
  }
  // A peer that vanishes without a word is noticed within about half a minute, idle or not.
  static constexpr const char* kDefaults[][2] = {
      {"keepalives", "1"},           {"keepalives_idle", "10"}, {"keepalives_interval", "5"}, {"keepalives_count", "4"},
      {"tcp_user_timeout", "30000"}, {"connect_timeout", "10"}, {"client_encoding", "UTF8"},
  };
  ConnectionParameters parameters = AsMap(options.get());
  const ConnectionParameters in_force = InForce(connection);
  for (const auto& [keyword, value] : kDefaults) {
    if (!in_force.contains(keyword)) parameters.try_emplace(keyword, value);
  }
  return parameters;
}

}  // namespace northwind::internal::postgres

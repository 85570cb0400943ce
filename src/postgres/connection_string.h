// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_CONNECTION_STRING_H_
#define NORTHWIND_SRC_POSTGRES_CONNECTION_STRING_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace northwind::internal::postgres {

// What libpq is to be told, by keyword.
using ConnectionParameters = std::map<std::string, std::string>;

// Of a connection string or URI of libpq: what it sets, and the defaults of northwind for what neither it nor a service that it names nor
// the environment sets: keepalives, tcp_user_timeout, connect_timeout, client_encoding. InvalidArgument, without what the string
// holds: there may be a password in it.
absl::StatusOr<ConnectionParameters> ParseConnectionString(const std::string& connection);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_CONNECTION_STRING_H_

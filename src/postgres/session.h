// SPDX-License-Identifier: Apache-2.0
//
// What all that works on a schema of northwind's own has in common: where it is, and a connection that sees it.
#ifndef NORTHWIND_SRC_POSTGRES_SESSION_H_
#define NORTHWIND_SRC_POSTGRES_SESSION_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/postgres.h"
#include "src/postgres/connection.h"

namespace northwind::internal::postgres {

struct SessionTarget {
  std::string who;  // "mirror": begins messages, and after "northwind " is the application_name
  std::string connection;
  std::string schema;
  absl::Duration statement_timeout;
};
SessionTarget TargetOf(const MirrorOptions& options);

// InvalidArgument if one is out of range.
absl::Status CheckTarget(const SessionTarget& target);
absl::Status CheckOptions(const MirrorOptions& options);

// Whether the server is to be one that can be written to.
enum class Access : uint8_t { kRead, kWrite };

// A connection whose search path is the schema alone. InvalidArgument also for a server before 15, or a database that is not in UTF-8.
absl::StatusOr<std::unique_ptr<Connection>> ConnectTo(const SessionTarget& target, Access access,
                                                      const StopSignal* stop);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_SESSION_H_

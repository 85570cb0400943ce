// SPDX-License-Identifier: Apache-2.0
//
// What all that the mirror does on a server has in common: its options, and a connection that sees its schema.
#ifndef NORTHWIND_SRC_POSTGRES_SESSION_H_
#define NORTHWIND_SRC_POSTGRES_SESSION_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/postgres.h"
#include "src/postgres/connection.h"

namespace northwind::internal::postgres {

// InvalidArgument if one is out of range.
absl::Status CheckOptions(const MirrorOptions& options);

// Whether the server is to be one that can be written to.
enum class Access : uint8_t { kRead, kWrite };

// A connection whose search path is the schema alone. InvalidArgument also for a server before 15, or a database that is not in UTF-8.
absl::StatusOr<std::unique_ptr<Connection>> ConnectTo(const MirrorOptions& options, Access access,
                                                      const StopSignal* stop);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_SESSION_H_

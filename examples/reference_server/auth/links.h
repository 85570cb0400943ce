// SPDX-License-Identifier: Apache-2.0
//
// Links that merchants sign in by: in the store until they are used or too old.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_LINKS_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_LINKS_H_

#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "examples/reference_server/auth/credentials.h"
#include "examples/reference_server/auth/sessions.h"
#include "northwind/store.h"

namespace northwind::server {

// Records (record.h) under "server/auth/link/" and SHA-256 of the token in hexadecimal: {"merchant","expires"}, microseconds since 1970.
// Thread-safe.
class Links {
 public:
  Links(Store& store, absl::Duration lifetime) : store_(store), lifetime_(lifetime) {}

  // Every one can be read. DataLoss.
  absl::Status Check() const;
  absl::StatusOr<PortalLink> Create(std::string_view merchant, absl::Time now);
  // The link goes and the session comes in one write: it is good once, whatever happens in between.
  absl::StatusOr<Session> Redeem(std::string_view token, Sessions& sessions, absl::Time now);
  // Removes those that are too old.
  absl::Status RemoveExpired(absl::Time now);

 private:
  Store& store_;
  const absl::Duration lifetime_;
  absl::Mutex redeem_mutex_;  // from the look at a link to the write that uses it up
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_LINKS_H_

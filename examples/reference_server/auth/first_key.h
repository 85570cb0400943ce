// SPDX-License-Identifier: Apache-2.0
//
// The key that all others are made with.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_FIRST_KEY_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_FIRST_KEY_H_

#include <string>

#include "absl/status/statusor.h"
#include "examples/reference_server/auth/credentials.h"

namespace northwind::server {

// Makes a key with every scope, named "first", and writes it with a newline to `file`, which is made with mode 0600. Unless a key is
// good that may make others: then nothing happens, and it answers false; so it may be called at every start. AlreadyExists if there
// is such a file, PermissionDenied or Unavailable if it cannot be written; the key is revoked then.
absl::StatusOr<bool> MakeFirstKey(Credentials& credentials, const std::string& file, absl::Time now);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_AUTH_FIRST_KEY_H_

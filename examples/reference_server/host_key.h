// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HOST_KEY_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HOST_KEY_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/webhook.h"

namespace northwind::server {

// The key that seals the secrets of endpoints, in a file of 32 bytes; made of random ones, mode 0600, if there is none. FailedPrecondition for a
// file that others may read, or of another length. Whoever loses it can rotate the secrets, and read none.
absl::StatusOr<WebhookHostKey> LoadHostKey(const std::string& path);

// A new file, mode 0600, whole and on disk or not there at all. AlreadyExists if there is one.
absl::Status WriteSecretFile(const std::string& path, std::string_view bytes);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HOST_KEY_H_

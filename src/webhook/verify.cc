// SPDX-License-Identifier: Apache-2.0
//
// The receiver's side, in the texts that a receiver has.
#include <vector>

#include "northwind/status.h"
#include "northwind/webhook.h"
#include "src/base/error.h"
#include "src/webhook/signature.h"
#include "src/webhook/signing_key.h"

namespace northwind {

absl::Status VerifyWebhook(absl::Span<const std::string> keys, const WebhookHeaders& headers, std::string_view body,
                           absl::Time now, absl::Duration tolerance) {
  if (keys.empty() || keys.size() > internal::kMaxSigningKeys) {
    return internal::Error(absl::StatusCode::kInvalidArgument, "keys: must be 1 to ", internal::kMaxSigningKeys,
                           ", not ", keys.size());
  }
  std::vector<internal::VerificationKey> parsed;
  for (size_t i = 0; i < keys.size(); ++i) {
    absl::StatusOr<internal::VerificationKey> key = internal::VerificationKey::Parse(keys[i]);
    if (!key.ok()) return internal::Error(key.status().code(), "keys[", i, "]: ", key.status().message());
    parsed.push_back(*std::move(key));
  }
  return internal::VerifyMessage(
      parsed, {.id = headers.id, .timestamp = headers.timestamp, .signature = headers.signature}, body, now, tolerance);
}

}  // namespace northwind

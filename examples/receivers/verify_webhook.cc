// SPDX-License-Identifier: Apache-2.0
//
// Until src/webhook/ has it.
#include "northwind/status.h"
#include "northwind/webhook.h"
#include "src/webhook/signature.h"

namespace northwind {

absl::Status VerifyWebhook(absl::Span<const std::string> keys, const WebhookHeaders& headers, std::string_view body,
                           absl::Time now, absl::Duration tolerance) {
  std::vector<internal::VerificationKey> parsed;
  for (const std::string& key : keys) {
    NW_ASSIGN_OR_RETURN(internal::VerificationKey one, internal::VerificationKey::Parse(key));
    parsed.push_back(std::move(one));
  }
  return internal::VerifyMessage(parsed, {headers.id, headers.timestamp, headers.signature}, body, now, tolerance);
}

}  // namespace northwind

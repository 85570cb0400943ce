// SPDX-License-Identifier: Apache-2.0
//
// How an endpoint is told: check and bytes of a WebhookPolicy.
#ifndef NORTHWIND_SRC_WEBHOOK_WEBHOOK_POLICY_H_
#define NORTHWIND_SRC_WEBHOOK_WEBHOOK_POLICY_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/webhook.h"

namespace northwind::internal {

inline constexpr size_t kMaxEndpointPolicyBytes = 1024;

// OK, or InvalidArgument that begins with the field at fault ("policy.timeout: …"). A retry policy must end: by delays, attempts or
// age; and no delay of it may be longer than kMaxWebhookDelay.
absl::Status CheckWebhookPolicy(const WebhookPolicy& policy);

// The policy as its bytes hold it: timeout cut to the millisecond, rate and multiplier rounded to the thousandth, what its kind of
// retry policy does not use as in one made anew. Errors as of CheckWebhookPolicy.
absl::StatusOr<WebhookPolicy> KeptWebhookPolicy(const WebhookPolicy& policy);

// policy = u8(1) retry varint(timeout, ms) varint(max concurrent) varint(rate × 1000; 0: none) varint(burst)
// retry as the scheduler's policies (src/scheduler/policy.h). At most kMaxEndpointPolicyBytes. Equal policies, equal bytes.
// Of checked ones only.
std::string EncodeWebhookPolicy(const WebhookPolicy& policy);
// DataLoss for anything that EncodeWebhookPolicy would not have written.
absl::StatusOr<WebhookPolicy> DecodeWebhookPolicy(std::string_view bytes);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_WEBHOOK_POLICY_H_

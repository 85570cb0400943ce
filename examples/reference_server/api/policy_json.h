// SPDX-License-Identifier: Apache-2.0
//
// Webhook policies as JSON:
//
//   {"retry":{"delays_seconds":[0,5,300]},"timeout_seconds":15,"max_concurrent":8,"max_per_second":0,"burst":10}
//   {"retry":{"initial_seconds":1,"multiplier":2,"cap_seconds":3600,"max_attempts":12,"max_age_seconds":null,"jitter":"full"},…}
//
// What is left out is as in a WebhookPolicy made anew. A retry by delays may have max_attempts, max_age_seconds and jitter too.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_POLICY_JSON_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_POLICY_JSON_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "examples/reference_server/api/json.h"
#include "northwind/webhook.h"

namespace northwind::server {

// Attempts that a preview tells of, of policies that have more.
inline constexpr size_t kMaxPlannedAttempts = 1000;

// Null for nothing. ReadPolicy reads back exactly what was written: durations to the nanosecond, up to 52 days (whole seconds beyond).
Json PolicyJson(const std::optional<WebhookPolicy>& policy);
// InvalidArgument begins with the field: "policy.retry.delays_seconds[2]: …". Shape and kinds of numbers only: bounds are the library's.
absl::StatusOr<std::optional<WebhookPolicy>> ReadPolicy(const Json& value);
// The same of a whole body.
absl::StatusOr<std::optional<WebhookPolicy>> ParsePolicy(std::string_view body);

// {"attempts_at_seconds":[…],"gives_up_after_seconds":n}; null instead of n if there are more than kMaxPlannedAttempts.
absl::StatusOr<Json> PlanJson(const WebhookPolicy& policy);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_POLICY_JSON_H_

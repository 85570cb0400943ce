// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/webhook_policy.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/strings/strip.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/scheduler/policy.h"

namespace northwind {

absl::StatusOr<std::vector<absl::Duration>> PlanWebhookAttempts(const WebhookPolicy& policy, size_t limit) {
  NW_ASSIGN_OR_RETURN(WebhookPolicy kept, internal::KeptWebhookPolicy(policy));
  kept.retry.jitter = Jitter::kNone;
  const internal::Backoff backoff(kept.retry);
  std::vector<absl::Duration> plan;
  internal::Backoff::Next next = backoff.First(0, 0);
  while (plan.size() < limit && next.verdict == internal::Backoff::Verdict::kAgain) {
    plan.push_back(absl::Nanoseconds(next.due));
    next = backoff.After(static_cast<uint32_t>(plan.size()), 0, next.due, 0, next.delay, 0);
  }
  return plan;
}

namespace internal {
namespace {

constexpr uint8_t kVersion = 1;
constexpr double kMinRate = 0.01;

template <typename... Parts>
absl::Status Bad(const Parts&... parts) {
  return Error(absl::StatusCode::kInvalidArgument, "policy.", parts...);
}

absl::Status CheckRetry(const RetryPolicy& retry) {
  const absl::Status status = CheckPolicy(retry);
  if (!status.ok()) return Bad("retry: ", absl::StripPrefix(status.message(), "retry policy: "));
  const bool endless = retry.delays.empty() && retry.max_attempts == 0 && retry.max_age == absl::InfiniteDuration();
  if (endless) return Bad("retry: must end, by delays, max_attempts or max_age");
  const absl::Duration longest =
      retry.delays.empty() ? retry.cap : *std::max_element(retry.delays.begin(), retry.delays.end());
  if (longest > kMaxWebhookDelay)
    return Bad("retry: a delay may be ", absl::FormatDuration(kMaxWebhookDelay), " at most");
  return absl::OkStatus();
}

uint64_t Thousandths(double rate) { return static_cast<uint64_t>(std::llround(rate * 1000)); }

bool GetPolicy(ByteReader& in, WebhookPolicy& policy) {
  uint8_t version;
  uint64_t timeout, rate;
  if (!in.GetByte(version) || version != kVersion || !DecodePolicy(in, policy.retry) || !in.GetVarint64(timeout) ||
      !in.GetVarint(policy.max_concurrent) || !in.GetVarint64(rate) || !in.GetVarint(policy.burst) || !in.AtEnd()) {
    return false;
  }
  // Beyond the bounds anyway, and what is below them can be neither rounded nor made to overflow.
  if (timeout > 1'000'000'000 || rate > 1'000'000'000) return false;
  policy.timeout = absl::Milliseconds(timeout);
  policy.max_per_second = static_cast<double>(rate) / 1000;
  return CheckWebhookPolicy(policy).ok();
}

}  // namespace

absl::Status CheckWebhookPolicy(const WebhookPolicy& policy) {
  NW_RETURN_IF_ERROR(CheckRetry(policy.retry));
  if (policy.timeout < kMinWebhookTimeout || policy.timeout > kMaxWebhookTimeout) {
    return Bad("timeout: must be ", absl::FormatDuration(kMinWebhookTimeout), " to ",
               absl::FormatDuration(kMaxWebhookTimeout));
  }
  if (policy.max_concurrent < 1 || policy.max_concurrent > kMaxWebhookConcurrency) {
    return Bad("max_concurrent: must be 1 to ", kMaxWebhookConcurrency);
  }
  const double rate = policy.max_per_second;
  if (rate != 0 && !(rate >= kMinRate && rate <= kMaxWebhookRate)) {
    return Bad("max_per_second: must be ", kMinRate, " to ", kMaxWebhookRate, ", or 0 for no limit");
  }
  if (policy.burst < 1 || policy.burst > kMaxWebhookBurst) return Bad("burst: must be 1 to ", kMaxWebhookBurst);
  return absl::OkStatus();
}

absl::StatusOr<WebhookPolicy> KeptWebhookPolicy(const WebhookPolicy& policy) {
  NW_RETURN_IF_ERROR(CheckWebhookPolicy(policy));
  return DecodeWebhookPolicy(EncodeWebhookPolicy(policy));
}

std::string EncodeWebhookPolicy(const WebhookPolicy& policy) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  EncodePolicy(policy.retry, out);
  PutVarint64(out, static_cast<uint64_t>(absl::ToInt64Milliseconds(policy.timeout)));
  PutVarint64(out, policy.max_concurrent);
  PutVarint64(out, Thousandths(policy.max_per_second));
  PutVarint64(out, policy.burst);
  return out;
}

absl::StatusOr<WebhookPolicy> DecodeWebhookPolicy(std::string_view bytes) {
  ByteReader in(bytes);
  WebhookPolicy policy;
  if (GetPolicy(in, policy)) return policy;
  return Error(absl::StatusCode::kDataLoss, "webhook policy damaged");
}

}  // namespace internal
}  // namespace northwind

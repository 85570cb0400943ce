// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/verdict.h"

#include <optional>
#include <string_view>

#include "src/http/retry_after.h"

namespace northwind::internal {
namespace {

constexpr bool Same(AttemptFailure ours, http::Failure theirs) {
  return static_cast<int>(ours) == static_cast<int>(theirs);
}
static_assert(Same(AttemptFailure::kNone, http::Failure::kNone) &&
              Same(AttemptFailure::kInvalidUrl, http::Failure::kInvalidUrl) &&
              Same(AttemptFailure::kInvalidRequest, http::Failure::kInvalidRequest) &&
              Same(AttemptFailure::kDns, http::Failure::kDns) &&
              Same(AttemptFailure::kBlockedAddress, http::Failure::kBlockedAddress) &&
              Same(AttemptFailure::kBlockedPort, http::Failure::kBlockedPort) &&
              Same(AttemptFailure::kConnect, http::Failure::kConnect) &&
              Same(AttemptFailure::kTls, http::Failure::kTls) &&
              Same(AttemptFailure::kTimeout, http::Failure::kTimeout) &&
              Same(AttemptFailure::kSend, http::Failure::kSend) &&
              Same(AttemptFailure::kReceive, http::Failure::kReceive) &&
              Same(AttemptFailure::kHeadersTooLarge, http::Failure::kHeadersTooLarge) &&
              Same(AttemptFailure::kAborted, http::Failure::kAborted) &&
              Same(AttemptFailure::kInternal, http::Failure::kInternal));

// InfinitePast if it does not say, or says something that is no time.
absl::Time RetryAt(const http::Result& result, absl::Time now) {
  const std::optional<std::string_view> value = result.FindHeader("retry-after");
  const std::optional<absl::Duration> wait = value ? http::ParseRetryAfter(*value, now) : std::nullopt;
  return wait ? now + *wait : absl::InfinitePast();
}

AttemptFailure FailureOf(int status, bool says_when) {
  if (status >= 200 && status <= 299) return AttemptFailure::kNone;
  if (status == 410) return AttemptFailure::kGone;
  if (status == 429 || (status == 503 && says_when)) return AttemptFailure::kThrottled;
  if (status >= 300 && status <= 399) return AttemptFailure::kRedirect;
  return AttemptFailure::kStatus;
}

std::string_view Meaning(AttemptFailure failure) {
  switch (failure) {
    case AttemptFailure::kGone:
      return ": the endpoint is gone";
    case AttemptFailure::kThrottled:
      return ": the endpoint asks to be called less";
    case AttemptFailure::kRedirect:
      return ": redirects are not followed";
    default:
      return "";
  }
}

}  // namespace

AttemptVerdict Judge(const http::Result& result, absl::Time now) {
  if (!result.ok()) return {.failure = static_cast<AttemptFailure>(result.failure), .message = result.message};
  AttemptVerdict verdict;
  const absl::Time retry_at = RetryAt(result, now);
  verdict.failure = FailureOf(result.status, retry_at != absl::InfinitePast());
  if (verdict.failure == AttemptFailure::kNone) return verdict;
  verdict.retry_at = retry_at;
  verdict.message = std::string("answered ").append(std::to_string(result.status)).append(Meaning(verdict.failure));
  return verdict;
}

}  // namespace northwind::internal

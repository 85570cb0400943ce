// SPDX-License-Identifier: Apache-2.0
//
// What an answer means.
#ifndef NORTHWIND_SRC_WEBHOOK_VERDICT_H_
#define NORTHWIND_SRC_WEBHOOK_VERDICT_H_

#include <string>

#include "absl/time/time.h"
#include "northwind/webhook.h"
#include "src/http/result.h"

namespace northwind::internal {

struct AttemptVerdict {
  AttemptFailure failure = AttemptFailure::kNone;
  // Of a failure: in words that the merchant may see. Names no address, and nothing that the answer's body holds.
  std::string message;
  // Retry-After, of 429, 503 and whatever else fails with one: not before this. InfinitePast: it did not say.
  absl::Time retry_at = absl::InfinitePast();
};

// Pure. `now`: when the answer came.
//   2xx                                → kNone
//   410                                → kGone
//   429; 503 with a good Retry-After   → kThrottled
//   3xx                                → kRedirect
//   any other status                   → kStatus
//   no whole answer                    → as the client says. A status that came before the answer broke off is no answer.
AttemptVerdict Judge(const http::Result& result, absl::Time now);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_VERDICT_H_

// SPDX-License-Identifier: Apache-2.0
//
// What an answer that is no success means, as a status and as what is to be done.
#ifndef NORTHWIND_SRC_SQS_ANSWER_ERROR_H_
#define NORTHWIND_SRC_SQS_ANSWER_ERROR_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "src/http/result.h"

namespace northwind::internal::sqs {

enum class Remedy : uint8_t {
  kNone = 1,       // trying again would not help
  kRetry = 2,      // it may pass
  kSlowDown = 3,   // it may pass, if we ask less often
  kOtherKeys = 4,  // the keys are refused
};

struct AnswerError {
  absl::Status status;  // one of QueueClient's
  Remedy remedy = Remedy::kNone;
  // The service may have done what was asked, although we do not know its answer.
  bool answer_lost = false;
  // How long the service asks to wait.
  std::optional<absl::Duration> retry_after;
};

// Nothing for a whole answer with a status of 200 … 299. `operation` is for the message, such as "ReceiveMessage".
std::optional<AnswerError> ErrorOf(const http::Result& result, std::string_view operation, absl::Time now);

// Of one entry of a batch. `sender_fault`: the service says that it is not to blame.
absl::Status EntryError(std::string_view code, std::string_view message, bool sender_fault);

}  // namespace northwind::internal::sqs

#endif  // NORTHWIND_SRC_SQS_ANSWER_ERROR_H_

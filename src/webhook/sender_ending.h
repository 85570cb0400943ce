// SPDX-License-Identifier: Apache-2.0
//
// What the two halves of the sender share: sender.cc begins attempts, sender_finish.cc ends them.
#ifndef NORTHWIND_SRC_WEBHOOK_SENDER_ENDING_H_
#define NORTHWIND_SRC_WEBHOOK_SENDER_ENDING_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "src/webhook/delivery_batch.h"
#include "src/webhook/sender.h"

namespace northwind::internal {

// How long threads wait before they look whether to stop; and before what had no room is tried again.
inline constexpr absl::Duration kSenderWait = absl::Milliseconds(200);
inline constexpr absl::Duration kSenderRoomAgain = absl::Milliseconds(100);

struct Sender::Ending {
  // Beside each end, what follows from it.
  struct Sequel {
    Attempt* attempt = nullptr;
    AttemptFailure failure = AttemptFailure::kNone;
    bool answered = false;
    bool rescued = false;  // a re-send delivered what was not
    absl::Duration failing_for = absl::ZeroDuration();
    std::string message;
  };
  std::vector<Finish> finishes;
  std::vector<Sequel> sequels;
  // As they stand with all of these ends.
  absl::flat_hash_map<std::string, WebhookDelivery> deliveries;
};

// Of an attempt that nobody saw the end of.
inline WebhookAttempt UnknownReceipt() {
  return {.failure = AttemptFailure::kUnknown,
          .message = "the sender ended, or lost its lease, during the attempt before: it may have arrived"};
}

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_SENDER_ENDING_H_

// SPDX-License-Identifier: Apache-2.0
//
// Events of many requests, applied together: one sync of the disk for all that wait, which is what makes thousands of small requests a
// second possible.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_EVENT_BATCHER_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_EVENT_BATCHER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/settlement.h"

namespace northwind::server {

struct EventBatcherOptions {
  size_t max_events = 8192;      // in one call of the intake
  size_t max_waiting = 100'000;  // events that wait; more are ResourceExhausted at once
  size_t max_waiting_bytes = 64 << 20;
};

// Two threads: one applies, the other tells the outcomes of large batches meanwhile. No linger: what has come while the last batch was applied
// is the next one.
class EventBatcher {
 public:
  explicit EventBatcher(Intake& intake, const EventBatcherOptions& options = {});
  ~EventBatcher();  // Stop()

  // One outcome per event, in the order given, once all are durable; or the error of the whole call, after which the same events may be sent again.
  using Done = std::function<void(absl::StatusOr<std::vector<EventOutcome>>)>;
  // `events` are JSON. `done` is called once, on a thread of the batcher's, and must not wait for anything; not if an error is returned.
  absl::Status Apply(std::vector<std::string> events, Done done);
  // Applies what waits, then ends: Apply answers Unavailable from now on. Idempotent.
  void Stop();
  size_t waiting() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_EVENT_BATCHER_H_

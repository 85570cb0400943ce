// SPDX-License-Identifier: Apache-2.0
//
// Deletes messages that were kept long enough, with all that belongs to them.
//
//   std::string next;
//   do {
//     NW_ASSIGN_OR_RETURN(SweepResult swept, retention.Sweep(clock.Now() - keep_for, 1000, next));
//     next = swept.next;
//   } while (!next.empty());
#ifndef NORTHWIND_SRC_WEBHOOK_RETENTION_H_
#define NORTHWIND_SRC_WEBHOOK_RETENTION_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/scheduler.h"
#include "northwind/webhook.h"
#include "src/store/engine.h"

namespace northwind::internal {

inline constexpr size_t kMaxSweep = 10'000;

struct SweepResult {
  // Deleted:
  uint64_t messages = 0;
  uint64_t deliveries = 0;
  uint64_t attempts = 0;
  // Messages that are old enough, and have a delivery that is not final.
  uint64_t kept = 0;
  // Where to go on; empty at the end.
  std::string next;
};

// Of one step.
struct RetentionBounds {
  size_t messages = 256;    // that are looked at before those to be deleted are
  size_t deletions = 2000;  // in a write, and what the deliveries of one message exceed it by
};

// A message goes if it was made before a time and all its deliveries are final: delivered, canceled or dead, and no re-send is on its
// way. Then first every task of its deliveries is cancelled, dead letters too, so that nothing can redrive what is gone, and no
// attempt that still runs can write a receipt of it; then its attempts and their lines go; last, in one write, its deliveries and
// the message itself. So a message that is there has all its deliveries, and what a crash leaves half deleted is found by
// its message and deleted by the next sweep.
//
// What the caller must see to, since an old message may become news again:
//  - No message younger than `before` is touched: let that lie at least an hour back (WebhookOptions::keep_for does), so that what
//    is made now never meets a sweep.
//  - Whoever gives an old message a delivery or a task (recovery, re-send, redrive), from reading the message until the write, is held off
//    during a call of Sweep, and the other way round: one mutex for both. Attempts that end need none.
//  - One Sweep at a time.
//
// A sweep costs the store what it deletes: reads of each key, and synced writes of some thousand deletions. Between two merchants it
// seeks; within one it passes once over what was deleted lately.
class Retention {
 public:
  // Both must outlive it.
  Retention(Engine& engine, Scheduler& scheduler, const RetentionBounds& bounds = {})
      : engine_(engine), scheduler_(scheduler), bounds_(bounds) {}

  // Looks at `limit` messages and merchants (1 … kMaxSweep), from `after`, which is the `next` of the call before, or empty to begin.
  // Errors: InvalidArgument; DataLoss for a damaged record, whose message and all behind it stay; those of Scheduler::Cancel and
  // Engine::Write. What was deleted before an error stays so: call it again.
  absl::StatusOr<SweepResult> Sweep(absl::Time before, size_t limit, std::string_view after = {});

 private:
  struct Doomed;
  struct Deletions;
  absl::StatusOr<bool> IsFinished(Cursor& cursor, Doomed& message) const;
  absl::Status Delete(std::vector<Doomed>& messages, SweepResult& result);
  absl::Status CancelTasks(const std::vector<Doomed>& messages);
  absl::Status DeleteAttempts(const Doomed& message, Deletions& deletions, SweepResult& result);

  Engine& engine_;
  Scheduler& scheduler_;
  const RetentionBounds bounds_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_RETENTION_H_

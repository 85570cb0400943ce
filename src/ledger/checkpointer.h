// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_LEDGER_CHECKPOINTER_H_
#define NORTHWIND_SRC_LEDGER_CHECKPOINTER_H_

#include <cstdint>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "src/ledger/history.h"
#include "src/ledger/index.h"
#include "src/ledger/view.h"
#include "src/store/engine.h"

namespace northwind::internal {

// Writes the indexes to disk in the background: what Index and History have set aside, and the state that goes with it,
// becomes sorted files, and these become visible in one atomic step with the watermark. After a crash at any point
// the last whole checkpoint stands, and the journal after it is replayed.
class Checkpointer {
 public:
  Checkpointer(Engine& engine, Index& index, History& history, uint64_t checkpointed);
  // Waits for the checkpoint under way.
  ~Checkpointer();

  // Sets aside what index and history hold in memory and begins to write it. None may be under way, everything applied must be
  // published, and nothing may be applied or published meanwhile. O(accounts and holds changed since the last).
  void Start(View& view) ABSL_LOCKS_EXCLUDED(mutex_);
  bool idle() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until none is under way. ResourceExhausted if the disk is too full for the one under way, which is tried again
  // now and then, and at once by this call, until there is room; any other error has stopped all checkpoints.
  absl::Status WaitIdle() ABSL_LOCKS_EXCLUDED(mutex_);
  // Sequence up to which disk holds the indexes.
  uint64_t checkpointed() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Write(const CheckpointPlan& plan);

  Engine& engine_;
  Index& index_;
  History& history_;
  mutable absl::Mutex mutex_;
  std::optional<CheckpointPlan> plan_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;   // to try again without waiting
  absl::Status status_ ABSL_GUARDED_BY(mutex_);  // of the last try
  uint64_t checkpointed_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_CHECKPOINTER_H_

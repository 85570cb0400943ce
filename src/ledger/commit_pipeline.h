// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_LEDGER_COMMIT_PIPELINE_H_
#define NORTHWIND_SRC_LEDGER_COMMIT_PIPELINE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "northwind/ledger.h"
#include "src/ledger/applier.h"
#include "src/ledger/checkpointer.h"
#include "src/ledger/reader.h"
#include "src/store/engine.h"

namespace northwind::internal {

// One call that changes the ledger, waiting for its turn, and its answer.
struct CommitRequest {
  enum class Kind : uint8_t { kTransactions, kOpenAccounts, kChangeAccount, kExpire, kFreezeIndexes };
  Kind kind = Kind::kTransactions;

  absl::Span<const Transaction> batch;
  std::vector<Transaction> owned;  // behind `batch`, if nobody waits
  CommitOptions options;
  absl::Span<const AccountSpec> specs;
  AccountChange change;

  absl::Status status;
  std::vector<CommitResult> results;
  std::vector<AccountId> ids;
  size_t expired = 0;

  // If set, nobody waits: the pipeline owns the request and calls this at the end.
  CommitCallback callback;

  // For the pipeline.
  size_t transactions = 0;
  size_t bytes = 0;
  bool taken = false;
  bool leading = false;  // its thread leads, for now perhaps for others
  bool done = false;
  absl::CondVar wake;
};

// Group commit. Threads with a request take turns at leading: a leader drains the queue, applies it in order to memory
// (the apply stage), and when the write stage is free takes its block there: write, sync, publish, answer. While it
// does, the next leader applies; while that waits for the write stage, it keeps adding what arrives to its block. So blocks
// grow with the load and nothing ever lingers. Requests without a waiting thread are led by threads of the pipeline's own.
//
//   apply stage   one leader at a time: `applying_`; owns the Applier
//   write stage   one leader at a time, in the order of the apply stage: `writing_`; owns engine writes and View::Publish
class CommitPipeline {
 public:
  struct Parts {
    Engine& engine;
    Applier& applier;
    View& view;
    JournalStore& journal;
    const Reader& reader;
    Checkpointer& checkpointer;
    Clock& clock;
  };

  CommitPipeline(const Parts& parts, const LedgerOptions& options);
  ~CommitPipeline();

  // Runs a request and waits for its answer, in `request.status` and the rest.
  void Run(CommitRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs a request that has a callback. An error means that the callback will not be called.
  absl::Status Start(std::unique_ptr<CommitRequest> request) ABSL_LOCKS_EXCLUDED(mutex_);
  // Refuses new requests, finishes the rest, stops the threads. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // OK, or why commits are refused.
  absl::Status poison() const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t queued_transactions() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes what the indexes hold in memory to disk. Only after Stop.
  absl::Status FinalCheckpoint() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Group = std::vector<CommitRequest*>;

  absl::Status Admit(CommitRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Enqueue(CommitRequest* request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Wakes somebody to lead, if there is need.
  void CallLeader() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WorkerLoop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes one block from queue to answers. Releases the mutex in between.
  void Lead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Fits(const CommitRequest& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Moves requests from the queue to the group while they fit its block; those moved.
  Group Take(Group& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Applies what is queued until the write stage is free or the block is full. `begun`: the applier has a block under way.
  absl::Status FillBlock(Group& group, bool& begun) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitForWriteStage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CheckpointIsDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status StartCheckpoint() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Status ApplyRequest(CommitRequest& request);
  absl::Status WriteBlock(SealedBlock& sealed);
  void Answer(const Group& group, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void Finish(CommitRequest& request, const absl::Status& status) const;
  void AddDuplicateBalances(CommitRequest& request) const;
  void Poison(const absl::Status& cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Parts parts_;
  const size_t max_queued_transactions_;
  const size_t max_queued_bytes_;
  const uint64_t checkpoint_interval_;

  mutable absl::Mutex mutex_;
  std::deque<CommitRequest*> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_transactions_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool applying_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  int leaders_ ABSL_GUARDED_BY(mutex_) = 0;  // threads inside Lead
  // What the block begun can still take.
  size_t room_transactions_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t room_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status poison_ ABSL_GUARDED_BY(mutex_);
  uint64_t frozen_ ABSL_GUARDED_BY(mutex_) = 0;  // sequence up to which indexes were set aside
  absl::CondVar stage_changed_;                  // writing_ or leaders_ fell, or the queue grew while a leader waits
  absl::CondVar work_;                           // for the pipeline's own threads
  std::vector<std::thread> workers_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_COMMIT_PIPELINE_H_

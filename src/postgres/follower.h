// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_FOLLOWER_H_
#define NORTHWIND_SRC_POSTGRES_FOLLOWER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "northwind/postgres.h"
#include "src/postgres/batch_size.h"
#include "src/postgres/connection.h"
#include "src/postgres/projection.h"
#include "src/postgres/record_batches.h"
#include "src/postgres/stop_signal.h"
#include "src/postgres/watermark.h"
#include "src/postgres/writer.h"

namespace northwind::internal::postgres {

// The thread that keeps a database in step with the journal. A session is one connection: it takes the database over, reads where the
// watermark is, and follows from there until something fails. Nothing outlives it but figures: what became of a batch whose answer was
// lost is what the next session finds. Thread-safe.
class Follower {
 public:
  Follower(Ledger& ledger, const MirrorOptions& options) : ledger_(ledger), options_(options), size_(options.batch) {}
  ~Follower() { Stop(); }
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // As those of Mirror.
  absl::Status Start() ABSL_LOCKS_EXCLUDED(control_, mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(control_, mutex_);
  absl::Status WaitFor(Sequence sequence, absl::Duration timeout) const ABSL_LOCKS_EXCLUDED(mutex_);
  MirrorStats Stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run();
  // Ends with an error only.
  absl::Status Session();
  absl::Status Follow(Connection& connection, Writer& writer, const Watermark& watermark);
  // The next rows to write; waits for records if `wait`, else there may be none.
  absl::StatusOr<std::optional<Batch>> NextBatch(RecordBatches& journal, Projection& projection, Connection& connection,
                                                 bool wait);
  void Committed(const Batch& batch, bool copied);
  // Waits before the next try; false if it is stopped.
  bool Rest(absl::Duration bound);

  Ledger& ledger_;
  const MirrorOptions options_;
  StopSignal stop_;
  BatchSize size_;  // the thread's own, while there is one

  absl::Mutex control_;  // held by Start and Stop
  std::thread thread_ ABSL_GUARDED_BY(control_);

  mutable absl::Mutex mutex_;
  MirrorStats stats_ ABSL_GUARDED_BY(mutex_);  // state, status and what is counted
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_FOLLOWER_H_

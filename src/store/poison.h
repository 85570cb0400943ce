// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_STORE_POISON_H_
#define NORTHWIND_SRC_STORE_POISON_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/env.h"
#include "rocksdb/listener.h"

namespace northwind::internal {

// Why the engine refuses writes, if it does. Once set it stays. Thread-safe.
class Poison {
 public:
  bool is_set() const { return set_.load(std::memory_order_acquire); }
  // Only the first cause is kept.
  void Set(const absl::Status& cause);
  // OK, or the first cause as it was.
  absl::Status cause() const;
  // OK, or FailedPrecondition naming the first cause.
  absl::Status status() const;

 private:
  std::atomic<bool> set_{false};
  mutable absl::Mutex mutex_;
  absl::Status cause_ ABSL_GUARDED_BY(mutex_);
};

// Poisons at any error that RocksDB meets on its own threads, and lets it resume nothing.
std::shared_ptr<rocksdb::EventListener> PoisonOnBackgroundError(std::shared_ptr<Poison> poison);

// An environment that poisons at the first change of a file below `directory` that fails, and from then on deletes
// nothing there, though it says so. RocksDB deletes what it takes to be in vain: after a failed sync of its manifest the tables
// just ingested, after a failed change of CURRENT the manifest just written. But what failed may be on the disk all
// the same, and then the store names files that are gone, and never opens again. Left alone they do no harm: the next open
// removes what nothing names. `base` must outlive the environment.
std::unique_ptr<rocksdb::Env> GuardedEnv(rocksdb::Env& base, const std::string& directory,
                                         std::shared_ptr<Poison> poison);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_POISON_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_LEDGER_JOURNAL_STORE_H_
#define NORTHWIND_SRC_LEDGER_JOURNAL_STORE_H_

#include <cstdint>
#include <list>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "src/ledger/block.h"
#include "src/store/engine.h"

namespace northwind::internal {

// The blocks of the journal: recent and recently read ones from memory, the rest from disk. Thread-safe.
class JournalStore {
 public:
  // `capacity` bounds the memory of cached blocks in bytes.
  JournalStore(Engine& engine, uint64_t capacity) : engine_(engine), capacity_(capacity) {}

  // Keeps a block that is sealed but perhaps not yet durable: it stays until MarkDurable has passed it.
  void Add(std::shared_ptr<const Block> block) ABSL_LOCKS_EXCLUDED(mutex_);
  void MarkDurable(uint64_t last_sequence) ABSL_LOCKS_EXCLUDED(mutex_);

  // The block that holds `sequence`. DataLoss if the journal has none, or a damaged one.
  absl::StatusOr<std::shared_ptr<const Block>> Find(uint64_t sequence) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Cached {
    std::shared_ptr<const Block> block;
    std::list<uint64_t>::iterator place;
  };

  void Insert(std::shared_ptr<const Block> block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Engine& engine_;
  const uint64_t capacity_;
  absl::Mutex mutex_;
  absl::btree_map<uint64_t, Cached> blocks_ ABSL_GUARDED_BY(mutex_);  // by first sequence
  std::list<uint64_t> recency_ ABSL_GUARDED_BY(mutex_);               // first sequences, latest use first
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t durable_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_JOURNAL_STORE_H_

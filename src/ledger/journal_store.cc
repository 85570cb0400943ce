// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/journal_store.h"

#include <string>
#include <utility>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"

namespace northwind::internal {

void JournalStore::Add(std::shared_ptr<const Block> block) {
  absl::MutexLock lock(&mutex_);
  Insert(std::move(block));
}

void JournalStore::MarkDurable(uint64_t last_sequence) {
  absl::MutexLock lock(&mutex_);
  durable_ = last_sequence;
}

absl::StatusOr<std::shared_ptr<const Block>> JournalStore::Find(uint64_t sequence) {
  {
    absl::MutexLock lock(&mutex_);
    auto after = blocks_.upper_bound(sequence);
    if (after != blocks_.begin()) {
      Cached& cached = std::prev(after)->second;
      if (sequence <= cached.block->header().last()) {
        recency_.splice(recency_.begin(), recency_, cached.place);
        return cached.block;
      }
    }
  }
  std::string key;
  PutBigEndian64(key, sequence);
  Cursor cursor = engine_.NewCursor(Space::kJournal);
  cursor.SeekForPrev(key);
  NW_RETURN_IF_ERROR(cursor.status());
  if (!cursor.Valid()) return Error(absl::StatusCode::kDataLoss, "journal: no block holds sequence ", sequence);
  absl::StatusOr<std::shared_ptr<const Block>> block = Block::Parse(cursor.value());
  if (!block.ok()) {
    return Error(absl::StatusCode::kDataLoss, "journal: sequence ", sequence, ": ", block.status().message());
  }
  const BlockHeader& header = (*block)->header();
  if (cursor.key().size() != 8 || LoadBigEndian64(cursor.key().data()) != header.first || sequence < header.first ||
      sequence > header.last()) {
    return Error(absl::StatusCode::kDataLoss, "journal: no block holds sequence ", sequence);
  }
  absl::MutexLock lock(&mutex_);
  if (!blocks_.contains(header.first)) Insert(*block);
  return *std::move(block);
}

void JournalStore::Insert(std::shared_ptr<const Block> block) {
  const uint64_t first = block->header().first;
  bytes_ += block->MemoryBytes();
  recency_.push_front(first);
  blocks_[first] = Cached{std::move(block), recency_.begin()};
  while (bytes_ > capacity_ && recency_.size() > 1) {
    auto oldest = blocks_.find(recency_.back());
    // A block that is not on disk yet can be read from nowhere else. There are at most a few.
    if (oldest->second.block->header().last() > durable_) break;
    bytes_ -= oldest->second.block->MemoryBytes();
    blocks_.erase(oldest);
    recency_.pop_back();
  }
}

}  // namespace northwind::internal

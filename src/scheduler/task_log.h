// SPDX-License-Identifier: Apache-2.0
//
// The scheduler's part of the store, in the space `tasks`:
//
//   "b" be64(block)                 → block (task_op.h); numbered densely from 1
//   "f"                             → be64(the first block that is still there)
//   "q" queue                       → u8(paused) varint(max per key) u8(order)
//   "k" u8(length of queue) queue key → u8(paused) varint(max leased)
//
// Blocks are only ever added at the end and deleted at the beginning, and whoever reads begins at "f": no deleted key is
// ever walked over.
#ifndef NORTHWIND_SRC_SCHEDULER_TASK_LOG_H_
#define NORTHWIND_SRC_SCHEDULER_TASK_LOG_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/scheduler.h"
#include "src/store/engine.h"

namespace northwind::internal {

// Not thread-safe.
class TaskLog {
 public:
  TaskLog(Engine& engine, uint64_t cache_bytes) : engine_(engine), cache_bytes_(cache_bytes) {}

  using Visitor = absl::FunctionRef<absl::Status(uint64_t number, std::string_view block)>;
  // Reads all blocks in order. DataLoss if one is missing.
  absl::Status Load(Visitor visit);
  // And what queues and keys are set to.
  absl::Status LoadSettings(
      absl::FunctionRef<absl::Status(std::string_view queue, const QueueConfig&)> queue,
      absl::FunctionRef<absl::Status(std::string_view queue, std::string_view key, const KeyConfig&)> key);

  // The number of the next block.
  uint64_t next() const { return next_; }
  // The first block that is there; next() if there is none.
  uint64_t first() const { return next_ - sizes_.size(); }
  uint64_t bytes() const { return bytes_; }
  uint64_t front_bytes() const { return sizes_.front(); }

  // Puts the next block, or the deletion of the first `count`, into a write set; Committed takes note of both once they are durable.
  void Append(std::string_view block, WriteSet& writes);
  void DropFront(uint64_t count, WriteSet& writes);
  void Committed();
  static void PutQueue(std::string_view queue, const QueueConfig& config, WriteSet& writes);
  static void PutKey(std::string_view queue, std::string_view key, const KeyConfig& config, WriteSet& writes);

  // A block that is durable.
  absl::StatusOr<std::shared_ptr<const std::string>> Read(uint64_t number);

 private:
  void Cache(uint64_t number, const std::shared_ptr<const std::string>& block);

  Engine& engine_;
  const uint64_t cache_bytes_;
  uint64_t next_ = 1;
  std::deque<uint32_t> sizes_;
  uint64_t bytes_ = 0;

  // Until Committed.
  std::shared_ptr<const std::string> appended_;
  uint64_t dropped_ = 0;

  // The blocks read or written last, in order of coming in: so many bytes, and one block at least.
  absl::flat_hash_map<uint64_t, std::shared_ptr<const std::string>> cache_;
  std::deque<uint64_t> cached_;
  uint64_t cached_bytes_ = 0;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SCHEDULER_TASK_LOG_H_

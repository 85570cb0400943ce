// SPDX-License-Identifier: Apache-2.0
//
// What the scheduler's log is made of. A log is a sequence of blocks, one per atomic write; a block is what happened to
// tasks, in order:
//
//   block    = u8(1) be64(XXH3-64 of the rest, seeded with the block's number) zigzag(line time, ns) varint(next task number) op …
//   op       = u8(1) task | u8(2) leased | u8(3) gone | u8(4) waits | u8(5) dead | u8(6) again
//   task     = varint(slot) varint(number) bytes(id) bytes(queue) bytes(key) bytes(payload) u8(priority) policy
//              zigzag(created) zigzag(due) zigzag(delay) varint(epoch) varint(attempts) u8(state) u8(flags) u8(cause)
//              zigzag(until) bytes(error)
//   leased   = ref varint(epoch) zigzag(until) u8(0 = an attempt begins, 1 = the lease is prolonged)
//   gone     = ref
//   waits    = ref zigzag(due) zigzag(delay) u8(1 = the attempt ended without a word) bytes(error)
//   dead     = ref u8(cause) zigzag(died at) u8(1 = likewise) bytes(error)
//   again    = ref zigzag(due) zigzag(delay)
//   ref      = varint(slot) varint(number)
//
// Times are Unix nanoseconds; created, due, until and died at are stored less the block's line time, so that most are small. A task op is
// the whole of a task: a new one, or one carried from an old block to the end of the log.
#ifndef NORTHWIND_SRC_SCHEDULER_TASK_OP_H_
#define NORTHWIND_SRC_SCHEDULER_TASK_OP_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "northwind/scheduler.h"
#include "src/base/coding.h"

namespace northwind::internal {

// Persisted; the values are pinned.
enum class TaskOpKind : uint8_t { kTask = 1, kLeased = 2, kGone = 3, kWaits = 4, kDead = 5, kAgain = 6 };
enum class StoredState : uint8_t { kWaiting = 1, kLeased = 2, kDead = 3 };

// One op, of any kind; the comment says which kinds use a field. Text points into the block.
struct TaskOp {
  TaskOpKind kind{};
  uint32_t slot = 0;
  uint64_t number = 0;
  std::string_view error;                     // task, waits, dead
  int64_t due = 0;                            // task, waits, again
  int64_t delay = 0;                          // task, waits, again
  int64_t until = 0;                          // task and leased: of the lease; task and dead: died at
  uint32_t epoch = 0;                         // task, leased
  bool prolongs = false;                      // leased
  bool unknown = false;                       // task, waits, dead: the last attempt ended without a word
  DeathCause cause{};                         // task, dead
  StoredState state = StoredState::kWaiting;  // task
  // Of a task alone:
  std::string_view id;
  std::string_view queue;
  std::string_view key;
  std::string_view payload;
  uint8_t priority = 0;
  std::string_view policy;  // encoded
  int64_t created = 0;
  uint32_t attempts = 0;
  // Where the op stands in its block.
  uint32_t offset = 0;
  uint32_t bytes = 0;
  uint32_t error_offset = 0;  // of bytes(error)
};

struct TaskBlockHeader {
  int64_t line = 0;
  uint64_t next_number = 0;
};

inline constexpr size_t kTaskBlockHeaderMax = 1 + 8 + 2 * kMaxVarint64;

// Collects the ops of a block. `offset`, `bytes` and `error_offset` of each op are filled in as it is added.
class TaskBlockWriter {
 public:
  void Begin(const TaskBlockHeader& header);
  void Add(TaskOp& op);
  bool empty() const { return ops_ == 0; }
  size_t size() const { return bytes_.size(); }
  // As far as it is, without its hash.
  const std::string& bytes() const { return bytes_; }
  // The whole block, as number so and so of the log. Valid until Begin.
  const std::string& Finish(uint64_t number);

 private:
  void PutTime(int64_t time);

  std::string bytes_;
  int64_t line_ = 0;
  size_t ops_ = 0;
};

// Reads a block, which may be damaged.
class TaskBlockReader {
 public:
  explicit TaskBlockReader(std::string_view block) : block_(block), in_(block) {}
  // Must be called first. False: this is no sound block, or not the one of that number.
  bool ReadHeader(uint64_t number, TaskBlockHeader& header);
  // False at the end, or if the block is malformed: see ok().
  bool Next(TaskOp& op);
  bool ok() const { return in_.ok(); }
  // The op at an offset that a writer gave out, of a block that has been read before.
  bool ReadAt(uint32_t offset, TaskOp& op);

 private:
  bool GetTime(int64_t& time);
  bool GetTask(TaskOp& op);

  const std::string_view block_;
  ByteReader in_;
  int64_t line_ = 0;
};

// bytes(error) at an offset.
bool ReadErrorAt(std::string_view block, uint32_t offset, std::string_view& error);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SCHEDULER_TASK_OP_H_

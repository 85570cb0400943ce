// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SCHEDULER_TASK_TABLE_H_
#define NORTHWIND_SRC_SCHEDULER_TASK_TABLE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "northwind/scheduler.h"
#include "src/scheduler/policy.h"
#include "src/scheduler/task_op.h"
#include "src/scheduler/timeline.h"

namespace northwind::internal {

// The first 16 bytes of SHA-256 of a task's id: the id itself stays on disk.
using IdHash = std::array<uint64_t, 2>;
IdHash HashTaskId(std::string_view id);

// A place in the log, in 8 bytes: number of the block and offset in it. 0 is no place.
struct LogPlace {
  static constexpr int kOffsetBits = 24;
  uint64_t packed = 0;

  static LogPlace Of(uint64_t block, uint32_t offset) { return {block << kOffsetBits | offset}; }
  uint64_t block() const { return packed >> kOffsetBits; }
  uint32_t offset() const { return static_cast<uint32_t>(packed & ((uint64_t{1} << kOffsetBits) - 1)); }
  explicit operator bool() const { return packed != 0; }
  friend bool operator==(LogPlace, LogPlace) = default;
};

// What memory holds of a task: 96 bytes. Times are of the timeline.
struct TaskRow {
  enum class State : uint8_t {
    kFree,
    kWaiting,  // in the heap of timers
    kReady,    // due, and among the ready of its queue or key
    kLeased,
    kDead,
  };

  IdHash id{};
  uint64_t number = 0;
  int64_t created = 0;
  int64_t due = 0;
  int64_t until = 0;  // leased: of the lease; dead: when it died
  int64_t delay = 0;  // the last one that was computed
  LogPlace record;    // its task op
  LogPlace error;     // its last error, if any
  uint32_t record_bytes = 0;
  uint32_t epoch = 0;
  uint32_t attempts = 0;
  uint32_t key = 0;  // 0: none
  uint16_t queue = 0;
  uint16_t policy = 0;
  uint8_t priority = 0;
  State state = State::kFree;
  bool unknown = false;
  DeathCause cause{};
};
static_assert(sizeof(TaskRow) == 96);

// The scheduler's state in memory. Pure: no clock, no I/O. What happens to tasks comes in as ops, both when it happens and when the
// log is read again, so that both give the same state. Not thread-safe.
class TaskTable {
 public:
  static constexpr uint32_t kNoTask = UINT32_MAX;
  static constexpr size_t kMaxPolicies = UINT16_MAX;
  static constexpr uint32_t kMaxSlots = 100'000'000;

  TaskTable();
  TaskTable(const TaskTable&) = delete;
  TaskTable& operator=(const TaskTable&) = delete;

  // ---- Ops ------------------------------------------------------------------------------------------------
  // Takes over what an op of a block says; `line` is the block's time. DataLoss if it cannot follow from what was before, which
  // only a damaged log can bring about. While replaying, ops on tasks whose own op is no longer in the log are passed
  // over; they must be older than `oldest_number`.
  absl::Status Apply(const TaskOp& op, uint64_t block, int64_t line);
  void BeginReplay(uint64_t oldest_number);
  void EndReplay(uint64_t next_number);

  // ---- Looking --------------------------------------------------------------------------------------------
  uint32_t Find(const IdHash& id) const;
  const TaskRow& row(uint32_t slot) const { return rows_[slot]; }
  size_t slots() const { return rows_.size(); }
  // The task that a handle names, if its lease is the last that was given; else kNoTask.
  uint32_t Resolve(const TaskHandle& handle) const;
  size_t size() const { return ids_.size(); }
  uint64_t next_number() const { return next_number_; }
  // What a new task gets.
  uint32_t FreeSlot() const { return free_.empty() ? static_cast<uint32_t>(rows_.size()) : free_.back(); }
  const Backoff& backoff(const TaskRow& row) const { return policies_[row.policy]->backoff; }
  bool KnowsPolicy(const std::string& encoded) const { return policy_numbers_.contains(encoded); }
  // Of a policy that some task has; null if none has it.
  const Backoff* KnownBackoff(const std::string& encoded) const {
    const auto found = policy_numbers_.find(encoded);
    return found == policy_numbers_.end() ? nullptr : &policies_[found->second]->backoff;
  }
  size_t policies() const { return policy_numbers_.size(); }
  std::string_view KeyName(const TaskRow& row) const;
  const std::string& QueueName(const TaskRow& row) const { return queues_[row.queue]->name; }
  // Bytes of task ops of tasks that are there.
  uint64_t live_bytes() const { return live_bytes_; }
  // Task ops of tasks that are there, in a block.
  uint32_t live_in_block(uint64_t block) const;

  // ---- Time -----------------------------------------------------------------------------------------------
  // Makes tasks ready that are due and may be released.
  void Release(Timeline& timeline);
  // A task whose lease has run out by `now`; kNoTask if there is none.
  uint32_t ExpiredLease(int64_t now);
  // All that are leased.
  std::vector<uint32_t> Leased() const;
  // How long from now until a task becomes due or a lease runs out; nothing if never.
  std::optional<int64_t> UntilNext(const Timeline& timeline);
  std::optional<int64_t> NextDue();

  // ---- Queues and keys ------------------------------------------------------------------------------------
  // The queue's number, made if `make`; nothing if it is unknown or there are too many.
  std::optional<uint16_t> QueueNumber(std::string_view name, bool make);
  // The next task of the queue to be claimed; kNoTask if none is ready.
  uint32_t NextReady(uint16_t number);
  void ConfigureQueue(uint16_t number, const QueueConfig& config);
  const QueueConfig& queue_config(uint16_t queue) const { return queues_[queue]->config; }
  void ConfigureKey(uint16_t queue, std::string_view name, const KeyConfig& config);
  KeyConfig key_config(uint16_t queue, std::string_view name) const;
  // Keys whose settings are not the default ones.
  size_t configured_keys() const { return configured_keys_; }
  std::vector<QueueStats> Stats() const;

  // ---- Dead letters ---------------------------------------------------------------------------------------
  using DeadRef = std::tuple<int64_t, uint64_t, uint32_t>;  // died at, number, slot
  const absl::btree_set<DeadRef>& dead() const { return dead_; }

 private:
  // In the order in which ready tasks are claimed.
  struct Ready {
    int priority;  // negative: higher first
    int64_t due;
    uint64_t number;
    uint32_t slot;
    friend auto operator<=>(const Ready&, const Ready&) = default;
  };
  struct Queue {
    std::string name;
    QueueConfig config;
    // Tasks without a key, and of each key the one that is its turn, if it may run.
    absl::btree_set<Ready> ready;
    uint64_t waiting = 0;  // kWaiting and kReady
    uint64_t all_ready = 0;
    uint64_t leased = 0;
    uint64_t dead = 0;
  };
  struct KeyState {
    std::string name;
    uint16_t queue = 0;
    KeyConfig config;
    uint32_t tasks = 0;
    uint32_t leased = 0;
    absl::btree_set<Ready> ready;               // of an unordered queue
    absl::btree_map<uint64_t, uint32_t> order;  // of an ordered one: all tasks but dead ones passed over, number → slot
    std::optional<Ready> offered;               // what stands for the key among the queue's ready
  };
  struct Policy {
    explicit Policy(const RetryPolicy& policy) : backoff(policy) {}
    Backoff backoff;
    std::string encoded;
    uint32_t tasks = 0;
  };
  struct Timer {
    int64_t at;
    uint32_t slot;
    // std heaps have the greatest on top.
    friend bool operator<(const Timer& a, const Timer& b) { return a.at > b.at; }
  };
  struct SlotHash {
    using is_transparent = void;
    const std::deque<TaskRow>* rows;
    size_t operator()(uint32_t slot) const { return (*this)((*rows)[slot].id); }
    size_t operator()(const IdHash& id) const { return static_cast<size_t>(id[0]); }
  };
  struct SlotEqual {
    using is_transparent = void;
    const std::deque<TaskRow>* rows;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t a, const IdHash& b) const { return (*rows)[a].id == b; }
    bool operator()(const IdHash& a, uint32_t b) const { return (*rows)[b].id == a; }
  };

  absl::Status Insert(const TaskOp& op, uint64_t block);
  void Remove(uint32_t slot);
  // Into and out of the structures of the row's state. What is attached as waiting may be made ready by Release.
  void Attach(uint32_t slot);
  void Detach(uint32_t slot);
  void MakeReady(uint32_t slot);
  // Into or out of its key's order, as its state and the queue want it.
  void PlaceInOrder(const TaskRow& row, uint32_t slot);
  void PlaceRecord(TaskRow& row, const TaskOp& op, uint64_t block);
  void DropRecord(TaskRow& row);
  static Ready ReadyOf(const TaskRow& row, uint32_t slot) {
    return {-static_cast<int>(row.priority), row.due, row.number, slot};
  }
  // Puts the key's next task before its queue, or none.
  void Reoffer(uint32_t number);
  std::optional<Ready> NextOfKey(const KeyState& key) const;
  uint32_t InternKey(uint16_t queue, std::string_view name);
  void ReleaseKey(uint32_t number);
  uint16_t InternPolicy(std::string_view encoded);
  void PushTimer(std::vector<Timer>& heap, int64_t at, uint32_t slot);
  static void PopTimer(std::vector<Timer>& heap);
  bool IsTimer(const Timer& t) const {
    return rows_[t.slot].state == TaskRow::State::kWaiting && rows_[t.slot].due == t.at;
  }
  bool IsLease(const Timer& t) const {
    return rows_[t.slot].state == TaskRow::State::kLeased && rows_[t.slot].until == t.at;
  }
  void DropStaleTimers();

  std::deque<TaskRow> rows_;
  std::vector<uint32_t> free_;
  absl::flat_hash_set<uint32_t, SlotHash, SlotEqual> ids_;
  uint64_t next_number_ = 1;
  bool replaying_ = false;
  uint64_t oldest_number_ = 0;

  std::vector<std::unique_ptr<Queue>> queues_;
  absl::flat_hash_map<std::string, uint16_t> queue_numbers_;
  std::vector<std::unique_ptr<KeyState>> keys_;  // 0 unused
  std::vector<uint32_t> free_keys_;
  size_t configured_keys_ = 0;
  absl::flat_hash_map<std::pair<uint16_t, std::string>, uint32_t> key_numbers_;
  std::vector<std::unique_ptr<Policy>> policies_;
  std::vector<uint16_t> free_policies_;
  absl::flat_hash_map<std::string, uint16_t> policy_numbers_;

  // Heaps with stale entries among them, which are recognised when they come to the top: taking one out of the middle would cost
  // eight bytes a task for its place.
  std::vector<Timer> timers_;
  std::vector<Timer> leases_;
  std::vector<Timer> held_back_;  // due, but not to be released yet, after a jump of the clock
  size_t waiting_ = 0;            // rows in kWaiting
  size_t leased_ = 0;
  absl::btree_set<DeadRef> dead_;

  uint64_t live_bytes_ = 0;
  absl::flat_hash_map<uint64_t, uint32_t> live_in_block_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SCHEDULER_TASK_TABLE_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SCHEDULER_SCHEDULER_CORE_H_
#define NORTHWIND_SRC_SCHEDULER_SCHEDULER_CORE_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "northwind/scheduler.h"
#include "src/scheduler/task_log.h"
#include "src/scheduler/task_op.h"
#include "src/scheduler/task_table.h"
#include "src/scheduler/timeline.h"
#include "src/store/engine.h"

namespace northwind {

// Calls take turns: each waits in a queue, and one of the waiting threads leads: it runs what has queued, in order,
// against the state in memory, writes the ops that come of it as one block, and answers when that is durable. Reads take
// turns too, so that they see what is durable and nothing else. The leader alone touches table, log and timeline, without the mutex; the
// mutex guards the queue of calls and the waiting claims. (std::condition_variable, because it waits by the steady clock.)
class Scheduler::Core {
 public:
  static absl::StatusOr<std::unique_ptr<Core>> Open(internal::Engine& engine, const SchedulerOptions& options);
  ~Core();

  void Close();

  absl::StatusOr<std::vector<ScheduleOutcome>> Schedule(absl::Span<const TaskSpec> tasks,
                                                        absl::Span<const HostRecord> host_records);
  absl::StatusOr<std::vector<bool>> Cancel(absl::Span<const std::string> ids);
  absl::StatusOr<TaskInfo> GetTask(std::string_view id);
  absl::StatusOr<TaskPage> ListTasks(std::string_view queue, uint64_t after, size_t limit);
  absl::StatusOr<std::vector<ClaimedTask>> Claim(const ClaimOptions& options);
  absl::StatusOr<std::vector<FinishOutcome>> Extend(absl::Span<const Extension> leases, absl::Duration lease);
  absl::StatusOr<std::vector<FinishOutcome>> FinishAll(absl::Span<const Finish> attempts);
  absl::StatusOr<DeadPage> ListDead(const DeadFilter& filter, std::optional<DeadCursor> after, size_t limit);
  absl::StatusOr<size_t> RedriveIds(absl::Span<const std::string> ids);
  absl::StatusOr<size_t> DiscardIds(absl::Span<const std::string> ids);
  // In steps; `per_second` as in RedriveAll, nothing to discard.
  absl::StatusOr<size_t> EndDead(const DeadFilter& filter, std::optional<uint32_t> redrive_per_second);
  absl::Status ChangeQueue(std::string_view queue, absl::FunctionRef<void(QueueConfig&)> change);
  absl::StatusOr<QueueConfig> GetQueue(std::string_view queue);
  absl::Status ChangeKey(std::string_view queue, std::string_view key, absl::FunctionRef<void(KeyConfig&)> change);
  absl::StatusOr<KeyConfig> GetKey(std::string_view queue, std::string_view key);
  absl::StatusOr<SchedulerStats> Stats();

 private:
  using Turn = absl::FunctionRef<absl::Status()>;
  struct Call {
    Turn turn;
    size_t bytes;  // that it may add to the block; 0: it only reads
    absl::Status status;
    bool done = false;
    std::condition_variable wake;
  };
  // A claim that waits for work.
  struct Waiter {
    uint16_t queue;
    bool woken = false;
    bool keeps_time = false;
    std::condition_variable wake;
  };
  using Steady = std::chrono::steady_clock;

  Core(internal::Engine& engine, const SchedulerOptions& options);
  absl::Status Load();

  // Runs `turn` in a turn of its own thread or another's.
  absl::Status Run(size_t bytes, Turn turn);
  void Lead(std::unique_lock<std::mutex>& lock);
  absl::Status TakeTurns(const std::vector<Call*>& calls);
  absl::Status WriteBlock();
  // What time has brought: leases that ran out, tasks that became due.
  void Advance();
  // Drops blocks at the beginning that are needed no more, and moves what is left of the oldest ones to the end if the log is
  // much longer than what it is needed for.
  absl::Status ShortenLog();
  // Moves tasks of a block into the one under way, until none is left or that is so large.
  absl::Status CarryFrom(uint64_t number, size_t full);
  void WakeWaiters();
  // A claim that may wait is known before it looks for the first time, so that no work can come in between unnoticed.
  void Join(Waiter& waiter);
  void Leave(Waiter& waiter);
  // Waits until there may be work for the waiter's queue; false if there is no time to look again.
  bool AwaitWork(Waiter& waiter, Steady::time_point deadline);

  // ---- Within a turn ----
  void Do(internal::TaskOp& op);
  void EndAttempt(uint32_t slot, std::string_view error, int64_t not_before, bool unknown);
  void Die(uint32_t slot, DeathCause cause, std::string_view error, bool unknown);
  void Remove(uint32_t slot);
  void Redrive(uint32_t slot, int64_t due);
  // Ends, one way or the other, those of the ids that are dead tasks.
  absl::StatusOr<size_t> ForDead(absl::Span<const std::string> ids, absl::FunctionRef<void(uint32_t slot)> end);
  ScheduleOutcome ScheduleOne(const TaskSpec& task, const std::string& policy);
  FinishOutcome FinishOne(const Finish& attempt);
  absl::StatusOr<ClaimedTask> ClaimOne(uint32_t slot, int64_t until);
  absl::StatusOr<TaskInfo> Describe(uint32_t slot);
  absl::StatusOr<bool> Matches(uint32_t slot, const DeadFilter& filter);
  // The task's own op, and what its fields point into.
  absl::StatusOr<internal::TaskOp> ReadRecord(uint32_t slot, std::shared_ptr<const std::string>& block);
  absl::StatusOr<std::string> ReadError(uint32_t slot);
  // The block under way may be read too; what points into it is good until the next Do.
  absl::StatusOr<std::shared_ptr<const std::string>> ReadBlock(uint64_t number);
  uint64_t RandomOf(uint64_t number, uint32_t attempt) const { return internal::AttemptRandom(seed_, number, attempt); }
  void PutHostRecords(absl::Span<const HostRecord> records);
  absl::StatusOr<uint16_t> QueueOf(std::string_view name);
  absl::Time ToWall(int64_t line) const;
  int64_t ToLine(absl::Time wall) const;

  internal::Engine& engine_;
  const SchedulerOptions options_;
  Clock& clock_;
  const uint64_t seed_;

  // The leader's.
  internal::TaskTable table_;
  internal::TaskLog log_;
  std::optional<internal::Timeline> timeline_;
  internal::TaskBlockWriter block_;
  internal::WriteSet writes_;

  mutable std::mutex mutex_;
  std::deque<Call*> calls_;
  bool leading_ = false;
  bool closed_ = false;
  absl::Status poison_;
  std::list<Waiter*> waiters_;
  Steady::time_point next_event_ = Steady::time_point::max();
  std::condition_variable idle_;
};

}  // namespace northwind

#endif  // NORTHWIND_SRC_SCHEDULER_SCHEDULER_CORE_H_

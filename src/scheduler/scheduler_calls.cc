// SPDX-License-Identifier: Apache-2.0
//
// What calls do in their turn: scheduling, and work. Dead letters, queues and keys are in scheduler_care.cc.
#include <algorithm>
#include <utility>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/scheduler/call_bounds.h"
#include "src/scheduler/scheduler_core.h"

namespace northwind {

using internal::Backoff;
using internal::Bad;
using internal::CheckCount;
using internal::CheckName;
using internal::Error;
using internal::HashTaskId;
using internal::kOpBytes;
using internal::OpOn;
using internal::SaturatingAdd;
using internal::Space;
using internal::TaskBlockReader;
using internal::TaskOp;
using internal::TaskOpKind;
using internal::TaskRow;
using internal::TaskTable;
using internal::ToAbsl;

namespace {

constexpr size_t kMaxHostRecordValue = 64 << 10;
constexpr absl::Duration kShortestLease = absl::Milliseconds(1);
constexpr absl::Duration kLongestLease = absl::Hours(24 * 30);

absl::Status CheckBytes(size_t bytes) {
  if (bytes <= kMaxTaskCallBytes) return absl::OkStatus();
  return Bad("a call of ", bytes, " bytes is over the bound of ", kMaxTaskCallBytes);
}

absl::Status CheckLease(absl::Duration lease) {
  if (lease >= kShortestLease && lease <= kLongestLease) return absl::OkStatus();
  return Bad("a lease is 1 ms to 30 days, not ", absl::FormatDuration(lease));
}

absl::Status CheckTask(const TaskSpec& task) {
  NW_RETURN_IF_ERROR(CheckName("task id", task.id, 1, kMaxTaskIdBytes));
  NW_RETURN_IF_ERROR(CheckName("queue", task.queue, 1, kMaxQueueNameBytes));
  NW_RETURN_IF_ERROR(CheckName("task key", task.key, 0, kMaxTaskKeyBytes));
  NW_RETURN_IF_ERROR(CheckName("task payload", task.payload, 0, kMaxTaskPayloadBytes));
  return internal::CheckPolicy(task.policy);
}

absl::Status AddHostRecords(absl::Span<const HostRecord> records, size_t& bytes) {
  for (const HostRecord& record : records) {
    NW_RETURN_IF_ERROR(CheckName("host record's key", record.key, 1, kMaxHostKeyBytes));
    NW_RETURN_IF_ERROR(CheckName("host record's value", record.value, 0, kMaxHostRecordValue));
    bytes += record.key.size() + record.value.size();
  }
  return absl::OkStatus();
}

std::string_view Cut(std::string_view error) { return error.substr(0, kMaxTaskErrorBytes); }

absl::Status NoTask(std::string_view id) {
  return Error(absl::StatusCode::kNotFound, "no task '", ToAbsl(id.substr(0, kMaxTaskIdBytes)), "'");
}

}  // namespace

// The wall's clock shows `offset` less than the line.
absl::Time Scheduler::Core::ToWall(int64_t line) const {
  return absl::FromUnixNanos(SaturatingAdd(line, -timeline_->offset()));
}

int64_t Scheduler::Core::ToLine(absl::Time wall) const {
  if (wall == absl::InfinitePast()) return 0;
  if (wall == absl::InfiniteFuture()) return std::numeric_limits<int64_t>::max();
  return SaturatingAdd(absl::ToUnixNanos(wall), timeline_->offset());
}

absl::StatusOr<uint16_t> Scheduler::Core::QueueOf(std::string_view name) {
  const std::optional<uint16_t> number = table_.QueueNumber(name, /*make=*/true);
  if (number) return *number;
  return Error(absl::StatusCode::kResourceExhausted, "scheduler: more than ", kMaxTaskQueues, " queues");
}

void Scheduler::Core::PutHostRecords(absl::Span<const HostRecord> records) {
  for (const HostRecord& record : records) writes_.Put(Space::kHost, record.key, record.value);
}

// ---- Scheduling -----------------------------------------------------------------------------------------------------

absl::StatusOr<std::vector<ScheduleOutcome>> Scheduler::Core::Schedule(absl::Span<const TaskSpec> tasks,
                                                                       absl::Span<const HostRecord> host_records) {
  if (tasks.empty() && host_records.empty()) return std::vector<ScheduleOutcome>();
  if (!tasks.empty()) NW_RETURN_IF_ERROR(CheckCount(tasks.size(), kMaxTasksPerCall));
  size_t bytes = 0;
  NW_RETURN_IF_ERROR(AddHostRecords(host_records, bytes));
  std::vector<std::string> policies(tasks.size());
  for (size_t i = 0; i < tasks.size(); ++i) {
    const TaskSpec& task = tasks[i];
    NW_RETURN_IF_ERROR(CheckTask(task));
    internal::EncodePolicy(task.policy, policies[i]);
    bytes += task.id.size() + task.queue.size() + task.key.size() + task.payload.size() + policies[i].size();
  }
  NW_RETURN_IF_ERROR(CheckBytes(bytes));
  std::vector<ScheduleOutcome> outcomes;
  NW_RETURN_IF_ERROR(Run(bytes + tasks.size() * 2 * kOpBytes + 1, [&]() -> absl::Status {
    if (table_.size() + tasks.size() > options_.max_tasks) {
      return Error(absl::StatusCode::kResourceExhausted, "scheduler: ", table_.size(), " tasks, of ",
                   options_.max_tasks, " at most");
    }
    if (table_.policies() + tasks.size() > TaskTable::kMaxPolicies) {
      return absl::ResourceExhaustedError("scheduler: too many different retry policies");
    }
    for (const TaskSpec& task : tasks) NW_RETURN_IF_ERROR(QueueOf(task.queue).status());
    outcomes.reserve(tasks.size());
    for (size_t i = 0; i < tasks.size(); ++i) outcomes.push_back(ScheduleOne(tasks[i], policies[i]));
    PutHostRecords(host_records);
    return absl::OkStatus();
  }));
  return outcomes;
}

ScheduleOutcome Scheduler::Core::ScheduleOne(const TaskSpec& task, const std::string& policy) {
  uint32_t epoch = 0;
  ScheduleOutcome outcome = ScheduleOutcome::kScheduled;
  if (const uint32_t old = table_.Find(HashTaskId(task.id)); old != TaskTable::kNoTask) {
    if (task.if_scheduled == IfScheduled::kKeep) return ScheduleOutcome::kKept;
    if (table_.row(old).state == TaskRow::State::kLeased) return ScheduleOutcome::kLeased;
    epoch = table_.row(old).epoch;
    outcome = ScheduleOutcome::kReplaced;
    Remove(old);
  }
  const uint64_t number = table_.next_number();
  // What lies in the past is due now: it is no business of a jump of the clock.
  const int64_t now = timeline_->now();
  const int64_t due = std::max(ToLine(task.due), now);
  const Backoff* const known = table_.KnownBackoff(policy);
  const Backoff::Next first =
      known != nullptr ? known->First(due, RandomOf(number, 0)) : Backoff(task.policy).First(due, RandomOf(number, 0));
  TaskOp op;
  op.kind = TaskOpKind::kTask;
  op.slot = table_.FreeSlot();
  op.number = number;
  op.id = task.id;
  op.queue = task.queue;
  op.key = task.key;
  op.payload = task.payload;
  op.priority = task.priority;
  op.policy = policy;
  op.created = now;
  op.due = first.due;
  op.delay = first.delay;
  op.epoch = epoch;
  Do(op);
  return outcome;
}

absl::StatusOr<std::vector<bool>> Scheduler::Core::Cancel(absl::Span<const std::string> ids) {
  if (ids.empty()) return std::vector<bool>();
  NW_RETURN_IF_ERROR(CheckCount(ids.size(), kMaxTasksPerCall));
  std::vector<bool> found;
  NW_RETURN_IF_ERROR(Run(ids.size() * kOpBytes, [&]() -> absl::Status {
    for (const std::string& id : ids) {
      const uint32_t slot = table_.Find(HashTaskId(id));
      found.push_back(slot != TaskTable::kNoTask);
      if (slot != TaskTable::kNoTask) Remove(slot);
    }
    return absl::OkStatus();
  }));
  return found;
}

void Scheduler::Core::Remove(uint32_t slot) {
  TaskOp op = OpOn(TaskOpKind::kGone, table_.row(slot), slot);
  Do(op);
}

absl::StatusOr<TaskInfo> Scheduler::Core::GetTask(std::string_view id) {
  TaskInfo info;
  NW_RETURN_IF_ERROR(Run(0, [&]() -> absl::Status {
    const uint32_t slot = table_.Find(HashTaskId(id));
    if (slot == TaskTable::kNoTask) return NoTask(id);
    NW_ASSIGN_OR_RETURN(info, Describe(slot));
    return absl::OkStatus();
  }));
  return info;
}

absl::StatusOr<TaskPage> Scheduler::Core::ListTasks(std::string_view queue, uint64_t after, size_t limit) {
  NW_RETURN_IF_ERROR(CheckCount(limit, kMaxTaskPage));
  TaskPage page;
  NW_RETURN_IF_ERROR(Run(0, [&]() -> absl::Status {
    const std::optional<uint16_t> number = table_.QueueNumber(queue, /*make=*/false);
    if (!number) return absl::OkStatus();
    // The first `limit` and one more, by number.
    std::vector<std::pair<uint64_t, uint32_t>> found;
    for (uint32_t slot = 0; slot < table_.slots(); ++slot) {
      const TaskRow& row = table_.row(slot);
      if (row.state == TaskRow::State::kFree || row.queue != *number || row.number <= after) continue;
      found.emplace_back(row.number, slot);
      std::push_heap(found.begin(), found.end());
      if (found.size() > limit + 1) {
        std::pop_heap(found.begin(), found.end());
        found.pop_back();
      }
    }
    std::sort(found.begin(), found.end());
    const bool more = found.size() > limit;
    if (more) found.pop_back();
    for (const auto& [task, slot] : found) {
      NW_ASSIGN_OR_RETURN(TaskInfo info, Describe(slot));
      page.tasks.push_back(std::move(info));
    }
    if (more) page.next = found.back().first;
    return absl::OkStatus();
  }));
  return page;
}

// ---- Work -----------------------------------------------------------------------------------------------------------

absl::StatusOr<std::vector<ClaimedTask>> Scheduler::Core::Claim(const ClaimOptions& options) {
  NW_RETURN_IF_ERROR(CheckName("queue", options.queue, 1, kMaxQueueNameBytes));
  NW_RETURN_IF_ERROR(CheckCount(options.max, kMaxTasksPerCall));
  NW_RETURN_IF_ERROR(CheckLease(options.lease));
  const int64_t lease = absl::ToInt64Nanoseconds(options.lease);
  std::vector<ClaimedTask> claimed;
  std::optional<uint16_t> queue;
  const auto turn = [&]() -> absl::Status {
    NW_ASSIGN_OR_RETURN(queue, QueueOf(options.queue));
    const int64_t until = SaturatingAdd(timeline_->now(), lease);
    size_t bytes = 0;
    while (claimed.size() < options.max && bytes < kMaxTaskCallBytes) {
      const uint32_t slot = table_.NextReady(*queue);
      if (slot == TaskTable::kNoTask) break;
      absl::StatusOr<ClaimedTask> task = ClaimOne(slot, until);
      if (!task.ok() && claimed.empty()) return task.status();
      if (!task.ok()) break;  // those claimed are handed out; the next call meets the error at once
      bytes += task->id.size() + task->key.size() + task->payload.size() + task->last_error.size();
      claimed.push_back(*std::move(task));
    }
    return absl::OkStatus();
  };
  const size_t bytes = options.max * kOpBytes;
  if (options.wait <= absl::ZeroDuration()) {
    NW_RETURN_IF_ERROR(Run(bytes, turn));
    return claimed;
  }
  // Learns the queue's number, and often has work at once.
  NW_RETURN_IF_ERROR(Run(bytes, turn));
  if (!claimed.empty()) return claimed;
  const Steady::time_point deadline =
      Steady::now() + absl::ToChronoNanoseconds(std::min(options.wait, absl::Hours(24 * 365)));
  Waiter waiter;
  waiter.queue = *queue;
  Join(waiter);
  absl::Status status;
  do {
    status = Run(bytes, turn);
  } while (status.ok() && claimed.empty() && AwaitWork(waiter, deadline));
  Leave(waiter);
  if (claimed.empty()) {
    const std::lock_guard lock(mutex_);
    if (closed_) return absl::CancelledError("the scheduler was closed");
  }
  NW_RETURN_IF_ERROR(status);
  return claimed;
}

absl::StatusOr<ClaimedTask> Scheduler::Core::ClaimOne(uint32_t slot, int64_t until) {
  const TaskRow& row = table_.row(slot);
  // Read before anything is done, so that a task which cannot be read is not claimed.
  std::shared_ptr<const std::string> block;
  NW_ASSIGN_OR_RETURN(const TaskOp record, ReadRecord(slot, block));
  NW_ASSIGN_OR_RETURN(std::string error, ReadError(slot));
  ClaimedTask task{.id = std::string(record.id),
                   .key = std::string(record.key),
                   .payload = std::string(record.payload),
                   .attempt = row.attempts + 1,
                   .previous_unknown = row.unknown,
                   .last_error = std::move(error),
                   .scheduled_at = ToWall(row.created),
                   .due = ToWall(row.due),
                   .leased_until = ToWall(until)};
  TaskOp op = OpOn(TaskOpKind::kLeased, row, slot);
  op.epoch = row.epoch + 1;
  op.until = until;
  Do(op);
  task.handle = {.number = row.number, .slot = slot, .epoch = row.epoch};
  return task;
}

absl::StatusOr<std::vector<FinishOutcome>> Scheduler::Core::Extend(absl::Span<const Extension> leases,
                                                                   absl::Duration lease) {
  if (leases.empty()) return std::vector<FinishOutcome>();
  NW_RETURN_IF_ERROR(CheckCount(leases.size(), kMaxTasksPerCall));
  NW_RETURN_IF_ERROR(CheckLease(lease));
  size_t bytes = 0;
  for (const Extension& extension : leases) NW_RETURN_IF_ERROR(AddHostRecords(extension.host_records, bytes));
  NW_RETURN_IF_ERROR(CheckBytes(bytes));
  std::vector<FinishOutcome> outcomes;
  NW_RETURN_IF_ERROR(Run(bytes + leases.size() * kOpBytes, [&]() -> absl::Status {
    const int64_t until = SaturatingAdd(timeline_->now(), absl::ToInt64Nanoseconds(lease));
    for (const Extension& extension : leases) {
      const uint32_t slot = table_.Resolve(extension.task);
      if (slot == TaskTable::kNoTask || table_.row(slot).state != TaskRow::State::kLeased) {
        outcomes.push_back(FinishOutcome::kStale);
        continue;
      }
      TaskOp op = OpOn(TaskOpKind::kLeased, table_.row(slot), slot);
      op.epoch = extension.task.epoch;
      op.until = until;
      op.prolongs = true;
      Do(op);
      PutHostRecords(extension.host_records);
      outcomes.push_back(FinishOutcome::kDone);
    }
    return absl::OkStatus();
  }));
  return outcomes;
}

absl::StatusOr<std::vector<FinishOutcome>> Scheduler::Core::FinishAll(absl::Span<const Finish> attempts) {
  if (attempts.empty()) return std::vector<FinishOutcome>();
  NW_RETURN_IF_ERROR(CheckCount(attempts.size(), kMaxTasksPerCall));
  size_t bytes = 0;
  for (const Finish& attempt : attempts) {
    if (attempt.verdict > Verdict::kKill) return Bad("unknown verdict");
    bytes += Cut(attempt.error).size();
    NW_RETURN_IF_ERROR(AddHostRecords(attempt.host_records, bytes));
  }
  NW_RETURN_IF_ERROR(CheckBytes(bytes));
  std::vector<FinishOutcome> outcomes;
  NW_RETURN_IF_ERROR(Run(bytes + attempts.size() * kOpBytes, [&]() -> absl::Status {
    for (const Finish& attempt : attempts) {
      outcomes.push_back(FinishOne(attempt));
      if (outcomes.back() != FinishOutcome::kStale) PutHostRecords(attempt.host_records);
    }
    return absl::OkStatus();
  }));
  return outcomes;
}

FinishOutcome Scheduler::Core::FinishOne(const Finish& attempt) {
  const uint32_t slot = table_.Resolve(attempt.task);
  if (slot == TaskTable::kNoTask) return FinishOutcome::kStale;
  const TaskRow& row = table_.row(slot);
  if (attempt.verdict == Verdict::kComplete) {
    Remove(slot);
    return FinishOutcome::kDone;
  }
  if (row.state == TaskRow::State::kDead) return FinishOutcome::kDead;  // its lease ran out, and it was its last
  if (attempt.verdict == Verdict::kKill) {
    Die(slot, DeathCause::kKilled, attempt.error, /*unknown=*/false);
    return FinishOutcome::kDead;
  }
  const int64_t not_before = ToLine(attempt.not_before);
  if (row.state == TaskRow::State::kLeased) {
    EndAttempt(slot, attempt.error, not_before, /*unknown=*/false);
  } else {  // late: it waits already, and now it is known why
    TaskOp op = OpOn(TaskOpKind::kWaits, row, slot);
    op.due = std::max(row.due, not_before);
    op.delay = row.delay;
    op.error = Cut(attempt.error);
    Do(op);
  }
  return table_.row(slot).state == TaskRow::State::kDead ? FinishOutcome::kDead : FinishOutcome::kWaits;
}

// The end of an attempt that is to be followed by another, if the policy has one more.
void Scheduler::Core::EndAttempt(uint32_t slot, std::string_view error, int64_t not_before, bool unknown) {
  const TaskRow& row = table_.row(slot);
  const Backoff::Next next = table_.backoff(row).After(row.attempts, row.created, timeline_->now(), not_before,
                                                       row.delay, RandomOf(row.number, row.attempts));
  switch (next.verdict) {
    case Backoff::Verdict::kNoAttempts:
      return Die(slot, DeathCause::kAttempts, error, unknown);
    case Backoff::Verdict::kTooOld:
      return Die(slot, DeathCause::kAge, error, unknown);
    case Backoff::Verdict::kAgain:
      break;
  }
  TaskOp op = OpOn(TaskOpKind::kWaits, row, slot);
  op.due = next.due;
  op.delay = next.delay;
  op.unknown = unknown;
  op.error = Cut(error);
  Do(op);
}

void Scheduler::Core::Die(uint32_t slot, DeathCause cause, std::string_view error, bool unknown) {
  TaskOp op = OpOn(TaskOpKind::kDead, table_.row(slot), slot);
  op.cause = cause;
  op.until = timeline_->now();
  op.unknown = unknown;
  op.error = Cut(error);
  Do(op);
}

// ---- Reading --------------------------------------------------------------------------------------------------------

absl::StatusOr<TaskOp> Scheduler::Core::ReadRecord(uint32_t slot, std::shared_ptr<const std::string>& block) {
  const TaskRow& row = table_.row(slot);
  NW_ASSIGN_OR_RETURN(block, ReadBlock(row.record.block()));
  TaskOp op;
  if (!TaskBlockReader(*block).ReadAt(row.record.offset(), op) || op.kind != TaskOpKind::kTask ||
      op.number != row.number) {
    return Error(absl::StatusCode::kDataLoss, "scheduler log: task ", row.number, " is not where it was in block ",
                 row.record.block());
  }
  return op;
}

absl::StatusOr<std::string> Scheduler::Core::ReadError(uint32_t slot) {
  const TaskRow& row = table_.row(slot);
  if (!row.error) return std::string();
  NW_ASSIGN_OR_RETURN(const std::shared_ptr<const std::string> block, ReadBlock(row.error.block()));
  std::string_view error;
  if (!internal::ReadErrorAt(*block, row.error.offset(), error)) {
    return Error(absl::StatusCode::kDataLoss, "scheduler log: an error of task ", row.number,
                 " is not where it was in block ", row.error.block());
  }
  return std::string(error);
}

absl::StatusOr<TaskInfo> Scheduler::Core::Describe(uint32_t slot) {
  const TaskRow& row = table_.row(slot);
  std::shared_ptr<const std::string> block;
  NW_ASSIGN_OR_RETURN(const TaskOp record, ReadRecord(slot, block));
  TaskInfo info{.id = std::string(record.id),
                .queue = std::string(record.queue),
                .key = std::string(record.key),
                .payload = std::string(record.payload),
                .priority = row.priority,
                .attempts = row.attempts,
                .epoch = row.epoch,
                .scheduled_at = ToWall(row.created),
                .due = ToWall(row.due),
                .policy = table_.backoff(row).policy()};
  NW_ASSIGN_OR_RETURN(info.last_error, ReadError(slot));
  if (row.state == TaskRow::State::kLeased) {
    info.state = TaskState::kLeased;
    info.leased_until = ToWall(row.until);
  } else if (row.state == TaskRow::State::kDead) {
    info.state = TaskState::kDead;
    info.died_at = ToWall(row.until);
    info.cause = row.cause;
  }
  return info;
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
//
// Durable timers: tasks that become due, are claimed by workers under a lease, and are tried again until they are done or
// given up.
//
//   NW_ASSIGN_OR_RETURN(auto scheduler, Scheduler::Open(*store));
//   NW_RETURN_IF_ERROR(scheduler->Schedule(TaskSpec{.id = "mail/7", .queue = "mail", .payload = "..."}).status());
//   while (true) {
//     NW_ASSIGN_OR_RETURN(std::vector<ClaimedTask> tasks, scheduler->Claim({.queue = "mail", .max = 10, .wait = absl::Seconds(5)}));
//     for (const ClaimedTask& task : tasks) {
//       const absl::Status sent = Send(task.payload);
//       NW_RETURN_IF_ERROR((sent.ok() ? scheduler->Complete(task.handle)
//                                     : scheduler->Retry(task.handle, sent.ToString())).status());
//     }
//   }
#ifndef NORTHWIND_SCHEDULER_H_
#define NORTHWIND_SCHEDULER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/clock.h"
#include "northwind/store.h"
#include "northwind/transaction.h"

namespace northwind {

inline constexpr size_t kMaxTaskIdBytes = 160;
inline constexpr size_t kMaxQueueNameBytes = 64;
inline constexpr size_t kMaxTaskKeyBytes = 160;
inline constexpr size_t kMaxTaskPayloadBytes = 65 << 10;
// Errors and reasons longer than this are cut.
inline constexpr size_t kMaxTaskErrorBytes = 1024;
inline constexpr size_t kMaxPolicyDelays = 64;
// Tasks in one call, and bytes of one call (ids, keys, payloads, policies, errors and host records together).
inline constexpr size_t kMaxTasksPerCall = 10'000;
inline constexpr size_t kMaxTaskCallBytes = 8 << 20;
inline constexpr size_t kMaxTaskQueues = 1024;
// Keys that have settings of their own.
inline constexpr size_t kMaxTaskKeySettings = 100'000;
inline constexpr size_t kMaxDeadPage = 1000;
inline constexpr size_t kMaxTaskPage = 1000;

// How a computed delay is spread at random, so that tasks that failed together do not come back together.
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. Persisted; the values are pinned.
enum class Jitter : uint8_t {
  kNone = 0,
  kFull = 1,          // uniform in [0, delay]
  kEqual = 2,         // uniform in [delay / 2, delay]
  kDecorrelated = 3,  // uniform in [initial, 3 × the delay before], up to the cap; exponential policies only
};

// When a task is tried, and when it is given up. All arithmetic saturates.
struct RetryPolicy {
  // If not empty: the delay before the first attempt (after the task's due time), before the second (after the end of
  // the first), and so on; each attempt has one, and there are no more attempts than delays. At most kMaxPolicyDelays.
  std::vector<absl::Duration> delays;
  // Otherwise exponential: no delay before the first attempt, `initial` before the second, then `multiplier` times the one before, up
  // to `cap`.
  absl::Duration initial = absl::Seconds(1);
  double multiplier = 2.0;  // 1 … 1000, kept to the thousandth
  absl::Duration cap = absl::Hours(1);

  Jitter jitter = Jitter::kNone;
  // Either ends it: so many attempts (0: no limit but that of `delays`), or a next attempt later than this after the task was
  // scheduled.
  uint32_t max_attempts = 0;
  absl::Duration max_age = absl::InfiniteDuration();

  // The schedule that the Standard Webhooks specification suggests: at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h,
  // 20 h and 24 h (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
  static RetryPolicy StandardWebhooks();
  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

// What to do with a task whose id is taken.
enum class IfScheduled : uint8_t {
  kReplace,  // a task that waits, or is dead, is replaced: as if it were new, at the end of its key's order
  kKeep,     // the one that is there stays as it is
};

struct TaskSpec {
  // Unique among all tasks of the scheduler that are waiting, claimed or dead; 1 … kMaxTaskIdBytes. Free again when the task is done.
  std::string id;
  std::string
      queue;  // 1 … kMaxQueueNameBytes; made on first use, also by Claim, and known until the scheduler is closed
  // What limits and order within the queue go by, such as a merchant; up to kMaxTaskKeyBytes; empty: none.
  std::string key;
  std::string payload;
  // By the wall clock. In the past: at once.
  absl::Time due = absl::InfinitePast();
  uint8_t priority = 0;  // of tasks that are due, higher first; then by due time, then in the order of scheduling
  RetryPolicy policy = RetryPolicy::StandardWebhooks();
  IfScheduled if_scheduled = IfScheduled::kReplace;
};

enum class ScheduleOutcome : uint8_t {
  kScheduled,  // new
  kReplaced,
  kKept,    // there was one: nothing done
  kLeased,  // there is one that is claimed right now, and it was to be replaced: nothing done
};

// Names one task under one lease.
struct TaskHandle {
  uint64_t number = 0;
  uint32_t slot = 0;
  uint32_t epoch = 0;
  friend bool operator==(const TaskHandle&, const TaskHandle&) = default;
};

struct ClaimedTask {
  TaskHandle handle;
  std::string id;
  std::string key;
  std::string payload;
  uint32_t attempt = 1;  // this one, from 1
  // The attempt before ended without a word: its lease ran out, or the process ended. What it did is unknown.
  bool previous_unknown = false;
  std::string last_error;
  absl::Time scheduled_at;
  absl::Time due;
  absl::Time leased_until;
};

struct ClaimOptions {
  std::string queue;
  size_t max = 1;                           // 1 … kMaxTasksPerCall
  absl::Duration lease = absl::Minutes(1);  // 1 ms … 30 days
  // How long to wait for the first task, by the steady clock; not at all by default.
  absl::Duration wait = absl::ZeroDuration();
};

enum class Verdict : uint8_t {
  kComplete,  // done: the task is gone
  kRetry,     // failed: again as its policy says, or dead if that has no more attempts
  kKill,      // failed for good: dead
};

// How an attempt ended.
struct Finish {
  TaskHandle task;
  Verdict verdict = Verdict::kComplete;
  std::string error;  // kRetry, kKill: why; cut to kMaxTaskErrorBytes
  // kRetry: not before this, whatever the policy says (the later of the two holds).
  absl::Time not_before = absl::InfinitePast();
  // Written if and only if this takes effect (anything but kStale), in the same atomic write.
  std::vector<HostRecord> host_records;
};

// A lease that is to last longer.
struct Extension {
  TaskHandle task;
  // Written if and only if the lease is live, in the same atomic write: what a worker must not do without it.
  std::vector<HostRecord> host_records;
};

enum class FinishOutcome : uint8_t {
  kDone,   // completed; or, for Extend, extended
  kWaits,  // will be tried again
  kDead,   // is a dead letter now
  kStale,  // the lease is not the task's last one any more: nothing done
};

// Why a task is dead. Persisted; the values are pinned.
enum class DeathCause : uint8_t {
  kKilled = 1,
  kAttempts = 2,  // no attempts left
  kAge = 3,       // the next attempt would have come after max_age
};
std::string_view Name(DeathCause cause);

enum class TaskState : uint8_t { kWaiting, kLeased, kDead };

// A task as it stands.
struct TaskInfo {
  std::string id;
  std::string queue;
  std::string key;
  std::string payload;
  TaskState state = TaskState::kWaiting;
  uint8_t priority = 0;
  uint32_t attempts = 0;  // begun
  uint32_t epoch = 0;     // leases given in all
  absl::Time scheduled_at;
  absl::Time due;           // kWaiting: the next attempt; else when the last one was due
  absl::Time leased_until;  // kLeased
  absl::Time died_at;       // kDead
  DeathCause cause{};       // kDead
  std::string last_error;
  RetryPolicy policy;
};

struct TaskPage {
  std::vector<TaskInfo> tasks;  // in the order of scheduling
  uint64_t next = 0;            // pass as `after`; 0 at the end
};

// Which dead letters. Empty and infinite fields do not choose.
struct DeadFilter {
  std::string queue;
  std::string key;
  std::string id_prefix;
  absl::Time died_from = absl::InfinitePast();
  absl::Time died_before = absl::InfiniteFuture();
};

// A place in the list of dead letters.
struct DeadCursor {
  int64_t died_at = 0;
  uint64_t number = 0;
  friend bool operator==(const DeadCursor&, const DeadCursor&) = default;
};

struct DeadPage {
  std::vector<TaskInfo> tasks;  // in the order in which they died
  // Pass as `after`. Nothing at the end. A page may be short and still have a next one: one call looks at no more than
  // 100,000 dead letters, and with an id_prefix, for which they must be read, 1,000.
  std::optional<DeadCursor> next;
};

// How tasks of one key follow each other. Persisted; the values are pinned.
enum class KeyOrder : uint8_t {
  kNone = 0,
  kBlockOnDead =
      1,  // one at a time in the order of scheduling; a dead one holds up those behind it until it is redriven or discarded
  kSkipDead = 2,  // likewise, but a dead one is passed over
};

struct QueueConfig {
  bool paused = false;       // nothing is claimed
  uint32_t max_per_key = 0;  // tasks of one key that may be leased at once; 0: no limit
  KeyOrder order = KeyOrder::kNone;
  friend bool operator==(const QueueConfig&, const QueueConfig&) = default;
};

struct KeyConfig {
  bool paused = false;
  uint32_t max_leased = 0;  // 0: as the queue says
  friend bool operator==(const KeyConfig&, const KeyConfig&) = default;
};

struct QueueStats {
  std::string queue;
  QueueConfig config;
  uint64_t waiting = 0;  // not yet due, or due and not yet claimed
  uint64_t ready = 0;    // of these, due (and not held back by a jump of the clock)
  uint64_t leased = 0;
  uint64_t dead = 0;
};

struct SchedulerStats {
  std::vector<QueueStats> queues;  // by name
  uint64_t tasks = 0;
  uint64_t log_bytes = 0;   // on disk, before compression
  uint64_t live_bytes = 0;  // of these, what tasks need
  std::optional<absl::Time> next_due;
};

struct SchedulerOptions {
  // Wall clock for due times, Elapsed() for what passes; the system's if null. Must outlive the scheduler. Waits in Claim take real time.
  Clock* clock = nullptr;
  // Of jitter; 0: a random one.
  uint64_t seed = 0;
  // A step of the wall clock further ahead than this is a jump: what it makes due is released at `release_per_second`.
  absl::Duration jump_threshold = absl::Seconds(10);
  uint32_t release_per_second = 1000;
  // Bounds. A call that could bring one task more answers ResourceExhausted. Memory: about 130 bytes a task. At most 100 million.
  uint64_t max_tasks = 10'000'000;
  size_t max_queued_calls = 10'000;
  // Tuning: payloads kept in memory; the log is not made shorter below `min_log_bytes`.
  uint64_t cache_bytes = 32 << 20;
  uint64_t min_log_bytes = 32 << 20;
};

// A scheduler on a Store. One per store at a time; may be used without a Ledger.
//
// Thread safety: all methods may be called from any thread. Calls are taken in turn and share one synced write when they
// come together.
// Durability: when a call returns, what it did is on disk (fdatasync'd), and no task is handed out whose claim is not.
// All that one call does is one atomic write, its host records included.
// Leases: a claim counts as an attempt and raises the task's epoch. A handle of an older epoch is stale. A lease that runs out
// makes its attempt an unknown one, which counts; so does the end of the process: opening again takes all leases back.
// A late Finish is still taken if nobody has claimed the task since.
// Time: a task is never handed out before its due time, as the clock showed it. When the wall clock steps back, what
// waits goes on by the steady clock, and due times given from then on are meant by the new time; when it jumps ahead, what
// becomes due is released at a bounded rate. Leases end by the same time: a jump ahead ends those that it passes, and a late
// Finish is then still taken if nobody has claimed the task since. Time zones never matter.
// Errors: InvalidArgument for a call over its bounds (nothing done); ResourceExhausted: too many tasks, calls, queues,
// different policies (65,535) or keys with settings, or the disk below its floor (nothing done); Aborted: the write failed and the outcome is unknown, the scheduler is poisoned
// and answers FailedPrecondition until store and scheduler are opened again; Cancelled: closed while waiting.
class Scheduler {
 public:
  // Reads the log. DataLoss names what is damaged. FailedPrecondition if the store already has a scheduler open.
  static absl::StatusOr<std::unique_ptr<Scheduler>> Open(Store& store, const SchedulerOptions& options = {});
  ~Scheduler();  // Close(), then frees. The store must still be alive, and no thread be in a call any more.
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Refuses new calls (FailedPrecondition) and ends waits (Cancelled). Leases are taken back at the next opening. Idempotent.
  void Close();

  // ---- Tasks ----------------------------------------------------------------------------------------------
  // One outcome per task, in the order given. `host_records` are written in any case, in the same atomic write: a
  // follower's cursor moves with the tasks that it made.
  absl::StatusOr<std::vector<ScheduleOutcome>> Schedule(absl::Span<const TaskSpec> tasks,
                                                        absl::Span<const HostRecord> host_records = {});
  absl::StatusOr<ScheduleOutcome> Schedule(const TaskSpec& task);
  // Removes tasks in any state; those claimed become stale. One answer per id: whether there was such a task.
  absl::StatusOr<std::vector<bool>> Cancel(absl::Span<const std::string> ids);
  // NotFound if there is no such task.
  absl::StatusOr<TaskInfo> GetTask(std::string_view id);

  // All tasks of a queue, in any state; limit 1 … kMaxTaskPage. Each call looks at all tasks of the scheduler once.
  absl::StatusOr<TaskPage> ListTasks(std::string_view queue, uint64_t after = 0, size_t limit = 100);

  // ---- Work -----------------------------------------------------------------------------------------------
  // Up to `max` tasks of the queue that are due, in order of priority, due time and scheduling. Empty if there are none
  // within `wait`.
  absl::StatusOr<std::vector<ClaimedTask>> Claim(const ClaimOptions& options);
  // Prolongs leases to so long from now. One outcome per handle: kDone or kStale.
  absl::StatusOr<std::vector<FinishOutcome>> Extend(absl::Span<const Extension> leases, absl::Duration lease);
  absl::StatusOr<FinishOutcome> Extend(const TaskHandle& task, absl::Duration lease);
  // Ends attempts. One outcome per item.
  absl::StatusOr<std::vector<FinishOutcome>> FinishAll(absl::Span<const Finish> attempts);
  absl::StatusOr<FinishOutcome> Complete(const TaskHandle& task);
  absl::StatusOr<FinishOutcome> Retry(const TaskHandle& task, std::string_view error,
                                      absl::Time not_before = absl::InfinitePast());
  absl::StatusOr<FinishOutcome> Kill(const TaskHandle& task, std::string_view reason);

  // ---- Dead letters ---------------------------------------------------------------------------------------
  // limit 1 … kMaxDeadPage.
  absl::StatusOr<DeadPage> ListDead(const DeadFilter& filter = {}, std::optional<DeadCursor> after = std::nullopt,
                                    size_t limit = 100);
  // Makes dead tasks wait again, as if scheduled anew: with all their attempts, at once. How many there were; ids that name no
  // dead task are passed over.
  absl::StatusOr<size_t> Redrive(absl::Span<const std::string> ids);
  // All that the filter names, the longest dead first, their due times spread so that no more than `per_second` become due in a
  // second (0: all at once). Done in durable steps: after a crash, or to go on after an error, call it again. How many there were.
  absl::StatusOr<size_t> RedriveAll(const DeadFilter& filter, uint32_t per_second = 0);
  // Removes dead tasks for good.
  absl::StatusOr<size_t> Discard(absl::Span<const std::string> ids);
  absl::StatusOr<size_t> DiscardAll(const DeadFilter& filter);

  // ---- Queues and keys ------------------------------------------------------------------------------------
  // Durable, also for queues and keys that have no task yet.
  absl::Status ConfigureQueue(std::string_view queue, const QueueConfig& config);
  absl::StatusOr<QueueConfig> GetQueue(std::string_view queue);
  absl::Status PauseQueue(std::string_view queue);
  absl::Status ResumeQueue(std::string_view queue);
  absl::Status ConfigureKey(std::string_view queue, std::string_view key, const KeyConfig& config);
  absl::StatusOr<KeyConfig> GetKey(std::string_view queue, std::string_view key);
  absl::Status PauseKey(std::string_view queue, std::string_view key);
  absl::Status ResumeKey(std::string_view queue, std::string_view key);

  absl::StatusOr<SchedulerStats> Stats();

 private:
  class Core;
  explicit Scheduler(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind

#endif  // NORTHWIND_SCHEDULER_H_

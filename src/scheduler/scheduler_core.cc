// SPDX-License-Identifier: Apache-2.0
//
// How calls take turns, and how the log is written, read again and kept short. What calls do is in scheduler_calls.cc and scheduler_care.cc.
#include "src/scheduler/scheduler_core.h"

#include <algorithm>
#include <random>
#include <utility>

#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind {

using internal::Engine;
using internal::Error;
using internal::LogPlace;
using internal::StoredState;
using internal::TaskBlockHeader;
using internal::TaskBlockReader;
using internal::TaskOp;
using internal::TaskOpKind;
using internal::TaskRow;
using internal::TaskTable;

namespace {

// What the calls of one turn may put into a block (more only if it is one call), and leases that ran out; and how large what is
// carried from old blocks may make it.
constexpr size_t kTurnBytes = kMaxTaskCallBytes;
constexpr size_t kExpiryBytes = 1 << 20;
constexpr size_t kBlockBytes = 12 << 20;
static_assert(kTurnBytes + kMaxTasksPerCall * 256 + kExpiryBytes + (1 << 20) < size_t{1} << LogPlace::kOffsetBits);
static_assert(kBlockBytes < size_t{1} << LogPlace::kOffsetBits);
// The log may be so many times as long as what it is needed for.
constexpr uint64_t kLogFactor = 4;
// What is moved to the end of the log in one turn: as much as the turn itself writes, and so much more. With it, a log that
// is kLogFactor times as long as it need be is gone through before it has grown by another quarter.
constexpr size_t kCarryBytes = 256 << 10;
// Blocks dropped from the log in one turn, and one more for so many bytes that it writes: small blocks at the beginning are gone
// before large ones fill the disk.
constexpr uint64_t kMaxDrops = 64;
constexpr size_t kBytesPerDrop = 128;
// How late a jump of the wall clock is noticed while all that happens is waiting.
constexpr auto kLookAtClock = std::chrono::seconds(1);

uint64_t FreshSeed() { return std::random_device{}() | uint64_t{std::random_device{}()} << 32; }

}  // namespace

Scheduler::Core::Core(Engine& engine, const SchedulerOptions& options)
    : engine_(engine),
      options_(options),
      clock_(options.clock != nullptr ? *options.clock : *Clock::System()),
      seed_(options.seed != 0 ? options.seed : FreshSeed()),
      log_(engine, options.cache_bytes) {}

absl::StatusOr<std::unique_ptr<Scheduler::Core>> Scheduler::Core::Open(Engine& engine,
                                                                       const SchedulerOptions& options) {
  if (options.release_per_second == 0 || options.jump_threshold <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("scheduler: release_per_second and jump_threshold must be positive");
  }
  if (options.max_tasks > TaskTable::kMaxSlots || options.max_queued_calls == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "scheduler: max_tasks must be no more than ", TaskTable::kMaxSlots,
                 ", max_queued_calls at least 1");
  }
  if (!engine.AcquireSlot(Engine::Slot::kScheduler)) {
    return Error(absl::StatusCode::kFailedPrecondition, "store ", engine.path(), " has a scheduler open already");
  }
  // From here on the destructor gives the slot back.
  std::unique_ptr<Core> core(new Core(engine, options));
  NW_RETURN_IF_ERROR(core->Load());
  return core;
}

Scheduler::Core::~Core() {
  Close();
  engine_.ReleaseSlot(Engine::Slot::kScheduler);
}

absl::Status Scheduler::Core::Load() {
  // Settings before tasks: a queue that is ordered while it is empty need not be put in order later.
  NW_RETURN_IF_ERROR(log_.LoadSettings(
      [&](std::string_view queue, const QueueConfig& config) -> absl::Status {
        NW_ASSIGN_OR_RETURN(const uint16_t number, QueueOf(queue));
        table_.ConfigureQueue(number, config);
        return absl::OkStatus();
      },
      [&](std::string_view queue, std::string_view key, const KeyConfig& config) -> absl::Status {
        NW_ASSIGN_OR_RETURN(const uint16_t number, QueueOf(queue));
        table_.ConfigureKey(number, key, config);
        return absl::OkStatus();
      }));
  int64_t line = 0;
  uint64_t next_number = 1;
  bool first = true;
  NW_RETURN_IF_ERROR(log_.Load([&](uint64_t number, std::string_view bytes) -> absl::Status {
    TaskBlockReader block(bytes);
    TaskBlockHeader header;
    const auto damaged = [number] {
      return Error(absl::StatusCode::kDataLoss, "scheduler log: block ", number, " is damaged");
    };
    if (!block.ReadHeader(number, header)) return damaged();
    if (first) table_.BeginReplay(header.next_number);
    first = false;
    TaskOp op;
    while (block.Next(op)) NW_RETURN_IF_ERROR(table_.Apply(op, number, header.line));
    if (!block.ok()) return damaged();
    line = std::max(line, header.line);
    next_number = std::max(next_number, header.next_number);
    return absl::OkStatus();
  }));
  table_.EndReplay(next_number);
  timeline_.emplace(clock_, line,
                    internal::Timeline::Options{.jump_threshold = absl::ToInt64Nanoseconds(options_.jump_threshold),
                                                .release_per_second = options_.release_per_second});
  // Whoever had a lease is gone with the process that gave it.
  const std::vector<uint32_t> leased = table_.Leased();
  for (size_t begin = 0; begin < leased.size(); begin += kMaxTasksPerCall) {
    const size_t end = std::min(begin + kMaxTasksPerCall, leased.size());
    NW_RETURN_IF_ERROR(Run(1, [&]() -> absl::Status {
      for (size_t i = begin; i < end; ++i) {
        if (table_.row(leased[i]).state != TaskRow::State::kLeased) continue;  // it has run out by now
        EndAttempt(leased[i], "the process ended during the attempt", 0, /*unknown=*/true);
      }
      return absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

// ---- Turns ----------------------------------------------------------------------------------------------------------

absl::Status Scheduler::Core::Run(size_t bytes, Turn turn) {
  std::unique_lock lock(mutex_);
  if (closed_) return absl::FailedPreconditionError("the scheduler is closed");
  NW_RETURN_IF_ERROR(poison_);
  if (calls_.size() >= options_.max_queued_calls) {
    return Error(absl::StatusCode::kResourceExhausted, "scheduler: ", calls_.size(), " calls are waiting");
  }
  Call call{.turn = turn, .bytes = bytes};
  calls_.push_back(&call);
  while (!call.done) {
    if (!leading_) {
      Lead(lock);
    } else {
      call.wake.wait(lock);
    }
  }
  return call.status;
}

void Scheduler::Core::Lead(std::unique_lock<std::mutex>& lock) {
  leading_ = true;
  std::vector<Call*> calls;
  for (size_t bytes = 0; !calls_.empty() && (calls.empty() || bytes + calls_.front()->bytes <= kTurnBytes);) {
    bytes += calls_.front()->bytes;
    calls.push_back(calls_.front());
    calls_.pop_front();
  }
  absl::Status status = poison_;
  if (status.ok()) {
    lock.unlock();
    status = TakeTurns(calls);
    lock.lock();
    if (!status.ok() && poison_.ok()) {
      poison_ =
          Error(absl::StatusCode::kFailedPrecondition, "the scheduler must be opened again after: ", status.message());
    }
    if (status.ok()) {
      WakeWaiters();
    } else {  // to be told
      for (Waiter* waiter : waiters_) {
        waiter->woken = true;
        waiter->wake.notify_one();
      }
    }
  }
  for (Call* call : calls) {
    if (!status.ok()) call->status = status;
    call->done = true;
    call->wake.notify_one();
  }
  leading_ = false;
  if (!calls_.empty()) calls_.front()->wake.notify_one();
  if (calls_.empty()) idle_.notify_all();
}

absl::Status Scheduler::Core::TakeTurns(const std::vector<Call*>& calls) {
  // Asked before anything is changed: what is changed must be written.
  size_t bytes = 0;
  for (const Call* call : calls) bytes += call->bytes;
  const absl::Status room = engine_.CheckSpace(bytes);
  timeline_->Observe();
  block_.Begin({.line = timeline_->now(), .next_number = table_.next_number()});
  writes_.Clear();
  if (room.ok()) Advance();
  for (Call* call : calls) call->status = call->bytes > 0 && !room.ok() ? room : call->turn();
  // Again: what has come in and is due already is there for the claims that wait.
  table_.Release(*timeline_);
  if (room.ok()) NW_RETURN_IF_ERROR(ShortenLog());
  return WriteBlock();
}

absl::Status Scheduler::Core::WriteBlock() {
  if (!block_.empty()) log_.Append(block_.Finish(log_.next()), writes_);
  if (writes_.empty()) return absl::OkStatus();
  const absl::Status status = engine_.Write(writes_);
  if (!status.ok()) {
    return absl::IsAborted(status) ? status : Error(absl::StatusCode::kAborted, "outcome unknown: ", status.message());
  }
  log_.Committed();
  return absl::OkStatus();
}

void Scheduler::Core::Advance() {
  for (uint32_t slot = table_.ExpiredLease(timeline_->now()); slot != TaskTable::kNoTask;
       slot = table_.ExpiredLease(timeline_->now())) {
    EndAttempt(slot, "the lease ran out", 0, /*unknown=*/true);
    if (block_.size() > kExpiryBytes) break;  // the rest next time
  }
  table_.Release(*timeline_);
}

absl::Status Scheduler::Core::ShortenLog() {
  // The block under way is no candidate, nor is the last one if there is none: the log is never empty once begun.
  const uint64_t end = block_.empty() ? log_.next() - 1 : log_.next();
  const uint64_t max_drops = kMaxDrops + block_.size() / kBytesPerDrop;
  const size_t full = std::min(2 * block_.size() + kCarryBytes, kBlockBytes);
  uint64_t drops = 0;
  for (; drops < max_drops && log_.first() + drops < end; ++drops) {
    const uint64_t oldest = log_.first() + drops;
    if (table_.live_in_block(oldest) == 0) continue;
    if (log_.bytes() <= std::max(options_.min_log_bytes, kLogFactor * table_.live_bytes())) break;
    NW_RETURN_IF_ERROR(CarryFrom(oldest, full));
    if (table_.live_in_block(oldest) > 0) break;
  }
  if (drops > 0) log_.DropFront(drops, writes_);
  return absl::OkStatus();
}

absl::Status Scheduler::Core::CarryFrom(uint64_t number, size_t full) {
  if (block_.size() >= full) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const std::shared_ptr<const std::string> bytes, log_.Read(number));
  TaskBlockReader block(*bytes);
  TaskBlockHeader header;
  TaskOp op;
  if (!block.ReadHeader(number, header)) {
    return Error(absl::StatusCode::kDataLoss, "scheduler log: block ", number, " is damaged");
  }
  while (block_.size() < full && block.Next(op)) {
    if (op.kind != TaskOpKind::kTask || table_.row(op.slot).record != LogPlace::Of(number, op.offset)) continue;
    const TaskRow& row = table_.row(op.slot);
    NW_ASSIGN_OR_RETURN(const std::string error, ReadError(op.slot));
    op.error = error;
    op.created = row.created;
    op.due = row.due;
    op.delay = row.delay;
    op.epoch = row.epoch;
    op.attempts = row.attempts;
    op.unknown = row.unknown;
    op.cause = row.cause;
    op.until = row.until;
    op.state = row.state == TaskRow::State::kLeased ? StoredState::kLeased
               : row.state == TaskRow::State::kDead ? StoredState::kDead
                                                    : StoredState::kWaiting;
    Do(op);
  }
  return absl::OkStatus();
}

void Scheduler::Core::Do(TaskOp& op) {
  block_.Add(op);
  const absl::Status status = table_.Apply(op, log_.next(), timeline_->now());
  NW_CHECK(status.ok(), "a task does what was decided for it");
}

absl::StatusOr<std::shared_ptr<const std::string>> Scheduler::Core::ReadBlock(uint64_t number) {
  if (number != log_.next()) return log_.Read(number);
  // Not owned, nor copied: a turn may look into it once for every task.
  return std::shared_ptr<const std::string>(std::shared_ptr<const std::string>(), &block_.bytes());
}

void Scheduler::Core::Close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  for (Waiter* waiter : waiters_) {
    waiter->woken = true;
    waiter->wake.notify_one();
  }
  idle_.wait(lock, [this] { return !leading_ && calls_.empty() && waiters_.empty(); });
}

// ---- Waiting for work -----------------------------------------------------------------------------------------------

// With the mutex held, by a leader at the end of its turns.
void Scheduler::Core::WakeWaiters() {
  const std::optional<int64_t> until = table_.UntilNext(*timeline_);
  next_event_ = Steady::time_point::max();
  if (until) {
    next_event_ = Steady::now() + std::min<Steady::duration>(std::chrono::nanoseconds(*until), std::chrono::hours(24));
  }
  // One for each queue that has work: when it has taken what it wants, it is the next one's turn.
  std::vector<uint16_t> queues;
  for (Waiter* waiter : waiters_) {
    if (waiter->keeps_time) waiter->wake.notify_one();  // looks at the time anew
    if (std::find(queues.begin(), queues.end(), waiter->queue) != queues.end()) continue;
    if (table_.NextReady(waiter->queue) == TaskTable::kNoTask) continue;
    queues.push_back(waiter->queue);
    waiter->woken = true;
    waiter->wake.notify_one();
  }
}

void Scheduler::Core::Join(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  waiters_.push_back(&waiter);
}

void Scheduler::Core::Leave(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  waiters_.remove(&waiter);
  // What it was woken for may have been more than it took; and somebody has to keep the time.
  for (Waiter* other : waiters_) {
    if (other->queue != waiter.queue && !waiter.keeps_time) continue;
    if (other->queue == waiter.queue) other->woken = true;
    other->wake.notify_one();
  }
  if (waiters_.empty()) idle_.notify_all();
}

bool Scheduler::Core::AwaitWork(Waiter& waiter, Steady::time_point deadline) {
  std::unique_lock lock(mutex_);
  while (!waiter.woken && !closed_ && Steady::now() < deadline) {
    // One of those who wait keeps an eye on the time for all.
    waiter.keeps_time =
        std::none_of(waiters_.begin(), waiters_.end(), [&](const Waiter* w) { return w != &waiter && w->keeps_time; });
    if (!waiter.keeps_time) {
      waiter.wake.wait_until(lock, deadline);
      continue;
    }
    const Steady::time_point look = std::min(next_event_, Steady::now() + kLookAtClock);
    waiter.wake.wait_until(lock, std::min(deadline, look));
    if (Steady::now() >= look) break;  // a turn will tell
  }
  const bool again = waiter.woken || Steady::now() < deadline;
  waiter.woken = false;
  return again;
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#include "src/scheduler/task_table.h"

#include <algorithm>
#include <cstring>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/base/sha256.h"

namespace northwind::internal {
namespace {

using State = TaskRow::State;

LogPlace PlaceOfError(const TaskOp& op, uint64_t block) {
  return op.error.empty() ? LogPlace() : LogPlace::Of(block, op.error_offset);
}

absl::Status Impossible(const TaskOp& op, const char* what) {
  return Error(absl::StatusCode::kDataLoss, "scheduler log: task ", op.number, " ", what);
}

}  // namespace

IdHash HashTaskId(std::string_view id) {
  const Hash256 hash = Sha256::Of(id);
  IdHash result;
  std::memcpy(result.data(), hash.data(), sizeof(result));
  return result;
}

TaskTable::TaskTable() : ids_(0, SlotHash{&rows_}, SlotEqual{&rows_}) { keys_.emplace_back(); }

// ---- Ops ------------------------------------------------------------------------------------------------------------

absl::Status TaskTable::Apply(const TaskOp& op, uint64_t block, int64_t line) {
  const bool here = op.slot < rows_.size() && rows_[op.slot].state != State::kFree;
  if (op.kind == TaskOpKind::kTask) {
    if (!here) return Insert(op, block);
    // Carried to the end of the log.
    TaskRow& row = rows_[op.slot];
    if (row.number != op.number || row.epoch != op.epoch) return Impossible(op, "takes the place of another");
    DropRecord(row);
    PlaceRecord(row, op, block);
    return absl::OkStatus();
  }
  if (!here || rows_[op.slot].number != op.number) {
    if (replaying_ && op.number < oldest_number_) return absl::OkStatus();
    return Impossible(op, "is not there");
  }
  TaskRow& row = rows_[op.slot];
  switch (op.kind) {
    case TaskOpKind::kTask:
      break;
    case TaskOpKind::kLeased:
      if (op.prolongs) {
        if (row.state != State::kLeased || op.epoch != row.epoch) return Impossible(op, "is not leased so");
        row.until = op.until;
        if (!replaying_) PushTimer(leases_, row.until, op.slot);
        return absl::OkStatus();
      }
      if ((row.state != State::kWaiting && row.state != State::kReady) || op.epoch != row.epoch + 1) {
        return Impossible(op, "cannot be leased");
      }
      Detach(op.slot);
      row.epoch = op.epoch;
      ++row.attempts;
      row.until = op.until;
      row.state = State::kLeased;
      break;
    case TaskOpKind::kGone:
      Remove(op.slot);
      return absl::OkStatus();
    case TaskOpKind::kWaits:
    case TaskOpKind::kDead:
      // A late word about an attempt: the timer of the next one stands, and must not be there twice.
      if (op.kind == TaskOpKind::kWaits && row.state == State::kWaiting && row.due == op.due) {
        row.delay = op.delay;
        row.unknown = op.unknown;
        row.error = PlaceOfError(op, block);
        return absl::OkStatus();
      }
      Detach(op.slot);
      if (op.kind == TaskOpKind::kWaits) {
        row.state = State::kWaiting;
        row.due = op.due;
        row.delay = op.delay;
      } else {
        row.state = State::kDead;
        row.cause = op.cause;
        row.until = op.until;
      }
      row.unknown = op.unknown;
      row.error = PlaceOfError(op, block);
      break;
    case TaskOpKind::kAgain:
      if (row.state != State::kDead) return Impossible(op, "is not dead");
      Detach(op.slot);
      row.state = State::kWaiting;
      row.due = op.due;
      row.delay = op.delay;
      row.created = line;
      row.attempts = 0;
      row.unknown = false;
      ++row.epoch;  // whoever worked on it last must not end what begins anew
      break;
  }
  Attach(op.slot);
  return absl::OkStatus();
}

absl::Status TaskTable::Insert(const TaskOp& op, uint64_t block) {
  const IdHash id = HashTaskId(op.id);
  if (ids_.contains(id)) return Impossible(op, "has the id of another");
  const std::optional<uint16_t> queue = QueueNumber(op.queue, /*make=*/true);
  if (!queue || op.slot >= kMaxSlots || (!KnowsPolicy(std::string(op.policy)) && policies() >= kMaxPolicies)) {
    return Impossible(op, "cannot be taken");
  }
  if (op.slot < rows_.size()) {
    // When it happens, the slot taken is always the last one that was freed.
    if (!free_.empty() && free_.back() == op.slot) {
      free_.pop_back();
    } else if (!replaying_) {
      return Impossible(op, "takes a slot out of turn");
    }
  } else {
    if (!replaying_ && op.slot != rows_.size()) return Impossible(op, "takes a slot out of turn");
    rows_.resize(op.slot + size_t{1});
  }
  TaskRow& row = rows_[op.slot];
  row = TaskRow{.id = id,
                .number = op.number,
                .created = op.created,
                .due = op.due,
                .until = op.until,
                .delay = op.delay,
                .epoch = op.epoch,
                .attempts = op.attempts,
                .queue = *queue,
                .policy = InternPolicy(op.policy),
                .priority = op.priority,
                .unknown = op.unknown,
                .cause = op.cause};
  switch (op.state) {
    case StoredState::kWaiting:
      row.state = State::kWaiting;
      break;
    case StoredState::kLeased:
      row.state = State::kLeased;
      break;
    case StoredState::kDead:
      row.state = State::kDead;
      break;
  }
  if (!op.key.empty()) row.key = InternKey(*queue, op.key);
  PlaceRecord(row, op, block);
  ids_.insert(op.slot);
  next_number_ = std::max(next_number_, op.number + 1);
  if (row.key != 0) ++keys_[row.key]->tasks;
  Attach(op.slot);
  return absl::OkStatus();
}

void TaskTable::Remove(uint32_t slot) {
  TaskRow& row = rows_[slot];
  Detach(slot);
  DropRecord(row);
  ids_.erase(slot);
  Policy& policy = *policies_[row.policy];
  if (--policy.tasks == 0) {
    policy_numbers_.erase(policy.encoded);
    policies_[row.policy].reset();
    free_policies_.push_back(row.policy);
  }
  const uint32_t key = row.key;
  if (key != 0) {
    --keys_[key]->tasks;
    keys_[key]->order.erase(row.number);
  }
  row = TaskRow();
  if (!replaying_) free_.push_back(slot);
  if (key != 0) {
    Reoffer(key);
    ReleaseKey(key);
  }
}

void TaskTable::PlaceRecord(TaskRow& row, const TaskOp& op, uint64_t block) {
  row.record = LogPlace::Of(block, op.offset);
  row.record_bytes = op.bytes;
  row.error = PlaceOfError(op, block);
  live_bytes_ += op.bytes;
  ++live_in_block_[block];
}

void TaskTable::DropRecord(TaskRow& row) {
  live_bytes_ -= row.record_bytes;
  const auto block = live_in_block_.find(row.record.block());
  if (--block->second == 0) live_in_block_.erase(block);
}

uint32_t TaskTable::live_in_block(uint64_t block) const {
  const auto found = live_in_block_.find(block);
  return found == live_in_block_.end() ? 0 : found->second;
}

void TaskTable::BeginReplay(uint64_t oldest_number) {
  replaying_ = true;
  oldest_number_ = oldest_number;
}

void TaskTable::EndReplay(uint64_t next_number) {
  replaying_ = false;
  next_number_ = std::max(next_number_, next_number);
  free_.clear();
  timers_.clear();
  leases_.clear();
  timers_.reserve(waiting_);
  for (uint32_t slot = static_cast<uint32_t>(rows_.size()); slot-- > 0;) {
    const TaskRow& row = rows_[slot];
    if (row.state == State::kFree) free_.push_back(slot);
    if (row.state == State::kWaiting) timers_.push_back({row.due, slot});
    if (row.state == State::kLeased) leases_.push_back({row.until, slot});
  }
  std::make_heap(timers_.begin(), timers_.end());
  std::make_heap(leases_.begin(), leases_.end());
}

// ---- States ---------------------------------------------------------------------------------------------------------

void TaskTable::Attach(uint32_t slot) {
  TaskRow& row = rows_[slot];
  Queue& queue = *queues_[row.queue];
  switch (row.state) {
    case State::kFree:
    case State::kReady:
      break;
    case State::kWaiting:
      ++queue.waiting;
      ++waiting_;
      if (!replaying_) PushTimer(timers_, row.due, slot);
      break;
    case State::kLeased:
      ++queue.leased;
      ++leased_;
      if (row.key != 0) ++keys_[row.key]->leased;
      if (!replaying_) PushTimer(leases_, row.until, slot);
      break;
    case State::kDead:
      ++queue.dead;
      dead_.emplace(row.until, row.number, slot);
      break;
  }
  if (row.key == 0) return;
  PlaceInOrder(row, slot);
  Reoffer(row.key);
}

void TaskTable::PlaceInOrder(const TaskRow& row, uint32_t slot) {
  const KeyOrder order = queues_[row.queue]->config.order;
  if (order == KeyOrder::kNone) return;
  auto& in_order = keys_[row.key]->order;
  if (row.state == State::kDead && order == KeyOrder::kSkipDead) {
    in_order.erase(row.number);
  } else {
    in_order.emplace(row.number, slot);
  }
}

void TaskTable::Detach(uint32_t slot) {
  TaskRow& row = rows_[slot];
  Queue& queue = *queues_[row.queue];
  switch (row.state) {
    case State::kFree:
      break;
    case State::kWaiting:
      --queue.waiting;
      --waiting_;
      break;
    case State::kReady:
      --queue.waiting;
      --queue.all_ready;
      if (row.key == 0) {
        queue.ready.erase(ReadyOf(row, slot));
      } else {
        KeyState& key = *keys_[row.key];
        key.ready.erase(ReadyOf(row, slot));
        if (key.offered && key.offered->slot == slot) {
          queue.ready.erase(*key.offered);
          key.offered.reset();
        }
      }
      break;
    case State::kLeased:
      --queue.leased;
      --leased_;
      if (row.key != 0) --keys_[row.key]->leased;
      break;
    case State::kDead:
      --queue.dead;
      dead_.erase({row.until, row.number, slot});
      break;
  }
}

void TaskTable::MakeReady(uint32_t slot) {
  TaskRow& row = rows_[slot];
  Queue& queue = *queues_[row.queue];
  --waiting_;
  ++queue.all_ready;
  row.state = State::kReady;
  if (row.key == 0) {
    queue.ready.insert(ReadyOf(row, slot));
    return;
  }
  if (queue.config.order == KeyOrder::kNone) keys_[row.key]->ready.insert(ReadyOf(row, slot));
  Reoffer(row.key);
}

// ---- Time -----------------------------------------------------------------------------------------------------------

void TaskTable::PushTimer(std::vector<Timer>& heap, int64_t at, uint32_t slot) {
  heap.push_back({at, slot});
  std::push_heap(heap.begin(), heap.end());
}

void TaskTable::PopTimer(std::vector<Timer>& heap) {
  std::pop_heap(heap.begin(), heap.end());
  heap.pop_back();
}

void TaskTable::DropStaleTimers() {
  constexpr size_t kFew = 4096;
  if (timers_.size() > 2 * waiting_ + kFew) {
    std::erase_if(timers_, [this](const Timer& t) { return !IsTimer(t); });
    std::make_heap(timers_.begin(), timers_.end());
  }
  if (held_back_.size() > waiting_ + kFew) {
    std::erase_if(held_back_, [this](const Timer& t) { return !IsTimer(t); });
    std::make_heap(held_back_.begin(), held_back_.end());
  }
  if (leases_.size() > 2 * leased_ + kFew) {
    std::erase_if(leases_, [this](const Timer& t) { return !IsLease(t); });
    std::make_heap(leases_.begin(), leases_.end());
  }
}

void TaskTable::Release(Timeline& timeline) {
  DropStaleTimers();
  while (!held_back_.empty()) {
    const Timer timer = held_back_.front();
    const bool stale = !IsTimer(timer);
    if (!stale && !timeline.Release(timer.at)) break;
    PopTimer(held_back_);
    if (!stale) MakeReady(timer.slot);
  }
  while (!timers_.empty() && timers_.front().at <= timeline.now()) {
    const Timer timer = timers_.front();
    PopTimer(timers_);
    if (!IsTimer(timer)) continue;
    if (timeline.Release(timer.at)) {
      MakeReady(timer.slot);
    } else {
      PushTimer(held_back_, timer.at, timer.slot);
    }
  }
}

uint32_t TaskTable::ExpiredLease(int64_t now) {
  while (!leases_.empty() && leases_.front().at <= now) {
    const Timer timer = leases_.front();
    PopTimer(leases_);
    if (IsLease(timer)) return timer.slot;
  }
  return kNoTask;
}

std::vector<uint32_t> TaskTable::Leased() const {
  std::vector<uint32_t> slots;
  for (uint32_t slot = 0; slot < rows_.size(); ++slot) {
    if (rows_[slot].state == State::kLeased) slots.push_back(slot);
  }
  return slots;
}

std::optional<int64_t> TaskTable::NextDue() {
  std::optional<int64_t> due;
  for (std::vector<Timer>* heap : {&timers_, &held_back_}) {
    while (!heap->empty() && !IsTimer(heap->front())) PopTimer(*heap);
    if (!heap->empty()) due = std::min(due.value_or(heap->front().at), heap->front().at);
  }
  return due;
}

std::optional<int64_t> TaskTable::UntilNext(const Timeline& timeline) {
  std::optional<int64_t> until;
  if (const std::optional<int64_t> due = NextDue()) {
    // Due and not ready: held back.
    until = *due <= timeline.now() ? timeline.UntilRelease() : *due - timeline.now();
  }
  while (!leases_.empty() && !IsLease(leases_.front())) PopTimer(leases_);
  if (!leases_.empty()) {
    const int64_t lease = std::max<int64_t>(leases_.front().at - timeline.now(), 0);
    until = std::min(until.value_or(lease), lease);
  }
  return until;
}

// ---- Queues and keys ------------------------------------------------------------------------------------------------

uint32_t TaskTable::Find(const IdHash& id) const {
  const auto found = ids_.find(id);
  return found == ids_.end() ? kNoTask : *found;
}

uint32_t TaskTable::Resolve(const TaskHandle& handle) const {
  if (handle.slot >= rows_.size()) return kNoTask;
  const TaskRow& row = rows_[handle.slot];
  const bool same = row.state != State::kFree && row.number == handle.number && row.epoch == handle.epoch;
  return same && handle.epoch != 0 ? handle.slot : kNoTask;
}

std::string_view TaskTable::KeyName(const TaskRow& row) const {
  return row.key == 0 ? std::string_view() : std::string_view(keys_[row.key]->name);
}

std::optional<uint16_t> TaskTable::QueueNumber(std::string_view name, bool make) {
  if (const auto found = queue_numbers_.find(ToAbsl(name)); found != queue_numbers_.end()) return found->second;
  if (!make || queues_.size() >= kMaxTaskQueues) return std::nullopt;
  const auto number = static_cast<uint16_t>(queues_.size());
  queues_.push_back(std::make_unique<Queue>());
  queues_.back()->name = name;
  queue_numbers_.emplace(std::string(name), number);
  return number;
}

uint32_t TaskTable::NextReady(uint16_t number) {
  const Queue& queue = *queues_[number];
  return queue.config.paused || queue.ready.empty() ? kNoTask : queue.ready.begin()->slot;
}

std::optional<TaskTable::Ready> TaskTable::NextOfKey(const KeyState& key) const {
  const QueueConfig& config = queues_[key.queue]->config;
  const uint32_t limit = key.config.max_leased != 0 ? key.config.max_leased : config.max_per_key;
  if (key.config.paused || (limit != 0 && key.leased >= limit)) return std::nullopt;
  if (config.order == KeyOrder::kNone) {
    return key.ready.empty() ? std::nullopt : std::optional<Ready>(*key.ready.begin());
  }
  if (key.order.empty() || key.leased > 0) return std::nullopt;
  const uint32_t first = key.order.begin()->second;
  return rows_[first].state == State::kReady ? std::optional<Ready>(ReadyOf(rows_[first], first)) : std::nullopt;
}

void TaskTable::Reoffer(uint32_t number) {
  KeyState& key = *keys_[number];
  const std::optional<Ready> next = NextOfKey(key);
  if (next == key.offered) return;
  absl::btree_set<Ready>& ready = queues_[key.queue]->ready;
  if (key.offered) ready.erase(*key.offered);
  if (next) ready.insert(*next);
  key.offered = next;
}

uint32_t TaskTable::InternKey(uint16_t queue, std::string_view name) {
  const auto [found, added] = key_numbers_.try_emplace({queue, std::string(name)}, 0);
  if (!added) return found->second;
  if (free_keys_.empty()) {
    free_keys_.push_back(static_cast<uint32_t>(keys_.size()));
    keys_.emplace_back();
  }
  const uint32_t number = free_keys_.back();
  free_keys_.pop_back();
  keys_[number] = std::make_unique<KeyState>();
  keys_[number]->name = name;
  keys_[number]->queue = queue;
  found->second = number;
  return number;
}

void TaskTable::ReleaseKey(uint32_t number) {
  const KeyState& key = *keys_[number];
  if (key.tasks > 0 || key.config != KeyConfig()) return;
  key_numbers_.erase({key.queue, key.name});
  keys_[number].reset();
  free_keys_.push_back(number);
}

uint16_t TaskTable::InternPolicy(std::string_view encoded) {
  const auto [found, added] = policy_numbers_.try_emplace(std::string(encoded), 0);
  if (added) {
    if (free_policies_.empty()) {
      free_policies_.push_back(static_cast<uint16_t>(policies_.size()));
      policies_.emplace_back();
    }
    found->second = free_policies_.back();
    free_policies_.pop_back();
    ByteReader in(encoded);
    RetryPolicy policy;
    NW_CHECK(DecodePolicy(in, policy), "a policy that was checked");
    policies_[found->second] = std::make_unique<Policy>(policy);
    policies_[found->second]->encoded = encoded;
  }
  ++policies_[found->second]->tasks;
  return found->second;
}

void TaskTable::ConfigureQueue(uint16_t number, const QueueConfig& config) {
  Queue& queue = *queues_[number];
  const bool reordered = config.order != queue.config.order;
  queue.config = config;
  for (uint32_t slot = 0; reordered && slot < rows_.size(); ++slot) {
    const TaskRow& row = rows_[slot];
    if (row.state == State::kFree || row.queue != number || row.key == 0) continue;
    KeyState& key = *keys_[row.key];
    if (config.order == KeyOrder::kNone) {
      key.order.clear();
      if (row.state == State::kReady) key.ready.insert(ReadyOf(row, slot));
    } else {
      key.ready.clear();
      PlaceInOrder(row, slot);
    }
  }
  for (uint32_t key = 1; key < keys_.size(); ++key) {
    if (keys_[key] != nullptr && keys_[key]->queue == number) Reoffer(key);
  }
}

void TaskTable::ConfigureKey(uint16_t queue, std::string_view name, const KeyConfig& config) {
  const uint32_t key = InternKey(queue, name);
  if (keys_[key]->config != KeyConfig()) --configured_keys_;
  if (config != KeyConfig()) ++configured_keys_;
  keys_[key]->config = config;
  Reoffer(key);
  ReleaseKey(key);
}

KeyConfig TaskTable::key_config(uint16_t queue, std::string_view name) const {
  const auto found = key_numbers_.find({queue, std::string(name)});
  return found == key_numbers_.end() ? KeyConfig() : keys_[found->second]->config;
}

std::vector<QueueStats> TaskTable::Stats() const {
  std::vector<QueueStats> stats;
  for (const auto& queue : queues_) {
    stats.push_back({.queue = queue->name,
                     .config = queue->config,
                     .waiting = queue->waiting,
                     .ready = queue->all_ready,
                     .leased = queue->leased,
                     .dead = queue->dead});
  }
  std::sort(stats.begin(), stats.end(), [](const auto& a, const auto& b) { return a.queue < b.queue; });
  return stats;
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
//
// What calls do in their turn: dead letters, queues and keys, figures.
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
using internal::TaskLog;
using internal::TaskOp;
using internal::TaskOpKind;
using internal::TaskRow;
using internal::TaskTable;

namespace {

constexpr size_t kStep = 1000;  // dead letters dealt with in one turn
// Dead letters looked at in one turn; one that must be read for its id counts as so many.
constexpr size_t kMaxLooks = 100'000;
constexpr size_t kReadLooks = 100;
constexpr int64_t kSecond = 1'000'000'000;

}  // namespace

// ---- Dead letters ---------------------------------------------------------------------------------------------------

absl::StatusOr<bool> Scheduler::Core::Matches(uint32_t slot, const DeadFilter& filter) {
  const TaskRow& row = table_.row(slot);
  if (!filter.queue.empty() && table_.QueueName(row) != filter.queue) return false;
  if (!filter.key.empty() && table_.KeyName(row) != filter.key) return false;
  if (filter.id_prefix.empty()) return true;
  std::shared_ptr<const std::string> block;
  NW_ASSIGN_OR_RETURN(const TaskOp record, ReadRecord(slot, block));
  return record.id.substr(0, filter.id_prefix.size()) == filter.id_prefix;
}

absl::StatusOr<DeadPage> Scheduler::Core::ListDead(const DeadFilter& filter, std::optional<DeadCursor> after,
                                                   size_t limit) {
  NW_RETURN_IF_ERROR(CheckCount(limit, kMaxDeadPage));
  DeadPage page;
  NW_RETURN_IF_ERROR(Run(0, [&]() -> absl::Status {
    const int64_t from = ToLine(filter.died_from), before = ToLine(filter.died_before);
    auto it = table_.dead().lower_bound({from, 0, 0});
    if (after && after->died_at >= from) it = table_.dead().upper_bound({after->died_at, after->number, UINT32_MAX});
    DeadCursor last;
    const size_t look = filter.id_prefix.empty() ? 1 : kReadLooks;
    for (size_t looks = 0; it != table_.dead().end() && std::get<0>(*it) < before; ++it, looks += look) {
      if (page.tasks.size() == limit || looks >= kMaxLooks) {
        page.next = last;
        break;
      }
      last = {.died_at = std::get<0>(*it), .number = std::get<1>(*it)};
      NW_ASSIGN_OR_RETURN(const bool wanted, Matches(std::get<2>(*it), filter));
      if (!wanted) continue;
      NW_ASSIGN_OR_RETURN(TaskInfo info, Describe(std::get<2>(*it)));
      page.tasks.push_back(std::move(info));
    }
    return absl::OkStatus();
  }));
  return page;
}

void Scheduler::Core::Redrive(uint32_t slot, int64_t due) {
  const TaskRow& row = table_.row(slot);
  // Of the attempts anew, the first: its random number is one that no attempt before had.
  const Backoff::Next first = table_.backoff(row).First(due, RandomOf(row.number, UINT32_MAX - row.epoch));
  TaskOp op = OpOn(TaskOpKind::kAgain, row, slot);
  op.due = first.due;
  op.delay = first.delay;
  Do(op);
}

absl::StatusOr<size_t> Scheduler::Core::ForDead(absl::Span<const std::string> ids,
                                                absl::FunctionRef<void(uint32_t slot)> end) {
  if (ids.empty()) return 0;
  NW_RETURN_IF_ERROR(CheckCount(ids.size(), kMaxTasksPerCall));
  size_t count = 0;
  NW_RETURN_IF_ERROR(Run(ids.size() * kOpBytes, [&]() -> absl::Status {
    for (const std::string& id : ids) {
      const uint32_t slot = table_.Find(HashTaskId(id));
      if (slot == TaskTable::kNoTask || table_.row(slot).state != TaskRow::State::kDead) continue;
      end(slot);
      ++count;
    }
    return absl::OkStatus();
  }));
  return count;
}

absl::StatusOr<size_t> Scheduler::Core::RedriveIds(absl::Span<const std::string> ids) {
  return ForDead(ids, [this](uint32_t slot) { Redrive(slot, timeline_->now()); });
}

absl::StatusOr<size_t> Scheduler::Core::DiscardIds(absl::Span<const std::string> ids) {
  return ForDead(ids, [this](uint32_t slot) { Remove(slot); });
}

absl::StatusOr<size_t> Scheduler::Core::EndDead(const DeadFilter& filter, std::optional<uint32_t> redrive_per_second) {
  size_t count = 0;
  std::optional<int64_t> start;
  // Those that died before the first step and no others: what is redriven may die again meanwhile.
  std::optional<TaskTable::DeadRef> place;
  int64_t end = 0;
  for (bool more = true; more;) {
    NW_RETURN_IF_ERROR(Run(kStep * kOpBytes, [&]() -> absl::Status {
      more = false;
      if (!start) {
        start = timeline_->now();
        end = std::min(ToLine(filter.died_before), SaturatingAdd(*start, 1));
        place = TaskTable::DeadRef{ToLine(filter.died_from), 0, 0};
      }
      std::vector<uint32_t> chosen;
      size_t looks = 0;
      const size_t look = filter.id_prefix.empty() ? 1 : kReadLooks;
      for (auto it = table_.dead().lower_bound(*place); it != table_.dead().end() && std::get<0>(*it) < end; ++it) {
        if (chosen.size() == kStep || (looks += look) > kMaxLooks) {
          place = *it;
          more = true;
          break;
        }
        NW_ASSIGN_OR_RETURN(const bool wanted, Matches(std::get<2>(*it), filter));
        if (wanted) chosen.push_back(std::get<2>(*it));
      }
      for (const uint32_t slot : chosen) {
        if (!redrive_per_second) {
          Remove(slot);
        } else {
          const int64_t spread = *redrive_per_second == 0 ? 0
                                                          : static_cast<int64_t>(count) * kSecond /
                                                                static_cast<int64_t>(*redrive_per_second);
          Redrive(slot, std::max(SaturatingAdd(*start, spread), timeline_->now()));
        }
        ++count;
      }
      return absl::OkStatus();
    }));
  }
  return count;
}

// ---- Queues and keys ------------------------------------------------------------------------------------------------

absl::Status Scheduler::Core::ChangeQueue(std::string_view queue, absl::FunctionRef<void(QueueConfig&)> change) {
  NW_RETURN_IF_ERROR(CheckName("queue", queue, 1, kMaxQueueNameBytes));
  return Run(kOpBytes, [&]() -> absl::Status {
    NW_ASSIGN_OR_RETURN(const uint16_t number, QueueOf(queue));
    QueueConfig config = table_.queue_config(number);
    change(config);
    if (config.order > KeyOrder::kSkipDead) return Bad("unknown order of a queue");
    if (config == table_.queue_config(number)) return absl::OkStatus();
    table_.ConfigureQueue(number, config);
    TaskLog::PutQueue(queue, config, writes_);
    return absl::OkStatus();
  });
}

absl::StatusOr<QueueConfig> Scheduler::Core::GetQueue(std::string_view queue) {
  NW_RETURN_IF_ERROR(CheckName("queue", queue, 1, kMaxQueueNameBytes));
  QueueConfig config;
  NW_RETURN_IF_ERROR(Run(0, [&]() -> absl::Status {
    if (const auto number = table_.QueueNumber(queue, /*make=*/false)) config = table_.queue_config(*number);
    return absl::OkStatus();
  }));
  return config;
}

absl::Status Scheduler::Core::ChangeKey(std::string_view queue, std::string_view key,
                                        absl::FunctionRef<void(KeyConfig&)> change) {
  NW_RETURN_IF_ERROR(CheckName("queue", queue, 1, kMaxQueueNameBytes));
  NW_RETURN_IF_ERROR(CheckName("task key", key, 1, kMaxTaskKeyBytes));
  return Run(kOpBytes + queue.size() + key.size(), [&]() -> absl::Status {
    NW_ASSIGN_OR_RETURN(const uint16_t number, QueueOf(queue));
    KeyConfig config = table_.key_config(number, key);
    change(config);
    const KeyConfig before = table_.key_config(number, key);
    if (config == before) return absl::OkStatus();
    if (before == KeyConfig() && table_.configured_keys() >= kMaxTaskKeySettings) {
      return Error(absl::StatusCode::kResourceExhausted, "scheduler: ", kMaxTaskKeySettings,
                   " keys have settings of their own");
    }
    table_.ConfigureKey(number, key, config);
    TaskLog::PutKey(queue, key, config, writes_);
    return absl::OkStatus();
  });
}

absl::StatusOr<KeyConfig> Scheduler::Core::GetKey(std::string_view queue, std::string_view key) {
  KeyConfig config;
  NW_RETURN_IF_ERROR(Run(0, [&]() -> absl::Status {
    if (const auto number = table_.QueueNumber(queue, /*make=*/false)) config = table_.key_config(*number, key);
    return absl::OkStatus();
  }));
  return config;
}

absl::StatusOr<SchedulerStats> Scheduler::Core::Stats() {
  SchedulerStats stats;
  NW_RETURN_IF_ERROR(Run(0, [&]() -> absl::Status {
    stats.queues = table_.Stats();
    stats.tasks = table_.size();
    stats.log_bytes = log_.bytes();
    stats.live_bytes = table_.live_bytes();
    if (const auto due = table_.NextDue()) stats.next_due = ToWall(*due);
    return absl::OkStatus();
  }));
  return stats;
}

}  // namespace northwind

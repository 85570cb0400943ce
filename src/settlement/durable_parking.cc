// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/durable_parking.h"

#include <algorithm>
#include <optional>

#include "absl/strings/escaping.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"

namespace northwind {

RetryPolicy IntakeOptions::DefaultParkPolicy() {
  RetryPolicy policy;
  for (int minutes = 1; minutes <= 256; minutes *= 2) policy.delays.push_back(absl::Minutes(minutes));
  while (policy.delays.size() < 40) policy.delays.push_back(absl::Hours(6));
  policy.max_age = absl::Hours(7 * 24);
  return policy;
}

namespace internal {
namespace {

constexpr char kQueue[] = "nw/parked";
constexpr size_t kIdBytes = 16;
constexpr absl::Duration kLease = absl::Minutes(10);

std::string TaskIdOf(std::string_view raw) {
  const Hash256 hash = Sha256::Of(raw);
  const std::string_view bytes = AsBytes(hash).substr(0, kIdBytes);
  return absl::StrCat(kQueue, "/", absl::BytesToHexString(ToAbsl(bytes)));
}

absl::StatusOr<DurableParking::Kept> Decode(const TaskInfo& task) {
  ByteReader in(task.payload);
  DurableParking::Kept kept;
  uint8_t format = 0;
  std::string_view raw;
  if (!in.GetByte(format) || format < 1 || format > 2 || !in.GetVarint64(kept.position) ||
      !in.GetRaw(in.remaining(), raw) || raw.empty() || raw.size() > kMaxEventBytes) {
    return Error(absl::StatusCode::kDataLoss, "parked event damaged: task ", task.id);
  }
  kept.format = static_cast<EventFormat>(format);
  kept.raw = raw;
  kept.given_up = task.state == TaskState::kDead;
  return kept;
}

}  // namespace

absl::StatusOr<std::vector<DurableParking::Kept>> DurableParking::Load() {
  std::vector<Kept> all;
  uint64_t after = 0;
  do {
    NW_ASSIGN_OR_RETURN(const TaskPage page, scheduler_.ListTasks(kQueue, after, kMaxTaskPage));
    for (const TaskInfo& task : page.tasks) {
      NW_ASSIGN_OR_RETURN(Kept kept, Decode(task));
      all.push_back(std::move(kept));
    }
    after = page.next;
  } while (after != 0);
  return all;
}

void DurableParking::Know(std::string_view raw, uint64_t arrival) {
  std::string id = TaskIdOf(raw);
  arrivals_[id] = arrival;
  ids_[arrival] = std::move(id);
}

void DurableParking::Add(const RawEvent& event, uint64_t arrival) {
  Know(event.bytes, arrival);
  // An older task of the same event that could not be removed yet has used up its attempts, and may be dead.
  TaskSpec task{.id = ids_.at(arrival), .queue = kQueue, .policy = policy_, .if_scheduled = IfScheduled::kReplace};
  task.payload.push_back(static_cast<char>(event.format));
  PutVarint64(task.payload, event.position);
  task.payload.append(event.bytes);
  added_.emplace(arrival, std::move(task));
}

void DurableParking::Remove(uint64_t arrival) {
  const auto id = ids_.find(arrival);
  if (id == ids_.end()) return;
  // What came and went within one call was never written.
  if (added_.erase(arrival) == 0) removed_.push_back(id->second);
  arrivals_.erase(id->second);
  ids_.erase(id);
}

void DurableParking::Remove(std::string_view raw) { removed_.push_back(TaskIdOf(raw)); }

absl::Status DurableParking::Flush() {
  // In calls that fit the scheduler's bounds. What is removed goes first: it makes room, and an event that was removed
  // and is parked again has the same id.
  while (!removed_.empty()) {
    const size_t count = std::min(removed_.size(), kMaxTasksPerCall);
    const auto begin = removed_.end() - static_cast<ptrdiff_t>(count);
    NW_RETURN_IF_ERROR(scheduler_.Cancel(std::vector<std::string>(begin, removed_.end())).status());
    removed_.erase(begin, removed_.end());
  }
  while (!added_.empty()) {
    std::vector<TaskSpec> tasks;
    size_t bytes = 0;
    auto end = added_.begin();
    for (; end != added_.end() && tasks.size() < kMaxTasksPerCall; ++end) {
      bytes += end->second.payload.size() + end->second.id.size() + end->second.queue.size();
      if (!tasks.empty() && bytes > kMaxTaskCallBytes) break;
      tasks.push_back(end->second);
    }
    NW_RETURN_IF_ERROR(scheduler_.Schedule(tasks).status());
    added_.erase(added_.begin(), end);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<DurableParking::Due>> DurableParking::Claim(size_t limit) {
  NW_ASSIGN_OR_RETURN(const std::vector<ClaimedTask> tasks,
                      scheduler_.Claim({.queue = kQueue, .max = limit, .lease = kLease}));
  std::vector<Due> due;
  for (const ClaimedTask& task : tasks) {
    const auto arrival = arrivals_.find(task.id);
    // One that waits no more, but whose task outlived a crash.
    if (arrival == arrivals_.end()) {
      removed_.push_back(task.id);
    } else {
      due.push_back({task.handle, arrival->second});
    }
  }
  return due;
}

absl::StatusOr<std::vector<uint64_t>> DurableParking::WaitOn(absl::Span<const Due> due) {
  std::vector<Finish> finishes;
  for (const Due& one : due) {
    finishes.push_back({.task = one.handle, .verdict = Verdict::kRetry, .error = "what it works on has not come"});
  }
  NW_RETURN_IF_ERROR(scheduler_.FinishAll(finishes).status());
  // All that have died, and not only by this call: an attempt that nobody ended is the last of a task as well.
  std::vector<uint64_t> ended;
  NW_ASSIGN_OR_RETURN(const SchedulerStats stats, scheduler_.Stats());
  const bool some = std::any_of(stats.queues.begin(), stats.queues.end(),
                                [](const QueueStats& queue) { return queue.queue == kQueue && queue.dead > 0; });
  if (!some) return ended;  // and dead letters of other queues are not looked through
  std::optional<DeadCursor> after;
  do {
    NW_ASSIGN_OR_RETURN(const DeadPage page, scheduler_.ListDead({.queue = kQueue}, after, kMaxDeadPage));
    for (const TaskInfo& task : page.tasks) {
      const auto arrival = arrivals_.find(task.id);
      if (arrival == arrivals_.end()) {
        removed_.push_back(task.id);
      } else if (!added_.contains(arrival->second)) {
        ended.push_back(arrival->second);
      }
    }
    after = page.next;
  } while (after);
  return ended;
}

}  // namespace internal
}  // namespace northwind

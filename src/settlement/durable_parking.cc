// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/durable_parking.h"

#include <algorithm>

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
  arrivals_.emplace(id, arrival);
  ids_.emplace(arrival, std::move(id));
}

void DurableParking::Add(const RawEvent& event, uint64_t arrival) {
  Know(event.bytes, arrival);
  TaskSpec task{.id = ids_.at(arrival), .queue = kQueue, .policy = policy_, .if_scheduled = IfScheduled::kKeep};
  task.payload.push_back(static_cast<char>(event.format));
  PutVarint64(task.payload, event.position);
  task.payload.append(event.bytes);
  added_.push_back(std::move(task));
}

void DurableParking::Remove(uint64_t arrival) {
  const auto id = ids_.find(arrival);
  if (id == ids_.end()) return;
  // What came and went within one call was never written.
  const auto added =
      std::find_if(added_.begin(), added_.end(), [&](const TaskSpec& task) { return task.id == id->second; });
  if (added != added_.end()) {
    added_.erase(added);
  } else {
    removed_.push_back(id->second);
  }
  arrivals_.erase(id->second);
  ids_.erase(id);
}

void DurableParking::Remove(std::string_view raw) { removed_.push_back(TaskIdOf(raw)); }

absl::Status DurableParking::Flush() {
  // In calls that fit the scheduler's bounds.
  while (!added_.empty()) {
    size_t count = 0, bytes = 0;
    for (; count < added_.size() && count < kMaxTasksPerCall; ++count) {
      bytes += added_[count].payload.size() + added_[count].id.size() + added_[count].queue.size();
      if (count > 0 && bytes > kMaxTaskCallBytes) break;
    }
    NW_RETURN_IF_ERROR(scheduler_.Schedule(absl::MakeConstSpan(added_).first(count)).status());
    added_.erase(added_.begin(), added_.begin() + static_cast<ptrdiff_t>(count));
  }
  while (!removed_.empty()) {
    const size_t count = std::min(removed_.size(), kMaxTasksPerCall);
    NW_RETURN_IF_ERROR(scheduler_.Cancel(absl::MakeConstSpan(removed_).first(count)).status());
    removed_.erase(removed_.begin(), removed_.begin() + static_cast<ptrdiff_t>(count));
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

absl::StatusOr<bool> DurableParking::WaitOn(const Due& due) {
  NW_ASSIGN_OR_RETURN(const FinishOutcome outcome, scheduler_.Retry(due.handle, "what it works on has not come"));
  return outcome != FinishOutcome::kDead;
}

}  // namespace internal
}  // namespace northwind

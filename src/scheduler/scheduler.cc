// SPDX-License-Identifier: Apache-2.0
#include "northwind/scheduler.h"

#include <utility>

#include "northwind/status.h"
#include "src/scheduler/scheduler_core.h"

namespace northwind {

Scheduler::Scheduler(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Scheduler::~Scheduler() = default;

absl::StatusOr<std::unique_ptr<Scheduler>> Scheduler::Open(Store& store, const SchedulerOptions& options) {
  NW_ASSIGN_OR_RETURN(auto core, Core::Open(store.engine(), options));
  return std::unique_ptr<Scheduler>(new Scheduler(std::move(core)));
}

void Scheduler::Close() { core_->Close(); }

absl::StatusOr<std::vector<ScheduleOutcome>> Scheduler::Schedule(absl::Span<const TaskSpec> tasks,
                                                                 absl::Span<const HostRecord> host_records) {
  return core_->Schedule(tasks, host_records);
}

absl::StatusOr<ScheduleOutcome> Scheduler::Schedule(const TaskSpec& task) {
  NW_ASSIGN_OR_RETURN(const std::vector<ScheduleOutcome> outcomes, core_->Schedule({&task, 1}, {}));
  return outcomes.front();
}

absl::StatusOr<std::vector<bool>> Scheduler::Cancel(absl::Span<const std::string> ids) { return core_->Cancel(ids); }
absl::StatusOr<TaskInfo> Scheduler::GetTask(std::string_view id) { return core_->GetTask(id); }
absl::StatusOr<TaskPage> Scheduler::ListTasks(std::string_view queue, uint64_t after, size_t limit) {
  return core_->ListTasks(queue, after, limit);
}
absl::StatusOr<std::vector<ClaimedTask>> Scheduler::Claim(const ClaimOptions& options) { return core_->Claim(options); }

absl::StatusOr<std::vector<FinishOutcome>> Scheduler::Extend(absl::Span<const Extension> leases, absl::Duration lease) {
  return core_->Extend(leases, lease);
}

absl::StatusOr<FinishOutcome> Scheduler::Extend(const TaskHandle& task, absl::Duration lease) {
  const Extension extension{.task = task};
  NW_ASSIGN_OR_RETURN(const std::vector<FinishOutcome> outcomes, core_->Extend({&extension, 1}, lease));
  return outcomes.front();
}

absl::StatusOr<std::vector<FinishOutcome>> Scheduler::FinishAll(absl::Span<const Finish> attempts) {
  return core_->FinishAll(attempts);
}

absl::StatusOr<FinishOutcome> Scheduler::Complete(const TaskHandle& task) {
  const Finish attempt{.task = task};
  NW_ASSIGN_OR_RETURN(const std::vector<FinishOutcome> outcomes, core_->FinishAll({&attempt, 1}));
  return outcomes.front();
}

absl::StatusOr<FinishOutcome> Scheduler::Retry(const TaskHandle& task, std::string_view error, absl::Time not_before) {
  const Finish attempt{.task = task, .verdict = Verdict::kRetry, .error = std::string(error), .not_before = not_before};
  NW_ASSIGN_OR_RETURN(const std::vector<FinishOutcome> outcomes, core_->FinishAll({&attempt, 1}));
  return outcomes.front();
}

absl::StatusOr<FinishOutcome> Scheduler::Kill(const TaskHandle& task, std::string_view reason) {
  const Finish attempt{.task = task, .verdict = Verdict::kKill, .error = std::string(reason)};
  NW_ASSIGN_OR_RETURN(const std::vector<FinishOutcome> outcomes, core_->FinishAll({&attempt, 1}));
  return outcomes.front();
}

absl::StatusOr<DeadPage> Scheduler::ListDead(const DeadFilter& filter, std::optional<DeadCursor> after, size_t limit) {
  return core_->ListDead(filter, after, limit);
}

absl::StatusOr<size_t> Scheduler::Redrive(absl::Span<const std::string> ids) { return core_->RedriveIds(ids); }
absl::StatusOr<size_t> Scheduler::RedriveAll(const DeadFilter& filter, uint32_t per_second) {
  return core_->EndDead(filter, per_second);
}
absl::StatusOr<size_t> Scheduler::Discard(absl::Span<const std::string> ids) { return core_->DiscardIds(ids); }
absl::StatusOr<size_t> Scheduler::DiscardAll(const DeadFilter& filter) { return core_->EndDead(filter, std::nullopt); }

absl::Status Scheduler::ConfigureQueue(std::string_view queue, const QueueConfig& config) {
  return core_->ChangeQueue(queue, [&config](QueueConfig& to) { to = config; });
}
absl::StatusOr<QueueConfig> Scheduler::GetQueue(std::string_view queue) { return core_->GetQueue(queue); }
absl::Status Scheduler::PauseQueue(std::string_view queue) {
  return core_->ChangeQueue(queue, [](QueueConfig& to) { to.paused = true; });
}
absl::Status Scheduler::ResumeQueue(std::string_view queue) {
  return core_->ChangeQueue(queue, [](QueueConfig& to) { to.paused = false; });
}
absl::Status Scheduler::ConfigureKey(std::string_view queue, std::string_view key, const KeyConfig& config) {
  return core_->ChangeKey(queue, key, [&config](KeyConfig& to) { to = config; });
}
absl::StatusOr<KeyConfig> Scheduler::GetKey(std::string_view queue, std::string_view key) {
  return core_->GetKey(queue, key);
}
absl::Status Scheduler::PauseKey(std::string_view queue, std::string_view key) {
  return core_->ChangeKey(queue, key, [](KeyConfig& to) { to.paused = true; });
}
absl::Status Scheduler::ResumeKey(std::string_view queue, std::string_view key) {
  return core_->ChangeKey(queue, key, [](KeyConfig& to) { to.paused = false; });
}

absl::StatusOr<SchedulerStats> Scheduler::Stats() { return core_->Stats(); }

}  // namespace northwind

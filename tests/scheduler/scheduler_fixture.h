// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_SCHEDULER_SCHEDULER_FIXTURE_H_
#define NORTHWIND_TESTS_SCHEDULER_SCHEDULER_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/scheduler.h"
#include "northwind/store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {

// A scheduler in a directory of its own, under a clock that stands still.
class SchedulerFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.clock = &clock_;
    options_.seed = 1;
    Open();
  }
  void Open() {
    NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_, options_));
  }
  void Shut() {
    scheduler_.reset();
    store_.reset();
  }
  void Reopen() {
    Shut();
    Open();
  }

  // 0, 10 s, 20 s, … without jitter.
  static RetryPolicy Plain(uint32_t max_attempts = 0) {
    RetryPolicy policy;
    policy.initial = absl::Seconds(10);
    policy.max_attempts = max_attempts;
    return policy;
  }
  static TaskSpec Task(std::string id, std::string key = {}) {
    return {.id = std::move(id), .queue = "q", .key = std::move(key), .policy = Plain()};
  }
  TaskSpec DueIn(absl::Duration d, std::string id) {
    TaskSpec task = Task(std::move(id));
    task.due = clock_.Now() + d;
    return task;
  }
  ScheduleOutcome Schedule(const TaskSpec& task) {
    const auto outcome = scheduler_->Schedule(task);
    EXPECT_THAT(outcome, IsOk());
    return outcome.value_or(ScheduleOutcome::kLeased);
  }
  void ScheduleAll(const std::vector<TaskSpec>& tasks) {
    const auto outcomes = scheduler_->Schedule(tasks);
    ASSERT_THAT(outcomes, IsOk());
    for (const ScheduleOutcome outcome : *outcomes) EXPECT_EQ(outcome, ScheduleOutcome::kScheduled);
  }
  std::vector<ClaimedTask> Claim(size_t max = 100, absl::Duration lease = absl::Minutes(1)) {
    auto tasks = scheduler_->Claim({.queue = "q", .max = max, .lease = lease});
    EXPECT_THAT(tasks, IsOk());
    return tasks.ok() ? *std::move(tasks) : std::vector<ClaimedTask>();
  }
  ClaimedTask ClaimOne() {
    std::vector<ClaimedTask> tasks = Claim(1);
    EXPECT_EQ(tasks.size(), 1U);
    return tasks.empty() ? ClaimedTask() : std::move(tasks.front());
  }
  static std::vector<std::string> IdsOf(const std::vector<ClaimedTask>& tasks) {
    std::vector<std::string> ids;
    for (const ClaimedTask& task : tasks) ids.push_back(task.id);
    return ids;
  }
  std::vector<std::string> ClaimIds(size_t max = 100) { return IdsOf(Claim(max)); }
  std::vector<std::string> DeadIds(const DeadFilter& filter = {}) {
    const auto page = scheduler_->ListDead(filter, std::nullopt, kMaxDeadPage);
    EXPECT_THAT(page, IsOk());
    std::vector<std::string> ids;
    if (page.ok()) {
      for (const TaskInfo& task : page->tasks) ids.push_back(task.id);
    }
    return ids;
  }
  TaskInfo Info(const std::string& id) {
    auto info = scheduler_->GetTask(id);
    EXPECT_THAT(info, IsOk());
    return info.value_or(TaskInfo());
  }
  FinishOutcome Complete(const ClaimedTask& task) { return Outcome(scheduler_->Complete(task.handle)); }
  FinishOutcome Retry(const ClaimedTask& task, std::string_view error = "failed",
                      absl::Time not_before = absl::InfinitePast()) {
    return Outcome(scheduler_->Retry(task.handle, error, not_before));
  }
  FinishOutcome Kill(const ClaimedTask& task, std::string_view reason = "poison") {
    return Outcome(scheduler_->Kill(task.handle, reason));
  }
  QueueStats Stats(const std::string& queue = "q") {
    const auto stats = scheduler_->Stats();
    EXPECT_THAT(stats, IsOk());
    for (const QueueStats& of : stats->queues) {
      if (of.queue == queue) return of;
    }
    return {};
  }

  TempDir directory_;
  FakeClock clock_;
  SchedulerOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Scheduler> scheduler_;

 private:
  static FinishOutcome Outcome(const absl::StatusOr<FinishOutcome>& outcome) {
    EXPECT_THAT(outcome, IsOk());
    return outcome.value_or(FinishOutcome::kStale);
  }
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SCHEDULER_SCHEDULER_FIXTURE_H_

// SPDX-License-Identifier: Apache-2.0
//
// Random calls, crashes and jumps of the clock, against a plain model of the rules in scheduler.h.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "northwind/scheduler.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_fs.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_on.h"

namespace northwind::testing {
namespace {

// What the rules say, as obvious as can be: a map of tasks, and every question answered by looking at all of them. Delays are those of
// an exponential policy without jitter.
class Model {
 public:
  struct Task {
    std::string id, queue, key, payload, error;
    int priority = 0;
    uint32_t max_attempts = 0;
    int64_t initial = 0, created = 0, due = 0, until = 0, died = 0;
    uint64_t order = 0;  // of scheduling
    uint32_t attempts = 0, epoch = 0;
    enum { kWaiting, kLeased, kDead } state = kWaiting;
    bool unknown = false;
  };
  std::map<std::string, Task> tasks;
  std::map<std::string, QueueConfig> queues;
  std::map<std::pair<std::string, std::string>, KeyConfig> keys;
  uint64_t scheduled = 0;

  void ExpireLeases(int64_t now) {
    for (auto& [id, task] : tasks) {
      if (task.state == Task::kLeased && task.until <= now) Fail(task, now, 0, "the lease ran out", true);
    }
  }
  void EndProcess(int64_t now) {
    for (auto& [id, task] : tasks) {
      if (task.state == Task::kLeased) Fail(task, now, 0, "the process ended during the attempt", true);
    }
  }
  void Fail(Task& task, int64_t now, int64_t not_before, const std::string& error, bool unknown) {
    task.error = error;
    task.unknown = unknown;
    if (task.max_attempts != 0 && task.attempts >= task.max_attempts) {
      task.state = Task::kDead;
      task.died = now;
      return;
    }
    task.state = Task::kWaiting;
    int64_t delay = task.initial;
    for (uint32_t i = 1; i < task.attempts; ++i) delay *= 2;
    task.due = std::max(now + delay, not_before);
  }
  // May this task be claimed now, as far as its queue and key go?
  bool MayRun(const Task& task) const {
    const QueueConfig queue = Get(queues, task.queue);
    if (queue.paused) return false;
    if (task.key.empty()) return true;
    const KeyConfig key = Get(keys, std::pair(task.queue, task.key));
    if (key.paused) return false;
    uint32_t leased = 0;
    for (const auto& [id, other] : tasks) {
      if (other.queue != task.queue || other.key != task.key) continue;
      leased += other.state == Task::kLeased ? 1 : 0;
      if (queue.order == KeyOrder::kNone || other.order >= task.order) continue;
      if (other.state != Task::kDead || queue.order == KeyOrder::kBlockOnDead) return false;
    }
    if (queue.order != KeyOrder::kNone && leased > 0) return false;
    const uint32_t limit = key.max_leased != 0 ? key.max_leased : queue.max_per_key;
    return limit == 0 || leased < limit;
  }
  Task* NextToClaim(const std::string& queue, int64_t now) {
    Task* best = nullptr;
    for (auto& [id, task] : tasks) {
      if (task.queue != queue || task.state != Task::kWaiting || task.due > now || !MayRun(task)) continue;
      if (best == nullptr ||
          std::tuple(-task.priority, task.due, task.order) < std::tuple(-best->priority, best->due, best->order)) {
        best = &task;
      }
    }
    return best;
  }

 private:
  template <typename Map, typename Key>
  static typename Map::mapped_type Get(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? typename Map::mapped_type() : found->second;
  }
};

class SchedulerRandom : public ::testing::Test {
 protected:
  struct Held {
    TaskHandle handle;
    std::string id;
    uint32_t epoch;
    uint64_t order;  // which of the tasks that had this id
  };

  void Open() {
    NW_ASSERT_OK_AND_ASSIGN(store_, OpenStoreOn(disk_->env(), {.path = "/db", .free_space_floor_bytes = 0}));
    SchedulerOptions options;
    options.clock = &clock_;
    options.min_log_bytes = random_->Below(20'000);
    options.cache_bytes = random_->Below(50'000);
    options.release_per_second = 1'000'000'000;  // bounded release is tested by itself
    NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_, options));
  }

  int64_t Now() { return absl::ToUnixNanos(clock_.Now()) + offset_; }
  std::string AnyId() { return "t" + std::to_string(random_->Below(60)); }
  std::string AnyQueue() { return random_->OneIn(2) ? "p" : "q"; }
  std::string AnyKey() { return random_->OneIn(3) ? "" : "k" + std::to_string(random_->Below(4)); }

  void Step() {
    model_.ExpireLeases(Now());
    switch (random_->Below(16)) {
      case 0:
      case 1:
      case 2:
        return DoSchedule();
      case 3:
      case 4:
      case 5:
        return DoClaim();
      case 6:
      case 7:
      case 8:
      case 9:
        return DoFinish();
      case 10:
        return DoExtend();
      case 11:
        return DoDead();
      case 12:
        return DoConfigure();
      case 13:
        return DoCancel();
      case 14:
        return MoveClock();
      default:
        if (random_->OneIn(10)) return Crash();
        return Look();
    }
  }

  void DoSchedule() {
    std::vector<TaskSpec> specs;
    for (uint64_t i = 1 + random_->Below(5); i > 0; --i) {
      TaskSpec spec{.id = AnyId(), .queue = AnyQueue(), .key = AnyKey()};
      spec.payload = std::string(random_->Below(300), static_cast<char>('a' + random_->Below(26)));
      if (random_->OneIn(2)) spec.due = clock_.Now() + absl::Milliseconds(random_->Between(-1000, 20'000));
      spec.priority = static_cast<uint8_t>(random_->Below(3));
      spec.policy = RetryPolicy();
      spec.policy.delays.clear();
      spec.policy.initial = absl::Milliseconds(1 + random_->Below(2000));
      spec.policy.cap = absl::Hours(1000);
      spec.policy.max_attempts = static_cast<uint32_t>(1 + random_->Below(6));
      spec.if_scheduled = random_->OneIn(2) ? IfScheduled::kKeep : IfScheduled::kReplace;
      specs.push_back(std::move(spec));
    }
    const auto outcomes = scheduler_->Schedule(specs);
    ASSERT_THAT(outcomes, IsOk());
    for (size_t i = 0; i < specs.size(); ++i) {
      const TaskSpec& spec = specs[i];
      const auto old = model_.tasks.find(spec.id);
      ScheduleOutcome expected = ScheduleOutcome::kScheduled;
      uint32_t epoch = 0;
      if (old != model_.tasks.end()) {
        epoch = old->second.epoch;
        expected = spec.if_scheduled == IfScheduled::kKeep     ? ScheduleOutcome::kKept
                   : old->second.state == Model::Task::kLeased ? ScheduleOutcome::kLeased
                                                               : ScheduleOutcome::kReplaced;
      }
      ASSERT_EQ((*outcomes)[i], expected) << spec.id;
      if (expected == ScheduleOutcome::kKept || expected == ScheduleOutcome::kLeased) continue;
      Model::Task task{.id = spec.id, .queue = spec.queue, .key = spec.key, .payload = spec.payload};
      task.priority = spec.priority;
      task.max_attempts = spec.policy.max_attempts;
      task.initial = absl::ToInt64Nanoseconds(spec.policy.initial);
      task.created = Now();
      task.due = spec.due == absl::InfinitePast() ? Now() : std::max(Now(), absl::ToUnixNanos(spec.due) + offset_);
      task.order = ++model_.scheduled;
      task.epoch = epoch;
      model_.tasks[spec.id] = task;
    }
  }

  void DoClaim() {
    const std::string queue = AnyQueue();
    const size_t max = 1 + random_->Below(6);
    const absl::Duration lease = absl::Milliseconds(1 + random_->Below(5000));
    const auto claimed = scheduler_->Claim({.queue = queue, .max = max, .lease = lease});
    ASSERT_THAT(claimed, IsOk());
    for (size_t i = 0; i < max; ++i) {
      Model::Task* const expected = model_.NextToClaim(queue, Now());
      if (expected == nullptr) {
        ASSERT_EQ(claimed->size(), i);
        break;
      }
      ASSERT_GT(claimed->size(), i) << "nothing instead of " << expected->id;
      const ClaimedTask& task = (*claimed)[i];
      const Model::Task& instead = model_.tasks[task.id];
      ASSERT_EQ(task.id, expected->id) << "priority " << expected->priority << ", due " << expected->due << ", order "
                                       << expected->order << ", key '" << expected->key
                                       << "'; instead: " << instead.priority << ", " << instead.due << ", "
                                       << instead.order << ", '" << instead.key << "', state " << instead.state
                                       << ", may run: " << model_.MayRun(instead);
      ASSERT_EQ(task.payload, expected->payload);
      ASSERT_EQ(task.key, expected->key);
      ASSERT_EQ(task.attempt, expected->attempts + 1);
      ASSERT_EQ(task.last_error, expected->error);
      ASSERT_EQ(task.previous_unknown, expected->unknown);
      ASSERT_GT(task.handle.epoch, expected->epoch) << "epochs only grow";
      ASSERT_LE(task.due, clock_.Now()) << "early";
      ++expected->attempts;
      expected->epoch = task.handle.epoch;
      expected->state = Model::Task::kLeased;
      expected->until = Now() + absl::ToInt64Nanoseconds(lease);
      held_.push_back({task.handle, task.id, task.handle.epoch, expected->order});
    }
  }

  // The task of a handle, if it is not stale.
  Model::Task* Current(const Held& held) {
    const auto found = model_.tasks.find(held.id);
    if (found == model_.tasks.end() || found->second.order != held.order) return nullptr;
    if (found->second.epoch != held.epoch) return nullptr;
    return &found->second;
  }

  void DoFinish() {
    if (held_.empty()) return;
    std::vector<Finish> ends;
    std::vector<Held> of;
    for (uint64_t i = 1 + random_->Below(3); i > 0; --i) {
      const Held held = random_->Pick(held_);
      Finish end{.task = held.handle};
      end.verdict = random_->OneIn(2) ? Verdict::kRetry : random_->OneIn(4) ? Verdict::kKill : Verdict::kComplete;
      end.error = "error " + std::to_string(random_->Below(1000));
      if (random_->OneIn(3)) end.not_before = clock_.Now() + absl::Milliseconds(random_->Below(9000));
      ends.push_back(end);
      of.push_back(held);
    }
    const auto outcomes = scheduler_->FinishAll(ends);
    ASSERT_THAT(outcomes, IsOk());
    for (size_t i = 0; i < ends.size(); ++i) {
      Model::Task* const task = Current(of[i]);
      if (task == nullptr) {
        ASSERT_EQ((*outcomes)[i], FinishOutcome::kStale) << of[i].id;
        continue;
      }
      const int64_t not_before =
          ends[i].not_before == absl::InfinitePast() ? 0 : absl::ToUnixNanos(ends[i].not_before) + offset_;
      if (ends[i].verdict == Verdict::kComplete) {
        ASSERT_EQ((*outcomes)[i], FinishOutcome::kDone);
        model_.tasks.erase(of[i].id);
        continue;
      }
      if (task->state != Model::Task::kDead) {
        if (ends[i].verdict == Verdict::kKill) {
          task->state = Model::Task::kDead;
          task->died = Now();
          task->error = ends[i].error;
          task->unknown = false;
        } else if (task->state == Model::Task::kLeased) {
          model_.Fail(*task, Now(), not_before, ends[i].error, false);
        } else {
          task->due = std::max(task->due, not_before);
          task->error = ends[i].error;
          task->unknown = false;
        }
      }
      ASSERT_EQ((*outcomes)[i], task->state == Model::Task::kDead ? FinishOutcome::kDead : FinishOutcome::kWaits);
    }
  }

  void DoExtend() {
    if (held_.empty()) return;
    const Held held = random_->Pick(held_);
    const absl::Duration lease = absl::Milliseconds(1 + random_->Below(5000));
    const auto outcomes = scheduler_->Extend(held.handle, lease);
    ASSERT_THAT(outcomes, IsOk());
    Model::Task* const task = Current(held);
    const bool lives = task != nullptr && task->state == Model::Task::kLeased;
    ASSERT_EQ(*outcomes, lives ? FinishOutcome::kDone : FinishOutcome::kStale);
    if (lives) task->until = Now() + absl::ToInt64Nanoseconds(lease);
  }

  void DoDead() {
    const std::string queue = random_->OneIn(2) ? AnyQueue() : "";
    const bool redrive = random_->OneIn(2);
    size_t expected = 0;
    std::vector<std::string> ids;
    const auto affects = [&](const Model::Task& task) {
      return task.state == Model::Task::kDead && (queue.empty() || task.queue == queue);
    };
    for (auto it = model_.tasks.begin(); it != model_.tasks.end();) {
      if (!affects(it->second)) {
        ++it;
        continue;
      }
      ++expected;
      if (!redrive) {
        it = model_.tasks.erase(it);
        continue;
      }
      Model::Task& task = it->second;
      task.state = Model::Task::kWaiting;
      task.due = task.created = Now();
      task.attempts = 0;
      task.unknown = false;
      ++task.epoch;
      ++it;
    }
    const auto count = redrive ? scheduler_->RedriveAll({.queue = queue}) : scheduler_->DiscardAll({.queue = queue});
    ASSERT_THAT(count, IsOkAndHolds(expected));
  }

  void DoConfigure() {
    const std::string queue = AnyQueue();
    if (random_->OneIn(2)) {
      const QueueConfig config{.paused = random_->OneIn(8),
                               .max_per_key = static_cast<uint32_t>(random_->Below(3)),
                               .order = static_cast<KeyOrder>(random_->OneIn(3) ? random_->Below(3) : 0)};
      ASSERT_THAT(scheduler_->ConfigureQueue(queue, config), IsOk());
      model_.queues[queue] = config;
    } else {
      const std::string key = "k" + std::to_string(random_->Below(4));
      const KeyConfig config{.paused = random_->OneIn(6), .max_leased = static_cast<uint32_t>(random_->Below(3))};
      ASSERT_THAT(scheduler_->ConfigureKey(queue, key, config), IsOk());
      model_.keys[{queue, key}] = config;
    }
  }

  void DoCancel() {
    const std::vector<std::string> ids = {AnyId()};
    const bool there = model_.tasks.erase(ids[0]) > 0;
    ASSERT_THAT(scheduler_->Cancel(ids), IsOkAndHolds(std::vector<bool>{there}));
  }

  void MoveClock() {
    if (random_->OneIn(12)) {
      const absl::Duration back = absl::Milliseconds(random_->Below(100'000));
      clock_.Jump(-back);
      offset_ += absl::ToInt64Nanoseconds(back);
    } else if (random_->OneIn(12)) {
      const absl::Duration ahead = absl::Milliseconds(random_->Below(60'000));
      clock_.Jump(ahead);
      // The line goes with the wall clock only where that is ahead of it.
      offset_ = std::max<int64_t>(offset_ - absl::ToInt64Nanoseconds(ahead), 0);
      // It is noticed, and what it held back is released when time has passed.
      ASSERT_THAT(scheduler_->Stats(), IsOk());
      model_.ExpireLeases(Now());
      clock_.Advance(absl::Seconds(1));
    } else {
      clock_.Advance(absl::Milliseconds(random_->Below(3000)));
    }
    Look();
  }

  // Nothing that was answered is lost.
  void Crash() {
    // What the line is ahead of the wall clock is known from the last block: a block for this moment.
    ASSERT_THAT(scheduler_->Schedule(TaskSpec{.id = "last", .queue = "none"}), IsOk());
    ASSERT_THAT(scheduler_->Cancel(std::vector<std::string>{"last"}), IsOk());
    scheduler_.reset();
    store_.reset();
    disk_->CutPower();
    disk_->Restart(random_->OneIn(2) ? Loss::kUnsynced : Loss::kNothing);
    ASSERT_NO_FATAL_FAILURE(Open());
    model_.EndProcess(Now());
    held_.clear();
    Look();
  }

  // Everything there is.
  void Look() {
    model_.ExpireLeases(Now());
    const auto stats = scheduler_->Stats();
    ASSERT_THAT(stats, IsOk());
    ASSERT_EQ(stats->tasks, model_.tasks.size());
    for (int i = 0; i < 60; ++i) {
      const std::string id = "t" + std::to_string(i);
      const auto info = scheduler_->GetTask(id);
      const auto expected = model_.tasks.find(id);
      if (expected == model_.tasks.end()) {
        ASSERT_THAT(info, StatusIs(absl::StatusCode::kNotFound)) << id;
        continue;
      }
      ASSERT_THAT(info, IsOk()) << id;
      const Model::Task& task = expected->second;
      ASSERT_EQ(static_cast<int>(info->state), static_cast<int>(task.state)) << id;
      ASSERT_EQ(info->payload, task.payload) << id;
      ASSERT_EQ(info->queue, task.queue) << id;
      ASSERT_EQ(info->key, task.key) << id;
      ASSERT_EQ(info->attempts, task.attempts) << id;
      ASSERT_EQ(info->last_error, task.error) << id;
      ASSERT_EQ(absl::ToUnixNanos(info->scheduled_at) + offset_, task.created) << id;
      if (task.state == Model::Task::kWaiting) {
        ASSERT_EQ(absl::ToUnixNanos(info->due) + offset_, task.due) << id;
      }
      if (task.state == Model::Task::kLeased) {
        ASSERT_EQ(absl::ToUnixNanos(info->leased_until) + offset_, task.until) << id;
      }
      if (task.state == Model::Task::kDead) {
        ASSERT_EQ(absl::ToUnixNanos(info->died_at) + offset_, task.died) << id;
      }
    }
  }

  void Run(uint64_t seed, uint64_t steps) {
    random_.emplace(seed);
    disk_ = std::make_unique<FaultFs>(seed);
    ASSERT_NO_FATAL_FAILURE(Open());
    for (uint64_t step = 0; step < steps; ++step) {
      ASSERT_NO_FATAL_FAILURE(Step()) << "seed " << seed << ", step " << step;
    }
    ASSERT_NO_FATAL_FAILURE(Crash()) << "seed " << seed;
    scheduler_.reset();
    store_.reset();
    model_ = Model();
    held_.clear();
    offset_ = 0;
    clock_.Set(absl::FromUnixSeconds(1'700'000'000));
  }

  std::optional<Random> random_;
  std::unique_ptr<FaultFs> disk_;
  FakeClock clock_;
  int64_t offset_ = 0;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Scheduler> scheduler_;
  Model model_;
  std::vector<Held> held_;
};

TEST_F(SchedulerRandom, BehavesAsItsModel) {
  const uint64_t seed = TestSeed();
  const uint64_t runs = TestOps(60'000) / 2000 + 1;
  for (uint64_t run = 0; run < runs; ++run) ASSERT_NO_FATAL_FAILURE(Run(seed + run, 2000));
}

}  // namespace
}  // namespace northwind::testing

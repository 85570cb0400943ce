// SPDX-License-Identifier: Apache-2.0
//
// A child process schedules, claims, retries and completes from several threads and is killed with SIGKILL at seeded random
// moments. After each few kills the parent opens what is left. Every task whose scheduling was acknowledged is there,
// or its completion was sent and is written with its host record: one of the two, never both, never neither. No
// acknowledged completion or dead letter is undone, calls are there whole or not at all, epochs and attempts never fall,
// and no claim is answered twice under one epoch. NORTHWIND_TEST_KILLS sets the number of kills of each case.
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "northwind/scheduler.h"
#include "northwind/store.h"
#include "tests/scheduler/kill_protocol.h"
#include "tests/support/killer.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

class KillLoop {
 public:
  KillLoop(uint64_t seed, uint64_t min_log_bytes) : random_(seed), min_log_bytes_(min_log_bytes) {}

  void Run(uint64_t kills) {
    while (killer_.kills() < kills) {
      directory_ = std::make_unique<TempDir>();
      batches_.clear();
      tasks_.clear();
      // A new directory now and then, so that checking everything stays quick.
      for (int round = 0; round < 8 && killer_.kills() < kills; ++round) {
        const uint64_t in_a_row = 1 + random_.Below(3);
        for (uint64_t i = 0; i < in_a_row; ++i) ASSERT_NO_FATAL_FAILURE(RunAndKill()) << "kill " << killer_.kills();
        ASSERT_NO_FATAL_FAILURE(Check()) << "after kill " << killer_.kills();
      }
    }
    std::printf(
        "%llu kills, %llu while opening; acknowledged: %llu batches, %llu claims, %llu completions; %llu "
        "completions found beyond those\n",
        killer_.kills(), killer_.kills_while_opening(), scheduled_, claimed_, completed_, beyond_);
    // A few kills may all come while it is opened.
    if (kills >= 40) {
      EXPECT_GT(completed_, kills);
      EXPECT_GT(beyond_, 0U) << "not one kill came between a write and its answer";
    }
  }

 private:
  struct Batch {
    uint32_t size = 0;
    bool acknowledged = false;
  };
  struct Task {
    std::set<uint32_t> claims;      // epochs of those answered
    std::set<uint32_t> completing;  // epochs under which a completion was sent
    uint32_t completed = 0;         // epoch of the one answered
    bool killed = false;
    bool done = false;  // as of the last check
    uint32_t epoch = 0, attempts = 0;
  };

  void RunAndKill() {
    ++run_;
    killer_.RunAndKill({NORTHWIND_SCHEDULER_CHILD, *directory_ / "store", std::to_string(run_),
                        std::to_string(random_.Next() >> 1), std::to_string(min_log_bytes_)},
                       [this](const Message& message) {
                         if (message.kind == Message::kOpened) return true;
                         SCOPED_TRACE(IdOf(message.task) + ", epoch " + std::to_string(message.epoch));
                         Take(message);
                         return false;
                       });
  }

  void Take(const Message& message) {
    if (message.kind == Message::kScheduling) {
      batches_[message.task.batch] = {.size = message.number};
      return;
    }
    if (message.kind == Message::kScheduled) {
      batches_[message.task.batch].acknowledged = true;
      ++scheduled_;
      return;
    }
    Task& task = tasks_[message.task];
    switch (message.kind) {
      case Message::kClaimed:
        ASSERT_TRUE(task.claims.insert(message.epoch).second) << "claimed twice under one epoch";
        ASSERT_GT(message.epoch, task.epoch) << "the epoch fell";
        ASSERT_GT(message.number, task.attempts) << "attempts fell";
        ASSERT_FALSE(task.done) << "claimed after it was done";
        ++claimed_;
        break;
      case Message::kCompleting:
        task.completing.insert(message.epoch);
        break;
      case Message::kCompleted:
        ASSERT_EQ(task.completed, 0U) << "completed twice";
        task.completed = message.epoch;
        ++completed_;
        break;
      case Message::kKilled:
        task.killed = true;
        break;
      default:
        FAIL() << "kind " << message.kind;
    }
  }

  void Check() {
    NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = *directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(*store, {.min_log_bytes = min_log_bytes_}));
    uint64_t there = 0;
    std::map<uint32_t, BatchName> last;
    for (const auto& [name, batch] : batches_) {
      uint32_t found = 0;
      for (uint32_t index = 0; index < batch.size; ++index) {
        const TaskName task{.batch = name, .index = index};
        bool is_there = false, is_done = false;
        ASSERT_NO_FATAL_FAILURE(CheckTask(*store, *scheduler, task, is_there, is_done)) << IdOf(task);
        ASSERT_FALSE(is_there && is_done) << IdOf(task) << " is there and done: its host record is not in step";
        there += is_there ? 1 : 0;
        found += is_there || is_done ? 1 : 0;
      }
      const std::string where = IdOf({.batch = name}) + " of " + std::to_string(batch.size);
      ASSERT_TRUE(found == batch.size || found == 0) << "in part, or lost: " << found << " of the call " << where;
      ASSERT_TRUE(found == batch.size || !batch.acknowledged) << "lost: the call " << where;
      if (found > 0) last[name.worker] = name;  // in order of runs and batches
    }
    const auto stats = scheduler->Stats();
    ASSERT_THAT(stats, IsOk());
    ASSERT_EQ(stats->tasks, there) << "more tasks than were scheduled";
    for (const auto& [worker, batch] : last) {
      ASSERT_THAT(store->Get(LastBatchKey(worker)), IsOkAndHolds(std::optional<std::string>(LastBatchValue(batch))))
          << "a host record is not in step with its call";
    }
  }

  void CheckTask(const Store& store, Scheduler& scheduler, const TaskName& name, bool& is_there, bool& is_done) {
    const auto info = scheduler.GetTask(IdOf(name));
    is_there = info.ok();
    ASSERT_TRUE(is_there || absl::IsNotFound(info.status())) << info.status();
    NW_ASSERT_OK_AND_ASSIGN(const std::optional<std::string> done, store.Get(DoneKey(name)));
    is_done = done.has_value();
    const auto found = tasks_.find(name);
    if (found == tasks_.end()) {  // nobody was told of it
      ASSERT_FALSE(is_done);
      return;
    }
    Task& task = found->second;
    if (is_done) {
      const auto epoch = static_cast<uint32_t>(std::stoul(*done));
      ASSERT_TRUE(task.completing.contains(epoch)) << "completed under epoch " << epoch << ", which nobody asked for";
      ASSERT_TRUE(task.completed == 0 || task.completed == epoch);
      ASSERT_LE(*task.claims.rbegin(), epoch) << "claimed after it was done";
      if (task.completed == 0 && !task.done) ++beyond_;
      task.done = true;
      return;
    }
    ASSERT_FALSE(task.done || task.completed != 0) << "a completion was undone";
    ASSERT_TRUE(is_there) << "lost";
    ASSERT_GE(info->epoch, task.claims.empty() ? 0 : *task.claims.rbegin()) << "the epoch fell";
    ASSERT_GE(info->epoch, task.epoch) << "the epoch fell";
    ASSERT_GE(info->attempts, task.attempts) << "attempts fell";
    ASSERT_EQ(info->epoch, info->attempts) << "a claim was not counted";
    ASSERT_NE(info->state, TaskState::kLeased) << "a lease outlived its process";
    ASSERT_TRUE(!task.killed || info->state == TaskState::kDead) << "a dead letter came back to life";
    task.epoch = info->epoch;
    task.attempts = info->attempts;
  }

  Random random_;
  Killer<Message> killer_{random_, {.while_opening = 2, .with_message = 5, .messages = 2000}};
  const uint64_t min_log_bytes_;
  std::unique_ptr<TempDir> directory_;
  uint32_t run_ = 0;
  unsigned long long scheduled_ = 0;
  unsigned long long claimed_ = 0;
  unsigned long long completed_ = 0;
  unsigned long long beyond_ = 0;

  // Of this directory, as its children told.
  std::map<BatchName, Batch> batches_;
  std::map<TaskName, Task> tasks_;
};

void RunKillLoop(uint64_t min_log_bytes) {
  KillLoop loop(TestSeed(), min_log_bytes);
  loop.Run(TestOps(50, "NORTHWIND_TEST_KILLS"));
}

TEST(SchedulerKill, WhileTheLogIsShortenedAllTheTime) { RunKillLoop(0); }
TEST(SchedulerKill, WhileTheLogIsNeverShortened) { RunKillLoop(uint64_t{1} << 40); }

}  // namespace
}  // namespace northwind::testing

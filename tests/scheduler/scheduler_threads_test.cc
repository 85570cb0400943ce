// SPDX-License-Identifier: Apache-2.0
//
// Many threads at once; also run under ThreadSanitizer.
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/scheduler/scheduler_fixture.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

using ::testing::SizeIs;

class SchedulerThreads : public SchedulerFixture {
 protected:
  void SetUp() override {
    SchedulerFixture::SetUp();
    options_.clock = nullptr;  // waits are real
    Reopen();
  }
  // A wait that no test sits out.
  static constexpr absl::Duration kLong = absl::Hours(1);

  absl::StatusOr<std::vector<ClaimedTask>> Await(size_t max = 1, const std::string& queue = "q") {
    return scheduler_->Claim({.queue = queue, .max = max, .lease = absl::Hours(1), .wait = kLong});
  }
};

TEST_F(SchedulerThreads, AWaitingClaimIsWokenByNewWork) {
  std::thread worker([this] { EXPECT_THAT(Await(), IsOkAndHolds(SizeIs(1))); });
  Schedule(Task("a"));
  worker.join();
}

TEST_F(SchedulerThreads, AWaitingClaimIsWokenWhenATaskBecomesDue) {
  TaskSpec far = Task("far");
  far.due = absl::Now() + kLong / 2;
  Schedule(far);
  std::thread worker([this] {
    const auto tasks = Await();
    ASSERT_THAT(tasks, IsOkAndHolds(SizeIs(1)));
    EXPECT_EQ((*tasks)[0].id, "near");
    EXPECT_GE(absl::Now(), (*tasks)[0].due);
  });
  TaskSpec near = Task("near");
  near.due = absl::Now() + absl::Milliseconds(20);
  Schedule(near);
  worker.join();
}

TEST_F(SchedulerThreads, AWaitingClaimIsWokenByTheEndOfALease) {
  TaskSpec task = Task("a");
  task.policy = RetryPolicy();
  task.policy.initial = task.policy.cap = absl::Milliseconds(1);
  Schedule(task);
  EXPECT_THAT(Claim(1, absl::Milliseconds(20)), SizeIs(1));
  const auto tasks = Await();
  ASSERT_THAT(tasks, IsOkAndHolds(SizeIs(1)));
  EXPECT_TRUE((*tasks)[0].previous_unknown);
}

TEST_F(SchedulerThreads, AWaitEndsWithNothingAtItsDeadline) {
  EXPECT_THAT(scheduler_->Claim({.queue = "q", .wait = absl::Milliseconds(5)}), IsOkAndHolds(SizeIs(0)));
}

TEST_F(SchedulerThreads, ATaskThatIsDueWakesAtOnceWhateverTheRateOfRelease) {
  options_.release_per_second = 1;
  Reopen();
  std::thread worker([this] {
    for (int i = 0; i < 30; ++i) {
      const auto tasks = Await();
      ASSERT_THAT(tasks, IsOkAndHolds(SizeIs(1)));
      ASSERT_THAT(scheduler_->Complete((*tasks)[0].handle), IsOk());
    }
  });
  for (int i = 0; i < 30; ++i) {
    Schedule(Task("t" + std::to_string(i)));
    const QueueStats stats = Stats();
    EXPECT_EQ(stats.waiting, stats.ready);
  }
  worker.join();
}

TEST_F(SchedulerThreads, AWaitIsCancelledWhenTheSchedulerCloses) {
  std::vector<std::thread> workers;
  std::atomic<int> cancelled = 0;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&, i] {
      const auto tasks = Await(1, i % 2 == 0 ? "q" : "p");
      const absl::StatusCode code = tasks.status().code();
      if (code == absl::StatusCode::kCancelled || code == absl::StatusCode::kFailedPrecondition) ++cancelled;
    });
  }
  scheduler_->Close();
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(cancelled, 4);
}

TEST_F(SchedulerThreads, WorkForOneQueueDoesNotGetLostAmongWaitersOfAnother) {
  std::vector<std::thread> workers;
  std::atomic<int> done = 0;
  for (int i = 0; i < 6; ++i) {
    workers.emplace_back([&, i] {
      for (int n = 0; n < 20; ++n) {
        const auto tasks = Await(1, "q" + std::to_string(i % 3));
        ASSERT_THAT(tasks, IsOkAndHolds(SizeIs(1)));
        EXPECT_THAT(scheduler_->Complete((*tasks)[0].handle), IsOkAndHolds(FinishOutcome::kDone));
        ++done;
      }
    });
  }
  for (int n = 0; n < 40; ++n) {
    std::vector<TaskSpec> tasks;
    for (int q = 0; q < 3; ++q) {
      tasks.push_back(Task(std::to_string(n) + "/" + std::to_string(q)));
      tasks.back().queue = "q" + std::to_string(q);
    }
    ScheduleAll(tasks);
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(done, 120);
}

TEST_F(SchedulerThreads, ManyWorkersShareTheWorkAndNoTaskIsHandedOutTwice) {
  constexpr int kProducers = 2, kWorkers = 4, kEach = 400;
  ASSERT_THAT(scheduler_->ConfigureQueue("q", {.max_per_key = 2}), IsOk());
  std::mutex mutex;
  std::map<std::string, int> times;
  std::map<std::string, int> running;
  std::atomic<int> left = kProducers * kEach;
  std::vector<std::thread> threads;
  const uint64_t seed = TestSeed();
  for (int p = 0; p < kProducers; ++p) {
    threads.emplace_back([&, p] {
      Random random(seed + static_cast<uint64_t>(p));
      for (int n = 0; n < kEach;) {
        std::vector<TaskSpec> tasks;
        for (uint64_t i = 1 + random.Below(20); i > 0 && n < kEach; --i, ++n) {
          tasks.push_back(Task(std::to_string(p) + "/" + std::to_string(n), "k" + std::to_string(random.Below(5))));
          tasks.back().policy.initial = tasks.back().policy.cap = absl::Microseconds(100);
          if (random.OneIn(3)) tasks.back().due = absl::Now() + absl::Microseconds(random.Below(3000));
        }
        ScheduleAll(tasks);
      }
    });
  }
  for (int w = 0; w < kWorkers; ++w) {
    threads.emplace_back([&, w] {
      Random random(seed + 100 + static_cast<uint64_t>(w));
      while (left > 0) {
        const auto tasks = scheduler_->Claim(
            {.queue = "q", .max = 1 + random.Below(10), .lease = absl::Hours(1), .wait = absl::Milliseconds(50)});
        ASSERT_THAT(tasks, IsOk());
        {
          const std::lock_guard lock(mutex);
          for (const ClaimedTask& task : *tasks) {
            EXPECT_EQ(++times[task.id], static_cast<int>(task.attempt)) << task.id;
            EXPECT_LE(++running[task.key], 2) << task.key;
          }
        }
        std::vector<Finish> ends;
        for (const ClaimedTask& task : *tasks) {
          ends.push_back({.task = task.handle, .verdict = random.OneIn(4) ? Verdict::kRetry : Verdict::kComplete});
          const std::lock_guard lock(mutex);
          --running[task.key];
        }
        const auto outcomes = scheduler_->FinishAll(ends);
        ASSERT_THAT(outcomes, IsOk());
        for (const FinishOutcome outcome : *outcomes) {
          ASSERT_NE(outcome, FinishOutcome::kStale);
          if (outcome == FinishOutcome::kDone) --left;
        }
      }
    });
  }
  std::thread reader([&] {
    while (left > 0) {
      ASSERT_THAT(scheduler_->Stats(), IsOk());
      ASSERT_THAT(scheduler_->ListDead(), IsOk());
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads) thread.join();
  reader.join();
  EXPECT_THAT(times, SizeIs(kProducers * kEach));
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

}  // namespace
}  // namespace northwind::testing

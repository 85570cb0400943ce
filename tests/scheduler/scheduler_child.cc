// SPDX-License-Identifier: Apache-2.0
//
// The process that scheduler_kill_test kills.
//
//   scheduler_child DIRECTORY RUN SEED MIN_LOG_BYTES
//       works without end from several threads and writes kill_protocol.h messages
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "northwind/scheduler.h"
#include "northwind/store.h"
#include "tests/scheduler/kill_protocol.h"

namespace northwind::testing {
namespace {

// Not tests/support/seed.h: this program does not know GoogleTest.
uint64_t NextRandom(uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

void Send(const Message& message) {
  if (write(kMessageDescriptor, &message, sizeof(message)) != sizeof(message)) _exit(3);
}

[[noreturn]] void Fail(const char* what, const absl::Status& status) {
  std::fprintf(stderr, "scheduler_child: %s: %s\n", what, status.ToString().c_str());
  _exit(2);
}

class Worker {
 public:
  Worker(Scheduler& scheduler, uint32_t run, uint32_t number, uint64_t seed)
      : scheduler_(scheduler), next_{.run = run, .worker = number}, state_(seed) {}

  [[noreturn]] void Run() {
    while (true) Below(10) < 3 ? ScheduleBatch() : WorkOff();
  }

 private:
  uint64_t Below(uint64_t n) { return NextRandom(state_) % n; }

  void ScheduleBatch() {
    std::vector<TaskSpec> tasks(1 + Below(Below(8) == 0 ? 100 : 8));
    for (uint32_t i = 0; i < tasks.size(); ++i) {
      TaskSpec& task = tasks[i];
      task.id = IdOf({.batch = next_, .index = i});
      task.queue = kQueue;
      if (Below(2) == 0) task.key = "key" + std::to_string(Below(4));
      task.payload = std::string(Below(200), 'p');
      if (Below(3) == 0) task.due = absl::Now() + absl::Milliseconds(Below(30));
      task.policy = RetryPolicy();
      task.policy.initial = absl::Milliseconds(1);
      task.policy.cap = absl::Milliseconds(10);
      task.policy.jitter = Jitter::kFull;
      task.policy.max_attempts = 12;
    }
    const HostRecord last{LastBatchKey(next_.worker), LastBatchValue(next_)};
    Message message{
        .kind = Message::kScheduling, .task = {.batch = next_}, .number = static_cast<uint32_t>(tasks.size())};
    Send(message);
    const auto outcomes = scheduler_.Schedule(tasks, {&last, 1});
    if (!outcomes.ok()) Fail("Schedule", outcomes.status());
    message.kind = Message::kScheduled;
    Send(message);
    ++next_.batch;
  }

  void WorkOff() {
    // Now and then a lease that runs out before the attempt ends.
    const absl::Duration lease = Below(10) == 0 ? absl::Milliseconds(1) : absl::Minutes(1);
    const absl::Duration wait = Below(2) == 0 ? absl::Milliseconds(Below(5)) : absl::ZeroDuration();
    const auto claimed = scheduler_.Claim({.queue = kQueue, .max = 1 + Below(20), .lease = lease, .wait = wait});
    if (!claimed.ok()) Fail("Claim", claimed.status());
    std::vector<Finish> ends;
    std::vector<Message> of;
    for (const ClaimedTask& task : *claimed) {
      const auto name = NameOf(task.id);
      if (!name) Fail("Claim", absl::InternalError("claimed " + task.id));
      Message message{.kind = Message::kClaimed, .task = *name, .epoch = task.handle.epoch, .number = task.attempt};
      Send(message);
      Finish end{.task = task.handle};
      const uint64_t choice = Below(100);
      if (choice < 5) continue;  // forgotten
      if (choice < 65) {
        message.kind = Message::kCompleting;
        Send(message);
        end.host_records = {{DoneKey(*name), std::to_string(task.handle.epoch)}};
      } else if (choice < 95) {
        end.verdict = Verdict::kRetry;
        end.error = std::string(Below(100), 'e');
      } else {
        end.verdict = Verdict::kKill;
        end.error = "killed";
      }
      ends.push_back(std::move(end));
      of.push_back(message);
    }
    const auto outcomes = scheduler_.FinishAll(ends);
    if (!outcomes.ok()) Fail("FinishAll", outcomes.status());
    for (size_t i = 0; i < of.size(); ++i) {
      if ((*outcomes)[i] == FinishOutcome::kDone) of[i].kind = Message::kCompleted;
      if ((*outcomes)[i] == FinishOutcome::kDead) of[i].kind = Message::kKilled;
      if (of[i].kind == Message::kCompleted || of[i].kind == Message::kKilled) Send(of[i]);
    }
  }

  Scheduler& scheduler_;
  BatchName next_;
  uint64_t state_;
};

int WorkUntilKilled(const std::string& directory, uint32_t run, uint64_t seed, uint64_t min_log_bytes) {
  auto store = Store::Open({.path = directory, .free_space_floor_bytes = 0, .write_buffer_bytes = 1 << 20});
  if (!store.ok()) Fail("Store::Open", store.status());
  auto scheduler = Scheduler::Open(**store, {.cache_bytes = 64 << 10, .min_log_bytes = min_log_bytes});
  if (!scheduler.ok()) Fail("Scheduler::Open", scheduler.status());
  Send({.kind = Message::kOpened});
  std::vector<std::thread> threads;
  for (uint32_t number = 0; number < kWorkers; ++number) {
    threads.emplace_back([&, number] { Worker(**scheduler, run, number, seed + number).Run(); });
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace northwind::testing

int main(int argc, char** argv) {
  if (argc == 5) {
    return northwind::testing::WorkUntilKilled(argv[1], static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10)),
                                               std::strtoull(argv[3], nullptr, 10),
                                               std::strtoull(argv[4], nullptr, 10));
  }
  std::fprintf(stderr, "usage: scheduler_child DIRECTORY RUN SEED MIN_LOG_BYTES\n");
  return 64;
}

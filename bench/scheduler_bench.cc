// SPDX-License-Identifier: Apache-2.0
//
// Figures of the scheduler. bench/README.md says what each means and how to run them. Each case does its whole work in one
// iteration, and every call of every case is fdatasync'd before it is answered.
//
//   scheduler_bench [Google Benchmark's flags]
#include <signal.h>
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/clock.h"
#include "bench/child.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "northwind/scheduler.h"
#include "northwind/store.h"

namespace northwind::bench {
namespace {

constexpr uint64_t kLifecycles = 1'000'000;
constexpr size_t kLifecycleBatch = 1024;
constexpr uint64_t kCompleted = 1'000'000;
constexpr int kLatencies = 2000;
constexpr uint64_t kPending = 1'000'000;
constexpr std::string_view kDie = "--child-schedule-and-die";
constexpr std::string_view kMemory = "--child-memory-per-task";

double MicrosecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

// Of all threads of this process: what does not depend on who else uses the machine.
double CpuMicroseconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

struct OpenScheduler {
  std::unique_ptr<Store> store;
  std::unique_ptr<Scheduler> scheduler;
};

OpenScheduler SchedulerAt(const std::string& directory) {
  OpenScheduler open;
  open.store = Must(Store::Open({.path = directory}));
  open.scheduler = Must(Scheduler::Open(*open.store));
  return open;
}

// An id of 20 bytes and a payload of 32.
TaskSpec TaskNumber(uint64_t number) {
  std::array<char, 32> id;
  std::snprintf(id.data(), id.size(), "task/%015llu", static_cast<unsigned long long>(number));
  return {.id = id.data(), .queue = "work", .payload = std::string(32, 'x')};
}

std::vector<TaskSpec> Tasks(uint64_t first, size_t count, absl::Time due) {
  std::vector<TaskSpec> tasks;
  for (uint64_t number = first; number < first + count; ++number) {
    tasks.push_back(TaskNumber(number));
    tasks.back().due = due;
  }
  return tasks;
}

// Schedules, claims and completes so many tasks, in batches.
void LiveThrough(Scheduler& scheduler, uint64_t first, uint64_t count, size_t batch) {
  for (uint64_t done = 0; done < count; done += batch) {
    Must(scheduler.Schedule(Tasks(first + done, batch, absl::InfinitePast())).status());
    const std::vector<ClaimedTask> claimed = Must(scheduler.Claim({.queue = "work", .max = batch}));
    if (claimed.size() != batch) std::abort();
    std::vector<Finish> ends(batch);
    for (size_t i = 0; i < batch; ++i) ends[i].task = claimed[i].handle;
    for (const FinishOutcome outcome : Must(scheduler.FinishAll(ends))) {
      if (outcome != FinishOutcome::kDone) std::abort();
    }
  }
}

void Lifecycle(benchmark::State& state) {
  const ScratchDirectory scratch;
  const OpenScheduler open = SchedulerAt(scratch.path() + "/scheduler.db");
  constexpr uint64_t kCount = kLifecycles / kLifecycleBatch * kLifecycleBatch;
  const double before = CpuMicroseconds();
  for (auto _ : state) LiveThrough(*open.scheduler, 0, kCount, kLifecycleBatch);
  state.counters["cpu_us_each"] = (CpuMicroseconds() - before) / static_cast<double>(kCount);
  state.SetItemsProcessed(static_cast<int64_t>(kCount));
  state.counters["log_bytes"] = static_cast<double>(Must(open.scheduler->Stats()).log_bytes);
}

// A single task through Claim and Complete, in turn on a fresh store and on one that a million tasks have gone through: noise meets both
// alike.
void ClaimLatency(benchmark::State& state) {
  const ScratchDirectory scratch;
  const OpenScheduler fresh = SchedulerAt(scratch.path() + "/fresh.db");
  const OpenScheduler used = SchedulerAt(scratch.path() + "/used.db");
  LiveThrough(*used.scheduler, kLatencies, kCompleted, 10'000);
  std::vector<double> on_fresh, on_used;
  double total = 0;
  const auto once = [&](const OpenScheduler& open, int i, std::vector<double>& times) {
    Must(open.scheduler->Schedule(TaskNumber(static_cast<uint64_t>(i))).status());
    const auto start = std::chrono::steady_clock::now();
    const std::vector<ClaimedTask> claimed = Must(open.scheduler->Claim({.queue = "work"}));
    if (claimed.size() != 1 || Must(open.scheduler->Complete(claimed[0].handle)) != FinishOutcome::kDone) std::abort();
    times.push_back(MicrosecondsSince(start));
    total += times.back();
  };
  for (auto _ : state) {
    for (int i = 0; i < kLatencies; ++i) {
      once(fresh, i, on_fresh);
      once(used, i, on_used);
    }
    state.SetIterationTime(total / 1e6);
  }
  state.SetItemsProcessed(2 * kLatencies);
  state.counters["p50_us_after_0"] = Percentile(on_fresh, 0.5);
  state.counters["p99_us_after_0"] = Percentile(on_fresh, 0.99);
  state.counters["p50_us_after_1m"] = Percentile(on_used, 0.5);
  state.counters["p99_us_after_1m"] = Percentile(on_used, 0.99);
  state.counters["ratio_1m_to_0"] = Percentile(on_used, 0.5) / Percentile(on_fresh, 0.5);
}

void SchedulePending(Scheduler& scheduler, uint64_t count) {
  constexpr size_t kBatch = 1000;
  const absl::Time day = absl::Now() + absl::Hours(24);
  for (uint64_t first = 0; first < count; first += kBatch) {
    // Spread over a second, in no order.
    std::vector<TaskSpec> tasks = Tasks(first, kBatch, day);
    for (size_t i = 0; i < tasks.size(); ++i) tasks[i].due += absl::Microseconds((first + i) * 7919 % 1'000'000);
    Must(scheduler.Schedule(tasks).status());
  }
}

double MeasurePending(const std::string& directory, uint64_t count) {
  // Caches that are bounded whatever the number of tasks are made small, so that they do not count.
  const std::unique_ptr<Store> store =
      Must(Store::Open({.path = directory, .block_cache_bytes = 1 << 20, .write_buffer_bytes = 1 << 20}));
  const std::unique_ptr<Scheduler> scheduler = Must(Scheduler::Open(*store, {.cache_bytes = 1 << 20}));
  const uint64_t before = ResidentBytes();
  SchedulePending(*scheduler, count);
  return static_cast<double>(ResidentBytes() - before) / static_cast<double>(count);
}

void PendingMemory(benchmark::State& state) {
  const ScratchDirectory scratch;
  double bytes = 0;
  for (auto _ : state) bytes = RunChildForNumber(kMemory, scratch.path() + "/scheduler.db", kPending);
  state.SetItemsProcessed(static_cast<int64_t>(kPending));
  state.counters["memory_bytes_per_task"] = bytes;
}

void Reopen(benchmark::State& state) {
  const ScratchDirectory scratch;
  RunChildThatDies(kDie, scratch.path() + "/scheduler.db", kPending);
  OpenScheduler open;
  const double before = CpuMicroseconds();
  for (auto _ : state) open = SchedulerAt(scratch.path() + "/scheduler.db");
  state.counters["cpu_s"] = (CpuMicroseconds() - before) / 1e6;
  const SchedulerStats stats = Must(open.scheduler->Stats());
  if (stats.tasks != kPending) std::abort();
  state.SetItemsProcessed(static_cast<int64_t>(kPending));
  state.counters["log_bytes"] = static_cast<double>(stats.log_bytes);
}

std::optional<int> RunAsChild(int argc, char** argv) {
  if (argc != 4) return std::nullopt;
  const std::string_view mode = argv[1];
  const uint64_t count = std::strtoull(argv[3], nullptr, 10);
  if (mode == kMemory) {
    std::printf("%f\n", MeasurePending(argv[2], count));
    return 0;
  }
  if (mode != kDie) return std::nullopt;
  const OpenScheduler open = SchedulerAt(argv[2]);
  SchedulePending(*open.scheduler, count);
  raise(SIGKILL);
  return 1;
}

benchmark::internal::Benchmark* Register(const char* name, void (*run)(benchmark::State&)) {
  return benchmark::RegisterBenchmark(name, run)->Iterations(1)->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace northwind::bench

int main(int argc, char** argv) {
  using namespace northwind::bench;  // NOLINT(google-build-using-namespace)
  if (const std::optional<int> status = RunAsChild(argc, argv)) return *status;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("durability", "every call is written and fdatasync'd before it is answered");
  benchmark::AddCustomContext("rocksdb", "the distribution's build; Debian's runs with assertions on");
  Register("Lifecycle/1024", Lifecycle)->UseRealTime();
  Register("ClaimLatency", ClaimLatency)->UseManualTime();
  Register("PendingMemory/1000000", PendingMemory)->UseRealTime();
  Register("Reopen/1000000", Reopen)->UseRealTime();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

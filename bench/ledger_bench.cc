// SPDX-License-Identifier: Apache-2.0
//
// Figures of the ledger. bench/README.md says what each means and how to run them. Each case does its whole work in one
// iteration, and every batch of every case is fdatasync'd before it is answered.
//
//   ledger_bench [--transactions=N] [--small_transactions=N] [Google Benchmark's flags]
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/ledger_child.h"
#include "bench/naive_rocksdb.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "examples/make_events/stream.h"
#include "northwind/settlement.h"

namespace northwind::bench {
namespace {

uint64_t transactions = 10'000'000;       // of the sustained case, and in the ledger that reads are measured on
uint64_t small_transactions = 2'000'000;  // of the other throughput cases
constexpr uint64_t kSingles = 1'000'000;
constexpr uint64_t kNaive = 1'000'000;
constexpr uint64_t kEvents = 500'000;
constexpr int kLatencies = 3000;
constexpr int kReads = 2000;
constexpr uint64_t kAfterCheckpoint = 900'000;
constexpr uint64_t kMemoryAccounts = 1'000'000;

double MicrosecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

// The directory of the big ledger: filled by Commit/8190 or, if that was filtered out, by the first case that asks.
class BigLedger {
 public:
  static BigLedger& Get() {
    static BigLedger big;
    return big;
  }
  std::string NewPath() {
    scratch_ = std::make_unique<ScratchDirectory>();
    return scratch_->path() + "/ledger.db";
  }
  std::string FilledPath() {
    if (scratch_ == nullptr) {
      const OpenLedger open = OpenAt(NewPath());
      TransactionSource source(1, Keys::kTimeOrdered, Skew::kUniform);
      CommitAll(*open.ledger, source, transactions);
    }
    return scratch_->path() + "/ledger.db";
  }
  void Remove() { scratch_.reset(); }

 private:
  std::unique_ptr<ScratchDirectory> scratch_;
};

void CommitBatches(benchmark::State& state, const std::string& path, uint64_t count, Keys keys, Skew skew) {
  OpenLedger open = OpenAt(path);
  TransactionSource source(1, keys, skew);
  uint64_t applied = 0;
  for (auto _ : state) applied += CommitAll(*open.ledger, source, count);
  state.SetItemsProcessed(static_cast<int64_t>(applied));
  const uint64_t records = open.ledger->Head().sequence.value();
  Must(open.ledger->WriteIndexes());
  state.counters["disk_bytes_per_transaction"] =
      static_cast<double>(open.ledger->Stats().disk_bytes) / static_cast<double>(records);
}

void Commit8190(benchmark::State& state) {
  CommitBatches(state, BigLedger::Get().NewPath(), transactions, Keys::kTimeOrdered, Skew::kUniform);
}

void CommitRandomKeys(benchmark::State& state) {
  const ScratchDirectory scratch;
  CommitBatches(state, scratch.path() + "/ledger.db", small_transactions, Keys::kRandom, Skew::kUniform);
}

void CommitZipf(benchmark::State& state) {
  const ScratchDirectory scratch;
  CommitBatches(state, scratch.path() + "/ledger.db", small_transactions, Keys::kTimeOrdered, Skew::kZipf);
}

void NaiveRocksDb(benchmark::State& state) {
  const ScratchDirectory scratch;
  for (auto _ : state) CommitNaively(scratch.path() + "/naive.db", kNaive);
  state.SetItemsProcessed(static_cast<int64_t>(kNaive));
}

// A file that grows by 4 KiB and is synced, as a log does at the least.
class AppendFile {
 public:
  explicit AppendFile(const std::string& path)
      : descriptor_(open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600)) {}
  ~AppendFile() { close(descriptor_); }
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  double TimedAppend() {
    static const std::string bytes(4096, 'x');
    const auto start = std::chrono::steady_clock::now();
    if (write(descriptor_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
        fdatasync(descriptor_) != 0) {
      std::abort();
    }
    return MicrosecondsSince(start);
  }

 private:
  int descriptor_;
};

void AppendSync(benchmark::State& state) {
  const ScratchDirectory scratch;
  AppendFile file(scratch.path() + "/log");
  std::vector<double> times;
  for (auto _ : state) {
    for (int i = 0; i < kLatencies; ++i) times.push_back(file.TimedAppend());
  }
  state.SetItemsProcessed(kLatencies);
  state.counters["p50_us"] = Percentile(times, 0.5);
  state.counters["p99_us"] = Percentile(times, 0.99);
}

// One commit after the other from one thread, each between two bare appends to the same disk: noise meets both alike.
void Commit1(benchmark::State& state) {
  const ScratchDirectory scratch;
  OpenLedger open = OpenAt(scratch.path() + "/ledger.db");
  AppendFile file(scratch.path() + "/log");
  TransactionSource source(1, Keys::kTimeOrdered, Skew::kUniform);
  std::vector<double> commits, appends;
  double total = 0;
  for (auto _ : state) {
    for (int i = 0; i < kLatencies; ++i) {
      const Transaction transaction = source.Batch(1).front();
      const auto start = std::chrono::steady_clock::now();
      if (Must(open.ledger->Commit(transaction)).outcome != Outcome::kApplied) std::abort();
      commits.push_back(MicrosecondsSince(start));
      total += commits.back();
      appends.push_back(file.TimedAppend());
    }
    state.SetIterationTime(total / 1e6);
  }
  state.SetItemsProcessed(kLatencies);
  state.counters["p50_us"] = Percentile(commits, 0.5);
  state.counters["p99_us"] = Percentile(commits, 0.99);
  state.counters["append_sync_p50_us"] = Percentile(appends, 0.5);
  state.counters["p50_vs_append_sync"] = Percentile(commits, 0.5) / Percentile(appends, 0.5);
}

void Concurrent(benchmark::State& state) {
  constexpr size_t kInFlight = 10'000;
  const ScratchDirectory scratch;
  OpenLedger open = OpenAt(scratch.path() + "/ledger.db");
  TransactionSource source(1, Keys::kTimeOrdered, Skew::kUniform);
  for (auto _ : state) {
    InFlight in_flight(kInFlight);
    for (uint64_t i = 0; i < kSingles; ++i) {
      std::vector<Transaction> batch = source.Batch(1);
      in_flight.Begin();
      Must(open.ledger->CommitAsync(std::move(batch), [&](absl::StatusOr<std::vector<CommitResult>> results) {
        if (Must(std::move(results)).front().outcome != Outcome::kApplied) std::abort();
        in_flight.End();
      }));
    }
    in_flight.WaitForAll();
  }
  state.SetItemsProcessed(static_cast<int64_t>(kSingles));
}

void SettleJson(benchmark::State& state) {
  constexpr size_t kChunk = 32'768;
  examples::EventStream stream({.events = kEvents});
  std::vector<std::string> lines(1);
  while (stream.Next(lines.back())) lines.emplace_back();
  lines.pop_back();
  const ScratchDirectory scratch;
  OpenLedger open = OpenAt(scratch.path() + "/ledger.db", 0);
  const std::unique_ptr<Intake> intake = Must(Intake::Open(*open.ledger, *open.store));
  for (auto _ : state) {
    for (size_t first = 0; first < lines.size(); first += kChunk) {
      std::vector<RawEvent> events;
      for (size_t i = first; i < std::min(lines.size(), first + kChunk); ++i) {
        events.push_back({.bytes = lines[i], .position = i + 1});
      }
      Must(intake->Apply(events).status());
    }
    Must(intake->Finish().status());
  }
  state.SetItemsProcessed(static_cast<int64_t>(lines.size()));
}

void Reopen(benchmark::State& state) {
  const std::string path = BigLedger::Get().FilledPath();
  CommitAndDie(path, kAfterCheckpoint);
  OpenLedger open;
  for (auto _ : state) {
    open.store = Must(Store::Open({.path = path}));
    open.ledger = Must(Ledger::Open(*open.store));
  }
  const LedgerStats stats = open.ledger->Stats();
  state.SetItemsProcessed(static_cast<int64_t>(stats.head.sequence.value()));
  state.counters["records"] = static_cast<double>(stats.head.sequence.value());
  state.counters["replayed"] = static_cast<double>(stats.replayed_at_open);
}

template <typename Read>
void MeasureReads(benchmark::State& state, const Read& read) {
  const OpenLedger open = OpenAt(BigLedger::Get().FilledPath(), 0);
  std::mt19937_64 random(1);
  std::vector<double> times;
  for (auto _ : state) {
    for (int i = 0; i < kReads; ++i) {
      const AccountId account(static_cast<uint32_t>(random() % kAccounts + 1));
      const auto start = std::chrono::steady_clock::now();
      read(*open.ledger, account, random);
      times.push_back(MicrosecondsSince(start));
    }
  }
  state.SetItemsProcessed(kReads);
  state.counters["p50_us"] = Percentile(times, 0.5);
  state.counters["p99_us"] = Percentile(times, 0.99);
  state.counters["max_us"] = Percentile(times, 1);
}

void HistoryFirstPage(benchmark::State& state) {
  MeasureReads(state, [](const Ledger& ledger, AccountId account, std::mt19937_64&) {
    const HistoryPage page = Must(ledger.History(account, {.direction = Direction::kBackward, .limit = 100}));
    if (page.entries.size() != 100 && ledger.Head().sequence.value() > 4'000'000) std::abort();
  });
}

void BalanceAsOf(benchmark::State& state) {
  MeasureReads(state, [](const Ledger& ledger, AccountId account, std::mt19937_64& random) {
    const Sequence at(random() % ledger.Head().sequence.value() + 1);
    benchmark::DoNotOptimize(Must(ledger.BalanceAt(account, at)));
  });
}

void MemoryPerAccountCase(benchmark::State& state) {
  const ScratchDirectory scratch;
  double bytes = 0;
  for (auto _ : state) bytes = MemoryPerAccount(scratch.path() + "/ledger.db", kMemoryAccounts);
  state.SetItemsProcessed(static_cast<int64_t>(kMemoryAccounts));
  state.counters["memory_bytes_per_account"] = bytes;
}

void Register(const std::string& name, void (*run)(benchmark::State&)) {
  benchmark::RegisterBenchmark(name.c_str(), run)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
}

void RegisterAll() {
  const std::string n = std::to_string(transactions);
  Register("Commit/8190", Commit8190);
  Register("NaiveRocksDb/8190", NaiveRocksDb);
  Register("CommitRandomKeys/8190", CommitRandomKeys);
  Register("CommitZipf/8190", CommitZipf);
  benchmark::RegisterBenchmark("Commit/1", Commit1)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
  Register("AppendSync/4096", AppendSync);
  Register("Concurrent/10000", Concurrent);
  Register("SettleJson", SettleJson);
  Register("Reopen/" + n, Reopen);
  Register("HistoryFirstPage/" + n, HistoryFirstPage);
  Register("BalanceAsOf/" + n, BalanceAsOf);
  Register("MemoryPerAccount/1000000", MemoryPerAccountCase);
}

// Takes a flag of ours out of the arguments.
void TakeFlag(int& argc, char** argv, std::string_view name, uint64_t& value) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.substr(0, name.size()) != name) continue;
    value = std::strtoull(argv[i] + name.size(), nullptr, 10);
    if (value == 0) {
      std::fprintf(stderr, "%s needs a number of at least 1\n", std::string(name).c_str());
      std::exit(2);
    }
    for (int j = i; j + 1 < argc; ++j) argv[j] = argv[j + 1];
    --argc;
    return;
  }
}

}  // namespace
}  // namespace northwind::bench

int main(int argc, char** argv) {
  using namespace northwind::bench;  // NOLINT(google-build-using-namespace)
  if (const std::optional<int> status = RunAsChild(argc, argv)) return *status;
  TakeFlag(argc, argv, "--transactions=", transactions);
  TakeFlag(argc, argv, "--small_transactions=", small_transactions);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("durability", "every batch is written and fdatasync'd before it is answered");
  benchmark::AddCustomContext("rocksdb", "the distribution's build; Debian's runs with assertions on");
  RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  BigLedger::Get().Remove();
  return 0;
}

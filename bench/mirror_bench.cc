// SPDX-License-Identifier: Apache-2.0
//
// Figures of the mirror, against a PostgreSQL of its own on this machine with its default settings (fsync on). bench/README.md says what
// each means and how to run them. Each case does its whole work in one iteration.
//
//   mirror_bench [Google Benchmark's flags]
#include <libpq-fe.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "northwind/postgres.h"
#include "tests/postgres/postgres_server.h"
#include "tests/postgres/postgres_session.h"

namespace northwind::bench {
namespace {

using testing::PostgresServer;
using testing::PostgresSession;

// One transaction row and two posting rows each.
uint64_t Transactions() {
  const char* text = std::getenv("NORTHWIND_BENCH_MIRROR");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 400'000;
}
constexpr absl::Duration kPatience = absl::Minutes(30);
constexpr int kRounds = 5;  // of commits, with the mirror and without, in turn

// Of this process: the ledger and the mirror, not PostgreSQL.
double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Of the server's process that serves a session.
double CpuSecondsOf(const std::string& backend) {
  std::ifstream file("/proc/" + backend + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) std::abort();
  const std::vector<std::string> fields = absl::StrSplit(text.substr(name_end + 2), ' ');
  constexpr size_t kUser = 11, kSystem = 12;  // proc(5) counts from the process's id, as 1: these are 14 and 15
  const uint64_t ticks =
      std::strtoull(fields.at(kUser).c_str(), nullptr, 10) + std::strtoull(fields.at(kSystem).c_str(), nullptr, 10);
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// How a mirror took all transactions.
struct Measured {
  double seconds = 0;
  double server_cpu_seconds = 0;
};

// What the cases share: a server, a ledger that has all the transactions, and what the first case left in the server.
struct World {
  PostgresServer server;
  ScratchDirectory scratch;
  OpenLedger open = OpenAt(scratch.path() + "/ledger");
  std::string mirrored;  // the database that a mirror has filled
  Measured steady, backfill;

  World() {
    TransactionSource source(1, Keys::kTimeOrdered, Skew::kUniform);
    if (CommitAll(*open.ledger, source, Transactions()) != Transactions()) std::abort();
  }
  static World& Get() {
    static World world;
    return world;
  }
  // A database with the mirror's tables. What the server has yet to write is not to be paid for by what comes next.
  std::string FreshDatabase() {
    const std::string name = server.MakeDatabase();
    Must(Mirror::Migrate(Options(name)));
    PostgresSession(server.Connection()).Run("CHECKPOINT");
    return name;
  }
  MirrorOptions Options(const std::string& database) const { return {.connection = server.Connection(database)}; }
};

void Follow(benchmark::State& state, Measured World::*measured, std::optional<uint64_t> backfill_lag) {
  World& world = World::Get();
  const std::string database = world.FreshDatabase();
  MirrorOptions options = world.Options(database);
  if (backfill_lag) options.backfill_lag = *backfill_lag;
  const auto mirror = Must(Mirror::Open(*world.open.ledger, options));
  Measured& took = world.*measured;
  const double cpu_before = CpuSeconds();
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    Must(mirror->Start());
    Must(mirror->WaitFor(world.open.ledger->Head().sequence, kPatience));
    took.seconds = SecondsSince(start);
  }
  const double cpu = CpuSeconds() - cpu_before;
  const MirrorStats stats = mirror->Stats();
  took.server_cpu_seconds = CpuSecondsOf(PostgresSession(world.server.Connection(database))
                                             .Value("SELECT pid FROM pg_stat_activity WHERE datname = "
                                                    "current_database() AND application_name = 'northwind mirror'"));
  mirror->Stop();
  state.SetItemsProcessed(static_cast<int64_t>(Transactions()));
  state.counters["cpu_us_each"] = cpu * 1e6 / static_cast<double>(Transactions());
  state.counters["server_cpu_us_each"] = took.server_cpu_seconds * 1e6 / static_cast<double>(Transactions());
  state.counters["batches"] = static_cast<double>(stats.batches);
  state.counters["copied"] = static_cast<double>(stats.copied);
  const std::string rows =
      PostgresSession(world.server.Connection(database))
          .Value(
              "SELECT (SELECT count(*) FROM northwind.transactions) || ' ' || (SELECT count(*) FROM "
              "northwind.postings)");
  if (rows != absl::StrCat(Transactions(), " ", 2 * Transactions())) std::abort();
  world.mirrored = database;
}

void Steady(benchmark::State& state) { Follow(state, &World::steady, UINT64_MAX); }
void Backfill(benchmark::State& state) { Follow(state, &World::backfill, std::nullopt); }

// What the last of them has filled, against the journal.
void Audit(benchmark::State& state) {
  World& world = World::Get();
  if (world.mirrored.empty()) {
    state.SkipWithError("needs the rows of a Mirror case before it");
    return;
  }
  const auto mirror = Must(Mirror::Open(*world.open.ledger, world.Options(world.mirrored)));
  const double cpu_before = CpuSeconds();
  for (auto _ : state) {
    const AuditReport report = Must(mirror->Audit());
    if (!report.clean() || report.transactions != Transactions()) std::abort();
  }
  state.SetItemsProcessed(static_cast<int64_t>(Transactions()));
  state.counters["cpu_us_each"] = (CpuSeconds() - cpu_before) * 1e6 / static_cast<double>(Transactions());
}

// ---- CopyBaseline -------------------------------------------------------------------------------------------

using CopyText = std::vector<std::string>;  // in pieces

CopyText CopyOut(PostgresSession& sql, const std::string& table) {
  PGresult* const begun =
      PQexec(sql.raw(), absl::StrCat("COPY (SELECT * FROM northwind.", table, ") TO STDOUT (FORMAT csv)").c_str());
  if (PQresultStatus(begun) != PGRES_COPY_OUT) std::abort();
  PQclear(begun);
  CopyText text(1);
  char* row = nullptr;
  int size;
  while ((size = PQgetCopyData(sql.raw(), &row, 0)) > 0) {
    if (text.back().size() > 65536) text.emplace_back();
    text.back().append(row, static_cast<size_t>(size));
    PQfreemem(row);
  }
  PGresult* const ended = PQgetResult(sql.raw());
  if (size != -1 || PQresultStatus(ended) != PGRES_COMMAND_OK) std::abort();
  PQclear(ended);
  return text;
}

void CopyIn(PostgresSession& sql, const std::string& table, const CopyText& text) {
  PGresult* const begun = PQexec(sql.raw(), absl::StrCat("COPY northwind.", table, " FROM STDIN (FORMAT csv)").c_str());
  if (PQresultStatus(begun) != PGRES_COPY_IN) std::abort();
  PQclear(begun);
  for (const std::string& piece : text) {
    if (PQputCopyData(sql.raw(), piece.data(), static_cast<int>(piece.size())) != 1) std::abort();
  }
  if (PQputCopyEnd(sql.raw(), nullptr) != 1) std::abort();
  PGresult* const ended = PQgetResult(sql.raw());
  if (PQresultStatus(ended) != PGRES_COMMAND_OK) {
    std::fprintf(stderr, "%s\n", PQerrorMessage(sql.raw()));
    std::abort();
  }
  PQclear(ended);
}

// The same rows of the same two tables with the same indexes, as psql's \copy brings them: one COPY for each, as CSV.
void CopyBaseline(benchmark::State& state) {
  World& world = World::Get();
  if (world.mirrored.empty()) {
    state.SkipWithError("needs the rows of a Mirror case before it");
    return;
  }
  CopyText transactions;
  CopyText postings;
  {
    PostgresSession from(world.server.Connection(world.mirrored));
    from.Run("SET DateStyle = 'ISO'");
    transactions = CopyOut(from, "transactions");
    postings = CopyOut(from, "postings");
  }
  const std::string database = world.FreshDatabase();
  PostgresSession to(world.server.Connection(database));
  for (const auto& row : PostgresSession(world.server.Connection(world.mirrored))
                             .Rows("SELECT DISTINCT date_trunc('month', recorded_at) FROM "
                                   "northwind.transactions")) {
    to.Run(absl::StrCat("SELECT northwind.ensure_month('", row[0], "')"));
  }
  const std::string backend = to.Value("SELECT pg_backend_pid()");
  const double cpu_before = CpuSecondsOf(backend);
  double seconds = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    CopyIn(to, "transactions", transactions);
    CopyIn(to, "postings", postings);
    seconds = SecondsSince(start);
  }
  const double server_cpu = CpuSecondsOf(backend) - cpu_before;
  state.counters["server_cpu_us_each"] = server_cpu * 1e6 / static_cast<double>(Transactions());
  state.SetItemsProcessed(static_cast<int64_t>(Transactions()));
  if (world.steady.seconds > 0) {
    state.counters["mirror_over_copy"] = seconds / world.steady.seconds;
    state.counters["mirror_over_copy_cpu"] = server_cpu / world.steady.server_cpu_seconds;
  }
  if (world.backfill.seconds > 0) {
    state.counters["backfill_over_copy"] = seconds / world.backfill.seconds;
    state.counters["backfill_over_copy_cpu"] = server_cpu / world.backfill.server_cpu_seconds;
  }
}

// ---- Commits beside a mirror that catches up ------------------------------------------------------------------

// Commits batches one after the other, each when it is due; returns seconds of each call. `after_each` is called when one is done.
std::vector<double> CommitPaced(Ledger& ledger, TransactionSource& source, double per_second, size_t batch,
                                double seconds, const std::function<void()>& after_each = nullptr) {
  std::vector<double> took;
  const auto start = std::chrono::steady_clock::now();
  const double interval = static_cast<double>(batch) / per_second;
  for (int i = 0; i * interval < seconds; ++i) {
    const std::vector<Transaction> transactions = source.Batch(batch);
    std::this_thread::sleep_until(start + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                              std::chrono::duration<double>(i * interval)));
    const auto began = std::chrono::steady_clock::now();
    Must(ledger.Commit(transactions).status());
    took.push_back(SecondsSince(began));
    if (after_each) after_each();
  }
  return took;
}

// A mirror that is there already follows what comes in, 20,000 a second in calls of 100.
void Live(benchmark::State& state) {
  World& world = World::Get();
  const ScratchDirectory scratch;
  const OpenLedger open = OpenAt(scratch.path() + "/ledger");
  TransactionSource source(3, Keys::kTimeOrdered, Skew::kUniform);
  const auto mirror = Must(Mirror::Open(*open.ledger, world.Options(world.FreshDatabase())));
  Must(mirror->Start());
  Must(mirror->WaitFor(open.ledger->Head().sequence, kPatience));
  const uint64_t records_before = mirror->Stats().records;
  const uint64_t batches_before = mirror->Stats().batches;
  std::vector<double> lag;
  double behind = 0;
  for (auto _ : state) {
    CommitPaced(*open.ledger, source, 20'000, 100, 15,
                [&] { lag.push_back(static_cast<double>(mirror->Stats().lag_records)); });
    const auto end = std::chrono::steady_clock::now();
    Must(mirror->WaitFor(open.ledger->Head().sequence, kPatience));
    behind = SecondsSince(end);
  }
  const MirrorStats stats = mirror->Stats();
  state.SetItemsProcessed(static_cast<int64_t>(stats.records - records_before));
  state.counters["per_batch"] =
      static_cast<double>(stats.records - records_before) / static_cast<double>(stats.batches - batches_before);
  state.counters["behind_at_end_ms"] = behind * 1e3;
  state.counters["lag_p50_ms"] = Percentile(lag, 0.5) / 20;  // 20 records come in each millisecond
  state.counters["lag_p99_ms"] = Percentile(lag, 0.99) / 20;
}

// Rounds of commits as fast as they go, with a mirror that catches up and without one, in turn; and rounds at 20,000 a second.
void Commits(benchmark::State& state) {
  World& world = World::Get();
  const ScratchDirectory scratch;
  const OpenLedger open = OpenAt(scratch.path() + "/ledger");
  TransactionSource source(2, Keys::kTimeOrdered, Skew::kUniform);
  // What the mirror has to catch up with, for as long as the case lasts.
  CommitAll(*open.ledger, source, std::max<uint64_t>(Transactions(), 2'000'000));
  const std::string database = world.FreshDatabase();
  const auto mirror = Must(Mirror::Open(*open.ledger, world.Options(database)));
  std::vector<double> full[2], median[2];
  double worst[2] = {};
  for (auto _ : state) {
    for (int round = 0; round < 2 * kRounds; ++round) {
      const int mirrored = round % 2;
      if (mirrored == 1) Must(mirror->Start());
      const auto before = mirror->Stats().records;
      constexpr uint64_t kFull = 40 * kBatch;
      const auto start = std::chrono::steady_clock::now();
      CommitAll(*open.ledger, source, kFull);
      full[mirrored].push_back(static_cast<double>(kFull) / SecondsSince(start));
      std::vector<double> took = CommitPaced(*open.ledger, source, 20'000, 100, 2);
      median[mirrored].push_back(Percentile(took, 0.5));
      worst[mirrored] = std::max(worst[mirrored], Percentile(took, 0.99));
      if (mirrored == 1) {
        if (mirror->Stats().records == before || mirror->Stats().lag_records == 0)
          std::abort();  // it did not catch up meanwhile
        mirror->Stop();
      }
    }
  }
  const double alone = Percentile(full[0], 0.5);
  const double beside = Percentile(full[1], 0.5);
  state.counters["alone_per_s"] = alone;
  state.counters["beside_per_s"] = beside;
  state.counters["slowdown"] = 1 - beside / alone;
  state.counters["paced_p50_us_alone"] = Percentile(median[0], 0.5) * 1e6;
  state.counters["paced_p50_us_beside"] = Percentile(median[1], 0.5) * 1e6;
  state.counters["paced_p99_us_alone"] = worst[0] * 1e6;
  state.counters["paced_p99_us_beside"] = worst[1] * 1e6;
}

BENCHMARK(Backfill)->Name("Mirror/backfill")->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(Steady)->Name("Mirror/steady")->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(Audit)->Name("Mirror/audit")->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(CopyBaseline)->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(Live)->Name("Mirror/live")->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(Commits)->Name("Mirror/commits")->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace northwind::bench

BENCHMARK_MAIN();

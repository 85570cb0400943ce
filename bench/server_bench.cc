// SPDX-License-Identifier: Apache-2.0
//
// Figures of the reference server. bench/README.md says what each means and how to run them. The server is a process of its own, started for
// each case; its clients are one thread of this one.
//
//   server_bench [Google Benchmark's flags]
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/numeric/int128.h"
#include "bench/event_load.h"
#include "bench/server_process.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "northwind/ledger.h"
#include "northwind/store.h"

namespace northwind::bench {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;
using Tcp = asio::ip::tcp;

constexpr uint64_t kConnections = 1'000;
constexpr uint64_t kKeys = 8;  // of which each may ask 5,000 times a second
constexpr size_t kStreams = 5'000;
constexpr size_t kOpening = 500;  // streams that are not open yet, at most: the server takes 2,000 requests at once
constexpr double kMebibyte = 1 << 20;

std::string Head(const std::string& method, const std::string& path, const std::string& key) {
  return method + " " + path + " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " + key + "\r\n";
}

// One request on a connection of its own; the answer's body. Aborts unless the status is the one given.
std::string Post(const ServerProcess& server, const std::string& path, const std::string& body, int status) {
  asio::io_context io;
  Tcp::socket socket(io);
  socket.connect({asio::ip::address_v4::loopback(), server.port()});
  const std::string request =
      Head("POST", path, server.key()) +
      "Connection: close\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  asio::write(socket, asio::buffer(request));
  std::string answer;
  error_code error;
  asio::read(socket, asio::dynamic_buffer(answer), error);
  if (!answer.starts_with("HTTP/1.1 " + std::to_string(status) + " ")) {
    std::fprintf(stderr, "POST %s: %s\n", path.c_str(), answer.c_str());
    std::abort();
  }
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

std::vector<std::string> MakeKeys(const ServerProcess& server) {
  std::vector<std::string> keys;
  for (uint64_t i = 0; i < kKeys; ++i) {
    const nlohmann::json wanted = {{"name", "bench" + std::to_string(i)}, {"scopes", {"events:write"}}};
    keys.push_back(nlohmann::json::parse(Post(server, "/v1/operator/keys", wanted.dump(), 201)).at("key"));
  }
  return keys;
}

// What a ledger has that is opened after the server was killed: transactions, and what merchants own.
struct Settled {
  uint64_t applied = 0;
  absl::int128 units = 0;
};

Settled Recover(const std::string& path) {
  const auto store = Must(Store::Open({.path = path}));
  const auto ledger = Must(Ledger::Open(*store));
  Settled settled;
  JournalReader reader = ledger->ReadJournal(Sequence());
  for (std::vector<JournalRecord> records = Must(reader.Next(10'000)); !records.empty();
       records = Must(reader.Next(10'000))) {
    for (const JournalRecord& record : records) {
      const auto* done = std::get_if<TransactionRecorded>(&record.body);
      if (done != nullptr && done->outcome == Outcome::kApplied) ++settled.applied;
    }
  }
  for (uint64_t i = 0; i < kLoadMerchants; ++i) {
    const auto id = Must(ledger->FindAccount("merchant:m_" + std::to_string(i) + ":available:USD/2"));
    settled.units += Must(ledger->GetAccount(id)).totals.available();
  }
  return settled;
}

struct Workload {
  uint64_t requests = 0;
  uint64_t events_a_request = 1;
  double rate = 0;
  // Requests of 10,000 events, one after the other on a connection beside the others, for as long as those take.
  bool beside_large = false;
};

constexpr uint64_t kLarge = 10'000;
constexpr uint64_t kFirstLarge = 500'000'000;

void Post(benchmark::State& state, const Workload& workload) {
  const ScratchDirectory scratch;
  ServerProcess server(scratch.path(), {"--batch-gone"});
  EventLoadResult result, large;
  double cpu = 0;
  const std::vector<std::string> keys = MakeKeys(server);
  for (auto _ : state) {
    cpu = server.CpuSeconds();
    std::atomic<bool> go_on = true;
    std::thread beside;
    if (workload.beside_large) {
      beside = std::thread([&] {
        large = PostEvents({.port = server.port(),
                            .keys = keys,
                            .connections = 1,
                            .while_true = &go_on,
                            .events_a_request = kLarge,
                            .first_event = kFirstLarge});
      });
    }
    result = PostEvents({.port = server.port(),
                         .keys = keys,
                         .connections = kConnections,
                         .requests = workload.requests,
                         .events_a_request = workload.events_a_request,
                         .rate = workload.rate});
    go_on = false;
    if (beside.joinable()) beside.join();
    state.SetIterationTime(result.seconds);
  }
  cpu = server.CpuSeconds() - cpu;
  const double peak = static_cast<double>(server.PeakResidentBytes());
  // At once: what was acknowledged and is only in memory goes with the process.
  server.Kill();
  const Settled settled = Recover(server.store());
  if (settled.applied != result.acknowledged + large.acknowledged ||
      settled.units != static_cast<absl::int128>(result.units + large.units)) {
    std::fprintf(stderr, "%llu events were acknowledged, %llu are there after a kill\n",
                 static_cast<unsigned long long>(result.acknowledged + large.acknowledged),
                 static_cast<unsigned long long>(settled.applied));
    std::abort();
  }
  const auto events = static_cast<double>(result.acknowledged);
  state.counters["events_per_second"] = events / result.seconds;
  state.counters["requests_per_second"] = static_cast<double>(workload.requests) / result.seconds;
  state.counters["p50_ms"] = Percentile(result.milliseconds, 0.5);
  state.counters["p99_ms"] = Percentile(result.milliseconds, 0.99);
  state.counters["max_ms"] = result.milliseconds.back();
  state.counters["acknowledged"] = events + static_cast<double>(large.acknowledged);
  state.counters["applied"] = static_cast<double>(settled.applied);
  state.counters["server_cpu_us_each"] = cpu * 1e6 / static_cast<double>(settled.applied);
  if (workload.beside_large) {
    state.counters["large_s"] = large.seconds;
    state.counters["large_events_per_second"] = static_cast<double>(large.acknowledged) / large.seconds;
  }
  state.counters["server_rss_mb"] = peak / kMebibyte;
}

// 20 events a request, 20,000 a second.
void PostPaced(benchmark::State& state) { Post(state, {.requests = 20'000, .events_a_request = 20, .rate = 1'000}); }
void PostFlatOut(benchmark::State& state) { Post(state, {.requests = 25'000, .events_a_request = 20}); }
void PostOneEach(benchmark::State& state) { Post(state, {.requests = 200'000, .events_a_request = 1}); }
// 2,000 requests of one event a second, beside one producer of large bodies that goes on until the last of them is answered.
void PostBesideLarge(benchmark::State& state) {
  Post(state, {.requests = 20'000, .events_a_request = 1, .rate = 2'000, .beside_large = true});
}

// A stream of server-sent events. Counts how many it is told.
class Watcher {
 public:
  Watcher(asio::io_context& io, const ServerProcess& server, std::string path) : socket_(io) {
    socket_.connect({asio::ip::address_v4::loopback(), server.port()});
    asio::write(socket_, asio::buffer(Head("GET", std::move(path), server.key()) + "\r\n"));
  }
  void Read() {
    socket_.async_read_some(asio::buffer(piece_), [this](error_code error, size_t bytes) {
      if (error) std::abort();
      text_.append(piece_.data(), bytes);
      Read();
    });
  }
  bool open() const { return text_.find("event: hello\n") != std::string::npos; }
  bool told() const { return text_.find("event: transaction\n") != std::string::npos; }
  const std::string& text() const { return text_; }

 private:
  Tcp::socket socket_;
  std::string text_;
  std::array<char, 1024> piece_;
};

// Until what `is` asks for holds of all watchers from `first` on.
void AwaitAll(asio::io_context& io, const std::vector<std::unique_ptr<Watcher>>& watchers, size_t first,
              bool (Watcher::*is)() const) {
  const auto give_up = SteadyClock::now() + std::chrono::minutes(1);
  for (size_t i = first; i < watchers.size();) {
    if ((*watchers[i].*is)()) {
      ++i;
    } else if (SteadyClock::now() > give_up) {
      std::fprintf(stderr, "stream %zu does not hear what it should, but: %s\n", i, watchers[i]->text().c_str());
      std::abort();
    } else {
      io.run_one_for(std::chrono::seconds(1));
    }
  }
}

void Streams(benchmark::State& state) {
  const ScratchDirectory scratch;
  const std::string most = std::to_string(kStreams);
  ServerProcess server(scratch.path(), {"--batch-gone", "--max-streams", most, "--max-streams-per-merchant", most});
  Post(server, "/v1/events",
       R"({"type":"PAYMENT_CAPTURED","payment_id":"pay_0","merchant_id":"m_1","occurred_at":"2026-07-01T12:00:00Z",)"
       R"("amount":{"asset":"USD/2","units":"100"}})",
       202);
  const uint64_t before = server.ResidentBytes();
  asio::io_context io(1);
  std::vector<std::unique_ptr<Watcher>> watchers;
  double open_seconds = 0, reach_ms = 0;
  for (auto _ : state) {
    const auto start = SteadyClock::now();
    while (watchers.size() < kStreams) {
      const size_t first = watchers.size();
      for (size_t i = 0; i < kOpening && watchers.size() < kStreams; ++i) {
        watchers.push_back(std::make_unique<Watcher>(io, server, "/v1/merchants/m_1/live"));
        watchers.back()->Read();
      }
      AwaitAll(io, watchers, first, &Watcher::open);
    }
    const auto opened = SteadyClock::now();
    Post(server, "/v1/events",
         R"({"type":"PAYMENT_CAPTURED","payment_id":"pay_1","merchant_id":"m_1","occurred_at":"2026-07-01T12:00:01Z",)"
         R"("amount":{"asset":"USD/2","units":"100"}})",
         202);
    AwaitAll(io, watchers, 0, &Watcher::told);
    const auto end = SteadyClock::now();
    open_seconds = std::chrono::duration<double>(opened - start).count();
    reach_ms = std::chrono::duration<double, std::milli>(end - opened).count();
    state.SetIterationTime(std::chrono::duration<double>(end - start).count());
  }
  uint64_t reached = 0;
  for (const auto& watcher : watchers) reached += watcher->told() ? 1 : 0;
  state.counters["streams"] = static_cast<double>(watchers.size());
  state.counters["reached"] = static_cast<double>(reached);
  state.counters["open_s"] = open_seconds;
  state.counters["reach_all_ms"] = reach_ms;  // from the request that brings the event to the last stream that has it
  state.counters["rss_mb"] = static_cast<double>(server.PeakResidentBytes()) / kMebibyte;
  state.counters["rss_before_mb"] = static_cast<double>(before) / kMebibyte;
}

void Register(const char* name, void (*run)(benchmark::State&)) {
  benchmark::RegisterBenchmark(name, run)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace northwind::bench

int main(int argc, char** argv) {
  using namespace northwind::bench;  // NOLINT(google-build-using-namespace)
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  // The streams need a descriptor each, here and in the server, which inherits the limit.
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  benchmark::AddCustomContext("durability", "an event is fdatasync'd before its request is answered");
  benchmark::AddCustomContext("rocksdb", "the distribution's build; Debian's runs with assertions on");
  Register("PostEvents/1000", PostPaced);
  Register("PostEvents/1000_flat_out", PostFlatOut);
  Register("PostEvents/1000_one_each", PostOneEach);
  Register("PostEvents/1000_beside_large", PostBesideLarge);
  Register("Streams/5000", Streams);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

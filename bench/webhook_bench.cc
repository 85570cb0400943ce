// SPDX-License-Identifier: Apache-2.0
//
// Figures of webhooks. bench/README.md says what each means and how to run them. Each case does its whole work in one iteration,
// with receivers of this process on 127.0.0.1 that verify every signature.
//
//   webhook_bench [Google Benchmark's flags]
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "examples/receivers/receiver_fleet.h"
#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/store.h"
#include "northwind/webhook.h"

namespace northwind::bench {
namespace {

using examples::ReceivedMessage;
using examples::ReceiverFleet;
using examples::ReceiverStats;

constexpr size_t kMerchants = 64;  // with an endpoint each, and that with a receiver
constexpr uint64_t kDeliveries = 50'000;
constexpr uint64_t kHanging = 128;  // receivers more, that never answer: 8 attempts under way at each
constexpr uint64_t kLiveBatch = 100;
constexpr uint64_t kLiveBehind = 2'000;  // committed and not delivered, at most
constexpr uint64_t kFirstHanging = 90'000'000;
constexpr uint64_t kPerSecond = 500;
constexpr uint64_t kPaced = 12 * kPerSecond;
constexpr uint64_t kMessages = 100'000;
constexpr uint64_t kNoNews = 500'000;
constexpr auto kLook = std::chrono::milliseconds(2);

// Of all threads of this process, the receivers' included: what does not depend on who else uses the machine.
double CpuMicroseconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

std::string Numbered(std::string_view prefix, uint64_t number) {
  std::array<char, 32> digits;
  std::snprintf(digits.data(), digits.size(), "%08llu", static_cast<unsigned long long>(number));
  return std::string(prefix).append(digits.data());
}

// A card payment as a payment company would tell it. Its message has about 500 bytes.
PaymentEvent Payment(uint64_t number, std::string merchant, absl::Time occurred_at) {
  const Asset dollars{.code = "USD", .scale = 2};
  return {.type = EventType::kPaymentCaptured,
          .payment_id = Numbered("pay_", number),
          .occurred_at = occurred_at + absl::Nanoseconds(number),
          .merchant_id = std::move(merchant),
          .amount = Money{.asset = dollars, .units = Amount(1'000 + number % 90'000)},
          .fee = Money{.asset = dollars, .units = Amount(30 + number % 900)},
          .metadata = {{"order_id", Numbered("order-2026-", number)},
                       {"customer", Numbered("cus_", number * 7919 % 100'000)},
                       {"channel", "web"},
                       {"card_network", "visa"},
                       {"statement_descriptor", "NORTHWIND*OUTDOOR GOODS"}}};
}

// The number of a payment, by the message that tells of it.
uint64_t PaymentNumber(std::string_view body) {
  constexpr std::string_view kBefore = R"("payment_id":"pay_)";
  const size_t at = body.find(kBefore);
  if (at == std::string_view::npos) std::abort();
  return std::strtoull(std::string(body.substr(at + kBefore.size(), 8)).c_str(), nullptr, 10);
}

// Ledger, scheduler, intake and webhooks on one store, and 64 merchants with an endpoint each.
class Shop {
 public:
  explicit Shop(std::function<void(const ReceivedMessage&)> on_message = nullptr) {
    fleet_ = Must(ReceiverFleet::Start({.on_message = std::move(on_message)}));
    store_ = Must(Store::Open({.path = scratch_.path() + "/shop.db"}));
    ledger_ = Must(Ledger::Open(*store_));
    scheduler_ = Must(Scheduler::Open(*store_));
    intake_ = Must(Intake::Open(*ledger_, *store_));
    WebhookOptions options;
    options.host_keys = {{.id = "bench", .key = "0123456789abcdef0123456789abcdef"}};
    options.plain_http = true;
    options.allowed_networks = {{.network = "127.0.0.0/8", .ports = {}}};
    webhooks_ = Must(Webhooks::Open({*ledger_, *store_, *scheduler_}, options));
    for (uint64_t i = 0; i < kMerchants; ++i) {
      const std::string merchant = Numbered("m_", i);
      const std::string url = Must(fleet_->Add({.name = merchant}));
      const NewEndpoint made = Must(webhooks_->CreateEndpoint(merchant, {.id = "hook", .url = url}));
      Must(fleet_->SetKeys(merchant, {made.secret}));
    }
  }

  Webhooks& webhooks() { return *webhooks_; }

  // Merchants whose receivers hang, with all the attempts under way that their policy allows. To be called after Start.
  void AddHanging() {
    const uint64_t attempts = kHanging * WebhookPolicy().max_concurrent;
    WebhookPolicy policy;
    policy.timeout = absl::Minutes(1);  // longer than the case takes
    for (uint64_t i = 0; i < kHanging; ++i) {
      const std::string merchant = Numbered("hanging_", i);
      const std::string url = Must(fleet_->Add({.name = merchant, .behaviour = examples::Behaviour::kHang}));
      Must(webhooks_->CreateEndpoint(merchant, {.id = "hook", .url = url, .policy = policy}).status());
    }
    Commit(kFirstHanging, attempts, "hanging_", kHanging);
    Await([&](const WebhookStats& stats) { return stats.in_flight == attempts; });
  }

  void PauseAll() {
    for (uint64_t i = 0; i < kMerchants; ++i) Must(webhooks_->PauseEndpoint(Numbered("m_", i), "hook").status());
  }

  // Durable when it returns.
  void Commit(uint64_t first, uint64_t count, std::string_view merchants = "m_", uint64_t number = kMerchants) {
    constexpr uint64_t kCall = 10'000;
    for (uint64_t done = 0; done < count;) {
      std::vector<PaymentEvent> events;
      for (; events.size() < kCall && done < count; ++done) {
        events.push_back(Payment(first + done, Numbered(merchants, (first + done) % number), epoch_));
      }
      for (const EventOutcome& outcome : Must(intake_->Apply(events)).outcomes) {
        if (outcome.status != EventStatus::kApplied) std::abort();
      }
    }
  }

  template <typename Condition>
  void Await(const Condition& condition) {
    while (!condition(Must(webhooks_->Stats()))) {
      Must(webhooks_->status());
      std::this_thread::sleep_for(kLook);
    }
  }
  // Until so many receipts are durable.
  void AwaitDelivered(uint64_t count) {
    Await([&](const WebhookStats& stats) { return stats.delivered >= count; });
  }
  void AwaitFollowed() {
    const Sequence head = ledger_->Head().sequence;
    Await([&](const WebhookStats& stats) { return stats.followed == head; });
  }

  // Each message once, with a good signature, and nothing left to do: else there is no figure.
  void CheckDelivered(uint64_t count) {
    ReceiverStats all;
    for (const auto& [name, stats] : fleet_->Stats()) {
      if (name.starts_with("m_")) all += stats;
    }
    const WebhookStats stats = Must(webhooks_->Stats());
    if (all.requests != count || all.verified != count || all.distinct_acknowledged != count ||
        stats.delivered != count || stats.failed != 0 || stats.waiting != stats.in_flight) {
      std::fprintf(stderr,
                   "not everything was delivered, once: %llu of %llu requests, %llu verified, %llu acknowledged; %llu "
                   "delivered, %llu failed, %llu waiting, %llu in flight\n",
                   static_cast<unsigned long long>(all.requests), static_cast<unsigned long long>(count),
                   static_cast<unsigned long long>(all.verified),
                   static_cast<unsigned long long>(all.distinct_acknowledged),
                   static_cast<unsigned long long>(stats.delivered), static_cast<unsigned long long>(stats.failed),
                   static_cast<unsigned long long>(stats.waiting), static_cast<unsigned long long>(stats.in_flight));
      std::abort();
    }
  }

 private:
  const ScratchDirectory scratch_;
  const absl::Time epoch_ = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()));
  std::unique_ptr<ReceiverFleet> fleet_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Webhooks> webhooks_;
};

// So many deliveries while events come in.
void CommitAndDeliver(Shop& shop) {
  for (uint64_t done = 0; done < kDeliveries; done += kLiveBatch) {
    if (done > kLiveBehind) shop.AwaitDelivered(done - kLiveBehind);
    shop.Commit(done, kLiveBatch);
  }
  shop.AwaitDelivered(kDeliveries);
}

// The work of one iteration; `cpu_us_each` of its `items`.
void Measure(benchmark::State& state, uint64_t items, const std::function<void()>& work) {
  double cpu = 0;
  for (auto _ : state) {
    const double before = CpuMicroseconds();
    work();
    cpu += CpuMicroseconds() - before;
  }
  state.SetItemsProcessed(static_cast<int64_t>(items));
  state.counters["cpu_us_each"] = cpu / static_cast<double>(items);
}

void Deliver(benchmark::State& state) {
  Shop shop;
  shop.Commit(0, kDeliveries);
  Measure(state, kDeliveries, [&] {
    Must(shop.webhooks().Start());
    shop.AwaitDelivered(kDeliveries);
  });
  shop.CheckDelivered(kDeliveries);
}

void DeliverLive(benchmark::State& state) {
  Shop shop;
  Must(shop.webhooks().Start());
  Measure(state, kDeliveries, [&] { CommitAndDeliver(shop); });
  shop.CheckDelivered(kDeliveries);
}

void DeliverBesideHanging(benchmark::State& state) {
  Shop shop;
  Must(shop.webhooks().Start());
  shop.AddHanging();
  Measure(state, kDeliveries, [&] { CommitAndDeliver(shop); });
  shop.CheckDelivered(kDeliveries);
}

// One event after the other, each at its time; or at once, if the one before took longer.
void MeasureLatency(benchmark::State& state, bool hanging) {
  std::vector<absl::Time> committed(kPaced);
  std::vector<double> commits;
  std::vector<absl::Time> received(kPaced);  // by the one thread of the receivers
  std::atomic<uint64_t> receipts{0};
  Shop shop([&](const ReceivedMessage& message) {
    if (!message.receiver.starts_with("m_")) return;
    received[PaymentNumber(message.body)] = message.at;
    ++receipts;  // publishes it
  });
  Must(shop.webhooks().Start());
  if (hanging) shop.AddHanging();
  Measure(state, kPaced, [&] {
    const auto start = std::chrono::steady_clock::now();
    for (uint64_t i = 0; i < kPaced; ++i) {
      std::this_thread::sleep_until(start + std::chrono::microseconds(i * 1'000'000 / kPerSecond));
      const absl::Time before = absl::Now();
      shop.Commit(i, 1);
      committed[i] = absl::Now();
      commits.push_back(absl::ToDoubleMilliseconds(committed[i] - before));
    }
    shop.AwaitDelivered(kPaced);
  });
  if (receipts != kPaced) std::abort();
  shop.CheckDelivered(kPaced);
  std::vector<double> ms;
  for (uint64_t i = 0; i < kPaced; ++i) {
    // Received before the thread that committed had its turn: no time at all.
    ms.push_back(std::max(absl::ToDoubleMilliseconds(received[i] - committed[i]), 0.0));
  }
  state.counters["p50_ms"] = Percentile(ms, 0.5);
  state.counters["p99_ms"] = Percentile(ms, 0.99);
  state.counters["max_ms"] = ms.back();
  state.counters["commit_p50_ms"] = Percentile(commits, 0.5);
}

void Latency(benchmark::State& state) { MeasureLatency(state, /*hanging=*/false); }
void LatencyBesideHanging(benchmark::State& state) { MeasureLatency(state, /*hanging=*/true); }

void FanoutMessages(benchmark::State& state) {
  Shop shop;
  shop.PauseAll();
  shop.Commit(0, kMessages);
  Measure(state, kMessages, [&] {
    Must(shop.webhooks().Start());
    shop.AwaitFollowed();
  });
  if (Must(shop.webhooks().Stats()).deliveries != kMessages) std::abort();
}

void FanoutNoNews(benchmark::State& state) {
  Shop shop;
  shop.Commit(0, kNoNews, "quiet_");
  Measure(state, kNoNews, [&] {
    Must(shop.webhooks().Start());
    shop.AwaitFollowed();
  });
  if (Must(shop.webhooks().Stats()).messages != 0) std::abort();
}

void Register(const char* name, void (*run)(benchmark::State&)) {
  benchmark::RegisterBenchmark(name, run)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace northwind::bench

int main(int argc, char** argv) {
  using namespace northwind::bench;  // NOLINT(google-build-using-namespace)
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("durability",
                              "events, deliveries, claims and receipts are fdatasync'd before they count");
  benchmark::AddCustomContext("rocksdb", "the distribution's build; Debian's runs with assertions on");
  Register("Deliver/backlog", Deliver);
  Register("Deliver/live", DeliverLive);
  Register("Deliver/beside_1024_hanging", DeliverBesideHanging);
  Register("Latency/500", Latency);
  Register("Latency/500_beside_1024_hanging", LatencyBesideHanging);
  Register("Fanout/paused", FanoutMessages);
  Register("Fanout/no_endpoints", FanoutNoNews);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

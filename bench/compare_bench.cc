// SPDX-License-Identifier: Apache-2.0
//
// Figures of the parallel run: a day of payments through both sides, closed. bench/README.md says what each means and how to run them. The
// case does its whole work in one iteration; the ledger is made by a child, so that what is measured is the run alone.
//
//   compare_bench [Google Benchmark's flags]
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "bench/child.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "northwind/compare.h"
#include "northwind/settlement.h"

namespace northwind::bench {
namespace {

// NORTHWIND_BENCH_COMPARE: other than what the target is set for.
int64_t Events() {
  const char* text = std::getenv("NORTHWIND_BENCH_COMPARE");
  return text != nullptr ? std::strtoll(text, nullptr, 10) : 1'200'000;
}
constexpr uint64_t kMerchants = 2'000;
constexpr uint64_t kPage = 10'000;
const absl::CivilDay kDay(2026, 3, 2);

// Of ten events: seven captures, one refund, and a payout that is requested and paid. As rows of the batch: nine.
PaymentEvent EventOf(uint64_t n) {
  const uint64_t group = n / 10, place = n % 10;
  // Ids that do not come in their order, as those of payments do not.
  const std::string id =
      absl::StrCat("pay_", absl::Hex((group * 7 + place % 7) * 0x9E3779B97F4A7C15ULL, absl::kZeroPad16));
  PaymentEvent event{.type = EventType::kPaymentCaptured,
                     .occurred_at = absl::FromCivil(kDay, absl::UTCTimeZone()) + absl::Milliseconds(72 * n),
                     .merchant_id = absl::StrCat("m", group % kMerchants),
                     .amount = Money{{"USD", 2}, 10'000 + place}};
  switch (place) {
    case 7:
      event.type = EventType::kPaymentRefunded;
      event.payment_id = id;  // of the group's first capture
      event.refund_id = "r1";
      event.amount = Money{{"USD", 2}, 1'000};
      return event;
    case 8:
      event.type = EventType::kPayoutRequested;
      event.payout_id = absl::StrCat("po_", group);
      return event;
    case 9:
      event.type = EventType::kPayoutPaid;
      event.payout_id = absl::StrCat("po_", group);
      event.amount.reset();
      return event;
    default:
      event.payment_id = id;
      event.fee = Money{{"USD", 2}, 290};
      return event;
  }
}

const std::vector<std::string> kColumns = {"row",   "type",   "ref", "refund", "merchant",
                                           "asset", "amount", "fee", "status", "at"};

RawRow RowOf(uint64_t n, const PaymentEvent& event) {
  const bool payout = !event.payout_id.empty();
  RawRow row = {absl::StrCat(n),
                std::string(payout                    ? "PAY"
                            : event.refund_id.empty() ? "CAP"
                                                      : "REF"),
                payout ? event.payout_id : event.payment_id,
                std::nullopt,
                event.merchant_id,
                "USD/2",
                event.amount->units.ToString(2),
                std::nullopt,
                std::string(payout ? "PAID" : "OK"),
                absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", event.occurred_at, absl::UTCTimeZone())};
  if (!event.refund_id.empty()) row[3] = event.refund_id;
  if (event.fee) row[7] = event.fee->units.ToString(2);
  return row;
}

LegacyMapping Mapping() {
  return {.row_id = "row",
          .leg = "type",
          .legs = {{"CAP", Leg::kCapture}, {"REF", Leg::kRefund}, {"PAY", Leg::kPayout}},
          .id = "ref",
          .refund_id = "refund",
          .merchant_id = "merchant",
          .asset = "asset",
          .amount = "amount",
          .fee = "fee",
          .status = "status",
          .statuses = {{"OK", LegStatus::kSettled}, {"PAID", LegStatus::kPaid}, {"FAILED", LegStatus::kFailed}},
          .at = "at"};
}

StoreOptions StoreAt(const std::string& directory) {
  return {.path = directory, .block_cache_bytes = 32 << 20, .write_buffer_bytes = 16 << 20};
}

// In a child: a ledger of so many events.
int Build(const std::string& directory, uint64_t events) {
  const auto store = Must(Store::Open(StoreAt(directory)));
  const auto ledger = Must(Ledger::Open(*store));
  const auto intake = Must(Intake::Open(*ledger, *store));
  std::vector<PaymentEvent> batch;
  for (uint64_t n = 0; n < events; ++n) {
    batch.push_back(EventOf(n));
    if (batch.size() < 50'000 && n + 1 < events) continue;
    for (const EventOutcome& outcome : Must(intake->Apply(batch)).outcomes) {
      if (outcome.status != EventStatus::kApplied) return 1;
    }
    batch.clear();
  }
  Must(ledger->Close());
  std::printf("%llu\n", static_cast<unsigned long long>(events));
  return 0;
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double PeakMegabytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void Compare(benchmark::State& state) {
  const auto events = static_cast<uint64_t>(state.range(0));
  ScratchDirectory scratch;
  RunChildForNumber("build", scratch.path() + "/ledger", events);
  const auto store = Must(Store::Open(StoreAt(scratch.path() + "/ledger")));
  const auto ledger = Must(Ledger::Open(*store));
  const auto run = Must(ParallelRun::Open(*ledger, *store, {.mapping = Mapping()}));
  uint64_t rows = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    Must(run->CatchUp());
    state.counters["ours_s"] = SecondsSince(start);
    const auto second = std::chrono::steady_clock::now();
    std::vector<RawRow> page;
    for (uint64_t n = 0; n < events; ++n) {
      if (const PaymentEvent event = EventOf(n); event.amount) page.push_back(RowOf(n, event));
      if (page.size() < kPage && n + 1 < events) continue;
      rows += Must(run->Ingest("batch", kColumns, page, absl::StrCat(n))).new_rows;
      page.clear();
    }
    state.counters["theirs_s"] = SecondsSince(second);
    const auto third = std::chrono::steady_clock::now();
    const DayFigures day = Must(run->CloseDay(kDay, {.actor = "bench"}));
    state.counters["close_s"] = SecondsSince(third);
    if (!day.clean() || day.assets.at("USD/2").theirs.matched.count != rows) std::abort();
  }
  state.SetItemsProcessed(static_cast<int64_t>(events + rows));
  state.counters["peak_MB"] = PeakMegabytes();
}

}  // namespace
}  // namespace northwind::bench

int main(int argc, char** argv) {
  using namespace northwind::bench;  // NOLINT(google-build-using-namespace)
  if (argc == 4 && std::string_view(argv[1]) == "build") return Build(argv[2], std::strtoull(argv[3], nullptr, 10));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("durability", "every page is written and fdatasync'd before it is answered");
  benchmark::AddCustomContext("rocksdb", "the distribution's build; Debian's runs with assertions on");
  benchmark::RegisterBenchmark("Compare", Compare)
      ->Arg(Events())
      ->Iterations(1)
      ->UseRealTime()
      ->Unit(benchmark::kSecond);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

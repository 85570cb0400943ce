// SPDX-License-Identifier: Apache-2.0
//
// A ledger that settles events, a batch system that is a few rows of text, and a parallel run of the two, on a disk that can fail.
//
//   RunWorld world;
//   world.Settle(Capture("pay_1", 100'00));
//   world.Ingest({{.ref = "pay_1", .amount = "100.00"}});
//   world.Close();
//   EXPECT_THAT(world.ClassesOf("capture:pay_1"), IsEmpty());
#ifndef NORTHWIND_TESTS_COMPARE_RUN_WORLD_H_
#define NORTHWIND_TESTS_COMPARE_RUN_WORLD_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/compare.h"
#include "tests/settlement/intake_fixture.h"
#include "tests/support/fake_clock.h"

namespace northwind::testing {

inline const absl::CivilDay kDay(2026, 3, 2);

// Noon of the day, and so many minutes.
inline absl::Time Noon(absl::CivilDay day = kDay, int minutes = 0) {
  return absl::FromCivil(absl::CivilSecond(day) + 12 * 3600, absl::UTCTimeZone()) + absl::Minutes(minutes);
}
inline Money Usd(uint64_t cents) { return {.asset = {.code = "USD", .scale = 2}, .units = cents}; }

inline PaymentEvent Capture(std::string_view payment, uint64_t cents, uint64_t fee = 0, absl::Time at = Noon(),
                            std::string_view merchant = "m1") {
  PaymentEvent event{.type = EventType::kPaymentCaptured,
                     .payment_id = std::string(payment),
                     .occurred_at = at,
                     .merchant_id = std::string(merchant),
                     .amount = Usd(cents)};
  if (fee > 0) event.fee = Usd(fee);
  return event;
}
inline PaymentEvent Refund(std::string_view payment, uint64_t cents, absl::Time at, std::string_view refund = {}) {
  PaymentEvent event = Capture(payment, cents, 0, at);
  event.type = EventType::kPaymentRefunded;
  event.refund_id = refund;
  return event;
}
inline PaymentEvent OfPayment(EventType type, std::string_view payment, absl::Time at, uint64_t cents = 0) {
  PaymentEvent event{.type = type, .payment_id = std::string(payment), .occurred_at = at, .merchant_id = "m1"};
  if (cents > 0) event.amount = Usd(cents);
  return event;
}
inline PaymentEvent OfPayout(EventType type, std::string_view payout, absl::Time at, uint64_t cents = 0) {
  PaymentEvent event{.type = type, .payout_id = std::string(payout), .occurred_at = at, .merchant_id = "m1"};
  if (cents > 0) event.amount = Usd(cents);
  return event;
}

// A row of the batch.
struct Line {
  std::string row = {};  // empty: the ref's, with the type
  std::string type = "CAP";
  std::string ref = {};
  std::optional<std::string> refund = {};
  std::string merchant = "m1";
  std::string currency = "USD";
  std::string amount = {};
  std::optional<std::string> fee = {};
  std::string status = {};  // empty: as the type ends well
  std::string day = "2026-03-02";
  std::optional<std::string> at = {};
};

inline const std::vector<std::string>& Columns() {
  static const std::vector<std::string> columns = {"row",    "type", "ref",    "refund", "merchant", "currency",
                                                   "amount", "fee",  "status", "day",    "at"};
  return columns;
}

inline RawRow Raw(const Line& line) {
  const std::string status = !line.status.empty() ? line.status
                             : line.type == "PAY" ? "PAID"
                             : line.type == "DIS" ? "OPEN"
                                                  : "OK";
  return {line.row.empty() ? absl::StrCat(line.type, ":", line.ref, line.refund ? "/" + *line.refund : "") : line.row,
          line.type,
          line.ref,
          line.refund,
          line.merchant,
          line.currency,
          line.amount,
          line.fee,
          status,
          line.day,
          line.at};
}

inline LegacyMapping BatchMapping() {
  return {.row_id = "row",
          .leg = "type",
          .legs = {{"CAP", Leg::kCapture},
                   {"REF", Leg::kRefund},
                   {"DIS", Leg::kDispute},
                   {"PAY", Leg::kPayout},
                   {"RET", Leg::kPayoutReturn},
                   {"ADJ", Leg::kAdjustment}},
          .id = "ref",
          .refund_id = "refund",
          .merchant_id = "merchant",
          .asset = "currency",
          .assets = {{"USD", "USD/2"}, {"EUR", "EUR/2"}},
          .amount = "amount",
          .fee = "fee",
          .status = "status",
          .statuses = {{"OK", LegStatus::kSettled},
                       {"OPEN", LegStatus::kOpen},
                       {"PAID", LegStatus::kPaid},
                       {"FAILED", LegStatus::kFailed},
                       {"CANCELED", LegStatus::kCanceled},
                       {"LOST", LegStatus::kLost},
                       {"WON", LegStatus::kWon}},
          .skipped_statuses = {"VOID"},
          .day = "day",
          .at = "at"};
}

class RunWorld : public IntakeWorld {
 public:
  explicit RunWorld(LegacyMapping mapping = BatchMapping(), int gate_days = 2) {
    options_of_run_ = {.mapping = std::move(mapping), .clock = &clock_, .gate_days = gate_days, .needs_totals = false};
    clock_.Set(Noon(kDay + 1));
    OpenRun();
    // Money for disputes and payouts.
    Settle(Capture("funds", 1'000'000'00, 0, Noon(kDay - 20)));
  }
  ~RunWorld() { run_.reset(); }

  void OpenRun() {
    auto run = ParallelRun::Open(*ledger_, *store_, options_of_run_);
    ASSERT_THAT(run, IsOk());
    run_ = *std::move(run);
  }
  void ReopenRun() {
    run_.reset();
    OpenRun();
  }
  // The machine loses power.
  void CrashAll() {
    run_.reset();
    Crash();
    OpenRun();
  }

  void Settle(const std::vector<PaymentEvent>& events) {
    for (const EventOutcome& outcome : Apply(events).outcomes) {
      ASSERT_EQ(outcome.status, EventStatus::kApplied) << Name(outcome.reason) << outcome.detail;
    }
    ASSERT_THAT(run_->CatchUp(), IsOk());
    Check();
  }
  void Settle(const PaymentEvent& event) { Settle(std::vector<PaymentEvent>{event}); }

  IngestResult Ingest(const std::vector<Line>& lines, std::string_view next = {}) {
    std::vector<RawRow> rows;
    for (const Line& line : lines) rows.push_back(Raw(line));
    auto result = run_->Ingest("batch", Columns(), rows, next);
    EXPECT_THAT(result, IsOk());
    Check();
    return result.value_or(IngestResult{});
  }

  DayFigures Close(absl::CivilDay day = kDay, const CloseDayOptions& options = {.actor = "ops"}) {
    auto figures = run_->CloseDay(day, options);
    EXPECT_THAT(figures, IsOk());
    Check();
    return figures.ok() ? *std::move(figures) : DayFigures{};
  }
  DayFigures Day(absl::CivilDay day = kDay) {
    auto days = run_->Days(day, day);
    EXPECT_THAT(days, IsOk());
    if (!days.ok() || days->empty()) return {};
    return days->front();
  }

  // Nothing if there is no such discrepancy.
  std::optional<Discrepancy> Find(std::string_view id) {
    auto found = run_->GetDiscrepancy(id);
    if (absl::IsNotFound(found.status())) return std::nullopt;
    EXPECT_THAT(found, IsOk());
    return *std::move(found);
  }
  // Of one that is not resolved by itself.
  std::vector<DiscrepancyClass> ClassesOf(std::string_view id) {
    const auto found = Find(id);
    if (!found || found->state == DiscrepancyState::kResolved) return {};
    return found->classes;
  }
  std::vector<Discrepancy> List(const DiscrepancyQuery& query = {.limit = kMaxDiscrepancyPage}) {
    auto page = run_->ListDiscrepancies(query);
    EXPECT_THAT(page, IsOk());
    return page.ok() ? page->discrepancies : std::vector<Discrepancy>{};
  }

  // What always holds: everything that came in is accounted for, and everything that is kept fits.
  void Check() {
    auto days = run_->Days(absl::CivilDay(2000, 1, 1), absl::CivilDay(2199, 1, 1));
    ASSERT_THAT(days, IsOk());
    for (const DayFigures& day : *days) {
      for (const auto& [asset, sides] : day.assets) {
        EXPECT_TRUE(sides.ours.holds()) << absl::FormatCivilTime(day.day) << " " << asset;
        EXPECT_TRUE(sides.theirs.holds()) << absl::FormatCivilTime(day.day) << " " << asset;
      }
    }
    EXPECT_THAT(run_->Verify(), IsOk());
  }

  FakeClock clock_;
  ParallelRunOptions options_of_run_;
  std::unique_ptr<ParallelRun> run_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_COMPARE_RUN_WORLD_H_

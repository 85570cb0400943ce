// SPDX-License-Identifier: Apache-2.0
//
// What a ramp is made of: a ledger, a parallel run over it, a cutover, a bank.
#ifndef NORTHWIND_EXAMPLES_PARALLEL_RUN_RAMP_PARTS_H_
#define NORTHWIND_EXAMPLES_PARALLEL_RUN_RAMP_PARTS_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "examples/parallel_run/past_clock.h"
#include "examples/simulated_rail/rail.h"
#include "northwind/compare.h"
#include "northwind/cutover.h"
#include "northwind/ledger.h"
#include "northwind/payout.h"
#include "northwind/postgres.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/store.h"

namespace northwind::examples {

struct RampSettings {
  std::string ledger, compare, mapping, connection, bank;
  int gate_days = 0;
  uint64_t payouts = 0, merchants = 0, seed = 0;
};

struct RampParts {
  std::unique_ptr<Store> store, kept;
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<Intake> intake;
  std::unique_ptr<PastClock> clock;
  std::unique_ptr<PostgresClaims> claims;
  std::unique_ptr<Cutover> cutover;
  std::unique_ptr<ParallelRun> run;
  std::unique_ptr<SimulatedRail> bank;
  std::unique_ptr<ClaimedRail> rail;
  std::unique_ptr<Payouts> payouts;
  absl::TimeZone zone;      // of business days
  absl::CivilDay last_day;  // that was closed before

  static absl::StatusOr<RampParts> Open(const RampSettings& settings);
};

// A payout as both systems know it.
struct AskedPayout {
  std::string id;
  std::string merchant;
  SettlementSystem system{};
};

// Minor units of USD/2.
inline constexpr int64_t kRampCaptured = 100'000;
inline constexpr int64_t kRampPaidOut = 60'000;

// `units`: 0 for none.
PaymentEvent RampEvent(EventType type, const std::string& merchant, absl::Time at, int64_t units);

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_PARALLEL_RUN_RAMP_PARTS_H_

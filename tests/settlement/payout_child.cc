// SPDX-License-Identifier: Apache-2.0
//
// The process that payout_kill_test kills: payout_child DIRECTORY PAYOUTS SEED HONOURS_KEYS. Sends all events anew, as a source does that
// got no acknowledgement, and works until every payout is settled or a dead letter, or nothing is left but what the rail cannot tell about.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "examples/simulated_rail/rail.h"
#include "northwind/payout.h"
#include "northwind/status.h"
#include "tests/settlement/sample_events.h"

namespace northwind::testing {
namespace {

absl::Status Run(const std::string& directory, uint64_t count, uint64_t seed, bool honours_keys) {
  NW_ASSIGN_OR_RETURN(auto store, Store::Open({.path = directory + "/store", .free_space_floor_bytes = 0}));
  LedgerOptions ledger_options;
  ledger_options.checkpoint_interval = 5000;
  NW_ASSIGN_OR_RETURN(auto ledger, Ledger::Open(*store, ledger_options));
  SchedulerOptions scheduler_options;
  scheduler_options.min_log_bytes = 256 << 10;
  NW_ASSIGN_OR_RETURN(auto scheduler, Scheduler::Open(*store, scheduler_options));
  NW_ASSIGN_OR_RETURN(auto intake, Intake::Open(*ledger, *store));
  NW_ASSIGN_OR_RETURN(auto rail, examples::SimulatedRail::Open(directory + "/rail", {.seed = seed,
                                                                                     .timeout_after_success = 5,
                                                                                     .lost = 5,
                                                                                     .pending = 10,
                                                                                     .failed = 5,
                                                                                     .outage_every = 3000,
                                                                                     .outage_calls = 100,
                                                                                     .honours_keys = honours_keys}));
  PayoutOptions options;
  options.batch = 64;
  options.policy.initial = absl::Milliseconds(1);
  // Where the rail never tells, delays must grow past the moment at which this gives up on it.
  options.policy.cap = honours_keys ? absl::Milliseconds(100) : absl::Minutes(1);
  NW_ASSIGN_OR_RETURN(auto payouts, Payouts::Open({*ledger, *store, *scheduler, *intake, *rail}, options));
  NW_RETURN_IF_ERROR(payouts->Start());
  constexpr uint64_t kStep = 2000;
  for (uint64_t begin = 0; begin < count; begin += kStep) {
    std::vector<PaymentEvent> events;
    for (uint64_t i = begin; i < std::min(begin + kStep, count); ++i) {
      events.push_back(Captured("pay" + std::to_string(i), 1000));
      events.push_back(OfPayout(EventType::kPayoutRequested, "po" + std::to_string(i), 1, 1 + i % 900));
    }
    NW_RETURN_IF_ERROR(intake->Apply(events).status());
    if (begin == 0 && write(3, "o", 1) != 1) return absl::UnavailableError("no parent");
  }
  while (true) {
    NW_RETURN_IF_ERROR(payouts->status());
    NW_ASSIGN_OR_RETURN(const SchedulerStats stats, scheduler->Stats());
    const bool followed = payouts->followed() >= ledger->Head().sequence;
    uint64_t dead = 0;
    for (const QueueStats& queue : stats.queues) dead += queue.dead;
    if (followed && stats.tasks == dead) break;
    // Asked often enough: the rest can only be told by the rail.
    if (followed && !honours_keys && stats.next_due > absl::Now() + absl::Milliseconds(30)) break;
    std::this_thread::yield();
  }
  payouts->Stop();
  NW_RETURN_IF_ERROR(payouts->FollowOnce(kMaxJournalPage).status());
  if (write(3, "d", 1) != 1) return absl::UnavailableError("no parent");
  return absl::OkStatus();
}

}  // namespace
}  // namespace northwind::testing

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const absl::Status status = northwind::testing::Run(argv[1], std::strtoull(argv[2], nullptr, 10),
                                                      std::strtoull(argv[3], nullptr, 10), argv[4][0] == '1');
  if (!status.ok()) std::fprintf(stderr, "payout_child: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

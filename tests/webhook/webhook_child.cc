// SPDX-License-Identifier: Apache-2.0
//
// The process that webhook_kill_test kills: webhook_child DIRECTORY BEGIN END. Applies what happens to the payments BEGIN … END−1, and says
// so of each, while all that is news is told to the endpoints that the test made. Comes to an end when everything is delivered.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/status.h"
#include "northwind/store.h"
#include "tests/webhook/webhook_load.h"

namespace northwind::testing {
namespace {

// Deliveries that wait before the source is held back.
constexpr uint64_t kMostWaiting = 1500;

absl::Status Say(char what) { return write(3, &what, 1) == 1 ? absl::OkStatus() : absl::UnavailableError("no parent"); }

// Changes endpoints under the deliveries' feet: one is paused and resumed, another gets a new version.
absl::Status ChangeEndpoints(Webhooks& webhooks, uint64_t number) {
  if (number % 16 == 4) NW_RETURN_IF_ERROR(webhooks.PauseEndpoint("m0", "payouts").status());
  if (number % 16 == 12) NW_RETURN_IF_ERROR(webhooks.ResumeEndpoint("m0", "payouts").status());
  if (number % 8 == 2) {
    NW_ASSIGN_OR_RETURN(const WebhookEndpoint endpoint, webhooks.GetEndpoint("m1", "disputes"));
    const std::vector<CustomHeader> headers = {{"x-payment", std::to_string(number)}};
    NW_RETURN_IF_ERROR(webhooks.UpdateEndpoint("m1", "disputes", endpoint.version, {.headers = headers}).status());
  }
  return absl::OkStatus();
}

absl::Status Run(const std::string& directory, uint64_t begin, uint64_t end) {
  NW_ASSIGN_OR_RETURN(auto store, Store::Open({.path = directory + "/store", .free_space_floor_bytes = 0}));
  LedgerOptions ledger_options;
  ledger_options.checkpoint_interval = 2000;
  NW_ASSIGN_OR_RETURN(auto ledger, Ledger::Open(*store, ledger_options));
  SchedulerOptions scheduler_options;
  scheduler_options.min_log_bytes = 256 << 10;
  NW_ASSIGN_OR_RETURN(auto scheduler, Scheduler::Open(*store, scheduler_options));
  IntakeOptions intake_options;
  intake_options.scheduler = scheduler.get();
  NW_ASSIGN_OR_RETURN(auto intake, Intake::Open(*ledger, *store, intake_options));
  NW_ASSIGN_OR_RETURN(auto webhooks, Webhooks::Open({*ledger, *store, *scheduler}, LoadOptions()));
  NW_RETURN_IF_ERROR(webhooks->Start());
  NW_RETURN_IF_ERROR(Say('o'));
  for (uint64_t number = begin; number < end; ++number) {
    NW_RETURN_IF_ERROR(ChangeEndpoints(*webhooks, number));
    NW_RETURN_IF_ERROR(intake->Apply(LoadEvents(number)).status());
    NW_RETURN_IF_ERROR(Say('a'));
    while (true) {
      NW_RETURN_IF_ERROR(webhooks->status());
      NW_ASSIGN_OR_RETURN(const WebhookStats stats, webhooks->Stats());
      if (stats.waiting < kMostWaiting) break;
      std::this_thread::yield();
    }
  }
  NW_RETURN_IF_ERROR(webhooks->ResumeEndpoint("m0", "payouts").status());
  while (true) {
    NW_RETURN_IF_ERROR(webhooks->status());
    NW_ASSIGN_OR_RETURN(const WebhookStats stats, webhooks->Stats());
    if (stats.followed == ledger->Head().sequence && stats.waiting == 0) break;
    std::this_thread::yield();
  }
  webhooks->Stop();
  return Say('d');
}

}  // namespace
}  // namespace northwind::testing

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const absl::Status status =
      northwind::testing::Run(argv[1], std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10));
  if (!status.ok()) std::fprintf(stderr, "webhook_child: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

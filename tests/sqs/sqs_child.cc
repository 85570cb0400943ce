// SPDX-License-Identifier: Apache-2.0
//
// The process that sqs_kill_test kills: sqs_child DIRECTORY QUEUE_URL ENDPOINT REGION HOW. Two sources feed one ledger from one queue, until
// descriptor 3 says something. HOW: "quarantine" or "redrive" for poison.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/sqs.h"
#include "northwind/status.h"
#include "northwind/store.h"

namespace northwind::testing {
namespace {

absl::Status Run(const std::string& directory, const SqsOptions& options) {
  NW_ASSIGN_OR_RETURN(auto store, Store::Open({.path = directory, .free_space_floor_bytes = 0}));
  NW_ASSIGN_OR_RETURN(auto ledger, Ledger::Open(*store));
  NW_ASSIGN_OR_RETURN(auto scheduler, Scheduler::Open(*store));
  NW_ASSIGN_OR_RETURN(auto intake, Intake::Open(*ledger, *store, {.scheduler = scheduler.get()}));
  NW_ASSIGN_OR_RETURN(auto one, SqsSource::Open(*intake, options));
  NW_ASSIGN_OR_RETURN(auto two, SqsSource::Open(*intake, options));
  NW_RETURN_IF_ERROR(one->Start());
  NW_RETURN_IF_ERROR(two->Start());
  if (write(3, "o", 1) != 1) return absl::UnavailableError("no parent");
  pollfd parent = {.fd = 3, .events = POLLIN, .revents = 0};
  while (poll(&parent, 1, 50) == 0) {
    for (const SqsSource* source : {one.get(), two.get()}) {
      if (source->Stats().state == SqsState::kHalted) return source->Stats().status;
    }
  }
  NW_RETURN_IF_ERROR(one->Stop());
  NW_RETURN_IF_ERROR(two->Stop());
  one.reset();
  two.reset();
  intake.reset();
  return ledger->Close();
}

}  // namespace
}  // namespace northwind::testing

int main(int argc, char** argv) {
  using namespace northwind;
  if (argc != 6) return 2;
  SqsOptions options{.queue_url = argv[2], .region = argv[4], .endpoint = argv[3], .wait = absl::Seconds(1)};
  if (argv[5] == std::string("redrive")) options.poison = SqsPoison::kRedrivePolicy;
  options.pollers = 3;
  options.max_messages = 500;
  const absl::Status status = northwind::testing::Run(argv[1], options);
  if (!status.ok()) std::fprintf(stderr, "sqs_child: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

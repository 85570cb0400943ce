// SPDX-License-Identifier: Apache-2.0
//
// A consumer of the component sqs, without a queue: what can be said without one is said.
#include <cstdio>
#include <string>

#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/sqs.h"
#include "northwind/store.h"

namespace nw = northwind;

int main() {
  const auto store = nw::Store::Open({.path = "use_sqs.db", .free_space_floor_bytes = 0});
  if (!store.ok()) return 1;
  const auto ledger = nw::Ledger::Open(**store);
  const auto scheduler = nw::Scheduler::Open(**store);
  if (!ledger.ok() || !scheduler.ok()) return 1;
  const auto intake = nw::Intake::Open(**ledger, **store, {.scheduler = scheduler->get()});
  if (!intake.ok()) return 1;
  const auto refused = nw::SqsSource::Open(**intake, {.queue_url = "no queue", .region = "eu-central-1"});
  const auto source = nw::SqsSource::Open(
      **intake,
      {.queue_url = "https://sqs.eu-central-1.amazonaws.com/123456789012/payments", .region = "eu-central-1"});
  if (!source.ok() || !absl::IsInvalidArgument(refused.status())) return 1;
  std::printf("source: %s\n", std::string(nw::Name((*source)->Stats().state)).c_str());
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
//
// All that a host runs to settle events, execute payouts, tell merchants and mirror to PostgreSQL, on one store, in one process.
#ifndef NORTHWIND_EXAMPLES_LIVE_SESSION_H_
#define NORTHWIND_EXAMPLES_LIVE_SESSION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/simulated_rail/rail.h"
#include "northwind/ledger.h"
#include "northwind/payout.h"
#include "northwind/postgres.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/sqs.h"
#include "northwind/store.h"
#include "northwind/webhook.h"

namespace northwind::examples {

// Of a receive from the queue, for its first message.
inline constexpr absl::Duration kQueueWait = absl::Seconds(1);

struct SessionOptions {
  std::string ledger;  // its directory
  std::string rail;    // the file of the bank's books
  std::string key;     // 32 bytes that keep the endpoints' secrets
  uint64_t seed = 1;   // of the bank's faults
  std::string queue;   // the URL of a queue that events come from; empty: none
  std::string mirror;  // a connection string of PostgreSQL; empty: none
};

// Members in the order in which they stand on each other; they end in the other.
struct Session {
  static absl::StatusOr<std::unique_ptr<Session>> Open(const SessionOptions& options);

  std::unique_ptr<Store> store;
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<Intake> intake;
  std::unique_ptr<SimulatedRail> rail;
  std::unique_ptr<Payouts> payouts;
  std::unique_ptr<Webhooks> webhooks;
  std::unique_ptr<SqsSource> source;  // if there is a queue
  std::unique_ptr<Mirror> mirror;     // if there is one
};

// Policies by name, made for a demonstration: what takes minutes and days elsewhere takes moments here.
//   usual    many attempts
//   patient  attempts that end soon, and for as long as it takes
//   short    three attempts within a second
absl::StatusOr<WebhookPolicy> PolicyNamed(const std::string& name);

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_LIVE_SESSION_H_

// SPDX-License-Identifier: Apache-2.0
//
// All that a company runs to settle events, execute payouts and tell merchants, on one store, in one process: how the parts of
// northwind are put together is in host.cc, from top to bottom.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HOST_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HOST_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "examples/reference_server/auth/audit_log.h"
#include "examples/reference_server/auth/credentials.h"
#include "examples/reference_server/options.h"
#include "northwind/compare.h"
#include "northwind/cutover.h"
#include "northwind/ledger.h"
#include "northwind/payout.h"
#include "northwind/postgres.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/sqs.h"
#include "northwind/store.h"
#include "northwind/webhook.h"

namespace northwind::server {

// Members in the order in which they stand on each other; they end in the other. What configuration did not switch on is null.
struct Host {
  // FailedPrecondition if another process has the directory. What is configured and cannot be reached now, such as PostgreSQL, is no error.
  static absl::StatusOr<std::unique_ptr<Host>> Open(const ServerOptions& options);
  // Everything that follows and works, on threads of its own.
  absl::Status Start();
  // In the order that loses nothing: intake first, ledger last. Idempotent. What answers requests must have stopped before.
  void Stop();

  std::unique_ptr<Store> store;
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<Intake> intake;
  std::unique_ptr<ClaimArbiter> claims;  // in PostgreSQL, if there is one
  std::unique_ptr<Cutover> cutover;      // if a salt is configured
  std::unique_ptr<PayoutRail> rail;      // the bank: simulated in this example
  std::unique_ptr<PayoutRail> claimed;   // around it, if there is a cutover: pays nothing without a claim
  std::unique_ptr<PayoutRail> assigned;  // around that: assigns a payout the first time that it is to be paid
  std::unique_ptr<Payouts> payouts;      // null in a shadow store
  std::unique_ptr<Webhooks> webhooks;    // likewise
  std::unique_ptr<SqsSource> source;
  std::unique_ptr<Mirror> mirror;
  std::unique_ptr<ParallelRun> run;
  std::unique_ptr<Credentials> credentials;
  std::unique_ptr<AuditTrail> audit;
  // Asking a queue that cannot be reached for its attributes takes minutes, which nothing else waits for.
  absl::Notification source_tried;
  std::jthread source_start;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HOST_H_

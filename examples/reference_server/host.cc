// SPDX-License-Identifier: Apache-2.0
//
// How the parts of northwind are put together. To be read from top to bottom: this is all that a company has to write to run them.
#include "examples/reference_server/host.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/reference_server/assigned_rail.h"
#include "examples/reference_server/host_key.h"
#include "examples/reference_server/observe/log.h"
#include "examples/simulated_rail/rail.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// A database that is away now is one that comes back, and whoever may not make a schema can use one that is there: those who use it
// find out, and say so in their own status.
absl::Status UnlessAway(const char* what, absl::Status status) {
  if (!absl::IsUnavailable(status) && !absl::IsPermissionDenied(status)) return status;
  Log(Severity::kWarning, "a schema was not looked at",
      {{"of", what}, {"why", std::string_view(status.message().data(), status.message().size())}});
  return absl::OkStatus();
}

// 1. One store, which one process opens: every part keeps what it has in it, so that one write is atomic over all of them, and one
//    backup has them all.
absl::Status OpenStore(const ServerOptions& options, Host& host) {
  std::error_code error;
  std::filesystem::create_directories(options.data, error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat("data: cannot make ", options.data, " (", error.message(),
                                                      "): give a directory that can be written."));
  }
  StoreMode mode = StoreMode::kAsIs;
  if (options.shadow) mode = StoreMode::kShadow;
  if (options.leave_shadow) mode = StoreMode::kLeaveShadow;
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Open({.path = options.data + "/store", .mode = mode});
  if (!store.ok()) {
    return absl::Status(store.status().code(),
                        absl::StrCat("data: ", store.status().message(),
                                     ". One server has one directory: end the other one, or give another --data."));
  }
  host.store = *std::move(store);
  if (host.store->shadow() && !options.shadow) {
    return absl::FailedPreconditionError(
        "shadow: this store is a shadow, and sends nothing: start with --shadow, or once with --leave-shadow to go "
        "live for good.");
  }
  return absl::OkStatus();
}

// 2. Events in, money out: the ledger; timers that survive; the intake, which parks what comes too early in the scheduler.
absl::Status OpenSettlement(Host& host) {
  NW_ASSIGN_OR_RETURN(host.ledger, Ledger::Open(*host.store));
  NW_ASSIGN_OR_RETURN(host.scheduler, Scheduler::Open(*host.store));
  NW_ASSIGN_OR_RETURN(host.intake, Intake::Open(*host.ledger, *host.store, {.scheduler = host.scheduler.get()}));
  return absl::OkStatus();
}

// 3. What is compared with the batch before anything moves, and what moves it. Both work in a shadow store as well.
absl::Status OpenCutover(const ServerOptions& options, Host& host) {
  if (!options.cutover_salt.empty()) {
    NW_ASSIGN_OR_RETURN(host.cutover, Cutover::Open(*host.store, {.salt = options.cutover_salt}));
  }
  if (!options.claims_connection.empty()) {
    const PostgresClaimsOptions claims{.connection = options.claims_connection};
    NW_RETURN_IF_ERROR(UnlessAway("claims", PostgresClaims::Migrate(claims)));
    NW_ASSIGN_OR_RETURN(host.claims, PostgresClaims::Open(claims));
  }
  if (options.compare_mapping.empty()) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const std::string text, ReadFile(options.compare_mapping));
  NW_ASSIGN_OR_RETURN(LegacyMapping mapping, ParseMappingJson(text));
  ParallelRunOptions run{.mapping = std::move(mapping), .gate_days = options.gate_days};
  // What northwind pays the batch has no row of: the gate must not take it for missing.
  if (host.cutover != nullptr && host.claims != nullptr) run.is_ours = NorthwindPays(*host.cutover, *host.claims);
  NW_ASSIGN_OR_RETURN(host.run, ParallelRun::Open(*host.ledger, *host.store, run));
  return absl::OkStatus();
}

// 4. The bank, and around it, if a batch pays at the same bank: first whose the payout is, then the claim, and only then the money.
absl::Status OpenPayouts(const ServerOptions& options, Host& host) {
  NW_ASSIGN_OR_RETURN(host.rail, examples::SimulatedRail::Open(options.data + "/bank", {.seed = options.bank_seed}));
  PayoutRail* rail = host.rail.get();
  if (host.cutover != nullptr && host.claims != nullptr) {
    host.claimed = std::make_unique<ClaimedRail>(*host.rail, *host.claims, *host.cutover);
    host.assigned = std::make_unique<AssignedRail>(*host.claimed, *host.cutover);
    rail = host.assigned.get();
  }
  const PayoutOptions payouts{.batch_system = options.batch_gone ? BatchSystem::kGone : BatchSystem::kBeside};
  absl::StatusOr<std::unique_ptr<Payouts>> opened =
      Payouts::Open({*host.ledger, *host.store, *host.scheduler, *host.intake, *rail}, payouts);
  if (absl::IsFailedPrecondition(opened.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("cutover-salt: ", opened.status().message(),
                     ". Give cutover-salt and claims-connection, or batch-gone if nobody else pays any more."));
  }
  NW_RETURN_IF_ERROR(opened.status());
  host.payouts = *std::move(opened);
  return absl::OkStatus();
}

// 5. Merchants are told.
absl::Status OpenWebhooks(const ServerOptions& options, Host& host) {
  NW_ASSIGN_OR_RETURN(WebhookHostKey key, LoadHostKey(options.data + "/host.key"));
  WebhookOptions webhooks{.host_keys = {std::move(key)}};
  if (options.webhooks_to_loopback) {
    webhooks.plain_http = true;
    webhooks.allowed_networks = {{.network = "127.0.0.1/32", .ports = {}}, {.network = "::1/128", .ports = {}}};
  }
  NW_ASSIGN_OR_RETURN(host.webhooks, Webhooks::Open({*host.ledger, *host.store, *host.scheduler}, webhooks));
  return absl::OkStatus();
}

// 6. What stands beside: a queue that events come from, and a copy for those who ask in SQL.
absl::Status OpenNeighbours(const ServerOptions& options, Host& host) {
  if (!options.sqs_queue_url.empty()) {
    NW_ASSIGN_OR_RETURN(host.source, SqsSource::Open(*host.intake, {.queue_url = options.sqs_queue_url}));
  }
  if (options.mirror_connection.empty()) return absl::OkStatus();
  const MirrorOptions mirror{.connection = options.mirror_connection};
  NW_RETURN_IF_ERROR(UnlessAway("mirror", Mirror::Migrate(mirror)));
  NW_ASSIGN_OR_RETURN(host.mirror, Mirror::Open(*host.ledger, mirror));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Host>> Host::Open(const ServerOptions& options) {
  auto host = std::make_unique<Host>();
  NW_RETURN_IF_ERROR(OpenStore(options, *host));
  NW_RETURN_IF_ERROR(OpenSettlement(*host));
  NW_RETURN_IF_ERROR(OpenCutover(options, *host));
  if (!host->store->shadow()) {  // what a shadow computes leaves it nowhere
    NW_RETURN_IF_ERROR(OpenPayouts(options, *host));
    NW_RETURN_IF_ERROR(OpenWebhooks(options, *host));
  }
  NW_RETURN_IF_ERROR(OpenNeighbours(options, *host));
  // 7. Who may ask, and who did.
  NW_ASSIGN_OR_RETURN(host->credentials, Credentials::Open(*host->store, {.plain_cookies = options.plain_cookies}));
  NW_ASSIGN_OR_RETURN(host->audit, AuditTrail::Open(*host->store));
  return host;
}

// Followers first, so that what comes in finds them. Nothing depends on the order: each has a cursor of its own, and goes on from there.
absl::Status Host::Start() {
  if (webhooks != nullptr) NW_RETURN_IF_ERROR(webhooks->Start());
  if (payouts != nullptr) NW_RETURN_IF_ERROR(payouts->Start());
  if (mirror != nullptr) NW_RETURN_IF_ERROR(mirror->Start());
  if (source != nullptr) {
    source_start = std::jthread([this] {
      const absl::Status status = source->Start();
      source_tried.Notify();
      if (status.ok() || absl::IsCancelled(status)) return;
      Log(Severity::kError, "the queue is not read",
          {{"why", std::string_view(status.message().data(), status.message().size())}});
    });
  }
  return absl::OkStatus();
}

void Host::Stop() {
  if (source_start.joinable()) {
    // Cuts short a Start that is under way, but not one that is about to begin.
    while (!source_tried.WaitForNotificationWithTimeout(absl::Milliseconds(50))) (void)source->Stop();
    source_start.join();
  }
  if (source != nullptr) (void)source->Stop();  // gives back what is not applied; its answer is always OK
  if (payouts != nullptr) payouts->Stop();
  if (webhooks != nullptr) webhooks->Stop();
  if (mirror != nullptr) mirror->Stop();
  if (scheduler != nullptr) scheduler->Close();
  if (ledger == nullptr) return;
  if (const absl::Status closed = ledger->Close(); !closed.ok()) {
    Log(Severity::kWarning, "the next start takes longer: no checkpoint was written",
        {{"why", std::string_view(closed.message().data(), closed.message().size())}});
  }
}

}  // namespace northwind::server

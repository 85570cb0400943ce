// SPDX-License-Identifier: Apache-2.0
#include "examples/live/session.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "northwind/status.h"

namespace northwind::examples {

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const SessionOptions& options) {
  auto s = std::make_unique<Session>();
  NW_ASSIGN_OR_RETURN(s->store, Store::Open({.path = options.ledger}));
  NW_ASSIGN_OR_RETURN(s->ledger, Ledger::Open(*s->store));
  NW_ASSIGN_OR_RETURN(s->scheduler, Scheduler::Open(*s->store));
  NW_ASSIGN_OR_RETURN(s->intake, Intake::Open(*s->ledger, *s->store, {.scheduler = s->scheduler.get()}));

  NW_ASSIGN_OR_RETURN(s->rail, SimulatedRail::Open(options.rail, {.seed = options.seed,
                                                                  .timeout_after_success = 5,
                                                                  .lost = 3,
                                                                  .pending = 10,
                                                                  .failed = 5,
                                                                  .outage_every = 3000,
                                                                  .outage_calls = 100}));
  PayoutOptions payouts{.batch = 64};
  payouts.policy.initial = absl::Milliseconds(50);
  payouts.policy.cap = absl::Seconds(1);
  NW_ASSIGN_OR_RETURN(s->payouts, Payouts::Open({*s->ledger, *s->store, *s->scheduler, *s->intake, *s->rail}, payouts));

  NW_ASSIGN_OR_RETURN(const WebhookPolicy policy, PolicyNamed("usual"));
  WebhookOptions webhooks{.host_keys = {{.id = "demo", .key = options.key}}, .policy = policy};
  // The receivers are on this machine, which a host otherwise never calls for a merchant.
  webhooks.plain_http = true;
  webhooks.allowed_networks = {{.network = "127.0.0.1/32", .ports = {}}};
  webhooks.breaker_pause = absl::Milliseconds(20);
  webhooks.breaker_longest_pause = absl::Milliseconds(100);
  NW_ASSIGN_OR_RETURN(s->webhooks, Webhooks::Open({*s->ledger, *s->store, *s->scheduler}, webhooks));

  if (!options.queue.empty()) {
    // One receive at a time: a server for tests may give messages of one group to two that begin together, which SQS does not do.
    NW_ASSIGN_OR_RETURN(s->source,
                        SqsSource::Open(*s->intake, {.queue_url = options.queue, .pollers = 1, .wait = kQueueWait}));
  }
  if (!options.mirror.empty()) {
    const MirrorOptions mirror{.connection = options.mirror};
    NW_RETURN_IF_ERROR(Mirror::Migrate(mirror));
    NW_ASSIGN_OR_RETURN(s->mirror, Mirror::Open(*s->ledger, mirror));
  }
  return s;
}

absl::StatusOr<WebhookPolicy> PolicyNamed(const std::string& name) {
  WebhookPolicy policy{
      .retry = {.initial = absl::Milliseconds(100), .cap = absl::Seconds(2), .jitter = Jitter::kEqual}};
  policy.timeout = absl::Seconds(30);
  policy.max_concurrent = 32;
  if (name == "usual") {
    policy.retry.max_attempts = 40;
  } else if (name == "patient") {
    policy.retry.max_attempts = 100'000;
    policy.timeout = absl::Milliseconds(500);
  } else if (name == "short") {
    policy.retry.max_attempts = 3;
    policy.retry.max_age = absl::Seconds(1);
  } else {
    return absl::InvalidArgumentError(absl::StrCat("there is no policy '", name, "'"));
  }
  return policy;
}

}  // namespace northwind::examples

// SPDX-License-Identifier: Apache-2.0
//
// A merchant is told of a payment and of its refund. README.md shows the function Notify.
//
//   head -c 32 /dev/urandom >notify.key
//   notify URL [--local]     prints the merchant's secret, once, and a receipt of every attempt; keeps all in notify.db
//   notify --verify SECRET ID TIMESTAMP SIGNATURE <BODY    the merchant's side: is what came genuine?
//
// --local: also by http, and to this machine, which northwind otherwise never calls for a merchant.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "absl/time/clock.h"
#include "northwind/settlement.h"
#include "northwind/status.h"
#include "northwind/webhook.h"

namespace nw = northwind;

nw::PaymentEvent Event(nw::EventType type, int64_t at, uint64_t cents) {
  nw::PaymentEvent event{.type = type, .payment_id = "pay_1", .occurred_at = absl::FromUnixSeconds(at)};
  event.merchant_id = "m_42";
  event.amount = nw::Money{{.code = "USD", .scale = 2}, cents};
  return event;
}

// Waits until all that is in the journal was told or given up.
absl::Status PrintReceipts(const nw::Ledger& ledger, const nw::Webhooks& webhooks) {
  NW_ASSIGN_OR_RETURN(nw::WebhookStats stats, webhooks.Stats());
  while (stats.followed < ledger.Stats().head.sequence || stats.waiting > 0) {
    absl::SleepFor(absl::Milliseconds(20));
    NW_RETURN_IF_ERROR(webhooks.status());
    NW_ASSIGN_OR_RETURN(stats, webhooks.Stats());
  }
  NW_ASSIGN_OR_RETURN(auto page, webhooks.ListAttempts({.merchant_id = "m_42", .direction = nw::Direction::kForward}));
  for (const nw::WebhookAttempt& attempt : page.attempts) {
    std::printf("%s %s: attempt %u: %d %s\n", attempt.delivery.message_id.c_str(), attempt.type.c_str(), attempt.number,
                attempt.status, std::string(nw::Name(attempt.failure)).c_str());
  }
  return absl::OkStatus();
}

absl::Status Notify(const std::string& url, const nw::WebhookOptions& options) {
  NW_ASSIGN_OR_RETURN(auto store, nw::Store::Open({.path = "notify.db"}));
  NW_ASSIGN_OR_RETURN(auto ledger, nw::Ledger::Open(*store));
  NW_ASSIGN_OR_RETURN(auto scheduler, nw::Scheduler::Open(*store));
  NW_ASSIGN_OR_RETURN(auto intake, nw::Intake::Open(*ledger, *store));
  NW_ASSIGN_OR_RETURN(auto webhooks, nw::Webhooks::Open({*ledger, *store, *scheduler}, options));
  const auto made = webhooks->CreateEndpoint("m_42", {.id = "shop", .url = url, .events = {"payment.*"}});
  if (made.ok()) std::printf("secret: %s\n", made->secret.c_str());  // for the merchant; never handed out again
  if (!made.ok() && !absl::IsAlreadyExists(made.status())) return made.status();
  NW_RETURN_IF_ERROR(webhooks->Start());  // from here on it follows the journal and sends, on threads of its own
  const std::vector events = {Event(nw::EventType::kPaymentCaptured, 1'709'294'400, 12'500),
                              Event(nw::EventType::kPaymentRefunded, 1'709'294'460, 2'500)};
  NW_RETURN_IF_ERROR(intake->Apply(events).status());  // durable: the merchant will be told, also after a crash
  return PrintReceipts(*ledger, *webhooks);
}

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  absl::Status status = absl::InvalidArgumentError("usage: notify URL [--local]");
  if (words.size() == 5 && words[0] == "--verify") {
    const std::string body(std::istreambuf_iterator<char>(std::cin), {});
    status = nw::VerifyWebhook({words[1]}, {words[2], words[3], words[4]}, body, absl::Now());
  } else if (const bool local = words.size() == 2 && words[1] == "--local"; local || words.size() == 1) {
    std::ifstream key("notify.key", std::ios::binary);  // seals the secrets in the store, so it is kept elsewhere
    nw::WebhookOptions options{.host_keys = {{.id = "key-1", .key = {std::istreambuf_iterator<char>(key), {}}}}};
    options.policy.retry = {.delays = {absl::ZeroDuration(), absl::Seconds(1)}};  // rather than for days
    options.plain_http = local;
    if (local) options.allowed_networks = {{.network = "127.0.0.0/8"}};
    status = Notify(words[0], options);
  }
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

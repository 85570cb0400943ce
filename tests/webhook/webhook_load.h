// SPDX-License-Identifier: Apache-2.0
//
// What webhook_kill_test and the child that it kills agree on.
#ifndef NORTHWIND_TESTS_WEBHOOK_WEBHOOK_LOAD_H_
#define NORTHWIND_TESTS_WEBHOOK_WEBHOOK_LOAD_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "northwind/settlement.h"
#include "northwind/webhook.h"
#include "tests/settlement/sample_events.h"

namespace northwind::testing {

inline constexpr uint64_t kLoadMerchants = 4;
inline constexpr size_t kLoadInFlight = 64;

inline std::string LoadMerchant(uint64_t number) { return "m" + std::to_string(number % kLoadMerchants); }

// What happens to one payment, in the order in which it is sent. A merchant can pay for all of it, whatever was sent before.
inline std::vector<PaymentEvent> LoadEvents(uint64_t number) {
  const std::string name = std::to_string(number), payment = "pay" + name, payout = "po" + name;
  const auto at = static_cast<int64_t>(number);
  std::vector<PaymentEvent> events = {
      Captured(payment, 1000, 30), Refunded(payment, 100, at, "re" + name),
      OfPayment(EventType::kDisputeOpened, payment, at, 300),
      OfPayment(number % 2 == 0 ? EventType::kDisputeLost : EventType::kDisputeWon, payment, at + 1)};
  if (number % 3 == 0) events.push_back(events[0]);  // word for word
  if (number % 4 == 0) {                             // under a new timestamp
    events.push_back(events[0]);
    events.back().occurred_at = At(at + 1000);
  }
  if (number % 5 == 0) events.push_back(Adjusted("adj" + name, 50, AdjustmentDirection::kCredit, at));
  events.push_back(OfPayout(EventType::kPayoutRequested, "big" + name, at, 1'000'000'000'000));
  events.push_back(OfPayout(EventType::kPayoutRequested, payout, at, 200));
  const EventType ends[] = {EventType::kPayoutPaid, EventType::kPayoutFailed, EventType::kPayoutCanceled};
  events.push_back(OfPayout(ends[number % 3], payout, at + 1));
  if (number % 7 == 0) std::swap(events.back(), events[events.size() - 2]);  // the end before the beginning
  for (PaymentEvent& event : events) event.merchant_id = LoadMerchant(number);
  return events;
}

inline WebhookOptions LoadOptions() {
  WebhookOptions options;
  options.host_keys = {{.id = "test", .key = std::string("0123456789abcdef0123456789abcdef")}};
  options.plain_http = true;
  options.allowed_networks = {{.network = "127.0.0.1/32", .ports = {}}};
  // So many attempts that kills cannot use them up.
  options.policy.retry = RetryPolicy{
      .delays = {}, .initial = absl::Milliseconds(2), .cap = absl::Milliseconds(50), .max_attempts = 1'000'000};
  options.policy.timeout = absl::Seconds(10);
  options.breaker_pause = absl::Milliseconds(20);
  options.breaker_longest_pause = absl::Milliseconds(100);
  options.max_in_flight = kLoadInFlight;
  return options;
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_WEBHOOK_WEBHOOK_LOAD_H_

// SPDX-License-Identifier: Apache-2.0
//
// One valid event of each type, and random ones.
#ifndef NORTHWIND_TESTS_SETTLEMENT_SAMPLE_EVENTS_H_
#define NORTHWIND_TESTS_SETTLEMENT_SAMPLE_EVENTS_H_

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "northwind/settlement.h"
#include "tests/support/seed.h"

namespace northwind::testing {

// 2024-03-01T12:00:00Z and so many seconds.
inline absl::Time At(int64_t seconds) { return absl::FromUnixSeconds(1'709'294'400 + seconds); }

inline Money Usd(uint64_t cents) { return {.asset = {.code = "USD", .scale = 2}, .units = cents}; }

inline PaymentEvent Captured(std::string_view payment, uint64_t cents, uint64_t fee = 0,
                             std::string_view merchant = "m1") {
  PaymentEvent event{.type = EventType::kPaymentCaptured, .payment_id = std::string(payment), .occurred_at = At(0)};
  event.merchant_id = merchant;
  event.amount = Usd(cents);
  if (fee > 0) event.fee = Usd(fee);
  return event;
}

inline PaymentEvent OfPayment(EventType type, std::string_view payment, int64_t at, uint64_t cents = 0) {
  PaymentEvent event{.type = type, .payment_id = std::string(payment), .occurred_at = At(at), .merchant_id = "m1"};
  if (cents > 0) event.amount = Usd(cents);
  return event;
}

inline PaymentEvent Refunded(std::string_view payment, uint64_t cents, int64_t at, std::string_view refund = "") {
  PaymentEvent event = OfPayment(EventType::kPaymentRefunded, payment, at, cents);
  event.refund_id = refund;
  return event;
}

inline PaymentEvent OfPayout(EventType type, std::string_view payout, int64_t at, uint64_t cents = 0) {
  PaymentEvent event{.type = type, .payout_id = std::string(payout), .occurred_at = At(at), .merchant_id = "m1"};
  if (cents > 0) event.amount = Usd(cents);
  return event;
}

inline PaymentEvent Adjusted(std::string_view id, uint64_t cents, AdjustmentDirection direction, int64_t at) {
  PaymentEvent event = OfPayment(EventType::kAdjustment, id, at, cents);
  event.direction = direction;
  return event;
}

inline std::string RandomText(Random& random, size_t least, size_t most, std::string_view characters) {
  std::string text;
  for (size_t n = least + random.Below(most - least + 1); n > 0; --n)
    text += characters[random.Below(characters.size())];
  return text;
}

// Any valid event.
inline PaymentEvent RandomEvent(Random& random) {
  constexpr std::string_view kMerchant = "ABCXYZabcxyz0189._-";
  constexpr std::string_view kId = "ABCXYZabcxyz0189._-:";
  PaymentEvent event;
  event.type = static_cast<EventType>(1 + random.Below(kEventTypes));
  const bool payout = event.type >= EventType::kPayoutRequested && event.type <= EventType::kPayoutReturned;
  (payout ? event.payout_id : event.payment_id) = RandomText(random, 1, kMaxEventIdBytes, kId);
  event.merchant_id = RandomText(random, 1, kMaxEventIdBytes, kMerchant);
  const int64_t seconds = random.Between(946'684'800, 7'258'118'399);  // 2000 … 2199
  const int64_t nanos[] = {0, 250'000'000, 1'000, 123'456'789, 1};
  event.occurred_at = absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos[random.Below(5)]);

  const bool must = event.type == EventType::kPaymentCaptured || event.type == EventType::kPaymentRefunded ||
                    event.type == EventType::kDisputeOpened || event.type == EventType::kPayoutRequested ||
                    event.type == EventType::kAdjustment;
  const bool may = event.type == EventType::kDisputeLost || event.type == EventType::kPayoutPaid ||
                   event.type == EventType::kPayoutReturned;
  if (must || (may && random.Percent(50))) {
    Asset asset{.code = RandomText(random, 1, 1, "ABZ") + RandomText(random, 0, 15, "AZ09"),
                .scale = static_cast<int>(random.Below(kMaxScale + 1))};
    absl::uint128 units = absl::MakeUint128(random.Next() >> 1, random.Next()) >> static_cast<int>(random.Below(127));
    event.amount = Money{.asset = asset, .units = *Amount::FromUnits(units == 0 ? 1 : units)};
    const bool fee = event.type == EventType::kPaymentCaptured || event.type == EventType::kPaymentRefunded;
    if (fee && random.Percent(50)) event.fee = Money{asset, *Amount::FromUnits(units / (1 + random.Below(100)))};
    if (event.fee.has_value() && event.fee->units > event.amount->units) event.fee->units = event.amount->units;
  }
  if (event.type == EventType::kPaymentRefunded && random.Percent(50)) {
    event.refund_id = RandomText(random, 1, kMaxRefundIdBytes, kId);
  }
  if (event.type == EventType::kAdjustment) {
    event.direction = random.Percent(50) ? AdjustmentDirection::kCredit : AdjustmentDirection::kDebit;
  }
  const std::string texts[] = {"", "plain", "\"quoted\" \\ / \n\t\x01\x7f", "größe €", "\xF0\x9F\x98\x80", "a b"};
  for (uint64_t n = random.Below(4); n > 0; --n) event.metadata["k" + texts[random.Below(6)]] = texts[random.Below(6)];
  return event;
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SETTLEMENT_SAMPLE_EVENTS_H_

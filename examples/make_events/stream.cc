// SPDX-License-Identifier: Apache-2.0
#include "examples/make_events/stream.h"

#include <algorithm>
#include <cstdio>

#include "northwind/status.h"

namespace northwind::examples {
namespace {

constexpr std::array<const char*, 3> kCodes = {"USD", "EUR", "JPY"};
constexpr std::array<int, 3> kScales = {2, 2, 0};
constexpr int64_t kNanosPerTick = 37'000'000;
constexpr int64_t kStart = 1'709'251'200;  // 2024-03-01T00:00:00Z
constexpr uint64_t kNanosPerDay = 86'400'000'000'000;
constexpr uint64_t kLinesPerTick = 2;  // about
constexpr uint64_t kMoreThanThereIs = 1'000'000'000'000;

std::string Numbered(const char* prefix, uint64_t n) {
  char text[32];
  std::snprintf(text, sizeof text, "%s%08llu", prefix, static_cast<unsigned long long>(n));
  return text;
}

int64_t NanosPerTick(const StreamOptions& options) {
  return static_cast<int64_t>(options.days * kNanosPerDay / (options.events / kLinesPerTick + 1));
}

std::string Json(const PaymentEvent& event) {
  absl::StatusOr<std::string> json = EncodeEventJson(event);
  NW_CHECK(json.ok(), "the generator makes valid events");
  return *std::move(json);
}

void Replace(std::string& text, std::string_view piece, std::string_view by) {
  if (const size_t at = text.find(piece); at != std::string::npos) text.replace(at, piece.size(), by);
}

}  // namespace

EventStream::EventStream(const StreamOptions& options)
    : options_(options),
      nanos_per_tick_(options.days == 0 ? kNanosPerTick : NanosPerTick(options)),
      state_(options.seed),
      funds_(options.merchants) {
  NW_CHECK(options.merchants >= 1 && options.duplicates_ppm <= 500'000 && options.days <= kMaxStreamDays,
           "options in range");
  // Zipf: the n-th merchant has 1/n of the first one's business.
  uint64_t sum = 0;
  for (uint64_t n = 1; n <= options.merchants; ++n) sizes_.push_back(sum += 1 + 1'000'000'000 / n);
}

// SplitMix64: the same numbers on every machine, which the standard library's distributions do not promise.
uint64_t EventStream::Random() {
  uint64_t z = state_ += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

bool EventStream::Next(std::string& line) {
  if (counts_.lines == options_.events) return false;
  // New business as long as there is room for it; then what is on its way is delivered.
  while (pending_.size() < options_.events - counts_.lines && (pending_.empty() || pending_.top().tick > tick_)) Tick();
  Item item = std::move(const_cast<Item&>(pending_.top()));  // popped at once: the order is not looked at again
  pending_.pop();
  funds_[item.merchant][item.asset] += item.funds;
  ++counts_.lines;
  counts_.identical += item.kind == Kind::kIdentical;
  counts_.resent += item.kind == Kind::kResent;
  counts_.malformed += item.kind == Kind::kMalformed;
  counts_.conflicts += item.kind == Kind::kConflict;
  line = std::move(item.line);
  return true;
}

void EventStream::Tick() {
  ++tick_;
  const uint32_t merchant = PickMerchant();
  // A merchant has one currency, and now and then business in another.
  const uint64_t home = (merchant * uint64_t{2'654'435'761}) % 10;
  uint8_t asset = home < 6 ? 0 : home < 9 ? 1 : 2;
  if (Chance(30)) asset = static_cast<uint8_t>(Below(kAssets));
  const uint64_t what = Below(1000);
  if (what < 760) {
    Payment(merchant, asset);
  } else if (what < 985) {
    Payout(merchant, asset);
  } else {
    Adjustment(merchant, asset);
  }
  if (Below(1'000'000) < options_.malformed_ppm * 2) Malformed(merchant, asset);  // a tick is about two lines
}

uint32_t EventStream::PickMerchant() {
  const uint64_t at = Below(sizes_.back());
  return static_cast<uint32_t>(std::upper_bound(sizes_.begin(), sizes_.end(), at) - sizes_.begin());
}

uint64_t EventStream::PickAmount(uint8_t asset) {
  const uint64_t units = 100 + Below(uint64_t{400} << Below(9));  // many small, few large
  return kScales[asset] == 0 ? 50 + units / 2 : units;
}

absl::Time EventStream::TimeOf(uint64_t tick) {
  int64_t nanos = static_cast<int64_t>(Below(static_cast<uint64_t>(nanos_per_tick_)));
  const uint64_t precision = Below(20);  // most systems count milliseconds
  if (precision < 12) {
    nanos -= nanos % 1'000'000;
  } else if (precision < 17) {
    nanos -= nanos % 1'000;
  }
  return absl::FromUnixSeconds(kStart) + absl::Nanoseconds(static_cast<int64_t>(tick) * nanos_per_tick_ + nanos);
}

PaymentEvent EventStream::Event(EventType type, uint32_t merchant, uint8_t asset, uint64_t tick, uint64_t units) {
  PaymentEvent event{.type = type};
  event.occurred_at = TimeOf(tick);
  event.merchant_id = Numbered("m_", merchant + 1);
  if (units > 0) event.amount = Money{.asset = {.code = kCodes[asset], .scale = kScales[asset]}, .units = units};
  return event;
}

void EventStream::Payment(uint32_t merchant, uint8_t asset) {
  const uint64_t units = PickAmount(asset);
  PaymentEvent event = Event(EventType::kPaymentCaptured, merchant, asset, tick_, units);
  event.payment_id = Numbered("pay_", ++payments_);
  uint64_t fee = 0;
  if (!Chance(60)) {
    fee = std::min(units, units * 29 / 1000 + (kScales[asset] == 0 ? 10 : 30));
    event.fee = Money{.asset = event.amount->asset, .units = fee};
  }
  if (Chance(400)) event.metadata["order"] = Numbered("A-", Below(100'000'000));
  if (Chance(30))
    event.metadata["note"] =
        "Gr\xC3\xBC\xC3\x9F"
        "e, \"Zo\xC3\xAB\" \xE2\x82\xAC";

  if (Chance(1)) {
    // Lost on the way; what follows finds no payment.
  } else {
    const uint64_t late = Chance(30) ? 1 + Below(6000) : 0;
    Send(event, merchant, asset, tick_ + late, static_cast<int64_t>(units - fee));
  }
  if (Chance(80)) Refunds(event, merchant, asset);
  if (Chance(15)) Dispute(event, merchant, asset);
}

void EventStream::Refunds(const PaymentEvent& captured, uint32_t merchant, uint8_t asset) {
  const uint64_t gross = static_cast<uint64_t>(absl::Uint128Low64(captured.amount->units.units()));
  const uint64_t fee =
      captured.fee.has_value() ? static_cast<uint64_t>(absl::Uint128Low64(captured.fee->units.units())) : 0;
  uint64_t tick = tick_;
  if (options_.order_free) {
    OrderFreeRefunds(captured, merchant, asset);
    return;
  }
  // One in two is partial; now and then several come to more than the payment, and the last is refused.
  const uint64_t count = Chance(500) ? 1 : 2 + Below(2);
  for (uint64_t n = 1; n <= count; ++n) {
    tick += 5 + Below(3000);
    const uint64_t units = count == 1 ? gross : std::max<uint64_t>(1, gross * (250 + Below(260)) / (count * 500));
    PaymentEvent event = Event(EventType::kPaymentRefunded, merchant, asset, tick, units);
    event.payment_id = captured.payment_id;
    if (!Chance(100)) event.refund_id = "r" + std::to_string(n);
    if (const uint64_t back = fee * units / gross; back > 0 && Chance(300)) {
      event.fee = Money{.asset = event.amount->asset, .units = back};
    }
    funds_[merchant][asset] -= static_cast<int64_t>(units);
    Send(event, merchant, asset, tick, 0);
  }
}

void EventStream::OrderFreeRefunds(const PaymentEvent& captured, uint32_t merchant, uint8_t asset) {
  const uint64_t gross = static_cast<uint64_t>(absl::Uint128Low64(captured.amount->units.units()));
  const uint64_t fee =
      captured.fee.has_value() ? static_cast<uint64_t>(absl::Uint128Low64(captured.fee->units.units())) : 0;
  uint64_t tick = tick_;
  const uint64_t count = Chance(600) ? 1 : 2 + Below(2);
  for (uint64_t n = 1; n <= count; ++n) {
    tick += 5 + Below(3000);
    // Alone: all of it, or a part. Several: parts that come to less than the payment. Now and then one asks for more than the payment,
    // which is refused whatever came before it.
    const bool too_much = Chance(10);
    const uint64_t part = std::max<uint64_t>(1, gross * (100 + Below(200)) / 1000);
    const uint64_t units = too_much ? gross + 1 : count > 1 || Chance(400) ? std::min(part, gross) : gross;
    if (!too_much && funds_[merchant][asset] < static_cast<int64_t>(units)) return;
    PaymentEvent event = Event(EventType::kPaymentRefunded, merchant, asset, tick, units);
    event.payment_id = captured.payment_id;
    // Without an id, several could not be told apart.
    if (count > 1 || !Chance(150)) event.refund_id = "r" + std::to_string(n);
    if (const uint64_t back = fee * units / gross; !too_much && back > 0 && Chance(300)) {
      event.fee = Money{.asset = event.amount->asset, .units = back};
    }
    if (!too_much) funds_[merchant][asset] -= static_cast<int64_t>(units);
    Send(event, merchant, asset, tick, 0);
  }
}

void EventStream::Dispute(const PaymentEvent& captured, uint32_t merchant, uint8_t asset) {
  const uint64_t gross = static_cast<uint64_t>(absl::Uint128Low64(captured.amount->units.units()));
  if (options_.order_free && funds_[merchant][asset] < static_cast<int64_t>(gross)) return;
  const uint64_t tick = tick_ + 100 + Below(6000);
  PaymentEvent opened = Event(EventType::kDisputeOpened, merchant, asset, tick, gross);
  opened.payment_id = captured.payment_id;
  funds_[merchant][asset] -= static_cast<int64_t>(gross);
  const uint64_t late = Chance(80) ? Below(4000) : 0;
  Send(opened, merchant, asset, tick + late, 0);

  const uint64_t end = tick + 50 + Below(4000);
  const uint64_t how = Below(100);
  if (how >= 90) return;  // still open
  const bool lost = how < 45;
  const uint64_t part = lost && Chance(250) ? std::max<uint64_t>(1, gross / 2) : 0;
  PaymentEvent ended = Event(lost ? EventType::kDisputeLost : EventType::kDisputeWon, merchant, asset, end, part);
  ended.payment_id = captured.payment_id;
  Send(ended, merchant, asset, end, Freed(!lost ? gross : part > 0 ? gross - part : 0));
}

void EventStream::Payout(uint32_t merchant, uint8_t asset) {
  const int64_t funds = funds_[merchant][asset];
  uint64_t units;
  bool too_much = false;
  if (Chance(15)) {
    too_much = options_.order_free;
    units = PickAmount(asset) * 50 + (too_much ? kMoreThanThereIs : 0);  // more than most have, or than anybody
  } else if (funds >= 100) {
    units = 1 + static_cast<uint64_t>(funds) * (options_.order_free ? 100 + Below(400) : 200 + Below(800)) / 1000;
  } else {
    Payment(merchant, asset);
    return;
  }
  PaymentEvent requested = Event(EventType::kPayoutRequested, merchant, asset, tick_, units);
  requested.payout_id = Numbered("po_", ++payouts_);
  if (!too_much) funds_[merchant][asset] -= static_cast<int64_t>(units);
  const bool lost = Chance(1);
  const uint64_t late = Chance(25) ? 1 + Below(1500) : 0;
  if (!lost) Send(requested, merchant, asset, tick_ + late, 0);

  const uint64_t how = Below(1000);
  if (how >= 960) return;  // still under way
  const uint64_t end = tick_ + 5 + Below(400);
  const EventType type = how < 880   ? EventType::kPayoutPaid
                         : how < 930 ? EventType::kPayoutFailed
                                     : EventType::kPayoutCanceled;
  // The bank tells the amount about every other time; now and then it is less.
  uint64_t told = 0;
  if (type == EventType::kPayoutPaid && Chance(500)) told = Chance(30) ? std::max<uint64_t>(1, units * 9 / 10) : units;
  const uint64_t paid = type != EventType::kPayoutPaid ? 0 : told > 0 ? told : units;
  PaymentEvent ended = Event(type, merchant, asset, end, told);
  ended.payout_id = requested.payout_id;
  Send(ended, merchant, asset, end, Freed(units - paid));

  if (type != EventType::kPayoutPaid || !Chance(20)) return;
  const uint64_t back = end + 20 + Below(3000);
  const uint64_t part = Chance(300) ? std::max<uint64_t>(1, paid / 3) : 0;
  PaymentEvent returned = Event(EventType::kPayoutReturned, merchant, asset, back, part);
  returned.payout_id = requested.payout_id;
  // One in ten overtakes the news of the payment it returns.
  Send(returned, merchant, asset, Chance(100) ? end - 1 : back, Freed(part > 0 ? part : paid));
}

void EventStream::Adjustment(uint32_t merchant, uint8_t asset) {
  const uint64_t units = PickAmount(asset) / 10 + 1;
  PaymentEvent event = Event(EventType::kAdjustment, merchant, asset, tick_, units);
  event.payment_id = Numbered("adj:", ++adjustments_);
  const bool covered = !options_.order_free || funds_[merchant][asset] >= static_cast<int64_t>(units);
  const bool credit = Chance(600) || !covered;
  event.direction = credit ? AdjustmentDirection::kCredit : AdjustmentDirection::kDebit;
  if (!credit) funds_[merchant][asset] -= static_cast<int64_t>(units);
  Send(event, merchant, asset, tick_, credit ? static_cast<int64_t>(units) : 0);
}

void EventStream::Send(const PaymentEvent& event, uint32_t merchant, uint8_t asset, uint64_t tick, int64_t funds) {
  // Neighbours often change places.
  if (Chance(200)) tick += Below(4);
  Push(Kind::kOriginal, Json(event), merchant, asset, tick, funds);

  const uint64_t ppm = options_.duplicates_ppm * 1'000'000 / (1'000'000 - options_.duplicates_ppm);
  if (Below(1'000'000) < ppm) {
    const uint64_t when = tick + (Chance(500) ? Below(10) : Below(5000));
    // Nothing tells a refund without an id, sent under a new timestamp, from another refund.
    const bool anonymous = event.type == EventType::kPaymentRefunded && event.refund_id.empty();
    if (anonymous || Chance(600)) {
      Push(Kind::kIdentical, Json(event), merchant, asset, when);
    } else {
      PaymentEvent again = event;
      again.occurred_at += absl::Milliseconds(1 + static_cast<int64_t>(Below(60'000)));
      Push(Kind::kResent, Json(again), merchant, asset, when);
    }
  }
  if (event.amount.has_value() && Below(1'000'000) < options_.conflicts_ppm) {
    PaymentEvent other = event;
    other.amount->units = *other.amount->units.CheckedAdd(1);
    Push(Kind::kConflict, Json(other), merchant, asset, tick + Below(2000));
  }
}

void EventStream::Malformed(uint32_t merchant, uint8_t asset) {
  PaymentEvent event = Event(EventType::kPaymentCaptured, merchant, asset, tick_, 4711);
  event.payment_id = Numbered("bad_", tick_);
  std::string line = Json(event);
  switch (Below(14)) {
    case 0:
      line.resize(1 + Below(line.size() - 1));
      break;
    case 1:
      line.insert(1, "\"priority\":\"high\",");
      break;
    case 2:
      Replace(line, "\"4711\"", "47.11");
      break;
    case 3:
      Replace(line, kCodes[asset], "usd");
      break;
    case 4:
      Replace(line, "4711", "-4711");
      break;
    case 5:
      line[line.find("bad_")] = '\xFF';
      break;
    case 6:
      line.insert(1, "\"payment_id\":\"first\",");
      break;
    case 7:
      Replace(line, "payment_id", "payment");
      break;
    case 8:
      Replace(line, "2024", "1970");
      break;
    case 9:
      line = "event " + event.payment_id + " happened";
      break;
    case 10:
      Replace(line, "PAYMENT_CAPTURED", "PAYMENT_IMAGINED");
      break;
    case 11:
      Replace(line, "4711", "170141183460469231731687303715884105728");
      break;
    case 12:
      line.insert(line.size() - 1, ",\"metadata\":{\"deep\":{\"er\":[[[]]]}}");
      break;
    default:
      line.insert(line.size() - 1, Chance(50) ? ",\"metadata\":{\"long\":\"" + std::string(70'000, 'x') + "\"}"
                                              : ",\"payout_id\":\"po\"");
  }
  Push(Kind::kMalformed, std::move(line), merchant, asset, tick_);
}

void EventStream::Push(Kind kind, std::string line, uint32_t merchant, uint8_t asset, uint64_t tick, int64_t funds) {
  pending_.push({.tick = tick,
                 .order = ++order_,
                 .kind = kind,
                 .asset = asset,
                 .merchant = merchant,
                 .funds = funds,
                 .line = std::move(line)});
}

}  // namespace northwind::examples

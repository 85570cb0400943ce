// SPDX-License-Identifier: Apache-2.0
//
// A stream of payment events like that of a payment company, one JSON line each: merchants of very different sizes,
// payments with fees, refunds, disputes and payouts with all their ends, delivered late, out of order and more than once.
// The same options give the same lines on every machine. Memory depends on the merchants and the delays, not on the
// length.
#ifndef NORTHWIND_EXAMPLES_MAKE_EVENTS_STREAM_H_
#define NORTHWIND_EXAMPLES_MAKE_EVENTS_STREAM_H_

#include <array>
#include <cstdint>
#include <queue>
#include <string>
#include <vector>

#include "northwind/settlement.h"

namespace northwind::examples {

struct StreamOptions {
  uint64_t events = 100'000;  // lines, in all
  uint64_t merchants = 2'000;
  uint64_t seed = 1;
  // Of a million lines, about: copies (six in ten byte for byte, the rest the same thing under a new timestamp), lines
  // that are no event, and events of a key that other content has.
  uint64_t duplicates_ppm = 100'000;  // up to 500,000
  uint64_t malformed_ppm = 300;
  uint64_t conflicts_ppm = 150;
  // Days that the lines are spread over, from 2024-03-01T00:00:00Z: 0 … kMaxStreamDays; 0: one every 20 ms or so, however many.
  uint64_t days = 0;
  // What a merchant gives back or has paid out was brought in by captures and credits that arrived before it was asked for, and what is
  // refused asks for more than there can be. So a system that settles by the day, what comes in before what goes out, comes to the
  // same results as one that settles by the event.
  bool order_free = false;
};
inline constexpr uint64_t kMaxStreamDays = 3650;

// What was written so far.
struct StreamCounts {
  uint64_t lines = 0;
  uint64_t identical = 0;  // copies, byte for byte
  uint64_t resent = 0;     // copies under a new timestamp
  uint64_t malformed = 0;
  uint64_t conflicts = 0;
};

class EventStream {
 public:
  explicit EventStream(const StreamOptions& options);

  // The next line, without a line end; false at the end.
  bool Next(std::string& line);
  const StreamCounts& counts() const { return counts_; }

 private:
  static constexpr size_t kAssets = 3;
  enum class Kind : uint8_t { kOriginal, kIdentical, kResent, kMalformed, kConflict };

  // A line on its way.
  struct Item {
    uint64_t tick;   // when it is delivered
    uint64_t order;  // between those of one tick
    Kind kind;
    uint8_t asset;
    uint32_t merchant;
    int64_t funds;  // what its arrival adds to the merchant's funds
    std::string line;
    bool operator>(const Item& other) const { return tick != other.tick ? tick > other.tick : order > other.order; }
  };

  uint64_t Random();
  uint64_t Below(uint64_t n) { return Random() % n; }  // n is tiny beside 2^64: no bias to speak of
  bool Chance(uint64_t per_mille) { return Below(1000) < per_mille; }
  // What a merchant gets back may arrive before what took it: not to be counted on in another order.
  int64_t Freed(uint64_t units) const { return options_.order_free ? 0 : static_cast<int64_t>(units); }
  uint32_t PickMerchant();
  uint64_t PickAmount(uint8_t asset);
  absl::Time TimeOf(uint64_t tick);
  PaymentEvent Event(EventType type, uint32_t merchant, uint8_t asset, uint64_t tick, uint64_t units);

  void Tick();
  void Payment(uint32_t merchant, uint8_t asset);
  void Refunds(const PaymentEvent& captured, uint32_t merchant, uint8_t asset);
  void OrderFreeRefunds(const PaymentEvent& captured, uint32_t merchant, uint8_t asset);
  void Dispute(const PaymentEvent& captured, uint32_t merchant, uint8_t asset);
  void Payout(uint32_t merchant, uint8_t asset);
  void Adjustment(uint32_t merchant, uint8_t asset);
  void Malformed(uint32_t merchant, uint8_t asset);
  // Sends an event of `merchant`, with its share of copies, so that it arrives about at `tick`.
  void Send(const PaymentEvent& event, uint32_t merchant, uint8_t asset, uint64_t tick, int64_t funds);
  void Push(Kind kind, std::string line, uint32_t merchant, uint8_t asset, uint64_t tick, int64_t funds = 0);

  const StreamOptions options_;
  const int64_t nanos_per_tick_;
  uint64_t state_;
  uint64_t tick_ = 0;
  uint64_t order_ = 0;
  uint64_t payments_ = 0, payouts_ = 0, adjustments_ = 0;
  StreamCounts counts_;
  std::vector<uint64_t> sizes_;                      // running sums of the merchants' weights
  std::vector<std::array<int64_t, kAssets>> funds_;  // about what each merchant has
  std::priority_queue<Item, std::vector<Item>, std::greater<>> pending_;
};

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_MAKE_EVENTS_STREAM_H_

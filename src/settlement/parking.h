// SPDX-License-Identifier: Apache-2.0
//
// Where events wait for the event that they work on. In memory; durable_parking.h keeps them beyond the process.
#ifndef NORTHWIND_SRC_SETTLEMENT_PARKING_H_
#define NORTHWIND_SRC_SETTLEMENT_PARKING_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "northwind/settlement.h"
#include "northwind/transaction.h"

namespace northwind::internal {

// A transaction as others name it.
struct Subject {
  uint16_t code = 0;
  std::string_view reference;

  static Subject Of(const Transaction& t) { return {t.code, t.reference}; }
  // What it waits for. Events name their targets by reference only.
  static Subject TargetOf(const Transaction& t) { return {t.target->code, t.target->reference}; }
  friend auto operator<=>(const Subject&, const Subject&) = default;
};

// One delivery of an event.
struct Delivery {
  uint64_t serial = 0;    // counts everything an intake is given
  uint64_t position = 0;  // the caller's name for it
};

struct ParkedEvent {
  Delivery delivery;
  std::vector<Delivery> copies;  // the same event, delivered again while it waits
  EventFormat format = EventFormat::kJson;
  std::string raw;
  Transaction transaction;
};

// Not thread-safe.
class Parking {
 public:
  struct Limits {
    size_t events;
    size_t bytes;
    size_t per_target;
  };
  enum class Answer {
    kParked,
    kCopy,        // noted as a copy of one that is parked
    kFull,        // in all
    kTargetFull,  // too many wait for this target
  };

  explicit Parking(const Limits& limits) : limits_(limits) {}
  Parking(const Parking&) = delete;
  Parking& operator=(const Parking&) = delete;

  // Takes the event only if the answer is kParked; it is then the last of Newest().
  Answer Park(ParkedEvent&& event);
  // The arrival number of the event parked last.
  uint64_t newest() const { return next_arrival_ - 1; }

  // Arrival numbers (in order of parking) of those that wait for `subject`, and of those that wait for one of these, and so on; ascending.
  // Empty if none.
  std::vector<uint64_t> WaitingFor(const Subject& subject) const;

  // Null if it is not (or no longer) parked.
  const ParkedEvent* Find(uint64_t arrival) const;
  // The one of these bytes, if it is parked; `key` is that of its transaction.
  std::optional<uint64_t> FindRaw(const IdempotencyKey& key, std::string_view raw) const;
  // Takes a parked event out.
  ParkedEvent Remove(uint64_t arrival);
  // The arrival numbers of those longest parked, up to `limit`.
  std::vector<uint64_t> Oldest(size_t limit) const;

  bool empty() const { return events_.empty(); }
  size_t size() const { return events_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  using Numbers = std::vector<uint64_t>;  // ascending

  // A Subject that owns its reference; compared with views without a copy.
  struct Name {
    uint16_t code;
    std::string reference;
    operator Subject() const { return {code, reference}; }  // NOLINT(google-explicit-constructor)
  };
  struct NameHash {
    using is_transparent = void;
    size_t operator()(const Subject& s) const { return absl::HashOf(s.code, s.reference); }
  };
  struct NameEqual {
    using is_transparent = void;
    bool operator()(const Subject& a, const Subject& b) const { return a == b; }
  };

  static size_t BytesOf(const ParkedEvent& event);

  const Limits limits_;
  std::map<uint64_t, ParkedEvent> events_;                           // by arrival
  absl::flat_hash_map<Name, Numbers, NameHash, NameEqual> waiting_;  // by target
  absl::flat_hash_map<IdempotencyKey, Numbers> by_key_;              // more than one only when they conflict
  size_t bytes_ = 0;
  uint64_t next_arrival_ = 1;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_PARKING_H_

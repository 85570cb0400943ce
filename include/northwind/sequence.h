// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SEQUENCE_H_
#define NORTHWIND_SEQUENCE_H_

#include <array>
#include <compare>
#include <cstdint>
#include <utility>

namespace northwind {

// The place of a record in the journal: dense from 1. 0 stands before the first record.
class Sequence {
 public:
  constexpr Sequence() = default;
  explicit constexpr Sequence(uint64_t value) : value_(value) {}
  constexpr uint64_t value() const { return value_; }

  friend constexpr auto operator<=>(Sequence, Sequence) = default;
  template <typename H>
  friend H AbslHashValue(H h, Sequence s) {
    return H::combine(std::move(h), s.value_);
  }

 private:
  uint64_t value_ = 0;
};

// A SHA-256 digest.
using Hash256 = std::array<uint8_t, 32>;

// Where a journal ends: its last sequence and the hash of its last block, which pins every byte before it.
struct Head {
  Sequence sequence;
  Hash256 hash{};
  friend bool operator==(const Head&, const Head&) = default;
};

}  // namespace northwind

#endif  // NORTHWIND_SEQUENCE_H_

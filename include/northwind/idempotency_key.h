// SPDX-License-Identifier: Apache-2.0
//
// The 128-bit key under which a transaction is applied at most once, for ever.
//
//   Transaction t{.key = DeriveKey("pay_1", occurred_at, "PAYMENT_CAPTURED"), ...};
#ifndef NORTHWIND_IDEMPOTENCY_KEY_H_
#define NORTHWIND_IDEMPOTENCY_KEY_H_

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace northwind {

// 16 bytes, ordered bytewise. Any value is a valid key (a UUID is: correct, though slower to index than a
// derived key, whose leading timestamp keeps neighbours in time together on disk).
class IdempotencyKey {
 public:
  static constexpr size_t kSize = 16;

  // All zero bytes.
  constexpr IdempotencyKey() = default;
  explicit constexpr IdempotencyKey(const std::array<uint8_t, kSize>& bytes) : bytes_(bytes) {}

  // Exactly 16 bytes; InvalidArgument otherwise.
  static absl::StatusOr<IdempotencyKey> FromBytes(std::string_view bytes);

  // 32 hexadecimal digits, or a UUID in its usual 8-4-4-4-12 form; either case. InvalidArgument otherwise.
  static absl::StatusOr<IdempotencyKey> Parse(std::string_view text);

  // 32 lower-case hexadecimal digits.
  std::string ToString() const;

  std::string_view bytes() const { return {reinterpret_cast<const char*>(bytes_.data()), kSize}; }

  friend bool operator==(const IdempotencyKey& a, const IdempotencyKey& b) {
    return a.Word(0) == b.Word(0) && a.Word(1) == b.Word(1);
  }
  friend std::strong_ordering operator<=>(const IdempotencyKey& a, const IdempotencyKey& b) {
    const uint64_t a0 = BigEndian(a.Word(0)), b0 = BigEndian(b.Word(0));
    if (a0 != b0) return a0 <=> b0;
    return BigEndian(a.Word(1)) <=> BigEndian(b.Word(1));
  }

  template <typename H>
  friend H AbslHashValue(H h, const IdempotencyKey& key) {
    return H::combine(std::move(h), key.Word(0), key.Word(1));
  }

 private:
  // Keys are compared and hashed by the hundred thousand: as two words, not byte by byte.
  uint64_t Word(size_t i) const {
    uint64_t word;
    std::memcpy(&word, bytes_.data() + 8 * i, 8);
    return word;
  }
  static uint64_t BigEndian(uint64_t word) {
    return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
  }

  std::array<uint8_t, kSize> bytes_{};
};

// The key of one event: 48-bit big-endian Unix milliseconds of `occurred_at`, then the first 80 bits of
//   SHA-256("northwind/key/v1" ‖ len(type) ‖ type ‖ len(id) ‖ id ‖ 8 ‖ nanos)
// with every len a big-endian u32 and nanos the big-endian signed 64-bit Unix time in nanoseconds. Golden
// vectors: docs/format.md. Times outside 1970 … 2262 are clamped into it (the codec of settlement.h refuses
// them before). `subject_id` and `type` are any bytes; they are part of the key exactly as given.
IdempotencyKey DeriveKey(std::string_view subject_id, absl::Time occurred_at, std::string_view type = {});

}  // namespace northwind

#endif  // NORTHWIND_IDEMPOTENCY_KEY_H_

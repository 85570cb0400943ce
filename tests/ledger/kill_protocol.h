// SPDX-License-Identifier: Apache-2.0
//
// What kill_test and the child that it kills agree on.
#ifndef NORTHWIND_TESTS_LEDGER_KILL_PROTOCOL_H_
#define NORTHWIND_TESTS_LEDGER_KILL_PROTOCOL_H_

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "northwind/idempotency_key.h"

namespace northwind::testing {

// The child writes its messages to this descriptor.
inline constexpr int kMessageDescriptor = 3;
inline constexpr uint8_t kCommitters = 3;

// A batch of one child: its members carry it in their keys, so that the journal tells which batches are whole.
struct BatchName {
  uint32_t run = 0;
  uint32_t committer = 0;
  uint32_t batch = 0;
  friend auto operator<=>(const BatchName&, const BatchName&) = default;
};

struct MemberName {
  BatchName batch;
  uint16_t index = 0;
  uint16_t size = 0;  // members of the batch
};

// Shorter than PIPE_BUF: written whole or not at all.
struct Message {
  enum Kind : uint32_t { kOpened = 1, kDurable = 2 };
  uint32_t kind = 0;
  BatchName batch;
};

inline IdempotencyKey KeyOf(const MemberName& name) {
  std::array<uint8_t, IdempotencyKey::kSize> bytes{};
  size_t at = 0;
  const auto put = [&](uint32_t value, int width) {
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) bytes[at++] = static_cast<uint8_t>(value >> shift);
  };
  put(name.batch.run, 4);
  put(name.batch.committer, 1);
  put(name.batch.batch, 4);
  put(name.index, 2);
  put(name.size, 2);
  return IdempotencyKey(bytes);
}

inline MemberName NameOf(const IdempotencyKey& key) {
  size_t at = 0;
  const auto get = [&](int width) {
    uint32_t value = 0;
    while (width-- > 0) value = value << 8 | static_cast<uint8_t>(key.bytes()[at++]);
    return value;
  };
  MemberName name;
  name.batch.run = get(4);
  name.batch.committer = get(1);
  name.batch.batch = get(4);
  name.index = static_cast<uint16_t>(get(2));
  name.size = static_cast<uint16_t>(get(2));
  return name;
}

// The first member of every batch writes this host record.
inline std::string HostKey(uint32_t committer) { return "committer" + std::to_string(committer); }
inline std::string HostValue(const BatchName& batch) {
  return std::to_string(batch.run) + "/" + std::to_string(batch.batch);
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_LEDGER_KILL_PROTOCOL_H_

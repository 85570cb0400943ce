// SPDX-License-Identifier: Apache-2.0
//
// A journal block: what one group commit writes, and what a hash pins.
//
//   key     = 8 bytes big-endian: first sequence
//   value   = header payload
//   header  = u8(1: format version) 3 × u8(0)
//             be32(count of records) be32(bytes of payload)
//             be64(first sequence) be64(recorded time, Unix nanoseconds)
//             previous(32: hash of the block before) payload_hash(32: SHA-256 of the payload)
//   payload = count records (record.h); the n-th from 0 has sequence first + n and was recorded at time + n ns
//   hash of a block = SHA-256(header); the first block's previous = SHA-256("northwind/journal/v1" ‖ ledger UUID)
#ifndef NORTHWIND_SRC_LEDGER_BLOCK_H_
#define NORTHWIND_SRC_LEDGER_BLOCK_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/sequence.h"

namespace northwind::internal {

inline constexpr size_t kBlockHeaderBytes = 92;
inline constexpr uint8_t kBlockVersion = 1;
// Bounds of any block: the largest single call (kMaxAccountsPerCall of the longest names) fits, expiries beside it.
inline constexpr size_t kMaxBlockRecords = 1 << 18;
inline constexpr size_t kMaxBlockBytes = 64 << 20;

struct BlockHeader {
  uint64_t first = 0;
  uint32_t count = 0;
  uint32_t payload_bytes = 0;
  int64_t recorded_at = 0;
  Hash256 previous{};
  Hash256 payload_hash{};

  uint64_t last() const { return first + count - 1; }
};

std::array<char, kBlockHeaderBytes> EncodeBlockHeader(const BlockHeader& header);
// DataLoss if this is not the header of a block.
absl::StatusOr<BlockHeader> DecodeBlockHeader(std::string_view bytes);
// Of the encoded header: pins the block and, through `previous`, all before it.
Hash256 BlockHash(const BlockHeader& header);
// What the first block of a ledger points back to.
Hash256 GenesisHash(const std::array<uint8_t, 16>& uuid);

// A sealed block in memory, shared by the commit path, followers and the cache. Immutable.
class Block {
 public:
  Block(const BlockHeader& header, std::string payload, std::vector<uint32_t> offsets)
      : header_(header), payload_(std::move(payload)), offsets_(std::move(offsets)) {}

  // From a stored value: checks form, and the payload's hash. DataLoss names what is wrong.
  static absl::StatusOr<std::shared_ptr<const Block>> Parse(std::string_view value);

  const BlockHeader& header() const { return header_; }
  std::string_view payload() const { return payload_; }
  // The bytes of one record, without its length. `sequence` must lie in the block.
  std::string_view Record(uint64_t sequence) const;
  int64_t RecordedAt(uint64_t sequence) const {
    return header_.recorded_at + static_cast<int64_t>(sequence - header_.first);
  }
  // Roughly what it costs to keep.
  size_t MemoryBytes() const { return sizeof(*this) + payload_.capacity() + offsets_.capacity() * sizeof(uint32_t); }

 private:
  BlockHeader header_;
  std::string payload_;
  std::vector<uint32_t> offsets_;  // where each record's length begins
};

// The record at an offset of a payload, without its length.
std::string_view RecordAt(std::string_view payload, uint32_t offset);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_BLOCK_H_

// SPDX-License-Identifier: Apache-2.0
//
// A stretch of one account's history, packed.
//
//   key   = be32(account) be64(sequence of the first entry)
//   value = u8(1) varint(count) totals varint(first recorded time, Unix nanoseconds) entries
//   totals = 4 × varint128: debits posted, credits posted, debits held, credits held, before the first entry
//   entry = u8(kind | 0x08 if the code differs from the entry before, which begins as 0 | 0x10 if the same record)
//           [varint(sequence − previous sequence) varint(time − previous time)]   unless 0x10; the first is from the key
//           varint128(amount) [varint(code)]
//
// A chunk ends with the first record that brings it to kChunkEntries or more: a record is never split.
#ifndef NORTHWIND_SRC_LEDGER_HISTORY_CHUNK_H_
#define NORTHWIND_SRC_LEDGER_HISTORY_CHUNK_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "northwind/account.h"
#include "northwind/ledger.h"

namespace northwind::internal {

inline constexpr uint32_t kChunkEntries = 256;

// A chunk being filled, or full, in memory.
struct HistoryChunk {
  uint64_t first = 0;  // sequence of the first entry
  uint64_t last = 0;   // of the last one
  int64_t first_time = 0;
  int64_t last_time = 0;
  uint32_t count = 0;
  uint16_t last_code = 0;
  Totals before;
  std::string entries;

  bool Full(uint64_t next_sequence) const { return count >= kChunkEntries && next_sequence != last; }
  void Append(uint64_t sequence, int64_t recorded_at, EntryKind kind, Amount amount, uint16_t code);
};

std::string HistoryKey(AccountId account, uint64_t first);
void EncodeHistoryChunk(const HistoryChunk& chunk, std::string& out);
// Everything but last, last_time and last_code, which need the entries. DataLoss if malformed.
absl::Status DecodeHistoryChunk(uint64_t first, std::string_view value, HistoryChunk& chunk);

// The entries of a chunk with their running totals. DataLoss if malformed.
absl::Status UnpackHistoryChunk(const HistoryChunk& chunk, std::vector<Entry>& entries);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_HISTORY_CHUNK_H_

// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/history_chunk.h"

#include <limits>

#include "src/base/coding.h"
#include "src/ledger/account_row.h"

namespace northwind::internal {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kKindMask = 0x07;
constexpr uint8_t kOtherCode = 0x08;
constexpr uint8_t kSameRecord = 0x10;

absl::Status Malformed() { return absl::DataLossError("malformed chunk of account history"); }

bool WithinBounds(const Totals& totals) {
  const absl::uint128 max = Amount::Max().units();
  return totals.debits_posted <= max && totals.credits_posted <= max && totals.debits_held <= max &&
         totals.credits_held <= max;
}

}  // namespace

void HistoryChunk::Append(uint64_t sequence, int64_t recorded_at, EntryKind kind, Amount amount, uint16_t code) {
  char buffer[1 + 2 * kMaxVarint64 + kMaxVarint128 + kMaxVarint64];
  uint8_t flags = static_cast<uint8_t>(kind);
  if (code != last_code) flags |= kOtherCode;
  char* p = buffer + 1;
  if (count == 0) {
    first = sequence;
    first_time = recorded_at;
    flags |= kSameRecord;
  } else if (sequence == last) {
    flags |= kSameRecord;
  } else {
    p = EncodeVarint64(p, sequence - last);
    p = EncodeVarint64(p, static_cast<uint64_t>(recorded_at - last_time));
  }
  p = EncodeVarint128(p, amount.units());
  if (code != last_code) p = EncodeVarint64(p, code);
  buffer[0] = static_cast<char>(flags);
  entries.append(buffer, static_cast<size_t>(p - buffer));
  last = sequence;
  last_time = recorded_at;
  last_code = code;
  ++count;
}

std::string HistoryKey(AccountId account, uint64_t first) {
  std::string key;
  key.reserve(12);
  PutBigEndian32(key, account.value());
  PutBigEndian64(key, first);
  return key;
}

void EncodeHistoryChunk(const HistoryChunk& chunk, std::string& out) {
  out.push_back(static_cast<char>(kVersion));
  PutVarint64(out, chunk.count);
  PutVarint128(out, chunk.before.debits_posted);
  PutVarint128(out, chunk.before.credits_posted);
  PutVarint128(out, chunk.before.debits_held);
  PutVarint128(out, chunk.before.credits_held);
  PutVarint64(out, static_cast<uint64_t>(chunk.first_time));
  out.append(chunk.entries);
}

absl::Status DecodeHistoryChunk(uint64_t first, std::string_view value, HistoryChunk& chunk) {
  ByteReader in(value);
  uint8_t version;
  uint64_t time;
  if (!in.GetByte(version) || version != kVersion || !in.GetVarint(chunk.count) ||
      !in.GetVarint128(chunk.before.debits_posted) || !in.GetVarint128(chunk.before.credits_posted) ||
      !in.GetVarint128(chunk.before.debits_held) || !in.GetVarint128(chunk.before.credits_held) ||
      !in.GetVarint64(time) || chunk.count == 0 || chunk.count > kChunkEntries + 4 * kMaxPostings ||
      time > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Malformed();
  }
  if (!WithinBounds(chunk.before)) return Malformed();
  chunk.first = first;
  chunk.first_time = static_cast<int64_t>(time);
  chunk.entries.assign(in.position(), in.remaining());
  return absl::OkStatus();
}

absl::Status UnpackHistoryChunk(const HistoryChunk& chunk, std::vector<Entry>& entries) {
  entries.clear();
  entries.reserve(chunk.count);
  ByteReader in(chunk.entries);
  Totals totals = chunk.before;
  uint64_t sequence = chunk.first;
  uint64_t time = static_cast<uint64_t>(chunk.first_time);
  constexpr uint64_t kLatest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  uint16_t code = 0;
  uint32_t index = 0;
  while (!in.AtEnd()) {
    uint8_t flags;
    if (!in.GetByte(flags) || flags > (kKindMask | kOtherCode | kSameRecord)) return Malformed();
    if ((flags & kSameRecord) != 0) {
      index = entries.empty() ? 0 : index + 1;
    } else {
      uint64_t sequence_step, time_step;
      if (entries.empty() || !in.GetVarint64(sequence_step) || !in.GetVarint64(time_step) || sequence_step == 0 ||
          sequence_step > kLatest - sequence || time_step > kLatest - time) {
        return Malformed();
      }
      sequence += sequence_step;
      time += time_step;
      index = 0;
    }
    absl::uint128 units;
    if (!in.GetVarint128(units) || units == 0 || units > Amount::Max().units()) return Malformed();
    if ((flags & kOtherCode) != 0 && !in.GetVarint(code)) return Malformed();
    const auto kind = static_cast<EntryKind>(flags & kKindMask);
    const Amount amount = *Amount::FromUnits(units);
    if (!ApplyEntry(kind, amount, totals) || !WithinBounds(totals)) return Malformed();
    entries.push_back({.sequence = Sequence(sequence),
                       .index = index,
                       .recorded_at = absl::FromUnixNanos(static_cast<int64_t>(time)),
                       .kind = kind,
                       .amount = amount,
                       .code = code,
                       .after = totals});
  }
  if (entries.size() != chunk.count) return Malformed();
  return absl::OkStatus();
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
//
// What a checkpoint writes beside the indexes, so that opening need not replay the whole journal.
//
//   accounts  be32(account) 0x00 → bytes(name) bytes(asset) u8(external) u8(state) zigzag128(min_available)
//                                  zigzag128(min_available when opened)
//             be32(account) 0x01 → totals: 4 × varint128, as in history_chunk.h
//   holds     be64(sequence)     → varint(debit) varint(credit) varint128(placed) varint128(remaining)
//                                  be64(expires_at, 0 = never) varint(code)
//   state     "checkpoint"       → be64(sequence) hash(32) be64(recorded time) be64(sequence of the last time sample)
#ifndef NORTHWIND_SRC_LEDGER_STATE_CODEC_H_
#define NORTHWIND_SRC_LEDGER_STATE_CODEC_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "northwind/account.h"
#include "northwind/sequence.h"
#include "src/ledger/apply.h"

namespace northwind::internal {

struct AccountAttributes {
  AccountSpec spec;  // as opened
  AccountState state = AccountState::kOpen;
  absl::int128 min_available = 0;  // now
  friend bool operator==(const AccountAttributes& a, const AccountAttributes& b) {
    return a.spec.name == b.spec.name && a.spec.asset == b.spec.asset && a.spec.external == b.spec.external &&
           a.spec.min_available == b.spec.min_available && a.state == b.state && a.min_available == b.min_available;
  }
};

struct Watermark {
  Head head;
  int64_t recorded_at = 0;        // of the record at the head
  uint64_t last_time_sample = 0;  // sequence
};

inline constexpr std::string_view kWatermarkKey = "checkpoint";
inline constexpr char kAttributesSuffix = 0;
inline constexpr char kTotalsSuffix = 1;

std::string AccountKey(AccountId id, char suffix);
void EncodeAttributes(const AccountAttributes& attributes, std::string& out);
absl::Status DecodeAttributes(std::string_view bytes, AccountAttributes& attributes);
void EncodeTotals(const Totals& totals, std::string& out);
absl::Status DecodeTotals(std::string_view bytes, Totals& totals);
void EncodeHold(const HoldRow& hold, std::string& out);
absl::Status DecodeHold(std::string_view bytes, HoldRow& hold);
void EncodeWatermark(const Watermark& watermark, std::string& out);
absl::Status DecodeWatermark(std::string_view bytes, Watermark& watermark);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_STATE_CODEC_H_

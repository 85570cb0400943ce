// SPDX-License-Identifier: Apache-2.0
//
// What is kept of payouts, in the store's host space:
//
//   "nw/payout/cursor"                                → be64(last sequence followed)
//   "nw/payout/view/" payout id                       → view, written by the follower
//   "nw/payout/rail/" payout id                       → rail, written by the workers
//   "nw/payout/list/" merchant "/" be64(ns) payout id → nothing: payouts of a merchant by time of request
//
//   view    = u8(1) u8(state) bytes(merchant) bytes(asset) varint128(amount) key(16) be64(requested, ns) be64(settled, ns)
//             varint(reason)
//   rail    = u8(1) u8(submitted) varint(submits) varint(queries) bytes(attention) varint(n) n × attempt
//             without attempts only of a payout that was set aside before the rail was told, in `attention` why
//   attempt = be64(ns) u8(call) u8(answer) bytes(reason)
//   task's payload = bytes(payout id) bytes(merchant) bytes(asset) varint128(amount) key(16) be64(requested, ns)
#ifndef NORTHWIND_SRC_SETTLEMENT_PAYOUT_RECORD_H_
#define NORTHWIND_SRC_SETTLEMENT_PAYOUT_RECORD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/payout.h"

namespace northwind::internal {

inline constexpr std::string_view kPayoutQueue = "nw/payout";
inline constexpr std::string_view kPayoutCursorKey = "nw/payout/cursor";

std::string PayoutTaskId(std::string_view payout_id);
// Empty if it is no such task's.
std::string_view PayoutIdOfTask(std::string_view task_id);
std::string PayoutViewKey(std::string_view payout_id);
std::string PayoutRailKey(std::string_view payout_id);
std::string PayoutListPrefix(std::string_view merchant);
std::string PayoutListKey(std::string_view merchant, int64_t requested_at, std::string_view payout_id);

struct PayoutView {
  PayoutState state = PayoutState::kRequested;
  std::string merchant;
  std::string asset;
  Amount amount;
  IdempotencyKey key;  // of the hold
  int64_t requested_at = 0;
  int64_t settled_at = 0;
  Reason reason = Reason::kNone;
};
std::string EncodePayoutView(const PayoutView& view);
absl::StatusOr<PayoutView> DecodePayoutView(std::string_view payout_id, std::string_view bytes);

struct PayoutRailRecord {
  bool submitted = false;  // Submit was called, or is about to be
  uint32_t submits = 0;
  uint32_t queries = 0;
  std::string attention;
  std::vector<RailAttempt> attempts;  // the last kMaxRailAttempts

  void Add(RailAttempt attempt);
};
std::string EncodePayoutRail(const PayoutRailRecord& record);
absl::StatusOr<PayoutRailRecord> DecodePayoutRail(std::string_view payout_id, std::string_view bytes);

std::string EncodeInstruction(const PayoutInstruction& payout, const IdempotencyKey& key);
absl::StatusOr<PayoutInstruction> DecodeInstruction(std::string_view bytes);

// The name of a payout to its rail: "nw" and the hold's key in hexadecimal. As the key is that of the one transaction applied for the
// payout, ever, it is the payout's own.
std::string ProviderKey(const IdempotencyKey& key);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_PAYOUT_RECORD_H_

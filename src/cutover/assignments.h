// SPDX-License-Identifier: Apache-2.0
//
// What is kept of merchants and of what was assigned, in the store's host space:
//
//   "nw/cutover/merchant/" merchant id → u8(1) u8(1 known, 0 not) u8(0 | 1 allow | 2 deny)
//   "nw/cutover/override/" merchant id → u8(1) u8(1 allow | 2 deny) varint(line of the audit log that set it): an index; the merchant's
//                                        own record decides
//   "nw/cutover/assignment/" id        → u8(1) u8(system) u8(reason) varint(epoch) be64(at, Unix ns) bytes(merchant id)
//   "nw/cutover/residue/" id           → nothing: assigned to northwind, and not finished
//   "nw/cutover/counts"                → u8(1) varint(known) varint(allowed) varint(denied) varint(residue)
#ifndef NORTHWIND_SRC_CUTOVER_ASSIGNMENTS_H_
#define NORTHWIND_SRC_CUTOVER_ASSIGNMENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/cutover.h"
#include "src/cutover/settings.h"
#include "src/store/engine.h"

namespace northwind::internal {

inline constexpr std::string_view kMerchantPrefix = "nw/cutover/merchant/";
inline constexpr std::string_view kOverridePrefix = "nw/cutover/override/";
inline constexpr std::string_view kAssignmentPrefix = "nw/cutover/assignment/";
inline constexpr std::string_view kResiduePrefix = "nw/cutover/residue/";
inline constexpr std::string_view kCutoverCountsKey = "nw/cutover/counts";

// InvalidArgument for what can be neither.
absl::Status CheckRouteId(std::string_view id);
absl::Status CheckMerchantId(std::string_view merchant_id);

std::string CutoverKey(std::string_view prefix, std::string_view id);

struct CutoverCounts {
  uint64_t merchants = 0;
  uint64_t allowed = 0;
  uint64_t denied = 0;
  uint64_t residue = 0;
  friend bool operator==(const CutoverCounts&, const CutoverCounts&) = default;
};

// Of lines of the audit log that set or clear an override: the action, and how their details begin.
inline constexpr std::string_view kSetOverride = "set_override";
std::string OverrideDetail(std::string_view merchant_id);

// An override in the index.
struct IndexedOverride {
  Override value{};
  uint64_t line = 0;
  friend bool operator==(const IndexedOverride&, const IndexedOverride&) = default;
};

std::string EncodeCounts(const CutoverCounts& counts);
absl::StatusOr<CutoverCounts> DecodeCounts(std::string_view bytes);
std::string EncodeStanding(const MerchantStanding& standing);
absl::StatusOr<MerchantStanding> DecodeStanding(std::string_view merchant_id, std::string_view bytes);
std::string EncodeOverride(const IndexedOverride& override);
absl::StatusOr<IndexedOverride> DecodeOverride(std::string_view merchant_id, std::string_view bytes);
std::string EncodeAssignment(const Assignment& assignment);
absl::StatusOr<Assignment> DecodeAssignment(std::string_view id, std::string_view bytes);

absl::StatusOr<std::optional<Assignment>> ReadAssignment(const Engine& engine, std::string_view id);
absl::StatusOr<MerchantStanding> ReadStanding(const Engine& engine, std::string_view merchant_id);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_CUTOVER_ASSIGNMENTS_H_

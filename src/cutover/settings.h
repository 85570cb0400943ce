// SPDX-License-Identifier: Apache-2.0
//
// What decides who settles, as it is kept, and the decision itself.
//
//   "nw/cutover/settings" → u8(2) bytes(salt) varint(epoch) varint(threshold) u8(1 routed to the batch | 2 sending stopped)
//                           varint(lines of the audit log) hash of the last line(32; zero before the first)
//                           varint(day of the last raise, UTC, since 1970-01-01; 0 before the first). u8(1): without the day
#ifndef NORTHWIND_SRC_CUTOVER_SETTINGS_H_
#define NORTHWIND_SRC_CUTOVER_SETTINGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/cutover.h"
#include "northwind/sequence.h"

namespace northwind::internal {

inline constexpr std::string_view kCutoverSettingsKey = "nw/cutover/settings";
inline constexpr size_t kMaxSaltBytes = 64;

// InvalidArgument for a salt or stages out of range.
absl::Status CheckCutoverOptions(const CutoverOptions& options);

// Where the audit log ends. Kept with the settings, so that lines missing at its end are missed.
struct AuditEnd {
  uint64_t lines = 0;
  Hash256 hash{};
  friend bool operator==(const AuditEnd&, const AuditEnd&) = default;
};

struct CutoverSettings {
  std::string salt;
  uint64_t epoch = 0;
  uint32_t threshold = 0;
  bool routed_to_batch = false;
  bool sending_stopped = false;
  AuditEnd audit;
  uint32_t raised_on = 0;  // days since 1970-01-01 in UTC; 0: never
  friend bool operator==(const CutoverSettings&, const CutoverSettings&) = default;
};

std::string EncodeSettings(const CutoverSettings& settings);
absl::StatusOr<CutoverSettings> DecodeSettings(std::string_view bytes);

// "threshold: 0 -> 500; routed_to_batch: yes -> no"; empty if nothing that decides differs.
std::string DescribeChange(const CutoverSettings& from, const CutoverSettings& to);

struct MerchantStanding {
  bool known = false;
  std::optional<Override> override;
  friend bool operator==(const MerchantStanding&, const MerchantStanding&) = default;
};

// Who settles a new id of the merchant, and why. The whole rule.
std::pair<SettlementSystem, RouteReason> Decide(const CutoverSettings& settings, const MerchantStanding& standing,
                                                std::string_view merchant_id);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_CUTOVER_SETTINGS_H_

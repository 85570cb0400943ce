// SPDX-License-Identifier: Apache-2.0
#include "src/cutover/settings.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"

namespace northwind::internal {
namespace {

constexpr uint8_t kVersion = 2;
constexpr uint32_t kMaxDaysBetweenRaises = 365;
constexpr uint8_t kRoutedBit = 1;
constexpr uint8_t kStoppedBit = 2;

bool IsSalt(std::string_view salt) {
  return !salt.empty() && salt.size() <= kMaxSaltBytes &&
         std::all_of(salt.begin(), salt.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

void AddDifference(std::string& out, std::string_view what, std::string_view from, std::string_view to) {
  if (from == to) return;
  if (!out.empty()) out.append("; ");
  out.append(what).append(": ").append(from).append(" -> ").append(to);
}

std::string_view YesNo(bool value) { return value ? "yes" : "no"; }

}  // namespace

absl::Status CheckCutoverOptions(const CutoverOptions& options) {
  if (!IsSalt(options.salt)) {
    return Error(absl::StatusCode::kInvalidArgument, "cutover: the salt must be 1 to ", kMaxSaltBytes,
                 " printable ASCII characters");
  }
  const auto& stages = options.stages;
  if (stages.empty() || stages.front() == 0 || stages.back() != kBasisPoints ||
      !std::is_sorted(stages.begin(), stages.end(), std::less_equal<>())) {
    return Error(absl::StatusCode::kInvalidArgument, "cutover: stages must be ascending basis points from 1 to ",
                 kBasisPoints, ", which is the last");
  }
  if (options.days_between_raises > kMaxDaysBetweenRaises) {
    return Error(absl::StatusCode::kInvalidArgument, "cutover: up to ", kMaxDaysBetweenRaises,
                 " days between raises, not ", options.days_between_raises);
  }
  return absl::OkStatus();
}

std::string EncodeSettings(const CutoverSettings& settings) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  PutBytes(out, settings.salt);
  PutVarint64(out, settings.epoch);
  PutVarint64(out, settings.threshold);
  out.push_back(
      static_cast<char>((settings.routed_to_batch ? kRoutedBit : 0) | (settings.sending_stopped ? kStoppedBit : 0)));
  PutVarint64(out, settings.audit.lines);
  out.append(AsBytes(settings.audit.hash));
  PutVarint64(out, settings.raised_on);
  return out;
}

absl::StatusOr<CutoverSettings> DecodeSettings(std::string_view bytes) {
  ByteReader in(bytes);
  CutoverSettings settings;
  uint8_t version = 0, switches = 0;
  std::string_view salt, hash;
  if (!in.GetByte(version) || version != kVersion || !in.GetBytes(kMaxSaltBytes, salt) || !IsSalt(salt) ||
      !in.GetVarint64(settings.epoch) || !in.GetVarint(settings.threshold) || settings.threshold > kBasisPoints ||
      !in.GetByte(switches) || switches > (kRoutedBit | kStoppedBit) || !in.GetVarint64(settings.audit.lines) ||
      !in.GetRaw(settings.audit.hash.size(), hash) || !in.GetVarint(settings.raised_on) || !in.AtEnd()) {
    return absl::DataLossError("cutover: the settings are damaged");
  }
  settings.salt = salt;
  settings.routed_to_batch = (switches & kRoutedBit) != 0;
  settings.sending_stopped = (switches & kStoppedBit) != 0;
  std::memcpy(settings.audit.hash.data(), hash.data(), hash.size());
  return settings;
}

std::string DescribeChange(const CutoverSettings& from, const CutoverSettings& to) {
  std::string out;
  AddDifference(out, "threshold", absl::StrCat(from.threshold), absl::StrCat(to.threshold));
  AddDifference(out, "routed_to_batch", YesNo(from.routed_to_batch), YesNo(to.routed_to_batch));
  AddDifference(out, "sending_stopped", YesNo(from.sending_stopped), YesNo(to.sending_stopped));
  return out;
}

std::pair<SettlementSystem, RouteReason> Decide(const CutoverSettings& settings, const MerchantStanding& standing,
                                                std::string_view merchant_id) {
  if (settings.routed_to_batch) return {SettlementSystem::kBatch, RouteReason::kRoutedToBatch};
  if (!standing.known) return {SettlementSystem::kBatch, RouteReason::kUnknownMerchant};
  if (standing.override == Override::kDeny) return {SettlementSystem::kBatch, RouteReason::kDenied};
  if (standing.override == Override::kAllow) return {SettlementSystem::kNorthwind, RouteReason::kAllowed};
  const bool below = CutoverBucket(settings.salt, merchant_id) < settings.threshold;
  return {below ? SettlementSystem::kNorthwind : SettlementSystem::kBatch, RouteReason::kBucket};
}

}  // namespace northwind::internal

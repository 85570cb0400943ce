// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/cutover/core.h"

namespace northwind {

using internal::Cursor;
using internal::Error;
using internal::MerchantStanding;
using internal::Space;

namespace {

using Units = std::map<std::string, absl::uint128>;

absl::Status Add(const std::string& asset, absl::uint128 units, Units& sums) {
  absl::uint128& sum = sums[asset];
  if (units > absl::Uint128Max() - sum) {
    return Error(absl::StatusCode::kInvalidArgument, "cutover: the values in ", asset, " are more than can be counted");
  }
  sum += units;
  return absl::OkStatus();
}

using ValuesOf = absl::flat_hash_map<std::string_view, std::vector<const MerchantValue*>>;

// One more merchant on northwind's side.
absl::Status Add(std::string_view merchant_id, const ValuesOf& values, CutoverShare& share) {
  ++share.merchants;
  const auto found = values.find(merchant_id);
  if (found == values.end()) return absl::OkStatus();
  for (const MerchantValue* value : found->second) {
    NW_RETURN_IF_ERROR(Add(value->asset, value->units, share.units));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CutoverPreview> Cutover::Core::Preview(uint32_t threshold,
                                                      absl::Span<const MerchantValue> values) const {
  if (threshold > kBasisPoints) {
    return Error(absl::StatusCode::kInvalidArgument, "cutover: a threshold is at most ", kBasisPoints, ", not ",
                 threshold);
  }
  CutoverPreview preview;
  ValuesOf values_of;
  for (const MerchantValue& value : values) {
    NW_RETURN_IF_ERROR(Add(value.asset, value.units, preview.units));
    values_of[value.merchant_id].push_back(&value);
  }
  const Settings now = live();
  Settings then = now;
  then.threshold = threshold;
  then.routed_to_batch = false;
  Cursor cursor = engine_.NewCursor(Space::kHost, {.fill_cache = false, .read_ahead = true, .interruptible = true});
  for (cursor.Seek(internal::kMerchantPrefix); cursor.Valid() && cursor.key().starts_with(internal::kMerchantPrefix);
       cursor.Next()) {
    const std::string_view merchant_id = cursor.key().substr(internal::kMerchantPrefix.size());
    NW_ASSIGN_OR_RETURN(const MerchantStanding standing, internal::DecodeStanding(merchant_id, cursor.value()));
    if (!standing.known) continue;
    ++preview.merchants;
    const bool is = Decide(now, standing, merchant_id).first == SettlementSystem::kNorthwind;
    const bool would_be = Decide(then, standing, merchant_id).first == SettlementSystem::kNorthwind;
    if (is) NW_RETURN_IF_ERROR(Add(merchant_id, values_of, preview.now));
    if (would_be) NW_RETURN_IF_ERROR(Add(merchant_id, values_of, preview.then));
    if (is != would_be && preview.moved.size() < kMaxPreviewMerchants) preview.moved.emplace_back(merchant_id);
  }
  NW_RETURN_IF_ERROR(cursor.status());
  return preview;
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
//
// What makes a LegacyMapping one that rows can be read by.
#include <map>
#include <set>
#include <string>

#include "northwind/compare.h"
#include "src/base/error.h"
#include "src/compare/business_day.h"
#include "src/settlement/event_text.h"

namespace northwind {
namespace {

using internal::Printable;

constexpr size_t kMaxColumnBytes = 128;
constexpr size_t kMaxTextBytes = 128;  // of what stands in a column for a leg, asset or status
constexpr size_t kMaxTexts = 256;      // of each of them

template <typename... Parts>
absl::Status Bad(absl::string_view member, const Parts&... parts) {
  return internal::Error(absl::StatusCode::kInvalidArgument, member, ": ", parts...);
}

absl::Status CheckText(absl::string_view member, std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) return Bad(member, "longer than ", max_bytes, " bytes: '", Printable(text), "'");
  if (!internal::IsUtf8(text)) return Bad(member, "not UTF-8: '", Printable(text), "'");
  return absl::OkStatus();
}

absl::Status CheckColumn(absl::string_view member, std::string_view column, bool needed) {
  if (needed && column.empty()) return Bad(member, "must name a column");
  return CheckText(member, column, kMaxColumnBytes);
}

std::string_view TextOf(const std::string& text) { return text; }
template <typename Value>
std::string_view TextOf(const std::pair<const std::string, Value>& entry) {
  return entry.first;
}

// The texts that a map or set begins with.
template <typename Texts>
absl::Status CheckTexts(absl::string_view member, const Texts& texts) {
  if (texts.size() > kMaxTexts) return Bad(member, "more than ", kMaxTexts, " texts");
  for (const auto& entry : texts) NW_RETURN_IF_ERROR(CheckText(member, TextOf(entry), kMaxTextBytes));
  return absl::OkStatus();
}

absl::Status CheckColumns(const LegacyMapping& m) {
  NW_RETURN_IF_ERROR(CheckColumn("row_id", m.row_id, true));
  NW_RETURN_IF_ERROR(CheckColumn("leg", m.leg, false));
  NW_RETURN_IF_ERROR(CheckColumn("id", m.id, true));
  NW_RETURN_IF_ERROR(CheckColumn("refund_id", m.refund_id, false));
  NW_RETURN_IF_ERROR(CheckColumn("merchant_id", m.merchant_id, true));
  NW_RETURN_IF_ERROR(CheckColumn("asset", m.asset, true));
  NW_RETURN_IF_ERROR(CheckColumn("amount", m.amount, true));
  NW_RETURN_IF_ERROR(CheckColumn("fee", m.fee, false));
  NW_RETURN_IF_ERROR(CheckColumn("status", m.status, false));
  NW_RETURN_IF_ERROR(CheckColumn("day", m.day, m.at.empty()));
  return CheckColumn("at", m.at, false);
}

absl::Status CheckLegs(const LegacyMapping& m) {
  if (m.leg.empty()) {
    if (!m.legs.empty()) return Bad("legs", "must be empty if leg names no column");
    if (!m.only_leg.has_value() || Name(*m.only_leg).empty()) {
      return Bad("only_leg", "must be a leg if leg names no column");
    }
    return absl::OkStatus();
  }
  if (m.only_leg.has_value()) return Bad("only_leg", "must not be given if leg names a column");
  if (m.legs.empty()) return Bad("legs", "must say which texts of the column stand for which leg");
  for (const auto& [text, leg] : m.legs) {
    if (Name(leg).empty()) return Bad("legs", "no such leg for '", Printable(text), "'");
  }
  return CheckTexts("legs", m.legs);
}

absl::Status CheckMoney(const LegacyMapping& m) {
  for (const auto& [text, name] : m.assets) {
    if (const auto asset = Asset::Parse(name); !asset.ok()) return Bad("assets", asset.status().message());
  }
  NW_RETURN_IF_ERROR(CheckTexts("assets", m.assets));
  if (m.amount_form != LegacyAmountForm::kDecimal && m.amount_form != LegacyAmountForm::kMinorUnits) {
    return Bad("amount_form", "must be decimal or minor units");
  }
  if (m.amount_sign != LegacyAmountSign::kMagnitude && m.amount_sign != LegacyAmountSign::kMerchant) {
    return Bad("amount_sign", "must be magnitude or merchant");
  }
  return absl::OkStatus();
}

absl::Status CheckStatuses(const LegacyMapping& m) {
  if (m.status.empty()) {
    if (!m.statuses.empty()) return Bad("statuses", "must be empty if status names no column");
    if (!m.skipped_statuses.empty()) return Bad("skipped_statuses", "must be empty if status names no column");
    return absl::OkStatus();
  }
  if (m.statuses.empty()) return Bad("statuses", "must say which texts of the column stand for which status");
  for (const auto& [text, status] : m.statuses) {
    if (Name(status).empty()) return Bad("statuses", "no such status for '", Printable(text), "'");
    if (m.skipped_statuses.contains(text)) return Bad("skipped_statuses", "also in statuses: '", Printable(text), "'");
  }
  NW_RETURN_IF_ERROR(CheckTexts("statuses", m.statuses));
  return CheckTexts("skipped_statuses", m.skipped_statuses);
}

}  // namespace

absl::Status ValidateMapping(const LegacyMapping& mapping) {
  NW_RETURN_IF_ERROR(CheckColumns(mapping));
  NW_RETURN_IF_ERROR(CheckLegs(mapping));
  NW_RETURN_IF_ERROR(CheckMoney(mapping));
  NW_RETURN_IF_ERROR(CheckStatuses(mapping));
  NW_RETURN_IF_ERROR(internal::BusinessDays::Make(mapping.time_zone, mapping.day_begins).status());
  const absl::Duration tolerance = mapping.time_tolerance;
  if (tolerance < absl::ZeroDuration() || tolerance > absl::Hours(12)) {
    return Bad("time_tolerance", "must be 0 to 12 hours, not ", absl::FormatDuration(tolerance));
  }
  if (tolerance % absl::Seconds(1) != absl::ZeroDuration()) {
    return Bad("time_tolerance", "must be whole seconds, not ", absl::FormatDuration(tolerance));
  }
  return absl::OkStatus();
}

}  // namespace northwind

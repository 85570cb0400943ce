// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/legacy_records.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "northwind/amount.h"
#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal::postgres {
namespace {

// Where a column is; nothing if there is none. InvalidArgument if there are two.
absl::StatusOr<std::optional<size_t>> Find(const LegacyPage& page, std::string_view name) {
  const auto found = std::find(page.columns.begin(), page.columns.end(), name);
  if (found == page.columns.end()) return std::optional<size_t>();
  if (std::find(found + 1, page.columns.end(), name) != page.columns.end()) {
    return Error(absl::StatusCode::kInvalidArgument, "legacy query: the result has two columns ", ToAbsl(name));
  }
  return std::optional<size_t>(static_cast<size_t>(found - page.columns.begin()));
}

absl::StatusOr<size_t> Need(const LegacyPage& page, std::string_view name) {
  NW_ASSIGN_OR_RETURN(const std::optional<size_t> column, Find(page, name));
  if (!column.has_value()) {
    return Error(absl::StatusCode::kInvalidArgument, "legacy query: the result has no column ", ToAbsl(name));
  }
  return *column;
}

absl::Status NotOne(const LegacyQuery& query, const LegacyPage& page, const LegacyRow& row, std::string_view why) {
  std::string key;
  for (size_t i = 0; i < page.columns.size(); ++i) {
    if (std::find(query.key.begin(), query.key.end(), page.columns[i]) == query.key.end()) continue;
    absl::StrAppend(&key, key.empty() ? "" : ", ", page.columns[i], " = ", row[i].value_or("NULL").substr(0, 64));
  }
  return Error(absl::StatusCode::kDataLoss, "legacy row (", key, "): ", ToAbsl(why));
}

// Decimal text of a column of more digits after the point than the money has: zeros say nothing there.
std::string_view WithoutZerosBeyond(std::string_view text, int scale) {
  const size_t point = text.find('.');
  if (point == std::string_view::npos) return text;
  const size_t least = scale == 0 ? point : point + 1 + static_cast<size_t>(scale);
  while (text.size() > least && (text.back() == '0' || (text.size() == point + 1 && scale == 0))) text.remove_suffix(1);
  return text;
}

absl::StatusOr<absl::int128> ParseUnits(std::string_view text, int scale) {
  const bool negative = text.starts_with('-');
  NW_ASSIGN_OR_RETURN(const Amount amount,
                      Amount::Parse(WithoutZerosBeyond(text.substr(negative ? 1 : 0), scale), scale));
  const auto units = static_cast<absl::int128>(amount.units());  // below 2^127
  return negative ? -units : units;
}

}  // namespace

absl::StatusOr<std::vector<LegacyMerchant>> MerchantsOf(const LegacyQuery& query, const LegacyPage& page) {
  NW_ASSIGN_OR_RETURN(const size_t merchant_id, Need(page, "merchant_id"));
  NW_ASSIGN_OR_RETURN(const std::optional<size_t> name, Find(page, "name"));
  std::vector<LegacyMerchant> merchants;
  merchants.reserve(page.rows.size());
  for (const LegacyRow& row : page.rows) {
    if (row[merchant_id].value_or("").empty()) return NotOne(query, page, row, "it has no merchant_id");
    merchants.push_back({.merchant_id = *row[merchant_id], .name = name.has_value() ? row[*name].value_or("") : ""});
  }
  return merchants;
}

absl::StatusOr<std::vector<LegacyBalance>> BalancesOf(const LegacyQuery& query, const LegacyPage& page) {
  NW_ASSIGN_OR_RETURN(const size_t merchant_id, Need(page, "merchant_id"));
  NW_ASSIGN_OR_RETURN(const size_t asset_column, Need(page, "asset"));
  NW_ASSIGN_OR_RETURN(const std::optional<size_t> units_column, Find(page, "units"));
  NW_ASSIGN_OR_RETURN(const std::optional<size_t> amount_column, Find(page, "amount"));
  if (units_column.has_value() == amount_column.has_value()) {
    return absl::InvalidArgumentError("legacy query: the result needs a column units or a column amount, and not both");
  }
  const size_t value = units_column.has_value() ? *units_column : *amount_column;
  std::vector<LegacyBalance> balances;
  balances.reserve(page.rows.size());
  for (const LegacyRow& row : page.rows) {
    if (row[merchant_id].value_or("").empty()) return NotOne(query, page, row, "it has no merchant_id");
    const absl::StatusOr<Asset> asset = Asset::Parse(row[asset_column].value_or(""));
    if (!asset.ok()) return NotOne(query, page, row, std::string(asset.status().message()));
    const absl::StatusOr<absl::int128> units =
        ParseUnits(row[value].value_or(""), units_column.has_value() ? 0 : asset->scale);
    if (!units.ok()) return NotOne(query, page, row, std::string(units.status().message()));
    balances.push_back({.merchant_id = *row[merchant_id], .asset = *row[asset_column], .units = *units});
  }
  return balances;
}

}  // namespace northwind::internal::postgres

// SPDX-License-Identifier: Apache-2.0
//
// Where the parallel run keeps what, in the store's host space. Names are those of discrepancies: "capture:pay_1", or
// "row:batch:17" for a row that cannot be read. Days are be32(days since 1970-01-01 + 2^31), so that they sort.
//
//   "nw/compare/meta"                                    → meta (run_state.h): of which ledger, by which mapping
//   "nw/compare/followed"                                → be64(last sequence of the journal that was followed)
//   "nw/compare/item/" name                              → item (item.h): the rows of both sides under one leg and id
//   "nw/compare/index/" day merchant 0x00 hour name      → entry (day_index.h): what of the item lies there
//   "nw/compare/row/" source "/" row id                  → row (row_ids.h): where it is kept
//   "nw/compare/discrepancy/" name                       → record (discrepancy.h)
//   "nw/compare/day/" day                                → figures (day_figures.h) of the last closing
//   "nw/compare/count/" day                              → what came in of the day (day_figures.h)
//   "nw/compare/columns/" be32(n)                        → the names of columns of rows that were kept
//   "nw/compare/source/" source                          → the cursor of a source
//   "nw/compare/rule/" id                                → rule (rules.h), and what it covers
//   "nw/compare/signoff/" day day                        → sign-off (gate.h) of the report from … to
#ifndef NORTHWIND_SRC_COMPARE_KEYS_H_
#define NORTHWIND_SRC_COMPARE_KEYS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/civil_time.h"
#include "northwind/compare.h"

namespace northwind::internal::compare {

inline constexpr std::string_view kMetaKey = "nw/compare/meta";
inline constexpr std::string_view kFollowedKey = "nw/compare/followed";
inline constexpr std::string_view kItemPrefix = "nw/compare/item/";
inline constexpr std::string_view kIndexPrefix = "nw/compare/index/";
inline constexpr std::string_view kRowPrefix = "nw/compare/row/";
inline constexpr std::string_view kDiscrepancyPrefix = "nw/compare/discrepancy/";
inline constexpr std::string_view kDayPrefix = "nw/compare/day/";
inline constexpr std::string_view kCountPrefix = "nw/compare/count/";
inline constexpr std::string_view kColumnsPrefix = "nw/compare/columns/";
inline constexpr std::string_view kSourcePrefix = "nw/compare/source/";
inline constexpr std::string_view kRulePrefix = "nw/compare/rule/";
inline constexpr std::string_view kSignOffPrefix = "nw/compare/signoff/";

std::string Key(std::string_view prefix, std::string_view rest);
// The first key after all that begin with the prefix, which ends in a byte below 0xFF.
std::string EndOf(std::string_view prefix);

int32_t DayNumber(absl::CivilDay day);  // since 1970-01-01
absl::CivilDay DayOfNumber(int32_t number);
void PutDay(std::string& out, absl::CivilDay day);  // as keys have it
absl::CivilDay LoadDay(const char* p);

std::string DayKey(std::string_view prefix, absl::CivilDay day);
std::string RowKey(std::string_view source, std::string_view row_id);

// Where a row lies in the index.
struct Place {
  absl::CivilDay day;
  std::string merchant_id;  // no NUL in it; empty for rows that cannot be read
  int hour = 0;
  friend bool operator==(const Place&, const Place&) = default;
};
std::string IndexKey(const Place& place, std::string_view name);
// A key of the index taken apart; views of the key. Nothing if it is none.
struct IndexKeyParts {
  absl::CivilDay day;
  std::string_view merchant_id;
  int hour = 0;
  std::string_view name;
};
std::optional<IndexKeyParts> ParseIndexKey(std::string_view key);

// "capture:pay_1".
std::string ItemName(Leg leg, std::string_view id);
std::string UnreadableName(std::string_view source, std::string_view row_id);
// Leg and id of a name; nothing for one of a row that cannot be read.
struct LegAndId {
  Leg leg{};
  std::string_view id;
};
std::optional<LegAndId> ParseItemName(std::string_view name);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_KEYS_H_

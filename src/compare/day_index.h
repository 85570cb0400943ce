// SPDX-License-Identifier: Apache-2.0
//
// The index of days: for each day, merchant, hour and item one entry, with all that closing and digests need to know of the item's
// rows there, so that neither reads the items that agree. The order of its keys is that of the lines of a digest.
//
//   entry = u8(1) u8(flags: 1 disputed, 2 home) row*                    -- the list with its length before it
//   row   = u8(side | bucket << 1 | has fee << 3 | has status << 4 | counted only << 5 | many << 6 | by northwind << 7) asset
//           (many: count-and-sum | int128(units) [int128(fee)] [u8(status)])
#ifndef NORTHWIND_SRC_COMPARE_DAY_INDEX_H_
#define NORTHWIND_SRC_COMPARE_DAY_INDEX_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "northwind/compare.h"
#include "src/compare/item.h"
#include "src/compare/terms.h"

namespace northwind::internal::compare {

enum class Bucket : uint8_t { kMatched = 0, kMismatched = 1, kPending = 2, kIgnored = 3 };  // persisted

struct IndexRow {
  Side side{};
  Bucket bucket{};
  bool counted_only = false;  // no part of digests: skipped, one of many, or by northwind
  bool by_northwind = false;  // and so ignored
  Asset asset;
  CountAndSum rows;  // one row: its units
  std::optional<absl::int128> fee;
  std::optional<LegStatus> status;
};

struct IndexEntry {
  bool disputed = false;  // the item has a record of a discrepancy
  bool home = false;      // and it is counted here
  std::vector<IndexRow> rows;
  // Whether closing the day may make something else of it, but for another answer to who pays it.
  bool settled() const;
  bool by_northwind() const;
};
absl::StatusOr<IndexEntry> DecodeIndexEntry(std::string_view key, std::string_view bytes);

// Key and value of each place that the item has rows in.
std::vector<std::pair<std::string, std::string>> IndexEntriesOf(const Item& item, const Terms& terms);
// The keys alone, which do not depend on the terms.
std::vector<std::string> IndexKeysOf(const Item& item);

// Where an item's discrepancy is counted: with its first row of ours, else of theirs.
Place HomeOf(const Item& item);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_DAY_INDEX_H_

// SPDX-License-Identifier: Apache-2.0
//
// What is kept of both sides under one leg and id.
//
// Each list has its length before it, as a varint; fields.h has the pieces.
//
//   item   = u8(1) u8(flags: 1 disputed, 2 ignored, 4 canary, 8 northwind) ours* theirs* many*
//   ours   = varint(sequence)* bytes(merchant) asset int128(units) int128(fee) u8(status) time day u8(hour) u8(late) u8(fate)
//   theirs = bytes(source) bytes(row id) varint(columns) field* u8(kind) day u8(hour) row u8(late) u8(fate)
//   field  = u8(0) | u8(1) bytes(text)                                      -- NULL, or the text
//   row    = bytes(error)                                                   -- of the kind unreadable
//          | bytes(merchant) asset int128(units) u8(has: 1 fee, 2 status, 4 moment) [int128(fee)] [u8(status)] [time]
//   many   = u8(side) day bytes(merchant) u8(hour) asset count-and-sum
#ifndef NORTHWIND_SRC_COMPARE_ITEM_H_
#define NORTHWIND_SRC_COMPARE_ITEM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "northwind/compare.h"
#include "src/compare/keys.h"
#include "src/compare/row_mapping.h"

namespace northwind::internal::compare {

enum class Side : uint8_t { kOurs = 0, kTheirs = 1 };  // persisted; the values are pinned

// What a row has come to. Persisted; the values are pinned.
enum class RowFate : uint8_t {
  kMatched = 1,
  kMismatched = 2,
  kPending = 3,
  kSkipped = 4,
  kUnreadable = 5,
  kByNorthwind = 6,  // of ours alone, and rightly so: northwind has paid it
};

// A row of ours: what the journal says, whatever is compared of it.
struct OurKept {
  std::vector<uint64_t> records;  // that made it what it is; the first names it
  std::string merchant_id;
  Asset asset;
  absl::int128 units = 0;
  absl::int128 fee = 0;
  LegStatus status{};
  absl::Time at;
  absl::CivilDay day;  // by the mapping, as is the hour
  int hour = 0;
  bool late = false;  // came when its day had been closed
  RowFate fate = RowFate::kPending;
  friend bool operator==(const OurKept&, const OurKept&) = default;
};

// A row of theirs, with its text.
struct TheirKept {
  std::string source;
  std::string row_id;
  uint32_t columns = 0;  // which: ColumnSets
  RawRow raw;
  MappedRow::Kind kind = MappedRow::Kind::kUnreadable;
  std::string error;
  SettledRow row;  // unreadable: only the day on which it was first seen
  int hour = 0;
  bool late = false;
  RowFate fate = RowFate::kPending;
  friend bool operator==(const TheirKept&, const TheirKept&) = default;
};

// Rows beyond kMaxRowsPerItem of one side: counted, not kept.
struct ManyRows {
  Side side{};
  Place place;
  Asset asset;
  CountAndSum rows;
  friend bool operator==(const ManyRows&, const ManyRows&) = default;
};

struct Item {
  std::string name;
  Leg leg{};  // none for rows that cannot be read
  std::string id;
  std::vector<OurKept> ours;
  std::vector<TheirKept> theirs;
  std::vector<ManyRows> many;
  bool disputed = false;   // it has a record of a discrepancy, be it resolved
  bool ignored = false;    // which is ignored
  bool canary = false;     // made by the run itself, and taken away again
  bool northwind = false;  // a payout that northwind pays, as was answered at the last closing that asked

  static Item Named(std::string_view name);
  bool empty() const { return ours.empty() && theirs.empty() && many.empty(); }
  // A payment may be refunded many times, and without ids one refund cannot be told from the next.
  bool anonymous() const { return leg == Leg::kRefund && id.find('/') == std::string::npos; }
  // Of what it may be asked who pays it.
  bool is_payout() const { return leg == Leg::kPayout || leg == Leg::kPayoutReturn; }
  friend bool operator==(const Item&, const Item&) = default;
};

std::string EncodeItem(const Item& item);
// DataLoss names the item.
absl::StatusOr<Item> DecodeItem(std::string_view name, std::string_view bytes);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_ITEM_H_

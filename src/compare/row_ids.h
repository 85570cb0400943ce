// SPDX-License-Identifier: Apache-2.0
//
// Where a row of theirs is kept, by source and row id, so that one that comes again is known, also if it is of another item now.
//
//   row     = bytes(name of the item) [dropped]
//   dropped = day bytes(merchant) u8(hour) asset int128(units) fingerprint(8)   -- the item had too many rows to keep it
#ifndef NORTHWIND_SRC_COMPARE_ROW_IDS_H_
#define NORTHWIND_SRC_COMPARE_ROW_IDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "northwind/compare.h"
#include "src/compare/item.h"
#include "src/compare/keys.h"

namespace northwind::internal::compare {

// A row that was counted and not kept.
struct DroppedRow {
  Place place;
  Asset asset;
  absl::int128 units = 0;
  std::string fingerprint;
};

// Where a row of theirs is.
struct RowPlace {
  std::string name;
  std::optional<DroppedRow> dropped;
};

std::string EncodeRowPlace(const RowPlace& place);
absl::StatusOr<RowPlace> DecodeRowPlace(std::string_view key, std::string_view bytes);

// Of a row's text under its columns.
std::string RowFingerprint(uint32_t columns, const RawRow& raw);

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_ROW_IDS_H_

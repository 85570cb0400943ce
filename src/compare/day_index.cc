// SPDX-License-Identifier: Apache-2.0
#include "src/compare/day_index.h"

#include <algorithm>
#include <utility>

#include "src/base/error.h"
#include "src/compare/fields.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::compare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kDisputed = 1, kHome = 2;
constexpr uint8_t kHasFee = 8, kHasStatus = 16, kCountedOnly = 32, kMany = 64, kByNorthwind = 128;

Bucket BucketOf(RowFate fate, bool ignored) {
  switch (fate) {
    case RowFate::kMatched:
      return Bucket::kMatched;
    case RowFate::kPending:
      return Bucket::kPending;
    case RowFate::kSkipped:
    case RowFate::kByNorthwind:
      return Bucket::kIgnored;
    case RowFate::kMismatched:
    case RowFate::kUnreadable:
      break;
  }
  return ignored ? Bucket::kIgnored : Bucket::kMismatched;
}

Place PlaceOf(const OurKept& row) { return {row.day, row.merchant_id, row.hour}; }
Place PlaceOf(const TheirKept& row) { return {row.row.day, row.row.merchant_id, row.hour}; }

void PutIndexRow(std::string& out, const IndexRow& row) {
  const bool many = row.rows.count != 1;
  PutByte(out, static_cast<uint8_t>(static_cast<uint8_t>(row.side) | (static_cast<uint8_t>(row.bucket) << 1) |
                                    (row.fee ? kHasFee : 0) | (row.status ? kHasStatus : 0) |
                                    (row.counted_only ? kCountedOnly : 0) | (many ? kMany : 0) |
                                    (row.by_northwind ? kByNorthwind : 0)));
  PutAsset(out, row.asset);
  if (many) return PutCount(out, row.rows);
  PutInt128(out, row.rows.sum);
  if (row.fee) PutInt128(out, *row.fee);
  if (row.status) PutByte(out, static_cast<uint8_t>(*row.status));
}

bool GetIndexRow(ByteReader& in, IndexRow& row) {
  uint8_t head;
  if (!in.GetByte(head) || !GetAsset(in, row.asset)) return false;
  row.side = static_cast<Side>(head & 1);
  row.bucket = static_cast<Bucket>((head >> 1) & 3);
  row.counted_only = (head & kCountedOnly) != 0;
  row.by_northwind = (head & kByNorthwind) != 0;
  if (row.by_northwind && (row.bucket != Bucket::kIgnored || !row.counted_only)) return in.Fail();
  if ((head & kMany) != 0) {
    if ((head & (kHasFee | kHasStatus)) != 0) return in.Fail();
    return GetCount(in, row.rows) && (row.rows.count != 1 || in.Fail());
  }
  row.rows.count = 1;
  if (!GetInt128(in, row.rows.sum)) return false;
  if ((head & kHasFee) != 0 && !GetInt128(in, row.fee.emplace())) return false;
  return (head & kHasStatus) == 0 || GetEnum(in, LegStatus::kWon, row.status.emplace());
}

// The rows of an item by where they lie, as few as there are.
class Sorter {
 public:
  Sorter(const Item& item, const Terms& terms) : item_(item) {
    for (const OurKept& row : item.ours) {
      const bool by_northwind = row.fate == RowFate::kByNorthwind;
      IndexRow out{.side = Side::kOurs,
                   .bucket = BucketOf(row.fate, item.ignored),
                   .counted_only = by_northwind,
                   .by_northwind = by_northwind,
                   .asset = row.asset,
                   .rows = {1, row.units}};
      if (terms.fees) out.fee = row.fee;
      if (terms.statuses) out.status = row.status;
      At(PlaceOf(row)).push_back(std::move(out));
    }
    for (const TheirKept& row : item.theirs) {
      std::vector<IndexRow>& rows = At(PlaceOf(row));
      if (row.kind == MappedRow::Kind::kUnreadable) continue;
      rows.push_back({.side = Side::kTheirs,
                      .bucket = BucketOf(row.fate, item.ignored),
                      .counted_only = row.kind == MappedRow::Kind::kSkipped,
                      .asset = row.row.asset,
                      .rows = {1, row.row.units},
                      .fee = row.row.fee,
                      .status = row.row.status});
    }
    for (const ManyRows& many : item.many) {
      At(many.place)
          .push_back({.side = many.side,
                      .bucket = Bucket::kMismatched,
                      .counted_only = true,
                      .asset = many.asset,
                      .rows = many.rows});
    }
  }

  std::vector<std::pair<std::string, std::string>> Entries() const {
    std::vector<std::pair<std::string, std::string>> entries;
    const Place home = item_.empty() ? Place{} : HomeOf(item_);
    for (const auto& [place, rows] : places_) {
      std::string value;
      PutByte(value, kVersion);
      PutByte(value, static_cast<uint8_t>((item_.disputed ? kDisputed : 0) | (place == home ? kHome : 0)));
      PutVarint64(value, rows.size());
      for (const IndexRow& row : rows) PutIndexRow(value, row);
      entries.emplace_back(IndexKey(place, item_.name), std::move(value));
    }
    return entries;
  }

 private:
  std::vector<IndexRow>& At(const Place& place) {
    for (auto& [at, rows] : places_) {
      if (at == place) return rows;
    }
    return places_.emplace_back(place, std::vector<IndexRow>()).second;
  }

  const Item& item_;
  std::vector<std::pair<Place, std::vector<IndexRow>>> places_;
};

}  // namespace

bool IndexEntry::settled() const {
  return !disputed && std::all_of(rows.begin(), rows.end(), [](const IndexRow& row) {
    return row.bucket == Bucket::kMatched || row.counted_only;
  });
}

bool IndexEntry::by_northwind() const {
  return std::any_of(rows.begin(), rows.end(), [](const IndexRow& row) { return row.by_northwind; });
}

absl::StatusOr<IndexEntry> DecodeIndexEntry(std::string_view key, std::string_view bytes) {
  ByteReader in(bytes);
  IndexEntry entry;
  uint8_t version, flags;
  uint64_t n;
  bool ok = in.GetByte(version) && in.GetByte(flags) && in.GetVarint64(n) && version == kVersion && flags <= 3;
  for (uint64_t i = 0; ok && i < n; ++i) ok = GetIndexRow(in, entry.rows.emplace_back());
  if (!ok || !in.AtEnd()) {
    return Error(absl::StatusCode::kDataLoss, "compare: an entry of the index of days is damaged: ", Printable(key));
  }
  entry.disputed = (flags & kDisputed) != 0;
  entry.home = (flags & kHome) != 0;
  return entry;
}

std::vector<std::pair<std::string, std::string>> IndexEntriesOf(const Item& item, const Terms& terms) {
  return Sorter(item, terms).Entries();
}

std::vector<std::string> IndexKeysOf(const Item& item) {
  std::vector<std::string> keys;
  const auto add = [&](const Place& place) {
    std::string key = IndexKey(place, item.name);
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
  };
  for (const OurKept& row : item.ours) add(PlaceOf(row));
  for (const TheirKept& row : item.theirs) add(PlaceOf(row));
  for (const ManyRows& many : item.many) add(many.place);
  return keys;
}

Place HomeOf(const Item& item) {
  if (!item.ours.empty()) return PlaceOf(item.ours.front());
  // A row that was skipped is not what differs.
  for (const TheirKept& row : item.theirs) {
    if (row.kind != MappedRow::Kind::kSkipped) return PlaceOf(row);
  }
  return item.theirs.empty() ? item.many.front().place : PlaceOf(item.theirs.front());
}

}  // namespace northwind::internal::compare

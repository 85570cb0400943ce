// SPDX-License-Identifier: Apache-2.0
#include "src/compare/item.h"

#include "src/base/error.h"
#include "src/compare/fields.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::compare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kDisputed = 1, kIgnored = 2, kCanary = 4, kNorthwind = 8;
constexpr uint8_t kHasFee = 1, kHasStatus = 2, kHasMoment = 4;
constexpr size_t kMaxText = 1 << 20;
constexpr uint64_t kMaxList = 1 << 20;

bool GetLength(ByteReader& in, uint64_t& n) {
  if (!in.GetVarint64(n)) return false;
  return n <= kMaxList || in.Fail();
}

bool GetHour(ByteReader& in, int& hour) {
  uint8_t byte;
  if (!in.GetByte(byte)) return false;
  hour = byte;
  return byte <= 23 || in.Fail();
}

void Put(std::string& out, const OurKept& row) {
  PutVarint64(out, row.records.size());
  for (const uint64_t sequence : row.records) PutVarint64(out, sequence);
  PutBytes(out, row.merchant_id);
  PutAsset(out, row.asset);
  PutInt128(out, row.units);
  PutInt128(out, row.fee);
  PutByte(out, static_cast<uint8_t>(row.status));
  PutTime(out, row.at);
  PutDayField(out, row.day);
  PutByte(out, static_cast<uint8_t>(row.hour));
  PutByte(out, row.late ? 1 : 0);
  PutByte(out, static_cast<uint8_t>(row.fate));
}

bool Get(ByteReader& in, OurKept& row) {
  uint64_t n;
  if (!GetLength(in, n) || n == 0) return in.Fail();
  for (uint64_t i = 0; i < n; ++i) {
    uint64_t sequence;
    if (!in.GetVarint64(sequence)) return false;
    row.records.push_back(sequence);
  }
  return GetText(in, kMaxText, row.merchant_id) && GetAsset(in, row.asset) && GetInt128(in, row.units) &&
         GetInt128(in, row.fee) && GetEnum(in, LegStatus::kWon, row.status) && GetTime(in, row.at) &&
         GetDayField(in, row.day) && GetHour(in, row.hour) && GetFlag(in, row.late) &&
         GetEnum(in, RowFate::kByNorthwind, row.fate);
}

void PutRow(std::string& out, const SettledRow& row) {
  PutBytes(out, row.merchant_id);
  PutAsset(out, row.asset);
  PutInt128(out, row.units);
  PutByte(out,
          static_cast<uint8_t>((row.fee ? kHasFee : 0) | (row.status ? kHasStatus : 0) | (row.at ? kHasMoment : 0)));
  if (row.fee) PutInt128(out, *row.fee);
  if (row.status) PutByte(out, static_cast<uint8_t>(*row.status));
  if (row.at) PutTime(out, *row.at);
}

bool GetRow(ByteReader& in, SettledRow& row) {
  uint8_t has;
  if (!GetText(in, kMaxText, row.merchant_id) || !GetAsset(in, row.asset) || !GetInt128(in, row.units) ||
      !in.GetByte(has)) {
    return false;
  }
  if (has > 7) return in.Fail();
  if ((has & kHasFee) != 0 && !GetInt128(in, row.fee.emplace())) return false;
  if ((has & kHasStatus) != 0 && !GetEnum(in, LegStatus::kWon, row.status.emplace())) return false;
  return (has & kHasMoment) == 0 || GetTime(in, row.at.emplace());
}

void Put(std::string& out, const TheirKept& row) {
  PutBytes(out, row.source);
  PutBytes(out, row.row_id);
  PutVarint64(out, row.columns);
  PutVarint64(out, row.raw.size());
  for (const std::optional<std::string>& field : row.raw) {
    PutByte(out, field ? 1 : 0);
    if (field) PutBytes(out, *field);
  }
  PutByte(out, static_cast<uint8_t>(row.kind) + 1);
  PutDayField(out, row.row.day);
  PutByte(out, static_cast<uint8_t>(row.hour));
  if (row.kind == MappedRow::Kind::kUnreadable) {
    PutBytes(out, row.error);
  } else {
    PutRow(out, row.row);
  }
  PutByte(out, row.late ? 1 : 0);
  PutByte(out, static_cast<uint8_t>(row.fate));
}

bool Get(ByteReader& in, const Item& item, TheirKept& row) {
  uint64_t n;
  if (!GetText(in, kMaxText, row.source) || !GetText(in, kMaxText, row.row_id) || !in.GetVarint(row.columns) ||
      !GetLength(in, n)) {
    return false;
  }
  row.raw.resize(n);
  for (std::optional<std::string>& field : row.raw) {
    bool has;
    if (!GetFlag(in, has)) return false;
    if (has && !GetText(in, kMaxText, field.emplace())) return false;
  }
  uint8_t kind;
  if (!in.GetByte(kind)) return false;
  if (kind < 1 || kind > 3) return in.Fail();
  row.kind = static_cast<MappedRow::Kind>(kind - 1);
  if (!GetDayField(in, row.row.day) || !GetHour(in, row.hour)) return false;
  if (row.kind == MappedRow::Kind::kUnreadable) {
    if (!GetText(in, kMaxText, row.error)) return false;
  } else {
    row.row.leg = item.leg;
    row.row.id = item.id;
    if (!GetRow(in, row.row)) return false;
  }
  return GetFlag(in, row.late) && GetEnum(in, RowFate::kUnreadable, row.fate);
}

void Put(std::string& out, const ManyRows& many) {
  PutByte(out, static_cast<uint8_t>(many.side));
  PutDayField(out, many.place.day);
  PutBytes(out, many.place.merchant_id);
  PutByte(out, static_cast<uint8_t>(many.place.hour));
  PutAsset(out, many.asset);
  PutCount(out, many.rows);
}

bool Get(ByteReader& in, ManyRows& many) {
  bool theirs;
  if (!GetFlag(in, theirs) || !GetDayField(in, many.place.day) || !GetText(in, kMaxText, many.place.merchant_id) ||
      !GetHour(in, many.place.hour) || !GetAsset(in, many.asset) || !GetCount(in, many.rows)) {
    return false;
  }
  many.side = theirs ? Side::kTheirs : Side::kOurs;
  return true;
}

bool GetItem(ByteReader& in, Item& item) {
  uint8_t version, flags;
  uint64_t n;
  if (!in.GetByte(version) || !in.GetByte(flags) || version != kVersion || flags > 15) return false;
  item.disputed = (flags & kDisputed) != 0;
  item.ignored = (flags & kIgnored) != 0;
  item.canary = (flags & kCanary) != 0;
  item.northwind = (flags & kNorthwind) != 0;
  if (!GetLength(in, n)) return false;
  for (uint64_t i = 0; i < n; ++i) {
    if (!Get(in, item.ours.emplace_back())) return false;
  }
  if (!GetLength(in, n)) return false;
  for (uint64_t i = 0; i < n; ++i) {
    if (!Get(in, item, item.theirs.emplace_back())) return false;
  }
  if (!GetLength(in, n)) return false;
  for (uint64_t i = 0; i < n; ++i) {
    if (!Get(in, item.many.emplace_back())) return false;
  }
  return in.AtEnd();
}

}  // namespace

Item Item::Named(std::string_view name) {
  Item item;
  item.name = name;
  if (const std::optional<LegAndId> parts = ParseItemName(name)) {
    item.leg = parts->leg;
    item.id = parts->id;
  }
  return item;
}

std::string EncodeItem(const Item& item) {
  std::string out;
  out.reserve(256);
  PutByte(out, kVersion);
  PutByte(out, static_cast<uint8_t>((item.disputed ? kDisputed : 0) | (item.ignored ? kIgnored : 0) |
                                    (item.canary ? kCanary : 0) | (item.northwind ? kNorthwind : 0)));
  PutVarint64(out, item.ours.size());
  for (const OurKept& row : item.ours) Put(out, row);
  PutVarint64(out, item.theirs.size());
  for (const TheirKept& row : item.theirs) Put(out, row);
  PutVarint64(out, item.many.size());
  for (const ManyRows& many : item.many) Put(out, many);
  return out;
}

absl::StatusOr<Item> DecodeItem(std::string_view name, std::string_view bytes) {
  Item item = Item::Named(name);
  ByteReader in(bytes);
  if (!GetItem(in, item)) {
    return Error(absl::StatusCode::kDataLoss, "compare: what is kept of ", Printable(name), " is damaged");
  }
  return item;
}

}  // namespace northwind::internal::compare

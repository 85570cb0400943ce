// SPDX-License-Identifier: Apache-2.0
#include "src/compare/run_state.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/fields.h"
#include "src/compare/keys.h"

namespace northwind::internal::compare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kMaxText = 1 << 20;
constexpr size_t kMaxColumnSets = 4096;

}  // namespace

std::string EncodeMeta(const Meta& meta) {
  std::string out;
  PutByte(out, kVersion);
  out.append(reinterpret_cast<const char*>(meta.ledger.data()), meta.ledger.size());
  PutBytes(out, meta.mapping_json);
  PutByte(out, meta.rereading ? 1 : 0);
  PutBytes(out, meta.reread_upto);
  return out;
}

absl::StatusOr<Meta> DecodeMeta(std::string_view bytes) {
  ByteReader in(bytes);
  Meta meta;
  uint8_t version;
  std::string_view ledger;
  if (!in.GetByte(version) || version != kVersion || !in.GetRaw(meta.ledger.size(), ledger) ||
      !GetText(in, kMaxText, meta.mapping_json) || !GetFlag(in, meta.rereading) ||
      !GetText(in, kMaxText, meta.reread_upto) || !in.AtEnd()) {
    return absl::DataLossError("compare: what is kept of the run itself is damaged");
  }
  std::copy(ledger.begin(), ledger.end(), meta.ledger.begin());
  return meta;
}

absl::StatusOr<ColumnSets> ColumnSets::Load(const Engine& engine) {
  ColumnSets sets;
  Cursor cursor = engine.NewCursor(Space::kHost);
  for (cursor.Seek(kColumnsPrefix); cursor.Valid() && cursor.key().starts_with(kColumnsPrefix); cursor.Next()) {
    ByteReader in(cursor.value());
    std::vector<std::string>& set = sets.sets_.emplace_back();
    while (!in.AtEnd()) {
      if (!GetText(in, kMaxText, set.emplace_back()))
        return absl::DataLossError("compare: a head of columns is damaged");
    }
  }
  NW_RETURN_IF_ERROR(cursor.status());
  return sets;
}

absl::StatusOr<uint32_t> ColumnSets::Number(absl::Span<const std::string> columns, WriteSet& writes) {
  for (size_t i = 0; i < sets_.size(); ++i) {
    if (absl::MakeConstSpan(sets_[i]) == columns) return static_cast<uint32_t>(i);
  }
  if (sets_.size() >= kMaxColumnSets) {
    return Error(absl::StatusCode::kResourceExhausted, "rows came under ", kMaxColumnSets, " different heads already");
  }
  std::string key(kColumnsPrefix), value;
  PutBigEndian32(key, static_cast<uint32_t>(sets_.size()));
  for (const std::string& column : columns) PutBytes(value, column);
  writes.Put(Space::kHost, key, value);
  sets_.emplace_back(columns.begin(), columns.end());
  return static_cast<uint32_t>(sets_.size() - 1);
}

std::string RunState::RulesHashText() const { return absl::BytesToHexString(ToAbsl(AsBytes(RulesHash()))); }

absl::StatusOr<std::optional<Item>> ReadItem(const Engine& engine, std::string_view name) {
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine.Get(Space::kHost, Key(kItemPrefix, name)));
  if (!value) return std::nullopt;
  return DecodeItem(name, value->view());
}

absl::StatusOr<std::optional<DiscrepancyRecord>> ReadDiscrepancy(const Engine& engine, std::string_view name) {
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine.Get(Space::kHost, Key(kDiscrepancyPrefix, name)));
  if (!value) return std::nullopt;
  return DecodeDiscrepancy(name, value->view());
}

}  // namespace northwind::internal::compare

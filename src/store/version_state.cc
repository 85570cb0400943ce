// SPDX-License-Identifier: Apache-2.0
//
// A record is a sequence of fields, each a tag (varint) and what the tag says; `bytes` have their length before them:
//
//   1 comparator: bytes                     2 log number: varint                3 next file number: varint
//   4 last sequence: varint                 5 compaction cursor: varint, bytes  6 deleted table: level, number (varints)
//   9 previous log number: varint          10 min log number to keep: varint  103 new table, see below
// 200 column family: varint               201 adds it: bytes (its name)       202 drops it
// 203 highest column family: varint       300 in an atomic group: varint, how many more records of it follow
//   all with bit 13 set: bytes, may be left out
//
// A new table: level, number, size (varints) ‖ smallest, largest key (bytes) ‖ smallest, largest sequence (varints) ‖
// fields of tag (varint) and bytes, up to a tag of 1; one of tag 3 is the min log number to keep (le64).
#include "src/store/version_state.h"

#include <algorithm>
#include <utility>

#include "src/base/coding.h"

namespace northwind::internal {
namespace {

constexpr uint32_t kMayBeLeftOut = 1 << 13;

class Decoder {
 public:
  explicit Decoder(std::string_view record) : reader_(record) {}

  std::optional<VersionEdit> Decode() {
    while (!reader_.AtEnd()) {
      if (!Field()) return std::nullopt;
    }
    return std::move(edit_);
  }

 private:
  bool Field() {
    uint32_t tag = 0;
    uint64_t number = 0;
    std::string_view bytes;
    if (!reader_.GetVarint(tag)) return false;
    switch (tag) {
      case 1:
        return Bytes(bytes);
      case 2:
        return Number(edit_.log_number);
      case 3:
        return Number(edit_.next_file_number);
      case 4:
      case 9:
      case 203:
        return reader_.GetVarint64(number);
      case 5:
        return reader_.GetVarint64(number) && Bytes(bytes);
      case 6:
        if (!reader_.GetVarint64(number) || !reader_.GetVarint64(number)) return false;
        edit_.deleted_tables.push_back(number);
        return true;
      case 10:
        return Number(edit_.min_log_to_keep);
      case 103:
        return NewTable();
      case 200:
        return reader_.GetVarint(edit_.column_family);
      case 201:
        if (!Bytes(bytes)) return false;
        edit_.added_name = std::string(bytes);
        return true;
      case 202:
        edit_.drops = true;
        return true;
      case 300:
        edit_.remaining = 0;
        return reader_.GetVarint(*edit_.remaining);
      default:
        return (tag & kMayBeLeftOut) != 0 && Bytes(bytes);
    }
  }

  bool NewTable() {
    VersionEdit::Table table;
    uint64_t level = 0;
    std::string_view bytes;
    if (!reader_.GetVarint64(level) || !reader_.GetVarint64(table.number) || !reader_.GetVarint64(table.size) ||
        !Bytes(bytes) || !Bytes(bytes) || !reader_.GetVarint64(table.smallest_sequence) ||
        !reader_.GetVarint64(table.largest_sequence)) {
      return false;
    }
    edit_.new_tables.push_back(table);
    for (;;) {
      uint32_t tag = 0;
      if (!reader_.GetVarint(tag)) return false;
      if (tag == 1) return true;
      if (!Bytes(bytes)) return false;
      if (tag != 3) continue;
      if (bytes.size() != 8) return false;
      edit_.min_log_to_keep = __builtin_bswap64(LoadBigEndian64(bytes.data()));
    }
  }

  bool Number(std::optional<uint64_t>& number) {
    number = 0;
    return reader_.GetVarint64(*number);
  }
  bool Bytes(std::string_view& bytes) { return reader_.GetBytes(reader_.remaining(), bytes); }

  ByteReader reader_;
  VersionEdit edit_;
};

}  // namespace

std::optional<VersionEdit> DecodeVersionEdit(std::string_view record) { return Decoder(record).Decode(); }

bool VersionState::Apply(const VersionEdit& edit) {
  if (edit.added_name.has_value()) {
    if (!column_families.try_emplace(edit.column_family, ColumnFamily{.name = *edit.added_name}).second) return false;
  }
  const auto found = column_families.find(edit.column_family);
  if (found == column_families.end()) return false;
  ColumnFamily& column_family = found->second;
  if (edit.log_number.has_value()) column_family.log_number = std::max(column_family.log_number, *edit.log_number);
  if (edit.min_log_to_keep.has_value()) min_log_to_keep = std::max(min_log_to_keep, *edit.min_log_to_keep);
  if (edit.next_file_number.has_value()) next_file_number = std::max(next_file_number, *edit.next_file_number);
  // A table that moves to another level is deleted and added in one record.
  for (const uint64_t number : edit.deleted_tables) {
    if (column_family.tables.erase(number) == 0) return false;
  }
  for (const VersionEdit::Table& table : edit.new_tables) {
    if (!column_family.tables.emplace(table.number, table.size).second) return false;
    if (table.smallest_sequence == table.largest_sequence) lone_sequences.insert(table.smallest_sequence);
  }
  if (edit.drops) column_families.erase(found);
  return true;
}

bool VersionState::Has(std::string_view column_family) const {
  return std::any_of(column_families.begin(), column_families.end(),
                     [&](const auto& entry) { return entry.second.name == column_family; });
}

uint64_t VersionState::FirstLog() const {
  uint64_t with_unflushed_records = column_families.begin()->second.log_number;
  for (const auto& [id, column_family] : column_families) {
    with_unflushed_records = std::min(with_unflushed_records, column_family.log_number);
  }
  return std::max(min_log_to_keep, with_unflushed_records);
}

}  // namespace northwind::internal

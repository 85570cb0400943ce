// SPDX-License-Identifier: Apache-2.0
//
// The records of RocksDB's manifest, and the state of a store that they add up to.
#ifndef NORTHWIND_SRC_STORE_VERSION_STATE_H_
#define NORTHWIND_SRC_STORE_VERSION_STATE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace northwind::internal {

// One record (RocksDB's VersionEdit), as far as it is needed here.
struct VersionEdit {
  struct Table {
    uint64_t number = 0;
    uint64_t size = 0;
    uint64_t smallest_sequence = 0;
    uint64_t largest_sequence = 0;
  };

  uint32_t column_family = 0;
  std::optional<std::string> added_name;  // it adds the column family
  bool drops = false;                     // it drops it
  std::optional<uint64_t> log_number;     // logs before that hold nothing of the column family that is not in tables
  std::optional<uint64_t> min_log_to_keep;
  std::optional<uint64_t> next_file_number;
  std::vector<uint64_t> deleted_tables;
  std::vector<Table> new_tables;
  std::optional<uint32_t> remaining;  // records that follow in its atomic group; not set: it is in none
};

// Nothing if it is not a record, or has what northwind's settings never lead to.
std::optional<VersionEdit> DecodeVersionEdit(std::string_view record);

struct VersionState {
  struct ColumnFamily {
    std::string name;
    uint64_t log_number = 0;
    std::map<uint64_t, uint64_t> tables;  // number → size
  };

  // False if it does not fit the state.
  bool Apply(const VersionEdit& edit);
  bool Has(std::string_view column_family) const;
  // RocksDB reads no log with a lower number.
  uint64_t FirstLog() const;

  std::map<uint32_t, ColumnFamily> column_families = {{0, {.name = "default"}}};
  uint64_t min_log_to_keep = 0;
  uint64_t next_file_number = 0;
  // Sequence numbers for which there was a table of nothing else: an ingest takes such, and no log has them.
  std::set<uint64_t> lone_sequences;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_VERSION_STATE_H_

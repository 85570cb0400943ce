// SPDX-License-Identifier: Apache-2.0
//
// What a power cut leaves of the manifest, the file in which RocksDB lists the tables and logs that make up a store.
#ifndef NORTHWIND_SRC_STORE_MANIFEST_TAIL_H_
#define NORTHWIND_SRC_STORE_MANIFEST_TAIL_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/env.h"

namespace northwind::internal {

// Cuts the current manifest of a store that is closed back to the beginning of its last change, if that has sectors of
// zeros (log_tail.h says where they come from), and it is certain that nothing is lost by it. DataLoss if it is not
// certain; then the manifest is as it was. A manifest without such sectors is left to RocksDB, unless it is shorter than it was: DataLoss if
// it has not all that it held when it became the current one, if it lacks a space that is not derived although there are tables or writes, or
// if it begins with a log that is not there any more. Returns the number of the
// first log that RocksDB will read, if that is known.
//
// Nothing is lost if the manifest before the damage describes a state that is whole. All that a change does to the
// records of the journal and of hosts is to move them from logs into tables and from tables into others, and only after
// a change is on disk is anything deleted that it has made superfluous. So if all that the state before it needs is
// still there, tables and logs, it holds every record that was ever acknowledged, whether or not the change was. (The
// change may also have been an ingest of derived spaces. They go back to how they were, all in one step, and are
// derived again.) The state is whole if
//
//   - it has all that the manifest held when it became the current one,
//   - it has the spaces that are not derived,
//   - every table in it is there, with the right size,
//   - the first log that it needs is there, and from that on no write is missing in the logs,
//   - no space was made or dropped after it, as far as what follows the damage can be read.
//
// The cut is made durable in one step, by a rename; a crash leaves the manifest as it was, or cut.
absl::StatusOr<std::optional<uint64_t>> CutHolesFromManifest(rocksdb::Env& env, const std::string& directory);

// In a copy of a store that has no log at all: the first one, empty. That it is there says that nothing is missing before it.
absl::Status MakeFirstLog(rocksdb::Env& env, const std::string& directory);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_MANIFEST_TAIL_H_

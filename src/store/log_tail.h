// SPDX-License-Identifier: Apache-2.0
//
// Telling the rest of a write that a power cut interrupted from damage to what was acknowledged.
#ifndef NORTHWIND_SRC_STORE_LOG_TAIL_H_
#define NORTHWIND_SRC_STORE_LOG_TAIL_H_

#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/env.h"

namespace northwind::internal {

// Whether all that is wrong with RocksDB's write-ahead logs in a directory is holes in the last write.
//
// A file system may have made a log longer before it had written all of the new part (ext4 does, while another file is
// synced at that moment): after a power cut that part then holds sectors of zeros in the middle of a write that was
// never acknowledged. RocksDB cannot tell this from damage. But each write is synced before the next one begins, and so
// the damage concerns no acknowledged write if no other write begins after it. (The last write may have been
// acknowledged, too, and then have gone bad. That is taken for damage unless it has sectors of zeros, which no flipped
// bit leaves behind.)
absl::StatusOr<bool> OnlyTheLastWriteHasHoles(rocksdb::Env& env, const std::string& directory);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_LOG_TAIL_H_

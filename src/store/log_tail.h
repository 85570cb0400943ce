// SPDX-License-Identifier: Apache-2.0
//
// Telling the rest of a write that a power cut interrupted from damage to what was acknowledged.
#ifndef NORTHWIND_SRC_STORE_LOG_TAIL_H_
#define NORTHWIND_SRC_STORE_LOG_TAIL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/env.h"

namespace northwind::internal {

// Whether the last write in RocksDB's write-ahead logs has holes, and is all that is damaged. DataLoss if a write before it
// is damaged. False if nothing is, and if the last write is damaged in another way: torn by a crash, which RocksDB tells
// from the rest, or by a flipped bit, which it refuses. Logs with numbers below `first_log` are not looked at: RocksDB
// does not read them any more.
//
// A file system may have made a log longer before it had written all of the new part (ext4 does, while another file is
// synced at that moment): after a power cut that part then holds sectors of zeros in the middle of a write that was
// never acknowledged. RocksDB cannot tell this from damage; and where the zeros begin with the header of a write, it skips
// up to 32 KiB in silence. But each write is synced before the next one begins, and so the damage concerns no
// acknowledged write if no other write begins after it: none that is sound anywhere after it, no bytes behind its end,
// where that is known, and none in a later log. (The last write may have been acknowledged, too, and then have gone bad.
// That is taken for damage unless it has sectors of zeros, which no flipped bit leaves behind.)
absl::StatusOr<bool> LastWriteHasHoles(rocksdb::Env& env, const std::string& directory, uint64_t first_log);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_LOG_TAIL_H_

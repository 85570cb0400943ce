// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_STORE_ROCKS_STATUS_H_
#define NORTHWIND_SRC_STORE_ROCKS_STATUS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "rocksdb/status.h"
#include "src/store/engine.h"

namespace northwind::internal {

// What a RocksDB status means to a caller: corruption → DataLoss; no space → ResourceExhausted; no permission →
// PermissionDenied; a missing file or directory → NotFound; any other trouble of the file system → Unavailable; what
// cannot happen → Internal. The message is "context: RocksDB's own text".
absl::Status ToStatus(const rocksdb::Status& status, std::string_view context);

// The same for an operation on a key of a space: the context names the space and the key in hex.
absl::Status ToStatus(const rocksdb::Status& status, std::string_view operation, Space space, std::string_view key);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_ROCKS_STATUS_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_STORE_CURSOR_H_
#define NORTHWIND_SRC_STORE_CURSOR_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rocksdb/iterator.h"
#include "rocksdb/options.h"
#include "rocksdb/slice.h"
#include "rocksdb/slice_transform.h"
#include "src/store/database.h"
#include "src/store/engine.h"

namespace northwind::internal {

struct PinnedValue::Rep {
  rocksdb::PinnableSlice slice;
};

struct Cursor::Rep {
  Rep(const Database& database, Space of, const CursorOptions& options, const rocksdb::Snapshot* snapshot);

  Space space;
  std::unique_ptr<rocksdb::Iterator> iterator;
  std::shared_ptr<const rocksdb::SliceTransform> prefix;  // set if only keys of one prefix are shown
  std::string sought;                                     // for messages
  const bool interruptible;
  bool interrupted = false;
};

struct Snapshot::Rep {
  explicit Rep(const Database& of) : database(of), snapshot(of.db().GetSnapshot()) {}
  ~Rep() { database.db().ReleaseSnapshot(snapshot); }
  Rep(const Rep&) = delete;
  Rep& operator=(const Rep&) = delete;

  const Database& database;
  const rocksdb::Snapshot* const snapshot;
};

// Reads one key; `snapshot` may be null. Fills `slice` and returns true, or returns false if there is no such key.
absl::StatusOr<bool> ReadKey(const Database& database, Space space, std::string_view key,
                             const rocksdb::Snapshot* snapshot, rocksdb::PinnableSlice& slice);

inline rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view FromSlice(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_CURSOR_H_

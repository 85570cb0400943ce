// SPDX-License-Identifier: Apache-2.0
//
// The directory of a store, as far as it is not RocksDB's business: telling ours from others', making it so that a
// crash at any moment leaves something that can be opened or made again, and locking it.
//
//   NORTHWIND        marks the directory as ours; written, and made durable, before RocksDB writes anything
//   NORTHWIND.lock   locked while the store is open; its content means nothing
//   ingest/          sorted files under construction
//   all the rest     RocksDB's
#ifndef NORTHWIND_SRC_STORE_DIRECTORY_H_
#define NORTHWIND_SRC_STORE_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/env.h"

namespace northwind::internal {

enum class DirectoryContent {
  kMissing,  // there is no such directory
  kEmpty,    // nothing in it, or nothing but a lock file
  kBegun,    // marked as ours, but RocksDB's part was never finished
  kStore,    // marked as ours, with a RocksDB in it
};

// Looks without touching anything. FailedPrecondition if it is no directory, or holds what is not ours; DataLoss if it
// is ours and has lost the file that RocksDB begins at.
absl::StatusOr<DirectoryContent> InspectDirectory(rocksdb::Env& env, const std::string& path);

// Makes it with its parents, as far as they are missing, and makes all their names durable.
absl::Status MakeDirectories(rocksdb::Env& env, const std::string& path);

// Marks it as ours, durably.
absl::Status MarkDirectory(rocksdb::Env& env, const std::string& path);

// FailedPrecondition if anyone has it locked, in this process or another.
absl::StatusOr<rocksdb::FileLock*> LockDirectory(rocksdb::Env& env, const std::string& path);

// Makes the names in a directory durable.
absl::Status SyncDirectory(rocksdb::Env& env, const std::string& path);

// Deletes the files in a directory, and the directory itself if asked to. OK if there is none.
enum class Keep { kDirectory, kNothing };
absl::Status ClearDirectory(rocksdb::Env& env, const std::string& path, Keep keep);

// The directory that holds `path`.
std::string ParentOf(const std::string& path);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_DIRECTORY_H_

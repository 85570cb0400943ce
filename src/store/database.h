// SPDX-License-Identifier: Apache-2.0
//
// The RocksDB under an engine: opened and known to be ours, with its identity, its spaces and its state of health.
#ifndef NORTHWIND_SRC_STORE_DATABASE_H_
#define NORTHWIND_SRC_STORE_DATABASE_H_

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "src/store/directory.h"
#include "src/store/engine.h"
#include "src/store/poison.h"

namespace northwind::internal {

inline constexpr size_t kSpaceCount = static_cast<size_t>(Space::kCount);
// The spaces that are derived from the journal.
inline constexpr size_t kFirstDerivedSpace = static_cast<size_t>(Space::kIds);
inline constexpr size_t kEndOfDerivedSpaces = static_cast<size_t>(Space::kState) + 1;

// The name of the column family that is the space.
std::string_view SpaceName(Space space);

// Keeps the disk from filling up to the point where a store could no longer be opened. Asks the file system only
// now and then: between two answers no more is written than a small part of the usual floor.
class FreeSpaceFloor {
 public:
  FreeSpaceFloor(rocksdb::Env* env, std::string path, uint64_t floor_bytes)
      : env_(env), path_(std::move(path)), floor_bytes_(floor_bytes) {}

  // Call before `bytes` are written: OK, or ResourceExhausted with the figures.
  absl::Status Admit(uint64_t bytes);

 private:
  // Whichever comes first brings the next question.
  static constexpr uint64_t kBytesBetweenChecks = 16 << 20;
  static constexpr std::chrono::milliseconds kTimeBetweenChecks{100};

  rocksdb::Env* const env_;
  const std::string path_;
  const uint64_t floor_bytes_;
  absl::Mutex mutex_;
  uint64_t admitted_ ABSL_GUARDED_BY(mutex_) = 0;  // bytes since the last answer
  std::chrono::steady_clock::time_point next_check_ ABSL_GUARDED_BY(mutex_);
};

class Database {
 public:
  // As Engine::Open.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const StoreOptions& options, rocksdb::Env* env);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& path() const { return options_.path; }
  rocksdb::Env& env() const { return *env_; }
  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* handle(Space space) const { return handles_[static_cast<size_t>(space)]; }
  const rocksdb::ColumnFamilyOptions& options(Space space) const { return space_options_[static_cast<size_t>(space)]; }
  // For tables written outside RocksDB: an error there concerns nothing that is in use.
  rocksdb::DBOptions UnguardedOptions() const;
  Poison& poison() const { return *poison_; }
  FreeSpaceFloor& floor() { return floor_; }

  bool shadow() const { return shadow_; }
  bool was_shadow() const { return was_shadow_; }
  std::array<uint8_t, 16> uuid() const;
  absl::Status SetUuid(const std::array<uint8_t, 16>& uuid);
  absl::Status DropDerived();

 private:
  Database(const StoreOptions& options, rocksdb::Env* env);

  using Spaces = std::bitset<kSpaceCount>;

  absl::StatusOr<DirectoryContent> OpenDirectory();
  // The spaces that RocksDB has; an error if it has more than we know.
  absl::StatusOr<Spaces> FindSpaces();
  absl::Status RefuseUnknownSpace(const std::string& name);
  // `first_log` is the number of the first log that RocksDB will read, if there is one and it is known.
  absl::Status OpenRocksDb(const Spaces& present, std::optional<uint64_t> first_log);
  // Reads the mark, and makes of it what the options ask for.
  absl::Status LoadMode();
  absl::Status WriteMode(std::string_view mode);
  absl::Status LoadIdentity();
  absl::Status WriteIdentity(const std::array<uint8_t, 16>& uuid);
  // The name of a space that holds something, leaving out kMeta; empty if none does.
  absl::StatusOr<std::string_view> FirstUsedSpace() const;
  absl::Status RecreateDerived();
  absl::Status CreateSpaces(const Spaces& spaces);
  std::vector<rocksdb::ColumnFamilyDescriptor> Descriptors(const Spaces& spaces) const;
  // Keeps the handles that RocksDB answered for those descriptors.
  void TakeHandles(const Spaces& spaces, const std::vector<rocksdb::ColumnFamilyHandle*>& handles);

  const StoreOptions options_;
  rocksdb::Env* const env_;
  const std::shared_ptr<Poison> poison_;  // shared with what RocksDB runs on
  const std::unique_ptr<rocksdb::Env> guarded_env_;
  const rocksdb::DBOptions db_options_;
  std::array<rocksdb::ColumnFamilyOptions, kSpaceCount> space_options_;
  FreeSpaceFloor floor_;
  rocksdb::FileLock* lock_ = nullptr;
  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, kSpaceCount> handles_{};
  bool shadow_ = false;
  bool was_shadow_ = false;  // or is
  mutable absl::Mutex uuid_mutex_;
  std::array<uint8_t, 16> uuid_ ABSL_GUARDED_BY(uuid_mutex_){};
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_DATABASE_H_

// SPDX-License-Identifier: Apache-2.0
//
// The one database that holds everything of a northwind: journal, indexes, host records.
//
//   NW_ASSIGN_OR_RETURN(auto store, Store::Open({.path = "ledger.db"}));
#ifndef NORTHWIND_STORE_H_
#define NORTHWIND_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace northwind {

namespace internal {
class Engine;
struct StoreOnEngine;
}  // namespace internal

// What is computed in a shadow store leaves it nowhere: Payouts and Webhooks do not open on it. Everything else is as ever. The mark is
// in the store itself, and goes with copies of it.
enum class StoreMode : uint8_t {
  kAsIs,         // what the store is; a new one is live
  kShadow,       // make a shadow store, or open one; a live store that holds anything is refused
  kLeaveShadow,  // live from now on, for good
};

struct StoreOptions {
  // A directory. Made (with its parents) if it does not exist and `create_if_missing` holds.
  std::string path;
  bool create_if_missing = true;
  StoreMode mode = StoreMode::kAsIs;
  // Writes are refused (ResourceExhausted) while the disk has less free than this, so that the ledger can still be
  // opened, read and compacted. 0 switches the check off.
  uint64_t free_space_floor_bytes = 256 << 20;
  // Tuning.
  uint64_t block_cache_bytes = 256 << 20;
  uint64_t write_buffer_bytes = 64 << 20;
};

// One change of the embedding service's own records.
struct HostChange {
  std::string key;                   // 1 … kMaxHostKeyBytes; not beginning with "nw/"
  std::optional<std::string> value;  // up to 1 MiB; nothing: the record goes away
};
inline constexpr size_t kMaxHostChanges = 1000;
inline constexpr size_t kMaxHostChangeBytes = 1 << 20;
inline constexpr size_t kMaxHostWriteBytes = 16 << 20;
inline constexpr size_t kMaxHostPage = 1000;

struct HostEntry {
  std::string key;
  std::string value;
  friend bool operator==(const HostEntry&, const HostEntry&) = default;
};

// Opens a directory exclusively and keeps it until destroyed. Thread-safe. Durability: every write of the library
// goes through one synced, atomic write. After a failed write the store is poisoned: all further writes answer
// FailedPrecondition until it is opened again.
class Store {
 public:
  // Errors: FailedPrecondition if another process (or this one) has the directory open, if it holds something that
  // is not a northwind store, or a format newer than this library, or is to be a shadow and holds records of a live one; NotFound if missing and not to be made;
  // DataLoss if damaged; PermissionDenied, ResourceExhausted and Unavailable from the file system.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const StoreOptions& options);

  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // A host record (see HostRecord in transaction.h); nothing if there is none under that key.
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key) const;

  // Records whose keys begin with `prefix`, by key, after `after` (exclusive; empty: from the start); limit 1 … kMaxHostPage. A page may end
  // sooner, with the record that makes it kMaxHostWriteBytes or more: go on until one is empty. Without a prefix, northwind's own as well.
  absl::StatusOr<std::vector<HostEntry>> List(std::string_view prefix, std::string_view after = {},
                                              size_t limit = 100) const;
  // Up to kMaxHostChanges and kMaxHostWriteBytes of keys and values, all or none, durable when it returns; of a key that is named twice the last change holds. For what belongs
  // to no transaction: what does is a HostRecord of it. InvalidArgument for keys and values out of bounds (nothing done);
  // ResourceExhausted below the disk's floor (nothing done); Aborted if the write failed and its outcome is unknown.
  absl::Status Write(absl::Span<const HostChange> changes);

  const std::string& path() const;
  bool shadow() const;

  // For northwind's own layers and tests.
  friend struct internal::StoreOnEngine;  // northwind's own tests, on an engine over a faulty disk
  explicit Store(std::unique_ptr<internal::Engine> engine);
  internal::Engine& engine() { return *engine_; }

 private:
  std::unique_ptr<internal::Engine> engine_;
};

}  // namespace northwind

#endif  // NORTHWIND_STORE_H_

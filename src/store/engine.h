// SPDX-License-Identifier: Apache-2.0
//
// The storage engine behind Store: one RocksDB with a fixed set of key spaces, one synced atomic write, one
// atomic ingest of sorted files. The only part of northwind that includes RocksDB; no RocksDB type shows here.
#ifndef NORTHWIND_SRC_STORE_ENGINE_H_
#define NORTHWIND_SRC_STORE_ENGINE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "northwind/store.h"

namespace rocksdb {
class Env;  // only for tests, which put a faulty file system under the engine
}

namespace northwind::internal {

// Persisted by name; see SpaceName() in database.cc. Add at the end.
enum class Space : uint8_t {
  kMeta,     // identity and format version; RocksDB's default column family
  kJournal,  // written by commit: BE first sequence → block
  kHost,     // written by commit: host records
  // Derived from the journal, written only by Ingest:
  kIds,         // idempotency key → sequence, outcome, fingerprint
  kEntries,     // account, first sequence → chunk of history
  kReferences,  // code, reference, sequence → unique?
  kLinks,       // target sequence, sequence → what was done to it
  kAccounts,    // account → attributes and totals at the checkpoint
  kHolds,       // sequence → open hold at the checkpoint
  kTimes,       // recorded time → sequence, sparse
  kState,       // the checkpoint's watermark
  // Not derived:
  kTasks,  // the scheduler's log and settings
  kCount
};

// A value read from the database without a copy where that is possible. Movable. Must not outlive its engine.
class PinnedValue {
 public:
  PinnedValue();
  ~PinnedValue();
  PinnedValue(PinnedValue&&) noexcept;
  PinnedValue& operator=(PinnedValue&&) noexcept;
  std::string_view view() const;

 private:
  friend class Engine;
  friend class Snapshot;
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

class Engine;

// A collection of puts and deletes that become durable together. Reusable after Clear().
class WriteSet {
 public:
  WriteSet();
  ~WriteSet();
  WriteSet(WriteSet&&) noexcept;
  WriteSet& operator=(WriteSet&&) noexcept;

  void Put(Space space, std::string_view key, std::string_view value);
  // One value given in parts (joined in order), so that a large block needs no extra copy.
  void Put(Space space, std::string_view key, absl::Span<const std::string_view> parts);
  void Delete(Space space, std::string_view key);
  void Clear();
  bool empty() const;
  size_t ByteSize() const;

 private:
  friend class Engine;
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// How one cursor reads.
struct CursorOptions {
  bool fill_cache = true;   // false for whole-space scans
  bool read_ahead = false;  // true for whole-space scans
  // Whether Next ends the walk, with Cancelled, once the thread's InterruptScope says so.
  bool interruptible = false;
  // Show only keys with the prefix of the key last sought, and use the bloom filter on it, so that to find nothing
  // costs no disk read. Only in kReferences (prefix: code, length, reference) and kLinks (prefix: target sequence), and
  // only Seek, Next: the key sought is a whole prefix, or one with more behind it.
  bool same_prefix = false;
};

// Walks one space in key order. Errors end the walk: check status() whenever Valid() turns false. Sees the space as it
// stood when the cursor was made. Must not outlive its engine, nor the snapshot it came from.
class Cursor {
 public:
  Cursor();
  ~Cursor();
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;

  bool Valid() const;
  void SeekToFirst();
  void SeekToLast();
  void Seek(std::string_view key);         // first key ≥
  void SeekForPrev(std::string_view key);  // last key ≤
  void Next();
  void Prev();
  std::string_view key() const;    // valid until the next move
  std::string_view value() const;  // likewise
  absl::Status status() const;

 private:
  friend class Engine;
  friend class Snapshot;
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// A frozen view of all spaces. Must not outlive its engine.
class Snapshot {
 public:
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  absl::StatusOr<std::optional<PinnedValue>> Get(Space space, std::string_view key) const;
  Cursor NewCursor(Space space, const CursorOptions& options = {}) const;

 private:
  friend class Engine;
  struct Rep;
  explicit Snapshot(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// Sorted files under construction, to be ingested together. Keys of a space must be strictly ascending; spaces may be
// mixed in any order. New files are begun by size. Files not ingested are deleted when this is destroyed, which must
// happen before the engine's own end. Errors: ResourceExhausted if the disk is below the floor or full,
// Unavailable from the file system, InvalidArgument for keys out of order; nothing of the set can be ingested then,
// and the engine is not poisoned.
class SortedFiles {
 public:
  ~SortedFiles();
  SortedFiles(SortedFiles&&) noexcept;
  SortedFiles& operator=(SortedFiles&&) noexcept;

  absl::Status Put(Space space, std::string_view key, std::string_view value);
  absl::Status Delete(Space space, std::string_view key);

 private:
  friend class Engine;
  struct Rep;
  explicit SortedFiles(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// While one lives, no ingest becomes visible. Hold it only to take a snapshot: RocksDB installs the files of an ingest
// after it has drawn their sequence numbers, so that a snapshot taken in between would see some column families with
// the ingest and some without.
class IngestPause {
 public:
  explicit IngestPause(const Engine& engine);
  ~IngestPause();
  IngestPause(const IngestPause&) = delete;
  IngestPause& operator=(const IngestPause&) = delete;

 private:
  const Engine& engine_;
};

// Thread-safe, except that WriteSet, Cursor and SortedFiles belong to one thread at a time.
class Engine {
 public:
  // As Store::Open. `env` (tests only) replaces the default environment and must outlive the engine.
  static absl::StatusOr<std::unique_ptr<Engine>> Open(const StoreOptions& options, rocksdb::Env* env = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::string& path() const;
  // Marked as one that sends nothing: see StoreMode.
  bool shadow() const;
  bool was_shadow() const;  // or is
  // 16 random bytes drawn when the store was made; kept by copies and imports.
  std::array<uint8_t, 16> uuid() const;
  // Replaces the identity of a store that holds nothing but meta data (import); FailedPrecondition otherwise. Durable.
  absl::Status SetUuid(const std::array<uint8_t, 16>& uuid);

  // Atomic and durable (fdatasync) when it returns OK; an empty set does nothing. Leaves `writes` as it was. Errors:
  //   ResourceExhausted   the disk is below the floor: nothing written, try again when there is room
  //   Aborted             the write failed, its outcome is unknown until the store is opened again; the engine is
  //   poisoned FailedPrecondition  the engine was poisoned before: nothing written
  absl::Status Write(WriteSet& writes);

  // Whether Write would take so many bytes: OK, or its ResourceExhausted. For callers that must know before they change
  // their own state.
  absl::Status CheckSpace(uint64_t bytes) const;

  // OK, or FailedPrecondition naming the first error, since which the engine refuses writes. Set by a failed write,
  // ingest or drop, and by any error that RocksDB meets in the background.
  absl::Status poison() const;

  // Errors: DataLoss (a checksum does not fit), Unavailable, ResourceExhausted; the message names space and key.
  absl::StatusOr<std::optional<PinnedValue>> Get(Space space, std::string_view key) const;
  Cursor NewCursor(Space space, const CursorOptions& options = {}) const;
  // Sees each write and each ingest whole or not at all.
  std::unique_ptr<Snapshot> NewSnapshot() const;
  // The same for a caller that must not wait for an ingest here, and has done so before.
  std::unique_ptr<Snapshot> NewSnapshot(const IngestPause& pause) const;

  absl::StatusOr<SortedFiles> NewSortedFiles();
  // All files of the set appear atomically and durably, or none; an empty set is OK. Errors as for Write, but that
  // errors of SortedFiles itself come back as they are, with nothing ingested and the engine not poisoned.
  absl::Status Ingest(SortedFiles files);

  // Empties every derived space, atomically as seen by any later open: a mark is written first, and
  // Open finishes what it finds marked. Nothing else may use a derived space meanwhile. Errors as for Write.
  absl::Status DropDerived();

  // Writes memtables out, so that the log can be dropped. A failure poisons the engine.
  absl::Status Flush();
  // A consistent, durable copy in a new directory, ready to be opened; tables are hard links where the file system
  // allows it. Appears under its name whole or not at all ("<directory>.partial" until then). AlreadyExists if there is
  // such a directory, NotFound if its parent is missing, ResourceExhausted and others from the file system.
  absl::Status Checkpoint(const std::string& directory);
  // Bytes of live files, log included.
  uint64_t DiskBytes() const;

  // At most one of each at a time: false if taken.
  enum class Slot : uint8_t { kLedger, kScheduler, kPayouts, kWebhooks, kCompare, kCutover, kCount };
  bool AcquireSlot(Slot slot);
  void ReleaseSlot(Slot slot);

 private:
  friend class IngestPause;
  struct Rep;
  explicit Engine(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_ENGINE_H_

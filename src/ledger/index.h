// SPDX-License-Identifier: Apache-2.0
//
// Which transactions there are: by idempotency key, by code and reference, and what worked on what.
//
// On disk (written only by checkpoints, in sorted files):
//
//   ids         key(16)                        → varint(sequence) u8(reason; 0 = applied) be64(fingerprint of the content) be64(recorded time)
//   references  name                           → varint(sequence of the earliest) u8(unique)
//               name be64(sequence)            → nothing; every applied one but the earliest
//     name      = be16(code) u8(length) reference
//   links       be64(target)                   → progress after the latest
//               be64(target) be64(sequence)    → progress after that record
//     progress  = varint128(captured) varint128(released) varint(pairs) pairs × varint128(reversed)
#ifndef NORTHWIND_SRC_LEDGER_INDEX_H_
#define NORTHWIND_SRC_LEDGER_INDEX_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "northwind/idempotency_key.h"
#include "northwind/transaction.h"
#include "src/ledger/record.h"
#include "src/store/engine.h"

namespace northwind::internal {

// What a recorded key stands for.
struct KeyEntry {
  uint64_t sequence = 0;
  uint64_t fingerprint = 0;
  int64_t recorded_at = 0;  // Unix nanoseconds
  Reason reason = Reason::kNone;
};

// Who holds a code and reference.
struct ReferenceClaim {
  uint64_t earliest = 0;
  bool unique = false;
};

// One record that worked on a target, and the target's progress after it.
struct Link {
  uint64_t sequence = 0;
  Progress progress;
};

std::string ReferenceName(uint16_t code, std::string_view reference);
void EncodeKeyEntry(const KeyEntry& entry, std::string& out);
absl::Status DecodeKeyEntry(std::string_view bytes, KeyEntry& entry);
void EncodeReferenceClaim(const ReferenceClaim& claim, std::string& out);
absl::Status DecodeReferenceClaim(std::string_view bytes, ReferenceClaim& claim);
void EncodeProgress(const Progress& progress, std::string& out);
absl::Status DecodeProgress(std::string_view bytes, Progress& progress);

// Recent entries in memory, the rest on disk. One thread at a time writes (the apply stage of a commit): it alone may
// use the methods that say so, and they take no lock to read, since nobody else writes. Readers on other threads use the rest, and
// filter by the durable head they saw, since entries appear here before they are durable.
class Index {
 public:
  explicit Index(Engine& engine) : engine_(engine) {}

  // Tells that disk holds entries up to a sequence, and the greatest key among them. Before any other use.
  absl::Status Load(uint64_t checkpointed);

  // ---- The apply stage -------------------------------------------------------------------------------------
  // Takes notice of what checkpoints have moved to disk. Once a block; an older notion is right too, only dearer.
  void Refresh();
  void Prefetch(const IdempotencyKey& key) const { active_->keys.prefetch(key); }
  absl::StatusOr<std::optional<KeyEntry>> FindKeyToApply(const IdempotencyKey& key) const;
  absl::StatusOr<std::optional<ReferenceClaim>> FindClaimToApply(const std::string& name) const;
  absl::StatusOr<Progress> ProgressToApply(uint64_t target) const;
  void AddKey(const IdempotencyKey& key, const KeyEntry& entry);
  // `known` is what FindClaimToApply said.
  void AddReference(const std::string& name, uint64_t sequence, bool unique,
                    const std::optional<ReferenceClaim>& known);
  void AddLink(uint64_t target, const Link& link);

  // ---- Readers ---------------------------------------------------------------------------------------------
  absl::StatusOr<std::optional<KeyEntry>> FindKey(const IdempotencyKey& key, uint64_t head) const;
  // Applied transactions of that name, in order.
  absl::StatusOr<std::vector<uint64_t>> FindReference(const std::string& name, uint64_t head, size_t limit) const;
  absl::StatusOr<std::vector<uint64_t>> FindLinks(uint64_t target, uint64_t head, size_t limit) const;
  absl::StatusOr<Progress> FindProgress(uint64_t target, uint64_t head) const;

  // ---- Checkpoints -----------------------------------------------------------------------------------------
  // Sets aside what there is in memory, which must all be durable, up to sequence `head`. None may be set aside yet.
  // Called by the apply stage.
  void Freeze(uint64_t head);
  // Writes what was set aside. Called by the checkpoint thread.
  absl::Status WriteFrozen(SortedFiles& files) const;
  // Forgets it, once it can be read from disk.
  void DropFrozen();

 private:
  // Keys take most of the memory: 40 bytes each, the reason in the top byte of the sequence.
  struct PackedKeyEntry {
    uint64_t sequence_and_reason;
    uint64_t fingerprint;
    int64_t recorded_at;
  };
  struct ReferenceDelta {
    ReferenceClaim claim;
    absl::InlinedVector<uint64_t, 1> sequences;  // of this delta
  };
  struct Delta {
    absl::flat_hash_map<IdempotencyKey, PackedKeyEntry> keys;
    absl::flat_hash_map<std::string, ReferenceDelta> references;
    absl::flat_hash_map<uint64_t, std::vector<Link>> links;
    IdempotencyKey greatest;
    uint64_t upto = 0;  // set when frozen
  };

  // What no longer changes: a delta set aside, if a checkpoint runs, and what disk holds.
  struct Settled {
    std::shared_ptr<const Delta> frozen;
    uint64_t on_disk = 0;             // disk holds entries up to here
    IdempotencyKey greatest_on_disk;  // no key above it is there
    bool disk_is_empty = true;
  };

  static KeyEntry Unpack(const PackedKeyEntry& packed);
  static std::optional<KeyEntry> FindIn(const Delta* delta, const IdempotencyKey& key);
  absl::StatusOr<std::optional<KeyEntry>> FindKeyOnDisk(const IdempotencyKey& key) const;

  Engine& engine_;
  mutable absl::Mutex mutex_;
  // Written under the mutex by the apply stage and read without it by the same; all others read under the mutex.
  std::unique_ptr<Delta> active_ = std::make_unique<Delta>();
  Settled settled_ ABSL_GUARDED_BY(mutex_);
  Settled apply_settled_;  // the apply stage's copy
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_INDEX_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_LEDGER_APPLIER_H_
#define NORTHWIND_SRC_LEDGER_APPLIER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "northwind/ledger.h"
#include "src/base/sha256.h"
#include "src/ledger/apply.h"
#include "src/ledger/block.h"
#include "src/ledger/index.h"
#include "src/ledger/journal_store.h"
#include "src/ledger/view.h"
#include "src/store/engine.h"

namespace northwind::internal {

inline constexpr size_t kMaxExpiriesPerBlock = 8192;

// A finished block on its way to disk and to the readers.
struct SealedBlock {
  std::shared_ptr<const Block> block;  // null if the block came to have no records
  Hash256 hash{};
  BlockChanges changes;
  WriteSet host_records;
};

// What to do to an account.
struct AccountChange {
  enum class Kind : uint8_t { kFreeze, kUnfreeze, kClose, kSetMinAvailable };
  AccountId id;
  Kind kind = Kind::kFreeze;
  absl::int128 min_available = 0;
};

// The apply stage: holds the state as applied, which runs ahead of what is durable by the blocks under way, and turns requests
// into a block. One thread at a time; blocks are begun and sealed in turn, and each sealed block must reach disk,
// in order, or the applier be thrown away.
//
// A status from a method that looks things up means that a read failed halfway: the applier must not be used again.
class Applier {
 public:
  Applier(Index& index, JournalStore& journal, const View& view) : index_(index), journal_(journal), view_(view) {}

  // Takes over the state that the view shows: after opening, when nothing is under way.
  void Adopt(const View::Copy& state, int64_t recorded_at);

  // Begins a block at a time (Unix nanoseconds; made later than the last record if need be) and expires the holds that are due.
  void Begin(int64_t now);
  // Adds to the block begun.
  absl::Status Apply(absl::Span<const Transaction> batch, const CommitOptions& options,
                     std::vector<CommitResult>& results);
  // Ids, or why not: nothing was added then.
  absl::StatusOr<std::vector<AccountId>> OpenAccounts(absl::Span<const AccountSpec> specs);
  absl::Status ChangeAccount(const AccountChange& change);
  SealedBlock Seal();

  uint64_t next_sequence() const { return NextSequence(); }
  size_t expired() const { return expired_; }  // holds, by Begin

  // Between replayed blocks: takes notice that a checkpoint is done (Begin does so by itself).
  void RefreshIndex() { index_.Refresh(); }
  // Brings state and index up to a block read from the journal, and returns what it changed. DataLoss if it cannot follow.
  absl::StatusOr<BlockChanges> Replay(const Block& block);

 private:
  // Deferred transactions of a batch, by what they wait for.
  struct Waiting;

  absl::Status ApplyOne(const Transaction& transaction, bool balances, CommitResult& result);
  absl::Status AnswerKnownKey(const Transaction& transaction, const KeyEntry& entry, uint64_t fingerprint,
                              CommitResult& result);
  absl::Status GatherTarget(const Transaction& transaction, TargetFacts& facts);
  absl::Status LoadTransaction(uint64_t sequence, StoredTransaction& stored);
  void Record(const Transaction& transaction, const Decision& decision, uint64_t fingerprint, const Facts& facts,
              size_t first_effect);
  void RecordHolds(const Transaction& transaction, const Decision& decision, uint64_t sequence, const Facts& facts);
  void ResolveHold(uint64_t sequence, const HoldRow& row);
  void Expire(uint64_t sequence);
  std::vector<ResultingBalance> BalancesAfter(size_t first_effect) const;
  absl::Status CheckSpec(const AccountSpec& spec) const;
  // The account of that name, or 0.
  AccountId FindName(const std::string& name) const;
  absl::int128 OpenedMinAvailable(AccountId id) const;
  uint16_t AssetIndex(const std::string& asset);
  void AddRow(const AccountOpened& opened);
  absl::Status ReplayRecord(const StoredRecord& record, uint64_t sequence);
  absl::Status ReplayTransaction(const StoredTransaction& stored, uint64_t sequence);
  bool ApplyEffects(size_t first_effect);

  uint64_t NextSequence() const { return first_ + offsets_.size(); }
  int64_t NextTime() const { return time_ + static_cast<int64_t>(offsets_.size()); }
  void BeginRecord() { offsets_.push_back(static_cast<uint32_t>(payload_.size())); }

  Index& index_;
  JournalStore& journal_;
  const View& view_;

  AccountRows rows_;
  absl::flat_hash_map<std::string, uint16_t> assets_;
  absl::flat_hash_map<std::string, AccountId> unpublished_names_;
  absl::flat_hash_map<uint32_t, absl::int128> opened_min_;  // the limit when opened, where it is another by now
  absl::flat_hash_map<uint64_t, HoldRow> holds_;
  absl::btree_set<std::pair<int64_t, uint64_t>> expiries_;  // of holds_ that can expire

  // The block begun.
  uint64_t first_ = 1;
  int64_t time_ = 0;
  std::string payload_;
  std::vector<uint32_t> offsets_;
  BlockChanges changes_;
  WriteSet host_records_;
  size_t expired_ = 0;
  Sha256 payload_hash_;
  size_t hashed_ = 0;  // bytes of the payload in it

  // The block before.
  Hash256 previous_{};
  int64_t last_time_ = 0;

  std::string content_;  // scratch
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_APPLIER_H_

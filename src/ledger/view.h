// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_LEDGER_VIEW_H_
#define NORTHWIND_SRC_LEDGER_VIEW_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/ledger.h"
#include "src/ledger/account_row.h"
#include "src/ledger/apply.h"
#include "src/ledger/block.h"
#include "src/ledger/history.h"
#include "src/ledger/state_codec.h"

namespace northwind::internal {

// An open hold changed, or one came to be.
struct HoldChange {
  uint64_t sequence = 0;
  HoldRow row;
  bool open = true;  // false: resolved; the row is as it was before
};

// All that a block does to the ledger's state.
struct BlockChanges {
  Effects effects;
  std::vector<AccountOpened> opened;
  std::vector<AccountChanged> changed;
  std::vector<HoldChange> holds;
};

// What a checkpoint takes from the view: the state of what changed since the last one, encoded.
struct CheckpointPlan {
  Watermark watermark;
  std::vector<std::pair<AccountId, std::string>> attributes;           // by id
  std::vector<std::pair<uint64_t, std::optional<std::string>>> holds;  // by sequence; nothing = resolved
};

// The ledger's state at its durable head, which is all that readers see. Thread-safe; one thread at a time writes.
class View {
 public:
  explicit View(History& history) : history_(history) { rows_.Append(); }

  // ---- Opening -----------------------------------------------------------------------------------------------
  absl::Status LoadAccount(AccountId id, const AccountAttributes& attributes) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status LoadTotals(AccountId id, const Totals& totals) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status LoadHold(uint64_t sequence, const HoldRow& hold) ABSL_LOCKS_EXCLUDED(mutex_);
  void LoadHead(const Watermark& watermark) ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- The publish step of a commit --------------------------------------------------------------------------
  // Shows a durable block to readers, all at once. DataLoss if it cannot follow from the state (replay only).
  absl::Status Publish(const BlockHeader& header, const Hash256& hash, const BlockChanges& changes)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Begins a new count of changes and returns those so far.
  CheckpointPlan PlanCheckpoint() ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- Readers -----------------------------------------------------------------------------------------------
  struct Head Head() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<AccountId> FindAccount(std::string_view name) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Account> GetAccount(AccountId id) const ABSL_LOCKS_EXCLUDED(mutex_);
  AccountPage ListAccounts(std::string_view prefix, std::string_view after, size_t limit) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<Totals>> Balances(absl::Span<const AccountId> ids) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckAccount(AccountId id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Sequences and what remains of open holds that touch the account, after a sequence.
  std::vector<std::pair<uint64_t, Amount>> OpenHolds(AccountId id, uint64_t after, size_t limit) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  size_t account_count() const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t open_hold_count() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until the head is past `sequence`, the deadline passes or Close is called; returns the head.
  uint64_t WaitPast(uint64_t sequence, absl::Time deadline) const ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on nobody waits.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);
  bool closed() const ABSL_LOCKS_EXCLUDED(mutex_);

  // A whole copy of the state, for verification. `at_head` runs while it is taken and nothing can be published.
  struct Copy {
    struct Head head;
    std::vector<AccountRow> rows;  // by id, 0 unused
    std::vector<AccountAttributes> attributes;
    std::vector<std::pair<uint64_t, HoldRow>> holds;  // by sequence
  };
  template <typename AtHead>
  Copy CopyAll(const AtHead& at_head) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::ReaderMutexLock lock(&mutex_);
    Copy copy = CopyLocked();
    at_head();
    return copy;
  }

  int64_t recorded_at() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A name as one byte of length and the bytes, in memory that never moves.
  using Name = const char*;
  static std::string_view Text(Name name) {
    return {name + 1, static_cast<size_t>(static_cast<unsigned char>(name[0]))};
  }
  struct NameLess {
    using is_transparent = void;
    const AccountRows* rows;
    bool operator()(uint32_t a, uint32_t b) const { return Text((*rows)[a].name) < Text((*rows)[b].name); }
    bool operator()(uint32_t a, std::string_view b) const { return Text((*rows)[a].name) < b; }
    bool operator()(std::string_view a, uint32_t b) const { return a < Text((*rows)[b].name); }
  };

  bool Exists(AccountId id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return id.value() != 0 && id.value() < rows_.size();
  }
  absl::Status AddAccount(AccountId id, const AccountAttributes& attributes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetHold(const HoldChange& change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  AccountAttributes Attributes(AccountId id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  Account Describe(AccountId id) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  Copy CopyLocked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  Name Intern(std::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  History& history_;
  mutable absl::Mutex mutex_;
  struct Head head_ ABSL_GUARDED_BY(mutex_);
  int64_t recorded_at_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;

  AccountRows rows_ ABSL_GUARDED_BY(mutex_);
  std::vector<Asset> assets_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, uint16_t> asset_rows_ ABSL_GUARDED_BY(mutex_);  // where they are in assets_
  std::vector<std::unique_ptr<char[]>> name_memory_ ABSL_GUARDED_BY(mutex_);
  size_t name_memory_left_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::btree_set<uint32_t, NameLess> by_name_ ABSL_GUARDED_BY(mutex_){NameLess{&rows_}};
  // The limit an account was opened with, where it is another by now.
  absl::flat_hash_map<uint32_t, absl::int128> opened_min_ ABSL_GUARDED_BY(mutex_);

  absl::flat_hash_map<uint64_t, HoldRow> holds_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<uint32_t, uint64_t>> holds_by_account_ ABSL_GUARDED_BY(mutex_);

  // Changed since the last checkpoint was planned.
  absl::btree_set<uint32_t> changed_accounts_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<uint64_t> changed_holds_ ABSL_GUARDED_BY(mutex_);
  uint64_t planned_ ABSL_GUARDED_BY(mutex_) = 0;  // the head then
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_VIEW_H_

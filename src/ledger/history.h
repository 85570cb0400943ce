// SPDX-License-Identifier: Apache-2.0
//
// The entries of every account, in chunks (history_chunk.h), and a sparse map from time to sequence.
//
//   entries  be32(account) be64(first sequence) → chunk
//   times    be64(recorded time, Unix nanoseconds) → be64(sequence recorded then); one every kTimeStride records or more
#ifndef NORTHWIND_SRC_LEDGER_HISTORY_H_
#define NORTHWIND_SRC_LEDGER_HISTORY_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "northwind/account.h"
#include "src/ledger/account_row.h"
#include "src/ledger/block.h"
#include "src/ledger/history_chunk.h"
#include "src/ledger/paged_array.h"
#include "src/store/engine.h"

namespace northwind::internal {

inline constexpr uint64_t kTimeStride = 256;

// Recent history in memory, the rest on disk. Durable records only. Written by one thread at a time (the publish
// step of a commit); readable from any thread. Chunks of later checkpoints never overlap earlier ones.
class History {
 public:
  explicit History(Engine& engine) : engine_(engine) {}

  void Load(uint64_t checkpointed, uint64_t last_time_sample);

  // Takes the effects of a durable block. `rows` are the accounts as they were before it; they are brought up to date as
  // we go, since each new chunk begins with the totals before it.
  absl::Status Append(const BlockHeader& header, const Effects& effects, AccountRows& rows);

  // The account's last chunk that begins at or before `sequence`: false if there is none.
  absl::StatusOr<bool> Floor(AccountId account, uint64_t sequence, HistoryChunk& chunk) const;
  // The account's first chunk that begins after `sequence`: false if there is none.
  absl::StatusOr<bool> After(AccountId account, uint64_t sequence, HistoryChunk& chunk) const;

  // A sequence such that all records after it were recorded later than `time` and, but for some kTimeStride
  // records or one block, none before it was. UINT64_MAX if no sample lies after `time`.
  absl::StatusOr<uint64_t> CeilingOfTime(int64_t time) const;
  // A sequence at or before the first record with recorded time ≥ `time`.
  absl::StatusOr<uint64_t> FloorOfTime(int64_t time) const;

  // Checkpoints, as for Index. Freeze is called while nothing is appended; returns the sequence of the last time sample.
  uint64_t Freeze(uint64_t head);
  // Writes entries and times set aside, and the totals that they lead to: into kAccounts (see checkpoint.h).
  absl::Status WriteFrozen(SortedFiles& files, std::vector<std::pair<AccountId, Totals>>& totals) const;
  void DropFrozen();

 private:
  struct AccountPart {
    AccountId account;
    std::vector<HistoryChunk> chunks;
  };
  struct Delta {
    PagedArray<uint32_t> slots;  // by account: 1 + index into accounts, 0 if it has no entries here
    std::deque<AccountPart> accounts;
    std::vector<std::pair<int64_t, uint64_t>> times;
    uint64_t upto = 0;

    const std::vector<HistoryChunk>* Find(AccountId account) const;
    std::vector<HistoryChunk>& At(AccountId account);
  };

  static bool FloorIn(const Delta& delta, AccountId account, uint64_t sequence, HistoryChunk& chunk);
  static bool AfterIn(const Delta& delta, AccountId account, uint64_t sequence, HistoryChunk& chunk);

  Engine& engine_;
  mutable absl::Mutex mutex_;
  std::unique_ptr<Delta> active_ ABSL_GUARDED_BY(mutex_) = std::make_unique<Delta>();
  std::shared_ptr<const Delta> frozen_ ABSL_GUARDED_BY(mutex_);
  uint64_t on_disk_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_time_sample_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_HISTORY_H_

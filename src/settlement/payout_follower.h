// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_SETTLEMENT_PAYOUT_FOLLOWER_H_
#define NORTHWIND_SRC_SETTLEMENT_PAYOUT_FOLLOWER_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/payout.h"
#include "src/settlement/payout_reader.h"
#include "src/settlement/payout_record.h"

namespace northwind::internal {

// Reads the journal and makes of each held payout one task, and of everything that happens to payouts their views; what a page of
// the journal gives is written together with the cursor. One thread at a time, but for position().
class PayoutFollower {
 public:
  PayoutFollower(Ledger& ledger, Store& store, Scheduler& scheduler, RetryPolicy policy)
      : ledger_(ledger), store_(store), scheduler_(scheduler), policy_(std::move(policy)) {}

  absl::Status Load();
  // Follows up to `limit` records; waits for the first until `deadline`. How many there were.
  absl::StatusOr<size_t> Step(size_t limit, absl::Time deadline);
  Sequence position() const { return Sequence(position_.load()); }

 private:
  // What one page changes.
  struct Page {
    std::map<std::string, PayoutView> views;
    std::vector<TaskSpec> tasks;
    std::vector<HostRecord> records;
  };
  absl::Status Take(const JournalRecord& record, Page& page);
  absl::Status TakeRequest(const JournalRecord& record, const TransactionRecorded& request, Page& page);
  // The view as the records before that one have made it; null if there is none.
  absl::StatusOr<PayoutView*> Find(const std::string& payout_id, Sequence before, Page& page);
  absl::StatusOr<std::optional<PayoutOwner>> OwnerOf(AccountId id);

  Ledger& ledger_;
  Store& store_;
  Scheduler& scheduler_;
  const RetryPolicy policy_;
  std::atomic<uint64_t> position_{0};
  uint64_t written_ = 0;  // the cursor on disk
  absl::flat_hash_map<AccountId, PayoutOwner> owners_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_PAYOUT_FOLLOWER_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_LEDGER_READER_H_
#define NORTHWIND_SRC_LEDGER_READER_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/ledger.h"
#include "src/ledger/history.h"
#include "src/ledger/index.h"
#include "src/ledger/journal_store.h"
#include "src/ledger/view.h"

namespace northwind::internal {

// All questions about the durable past, put together from view, index, history and journal. Thread-safe.
class Reader {
 public:
  Reader(const View& view, const Index& index, const History& history, JournalStore& journal)
      : view_(view), index_(index), history_(history), journal_(journal) {}

  absl::StatusOr<Totals> BalanceAt(AccountId id, Sequence at) const;
  absl::StatusOr<Totals> BalanceAt(AccountId id, absl::Time at) const;
  absl::StatusOr<HistoryPage> History(AccountId id, const HistoryQuery& query) const;
  absl::StatusOr<HoldPage> OpenHolds(AccountId id, Sequence after, size_t limit) const;
  absl::StatusOr<TransactionView> GetTransaction(const IdempotencyKey& key) const;
  absl::StatusOr<TransactionView> GetTransaction(Sequence sequence) const;
  absl::StatusOr<std::vector<TransactionView>> FindByReference(uint16_t code, std::string_view reference,
                                                               size_t limit) const;
  absl::StatusOr<std::vector<JournalRecord>> ReadJournal(Sequence after, size_t limit) const;
  // What CommitResult::balances says for an applied transaction of the past.
  absl::StatusOr<std::vector<ResultingBalance>> BalancesAfter(Sequence sequence) const;

 private:
  // The account's totals after the last entry that `keep` accepts, in the chunk that starts at or before `from` or an
  // earlier one. Entries that `keep` refuses all come after those that it accepts.
  template <typename Keep>
  absl::StatusOr<Totals> FoldUpTo(AccountId id, uint64_t from, const Keep& keep) const;
  absl::StatusOr<StoredRecord> LoadRecord(uint64_t sequence, absl::Time& recorded_at) const;
  absl::StatusOr<TransactionView> Describe(uint64_t sequence, uint64_t head) const;

  const View& view_;
  const Index& index_;
  const class History& history_;
  JournalStore& journal_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_READER_H_

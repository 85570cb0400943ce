// SPDX-License-Identifier: Apache-2.0
//
// What a mirror must hold, told from the journal alone and not by the mirror's own code: compared with what SQL says.
#ifndef NORTHWIND_TESTS_POSTGRES_JOURNAL_ROWS_H_
#define NORTHWIND_TESTS_POSTGRES_JOURNAL_ROWS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "northwind/journal.h"
#include "northwind/ledger.h"
#include "tests/postgres/postgres_session.h"

namespace northwind::testing {

// Folds the journal from its beginning on.
class JournalRows {
 public:
  // Reads on up to `end`, and compares the rows of what was read, the totals of all accounts and the state of all holds and payouts
  // with the mirror behind `sql`, whose search path is the schema and whose snapshot stands still. Nothing may be there that is beyond
  // `end`. Fatal failures.
  void ReadAndCompare(const Ledger& ledger, Sequence end, PostgresSession& sql);

  Sequence end() const { return end_; }
  uint64_t transactions() const { return transactions_; }
  uint64_t postings() const { return postings_; }
  uint64_t rejections() const { return rejections_; }
  uint64_t holds() const { return holds_.size(); }
  uint64_t payouts() const { return payouts_.size(); }

 private:
  struct PlacedHold {
    Posting posting;
    absl::uint128 captured = 0;
    absl::uint128 released = 0;
    std::string state = "open";
    uint16_t code = 0;
    std::string payout_id;  // empty: no payout's
  };
  struct Payout {
    Sequence hold;
    std::string merchant_id;
    Amount amount;
    absl::uint128 paid = 0;
    absl::uint128 returned = 0;
    std::string state = "requested";
    Sequence last;
  };

  void Add(const JournalRecord& record);
  void AddApplied(Sequence sequence, const TransactionRecorded& recorded);
  void Entry(Sequence sequence, AccountId account, const char* kind, Amount amount);
  void Give(Sequence sequence, Sequence hold, Amount captured, Amount released, const char* ending);
  void AddPayoutEvent(Sequence sequence, const TransactionRecorded& recorded);
  void CompareAccounts(PostgresSession& sql) const;
  void CompareHolds(PostgresSession& sql) const;
  void ComparePayouts(PostgresSession& sql) const;

  Sequence end_;
  uint64_t transactions_ = 0;
  uint64_t postings_ = 0;
  uint64_t rejections_ = 0;
  std::map<AccountId, Totals> accounts_;
  std::map<Sequence, PlacedHold> holds_;
  std::map<AccountId, std::string> merchants_;  // of accounts that are merchants'
  std::map<std::string, Payout> payouts_;
  std::map<Sequence, Sequence> paid_;  // captures that paid a payout: the hold

  // Of the records read last, as SQL is asked for them.
  std::vector<std::string> transaction_rows_;
  std::vector<std::string> posting_rows_;
  std::vector<std::string> rejection_rows_;
  std::vector<std::string> payout_event_rows_;
  int next_entry_ = 0;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_POSTGRES_JOURNAL_ROWS_H_

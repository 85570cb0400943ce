// SPDX-License-Identifier: Apache-2.0
//
// What must hold of every ledger at every moment, whatever was asked of it (design of the ledger, "Invariants"):
// checked through the public API alone, without a model. Needs a ledger that nobody writes to meanwhile.
#ifndef NORTHWIND_TESTS_SUPPORT_INVARIANTS_H_
#define NORTHWIND_TESTS_SUPPORT_INVARIANTS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "northwind/ledger.h"

namespace northwind::testing {

// Σ debits = Σ credits for each asset, posted and held; no account below its limit. Cheap: one call for all accounts.
void ExpectBooksBalance(const Ledger& ledger);

// The above, and: sequences dense and times increasing; a key recorded once, a unique reference applied once; of each
// hold captured + released + remaining = placed and it ends once; reversed ≤ moved; every balance is the fold of the
// journal and of the account's history; Verify() finds nothing. Fatal failures.
void ExpectInvariants(const Ledger& ledger);

// Derives totals and targets from journal records alone: a recount as an auditor would do it. Feed it every record
// from the first; `problems()` names what cannot be.
class Recount {
 public:
  void Add(const JournalRecord& record);

  Sequence head() const { return head_; }
  const std::vector<std::string>& problems() const { return problems_; }
  const std::map<AccountId, Totals>& totals() const { return totals_; }
  size_t open_holds() const;

 private:
  struct PlacedHold {
    Posting posting;
    absl::uint128 captured = 0;
    absl::uint128 released = 0;
    bool resolved = false;
  };
  void AddTransaction(Sequence sequence, const TransactionRecorded& record);
  void Move(const Posting& p);
  void Resolve(Sequence sequence, Sequence hold, absl::uint128 captured, absl::uint128 released);
  void Problem(Sequence sequence, const std::string& text);

  Sequence head_;
  absl::Time last_time_ = absl::InfinitePast();
  std::map<AccountId, Totals> totals_;
  std::set<std::string> names_;
  std::set<IdempotencyKey> keys_;
  std::map<std::pair<uint16_t, std::string>, int> applied_references_;
  std::set<std::pair<uint16_t, std::string>> unique_references_;
  std::map<Sequence, PlacedHold> holds_;
  std::map<Sequence, absl::uint128> reversible_;
  std::vector<std::string> problems_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_INVARIANTS_H_

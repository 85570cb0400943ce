// SPDX-License-Identifier: Apache-2.0
//
// docs/ledger.md a second time: a plain model in memory that random tests hold the real ledger against. Written from
// that page alone; it shares nothing with src/ but the public value types. Simple beats fast.
//
//   Model model;
//   model.OpenAccounts({{.name = "a", .asset = "USD/2"}}, clock.Now());
//   std::vector<CommitResult> expected = model.Commit(batch, options, clock.Now());
#ifndef NORTHWIND_TESTS_SUPPORT_MODEL_H_
#define NORTHWIND_TESTS_SUPPORT_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/ledger.h"

namespace northwind::testing {

// Every mutating call is one block, at the time `now` that the clock shows. Copyable, so that a test can keep the
// state before something uncertain. Only codes of statuses mean anything.
class Model {
 public:
  // ---- What changes it ------------------------------------------------------------------------------------

  absl::StatusOr<std::vector<AccountId>> OpenAccounts(const std::vector<AccountSpec>& specs, absl::Time now);
  absl::Status Freeze(AccountId id, absl::Time now) { return SetState(id, AccountState::kFrozen, now); }
  absl::Status Unfreeze(AccountId id, absl::Time now) { return SetState(id, AccountState::kOpen, now); }
  absl::Status CloseAccount(AccountId id, absl::Time now) { return SetState(id, AccountState::kClosed, now); }
  absl::Status SetMinAvailable(AccountId id, absl::int128 min_available, absl::Time now);
  std::vector<CommitResult> Commit(absl::Span<const Transaction> batch, const CommitOptions& options, absl::Time now);
  size_t ExpireHolds(absl::Time now);

  // ---- What it shows --------------------------------------------------------------------------------------

  Sequence head() const { return Sequence(journal_.size()); }
  uint64_t blocks() const { return blocks_; }
  const std::vector<JournalRecord>& journal() const { return journal_; }
  size_t account_count() const { return accounts_.size(); }
  const Account& account(AccountId id) const { return accounts_[id.value() - 1].now; }
  // The whole history of an account.
  const std::vector<Entry>& entries(AccountId id) const { return accounts_[id.value() - 1].entries; }
  const std::map<std::string, std::string>& host_records() const { return host_records_; }
  std::optional<AccountId> FindAccount(const std::string& name) const;
  AccountPage ListAccounts(std::string_view prefix, std::string_view after, size_t limit) const;
  Totals BalanceAt(AccountId id, Sequence at) const;
  Totals BalanceAt(AccountId id, absl::Time at) const;
  HistoryPage History(AccountId id, const HistoryQuery& query) const;
  HoldPage OpenHolds(AccountId id, Sequence after, size_t limit) const;
  size_t open_hold_count() const;
  // Nothing if there is none.
  std::optional<TransactionView> GetTransaction(const IdempotencyKey& key) const;
  std::optional<TransactionView> GetTransaction(Sequence sequence) const;
  std::vector<TransactionView> FindByReference(uint16_t code, const std::string& reference, size_t limit) const;
  // What Ledger::Verify must count; the hash is left empty.
  VerifyReport Report() const;

 private:
  struct StoredAccount {
    AccountSpec opened;
    Account now;
    std::vector<Entry> entries;
  };
  struct StoredHold {
    Hold hold;
    absl::uint128 captured = 0;
    absl::uint128 released = 0;
    absl::uint128 remaining = 0;
  };
  // What is left to move back between two accounts of a post or capture.
  struct Reversible {
    AccountId debit;
    AccountId credit;
    absl::uint128 remaining = 0;
  };
  // One line of the table "What applying does".
  struct Line {
    AccountId account;
    EntryKind kind;
    absl::uint128 amount;
  };
  // What a transaction would do.
  struct Plan {
    Sequence target;
    Postings checked;  // accounts whose state matters (step 6)
    Postings moved;
    absl::uint128 released = 0;
    std::vector<Line> lines;
  };
  struct Answer {
    Outcome outcome = Outcome::kApplied;
    Reason reason = Reason::kNone;
    uint16_t posting = 0;
  };
  struct BatchState;

  void BeginBlock(absl::Time now);
  size_t ExpireDue();
  JournalRecord& Append();
  void Enter(Sequence sequence, absl::Time recorded_at, uint16_t code, const std::vector<Line>& lines);
  absl::Status SetState(AccountId id, AccountState state, absl::Time now);
  void RecordChange(const Account& account);

  void DecideInBatch(BatchState& batch, size_t i);
  CommitResult Decide(const Transaction& t, bool balances);
  std::optional<CommitResult> CheckKey(const Transaction& t, bool balances) const;
  std::optional<Answer> CheckAccounts(const Transaction& t) const;
  std::optional<Answer> CheckReference(const Transaction& t) const;
  std::optional<Answer> PlanTarget(const Transaction& t, Plan& plan) const;
  std::optional<Answer> PlanCapture(const Transaction& t, Plan& plan) const;
  std::optional<Answer> PlanRelease(Plan& plan) const;
  std::optional<Answer> PlanReverse(const Transaction& t, Plan& plan) const;
  std::optional<Answer> CheckTotals(const Plan& plan) const;
  void Apply(const Transaction& t, const Plan& plan, Sequence sequence, absl::Time recorded_at);
  std::vector<ResultingBalance> BalancesAfter(const std::vector<Line>& lines, Sequence at) const;
  TransactionView View(Sequence sequence) const;

  absl::Time block_time_;
  int64_t block_records_ = 0;
  uint64_t blocks_ = 0;
  uint64_t entry_count_ = 0;

  std::vector<JournalRecord> journal_;
  std::vector<StoredAccount> accounts_;
  std::map<std::string, AccountId> names_;
  std::map<IdempotencyKey, Sequence> keys_;                                       // applied and rejected
  std::map<std::pair<uint16_t, std::string>, std::vector<Sequence>> references_;  // applied
  std::map<Sequence, StoredHold> holds_;                                          // open and resolved
  std::set<std::pair<absl::Time, Sequence>> expiring_;                            // open holds with an end
  std::map<AccountId, std::set<Sequence>> open_holds_;                            // on either side
  std::map<Sequence, std::vector<Reversible>> reversible_;
  std::map<Sequence, std::vector<Line>> lines_;  // of applied transactions
  std::map<Sequence, std::vector<Sequence>> links_;
  std::map<std::string, std::string> host_records_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SUPPORT_MODEL_H_

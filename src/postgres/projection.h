// SPDX-License-Identifier: Apache-2.0
//
// What the journal's records are as rows. No PostgreSQL here: the mirror writes what comes out, and the audit compares with it.
#ifndef NORTHWIND_SRC_POSTGRES_PROJECTION_H_
#define NORTHWIND_SRC_POSTGRES_PROJECTION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/ledger.h"
#include "northwind/settlement.h"
#include "src/postgres/tables.h"

namespace northwind::internal::postgres {

// As the column accounts.state has it.
std::string_view StateName(AccountState state);

// The rows of the journal records after `after` up to `last`.
struct Batch {
  Sequence after;
  Sequence last;
  absl::Time last_at;
  size_t records = 0;
  // One moment of each month (UTC) that rows of transactions are in.
  std::vector<absl::Time> months;

  Rows transactions{kTransactions};
  Rows postings{kPostings};
  Rows rejections{kRejections};
  Rows accounts{kAccounts};
  Rows holds{kHolds};
  Rows payouts{kPayouts};
  Rows payout_events{kPayoutEvents};
  // Of rows that are there already.
  Rows account_updates{kAccountUpdates};
  Rows hold_updates{kHoldUpdates};
  Rows payout_updates{kPayoutUpdates};
};

// Turns records into rows, page after page from a place in the journal on. What it needs to know of earlier records it keeps, within
// bounds, or asks the ledger: so the rows depend on the journal alone, and not on where pages begin. Not thread-safe.
class Projection {
 public:
  // Keeps up to `cached_accounts` accounts, and as many holds, between two pages. The ledger must outlive it.
  Projection(const Ledger& ledger, Sequence after, size_t cached_accounts)
      : ledger_(ledger), position_(after), cached_accounts_(cached_accounts) {}

  // The records that follow position(); at least one. After an error it must not be used any more.
  absl::StatusOr<Batch> Project(absl::Span<const JournalRecord> records);
  Sequence position() const { return position_; }

 private:
  struct AccountFacts {
    std::string name;
    std::string asset;
    std::string merchant_id;  // empty: not a merchant's
    bool external = false;
    Totals totals;
    // Of the page under way:
    bool touched = false;
    bool opened = false;
    Sequence updated_sequence;
    absl::Time updated_at;
    Sequence opened_sequence;
    absl::Time opened_at;
    std::optional<AccountState> state;
    std::optional<absl::int128> min_available;
  };
  struct HoldFacts {
    Posting placed;
    uint16_t code = 0;
    std::string payout_id;  // empty: no payout's
  };
  // What a page does to a hold that is there already, or that it has placed itself.
  struct HoldChange {
    absl::uint128 captured = 0;
    absl::uint128 released = 0;
    Sequence last;
    absl::Time last_at;
    std::string_view ending;
  };
  struct PlacedHold {
    const JournalRecord* record;
    std::string merchant_id;
    std::string asset;
  };
  struct PayoutChange {
    std::string_view state;
    Sequence last;
    absl::Time settled_at;
    absl::uint128 paid = 0;
    absl::uint128 returned = 0;
  };
  struct PlacedPayout {
    const JournalRecord* record;
    std::string merchant_id;
    std::string asset;
  };
  // Of the record under way.
  struct Entries {
    int32_t count = 0;
    std::string merchant_id;
  };

  absl::Status Take(const JournalRecord& record, const AccountOpened& opened, Batch& batch);
  absl::Status Take(const JournalRecord& record, const AccountChanged& changed, Batch& batch);
  absl::Status Take(const JournalRecord& record, const TransactionRecorded& recorded, Batch& batch);
  absl::Status Take(const JournalRecord& record, const HoldExpired& expired, Batch& batch);
  absl::Status TakeRejected(const JournalRecord& record, const TransactionRecorded& rejected, Batch& batch);
  absl::Status TakeHold(const JournalRecord& record, const Transaction& t, const Entries& entries, Batch& batch);
  absl::Status TakeHoldWork(const JournalRecord& record, Sequence hold, absl::uint128 captured, absl::uint128 released,
                            std::string_view ending);
  absl::Status TakePayoutEvent(const JournalRecord& record, const TransactionRecorded& recorded, EventType type,
                               Batch& batch);
  // The hold that a payout's event is of, if it is one.
  absl::StatusOr<std::optional<Sequence>> PayoutHoldOf(const TransactionRecorded& recorded, EventType type);

  absl::Status AddEntries(const JournalRecord& record, absl::Span<const Posting> postings, EntryKind debit,
                          EntryKind credit, Entries& entries, Batch& batch);
  absl::Status AddEntry(const JournalRecord& record, AccountId id, EntryKind kind, Amount amount, Entries& entries,
                        Batch& batch);
  absl::StatusOr<AccountFacts*> Find(AccountId id);
  absl::StatusOr<HoldFacts> FindHold(Sequence sequence);
  absl::StatusOr<HoldFacts> FactsOf(const Transaction& hold);

  void FinishAccounts(Batch& batch);
  void FinishHolds(Batch& batch);
  void FinishPayouts(Batch& batch);
  void Shrink();

  const Ledger& ledger_;
  Sequence position_;  // cached totals are as of here, those of the page under way apart
  const size_t cached_accounts_;
  absl::flat_hash_map<AccountId, AccountFacts> accounts_;
  absl::flat_hash_map<Sequence, HoldFacts> holds_;
  // Of the page under way:
  std::vector<AccountId> touched_;
  absl::flat_hash_map<Sequence, PlacedHold> placed_holds_;
  absl::flat_hash_map<Sequence, HoldChange> hold_changes_;
  absl::flat_hash_map<Sequence, PlacedPayout> placed_payouts_;  // by their hold
  absl::flat_hash_map<Sequence, PayoutChange> payout_changes_;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_PROJECTION_H_

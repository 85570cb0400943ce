// SPDX-License-Identifier: Apache-2.0
//
// What the journal's records are as rows of ours. A row is an applied transaction of settlement:
//
//   PAYMENT_CAPTURED    capture         + gross   fee as posted           settled
//   PAYMENT_REFUNDED    refund          − gross   fee as given back       settled
//   DISPUTE_OPENED      dispute         − held    0                       open; LOST: lost, − what was captured; WON: won
//   PAYOUT_REQUESTED    payout          − held    0                       open; PAID: paid, − what was captured; FAILED, CANCELED
//   PAYOUT_RETURNED     payout_return   + moved   0                       settled
//   ADJUSTMENT          adjustment      ± moved   0                       settled
//
// It happened when the event did (effective_at), else when it was recorded. Rejected transactions, those under other codes, and what a host
// has committed under these codes that moves no merchant's money or has no id as events have them, are no rows.
#ifndef NORTHWIND_SRC_COMPARE_JOURNAL_SIDE_H_
#define NORTHWIND_SRC_COMPARE_JOURNAL_SIDE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "absl/hash/hash.h"
#include "absl/status/statusor.h"
#include "northwind/compare.h"
#include "northwind/ledger.h"
#include "northwind/settlement.h"
#include "src/compare/item.h"
#include "src/settlement/event.h"

namespace northwind::internal::compare {

// One record's doing: a new row, or what has become of one.
struct OurChange {
  std::string name;  // of the item
  uint64_t sequence = 0;
  // A new row, complete but for its day, hour, lateness and fate.
  std::optional<OurKept> row;
  // Else: of the row that this record made …
  uint64_t of = 0;
  LegStatus status{};
  std::optional<absl::int128> units;  // … and its units, if they are others
};

// Not thread-safe. The ledger must outlive it.
class JournalSide {
 public:
  explicit JournalSide(const Ledger& ledger) : ledger_(ledger) {}

  // Nothing if the record says nothing of our rows.
  absl::StatusOr<std::optional<OurChange>> Read(const JournalRecord& record);
  // The event that the record is, as JSON; empty if it is none.
  absl::StatusOr<std::string> EventOf(Sequence sequence);

 private:
  // Of the moved postings, as the merchant sees them.
  struct Moved {
    const MerchantAccount* merchant = nullptr;
    absl::int128 gross = 0;
    absl::int128 fee = 0;
  };
  absl::StatusOr<const std::optional<MerchantAccount>*> OwnerOf(AccountId id);
  absl::StatusOr<Moved> ReadMoved(const Postings& postings);
  absl::StatusOr<std::optional<OurChange>> NewRow(const JournalRecord& record, const TransactionRecorded& recorded,
                                                  Leg leg, LegStatus status, bool fee);
  absl::StatusOr<std::optional<OurChange>> Ending(const JournalRecord& record, const TransactionRecorded& recorded,
                                                  EventType beginning, LegStatus status);

  const Ledger& ledger_;
  // Bounded: emptied when it has kMaxOwners.
  std::unordered_map<AccountId, std::optional<MerchantAccount>, absl::Hash<AccountId>> owners_;
};

}  // namespace northwind::internal::compare

#endif  // NORTHWIND_SRC_COMPARE_JOURNAL_SIDE_H_

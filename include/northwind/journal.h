// SPDX-License-Identifier: Apache-2.0
//
// Records of the journal as followers and auditors see them.
//
//   JournalReader reader = ledger->ReadJournal(Sequence(0));
//   while (true) {
//     NW_ASSIGN_OR_RETURN(std::vector<JournalRecord> records, reader.Next(1000, absl::Now() + absl::Seconds(5)));
//     for (const JournalRecord& r : records) Handle(r);
//   }
#ifndef NORTHWIND_JOURNAL_H_
#define NORTHWIND_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/account.h"
#include "northwind/sequence.h"
#include "northwind/transaction.h"

namespace northwind {

// An account was opened.
struct AccountOpened {
  AccountId id;
  AccountSpec spec;
};

// An account's state or limit was changed; both are given as they stand afterwards.
struct AccountChanged {
  AccountId id;
  AccountState state = AccountState::kOpen;
  absl::int128 min_available = 0;
};

// A transaction was applied or rejected.
struct TransactionRecorded {
  Transaction transaction;              // as requested; host records are not journaled
  Outcome outcome = Outcome::kApplied;  // kApplied or kRejected
  Reason reason = Reason::kNone;
  // Applied capture, release or reverse: the transaction it worked on.
  Sequence target;
  // Applied: what moved. Post and hold: the postings asked for. Capture: the captured part of the hold's posting.
  // Reverse: the postings moved back. Release: empty.
  Postings moved;
  // Applied capture (final) or release: what went back to the hold's debit account.
  Amount released;
};

// A hold ran out: what remained of it went back.
struct HoldExpired {
  Sequence hold;
  Amount released;
};

struct JournalRecord {
  Sequence sequence;
  absl::Time recorded_at;
  std::variant<AccountOpened, AccountChanged, TransactionRecorded, HoldExpired> body;
};

namespace internal {
class LedgerCore;
}  // namespace internal

// Most records one JournalReader::Next returns.
inline constexpr size_t kMaxJournalPage = 10'000;

// Reads the journal forward from a sequence. Sees durable records only. Not thread-safe; any number of readers
// may run beside commits. Must not outlive its ledger.
class JournalReader {
 public:
  // Up to `limit` (1 … kMaxJournalPage) records after the last one returned, in order. Waits until there is at
  // least one or `deadline` passes: then an empty vector. Cancelled once the ledger is closed; DataLoss if the
  // journal is damaged there. An error leaves the position unchanged.
  absl::StatusOr<std::vector<JournalRecord>> Next(size_t limit, absl::Time deadline = absl::InfinitePast());

  // The last sequence returned.
  Sequence position() const { return position_; }

 private:
  friend class Ledger;
  JournalReader(internal::LedgerCore* core, Sequence after) : core_(core), position_(after) {}

  internal::LedgerCore* core_;
  Sequence position_;
};

}  // namespace northwind

#endif  // NORTHWIND_JOURNAL_H_

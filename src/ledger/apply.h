// SPDX-License-Identifier: Apache-2.0
//
// The rules of money: docs/ledger.md in code, and nothing else. Pure: no clock, no I/O, no randomness, no locks.
#ifndef NORTHWIND_SRC_LEDGER_APPLY_H_
#define NORTHWIND_SRC_LEDGER_APPLY_H_

#include <cstdint>
#include <optional>

#include "northwind/transaction.h"
#include "src/ledger/account_row.h"
#include "src/ledger/index.h"
#include "src/ledger/record.h"

namespace northwind::internal {

// An open hold. What is not remaining was captured.
struct HoldRow {
  Posting placed;
  Amount remaining;
  int64_t expires_at = 0;  // Unix nanoseconds; 0 = never
  uint16_t code = 0;
};

// What is known of the transaction that a capture, release or reverse names.
struct TargetFacts {
  enum class State : uint8_t { kNotFound, kRejected, kFound };
  State state = State::kNotFound;
  uint64_t sequence = 0;
  TransactionKind kind = TransactionKind::kPost;
  std::optional<HoldRow> hold;  // if it is a hold that is open
  Postings pairs;               // of a post or capture: what can be reversed (DistinctPairs)
  Progress progress;            // of a post or capture: what was
};

struct Facts {
  std::optional<ReferenceClaim> claim;  // on the transaction's code and reference
  TargetFacts target;
};

// An answer, and what goes with it if it is kApplied.
struct Decision {
  Outcome outcome = Outcome::kApplied;
  Reason reason = Reason::kNone;
  uint16_t posting = 0;

  Postings moved;     // as TransactionRecorded::moved
  Amount released;    // likewise
  Posting hold;       // capture, release: the hold's posting
  Progress progress;  // capture, release, reverse: of the target, afterwards
};

// Step 1 of docs/ledger.md: nothing wrong (kApplied) or kInvalid.
Decision CheckShape(const Transaction& transaction);

// Step 3: kApplied, kDeferred or kInvalid.
Decision CheckAccounts(const AccountRows& rows, const Transaction& transaction);

// Steps 4-9, after the others passed. The decision's entries are appended to `effects` (as AppendEffects would) if and only if
// it is applied; applying them to the rows is the caller's part. `offset` is the record's place in its block.
Decision Decide(const AccountRows& rows, const Transaction& transaction, const Facts& facts, uint32_t offset,
                Effects& effects);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_APPLY_H_

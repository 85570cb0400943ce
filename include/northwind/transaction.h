// SPDX-License-Identifier: Apache-2.0
//
// What a caller asks the ledger to do, and what the ledger answers.
//
//   Transaction pay{.key = DeriveKey("pay_1", at), .postings = {{world, merchant, 10'000}}};
//   Transaction hold{.key = k2, .kind = TransactionKind::kHold, .postings = {{merchant, bank, 5'000}},
//                    .code = 20, .reference = "po_9", .unique_reference = true};
//   Transaction paid{.key = k3, .kind = TransactionKind::kCapture, .target = Target::Reference(20, "po_9")};
#ifndef NORTHWIND_TRANSACTION_H_
#define NORTHWIND_TRANSACTION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "northwind/account.h"
#include "northwind/amount.h"
#include "northwind/idempotency_key.h"
#include "northwind/sequence.h"

namespace northwind {

inline constexpr size_t kMaxPostings = 256;
inline constexpr size_t kMaxReferenceBytes = 128;
inline constexpr size_t kMaxMetadataBytes = 4096;
inline constexpr size_t kMaxHostRecords = 8;
inline constexpr size_t kMaxHostKeyBytes = 256;
inline constexpr size_t kMaxHostValueBytes = 4096;
// Bounds of one batch given to Commit or CommitAsync.
inline constexpr size_t kMaxBatchTransactions = 8190;
inline constexpr size_t kMaxBatchBytes = 8 << 20;  // as encoded in the journal, host records included

// Persisted; the values are pinned.
enum class TransactionKind : uint8_t {
  kPost = 1,     // moves money now
  kHold = 2,     // reserves it: one posting, optional expiry
  kCapture = 3,  // moves all or part of a hold; a final capture releases the rest
  kRelease = 4,  // gives the rest of a hold back
  kReverse = 5,  // moves back all or part of a post or a capture
};

// Money moves out of `debit` into `credit`.
struct Posting {
  AccountId debit;
  AccountId credit;
  Amount amount;
  friend bool operator==(const Posting&, const Posting&) = default;
};

// One posting lies inside the transaction; more are on the heap.
using Postings = absl::InlinedVector<Posting, 1>;

// The earlier transaction that a capture, release or reverse works on: by its key, or by code and reference. By
// reference it is the earliest applied transaction of that code and reference.
struct Target {
  static Target Key(const IdempotencyKey& key) {
    Target target;
    target.key = key;
    return target;
  }
  static Target Reference(uint16_t code, std::string_view reference) {
    Target target;
    target.code = code;
    target.reference = reference;
    return target;
  }

  std::optional<IdempotencyKey> key;  // if set, code and reference are not looked at and must be empty
  uint16_t code = 0;
  std::string reference;
  friend bool operator==(const Target&, const Target&) = default;
};

// A record of the embedding service, written in the same atomic write as the transaction, if and only if that is
// applied. Read it back with Store::Get. The last write of a key wins.
struct HostRecord {
  std::string key;
  std::string value;
};

// A request. Which fields a kind takes:
//
//   post      postings (1–256)
//   hold      postings (exactly 1); expires_at optional
//   capture   target; amount (zero = all that remains); final_capture
//   release   target
//   reverse   target; postings empty (= all that is not yet reversed), or the part to move back, each posting
//             turned round: its debit is a credit of the target, its credit the matching debit
//
// A field that the kind does not take must be left at its default; otherwise the outcome is kInvalid.
struct Transaction {
  IdempotencyKey key;
  TransactionKind kind = TransactionKind::kPost;
  Postings postings;
  std::optional<Target> target;
  Amount amount;
  bool final_capture = false;
  // The caller's category, any value.
  uint16_t code = 0;
  // The caller's name for it, ≤ 128 bytes, e.g. a payment id. Found again with Ledger::FindByReference.
  std::string reference;
  // At most one applied transaction, ever, may carry this code and reference. Needs a reference.
  bool unique_reference = false;
  // When it happened in the business, if that is not the recorded time; 1970 … 2262, kept to the nanosecond.
  std::optional<absl::Time> effective_at;
  // A hold not resolved by then is released by the ledger; same range.
  std::optional<absl::Time> expires_at;
  // Opaque to the ledger, ≤ 4 KiB.
  std::string metadata;
  // Not part of the content that a duplicate is compared on.
  std::vector<HostRecord> host_records;
};

// Persisted where journaled; the values are pinned.
enum class Outcome : uint8_t {
  kApplied = 1,    // done, and durable
  kRejected = 2,   // a business answer, journaled and frozen to the key: see Reason
  kDuplicate = 3,  // same key, same content as an earlier one: carries that one's outcome, nothing done
  kConflict = 4,   // same key, other content: nothing done
  kDeferred = 5,   // may become possible: nothing journaled, the caller retries
  kInvalid = 6,    // malformed in itself: nothing journaled
};

// Persisted where journaled; the values are pinned.
enum class Reason : uint8_t {
  kNone = 0,
  // rejected
  kInsufficientFunds = 1,  // an account's available would fall below its limit
  kAccountFrozen = 2,
  kAccountClosed = 3,
  kReferenceUsed = 4,   // code and reference belong to an applied transaction, and one of the two is unique
  kTargetResolved = 5,  // the hold is captured, released or expired; or everything is reversed already
  kExceedsTarget = 6,   // more than what remains of the target
  kTargetMismatch = 7,  // the target is of a kind, or has postings, that this cannot work on; or it was rejected
  kTotalOverflow = 8,   // a total of an account would pass 2^127−1
  // deferred
  kTargetNotFound = 32,
  kAccountNotFound = 33,
  // invalid
  kPostingCount = 64,  // none, or more than the kind or the bound allows
  kZeroAmount = 65,
  kAmountTooLarge = 66,   // the amounts of one transaction add up past 2^127−1
  kSameAccount = 67,      // debit and credit of a posting are one account
  kAssetMismatch = 68,    // debit and credit of a posting are in different assets
  kTargetMissing = 69,    // the kind needs a target; or the target names nothing or two things
  kUnexpectedField = 70,  // a field that this kind does not take
  kReferenceTooLong = 71,
  kReferenceMissing = 72,  // unique_reference without a reference
  kMetadataTooLong = 73,
  kTimeOutOfRange = 74,
  kHostRecordTooLarge = 75,  // too many, an empty key, or a key or value over its bound
  kUnknownKind = 76,
};

// The content of a transaction, in the order in which a conflict names the first difference.
enum class Field : uint8_t {
  kNone = 0,
  kKind = 1,
  kPostings = 2,
  kTarget = 3,
  kAmount = 4,
  kFinalCapture = 5,
  kCode = 6,
  kReference = 7,
  kUniqueReference = 8,
  kEffectiveAt = 9,
  kExpiresAt = 10,
  kMetadata = 11,
};

// Lower-case names with underscores, as used in JSON and reports ("insufficient_funds").
std::string_view Name(TransactionKind kind);
std::string_view Name(Outcome outcome);
std::string_view Name(Reason reason);
std::string_view Name(Field field);

// The totals of one account right after a transaction.
struct ResultingBalance {
  AccountId account;
  Totals totals;
};

// The answer to one transaction of a batch.
struct CommitResult {
  Outcome outcome = Outcome::kInvalid;
  // For a duplicate: kApplied or kRejected, what the key's first transaction came to. Else equal to `outcome`.
  Outcome original = Outcome::kInvalid;
  // Why, unless applied. For a duplicate of a rejected transaction: that one's reason.
  Reason reason = Reason::kNone;
  // For a conflict: the first field that differs from what the key stands for.
  Field conflict = Field::kNone;
  // For kInvalid, kDeferred(kAccountNotFound) and posting-related rejections: the posting it is about, else 0.
  uint16_t posting = 0;
  // Where the key's transaction stands in the journal (also for duplicates and conflicts); 0 if not journaled.
  Sequence sequence;
  // When that was recorded; InfinitePast if not journaled.
  absl::Time recorded_at = absl::InfinitePast();
  // If asked for (CommitOptions::balances): one entry per distinct account of the applied transaction, in order of
  // first appearance; for a duplicate of an applied one, as they were right after the original.
  std::vector<ResultingBalance> balances;
};

}  // namespace northwind

#endif  // NORTHWIND_TRANSACTION_H_

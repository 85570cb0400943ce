// SPDX-License-Identifier: Apache-2.0
//
// The records of the journal and their bytes.
//
//   record      = varint(length of the rest) type body
//   type        = u8: 1 account opened, 2 account changed, 3 transaction, 4 hold expired
//   opened      = varint(id) bytes(name) bytes(asset) u8(external) zigzag128(min_available)
//   changed     = varint(id) u8(state) zigzag128(min_available)
//   transaction = key(16) u8(reason; 0 = applied) content resolved
//   expired     = varint(hold sequence) varint(debit) varint(credit) varint128(released) varint(code)
//
//   content     = u8(kind | flags) u8(present) [postings] [target] [amount] [code] [reference] [effective] [expires] [metadata]
//     kind      : bits 0-2; flags: 0x08 final_capture, 0x10 unique_reference
//     present   : 0x01 postings, 0x02 target key, 0x04 target reference, 0x08 amount, 0x10 code, 0x20 reference,
//                 0x40 times, 0x80 metadata
//     postings  = varint(count) count × (varint(debit) varint(credit) varint128(amount))
//     target    = key(16) | varint(code) bytes(reference)
//     times     = u8(1 effective_at | 2 expires_at) then 8 bytes big-endian Unix nanoseconds each
//   resolved    (applied only)
//     post, hold: nothing
//     capture   = varint(target) varint(debit) varint(credit) varint128(placed) varint128(captured now)
//                 varint128(captured in all) varint128(released now)
//     release   = varint(target) varint(debit) varint(credit) varint128(placed) varint128(captured in all) varint128(released now)
//     reverse   = varint(target) postings (what moved) varint(pairs) pairs × varint128(reversed in all)
//
// bytes(x) is varint(length) and the bytes; varint is LEB128 in its shortest form; zigzag128 maps signed to unsigned.
// A transaction's content is canonical: equal requests have equal content, and only those. Decoders accept nothing
// but what the encoders write.
#ifndef NORTHWIND_SRC_LEDGER_RECORD_H_
#define NORTHWIND_SRC_LEDGER_RECORD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "northwind/account.h"
#include "northwind/journal.h"
#include "northwind/transaction.h"

namespace northwind::internal {

// How much of a transaction is undone or used up, after the latest record that worked on it. Pairs are the distinct
// (debit, credit) pairs of what it moved, in order of first appearance.
struct Progress {
  Amount captured;                          // holds
  Amount released;                          // holds
  absl::InlinedVector<Amount, 1> reversed;  // posts and captures, a sum per pair
  friend bool operator==(const Progress&, const Progress&) = default;
};

// A transaction as journaled: the public record and what replaying it needs.
struct StoredTransaction {
  TransactionRecorded record;
  // Applied capture and release: the hold's posting as placed.
  Posting hold;
  // Applied capture, release, reverse: the progress of the target after this.
  Progress progress;
};

struct StoredExpiry {
  HoldExpired record;
  AccountId debit;
  AccountId credit;
  uint16_t code = 0;
};

using StoredRecord = std::variant<AccountOpened, AccountChanged, StoredTransaction, StoredExpiry>;

// Appends the content bytes of a request (see above).
void EncodeContent(const Transaction& transaction, std::string& out);

// Appends a record, length included. `content` is what EncodeContent made of the transaction.
void EncodeTransaction(const StoredTransaction& stored, std::string_view content, std::string& out);
// The same for an applied post or hold or a rejected transaction, which resolve nothing.
void EncodePlainTransaction(const IdempotencyKey& key, Reason reason, std::string_view content, std::string& out);
void EncodeRecord(const AccountOpened& opened, std::string& out);
void EncodeRecord(const AccountChanged& changed, std::string& out);
void EncodeRecord(const StoredExpiry& expiry, std::string& out);

// Decodes one record without its length. DataLoss if it is not exactly one.
absl::Status DecodeRecord(std::string_view bytes, StoredRecord& record);

// Stable 64-bit hash of content bytes, kept beside each key (XXH3, seed 0).
uint64_t Fingerprint(std::string_view content);

// The first field in which two requests differ, kNone if in none.
Field FirstDifference(const Transaction& a, const Transaction& b);

// The distinct (debit, credit) pairs of some postings with their summed amounts, in order of first appearance.
Postings DistinctPairs(const Postings& moved);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_RECORD_H_

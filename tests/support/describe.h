// SPDX-License-Identifier: Apache-2.0
//
// Comparing and printing the public value types, complete in every field, so that a difference between the ledger
// and its model is one readable line.
#ifndef NORTHWIND_TESTS_SUPPORT_DESCRIBE_H_
#define NORTHWIND_TESTS_SUPPORT_DESCRIBE_H_

#include <ostream>
#include <string>

#include "northwind/ledger.h"

namespace northwind::testing {

bool Same(const Transaction& a, const Transaction& b);
bool Same(const CommitResult& a, const CommitResult& b);
bool Same(const JournalRecord& a, const JournalRecord& b);
bool Same(const TransactionView& a, const TransactionView& b);
bool Same(const Account& a, const Account& b);

std::string Describe(Sequence sequence);
std::string Describe(const ResultingBalance& balance);
std::string Describe(const absl::uint128& number);
std::string Describe(const absl::int128& number);
std::string Describe(const Totals& totals);
std::string Describe(const Posting& posting);
std::string Describe(const Transaction& transaction);
std::string Describe(const CommitResult& result);
std::string Describe(const Entry& entry);
std::string Describe(const Hold& hold);
std::string Describe(const JournalRecord& record);
std::string Describe(const TransactionView& view);
std::string Describe(const Account& account);

}  // namespace northwind::testing

// How GoogleTest prints them.
namespace northwind {

inline void PrintTo(AccountId id, std::ostream* out) { *out << "account " << id.value(); }
inline void PrintTo(Sequence sequence, std::ostream* out) { *out << "#" << sequence.value(); }
inline void PrintTo(Amount amount, std::ostream* out) { *out << amount.ToString(0); }
inline void PrintTo(const IdempotencyKey& key, std::ostream* out) { *out << key.ToString(); }
inline void PrintTo(Outcome outcome, std::ostream* out) { *out << Name(outcome); }
inline void PrintTo(Reason reason, std::ostream* out) { *out << Name(reason); }
inline void PrintTo(Field field, std::ostream* out) { *out << Name(field); }
inline void PrintTo(EntryKind kind, std::ostream* out) { *out << Name(kind); }
inline void PrintTo(const Totals& totals, std::ostream* out) { *out << testing::Describe(totals); }
inline void PrintTo(const Posting& posting, std::ostream* out) { *out << testing::Describe(posting); }
inline void PrintTo(const Entry& entry, std::ostream* out) { *out << testing::Describe(entry); }
inline void PrintTo(const Hold& hold, std::ostream* out) { *out << testing::Describe(hold); }
inline void PrintTo(const CommitResult& result, std::ostream* out) { *out << testing::Describe(result); }
inline void PrintTo(const HistoryCursor& cursor, std::ostream* out) {
  *out << "(#" << cursor.sequence.value() << ", " << cursor.index << ")";
}

}  // namespace northwind

#endif  // NORTHWIND_TESTS_SUPPORT_DESCRIBE_H_

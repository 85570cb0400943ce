// SPDX-License-Identifier: Apache-2.0
//
// A merchant's accounts and what moved on them, as the API tells it: whose an account is follows from its name,
// "merchant:<id>:<kind>:<ASSET>" (docs/events.md).
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_MERCHANT_BOOK_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_MERCHANT_BOOK_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/auth/credentials.h"
#include "northwind/ledger.h"
#include "northwind/settlement.h"

namespace northwind::server {

inline constexpr std::string_view kMerchantPrefix = "merchant:";
// The kind of the account that settlement keeps a merchant's money on.
inline constexpr std::string_view kAvailable = "available";

struct MerchantAccount {
  AccountId id;
  std::string merchant;
  std::string kind;  // "available"; of an account whose name does not end with its asset, the rest of the name
  Asset asset;
};

// Nothing if the account is no merchant's.
std::optional<MerchantAccount> AsMerchantAccount(const Account& account);
// All of a merchant, by name; empty for one that has none, and for what is no merchant's id.
absl::StatusOr<std::vector<MerchantAccount>> AccountsOf(const Ledger& ledger, std::string_view merchant);

// One account's part in a journal record.
struct MovedLine {
  AccountId account;
  EntryKind kind = EntryKind::kDebit;
  Amount amount;
};

// A journal record that moved or held money.
struct MovedRecord {
  Sequence sequence;
  absl::Time recorded_at;
  std::optional<EventType> type;  // nothing for what is no event: a host's own transaction, a hold that ran out
  std::string payment_id;
  std::string payout_id;
  std::optional<absl::Time> effective_at;
  std::string metadata_owner;  // the merchant that an end says it is of; it may be another than whose money it moved
  std::map<std::string, std::string> metadata;
  std::vector<MovedLine> lines;
};

// Nothing for records that moved nothing, such as rejected transactions. Reads the hold that a release or an expiry worked on.
absl::StatusOr<std::optional<MovedRecord>> AsMovedRecord(const Ledger& ledger, const JournalRecord& record);
absl::StatusOr<std::optional<MovedRecord>> ReadMovedRecord(const Ledger& ledger, Sequence sequence);

// Nothing if the id names no account of a merchant.
using AccountLookup = absl::FunctionRef<std::optional<MerchantAccount>(AccountId)>;

// T of the API; nothing if none of it was on the merchant's accounts. Of the other side of it nothing is told.
std::optional<Json> TransactionJson(const MovedRecord& record, std::string_view merchant, AccountLookup account_of);
// The same, with accounts looked up among the merchant's own.
std::optional<Json> TransactionJson(const MovedRecord& record, absl::Span<const MerchantAccount> accounts);

// Journal records that moved something on any of the accounts, newest first.
struct RecordsQuery {
  absl::Time from = absl::InfinitePast();
  absl::Time before = absl::InfiniteFuture();
  std::optional<uint16_t> code;
  Sequence below;  // only records before this one; 0: from the newest
  size_t limit = 100;
};
struct RecordsPage {
  std::vector<Sequence> sequences;
  Sequence next;  // `below` of the next page; 0 at the end. A page may be short, even empty, and have a next one
};
inline constexpr size_t kMaxEntriesLookedAt = 10'000;  // for one page
inline constexpr size_t kMaxMergedAccounts = 1'000;
// InvalidArgument for more than kMaxMergedAccounts.
absl::StatusOr<RecordsPage> ListRecords(const Ledger& ledger, absl::Span<const MerchantAccount> accounts,
                                        const RecordsQuery& query);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_MERCHANT_BOOK_H_

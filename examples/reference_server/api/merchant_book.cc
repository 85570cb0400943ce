// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/merchant_book.h"

#include <algorithm>
#include <queue>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/text.h"
#include "northwind/payout.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

bool IsOfPayout(EventType type) { return type >= EventType::kPayoutRequested && type <= EventType::kPayoutReturned; }

// A string of a transaction's metadata: its size as a varint, then the string (docs/events.md).
std::optional<std::string_view> TakeString(std::string_view& bytes) {
  uint64_t size = 0;
  for (int shift = 0; shift < 28; shift += 7) {
    if (bytes.empty()) return std::nullopt;
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    size |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte >= 0x80) continue;
    if (size > bytes.size()) return std::nullopt;
    const std::string_view text = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return text;
  }
  return std::nullopt;
}

void ReadMetadata(std::string_view bytes, MovedRecord& moved) {
  while (!bytes.empty()) {
    const std::optional<std::string_view> key = TakeString(bytes);
    const std::optional<std::string_view> value = key.has_value() ? TakeString(bytes) : std::nullopt;
    if (!value.has_value()) {  // a host's own, under a code of settlement's
      moved.metadata.clear();
      return;
    }
    if (key->empty()) {
      moved.metadata_owner = value->substr(0, value->find(':'));
    } else {
      moved.metadata.emplace(*key, *value);
    }
  }
}

void ReadSubject(const Transaction& transaction, MovedRecord& moved) {
  moved.type = EventTypeOfCode(transaction.code);
  moved.effective_at = transaction.effective_at;
  if (!moved.type.has_value()) return;
  if (IsOfPayout(*moved.type)) {
    moved.payout_id = transaction.reference;
  } else {
    // Of a refund: payment id, "/", refund id.
    moved.payment_id = transaction.reference.substr(0, transaction.reference.find('/'));
  }
  ReadMetadata(transaction.metadata, moved);
}

void AddLines(const Posting& posting, EntryKind debit, EntryKind credit, Amount amount, MovedRecord& moved) {
  if (amount.is_zero()) return;
  moved.lines.push_back({.account = posting.debit, .kind = debit, .amount = amount});
  moved.lines.push_back({.account = posting.credit, .kind = credit, .amount = amount});
}

absl::Status AddRelease(const Ledger& ledger, Sequence hold, Amount released, MovedRecord& moved) {
  NW_ASSIGN_OR_RETURN(const TransactionView view, ledger.GetTransaction(hold));
  if (view.record.moved.empty()) return absl::DataLossError("a hold without its posting");
  AddLines(view.record.moved.front(), EntryKind::kReleaseDebit, EntryKind::kReleaseCredit, released, moved);
  return absl::OkStatus();
}

absl::Status AddTransaction(const Ledger& ledger, const TransactionRecorded& record, MovedRecord& moved) {
  ReadSubject(record.transaction, moved);
  EntryKind debit = EntryKind::kDebit;
  EntryKind credit = EntryKind::kCredit;
  if (record.transaction.kind == TransactionKind::kHold) {
    debit = EntryKind::kHoldDebit;
    credit = EntryKind::kHoldCredit;
  } else if (record.transaction.kind == TransactionKind::kCapture) {
    debit = EntryKind::kCaptureDebit;
    credit = EntryKind::kCaptureCredit;
  }
  for (const Posting& posting : record.moved) AddLines(posting, debit, credit, posting.amount, moved);
  if (record.released.is_zero()) return absl::OkStatus();
  return AddRelease(ledger, record.target, record.released, moved);
}

// One account's entries, newest first, a chunk at a time.
class Descent {
 public:
  Descent(const Ledger& ledger, AccountId account, const RecordsQuery& query, size_t chunk)
      : ledger_(ledger), account_(account) {
    query_.direction = Direction::kBackward;
    query_.from = query.from;
    query_.to = query.before;
    query_.limit = chunk;
    if (query.below != Sequence()) query_.cursor = HistoryCursor{.sequence = query.below, .index = 0};
  }
  // False at the end.
  absl::StatusOr<bool> Advance() {
    if (++at_ < page_.entries.size()) return true;
    if (ended_) return false;
    NW_ASSIGN_OR_RETURN(page_, ledger_.History(account_, query_));
    ended_ = !page_.next.has_value();
    query_.cursor = page_.next;
    // Who needs more than a little needs much.
    query_.limit = std::min(2 * query_.limit, kMaxHistoryPage);
    at_ = 0;
    return !page_.entries.empty();
  }
  const Entry& entry() const { return page_.entries[at_]; }

 private:
  const Ledger& ledger_;
  AccountId account_;
  HistoryQuery query_;
  HistoryPage page_;
  size_t at_ = 0;
  bool ended_ = false;
};

}  // namespace

std::optional<MerchantAccount> AsMerchantAccount(const Account& account) {
  std::string_view name = account.name;
  if (!name.starts_with(kMerchantPrefix)) return std::nullopt;
  name.remove_prefix(kMerchantPrefix.size());
  const size_t colon = name.find(':');
  if (colon == std::string_view::npos || !IsMerchantId(name.substr(0, colon))) return std::nullopt;
  MerchantAccount mine{.id = account.id, .merchant = std::string(name.substr(0, colon)), .asset = account.asset};
  std::string_view kind = name.substr(colon + 1);
  const std::string ending = ":" + account.asset.ToString();
  if (kind.ends_with(ending)) kind.remove_suffix(ending.size());
  mine.kind = kind;
  return mine;
}

absl::StatusOr<std::vector<MerchantAccount>> AccountsOf(const Ledger& ledger, std::string_view merchant) {
  std::vector<MerchantAccount> accounts;
  if (!IsMerchantId(merchant)) return accounts;
  const std::string prefix = absl::StrCat(ToAbsl(kMerchantPrefix), ToAbsl(merchant), ":");
  std::string after;
  do {
    NW_ASSIGN_OR_RETURN(AccountPage page, ledger.ListAccounts(prefix, after, kMaxAccountPage));
    for (const Account& account : page.accounts) {
      if (std::optional<MerchantAccount> mine = AsMerchantAccount(account)) accounts.push_back(*std::move(mine));
    }
    after = std::move(page.next);
  } while (!after.empty());
  return accounts;
}

absl::StatusOr<std::optional<MovedRecord>> AsMovedRecord(const Ledger& ledger, const JournalRecord& record) {
  MovedRecord moved{.sequence = record.sequence, .recorded_at = record.recorded_at};
  if (const auto* transaction = std::get_if<TransactionRecorded>(&record.body)) {
    if (transaction->outcome != Outcome::kApplied) return std::nullopt;
    NW_RETURN_IF_ERROR(AddTransaction(ledger, *transaction, moved));
  } else if (const auto* expired = std::get_if<HoldExpired>(&record.body)) {
    NW_RETURN_IF_ERROR(AddRelease(ledger, expired->hold, expired->released, moved));
  }
  if (moved.lines.empty()) return std::nullopt;
  return moved;
}

absl::StatusOr<std::optional<MovedRecord>> ReadMovedRecord(const Ledger& ledger, Sequence sequence) {
  if (sequence == Sequence() || sequence > ledger.Head().sequence) return std::nullopt;
  JournalReader reader = ledger.ReadJournal(Sequence(sequence.value() - 1));
  NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> records, reader.Next(1));
  if (records.empty()) return std::nullopt;
  return AsMovedRecord(ledger, records.front());
}

std::optional<Json> TransactionJson(const MovedRecord& record, std::string_view merchant, AccountLookup account_of) {
  Json entries = Json::array();
  for (const MovedLine& line : record.lines) {
    const std::optional<MerchantAccount> account = account_of(line.account);
    if (!account.has_value() || account->merchant != merchant) continue;
    entries.push_back({{"account", account->kind},
                       {"kind", Name(line.kind)},
                       {"amount", MoneyJson(account->asset, static_cast<absl::int128>(line.amount.units()))}});
  }
  if (entries.empty()) return std::nullopt;
  Json json = {{"sequence", std::to_string(record.sequence.value())},
               {"recorded_at", TimeJson(record.recorded_at)},
               {"type", nullptr},
               {"payment_id", nullptr},
               {"payout_id", nullptr},
               {"entries", std::move(entries)},
               {"effective_at", TimeJson(record.effective_at.value_or(absl::InfinitePast()))},
               {"metadata", Json::object()}};
  if (record.type.has_value()) json["type"] = Name(*record.type);
  if (!record.payment_id.empty()) json["payment_id"] = record.payment_id;
  if (!record.payout_id.empty()) json["payout_id"] = record.payout_id;
  // Whatever was written into the event of another merchant is not this one's to read.
  if (record.metadata_owner.empty() || record.metadata_owner == merchant) {
    for (const auto& [key, value] : record.metadata) {
      if (key != kProviderKeyMetadata || record.payout_id.empty()) json["metadata"][key] = value;
    }
  }
  return json;
}

std::optional<Json> TransactionJson(const MovedRecord& record, absl::Span<const MerchantAccount> accounts) {
  if (accounts.empty()) return std::nullopt;
  return TransactionJson(record, accounts.front().merchant, [&](AccountId id) -> std::optional<MerchantAccount> {
    const auto found =
        std::find_if(accounts.begin(), accounts.end(), [id](const MerchantAccount& mine) { return mine.id == id; });
    if (found == accounts.end()) return std::nullopt;
    return *found;
  });
}

absl::StatusOr<RecordsPage> ListRecords(const Ledger& ledger, absl::Span<const MerchantAccount> accounts,
                                        const RecordsQuery& query) {
  RecordsPage page;
  if (accounts.empty()) return page;
  if (accounts.size() > kMaxMergedAccounts) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", accounts.size(), " accounts, too many to list together: name an asset"));
  }
  const size_t chunk = std::clamp<size_t>(query.limit / accounts.size(), 4, kMaxHistoryPage);
  std::vector<Descent> descents;
  std::priority_queue<std::pair<uint64_t, size_t>> newest;  // by sequence; whose it is
  for (const MerchantAccount& account : accounts) {
    descents.emplace_back(ledger, account.id, query, chunk);
    NW_ASSIGN_OR_RETURN(const bool more, descents.back().Advance());
    if (more) newest.emplace(descents.back().entry().sequence.value(), descents.size() - 1);
  }
  Sequence last;
  for (size_t looks = 0; !newest.empty(); ++looks) {
    const auto [value, place] = newest.top();
    const Sequence sequence(value);
    // What is of one record stays together, whatever the page is cut at.
    if (sequence != last && (page.sequences.size() == query.limit || looks >= kMaxEntriesLookedAt)) {
      page.next = last;
      break;
    }
    newest.pop();
    Descent& descent = descents[place];
    const bool wanted = !query.code.has_value() || descent.entry().code == *query.code;
    if (wanted && (page.sequences.empty() || page.sequences.back() != sequence)) page.sequences.push_back(sequence);
    last = sequence;
    NW_ASSIGN_OR_RETURN(const bool more, descent.Advance());
    if (more) newest.emplace(descent.entry().sequence.value(), place);
  }
  return page;
}

}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/reader.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <variant>

#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

absl::Status OutOfBounds(const char* what, size_t value, size_t max) {
  return Error(absl::StatusCode::kInvalidArgument, what, " is ", value, ", not 1 to ", max);
}

// Unix nanoseconds, clamped to what the journal can hold.
int64_t ClampedNanos(absl::Time time) {
  const absl::Time latest = absl::FromUnixNanos(std::numeric_limits<int64_t>::max());
  if (time < absl::UnixEpoch()) return -1;
  return absl::ToUnixNanos(std::min(time, latest));
}

JournalRecord ToPublic(StoredRecord&& stored, uint64_t sequence, absl::Time recorded_at) {
  JournalRecord record{.sequence = Sequence(sequence), .recorded_at = recorded_at};
  if (auto* opened = std::get_if<AccountOpened>(&stored)) {
    record.body = std::move(*opened);
  } else if (auto* changed = std::get_if<AccountChanged>(&stored)) {
    record.body = *changed;
  } else if (auto* transaction = std::get_if<StoredTransaction>(&stored)) {
    record.body = std::move(transaction->record);
  } else {
    record.body = std::get<StoredExpiry>(stored).record;
  }
  return record;
}

// Decides which entries of an account's history belong on a page.
class PageFilter {
 public:
  PageFilter(const HistoryQuery& query, uint64_t head) : query_(query), head_(head) {}

  bool Wants(const Entry& entry) const {
    return entry.sequence.value() <= head_ && (!query_.code || entry.code == *query_.code) &&
           entry.recorded_at >= query_.from && entry.recorded_at < query_.to && BeyondCursor(entry);
  }
  // No entry further on in the query's direction can be wanted.
  bool Past(const Entry& entry) const {
    if (query_.direction == Direction::kBackward) return entry.recorded_at < query_.from;
    return entry.recorded_at >= query_.to || entry.sequence.value() > head_;
  }

 private:
  bool BeyondCursor(const Entry& entry) const {
    if (!query_.cursor) return true;
    const std::pair<Sequence, uint32_t> place{entry.sequence, entry.index};
    const std::pair<Sequence, uint32_t> cursor{query_.cursor->sequence, query_.cursor->index};
    return query_.direction == Direction::kForward ? place > cursor : place < cursor;
  }

  const HistoryQuery& query_;
  const uint64_t head_;
};

}  // namespace

template <typename Keep>
absl::StatusOr<Totals> Reader::FoldUpTo(AccountId id, uint64_t from, const Keep& keep) const {
  HistoryChunk chunk;
  std::vector<Entry> entries;
  while (true) {
    NW_ASSIGN_OR_RETURN(const bool found, history_.Floor(id, from, chunk));
    if (!found) return Totals();
    NW_RETURN_IF_ERROR(UnpackHistoryChunk(chunk, entries));
    const auto refused = std::find_if_not(entries.begin(), entries.end(), keep);
    if (refused != entries.begin()) return std::prev(refused)->after;
    if (chunk.first == 0) return Totals();
    from = chunk.first - 1;
  }
}

absl::StatusOr<Totals> Reader::BalanceAt(AccountId id, Sequence at) const {
  NW_RETURN_IF_ERROR(view_.CheckAccount(id));
  const uint64_t head = view_.Head().sequence.value();
  if (at.value() > head) {
    return Error(absl::StatusCode::kOutOfRange, "sequence ", at.value(), " is past the head, ", head);
  }
  return FoldUpTo(id, at.value(), [at](const Entry& entry) { return entry.sequence <= at; });
}

absl::StatusOr<Totals> Reader::BalanceAt(AccountId id, absl::Time at) const {
  NW_RETURN_IF_ERROR(view_.CheckAccount(id));
  const int64_t nanos = ClampedNanos(at);
  if (nanos < 0) return Totals();
  NW_ASSIGN_OR_RETURN(const uint64_t ceiling, history_.CeilingOfTime(nanos));
  return FoldUpTo(id, ceiling, [at](const Entry& entry) { return entry.recorded_at <= at; });
}

absl::StatusOr<HistoryPage> Reader::History(AccountId id, const HistoryQuery& query) const {
  NW_RETURN_IF_ERROR(view_.CheckAccount(id));
  if (query.limit < 1 || query.limit > kMaxHistoryPage) {
    return OutOfBounds("limit of a history page", query.limit, kMaxHistoryPage);
  }
  if (query.to <= query.from || query.to <= absl::UnixEpoch()) return HistoryPage();
  const bool forward = query.direction == Direction::kForward;
  const uint64_t head = view_.Head().sequence.value();
  const PageFilter filter(query, head);
  // Begin where both cursor and times allow the first entry.
  uint64_t start;
  if (forward) {
    NW_ASSIGN_OR_RETURN(start, history_.FloorOfTime(ClampedNanos(query.from)));
    if (query.cursor) start = std::max(start, query.cursor->sequence.value());
  } else {
    NW_ASSIGN_OR_RETURN(start, history_.CeilingOfTime(ClampedNanos(query.to)));
    start = std::min(start, query.cursor ? query.cursor->sequence.value() : head);
  }
  HistoryPage page;
  HistoryChunk chunk;
  std::vector<Entry> entries;
  NW_ASSIGN_OR_RETURN(bool found, history_.Floor(id, start, chunk));
  if (!found && forward) {
    NW_ASSIGN_OR_RETURN(found, history_.After(id, start, chunk));
  }
  while (found) {
    NW_RETURN_IF_ERROR(UnpackHistoryChunk(chunk, entries));
    const uint64_t last = entries.back().sequence.value();
    if (!forward) std::reverse(entries.begin(), entries.end());
    for (const Entry& entry : entries) {
      if (filter.Wants(entry)) {
        if (page.entries.size() == query.limit) {
          page.next = HistoryCursor{page.entries.back().sequence, page.entries.back().index};
          return page;
        }
        page.entries.push_back(entry);
      } else if (filter.Past(entry)) {
        return page;
      }
    }
    if (forward) {
      NW_ASSIGN_OR_RETURN(found, history_.After(id, last, chunk));
    } else if (chunk.first == 0) {
      found = false;
    } else {
      NW_ASSIGN_OR_RETURN(found, history_.Floor(id, chunk.first - 1, chunk));
    }
  }
  return page;
}

absl::StatusOr<StoredRecord> Reader::LoadRecord(uint64_t sequence, absl::Time& recorded_at) const {
  NW_ASSIGN_OR_RETURN(const std::shared_ptr<const Block> block, journal_.Find(sequence));
  StoredRecord record;
  NW_RETURN_IF_ERROR(DecodeRecord(block->Record(sequence), record));
  recorded_at = absl::FromUnixNanos(block->RecordedAt(sequence));
  return record;
}

absl::StatusOr<HoldPage> Reader::OpenHolds(AccountId id, Sequence after, size_t limit) const {
  NW_RETURN_IF_ERROR(view_.CheckAccount(id));
  if (limit < 1 || limit > kMaxHoldPage) return OutOfBounds("limit of a page of holds", limit, kMaxHoldPage);
  const std::vector<std::pair<uint64_t, Amount>> open = view_.OpenHolds(id, after.value(), limit + 1);
  HoldPage page;
  for (const auto& [sequence, remaining] : open) {
    if (page.holds.size() == limit) {
      page.next = page.holds.back().sequence;
      break;
    }
    absl::Time recorded_at;
    NW_ASSIGN_OR_RETURN(const StoredRecord record, LoadRecord(sequence, recorded_at));
    const StoredTransaction* stored = std::get_if<StoredTransaction>(&record);
    if (stored == nullptr || stored->record.moved.size() != 1) {
      return Error(absl::StatusCode::kDataLoss, "sequence ", sequence, " is listed as a hold but is none");
    }
    const Transaction& t = stored->record.transaction;
    page.holds.push_back({.sequence = Sequence(sequence),
                          .key = t.key,
                          .posting = stored->record.moved.front(),
                          .remaining = remaining,
                          .code = t.code,
                          .reference = t.reference,
                          .expires_at = t.expires_at});
  }
  return page;
}

absl::StatusOr<TransactionView> Reader::Describe(uint64_t sequence, uint64_t head) const {
  TransactionView view{.sequence = Sequence(sequence)};
  NW_ASSIGN_OR_RETURN(StoredRecord record, LoadRecord(sequence, view.recorded_at));
  StoredTransaction* stored = std::get_if<StoredTransaction>(&record);
  if (stored == nullptr) {
    return Error(absl::StatusCode::kNotFound, "sequence ", sequence, " is not a transaction");
  }
  view.record = std::move(stored->record);
  if (view.record.outcome != Outcome::kApplied) return view;
  NW_ASSIGN_OR_RETURN(const std::vector<uint64_t> links, index_.FindLinks(sequence, head, kMaxLinkPage));
  for (const uint64_t link : links) view.links.emplace_back(link);
  NW_ASSIGN_OR_RETURN(const Progress progress, index_.FindProgress(sequence, head));
  view.captured = progress.captured;
  view.released = progress.released;
  if (view.record.transaction.kind == TransactionKind::kHold) {
    const std::optional<Amount> gone = progress.captured.CheckedAdd(progress.released);
    const std::optional<Amount> left =
        gone ? view.record.moved.front().amount.CheckedSubtract(*gone) : std::optional<Amount>();
    if (!left) return Error(absl::StatusCode::kDataLoss, "hold ", sequence, " is used up beyond its amount");
    view.remaining = *left;
  }
  for (const Amount amount : progress.reversed)
    view.reversed = view.reversed.CheckedAdd(amount).value_or(Amount::Max());
  return view;
}

absl::StatusOr<TransactionView> Reader::GetTransaction(const IdempotencyKey& key) const {
  const uint64_t head = view_.Head().sequence.value();
  NW_ASSIGN_OR_RETURN(const std::optional<KeyEntry> entry, index_.FindKey(key, head));
  if (!entry) return Error(absl::StatusCode::kNotFound, "no transaction with key ", key.ToString());
  return Describe(entry->sequence, head);
}

absl::StatusOr<TransactionView> Reader::GetTransaction(Sequence sequence) const {
  const uint64_t head = view_.Head().sequence.value();
  if (sequence.value() == 0 || sequence.value() > head) {
    return Error(absl::StatusCode::kNotFound, "no record with sequence ", sequence.value());
  }
  return Describe(sequence.value(), head);
}

absl::StatusOr<std::vector<TransactionView>> Reader::FindByReference(uint16_t code, std::string_view reference,
                                                                     size_t limit) const {
  if (limit < 1 || limit > kMaxLinkPage) return OutOfBounds("limit of a page of transactions", limit, kMaxLinkPage);
  std::vector<TransactionView> result;
  if (reference.empty() || reference.size() > kMaxReferenceBytes) return result;
  const uint64_t head = view_.Head().sequence.value();
  NW_ASSIGN_OR_RETURN(const std::vector<uint64_t> sequences,
                      index_.FindReference(ReferenceName(code, reference), head, limit));
  for (const uint64_t sequence : sequences) {
    NW_ASSIGN_OR_RETURN(result.emplace_back(), Describe(sequence, head));
  }
  return result;
}

absl::StatusOr<std::vector<JournalRecord>> Reader::ReadJournal(Sequence after, size_t limit) const {
  const uint64_t head = view_.Head().sequence.value();
  std::vector<JournalRecord> records;
  if (head > after.value()) records.reserve(std::min<uint64_t>(limit, head - after.value()));
  uint64_t next = after.value() + 1;
  while (next <= head && records.size() < limit) {
    NW_ASSIGN_OR_RETURN(const std::shared_ptr<const Block> block, journal_.Find(next));
    const uint64_t last = std::min(block->header().last(), head);
    for (; next <= last && records.size() < limit; ++next) {
      StoredRecord record;
      NW_RETURN_IF_ERROR(DecodeRecord(block->Record(next), record));
      records.push_back(ToPublic(std::move(record), next, absl::FromUnixNanos(block->RecordedAt(next))));
    }
  }
  return records;
}

absl::StatusOr<std::vector<ResultingBalance>> Reader::BalancesAfter(Sequence sequence) const {
  absl::Time recorded_at;
  NW_ASSIGN_OR_RETURN(const StoredRecord record, LoadRecord(sequence.value(), recorded_at));
  std::vector<ResultingBalance> balances;
  const StoredTransaction* stored = std::get_if<StoredTransaction>(&record);
  if (stored == nullptr) return balances;
  Effects effects;
  AppendEffects(stored->record, stored->hold, 0, effects);
  for (const Effect& effect : effects) {
    const bool listed = std::any_of(balances.begin(), balances.end(),
                                    [&](const ResultingBalance& balance) { return balance.account == effect.account; });
    if (listed) continue;
    NW_ASSIGN_OR_RETURN(const Totals totals, BalanceAt(effect.account, sequence));
    balances.push_back({effect.account, totals});
  }
  return balances;
}

}  // namespace northwind::internal

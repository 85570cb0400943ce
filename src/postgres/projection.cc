// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/projection.h"

#include <algorithm>
#include <iterator>
#include <variant>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/postgres/binary_format.h"
#include "src/settlement/event.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::postgres {
namespace {

constexpr std::string_view kCaptured = "captured";
constexpr std::string_view kReleased = "released";
constexpr std::string_view kExpired = "expired";
constexpr std::string_view kOpen = "open";
constexpr std::string_view kRequested = "requested";

std::string_view EventName(uint16_t code) {
  const std::optional<EventType> type = EventTypeOfCode(code);
  return type ? Name(*type) : std::string_view();
}

// Of a payout, once the event is applied; empty for events of other things.
std::string_view PayoutStateAfter(EventType type) {
  switch (type) {
    case EventType::kPayoutRequested:
      return kRequested;
    case EventType::kPayoutPaid:
      return "paid";
    case EventType::kPayoutFailed:
      return "failed";
    case EventType::kPayoutCanceled:
      return "canceled";
    case EventType::kPayoutReturned:
      return "returned";
    default:
      return {};
  }
}

absl::uint128 SumOf(const Postings& postings) {
  absl::uint128 sum = 0;  // the ledger has checked that it fits
  for (const Posting& posting : postings) sum += posting.amount.units();
  return sum;
}

void ApplyTo(Totals& totals, EntryKind kind, absl::uint128 amount) {
  switch (kind) {
    case EntryKind::kDebit:
      totals.debits_posted += amount;
      return;
    case EntryKind::kCredit:
      totals.credits_posted += amount;
      return;
    case EntryKind::kHoldDebit:
      totals.debits_held += amount;
      return;
    case EntryKind::kHoldCredit:
      totals.credits_held += amount;
      return;
    case EntryKind::kCaptureDebit:
      totals.debits_held -= amount;
      totals.debits_posted += amount;
      return;
    case EntryKind::kCaptureCredit:
      totals.credits_held -= amount;
      totals.credits_posted += amount;
      return;
    case EntryKind::kReleaseDebit:
      totals.debits_held -= amount;
      return;
    case EntryKind::kReleaseCredit:
      totals.credits_held -= amount;
      return;
  }
}

bool SameMonth(absl::Time a, absl::Time b) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  return absl::ToCivilMonth(a, utc) == absl::ToCivilMonth(b, utc);
}

template <typename Map>
std::vector<typename Map::key_type> SortedKeys(const Map& map) {
  std::vector<typename Map::key_type> keys;
  keys.reserve(map.size());
  for (const auto& [key, value] : map) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

std::string_view StateName(AccountState state) {
  switch (state) {
    case AccountState::kOpen:
      return kOpen;
    case AccountState::kFrozen:
      return "frozen";
    case AccountState::kClosed:
      return "closed";
  }
  return {};
}

absl::StatusOr<Batch> Projection::Project(absl::Span<const JournalRecord> records) {
  NW_CHECK(!records.empty() && records.front().sequence.value() == position_.value() + 1, "the next records");
  Batch batch;
  batch.after = position_;
  batch.last = records.back().sequence;
  batch.last_at = records.back().recorded_at;
  batch.records = records.size();
  for (const JournalRecord& record : records) {
    NW_RETURN_IF_ERROR(std::visit([&](const auto& body) { return Take(record, body, batch); }, record.body));
  }
  FinishAccounts(batch);
  FinishHolds(batch);
  FinishPayouts(batch);
  position_ = batch.last;
  Shrink();
  return batch;
}

// ---- Accounts -----------------------------------------------------------------------------------------------

absl::StatusOr<Projection::AccountFacts*> Projection::Find(AccountId id) {
  const auto found = accounts_.find(id);
  if (found != accounts_.end()) return &found->second;
  AccountFacts facts;
  NW_ASSIGN_OR_RETURN(Account account, ledger_.GetAccount(id));
  // What is not here has not been touched by this page.
  NW_ASSIGN_OR_RETURN(facts.totals, ledger_.BalanceAt(id, position_));
  if (auto merchant = ParseMerchantAccount(account.name, account.asset))
    facts.merchant_id = std::move(merchant->merchant_id);
  facts.name = std::move(account.name);
  facts.asset = account.asset.ToString();
  facts.external = account.external;
  return &accounts_.emplace(id, std::move(facts)).first->second;
}

absl::Status Projection::Take(const JournalRecord& record, const AccountOpened& opened, Batch&) {
  NW_ASSIGN_OR_RETURN(const Asset asset, Asset::Parse(opened.spec.asset));
  AccountFacts facts{.name = opened.spec.name, .asset = opened.spec.asset, .external = opened.spec.external};
  if (auto merchant = ParseMerchantAccount(facts.name, asset)) facts.merchant_id = std::move(merchant->merchant_id);
  facts.touched = true;
  facts.opened = true;
  facts.opened_sequence = facts.updated_sequence = record.sequence;
  facts.opened_at = facts.updated_at = record.recorded_at;
  facts.state = AccountState::kOpen;
  facts.min_available = opened.spec.min_available;
  accounts_.insert_or_assign(opened.id, std::move(facts));
  touched_.push_back(opened.id);
  return absl::OkStatus();
}

absl::Status Projection::Take(const JournalRecord& record, const AccountChanged& changed, Batch&) {
  NW_ASSIGN_OR_RETURN(AccountFacts* const account, Find(changed.id));
  if (!account->touched) touched_.push_back(changed.id);
  account->touched = true;
  account->updated_sequence = record.sequence;
  account->updated_at = record.recorded_at;
  account->state = changed.state;
  account->min_available = changed.min_available;
  return absl::OkStatus();
}

absl::Status Projection::AddEntry(const JournalRecord& record, AccountId id, EntryKind kind, Amount amount,
                                  Entries& entries, Batch& batch) {
  NW_ASSIGN_OR_RETURN(AccountFacts* const account, Find(id));
  if (!account->touched) touched_.push_back(id);
  account->touched = true;
  account->updated_sequence = record.sequence;
  account->updated_at = record.recorded_at;
  ApplyTo(account->totals, kind, amount.units());
  if (entries.merchant_id.empty()) entries.merchant_id = account->merchant_id;
  batch.postings.Int8(record.sequence.value())
      .Int4(entries.count++)
      .Timestamp(record.recorded_at)
      .Int8(id.value())
      .Text(Name(kind))
      .Numeric(amount.units())
      .Numeric(account->totals.posted())
      .Numeric(account->totals.available())
      .EndRow();
  return absl::OkStatus();
}

absl::Status Projection::AddEntries(const JournalRecord& record, absl::Span<const Posting> postings, EntryKind debit,
                                    EntryKind credit, Entries& entries, Batch& batch) {
  for (const Posting& posting : postings) {
    NW_RETURN_IF_ERROR(AddEntry(record, posting.debit, debit, posting.amount, entries, batch));
    NW_RETURN_IF_ERROR(AddEntry(record, posting.credit, credit, posting.amount, entries, batch));
  }
  return absl::OkStatus();
}

void Projection::FinishAccounts(Batch& batch) {
  std::sort(touched_.begin(), touched_.end());
  for (const AccountId id : touched_) {
    AccountFacts& account = accounts_.find(id)->second;
    Rows& rows = account.opened ? batch.accounts : batch.account_updates;
    rows.Int8(id.value());
    if (account.opened) rows.Int8(account.opened_sequence.value()).Timestamp(account.opened_at);
    rows.Int8(account.updated_sequence.value()).Timestamp(account.updated_at);
    if (account.opened) {
      rows.Bool(account.external).Text(account.name).Text(account.asset).TextOrNull(account.merchant_id);
    }
    rows.TextOrNull(account.state ? StateName(*account.state) : std::string_view());
    account.min_available ? rows.Numeric(*account.min_available) : rows.Null();
    rows.Numeric(account.totals.debits_posted)
        .Numeric(account.totals.credits_posted)
        .Numeric(account.totals.debits_held)
        .Numeric(account.totals.credits_held)
        .EndRow();
    account.touched = account.opened = false;
    account.state.reset();
    account.min_available.reset();
  }
  touched_.clear();
}

// ---- Transactions -------------------------------------------------------------------------------------------

absl::Status Projection::Take(const JournalRecord& record, const TransactionRecorded& recorded, Batch& batch) {
  if (recorded.outcome != Outcome::kApplied) return TakeRejected(record, recorded, batch);
  const Transaction& t = recorded.transaction;
  Entries entries;
  switch (t.kind) {
    case TransactionKind::kPost:
    case TransactionKind::kReverse:
      NW_RETURN_IF_ERROR(AddEntries(record, recorded.moved, EntryKind::kDebit, EntryKind::kCredit, entries, batch));
      break;
    case TransactionKind::kHold:
      NW_RETURN_IF_ERROR(
          AddEntries(record, recorded.moved, EntryKind::kHoldDebit, EntryKind::kHoldCredit, entries, batch));
      NW_RETURN_IF_ERROR(TakeHold(record, t, entries, batch));
      break;
    case TransactionKind::kCapture:
    case TransactionKind::kRelease: {
      NW_RETURN_IF_ERROR(
          AddEntries(record, recorded.moved, EntryKind::kCaptureDebit, EntryKind::kCaptureCredit, entries, batch));
      if (!recorded.released.is_zero()) {
        NW_ASSIGN_OR_RETURN(const HoldFacts hold, FindHold(recorded.target));
        const Posting rest{.debit = hold.placed.debit, .credit = hold.placed.credit, .amount = recorded.released};
        NW_RETURN_IF_ERROR(AddEntries(record, absl::MakeConstSpan(&rest, 1), EntryKind::kReleaseDebit,
                                      EntryKind::kReleaseCredit, entries, batch));
      }
      const std::string_view ending = t.kind == TransactionKind::kCapture ? kCaptured : kReleased;
      NW_RETURN_IF_ERROR(
          TakeHoldWork(record, recorded.target, SumOf(recorded.moved), recorded.released.units(), ending));
      break;
    }
  }
  if (const std::optional<EventType> type = EventTypeOfCode(t.code); type && !PayoutStateAfter(*type).empty()) {
    NW_RETURN_IF_ERROR(TakePayoutEvent(record, recorded, *type, batch));
  }
  if (batch.months.empty() || !SameMonth(batch.months.back(), record.recorded_at)) {
    batch.months.push_back(record.recorded_at);
  }
  Rows& rows = batch.transactions;
  rows.Int8(record.sequence.value()).Timestamp(record.recorded_at).Uuid(t.key.bytes());
  recorded.target == Sequence() ? rows.Null() : rows.Int8(recorded.target.value());
  rows.Timestamp(t.effective_at).Timestamp(t.expires_at).Int4(t.code).Bool(t.unique_reference).Bool(t.final_capture);
  rows.Text(Name(t.kind)).TextOrNull(EscapeText(t.reference)).TextOrNull(EventName(t.code));
  rows.TextOrNull(entries.merchant_id);
  recorded.released.is_zero() ? rows.Null() : rows.Numeric(recorded.released.units());
  rows.BytesOrNull(t.metadata).EndRow();
  return absl::OkStatus();
}

absl::Status Projection::Take(const JournalRecord& record, const HoldExpired& expired, Batch& batch) {
  NW_ASSIGN_OR_RETURN(const HoldFacts hold, FindHold(expired.hold));
  Entries entries;
  const Posting rest{.debit = hold.placed.debit, .credit = hold.placed.credit, .amount = expired.released};
  NW_RETURN_IF_ERROR(AddEntries(record, absl::MakeConstSpan(&rest, 1), EntryKind::kReleaseDebit,
                                EntryKind::kReleaseCredit, entries, batch));
  NW_RETURN_IF_ERROR(TakeHoldWork(record, expired.hold, 0, expired.released.units(), kExpired));
  if (batch.months.empty() || !SameMonth(batch.months.back(), record.recorded_at)) {
    batch.months.push_back(record.recorded_at);
  }
  Rows& rows = batch.transactions;
  rows.Int8(record.sequence.value()).Timestamp(record.recorded_at).Null().Int8(expired.hold.value()).Null().Null();
  rows.Int4(hold.code).Bool(false).Bool(false).Text("expiry").Null().Null().TextOrNull(entries.merchant_id);
  rows.Numeric(expired.released.units()).Null().EndRow();
  return absl::OkStatus();
}

absl::Status Projection::TakeRejected(const JournalRecord& record, const TransactionRecorded& rejected, Batch& batch) {
  const Transaction& t = rejected.transaction;
  std::string merchant_id, asset;
  for (const Posting& posting : t.postings) {
    for (const AccountId id : {posting.debit, posting.credit}) {
      NW_ASSIGN_OR_RETURN(const AccountFacts* const account, Find(id));
      if (asset.empty()) asset = account->asset;
      if (merchant_id.empty()) merchant_id = account->merchant_id;
    }
    if (!merchant_id.empty()) break;
  }
  if (t.postings.empty() && EventTypeOfCode(t.code)) {
    const std::optional<DecodedMetadata> metadata = DecodeMetadata(t.metadata);
    if (metadata) merchant_id = EscapeText(std::string_view(metadata->owner).substr(0, metadata->owner.find(':')));
  }
  const bool moves = !t.postings.empty();
  Rows& rows = batch.rejections;
  rows.Int8(record.sequence.value()).Timestamp(record.recorded_at).Uuid(t.key.bytes()).Timestamp(t.effective_at);
  moves ? rows.Int8(t.postings.front().debit.value()).Int8(t.postings.front().credit.value()) : rows.Null().Null();
  rows.Int4(t.code).Int4(static_cast<int32_t>(t.postings.size())).Text(Name(t.kind)).Text(Name(rejected.reason));
  rows.TextOrNull(EscapeText(t.reference)).TextOrNull(EventName(t.code)).TextOrNull(merchant_id).TextOrNull(asset);
  const Amount amount = moves ? t.postings.front().amount : t.amount;
  amount.is_zero() ? rows.Null() : rows.Numeric(amount.units());
  const std::optional<Target>& target = t.target;
  target && target->key ? rows.Uuid(target->key->bytes()) : rows.Null();
  target && !target->key ? rows.Int4(target->code).TextOrNull(EscapeText(target->reference)) : rows.Null().Null();
  rows.BytesOrNull(t.metadata).EndRow();
  return absl::OkStatus();
}

// ---- Holds --------------------------------------------------------------------------------------------------

absl::StatusOr<Projection::HoldFacts> Projection::FactsOf(const Transaction& hold) {
  HoldFacts facts{.placed = hold.postings.front(), .code = hold.code};
  // What a host has committed under this code itself and no event could be is no payout.
  if (hold.code == EventCode(EventType::kPayoutRequested) && hold.unique_reference && !hold.reference.empty() &&
      hold.reference.size() <= kMaxEventIdBytes && IsIdText(hold.reference, Colon::kAllowed)) {
    NW_ASSIGN_OR_RETURN(const AccountFacts* const account, Find(facts.placed.debit));
    if (!account->merchant_id.empty()) facts.payout_id = hold.reference;
  }
  return facts;
}

absl::StatusOr<Projection::HoldFacts> Projection::FindHold(Sequence sequence) {
  const auto found = holds_.find(sequence);
  if (found != holds_.end()) return found->second;
  NW_ASSIGN_OR_RETURN(const TransactionView view, ledger_.GetTransaction(sequence));
  if (view.record.transaction.kind != TransactionKind::kHold || view.record.transaction.postings.size() != 1) {
    return Error(absl::StatusCode::kDataLoss, "mirror: journal record ", sequence.value(), " should be a hold");
  }
  NW_ASSIGN_OR_RETURN(HoldFacts facts, FactsOf(view.record.transaction));
  holds_.emplace(sequence, facts);
  return facts;
}

absl::Status Projection::TakeHold(const JournalRecord& record, const Transaction& t, const Entries& entries, Batch&) {
  NW_ASSIGN_OR_RETURN(HoldFacts facts, FactsOf(t));
  holds_.emplace(record.sequence, std::move(facts));
  NW_ASSIGN_OR_RETURN(const AccountFacts* const account, Find(t.postings.front().debit));
  placed_holds_.emplace(record.sequence, PlacedHold{&record, entries.merchant_id, account->asset});
  return absl::OkStatus();
}

absl::Status Projection::TakeHoldWork(const JournalRecord& record, Sequence hold, absl::uint128 captured,
                                      absl::uint128 released, std::string_view ending) {
  HoldChange& change = hold_changes_[hold];
  change.captured += captured;
  change.released += released;
  change.last = record.sequence;
  change.last_at = record.recorded_at;
  change.ending = ending;
  return absl::OkStatus();
}

void Projection::FinishHolds(Batch& batch) {
  for (const Sequence sequence : SortedKeys(placed_holds_)) {
    const PlacedHold& placed = placed_holds_.at(sequence);
    const Transaction& t = std::get<TransactionRecorded>(placed.record->body).transaction;
    const Posting& posting = t.postings.front();
    HoldChange change;
    if (const auto found = hold_changes_.find(sequence); found != hold_changes_.end()) {
      change = found->second;
      hold_changes_.erase(found);
    }
    const bool open = posting.amount.units() != change.captured + change.released;
    Rows& rows = batch.holds;
    rows.Int8(sequence.value()).Timestamp(placed.record->recorded_at).Uuid(t.key.bytes());
    rows.Int8(posting.debit.value()).Int8(posting.credit.value()).Timestamp(t.expires_at);
    open ? rows.Null().Null() : rows.Int8(change.last.value()).Timestamp(change.last_at);
    rows.Int4(t.code).TextOrNull(EscapeText(t.reference)).TextOrNull(EventName(t.code)).TextOrNull(placed.merchant_id);
    rows.Text(placed.asset).Text(open ? kOpen : change.ending).Numeric(posting.amount.units());
    rows.Numeric(change.captured).Numeric(change.released).EndRow();
  }
  for (const Sequence sequence : SortedKeys(hold_changes_)) {
    const HoldChange& change = hold_changes_.at(sequence);
    batch.hold_updates.Int8(sequence.value())
        .Numeric(change.captured)
        .Numeric(change.released)
        .Int8(change.last.value())
        .Timestamp(change.last_at)
        .Text(change.ending)
        .EndRow();
  }
  placed_holds_.clear();
  hold_changes_.clear();
}

// ---- Payouts ------------------------------------------------------------------------------------------------

absl::StatusOr<std::optional<Sequence>> Projection::PayoutHoldOf(const TransactionRecorded& recorded, EventType type) {
  const TransactionKind kind = recorded.transaction.kind;
  Sequence hold = recorded.target;
  if (type == EventType::kPayoutReturned) {
    if (kind != TransactionKind::kReverse) return std::nullopt;
    NW_ASSIGN_OR_RETURN(const TransactionView paid, ledger_.GetTransaction(recorded.target));
    if (paid.record.transaction.code != EventCode(EventType::kPayoutPaid) ||
        paid.record.transaction.kind != TransactionKind::kCapture) {
      return std::nullopt;
    }
    hold = paid.record.target;
  } else if (kind != (type == EventType::kPayoutPaid ? TransactionKind::kCapture : TransactionKind::kRelease)) {
    return std::nullopt;
  }
  return hold;
}

absl::Status Projection::TakePayoutEvent(const JournalRecord& record, const TransactionRecorded& recorded,
                                         EventType type, Batch& batch) {
  std::optional<Sequence> hold = record.sequence;
  if (type != EventType::kPayoutRequested) {
    NW_ASSIGN_OR_RETURN(hold, PayoutHoldOf(recorded, type));
  } else if (recorded.transaction.kind != TransactionKind::kHold) {
    return absl::OkStatus();
  }
  if (!hold) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const HoldFacts facts, FindHold(*hold));
  if (facts.payout_id.empty()) return absl::OkStatus();
  const std::string_view state = PayoutStateAfter(type);
  const absl::uint128 moved = SumOf(recorded.moved);
  const bool gives_back = type == EventType::kPayoutFailed || type == EventType::kPayoutCanceled;
  batch.payout_events.Int8(record.sequence.value())
      .Timestamp(record.recorded_at)
      .Text(facts.payout_id)
      .Text(Name(type))
      .Text(state)
      .Numeric(gives_back ? recorded.released.units() : moved)
      .EndRow();
  if (type == EventType::kPayoutRequested) {
    NW_ASSIGN_OR_RETURN(const AccountFacts* const account, Find(facts.placed.debit));
    placed_payouts_.emplace(*hold, PlacedPayout{&record, account->merchant_id, account->asset});
    return absl::OkStatus();
  }
  PayoutChange& change = payout_changes_[*hold];
  change.state = state;
  change.last = record.sequence;
  change.settled_at = record.recorded_at;
  if (type == EventType::kPayoutPaid) change.paid += moved;
  if (type == EventType::kPayoutReturned) change.returned += moved;
  return absl::OkStatus();
}

void Projection::FinishPayouts(Batch& batch) {
  for (const Sequence hold : SortedKeys(placed_payouts_)) {
    const PlacedPayout& placed = placed_payouts_.at(hold);
    const Transaction& t = std::get<TransactionRecorded>(placed.record->body).transaction;
    PayoutChange change{.state = kRequested, .last = hold};
    const auto found = payout_changes_.find(hold);
    const bool settled = found != payout_changes_.end();
    if (settled) {
      change = found->second;
      payout_changes_.erase(found);
    }
    Rows& rows = batch.payouts;
    rows.Text(t.reference).Int8(hold.value()).Timestamp(placed.record->recorded_at);
    settled ? rows.Timestamp(change.settled_at) : rows.Null();
    rows.Int8(change.last.value()).Text(placed.merchant_id).Text(placed.asset).Text(change.state);
    rows.Numeric(t.postings.front().amount.units()).Numeric(change.paid).Numeric(change.returned).EndRow();
  }
  for (const Sequence hold : SortedKeys(payout_changes_)) {
    const PayoutChange& change = payout_changes_.at(hold);
    batch.payout_updates.Int8(hold.value())
        .Int8(change.last.value())
        .Timestamp(change.settled_at)
        .Text(change.state)
        .Numeric(change.paid)
        .Numeric(change.returned)
        .EndRow();
  }
  placed_payouts_.clear();
  payout_changes_.clear();
}

// ---- Bounds -------------------------------------------------------------------------------------------------

void Projection::Shrink() {
  const auto shrink = [this](auto& map) {
    if (map.size() <= cached_accounts_) return;
    // Some are as good as others; to half, so that it is not done at every page.
    for (auto it = map.begin(); it != map.end() && map.size() > cached_accounts_ / 2;) map.erase(it++);
  };
  shrink(accounts_);
  shrink(holds_);
}

}  // namespace northwind::internal::postgres

// SPDX-License-Identifier: Apache-2.0
#include "src/compare/journal_side.h"

#include <utility>
#include <variant>
#include <vector>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::compare {
namespace {

constexpr size_t kMaxOwners = 65'536;

// As rows of theirs have it; settlement's references are always so.
bool IsRowId(std::string_view reference, bool refund) {
  const size_t slash = refund ? reference.find('/') : std::string_view::npos;
  const auto is_id = [](std::string_view text, size_t max) {
    return !text.empty() && text.size() <= max && IsIdText(text, Colon::kAllowed);
  };
  if (!is_id(reference.substr(0, slash), kMaxEventIdBytes)) return false;
  return slash == std::string_view::npos || is_id(reference.substr(slash + 1), kMaxRefundIdBytes);
}

absl::int128 Signed(Amount amount) { return static_cast<absl::int128>(amount.units()); }

Leg LegOfHold(EventType beginning) { return beginning == EventType::kDisputeOpened ? Leg::kDispute : Leg::kPayout; }

}  // namespace

absl::StatusOr<std::optional<OurChange>> JournalSide::Read(const JournalRecord& record) {
  const auto* recorded = std::get_if<TransactionRecorded>(&record.body);
  if (recorded == nullptr || recorded->outcome != Outcome::kApplied) return std::nullopt;
  const std::optional<EventType> type = EventTypeOfCode(recorded->transaction.code);
  if (!type) return std::nullopt;
  const TransactionKind kind = recorded->transaction.kind;
  const auto row_if = [&](TransactionKind wanted, Leg leg, LegStatus status,
                          bool fee) -> absl::StatusOr<std::optional<OurChange>> {
    if (kind != wanted) return std::nullopt;
    return NewRow(record, *recorded, leg, status, fee);
  };
  const auto ending_if = [&](TransactionKind wanted, EventType beginning,
                             LegStatus status) -> absl::StatusOr<std::optional<OurChange>> {
    if (kind != wanted) return std::nullopt;
    return Ending(record, *recorded, beginning, status);
  };
  switch (*type) {
    case EventType::kPaymentCaptured:
      return row_if(TransactionKind::kPost, Leg::kCapture, LegStatus::kSettled, true);
    case EventType::kPaymentRefunded:
      return row_if(TransactionKind::kReverse, Leg::kRefund, LegStatus::kSettled, true);
    case EventType::kDisputeOpened:
      return row_if(TransactionKind::kHold, Leg::kDispute, LegStatus::kOpen, false);
    case EventType::kDisputeLost:
      return ending_if(TransactionKind::kCapture, EventType::kDisputeOpened, LegStatus::kLost);
    case EventType::kDisputeWon:
      return ending_if(TransactionKind::kRelease, EventType::kDisputeOpened, LegStatus::kWon);
    case EventType::kPayoutRequested:
      return row_if(TransactionKind::kHold, Leg::kPayout, LegStatus::kOpen, false);
    case EventType::kPayoutPaid:
      return ending_if(TransactionKind::kCapture, EventType::kPayoutRequested, LegStatus::kPaid);
    case EventType::kPayoutFailed:
      return ending_if(TransactionKind::kRelease, EventType::kPayoutRequested, LegStatus::kFailed);
    case EventType::kPayoutCanceled:
      return ending_if(TransactionKind::kRelease, EventType::kPayoutRequested, LegStatus::kCanceled);
    case EventType::kPayoutReturned:
      return row_if(TransactionKind::kReverse, Leg::kPayoutReturn, LegStatus::kSettled, false);
    case EventType::kAdjustment:
      return row_if(TransactionKind::kPost, Leg::kAdjustment, LegStatus::kSettled, false);
  }
  return std::nullopt;
}

absl::StatusOr<const std::optional<MerchantAccount>*> JournalSide::OwnerOf(AccountId id) {
  if (const auto found = owners_.find(id); found != owners_.end()) return &found->second;
  NW_ASSIGN_OR_RETURN(const Account account, ledger_.GetAccount(id));
  return &owners_.emplace(id, ParseMerchantAccount(account.name, account.asset)).first->second;
}

// The first posting that is a merchant's says how much; a second one between that merchant and another account is the fee,
// which goes the other way.
absl::StatusOr<JournalSide::Moved> JournalSide::ReadMoved(const Postings& postings) {
  if (owners_.size() + 2 * postings.size() > kMaxOwners) owners_.clear();  // what is returned points into it
  Moved moved;
  for (const Posting& posting : postings) {
    NW_ASSIGN_OR_RETURN(const auto* credit, OwnerOf(posting.credit));
    NW_ASSIGN_OR_RETURN(const auto* debit, OwnerOf(posting.debit));
    const bool is_credit = credit->has_value();
    if (!is_credit && !debit->has_value()) continue;
    const MerchantAccount& merchant = is_credit ? **credit : **debit;
    const absl::int128 units = is_credit ? Signed(posting.amount) : -Signed(posting.amount);
    if (moved.gross == 0) {
      moved.gross = units;
    } else {
      moved.fee += moved.gross > 0 ? -units : units;
    }
    moved.merchant = &merchant;
  }
  return moved;
}

absl::StatusOr<std::optional<OurChange>> JournalSide::NewRow(const JournalRecord& record,
                                                             const TransactionRecorded& recorded, Leg leg,
                                                             LegStatus status, bool fee) {
  const Transaction& t = recorded.transaction;
  if (!IsRowId(t.reference, leg == Leg::kRefund)) return std::nullopt;
  NW_ASSIGN_OR_RETURN(const Moved moved, ReadMoved(recorded.moved));
  if (moved.merchant == nullptr) return std::nullopt;
  OurChange change{.name = ItemName(leg, t.reference), .sequence = record.sequence.value()};
  OurKept& row = change.row.emplace();
  row.records = {record.sequence.value()};
  row.merchant_id = moved.merchant->merchant_id;
  row.asset = moved.merchant->asset;
  row.units = moved.gross;
  if (fee) row.fee = moved.fee;
  row.status = status;
  row.at = t.effective_at.value_or(record.recorded_at);
  return change;
}

absl::StatusOr<std::optional<OurChange>> JournalSide::Ending(const JournalRecord& record,
                                                             const TransactionRecorded& recorded, EventType beginning,
                                                             LegStatus status) {
  const Transaction& t = recorded.transaction;
  std::string reference;
  if (t.target && !t.target->key) {
    if (t.target->code != EventCode(beginning)) return std::nullopt;
    reference = t.target->reference;
  } else {
    NW_ASSIGN_OR_RETURN(const TransactionView hold, ledger_.GetTransaction(recorded.target));
    if (hold.record.transaction.code != EventCode(beginning)) return std::nullopt;
    reference = hold.record.transaction.reference;
  }
  if (!IsRowId(reference, false)) return std::nullopt;
  OurChange change{.name = ItemName(LegOfHold(beginning), reference),
                   .sequence = record.sequence.value(),
                   .of = recorded.target.value(),
                   .status = status};
  if (t.kind == TransactionKind::kCapture) {
    // A part may be captured, and the rest goes back: what the merchant is out of is the part.
    absl::int128 captured = 0;
    for (const Posting& posting : recorded.moved) captured += Signed(posting.amount);
    change.units = -captured;
  }
  return change;
}

absl::StatusOr<std::string> JournalSide::EventOf(Sequence sequence) {
  NW_ASSIGN_OR_RETURN(const TransactionView view, ledger_.GetTransaction(sequence));
  std::vector<NamedPosting> named;
  for (const Posting& posting : view.record.transaction.postings) {
    NW_ASSIGN_OR_RETURN(const Account debit, ledger_.GetAccount(posting.debit));
    NW_ASSIGN_OR_RETURN(const Account credit, ledger_.GetAccount(posting.credit));
    named.push_back({debit.name, credit.name, debit.asset, posting.amount});
  }
  const std::optional<PaymentEvent> event = UnmapEvent(view.record.transaction, named);
  return event ? WriteEventJson(*event) : std::string();
}

}  // namespace northwind::internal::compare

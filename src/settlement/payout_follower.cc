// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/payout_follower.h"

#include <optional>
#include <variant>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/settlement/event.h"

namespace northwind::internal {
namespace {

// Records without a payout may be read again after a restart: so many at most.
constexpr uint64_t kCursorEvery = 10'000;

std::string BigEndian(uint64_t value) {
  std::string bytes;
  PutBigEndian64(bytes, value);
  return bytes;
}

}  // namespace

absl::Status PayoutFollower::Load() {
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> cursor, store_.Get(kPayoutCursorKey));
  if (!cursor) return absl::OkStatus();
  if (cursor->size() != 8) return absl::DataLossError("payouts: the cursor is damaged");
  written_ = LoadBigEndian64(cursor->data());
  position_ = written_;
  if (written_ > ledger_.Head().sequence.value()) {
    return Error(absl::StatusCode::kDataLoss, "payouts: the cursor, ", written_, ", is past the journal's head, ",
                 ledger_.Head().sequence.value());
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> PayoutFollower::Step(size_t limit, absl::Time deadline) {
  JournalReader reader = ledger_.ReadJournal(position());
  NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> records, reader.Next(limit, deadline));
  if (records.empty()) return 0;
  Page page;
  for (const JournalRecord& record : records) NW_RETURN_IF_ERROR(Take(record, page));
  const uint64_t last = records.back().sequence.value();
  if (!page.views.empty() || last - written_ >= kCursorEvery) {
    for (const auto& [payout_id, view] : page.views) {
      page.records.push_back({PayoutViewKey(payout_id), EncodePayoutView(view)});
    }
    page.records.push_back({std::string(kPayoutCursorKey), BigEndian(last)});
    NW_RETURN_IF_ERROR(scheduler_.Schedule(page.tasks, page.records).status());
    written_ = last;
  }
  position_ = last;
  return records.size();
}

absl::Status PayoutFollower::Take(const JournalRecord& record, Page& page) {
  const auto* recorded = std::get_if<TransactionRecorded>(&record.body);
  if (recorded == nullptr) return absl::OkStatus();
  const std::optional<EventType> type = EventTypeOfCode(recorded->transaction.code);
  if (!type) return absl::OkStatus();
  if (*type == EventType::kPayoutRequested) return TakeRequest(record, *recorded, page);
  const std::optional<PayoutState> state = FinalStateOf(*type);
  if (!state || recorded->outcome != Outcome::kApplied) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(PayoutView* const view, Find(recorded->transaction.reference, record.sequence, page));
  if (view == nullptr) return absl::OkStatus();  // of a hold that some host placed under another reference
  view->state = *state;
  view->settled_at = absl::ToUnixNanos(record.recorded_at);
  return absl::OkStatus();
}

absl::Status PayoutFollower::TakeRequest(const JournalRecord& record, const TransactionRecorded& request, Page& page) {
  const Transaction& t = request.transaction;
  if (!IsPayoutRequest(t)) return absl::OkStatus();  // it must not stop those that are
  NW_ASSIGN_OR_RETURN(const auto owner, OwnerOf(t.postings.front().debit));
  if (!owner) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const PayoutView* const before, Find(t.reference, record.sequence, page));
  const bool applied = request.outcome == Outcome::kApplied;
  // A request that was refused may be made again; a payout that is there is not made undone by a second request.
  if (before != nullptr && before->state != PayoutState::kRejected) return absl::OkStatus();
  PayoutView view = ViewOfRequest(*owner, request, record.recorded_at);
  page.records.push_back({PayoutListKey(view.merchant, view.requested_at, t.reference), ""});
  if (applied) {
    NW_ASSIGN_OR_RETURN(const Asset asset, Asset::Parse(view.asset));
    const PayoutInstruction payout{.provider_key = ProviderKey(t.key),
                                   .payout_id = t.reference,
                                   .merchant_id = view.merchant,
                                   .asset = asset,
                                   .amount = view.amount,
                                   .requested_at = record.recorded_at};
    page.tasks.push_back({.id = PayoutTaskId(t.reference),
                          .queue = std::string(kPayoutQueue),
                          .key = view.merchant,
                          .payload = EncodeInstruction(payout, t.key),
                          .policy = policy_,
                          .if_scheduled = IfScheduled::kKeep});
  }
  page.views[t.reference] = std::move(view);
  return absl::OkStatus();
}

absl::StatusOr<PayoutView*> PayoutFollower::Find(const std::string& payout_id, Sequence before, Page& page) {
  if (const auto found = page.views.find(payout_id); found != page.views.end()) return &found->second;
  NW_ASSIGN_OR_RETURN(ViewReading reading, ReadPayoutView(store_, ledger_, payout_id, Sequence(before.value() - 1)));
  if (!reading.view) return nullptr;
  return &(page.views[payout_id] = *std::move(reading.view));
}

absl::StatusOr<std::optional<PayoutOwner>> PayoutFollower::OwnerOf(AccountId id) {
  if (const auto found = owners_.find(id); found != owners_.end()) return found->second;
  NW_ASSIGN_OR_RETURN(const std::optional<PayoutOwner> owner, PayoutOwnerOf(ledger_, id));
  if (owner) owners_.emplace(id, *owner);
  return owner;
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/payout_reader.h"

#include <algorithm>
#include <array>
#include <variant>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "northwind/journal.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/settlement/event.h"
#include "src/settlement/event_text.h"

namespace northwind::internal {
namespace {

constexpr std::array kFinalTypes = {EventType::kPayoutPaid, EventType::kPayoutFailed, EventType::kPayoutCanceled,
                                    EventType::kPayoutReturned};
// Of damaged bytes, shown to whoever looks for the cause: what a dead letter has room for.
constexpr size_t kShownBytes = 256;
constexpr char kDamaged[] = "the record of its rail calls was damaged or lost: it may have been submitted";

bool IsTakenBack(const RailAttempt& attempt) {
  return attempt.answer == RailState::kNotFound || attempt.answer == RailState::kWithheld;
}
bool IsTold(const RailAttempt& attempt) {
  return attempt.call == RailAttempt::Call::kSubmit && attempt.answer != RailState::kWithheld;
}

// What the attempts that are kept say of whether the rail has it: the last one that says so decides.
enum class Said { kNothing, kTold, kTakenBack };
Said LastWord(const PayoutRailRecord& record) {
  for (auto attempt = record.attempts.rbegin(); attempt != record.attempts.rend(); ++attempt) {
    if (IsTakenBack(*attempt)) return Said::kTakenBack;
    if (IsTold(*attempt)) return Said::kTold;
  }
  return Said::kNothing;
}

// Whether the workers can have written it. It says what it says more than once, so that a changed bit that still decodes need not go
// unnoticed: none may make of a payout that the rail was told one that it was not.
bool IsPossible(const PayoutRailRecord& record) {
  const bool full = record.attempts.size() == kMaxRailAttempts;  // the first ones may have been left out
  size_t submits = 0, queries = 0;
  for (const RailAttempt& attempt : record.attempts) {
    if (attempt.call == RailAttempt::Call::kQuery) ++queries;
    if (IsTold(attempt)) ++submits;
  }
  if (full ? submits > record.submits || queries > record.queries
           : submits != record.submits || queries != record.queries) {
    return false;
  }
  // One that was never told has been withheld at most, and not asked about.
  if (record.submits == 0 && (record.submitted || queries > 0)) return false;
  if (record.submitted || record.attempts.empty()) return true;
  const Said last = LastWord(record);
  return last == Said::kTakenBack || (full && last == Said::kNothing);
}

absl::StatusOr<JournalRecord> RecordAfter(const Ledger& ledger, uint64_t sequence) {
  JournalReader reader = ledger.ReadJournal(Sequence(sequence));
  NW_ASSIGN_OR_RETURN(std::vector<JournalRecord> records, reader.Next(1));
  if (records.empty()) {
    return Error(absl::StatusCode::kDataLoss, "the journal ends at ", sequence, ", before its head");
  }
  return std::move(records.front());
}

}  // namespace

// ---- Views ----------------------------------------------------------------------------------------------------------

bool IsPayoutRequest(const Transaction& t) {
  return t.kind == TransactionKind::kHold && t.unique_reference && t.postings.size() == 1 && !t.reference.empty() &&
         t.reference.size() <= kMaxEventIdBytes && IsIdText(t.reference, Colon::kAllowed);
}

std::optional<PayoutState> FinalStateOf(EventType type) {
  switch (type) {
    case EventType::kPayoutPaid:
      return PayoutState::kPaid;
    case EventType::kPayoutFailed:
      return PayoutState::kFailed;
    case EventType::kPayoutCanceled:
      return PayoutState::kCanceled;
    case EventType::kPayoutReturned:
      return PayoutState::kReturned;
    default:
      return std::nullopt;
  }
}

absl::StatusOr<std::optional<PayoutOwner>> PayoutOwnerOf(const Ledger& ledger, AccountId id) {
  NW_ASSIGN_OR_RETURN(const Account account, ledger.GetAccount(id));
  const std::optional<MerchantAccount> merchant = ParseMerchantAccount(account.name, account.asset);
  if (!merchant) return std::nullopt;
  return PayoutOwner(merchant->merchant_id, merchant->asset.ToString());
}

PayoutView ViewOfRequest(const PayoutOwner& owner, const TransactionRecorded& request, absl::Time recorded_at) {
  const bool applied = request.outcome == Outcome::kApplied;
  PayoutView view{.state = applied ? PayoutState::kRequested : PayoutState::kRejected,
                  .merchant = owner.first,
                  .asset = owner.second,
                  .amount = request.transaction.postings.front().amount,
                  .key = request.transaction.key,
                  .requested_at = absl::ToUnixNanos(recorded_at),
                  .reason = request.reason};
  if (!applied) view.settled_at = view.requested_at;
  return view;
}

absl::StatusOr<std::optional<PayoutView>> DerivePayoutView(const Ledger& ledger, std::string_view payout_id,
                                                           Sequence upto) {
  NW_ASSIGN_OR_RETURN(const std::vector<TransactionView> requests,
                      ledger.FindByReference(EventCode(EventType::kPayoutRequested), payout_id));
  std::optional<PayoutView> view;
  for (const TransactionView& request : requests) {
    if (request.sequence > upto || !IsPayoutRequest(request.record.transaction)) continue;
    NW_ASSIGN_OR_RETURN(const auto owner, PayoutOwnerOf(ledger, request.record.transaction.postings.front().debit));
    if (!owner) continue;
    view = ViewOfRequest(*owner, request.record, request.recorded_at);
    break;  // there is no second: its reference is unique
  }
  if (!view) return view;
  Sequence last;
  for (const EventType type : kFinalTypes) {
    NW_ASSIGN_OR_RETURN(const std::vector<TransactionView> events,
                        ledger.FindByReference(EventCode(type), payout_id, kMaxLinkPage));
    for (const TransactionView& event : events) {
      if (event.sequence > upto || event.sequence <= last) continue;
      last = event.sequence;
      view->state = *FinalStateOf(type);
      view->settled_at = absl::ToUnixNanos(event.recorded_at);
    }
  }
  return view;
}

absl::StatusOr<ViewReading> ReadPayoutView(const Store& store, const Ledger& ledger, std::string_view payout_id,
                                           Sequence upto) {
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, store.Get(PayoutViewKey(payout_id)));
  if (!bytes) return ViewReading();
  absl::StatusOr<PayoutView> view = DecodePayoutView(payout_id, *bytes);
  if (view.ok() && Asset::Parse(view->asset).ok()) return ViewReading{.view = *std::move(view)};
  NW_ASSIGN_OR_RETURN(std::optional<PayoutView> derived, DerivePayoutView(ledger, payout_id, upto));
  return ViewReading{.view = std::move(derived), .damaged = true};
}

absl::StatusOr<std::optional<PayoutView>> ViewOfRequestAt(const Ledger& ledger, std::string_view payout_id,
                                                          int64_t recorded_at) {
  const absl::Time at = absl::FromUnixNanos(recorded_at);
  // Times increase strictly: the first record that is not before it is the one, or there is none.
  uint64_t before = 0, behind = ledger.Head().sequence.value();
  while (before < behind) {
    const uint64_t middle = before + (behind - before) / 2;
    NW_ASSIGN_OR_RETURN(const JournalRecord record, RecordAfter(ledger, middle));
    if (record.recorded_at < at) {
      before = middle + 1;
    } else {
      behind = middle;
    }
  }
  if (before == ledger.Head().sequence.value()) return std::nullopt;
  NW_ASSIGN_OR_RETURN(const JournalRecord record, RecordAfter(ledger, before));
  const auto* recorded = std::get_if<TransactionRecorded>(&record.body);
  if (record.recorded_at != at || recorded == nullptr ||
      recorded->transaction.code != EventCode(EventType::kPayoutRequested) ||
      recorded->transaction.reference != payout_id || !IsPayoutRequest(recorded->transaction)) {
    return std::nullopt;
  }
  NW_ASSIGN_OR_RETURN(const auto owner, PayoutOwnerOf(ledger, recorded->transaction.postings.front().debit));
  if (!owner) return std::nullopt;
  return ViewOfRequest(*owner, *recorded, record.recorded_at);
}

// ---- Rail records ---------------------------------------------------------------------------------------------------

PayoutRailRecord MayHaveBeenTold(absl::Time now) {
  PayoutRailRecord record{.submitted = true, .submits = 1, .attention = kDamaged};
  // As if the rail had been called just now: nobody knows since when nothing can be on its way to it any more.
  record.Add({.at = now, .call = RailAttempt::Call::kSubmit, .answer = RailState::kUnknown, .reason = kDamaged});
  return record;
}

RailReading ReadPayoutRail(std::string_view payout_id, std::string_view bytes, absl::Time now) {
  absl::StatusOr<PayoutRailRecord> record = DecodePayoutRail(payout_id, bytes);
  if (record.ok() && IsPossible(*record)) {
    // Asked about so often since that nothing is kept of what it says here, as of one that was settled after the rail took it back. It
    // may as well be a changed bit: it is asked about, then, not told.
    if (!record->attempts.empty() && LastWord(*record) == Said::kNothing) record->submitted = true;
    return RailReading{.record = *std::move(record), .found = true};
  }
  return RailReading{.record = MayHaveBeenTold(now),
                     .found = true,
                     .damage = absl::StrCat("its rail record is damaged, ", bytes.size(),
                                            " bytes: ", absl::BytesToHexString(ToAbsl(bytes.substr(0, kShownBytes))))};
}

absl::StatusOr<RailReading> ReadPayoutRail(const Store& store, std::string_view payout_id, absl::Time now) {
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, store.Get(PayoutRailKey(payout_id)));
  return bytes ? ReadPayoutRail(payout_id, *bytes, now) : RailReading();
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/apply.h"

#include <algorithm>
#include <limits>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"

namespace northwind::internal {
namespace {

Decision Invalid(Reason reason, size_t posting = 0) {
  return {.outcome = Outcome::kInvalid, .reason = reason, .posting = static_cast<uint16_t>(posting)};
}

Decision Deferred(Reason reason, size_t posting = 0) {
  return {.outcome = Outcome::kDeferred, .reason = reason, .posting = static_cast<uint16_t>(posting)};
}

Decision Rejected(Reason reason, size_t posting = 0) {
  return {.outcome = Outcome::kRejected, .reason = reason, .posting = static_cast<uint16_t>(posting)};
}

bool InRange(const std::optional<absl::Time>& time) {
  static const absl::Time kLatest = absl::FromUnixNanos(std::numeric_limits<int64_t>::max());
  return !time || (*time >= absl::UnixEpoch() && *time <= kLatest);
}

bool HostRecordsFit(const std::vector<HostRecord>& records) {
  return records.size() <= kMaxHostRecords && std::all_of(records.begin(), records.end(), [](const HostRecord& record) {
           return !record.key.empty() && record.key.size() <= kMaxHostKeyBytes &&
                  record.value.size() <= kMaxHostValueBytes;
         });
}

// Which fields each kind takes, and how many postings.
struct Form {
  bool target, amount, final_capture, expires_at;
  size_t min_postings, max_postings;
};

constexpr Form FormOf(TransactionKind kind) {
  switch (kind) {
    case TransactionKind::kPost:
      return {false, false, false, false, 1, kMaxPostings};
    case TransactionKind::kHold:
      return {false, false, false, true, 1, 1};
    case TransactionKind::kCapture:
      return {true, true, true, false, 0, 0};
    case TransactionKind::kRelease:
      return {true, false, false, false, 0, 0};
    case TransactionKind::kReverse:
      return {true, false, false, false, 0, kMaxPostings};
  }
  return {};
}

bool IsKnown(TransactionKind kind) { return kind >= TransactionKind::kPost && kind <= TransactionKind::kReverse; }

bool NamesOneThing(const Target& target) {
  if (target.reference.size() > kMaxReferenceBytes) return false;
  if (target.key) return target.code == 0 && target.reference.empty();
  return !target.reference.empty();
}

Decision CheckPostings(const Postings& postings) {
  Amount sum;
  for (size_t i = 0; i < postings.size(); ++i) {
    const Posting& posting = postings[i];
    if (posting.amount.is_zero()) return Invalid(Reason::kZeroAmount, i);
    if (posting.debit == posting.credit) return Invalid(Reason::kSameAccount, i);
    const std::optional<Amount> next = sum.CheckedAdd(posting.amount);
    if (!next) return Invalid(Reason::kAmountTooLarge, i);
    sum = *next;
  }
  return {};
}

// Step 5 for a capture or release.
Decision DecideHold(const Transaction& t, const TargetFacts& target) {
  if (target.kind != TransactionKind::kHold) return Rejected(Reason::kTargetMismatch);
  if (!target.hold) return Rejected(Reason::kTargetResolved);
  const HoldRow& hold = *target.hold;
  Decision decision{.hold = hold.placed};
  const Amount captured_before = *hold.placed.amount.CheckedSubtract(hold.remaining);
  decision.progress.captured = captured_before;
  if (t.kind == TransactionKind::kRelease) {
    decision.released = hold.remaining;
  } else {
    if (t.amount > hold.remaining) return Rejected(Reason::kExceedsTarget);
    const Amount amount = t.amount.is_zero() ? hold.remaining : t.amount;
    decision.moved = {{hold.placed.debit, hold.placed.credit, amount}};
    decision.progress.captured = *captured_before.CheckedAdd(amount);
    if (t.final_capture) decision.released = *hold.remaining.CheckedSubtract(amount);
  }
  decision.progress.released = decision.released;
  return decision;
}

// Where the posting's turned-round pair stands among the target's, or pairs.size().
size_t FindTurnedRound(const Postings& pairs, const Posting& posting) {
  return static_cast<size_t>(
      std::find_if(pairs.begin(), pairs.end(),
                   [&](const Posting& pair) { return pair.debit == posting.credit && pair.credit == posting.debit; }) -
      pairs.begin());
}

// Step 5 for a reverse.
Decision DecideReverse(const Transaction& t, const TargetFacts& target) {
  if (target.kind != TransactionKind::kPost && target.kind != TransactionKind::kCapture) {
    return Rejected(Reason::kTargetMismatch);
  }
  const Postings& pairs = target.pairs;
  for (const Posting& posting : t.postings) {
    if (FindTurnedRound(pairs, posting) == pairs.size()) return Rejected(Reason::kTargetMismatch);
  }
  Decision decision{.progress = target.progress};
  decision.progress.reversed.resize(pairs.size());
  auto& reversed = decision.progress.reversed;
  const auto remaining = [&](size_t pair) { return *pairs[pair].amount.CheckedSubtract(reversed[pair]); };
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (!remaining(i).is_zero()) decision.moved.push_back({pairs[i].credit, pairs[i].debit, remaining(i)});
  }
  if (decision.moved.empty()) return Rejected(Reason::kTargetResolved);
  if (!t.postings.empty()) decision.moved = t.postings;
  for (const Posting& posting : decision.moved) {
    const size_t pair = FindTurnedRound(pairs, posting);
    if (posting.amount > remaining(pair)) return Rejected(Reason::kExceedsTarget);
    reversed[pair] = *reversed[pair].CheckedAdd(posting.amount);
  }
  return decision;
}

// Steps 4 and 5: what would be moved, if nothing stands against it.
Decision DecideWhat(const Transaction& t, const Facts& facts) {
  if (facts.claim && (t.unique_reference || facts.claim->unique)) return Rejected(Reason::kReferenceUsed);
  if (!t.target) return {.moved = t.postings};
  switch (facts.target.state) {
    case TargetFacts::State::kNotFound:
      return Deferred(Reason::kTargetNotFound);
    case TargetFacts::State::kRejected:
      return Rejected(Reason::kTargetMismatch);
    case TargetFacts::State::kFound:
      break;
  }
  return t.kind == TransactionKind::kReverse ? DecideReverse(t, facts.target) : DecideHold(t, facts.target);
}

// Step 6.
Decision CheckStates(const AccountRows& rows, const Postings& moved) {
  for (size_t i = 0; i < moved.size(); ++i) {
    for (const AccountId id : {moved[i].debit, moved[i].credit}) {
      const AccountState state = rows[id.value()].state;
      if (state == AccountState::kClosed) return Rejected(Reason::kAccountClosed, i);
      if (state == AccountState::kFrozen) return Rejected(Reason::kAccountFrozen, i);
    }
  }
  return {};
}

bool Overflows(const Totals& totals) {
  const absl::uint128 max = Amount::Max().units();
  return totals.debits_posted > max || totals.credits_posted > max || totals.debits_held > max ||
         totals.credits_held > max || totals.debits_posted + totals.debits_held > max;
}

bool FallsBelowLimit(const AccountRow& row, const Totals& after) {
  return !row.external && after.available() < row.min_available && after.available() < row.totals.available();
}

// An account with its totals as they would be.
struct Touched {
  AccountId account;
  uint16_t posting;
  Totals totals;
};

// Steps 7 and 8 over the entries of one transaction.
Decision CheckTotals(const AccountRows& rows, absl::Span<const Effect> effects) {
  constexpr size_t kSearchLinearly = 16;
  absl::InlinedVector<Touched, 4> touched;
  absl::flat_hash_map<uint32_t, size_t> places;  // used past kSearchLinearly only
  const auto find = [&](AccountId id) {
    if (touched.size() <= kSearchLinearly) {
      return static_cast<size_t>(
          std::find_if(touched.begin(), touched.end(), [id](const Touched& t) { return t.account == id; }) -
          touched.begin());
    }
    if (places.empty()) {
      for (size_t i = 0; i < touched.size(); ++i) places[touched[i].account.value()] = i;
    }
    return places.try_emplace(id.value(), touched.size()).first->second;
  };
  for (size_t i = 0; i < effects.size(); ++i) {
    const AccountId id = effects[i].account;
    const size_t place = find(id);
    // Two entries a posting, in order; the release entries of a final capture name the same two accounts again.
    if (place == touched.size()) touched.push_back({id, static_cast<uint16_t>(i / 2), rows[id.value()].totals});
    ApplyEntry(effects[i].kind, effects[i].amount, touched[place].totals);
  }
  for (const Touched& t : touched) {
    if (Overflows(t.totals)) return Rejected(Reason::kTotalOverflow, t.posting);
  }
  for (const Touched& t : touched) {
    if (FallsBelowLimit(rows[t.account.value()], t.totals)) return Rejected(Reason::kInsufficientFunds, t.posting);
  }
  return {};
}

}  // namespace

Decision CheckShape(const Transaction& t) {
  if (!IsKnown(t.kind)) return Invalid(Reason::kUnknownKind);
  if (t.reference.size() > kMaxReferenceBytes) return Invalid(Reason::kReferenceTooLong);
  if (t.unique_reference && t.reference.empty()) return Invalid(Reason::kReferenceMissing);
  if (t.metadata.size() > kMaxMetadataBytes) return Invalid(Reason::kMetadataTooLong);
  if (!InRange(t.effective_at) || !InRange(t.expires_at)) return Invalid(Reason::kTimeOutOfRange);
  if (!t.host_records.empty() && !HostRecordsFit(t.host_records)) return Invalid(Reason::kHostRecordTooLarge);
  const Form form = FormOf(t.kind);
  if ((t.target && !form.target) || (!t.amount.is_zero() && !form.amount) || (t.final_capture && !form.final_capture) ||
      (t.expires_at && !form.expires_at) || (!t.postings.empty() && form.max_postings == 0)) {
    return Invalid(Reason::kUnexpectedField);
  }
  if (form.target && (!t.target || !NamesOneThing(*t.target))) return Invalid(Reason::kTargetMissing);
  if (t.postings.size() < form.min_postings || t.postings.size() > form.max_postings) {
    return Invalid(Reason::kPostingCount);
  }
  return CheckPostings(t.postings);
}

Decision CheckAccounts(const AccountRows& rows, const Transaction& t) {
  const auto exists = [&rows](AccountId id) { return id.value() != 0 && id.value() < rows.size(); };
  for (size_t i = 0; i < t.postings.size(); ++i) {
    if (!exists(t.postings[i].debit) || !exists(t.postings[i].credit)) return Deferred(Reason::kAccountNotFound, i);
  }
  for (size_t i = 0; i < t.postings.size(); ++i) {
    if (rows[t.postings[i].debit.value()].asset != rows[t.postings[i].credit.value()].asset) {
      return Invalid(Reason::kAssetMismatch, i);
    }
  }
  return {};
}

Decision Decide(const AccountRows& rows, const Transaction& t, const Facts& facts, uint32_t offset, Effects& effects) {
  Decision decision = DecideWhat(t, facts);
  if (decision.outcome != Outcome::kApplied) return decision;
  if (Decision stop = CheckStates(rows, decision.moved); stop.outcome != Outcome::kApplied) return stop;
  const size_t before = effects.size();
  switch (t.kind) {
    case TransactionKind::kPost:
    case TransactionKind::kReverse:
      AppendEffects(decision.moved, EntryKind::kDebit, EntryKind::kCredit, t.code, offset, effects);
      break;
    case TransactionKind::kHold:
      AppendEffects(decision.moved, EntryKind::kHoldDebit, EntryKind::kHoldCredit, t.code, offset, effects);
      break;
    case TransactionKind::kCapture:
    case TransactionKind::kRelease:
      AppendEffects(decision.moved, EntryKind::kCaptureDebit, EntryKind::kCaptureCredit, t.code, offset, effects);
      AppendRelease(decision.hold, decision.released, t.code, offset, effects);
      break;
  }
  const Decision stop = CheckTotals(rows, absl::MakeConstSpan(effects).subspan(before));
  if (stop.outcome == Outcome::kApplied) return decision;
  effects.resize(before);
  return stop;
}

}  // namespace northwind::internal

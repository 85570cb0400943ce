// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/applier.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <variant>

#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr size_t kPrefetchAhead = 8;
// One nanosecond a record must fit above a block's time.
constexpr int64_t kLatestBlockTime = std::numeric_limits<int64_t>::max() - static_cast<int64_t>(kMaxBlockRecords);

std::string TargetName(const Target& target) {
  return target.key ? "k" + std::string(target.key->bytes()) : "r" + ReferenceName(target.code, target.reference);
}

bool IsPlain(const Transaction& t, const Decision& decision) {
  return decision.outcome == Outcome::kRejected || t.kind == TransactionKind::kPost || t.kind == TransactionKind::kHold;
}

}  // namespace

struct Applier::Waiting {
  absl::flat_hash_map<std::string, std::vector<size_t>> by_target;

  void Add(const Transaction& t, size_t place) { by_target[TargetName(*t.target)].push_back(place); }

  // Takes out those that wait for `t`, and puts them on the stack so that the first given comes off first.
  void Wake(const Transaction& t, std::vector<size_t>& stack) {
    const size_t before = stack.size();
    Take("k" + std::string(t.key.bytes()), stack);
    if (!t.reference.empty()) Take("r" + ReferenceName(t.code, t.reference), stack);
    std::sort(stack.begin() + static_cast<ptrdiff_t>(before), stack.end(), std::greater<>());
  }

  void Take(const std::string& name, std::vector<size_t>& stack) {
    const auto found = by_target.find(name);
    if (found == by_target.end()) return;
    stack.insert(stack.end(), found->second.begin(), found->second.end());
    by_target.erase(found);
  }
};

void Applier::Adopt(const View::Copy& state, int64_t recorded_at) {
  rows_ = AccountRows();
  for (const AccountRow& row : state.rows) {
    AccountRow& adopted = rows_.Append();
    adopted = row;
    adopted.name = nullptr;
  }
  assets_.clear();
  opened_min_.clear();
  for (size_t i = 1; i < state.rows.size(); ++i) {
    const AccountAttributes& attributes = state.attributes[i];
    assets_.try_emplace(attributes.spec.asset, state.rows[i].asset);
    if (attributes.spec.min_available != attributes.min_available) {
      opened_min_.emplace(static_cast<uint32_t>(i), attributes.spec.min_available);
    }
  }
  unpublished_names_.clear();
  holds_.clear();
  expiries_.clear();
  for (const auto& [sequence, row] : state.holds) {
    holds_.emplace(sequence, row);
    if (row.expires_at != 0) expiries_.emplace(row.expires_at, sequence);
  }
  first_ = state.head.sequence.value() + 1;
  previous_ = state.head.hash;
  last_time_ = recorded_at;
}

void Applier::Begin(int64_t now) {
  index_.Refresh();
  if (!unpublished_names_.empty() && view_.account_count() + 1 == rows_.size()) unpublished_names_.clear();
  time_ = std::min(std::max(now, last_time_ + 1), kLatestBlockTime);
  expired_ = 0;
  while (expired_ < kMaxExpiriesPerBlock && !expiries_.empty() && expiries_.begin()->first <= time_) {
    Expire(expiries_.begin()->second);
    ++expired_;
  }
}

void Applier::Expire(uint64_t sequence) {
  const HoldRow row = holds_.at(sequence);
  const StoredExpiry expiry{.record = {.hold = Sequence(sequence), .released = row.remaining},
                            .debit = row.placed.debit,
                            .credit = row.placed.credit,
                            .code = row.code};
  const size_t first_effect = changes_.effects.size();
  AppendEffects(expiry, static_cast<uint32_t>(offsets_.size()), changes_.effects);
  NW_CHECK(ApplyEffects(first_effect), "an open hold is held on its accounts");
  const Progress progress{.captured = *row.placed.amount.CheckedSubtract(row.remaining), .released = row.remaining};
  index_.AddLink(sequence, {NextSequence(), progress});
  ResolveHold(sequence, row);
  BeginRecord();
  EncodeRecord(expiry, payload_);
}

absl::Status Applier::Apply(absl::Span<const Transaction> batch, const CommitOptions& options,
                            std::vector<CommitResult>& results) {
  const bool retry = options.deferred == DeferredPolicy::kRetryInBatch;
  results.resize(batch.size());
  Waiting waiting;
  std::vector<size_t> stack;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (i + kPrefetchAhead < batch.size()) index_.Prefetch(batch[i + kPrefetchAhead].key);
    stack.push_back(i);
    while (!stack.empty()) {
      const size_t place = stack.back();
      stack.pop_back();
      const Transaction& t = batch[place];
      CommitResult& result = results[place];
      NW_RETURN_IF_ERROR(ApplyOne(t, options.balances, result));
      if (!retry) continue;
      if (result.outcome == Outcome::kApplied) {
        if (!waiting.by_target.empty()) waiting.Wake(t, stack);
      } else if (result.outcome == Outcome::kDeferred && result.reason == Reason::kTargetNotFound) {
        waiting.Add(t, place);
      }
    }
  }
  payload_hash_.Update(std::string_view(payload_).substr(hashed_));
  hashed_ = payload_.size();
  return absl::OkStatus();
}

absl::Status Applier::ApplyOne(const Transaction& t, bool balances, CommitResult& result) {
  static const Facts kNoFacts;
  result = CommitResult();
  const auto answer = [&result](const Decision& decision) {
    result.outcome = result.original = decision.outcome;
    result.reason = decision.reason;
    result.posting = decision.posting;
  };
  if (const Decision stop = CheckShape(t); stop.outcome != Outcome::kApplied) {
    answer(stop);
    return absl::OkStatus();
  }
  content_.clear();
  EncodeContent(t, content_);
  const uint64_t fingerprint = Fingerprint(content_);
  NW_ASSIGN_OR_RETURN(const std::optional<KeyEntry> known, index_.FindKeyToApply(t.key));
  if (known) return AnswerKnownKey(t, *known, fingerprint, result);
  if (const Decision stop = CheckAccounts(rows_, t); stop.outcome != Outcome::kApplied) {
    answer(stop);
    return absl::OkStatus();
  }
  std::optional<Facts> gathered;
  if (!t.reference.empty() || t.target) {
    gathered.emplace();
    if (!t.reference.empty()) {
      NW_ASSIGN_OR_RETURN(gathered->claim, index_.FindClaimToApply(ReferenceName(t.code, t.reference)));
    }
    if (t.target) NW_RETURN_IF_ERROR(GatherTarget(t, gathered->target));
  }
  const Facts& facts = gathered ? *gathered : kNoFacts;
  const size_t first_effect = changes_.effects.size();
  const Decision decision = Decide(rows_, t, facts, static_cast<uint32_t>(offsets_.size()), changes_.effects);
  answer(decision);
  if (decision.outcome == Outcome::kDeferred) return absl::OkStatus();
  result.sequence = Sequence(NextSequence());
  result.recorded_at = absl::FromUnixNanos(NextTime());
  Record(t, decision, fingerprint, facts, first_effect);
  if (balances && decision.outcome == Outcome::kApplied) result.balances = BalancesAfter(first_effect);
  return absl::OkStatus();
}

absl::Status Applier::AnswerKnownKey(const Transaction& t, const KeyEntry& entry, uint64_t fingerprint,
                                     CommitResult& result) {
  result.sequence = Sequence(entry.sequence);
  result.recorded_at = absl::FromUnixNanos(entry.recorded_at);
  if (entry.fingerprint == fingerprint) {
    result.outcome = Outcome::kDuplicate;
    result.original = entry.reason == Reason::kNone ? Outcome::kApplied : Outcome::kRejected;
    result.reason = entry.reason;
    return absl::OkStatus();
  }
  StoredTransaction stored;
  NW_RETURN_IF_ERROR(LoadTransaction(entry.sequence, stored));
  result.outcome = result.original = Outcome::kConflict;
  result.conflict = FirstDifference(stored.record.transaction, t);
  if (stored.record.transaction.key != t.key || result.conflict == Field::kNone) {
    return Error(absl::StatusCode::kDataLoss, "key index: ", t.key.ToString(), " does not match sequence ",
                 entry.sequence);
  }
  return absl::OkStatus();
}

absl::Status Applier::LoadTransaction(uint64_t sequence, StoredTransaction& stored) {
  StoredRecord record;
  if (sequence >= first_) {
    NW_CHECK(sequence < NextSequence(), "a transaction that is not recorded yet");
    NW_RETURN_IF_ERROR(DecodeRecord(RecordAt(payload_, offsets_[sequence - first_]), record));
  } else {
    NW_ASSIGN_OR_RETURN(const std::shared_ptr<const Block> block, journal_.Find(sequence));
    NW_RETURN_IF_ERROR(DecodeRecord(block->Record(sequence), record));
  }
  StoredTransaction* transaction = std::get_if<StoredTransaction>(&record);
  if (transaction == nullptr) {
    return Error(absl::StatusCode::kDataLoss, "index: sequence ", sequence, " is not a transaction");
  }
  stored = std::move(*transaction);
  return absl::OkStatus();
}

absl::Status Applier::GatherTarget(const Transaction& t, TargetFacts& facts) {
  if (t.target->key) {
    NW_ASSIGN_OR_RETURN(const std::optional<KeyEntry> entry, index_.FindKeyToApply(*t.target->key));
    if (!entry) return absl::OkStatus();
    facts.sequence = entry->sequence;
    facts.state = entry->reason == Reason::kNone ? TargetFacts::State::kFound : TargetFacts::State::kRejected;
  } else {
    NW_ASSIGN_OR_RETURN(const std::optional<ReferenceClaim> claim,
                        index_.FindClaimToApply(ReferenceName(t.target->code, t.target->reference)));
    if (!claim) return absl::OkStatus();
    facts.sequence = claim->earliest;
    facts.state = TargetFacts::State::kFound;
  }
  if (facts.state == TargetFacts::State::kRejected) return absl::OkStatus();
  if (const auto hold = holds_.find(facts.sequence); hold != holds_.end()) {
    facts.kind = TransactionKind::kHold;
    facts.hold = hold->second;
    return absl::OkStatus();
  }
  StoredTransaction stored;
  NW_RETURN_IF_ERROR(LoadTransaction(facts.sequence, stored));
  facts.kind = stored.record.transaction.kind;
  if (t.kind == TransactionKind::kReverse) {
    facts.pairs = DistinctPairs(stored.record.moved);
    NW_ASSIGN_OR_RETURN(facts.progress, index_.ProgressToApply(facts.sequence));
  }
  return absl::OkStatus();
}

bool Applier::ApplyEffects(size_t first_effect) {
  for (size_t i = first_effect; i < changes_.effects.size(); ++i) {
    const Effect& effect = changes_.effects[i];
    if (!ApplyEntry(effect.kind, effect.amount, rows_[effect.account.value()].totals)) return false;
  }
  return true;
}

void Applier::Record(const Transaction& t, const Decision& decision, uint64_t fingerprint, const Facts& facts,
                     size_t first_effect) {
  const uint64_t sequence = NextSequence();
  index_.AddKey(
      t.key, {.sequence = sequence, .fingerprint = fingerprint, .recorded_at = NextTime(), .reason = decision.reason});
  if (decision.outcome == Outcome::kApplied) {
    NW_CHECK(ApplyEffects(first_effect), "a decided transaction can be applied");
    if (!t.reference.empty()) {
      index_.AddReference(ReferenceName(t.code, t.reference), sequence, t.unique_reference, facts.claim);
    }
    RecordHolds(t, decision, sequence, facts);
    for (const HostRecord& record : t.host_records) host_records_.Put(Space::kHost, record.key, record.value);
  }
  BeginRecord();
  if (IsPlain(t, decision)) {
    EncodePlainTransaction(t.key, decision.reason, content_, payload_);
    return;
  }
  StoredTransaction stored{
      .record = {.target = Sequence(facts.target.sequence), .moved = decision.moved, .released = decision.released},
      .hold = decision.hold,
      .progress = decision.progress};
  stored.record.transaction.key = t.key;
  stored.record.transaction.kind = t.kind;
  stored.record.transaction.postings = t.postings;
  EncodeTransaction(stored, content_, payload_);
}

void Applier::RecordHolds(const Transaction& t, const Decision& decision, uint64_t sequence, const Facts& facts) {
  const uint64_t target = facts.target.sequence;
  switch (t.kind) {
    case TransactionKind::kPost:
      return;
    case TransactionKind::kHold: {
      const Posting& posting = t.postings.front();
      const HoldRow row{.placed = posting,
                        .remaining = posting.amount,
                        .expires_at = t.expires_at ? std::max<int64_t>(absl::ToUnixNanos(*t.expires_at), 1) : 0,
                        .code = t.code};
      holds_.emplace(sequence, row);
      if (row.expires_at != 0) expiries_.emplace(row.expires_at, sequence);
      changes_.holds.push_back({sequence, row, true});
      return;
    }
    case TransactionKind::kCapture:
    case TransactionKind::kRelease: {
      HoldRow row = holds_.at(target);
      const Amount gone = t.kind == TransactionKind::kRelease
                              ? decision.released
                              : *decision.moved.front().amount.CheckedAdd(decision.released);
      row.remaining = *row.remaining.CheckedSubtract(gone);
      index_.AddLink(target, {sequence, decision.progress});
      if (row.remaining.is_zero()) {
        ResolveHold(target, row);
      } else {
        holds_[target] = row;
        changes_.holds.push_back({target, row, true});
      }
      return;
    }
    case TransactionKind::kReverse:
      index_.AddLink(target, {sequence, decision.progress});
      return;
  }
}

void Applier::ResolveHold(uint64_t sequence, const HoldRow& row) {
  changes_.holds.push_back({sequence, row, false});
  if (row.expires_at != 0) expiries_.erase({row.expires_at, sequence});
  holds_.erase(sequence);
}

std::vector<ResultingBalance> Applier::BalancesAfter(size_t first_effect) const {
  std::vector<ResultingBalance> balances;
  for (size_t i = first_effect; i < changes_.effects.size(); ++i) {
    const AccountId id = changes_.effects[i].account;
    const bool listed = std::any_of(balances.begin(), balances.end(),
                                    [id](const ResultingBalance& balance) { return balance.account == id; });
    if (!listed) balances.push_back({id, rows_[id.value()].totals});
  }
  return balances;
}

SealedBlock Applier::Seal() {
  SealedBlock sealed;
  if (offsets_.empty()) return sealed;
  NW_CHECK(offsets_.size() <= kMaxBlockRecords && payload_.size() <= kMaxBlockBytes, "block over its bounds");
  payload_hash_.Update(std::string_view(payload_).substr(hashed_));
  const BlockHeader header{.first = first_,
                           .count = static_cast<uint32_t>(offsets_.size()),
                           .payload_bytes = static_cast<uint32_t>(payload_.size()),
                           .recorded_at = time_,
                           .previous = previous_,
                           .payload_hash = payload_hash_.Finish()};
  const size_t payload_size = payload_.size();
  const size_t count = offsets_.size();
  sealed.hash = BlockHash(header);
  sealed.block = std::make_shared<const Block>(header, std::move(payload_), std::move(offsets_));
  sealed.changes = std::move(changes_);
  sealed.host_records = std::move(host_records_);
  previous_ = sealed.hash;
  last_time_ = time_ + header.count - 1;
  first_ = header.last() + 1;
  hashed_ = 0;
  payload_ = std::string();
  payload_.reserve(payload_size);
  offsets_ = std::vector<uint32_t>();
  offsets_.reserve(count);
  const size_t effects = sealed.changes.effects.size();
  changes_ = BlockChanges();
  changes_.effects.reserve(effects);
  host_records_ = WriteSet();
  journal_.Add(sealed.block);
  return sealed;
}

}  // namespace northwind::internal

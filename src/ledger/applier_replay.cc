// SPDX-License-Identifier: Apache-2.0
//
// The apply stage's way of catching up with blocks that are in the journal already. Outcomes are taken from the
// journal, never decided again; what could not follow from the state before is damage.
#include <variant>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/ledger/applier.h"

namespace northwind::internal {
namespace {

absl::Status Impossible(uint64_t sequence, const char* what) {
  return Error(absl::StatusCode::kDataLoss, "journal: sequence ", sequence, " ", what);
}

}  // namespace

absl::StatusOr<BlockChanges> Applier::Replay(const Block& block) {
  const BlockHeader& header = block.header();
  if (header.first != first_) return Impossible(header.first, "does not follow the record before it");
  if (header.previous != previous_) return Impossible(header.first, "does not carry the hash of the block before it");
  if (header.recorded_at <= last_time_) return Impossible(header.first, "was not recorded after the record before it");
  time_ = header.recorded_at;
  StoredRecord record;
  for (uint64_t sequence = header.first; sequence <= header.last(); ++sequence) {
    const std::string_view bytes = block.Record(sequence);
    if (absl::Status status = DecodeRecord(bytes, record); !status.ok()) {
      return Error(status.code(), "journal: sequence ", sequence, ": ", status.message());
    }
    NW_RETURN_IF_ERROR(ReplayRecord(record, sequence));
    offsets_.push_back(0);  // only counted
  }
  offsets_.clear();
  previous_ = BlockHash(header);
  last_time_ = block.RecordedAt(header.last());
  first_ = header.last() + 1;
  unpublished_names_.clear();
  BlockChanges changes = std::move(changes_);
  changes_ = BlockChanges();
  return changes;
}

absl::Status Applier::ReplayRecord(const StoredRecord& record, uint64_t sequence) {
  const auto exists = [this](AccountId id) { return id.value() != 0 && id.value() < rows_.size(); };
  if (const auto* opened = std::get_if<AccountOpened>(&record)) {
    if (opened->id.value() != rows_.size()) return Impossible(sequence, "opens an account out of turn");
    AddRow(*opened);
    changes_.opened.push_back(*opened);
    return absl::OkStatus();
  }
  if (const auto* changed = std::get_if<AccountChanged>(&record)) {
    if (!exists(changed->id)) return Impossible(sequence, "changes an unknown account");
    AccountRow& row = rows_[changed->id.value()];
    if (changed->min_available != row.min_available) opened_min_.try_emplace(changed->id.value(), row.min_available);
    row.state = changed->state;
    row.min_available = changed->min_available;
    changes_.changed.push_back(*changed);
    return absl::OkStatus();
  }
  if (const auto* stored = std::get_if<StoredTransaction>(&record)) {
    for (const Posting& posting : stored->record.moved) {
      if (!exists(posting.debit) || !exists(posting.credit)) return Impossible(sequence, "names an unknown account");
    }
    return ReplayTransaction(*stored, sequence);
  }
  const StoredExpiry& expiry = std::get<StoredExpiry>(record);
  const auto hold = holds_.find(expiry.record.hold.value());
  if (hold == holds_.end() || hold->second.remaining != expiry.record.released ||
      hold->second.placed.debit != expiry.debit || hold->second.placed.credit != expiry.credit) {
    return Impossible(sequence, "expires a hold that is not open so");
  }
  const HoldRow row = hold->second;
  const size_t first_effect = changes_.effects.size();
  AppendEffects(expiry, static_cast<uint32_t>(offsets_.size()), changes_.effects);
  if (!ApplyEffects(first_effect)) return Impossible(sequence, "releases more than is held");
  const Progress progress{.captured = *row.placed.amount.CheckedSubtract(row.remaining), .released = row.remaining};
  index_.AddLink(expiry.record.hold.value(), {sequence, progress});
  ResolveHold(expiry.record.hold.value(), row);
  return absl::OkStatus();
}

absl::Status Applier::ReplayTransaction(const StoredTransaction& stored, uint64_t sequence) {
  const Transaction& t = stored.record.transaction;
  content_.clear();
  EncodeContent(t, content_);
  index_.AddKey(t.key, {.sequence = sequence,
                        .fingerprint = Fingerprint(content_),
                        .recorded_at = NextTime(),
                        .reason = stored.record.reason});
  if (stored.record.outcome != Outcome::kApplied) return absl::OkStatus();
  const size_t first_effect = changes_.effects.size();
  Facts facts;
  facts.target.sequence = stored.record.target.value();
  const bool on_hold = t.kind == TransactionKind::kCapture || t.kind == TransactionKind::kRelease;
  if (on_hold) {
    const auto hold = holds_.find(facts.target.sequence);
    if (hold == holds_.end() || hold->second.placed != stored.hold)
      return Impossible(sequence, "works on a hold that is not open so");
    Amount gone = stored.record.released;
    if (!stored.record.moved.empty()) {
      const std::optional<Amount> sum = gone.CheckedAdd(stored.record.moved.front().amount);
      if (!sum) return Impossible(sequence, "takes more than a hold has");
      gone = *sum;
    }
    if (gone > hold->second.remaining) return Impossible(sequence, "takes more than a hold has");
  } else if (t.target && facts.target.sequence >= sequence) {
    return Impossible(sequence, "works on a later record");
  }
  AppendEffects(stored.record, stored.hold, static_cast<uint32_t>(offsets_.size()), changes_.effects);
  if (!ApplyEffects(first_effect)) return Impossible(sequence, "releases more than is held");
  if (!t.reference.empty()) {
    const std::string name = ReferenceName(t.code, t.reference);
    NW_ASSIGN_OR_RETURN(const std::optional<ReferenceClaim> claim, index_.FindClaimToApply(name));
    index_.AddReference(name, sequence, t.unique_reference, claim);
  }
  const Decision decision{.moved = stored.record.moved,
                          .released = stored.record.released,
                          .hold = stored.hold,
                          .progress = stored.progress};
  RecordHolds(t, decision, sequence, facts);
  return absl::OkStatus();
}

}  // namespace northwind::internal

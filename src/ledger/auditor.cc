// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/auditor.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <variant>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/ledger/history.h"
#include "src/ledger/index.h"

namespace northwind::internal {

void Tally::Add(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed_);
  sum_ += absl::MakeUint128(hash.high64, hash.low64);
  ++count_;
}

void IndexTallies::AddKey(std::string_view key, std::string_view value) {
  std::string text(key);
  text.append(value);
  keys.Add(text);
}

void IndexTallies::AddReference(std::string_view name, uint64_t sequence, bool unique) {
  std::string text(name);
  PutBigEndian64(text, sequence);
  references.Add(text);
  if (unique) unique_references.Add(text);
}

void IndexTallies::AddLink(uint64_t target, uint64_t sequence, std::string_view progress) {
  std::string text;
  PutBigEndian64(text, target);
  PutBigEndian64(text, sequence);
  text.append(progress);
  links.Add(text);
}

void IndexTallies::AddEntry(AccountId account, const Entry& entry) {
  std::string text;
  PutBigEndian32(text, account.value());
  PutBigEndian64(text, entry.sequence.value());
  PutBigEndian32(text, entry.index);
  PutBigEndian64(text, static_cast<uint64_t>(absl::ToUnixNanos(entry.recorded_at)));
  text.push_back(static_cast<char>(entry.kind));
  PutBigEndian32(text, entry.code);
  PutVarint128(text, entry.amount.units());
  EncodeTotals(entry.after, text);
  entries.Add(text);
}

void IndexTallies::AddTime(int64_t time, uint64_t sequence) {
  std::string text;
  PutBigEndian64(text, static_cast<uint64_t>(time));
  PutBigEndian64(text, sequence);
  times.Add(text);
}

Auditor::Auditor(const std::array<uint8_t, 16>& uuid, JournalStore& journal, uint64_t seed)
    : journal_(journal), seed_(seed), head_{Sequence(), GenesisHash(uuid)}, attributes_(1), tallies_(seed) {
  rows_.Append();
  report_.head = head_;
}

IndexTallies Auditor::TakeTallies() {
  touched_.clear();
  return std::exchange(tallies_, IndexTallies(seed_));
}

absl::Status Auditor::Fault(const char* what) const {
  return Error(absl::StatusCode::kDataLoss, "journal: sequence ", sequence_, " ", what);
}

absl::Status Auditor::Add(const Block& block) {
  const BlockHeader& header = block.header();
  sequence_ = header.first;
  if (header.first != head_.sequence.value() + 1) return Fault("does not follow the record before it");
  if (header.previous != head_.hash) return Fault("does not carry the hash of the block before it");
  if (header.recorded_at <= recorded_at_) return Fault("was not recorded after the record before it");
  if (last_time_sample_ == 0 || header.first - last_time_sample_ >= kTimeStride) {
    tallies_.AddTime(header.recorded_at, header.first);
    last_time_sample_ = header.first;
  }
  StoredRecord record;
  for (; sequence_ <= header.last(); ++sequence_) {
    time_ = block.RecordedAt(sequence_);
    if (!DecodeRecord(block.Record(sequence_), record).ok()) return Fault("is malformed");
    NW_RETURN_IF_ERROR(AddRecord(record));
  }
  head_ = {Sequence(header.last()), BlockHash(header)};
  recorded_at_ = block.RecordedAt(header.last());
  ++report_.blocks;
  report_.records += header.count;
  report_.head = head_;
  report_.accounts = rows_.size() - 1;
  report_.open_holds = holds_.size();
  return absl::OkStatus();
}

absl::Status Auditor::AddRecord(const StoredRecord& record) {
  if (const auto* opened = std::get_if<AccountOpened>(&record)) return AddOpened(*opened);
  if (const auto* changed = std::get_if<AccountChanged>(&record)) return AddChanged(*changed);
  if (const auto* stored = std::get_if<StoredTransaction>(&record)) return AddTransaction(*stored);
  return AddExpiry(std::get<StoredExpiry>(record));
}

absl::Status Auditor::AddOpened(const AccountOpened& opened) {
  if (opened.id.value() != rows_.size()) return Fault("opens an account out of turn");
  if (!names_.insert(opened.spec.name).second) return Fault("opens an account that is open");
  auto asset = assets_.find(opened.spec.asset);
  if (asset == assets_.end()) {
    if (!Asset::Parse(opened.spec.asset).ok()) return Fault("opens an account in no asset");
    asset = assets_.emplace(opened.spec.asset, static_cast<uint16_t>(assets_.size())).first;
  }
  AccountRow& row = rows_.Append();
  row.asset = asset->second;
  row.external = opened.spec.external;
  row.min_available = opened.spec.min_available;
  attributes_.push_back({.spec = opened.spec, .min_available = opened.spec.min_available});
  return absl::OkStatus();
}

absl::Status Auditor::AddChanged(const AccountChanged& changed) {
  if (!Known(changed.id)) return Fault("changes an unknown account");
  AccountRow& row = rows_[changed.id.value()];
  if (row.state == AccountState::kClosed) return Fault("changes a closed account");
  // An account may have less than the limit it was opened with, and change its state all the same.
  const bool new_limit = changed.min_available != row.min_available;
  row.state = changed.state;
  row.min_available = changed.min_available;
  if (new_limit && row.totals.available() < row.min_available) return Fault("sets a limit above what is available");
  attributes_[changed.id.value()].state = changed.state;
  attributes_[changed.id.value()].min_available = changed.min_available;
  return absl::OkStatus();
}

absl::Status Auditor::CheckPostings(const Postings& postings) const {
  for (const Posting& posting : postings) {
    if (!Known(posting.debit) || !Known(posting.credit)) return Fault("names an unknown account");
    const AccountRow& debit = rows_[posting.debit.value()];
    const AccountRow& credit = rows_[posting.credit.value()];
    if (debit.asset != credit.asset) return Fault("moves money between assets");
    if (posting.amount.is_zero() || posting.debit == posting.credit) return Fault("moves nothing");
    if (debit.state != AccountState::kOpen || credit.state != AccountState::kOpen) {
      return Fault("moves money on an account that is not open");
    }
  }
  return absl::OkStatus();
}

absl::Status Auditor::AddTransaction(const StoredTransaction& stored) {
  const Transaction& t = stored.record.transaction;
  scratch_.clear();
  EncodeContent(t, scratch_);
  const KeyEntry entry{.sequence = sequence_,
                       .fingerprint = Fingerprint(scratch_),
                       .recorded_at = time_,
                       .reason = stored.record.reason};
  scratch_.clear();
  EncodeKeyEntry(entry, scratch_);
  tallies_.AddKey(t.key.bytes(), scratch_);
  if (stored.record.outcome != Outcome::kApplied) {
    ++report_.transactions_rejected;
    return absl::OkStatus();
  }
  ++report_.transactions_applied;
  NW_RETURN_IF_ERROR(CheckPostings(stored.record.moved));
  if (!t.reference.empty()) {
    tallies_.AddReference(ReferenceName(t.code, t.reference), sequence_, t.unique_reference);
  }
  switch (t.kind) {
    case TransactionKind::kPost:
      break;
    case TransactionKind::kHold:
      holds_.emplace(sequence_,
                     HoldRow{.placed = stored.record.moved.front(),
                             .remaining = stored.record.moved.front().amount,
                             .expires_at = t.expires_at ? std::max<int64_t>(absl::ToUnixNanos(*t.expires_at), 1) : 0,
                             .code = t.code});
      break;
    case TransactionKind::kCapture:
    case TransactionKind::kRelease:
      NW_RETURN_IF_ERROR(UseHold(stored));
      break;
    case TransactionKind::kReverse:
      NW_RETURN_IF_ERROR(CheckReversal(stored));
      break;
  }
  if (t.target) {
    scratch_.clear();
    EncodeProgress(stored.progress, scratch_);
    tallies_.AddLink(stored.record.target.value(), sequence_, scratch_);
  }
  Effects effects;
  AppendEffects(stored.record, stored.hold, 0, effects);
  return Apply(effects);
}

absl::Status Auditor::UseHold(const StoredTransaction& stored) {
  const auto found = holds_.find(stored.record.target.value());
  if (found == holds_.end() || found->second.placed != stored.hold) return Fault("works on a hold that is not open so");
  HoldRow& hold = found->second;
  const Amount captured_before = *hold.placed.amount.CheckedSubtract(hold.remaining);
  const Amount captured = stored.record.moved.empty() ? Amount() : stored.record.moved.front().amount;
  const std::optional<Amount> after_capture = hold.remaining.CheckedSubtract(captured);
  const std::optional<Amount> rest =
      after_capture ? after_capture->CheckedSubtract(stored.record.released) : std::optional<Amount>();
  if (!rest) return Fault("takes more than a hold has");
  if (!stored.record.released.is_zero() && !rest->is_zero()) return Fault("gives back a part of a hold");
  if (stored.progress.captured != *captured_before.CheckedAdd(captured) ||
      stored.progress.released != stored.record.released) {
    return Fault("miscounts what a hold was used for");
  }
  hold.remaining = *rest;
  if (hold.remaining.is_zero()) holds_.erase(found);
  return absl::OkStatus();
}

absl::Status Auditor::CheckReversal(const StoredTransaction& stored) {
  const uint64_t target = stored.record.target.value();
  if (target == 0 || target >= sequence_) return Fault("reverses a later record");
  NW_ASSIGN_OR_RETURN(const std::shared_ptr<const Block> block, journal_.Find(target));
  StoredRecord record;
  NW_RETURN_IF_ERROR(DecodeRecord(block->Record(target), record));
  const StoredTransaction* original = std::get_if<StoredTransaction>(&record);
  if (original == nullptr || original->record.outcome != Outcome::kApplied)
    return Fault("reverses what was not applied");
  const Postings pairs = DistinctPairs(original->record.moved);
  if (pairs.size() != stored.progress.reversed.size()) return Fault("does not match what it reverses");
  Postings moved;  // turned round, to compare with the pairs
  for (const Posting& posting : stored.record.moved) moved.push_back({posting.credit, posting.debit, posting.amount});
  for (const Posting& now : DistinctPairs(moved)) {
    const auto pair = std::find_if(pairs.begin(), pairs.end(),
                                   [&](const Posting& p) { return p.debit == now.debit && p.credit == now.credit; });
    if (pair == pairs.end()) return Fault("moves back what was never moved");
    // Running sums are checked from record to record in the link index; here, against the original.
    if (stored.progress.reversed[static_cast<size_t>(pair - pairs.begin())] < now.amount)
      return Fault("miscounts what was reversed");
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (stored.progress.reversed[i] > pairs[i].amount) return Fault("reverses more than was moved");
  }
  return absl::OkStatus();
}

absl::Status Auditor::AddExpiry(const StoredExpiry& expiry) {
  const uint64_t sequence = expiry.record.hold.value();
  const auto found = holds_.find(sequence);
  if (found == holds_.end() || found->second.remaining != expiry.record.released ||
      found->second.placed.debit != expiry.debit || found->second.placed.credit != expiry.credit ||
      found->second.code != expiry.code) {
    return Fault("expires a hold that is not open so");
  }
  if (found->second.expires_at == 0 || found->second.expires_at > time_) return Fault("expires a hold before its time");
  const Progress progress{.captured = *found->second.placed.amount.CheckedSubtract(found->second.remaining),
                          .released = expiry.record.released};
  scratch_.clear();
  EncodeProgress(progress, scratch_);
  tallies_.AddLink(sequence, sequence_, scratch_);
  holds_.erase(found);
  Effects effects;
  AppendEffects(expiry, 0, effects);
  return Apply(effects);
}

absl::Status Auditor::Apply(const Effects& effects) {
  absl::btree_map<AccountId, std::pair<absl::int128, uint32_t>> before;  // available, entries so far
  for (const Effect& effect : effects) {
    AccountRow& row = rows_[effect.account.value()];
    const auto [place, first] = before.try_emplace(effect.account, row.totals.available(), 0);
    if (!ApplyEntry(effect.kind, effect.amount, row.totals)) return Fault("releases more than is held");
    const absl::uint128 max = Amount::Max().units();
    if (row.totals.debits_posted > max || row.totals.credits_posted > max || row.totals.credits_held > max ||
        row.totals.debits_posted + row.totals.debits_held > max) {
      return Fault("takes a total past its bound");
    }
    tallies_.AddEntry(effect.account, {.sequence = Sequence(sequence_),
                                       .index = place->second.second++,
                                       .recorded_at = absl::FromUnixNanos(time_),
                                       .kind = effect.kind,
                                       .amount = effect.amount,
                                       .code = effect.code,
                                       .after = row.totals});
    touched_.insert(effect.account);
    ++report_.entries;
  }
  for (const auto& [id, start] : before) {
    const AccountRow& row = rows_[id.value()];
    if (!row.external && row.totals.available() < row.min_available && row.totals.available() < start.first) {
      return Fault("takes an account below its limit");
    }
  }
  return absl::OkStatus();
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/history.h"

#include <algorithm>
#include <limits>
#include <string>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr size_t kPrefetchAhead = 8;

std::string TimeKey(int64_t time) {
  std::string key;
  PutBigEndian64(key, static_cast<uint64_t>(std::max<int64_t>(time, 0)));
  return key;
}

absl::StatusOr<uint64_t> SampleAt(const Cursor& cursor) {
  if (cursor.value().size() != 8) return absl::DataLossError("malformed entry of the time index");
  return LoadBigEndian64(cursor.value().data());
}

// Fills `chunk` from the cursor if it stands on a chunk of this account that begins at or before `latest`.
absl::StatusOr<bool> ChunkAt(const Cursor& cursor, AccountId account, uint64_t latest, HistoryChunk& chunk) {
  NW_RETURN_IF_ERROR(cursor.status());
  if (!cursor.Valid()) return false;
  const std::string_view key = cursor.key();
  if (key.size() != 12) return absl::DataLossError("malformed key of account history");
  const uint64_t first = LoadBigEndian64(key.data() + 4);
  if (LoadBigEndian32(key.data()) != account.value() || first > latest) return false;
  NW_RETURN_IF_ERROR(DecodeHistoryChunk(first, cursor.value(), chunk));
  return true;
}

}  // namespace

const std::vector<HistoryChunk>* History::Delta::Find(AccountId account) const {
  if (account.value() >= slots.size() || slots[account.value()] == 0) return nullptr;
  return &accounts[slots[account.value()] - 1].chunks;
}

std::vector<HistoryChunk>& History::Delta::At(AccountId account) {
  slots.GrowTo(account.value() + size_t{1});
  uint32_t& slot = slots[account.value()];
  if (slot == 0) {
    accounts.push_back({account, {}});
    slot = static_cast<uint32_t>(accounts.size());
  }
  return accounts[slot - 1].chunks;
}

void History::Load(uint64_t checkpointed, uint64_t last_time_sample) {
  absl::MutexLock lock(&mutex_);
  on_disk_ = checkpointed;
  last_time_sample_ = last_time_sample;
}

absl::Status History::Append(const BlockHeader& header, const Effects& effects, AccountRows& rows) {
  absl::MutexLock lock(&mutex_);
  if (last_time_sample_ == 0 || header.first - last_time_sample_ >= kTimeStride) {
    active_->times.emplace_back(header.recorded_at, header.first);
    last_time_sample_ = header.first;
  }
  for (size_t i = 0; i < effects.size(); ++i) {
    if (i + kPrefetchAhead < effects.size()) __builtin_prefetch(&rows[effects[i + kPrefetchAhead].account.value()], 1);
    const Effect& effect = effects[i];
    const uint64_t sequence = header.first + effect.offset;
    Totals& totals = rows[effect.account.value()].totals;
    std::vector<HistoryChunk>& chunks = active_->At(effect.account);
    if (chunks.empty() || chunks.back().Full(sequence)) {
      chunks.emplace_back().before = totals;
    }
    chunks.back().Append(sequence, header.recorded_at + effect.offset, effect.kind, effect.amount, effect.code);
    if (!ApplyEntry(effect.kind, effect.amount, totals)) {
      return Error(absl::StatusCode::kDataLoss, "journal: sequence ", sequence, " takes more off account ",
                   effect.account.value(), " than is held on it");
    }
  }
  return absl::OkStatus();
}

bool History::FloorIn(const Delta& delta, AccountId account, uint64_t sequence, HistoryChunk& chunk) {
  const std::vector<HistoryChunk>* chunks = delta.Find(account);
  if (chunks == nullptr) return false;
  const auto after = std::upper_bound(chunks->begin(), chunks->end(), sequence,
                                      [](uint64_t s, const HistoryChunk& c) { return s < c.first; });
  if (after == chunks->begin()) return false;
  chunk = *std::prev(after);
  return true;
}

bool History::AfterIn(const Delta& delta, AccountId account, uint64_t sequence, HistoryChunk& chunk) {
  const std::vector<HistoryChunk>* chunks = delta.Find(account);
  if (chunks == nullptr) return false;
  const auto after = std::upper_bound(chunks->begin(), chunks->end(), sequence,
                                      [](uint64_t s, const HistoryChunk& c) { return s < c.first; });
  if (after == chunks->end()) return false;
  chunk = *after;
  return true;
}

absl::StatusOr<bool> History::Floor(AccountId account, uint64_t sequence, HistoryChunk& chunk) const {
  std::shared_ptr<const Delta> frozen;
  uint64_t on_disk;
  {
    absl::ReaderMutexLock lock(&mutex_);
    if (FloorIn(*active_, account, sequence, chunk)) return true;
    frozen = frozen_;
    on_disk = on_disk_;
  }
  if (frozen != nullptr && FloorIn(*frozen, account, sequence, chunk)) return true;
  if (on_disk == 0) return false;
  Cursor cursor = engine_.NewCursor(Space::kEntries);
  cursor.SeekForPrev(HistoryKey(account, std::min(sequence, on_disk)));
  return ChunkAt(cursor, account, on_disk, chunk);
}

absl::StatusOr<bool> History::After(AccountId account, uint64_t sequence, HistoryChunk& chunk) const {
  std::shared_ptr<const Delta> frozen;
  uint64_t on_disk;
  HistoryChunk recent;
  bool have_recent;
  {
    absl::ReaderMutexLock lock(&mutex_);
    have_recent = AfterIn(*active_, account, sequence, recent);
    frozen = frozen_;
    on_disk = on_disk_;
  }
  if (sequence < on_disk) {
    Cursor cursor = engine_.NewCursor(Space::kEntries);
    cursor.Seek(HistoryKey(account, sequence + 1));
    NW_ASSIGN_OR_RETURN(const bool found, ChunkAt(cursor, account, on_disk, chunk));
    if (found) return true;
  }
  if (frozen != nullptr && AfterIn(*frozen, account, sequence, chunk)) return true;
  if (have_recent) chunk = std::move(recent);
  return have_recent;
}

absl::StatusOr<uint64_t> History::CeilingOfTime(int64_t time) const {
  constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();
  const auto after_in = [time](const Delta& delta) {
    const auto after = std::upper_bound(delta.times.begin(), delta.times.end(), time,
                                        [](int64_t t, const auto& sample) { return t < sample.first; });
    return after == delta.times.end() ? kNone : after->second;
  };
  uint64_t recent;
  std::shared_ptr<const Delta> frozen;
  {
    absl::ReaderMutexLock lock(&mutex_);
    recent = after_in(*active_);
    frozen = frozen_;
  }
  Cursor cursor = engine_.NewCursor(Space::kTimes);
  cursor.Seek(TimeKey(time));
  while (cursor.Valid() && cursor.key() == TimeKey(time)) cursor.Next();
  NW_RETURN_IF_ERROR(cursor.status());
  if (time >= 0 && cursor.Valid()) return SampleAt(cursor);
  if (frozen != nullptr && after_in(*frozen) != kNone) return after_in(*frozen);
  return recent;
}

absl::StatusOr<uint64_t> History::FloorOfTime(int64_t time) const {
  if (time <= 0) return 0;
  // The greatest sample at or before; 0 if there is none.
  const auto before_in = [time](const Delta& delta) -> uint64_t {
    const auto after = std::upper_bound(delta.times.begin(), delta.times.end(), time,
                                        [](int64_t t, const auto& sample) { return t < sample.first; });
    return after == delta.times.begin() ? 0 : std::prev(after)->second;
  };
  std::shared_ptr<const Delta> frozen;
  {
    absl::ReaderMutexLock lock(&mutex_);
    if (const uint64_t sequence = before_in(*active_); sequence != 0) return sequence;
    frozen = frozen_;
  }
  if (frozen != nullptr) {
    if (const uint64_t sequence = before_in(*frozen); sequence != 0) return sequence;
  }
  Cursor cursor = engine_.NewCursor(Space::kTimes);
  cursor.SeekForPrev(TimeKey(time));
  NW_RETURN_IF_ERROR(cursor.status());
  if (!cursor.Valid()) return 0;
  return SampleAt(cursor);
}

uint64_t History::Freeze(uint64_t head) {
  absl::MutexLock lock(&mutex_);
  NW_CHECK(frozen_ == nullptr, "a history delta is set aside already");
  active_->upto = head;
  frozen_ = std::move(active_);
  active_ = std::make_unique<Delta>();
  return last_time_sample_;
}

absl::Status History::WriteFrozen(SortedFiles& files, std::vector<std::pair<AccountId, Totals>>& totals) const {
  std::shared_ptr<const Delta> frozen;
  {
    absl::ReaderMutexLock lock(&mutex_);
    frozen = frozen_;
  }
  std::string value;
  std::vector<Entry> entries;
  for (size_t id = 1; id < frozen->slots.size(); ++id) {
    const AccountId account(static_cast<uint32_t>(id));
    const std::vector<HistoryChunk>* chunks = frozen->Find(account);
    if (chunks == nullptr) continue;
    for (const HistoryChunk& chunk : *chunks) {
      value.clear();
      EncodeHistoryChunk(chunk, value);
      NW_RETURN_IF_ERROR(files.Put(Space::kEntries, HistoryKey(account, chunk.first), value));
    }
    NW_RETURN_IF_ERROR(UnpackHistoryChunk(chunks->back(), entries));
    totals.emplace_back(account, entries.back().after);
  }
  for (const auto& [time, sequence] : frozen->times) {
    value.clear();
    PutBigEndian64(value, sequence);
    NW_RETURN_IF_ERROR(files.Put(Space::kTimes, TimeKey(time), value));
  }
  return absl::OkStatus();
}

void History::DropFrozen() {
  std::shared_ptr<const Delta> frozen;  // freed after the lock is released
  absl::MutexLock lock(&mutex_);
  frozen = std::move(frozen_);
  frozen_ = nullptr;
  on_disk_ = frozen->upto;
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/index.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr int kReasonShift = 56;
constexpr uint64_t kSequenceMask = (uint64_t{1} << kReasonShift) - 1;

std::string LinkKey(uint64_t target) {
  std::string key;
  PutBigEndian64(key, target);
  return key;
}

std::string LinkKey(uint64_t target, uint64_t sequence) {
  std::string key = LinkKey(target);
  PutBigEndian64(key, sequence);
  return key;
}

// The map's keys in order, as pointers to its items.
template <typename Map>
std::vector<const typename Map::value_type*> Sorted(const Map& map) {
  std::vector<const typename Map::value_type*> items;
  items.reserve(map.size());
  for (const auto& item : map) items.push_back(&item);
  std::sort(items.begin(), items.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
  return items;
}

}  // namespace

std::string ReferenceName(uint16_t code, std::string_view reference) {
  std::string name;
  name.reserve(3 + reference.size() + 8);
  name.push_back(static_cast<char>(code >> 8));
  name.push_back(static_cast<char>(code));
  name.push_back(static_cast<char>(reference.size()));
  name.append(reference);
  return name;
}

void EncodeKeyEntry(const KeyEntry& entry, std::string& out) {
  PutVarint64(out, entry.sequence);
  out.push_back(static_cast<char>(entry.reason));
  PutBigEndian64(out, entry.fingerprint);
  PutBigEndian64(out, static_cast<uint64_t>(entry.recorded_at));
}

absl::Status DecodeKeyEntry(std::string_view bytes, KeyEntry& entry) {
  ByteReader in(bytes);
  uint8_t reason;
  uint64_t time;
  if (!in.GetVarint64(entry.sequence) || !in.GetByte(reason) || !in.GetBigEndian64(entry.fingerprint) ||
      !in.GetBigEndian64(time) || !in.AtEnd() || entry.sequence == 0 || entry.sequence > kSequenceMask ||
      reason > static_cast<uint8_t>(Reason::kTotalOverflow)) {
    return absl::DataLossError("malformed entry of the key index");
  }
  entry.recorded_at = static_cast<int64_t>(time);
  entry.reason = static_cast<Reason>(reason);
  return absl::OkStatus();
}

void EncodeReferenceClaim(const ReferenceClaim& claim, std::string& out) {
  PutVarint64(out, claim.earliest);
  out.push_back(claim.unique ? 1 : 0);
}

absl::Status DecodeReferenceClaim(std::string_view bytes, ReferenceClaim& claim) {
  ByteReader in(bytes);
  uint8_t unique;
  if (!in.GetVarint64(claim.earliest) || !in.GetByte(unique) || !in.AtEnd() || claim.earliest == 0 || unique > 1) {
    return absl::DataLossError("malformed entry of the reference index");
  }
  claim.unique = unique == 1;
  return absl::OkStatus();
}

void EncodeProgress(const Progress& progress, std::string& out) {
  PutVarint128(out, progress.captured.units());
  PutVarint128(out, progress.released.units());
  PutVarint64(out, progress.reversed.size());
  for (const Amount amount : progress.reversed) PutVarint128(out, amount.units());
}

absl::Status DecodeProgress(std::string_view bytes, Progress& progress) {
  ByteReader in(bytes);
  const auto get = [&in](Amount& amount) {
    absl::uint128 units;
    if (!in.GetVarint128(units)) return false;
    if (units > Amount::Max().units()) return in.Fail();
    amount = *Amount::FromUnits(units);
    return true;
  };
  uint64_t pairs = 0;
  if (get(progress.captured) && get(progress.released) && in.GetVarint64(pairs) && pairs <= kMaxPostings) {
    progress.reversed.resize(pairs);
    for (Amount& amount : progress.reversed) get(amount);
    if (in.ok() && in.AtEnd()) return absl::OkStatus();
  }
  return absl::DataLossError("malformed entry of the link index");
}

absl::Status Index::Load(uint64_t checkpointed) {
  Settled settled{.on_disk = checkpointed};
  Cursor cursor = engine_.NewCursor(Space::kIds);
  cursor.SeekToLast();
  settled.disk_is_empty = !cursor.Valid();
  if (cursor.Valid()) {
    NW_ASSIGN_OR_RETURN(settled.greatest_on_disk, IdempotencyKey::FromBytes(cursor.key()));
  }
  NW_RETURN_IF_ERROR(cursor.status());
  {
    absl::MutexLock lock(&mutex_);
    settled_ = std::move(settled);
  }
  Refresh();
  return absl::OkStatus();
}

void Index::Refresh() {
  std::shared_ptr<const Delta> dropped;  // freed after the lock is released
  absl::MutexLock lock(&mutex_);
  dropped = std::move(apply_settled_.frozen);
  apply_settled_ = settled_;
}

KeyEntry Index::Unpack(const PackedKeyEntry& packed) {
  return {.sequence = packed.sequence_and_reason & kSequenceMask,
          .fingerprint = packed.fingerprint,
          .recorded_at = packed.recorded_at,
          .reason = static_cast<Reason>(packed.sequence_and_reason >> kReasonShift)};
}

std::optional<KeyEntry> Index::FindIn(const Delta* delta, const IdempotencyKey& key) {
  if (delta == nullptr) return std::nullopt;
  const auto found = delta->keys.find(key);
  if (found == delta->keys.end()) return std::nullopt;
  return Unpack(found->second);
}

absl::StatusOr<std::optional<KeyEntry>> Index::FindKeyOnDisk(const IdempotencyKey& key) const {
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine_.Get(Space::kIds, key.bytes()));
  if (!value) return std::nullopt;
  KeyEntry entry;
  NW_RETURN_IF_ERROR(DecodeKeyEntry(value->view(), entry));
  return entry;
}

absl::StatusOr<std::optional<KeyEntry>> Index::FindKeyToApply(const IdempotencyKey& key) const {
  if (std::optional<KeyEntry> entry = FindIn(active_.get(), key)) return entry;
  // Derived keys grow with time, so most new ones are above all that was set aside: no look-up needed.
  if (apply_settled_.frozen != nullptr && key <= apply_settled_.frozen->greatest) {
    if (std::optional<KeyEntry> entry = FindIn(apply_settled_.frozen.get(), key)) return entry;
  }
  if (apply_settled_.disk_is_empty || key > apply_settled_.greatest_on_disk) return std::nullopt;
  return FindKeyOnDisk(key);
}

absl::StatusOr<std::optional<ReferenceClaim>> Index::FindClaimToApply(const std::string& name) const {
  if (const auto found = active_->references.find(name); found != active_->references.end()) {
    return found->second.claim;
  }
  if (apply_settled_.frozen != nullptr) {
    if (const auto found = apply_settled_.frozen->references.find(name);
        found != apply_settled_.frozen->references.end()) {
      return found->second.claim;
    }
  }
  if (apply_settled_.on_disk == 0) return std::nullopt;
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine_.Get(Space::kReferences, name));
  if (!value) return std::nullopt;
  ReferenceClaim claim;
  NW_RETURN_IF_ERROR(DecodeReferenceClaim(value->view(), claim));
  return claim;
}

absl::StatusOr<Progress> Index::ProgressToApply(uint64_t target) const {
  for (const Delta* delta : {static_cast<const Delta*>(active_.get()), apply_settled_.frozen.get()}) {
    if (delta == nullptr) continue;
    if (const auto found = delta->links.find(target); found != delta->links.end()) {
      return found->second.back().progress;
    }
  }
  if (target > apply_settled_.on_disk) return Progress();
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine_.Get(Space::kLinks, LinkKey(target)));
  Progress progress;
  if (value) NW_RETURN_IF_ERROR(DecodeProgress(value->view(), progress));
  return progress;
}

void Index::AddKey(const IdempotencyKey& key, const KeyEntry& entry) {
  absl::MutexLock lock(&mutex_);
  active_->keys.emplace(key, PackedKeyEntry{entry.sequence | static_cast<uint64_t>(entry.reason) << kReasonShift,
                                            entry.fingerprint, entry.recorded_at});
  active_->greatest = std::max(active_->greatest, key);
}

void Index::AddReference(const std::string& name, uint64_t sequence, bool unique,
                         const std::optional<ReferenceClaim>& known) {
  absl::MutexLock lock(&mutex_);
  ReferenceDelta& delta = active_->references[name];
  delta.claim = known.value_or(ReferenceClaim{.earliest = sequence, .unique = unique});
  delta.sequences.push_back(sequence);
}

void Index::AddLink(uint64_t target, const Link& link) {
  absl::MutexLock lock(&mutex_);
  active_->links[target].push_back(link);
}

absl::StatusOr<std::optional<KeyEntry>> Index::FindKey(const IdempotencyKey& key, uint64_t head) const {
  std::shared_ptr<const Delta> frozen;
  {
    absl::ReaderMutexLock lock(&mutex_);
    if (std::optional<KeyEntry> entry = FindIn(active_.get(), key)) {
      if (entry->sequence > head) return std::nullopt;
      return entry;
    }
    frozen = settled_.frozen;
  }
  if (std::optional<KeyEntry> entry = FindIn(frozen.get(), key)) return entry;
  return FindKeyOnDisk(key);
}

absl::StatusOr<std::vector<uint64_t>> Index::FindReference(const std::string& name, uint64_t head, size_t limit) const {
  absl::InlinedVector<uint64_t, 1> recent;
  std::shared_ptr<const Delta> frozen;
  uint64_t on_disk;
  {
    absl::ReaderMutexLock lock(&mutex_);
    if (const auto found = active_->references.find(name); found != active_->references.end()) {
      for (const uint64_t sequence : found->second.sequences) {
        if (sequence > head || recent.size() == limit) break;
        recent.push_back(sequence);
      }
    }
    frozen = settled_.frozen;
    on_disk = settled_.on_disk;
  }
  std::vector<uint64_t> result;
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine_.Get(Space::kReferences, name));
  if (value) {
    ReferenceClaim claim;
    NW_RETURN_IF_ERROR(DecodeReferenceClaim(value->view(), claim));
    if (claim.earliest <= std::min(head, on_disk)) result.push_back(claim.earliest);
    if (!claim.unique) {
      Cursor cursor = engine_.NewCursor(Space::kReferences);
      for (cursor.Seek(name + std::string(1, '\0')); cursor.Valid() && result.size() < limit; cursor.Next()) {
        const std::string_view key = cursor.key();
        if (key.size() != name.size() + 8 || key.substr(0, name.size()) != name) break;
        const uint64_t sequence = LoadBigEndian64(key.data() + name.size());
        if (sequence > std::min(head, on_disk)) break;
        result.push_back(sequence);
      }
      NW_RETURN_IF_ERROR(cursor.status());
    }
  }
  if (frozen != nullptr) {
    if (const auto found = frozen->references.find(name); found != frozen->references.end()) {
      std::copy_if(found->second.sequences.begin(), found->second.sequences.end(), std::back_inserter(result),
                   [head](uint64_t sequence) { return sequence <= head; });
    }
  }
  result.insert(result.end(), recent.begin(), recent.end());
  if (result.size() > limit) result.resize(limit);
  return result;
}

absl::StatusOr<std::vector<uint64_t>> Index::FindLinks(uint64_t target, uint64_t head, size_t limit) const {
  std::vector<uint64_t> recent;
  std::shared_ptr<const Delta> frozen;
  uint64_t on_disk;
  {
    absl::ReaderMutexLock lock(&mutex_);
    if (const auto found = active_->links.find(target); found != active_->links.end()) {
      for (const Link& link : found->second) {
        if (link.sequence > head || recent.size() == limit) break;
        recent.push_back(link.sequence);
      }
    }
    frozen = settled_.frozen;
    on_disk = settled_.on_disk;
  }
  std::vector<uint64_t> result;
  const std::string prefix = LinkKey(target);
  if (target <= on_disk) {
    Cursor cursor = engine_.NewCursor(Space::kLinks);
    for (cursor.Seek(LinkKey(target, 0)); cursor.Valid() && result.size() < limit; cursor.Next()) {
      const std::string_view key = cursor.key();
      if (key.size() != 16 || key.substr(0, 8) != prefix) break;
      const uint64_t sequence = LoadBigEndian64(key.data() + 8);
      if (sequence > std::min(head, on_disk)) break;
      result.push_back(sequence);
    }
    NW_RETURN_IF_ERROR(cursor.status());
  }
  if (frozen != nullptr) {
    if (const auto found = frozen->links.find(target); found != frozen->links.end()) {
      for (const Link& link : found->second) {
        if (link.sequence <= head) result.push_back(link.sequence);
      }
    }
  }
  result.insert(result.end(), recent.begin(), recent.end());
  if (result.size() > limit) result.resize(limit);
  return result;
}

absl::StatusOr<Progress> Index::FindProgress(uint64_t target, uint64_t head) const {
  // The progress after the last record up to the head that the caller saw: there may be later ones by now.
  const auto find_in = [target, head](const Delta* delta) -> const Progress* {
    if (delta == nullptr) return nullptr;
    const auto found = delta->links.find(target);
    if (found == delta->links.end()) return nullptr;
    const std::vector<Link>& links = found->second;
    const auto link = std::find_if(links.rbegin(), links.rend(), [head](const Link& l) { return l.sequence <= head; });
    return link == links.rend() ? nullptr : &link->progress;
  };
  std::shared_ptr<const Delta> frozen;
  uint64_t on_disk;
  {
    absl::ReaderMutexLock lock(&mutex_);
    if (const Progress* progress = find_in(active_.get())) return *progress;
    frozen = settled_.frozen;
    on_disk = settled_.on_disk;
  }
  if (const Progress* progress = find_in(frozen.get())) return *progress;
  Progress progress;
  if (target > on_disk) return progress;
  Cursor cursor = engine_.NewCursor(Space::kLinks);
  cursor.SeekForPrev(LinkKey(target, std::min(head, on_disk)));
  NW_RETURN_IF_ERROR(cursor.status());
  if (cursor.Valid() && cursor.key().size() == 16 && cursor.key().substr(0, 8) == LinkKey(target)) {
    NW_RETURN_IF_ERROR(DecodeProgress(cursor.value(), progress));
  }
  return progress;
}

void Index::Freeze(uint64_t head) {
  absl::MutexLock lock(&mutex_);
  NW_CHECK(settled_.frozen == nullptr, "an index delta is set aside already");
  active_->upto = head;
  const size_t expected = active_->keys.size();
  settled_.frozen = std::move(active_);
  active_ = std::make_unique<Delta>();
  active_->keys.reserve(expected);  // the next one will be as large: no rehash in the commit path
  apply_settled_ = settled_;
}

absl::Status Index::WriteFrozen(SortedFiles& files) const {
  std::shared_ptr<const Delta> frozen;
  {
    absl::ReaderMutexLock lock(&mutex_);
    frozen = settled_.frozen;
  }
  std::string value;
  {
    // Copied, since sorting small items is far cheaper than chasing pointers to them.
    std::vector<std::pair<IdempotencyKey, PackedKeyEntry>> keys(frozen->keys.begin(), frozen->keys.end());
    std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [key, packed] : keys) {
      value.clear();
      EncodeKeyEntry(Unpack(packed), value);
      NW_RETURN_IF_ERROR(files.Put(Space::kIds, key.bytes(), value));
    }
  }
  for (const auto* item : Sorted(frozen->references)) {
    const auto& [name, reference] = *item;
    for (const uint64_t sequence : reference.sequences) {
      if (sequence == reference.claim.earliest) {
        value.clear();
        EncodeReferenceClaim(reference.claim, value);
        NW_RETURN_IF_ERROR(files.Put(Space::kReferences, name, value));
      } else {
        std::string key = name;
        PutBigEndian64(key, sequence);
        NW_RETURN_IF_ERROR(files.Put(Space::kReferences, key, {}));
      }
    }
  }
  for (const auto* item : Sorted(frozen->links)) {
    const auto& [target, links] = *item;
    value.clear();
    EncodeProgress(links.back().progress, value);
    NW_RETURN_IF_ERROR(files.Put(Space::kLinks, LinkKey(target), value));
    for (const Link& link : links) {
      value.clear();
      EncodeProgress(link.progress, value);
      NW_RETURN_IF_ERROR(files.Put(Space::kLinks, LinkKey(target, link.sequence), value));
    }
  }
  return absl::OkStatus();
}

void Index::DropFrozen() {
  std::shared_ptr<const Delta> frozen;  // freed after the lock is released: there is much of it
  absl::MutexLock lock(&mutex_);
  frozen = std::move(settled_.frozen);
  settled_.on_disk = frozen->upto;
  if (!frozen->keys.empty()) {
    settled_.greatest_on_disk =
        settled_.disk_is_empty ? frozen->greatest : std::max(settled_.greatest_on_disk, frozen->greatest);
    settled_.disk_is_empty = false;
  }
}

}  // namespace northwind::internal

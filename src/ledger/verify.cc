// SPDX-License-Identifier: Apache-2.0
//
// Ledger::Verify: the journal read once more from the first block, and everything derived from it compared.
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/ledger/auditor.h"
#include "src/ledger/ledger_core.h"

namespace northwind::internal {
namespace {

constexpr uint64_t kProgressEvery = 1 << 16;  // records
constexpr CursorOptions kScan{.fill_cache = false, .read_ahead = true};

template <typename... Parts>
absl::Status Damaged(const Parts&... parts) {
  return Error(absl::StatusCode::kDataLoss, parts...);
}

absl::Status Same(const Tally& journal, const Tally& index, const char* what) {
  if (journal == index) return absl::OkStatus();
  return Damaged("index of ", what, ": its ", index.count(), " entries are not the ", journal.count(),
                 " of the journal");
}

absl::Status Same(const IndexTallies& journal, const IndexTallies& index) {
  NW_RETURN_IF_ERROR(Same(journal.keys, index.keys, "keys"));
  NW_RETURN_IF_ERROR(Same(journal.references, index.references, "references"));
  NW_RETURN_IF_ERROR(Same(journal.unique_references, index.unique_references, "unique references"));
  NW_RETURN_IF_ERROR(Same(journal.links, index.links, "links"));
  NW_RETURN_IF_ERROR(Same(journal.entries, index.entries, "account history"));
  return Same(journal.times, index.times, "times");
}

// Walks a whole space of the snapshot.
template <typename Visit>
absl::Status ForEach(const Snapshot& snapshot, Space space, const Visit& visit) {
  Cursor cursor = snapshot.NewCursor(space, kScan);
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) NW_RETURN_IF_ERROR(visit(cursor.key(), cursor.value()));
  return cursor.status();
}

absl::Status TallyKeys(const Snapshot& snapshot, IndexTallies& tallies) {
  return ForEach(snapshot, Space::kIds, [&](std::string_view key, std::string_view value) {
    tallies.AddKey(key, value);
    return absl::OkStatus();
  });
}

absl::Status TallyReferences(const Snapshot& snapshot, IndexTallies& tallies) {
  std::string name;
  ReferenceClaim claim;
  uint64_t last = 0;
  return ForEach(snapshot, Space::kReferences, [&](std::string_view key, std::string_view value) -> absl::Status {
    if (!name.empty() && key.size() == name.size() + 8 && key.substr(0, name.size()) == name) {
      const uint64_t sequence = LoadBigEndian64(key.data() + name.size());
      if (sequence <= last || claim.unique || !value.empty())
        return Damaged("index of references: entries out of order");
      tallies.AddReference(name, sequence, false);
      last = sequence;
      return absl::OkStatus();
    }
    if (key.size() < 3 || key.size() != 3u + static_cast<uint8_t>(key[2])) {
      return Damaged("index of references: entry without a first one");
    }
    name = key;
    NW_RETURN_IF_ERROR(DecodeReferenceClaim(value, claim));
    last = claim.earliest;
    tallies.AddReference(name, claim.earliest, claim.unique);
    return absl::OkStatus();
  });
}

// The latest progress of each target stands before its records' own; progress only grows.
absl::Status TallyLinks(const Snapshot& snapshot, IndexTallies& tallies) {
  std::string target, latest;
  Progress previous;
  std::string previous_bytes;
  const auto finish_target = [&]() -> absl::Status {
    if (!target.empty() && latest != previous_bytes)
      return Damaged("index of links: latest progress is not the last one");
    return absl::OkStatus();
  };
  const absl::Status status =
      ForEach(snapshot, Space::kLinks, [&](std::string_view key, std::string_view value) -> absl::Status {
        if (key.size() == 8) {
          NW_RETURN_IF_ERROR(finish_target());
          target = key;
          latest = value;
          previous = Progress();
          previous_bytes.clear();
          return absl::OkStatus();
        }
        if (key.size() != 16 || key.substr(0, 8) != target)
          return Damaged("index of links: entry without a latest one");
        Progress progress;
        NW_RETURN_IF_ERROR(DecodeProgress(value, progress));
        bool grows = progress.captured >= previous.captured && progress.released >= previous.released &&
                     progress.reversed.size() >= previous.reversed.size();
        for (size_t i = 0; grows && i < previous.reversed.size(); ++i)
          grows = progress.reversed[i] >= previous.reversed[i];
        if (!grows) return Damaged("index of links: progress falls");
        tallies.AddLink(LoadBigEndian64(key.data()), LoadBigEndian64(key.data() + 8), value);
        previous = std::move(progress);
        previous_bytes = value;
        return absl::OkStatus();
      });
  NW_RETURN_IF_ERROR(status);
  return finish_target();
}

absl::Status TallyEntries(const Snapshot& snapshot, IndexTallies& tallies) {
  AccountId account;
  Totals totals;
  uint64_t last = 0;
  HistoryChunk chunk;
  std::vector<Entry> entries;
  return ForEach(snapshot, Space::kEntries, [&](std::string_view key, std::string_view value) -> absl::Status {
    if (key.size() != 12) return Damaged("account history: malformed key");
    if (const AccountId id(LoadBigEndian32(key.data())); id != account) {
      account = id;
      totals = Totals();
      last = 0;
    }
    NW_RETURN_IF_ERROR(DecodeHistoryChunk(LoadBigEndian64(key.data() + 4), value, chunk));
    NW_RETURN_IF_ERROR(UnpackHistoryChunk(chunk, entries));
    if (chunk.before != totals || chunk.first <= last) {
      return Damaged("account history: account ", account.value(), " at sequence ", chunk.first,
                     " does not go on where the chunk before ended");
    }
    for (const Entry& entry : entries) tallies.AddEntry(account, entry);
    totals = entries.back().after;
    last = entries.back().sequence.value();
    return absl::OkStatus();
  });
}

absl::Status TallyTimes(const Snapshot& snapshot, IndexTallies& tallies) {
  return ForEach(snapshot, Space::kTimes, [&](std::string_view key, std::string_view value) -> absl::Status {
    if (key.size() != 8 || value.size() != 8) return Damaged("index of times: malformed entry");
    tallies.AddTime(static_cast<int64_t>(LoadBigEndian64(key.data())), LoadBigEndian64(value.data()));
    return absl::OkStatus();
  });
}

// The state written at the watermark, against the auditor standing there.
absl::Status CompareCheckpointState(const Snapshot& snapshot, const Auditor& auditor) {
  size_t accounts = 0;
  std::vector<bool> has_totals(auditor.rows().size());
  NW_RETURN_IF_ERROR(
      ForEach(snapshot, Space::kAccounts, [&](std::string_view key, std::string_view value) -> absl::Status {
        if (key.size() != 5) return Damaged("accounts: malformed key");
        const uint32_t id = LoadBigEndian32(key.data());
        if (id == 0 || id >= auditor.rows().size()) return Damaged("accounts: ", id, " is not in the journal");
        if (key[4] == kTotalsSuffix) {
          Totals totals;
          NW_RETURN_IF_ERROR(DecodeTotals(value, totals));
          if (totals != auditor.rows()[id].totals) return Damaged("accounts: balance of ", id, " is not the journal's");
          has_totals[id] = true;
          return absl::OkStatus();
        }
        AccountAttributes attributes;
        NW_RETURN_IF_ERROR(DecodeAttributes(value, attributes));
        if (!(attributes == auditor.attributes()[id]))
          return Damaged("accounts: attributes of ", id, " are not the journal's");
        ++accounts;
        return absl::OkStatus();
      }));
  if (accounts + 1 != auditor.rows().size()) return Damaged("accounts: ", accounts, " of ", auditor.rows().size() - 1);
  for (size_t id = 1; id < has_totals.size(); ++id) {
    if (!has_totals[id] && auditor.rows()[id].totals != Totals()) return Damaged("accounts: no balance of ", id);
  }
  auto expected = auditor.holds().begin();
  NW_RETURN_IF_ERROR(
      ForEach(snapshot, Space::kHolds, [&](std::string_view key, std::string_view value) -> absl::Status {
        std::string bytes, expected_key;
        if (expected != auditor.holds().end()) {
          PutBigEndian64(expected_key, expected->first);
          EncodeHold(expected->second, bytes);
        }
        if (key != expected_key || value != bytes) return Damaged("holds: the open holds are not the journal's");
        ++expected;
        return absl::OkStatus();
      }));
  if (expected != auditor.holds().end()) return Damaged("holds: ", expected->first, " is missing");
  return absl::OkStatus();
}

// What readers see at the head, against the auditor standing there.
absl::Status CompareView(const View::Copy& view, const Auditor& auditor) {
  if (view.head != auditor.head()) return Damaged("the head in memory is not the journal's");
  if (view.rows.size() != auditor.rows().size()) return Damaged("accounts in memory are not the journal's");
  for (size_t id = 1; id < view.rows.size(); ++id) {
    if (view.rows[id].totals != auditor.rows()[id].totals || !(view.attributes[id] == auditor.attributes()[id])) {
      return Damaged("account ", id, " in memory is not the journal's");
    }
  }
  if (view.holds.size() != auditor.holds().size()) return Damaged("open holds in memory are not the journal's");
  auto expected = auditor.holds().begin();
  for (const auto& [sequence, hold] : view.holds) {
    if (sequence != expected->first || hold.placed != expected->second.placed ||
        hold.remaining != expected->second.remaining || hold.expires_at != expected->second.expires_at) {
      return Damaged("hold ", sequence, " in memory is not the journal's");
    }
    ++expected;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status LedgerCore::VerifyRecentKeys(const Block& block, uint64_t head) const {
  StoredRecord record;
  for (uint64_t sequence = block.header().first; sequence <= block.header().last(); ++sequence) {
    NW_RETURN_IF_ERROR(DecodeRecord(block.Record(sequence), record));
    const auto* stored = std::get_if<StoredTransaction>(&record);
    if (stored == nullptr) continue;
    const Transaction& t = stored->record.transaction;
    std::string content;
    EncodeContent(t, content);
    NW_ASSIGN_OR_RETURN(const std::optional<KeyEntry> entry, index_.FindKey(t.key, head));
    if (!entry || entry->sequence != sequence || entry->fingerprint != Fingerprint(content) ||
        entry->reason != stored->record.reason || entry->recorded_at != block.RecordedAt(sequence)) {
      return Damaged("index of keys in memory: sequence ", sequence, " is not found under its key");
    }
    if (stored->record.outcome != Outcome::kApplied) continue;
    if (t.target && stored->record.target.value() != 0) {
      NW_ASSIGN_OR_RETURN(const Progress progress, index_.FindProgress(stored->record.target.value(), sequence));
      if (progress != stored->progress) return Damaged("index of links in memory: sequence ", sequence, " differs");
    }
  }
  return absl::OkStatus();
}

absl::Status LedgerCore::VerifyRecentHistory(uint64_t after, Auditor& auditor, uint64_t seed) const {
  const uint64_t head = auditor.head().sequence.value();
  const std::vector<AccountId> accounts(auditor.touched().begin(), auditor.touched().end());
  const IndexTallies expected = auditor.TakeTallies();
  IndexTallies found(seed);
  HistoryChunk chunk;
  std::vector<Entry> entries;
  for (const AccountId account : accounts) {
    uint64_t from = after;
    while (true) {
      NW_ASSIGN_OR_RETURN(const bool more, history_.After(account, from, chunk));
      if (!more || chunk.first > head) break;
      NW_RETURN_IF_ERROR(UnpackHistoryChunk(chunk, entries));
      for (const Entry& entry : entries) {
        if (entry.sequence.value() <= head) found.AddEntry(account, entry);
      }
      from = chunk.first;
    }
  }
  return Same(expected.entries, found.entries, "account history in memory");
}

absl::StatusOr<VerifyReport> LedgerCore::Verify(const VerifyOptions& options) {
  std::unique_ptr<Snapshot> snapshot;
  const View::Copy view = [&] {
    const IngestPause pause(engine_);  // before the view is held: readers must not wait for an ingest
    return view_.CopyAll([&] { snapshot = engine_.NewSnapshot(pause); });
  }();
  const uint64_t head = view.head.sequence.value();
  Watermark watermark;
  watermark.head.hash = GenesisHash(engine_.uuid());
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, snapshot->Get(Space::kState, kWatermarkKey));
  if (value) NW_RETURN_IF_ERROR(DecodeWatermark(value->view(), watermark));
  const uint64_t on_disk = watermark.head.sequence.value();
  if (on_disk > head) return Damaged("indexes on disk go to ", on_disk, ", past the journal's head, ", head);

  const uint64_t seed = std::random_device{}() | uint64_t{std::random_device{}()} << 32;
  Auditor auditor(engine_.uuid(), journal_, seed);
  uint64_t reported = 0;
  const auto at_watermark = [&]() -> absl::Status {
    if (auditor.head() != watermark.head || auditor.recorded_at() != watermark.recorded_at ||
        auditor.last_time_sample() != watermark.last_time_sample) {
      return Damaged("index checkpoint: its watermark is not the journal's");
    }
    NW_RETURN_IF_ERROR(CompareCheckpointState(*snapshot, auditor));
    IndexTallies index(seed);
    NW_RETURN_IF_ERROR(TallyKeys(*snapshot, index));
    NW_RETURN_IF_ERROR(TallyReferences(*snapshot, index));
    NW_RETURN_IF_ERROR(TallyLinks(*snapshot, index));
    NW_RETURN_IF_ERROR(TallyEntries(*snapshot, index));
    NW_RETURN_IF_ERROR(TallyTimes(*snapshot, index));
    return Same(auditor.TakeTallies(), index);
  };
  if (on_disk == 0) NW_RETURN_IF_ERROR(at_watermark());
  Cursor cursor = snapshot->NewCursor(Space::kJournal, kScan);
  for (cursor.SeekToFirst(); cursor.Valid() && auditor.head().sequence.value() < head; cursor.Next()) {
    absl::StatusOr<std::shared_ptr<const Block>> block = Block::Parse(cursor.value());
    if (!block.ok()) {
      return Damaged("journal after sequence ", auditor.head().sequence.value(), ": ", block.status().message());
    }
    if (cursor.key().size() != 8 || LoadBigEndian64(cursor.key().data()) != (*block)->header().first) {
      return Damaged("journal: a block under a key that is not its own");
    }
    NW_RETURN_IF_ERROR(auditor.Add(**block));
    const uint64_t checked = auditor.head().sequence.value();
    if (checked == on_disk) NW_RETURN_IF_ERROR(at_watermark());
    if (checked > on_disk) NW_RETURN_IF_ERROR(VerifyRecentKeys(**block, head));
    if (options.progress && (checked - reported >= kProgressEvery || checked == head)) {
      reported = checked;
      if (!options.progress({Sequence(checked), view.head.sequence}))
        return absl::CancelledError("verification cancelled");
    }
  }
  NW_RETURN_IF_ERROR(cursor.status());
  NW_RETURN_IF_ERROR(CompareView(view, auditor));
  NW_RETURN_IF_ERROR(VerifyRecentHistory(on_disk, auditor, seed));
  return auditor.report();
}

}  // namespace northwind::internal

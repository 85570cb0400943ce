// SPDX-License-Identifier: Apache-2.0
#include "src/compare/core.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "northwind/interrupt.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/compare/canary.h"
#include "src/compare/checks.h"
#include "src/compare/discrepancy_list.h"
#include "src/compare/keys.h"
#include "src/compare/reread.h"

namespace northwind {

using internal::Error;
using internal::MappedRow;
using internal::PinnedValue;
using internal::RowMapping;
using internal::Space;
using internal::WriteSet;
using namespace internal::compare;  // NOLINT(google-build-using-namespace)

namespace {

// Of one write of Ingest.
constexpr size_t kWriteRows = 10'000;
constexpr size_t kWriteBytes = 8 << 20;

// Of a row whose id cannot be read: its text has to do.
std::string RowIdOfText(const RawRow& raw) { return absl::StrCat("#", absl::BytesToHexString(RowFingerprint(0, raw))); }

void AddTo(IngestResult& sum, const IngestResult& part) {
  sum.rows += part.rows;
  sum.new_rows += part.new_rows;
  sum.corrected += part.corrected;
  sum.unchanged += part.unchanged;
  sum.unreadable += part.unreadable;
  sum.skipped += part.skipped;
}

}  // namespace

absl::Status ParallelRun::Core::Load() {
  const absl::MutexLock lock(&mutex_);
  NW_ASSIGN_OR_RETURN(run_.standing.rules, RuleBook::Load(engine()));
  NW_ASSIGN_OR_RETURN(run_.standing.days, DayBook::Load(engine()));
  NW_ASSIGN_OR_RETURN(run_.columns, ColumnSets::Load(engine()));
  NW_RETURN_IF_ERROR(LoadFollowed());
  NW_RETURN_IF_ERROR(SweepCanaries(run_));
  NW_ASSIGN_OR_RETURN(run_.standing.open, CountOpen(engine()));
  NW_RETURN_IF_ERROR(LoadMeta());
  for (const std::string& id : run_.standing.rules.Unfinished()) NW_RETURN_IF_ERROR(UncoverAll(id));
  return UncoverExpired();
}

absl::StatusOr<size_t> ParallelRun::Core::FollowOnce(size_t limit) {
  NW_RETURN_IF_ERROR(CheckLimit(limit, kMaxJournalPage));
  const absl::MutexLock lock(&mutex_);
  NW_RETURN_IF_ERROR(UncoverExpired());
  return FollowLocked(limit);
}

absl::Status ParallelRun::Core::CatchUp() {
  const uint64_t head = ledger_.Head().sequence.value();
  while (followed_.load() < head) {
    const absl::MutexLock lock(&mutex_);  // let go of between pages
    NW_RETURN_IF_ERROR(FollowLocked(kMaxJournalPage).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<IngestResult> ParallelRun::Core::Ingest(std::string_view source, absl::Span<const std::string> columns,
                                                       absl::Span<const RawRow> rows, std::string_view next) {
  NW_RETURN_IF_ERROR(CheckSource(source));
  NW_RETURN_IF_ERROR(CheckRows(columns, rows, next));
  const absl::MutexLock lock(&mutex_);
  NW_RETURN_IF_ERROR(UncoverExpired());
  NW_ASSIGN_OR_RETURN(const RowMapping* const mapping, Bind(columns));
  return IngestLocked(source, columns, rows, next, *mapping);
}

absl::StatusOr<std::string> ParallelRun::Core::Cursor(std::string_view source) const {
  NW_RETURN_IF_ERROR(CheckSource(source));
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine().Get(Space::kHost, Key(kSourcePrefix, source)));
  return value ? std::string(value->view()) : std::string();
}

absl::Status ParallelRun::Core::LoadFollowed() {
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine().Get(Space::kHost, kFollowedKey));
  if (!value) return absl::OkStatus();
  if (value->view().size() != 8) return absl::DataLossError("compare: the cursor of the journal is damaged");
  const uint64_t followed = internal::LoadBigEndian64(value->view().data());
  const uint64_t head = ledger_.Head().sequence.value();
  if (followed > head) {
    return Error(absl::StatusCode::kDataLoss, "compare: the cursor, ", followed, ", is past the journal's head, ",
                 head);
  }
  run_.standing.followed = followed;
  followed_.store(followed);
  return absl::OkStatus();
}

absl::Status ParallelRun::Core::LoadMeta() {
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine().Get(Space::kHost, kMetaKey));
  Meta meta{.ledger = ledger_.id(), .mapping_json = run_.mapping_json};
  if (!value) {
    WriteSet writes;
    writes.Put(Space::kHost, kMetaKey, EncodeMeta(meta));
    return engine().Write(writes);
  }
  NW_ASSIGN_OR_RETURN(meta, DecodeMeta(value->view()));
  if (meta.ledger != ledger_.id()) {
    return absl::FailedPreconditionError("the store has a parallel run of another ledger");
  }
  if (meta.mapping_json != run_.mapping_json) NW_RETURN_IF_ERROR(BeginReread(run_, meta));
  return FinishReread(run_, meta, Now());
}

absl::Status ParallelRun::Core::Commit(WriteSet& writes, Standing standing) {
  NW_RETURN_IF_ERROR(engine().Write(writes));
  run_.standing = std::move(standing);
  return absl::OkStatus();
}

absl::StatusOr<size_t> ParallelRun::Core::FollowLocked(size_t limit) {
  JournalReader reader = ledger_.ReadJournal(Sequence(run_.standing.followed));
  NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> records, reader.Next(limit));
  if (records.empty()) return 0;
  Standing standing = run_.standing;
  standing.followed = records.back().sequence.value();
  ItemBatch batch(run_, standing, Now());
  for (const JournalRecord& record : records) {
    NW_ASSIGN_OR_RETURN(std::optional<OurChange> change, side_.Read(record));
    if (change) batch.Add(*std::move(change));
  }
  WriteSet writes;
  NW_RETURN_IF_ERROR(batch.Run(writes));
  std::string cursor;
  internal::PutBigEndian64(cursor, standing.followed);
  writes.Put(Space::kHost, kFollowedKey, cursor);
  NW_RETURN_IF_ERROR(Commit(writes, std::move(standing)));
  followed_.store(run_.standing.followed);
  return records.size();
}

absl::StatusOr<const RowMapping*> ParallelRun::Core::Bind(absl::Span<const std::string> columns) {
  if (!bound_ || bound_->columns() != columns) {
    bound_.reset();
    NW_ASSIGN_OR_RETURN(RowMapping mapping, RowMapping::Bind(run_.mapping, columns));
    bound_.emplace(std::move(mapping));
  }
  return &*bound_;
}

absl::StatusOr<IngestResult> ParallelRun::Core::IngestLocked(std::string_view source,
                                                             absl::Span<const std::string> columns,
                                                             absl::Span<const RawRow> rows, std::string_view next,
                                                             const RowMapping& mapping) {
  IngestResult result;
  size_t done = 0;
  do {
    if (done > 0) NW_RETURN_IF_ERROR(internal::CheckInterrupted());
    Standing standing = run_.standing;
    ColumnSets sets = run_.columns;
    WriteSet writes;
    NW_ASSIGN_OR_RETURN(const uint32_t number, sets.Number(columns, writes));
    ItemBatch batch(run_, standing, Now());
    size_t count = 0, bytes = 0;
    while (done < rows.size() && count < kWriteRows && bytes < kWriteBytes) {
      NW_ASSIGN_OR_RETURN(const bool taken, batch.Add(Arrival(source, number, rows[done], mapping)));
      if (!taken) break;
      bytes += BytesOf(rows[done]);
      ++count;
      ++done;
    }
    NW_RETURN_IF_ERROR(batch.Run(writes));
    if (done == rows.size()) writes.Put(Space::kHost, Key(kSourcePrefix, source), next);
    NW_RETURN_IF_ERROR(Commit(writes, std::move(standing)));
    run_.columns = std::move(sets);
    AddTo(result, batch.tally());
  } while (done < rows.size());
  return result;
}

TheirArrival ParallelRun::Core::Arrival(std::string_view source, uint32_t columns, const RawRow& raw,
                                        const RowMapping& mapping) const {
  TheirArrival arrival{.source = std::string(source), .columns = columns, .raw = raw, .mapped = mapping.Read(raw)};
  if (arrival.mapped.kind == MappedRow::Kind::kUnreadable) {
    // It has no day of its own: that on which it is first seen has to do.
    arrival.mapped.row = {};
    arrival.mapped.row.day = run_.terms.days.DayOf(Now());
  }
  arrival.row_id = arrival.mapped.row_id.empty() ? RowIdOfText(raw) : arrival.mapped.row_id;
  return arrival;
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#include "src/compare/reread.h"

#include <map>
#include <string>
#include <utility>

#include "northwind/status.h"
#include "src/compare/item_batch.h"
#include "src/compare/keys.h"

namespace northwind::internal::compare {
namespace {

// Of one write.
constexpr size_t kItems = 2'000;
constexpr size_t kBytes = 4 << 20;

// Reads rows by the run's mapping, whatever head they came under.
class Reader {
 public:
  explicit Reader(const RunState& run) : run_(run) {}

  MappedRow operator()(const TheirKept& row) {
    auto [bound, is_new] = bound_.try_emplace(row.columns, absl::UnknownError(""));
    if (is_new) bound->second = RowMapping::Bind(run_.mapping, run_.columns.at(row.columns));
    if (bound->second.ok()) return bound->second->Read(row.raw);
    // Rows of a head that lacks a column which is now asked for.
    return {.kind = MappedRow::Kind::kUnreadable,
            .row_id = row.row_id,
            .error = std::string(bound->second.status().message())};
  }

 private:
  const RunState& run_;
  std::map<uint32_t, absl::StatusOr<RowMapping>> bound_;
};

}  // namespace

absl::Status BeginReread(RunState& run, Meta& meta) {
  Standing standing = run.standing;
  WriteSet writes;
  for (const absl::CivilDay day : standing.days.Closed()) {
    NW_ASSIGN_OR_RETURN(DayFigures figures, ReadFigures(run.engine, day));
    figures.state = DayState::kReopened;
    writes.Put(Space::kHost, DayKey(kDayPrefix, day), EncodeFigures(figures));
    standing.days.Set(day, DayState::kReopened);
  }
  meta.mapping_json = run.mapping_json;
  meta.rereading = true;
  meta.reread_upto.clear();
  writes.Put(Space::kHost, kMetaKey, EncodeMeta(meta));
  NW_RETURN_IF_ERROR(run.engine.Write(writes));
  run.standing = std::move(standing);
  return absl::OkStatus();
}

absl::Status FinishReread(RunState& run, Meta& meta, absl::Time now) {
  Reader reader(run);
  while (meta.rereading) {
    Standing standing = run.standing;
    WriteSet writes;
    ItemBatch batch(run, standing, now);
    std::string begin = Key(kItemPrefix, meta.reread_upto);
    if (!meta.reread_upto.empty()) begin.push_back('\0');
    Cursor cursor = run.engine.NewCursor(Space::kHost, {.fill_cache = false, .interruptible = true});
    size_t items = 0, bytes = 0;
    for (cursor.Seek(begin); cursor.Valid() && cursor.key().starts_with(kItemPrefix); cursor.Next()) {
      if (items == kItems || bytes >= kBytes) break;
      ++items;
      bytes += cursor.value().size();
      NW_ASSIGN_OR_RETURN(const Item item, DecodeItem(cursor.key().substr(kItemPrefix.size()), cursor.value()));
      NW_RETURN_IF_ERROR(batch.Reread(item, [&](const TheirKept& row) { return reader(row); }));
      meta.reread_upto = item.name;
    }
    NW_RETURN_IF_ERROR(cursor.status());
    if (items == 0) {
      meta.rereading = false;
      meta.reread_upto.clear();
    }
    NW_RETURN_IF_ERROR(batch.Run(writes));
    writes.Put(Space::kHost, kMetaKey, EncodeMeta(meta));
    NW_RETURN_IF_ERROR(run.engine.Write(writes));
    run.standing = std::move(standing);
  }
  return absl::OkStatus();
}

}  // namespace northwind::internal::compare

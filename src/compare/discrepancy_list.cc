// SPDX-License-Identifier: Apache-2.0
#include "src/compare/discrepancy_list.h"

#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/classify.h"
#include "src/compare/keys.h"

namespace northwind::internal::compare {
namespace {

bool Fits(const DiscrepancyQuery& query, const DiscrepancyRecord& record) {
  return (!query.state || record.state == *query.state) &&
         (!query.first_class || record.classes.front() == *query.first_class) &&
         (!query.day || record.day == *query.day) &&
         (query.merchant_id.empty() || record.merchant_id == query.merchant_id);
}

TheirRow ShowRow(const RunState& run, const TheirKept& kept) {
  TheirRow row{.source = kept.source, .row_id = kept.row_id};
  const std::vector<std::string>& columns = run.columns.at(kept.columns);
  for (size_t i = 0; i < kept.raw.size() && i < columns.size(); ++i) row.raw.emplace(columns[i], kept.raw[i]);
  if (kept.kind != MappedRow::Kind::kUnreadable) row.row = kept.row;
  return row;
}

}  // namespace

absl::StatusOr<Discrepancy> ShowDiscrepancy(const RunState& run, std::string_view name,
                                            const DiscrepancyRecord& record) {
  Discrepancy shown{.id = std::string(name),
                    .classes = record.classes,
                    .state = record.state,
                    .day = record.day,
                    .first_seen = record.first_seen,
                    .last_seen = record.last_seen,
                    .rules_hash = absl::BytesToHexString(ToAbsl(AsBytes(record.rules_hash))),
                    .history = record.history};
  NW_ASSIGN_OR_RETURN(const std::optional<Item> item, ReadItem(run.engine, name));
  if (!item) return shown;
  for (const OurKept& row : item->ours) {
    OurRow& ours = shown.ours.emplace_back();
    for (const uint64_t sequence : row.records) ours.records.emplace_back(sequence);
    ours.row = run.terms.RowOf(*item, row);
  }
  for (const TheirKept& row : item->theirs) shown.theirs.push_back(ShowRow(run, row));
  const Verdict verdict =
      Classify(*item, run.terms, [&](absl::CivilDay day) { return run.standing.days.WasClosed(day); });
  shown.detail = Describe(*item, verdict, run.terms);
  return shown;
}

absl::Status EachDiscrepancy(const Engine& engine, std::string_view after, TakeRecord take) {
  Cursor cursor = engine.NewCursor(Space::kHost, {.fill_cache = false, .interruptible = true});
  std::string begin = Key(kDiscrepancyPrefix, after);
  if (!after.empty()) begin.push_back('\0');
  for (cursor.Seek(begin); cursor.Valid() && cursor.key().starts_with(kDiscrepancyPrefix); cursor.Next()) {
    const std::string_view name = cursor.key().substr(kDiscrepancyPrefix.size());
    NW_ASSIGN_OR_RETURN(const DiscrepancyRecord record, DecodeDiscrepancy(name, cursor.value()));
    NW_ASSIGN_OR_RETURN(const bool more, take(name, record));
    if (!more) return absl::OkStatus();
  }
  return cursor.status();
}

absl::StatusOr<uint64_t> CountOpen(const Engine& engine) {
  uint64_t open = 0;
  NW_RETURN_IF_ERROR(EachDiscrepancy(engine, {}, [&](std::string_view, const DiscrepancyRecord& record) {
    if (record.state == DiscrepancyState::kOpen) ++open;
    return absl::StatusOr<bool>(true);
  }));
  return open;
}

absl::StatusOr<DiscrepancyPage> ListDiscrepanciesOf(const RunState& run, const DiscrepancyQuery& query) {
  DiscrepancyPage page;
  NW_RETURN_IF_ERROR(EachDiscrepancy(
      run.engine, query.after, [&](std::string_view name, const DiscrepancyRecord& record) -> absl::StatusOr<bool> {
        if (!Fits(query, record)) return true;
        if (page.discrepancies.size() == query.limit) {
          page.next = page.discrepancies.back().id;
          return false;
        }
        NW_ASSIGN_OR_RETURN(Discrepancy shown, ShowDiscrepancy(run, name, record));
        page.discrepancies.push_back(std::move(shown));
        return true;
      }));
  return page;
}

}  // namespace northwind::internal::compare

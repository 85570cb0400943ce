// SPDX-License-Identifier: Apache-2.0
#include "src/compare/verify.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "northwind/interrupt.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/compare/classify.h"
#include "src/compare/closing.h"
#include "src/compare/day_index.h"
#include "src/compare/discrepancy_list.h"
#include "src/compare/fields.h"
#include "src/compare/journal_side.h"
#include "src/compare/keys.h"
#include "src/compare/row_ids.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::compare {
namespace {

constexpr size_t kJournalPage = 5'000;

template <typename... Parts>
absl::Status Differs(std::string_view name, const Parts&... parts) {
  return Error(absl::StatusCode::kDataLoss, "compare: ", Printable(name), ": ", parts...);
}

class Verifier {
 public:
  Verifier(const RunState& run, const Ledger& ledger) : run_(run), ledger_(ledger) {}

  absl::Status Run() {
    NW_RETURN_IF_ERROR(FindUnfinished());
    NW_RETURN_IF_ERROR(Items());
    NW_RETURN_IF_ERROR(IndexHasNoMore());
    NW_RETURN_IF_ERROR(RowIds());
    NW_RETURN_IF_ERROR(Discrepancies());
    NW_RETURN_IF_ERROR(WhatCameIn());
    NW_RETURN_IF_ERROR(RuleUses());
    NW_RETURN_IF_ERROR(ClosedDays());
    return Journal();
  }

 private:
  absl::Status FindUnfinished() {
    for (const absl::CivilDay day : run_.standing.days.Known(absl::CivilDay::min(), absl::CivilDay::max())) {
      if (run_.standing.days.StateOf(day) != DayState::kReopened) continue;
      NW_ASSIGN_OR_RETURN(const DayFigures figures, ReadFigures(run_.engine, day));
      if (figures.closed_at == absl::InfinitePast()) unfinished_.insert(day);
    }
    return absl::OkStatus();
  }

  absl::Status Items() {
    Cursor cursor =
        run_.engine.NewCursor(Space::kHost, {.fill_cache = false, .read_ahead = true, .interruptible = true});
    for (cursor.Seek(kItemPrefix); cursor.Valid() && cursor.key().starts_with(kItemPrefix); cursor.Next()) {
      NW_ASSIGN_OR_RETURN(const Item item, DecodeItem(cursor.key().substr(kItemPrefix.size()), cursor.value()));
      NW_RETURN_IF_ERROR(CheckRows(item));
      NW_RETURN_IF_ERROR(CheckVerdict(item));
      NW_RETURN_IF_ERROR(CheckIndex(item));
      CountRows(item);
    }
    return cursor.status();
  }

  absl::Status CheckRows(const Item& item) {
    for (const OurKept& row : item.ours) {
      if (row.day != run_.terms.days.DayOf(row.at) || row.hour != run_.terms.HourOf(row.at)) {
        return Differs(item.name, "our row of record ", row.records.front(), " is kept under another day or hour");
      }
    }
    for (const TheirKept& row : item.theirs) {
      if (row.columns >= run_.columns.size())
        return Differs(item.name, "the head of the row ", Printable(row.row_id), " is missing");
      const MappedRow mapped = Reread(row);
      bool same = mapped.kind == row.kind &&
                  (mapped.kind == MappedRow::Kind::kUnreadable ? mapped.error == row.error : mapped.row == row.row);
      if (!same) return Differs(item.name, "the row ", Printable(row.row_id), " is not kept as its text reads");
      const std::string key = RowKey(row.source, row.row_id);
      NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, run_.engine.Get(Space::kHost, key));
      if (!value) return Differs(item.name, "the row id ", Printable(row.row_id), " is not known");
      NW_ASSIGN_OR_RETURN(const RowPlace place, DecodeRowPlace(key, value->view()));
      if (place.name != item.name || place.dropped) {
        return Differs(item.name, "the row id ", Printable(row.row_id), " is said to be of ", Printable(place.name));
      }
      ++kept_rows_;
    }
    return absl::OkStatus();
  }

  MappedRow Reread(const TheirKept& row) {
    auto [bound, is_new] = bound_.try_emplace(row.columns, absl::UnknownError(""));
    if (is_new) bound->second = RowMapping::Bind(run_.mapping, run_.columns.at(row.columns));
    if (bound->second.ok()) return bound->second->Read(row.raw);
    return {.kind = MappedRow::Kind::kUnreadable, .error = std::string(bound->second.status().message())};
  }

  static bool IsKeptAs(const Item& item, const Verdict& verdict) {
    for (size_t i = 0; i < item.ours.size(); ++i) {
      if (item.ours[i].fate != verdict.ours[i]) return false;
    }
    for (size_t j = 0; j < item.theirs.size(); ++j) {
      if (item.theirs[j].fate != verdict.theirs[j] || item.theirs[j].hour != verdict.their_hours[j]) return false;
    }
    return true;
  }

  absl::Status CheckVerdict(const Item& item) {
    const auto closed = [this](absl::CivilDay day) { return run_.standing.days.WasClosed(day); };
    Verdict verdict = Classify(item, run_.terms, closed);
    if (!IsKeptAs(item, verdict) && !unfinished_.empty()) {
      // A first closing that a crash has cut short: the rest of it comes when the day is closed again.
      verdict =
          Classify(item, run_.terms, [&](absl::CivilDay day) { return closed(day) && !unfinished_.contains(day); });
    }
    if (!IsKeptAs(item, verdict)) return Differs(item.name, "its rows are judged otherwise than kept");
    std::optional<DiscrepancyRecord> record;
    if (item.disputed) {
      NW_ASSIGN_OR_RETURN(record, ReadDiscrepancy(run_.engine, item.name));
    }
    if (item.disputed != record.has_value()) return Differs(item.name, "its discrepancy is missing");
    const bool agrees = verdict.classes.empty();
    if (!record) return agrees ? absl::OkStatus() : Differs(item.name, "it differs, and has no discrepancy");
    if (record->agreed != agrees || (!agrees && record->classes != verdict.classes) ||
        item.ignored != (record->state == DiscrepancyState::kIgnored)) {
      return Differs(item.name, "its discrepancy is not what its rows say");
    }
    ++disputed_;
    return absl::OkStatus();
  }

  absl::Status CheckIndex(const Item& item) {
    for (const auto& [key, wanted] : IndexEntriesOf(item, run_.terms)) {
      NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, run_.engine.Get(Space::kHost, key));
      if (!value || value->view() != wanted) return Differs(item.name, "the index of days says something else of it");
      ++index_entries_;
    }
    return absl::OkStatus();
  }

  void CountRows(const Item& item) {
    if (item.canary) return;
    for (const OurKept& row : item.ours) Add(came_in_[row.day][row.asset.ToString()][0], {1, row.units});
    for (const TheirKept& row : item.theirs) {
      if (row.kind == MappedRow::Kind::kUnreadable) continue;
      Add(came_in_[row.row.day][row.row.asset.ToString()][1], {1, row.row.units});
    }
    for (const ManyRows& many : item.many) {
      Add(came_in_[many.place.day][many.asset.ToString()][static_cast<size_t>(many.side)], many.rows);
      if (many.side == Side::kTheirs) dropped_rows_ += many.rows.count;
    }
  }

  absl::Status IndexHasNoMore() const {
    uint64_t entries = 0;
    Cursor cursor =
        run_.engine.NewCursor(Space::kHost, {.fill_cache = false, .read_ahead = true, .interruptible = true});
    for (cursor.Seek(kIndexPrefix); cursor.Valid() && cursor.key().starts_with(kIndexPrefix); cursor.Next()) ++entries;
    NW_RETURN_IF_ERROR(cursor.status());
    if (entries == index_entries_) return absl::OkStatus();
    return Differs("index of days", entries, " entries, and the rows give ", index_entries_);
  }

  absl::Status RowIds() const {
    uint64_t kept = 0, dropped = 0;
    Cursor cursor =
        run_.engine.NewCursor(Space::kHost, {.fill_cache = false, .read_ahead = true, .interruptible = true});
    for (cursor.Seek(kRowPrefix); cursor.Valid() && cursor.key().starts_with(kRowPrefix); cursor.Next()) {
      NW_ASSIGN_OR_RETURN(const RowPlace place, DecodeRowPlace(cursor.key(), cursor.value()));
      ++(place.dropped ? dropped : kept);
    }
    NW_RETURN_IF_ERROR(cursor.status());
    if (kept == kept_rows_ && dropped == dropped_rows_) return absl::OkStatus();
    return Differs("row ids", kept, " and ", dropped, ", and the rows give ", kept_rows_, " and ", dropped_rows_);
  }

  absl::Status Discrepancies() {
    uint64_t records = 0, open = 0;
    NW_RETURN_IF_ERROR(EachDiscrepancy(run_.engine, {}, [&](std::string_view, const DiscrepancyRecord& record) {
      ++records;
      if (record.state == DiscrepancyState::kOpen) ++open;
      for (const std::string& id : record.rules) {
        RuleBook::Usage& usage = uses_[id];
        ++usage.count;
        for (const auto& [asset, units] : record.charged) usage.units[asset] += units;
      }
      return absl::StatusOr<bool>(true);
    }));
    if (records != disputed_) return Differs("discrepancies", records, ", and the rows give ", disputed_);
    if (open == run_.standing.open) return absl::OkStatus();
    return Differs("discrepancies", open, " are open, and ", run_.standing.open, " are said to be");
  }

  absl::Status WhatCameIn() {
    Cursor cursor = run_.engine.NewCursor(Space::kHost, {.fill_cache = false, .interruptible = true});
    for (cursor.Seek(kCountPrefix); cursor.Valid() && cursor.key().starts_with(kCountPrefix); cursor.Next()) {
      if (cursor.key().size() != kCountPrefix.size() + 4) return Differs("what came in", "a key is damaged");
      const absl::CivilDay day = LoadDay(cursor.key().data() + kCountPrefix.size());
      NW_ASSIGN_OR_RETURN(const CameIn kept, DecodeCameIn(day, cursor.value()));
      if (kept != came_in_[day])
        return Differs(absl::FormatCivilTime(day), "another number of rows is kept than came in");
      came_in_.erase(day);
    }
    NW_RETURN_IF_ERROR(cursor.status());
    if (came_in_.empty()) return absl::OkStatus();
    return Differs(absl::FormatCivilTime(came_in_.begin()->first), "rows are kept, and none came in");
  }

  absl::Status RuleUses() {
    for (const auto& [id, usage] : run_.standing.rules.AllUsage()) {
      if (usage != uses_[id]) return Differs(id, "the rule is said to cover something else than it does");
      uses_.erase(id);
    }
    return uses_.empty() ? absl::OkStatus() : Differs(uses_.begin()->first, "there is no such rule");
  }

  absl::Status ClosedDays() {
    for (const absl::CivilDay day : run_.standing.days.Closed()) {
      NW_ASSIGN_OR_RETURN(const DayFigures kept, ReadFigures(run_.engine, day));
      NW_ASSIGN_OR_RETURN(const Stock stock, TakeStock(run_, day));

      DayFigures derived = stock.figures;
      derived.state = kept.state;
      derived.closed_at = kept.closed_at;
      derived.closed_by = kept.closed_by;
      derived.rules_hash = kept.rules_hash;
      derived.canaries = kept.canaries;
      derived.sound = kept.sound;
      derived.totals = kept.totals;
      derived.totals_told = kept.totals_told;
      derived.incomplete = kept.totals_told ? IncompleteOf(derived) : kept.incomplete;
      if (EncodeFigures(kept) != EncodeFigures(derived))
        return Differs(absl::FormatCivilTime(day), "its figures are others");
    }
    return absl::OkStatus();
  }

  // Each row of ours that the journal gives is kept as it gives it. That there are no more of them is what came in.
  absl::Status Journal() {
    JournalSide side(ledger_);
    JournalReader reader = ledger_.ReadJournal(Sequence(0));
    while (reader.position().value() < run_.standing.followed) {
      NW_RETURN_IF_ERROR(CheckInterrupted());
      NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> records, reader.Next(kJournalPage));
      if (records.empty()) return Differs("journal", "it ends before what was followed of it");
      for (const JournalRecord& record : records) {
        if (record.sequence.value() > run_.standing.followed) break;
        NW_ASSIGN_OR_RETURN(const std::optional<OurChange> change, side.Read(record));
        if (change) NW_RETURN_IF_ERROR(CheckChange(*change));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckChange(const OurChange& change) const {
    NW_ASSIGN_OR_RETURN(const std::optional<Item> item, ReadItem(run_.engine, change.name));
    const uint64_t first = change.row ? change.sequence : change.of;
    if (!item)
      return change.row ? Differs(change.name, "record ", first, " of the journal is not kept") : absl::OkStatus();
    const auto row = std::find_if(item->ours.begin(), item->ours.end(),
                                  [&](const OurKept& ours) { return ours.records.front() == first; });
    if (row == item->ours.end()) {
      // One of too many; or, of an ending, of something that is no row.
      if (!item->many.empty() || !change.row) return absl::OkStatus();
      return Differs(change.name, "record ", first, " of the journal is not kept");
    }
    const bool last = row->records.back() == change.sequence;
    const bool listed = std::find(row->records.begin(), row->records.end(), change.sequence) != row->records.end();
    bool same = listed;
    if (change.row) {
      same = same && row->merchant_id == change.row->merchant_id && row->asset == change.row->asset &&
             row->at == change.row->at && row->fee == change.row->fee;
      if (last) same = same && row->units == change.row->units && row->status == change.row->status;
    } else if (last) {
      same = same && row->status == change.status && (!change.units || row->units == *change.units);
    }
    return same ? absl::OkStatus()
                : Differs(change.name, "record ", first, " of the journal is kept as something else");
  }

  const RunState& run_;
  const Ledger& ledger_;
  std::map<uint32_t, absl::StatusOr<RowMapping>> bound_;
  std::set<absl::CivilDay> unfinished_;
  std::map<absl::CivilDay, CameIn> came_in_;
  std::map<std::string, RuleBook::Usage> uses_;
  uint64_t index_entries_ = 0, kept_rows_ = 0, dropped_rows_ = 0, disputed_ = 0;
};

}  // namespace

absl::Status VerifyRun(const RunState& run, const Ledger& ledger) { return Verifier(run, ledger).Run(); }

}  // namespace northwind::internal::compare

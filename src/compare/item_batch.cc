// SPDX-License-Identifier: Apache-2.0
#include "src/compare/item_batch.h"

#include <algorithm>
#include <utility>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/classify.h"
#include "src/compare/day_index.h"
#include "src/compare/fields.h"
#include "src/compare/keys.h"

namespace northwind::internal::compare {
namespace {

// Items are far fewer than rows only by accident: most have one row of each side.
template <typename Rows>
auto FindOurs(Rows& rows, uint64_t first_record) {
  return std::find_if(rows.begin(), rows.end(),
                      [&](const OurKept& row) { return row.records.front() == first_record; });
}
template <typename Rows>
auto FindTheirs(Rows& rows, std::string_view source, std::string_view row_id) {
  return std::find_if(rows.begin(), rows.end(),
                      [&](const TheirKept& row) { return row.row_id == row_id && row.source == source; });
}

std::string NameOf(const TheirArrival& arrival) {
  return arrival.mapped.kind == MappedRow::Kind::kUnreadable ? UnreadableName(arrival.source, arrival.row_id)
                                                             : ItemName(arrival.mapped.row.leg, arrival.mapped.row.id);
}

}  // namespace

ItemBatch::ItemBatch(const RunState& run, Standing& standing, absl::Time now)
    : run_(run), standing_(standing), now_(now), judge_(run.JudgeAt(now, standing)) {}

void ItemBatch::Add(OurChange change) {
  steps_.push_back({.kind = Step::Kind::kOurs, .name = change.name, .index = ours_.size()});
  ours_.push_back(std::move(change));
}

void ItemBatch::AddCanary(OurChange change) {
  Add(std::move(change));
  steps_.back().canary = true;
}

absl::StatusOr<bool> ItemBatch::Add(TheirArrival arrival) {
  std::string key = RowKey(arrival.source, arrival.row_id);
  if (row_keys_.contains(key)) return false;
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, run_.engine.Get(Space::kHost, key));
  Step step{.kind = Step::Kind::kTheirs, .name = NameOf(arrival), .index = theirs_.size(), .canary = arrival.canary};
  if (value) {
    NW_ASSIGN_OR_RETURN(RowPlace before, DecodeRowPlace(key, value->view()));
    step.known = true;
    if (before.dropped) {
      step.unchanged =
          before.name == step.name && before.dropped->fingerprint == RowFingerprint(arrival.columns, arrival.raw);
      if (!step.unchanged) {
        steps_.push_back({.kind = Step::Kind::kDroppedGone, .name = before.name, .dropped = std::move(before.dropped)});
      }
    } else if (before.name != step.name) {
      steps_.push_back({.kind = Step::Kind::kTheirsGone, .name = std::move(before.name), .index = theirs_.size()});
    }
  }
  ++tally_.rows;
  if (arrival.mapped.kind == MappedRow::Kind::kUnreadable) ++tally_.unreadable;
  if (arrival.mapped.kind == MappedRow::Kind::kSkipped) ++tally_.skipped;
  row_keys_.insert(std::move(key));
  steps_.push_back(std::move(step));
  theirs_.push_back(std::move(arrival));
  return true;
}

void ItemBatch::Review(std::string name, std::optional<bool> northwind) {
  steps_.push_back({.kind = Step::Kind::kReview, .name = std::move(name), .northwind = northwind});
}

absl::Status ItemBatch::Reread(const Item& item, Rereader read) {
  steps_.push_back({.kind = Step::Kind::kOursAnew, .name = item.name});
  for (const TheirKept& row : item.theirs) {
    TheirArrival before{.source = row.source, .row_id = row.row_id};
    steps_.push_back({.kind = Step::Kind::kTheirsGone, .name = item.name, .index = theirs_.size()});
    theirs_.push_back(std::move(before));
    MappedRow mapped = read(row);
    if (mapped.kind == MappedRow::Kind::kUnreadable) {
      mapped.row.day = row.kind == MappedRow::Kind::kUnreadable ? row.row.day : run_.terms.days.DayOf(now_);
    }
    TheirArrival after{.source = row.source,
                       .row_id = mapped.row_id.empty() ? row.row_id : mapped.row_id,
                       .columns = row.columns,
                       .raw = row.raw,
                       .mapped = std::move(mapped)};
    steps_.push_back({.kind = Step::Kind::kTheirs,
                      .name = NameOf(after),
                      .index = theirs_.size(),
                      .late = row.late,
                      .reread = true});
    theirs_.push_back(std::move(after));
  }
  return absl::OkStatus();
}

absl::Status ItemBatch::Run(WriteSet& writes) {
  std::stable_sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) { return a.name < b.name; });
  for (size_t begin = 0; begin < steps_.size();) {
    size_t end = begin + 1;
    while (end < steps_.size() && steps_[end].name == steps_[begin].name) ++end;
    NW_RETURN_IF_ERROR(Work(absl::MakeSpan(steps_).subspan(begin, end - begin), writes));
    begin = end;
  }
  FinishLatePuts(writes);
  return FinishDays(writes);
}

void ItemBatch::FinishLatePuts(WriteSet& writes) {
  std::stable_sort(late_puts_.begin(), late_puts_.end(),
                   [](const LatePut& a, const LatePut& b) { return a.key < b.key; });
  for (const LatePut& put : late_puts_) {
    put.value ? writes.Put(Space::kHost, put.key, *put.value) : writes.Delete(Space::kHost, put.key);
  }
  late_puts_.clear();
}

absl::Status ItemBatch::Work(absl::Span<Step> steps, WriteSet& writes) {
  const std::string& name = steps.front().name;
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> kept, run_.engine.Get(Space::kHost, Key(kItemPrefix, name)));
  Item item;
  if (kept) {
    NW_ASSIGN_OR_RETURN(item, DecodeItem(name, kept->view()));
  } else {
    item = Item::Named(name);
  }
  if (steps.front().canary) item.canary = true;
  const std::vector<std::string> keys_before = IndexKeysOf(item);
  bool changed = false;
  for (Step& step : steps) changed = Apply(step, item) || changed;
  if (!changed) return absl::OkStatus();
  return Finish(item, kept ? kept->view() : std::string_view(), keys_before, writes);
}

bool ItemBatch::Apply(Step& step, Item& item) {
  switch (step.kind) {
    case Step::Kind::kOurs:
      return ApplyOurs(step, item);
    case Step::Kind::kTheirs:
      return ApplyTheirs(step, item);
    case Step::Kind::kTheirsGone:
      return ApplyGone(step, item);
    case Step::Kind::kDroppedGone:
      return ApplyDroppedGone(step, item);
    case Step::Kind::kOursAnew:
      return ApplyOursAnew(item);
    case Step::Kind::kReview:
      item.northwind = step.northwind.value_or(item.northwind);
      return true;
  }
  return false;
}

// ---- Ours ---------------------------------------------------------------------------------------------------

bool ItemBatch::ApplyOurs(Step& step, Item& item) {
  OurChange& change = ours_[step.index];
  if (!change.row) {
    const auto row = FindOurs(item.ours, change.of);
    // Not there: it was one of too many, or is no row.
    if (row == item.ours.end() || row->records.back() >= change.sequence) return false;
    row->records.push_back(change.sequence);
    row->status = change.status;
    if (change.units && *change.units != row->units) {
      Count(item, Side::kOurs, row->day, row->asset, row->units, -1);
      row->units = *change.units;
      Count(item, Side::kOurs, row->day, row->asset, row->units, 1);
    }
    return true;
  }
  if (FindOurs(item.ours, change.sequence) != item.ours.end()) return false;
  OurKept row = *std::move(change.row);
  row.day = run_.terms.days.DayOf(row.at);
  row.hour = run_.terms.HourOf(row.at);
  row.late = standing_.days.WasClosed(row.day);
  Count(item, Side::kOurs, row.day, row.asset, row.units, 1);
  if (item.ours.size() >= kMaxRowsPerItem) {
    AddMany(item, Side::kOurs, {row.day, row.merchant_id, row.hour}, row.asset, row.units);
  } else {
    item.ours.push_back(std::move(row));
  }
  return true;
}

bool ItemBatch::ApplyOursAnew(Item& item) {
  TouchDaysOf(item);
  for (OurKept& row : item.ours) {
    Count(item, Side::kOurs, row.day, row.asset, row.units, -1);
    row.day = run_.terms.days.DayOf(row.at);
    row.hour = run_.terms.HourOf(row.at);
    Count(item, Side::kOurs, row.day, row.asset, row.units, 1);
  }
  return true;
}

// ---- Theirs -------------------------------------------------------------------------------------------------

bool ItemBatch::ApplyTheirs(Step& step, Item& item) {
  TheirArrival& arrival = theirs_[step.index];
  if (step.unchanged) {
    ++tally_.unchanged;
    return false;
  }
  TheirKept row{.source = arrival.source,
                .row_id = arrival.row_id,
                .columns = arrival.columns,
                .raw = std::move(arrival.raw),
                .kind = arrival.mapped.kind,
                .error = std::move(arrival.mapped.error),
                .row = std::move(arrival.mapped.row)};
  const bool readable = row.kind != MappedRow::Kind::kUnreadable;
  if (row.row.at) row.hour = run_.terms.HourOf(*row.row.at);
  const auto before = step.known || step.reread ? FindTheirs(item.theirs, row.source, row.row_id) : item.theirs.end();
  if (before != item.theirs.end()) {
    if (before->columns == row.columns && before->raw == row.raw && !step.reread) {
      ++tally_.unchanged;
      return false;
    }
    TouchDaysOf(item);  // the row may leave its day
    if (before->kind != MappedRow::Kind::kUnreadable) {
      Count(item, Side::kTheirs, before->row.day, before->row.asset, before->row.units, -1);
    } else if (!readable) {
      row.row.day = before->row.day;
    }
    if (readable) Count(item, Side::kTheirs, row.row.day, row.row.asset, row.row.units, 1);
    row.late = before->late;
    *before = std::move(row);
    ++tally_.corrected;
    return true;
  }
  ++(step.known ? tally_.corrected : tally_.new_rows);
  row.late = step.reread ? step.late : standing_.days.WasClosed(row.row.day);
  RowPlace place{.name = item.name};
  if (readable) Count(item, Side::kTheirs, row.row.day, row.row.asset, row.row.units, 1);
  if (item.theirs.size() >= kMaxRowsPerItem) {
    const Place at{row.row.day, row.row.merchant_id, row.hour};
    place.dropped = DroppedRow{.place = at,
                               .asset = row.row.asset,
                               .units = row.row.units,
                               .fingerprint = RowFingerprint(row.columns, row.raw)};
    AddMany(item, Side::kTheirs, at, row.row.asset, row.row.units);
  } else {
    item.theirs.push_back(std::move(row));
  }
  late_puts_.push_back({RowKey(arrival.source, arrival.row_id), EncodeRowPlace(place)});
  return true;
}

bool ItemBatch::ApplyGone(const Step& step, Item& item) {
  const TheirArrival& arrival = theirs_[step.index];
  const auto row = FindTheirs(item.theirs, arrival.source, arrival.row_id);
  if (row == item.theirs.end()) return false;
  TouchDaysOf(item);
  if (row->kind != MappedRow::Kind::kUnreadable) {
    Count(item, Side::kTheirs, row->row.day, row->row.asset, row->row.units, -1);
  }
  item.theirs.erase(row);
  return true;
}

bool ItemBatch::ApplyDroppedGone(const Step& step, Item& item) {
  const DroppedRow& dropped = *step.dropped;
  const auto many = std::find_if(item.many.begin(), item.many.end(), [&](const ManyRows& m) {
    return m.side == Side::kTheirs && m.place == dropped.place && m.asset == dropped.asset;
  });
  if (many == item.many.end()) return false;
  TouchDaysOf(item);
  Count(item, Side::kTheirs, dropped.place.day, dropped.asset, dropped.units, -1);
  Subtract(many->rows, {1, dropped.units});
  if (many->rows.count == 0) item.many.erase(many);
  return true;
}

void ItemBatch::AddMany(Item& item, Side side, const Place& place, const Asset& asset, absl::int128 units) {
  for (ManyRows& many : item.many) {
    if (many.side != side || many.place != place || many.asset != asset) continue;
    compare::Add(many.rows, {1, units});
    return;
  }
  item.many.push_back({.side = side, .place = place, .asset = asset, .rows = {1, units}});
}

// ---- What follows -------------------------------------------------------------------------------------------

absl::Status ItemBatch::Finish(Item& item, std::string_view before, const std::vector<std::string>& keys_before,
                               WriteSet& writes) {
  const Verdict verdict =
      Classify(item, run_.terms, [this](absl::CivilDay day) { return standing_.days.WasClosed(day); });
  for (size_t i = 0; i < item.ours.size(); ++i) item.ours[i].fate = verdict.ours[i];
  for (size_t j = 0; j < item.theirs.size(); ++j) {
    item.theirs[j].fate = verdict.theirs[j];
    item.theirs[j].hour = verdict.their_hours[j];
  }
  bool changed = false;
  if (!verdict.classes.empty() || item.disputed) {
    NW_ASSIGN_OR_RETURN(changed, FinishDiscrepancy(item, verdict, writes));
  }
  const std::string after = EncodeItem(item);
  // An item may lie in several days. To look at it again for one of them must not make another one stale.
  if (!changed && after == before) return absl::OkStatus();
  TouchDaysOf(item);
  PutItem(item, after, keys_before, writes);
  return absl::OkStatus();
}

absl::StatusOr<bool> ItemBatch::FinishDiscrepancy(Item& item, const Verdict& verdict, WriteSet& writes) {
  DiscrepancyRecord record;
  std::string before;
  if (item.disputed) {
    NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value,
                        run_.engine.Get(Space::kHost, Key(kDiscrepancyPrefix, item.name)));
    if (!value) return Error(absl::StatusCode::kDataLoss, "compare: the discrepancy ", item.name, " is missing");
    before = value->view();
    NW_ASSIGN_OR_RETURN(record, DecodeDiscrepancy(item.name, before));
  }
  DiscrepancyRecord as_it_was = record;
  if (verdict.classes.empty()) {
    ObserveAgreement(item, verdict, judge_, record);
  } else {
    Observe(item, verdict, judge_, record);
  }
  if (decision_ != nullptr) NW_RETURN_IF_ERROR((*decision_)(judge_, record));
  if (!item.canary) {
    if (item.disputed && as_it_was.state == DiscrepancyState::kOpen) --standing_.open;
    if (record.state == DiscrepancyState::kOpen) ++standing_.open;
  }
  item.disputed = true;
  item.ignored = record.state == DiscrepancyState::kIgnored;
  const std::string after = EncodeDiscrepancy(record);
  if (after != before) writes.Put(Space::kHost, Key(kDiscrepancyPrefix, item.name), after);
  as_it_was.last_seen = record.last_seen;
  as_it_was.rules_hash = record.rules_hash;
  return EncodeDiscrepancy(as_it_was) != after;
}

void ItemBatch::PutItem(const Item& item, const std::string& bytes, const std::vector<std::string>& keys_before,
                        WriteSet& writes) {
  const std::string key = Key(kItemPrefix, item.name);
  // One without rows stays if it has a discrepancy to tell of.
  if (item.empty() && !item.disputed) {
    writes.Delete(Space::kHost, key);
  } else {
    writes.Put(Space::kHost, key, bytes);
  }
  std::vector<std::pair<std::string, std::string>> entries = IndexEntriesOf(item, run_.terms);
  for (const std::string& before : keys_before) {
    const bool stays =
        std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == before; });
    if (!stays) late_puts_.push_back({before, std::nullopt});
  }
  for (auto& [at, value] : entries) late_puts_.push_back({std::move(at), std::move(value)});
}

absl::Status ItemBatch::Erase(const Item& item, WriteSet& writes) {
  for (const std::string& key : IndexKeysOf(item)) writes.Delete(Space::kHost, key);
  for (const TheirKept& row : item.theirs) writes.Delete(Space::kHost, RowKey(row.source, row.row_id));
  writes.Delete(Space::kHost, Key(kDiscrepancyPrefix, item.name));
  writes.Delete(Space::kHost, Key(kItemPrefix, item.name));
  return absl::OkStatus();
}

absl::Status ItemBatch::Decide(std::string_view name, Decision decision, WriteSet& writes) {
  decision_ = &decision;
  Review(std::string(name));
  const absl::Status status = Run(writes);
  decision_ = nullptr;
  return status;
}

void ItemBatch::Count(const Item& item, Side side, absl::CivilDay day, const Asset& asset, absl::int128 units,
                      int sign) {
  if (item.canary) return;
  CountAndSum& count = came_in_[day][asset.ToString()][static_cast<size_t>(side)];
  sign > 0 ? compare::Add(count, {1, units}) : Subtract(count, {1, units});  // counts wrap too, until they are added up
}

void ItemBatch::Touch(absl::CivilDay day) {
  if (day == last_touched_) return;
  touched_.insert(day);
  last_touched_ = day;
}

void ItemBatch::TouchDaysOf(const Item& item) {
  if (item.canary) return;
  for (const OurKept& row : item.ours) Touch(row.day);
  for (const TheirKept& row : item.theirs) Touch(row.row.day);
  for (const ManyRows& many : item.many) Touch(many.place.day);
}

absl::Status ItemBatch::FinishDays(WriteSet& writes) {
  for (const auto& [day, changes] : came_in_) {
    NW_ASSIGN_OR_RETURN(CameIn counts, ReadCameIn(run_.engine, day));
    for (const auto& [asset, sides] : changes) {
      std::array<CountAndSum, 2>& kept = counts[asset];
      for (size_t side = 0; side < 2; ++side) compare::Add(kept[side], sides[side]);
      if (kept == std::array<CountAndSum, 2>{}) counts.erase(asset);
    }
    writes.Put(Space::kHost, DayKey(kCountPrefix, day), EncodeCameIn(counts));
    standing_.days.Learn(day);
  }
  for (const absl::CivilDay day : touched_) {
    if (!came_in_.contains(day) && standing_.days.Known(day, day).empty()) {
      writes.Put(Space::kHost, DayKey(kCountPrefix, day), EncodeCameIn({}));
      standing_.days.Learn(day);
    }
    if (standing_.days.StateOf(day) != DayState::kClosed) continue;
    NW_ASSIGN_OR_RETURN(DayFigures figures, ReadFigures(run_.engine, day));
    figures.state = DayState::kReopened;
    writes.Put(Space::kHost, DayKey(kDayPrefix, day), EncodeFigures(figures));
    standing_.days.Set(day, DayState::kReopened);
  }
  standing_.rules.WriteChanges(writes);
  return absl::OkStatus();
}

}  // namespace northwind::internal::compare

// SPDX-License-Identifier: Apache-2.0
#include "src/compare/canary.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/compare/discrepancy_list.h"
#include "src/compare/item_batch.h"
#include "src/compare/keys.h"

namespace northwind::internal::compare {
namespace {

constexpr std::string_view kCanary = "nw-canary-";
constexpr int kMaxTries = 100;

std::vector<DiscrepancyClass> ClassesOf(const Terms& terms) {
  std::vector<DiscrepancyClass> classes = {DiscrepancyClass::kMissingHere, DiscrepancyClass::kMissingThere,
                                           DiscrepancyClass::kDuplicate, DiscrepancyClass::kCurrency,
                                           DiscrepancyClass::kAmount};
  if (terms.fees) classes.push_back(DiscrepancyClass::kFee);
  classes.push_back(DiscrepancyClass::kMerchant);
  if (terms.statuses) classes.push_back(DiscrepancyClass::kStatus);
  classes.push_back(DiscrepancyClass::kDayShift);
  return classes;
}

// One step away from zero.
absl::int128 More(absl::int128 units) { return units < 0 ? units - 1 : units + 1; }

Asset OtherAsset(const Asset& asset) { return {.code = asset.code == "XTS" ? "XXX" : "XTS", .scale = asset.scale}; }

// What a row may be written as so that it differs in just that; several where not all mappings have a text for each.
std::vector<SettledRow> Spoiled(const SettledRow& row, DiscrepancyClass c, const LegacyMapping& mapping) {
  SettledRow other = row;
  switch (c) {
    case DiscrepancyClass::kCurrency:
      other.asset = OtherAsset(row.asset);
      return {other};
    case DiscrepancyClass::kAmount:
      other.units = More(row.units);
      return {other};
    case DiscrepancyClass::kFee:
      other.fee = More(row.fee.value_or(0));
      return {other};
    case DiscrepancyClass::kMerchant:
      other.merchant_id = "nw-canary";
      return {other};
    case DiscrepancyClass::kStatus: {
      std::vector<SettledRow> others;
      for (const auto& [text, status] : mapping.statuses) {
        if (status == row.status) continue;
        other.status = status;
        others.push_back(other);
      }
      return others;
    }
    case DiscrepancyClass::kDayShift:
      other.day += 2;  // no tolerance is that wide
      if (other.at) *other.at += absl::Hours(48);
      return {other};
    default:
      return {row};
  }
}

// The same of ours, for what the batch's columns cannot say.
void Spoil(OurKept& row, DiscrepancyClass c) {
  switch (c) {
    case DiscrepancyClass::kCurrency:
      row.asset = OtherAsset(row.asset);
      return;
    case DiscrepancyClass::kAmount:
      row.units = More(row.units);
      return;
    case DiscrepancyClass::kFee:
      row.fee = More(row.fee);
      return;
    case DiscrepancyClass::kMerchant:
      row.merchant_id = "nw-canary";
      return;
    case DiscrepancyClass::kStatus:
      row.status = row.status == LegStatus::kWon ? LegStatus::kLost : LegStatus::kWon;
      return;
    case DiscrepancyClass::kDayShift:
      row.at += absl::Hours(48);
      return;
    default:
      return;
  }
}

class Flock {
 public:
  Flock(RunState& run, const Item& like, RowMapping mapping, absl::Time now)
      : run_(run), like_(like), mapping_(std::move(mapping)), standing_(run.standing), batch_(run, standing_, now) {}

  absl::Status Lay(DiscrepancyClass c) {
    NW_ASSIGN_OR_RETURN(const std::string id, FreeId(c));
    OurKept ours = like_.ours.front();
    std::optional<RawRow> theirs;
    SettledRow row = like_.theirs.front().row;
    row.id = id;
    for (const SettledRow& spoiled : Spoiled(row, c, run_.mapping)) {
      if (theirs = Written(spoiled, RowId(c, 1)); theirs) break;
    }
    if (!theirs) {
      theirs = Written(row, RowId(c, 1));
      Spoil(ours, c);
    }
    const std::string name = ItemName(like_.leg, id);
    names_.push_back(name);
    if (c != DiscrepancyClass::kMissingHere) {
      const uint64_t sequence = ours.records.front();
      ours.records = {sequence};
      batch_.AddCanary({.name = name, .sequence = sequence, .row = std::move(ours)});
    }
    if (c == DiscrepancyClass::kMissingThere || !theirs) return absl::OkStatus();
    NW_RETURN_IF_ERROR(Arrive(*theirs, RowId(c, 1)));
    if (c != DiscrepancyClass::kDuplicate) return absl::OkStatus();
    const std::optional<RawRow> again = Written(row, RowId(c, 2));
    return again ? Arrive(*again, RowId(c, 2)) : absl::OkStatus();
  }

  absl::Status Send() {
    WriteSet writes;
    NW_RETURN_IF_ERROR(batch_.Run(writes));
    NW_RETURN_IF_ERROR(run_.engine.Write(writes));
    run_.standing = standing_;
    return absl::OkStatus();
  }

  // As whoever lists them would.
  absl::StatusOr<std::vector<DiscrepancyClass>> Find(size_t index) const {
    const std::string& name = names_[index];
    NW_ASSIGN_OR_RETURN(const DiscrepancyPage page, ListDiscrepanciesOf(run_, {.state = DiscrepancyState::kOpen,
                                                                               .after = name.substr(0, name.size() - 1),
                                                                               .limit = 1}));
    if (page.discrepancies.empty() || page.discrepancies.front().id != name) return std::vector<DiscrepancyClass>();
    return page.discrepancies.front().classes;
  }

 private:
  static std::string RowId(DiscrepancyClass c, int n) { return absl::StrCat(ToAbsl(kCanary), ToAbsl(Name(c)), ".", n); }

  // An id that nothing real has.
  absl::StatusOr<std::string> FreeId(DiscrepancyClass c) const {
    const bool of_refund = like_.id.find('/') != std::string::npos;
    for (int n = 1; n <= kMaxTries; ++n) {
      std::string id = absl::StrCat(ToAbsl(kCanary), ToAbsl(Name(c)), "-", n, of_refund ? "/1" : "");
      NW_ASSIGN_OR_RETURN(const std::optional<Item> taken, ReadItem(run_.engine, ItemName(like_.leg, id)));
      if (!taken) return id;
    }
    return Error(absl::StatusCode::kInternal, "compare: no id is free for a canary");
  }

  std::optional<RawRow> Written(const SettledRow& row, const std::string& row_id) const {
    absl::StatusOr<RawRow> raw = mapping_.Write(like_.theirs.front().raw, row_id, row);
    if (!raw.ok()) return std::nullopt;
    return *std::move(raw);
  }

  absl::Status Arrive(const RawRow& raw, const std::string& row_id) {
    MappedRow mapped = mapping_.Read(raw);
    // Not what was written: it is not sent, and so not found.
    if (mapped.kind != MappedRow::Kind::kRow || ItemName(mapped.row.leg, mapped.row.id) != names_.back()) {
      return absl::OkStatus();
    }
    return batch_
        .Add({.source = like_.theirs.front().source,
              .row_id = row_id,
              .columns = like_.theirs.front().columns,
              .raw = raw,
              .mapped = std::move(mapped),
              .canary = true})
        .status();
  }

  RunState& run_;
  const Item& like_;
  const RowMapping mapping_;
  Standing standing_;
  ItemBatch batch_;
  std::vector<std::string> names_;
};

}  // namespace

absl::StatusOr<std::vector<CanaryResult>> SendCanaries(RunState& run, const std::string& template_name,
                                                       absl::Time now) {
  std::vector<CanaryResult> results;
  NW_ASSIGN_OR_RETURN(const std::optional<Item> like, ReadItem(run.engine, template_name));
  if (!like || like->ours.empty() || like->theirs.empty()) {
    return Error(absl::StatusCode::kDataLoss, "compare: ", template_name, " is in the index of days, but is not kept");
  }
  NW_ASSIGN_OR_RETURN(RowMapping mapping, RowMapping::Bind(run.mapping, run.columns.at(like->theirs.front().columns)));
  Flock flock(run, *like, std::move(mapping), now);
  for (const DiscrepancyClass c : ClassesOf(run.terms)) {
    NW_RETURN_IF_ERROR(flock.Lay(c));
    results.push_back({.expected = c});
  }
  NW_RETURN_IF_ERROR(flock.Send());
  for (size_t i = 0; i < results.size(); ++i) {
    NW_ASSIGN_OR_RETURN(results[i].found, flock.Find(i));
  }
  NW_RETURN_IF_ERROR(SweepCanaries(run));
  return results;
}

absl::Status SweepCanaries(RunState& run) {
  Standing standing = run.standing;
  ItemBatch batch(run, standing, absl::InfinitePast());
  WriteSet writes;
  Cursor cursor = run.engine.NewCursor(Space::kHost);
  for (uint8_t leg = 1; leg <= kLegs; ++leg) {
    const std::string prefix = Key(kItemPrefix, ItemName(static_cast<Leg>(leg), kCanary));
    for (cursor.Seek(prefix); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
      NW_ASSIGN_OR_RETURN(const Item item, DecodeItem(cursor.key().substr(kItemPrefix.size()), cursor.value()));
      if (item.canary) NW_RETURN_IF_ERROR(batch.Erase(item, writes));
    }
    NW_RETURN_IF_ERROR(cursor.status());
  }
  return run.engine.Write(writes);
}

}  // namespace northwind::internal::compare

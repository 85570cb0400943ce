// SPDX-License-Identifier: Apache-2.0
#include "src/compare/closing.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/compare/day_index.h"
#include "src/compare/digests.h"
#include "src/compare/fields.h"
#include "src/compare/item_batch.h"
#include "src/compare/keys.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::compare {
namespace {

constexpr size_t kReviewBatch = 5'000;  // items in one write

CountAndSum& BucketIn(Coverage& coverage, Bucket bucket) {
  switch (bucket) {
    case Bucket::kMatched:
      return coverage.matched;
    case Bucket::kMismatched:
      return coverage.mismatched;
    case Bucket::kPending:
      return coverage.pending;
    case Bucket::kIgnored:
      break;
  }
  return coverage.ignored;
}

bool IsTemplate(const IndexEntry& entry) {
  return entry.rows.size() == 2 && entry.rows[0].side == Side::kOurs && entry.rows[1].side == Side::kTheirs &&
         entry.rows[0].bucket == Bucket::kMatched && entry.rows[1].bucket == Bucket::kMatched;
}

absl::Status AddDiscrepancy(const RunState& run, std::string_view name, DayFigures& figures) {
  NW_ASSIGN_OR_RETURN(const std::optional<DiscrepancyRecord> record, ReadDiscrepancy(run.engine, name));
  if (!record) return Error(absl::StatusCode::kDataLoss, "compare: the discrepancy ", Printable(name), " is missing");
  ++figures.by_class[record->classes.front()];
  ++figures.by_state[record->state];
  return absl::OkStatus();
}

// Nothing if there is nobody to ask, or nothing to be asked.
absl::StatusOr<std::optional<bool>> AskWhoPays(const IsOurs& is_ours, const IndexKeyParts& key) {
  if (!is_ours) return std::nullopt;
  const Item item = Item::Named(key.name);
  if (!item.is_payout()) return std::nullopt;
  const absl::StatusOr<bool> ours = is_ours(item.leg, item.id, key.merchant_id);
  if (ours.ok()) return *ours;
  return Error(ours.status().code(), "who pays ", Printable(key.name), " cannot be told: ", ours.status().message());
}

}  // namespace

absl::Status CheckWhoPays(const RunState& run, absl::CivilDay day, const IsOurs& is_ours) {
  if (!is_ours) return absl::OkStatus();
  const std::string prefix = DayKey(kIndexPrefix, day);
  Cursor cursor = run.engine.NewCursor(Space::kHost, {.fill_cache = false, .read_ahead = true, .interruptible = true});
  for (cursor.Seek(prefix); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
    const std::optional<IndexKeyParts> key = ParseIndexKey(cursor.key());
    if (!key) return absl::DataLossError("compare: a key of the index of days is damaged");
    NW_ASSIGN_OR_RETURN(const std::optional<bool> northwind, AskWhoPays(is_ours, *key));
    if (northwind) return absl::OkStatus();
  }
  return cursor.status();
}

absl::Status ReviewDay(RunState& run, absl::CivilDay day, const IsOurs& is_ours, absl::Time now) {
  const std::string prefix = DayKey(kIndexPrefix, day);
  // Of the index as it stands now: what the writes below move is looked at by them.
  Cursor cursor = run.engine.NewCursor(Space::kHost, {.fill_cache = false, .read_ahead = true, .interruptible = true});
  cursor.Seek(prefix);
  while (true) {
    std::vector<std::pair<std::string, std::optional<bool>>> names;
    for (; cursor.Valid() && cursor.key().starts_with(prefix) && names.size() < kReviewBatch; cursor.Next()) {
      NW_ASSIGN_OR_RETURN(const IndexEntry entry, DecodeIndexEntry(cursor.key(), cursor.value()));
      const std::optional<IndexKeyParts> key = ParseIndexKey(cursor.key());
      if (!key) return absl::DataLossError("compare: a key of the index of days is damaged");
      // What agrees may yet be what both pay.
      NW_ASSIGN_OR_RETURN(const std::optional<bool> northwind, AskWhoPays(is_ours, *key));
      if (entry.settled() && northwind.value_or(entry.by_northwind()) == entry.by_northwind()) continue;
      names.emplace_back(key->name, northwind);
    }
    NW_RETURN_IF_ERROR(cursor.status());
    if (names.empty()) return absl::OkStatus();
    Standing standing = run.standing;
    WriteSet writes;
    ItemBatch batch(run, standing, now);
    for (auto& [name, northwind] : names) batch.Review(std::move(name), northwind);
    NW_RETURN_IF_ERROR(batch.Run(writes));
    NW_RETURN_IF_ERROR(run.engine.Write(writes));
    run.standing = std::move(standing);
  }
}

absl::StatusOr<Stock> TakeStock(const RunState& run, absl::CivilDay day) {
  Stock stock{.figures = {.day = day}};
  DayFigures& figures = stock.figures;
  NW_ASSIGN_OR_RETURN(const CameIn came_in, ReadCameIn(run.engine, day));
  for (const auto& [asset, sides] : came_in) {
    figures.assets[asset].ours.ingested = sides[0];
    figures.assets[asset].theirs.ingested = sides[1];
  }
  const std::string prefix = DayKey(kIndexPrefix, day);
  Cursor cursor = run.engine.NewCursor(Space::kHost, {.fill_cache = false, .read_ahead = true, .interruptible = true});
  DayDigest digest;
  Asset last_asset;
  SideBySide* sides = nullptr;
  bool any_template = false, distinct_template = false;
  for (cursor.Seek(prefix); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
    const std::optional<IndexKeyParts> key = ParseIndexKey(cursor.key());
    if (!key) return absl::DataLossError("compare: a key of the index of days is damaged");
    NW_ASSIGN_OR_RETURN(const IndexEntry entry, DecodeIndexEntry(cursor.key(), cursor.value()));
    for (const IndexRow& row : entry.rows) {
      if (sides == nullptr || row.asset != last_asset) {
        sides = &figures.assets[row.asset.ToString()];
        last_asset = row.asset;
      }
      Coverage& side = row.side == Side::kOurs ? sides->ours : sides->theirs;
      Add(BucketIn(side, row.bucket), row.rows);
      if (row.by_northwind) Add(side.by_northwind, row.rows);
    }
    if (entry.disputed && entry.home) NW_RETURN_IF_ERROR(AddDiscrepancy(run, key->name, figures));
    // Rather one that can be told from others of its id: a canary is then judged as most rows are.
    if (!distinct_template && IsTemplate(entry)) {
      distinct_template = !Item::Named(key->name).anonymous();
      if (distinct_template || !any_template) stock.template_name = key->name;
      any_template = true;
    }
    digest.Add(*key, entry, [](const DigestNode&) {});
  }
  NW_RETURN_IF_ERROR(cursor.status());
  const DigestNode whole = digest.Finish([](const DigestNode&) {});
  figures.our_digest = whole.ours;
  figures.their_digest = whole.theirs;
  return stock;
}

std::vector<std::string> IncompleteOf(const DayFigures& figures) {
  std::vector<std::string> incomplete;
  if (!figures.totals_told) return incomplete;
  const std::map<std::string, CountAndSum>& expected = figures.totals;
  const auto text = [](const std::string& name, const CountAndSum& count) {
    const absl::StatusOr<Asset> asset = Asset::Parse(name);
    return absl::StrCat(count.count, " rows of ", FormatUnits(count.sum, asset.ok() ? asset->scale : 0));
  };
  const auto compare = [&](const std::string& asset, const CountAndSum& wanted, const CountAndSum& came) {
    if (wanted == came) return;
    incomplete.push_back(
        absl::StrCat(asset, ": the batch has ", text(asset, wanted), ", there came ", text(asset, came)));
  };
  for (const auto& [asset, wanted] : expected) {
    const auto found = figures.assets.find(asset);
    compare(asset, wanted, found == figures.assets.end() ? CountAndSum{} : found->second.theirs.ingested);
  }
  for (const auto& [asset, sides] : figures.assets) {
    if (!expected.contains(asset)) compare(asset, {}, sides.theirs.ingested);
  }
  return incomplete;
}

}  // namespace northwind::internal::compare

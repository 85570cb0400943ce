// SPDX-License-Identifier: Apache-2.0
#include "src/compare/day_figures.h"

#include <algorithm>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/fields.h"
#include "src/compare/keys.h"

namespace northwind::internal::compare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kMaxText = 1 << 16;

void PutCoverage(std::string& out, const Coverage& coverage) {
  for (const CountAndSum* count : {&coverage.ingested, &coverage.matched, &coverage.mismatched, &coverage.pending,
                                   &coverage.ignored, &coverage.by_northwind}) {
    PutCount(out, *count);
  }
}
bool GetCoverage(ByteReader& in, Coverage& coverage) {
  return GetCount(in, coverage.ingested) && GetCount(in, coverage.matched) && GetCount(in, coverage.mismatched) &&
         GetCount(in, coverage.pending) && GetCount(in, coverage.ignored) && GetCount(in, coverage.by_northwind);
}

// Calls `get` as often as the list is long.
template <typename Get>
bool GetList(ByteReader& in, const Get& get) {
  uint64_t n;
  if (!in.GetVarint64(n)) return false;
  for (uint64_t i = 0; i < n; ++i) {
    if (!get()) return false;
  }
  return true;
}

template <typename Enum>
void PutTally(std::string& out, const std::map<Enum, uint64_t>& tally) {
  PutVarint64(out, tally.size());
  for (const auto& [value, count] : tally) {
    PutByte(out, static_cast<uint8_t>(value));
    PutVarint64(out, count);
  }
}
template <typename Enum>
bool GetTally(ByteReader& in, Enum last, std::map<Enum, uint64_t>& tally) {
  return GetList(in, [&] {
    Enum value;
    if (!GetEnum(in, last, value) || (!tally.empty() && value <= tally.rbegin()->first)) return in.Fail();
    return in.GetVarint64(tally[value]);
  });
}

bool GetHash(ByteReader& in, Hash256& hash) {
  std::string_view bytes;
  if (!in.GetRaw(hash.size(), bytes)) return false;
  std::copy(bytes.begin(), bytes.end(), hash.begin());
  return true;
}

bool GetCanary(ByteReader& in, CanaryResult& canary) {
  return GetEnum(in, DiscrepancyClass::kUnreadable, canary.expected) &&
         GetList(in, [&] { return GetEnum(in, DiscrepancyClass::kUnreadable, canary.found.emplace_back()); });
}

bool GetFigures(ByteReader& in, DayFigures& figures) {
  uint8_t version;
  if (!in.GetByte(version) || version != kVersion || !GetEnum(in, DayState::kReopened, figures.state) ||
      !GetTime(in, figures.closed_at) || !GetText(in, kMaxText, figures.closed_by)) {
    return false;
  }
  const auto get_asset = [&] {
    std::string asset;
    if (!GetText(in, 64, asset) || (!figures.assets.empty() && asset <= figures.assets.rbegin()->first))
      return in.Fail();
    SideBySide& sides = figures.assets[asset];
    return GetCoverage(in, sides.ours) && GetCoverage(in, sides.theirs);
  };
  const auto get_total = [&] {
    std::string asset;
    if (!GetText(in, 64, asset) || (!figures.totals.empty() && asset <= figures.totals.rbegin()->first))
      return in.Fail();
    return GetCount(in, figures.totals[asset]);
  };
  const auto get_totals = [&] { return GetFlag(in, figures.totals_told) && GetList(in, get_total); };
  return GetList(in, get_asset) && GetTally(in, DiscrepancyClass::kUnreadable, figures.by_class) &&
         GetTally(in, DiscrepancyState::kIgnored, figures.by_state) && GetText(in, 64, figures.rules_hash) &&
         GetList(in, [&] { return GetCanary(in, figures.canaries.emplace_back()); }) && GetFlag(in, figures.sound) &&
         GetList(in, [&] { return GetText(in, kMaxText, figures.incomplete.emplace_back()); }) &&
         GetHash(in, figures.our_digest) && GetHash(in, figures.their_digest) && get_totals() && in.AtEnd();
}

absl::Status Damaged(absl::CivilDay day) {
  return Error(absl::StatusCode::kDataLoss, "compare: what is kept of the day ", absl::FormatCivilTime(day),
               " is damaged");
}

}  // namespace

std::string EncodeFigures(const DayFigures& figures) {
  std::string out;
  PutByte(out, kVersion);
  PutByte(out, static_cast<uint8_t>(figures.state));
  PutTime(out, figures.closed_at);
  PutBytes(out, figures.closed_by);
  PutVarint64(out, figures.assets.size());
  for (const auto& [asset, sides] : figures.assets) {
    PutBytes(out, asset);
    PutCoverage(out, sides.ours);
    PutCoverage(out, sides.theirs);
  }
  PutTally(out, figures.by_class);
  PutTally(out, figures.by_state);
  PutBytes(out, figures.rules_hash);
  PutVarint64(out, figures.canaries.size());
  for (const CanaryResult& canary : figures.canaries) {
    PutByte(out, static_cast<uint8_t>(canary.expected));
    PutVarint64(out, canary.found.size());
    for (const DiscrepancyClass c : canary.found) PutByte(out, static_cast<uint8_t>(c));
  }
  PutByte(out, figures.sound ? 1 : 0);
  PutVarint64(out, figures.incomplete.size());
  for (const std::string& what : figures.incomplete) PutBytes(out, what);
  out.append(AsBytes(figures.our_digest));
  out.append(AsBytes(figures.their_digest));
  PutByte(out, figures.totals_told ? 1 : 0);
  PutVarint64(out, figures.totals.size());
  for (const auto& [asset, total] : figures.totals) {
    PutBytes(out, asset);
    PutCount(out, total);
  }
  return out;
}

absl::StatusOr<DayFigures> DecodeFigures(absl::CivilDay day, std::string_view bytes) {
  ByteReader in(bytes);
  DayFigures figures{.day = day};
  if (!GetFigures(in, figures)) return Damaged(day);
  return figures;
}

absl::StatusOr<DayFigures> ReadFigures(const Engine& engine, absl::CivilDay day) {
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine.Get(Space::kHost, DayKey(kDayPrefix, day)));
  if (!value) return DayFigures{.day = day};
  return DecodeFigures(day, value->view());
}

std::string EncodeCameIn(const CameIn& counts) {
  std::string out;
  PutByte(out, kVersion);
  PutVarint64(out, counts.size());
  for (const auto& [asset, sides] : counts) {
    PutBytes(out, asset);
    PutCount(out, sides[0]);
    PutCount(out, sides[1]);
  }
  return out;
}

absl::StatusOr<CameIn> DecodeCameIn(absl::CivilDay day, std::string_view bytes) {
  ByteReader in(bytes);
  CameIn counts;
  uint8_t version;
  const auto get = [&] {
    std::string asset;
    if (!GetText(in, 64, asset) || (!counts.empty() && asset <= counts.rbegin()->first)) return in.Fail();
    std::array<CountAndSum, 2>& sides = counts[asset];
    return GetCount(in, sides[0]) && GetCount(in, sides[1]);
  };
  if (!in.GetByte(version) || version != kVersion || !GetList(in, get) || !in.AtEnd()) return Damaged(day);
  return counts;
}

absl::StatusOr<CameIn> ReadCameIn(const Engine& engine, absl::CivilDay day) {
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine.Get(Space::kHost, DayKey(kCountPrefix, day)));
  if (!value) return CameIn{};
  return DecodeCameIn(day, value->view());
}

absl::StatusOr<DayBook> DayBook::Load(const Engine& engine) {
  DayBook book;
  Cursor cursor = engine.NewCursor(Space::kHost);
  for (const std::string_view prefix : {kCountPrefix, kDayPrefix}) {
    for (cursor.Seek(prefix); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
      if (cursor.key().size() != prefix.size() + 4) return absl::DataLossError("compare: the key of a day is damaged");
      const absl::CivilDay day = LoadDay(cursor.key().data() + prefix.size());
      if (prefix == kCountPrefix) {
        book.Learn(day);
        continue;
      }
      NW_ASSIGN_OR_RETURN(const DayFigures figures, DecodeFigures(day, cursor.value()));
      book.Set(day, figures.state);
    }
    NW_RETURN_IF_ERROR(cursor.status());
  }
  return book;
}

DayState DayBook::StateOf(absl::CivilDay day) const {
  const auto found = states_.find(day);
  return found == states_.end() ? DayState::kOpen : found->second;
}

std::vector<absl::CivilDay> DayBook::Known(absl::CivilDay from, absl::CivilDay to) const {
  std::vector<absl::CivilDay> days;
  for (auto it = states_.lower_bound(from); it != states_.end() && it->first <= to; ++it) days.push_back(it->first);
  return days;
}

std::vector<absl::CivilDay> DayBook::Closed() const {
  std::vector<absl::CivilDay> days;
  for (const auto& [day, state] : states_) {
    if (state == DayState::kClosed) days.push_back(day);
  }
  return days;
}

}  // namespace northwind::internal::compare

// SPDX-License-Identifier: Apache-2.0
#include "src/compare/row_mapping.h"

#include <algorithm>

#include "northwind/settlement.h"
#include "src/base/error.h"
#include "src/compare/legacy_text.h"
#include "src/settlement/event_text.h"

namespace northwind::internal {
namespace {

constexpr size_t kMaxRowIdBytes = 128;

// Of captures, returns and credits.
bool IsPositive(Leg leg) { return leg == Leg::kCapture || leg == Leg::kPayoutReturn; }

// Does the leg say the direction, so that the amount has no sign?
bool IsMagnitude(LegacyAmountSign sign, Leg leg) {
  return sign == LegacyAmountSign::kMagnitude && leg != Leg::kAdjustment;
}

// UTF-8 without control characters: it is shown, and is part of keys.
bool IsRowId(std::string_view text) {
  if (text.empty() || text.size() > kMaxRowIdBytes || !IsUtf8(text)) return false;
  return std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; });
}

bool IsId(std::string_view text, size_t max_bytes, Colon colon) {
  return !text.empty() && text.size() <= max_bytes && IsIdText(text, colon);
}

}  // namespace

// Reads one row. Each function reads what it is called after; false, with the error in `out`, if it cannot.
class RowMapping::Reader {
 public:
  Reader(const RowMapping& mapping, const RawRow& raw, MappedRow& out)
      : bound_(mapping), mapping_(mapping.mapping_), places_(mapping.places_), raw_(raw), out_(out) {}

  void Read() {
    if (!RowId() || !LegOf() || !Ids() || !AssetOf() || !Units() || !Fee() || !When()) return;
    Status();  // last: it also says what kind of row it is
  }

 private:
  SettledRow& row() { return out_.row; }

  template <typename... Parts>
  bool Fail(size_t place, const Parts&... parts) {
    out_.error = absl::StrCat(bound_.columns_[place], ": ", parts...);
    return false;
  }
  bool FailText(size_t place, absl::string_view why) {
    return raw_[place].has_value() ? Fail(place, why, ": '", Printable(*raw_[place]), "'") : Fail(place, "NULL");
  }

  bool RowId() {
    const std::optional<std::string>& text = raw_[places_.row_id];
    if (!text.has_value() || !IsRowId(*text)) {
      return FailText(places_.row_id, "not 1 to 128 bytes of UTF-8 without control characters");
    }
    out_.row_id = *text;
    return true;
  }

  bool LegOf() {
    if (places_.leg == kNoColumn) {
      row().leg = *mapping_.only_leg;
      return true;
    }
    const std::optional<std::string>& text = raw_[places_.leg];
    const auto found = text.has_value() ? mapping_.legs.find(*text) : mapping_.legs.end();
    if (found == mapping_.legs.end()) return FailText(places_.leg, "stands for no leg");
    row().leg = found->second;
    return true;
  }

  bool Ids() {
    constexpr absl::string_view kWhy = "not 1 to 64 characters of A-Z a-z 0-9 . _ : and -";
    constexpr absl::string_view kMerchantWhy = "not 1 to 64 characters of A-Z a-z 0-9 . _ and -";
    constexpr absl::string_view kRefundWhy = "not at most 63 characters of A-Z a-z 0-9 . _ : and -";
    const std::optional<std::string>& id = raw_[places_.id];
    if (!id.has_value() || !IsId(*id, kMaxEventIdBytes, Colon::kAllowed)) return FailText(places_.id, kWhy);
    row().id = *id;
    if (row().leg == Leg::kRefund && places_.refund_id != kNoColumn) {
      const std::optional<std::string>& refund = raw_[places_.refund_id];
      if (refund.has_value() && !refund->empty()) {
        if (!IsId(*refund, kMaxRefundIdBytes, Colon::kAllowed)) return FailText(places_.refund_id, kRefundWhy);
        row().id.append("/").append(*refund);
      }
    }
    const std::optional<std::string>& merchant = raw_[places_.merchant_id];
    if (!merchant.has_value() || !IsId(*merchant, kMaxEventIdBytes, Colon::kRefused)) {
      return FailText(places_.merchant_id, kMerchantWhy);
    }
    row().merchant_id = *merchant;
    return true;
  }

  bool AssetOf() {
    const std::optional<std::string>& text = raw_[places_.asset];
    if (!text.has_value()) return Fail(places_.asset, "NULL");
    if (const auto found = bound_.assets_.find(*text); found != bound_.assets_.end()) {
      row().asset = found->second;
      return true;
    }
    absl::StatusOr<Asset> asset = Asset::Parse(*text);
    if (!asset.ok()) return FailText(places_.asset, "stands for no asset");
    row().asset = *std::move(asset);
    return true;
  }

  bool ReadUnits(size_t place, bool magnitude, absl::int128& units) {
    const std::optional<std::string>& text = raw_[place];
    if (!text.has_value()) return Fail(place, "NULL");
    const absl::StatusOr<absl::int128> read = ParseLegacyUnits(*text, mapping_.amount_form, row().asset.scale);
    if (!read.ok()) return FailText(place, read.status().message());
    if (magnitude && (*text)[0] == '-') return FailText(place, "must not be negative");
    units = *read;
    return true;
  }

  bool Units() {
    const bool magnitude = IsMagnitude(mapping_.amount_sign, row().leg);
    if (!ReadUnits(places_.amount, magnitude, row().units)) return false;
    if (magnitude && !IsPositive(row().leg)) row().units = -row().units;
    return true;
  }

  bool Fee() {
    if (places_.fee == kNoColumn) return true;
    absl::int128& fee = row().fee.emplace(0);
    return !raw_[places_.fee].has_value() || ReadUnits(places_.fee, /*magnitude=*/true, fee);
  }

  bool When() {
    constexpr absl::string_view kDayWhy = "not a day of the years 2000 to 2199, such as 2026-03-01";
    constexpr absl::string_view kAtWhy =
        "not a moment of the years 2000 to 2199, such as 2026-03-01T12:00:00Z or 2026-03-01 12:00:00.123+00";
    if (places_.at != kNoColumn) {
      const std::optional<std::string>& text = raw_[places_.at];
      if (text.has_value()) row().at = ParseLegacyMoment(*text);
      // Beside the day, the moment may be missing.
      if (!row().at.has_value() && (text.has_value() || places_.day == kNoColumn)) return FailText(places_.at, kAtWhy);
    }
    if (places_.day == kNoColumn) {
      row().day = bound_.days_.DayOf(*row().at);
      return true;
    }
    const std::optional<std::string>& text = raw_[places_.day];
    const std::optional<absl::CivilDay> day = text.has_value() ? ParseLegacyDay(*text) : std::nullopt;
    if (!day.has_value()) return FailText(places_.day, kDayWhy);
    row().day = *day;
    return true;
  }

  bool Status() {
    out_.kind = MappedRow::Kind::kRow;
    if (places_.status == kNoColumn) return true;
    const std::optional<std::string>& text = raw_[places_.status];
    const auto found = text.has_value() ? mapping_.statuses.find(*text) : mapping_.statuses.end();
    if (found != mapping_.statuses.end()) {
      row().status = found->second;
      return true;
    }
    if (text.has_value() && mapping_.skipped_statuses.contains(*text)) {
      out_.kind = MappedRow::Kind::kSkipped;
      return true;
    }
    out_.kind = MappedRow::Kind::kUnreadable;
    return FailText(places_.status, "stands for no status");
  }

  const RowMapping& bound_;
  const LegacyMapping& mapping_;
  const Places& places_;
  const RawRow& raw_;
  MappedRow& out_;
};

// Writes into a row what Reader would read from it.
class RowMapping::Writer {
 public:
  Writer(const RowMapping& mapping, RawRow& raw)
      : bound_(mapping), mapping_(mapping.mapping_), places_(mapping.places_), raw_(raw) {}

  absl::Status Write(std::string_view row_id, const SettledRow& row) {
    raw_[places_.row_id] = std::string(row_id);
    if (places_.leg != kNoColumn) NW_RETURN_IF_ERROR(WriteNamed("leg", mapping_.legs, row.leg, raw_[places_.leg]));
    WriteIds(row);
    WriteAsset(row.asset);
    WriteUnits(row);
    if (places_.status != kNoColumn) {
      if (!row.status.has_value()) return Bad("status", "the mapping reads one");
      NW_RETURN_IF_ERROR(WriteNamed("status", mapping_.statuses, *row.status, raw_[places_.status]));
    }
    WriteWhen(row);
    return absl::OkStatus();
  }

 private:
  static absl::Status Bad(absl::string_view what, absl::string_view why) {
    return Error(absl::StatusCode::kInvalidArgument, what, ": ", why);
  }

  // A text that stands for the value: the one that is there, if it does.
  template <typename Value>
  static absl::Status WriteNamed(absl::string_view what, const std::map<std::string, Value>& texts, Value value,
                                 std::optional<std::string>& cell) {
    if (cell.has_value()) {
      if (const auto found = texts.find(*cell); found != texts.end() && found->second == value) return absl::OkStatus();
    }
    for (const auto& [text, stands_for] : texts) {
      if (stands_for != value) continue;
      cell = text;
      return absl::OkStatus();
    }
    return Bad(what, absl::StrCat("no text stands for ", ToAbsl(Name(value))));
  }

  void WriteIds(const SettledRow& row) {
    raw_[places_.merchant_id] = row.merchant_id;
    const size_t slash = places_.refund_id == kNoColumn ? std::string::npos : row.id.find('/');
    raw_[places_.id] = row.id.substr(0, slash);
    if (places_.refund_id == kNoColumn || row.leg != Leg::kRefund) return;
    raw_[places_.refund_id].reset();
    if (slash != std::string::npos) raw_[places_.refund_id] = row.id.substr(slash + 1);
  }

  void WriteAsset(const Asset& asset) {
    std::optional<std::string>& cell = raw_[places_.asset];
    const auto& assets = bound_.assets_;
    if (cell.has_value()) {
      if (const auto found = assets.find(*cell); found != assets.end() && found->second == asset) return;
    }
    const auto found = std::find_if(assets.begin(), assets.end(), [&](const auto& e) { return e.second == asset; });
    cell = found != assets.end() ? found->first : asset.ToString();
  }

  void WriteUnits(const SettledRow& row) {
    const int scale = mapping_.amount_form == LegacyAmountForm::kDecimal ? row.asset.scale : 0;
    const bool turned = IsMagnitude(mapping_.amount_sign, row.leg) && !IsPositive(row.leg);
    raw_[places_.amount] = FormatUnits(turned ? -row.units : row.units, scale);
    if (places_.fee != kNoColumn && row.fee.has_value()) raw_[places_.fee] = FormatUnits(*row.fee, scale);
  }

  void WriteWhen(const SettledRow& row) {
    if (places_.day != kNoColumn) {
      std::string text;
      AppendDay(text, row.day);
      raw_[places_.day] = std::move(text);
    }
    if (places_.at == kNoColumn) return;
    std::optional<std::string>& cell = raw_[places_.at];
    if (!row.at.has_value()) {
      cell.reset();
    } else if (!cell.has_value() || ParseLegacyMoment(*cell) != row.at) {
      std::string text;
      AppendTimestamp(text, *row.at);
      cell = std::move(text);
    }
  }

  const RowMapping& bound_;
  const LegacyMapping& mapping_;
  const Places& places_;
  RawRow& raw_;
};

absl::StatusOr<RowMapping> RowMapping::Bind(const LegacyMapping& mapping, absl::Span<const std::string> columns) {
  NW_RETURN_IF_ERROR(ValidateMapping(mapping));
  NW_ASSIGN_OR_RETURN(BusinessDays days, BusinessDays::Make(mapping.time_zone, mapping.day_begins));
  RowMapping bound(mapping, std::move(days));
  bound.columns_.assign(columns.begin(), columns.end());

  std::map<std::string_view, size_t> by_name;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (!by_name.emplace(columns[i], i).second) {
      return Error(absl::StatusCode::kInvalidArgument, "column '", Printable(columns[i]), "' is there twice");
    }
  }
  Places& places = bound.places_;
  const std::pair<const std::string*, size_t*> wanted[] = {
      {&mapping.row_id, &places.row_id},
      {&mapping.leg, &places.leg},
      {&mapping.id, &places.id},
      {&mapping.refund_id, &places.refund_id},
      {&mapping.merchant_id, &places.merchant_id},
      {&mapping.asset, &places.asset},
      {&mapping.amount, &places.amount},
      {&mapping.fee, &places.fee},
      {&mapping.status, &places.status},
      {&mapping.day, &places.day},
      {&mapping.at, &places.at},
  };
  for (const auto& [name, place] : wanted) {
    if (name->empty()) continue;
    const auto found = by_name.find(*name);
    if (found == by_name.end()) {
      return Error(absl::StatusCode::kInvalidArgument, "no column '", Printable(*name), "'");
    }
    *place = found->second;
  }
  for (const auto& [text, name] : mapping.assets) {
    NW_ASSIGN_OR_RETURN(Asset asset, Asset::Parse(name));
    bound.assets_.emplace(text, std::move(asset));
  }
  return bound;
}

MappedRow RowMapping::Read(const RawRow& raw) const {
  MappedRow out;
  if (raw.size() != columns_.size()) {
    out.error = absl::StrCat("columns: ", raw.size(), " of them, but ", columns_.size(), " were bound");
    return out;
  }
  Reader(*this, raw, out).Read();
  if (out.kind == MappedRow::Kind::kUnreadable) out.row = {};
  return out;
}

absl::StatusOr<RawRow> RowMapping::Write(const RawRow& like, std::string_view row_id, const SettledRow& row) const {
  if (like.size() != columns_.size()) {
    return Error(absl::StatusCode::kInvalidArgument, "columns: ", like.size(), " of them, but ", columns_.size(),
                 " were bound");
  }
  constexpr absl::int128 kMost = (absl::int128(1) << 126) - 1 + (absl::int128(1) << 126);
  if (row.units < -kMost || row.asset.scale < 0 || row.asset.scale > kMaxScale) {
    return Error(absl::StatusCode::kInvalidArgument, "amount: out of range");
  }
  RawRow raw = like;
  NW_RETURN_IF_ERROR(Writer(*this, raw).Write(row_id, row));
  // Whatever else the columns cannot say, such as a negative magnitude, or two things in one column.
  const MappedRow read = Read(raw);
  if (read.kind != MappedRow::Kind::kRow) return Error(absl::StatusCode::kInvalidArgument, read.error);
  if (read.row_id != row_id || read.row != row) {
    return Error(absl::StatusCode::kInvalidArgument, "the columns of the mapping cannot say this row");
  }
  return raw;
}

}  // namespace northwind::internal

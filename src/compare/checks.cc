// SPDX-License-Identifier: Apache-2.0
#include "src/compare/checks.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::compare {
namespace {

constexpr size_t kMaxSourceBytes = 64;
constexpr size_t kMaxNextBytes = 64 << 10;
constexpr size_t kMaxActorBytes = 128;
constexpr size_t kMaxReasonBytes = 1000;
constexpr int kMaxGateDays = 365;

absl::Status Bad(absl::string_view what, absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, what, ": ", why);
}

absl::Status CheckText(absl::string_view what, std::string_view text, size_t max, bool needed) {
  if ((needed && text.empty()) || text.size() > max) {
    return Error(absl::StatusCode::kInvalidArgument, what, ": must be ", needed ? 1 : 0, " to ", max, " bytes");
  }
  return IsUtf8(text) ? absl::OkStatus() : Bad(what, "not UTF-8");
}

}  // namespace

absl::Status CheckActor(std::string_view actor) { return CheckText("actor", actor, kMaxActorBytes, true); }
absl::Status CheckReason(std::string_view reason) { return CheckText("reason", reason, kMaxReasonBytes, true); }
absl::Status CheckNote(std::string_view note) { return CheckText("note", note, kMaxReasonBytes, false); }

absl::Status CheckSource(std::string_view source) {
  if (source.empty() || source.size() > kMaxSourceBytes || !IsIdText(source, Colon::kRefused)) {
    return Bad("source", "must be 1 to 64 characters of A-Z a-z 0-9 . _ and -");
  }
  return absl::OkStatus();
}

absl::Status CheckLimit(size_t limit, size_t max) {
  if (limit >= 1 && limit <= max) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "limit: must be 1 to ", max);
}

absl::Status CheckOptions(const ParallelRunOptions& options) {
  if (options.gate_days < 1 || options.gate_days > kMaxGateDays) return Bad("gate_days", "must be 1 to 365");
  if (options.close_after < absl::ZeroDuration() || options.close_after > absl::Hours(7 * 24)) {
    return Bad("close_after", "must be 0 to 7 days");
  }
  return absl::OkStatus();
}

absl::Status CheckTotals(const std::map<std::string, CountAndSum>& totals) {
  for (const auto& [asset, total] : totals) {
    if (!Asset::Parse(asset).ok()) {
      return Error(absl::StatusCode::kInvalidArgument, "expected: '", Printable(asset),
                   "' is not an asset such as USD/2");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHour(int hour) { return hour >= 0 && hour <= 23 ? absl::OkStatus() : Bad("hour", "must be 0 to 23"); }

absl::Status CheckRows(absl::Span<const std::string> columns, absl::Span<const RawRow> rows, std::string_view next) {
  NW_RETURN_IF_ERROR(CheckText("next", next, kMaxNextBytes, false));
  if (rows.size() > kMaxIngestRows) return Bad("rows", absl::StrCat("more than ", kMaxIngestRows));
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].size() != columns.size()) {
      return Bad("rows", absl::StrCat("row ", i, " has ", rows[i].size(), " columns, not ", columns.size()));
    }
    if (BytesOf(rows[i]) > kMaxLegacyRowBytes) {
      return Bad("rows", absl::StrCat("row ", i, " is longer than ", kMaxLegacyRowBytes, " bytes"));
    }
  }
  return absl::OkStatus();
}

size_t BytesOf(const RawRow& row) {
  size_t bytes = 0;
  for (const std::optional<std::string>& field : row) bytes += field ? field->size() : 0;
  return bytes;
}

}  // namespace northwind::internal::compare

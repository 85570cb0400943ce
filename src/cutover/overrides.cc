// SPDX-License-Identifier: Apache-2.0
//
// The overrides that are set. They stand in the merchants' records, which are what decides; an index beside them, written in the same
// write, makes a page cost what it gives, and knows which line of the audit log set each.
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/cutover/audit_log.h"
#include "src/cutover/core.h"
#include "src/settlement/event_text.h"

namespace northwind {

using internal::Cursor;
using internal::Error;
using internal::IndexedOverride;
using internal::MerchantStanding;
using internal::Printable;
using internal::Space;
using internal::WriteSet;

namespace {

absl::StatusOr<MerchantOverride> ReadOverride(const internal::Engine& engine, std::string_view merchant_id,
                                              const IndexedOverride& indexed) {
  NW_ASSIGN_OR_RETURN(AuditLine line, internal::ReadAuditLine(engine, indexed.line));
  if (line.action != internal::kSetOverride || !line.detail.starts_with(internal::OverrideDetail(merchant_id))) {
    return Error(absl::StatusCode::kDataLoss, "cutover: line ", indexed.line,
                 " of the audit log is not the one that set the override of merchant ", Printable(merchant_id));
  }
  return MerchantOverride{.merchant_id = std::string(merchant_id),
                          .value = indexed.value,
                          .line = indexed.line,
                          .at = line.at,
                          .actor = std::move(line.actor),
                          .reason = std::move(line.reason)};
}

// The line that said last what the override of each merchant is.
absl::StatusOr<std::map<std::string, uint64_t, std::less<>>> LastLines(const internal::Engine& engine,
                                                                       const internal::AuditEnd& end) {
  std::map<std::string, uint64_t, std::less<>> last;
  const std::string before = internal::OverrideDetail("");
  const std::string begins = before.substr(0, before.size() - 2);  // without the colon
  for (uint64_t after = 0; after < end.lines;) {
    NW_ASSIGN_OR_RETURN(const std::vector<AuditLine> lines, ReadAuditLog(engine, end, after, kMaxAuditPage));
    for (const AuditLine& line : lines) {
      if (line.action != internal::kSetOverride || !line.detail.starts_with(begins)) continue;
      const std::string_view rest = std::string_view(line.detail).substr(begins.size());
      last[std::string(rest.substr(0, rest.find(':')))] = line.number;  // there is no colon in the id of a merchant
    }
    after = lines.back().number;
  }
  return last;
}

}  // namespace

absl::StatusOr<OverridePage> Cutover::Core::Overrides(std::string_view after, size_t limit) {
  if (limit < 1 || limit > kMaxAuditPage) {
    return Error(absl::StatusCode::kInvalidArgument, "cutover: a page holds 1 to ", kMaxAuditPage, " overrides, not ",
                 limit);
  }
  NW_RETURN_IF_ERROR(EnsureOverrideIndex());
  OverridePage page;
  const std::string start = internal::CutoverKey(internal::kOverridePrefix, after);
  // Lines of the log never change: what the cursor sees is of one moment, and so is the page.
  Cursor cursor = engine_.NewCursor(Space::kHost);
  for (cursor.Seek(start); cursor.Valid() && cursor.key().starts_with(internal::kOverridePrefix); cursor.Next()) {
    if (!after.empty() && cursor.key() == start) continue;
    if (page.items.size() == limit) {
      page.next = page.items.back().merchant_id;
      break;
    }
    const std::string_view merchant_id = cursor.key().substr(internal::kOverridePrefix.size());
    NW_ASSIGN_OR_RETURN(const IndexedOverride indexed, internal::DecodeOverride(merchant_id, cursor.value()));
    NW_ASSIGN_OR_RETURN(MerchantOverride found, ReadOverride(engine_, merchant_id, indexed));
    page.items.push_back(std::move(found));
  }
  NW_RETURN_IF_ERROR(cursor.status());
  return page;
}

absl::Status Cutover::Core::EnsureOverrideIndex() {
  const auto indexed = [this] {
    absl::MutexLock lock(&state_mutex_);
    return overrides_indexed_;
  };
  if (indexed()) return absl::OkStatus();
  absl::MutexLock write_lock(&write_mutex_);
  if (indexed()) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const bool whole, OverrideIndexIsWhole());
  if (!whole) {
    WriteSet writes;
    NW_RETURN_IF_ERROR(MakeOverrideIndex(writes));
    NW_RETURN_IF_ERROR(WriteAndTake(WithUnwritten(writes), counts(), writes));
  }
  absl::MutexLock lock(&state_mutex_);
  overrides_indexed_ = true;
  return absl::OkStatus();
}

absl::StatusOr<bool> Cutover::Core::OverrideIndexIsWhole() const {
  uint64_t found = 0;
  Cursor cursor = engine_.NewCursor(Space::kHost, {.interruptible = true});
  for (cursor.Seek(internal::kOverridePrefix); cursor.Valid() && cursor.key().starts_with(internal::kOverridePrefix);
       cursor.Next()) {
    const std::string_view merchant_id = cursor.key().substr(internal::kOverridePrefix.size());
    const absl::StatusOr<IndexedOverride> indexed = internal::DecodeOverride(merchant_id, cursor.value());
    if (!indexed.ok()) return false;
    NW_ASSIGN_OR_RETURN(const MerchantStanding standing, internal::ReadStanding(engine_, merchant_id));
    if (standing.override != indexed->value) return false;
    ++found;
  }
  NW_RETURN_IF_ERROR(cursor.status());
  // As each is one that is set, as many as there are means all of them.
  const Counts counts = this->counts();
  return found == counts.allowed + counts.denied;
}

absl::Status Cutover::Core::MakeOverrideIndex(WriteSet& writes) const {
  Cursor old = engine_.NewCursor(Space::kHost, {.fill_cache = false, .interruptible = true});
  for (old.Seek(internal::kOverridePrefix); old.Valid() && old.key().starts_with(internal::kOverridePrefix);
       old.Next()) {
    writes.Delete(Space::kHost, old.key());
  }
  NW_RETURN_IF_ERROR(old.status());
  NW_ASSIGN_OR_RETURN(const auto lines, LastLines(engine_, durable().audit));
  Cursor cursor = engine_.NewCursor(Space::kHost, {.fill_cache = false, .read_ahead = true, .interruptible = true});
  for (cursor.Seek(internal::kMerchantPrefix); cursor.Valid() && cursor.key().starts_with(internal::kMerchantPrefix);
       cursor.Next()) {
    const std::string_view merchant_id = cursor.key().substr(internal::kMerchantPrefix.size());
    NW_ASSIGN_OR_RETURN(const MerchantStanding standing, internal::DecodeStanding(merchant_id, cursor.value()));
    if (!standing.override.has_value()) continue;
    const auto line = lines.find(merchant_id);
    if (line == lines.end()) {
      return Error(absl::StatusCode::kDataLoss, "cutover: no line of the audit log set the override of merchant ",
                   Printable(merchant_id));
    }
    writes.Put(Space::kHost, internal::CutoverKey(internal::kOverridePrefix, merchant_id),
               internal::EncodeOverride({.value = *standing.override, .line = line->second}));
  }
  return cursor.status();
}

}  // namespace northwind

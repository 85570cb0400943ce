// SPDX-License-Identifier: Apache-2.0
#include "src/compare/digests.h"

#include <algorithm>
#include <utility>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::compare {
namespace {

std::string HourName(int hour) { return {static_cast<char>('0' + hour / 10), static_cast<char>('0' + hour % 10)}; }

bool SameText(const IndexRow& a, const IndexRow& b) {
  return a.rows.sum == b.rows.sum && a.asset == b.asset && a.fee == b.fee && a.status == b.status;
}

Hash256 DigestOf(const IndexKeyParts& key, const LegAndId& name, const IndexRow& row) {
  return Sha256::Of(CanonicalText({.leg = name.leg,
                                   .id = std::string(name.id),
                                   .merchant_id = std::string(key.merchant_id),
                                   .asset = row.asset,
                                   .units = row.rows.sum,
                                   .fee = row.fee,
                                   .status = row.status,
                                   .day = key.day}));
}

Hash256 Joined(std::string_view name, const absl::InlinedVector<Hash256, 1>& digests) {
  if (digests.size() == 1) return digests.front();
  DigestOfLines lines;
  for (const Hash256& digest : digests) lines.Add(name, digest);
  return lines.Finish();
}

// Calls `take` with each entry whose key is from `begin` on and begins with `prefix`, until it says no.
template <typename Take>
absl::Status Scan(const Engine& engine, const std::string& prefix, const std::string& begin, const Take& take) {
  Cursor cursor = engine.NewCursor(Space::kHost, {.fill_cache = false, .interruptible = true});
  for (cursor.Seek(begin); cursor.Valid() && cursor.key().starts_with(prefix); cursor.Next()) {
    const std::optional<IndexKeyParts> key = ParseIndexKey(cursor.key());
    if (!key)
      return Error(absl::StatusCode::kDataLoss,
                   "compare: a key of the index of days is damaged: ", Printable(cursor.key()));
    NW_ASSIGN_OR_RETURN(const IndexEntry entry, DecodeIndexEntry(cursor.key(), cursor.value()));
    if (!take(*key, entry)) break;
  }
  return cursor.status();
}

bool HasRows(const DigestNode& node) { return node.our_rows != 0 || node.their_rows != 0; }

}  // namespace

void SidesDigest::Add(const DigestNode& node) {
  if (node.our_rows != 0) ours_.Add(node.name, node.ours);
  if (node.their_rows != 0) theirs_.Add(node.name, node.theirs);
  our_rows_ += node.our_rows;
  their_rows_ += node.their_rows;
}

DigestNode SidesDigest::Finish(std::string name) {
  DigestNode node{.name = std::move(name), .our_rows = our_rows_, .their_rows = their_rows_};
  if (our_rows_ != 0) node.ours = ours_.Finish();
  if (their_rows_ != 0) node.theirs = theirs_.Finish();
  our_rows_ = their_rows_ = 0;
  return node;
}

void SidesDigest::Add(std::string_view name, const RowDigests& rows) {
  for (const Hash256& digest : rows.ours) ours_.Add(name, digest);
  for (const Hash256& digest : rows.theirs) theirs_.Add(name, digest);
  our_rows_ += rows.ours.size();
  their_rows_ += rows.theirs.size();
}

RowDigests RowDigestsOf(const IndexKeyParts& key, const IndexEntry& entry) {
  RowDigests digests;
  const std::optional<LegAndId> name = ParseItemName(key.name);
  if (!name) return digests;  // of a row that cannot be read
  const IndexRow* last = nullptr;
  Hash256 last_digest{};
  for (const IndexRow& row : entry.rows) {
    if (row.counted_only) continue;
    // Nearly always: one row of each side, and they agree.
    if (last == nullptr || !SameText(*last, row)) last_digest = DigestOf(key, *name, row);
    last = &row;
    (row.side == Side::kOurs ? digests.ours : digests.theirs).push_back(last_digest);
  }
  std::sort(digests.ours.begin(), digests.ours.end());
  std::sort(digests.theirs.begin(), digests.theirs.end());
  return digests;
}

DigestNode NodeOf(const IndexKeyParts& key, const IndexEntry& entry) {
  const RowDigests digests = RowDigestsOf(key, entry);
  return {.name = std::string(key.name),
          .ours = Joined(key.name, digests.ours),
          .theirs = Joined(key.name, digests.theirs),
          .our_rows = digests.ours.size(),
          .their_rows = digests.theirs.size()};
}

void DayDigest::Add(const IndexKeyParts& key, const IndexEntry& entry, OnMerchant on_merchant) {
  if (merchant_id_ && *merchant_id_ != key.merchant_id) FinishMerchant(on_merchant);
  if (merchant_id_ && hour_of_ != key.hour) FinishHour();
  if (!merchant_id_) merchant_id_ = key.merchant_id;
  hour_of_ = key.hour;
  hour_.Add(key.name, RowDigestsOf(key, entry));
}

DigestNode DayDigest::Finish(OnMerchant on_merchant) {
  if (merchant_id_) FinishMerchant(on_merchant);
  return day_.Finish({});
}

void DayDigest::FinishHour() { merchant_.Add(hour_.Finish(HourName(hour_of_))); }

void DayDigest::FinishMerchant(OnMerchant on_merchant) {
  FinishHour();
  DigestNode node = merchant_.Finish(*std::move(merchant_id_));
  merchant_id_.reset();
  day_.Add(node);
  if (HasRows(node)) on_merchant(std::move(node));
}

absl::StatusOr<DigestPage> MerchantDigestsOf(const Engine& engine, absl::CivilDay day, std::string_view after,
                                             size_t limit) {
  DigestPage page;
  const std::string prefix = DayKey(kIndexPrefix, day);
  std::string begin = prefix;
  if (!after.empty()) begin.append(after).push_back('\1');  // past the NUL that ends the merchant
  DayDigest digest;
  const auto on_merchant = [&](DigestNode node) { page.nodes.push_back(std::move(node)); };
  NW_RETURN_IF_ERROR(Scan(engine, prefix, begin, [&](const IndexKeyParts& key, const IndexEntry& entry) {
    digest.Add(key, entry, on_merchant);
    return page.nodes.size() <= limit;
  }));
  if (page.nodes.size() <= limit) digest.Finish(on_merchant);
  if (page.nodes.size() > limit) {
    page.nodes.resize(limit);
    page.next = page.nodes.back().name;
  }
  return page;
}

absl::StatusOr<DigestPage> HourDigestsOf(const Engine& engine, absl::CivilDay day, std::string_view merchant_id) {
  DigestPage page;
  std::string prefix = DayKey(kIndexPrefix, day);
  prefix.append(merchant_id).push_back('\0');
  SidesDigest hour;
  int hour_of = -1;
  const auto finish = [&] {
    if (hour_of < 0) return;
    if (DigestNode node = hour.Finish(HourName(hour_of)); HasRows(node)) page.nodes.push_back(std::move(node));
  };
  NW_RETURN_IF_ERROR(Scan(engine, prefix, prefix, [&](const IndexKeyParts& key, const IndexEntry& entry) {
    if (key.hour != hour_of) finish();
    hour_of = key.hour;
    hour.Add(key.name, RowDigestsOf(key, entry));
    return true;
  }));
  finish();
  return page;
}

absl::StatusOr<DigestPage> RowDigestsOf(const Engine& engine, absl::CivilDay day, std::string_view merchant_id,
                                        int hour, std::string_view after, size_t limit) {
  DigestPage page;
  const std::string prefix = IndexKey({day, std::string(merchant_id), hour}, {});
  std::string begin = prefix;
  if (!after.empty()) begin.append(after).push_back('\0');
  NW_RETURN_IF_ERROR(Scan(engine, prefix, begin, [&](const IndexKeyParts& key, const IndexEntry& entry) {
    if (DigestNode node = NodeOf(key, entry); HasRows(node)) page.nodes.push_back(std::move(node));
    return page.nodes.size() <= limit;
  }));
  if (page.nodes.size() > limit) {
    page.nodes.resize(limit);
    page.next = page.nodes.back().name;
  }
  return page;
}

}  // namespace northwind::internal::compare

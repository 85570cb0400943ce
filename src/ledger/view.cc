// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/view.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

constexpr size_t kNameMemoryBytes = 64 << 10;

absl::Status NoAccount(AccountId id) { return Error(absl::StatusCode::kNotFound, "no account with id ", id.value()); }

}  // namespace

View::Name View::Intern(std::string_view text) {
  const size_t bytes = text.size() + 1;
  if (name_memory_left_ < bytes) {
    name_memory_.push_back(std::make_unique<char[]>(kNameMemoryBytes));
    name_memory_left_ = kNameMemoryBytes;
  }
  char* name = name_memory_.back().get() + (kNameMemoryBytes - name_memory_left_);
  name_memory_left_ -= bytes;
  name[0] = static_cast<char>(text.size());
  std::memcpy(name + 1, text.data(), text.size());
  return name;
}

absl::Status View::AddAccount(AccountId id, const AccountAttributes& attributes) {
  const std::string_view name = attributes.spec.name;
  if (id.value() != rows_.size() || name.empty() || name.size() > kMaxAccountNameBytes || by_name_.contains(name)) {
    return Error(absl::StatusCode::kDataLoss, "account ", id.value(), " '", ToAbsl(name),
                 "' does not follow from the accounts before it");
  }
  auto known = asset_rows_.find(attributes.spec.asset);
  if (known == asset_rows_.end()) {
    absl::StatusOr<Asset> asset = Asset::Parse(attributes.spec.asset);
    if (!asset.ok()) return Error(absl::StatusCode::kDataLoss, "account ", id.value(), ": ", asset.status().message());
    known = asset_rows_.emplace(attributes.spec.asset, static_cast<uint16_t>(assets_.size())).first;
    assets_.push_back(*std::move(asset));
  }
  AccountRow& row = rows_.Append();
  row.min_available = attributes.min_available;
  row.state = attributes.state;
  row.external = attributes.spec.external;
  row.asset = known->second;
  row.name = Intern(name);
  by_name_.insert(id.value());
  if (attributes.spec.min_available != attributes.min_available) {
    opened_min_[id.value()] = attributes.spec.min_available;
  }
  return absl::OkStatus();
}

absl::Status View::LoadAccount(AccountId id, const AccountAttributes& attributes) {
  absl::MutexLock lock(&mutex_);
  return AddAccount(id, attributes);
}

absl::Status View::LoadTotals(AccountId id, const Totals& totals) {
  absl::MutexLock lock(&mutex_);
  if (!Exists(id)) return Error(absl::StatusCode::kDataLoss, "checkpoint: balance of unknown account ", id.value());
  rows_[id.value()].totals = totals;
  return absl::OkStatus();
}

absl::Status View::LoadHold(uint64_t sequence, const HoldRow& hold) {
  absl::MutexLock lock(&mutex_);
  if (!Exists(hold.placed.debit) || !Exists(hold.placed.credit)) {
    return Error(absl::StatusCode::kDataLoss, "checkpoint: hold ", sequence, " on an unknown account");
  }
  SetHold({sequence, hold, true});
  changed_holds_.clear();
  return absl::OkStatus();
}

void View::LoadHead(const Watermark& watermark) {
  absl::MutexLock lock(&mutex_);
  head_ = watermark.head;
  recorded_at_ = watermark.recorded_at;
  planned_ = head_.sequence.value();
}

void View::SetHold(const HoldChange& change) {
  const std::pair<uint32_t, uint64_t> debit{change.row.placed.debit.value(), change.sequence};
  const std::pair<uint32_t, uint64_t> credit{change.row.placed.credit.value(), change.sequence};
  if (change.open) {
    if (holds_.insert_or_assign(change.sequence, change.row).second) {
      holds_by_account_.insert(debit);
      holds_by_account_.insert(credit);
    }
  } else {
    holds_.erase(change.sequence);
    holds_by_account_.erase(debit);
    holds_by_account_.erase(credit);
  }
  changed_holds_.insert(change.sequence);
}

absl::Status View::Publish(const BlockHeader& header, const Hash256& hash, const BlockChanges& changes) {
  absl::MutexLock lock(&mutex_);
  for (const AccountOpened& opened : changes.opened) {
    NW_RETURN_IF_ERROR(AddAccount(opened.id, {.spec = opened.spec, .min_available = opened.spec.min_available}));
    changed_accounts_.insert(opened.id.value());
  }
  for (const AccountChanged& changed : changes.changed) {
    AccountRow& row = rows_[changed.id.value()];
    if (changed.min_available != row.min_available) opened_min_.try_emplace(changed.id.value(), row.min_available);
    row.state = changed.state;
    row.min_available = changed.min_available;
    changed_accounts_.insert(changed.id.value());
  }
  NW_RETURN_IF_ERROR(history_.Append(header, changes.effects, rows_));
  for (const HoldChange& change : changes.holds) SetHold(change);
  head_ = {Sequence(header.last()), hash};
  recorded_at_ = header.recorded_at + header.count - 1;
  return absl::OkStatus();
}

CheckpointPlan View::PlanCheckpoint() {
  absl::MutexLock lock(&mutex_);
  CheckpointPlan plan;
  plan.watermark.head = head_;
  plan.watermark.recorded_at = recorded_at_;
  for (const uint32_t id : changed_accounts_) {
    EncodeAttributes(Attributes(AccountId(id)), plan.attributes.emplace_back(AccountId(id), "").second);
  }
  for (const uint64_t sequence : changed_holds_) {
    const auto hold = holds_.find(sequence);
    if (hold != holds_.end()) {
      EncodeHold(hold->second, plan.holds.emplace_back(sequence, "").second.value());
    } else if (sequence <= planned_) {
      plan.holds.emplace_back(sequence, std::nullopt);
    }
  }
  changed_accounts_.clear();
  changed_holds_.clear();
  planned_ = head_.sequence.value();
  return plan;
}

struct Head View::Head() const {
  absl::ReaderMutexLock lock(&mutex_);
  return head_;
}

int64_t View::recorded_at() const {
  absl::ReaderMutexLock lock(&mutex_);
  return recorded_at_;
}

size_t View::account_count() const {
  absl::ReaderMutexLock lock(&mutex_);
  return rows_.size() - 1;
}

size_t View::open_hold_count() const {
  absl::ReaderMutexLock lock(&mutex_);
  return holds_.size();
}

AccountAttributes View::Attributes(AccountId id) const {
  const AccountRow& row = rows_[id.value()];
  const auto opened_min = opened_min_.find(id.value());
  return {.spec = {.name = std::string(Text(row.name)),
                   .asset = assets_[row.asset].ToString(),
                   .external = row.external,
                   .min_available = opened_min == opened_min_.end() ? row.min_available : opened_min->second},
          .state = row.state,
          .min_available = row.min_available};
}

Account View::Describe(AccountId id) const {
  const AccountRow& row = rows_[id.value()];
  return {.id = id,
          .name = std::string(Text(row.name)),
          .asset = assets_[row.asset],
          .external = row.external,
          .min_available = row.min_available,
          .state = row.state,
          .totals = row.totals};
}

absl::StatusOr<AccountId> View::FindAccount(std::string_view name) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) {
    return Error(absl::StatusCode::kNotFound, "no account named '", ToAbsl(name.substr(0, kMaxAccountNameBytes)), "'");
  }
  return AccountId(*found);
}

absl::StatusOr<Account> View::GetAccount(AccountId id) const {
  absl::ReaderMutexLock lock(&mutex_);
  if (!Exists(id)) return NoAccount(id);
  return Describe(id);
}

AccountPage View::ListAccounts(std::string_view prefix, std::string_view after, size_t limit) const {
  absl::ReaderMutexLock lock(&mutex_);
  AccountPage page;
  auto it = after >= prefix && !after.empty() ? by_name_.upper_bound(after) : by_name_.lower_bound(prefix);
  for (; it != by_name_.end() && Text(rows_[*it].name).substr(0, prefix.size()) == prefix; ++it) {
    if (page.accounts.size() == limit) {
      page.next = page.accounts.back().name;
      break;
    }
    page.accounts.push_back(Describe(AccountId(*it)));
  }
  return page;
}

absl::StatusOr<std::vector<Totals>> View::Balances(absl::Span<const AccountId> ids) const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<Totals> result;
  result.reserve(ids.size());
  for (const AccountId id : ids) {
    if (!Exists(id)) return NoAccount(id);
    result.push_back(rows_[id.value()].totals);
  }
  return result;
}

absl::Status View::CheckAccount(AccountId id) const {
  absl::ReaderMutexLock lock(&mutex_);
  return Exists(id) ? absl::OkStatus() : NoAccount(id);
}

std::vector<std::pair<uint64_t, Amount>> View::OpenHolds(AccountId id, uint64_t after, size_t limit) const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<std::pair<uint64_t, Amount>> result;
  if (after == std::numeric_limits<uint64_t>::max()) return result;
  for (auto it = holds_by_account_.lower_bound({id.value(), after + 1});
       it != holds_by_account_.end() && it->first == id.value() && result.size() < limit; ++it) {
    result.emplace_back(it->second, holds_.at(it->second).remaining);
  }
  return result;
}

uint64_t View::WaitPast(uint64_t sequence, absl::Time deadline) const {
  // Not shared: ThreadSanitizer is told of waits under exclusive locks only (cmake/tsan_abseil.cc). It is held for moments.
  absl::MutexLock lock(&mutex_);
  const auto ready = [this, sequence]()
                         ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return closed_ || head_.sequence.value() > sequence; };
  if (!ready() && deadline > absl::InfinitePast()) mutex_.AwaitWithDeadline(absl::Condition(&ready), deadline);
  return head_.sequence.value();
}

void View::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

bool View::closed() const {
  absl::ReaderMutexLock lock(&mutex_);
  return closed_;
}

View::Copy View::CopyLocked() const {
  Copy copy;
  copy.head = head_;
  copy.rows.resize(rows_.size());
  copy.attributes.resize(rows_.size());
  for (size_t i = 1; i < rows_.size(); ++i) {
    copy.rows[i] = rows_[i];
    copy.attributes[i] = Attributes(AccountId(static_cast<uint32_t>(i)));
  }
  copy.holds.assign(holds_.begin(), holds_.end());
  std::sort(copy.holds.begin(), copy.holds.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return copy;
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
//
// The apply stage's account operations.
#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/ledger/applier.h"

namespace northwind::internal {
namespace {

constexpr size_t kMaxAssets = std::numeric_limits<uint16_t>::max();

bool IsGraphic(char c) { return c > ' ' && c <= '~'; }

absl::Status Differs(const AccountSpec& spec, const char* what) {
  return Error(absl::StatusCode::kAlreadyExists, "account '", ToAbsl(spec.name), "' is open with another ", what);
}

}  // namespace

absl::Status Applier::CheckSpec(const AccountSpec& spec) const {
  if (spec.name.empty() || spec.name.size() > kMaxAccountNameBytes ||
      !std::all_of(spec.name.begin(), spec.name.end(), IsGraphic)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "account name is not 1-255 printable ASCII characters without blanks: '",
                 ToAbsl(std::string_view(spec.name).substr(0, kMaxAccountNameBytes)), "'");
  }
  if (absl::StatusOr<Asset> asset = Asset::Parse(spec.asset); !asset.ok()) {
    return Error(asset.status().code(), "account '", ToAbsl(spec.name), "': ", asset.status().message());
  }
  if (spec.external && spec.min_available != 0) {
    return Error(absl::StatusCode::kInvalidArgument, "account '", ToAbsl(spec.name),
                 "': an external account has no limit");
  }
  return absl::OkStatus();
}

AccountId Applier::FindName(const std::string& name) const {
  if (const auto found = unpublished_names_.find(name); found != unpublished_names_.end()) return found->second;
  const absl::StatusOr<AccountId> found = view_.FindAccount(name);
  return found.ok() ? *found : AccountId();
}

uint16_t Applier::AssetIndex(const std::string& asset) {
  return assets_.try_emplace(asset, static_cast<uint16_t>(assets_.size())).first->second;
}

void Applier::AddRow(const AccountOpened& opened) {
  AccountRow& row = rows_.Append();
  row.min_available = opened.spec.min_available;
  row.external = opened.spec.external;
  row.asset = AssetIndex(opened.spec.asset);
  unpublished_names_.emplace(opened.spec.name, opened.id);
}

absl::StatusOr<std::vector<AccountId>> Applier::OpenAccounts(absl::Span<const AccountSpec> specs) {
  // First all the checks, so that a bad one leaves nothing behind.
  absl::flat_hash_map<std::string_view, const AccountSpec*> added;
  absl::flat_hash_map<std::string_view, AccountId> present;
  absl::flat_hash_map<std::string_view, int> assets;
  for (const AccountSpec& spec : specs) {
    NW_RETURN_IF_ERROR(CheckSpec(spec));
    if (!assets_.contains(spec.asset)) assets.try_emplace(spec.asset);
    if (const auto same = added.find(spec.name); same != added.end()) {
      if (same->second->asset != spec.asset) return Differs(spec, "asset");
      if (same->second->external != spec.external) return Differs(spec, "value of external");
      if (same->second->min_available != spec.min_available) return Differs(spec, "min_available");
      continue;
    }
    const AccountId id = FindName(spec.name);
    if (id == AccountId()) {
      added.emplace(spec.name, &spec);
      continue;
    }
    const AccountRow& row = rows_[id.value()];
    if (assets_.find(spec.asset) == assets_.end() || assets_.at(spec.asset) != row.asset) return Differs(spec, "asset");
    if (row.external != spec.external) return Differs(spec, "value of external");
    if (row.min_available != spec.min_available && OpenedMinAvailable(id) != spec.min_available) {
      return Differs(spec, "min_available");
    }
    present.emplace(spec.name, id);
  }
  if (assets_.size() + assets.size() > kMaxAssets ||
      rows_.size() + added.size() > std::numeric_limits<uint32_t>::max()) {
    return Error(absl::StatusCode::kOutOfRange, "a ledger has up to ", kMaxAssets, " assets and ",
                 std::numeric_limits<uint32_t>::max(), " accounts");
  }
  std::vector<AccountId> ids;
  ids.reserve(specs.size());
  for (const AccountSpec& spec : specs) {
    if (const auto found = present.find(spec.name); found != present.end()) {
      ids.push_back(found->second);
      continue;
    }
    const AccountOpened opened{.id = AccountId(static_cast<uint32_t>(rows_.size())), .spec = spec};
    AddRow(opened);
    BeginRecord();
    EncodeRecord(opened, payload_);
    changes_.opened.push_back(opened);
    present.emplace(spec.name, opened.id);
    ids.push_back(opened.id);
  }
  return ids;
}

absl::Status Applier::ChangeAccount(const AccountChange& change) {
  const uint32_t id = change.id.value();
  if (id == 0 || id >= rows_.size()) return Error(absl::StatusCode::kNotFound, "no account with id ", id);
  AccountRow& row = rows_[id];
  AccountChanged changed{.id = change.id, .state = row.state, .min_available = row.min_available};
  const auto refuse = [id](const char* why) {
    return Error(absl::StatusCode::kFailedPrecondition, "account ", id, " ", why);
  };
  if (row.state == AccountState::kClosed && change.kind != AccountChange::Kind::kClose) return refuse("is closed");
  switch (change.kind) {
    case AccountChange::Kind::kFreeze:
      changed.state = AccountState::kFrozen;
      break;
    case AccountChange::Kind::kUnfreeze:
      changed.state = AccountState::kOpen;
      break;
    case AccountChange::Kind::kClose:
      if (row.totals.debits_held != 0 || row.totals.credits_held != 0) return refuse("has open holds");
      if (!row.external && row.totals.posted() != 0) return refuse("has a balance");
      changed.state = AccountState::kClosed;
      break;
    case AccountChange::Kind::kSetMinAvailable:
      if (row.external) return refuse("is external and has no limit");
      if (row.totals.available() < change.min_available && change.min_available != row.min_available) {
        return refuse("has less available than that limit");
      }
      changed.min_available = change.min_available;
      break;
  }
  if (changed.state == row.state && changed.min_available == row.min_available) return absl::OkStatus();
  if (changed.min_available != row.min_available) opened_min_.try_emplace(id, row.min_available);
  row.state = changed.state;
  row.min_available = changed.min_available;
  BeginRecord();
  EncodeRecord(changed, payload_);
  changes_.changed.push_back(changed);
  return absl::OkStatus();
}

absl::int128 Applier::OpenedMinAvailable(AccountId id) const {
  const auto found = opened_min_.find(id.value());
  return found == opened_min_.end() ? rows_[id.value()].min_available : found->second;
}

}  // namespace northwind::internal

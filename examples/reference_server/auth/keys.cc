// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/keys.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "examples/reference_server/auth/record.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr std::string_view kPrefix = "server/auth/key/";
constexpr std::string_view kIdPrefix = "key_";
constexpr size_t kIdDigits = 16;
constexpr size_t kIdSize = kIdPrefix.size() + kIdDigits;
constexpr std::string_view kKeyPrefix = "nwk_";
constexpr size_t kKeySize = kKeyPrefix.size() + kIdSize + 1 + kSecretDigits;
constexpr absl::Duration kMaxOverlap = absl::Hours(24 * 30);
constexpr absl::Duration kDeadKeysKept = absl::Hours(24 * 90);
constexpr size_t kMaxKeyPage = 1000;

std::string RecordKey(std::string_view id) { return std::string(kPrefix) + std::string(id); }

bool IsKeyId(std::string_view id) {
  return id.size() == kIdSize && id.substr(0, kIdPrefix.size()) == kIdPrefix &&
         IsHex(id.substr(kIdPrefix.size()), kIdDigits);
}

absl::Time EndOf(const KeyView& view) { return std::min(view.revoked_at, view.spec.expires_at); }

absl::Status CheckSpec(const KeySpec& spec, absl::Time now) {
  if (!IsPlainName(spec.name)) {
    return absl::InvalidArgumentError("a key's name has 1 to 64 characters of A-Z a-z 0-9 . _ -");
  }
  if (spec.scopes.empty() || spec.scopes.count(Scope::kPublic) != 0) {
    return absl::InvalidArgumentError("a key has one scope or more, and 'public' is none");
  }
  if (!spec.merchant.empty()) {
    if (!IsPlainName(spec.merchant)) return absl::InvalidArgumentError("that can be no merchant's id");
    if (spec.scopes.count(Scope::kOperatorRead) != 0 || spec.scopes.count(Scope::kOperatorWrite) != 0) {
      return absl::InvalidArgumentError("a key that is good for one merchant has no operator's scopes");
    }
  }
  if (spec.expires_at <= now) return absl::InvalidArgumentError("a key must not have expired before it is made");
  return absl::OkStatus();
}

}  // namespace

HostChange KeyRing::RecordOf(const Kept& kept) {
  nlohmann::ordered_json scopes = nlohmann::ordered_json::array();
  for (const Scope scope : kept.view.spec.scopes) scopes.push_back(Name(scope));
  std::string key = RecordKey(kept.view.id);
  std::string value = EncodeRecord(key, {{"name", kept.view.spec.name},
                                         {"scopes", std::move(scopes)},
                                         {"merchant", kept.view.spec.merchant},
                                         {"hash", ToHex(kept.hash)},
                                         {"created", TimeField(kept.view.created_at)},
                                         {"expires", TimeField(kept.view.spec.expires_at)},
                                         {"used", TimeField(kept.view.last_used_at)},
                                         {"revoked", TimeField(kept.view.revoked_at)}});
  return {.key = std::move(key), .value = std::move(value)};
}

absl::StatusOr<KeyRing::Kept> KeyRing::Read(const HostEntry& entry) {
  NW_ASSIGN_OR_RETURN(const nlohmann::ordered_json fields, DecodeRecord(entry.key, entry.value));
  FieldReader reader(fields);
  Kept kept;
  kept.view.id = entry.key.substr(kPrefix.size());
  reader.Require(IsKeyId(kept.view.id));
  kept.view.spec.name = reader.Text("name");
  for (const auto& item : reader.List("scopes")) {
    const std::optional<Scope> scope = item.is_string() ? ParseScope(item.get<std::string>()) : std::nullopt;
    reader.Require(scope.has_value());
    if (scope.has_value()) kept.view.spec.scopes.insert(*scope);
  }
  kept.view.spec.merchant = reader.Text("merchant");
  kept.hash = reader.Hash("hash");
  kept.view.created_at = reader.Time("created");
  kept.view.spec.expires_at = reader.Time("expires", absl::InfiniteFuture());
  kept.view.last_used_at = reader.Time("used", absl::InfinitePast());
  kept.view.revoked_at = reader.Time("revoked", absl::InfiniteFuture());
  if (!reader.ok()) return DamagedRecord(entry.key);
  return kept;
}

NewKey KeyRing::Make(const KeySpec& spec, const std::string& id, absl::Time now) {
  NewKey made;
  made.view.id = id;
  made.view.spec = spec;
  made.view.spec.expires_at = ToMicros(spec.expires_at);
  made.view.created_at = ToMicros(now);
  made.key = absl::StrCat("nwk_", id, "_", RandomHex(kSecretBytes));
  return made;
}

absl::StatusOr<std::unique_ptr<KeyRing>> KeyRing::Open(Store& store, size_t max_keys) {
  std::unique_ptr<KeyRing> ring(new KeyRing(store, max_keys));
  NW_RETURN_IF_ERROR(ForEachRecord(store, kPrefix, [&](const HostEntry& entry) -> absl::Status {
    NW_ASSIGN_OR_RETURN(Kept kept, Read(entry));
    ring->Keep(std::move(kept));
    return absl::OkStatus();
  }));
  return ring;
}

absl::Status KeyRing::Room() const {
  absl::MutexLock lock(&mutex_);
  if (keys_.size() < max_keys_) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("there are ", max_keys_, " keys, and no more are kept"));
}

absl::StatusOr<KeyRing::Kept> KeyRing::Find(std::string_view id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = keys_.find(id);
  if (found == keys_.end()) return absl::NotFoundError("there is no such key");
  return found->second;
}

void KeyRing::Keep(Kept kept) {
  absl::MutexLock lock(&mutex_);
  Kept& place = keys_[kept.view.id];
  // It may have been used while its record was written.
  if (place.view.last_used_at > kept.view.last_used_at) {
    kept.view.last_used_at = place.view.last_used_at;
    kept.used = true;
  }
  place = std::move(kept);
}

absl::StatusOr<NewKey> KeyRing::Create(const KeySpec& spec, std::string_view seed, absl::Time now) {
  NW_RETURN_IF_ERROR(CheckSpec(spec, now));
  absl::MutexLock change(&change_mutex_);
  const std::string digits = seed.empty() ? RandomHex(kIdDigits / 2) : ToHex(Sha256(seed)).substr(0, kIdDigits);
  NewKey made = Make(spec, std::string(kIdPrefix) + digits, now);
  if (Find(made.view.id).ok()) return absl::AlreadyExistsError(made.view.id);
  NW_RETURN_IF_ERROR(Room());
  const Kept kept{.view = made.view, .hash = Sha256(made.key)};
  NW_RETURN_IF_ERROR(store_.Write({RecordOf(kept)}));
  Keep(kept);
  return made;
}

absl::StatusOr<NewKey> KeyRing::Rotate(std::string_view id, absl::Duration overlap, absl::Time now) {
  if (overlap < absl::ZeroDuration() || overlap > kMaxOverlap) {
    return absl::InvalidArgumentError("keys overlap for 0 seconds to 30 days");
  }
  absl::MutexLock change(&change_mutex_);
  NW_ASSIGN_OR_RETURN(Kept old, Find(id));
  if (EndOf(old.view) <= now) {
    return absl::FailedPreconditionError(
        absl::StrCat("the key ", old.view.id, " is not good any more: make one instead of rotating it"));
  }
  NW_RETURN_IF_ERROR(Room());
  NewKey made = Make(old.view.spec, std::string(kIdPrefix) + RandomHex(kIdDigits / 2), now);
  if (Find(made.view.id).ok()) return absl::UnavailableError("two keys drew one id: ask again");
  const Kept kept{.view = made.view, .hash = Sha256(made.key)};
  old.view.revoked_at = std::min(old.view.revoked_at, ToMicros(now + overlap));
  old.used = false;
  NW_RETURN_IF_ERROR(store_.Write({RecordOf(kept), RecordOf(old)}));
  Keep(kept);
  Keep(std::move(old));
  return made;
}

absl::Status KeyRing::Revoke(std::string_view id, absl::Time now) {
  absl::MutexLock change(&change_mutex_);
  NW_ASSIGN_OR_RETURN(Kept kept, Find(id));
  if (kept.view.revoked_at <= now) return absl::OkStatus();
  kept.view.revoked_at = ToMicros(now);
  kept.used = false;
  NW_RETURN_IF_ERROR(store_.Write({RecordOf(kept)}));
  Keep(std::move(kept));
  return absl::OkStatus();
}

absl::StatusOr<KeyView> KeyRing::Get(std::string_view id) const {
  NW_ASSIGN_OR_RETURN(Kept kept, Find(id));
  return std::move(kept.view);
}

absl::StatusOr<std::vector<KeyView>> KeyRing::List(std::string_view after, size_t limit) const {
  if (limit < 1 || limit > kMaxKeyPage) return absl::InvalidArgumentError("a page has 1 to 1000 keys");
  absl::MutexLock lock(&mutex_);
  std::vector<KeyView> page;
  for (auto at = keys_.upper_bound(after); at != keys_.end() && page.size() < limit; ++at) {
    page.push_back(at->second.view);
  }
  return page;
}

std::optional<KeyView> KeyRing::Use(std::string_view key, absl::Time now) {
  if (key.size() != kKeySize || key.substr(0, kKeyPrefix.size()) != kKeyPrefix) return std::nullopt;
  const std::string_view id = key.substr(kKeyPrefix.size(), kIdSize);
  const Digest hash = Sha256(key);
  absl::MutexLock lock(&mutex_);
  const auto found = keys_.find(id);
  if (found == keys_.end()) return std::nullopt;
  Kept& kept = found->second;
  if (!SameSecret(hash, kept.hash) || EndOf(kept.view) <= now) return std::nullopt;
  const absl::Time minute = absl::FromUnixSeconds(absl::ToUnixSeconds(now) / 60 * 60);
  if (minute > kept.view.last_used_at) {
    kept.view.last_used_at = minute;
    kept.used = true;
  }
  return kept.view;
}

absl::Status KeyRing::Flush(absl::Time now) {
  absl::MutexLock change(&change_mutex_);
  std::vector<Kept> used;
  std::vector<std::string> dead;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [id, kept] : keys_) {
      if (now - EndOf(kept.view) > kDeadKeysKept) {
        dead.push_back(id);
      } else if (kept.used) {
        used.push_back(kept);
      }
    }
  }
  std::vector<HostChange> changes;
  for (const Kept& kept : used) changes.push_back(RecordOf(kept));
  for (const std::string& id : dead) changes.push_back({.key = RecordKey(id), .value = std::nullopt});
  for (size_t i = 0; i < changes.size(); i += kMaxHostChanges) {
    NW_RETURN_IF_ERROR(
        store_.Write(absl::MakeConstSpan(changes).subspan(i, std::min(kMaxHostChanges, changes.size() - i))));
  }
  absl::MutexLock lock(&mutex_);
  for (const Kept& kept : used) {
    Kept& now_kept = keys_.at(kept.view.id);
    now_kept.used = now_kept.view.last_used_at != kept.view.last_used_at;
  }
  for (const std::string& id : dead) keys_.erase(id);
  return absl::OkStatus();
}

}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/sessions.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/auth/record.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr std::string_view kPrefix = "server/auth/session/";
constexpr size_t kIdDigits = 16;

std::string RecordKey(const Digest& hash) { return std::string(kPrefix) + ToHex(hash); }

}  // namespace

std::string CsrfTokenOf(std::string_view cookie) { return HmacHex(cookie, "csrf"); }

absl::Time Sessions::EndOf(const Kept& kept) const {
  return std::min(kept.created + limits_.lifetime, kept.seen + limits_.idle);
}

HostChange Sessions::RecordOf(const Digest& hash, const Kept& kept) {
  std::string key = RecordKey(hash);
  std::string value = EncodeRecord(
      key, {{"merchant", kept.merchant}, {"created", TimeField(kept.created)}, {"seen", TimeField(kept.seen)}});
  return {.key = std::move(key), .value = std::move(value)};
}

absl::StatusOr<Sessions::Kept> Sessions::Read(const HostEntry& entry, Digest* hash) {
  NW_ASSIGN_OR_RETURN(const nlohmann::ordered_json fields, DecodeRecord(entry.key, entry.value));
  const std::string digits = entry.key.substr(kPrefix.size());
  FieldReader reader(fields);
  Kept kept;
  kept.merchant = reader.Text("merchant");
  kept.created = reader.Time("created");
  kept.seen = reader.Time("seen");
  if (!reader.ok() || !IsHex(digits, 2 * hash->size())) return DamagedRecord(entry.key);
  const std::string bytes = absl::HexStringToBytes(digits);
  std::copy(bytes.begin(), bytes.end(), hash->begin());
  return kept;
}

absl::StatusOr<std::unique_ptr<Sessions>> Sessions::Open(Store& store, const SessionLimits& limits) {
  std::unique_ptr<Sessions> sessions(new Sessions(store, limits));
  NW_RETURN_IF_ERROR(ForEachRecord(store, kPrefix, [&](const HostEntry& entry) -> absl::Status {
    Digest hash{};
    NW_ASSIGN_OR_RETURN(Kept kept, Read(entry, &hash));
    absl::MutexLock lock(&sessions->mutex_);
    sessions->sessions_[hash] = std::move(kept);
    return absl::OkStatus();
  }));
  return sessions;
}

absl::StatusOr<Session> Sessions::Begin(std::string_view merchant, const HostChange& with, absl::Time now) {
  absl::MutexLock change(&change_mutex_);
  if (size() >= limits_.max_sessions) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", limits_.max_sessions, " sessions: come again later"));
  }
  now = ToMicros(now);
  const Kept kept{.merchant = std::string(merchant), .created = now, .seen = now};
  Session session{.cookie = RandomHex(kSecretBytes), .merchant = kept.merchant, .expires_at = now + limits_.lifetime};
  session.csrf_token = CsrfTokenOf(session.cookie);
  const Digest hash = Sha256(session.cookie);
  NW_RETURN_IF_ERROR(store_.Write({with, RecordOf(hash, kept)}));
  absl::MutexLock lock(&mutex_);
  sessions_[hash] = kept;
  return session;
}

absl::Status Sessions::End(std::string_view cookie) {
  absl::MutexLock change(&change_mutex_);
  const Digest hash = Sha256(cookie);
  {
    absl::MutexLock lock(&mutex_);
    if (sessions_.count(hash) == 0) return absl::OkStatus();
  }
  NW_RETURN_IF_ERROR(store_.Write({HostChange{.key = RecordKey(hash), .value = std::nullopt}}));
  absl::MutexLock lock(&mutex_);
  sessions_.erase(hash);
  return absl::OkStatus();
}

std::optional<Sessions::Found> Sessions::Find(std::string_view cookie, absl::Time now, SessionUse use) {
  if (!IsHex(cookie, kSecretDigits)) return std::nullopt;
  const Digest hash = Sha256(cookie);
  absl::MutexLock lock(&mutex_);
  const auto found = sessions_.find(hash);
  if (found == sessions_.end() || EndOf(found->second) <= now) return std::nullopt;
  Kept& kept = found->second;
  if (use == SessionUse::kUsed && now > kept.seen) {
    kept.seen = ToMicros(now);
    kept.used = true;
  }
  return Found{.id = absl::StrCat("ses_", ToHex(hash).substr(0, kIdDigits)),
               .merchant = kept.merchant,
               .expires_at = kept.created + limits_.lifetime};
}

bool Sessions::IsGood(std::string_view cookie, absl::Time now) const {
  if (!IsHex(cookie, kSecretDigits)) return false;
  const Digest hash = Sha256(cookie);
  absl::MutexLock lock(&mutex_);
  const auto found = sessions_.find(hash);
  return found != sessions_.end() && EndOf(found->second) > now;
}

absl::Status Sessions::Flush(absl::Time now) {
  absl::MutexLock change(&change_mutex_);
  std::vector<Digest> ended;
  std::vector<std::pair<Digest, Kept>> used;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [hash, kept] : sessions_) {
      if (EndOf(kept) <= now) {
        ended.push_back(hash);
      } else if (kept.used) {
        used.emplace_back(hash, kept);
      }
    }
  }
  std::vector<HostChange> changes;
  for (size_t i = 0; i < ended.size() + used.size(); ++i) {
    if (i < ended.size()) {
      changes.push_back({.key = RecordKey(ended[i]), .value = std::nullopt});
    } else {
      const auto& [hash, kept] = used[i - ended.size()];
      changes.push_back(RecordOf(hash, kept));
    }
    if (changes.size() < kMaxHostChanges && i + 1 < ended.size() + used.size()) continue;
    NW_RETURN_IF_ERROR(store_.Write(changes));
    changes.clear();
  }
  absl::MutexLock lock(&mutex_);
  for (const Digest& hash : ended) sessions_.erase(hash);
  for (const auto& [hash, kept] : used) {
    Kept& now_kept = sessions_.at(hash);
    now_kept.used = now_kept.seen != kept.seen;
  }
  return absl::OkStatus();
}

size_t Sessions::size() const {
  absl::MutexLock lock(&mutex_);
  return sessions_.size();
}

}  // namespace northwind::server

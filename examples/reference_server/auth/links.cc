// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/links.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "examples/reference_server/auth/record.h"
#include "examples/reference_server/auth/secrets.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr std::string_view kPrefix = "server/auth/link/";

struct Link {
  std::string merchant;
  absl::Time expires_at;
};

std::string RecordKey(std::string_view token) { return std::string(kPrefix) + ToHex(Sha256(token)); }

absl::StatusOr<Link> Read(const HostEntry& entry) {
  NW_ASSIGN_OR_RETURN(const nlohmann::ordered_json fields, DecodeRecord(entry.key, entry.value));
  FieldReader reader(fields);
  Link link;
  link.merchant = reader.Text("merchant");
  link.expires_at = reader.Time("expires");
  if (!reader.ok()) return DamagedRecord(entry.key);
  return link;
}

absl::Status NoGood() {
  return absl::UnauthenticatedError("this link is not good, or not any more: ask for a new one");
}

}  // namespace

absl::Status Links::Check() const {
  return ForEachRecord(store_, kPrefix, [](const HostEntry& entry) { return Read(entry).status(); });
}

absl::StatusOr<PortalLink> Links::Create(std::string_view merchant, absl::Time now) {
  if (!IsPlainName(merchant)) {
    return absl::InvalidArgumentError("a merchant's id has 1 to 64 characters of A-Z a-z 0-9 . _ -");
  }
  PortalLink link{.token = RandomHex(kSecretBytes), .expires_at = ToMicros(now + lifetime_)};
  std::string key = RecordKey(link.token);
  std::string value = EncodeRecord(key, {{"merchant", std::string(merchant)}, {"expires", TimeField(link.expires_at)}});
  NW_RETURN_IF_ERROR(store_.Write({HostChange{.key = std::move(key), .value = std::move(value)}}));
  return link;
}

absl::StatusOr<Session> Links::Redeem(std::string_view token, Sessions& sessions, absl::Time now) {
  if (!IsHex(token, kSecretDigits)) return NoGood();
  const std::string key = RecordKey(token);
  absl::MutexLock lock(&redeem_mutex_);
  NW_ASSIGN_OR_RETURN(std::optional<std::string> value, store_.Get(key));
  if (!value.has_value()) return NoGood();
  NW_ASSIGN_OR_RETURN(const Link link, Read({.key = key, .value = *std::move(value)}));
  if (link.expires_at <= now) return NoGood();
  return sessions.Begin(link.merchant, {.key = key, .value = std::nullopt}, now);
}

absl::Status Links::RemoveExpired(absl::Time now) {
  std::vector<HostChange> changes;
  const auto remove = [&]() -> absl::Status {
    if (changes.empty()) return absl::OkStatus();
    NW_RETURN_IF_ERROR(store_.Write(changes));
    changes.clear();
    return absl::OkStatus();
  };
  NW_RETURN_IF_ERROR(ForEachRecord(store_, kPrefix, [&](const HostEntry& entry) -> absl::Status {
    NW_ASSIGN_OR_RETURN(const Link link, Read(entry));
    if (link.expires_at <= now) changes.push_back({.key = entry.key, .value = std::nullopt});
    return changes.size() == kMaxHostChanges ? remove() : absl::OkStatus();
  }));
  return remove();
}

}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
#include "src/compare/rules.h"

#include <algorithm>
#include <utility>

#include "northwind/settlement.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/fields.h"
#include "src/compare/keys.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::compare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kMaxIdBytes = 64;
constexpr size_t kMaxOwnerBytes = 128;
constexpr size_t kMaxReasonBytes = 1000;
constexpr size_t kMaxAssets = 64;

bool MayBeIgnored(DiscrepancyClass c) {
  switch (c) {
    case DiscrepancyClass::kMissingHere:
    case DiscrepancyClass::kMissingThere:
    case DiscrepancyClass::kStatus:
    case DiscrepancyClass::kDayShift:
    case DiscrepancyClass::kLate:
    case DiscrepancyClass::kUnreadable:
      return true;
    case DiscrepancyClass::kDuplicate:
    case DiscrepancyClass::kCurrency:
    case DiscrepancyClass::kAmount:
    case DiscrepancyClass::kFee:
    case DiscrepancyClass::kMerchant:
      return false;
  }
  return false;
}

void PutDefinition(std::string& out, const IgnoreRule& rule) {
  PutBytes(out, rule.id);
  PutBytes(out, rule.owner);
  PutBytes(out, rule.reason);
  PutByte(out, static_cast<uint8_t>(rule.of));
  PutByte(out, rule.leg ? static_cast<uint8_t>(*rule.leg) : 0);
  PutBytes(out, rule.merchant_id);
  PutDayField(out, rule.from);
  PutDayField(out, rule.to);
  PutTime(out, rule.expires_at);
  PutVarint64(out, rule.max_count);
  PutUnits(out, rule.max_units);
}

bool GetDefinition(ByteReader& in, IgnoreRule& rule) {
  uint8_t leg;
  if (!GetText(in, kMaxIdBytes, rule.id) || !GetText(in, kMaxOwnerBytes, rule.owner) ||
      !GetText(in, kMaxReasonBytes, rule.reason) || !GetEnum(in, DiscrepancyClass::kUnreadable, rule.of) ||
      !in.GetByte(leg)) {
    return false;
  }
  if (leg > kLegs) return in.Fail();
  if (leg != 0) rule.leg = static_cast<Leg>(leg);
  return GetText(in, kMaxEventIdBytes, rule.merchant_id) && GetDayField(in, rule.from) && GetDayField(in, rule.to) &&
         GetTime(in, rule.expires_at) && in.GetVarint64(rule.max_count) && GetUnits(in, rule.max_units);
}

absl::uint128 SumCapped(absl::uint128 a, absl::uint128 b) {
  const absl::uint128 sum = a + b;
  return sum < a ? absl::Uint128Max() : sum;
}

}  // namespace

void PutUnits(std::string& out, const Units& units) {
  PutVarint64(out, units.size());
  for (const auto& [asset, value] : units) {
    PutBytes(out, asset);
    PutVarint128(out, value);
  }
}

bool GetUnits(ByteReader& in, Units& units) {
  uint64_t n;
  if (!in.GetVarint64(n)) return false;
  for (uint64_t i = 0; i < n; ++i) {
    std::string asset;
    absl::uint128 value;
    if (!GetText(in, 64, asset) || !in.GetVarint128(value)) return false;
    if (!units.empty() && asset <= units.rbegin()->first) return in.Fail();
    units.emplace_hint(units.end(), std::move(asset), value);
  }
  return true;
}

absl::Status ValidateRule(const IgnoreRule& rule) {
  const auto bad = [](absl::string_view member, const auto&... why) {
    return Error(absl::StatusCode::kInvalidArgument, "IgnoreRule.", member, ": ", why...);
  };
  if (rule.id.empty() || rule.id.size() > kMaxIdBytes || !IsIdText(rule.id, Colon::kRefused)) {
    return bad("id", "must be 1 to 64 characters of A-Z a-z 0-9 . _ and -");
  }
  if (rule.owner.empty() || rule.owner.size() > kMaxOwnerBytes) return bad("owner", "must be 1 to 128 bytes");
  if (rule.reason.empty() || rule.reason.size() > kMaxReasonBytes) return bad("reason", "must be 1 to 1000 bytes");
  if (!MayBeIgnored(rule.of)) {
    return bad("of",
               "must be missing_here, missing_there, status, day_shift, late or unreadable: a difference of money is "
               "never ignored");
  }
  if (rule.leg && Name(*rule.leg).empty()) return bad("leg", "is none");
  if (!rule.merchant_id.empty() &&
      (rule.merchant_id.size() > kMaxEventIdBytes || !IsIdText(rule.merchant_id, Colon::kRefused))) {
    return bad("merchant_id", "must be as events have it, or empty");
  }
  if (rule.to < rule.from) return bad("to", "is before from");
  if (rule.max_count == 0) return bad("max_count", "must be at least 1");
  if (rule.of == DiscrepancyClass::kUnreadable && !rule.max_units.empty()) {
    return bad("max_units",
               "must be empty of unreadable rows: what they are worth is not known, so no value would hold");
  }
  if (rule.max_units.size() > kMaxAssets) return bad("max_units", "has more than ", kMaxAssets, " assets");
  for (const auto& [asset, units] : rule.max_units) {
    if (!Asset::Parse(asset).ok()) return bad("max_units", "'", Printable(asset), "' is not an asset such as USD/2");
  }
  return absl::OkStatus();
}

absl::StatusOr<RuleBook> RuleBook::Load(const Engine& engine) {
  RuleBook book;
  Cursor cursor = engine.NewCursor(Space::kHost);
  for (cursor.Seek(kRulePrefix); cursor.Valid() && cursor.key().starts_with(kRulePrefix); cursor.Next()) {
    NW_ASSIGN_OR_RETURN(Kept kept, Decode(cursor.key(), cursor.value()));
    std::string id = kept.rule.id;
    book.rules_.emplace(std::move(id), std::move(kept));
  }
  NW_RETURN_IF_ERROR(cursor.status());
  return book;
}

absl::Status RuleBook::Add(const IgnoreRule& rule) {
  NW_RETURN_IF_ERROR(ValidateRule(rule));
  if (rules_.contains(rule.id)) {
    return Error(absl::StatusCode::kAlreadyExists, "the id of the rule '", rule.id, "' was used before");
  }
  if (rules_.size() >= kMaxRules) {
    return Error(absl::StatusCode::kResourceExhausted, "there are ", kMaxRules,
                 " rules already, retired ones included");
  }
  rules_.emplace(rule.id, Kept{.rule = rule});
  changed_.insert(rule.id);
  return absl::OkStatus();
}

absl::Status RuleBook::Retire(std::string_view id) {
  const auto found = rules_.find(id);
  if (found == rules_.end() || found->second.retired) {
    return Error(absl::StatusCode::kNotFound, "no rule '", Printable(id), "'");
  }
  found->second.retired = true;
  changed_.insert(found->first);
  return absl::OkStatus();
}

bool RuleBook::IsActive(const std::string& id) const {
  const auto found = rules_.find(id);
  return found != rules_.end() && !found->second.retired;
}

std::vector<IgnoreRule> RuleBook::Active() const {
  std::vector<IgnoreRule> active;
  for (const auto& [id, kept] : rules_) {
    if (!kept.retired) active.push_back(kept.rule);
  }
  return active;
}

std::map<std::string, uint64_t> RuleBook::Uses() const {
  std::map<std::string, uint64_t> uses;
  for (const auto& [id, kept] : rules_) {
    if (!kept.retired) uses.emplace(id, kept.usage.count);
  }
  return uses;
}

std::vector<std::string> RuleBook::Unfinished() const {
  std::vector<std::string> ids;
  for (const auto& [id, kept] : rules_) {
    if (kept.retired && kept.usage.count != 0) ids.push_back(id);
  }
  return ids;
}

std::vector<std::string> RuleBook::Expired(absl::Time now) const {
  std::vector<std::string> ids;
  for (const auto& [id, kept] : rules_) {
    if (now >= kept.rule.expires_at && kept.usage.count != 0) ids.push_back(id);
  }
  return ids;
}

std::map<std::string, RuleBook::Usage> RuleBook::AllUsage() const {
  std::map<std::string, Usage> all;
  for (const auto& [id, kept] : rules_) all.emplace(id, kept.usage);
  return all;
}

bool RuleBook::Covers(const Kept& kept, DiscrepancyClass c, const Case& of, absl::Time now) {
  const IgnoreRule& rule = kept.rule;
  if (kept.retired || rule.of != c || now >= rule.expires_at) return false;
  if (rule.leg && rule.leg != of.leg) return false;
  if (!rule.merchant_id.empty() && rule.merchant_id != of.merchant_id) return false;
  if (of.day < rule.from || of.day > rule.to || kept.usage.count >= rule.max_count) return false;
  // No value is known, and none is capped: the count alone holds.
  if (c == DiscrepancyClass::kUnreadable) return of.at_stake.empty();
  return !of.at_stake.empty() && std::all_of(of.at_stake.begin(), of.at_stake.end(), [&](const auto& stake) {
    const auto cap = rule.max_units.find(stake.first);
    if (cap == rule.max_units.end()) return false;
    const auto used = kept.usage.units.find(stake.first);
    return SumCapped(stake.second, used == kept.usage.units.end() ? 0 : used->second) <= cap->second;
  });
}

std::optional<std::vector<std::string>> RuleBook::Covering(const Case& of, absl::Time now) const {
  std::vector<std::string> ids;
  for (const DiscrepancyClass c : of.classes) {
    const auto found =
        std::find_if(rules_.begin(), rules_.end(), [&](const auto& entry) { return Covers(entry.second, c, of, now); });
    if (found == rules_.end()) return std::nullopt;
    ids.push_back(found->first);
  }
  return ids;  // a rule is of one class, so none is here twice
}

void RuleBook::Charge(const std::vector<std::string>& ids, const Units& units) {
  for (const std::string& id : ids) {
    Usage& usage = rules_.at(id).usage;
    ++usage.count;
    for (const auto& [asset, value] : units) usage.units[asset] += value;
    changed_.insert(id);
  }
}

void RuleBook::Release(const std::vector<std::string>& ids, const Units& units) {
  for (const std::string& id : ids) {
    const auto found = rules_.find(id);
    if (found == rules_.end()) continue;
    Usage& usage = found->second.usage;
    --usage.count;
    for (const auto& [asset, value] : units) {
      const auto used = usage.units.find(asset);
      if (used == usage.units.end()) continue;
      used->second -= value;
      if (used->second == 0) usage.units.erase(used);
    }
    changed_.insert(id);
  }
}

Hash256 RuleBook::HashWith(std::string_view mapping_json) const {
  std::string text;
  PutBytes(text, mapping_json);
  for (const auto& [id, kept] : rules_) {
    if (!kept.retired) PutDefinition(text, kept.rule);
  }
  return Sha256::Of(text);
}

void RuleBook::WriteChanges(WriteSet& writes) {
  for (const std::string& id : changed_) writes.Put(Space::kHost, Key(kRulePrefix, id), Encode(rules_.at(id)));
  changed_.clear();
}

std::string RuleBook::Encode(const Kept& kept) {
  std::string out;
  PutByte(out, kVersion);
  PutDefinition(out, kept.rule);
  PutByte(out, kept.retired ? 1 : 0);
  PutVarint64(out, kept.usage.count);
  PutUnits(out, kept.usage.units);
  return out;
}

absl::StatusOr<RuleBook::Kept> RuleBook::Decode(std::string_view key, std::string_view bytes) {
  ByteReader in(bytes);
  Kept kept;
  uint8_t version;
  if (!in.GetByte(version) || version != kVersion || !GetDefinition(in, kept.rule) || !GetFlag(in, kept.retired) ||
      !in.GetVarint64(kept.usage.count) || !GetUnits(in, kept.usage.units) || !in.AtEnd() ||
      Key(kRulePrefix, kept.rule.id) != key) {
    return Error(absl::StatusCode::kDataLoss, "compare: a rule is damaged: ", Printable(key));
  }
  return kept;
}

}  // namespace northwind::internal::compare

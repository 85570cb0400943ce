// SPDX-License-Identifier: Apache-2.0
#include "src/compare/discrepancy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/day_index.h"
#include "src/compare/fields.h"
#include "src/settlement/event_text.h"

namespace northwind::internal::compare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kFingerprintBytes = 16;
constexpr size_t kMaxText = 1 << 16;

void PutClasses(std::string& out, const std::vector<DiscrepancyClass>& classes) {
  PutVarint64(out, classes.size());
  for (const DiscrepancyClass c : classes) PutByte(out, static_cast<uint8_t>(c));
}

bool GetClasses(ByteReader& in, std::vector<DiscrepancyClass>& classes) {
  uint64_t n;
  if (!in.GetVarint64(n)) return false;
  for (uint64_t i = 0; i < n; ++i) {
    if (!GetEnum(in, DiscrepancyClass::kUnreadable, classes.emplace_back())) return false;
  }
  return true;
}

bool GetChange(ByteReader& in, DiscrepancyChange& change) {
  return GetTime(in, change.at) && GetEnum(in, DiscrepancyState::kIgnored, change.state) &&
         GetClasses(in, change.classes) && GetText(in, kMaxText, change.actor) && GetText(in, kMaxText, change.reason);
}

bool GetRecord(ByteReader& in, DiscrepancyRecord& record) {
  uint8_t version;
  uint64_t n;
  std::string_view hash, fingerprint;
  if (!in.GetByte(version) || version != kVersion || !GetClasses(in, record.classes) ||
      !GetEnum(in, DiscrepancyState::kIgnored, record.state) || !GetFlag(in, record.agreed) ||
      !GetDayField(in, record.day) || !GetText(in, kMaxText, record.merchant_id) || !GetTime(in, record.first_seen) ||
      !GetTime(in, record.last_seen) || !in.GetRaw(record.rules_hash.size(), hash) ||
      !in.GetRaw(kFingerprintBytes, fingerprint) || !in.GetVarint64(n) || record.classes.empty()) {
    return false;
  }
  std::copy(hash.begin(), hash.end(), record.rules_hash.begin());
  record.fingerprint = fingerprint;
  for (uint64_t i = 0; i < n; ++i) {
    if (!GetText(in, 64, record.rules.emplace_back())) return false;
  }
  if (!GetUnits(in, record.charged) || !in.GetVarint64(n) || n > kMaxDiscrepancyHistory) return false;
  for (uint64_t i = 0; i < n; ++i) {
    if (!GetChange(in, record.history.emplace_back())) return false;
  }
  return in.AtEnd();
}

// What the mapping makes of a row: another mapping may make another difference of the same text.
void PutMapped(std::string& text, const TheirKept& row) {
  PutByte(text, static_cast<uint8_t>(row.kind));
  PutBytes(text, row.error);
  if (row.kind == MappedRow::Kind::kUnreadable) return;  // its day is when it came
  PutBytes(text, row.row.merchant_id);
  PutAsset(text, row.row.asset);
  PutInt128(text, row.row.units);
  PutByte(text, row.row.fee ? 1 : 0);
  if (row.row.fee) PutInt128(text, *row.row.fee);
  PutByte(text, row.row.status ? static_cast<uint8_t>(*row.row.status) : 0);
  PutDayField(text, row.row.day);
  PutTime(text, row.row.at.value_or(absl::InfinitePast()));
}

// Of all that the rows say: an explanation of a difference is not one of another that happens to be of the same class.
std::string FingerprintOf(const Item& item, const Verdict& verdict) {
  std::string text;
  PutClasses(text, verdict.classes);
  // That both pay is another finding than the same rows at odds in another way.
  if (!verdict.both_pay.empty()) PutByte(text, 3);
  for (size_t i = 0; i < item.ours.size(); ++i) {
    if (verdict.ours[i] != RowFate::kMismatched) continue;
    const OurKept& row = item.ours[i];
    PutByte(text, 1);
    PutBytes(text, row.merchant_id);
    PutAsset(text, row.asset);
    PutInt128(text, row.units);
    PutInt128(text, row.fee);
    PutByte(text, static_cast<uint8_t>(row.status));
    PutDayField(text, row.day);
  }
  for (size_t j = 0; j < item.theirs.size(); ++j) {
    if (verdict.theirs[j] != RowFate::kMismatched && verdict.theirs[j] != RowFate::kUnreadable) continue;
    const TheirKept& row = item.theirs[j];
    PutByte(text, 2);
    PutBytes(text, row.source);
    PutBytes(text, row.row_id);
    PutVarint64(text, row.columns);  // one number for one list of names
    PutMapped(text, row);
    for (const std::optional<std::string>& field : row.raw) {
      PutByte(text, field ? 1 : 0);
      if (field) PutBytes(text, *field);
    }
  }
  for (const ManyRows& many : item.many) {
    PutByte(text, 3);
    PutByte(text, static_cast<uint8_t>(many.side));
    PutAsset(text, many.asset);
    PutCount(text, many.rows);
  }
  return std::string(AsBytes(Sha256::Of(text)).substr(0, kFingerprintBytes));
}

void Remember(DiscrepancyRecord& record, const Judge& judge, std::vector<DiscrepancyClass> classes,
              std::string_view actor, std::string_view reason) {
  record.history.push_back({.at = judge.now,
                            .state = record.state,
                            .classes = std::move(classes),
                            .actor = std::string(actor),
                            .reason = std::string(reason)});
  if (record.history.size() > kMaxDiscrepancyHistory) record.history.erase(record.history.begin());
}

void StopIgnoring(const Judge& judge, DiscrepancyRecord& record) {
  judge.rules->Release(record.rules, record.charged);
  record.rules.clear();
  record.charged.clear();
}

// Open or ignored: as the rules say now.
void AskRules(const Item& item, const Verdict& verdict, const Judge& judge, DiscrepancyRecord& record) {
  StopIgnoring(judge, record);
  record.state = DiscrepancyState::kOpen;
  if (item.canary) return;
  Case of{.classes = verdict.classes,
          .merchant_id = record.merchant_id,
          .day = record.day,
          .at_stake = AtStake(item, verdict)};
  if (item.leg != Leg{}) of.leg = item.leg;
  std::optional<std::vector<std::string>> rules = judge.rules->Covering(of, judge.now);
  if (!rules) return;
  judge.rules->Charge(*rules, of.at_stake);
  record.state = DiscrepancyState::kIgnored;
  record.rules = *std::move(rules);
  record.charged = std::move(of.at_stake);
}

}  // namespace

std::string EncodeDiscrepancy(const DiscrepancyRecord& record) {
  std::string out;
  PutByte(out, kVersion);
  PutClasses(out, record.classes);
  PutByte(out, static_cast<uint8_t>(record.state));
  PutByte(out, record.agreed ? 1 : 0);
  PutDayField(out, record.day);
  PutBytes(out, record.merchant_id);
  PutTime(out, record.first_seen);
  PutTime(out, record.last_seen);
  out.append(AsBytes(record.rules_hash));
  out.append(record.fingerprint);
  PutVarint64(out, record.rules.size());
  for (const std::string& id : record.rules) PutBytes(out, id);
  PutUnits(out, record.charged);
  PutVarint64(out, record.history.size());
  for (const DiscrepancyChange& change : record.history) {
    PutTime(out, change.at);
    PutByte(out, static_cast<uint8_t>(change.state));
    PutClasses(out, change.classes);
    PutBytes(out, change.actor);
    PutBytes(out, change.reason);
  }
  return out;
}

absl::StatusOr<DiscrepancyRecord> DecodeDiscrepancy(std::string_view name, std::string_view bytes) {
  ByteReader in(bytes);
  DiscrepancyRecord record;
  if (!GetRecord(in, record)) {
    return Error(absl::StatusCode::kDataLoss, "compare: the discrepancy ", Printable(name), " is damaged");
  }
  return record;
}

void Observe(const Item& item, const Verdict& verdict, const Judge& judge, DiscrepancyRecord& record) {
  const bool is_new = record.classes.empty();
  const DiscrepancyState before = record.state;
  const std::vector<std::string> rules_before = record.rules;
  std::string fingerprint = FingerprintOf(item, verdict);
  const bool other = is_new || record.agreed || fingerprint != record.fingerprint;
  const Place home = HomeOf(item);
  if (is_new) record.first_seen = judge.now;
  record.last_seen = judge.now;
  record.classes = verdict.classes;
  record.agreed = false;
  record.day = home.day;
  record.merchant_id = home.merchant_id;
  record.rules_hash = judge.rules_hash;
  record.fingerprint = std::move(fingerprint);
  const bool by_hand = before == DiscrepancyState::kExplained || before == DiscrepancyState::kResolved;
  if (other || !by_hand) AskRules(item, verdict, judge, record);
  if (other || record.state != before || record.rules != rules_before) {
    Remember(record, judge, record.classes, {}, absl::StrJoin(record.rules, ", "));
  }
}

static std::string_view WhyAgreed(const Item& item, const Verdict& verdict) {
  if (verdict.pending) return "nothing differs so far";
  return item.northwind ? "northwind pays it" : "the sides agree";
}

void ObserveAgreement(const Item& item, const Verdict& verdict, const Judge& judge, DiscrepancyRecord& record) {
  if (!item.empty()) {
    const Place home = HomeOf(item);
    record.day = home.day;
    record.merchant_id = home.merchant_id;
  }
  if (record.agreed) return;
  StopIgnoring(judge, record);
  record.state = DiscrepancyState::kResolved;
  record.agreed = true;
  record.last_seen = judge.now;
  record.rules_hash = judge.rules_hash;
  Remember(record, judge, {}, {}, WhyAgreed(item, verdict));
}

absl::Status Decide(DiscrepancyState state, std::string_view actor, std::string_view reason, const Judge& judge,
                    DiscrepancyRecord& record) {
  if (record.agreed) return absl::FailedPreconditionError("it is resolved: the sides agree");
  StopIgnoring(judge, record);
  record.state = state;
  Remember(record, judge, record.classes, actor, reason);
  return absl::OkStatus();
}

Units AtStake(const Item& item, const Verdict& verdict) {
  Units ours, theirs;
  for (size_t i = 0; i < item.ours.size(); ++i) {
    if (verdict.ours[i] == RowFate::kMismatched) ours[item.ours[i].asset.ToString()] += Magnitude(item.ours[i].units);
  }
  for (size_t j = 0; j < item.theirs.size(); ++j) {
    const SettledRow& row = item.theirs[j].row;
    if (verdict.theirs[j] == RowFate::kMismatched) theirs[row.asset.ToString()] += Magnitude(row.units);
  }
  for (const auto& [asset, units] : theirs) {
    absl::uint128& most = ours[asset];
    most = std::max(most, units);
  }
  return ours;
}

}  // namespace northwind::internal::compare

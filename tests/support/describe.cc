// SPDX-License-Identifier: Apache-2.0
#include "tests/support/describe.h"

#include <optional>
#include <sstream>
#include <tuple>
#include <type_traits>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/time/time.h"

namespace northwind::testing {
namespace {

std::string TimeText(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", time, absl::UTCTimeZone()); }

std::string TimeText(const std::optional<absl::Time>& time) { return time.has_value() ? TimeText(*time) : "none"; }

std::string Text(const std::string& bytes) {
  const std::string shown = absl::CEscape(bytes.substr(0, 40));
  return "\"" + shown + "\"" + (bytes.size() > 40 ? "… of " + std::to_string(bytes.size()) : "");
}

template <typename List>
std::string Listed(const List& items) {
  std::string text = "[";
  for (const auto& item : items) text += (text.size() > 1 ? ", " : "") + Describe(item);
  return text + "]";
}

std::string TargetText(const std::optional<Target>& target) {
  if (!target.has_value()) return "none";
  std::string text;
  if (target->key.has_value()) text += "key " + target->key->ToString() + " ";
  return text + std::to_string(target->code) + "/" + Text(target->reference);
}

std::string BodyText(const AccountOpened& body) {
  std::ostringstream out;
  out << "opened " << body.id.value() << " " << Text(body.spec.name) << " " << body.spec.asset
      << (body.spec.external ? " external" : "") << " min " << body.spec.min_available;
  return out.str();
}

std::string BodyText(const AccountChanged& body) {
  std::ostringstream out;
  out << "changed " << body.id.value() << " state " << static_cast<int>(body.state) << " min " << body.min_available;
  return out.str();
}

std::string BodyText(const TransactionRecorded& body) {
  std::ostringstream out;
  out << Name(body.outcome) << " " << Name(body.reason) << " target " << Describe(body.target) << " moved "
      << Listed(body.moved) << " released " << body.released.ToString(0) << " of " << Describe(body.transaction);
  return out.str();
}

std::string BodyText(const HoldExpired& body) {
  return "expired " + Describe(body.hold) + " released " + body.released.ToString(0);
}

bool SameBody(const TransactionRecorded& a, const TransactionRecorded& b) {
  return std::tie(a.outcome, a.reason, a.target, a.moved, a.released) ==
             std::tie(b.outcome, b.reason, b.target, b.moved, b.released) &&
         Same(a.transaction, b.transaction);
}

bool SameBody(const AccountOpened& a, const AccountOpened& b) {
  return std::tie(a.id, a.spec.name, a.spec.asset, a.spec.external, a.spec.min_available) ==
         std::tie(b.id, b.spec.name, b.spec.asset, b.spec.external, b.spec.min_available);
}

bool SameBody(const AccountChanged& a, const AccountChanged& b) {
  return std::tie(a.id, a.state, a.min_available) == std::tie(b.id, b.state, b.min_available);
}

bool SameBody(const HoldExpired& a, const HoldExpired& b) {
  return std::tie(a.hold, a.released) == std::tie(b.hold, b.released);
}

}  // namespace

bool Same(const Transaction& a, const Transaction& b) {
  if (a.host_records.size() != b.host_records.size()) return false;
  for (size_t i = 0; i < a.host_records.size(); ++i) {
    if (a.host_records[i].key != b.host_records[i].key || a.host_records[i].value != b.host_records[i].value) {
      return false;
    }
  }
  return std::tie(a.key, a.kind, a.postings, a.target, a.amount, a.final_capture, a.code, a.reference,
                  a.unique_reference, a.effective_at, a.expires_at,
                  a.metadata) == std::tie(b.key, b.kind, b.postings, b.target, b.amount, b.final_capture, b.code,
                                          b.reference, b.unique_reference, b.effective_at, b.expires_at, b.metadata);
}

bool Same(const CommitResult& a, const CommitResult& b) {
  if (a.balances.size() != b.balances.size()) return false;
  for (size_t i = 0; i < a.balances.size(); ++i) {
    if (a.balances[i].account != b.balances[i].account || a.balances[i].totals != b.balances[i].totals) return false;
  }
  return std::tie(a.outcome, a.original, a.reason, a.conflict, a.posting, a.sequence, a.recorded_at) ==
         std::tie(b.outcome, b.original, b.reason, b.conflict, b.posting, b.sequence, b.recorded_at);
}

bool Same(const JournalRecord& a, const JournalRecord& b) {
  if (a.sequence != b.sequence || a.recorded_at != b.recorded_at || a.body.index() != b.body.index()) return false;
  return std::visit([&b](const auto& body) { return SameBody(body, std::get<std::decay_t<decltype(body)>>(b.body)); },
                    a.body);
}

bool Same(const TransactionView& a, const TransactionView& b) {
  return std::tie(a.sequence, a.recorded_at, a.links, a.captured, a.released, a.remaining, a.reversed) ==
             std::tie(b.sequence, b.recorded_at, b.links, b.captured, b.released, b.remaining, b.reversed) &&
         SameBody(a.record, b.record);
}

bool Same(const Account& a, const Account& b) {
  return std::tie(a.id, a.name, a.asset, a.external, a.min_available, a.state, a.totals) ==
         std::tie(b.id, b.name, b.asset, b.external, b.min_available, b.state, b.totals);
}

std::string Describe(Sequence sequence) { return "#" + std::to_string(sequence.value()); }

std::string Describe(const ResultingBalance& balance) {
  return std::to_string(balance.account.value()) + " " + Describe(balance.totals);
}

std::string Describe(const absl::uint128& number) {
  std::ostringstream out;
  out << number;
  return out.str();
}

std::string Describe(const absl::int128& number) {
  std::ostringstream out;
  out << number;
  return out.str();
}

std::string Describe(const Totals& totals) {
  std::ostringstream out;
  out << "{posted −" << totals.debits_posted << " +" << totals.credits_posted << ", held −" << totals.debits_held
      << " +" << totals.credits_held << "}";
  return out.str();
}

std::string Describe(const Posting& posting) {
  std::ostringstream out;
  out << posting.debit.value() << "→" << posting.credit.value() << " " << posting.amount.units();
  return out.str();
}

std::string Describe(const Transaction& t) {
  std::ostringstream out;
  out << Name(t.kind) << " " << t.key.ToString() << " " << Listed(t.postings) << " target " << TargetText(t.target)
      << " amount " << t.amount.units() << (t.final_capture ? " final" : "") << " " << t.code << "/"
      << Text(t.reference) << (t.unique_reference ? " unique" : "") << " effective " << TimeText(t.effective_at)
      << " expires " << TimeText(t.expires_at) << " metadata " << Text(t.metadata) << " host " << t.host_records.size();
  return out.str();
}

std::string Describe(const CommitResult& result) {
  std::ostringstream out;
  out << Name(result.outcome) << " (" << Name(result.original) << ") reason " << Name(result.reason) << " conflict "
      << Name(result.conflict) << " posting " << result.posting << " " << Describe(result.sequence) << " at "
      << TimeText(result.recorded_at) << " balances " << Listed(result.balances);
  return out.str();
}

std::string Describe(const Entry& entry) {
  std::ostringstream out;
  out << Describe(entry.sequence) << "." << entry.index << " at " << TimeText(entry.recorded_at) << " "
      << Name(entry.kind) << " " << entry.amount.units() << " code " << entry.code << " after "
      << Describe(entry.after);
  return out.str();
}

std::string Describe(const Hold& hold) {
  std::ostringstream out;
  out << Describe(hold.sequence) << " " << hold.key.ToString() << " " << Describe(hold.posting) << " remaining "
      << hold.remaining.units() << " " << hold.code << "/" << Text(hold.reference) << " expires "
      << TimeText(hold.expires_at);
  return out.str();
}

std::string Describe(const JournalRecord& record) {
  return Describe(record.sequence) + " at " + TimeText(record.recorded_at) + ": " +
         std::visit([](const auto& body) { return BodyText(body); }, record.body);
}

std::string Describe(const TransactionView& view) {
  return Describe(view.sequence) + " at " + TimeText(view.recorded_at) + ": " + BodyText(view.record) + " links " +
         Listed(view.links) + " captured " + view.captured.ToString(0) + " released " + view.released.ToString(0) +
         " remaining " + view.remaining.ToString(0) + " reversed " + view.reversed.ToString(0);
}

std::string Describe(const Account& account) {
  std::ostringstream out;
  out << account.id.value() << " " << Text(account.name) << " " << account.asset.ToString()
      << (account.external ? " external" : "") << " min " << account.min_available << " state "
      << static_cast<int>(account.state) << " " << Describe(account.totals);
  return out.str();
}

}  // namespace northwind::testing

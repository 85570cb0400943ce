// SPDX-License-Identifier: Apache-2.0
#include "examples/settle/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace northwind::examples {
namespace {

using Counts = std::map<std::string, uint64_t>;

uint64_t Sum(const Counts& counts) {
  uint64_t sum = 0;
  for (const auto& [name, n] : counts) sum += n;
  return sum;
}

// 1234567 → "1,234,567"
std::string Grouped(uint64_t n) {
  std::string text = std::to_string(n);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

void AppendCount(std::string& out, const std::string& name, uint64_t n, int indent = 2) {
  absl::StrAppendFormat(&out, "%*s%-*s %14s\n", indent, "", 30 - indent, name, Grouped(n));
}

void AppendCounts(std::string& out, const std::string& name, const Counts& counts) {
  AppendCount(out, name, Sum(counts));
  for (const auto& [part, n] : counts) AppendCount(out, part, n, 4);
}

std::string Money(absl::int128 units, int scale) {
  std::string text = FormatUnits(units, scale);
  const size_t first = text[0] == '-' ? 1 : 0;
  for (size_t at = std::min(text.find('.'), text.size()); at > first + 3;) text.insert(at -= 3, ",");
  return text;
}

void AppendAssets(std::string& out, const std::map<std::string, AssetSummary>& assets) {
  for (const auto& [name, asset] : assets) {
    absl::StrAppendFormat(&out, "\n%s, %s merchants\n", name, Grouped(asset.merchants));
    const auto line = [&out, scale = asset.scale](const char* what, absl::int128 units) {
      absl::StrAppendFormat(&out, "  %-28s %21s\n", what, Money(units, scale));
    };
    line("merchants, available", asset.merchants_available);
    line("merchants, held", asset.held);
    line("fees earned", asset.fees);
    line("paid out", asset.clearing);
    line("adjustments", asset.adjustments);
    line("processor", asset.processor);
    line("sum of all accounts", asset.sum);
  }
}

}  // namespace

void RunCounts::Add(const EventOutcome& outcome) {
  switch (outcome.status) {
    case EventStatus::kApplied:
      ++applied;
      break;
    case EventStatus::kDuplicate:
      ++duplicates;
      break;
    case EventStatus::kAlreadySettled:
      ++already_settled;
      break;
    case EventStatus::kRejected:
      ++rejected[std::string(Name(outcome.reason))];
      break;
    case EventStatus::kQuarantined:
      ++quarantined[std::string(Name(outcome.cause))];
      break;
    case EventStatus::kParked:
      break;
  }
}

double RunCounts::per_second() const {
  return static_cast<double>(events) / std::max(1e-6, absl::ToDoubleSeconds(elapsed));
}

std::string LedgerText(const std::string& path, const LedgerSummary& ledger) {
  std::string out = absl::StrCat("\nThe ledger ", path, "\n");
  AppendCounts(out, "applied", ledger.applied);
  AppendCounts(out, "rejected", ledger.rejected);
  AppendCounts(out, "in quarantine", ledger.quarantine);
  AppendCounts(out, "payouts", ledger.payout_states);
  AppendCount(out, "payouts made twice", ledger.double_payouts);
  AppendAssets(out, ledger.assets);
  absl::StrAppendFormat(&out, "\nHead: sequence %s, %s\n", Grouped(ledger.head.sequence.value()),
                        HexOf(ledger.head.hash));
  return out;
}

std::string ReportText(const Report& report) {
  const RunCounts& run = report.run;
  std::string out = absl::StrCat("\nThis run", run.interrupted ? " (interrupted: run again to complete it)" : "", "\n");
  AppendCount(out, "events", run.events);
  AppendCount(out, "applied", run.applied);
  AppendCount(out, "duplicates", run.duplicates);
  AppendCount(out, "already settled", run.already_settled);
  AppendCount(out, "conflicts", run.quarantined.contains("conflict") ? run.quarantined.at("conflict") : 0);
  AppendCounts(out, "rejected", run.rejected);
  AppendCounts(out, "quarantined", run.quarantined);
  absl::StrAppendFormat(&out, "  %.1f s, %s events/s\n", absl::ToDoubleSeconds(run.elapsed),
                        Grouped(static_cast<uint64_t>(run.per_second())));

  out += LedgerText(report.ledger, report.summary);
  if (report.verified.has_value()) {
    absl::StrAppendFormat(&out,
                          "Verified: %s records in %s blocks, %s accounts, %s entries: all as the journal says.\n",
                          Grouped(report.verified->records), Grouped(report.verified->blocks),
                          Grouped(report.verified->accounts), Grouped(report.verified->entries));
  }
  return out;
}

nlohmann::ordered_json LedgerJson(const std::string& path, const LedgerSummary& ledger) {
  nlohmann::ordered_json json;
  json["path"] = path;
  json["applied"] = ledger.applied;
  json["rejected"] = ledger.rejected;
  json["quarantine"] = ledger.quarantine;
  json["payouts"] = ledger.payout_states;
  json["double_payouts"] = ledger.double_payouts;
  for (const auto& [name, asset] : ledger.assets) {
    const auto units = [](absl::int128 n) { return FormatUnits(n, 0); };
    json["assets"][name] = {
        {"merchants", asset.merchants},        {"merchants_available", units(asset.merchants_available)},
        {"merchants_held", units(asset.held)}, {"fees", units(asset.fees)},
        {"paid_out", units(asset.clearing)},   {"adjustments", units(asset.adjustments)},
        {"processor", units(asset.processor)}, {"sum", units(asset.sum)}};
  }
  json["head"] = {{"sequence", ledger.head.sequence.value()}, {"hash", HexOf(ledger.head.hash)}};
  return json;
}

std::string ReportJson(const Report& report) {
  const RunCounts& run = report.run;
  nlohmann::ordered_json json;
  json["events"] = run.events;
  json["empty_lines"] = run.empty_lines;
  json["applied"] = run.applied;
  json["duplicates"] = run.duplicates;
  json["already_settled"] = run.already_settled;
  json["conflicts"] = run.quarantined.contains("conflict") ? run.quarantined.at("conflict") : 0;
  json["rejected"] = run.rejected;
  json["quarantined"] = run.quarantined;
  json["seconds"] = absl::ToDoubleSeconds(run.elapsed);
  json["events_per_second"] = static_cast<uint64_t>(run.per_second());
  json["interrupted"] = run.interrupted;
  json["ledger"] = LedgerJson(report.ledger, report.summary);
  json["ledger"]["replayed_at_open"] = report.replayed_at_open;
  json["verified"] = report.verified.has_value();
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace northwind::examples

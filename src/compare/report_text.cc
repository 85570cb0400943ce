// SPDX-License-Identifier: Apache-2.0
//
// The report for a terminal.
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "src/base/error.h"
#include "src/compare/report_parts.h"
#include "src/settlement/event_text.h"

namespace northwind {
namespace {

using internal::DayText;
using internal::MoneyText;
using internal::TimeText;
using internal::ToAbsl;

// What people and batch systems wrote, without characters that a terminal would obey.
std::string Safe(std::string_view text) {
  return internal::IsUtf8(text) ? absl::Utf8SafeCHexEscape(ToAbsl(text)) : absl::CHexEscape(ToAbsl(text));
}

void AppendSide(std::string& out, std::string_view asset, std::string_view side, const Coverage& coverage) {
  const auto cell = [&](const CountAndSum& part) {
    absl::StrAppendFormat(&out, " %9d %18s", part.count, MoneyText(asset, part.sum));
  };
  absl::StrAppendFormat(&out, "  %-19s %-6s", Safe(asset), std::string(side));
  for (const CountAndSum* part :
       {&coverage.ingested, &coverage.matched, &coverage.mismatched, &coverage.pending, &coverage.ignored}) {
    cell(*part);
  }
  out += coverage.holds() ? "\n" : "  DOES NOT ADD UP\n";
  if (coverage.by_northwind.count == 0) return;
  absl::StrAppendFormat(&out, "  %-19s %-6s of the ignored, paid by northwind (rows, sum): %d %s\n", Safe(asset),
                        std::string(side), coverage.by_northwind.count, MoneyText(asset, coverage.by_northwind.sum));
}

void AppendDay(std::string& out, const DayFigures& day) {
  absl::StrAppend(&out, "\n", DayText(day.day), "  ", ToAbsl(Name(day.state)), ": ", internal::Verdict(day));
  if (const std::string at = TimeText(day.closed_at); !at.empty()) {
    absl::StrAppend(&out, "  (closed ", at, " by ", Safe(day.closed_by), ")");
  }
  out += "\n";
  absl::StrAppendFormat(&out, "  %-19s %-6s", "asset", "side");
  for (const char* name : {"ingested", "matched", "mismatched", "pending", "ignored"}) {
    absl::StrAppendFormat(&out, " %28s", std::string(name) + ": rows, sum");
  }
  out += "\n";
  for (const auto& [asset, sides] : day.assets) {
    AppendSide(out, asset, "ours", sides.ours);
    AppendSide(out, asset, "theirs", sides.theirs);
  }
  for (const auto& [of, count] : day.by_class) absl::StrAppend(&out, "  ", ToAbsl(Name(of)), ": ", count, "\n");
  for (const auto& [state, count] : day.by_state)
    absl::StrAppend(&out, "  state ", ToAbsl(Name(state)), ": ", count, "\n");
  for (const std::string& what : day.incomplete) absl::StrAppend(&out, "  incomplete: ", Safe(what), "\n");
  if (!day.totals_told) out += "  what the batch itself counts was not told\n";
  for (const CanaryResult& canary : day.canaries) {
    if (canary.sound()) continue;
    absl::StrAppend(&out, "  canary ", ToAbsl(Name(canary.expected)), " found as ",
                    canary.found.empty() ? "nothing" : ToAbsl(Name(canary.found.front())), "\n");
  }
  absl::StrAppend(&out, "  digest ours   ", internal::HashText(day.our_digest), "\n");
  absl::StrAppend(&out, "  digest theirs ", internal::HashText(day.their_digest), "\n");
}

}  // namespace

std::string FormatReportText(const RunReport& report) {
  std::string out = absl::StrCat(
      "Parallel run, ", DayText(report.from), " to ", DayText(report.to), "\nmade at ", TimeText(report.made_at),
      ", ledger ", Safe(report.ledger_id), ", journal followed to ", report.followed.value(),
      "\n\nGate: ", report.gate.open ? "OPEN" : "SHUT", ", ", internal::CleanDaysText(report.gate.days.size()),
      " in a row\nrules ", Safe(report.gate.rules_hash), "\n");
  for (const std::string& reason : report.gate.reasons) absl::StrAppend(&out, "  - ", Safe(reason), "\n");
  if (report.signed_by.empty()) {
    out += "Signed by nobody\n";
  } else {
    absl::StrAppend(&out, "Signed by ", Safe(report.signed_by), " at ", TimeText(report.signed_at), ": ",
                    Safe(report.note), "\n");
  }
  for (const DayFigures& day : report.days) AppendDay(out, day);
  absl::StrAppend(&out, "\nUnresolved: ", report.unresolved_count);
  if (report.unresolved_count > report.unresolved.size()) {
    absl::StrAppend(&out, ", of which the first ", report.unresolved.size());
  }
  out += "\n";
  for (const Discrepancy& d : report.unresolved) {
    absl::StrAppend(&out, "  ", DayText(d.day), "  ", Safe(d.id), "  ",
                    d.classes.empty() ? "" : ToAbsl(Name(d.classes.front())), "  ", Safe(d.detail), "\n");
  }
  absl::StrAppend(&out, "\nRules: ", report.rules.size(), "\n");
  for (const IgnoreRule& rule : report.rules) {
    const auto uses = report.rule_uses.find(rule.id);
    absl::StrAppend(&out, "  ", Safe(rule.id), "  ", ToAbsl(Name(rule.of)), "  ", DayText(rule.from), " to ",
                    DayText(rule.to), "  expires ", TimeText(rule.expires_at), "  used ",
                    uses == report.rule_uses.end() ? 0 : uses->second, " of ", rule.max_count, "  ", Safe(rule.owner),
                    ": ", Safe(rule.reason), "\n");
    for (const auto& [asset, units] : rule.max_units) {
      absl::StrAppend(&out, "    at most ", MoneyText(asset, internal::BoundUnits(units)), " ", Safe(asset), "\n");
    }
  }
  return out;
}

}  // namespace northwind

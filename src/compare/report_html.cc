// SPDX-License-Identifier: Apache-2.0
//
// The report as one page: no scripts, nothing fetched; light and dark as the reader's system is.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "src/base/error.h"
#include "src/compare/report_parts.h"
#include "src/settlement/event_text.h"

namespace northwind {
namespace {

using internal::DayText;
using internal::MoneyText;
using internal::RowCounts;
using internal::TimeText;
using internal::ToAbsl;

// For text and attributes alike.
std::string Escaped(std::string_view text) {
  std::string out;
  const bool utf8 = internal::IsUtf8(text);
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        // Controls are no characters of HTML; neither are bytes that are not UTF-8.
        out += ((c >= 0 && c < 0x20) || c == 0x7F || (c < 0 && !utf8)) ? "\xEF\xBF\xBD" : std::string(1, c);
    }
  }
  return out;
}

constexpr absl::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Parallel run</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><style>
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--line:#d0d7de;--good:#1a7f4b;--bad:#c62f3b;--wait:#b7791f}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e8eb;--line:#3a4048;--good:#3fb77a;--bad:#f0656f;--wait:#e0a648}}
body{background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;margin:.5rem 0 1rem}
th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem;text-align:left;vertical-align:top}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.good{color:var(--good)}.bad{color:var(--bad)}.mono{font-family:ui-monospace,monospace;font-size:.85em;overflow-wrap:anywhere}
.matched{fill:var(--good)}.mismatched{fill:var(--bad)}.pending{fill:var(--wait)}svg text{fill:var(--fg);font-size:11px}
</style></head><body>
)";

// One stacked bar for each day, of rows of both sides.
void AppendChart(std::string& out, const std::vector<DayFigures>& days) {
  constexpr int kBar = 22, kGap = 10, kHeight = 140;
  uint64_t most = 1;
  for (const DayFigures& day : days) {
    const RowCounts rows = internal::CountRows(day);
    most = std::max(most, rows.matched + rows.mismatched + rows.pending);
  }
  const int width = std::max(330, static_cast<int>(days.size()) * (kBar + kGap) + kGap);
  absl::StrAppendFormat(&out,
                        "<div class=\"scroll\"><svg role=\"img\" aria-label=\"Rows of each day\" width=\"%d\" "
                        "height=\"%d\" viewBox=\"0 0 %d %d\">\n",
                        width, kHeight + 64, width, kHeight + 64);
  int legend = 0;
  for (const char* name : {"matched", "mismatched", "pending"}) {
    absl::StrAppendFormat(
        &out, "<rect class=\"%s\" x=\"%d\" y=\"2\" width=\"10\" height=\"10\"/><text x=\"%d\" y=\"11\">%s</text>\n",
        name, legend, legend + 14, name);
    legend += 100;
  }
  int x = kGap;
  for (const DayFigures& day : days) {
    const RowCounts rows = internal::CountRows(day);
    double base = kHeight + 20;
    for (const auto& [name, count] : {std::pair<const char*, uint64_t>{"matched", rows.matched},
                                      {"mismatched", rows.mismatched},
                                      {"pending", rows.pending}}) {
      if (count == 0) continue;
      // What is there is seen, however little it is beside the rest.
      const double height = std::max(2.0, static_cast<double>(count) / static_cast<double>(most) * (kHeight - 10));
      base -= height;
      absl::StrAppendFormat(&out,
                            "<rect class=\"%s\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"><title>%s: %d %s"
                            "</title></rect>\n",
                            name, x, base, kBar, height, DayText(day.day), count, name);
    }
    absl::StrAppendFormat(&out, "<text transform=\"translate(%d %d) rotate(40)\">%s</text>\n", x + 4, kHeight + 32,
                          DayText(day.day).substr(5));
    x += kBar + kGap;
  }
  out += "</svg></div>\n";
}

void AppendSide(std::string& out, std::string_view asset, const char* side, const Coverage& coverage) {
  absl::StrAppend(&out, "<tr><td>", Escaped(asset), "</td><td>", side, "</td>");
  for (const CountAndSum* part : {&coverage.ingested, &coverage.matched, &coverage.mismatched, &coverage.pending,
                                  &coverage.ignored, &coverage.by_northwind}) {
    absl::StrAppend(&out, "<td class=\"n\">", part->count, "</td><td class=\"n\">", MoneyText(asset, part->sum),
                    "</td>");
  }
  out += coverage.holds() ? "<td class=\"good\">adds up</td></tr>\n" : "<td class=\"bad\">does not add up</td></tr>\n";
}

void AppendDay(std::string& out, const DayFigures& day) {
  absl::StrAppend(&out, "<h3>", DayText(day.day), " <span class=\"", day.clean() ? "good" : "bad", "\">",
                  internal::Verdict(day), "</span></h3>\n<p>", ToAbsl(Name(day.state)));
  if (const std::string at = TimeText(day.closed_at); !at.empty()) {
    absl::StrAppend(&out, ", closed ", at, " by ", Escaped(day.closed_by));
  }
  for (const auto& [of, count] : day.by_class) absl::StrAppend(&out, "; ", ToAbsl(Name(of)), ": ", count);
  for (const auto& [state, count] : day.by_state) absl::StrAppend(&out, "; state ", ToAbsl(Name(state)), ": ", count);
  out += "</p>\n";
  if (!day.totals_told) absl::StrAppend(&out, "<p class=\"bad\">What the batch itself counts was not told.</p>\n");
  for (const std::string& what : day.incomplete) absl::StrAppend(&out, "<p class=\"bad\">", Escaped(what), "</p>\n");
  for (const CanaryResult& canary : day.canaries) {
    if (canary.sound()) continue;
    absl::StrAppend(&out, "<p class=\"bad\">canary ", ToAbsl(Name(canary.expected)), " found as ",
                    canary.found.empty() ? "nothing" : ToAbsl(Name(canary.found.front())), "</p>\n");
  }
  out += "<div class=\"scroll\"><table><tr><th>asset</th><th>side</th>";
  for (const char* name : {"ingested", "matched", "mismatched", "pending", "ignored", "paid by northwind"}) {
    absl::StrAppend(&out, "<th class=\"n\">", name, "</th><th class=\"n\">sum</th>");
  }
  out += "<th></th></tr>\n";
  for (const auto& [asset, sides] : day.assets) {
    AppendSide(out, asset, "ours", sides.ours);
    AppendSide(out, asset, "theirs", sides.theirs);
  }
  absl::StrAppend(&out, "</table></div>\n<p class=\"mono\">ours ", internal::HashText(day.our_digest), "<br>theirs ",
                  internal::HashText(day.their_digest), "</p>\n");
}

void AppendUnresolved(std::string& out, const RunReport& report) {
  absl::StrAppend(&out, "<h2>Unresolved: ", report.unresolved_count, "</h2>\n");
  if (report.unresolved_count > report.unresolved.size()) {
    absl::StrAppend(&out, "<p>The first ", report.unresolved.size(), " of them.</p>\n");
  }
  if (report.unresolved.empty()) return;
  out += "<div class=\"scroll\"><table><tr><th>day</th><th>id</th><th>class</th><th>what differs</th></tr>\n";
  for (const Discrepancy& d : report.unresolved) {
    absl::StrAppend(&out, "<tr><td>", DayText(d.day), "</td><td class=\"mono\">", Escaped(d.id), "</td><td>",
                    d.classes.empty() ? "" : ToAbsl(Name(d.classes.front())), "</td><td>", Escaped(d.detail),
                    "</td></tr>\n");
  }
  out += "</table></div>\n";
}

void AppendRules(std::string& out, const RunReport& report) {
  absl::StrAppend(&out, "<h2>Rules: ", report.rules.size(), "</h2>\n");
  if (report.rules.empty()) return;
  out +=
      "<div class=\"scroll\"><table><tr><th>id</th><th>class</th><th>days</th><th>expires</th><th>used</th>"
      "<th>at most</th><th>owner</th><th>reason</th></tr>\n";
  for (const IgnoreRule& rule : report.rules) {
    const auto uses = report.rule_uses.find(rule.id);
    absl::StrAppend(&out, "<tr><td>", Escaped(rule.id), "</td><td>", ToAbsl(Name(rule.of)), "</td><td>",
                    DayText(rule.from), " to ", DayText(rule.to), "</td><td>", TimeText(rule.expires_at),
                    "</td><td class=\"n\">", uses == report.rule_uses.end() ? 0 : uses->second, "</td><td class=\"n\">",
                    rule.max_count);
    for (const auto& [asset, units] : rule.max_units) {
      absl::StrAppend(&out, "<br>", MoneyText(asset, internal::BoundUnits(units)), " ", Escaped(asset));
    }
    absl::StrAppend(&out, "</td><td>", Escaped(rule.owner), "</td><td>", Escaped(rule.reason), "</td></tr>\n");
  }
  out += "</table></div>\n";
}

}  // namespace

std::string FormatReportHtml(const RunReport& report) {
  std::string out(kHead);
  absl::StrAppend(&out, "<h1>Parallel run, ", DayText(report.from), " to ", DayText(report.to), "</h1>\n<p>Made at ",
                  TimeText(report.made_at), " of ledger <span class=\"mono\">", Escaped(report.ledger_id),
                  "</span>, journal followed to ", report.followed.value(), ".</p>\n<h2>Gate: <span class=\"",
                  report.gate.open ? "good\">open" : "bad\">shut", "</span>, ",
                  internal::CleanDaysText(report.gate.days.size()), " in a row</h2>\n");
  if (!report.gate.reasons.empty()) {
    out += "<ul>\n";
    for (const std::string& reason : report.gate.reasons) absl::StrAppend(&out, "<li>", Escaped(reason), "</li>\n");
    out += "</ul>\n";
  }
  if (report.signed_by.empty()) {
    out += "<p>Signed by nobody.</p>\n";
  } else {
    absl::StrAppend(&out, "<p>Signed by ", Escaped(report.signed_by), " at ", TimeText(report.signed_at), ": ",
                    Escaped(report.note), "</p>\n");
  }
  absl::StrAppend(&out, "<p class=\"mono\">rules ", Escaped(report.gate.rules_hash), "</p>\n<h2>Days</h2>\n");
  AppendChart(out, report.days);
  for (const DayFigures& day : report.days) AppendDay(out, day);
  AppendUnresolved(out, report);
  AppendRules(out, report);
  out += "</body></html>\n";
  return out;
}

}  // namespace northwind

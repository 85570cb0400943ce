// SPDX-License-Identifier: Apache-2.0
//
// The report as one JSON object (docs/parallel-run.md): sums are strings of minor units, counts numbers.
#include <nlohmann/json.hpp>

#include "northwind/compare.h"
#include "src/compare/report_parts.h"

namespace northwind {
namespace {

using internal::DayText;
using internal::TimeText;
using Json = nlohmann::ordered_json;

Json OfPart(const CountAndSum& part) { return {{"count", part.count}, {"sum", FormatUnits(part.sum, 0)}}; }

Json OfCoverage(const Coverage& c) {
  return {{"ingested", OfPart(c.ingested)},
          {"matched", OfPart(c.matched)},
          {"mismatched", OfPart(c.mismatched)},
          {"pending", OfPart(c.pending)},
          {"ignored", OfPart(c.ignored)},
          {"by_northwind", OfPart(c.by_northwind)},
          {"holds", c.holds()}};
}

Json OfTime(absl::Time time) {
  std::string text = TimeText(time);
  return text.empty() ? Json() : Json(std::move(text));
}

Json OfClasses(const std::vector<DiscrepancyClass>& classes) {
  Json out = Json::array();
  for (const DiscrepancyClass c : classes) out.push_back(Name(c));
  return out;
}

Json OfDay(const DayFigures& day) {
  Json out = {{"day", DayText(day.day)},
              {"state", Name(day.state)},
              {"closed_at", OfTime(day.closed_at)},
              {"closed_by", day.closed_by},
              {"clean", day.clean()},
              {"sound", day.sound},
              {"assets", Json::object()},
              {"by_class", Json::object()},
              {"by_state", Json::object()},
              {"incomplete", day.incomplete},
              {"totals_told", day.totals_told},
              {"canaries", Json::array()},
              {"our_digest", internal::HashText(day.our_digest)},
              {"their_digest", internal::HashText(day.their_digest)},
              {"rules_hash", day.rules_hash}};
  for (const auto& [asset, sides] : day.assets) {
    out["assets"][asset] = {{"ours", OfCoverage(sides.ours)}, {"theirs", OfCoverage(sides.theirs)}};
  }
  for (const auto& [of, count] : day.by_class) out["by_class"][std::string(Name(of))] = count;
  for (const auto& [state, count] : day.by_state) out["by_state"][std::string(Name(state))] = count;
  for (const CanaryResult& canary : day.canaries) {
    out["canaries"].push_back(
        {{"expected", Name(canary.expected)}, {"found", OfClasses(canary.found)}, {"sound", canary.sound()}});
  }
  return out;
}

Json OfDiscrepancy(const Discrepancy& d) {
  return {{"id", d.id},
          {"classes", OfClasses(d.classes)},
          {"state", Name(d.state)},
          {"day", DayText(d.day)},
          {"detail", d.detail},
          {"our_rows", d.ours.size()},
          {"their_rows", d.theirs.size()},
          {"first_seen", OfTime(d.first_seen)},
          {"last_seen", OfTime(d.last_seen)}};
}

Json OfRule(const IgnoreRule& rule, uint64_t uses) {
  Json out = {{"id", rule.id},
              {"owner", rule.owner},
              {"reason", rule.reason},
              {"class", Name(rule.of)},
              {"leg", rule.leg.has_value() ? Json(Name(*rule.leg)) : Json()},
              {"merchant_id", rule.merchant_id},
              {"from", DayText(rule.from)},
              {"to", DayText(rule.to)},
              {"expires_at", OfTime(rule.expires_at)},
              {"max_count", rule.max_count},
              {"max_units", Json::object()},
              {"uses", uses}};
  for (const auto& [asset, units] : rule.max_units) {
    out["max_units"][asset] = FormatUnits(internal::BoundUnits(units), 0);
  }
  return out;
}

}  // namespace

std::string FormatReportJson(const RunReport& report) {
  Json out = {{"made_at", OfTime(report.made_at)},
              {"ledger_id", report.ledger_id},
              {"followed", report.followed.value()},
              {"from", DayText(report.from)},
              {"to", DayText(report.to)},
              {"gate",
               {{"open", report.gate.open},
                {"reasons", report.gate.reasons},
                {"days", Json::array()},
                {"rules_hash", report.gate.rules_hash}}},
              {"signed_by", report.signed_by},
              {"signed_at", OfTime(report.signed_at)},
              {"note", report.note},
              {"days", Json::array()},
              {"unresolved_count", report.unresolved_count},
              {"unresolved", Json::array()},
              {"rules", Json::array()}};
  for (const absl::CivilDay day : report.gate.days) out["gate"]["days"].push_back(DayText(day));
  for (const DayFigures& day : report.days) out["days"].push_back(OfDay(day));
  for (const Discrepancy& d : report.unresolved) out["unresolved"].push_back(OfDiscrepancy(d));
  for (const IgnoreRule& rule : report.rules) {
    const auto uses = report.rule_uses.find(rule.id);
    out["rules"].push_back(OfRule(rule, uses == report.rule_uses.end() ? 0 : uses->second));
  }
  // What is not UTF-8 becomes U+FFFD.
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "examples/reference_server/api/operator.h"
#include "examples/reference_server/api/parallel_run_routes.h"
#include "northwind/amount.h"
#include "northwind/compare.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

const absl::CivilDay kFirstDay(2000, 1, 1);
const absl::CivilDay kLastDay(2199, 12, 31);

absl::StatusOr<absl::CivilDay> DayOf(const ListQuery& query, const char* name, absl::CivilDay otherwise) {
  const auto text = query.text(name);
  if (!text.has_value()) return otherwise;
  return ParseDay(*text);
}

Json CountJson(const CountAndSum& figures) { return {{"count", figures.count}, {"sum", SignedText(figures.sum)}}; }

Json CoverageJson(const Coverage& coverage) {
  return {{"ingested", CountJson(coverage.ingested)},
          {"matched", CountJson(coverage.matched)},
          {"mismatched", CountJson(coverage.mismatched)},
          {"pending", CountJson(coverage.pending)},
          {"ignored", CountJson(coverage.ignored)},
          {"by_northwind", CountJson(coverage.by_northwind)},
          {"holds", coverage.holds()}};
}

Json DayJson(const DayFigures& day) {
  Json assets = Json::object(), by_class = Json::object(), by_state = Json::object();
  for (const auto& [asset, sides] : day.assets) {
    assets[asset] = {{"ours", CoverageJson(sides.ours)}, {"theirs", CoverageJson(sides.theirs)}};
  }
  for (const auto& [of, count] : day.by_class) by_class[std::string(Name(of))] = count;
  for (const auto& [of, count] : day.by_state) by_state[std::string(Name(of))] = count;
  return {{"day", DayText(day.day)},
          {"state", Name(day.state)},
          {"closed_at", TimeJson(day.closed_at)},
          {"closed_by", day.closed_by},
          {"assets", std::move(assets)},
          {"by_class", std::move(by_class)},
          {"by_state", std::move(by_state)},
          {"rules_hash", day.rules_hash},
          {"sound", day.sound},
          {"clean", day.clean()},
          {"incomplete", day.incomplete},
          {"totals_told", day.totals_told}};
}

Json RowJson(const SettledRow& row) {
  return {{"leg", Name(row.leg)},
          {"id", row.id},
          {"merchant_id", row.merchant_id},
          {"asset", row.asset.ToString()},
          {"units", SignedText(row.units)},
          {"fee", row.fee ? Json(SignedText(*row.fee)) : Json()},
          {"status", row.status ? Json(Name(*row.status)) : Json()},
          {"day", DayText(row.day)},
          {"at", row.at ? TimeJson(*row.at) : Json()}};
}

Json ClassesJson(const std::vector<DiscrepancyClass>& classes) {
  Json names = Json::array();
  for (const DiscrepancyClass of : classes) names.push_back(Name(of));
  return names;
}

Json TheirsJson(const TheirRow& row) {
  Json raw = Json::object();
  for (const auto& [column, value] : row.raw) raw[column] = value ? Json(*value) : Json();
  return {{"source", row.source},
          {"row_id", row.row_id},
          {"raw", std::move(raw)},
          {"row", row.row ? RowJson(*row.row) : Json()}};
}

Json DiscrepancyJson(const Discrepancy& found) {
  Json ours = Json::array(), theirs = Json::array(), history = Json::array();
  for (const OurRow& row : found.ours) {
    Json records = Json::array();
    for (const Sequence sequence : row.records) records.push_back(Digits(sequence));
    ours.push_back({{"records", std::move(records)}, {"raw", row.raw}, {"row", RowJson(row.row)}});
  }
  for (const TheirRow& row : found.theirs) theirs.push_back(TheirsJson(row));
  for (const DiscrepancyChange& change : found.history) {
    history.push_back({{"at", TimeJson(change.at)},
                       {"state", Name(change.state)},
                       {"classes", ClassesJson(change.classes)},
                       {"actor", change.actor},
                       {"reason", change.reason}});
  }
  return {{"id", found.id},
          {"classes", ClassesJson(found.classes)},
          {"state", Name(found.state)},
          {"day", DayText(found.day)},
          {"detail", found.detail},
          {"first_seen", TimeJson(found.first_seen)},
          {"last_seen", TimeJson(found.last_seen)},
          {"rules_hash", found.rules_hash},
          {"ours", std::move(ours)},
          {"theirs", std::move(theirs)},
          {"history", std::move(history)}};
}

absl::StatusOr<Json> ListDays(const Host& host, const Request& request) {
  NW_ASSIGN_OR_RETURN(const ParallelRun* run, RunOf(host));
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {"from", "to"}));
  NW_ASSIGN_OR_RETURN(const absl::CivilDay from, DayOf(query, "from", kFirstDay));
  NW_ASSIGN_OR_RETURN(const absl::CivilDay to, DayOf(query, "to", kLastDay));
  NW_ASSIGN_OR_RETURN(const std::vector<DayFigures> days, run->Days(from, to));
  Json data = Json::array();
  for (const DayFigures& day : days) data.push_back(DayJson(day));
  return PageJson(std::move(data), "");
}

absl::StatusOr<Json> CloseDay(const Host& host, const Request& request, const Caller& caller, const Json& body) {
  NW_ASSIGN_OR_RETURN(ParallelRun * run, RunOf(host));
  NW_ASSIGN_OR_RETURN(const absl::CivilDay day, ParseDay(request.param("day")));
  CloseDayOptions options{.actor = caller.actor};
  if (const auto expected = body.find("expected"); expected != body.end()) {
    NW_ASSIGN_OR_RETURN(options.expected, ParseTotals(*expected, "expected"));
  }
  NW_RETURN_IF_ERROR(run->CatchUp());
  NW_ASSIGN_OR_RETURN(const DayFigures figures, run->CloseDay(day, options));
  return DayJson(figures);
}

absl::StatusOr<DiscrepancyQuery> QueryOf(const ListQuery& asked) {
  DiscrepancyQuery query{
      .merchant_id = asked.text("merchant").value_or(""), .after = asked.cursor(), .limit = asked.limit()};
  if (const auto text = asked.text("state")) {
    for (const DiscrepancyState state : {DiscrepancyState::kOpen, DiscrepancyState::kExplained,
                                         DiscrepancyState::kResolved, DiscrepancyState::kIgnored}) {
      if (Name(state) == *text) query.state = state;
    }
    if (!query.state) return absl::InvalidArgumentError("state: must be open, explained, resolved or ignored");
  }
  if (const auto text = asked.text("class")) {
    query.first_class = ParseDiscrepancyClass(*text);
    if (!query.first_class) return absl::InvalidArgumentError("class: there is no such class of discrepancies");
  }
  if (const auto text = asked.text("day")) {
    NW_ASSIGN_OR_RETURN(query.day, ParseDay(*text));
  }
  return query;
}

absl::StatusOr<Json> ListDiscrepancies(const Host& host, const Request& request) {
  NW_ASSIGN_OR_RETURN(const ParallelRun* run, RunOf(host));
  NW_ASSIGN_OR_RETURN(const ListQuery asked, ListQuery::Read(request, {"state", "class", "day", "merchant"}));
  NW_ASSIGN_OR_RETURN(const DiscrepancyQuery query, QueryOf(asked));
  NW_ASSIGN_OR_RETURN(const DiscrepancyPage page, run->ListDiscrepancies(query));
  Json data = Json::array();
  for (const Discrepancy& found : page.discrepancies) data.push_back(DiscrepancyJson(found));
  return PageJson(std::move(data), page.next);
}

absl::StatusOr<Json> GetDiscrepancy(const Host& host, const Request& request) {
  NW_ASSIGN_OR_RETURN(const ParallelRun* run, RunOf(host));
  NW_ASSIGN_OR_RETURN(const Discrepancy found, run->GetDiscrepancy(request.param("id")));
  return DiscrepancyJson(found);
}

absl::StatusOr<Json> Gate(const Host& host) {
  NW_ASSIGN_OR_RETURN(const ParallelRun* run, RunOf(host));
  NW_ASSIGN_OR_RETURN(const GateStatus gate, run->Gate());
  Json days = Json::array();
  for (const absl::CivilDay day : gate.days) days.push_back(DayText(day));
  return Json{
      {"open", gate.open}, {"reasons", gate.reasons}, {"days", std::move(days)}, {"rules_hash", gate.rules_hash}};
}

absl::StatusOr<Response> Report(const Host& host, const Request& request) {
  NW_ASSIGN_OR_RETURN(const ParallelRun* run, RunOf(host));
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {"from", "to", "format"}));
  NW_ASSIGN_OR_RETURN(const absl::CivilDay from, DayOf(query, "from", kFirstDay));
  NW_ASSIGN_OR_RETURN(const absl::CivilDay to, DayOf(query, "to", kLastDay));
  NW_ASSIGN_OR_RETURN(const RunReport report, run->Report(from, to));
  const std::string format = query.text("format").value_or("json");
  if (format == "json") return Response{.body = FormatReportJson(report)};
  if (format == "text") return Response{.content_type = "text/plain; charset=utf-8", .body = FormatReportText(report)};
  if (format != "html") return absl::InvalidArgumentError("format: must be text, json or html");
  // To be kept, not to be shown under this address, where a page could act as whoever looks at it.
  return Response{.content_type = "text/html; charset=utf-8",
                  .fields = {{"Content-Disposition", "attachment; filename=\"parallel-run.html\""},
                             {"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"},
                             {"X-Content-Type-Options", "nosniff"}},
                  .body = FormatReportHtml(report)};
}

using Decide = absl::Status (ParallelRun::*)(std::string_view, std::string_view, std::string_view);

void AddDecision(Router& router, Host& host, const char* verb, const char* name, Decide decide) {
  AddChange(
      router, host,
      {.pattern = absl::StrCat(kParallelRunPath, "/discrepancies/{id}/", verb),
       .name = name,
       .subject = "id",
       .fields = {"reason"},
       .run = [&host, decide](const Request& request, const Caller& caller, const Json& body) -> absl::StatusOr<Json> {
         NW_ASSIGN_OR_RETURN(ParallelRun * run, RunOf(host));
         NW_ASSIGN_OR_RETURN(const std::string reason, TextOf(body, "reason"));
         NW_RETURN_IF_ERROR((run->*decide)(request.param("id"), caller.actor, reason));
         return GetDiscrepancy(host, request);
       }});
}

}  // namespace

absl::StatusOr<ParallelRun*> RunOf(const Host& host) {
  if (host.run == nullptr) return NotConfigured("there is no parallel run: give the server compare-mapping");
  return host.run.get();
}

absl::StatusOr<absl::CivilDay> ParseDay(const std::string& text) {
  absl::CivilDay day;
  if (!absl::ParseCivilTime(text, &day) || absl::FormatCivilTime(day) != text) {
    return absl::InvalidArgumentError("a day must be written as 2026-03-01");
  }
  return day;
}

std::string DayText(absl::CivilDay day) { return absl::FormatCivilTime(day); }
std::string SignedText(absl::int128 units) { return FormatUnits(units, 0); }

void AddParallelRunRoutes(Router& router, Host& host) {
  AddParallelRunInputRoutes(router, host);
  AddRead(
      router, absl::StrCat(kParallelRunPath, "/days"), "listRunDays",
      [&host](const Request& request) { return ListDays(host, request); }, Queries::kChecked);
  AddChange(router, host,
            {.pattern = absl::StrCat(kParallelRunPath, "/days/{day}/close"),
             .name = "closeRunDay",
             .subject = "day",
             .fields = {"expected"},
             .logged = LoggedTotals,
             .run = [&host](const Request& request, const Caller& caller, const Json& body) {
               return CloseDay(host, request, caller, body);
             }});
  AddRead(
      router, absl::StrCat(kParallelRunPath, "/discrepancies"), "listDiscrepancies",
      [&host](const Request& request) { return ListDiscrepancies(host, request); }, Queries::kChecked);
  AddRead(router, absl::StrCat(kParallelRunPath, "/discrepancies/{id}"), "getDiscrepancy",
          [&host](const Request& request) { return GetDiscrepancy(host, request); });
  AddDecision(router, host, "explain", "explainDiscrepancy", &ParallelRun::Explain);
  AddDecision(router, host, "resolve", "resolveDiscrepancy", &ParallelRun::Resolve);
  AddDecision(router, host, "reopen", "reopenDiscrepancy", &ParallelRun::Reopen);
  AddRead(router, absl::StrCat(kParallelRunPath, "/gate"), "getGate", [&host](const Request&) { return Gate(host); });
  router.Add({.pattern = absl::StrCat(kParallelRunPath, "/report"),
              .name = "getRunReport",
              .scope = Scope::kOperatorRead,
              .handler = [&host](const Request& request, const Caller&) {
                absl::StatusOr<Response> report = Report(host, request);
                return report.ok() ? *std::move(report) : AnswerError(report.status(), request);
              }});
}

}  // namespace northwind::server

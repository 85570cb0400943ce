// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/body.h"
#include "examples/reference_server/api/operator.h"
#include "examples/reference_server/api/parallel_run_routes.h"
#include "examples/reference_server/auth/secrets.h"
#include "northwind/amount.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kMaxRowsBody = 16 << 20;
constexpr size_t kMaxRowsRequest = 10'000;
constexpr size_t kMaxLoggedText = 200;
constexpr size_t kMaxLoggedAssets = 20;

absl::Status Wrong(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": must be ", what));
}

// ---- Rows ---------------------------------------------------------------------------------------------------

absl::StatusOr<RawRow> ParseRow(const Json& row, size_t number, size_t columns) {
  const std::string where = absl::StrCat("rows[", number, "]");
  if (!row.is_array() || row.size() != columns) return Wrong(where, absl::StrCat("a list of ", columns, " values"));
  RawRow raw;
  for (const Json& value : row) {
    if (!value.is_string() && !value.is_null()) return Wrong(where, "of texts and nulls");
    raw.push_back(value.is_null() ? std::nullopt : std::optional(value.get<std::string>()));
  }
  return raw;
}

absl::StatusOr<Json> IngestRows(const Host& host, const Json& body) {
  NW_ASSIGN_OR_RETURN(ParallelRun * run, RunOf(host));
  NW_ASSIGN_OR_RETURN(const std::string source, TextOf(body, "source"));
  NW_ASSIGN_OR_RETURN(const std::vector<std::string> columns, TextsOf(body, "columns", 1000));
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> next, TextAt(body, "next"));
  const auto rows = body.find("rows");
  if (rows == body.end() || !rows->is_array() || rows->size() > kMaxRowsRequest) {
    return Wrong("rows", absl::StrCat("a list of up to ", kMaxRowsRequest, " rows"));
  }
  std::vector<RawRow> raw;
  raw.reserve(rows->size());
  for (size_t i = 0; i < rows->size(); ++i) {
    NW_ASSIGN_OR_RETURN(raw.emplace_back(), ParseRow((*rows)[i], i, columns.size()));
  }
  // Without `next` the source goes on from where it was said to be before.
  std::string at;
  if (next) {
    at = *next;
  } else {
    NW_ASSIGN_OR_RETURN(at, run->Cursor(source));
  }
  NW_ASSIGN_OR_RETURN(const IngestResult result, run->Ingest(source, columns, raw, at));
  return Json{{"rows", result.rows},
              {"new_rows", result.new_rows},
              {"corrected", result.corrected},
              {"unchanged", result.unchanged},
              {"unreadable", result.unreadable},
              {"skipped", result.skipped},
              {"next", at}};
}

// The audit trail has whose rows and how many, not what they say.
Json LoggedRows(const Json& body) {
  Json logged = Json::object();
  for (const char* name : {"source", "next"}) {
    const auto found = body.find(name);
    if (found == body.end() || !found->is_string()) continue;
    const auto& text = found->get_ref<const std::string&>();
    logged[name] = text.size() <= kMaxLoggedText ? text : absl::StrCat("sha256:", ToHex(Sha256(text)));
  }
  const auto rows = body.find("rows");
  logged["rows"] = rows != body.end() && rows->is_array() ? rows->size() : 0;
  return logged;
}

absl::StatusOr<Json> GetSource(const Host& host, const Request& request) {
  NW_ASSIGN_OR_RETURN(const ParallelRun* run, RunOf(host));
  const std::string source = request.param("source");
  NW_ASSIGN_OR_RETURN(const std::string next, run->Cursor(source));
  return Json{{"source", source}, {"next", next}};
}

// ---- Rules --------------------------------------------------------------------------------------------------

Json RuleJson(const IgnoreRule& rule) {
  Json most = Json::object();
  for (const auto& [asset, units] : rule.max_units)
    most[asset] = Amount::FromUnits(units).value_or(Amount::Max()).ToString(0);
  Json json = {{"id", rule.id},
               {"owner", rule.owner},
               {"reason", rule.reason},
               {"class", Name(rule.of)},
               {"from", DayText(rule.from)},
               {"to", DayText(rule.to)},
               {"expires_at", TimeJson(rule.expires_at)},
               {"max_count", rule.max_count},
               {"max_units", std::move(most)}};
  // As it may be posted again: what is not given is for all.
  if (rule.leg) json["leg"] = Name(*rule.leg);
  if (!rule.merchant_id.empty()) json["merchant_id"] = rule.merchant_id;
  return json;
}

const std::vector<std::string_view>& RuleFields() {
  static const auto* const fields = new std::vector<std::string_view>{
      "id", "owner", "reason", "class", "leg", "merchant_id", "from", "to", "expires_at", "max_count", "max_units"};
  return *fields;
}

absl::StatusOr<absl::CivilDay> DayAt(const Json& body, const char* name) {
  NW_ASSIGN_OR_RETURN(const std::string text, TextOf(body, name));
  return ParseDay(text);
}

absl::StatusOr<IgnoreRule> ParseRule(const Json& body) {
  IgnoreRule rule;
  NW_ASSIGN_OR_RETURN(rule.id, TextOf(body, "id"));
  NW_ASSIGN_OR_RETURN(rule.owner, TextOf(body, "owner"));
  NW_ASSIGN_OR_RETURN(rule.reason, TextOf(body, "reason"));
  NW_ASSIGN_OR_RETURN(const std::string of, TextOf(body, "class"));
  const std::optional<DiscrepancyClass> parsed = ParseDiscrepancyClass(of);
  if (!parsed) return Wrong("class", "a class of discrepancies");
  rule.of = *parsed;
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> leg, TextAt(body, "leg"));
  if (leg) {
    rule.leg = ParseLeg(*leg);
    if (!rule.leg) return Wrong("leg", "the name of a leg");
  }
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> merchant, TextAt(body, "merchant_id"));
  rule.merchant_id = merchant.value_or("");
  NW_ASSIGN_OR_RETURN(rule.from, DayAt(body, "from"));
  NW_ASSIGN_OR_RETURN(rule.to, DayAt(body, "to"));
  NW_ASSIGN_OR_RETURN(const std::string expires, TextOf(body, "expires_at"));
  NW_ASSIGN_OR_RETURN(rule.expires_at, ParseTime(expires));
  NW_ASSIGN_OR_RETURN(rule.max_count, NumberOf(body, "max_count", UINT32_MAX));
  const auto most = body.find("max_units");
  if (most == body.end()) return rule;
  if (!most->is_object()) return Wrong("max_units", "an object of assets");
  for (const auto& [asset, units] : most->items()) {
    const auto amount = units.is_string() ? Amount::Parse(units.get<std::string>(), 0) : absl::StatusOr<Amount>();
    if (!amount.ok()) return Wrong(absl::StrCat("max_units.", asset), "a text of digits");
    rule.max_units[asset] = amount->units();
  }
  return rule;
}

absl::StatusOr<Json> ListRules(const Host& host) {
  NW_ASSIGN_OR_RETURN(const ParallelRun* run, RunOf(host));
  NW_ASSIGN_OR_RETURN(const std::vector<IgnoreRule> rules, run->Rules());
  Json data = Json::array();
  for (const IgnoreRule& rule : rules) data.push_back(RuleJson(rule));
  return PageJson(std::move(data), "");
}

absl::StatusOr<Json> AddRule(const Host& host, const Json& body) {
  NW_ASSIGN_OR_RETURN(ParallelRun * run, RunOf(host));
  NW_ASSIGN_OR_RETURN(const IgnoreRule rule, ParseRule(body));
  NW_RETURN_IF_ERROR(run->AddRule(rule));
  return RuleJson(rule);
}

absl::StatusOr<Json> RetireRule(const Host& host, const Request& request, const Caller& caller) {
  NW_ASSIGN_OR_RETURN(ParallelRun * run, RunOf(host));
  NW_RETURN_IF_ERROR(run->RetireRule(request.param("id"), caller.actor));
  return ListRules(host);
}

// ---- A name under a report ----------------------------------------------------------------------------------

absl::StatusOr<Json> SignOff(const Host& host, const Caller& caller, const Json& body) {
  NW_ASSIGN_OR_RETURN(ParallelRun * run, RunOf(host));
  NW_ASSIGN_OR_RETURN(const absl::CivilDay from, DayAt(body, "from"));
  NW_ASSIGN_OR_RETURN(const absl::CivilDay to, DayAt(body, "to"));
  NW_ASSIGN_OR_RETURN(const std::optional<std::string> note, TextAt(body, "note"));
  NW_RETURN_IF_ERROR(run->SignOff(from, to, caller.actor, note.value_or("")));
  return Json{{"from", DayText(from)}, {"to", DayText(to)}, {"signed_by", caller.actor}};
}

}  // namespace

Json LoggedTotals(const Json& body) {
  const auto expected = body.find("expected");
  if (expected == body.end() || expected->size() <= kMaxLoggedAssets) return body;
  return {{"expected", {{"assets", expected->size()}, {"sha256", ToHex(Sha256(expected->dump()))}}}};
}

absl::StatusOr<std::map<std::string, CountAndSum>> ParseTotals(const Json& totals, const char* where) {
  if (!totals.is_object()) return Wrong(where, "an object of assets");
  std::map<std::string, CountAndSum> parsed;
  for (const auto& [asset, of] : totals.items()) {
    const std::string at = absl::StrCat(where, ".", asset);
    NW_RETURN_IF_ERROR(CheckObject(of, at, {"count", "sum"}));
    CountAndSum& total = parsed[asset];
    NW_ASSIGN_OR_RETURN(const std::optional<int64_t> count, WholeAt(of, "count", 0, INT64_MAX, at + "."));
    NW_ASSIGN_OR_RETURN(const std::optional<std::string> sum, TextAt(of, "sum", at + "."));
    // Digits and a sign before them: nothing else that SimpleAtoi would take.
    const std::string_view digits = sum ? std::string_view(*sum).substr(absl::StartsWith(*sum, "-") ? 1 : 0) : "";
    if (!count || digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos ||
        !absl::SimpleAtoi(*sum, &total.sum)) {
      return Wrong(at, R"(such as {"count":3,"sum":"-1250"}, the sum in minor units)");
    }
    total.count = static_cast<uint64_t>(*count);
  }
  return parsed;
}

void AddParallelRunInputRoutes(Router& router, Host& host) {
  const std::string path = kParallelRunPath;
  AddChange(router, host,
            {.pattern = path + "/rows",
             .name = "ingestRunRows",
             .subject = "rows",
             .fields = {"source", "columns", "rows", "next"},
             .max_body = kMaxRowsBody,
             .logged = LoggedRows,
             .run = [&host](const Request&, const Caller&, const Json& body) { return IngestRows(host, body); }});
  AddRead(router, path + "/sources/{source}", "getRunSource",
          [&host](const Request& request) { return GetSource(host, request); });
  AddRead(router, path + "/rules", "listRunRules", [&host](const Request&) { return ListRules(host); });
  AddChange(router, host,
            {.pattern = path + "/rules",
             .name = "addRunRule",
             .subject = "rules",
             .fields = RuleFields(),
             .status = 201,
             .run = [&host](const Request&, const Caller&, const Json& body) { return AddRule(host, body); }});
  AddChange(router, host,
            {.pattern = path + "/rules/{id}/retire",
             .name = "retireRunRule",
             .subject = "id",
             .run = [&host](const Request& request, const Caller& caller, const Json&) {
               return RetireRule(host, request, caller);
             }});
  AddChange(
      router, host,
      {.pattern = path + "/report/sign-off",
       .name = "signOffRunReport",
       .subject = "report",
       .fields = {"from", "to", "note"},
       .run = [&host](const Request&, const Caller& caller, const Json& body) { return SignOff(host, caller, body); }});
}

}  // namespace northwind::server

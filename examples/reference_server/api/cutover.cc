// SPDX-License-Identifier: Apache-2.0
#include "northwind/cutover.h"

#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/merchant_book.h"
#include "examples/reference_server/api/operator.h"
#include "northwind/amount.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr char kPath[] = "/v1/operator/cutover";

using Act =
    std::function<absl::Status(Cutover&, const std::string& actor, const std::string& reason, const Json& body)>;

absl::StatusOr<Cutover*> CutoverOf(const Host& host) {
  if (host.cutover == nullptr) return NotConfigured("there is no cutover: give the server cutover-salt");
  return host.cutover.get();
}

absl::StatusOr<ClaimArbiter*> ClaimsOf(const Host& host) {
  if (host.claims == nullptr) return NotConfigured("there are no claims: give the server claims-connection");
  return host.claims.get();
}

absl::StatusOr<const ParallelRun*> RunOf(const Host& host) {
  if (host.run == nullptr)
    return NotConfigured("there is no parallel run, so no gate: give the server compare-mapping, or use force");
  return host.run.get();
}

Json UnitsJson(const std::map<std::string, absl::uint128>& units) {
  Json json = Json::object();
  for (const auto& [asset, sum] : units) json[asset] = FormatUnits(static_cast<absl::int128>(sum), 0);
  return json;
}

Json ShareJson(const CutoverShare& share) {
  return {{"merchants", share.merchants}, {"units", UnitsJson(share.units)}};
}

absl::StatusOr<uint32_t> ThresholdOf(const std::optional<std::string>& text) {
  uint32_t threshold = 0;
  if (text.has_value()) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), threshold);
    if (error == std::errc() && end == text->data() + text->size() && threshold <= kBasisPoints) return threshold;
  }
  return absl::InvalidArgumentError("threshold: must be a whole number of basis points from 0 to 10000");
}

// What a merchant has available is what its next payout can be: the value that a threshold would move.
absl::StatusOr<std::vector<MerchantValue>> ValuesOf(const Ledger& ledger) {
  std::vector<MerchantValue> values;
  std::string after;
  do {
    NW_ASSIGN_OR_RETURN(const AccountPage page, ledger.ListAccounts(kMerchantPrefix, after, kMaxAccountPage));
    for (const Account& account : page.accounts) {
      const std::optional<MerchantAccount> mine = AsMerchantAccount(account);
      const absl::int128 available = account.totals.available();
      if (!mine.has_value() || mine->kind != kAvailable || available <= 0) continue;
      values.push_back({.merchant_id = mine->merchant,
                        .asset = account.asset.ToString(),
                        .units = static_cast<absl::uint128>(available)});
    }
    after = page.next;
  } while (!after.empty());
  return values;
}

absl::StatusOr<Json> Preview(const Host& host, const Request& request) {
  NW_ASSIGN_OR_RETURN(const Cutover* cutover, CutoverOf(host));
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {"threshold"}));
  NW_ASSIGN_OR_RETURN(const uint32_t threshold, ThresholdOf(query.text("threshold")));
  NW_ASSIGN_OR_RETURN(const std::vector<MerchantValue> values, ValuesOf(*host.ledger));
  NW_ASSIGN_OR_RETURN(const CutoverPreview preview, cutover->Preview(threshold, values));
  return Json{{"merchants", preview.merchants},
              {"units", UnitsJson(preview.units)},
              {"now", ShareJson(preview.now)},
              {"then", ShareJson(preview.then)},
              {"moved", preview.moved}};
}

constexpr std::string_view Text(Override value) { return value == Override::kAllow ? "allow" : "deny"; }

absl::StatusOr<Json> Log(const Host& host, const Request& request) {
  NW_ASSIGN_OR_RETURN(const Cutover* cutover, CutoverOf(host));
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {}));
  uint64_t after = 0;
  const std::string& cursor = query.cursor();
  const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), after);
  if (!cursor.empty() && (error != std::errc() || end != cursor.data() + cursor.size())) {
    return absl::InvalidArgumentError("cursor: is none that a page gave");
  }
  NW_ASSIGN_OR_RETURN(const std::vector<AuditLine> lines, cutover->AuditLog(after, query.limit()));
  Json data = Json::array();
  for (const AuditLine& line : lines) {
    data.push_back({{"number", line.number},
                    {"at", TimeJson(line.at)},
                    {"epoch", line.epoch},
                    {"actor", line.actor},
                    {"action", line.action},
                    {"detail", line.detail},
                    {"reason", line.reason},
                    {"hash", Hex(line.hash)}});
  }
  return PageJson(std::move(data), lines.size() == query.limit() ? std::to_string(lines.back().number) : "");
}

absl::StatusOr<Json> OverridesOf(const Host& host, const Request& request) {
  NW_ASSIGN_OR_RETURN(const Cutover* cutover, CutoverOf(host));
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {}));
  NW_ASSIGN_OR_RETURN(const OverridePage page, cutover->Overrides(query.cursor(), query.limit()));
  Json data = Json::array();
  for (const MerchantOverride& item : page.items) {
    data.push_back({{"merchant_id", item.merchant_id},
                    {"override", Text(item.value)},
                    {"line", item.line},
                    {"at", TimeJson(item.at)},
                    {"actor", item.actor},
                    {"reason", item.reason}});
  }
  return PageJson(std::move(data), page.next);
}

absl::StatusOr<Json> ResidueOf(const Host& host, const Request& request) {
  NW_ASSIGN_OR_RETURN(const Cutover* cutover, CutoverOf(host));
  NW_ASSIGN_OR_RETURN(ClaimArbiter * claims, ClaimsOf(host));
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {}));
  NW_ASSIGN_OR_RETURN(const ResiduePage page, cutover->Residue(*claims, query.cursor(), query.limit()));
  Json data = Json::array();
  for (const ResiduePage::Item& item : page.items) {
    const Assignment& assignment = item.assignment;
    Json claim;
    if (item.claim)
      claim = {{"system", Name(item.claim->system)}, {"epoch", item.claim->epoch}, {"at", TimeJson(item.claim->at)}};
    data.push_back({{"id", assignment.id},
                    {"merchant_id", assignment.merchant_id},
                    {"reason", Name(assignment.reason)},
                    {"epoch", assignment.epoch},
                    {"at", TimeJson(assignment.at)},
                    {"claim", std::move(claim)}});
  }
  return PageJson(std::move(data), page.next);
}

absl::StatusOr<bool> ForceOf(const Json& body) {
  const auto found = body.find("force");
  if (found == body.end()) return false;
  if (!found->is_boolean()) return absl::InvalidArgumentError("force: must be true or false");
  return found->get<bool>();
}

// Processes with older settings claim nothing from now on. If the arbiter is away, the server tells it later; the change holds here.
void Publish(const Host& host) {
  if (host.claims != nullptr) (void)host.cutover->PublishEpoch(*host.claims);
}

// Going down is never refused, whatever the disk or the arbiter is like.
enum class Way : uint8_t { kUp, kDown };

void AddAct(Router& router, Host& host, Way way, const char* verb, const char* name,
            std::vector<std::string_view> fields, Act act) {
  fields.emplace_back("reason");
  AddChange(router, host,
            {.pattern = absl::StrCat(kPath, "/", verb),
             .name = name,
             .subject = "cutover",
             .fields = std::move(fields),
             .emergency = way == Way::kDown,
             .run = [&host, act = std::move(act)](const Request&, const Caller& caller,
                                                  const Json& body) -> absl::StatusOr<Json> {
               NW_ASSIGN_OR_RETURN(Cutover * cutover, CutoverOf(host));
               NW_ASSIGN_OR_RETURN(const std::string reason, TextOf(body, "reason"));
               NW_RETURN_IF_ERROR(act(*cutover, caller.actor, reason, body));
               Publish(host);
               return CutoverJson(cutover->Status());
             }});
}

absl::Status Raise(const Host& host, Cutover& cutover, const std::string& actor, const std::string& reason,
                   const Json& body) {
  NW_ASSIGN_OR_RETURN(const bool force, ForceOf(body));
  if (force) {
    NW_ASSIGN_OR_RETURN(const uint64_t threshold, NumberOf(body, "threshold", kBasisPoints));
    return cutover.ForceRaise(static_cast<uint32_t>(threshold), actor, reason);
  }
  NW_ASSIGN_OR_RETURN(const ParallelRun* run, RunOf(host));
  if (body.contains("threshold")) {
    // Without force it goes to the next stage and nowhere else: what was asked for must be that.
    NW_ASSIGN_OR_RETURN(const uint64_t threshold, NumberOf(body, "threshold", kBasisPoints));
    const CutoverStatus status = cutover.Status();
    for (const uint32_t stage : status.stages) {
      if (stage <= status.threshold) continue;
      if (stage == threshold) break;
      return absl::FailedPreconditionError(
          absl::StrCat("the next stage is ", stage, " basis points: raise to that, or use force"));
    }
  }
  return cutover.Raise(*run, actor, reason);
}

void AddUp(Router& router, Host& host) {
  AddAct(router, host, Way::kUp, "raise", "raiseCutover", {"threshold", "force"},
         [&host](Cutover& cutover, const std::string& actor, const std::string& reason, const Json& body) {
           return Raise(host, cutover, actor, reason, body);
         });
  AddAct(
      router, host, Way::kUp, "resume-routing", "resumeRouting", {"force"},
      [&host](Cutover& cutover, const std::string& actor, const std::string& reason, const Json& body) -> absl::Status {
        NW_ASSIGN_OR_RETURN(const bool force, ForceOf(body));
        if (force) return cutover.ForceResumeRouting(actor, reason);
        NW_ASSIGN_OR_RETURN(const ParallelRun* run, RunOf(host));
        return cutover.ResumeRouting(*run, actor, reason);
      });
  AddAct(router, host, Way::kUp, "resume-sending", "resumeSending", {},
         [](Cutover& cutover, const std::string& actor, const std::string& reason, const Json&) {
           return cutover.ResumeSending(actor, reason);
         });
}

void AddDown(Router& router, Host& host) {
  AddAct(router, host, Way::kDown, "lower", "lowerCutover", {"threshold"},
         [](Cutover& cutover, const std::string& actor, const std::string& reason, const Json& body) -> absl::Status {
           NW_ASSIGN_OR_RETURN(const uint64_t threshold, NumberOf(body, "threshold", kBasisPoints));
           return cutover.Lower(static_cast<uint32_t>(threshold), actor, reason);
         });
  AddAct(router, host, Way::kDown, "route-to-batch", "routeToBatch", {},
         [](Cutover& cutover, const std::string& actor, const std::string& reason, const Json&) {
           return cutover.RouteToBatch(actor, reason);
         });
  AddAct(router, host, Way::kDown, "stop-sending", "stopSending", {},
         [](Cutover& cutover, const std::string& actor, const std::string& reason, const Json&) {
           return cutover.StopSending(actor, reason);
         });
}

absl::StatusOr<Json> HandBack(const Host& host, const Caller& caller, const Json& body) {
  NW_ASSIGN_OR_RETURN(Cutover * cutover, CutoverOf(host));
  NW_ASSIGN_OR_RETURN(ClaimArbiter * claims, ClaimsOf(host));
  NW_ASSIGN_OR_RETURN(const std::vector<std::string> ids, TextsOf(body, "ids", kMaxAssignBatch));
  NW_ASSIGN_OR_RETURN(const std::string reason, TextOf(body, "reason"));
  NW_ASSIGN_OR_RETURN(const HandBackResult result,
                      cutover->HandBack(*claims, ids, caller.actor, reason, host.ledger.get()));
  return Json{
      {"handed", result.handed}, {"kept", result.kept}, {"before", result.before}, {"finished", result.finished}};
}

absl::StatusOr<Json> AddMerchants(const Host& host, const Caller& caller, const Json& body) {
  NW_ASSIGN_OR_RETURN(Cutover * cutover, CutoverOf(host));
  NW_ASSIGN_OR_RETURN(const std::vector<std::string> ids, TextsOf(body, "merchant_ids", kMaxAssignBatch));
  NW_RETURN_IF_ERROR(cutover->AddMerchants(ids, caller.actor));
  return CutoverJson(cutover->Status());
}

absl::StatusOr<Json> SetOverride(const Host& host, const Request& request, const Caller& caller, const Json& body) {
  NW_ASSIGN_OR_RETURN(Cutover * cutover, CutoverOf(host));
  NW_ASSIGN_OR_RETURN(const std::string reason, TextOf(body, "reason"));
  std::optional<Override> value;
  if (request.method == Method::kPut) {
    NW_ASSIGN_OR_RETURN(const std::string text, TextOf(body, "override"));
    if (text != "allow" && text != "deny") return absl::InvalidArgumentError("override: must be allow or deny");
    value = text == "allow" ? Override::kAllow : Override::kDeny;
  }
  NW_RETURN_IF_ERROR(cutover->SetOverride(request.param("merchant_id"), value, caller.actor, reason));
  Publish(host);
  return CutoverJson(cutover->Status());
}

}  // namespace

Json CutoverJson(const CutoverStatus& status) {
  return {{"enabled", true},
          {"at", TimeJson(status.at)},
          {"epoch", status.epoch},
          {"threshold", status.threshold},
          {"stages", status.stages},
          {"routed_to_batch", status.routed_to_batch},
          {"sending_stopped", status.sending_stopped},
          {"sending", status.sending},
          {"merchants", status.merchants},
          {"allowed", status.allowed},
          {"denied", status.denied},
          {"residue", status.residue}};
}

void AddCutoverRoutes(Router& router, Host& host) {
  AddRead(router, kPath, "getCutover", [&host](const Request&) -> absl::StatusOr<Json> {
    return host.cutover ? CutoverJson(host.cutover->Status()) : Json{{"enabled", false}};
  });
  AddRead(
      router, absl::StrCat(kPath, "/preview"), "previewCutover",
      [&host](const Request& request) { return Preview(host, request); }, Queries::kChecked);
  AddRead(
      router, absl::StrCat(kPath, "/log"), "listCutoverLog",
      [&host](const Request& request) { return Log(host, request); }, Queries::kChecked);
  AddRead(
      router, absl::StrCat(kPath, "/overrides"), "listOverrides",
      [&host](const Request& request) { return OverridesOf(host, request); }, Queries::kChecked);
  AddRead(
      router, absl::StrCat(kPath, "/residue"), "listResidue",
      [&host](const Request& request) { return ResidueOf(host, request); }, Queries::kChecked);
  AddUp(router, host);
  AddDown(router, host);
  AddChange(router, host,
            {.pattern = absl::StrCat(kPath, "/hand-back"),
             .name = "handBack",
             .subject = "cutover",
             .fields = {"ids", "reason"},
             .run = [&host](const Request&, const Caller& caller, const Json& body) {
               return HandBack(host, caller, body);
             }});
  AddChange(router, host,
            {.pattern = absl::StrCat(kPath, "/merchants"),
             .name = "addCutoverMerchants",
             .subject = "cutover",
             .fields = {"merchant_ids"},
             .run = [&host](const Request&, const Caller& caller, const Json& body) {
               return AddMerchants(host, caller, body);
             }});
  for (const auto& [method, name] :
       {std::pair(Method::kPut, "setOverride"), std::pair(Method::kDelete, "clearOverride")}) {
    AddChange(router, host,
              {.method = method,
               .pattern = absl::StrCat(kPath, "/overrides/{merchant_id}"),
               .name = name,
               .subject = "merchant_id",
               .fields = {"override", "reason"},
               .run = [&host](const Request& request, const Caller& caller, const Json& body) {
                 return SetOverride(host, request, caller, body);
               }});
  }
  AddParallelRunRoutes(router, host);
}

}  // namespace northwind::server

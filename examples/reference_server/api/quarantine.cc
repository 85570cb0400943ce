// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/operator.h"
#include "examples/reference_server/api/outcome.h"
#include "northwind/settlement.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr char kPath[] = "/v1/operator/quarantine";
constexpr size_t kIdBytes = 16;

bool IsText(const std::string& bytes) {
  const std::string kept = Json(bytes).dump(-1, ' ', false, Json::error_handler_t::ignore);
  return Json::parse(kept).get<std::string>() == bytes;
}

Json EventJson(const QuarantinedEvent& event) {
  Json json = {{"id", absl::BytesToHexString(event.id)},
               {"cause", Name(event.cause)},
               {"detail", event.detail},
               {"position", Digits(event.position)},
               {"format", event.format == EventFormat::kJson ? "json" : "protobuf"},
               {"raw", event.raw},
               {"raw_size", event.raw_size}};
  if (!IsText(event.raw)) {
    json["raw"] = absl::Base64Escape(event.raw);
    json["raw_encoding"] = "base64";
  }
  return json;
}

absl::StatusOr<std::vector<std::string>> IdsOf(const Json& body) {
  NW_ASSIGN_OR_RETURN(std::vector<std::string> ids, TextsOf(body, "ids", kMaxQuarantinePage));
  for (std::string& id : ids) {
    const bool hex = id.find_first_not_of("0123456789abcdef") == std::string::npos && id.size() == 2 * kIdBytes;
    if (!hex) return absl::InvalidArgumentError("ids: must be ids of quarantined events, 32 hexadecimal digits each");
    id = absl::HexStringToBytes(id);
  }
  return ids;
}

absl::StatusOr<Json> List(const Intake& intake, const Request& request) {
  NW_ASSIGN_OR_RETURN(const ListQuery query, ListQuery::Read(request, {}));
  NW_ASSIGN_OR_RETURN(const QuarantinePage page, intake.ListQuarantine(query.cursor(), query.limit()));
  Json data = Json::array();
  for (const QuarantinedEvent& event : page.events) data.push_back(EventJson(event));
  return PageJson(std::move(data), page.next);
}

absl::StatusOr<Json> Redrive(Intake& intake, const Json& body) {
  NW_ASSIGN_OR_RETURN(const std::vector<std::string> ids, IdsOf(body));
  NW_ASSIGN_OR_RETURN(const std::vector<EventOutcome> outcomes, intake.RedriveQuarantined(ids));
  Json all = Json::array();
  for (const EventOutcome& outcome : outcomes) all.push_back(OutcomeJson(outcome));
  return Json{{"outcomes", std::move(all)}};
}

absl::StatusOr<Json> Discard(Intake& intake, const Json& body) {
  NW_ASSIGN_OR_RETURN(const std::vector<std::string> ids, IdsOf(body));
  NW_ASSIGN_OR_RETURN(const size_t discarded, intake.DiscardQuarantined(ids));
  return Json{{"discarded", discarded}};
}

}  // namespace

void AddQuarantineRoutes(Router& router, Host& host) {
  AddRead(
      router, kPath, "listQuarantine", [&host](const Request& request) { return List(*host.intake, request); },
      Queries::kChecked);
  AddChange(router, host,
            {.pattern = absl::StrCat(kPath, "/redrive"),
             .name = "redriveQuarantine",
             .subject = "quarantine",
             .fields = {"ids"},
             .run = [&host](const Request&, const Caller&, const Json& body) { return Redrive(*host.intake, body); }});
  AddChange(router, host,
            {.pattern = absl::StrCat(kPath, "/discard"),
             .name = "discardQuarantine",
             .subject = "quarantine",
             .fields = {"ids"},
             .run = [&host](const Request&, const Caller&, const Json& body) { return Discard(*host.intake, body); }});
}

}  // namespace northwind::server

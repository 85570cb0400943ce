// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/audited.h"

#include <utility>

#include "examples/reference_server/http/problem.h"
#include "examples/reference_server/observe/log.h"

namespace northwind::server {
namespace {

absl::Status Append(AuditTrail& audit, const Request& request, const std::string& actor, const Change& change,
                    const Json& detail) {
  AuditEntry entry;
  entry.request_id = request.id;
  entry.actor = actor;
  entry.action = change.action;
  entry.subject = change.subject;
  entry.detail = detail.dump(-1, ' ', false, Json::error_handler_t::replace);
  return audit.Append(std::move(entry));
}

void LogMissing(const Request& request, const Caller& caller, const Change& change, const absl::Status& why) {
  Log(Severity::kError, "a change was made without a line in the audit trail",
      {{"request_id", request.id}, {"actor", caller.actor}, {"action", change.action}, {"why", why.ToString()}});
}

}  // namespace

Response Audited(AuditTrail& audit, const Request& request, const Caller& caller, const Change& change,
                 const std::function<absl::StatusOr<Outcome>()>& make) {
  if (const absl::Status asked = Append(audit, request, caller.actor, change, {{"asked", change.asked}}); !asked.ok()) {
    if (!change.emergency) return AsResponse(FromStatus(asked), request);
    LogMissing(request, caller, change, asked);
  }
  absl::StatusOr<Outcome> outcome = make();
  const Json detail = outcome.ok() ? Json{{"done", outcome->came}} : Json{{"failed", outcome.status().ToString()}};
  const absl::Status written = Append(audit, request, caller.actor, change, detail);
  if (!outcome.ok()) return AsResponse(FromStatus(outcome.status()), request);
  if (!written.ok()) {
    if (!change.emergency) return AsResponse(FromStatus(absl::AbortedError("audit")), request);
    LogMissing(request, caller, change, written);
  }
  return std::move(outcome->response);
}

absl::Status AppendDone(AuditTrail& audit, const Request& request, const std::string& actor, const Change& change) {
  return Append(audit, request, actor, change, {{"done", change.asked}});
}

}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
//
// Changes with a line in the audit trail before and after.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_AUDITED_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_AUDITED_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/auth/audit_log.h"
#include "examples/reference_server/http/message.h"
#include "examples/reference_server/http/router.h"

namespace northwind::server {

struct Change {
  std::string action;   // Route::name
  std::string subject;  // "key key_…", "merchant m_42"
  Json asked;           // without secrets
  // A switch that stops money: it is made although the trail cannot take a line, as on a full disk; the log has it then.
  bool emergency = false;
};

// What came of a change: the answer, and what the trail keeps of it, without secrets.
struct Outcome {
  Response response;
  Json came = Json::object();
};

// Writes {"asked":…}, makes the change, writes {"done":…} or {"failed":"<code>: <message>"}. Without the first line nothing is done, but an emergency;
// without the second the answer is 500 outcome_unknown, for the change was made and no secret of it is handed out.
Response Audited(AuditTrail& audit, const Request& request, const Caller& caller, const Change& change,
                 const std::function<absl::StatusOr<Outcome>()>& make);

// One line, of something that is done.
absl::Status AppendDone(AuditTrail& audit, const Request& request, const std::string& actor, const Change& change);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_AUDITED_H_

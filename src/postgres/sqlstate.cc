// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/sqlstate.h"

#include <optional>

#include "absl/strings/cord.h"
#include "src/base/error.h"

namespace northwind::internal::postgres {
namespace {

constexpr char kPayloadUrl[] = "type.northwind.dev/sqlstate";

struct Rule {
  std::string_view begin;  // of the SQLSTATE
  FaultClass fault;
  absl::StatusCode code;
};

// The first that fits decides.
constexpr Rule kRules[] = {
    {"08P01", FaultClass::kHalts,
     absl::StatusCode::kInternal},  // protocol violation: a bug of one side, not the network
    {"08", FaultClass::kPasses, absl::StatusCode::kUnavailable},  // connection
    {"25006", FaultClass::kPasses,
     absl::StatusCode::kUnavailable},  // read-only: it was demoted, another is the primary now
    {"25P03", FaultClass::kPasses, absl::StatusCode::kUnavailable},  // idle in a transaction for too long
    {"40001", FaultClass::kPasses, absl::StatusCode::kAborted},      // serialisation
    {"40P01", FaultClass::kPasses, absl::StatusCode::kAborted},      // deadlock
    {"53", FaultClass::kPasses, absl::StatusCode::kResourceExhausted},
    {"55P03", FaultClass::kPasses, absl::StatusCode::kUnavailable},       // no lock within lock_timeout
    {"57014", FaultClass::kPasses, absl::StatusCode::kDeadlineExceeded},  // statement_timeout, or someone cancelled it
    {"57P0", FaultClass::kPasses, absl::StatusCode::kUnavailable},        // shutdown, crash, starting up
    {"22", FaultClass::kHalts, absl::StatusCode::kInvalidArgument},       // data
    {"23", FaultClass::kHalts, absl::StatusCode::kFailedPrecondition},    // constraints
    {"28", FaultClass::kHalts, absl::StatusCode::kPermissionDenied},      // authentication
    {"3D000", FaultClass::kHalts, absl::StatusCode::kInvalidArgument},    // no such database
    {"42501", FaultClass::kHalts, absl::StatusCode::kPermissionDenied},
    {"42", FaultClass::kHalts, absl::StatusCode::kInvalidArgument},     // syntax, unknown names
    {"NW", FaultClass::kHalts, absl::StatusCode::kFailedPrecondition},  // the mirror's own functions
};

std::optional<Rule> RuleOf(std::string_view sqlstate) {
  for (const Rule& rule : kRules) {
    if (sqlstate.starts_with(rule.begin)) return rule;
  }
  return std::nullopt;
}

}  // namespace

FaultClass ClassOf(std::string_view sqlstate) {
  const std::optional<Rule> rule = RuleOf(sqlstate);
  return rule.has_value() ? rule->fault : FaultClass::kHalts;
}

absl::Status SqlError(std::string_view sqlstate, std::string_view what, std::string_view message) {
  const std::optional<Rule> rule = RuleOf(sqlstate);
  absl::Status status = Error(rule.has_value() ? rule->code : absl::StatusCode::kInternal, ToAbsl(what), ": ERROR ",
                              ToAbsl(sqlstate), ": ", ToAbsl(message));
  status.SetPayload(kPayloadUrl, absl::Cord(ToAbsl(sqlstate)));
  return status;
}

std::string SqlStateOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

FaultClass ClassOf(const absl::Status& status) {
  if (const std::string sqlstate = SqlStateOf(status); !sqlstate.empty()) return ClassOf(sqlstate);
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kResourceExhausted:
      return FaultClass::kPasses;
    default:
      return FaultClass::kHalts;
  }
}

}  // namespace northwind::internal::postgres

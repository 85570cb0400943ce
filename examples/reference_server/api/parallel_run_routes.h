// SPDX-License-Identifier: Apache-2.0
//
// What the routes of the parallel run share.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_PARALLEL_RUN_ROUTES_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_PARALLEL_RUN_ROUTES_H_

#include <map>
#include <string>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/host.h"
#include "examples/reference_server/http/router.h"
#include "northwind/compare.h"

namespace northwind::server {

inline constexpr char kParallelRunPath[] = "/v1/operator/parallel-run";

// What goes in: rows of the batch, rules, a name under a report.
void AddParallelRunInputRoutes(Router& router, Host& host);

absl::StatusOr<ParallelRun*> RunOf(const Host& host);  // 409 not_configured
absl::StatusOr<absl::CivilDay> ParseDay(const std::string& text);
std::string DayText(absl::CivilDay day);
std::string SignedText(absl::int128 units);  // "-1250"

// What the audit trail keeps of the body of closeRunDay: many totals by their number and a hash of them as they came.
Json LoggedTotals(const Json& body);

// {"USD/2":{"count":3,"sum":"-1250"}}; `where` names it in errors.
absl::StatusOr<std::map<std::string, CountAndSum>> ParseTotals(const Json& totals, const char* where);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_PARALLEL_RUN_ROUTES_H_

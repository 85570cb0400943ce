// SPDX-License-Identifier: Apache-2.0
//
// What the operators' routes share: reads that answer JSON, and changes that leave two lines in the audit trail.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_OPERATOR_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_OPERATOR_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/routes.h"
#include "northwind/sequence.h"

namespace northwind::server {

// Subjects by file.
void AddOverviewRoutes(Router& router, Host& host, const Metrics& metrics);
void AddQuarantineRoutes(Router& router, Host& host);
void AddDeadLetterRoutes(Router& router, Host& host);
void AddCareRoutes(Router& router, Host& host, const ServerOptions& options);
void AddParallelRunRoutes(Router& router, Host& host);

using Read = std::function<absl::StatusOr<Json>(const Request&)>;
// Whether a read takes query parameters, which it then checks itself.
enum class Queries : uint8_t { kNone, kChecked };
// GET, for those who may read as operators.
void AddRead(Router& router, std::string pattern, std::string name, Read read, Queries queries = Queries::kNone);

struct OperatorChange {
  Method method = Method::kPost;
  std::string pattern;
  std::string name;
  // What it is done to: the value of this path parameter, or this word.
  std::string subject;
  std::vector<std::string_view> fields;  // of the body, which may be missing if none of them is needed
  int status = 200;
  bool emergency = false;  // Change::emergency
  size_t max_body = 1 << 20;
  // What the audit trail keeps of the body; null: all of it, long lists by their beginning.
  std::function<Json(const Json& body)> logged = nullptr;
  // The actor is Caller::actor.
  std::function<absl::StatusOr<Json>(const Request&, const Caller&, const Json& body)> run;
};
// Of those who may write as operators. Before it is made, a line says that it was asked for; after it, what came of it: no line, no change. A
// request that cannot be read is no change.
void AddChange(Router& router, Host& host, OperatorChange change);

Json CutoverJson(const CutoverStatus& status);

// 409 not_configured: as a status, which AddRead and AddChange turn into it.
absl::Status NotConfigured(std::string_view what);

// The problem that a status is.
Response AnswerError(const absl::Status& status, const Request& request);

// Members of a body. InvalidArgument names the member.
absl::StatusOr<std::string> TextOf(const Json& body, const char* name);
absl::StatusOr<uint64_t> NumberOf(const Json& body, const char* name, uint64_t most);
absl::StatusOr<std::vector<std::string>> TextsOf(const Json& body, const char* name, size_t most);

Json Digits(uint64_t value);  // "12"
Json Digits(Sequence sequence);
std::string Hex(const Hash256& hash);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_API_OPERATOR_H_

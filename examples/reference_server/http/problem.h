// SPDX-License-Identifier: Apache-2.0
//
// Errors as problem documents (RFC 9457): application/problem+json with type, title, status, detail, instance (the request's id), and
// `code`, which is stable and what programs go by. All codes are listed in docs/server.md.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_PROBLEM_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_PROBLEM_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "examples/reference_server/http/message.h"

namespace northwind::server {

struct Problem {
  int status = 500;
  std::string code;    // "not_found"
  std::string detail;  // for people; no secret, nothing of another tenant
  std::optional<absl::Duration> retry_after;
  std::string cause;  // for the log alone
};

// The document; `instance` is the request's id.
Response AsResponse(const Problem& problem, const Request& request);

// The one answer for whatever the caller may not see, and for whatever does not exist: 404 "not_found", byte for byte the same but for the id.
Problem NotFound();
// 400 "invalid_request"
Problem InvalidRequest(std::string detail);
// By the status's code: InvalidArgument 400 invalid_request · NotFound NotFound() · AlreadyExists 409 already_exists · FailedPrecondition
// 409 wrong_state · OutOfRange 400 out_of_range · ResourceExhausted 503 busy, with Retry-After · Unavailable 503 unavailable, with
// Retry-After · DeadlineExceeded 504 timeout · Aborted 500 outcome_unknown · PermissionDenied 403 forbidden · anything else 500
// internal, whose detail says nothing of the cause (it is in the log).
Problem FromStatus(const absl::Status& status);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_PROBLEM_H_

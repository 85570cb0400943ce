// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/problem.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace northwind::server {
namespace {

std::string_view TitleOf(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

constexpr absl::Duration kComeAgain = absl::Seconds(1);

}  // namespace

Response AsResponse(const Problem& problem, const Request& request) {
  // What a message quotes may be any bytes: those that are not UTF-8 are replaced.
  const nlohmann::ordered_json document = {{"type", "about:blank"},    {"title", TitleOf(problem.status)},
                                           {"status", problem.status}, {"code", problem.code},
                                           {"detail", problem.detail}, {"instance", request.id}};
  Response response{.status = problem.status, .content_type = "application/problem+json"};
  response.body = document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  response.cause = problem.cause;
  response.fields.push_back({"Cache-Control", "no-store"});
  if (problem.retry_after.has_value()) {
    const int64_t seconds =
        std::max<int64_t>(1, absl::ToInt64Seconds(absl::Ceil(*problem.retry_after, absl::Seconds(1))));
    response.fields.push_back({"Retry-After", std::to_string(seconds)});
  }
  return response;
}

Problem NotFound() { return {.status = 404, .code = "not_found", .detail = "There is no such thing here."}; }

Problem InvalidRequest(std::string detail) {
  return {.status = 400, .code = "invalid_request", .detail = std::move(detail)};
}

namespace {

Problem Translate(const absl::Status& status) {
  std::string detail(status.message());
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return InvalidRequest(std::move(detail));
    case absl::StatusCode::kOutOfRange:
      return {.status = 400, .code = "out_of_range", .detail = std::move(detail)};
    case absl::StatusCode::kNotFound:
      return NotFound();
    case absl::StatusCode::kAlreadyExists:
      return {.status = 409, .code = "already_exists", .detail = std::move(detail)};
    case absl::StatusCode::kFailedPrecondition:
      return {.status = 409, .code = "wrong_state", .detail = std::move(detail)};
    case absl::StatusCode::kPermissionDenied:
      return {.status = 403, .code = "forbidden", .detail = "This credential does not allow that."};
    case absl::StatusCode::kResourceExhausted:
      return {.status = 503, .code = "busy", .detail = std::move(detail), .retry_after = kComeAgain};
    case absl::StatusCode::kUnavailable:
      return {.status = 503, .code = "unavailable", .detail = std::move(detail), .retry_after = kComeAgain};
    case absl::StatusCode::kDeadlineExceeded:
      return {.status = 504, .code = "timeout", .detail = std::move(detail)};
    case absl::StatusCode::kAborted:
      return {.status = 500,
              .code = "outcome_unknown",
              .detail = "The outcome is not known. Ask again with the same ids: what was done is not done twice."};
    default:
      return {.status = 500, .code = "internal", .detail = "Something is wrong in the server; its log says what."};
  }
}

}  // namespace

Problem FromStatus(const absl::Status& status) {
  Problem problem = Translate(status);
  if (problem.status >= 500) problem.cause = status.ToString();
  return problem;
}

}  // namespace northwind::server

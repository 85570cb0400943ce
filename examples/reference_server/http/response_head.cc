// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/response_head.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/reference_server/text.h"

namespace northwind::server {
namespace {

absl::string_view PhraseOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    default:
      return status < 400 ? "OK" : status < 500 ? "Refused" : "Failed";
  }
}

bool FitsHead(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool IsName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::StrContains("!#$%&'*+-.^_`|~", absl::string_view(&c, 1));
  });
}

// What this sets, whatever a handler thinks: how long an answer is must be said once, and truly.
bool IsOurs(std::string_view name) {
  constexpr absl::string_view kOurs[] = {"content-length", "transfer-encoding", "connection",
                                         "date",           "x-request-id",      "x-content-type-options"};
  return std::any_of(std::begin(kOurs), std::end(kOurs),
                     [&](absl::string_view ours) { return absl::EqualsIgnoreCase(ours, ToAbsl(name)); });
}

bool Has(const Response& response, absl::string_view name) {
  return std::any_of(response.fields.begin(), response.fields.end(),
                     [&](const Field& field) { return absl::EqualsIgnoreCase(field.name, name); });
}

// Made once a second and thread.
const std::string& DateNow() {
  thread_local int64_t second = 0;
  thread_local std::string text;
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  if (now != second) {
    second = now;
    text = absl::FormatTime("%a, %d %b %E4Y %H:%M:%S GMT", absl::FromUnixSeconds(now), absl::UTCTimeZone());
  }
  return text;
}

}  // namespace

std::optional<std::string> ResponseHead(const Response& response, const Request& request, Framing framing,
                                        bool keep_alive) {
  std::string head = absl::StrCat("HTTP/1.1 ", response.status, " ", PhraseOf(response.status), "\r\nDate: ", DateNow(),
                                  "\r\nX-Request-Id: ", request.id, "\r\nX-Content-Type-Options: nosniff\r\n");
  if (!Has(response, "cache-control")) head += "Cache-Control: no-store\r\n";
  const bool has_type = framing != Framing::kNone && !response.content_type.empty();
  if (!FitsHead(response.content_type)) return std::nullopt;
  if (has_type) absl::StrAppend(&head, "Content-Type: ", response.content_type, "\r\n");
  for (const Field& field : response.fields) {
    if (!IsName(field.name) || !FitsHead(field.value)) return std::nullopt;
    if (IsOurs(field.name)) continue;
    absl::StrAppend(&head, ToAbsl(field.name), ": ", ToAbsl(field.value), "\r\n");
  }
  if (framing == Framing::kLength) absl::StrAppend(&head, "Content-Length: ", response.body.size(), "\r\n");
  if (framing == Framing::kChunked) head += "Transfer-Encoding: chunked\r\n";
  if (!keep_alive) head += "Connection: close\r\n";
  head += "\r\n";
  return head;
}

}  // namespace northwind::server

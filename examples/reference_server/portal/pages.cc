// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/portal/pages.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "examples/reference_server/http/problem.h"

namespace northwind::server {
namespace {

constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src "
    "'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const Page* FindPage(std::string_view path) {
  const absl::Span<const Page> pages = Pages();
  const auto* const found = std::lower_bound(
      pages.begin(), pages.end(), path, [](const Page& page, std::string_view wanted) { return page.path < wanted; });
  return found != pages.end() && found->path == path ? found : nullptr;
}

// RFC 9110, 13.1.2: "*", or a list of tags that are compared weakly.
bool NoneMatchHas(std::string_view field, std::string_view etag) {
  const absl::string_view wanted(etag.data(), etag.size());
  for (absl::string_view tag : absl::StrSplit(absl::string_view(field.data(), field.size()), ',')) {
    tag = absl::StripAsciiWhitespace(tag);
    absl::ConsumePrefix(&tag, "W/");
    if (tag == wanted || tag == "*") return true;
  }
  return false;
}

}  // namespace

Response AnswerPage(const Request& request) {
  std::string path = request.path;
  if (absl::EndsWith(path, "/")) path += "index.html";
  const Page* page = FindPage(path);
  if (page == nullptr) return AsResponse(NotFound(), request);

  Response response;
  // The names stay when the content changes: a browser asks each time, and is mostly told that nothing did.
  response.fields = {{"ETag", std::string(page->etag)},
                     {"Cache-Control", "no-cache"},
                     {"Content-Security-Policy", std::string(kPolicy)},
                     {"X-Content-Type-Options", "nosniff"},
                     {"Referrer-Policy", "no-referrer"}};
  const std::optional<std::string_view> none_match = request.field("If-None-Match");
  if (none_match.has_value() && NoneMatchHas(*none_match, page->etag)) {
    response.status = 304;
    response.content_type.clear();
    return response;
  }
  response.content_type = std::string(page->content_type);
  response.body = std::string(page->bytes);
  return response;
}

}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
//
// The pages of the portal and of the operators' console, which embed.cmake put into the binary, and how one is answered.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_PORTAL_PAGES_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_PORTAL_PAGES_H_

#include <string_view>

#include "absl/types/span.h"
#include "examples/reference_server/http/message.h"

namespace northwind::server {

struct Page {
  std::string_view path;  // "/portal/main.js"
  std::string_view content_type;
  std::string_view bytes;
  std::string_view etag;  // SHA-256 of the bytes, in quotes
};

// All of them, by path in ascending order.
absl::Span<const Page> Pages();

// The page of a request: 200; 304 if the request's If-None-Match has its ETag; 404 problem if there is none of that path. A path that ends
// with a slash is its index.html. What it may load and run is this server's own only, by its Content-Security-Policy.
Response AnswerPage(const Request& request);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_PORTAL_PAGES_H_

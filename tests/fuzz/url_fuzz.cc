// SPDX-License-Identifier: Apache-2.0
//
// URLs that anybody may give: what is accepted means the same when it is read again, as libcurl does.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "northwind/status.h"
#include "src/http/url.h"

namespace http = northwind::internal::http;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto url = http::ParseUrl(text, http::Schemes::kHttpAndHttps);
  if (!url.ok()) return 0;
  NW_CHECK(url->port != 0 && !url->host.empty(), "a URL that leads nowhere");
  NW_CHECK(url->text.find('@') == std::string::npos || url->text.find('@') > url->text.find(url->host),
           "user information");
  const auto again = http::ParseUrl(url->text, http::Schemes::kHttpAndHttps);
  NW_CHECK(again.ok(), "a URL is refused in its own canonical form");
  NW_CHECK(again->host == url->host && again->port == url->port && again->literal == url->literal,
           "a URL leads elsewhere");
  return 0;
}

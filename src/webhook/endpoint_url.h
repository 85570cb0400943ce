// SPDX-License-Identifier: Apache-2.0
//
// Where an endpoint may be. What is checked here is the text alone; which addresses a host name may lead to is the
// sender's to check, at each attempt.
//
// A grammar of its own beside the sender's parser (src/http/url.h, which is libcurl's): a URL in this form is part of a stored
// record, and what a record may hold must not change with the version of libcurl. All of it is also a URL to the sender, with
// the same text, host and port.
#ifndef NORTHWIND_SRC_WEBHOOK_ENDPOINT_URL_H_
#define NORTHWIND_SRC_WEBHOOK_ENDPOINT_URL_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace northwind::internal {

inline constexpr size_t kMaxUrlBytes = 2048;
inline constexpr size_t kMaxHostNameBytes = 253;

// http without TLS shows bodies and headers to everyone on the way: for tests and closed networks only.
enum class PlainHttp { kRefused, kAllowed };

// The URL in canonical form: scheme and host in lower case, no default port, "/" for an empty path, no "?" before an
// empty query, an IPv6 address in its shortest text. A canonical URL comes back as it is. InvalidArgument that begins with "url: " for anything but
//
//   url  = ("https" | "http") "://" host [":" port] ["/" path] ["?" query]
//   host = name | IPv4 address, dotted, four decimal numbers | "[" IPv6 address "]", without a zone
//   name = labels of 1–63 letters, digits, "-", "_" with a dot between two, none beginning or ending with "-"; 253
//          bytes at most; the last one not a number, nor with "0x" before it (octal, hexadecimal and short IPv4 addresses
//          hide in those)
//   port = 1–65535
//   path, query: the characters of RFC 3986, "%" with two hexadecimal digits; no segment "." or ".." in the path, as
//          another URL would be requested than the one that is shown
//
// So: no user or password (they would be sent, and shown in every log), no fragment (it would not be sent).
absl::StatusOr<std::string> CanonicalUrl(std::string_view url, PlainHttp plain_http);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_ENDPOINT_URL_H_

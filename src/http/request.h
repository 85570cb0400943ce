// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_HTTP_REQUEST_H_
#define NORTHWIND_SRC_HTTP_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace northwind::internal::http {

inline constexpr size_t kMaxRequestHeaders = 64;
inline constexpr size_t kMaxRequestHeaderBytes = 32 << 10;  // names and values together
inline constexpr size_t kMaxRequestBodyBytes = 8 << 20;
// From 1 MiB on libcurl would ask before it sends.
inline constexpr size_t kMaxSignedBodyBytes = 1'000'000;
inline constexpr size_t kMaxResponseHeaderBytes = 256 << 10;  // libcurl has a bound of its own not far above
inline constexpr absl::Duration kMaxTimeout = absl::Hours(1);

enum class Method : uint8_t { kGet, kPost, kPut, kDelete };

const char* MethodName(Method method);

// One header line: of a request as it is to be sent, or of a response as it came, without the spaces around the value.
struct Header {
  std::string name;
  std::string value;

  friend bool operator==(const Header&, const Header&) = default;
};

// Signature Version 4 of AWS, computed when the request is sent: it is good for some minutes, by this machine's clock.
struct AwsSignature {
  std::string region;
  std::string service;
  std::string access_key_id;
  std::string secret_access_key;
};

// One HTTP exchange to be attempted once.
struct Request {
  Method method = Method::kPost;
  std::string url;
  std::vector<Header> headers;
  std::string body;
  // Adds X-Amz-Date and Authorization. A session token is a header of the caller's, X-Amz-Security-Token.
  std::optional<AwsSignature> signature = {};
  // From Start to the end of the response, waiting and name lookup included. Ends everything: a server that
  // hangs, drips or never stops. At most kMaxTimeout.
  absl::Duration timeout = absl::Seconds(30);
  // For name lookup, connect and TLS together.
  absl::Duration connect_timeout = absl::Seconds(10);
  // Of the response: header lines of all kinds, interim responses and trailers included. More is a failure. At most
  // kMaxResponseHeaderBytes.
  size_t max_header_bytes = 32 << 10;
  // Of the response: what comes after this is not read, see Result::truncated.
  size_t max_body_bytes = 64 << 10;
};

// OK, or InvalidArgument with what is wrong with method, headers, body or limits; the URL is ParseUrl's. A name must be a
// token, and a value must be free of control bytes but for tabs (RFC 9110 5.5, 5.6.2) and of spaces at its ends, so that a
// header cannot grow into two. Headers that say where a message goes or where it ends (Host, Content-Length,
// Transfer-Encoding, Connection and the like) are the client's to set.
//
// Of a signed request only what every libcurl from 7.85 on signs rightly is let through: POST to the root of a host without
// query, with a Content-Type; no header that is empty, that the signature adds itself, or whose name, but for the case,
// begins another's; a body of up to kMaxSignedBodyBytes.
absl::Status CheckRequest(const Request& request);
// Likewise, one header by itself: for whoever stores headers to be sent later.
absl::Status CheckHeader(std::string_view name, std::string_view value);

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_REQUEST_H_

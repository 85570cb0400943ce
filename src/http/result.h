// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_HTTP_RESULT_H_
#define NORTHWIND_SRC_HTTP_RESULT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "src/http/ip_address.h"
#include "src/http/request.h"

namespace northwind::internal::http {

// Why there is no whole response. The numbers are for ever: who records attempts may store them.
enum class Failure : uint8_t {
  kNone = 0,
  kInvalidUrl = 1,        // ParseUrl refuses it
  kInvalidRequest = 2,    // CheckRequest refuses it
  kDns = 3,               // the name has no address, or could not be looked up
  kBlockedAddress = 4,    // an address of the host is denied by the guard
  kBlockedPort = 5,       // the port is
  kConnect = 6,           // refused, unreachable, reset
  kTls = 7,               // handshake or certificate
  kTimeout = 8,           // either timeout of the request
  kSend = 9,              // the connection broke while sending
  kReceive = 10,          // it broke before the end of the response, or what came is not HTTP
  kHeadersTooLarge = 11,  // over Request::max_header_bytes
  kAborted = 12,          // the client was destroyed
  kInternal = 13,         // libcurl or the machine ran out of something
};

// "blocked_address" and so on; "none".
const char* FailureName(Failure failure);

// How long each phase took. Zero for what did not happen, such as connecting when a connection was reused.
struct Times {
  absl::Duration dns;         // waiting for a lookup included
  absl::Duration connect;     // TCP
  absl::Duration tls;         // handshake
  absl::Duration first_byte;  // from being ready to send to the first byte of the response
  absl::Duration total;       // from Start to the end
};

// What came of a request.
struct Result {
  Failure failure = Failure::kNone;
  // Of a failure: what happened, in words that may be shown to whoever chose the URL. Names no address and nothing else that
  // they did not say themselves.
  std::string message;

  // 0 until the final response's head has come. A failure after that leaves it, the headers and what came of the body.
  int status = 0;
  std::vector<Header> headers;  // of the final response, in order; no trailers
  std::string body;
  // The body was longer than Request::max_body_bytes and was cut there; not a failure.
  bool truncated = false;

  // The address that was connected to. Not for the eyes of whoever chose the URL, if an operator's allowed networks are.
  std::optional<IpAddress> remote_address;
  uint16_t remote_port = 0;
  bool reused_connection = false;
  Times times;

  bool ok() const { return failure == Failure::kNone; }
  // The value of the first header of this name, whatever its case.
  std::optional<std::string_view> FindHeader(std::string_view name) const;
};

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_RESULT_H_

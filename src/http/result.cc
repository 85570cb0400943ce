// SPDX-License-Identifier: Apache-2.0
#include "src/http/result.h"

#include "absl/strings/match.h"
#include "src/base/error.h"

namespace northwind::internal::http {

const char* FailureName(Failure failure) {
  switch (failure) {
    case Failure::kNone:
      return "none";
    case Failure::kInvalidUrl:
      return "invalid_url";
    case Failure::kInvalidRequest:
      return "invalid_request";
    case Failure::kDns:
      return "dns";
    case Failure::kBlockedAddress:
      return "blocked_address";
    case Failure::kBlockedPort:
      return "blocked_port";
    case Failure::kConnect:
      return "connect";
    case Failure::kTls:
      return "tls";
    case Failure::kTimeout:
      return "timeout";
    case Failure::kSend:
      return "send";
    case Failure::kReceive:
      return "receive";
    case Failure::kHeadersTooLarge:
      return "headers_too_large";
    case Failure::kAborted:
      return "aborted";
    case Failure::kInternal:
      return "internal";
  }
  return "unknown";
}

std::optional<std::string_view> Result::FindHeader(std::string_view name) const {
  for (const Header& header : headers) {
    if (absl::EqualsIgnoreCase(header.name, ToAbsl(name))) return header.value;
  }
  return std::nullopt;
}

}  // namespace northwind::internal::http

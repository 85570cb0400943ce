// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_HTTP_URL_H_
#define NORTHWIND_SRC_HTTP_URL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "src/http/ip_address.h"

namespace northwind::internal::http {

inline constexpr size_t kMaxUrlBytes = 8192;

enum class Schemes : uint8_t { kHttpsOnly, kHttpAndHttps };

// An absolute URL that may be requested, taken apart by the parser that will also connect by it: libcurl's.
struct Url {
  std::string text;                  // in canonical form, without fragment
  std::string host;                  // name in lower case, or address without brackets
  std::optional<IpAddress> literal;  // if the host is an address
  uint16_t port = 0;
};

// InvalidArgument, with the reason but without the URL's text, for anything but a well-formed URL of an allowed scheme,
// without user information, whose host is a name of letters, digits, hyphens and underscores (other names in their ASCII
// form, xn--) or an address. Says nothing about whether the address or port may be connected to: AddressGuard does.
absl::StatusOr<Url> ParseUrl(std::string_view text, Schemes schemes);

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_URL_H_

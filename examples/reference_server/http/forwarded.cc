// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/forwarded.h"

#include <algorithm>
#include <boost/system/error_code.hpp>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace northwind::server {

namespace ip = boost::asio::ip;

std::string AddressText(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

absl::StatusOr<std::vector<std::string>> ParseProxies(const std::vector<std::string>& proxies) {
  std::vector<std::string> parsed;
  for (const std::string& proxy : proxies) {
    boost::system::error_code error;
    const ip::address address = ip::make_address(proxy, error);
    if (error) {
      return absl::InvalidArgumentError(absl::StrCat("'", proxy, "' is no IP address of a proxy to trust"));
    }
    parsed.push_back(AddressText(address));
  }
  return parsed;
}

std::string ClientAddress(const Request& request, std::string_view peer, const std::vector<std::string>& proxies) {
  if (std::find(proxies.begin(), proxies.end(), peer) == proxies.end()) return std::string(peer);
  std::string_view last;
  for (const Field& field : request.fields) {
    if (absl::EqualsIgnoreCase(field.name, "X-Forwarded-For")) last = field.value;
  }
  if (const size_t comma = last.rfind(','); comma != std::string_view::npos) last.remove_prefix(comma + 1);
  boost::system::error_code error;
  const ip::address address =
      ip::make_address(std::string(absl::StripAsciiWhitespace(absl::string_view(last.data(), last.size()))), error);
  return error ? std::string(peer) : AddressText(address);
}

}  // namespace northwind::server

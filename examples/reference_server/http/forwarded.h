// SPDX-License-Identifier: Apache-2.0
//
// Who asks, when proxies stand between: what a proxy says of it counts only if the proxy is one of ours.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_FORWARDED_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_FORWARDED_H_

#include <boost/asio/ip/address.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "examples/reference_server/http/message.h"

namespace northwind::server {

// As text, one for each address: what came to an IPv6 socket from an IPv4 address is that address.
std::string AddressText(const boost::asio::ip::address& address);

// Addresses of proxies as AddressText has them. InvalidArgument for what is none.
absl::StatusOr<std::vector<std::string>> ParseProxies(const std::vector<std::string>& proxies);

// The peer, or what stands last in the last X-Forwarded-For if the peer is one of `proxies`: what stands before is what the client said of
// itself.
std::string ClientAddress(const Request& request, std::string_view peer, const std::vector<std::string>& proxies);

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_HTTP_FORWARDED_H_

// SPDX-License-Identifier: Apache-2.0
//
// Which addresses may be connected to on behalf of somebody who may choose the URL (server-side request forgery).
//
//   const AddressGuard guard({.allowed = {{*IpRange::Parse("10.7.0.0/16"), {8443}}}});
//   guard.Check(*IpAddress::Parse("169.254.169.254"), 443) == AddressGuard::Verdict::kDeniedAddress
#ifndef NORTHWIND_SRC_HTTP_ADDRESS_GUARD_H_
#define NORTHWIND_SRC_HTTP_ADDRESS_GUARD_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "src/http/ip_address.h"

namespace northwind::internal::http {

// A network that an operator opens although it is not public, or for ports that are not usual.
struct AllowedRange {
  IpRange range;
  std::vector<uint16_t> ports;  // empty: any
};

struct AddressGuardOptions {
  std::vector<AllowedRange> allowed;
  // Denied although public, or although inside an allowed network: a company's own public addresses, a NAT64 prefix of its own.
  std::vector<IpRange> denied;
  // Of public addresses.
  std::vector<uint16_t> ports = {443};
};

// Everything, for URLs that nobody but the operator chooses.
AddressGuardOptions AnyAddress();

// Whether an address is one of the public Internet, by the IANA special-purpose registries (RFC 6890 and its
// successors). Fails closed: of IPv6 only what is known to be global unicast is public.
bool IsPublic(const IpAddress& address);

// Pure and immutable; any thread. In this order: what an operator denied is denied, what an operator allowed is allowed,
// and of the rest public addresses on the usual ports are.
class AddressGuard {
 public:
  enum class Verdict : uint8_t { kAllowed, kDeniedAddress, kDeniedPort };

  explicit AddressGuard(AddressGuardOptions options) : options_(std::move(options)) {}

  Verdict Check(const IpAddress& address, uint16_t port) const;

 private:
  const AddressGuardOptions options_;
};

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_ADDRESS_GUARD_H_

// SPDX-License-Identifier: Apache-2.0
#include "src/http/address_guard.h"

#include <algorithm>

namespace northwind::internal::http {
namespace {

using Ranges = std::vector<IpRange>;

Ranges ParseAll(std::initializer_list<const char*> texts) {
  Ranges ranges;
  for (const char* text : texts) ranges.push_back(*IpRange::Parse(text));
  return ranges;
}

// All of IPv4 is public but for these.
const Ranges& DeniedV4() {
  static const Ranges* const ranges = new Ranges(ParseAll({
      "0.0.0.0/8",         // this network; Linux connects 0.0.0.0 to itself
      "10.0.0.0/8",        // private, RFC 1918
      "100.64.0.0/10",     // behind a carrier's NAT, RFC 6598; also a cloud's metadata
      "127.0.0.0/8",       // loopback
      "168.63.129.16/32",  // Azure's virtual host, reachable from inside only
      "169.254.0.0/16",    // link-local, and clouds' metadata
      "172.16.0.0/12",     // private, RFC 1918
      "192.0.0.0/24",      // IETF protocol assignments; also a cloud's metadata
      "192.0.2.0/24",      // documentation
      "192.88.99.0/24",    // 6to4 relays
      "192.168.0.0/16",    // private, RFC 1918
      "198.18.0.0/15",     // benchmarking
      "198.51.100.0/24",   // documentation
      "203.0.113.0/24",    // documentation
      "224.0.0.0/4",       // multicast
      "240.0.0.0/4",       // reserved, and broadcast
  }));
  return *ranges;
}

// Of IPv6 only global unicast is public. That leaves out, among others, loopback, the deprecated IPv4-compatible ::/96,
// the NAT64 prefixes 64:ff9b::/96 and 64:ff9b:1::/48, discard-only 100::/64, unique local, link-local, and multicast.
const IpRange& GlobalUnicastV6() {
  static const IpRange* const range = new IpRange(*IpRange::Parse("2000::/3"));
  return *range;
}

// Of global unicast, these are not.
const Ranges& DeniedV6() {
  static const Ranges* const ranges = new Ranges(ParseAll({
      "2001::/23",      // IETF protocol assignments; in it Teredo 2001::/32, which wraps IPv4
      "2001:db8::/32",  // documentation
      "2002::/16",      // 6to4, which wraps IPv4
      "3fff::/20",      // documentation
  }));
  return *ranges;
}

bool ContainsAny(const Ranges& ranges, const IpAddress& address) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const IpRange& range) { return range.Contains(address); });
}

bool Has(const std::vector<uint16_t>& ports, uint16_t port) {
  return std::find(ports.begin(), ports.end(), port) != ports.end();
}

}  // namespace

AddressGuardOptions AnyAddress() {
  return {.allowed = {{*IpRange::Parse("0.0.0.0/0"), {}}, {*IpRange::Parse("::/0"), {}}}, .ports = {}};
}

bool IsPublic(const IpAddress& address) {
  if (address.family() == IpAddress::Family::kV4) return !ContainsAny(DeniedV4(), address);
  return GlobalUnicastV6().Contains(address) && !ContainsAny(DeniedV6(), address);
}

AddressGuard::Verdict AddressGuard::Check(const IpAddress& address, uint16_t port) const {
  if (ContainsAny(options_.denied, address)) return Verdict::kDeniedAddress;
  bool open_for_other_ports = false;
  for (const AllowedRange& allowed : options_.allowed) {
    if (!allowed.range.Contains(address)) continue;
    if (allowed.ports.empty() || Has(allowed.ports, port)) return Verdict::kAllowed;
    open_for_other_ports = true;
  }
  if (!IsPublic(address)) return open_for_other_ports ? Verdict::kDeniedPort : Verdict::kDeniedAddress;
  return Has(options_.ports, port) ? Verdict::kAllowed : Verdict::kDeniedPort;
}

}  // namespace northwind::internal::http

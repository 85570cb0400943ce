// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_HTTP_IP_ADDRESS_H_
#define NORTHWIND_SRC_HTTP_IP_ADDRESS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct sockaddr;

namespace northwind::internal::http {

// An IPv4 or IPv6 address. One that IPv6 merely wraps around IPv4 (::ffff:a.b.c.d, RFC 4291 2.5.5.2) is kept as the IPv4
// address that the kernel would connect to, so that there is one spelling to judge.
class IpAddress {
 public:
  enum class Family : uint8_t { kV4, kV6 };

  // Dotted decimal of four parts, or IPv6 text without brackets and zone. Nothing else: no octal, no short forms.
  static std::optional<IpAddress> Parse(std::string_view text);
  // Of AF_INET or AF_INET6; nothing of any other family.
  static std::optional<IpAddress> FromSockaddr(const sockaddr& address);

  Family family() const { return family_; }
  int bits() const { return family_ == Family::kV4 ? 32 : 128; }
  // The first bits() of these count, the rest is zero.
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  // As inet_ntop writes it.
  std::string ToString() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;

 private:
  IpAddress(Family family, const void* bytes);

  Family family_;
  std::array<uint8_t, 16> bytes_{};
};

// A network: all addresses that share their first bits. 10.0.0.0/8, fd00::/8.
class IpRange {
 public:
  // InvalidArgument unless it is an address, a slash and a length, with no bit set after that length. An
  // IPv4-mapped network is to be written as the IPv4 network.
  static absl::StatusOr<IpRange> Parse(std::string_view text);

  bool Contains(const IpAddress& address) const;
  std::string ToString() const;

 private:
  IpRange(const IpAddress& base, int length) : base_(base), length_(length) {}

  IpAddress base_;
  int length_;
};

}  // namespace northwind::internal::http

#endif  // NORTHWIND_SRC_HTTP_IP_ADDRESS_H_

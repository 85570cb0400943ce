// SPDX-License-Identifier: Apache-2.0
#include "src/http/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"
#include "src/base/error.h"

namespace northwind::internal::http {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Whether the first `length` bits are the same.
bool SamePrefix(const std::array<uint8_t, 16>& a, const std::array<uint8_t, 16>& b, int length) {
  const size_t whole = static_cast<size_t>(length) / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  const int rest = length % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

}  // namespace

IpAddress::IpAddress(Family family, const void* bytes) : family_(family) {
  const auto* from = static_cast<const uint8_t*>(bytes);
  if (family == Family::kV6 && std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), from)) {
    family_ = Family::kV4;
    from += kMappedPrefix.size();
  }
  std::copy_n(from, bits() / 8, bytes_.begin());
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string copy(text);
  if (copy.size() != std::strlen(copy.c_str())) return std::nullopt;  // a NUL inside would hide what follows
  in6_addr v6;
  if (inet_pton(AF_INET6, copy.c_str(), &v6) == 1) return IpAddress(Family::kV6, &v6);
  in_addr v4;
  if (inet_pton(AF_INET, copy.c_str(), &v4) == 1) return IpAddress(Family::kV4, &v4);
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::FromSockaddr(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof(v4));
    return IpAddress(Family::kV4, &v4.sin_addr);
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof(v6));
    return IpAddress(Family::kV6, &v6.sin6_addr);
  }
  return std::nullopt;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family_ == Family::kV4 ? AF_INET : AF_INET6, bytes_.data(), text, sizeof(text));
  return text;
}

absl::StatusOr<IpRange> IpRange::Parse(std::string_view text) {
  const auto bad = [text](const char* why) {
    return Error(absl::StatusCode::kInvalidArgument, "network '", ToAbsl(text), "': ", why);
  };
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return bad("no /length; a single address ends in /32 or /128");
  const std::string_view digits = text.substr(slash + 1);
  const std::optional<IpAddress> base = IpAddress::Parse(text.substr(0, slash));
  if (!base) return bad("not an address");
  if (base->family() == IpAddress::Family::kV4 && text.find(':') != std::string_view::npos) {
    return bad("write an IPv4-mapped network as the IPv4 network");
  }
  int length = 0;
  const bool plain = !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (!plain || !absl::SimpleAtoi(ToAbsl(digits), &length) || length > base->bits()) return bad("bad length");
  const IpRange range(*base, length);
  for (int bit = length; bit < base->bits(); ++bit) {
    if ((base->bytes()[static_cast<size_t>(bit) / 8] >> (7 - bit % 8) & 1) != 0)
      return bad("bits set after its length");
  }
  return range;
}

bool IpRange::Contains(const IpAddress& address) const {
  return address.family() == base_.family() && SamePrefix(address.bytes(), base_.bytes(), length_);
}

std::string IpRange::ToString() const { return absl::StrCat(base_.ToString(), "/", length_); }

}  // namespace northwind::internal::http

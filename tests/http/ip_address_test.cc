// SPDX-License-Identifier: Apache-2.0
#include "src/http/ip_address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

#include "tests/support/status_matchers.h"

namespace northwind::internal::http {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::HasSubstr;

TEST(IpAddress, PrintsInCanonicalFormWhatItReads) {
  const struct {
    const char* text;
    const char* printed;
  } cases[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"::", "::"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"::1.2.3.4", "::1.2.3.4"},
      {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
      {"fe80::1", "fe80::1"},
  };
  for (const auto& each : cases) {
    const std::optional<IpAddress> address = IpAddress::Parse(each.text);
    ASSERT_TRUE(address) << each.text;
    EXPECT_EQ(address->ToString(), each.printed);
    EXPECT_EQ(IpAddress::Parse(each.printed), address);
  }
}

TEST(IpAddress, OneThatIsMappedIsTheIpv4Address) {
  for (const char* text : {"::ffff:10.1.2.3", "::ffff:a01:203", "0:0:0:0:0:FFFF:10.1.2.3"}) {
    const std::optional<IpAddress> address = IpAddress::Parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->family(), IpAddress::Family::kV4);
    EXPECT_EQ(*address, *IpAddress::Parse("10.1.2.3"));
  }
}

TEST(IpAddress, ReadsNothingButPlainAddresses) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view text :
       {""sv, "1"sv, "1.2.3"sv, "0x7f.0.0.1"sv, "127.1"sv, "1.2.3.4.5"sv, "256.1.1.1"sv, "01.2.3.4"sv, " 1.2.3.4"sv,
        "1.2.3.4 "sv, "1.2.3.4\0"sv, "1.2.3.4\0x"sv, "[::1]"sv, "fe80::1%eth0"sv, "::1::"sv, "12345::"sv,
        "example.com"sv, "1.2.3.4/8"sv}) {
    EXPECT_EQ(IpAddress::Parse(text), std::nullopt) << text;
  }
}

TEST(IpAddress, IsReadFromSocketAddressesOfBothFamiliesOnly) {
  sockaddr_storage storage = {};
  auto* const generic = reinterpret_cast<sockaddr*>(&storage);
  sockaddr_in v4 = {};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(0x7f000001);
  std::memcpy(&storage, &v4, sizeof(v4));
  EXPECT_EQ(IpAddress::FromSockaddr(*generic), IpAddress::Parse("127.0.0.1"));
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  std::memcpy(&storage, &v6, sizeof(v6));
  EXPECT_EQ(IpAddress::FromSockaddr(*generic), IpAddress::Parse("::1"));
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(IpAddress::FromSockaddr(*generic), std::nullopt);
}

TEST(IpRange, HoldsTheAddressesThatShareItsFirstBitsOfItsFamily) {
  const struct {
    const char* range;
    const char* address;
    bool inside;
  } cases[] = {
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.0.0.0/8", "::ffff:10.0.0.1", true},
      {"10.0.0.0/8", "a00::", false},
      {"0.0.0.0/0", "1.2.3.4", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "::1", true},
      {"::/0", "1.2.3.4", false},
      {"1.2.3.4/32", "1.2.3.4", true},
      {"1.2.3.4/32", "1.2.3.5", false},
      {"198.18.0.0/15", "198.19.9.9", true},
      {"198.18.0.0/15", "198.20.0.0", false},
      {"2000::/3", "3fff::", true},
      {"2000::/3", "4000::", false},
      {"::1/128", "::1", true},
      {"::1/128", "::2", false},
  };
  for (const auto& each : cases) {
    const absl::StatusOr<IpRange> range = IpRange::Parse(each.range);
    ASSERT_THAT(range, IsOk());
    EXPECT_EQ(range->ToString(), each.range);
    EXPECT_EQ(range->Contains(*IpAddress::Parse(each.address)), each.inside) << each.range << " " << each.address;
  }
}

TEST(IpRange, RefusesWhatIsNotExactlyANetwork) {
  for (const char* text :
       {"", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8", "10.0.0.0/8 ",
        "10.0.0.1/8", "::1/127", "::/129", "host/8", "::ffff:10.0.0.0/104", "10.0.0.0/8/8", "::/99999999999"}) {
    EXPECT_THAT(IpRange::Parse(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text))) << text;
  }
}

}  // namespace
}  // namespace northwind::internal::http

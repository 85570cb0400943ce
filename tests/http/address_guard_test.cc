// SPDX-License-Identifier: Apache-2.0
#include "src/http/address_guard.h"

#include <gtest/gtest.h>

namespace northwind::internal::http {
namespace {

using Verdict = AddressGuard::Verdict;

IpAddress Address(const char* text) {
  const std::optional<IpAddress> address = IpAddress::Parse(text);
  EXPECT_TRUE(address) << text;
  return *address;
}

IpRange Range(const char* text) { return *IpRange::Parse(text); }

struct Denied {
  const char* before;  // public, or null if the neighbour is denied for a reason of its own
  const char* first;
  const char* last;
  const char* after;  // likewise
};

// Written by hand from the registries, not derived from the lengths in the code.
constexpr Denied kDenied[] = {
    {nullptr, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
    {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
    {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
    {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
    {"168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"},
    {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
    {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
    {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
    {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
    {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
    {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
    {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
    {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
    {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
    {"223.255.255.255", "224.0.0.0", "239.255.255.255", nullptr},
    {nullptr, "240.0.0.0", "255.255.255.255", nullptr},
    // All before and after global unicast.
    {nullptr, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nullptr},
    // Within it.
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    {"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
};

TEST(IsPublic, KnowsFirstLastAndNeighboursOfEveryDeniedNetwork) {
  for (const Denied& each : kDenied) {
    EXPECT_FALSE(IsPublic(Address(each.first))) << each.first;
    EXPECT_FALSE(IsPublic(Address(each.last))) << each.last;
    if (each.before != nullptr) {
      EXPECT_TRUE(IsPublic(Address(each.before))) << each.before;
    }
    if (each.after != nullptr) {
      EXPECT_TRUE(IsPublic(Address(each.after))) << each.after;
    }
  }
}

TEST(IsPublic, JudgesAMappedAddressAsTheIpv4AddressThatItIs) {
  for (const Denied& each : kDenied) {
    const std::string v4 = each.first;
    if (v4.find(':') != std::string::npos) continue;
    EXPECT_FALSE(IsPublic(Address(("::ffff:" + v4).c_str()))) << v4;
    EXPECT_FALSE(IsPublic(Address((std::string("::ffff:") + each.last).c_str()))) << each.last;
    if (each.after != nullptr) {
      EXPECT_TRUE(IsPublic(Address((std::string("::ffff:") + each.after).c_str()))) << each.after;
    }
  }
}

TEST(IsPublic, DeniesIpv6ThatIsKnownByName) {
  for (const char* text : {
           "::1",  // loopback
           "::",   // unspecified
           "::127.0.0.1",
           "::8.8.8.8",         // IPv4-compatible
           "::ffff:0:8.8.8.8",  // IPv4-translated, RFC 2765
           "64:ff9b::",         // NAT64, RFC 6052, whatever it wraps
           "64:ff9b::8.8.8.8",
           "64:ff9b::169.254.169.254",
           "64:ff9b::ffff:ffff",
           "64:ff9b:1::",
           "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",  // NAT64, RFC 8215
           "100::1",
           "100:0:0:1::1",  // discard-only
           "2001::1",
           "2001:0:4136:e378:8000:63bf:3fff:fdd2",  // Teredo
           "2001:2::1",
           "2001:10::1",
           "2001:20::1",  // benchmarking, ORCHID
           "2002:7f00:1::",
           "2002:808:808::1",  // 6to4 of 127.0.0.1 and 8.8.8.8
           "5f00::1",          // segment routing
           "fc00::1",
           "fd00:ec2::254",
           "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",  // unique local; a cloud's metadata
           "fe80::1",
           "febf::1",
           "fec0::1",  // link-local, site-local
           "ff02::1",
           "ff0e::1",  // multicast
       }) {
    EXPECT_FALSE(IsPublic(Address(text))) << text;
  }
}

TEST(IsPublic, AllowsOrdinaryHosts) {
  for (const char* text : {"1.1.1.1", "8.8.8.8", "93.184.216.34", "223.255.255.254", "2606:4700:4700::1111",
                           "2a00:1450:4001:81b::200e", "2001:4860:4860::8888", "2600::", "2c0f:ffff::1"}) {
    EXPECT_TRUE(IsPublic(Address(text))) << text;
  }
}

TEST(AddressGuard, ByDefaultAllowsPort443OfPublicAddressesOnly) {
  const AddressGuard guard({});
  EXPECT_EQ(guard.Check(Address("8.8.8.8"), 443), Verdict::kAllowed);
  EXPECT_EQ(guard.Check(Address("2606:4700:4700::1111"), 443), Verdict::kAllowed);
  for (const uint16_t port : std::initializer_list<uint16_t>{0, 22, 25, 80, 442, 444, 6379, 8443, 65535}) {
    EXPECT_EQ(guard.Check(Address("8.8.8.8"), port), Verdict::kDeniedPort) << port;
    EXPECT_EQ(guard.Check(Address("127.0.0.1"), port), Verdict::kDeniedAddress) << port;
  }
  EXPECT_EQ(guard.Check(Address("127.0.0.1"), 443), Verdict::kDeniedAddress);
}

TEST(AddressGuard, PortsOfAnOperatorReplaceTheUsualOne) {
  const AddressGuard guard({.ports = {443, 8443}});
  EXPECT_EQ(guard.Check(Address("8.8.8.8"), 8443), Verdict::kAllowed);
  EXPECT_EQ(guard.Check(Address("8.8.8.8"), 8444), Verdict::kDeniedPort);
  EXPECT_EQ(guard.Check(Address("10.0.0.1"), 8443), Verdict::kDeniedAddress);
  EXPECT_EQ(AddressGuard({.ports = {}}).Check(Address("8.8.8.8"), 443), Verdict::kDeniedPort);
}

TEST(AddressGuard, AnAllowedNetworkIsOpenOnItsPortsOrOnAll) {
  const AddressGuard guard(
      {.allowed = {{Range("127.0.0.0/8"), {}}, {Range("10.7.0.0/16"), {8443}}, {Range("::1/128"), {}}}});
  EXPECT_EQ(guard.Check(Address("127.9.9.9"), 1), Verdict::kAllowed);
  EXPECT_EQ(guard.Check(Address("::ffff:127.0.0.1"), 443), Verdict::kAllowed);
  EXPECT_EQ(guard.Check(Address("::1"), 65535), Verdict::kAllowed);
  EXPECT_EQ(guard.Check(Address("::2"), 443), Verdict::kDeniedAddress);
  EXPECT_EQ(guard.Check(Address("10.7.255.255"), 8443), Verdict::kAllowed);
  EXPECT_EQ(guard.Check(Address("10.7.0.0"), 443), Verdict::kDeniedPort);
  EXPECT_EQ(guard.Check(Address("10.8.0.0"), 8443), Verdict::kDeniedAddress);
  EXPECT_EQ(guard.Check(Address("8.8.8.8"), 443), Verdict::kAllowed);
}

TEST(AddressGuard, AnAllowedNetworkOfPublicAddressesAddsItsPorts) {
  const AddressGuard guard({.allowed = {{Range("8.8.8.0/24"), {8443}}}});
  EXPECT_EQ(guard.Check(Address("8.8.8.8"), 443), Verdict::kAllowed);
  EXPECT_EQ(guard.Check(Address("8.8.8.8"), 8443), Verdict::kAllowed);
  EXPECT_EQ(guard.Check(Address("8.8.8.8"), 80), Verdict::kDeniedPort);
  EXPECT_EQ(guard.Check(Address("8.8.4.4"), 8443), Verdict::kDeniedPort);
}

TEST(AddressGuard, WhatAnOperatorDeniesIsDeniedWhateverElseIsAllowed) {
  const AddressGuard guard(
      {.allowed = {{Range("10.0.0.0/8"), {}}}, .denied = {Range("10.0.0.0/24"), Range("8.8.8.8/32")}});
  EXPECT_EQ(guard.Check(Address("10.0.0.1"), 443), Verdict::kDeniedAddress);
  EXPECT_EQ(guard.Check(Address("10.0.1.1"), 443), Verdict::kAllowed);
  EXPECT_EQ(guard.Check(Address("8.8.8.8"), 443), Verdict::kDeniedAddress);
  EXPECT_EQ(guard.Check(Address("8.8.8.9"), 443), Verdict::kAllowed);
}

TEST(AddressGuard, AnyAddressIsAnyAddressOnAnyPort) {
  const AddressGuard guard(AnyAddress());
  for (const char* address : {"127.0.0.1", "169.254.169.254", "8.8.8.8", "255.255.255.255", "::1", "fd00:ec2::23"}) {
    EXPECT_EQ(guard.Check(Address(address), 1), Verdict::kAllowed) << address;
    EXPECT_EQ(guard.Check(Address(address), 65535), Verdict::kAllowed) << address;
  }
}

}  // namespace
}  // namespace northwind::internal::http

// SPDX-License-Identifier: Apache-2.0
//
// Whom the client connects to, and whom it never does, whatever names say and however they change.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "src/http/client.h"
#include "tests/http/client_fixture.h"

namespace northwind::testing {
namespace {

using http::Failure;
using ::testing::HasSubstr;
using ::testing::Not;

// A phone book that tests write.
class Names {
 public:
  void Set(const std::string& host, const std::vector<std::string>& addresses) {
    const std::lock_guard lock(mutex_);
    book_[host].clear();
    for (const std::string& text : addresses) book_[host].push_back(*http::IpAddress::Parse(text));
  }
  http::ResolveFunction Function() {
    return [this](const std::string& host) -> absl::StatusOr<std::vector<http::IpAddress>> {
      const std::lock_guard lock(mutex_);
      ++lookups_;
      const auto at = book_.find(host);
      if (at == book_.end()) return absl::NotFoundError("not in the book");
      return at->second;
    };
  }
  int lookups() {
    const std::lock_guard lock(mutex_);
    return lookups_;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<http::IpAddress>> book_;
  int lookups_ = 0;
};

class HttpClientGuard : public ::testing::Test {
 protected:
  // With the guard as it is by default, but for http and the server's port.
  http::ClientOptions Guarded() {
    http::ClientOptions options = {.schemes = http::Schemes::kHttpAndHttps, .resolve = names_.Function()};
    options.guard.ports.push_back(server_.port());
    return options;
  }
  // Only this machine's 127.0.0.1.
  http::ClientOptions Open() {
    http::ClientOptions options = Guarded();
    options.guard.allowed = {{Range("127.0.0.1/32"), {}}};
    return options;
  }
  std::string UrlOf(const std::string& host) { return absl::StrCat("http://", host, ":", server_.port(), "/"); }

  Names names_;
  TestServer server_{TestServer::Answer(
      [](const ServedRequest& request) { return TestServer::Ok(request.Header("Host").value_or("")); })};
};

// One of every kind; address_guard_test knows the edges.
const std::vector<std::string>& Denied() {
  static const std::vector<std::string> denied = {
      "0.0.0.0",       "10.0.0.1",    "100.64.0.1",       "127.0.0.1",       "127.255.255.255", "169.254.169.254",
      "172.16.0.1",    "192.0.0.1",   "192.0.2.1",        "192.88.99.1",     "192.168.0.1",     "198.18.0.1",
      "198.51.100.1",  "203.0.113.1", "224.0.0.1",        "240.0.0.1",       "255.255.255.255", "::",
      "::1",           "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
      "100::1",        "2001::1",     "2001:db8::1",      "2002:7f00:1::1",  "3fff::1",         "fc00::1",
      "fd00:ec2::254", "fe80::1",     "fec0::1",          "ff02::1"};
  return denied;
}

TEST_F(HttpClientGuard, ADeniedAddressInTheUrlIsNotConnectedTo) {
  const auto client = MakeClient(Guarded());
  for (const std::string& address : Denied()) {
    const bool v6 = address.find(':') != std::string::npos;
    const http::Result result = Fetch(*client, Get(UrlOf(v6 ? "[" + address + "]" : address)));
    EXPECT_THAT(result, FailsWith(Failure::kBlockedAddress)) << address;
    EXPECT_EQ(result.remote_address, std::nullopt);
  }
  EXPECT_EQ(server_.connections(), 0u);
  EXPECT_EQ(names_.lookups(), 0);
}

TEST_F(HttpClientGuard, ANameOfADeniedAddressIsNotConnectedToAndNotTold) {
  const auto client = MakeClient(Guarded());
  for (const std::string& address : Denied()) {
    names_.Set("inner.test", {address});
    const http::Result result = Fetch(*client, Get(UrlOf("inner.test")));
    EXPECT_THAT(result, FailsWith(Failure::kBlockedAddress)) << address;
    EXPECT_THAT(result.message, Not(HasSubstr(address)));
    EXPECT_EQ(result.remote_address, std::nullopt);
  }
  EXPECT_EQ(server_.connections(), 0u);
}

TEST_F(HttpClientGuard, OneDeniedAddressAmongAllowedOnesIsEnough) {
  const auto client = MakeClient(Open());
  for (const std::string& address : Denied()) {
    if (address == "127.0.0.1" || address == "::ffff:127.0.0.1") continue;
    for (const std::vector<std::string>& addresses : {std::vector<std::string>{"127.0.0.1", address},
                                                      {address, "127.0.0.1"},
                                                      {"127.0.0.1", "127.0.0.1", address}}) {
      names_.Set("mixed.test", addresses);
      EXPECT_THAT(Fetch(*client, Get(UrlOf("mixed.test"))), FailsWith(Failure::kBlockedAddress)) << address;
    }
  }
  EXPECT_EQ(server_.connections(), 0u);
}

TEST_F(HttpClientGuard, EveryAddressIsJudgedHoweverManyThereAre) {
  std::vector<std::string> many(1000, "127.0.0.1");
  names_.Set("many.test", many);
  const auto client = MakeClient(Open());
  EXPECT_EQ(Fetch(*client, Get(UrlOf("many.test"))).status, 200);
  many.push_back("10.0.0.1");
  names_.Set("many.test", many);
  EXPECT_THAT(Fetch(*client, Get(UrlOf("many.test"))), FailsWith(Failure::kBlockedAddress));
}

TEST_F(HttpClientGuard, AllowedNamesAreConnectedToByTheirAddressAndAskedByTheirName) {
  names_.Set("merchant.test", {"127.0.0.1"});
  const auto client = MakeClient(Open());
  const http::Result result = Fetch(*client, Get(UrlOf("Merchant.TEST")));
  EXPECT_THAT(result, FailsWith(Failure::kNone));
  EXPECT_EQ(result.body, absl::StrCat("merchant.test:", server_.port()));
  EXPECT_EQ(result.remote_address, http::IpAddress::Parse("127.0.0.1"));
  EXPECT_EQ(names_.lookups(), 1);
}

TEST_F(HttpClientGuard, WhatIsAllowedByAMappedAddressIsTheIpv4Address) {
  names_.Set("mapped.test", {"::ffff:127.0.0.1"});
  const auto client = MakeClient(Open());
  EXPECT_EQ(Fetch(*client, Get(UrlOf("mapped.test"))).remote_address, http::IpAddress::Parse("127.0.0.1"));
  EXPECT_EQ(Fetch(*client, Get(UrlOf("[::ffff:127.0.0.1]"))).status, 200);
}

// libcurl would take "localhost" for 127.0.0.1 without asking.
TEST_F(HttpClientGuard, EvenLocalhostIsWhatTheResolverSays) {
  names_.Set("localhost", {"10.0.0.1"});
  const auto client = MakeClient(Open());
  EXPECT_THAT(Fetch(*client, Get(UrlOf("localhost"))), FailsWith(Failure::kBlockedAddress));
  EXPECT_THAT(Fetch(*client, Get(UrlOf("a.localhost"))), FailsWith(Failure::kDns));
  names_.Set("localhost", {"127.0.0.1"});
  EXPECT_EQ(Fetch(*client, Get(UrlOf("localhost"))).status, 200);
  http::ClientOptions options = OnThisMachine();
  options.resolve = names_.Function();
  names_.Set("localhost", {"127.0.0.2"});  // where nobody listens on that port
  EXPECT_THAT(Fetch(*MakeClient(options), Get(UrlOf("localhost"))), FailsWith(Failure::kConnect));
}

TEST_F(HttpClientGuard, ANameIsLookedUpForEveryAttemptAndJudgedAnew) {
  const auto client = MakeClient(Open());
  names_.Set("rebound.test", {"127.0.0.1"});
  EXPECT_EQ(Fetch(*client, Get(UrlOf("rebound.test"))).status, 200);
  names_.Set("rebound.test", {"169.254.169.254"});
  // Although there is a kept connection to the address of before.
  EXPECT_THAT(Fetch(*client, Get(UrlOf("rebound.test"))), FailsWith(Failure::kBlockedAddress));
  names_.Set("rebound.test", {"127.0.0.1"});
  EXPECT_EQ(Fetch(*client, Get(UrlOf("rebound.test"))).status, 200);
  EXPECT_EQ(names_.lookups(), 3);
}

// A name that answers an allowed address first and another one to whoever asks again.
TEST_F(HttpClientGuard, NobodyAsksASecondTimeWithinAnAttempt) {
  std::atomic<int> asked = 0;
  http::ClientOptions options = Open();
  options.resolve = [&](const std::string&) -> absl::StatusOr<std::vector<http::IpAddress>> {
    return std::vector<http::IpAddress>{*http::IpAddress::Parse(asked++ % 2 == 0 ? "127.0.0.1" : "127.0.0.2")};
  };
  const auto client = MakeClient(options);
  EXPECT_EQ(Fetch(*client, Get(UrlOf("flip.test"))).remote_address, http::IpAddress::Parse("127.0.0.1"));
  EXPECT_EQ(asked, 1);
  EXPECT_THAT(Fetch(*client, Get(UrlOf("flip.test"))), FailsWith(Failure::kBlockedAddress));
  EXPECT_EQ(asked, 2);
}

TEST_F(HttpClientGuard, AnAttemptHasTheAddressesOfItsOwnLookupOnly) {
  http::ClientOptions options = OnThisMachine();
  options.resolve = names_.Function();
  const auto client = MakeClient(options);
  names_.Set("moves.test", {"127.0.0.2"});  // where nobody listens on that port
  EXPECT_THAT(Fetch(*client, Get(UrlOf("moves.test"))), FailsWith(Failure::kConnect));
  names_.Set("moves.test", {"127.0.0.1"});
  EXPECT_EQ(Fetch(*client, Get(UrlOf("moves.test"))).remote_address, http::IpAddress::Parse("127.0.0.1"));
}

TEST_F(HttpClientGuard, AnAddressThatDoesNotAnswerIsFollowedByTheNext) {
  names_.Set("second.test", {"::1", "127.0.0.2", "127.0.0.1"});
  http::ClientOptions options = OnThisMachine();
  options.resolve = names_.Function();
  const http::Result result = Fetch(*MakeClient(options), Get(UrlOf("second.test")));
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.remote_address, http::IpAddress::Parse("127.0.0.1"));
}

TEST_F(HttpClientGuard, OtherPortsAreRefused) {
  http::ClientOptions options = Open();
  options.guard.allowed[0].ports = {server_.port()};
  names_.Set("merchant.test", {"127.0.0.1"});
  names_.Set("public.test", {"8.8.8.8"});
  const auto client = MakeClient(options);
  EXPECT_EQ(Fetch(*client, Get(UrlOf("merchant.test"))).status, 200);
  for (const char* url :
       {"http://merchant.test/", "https://merchant.test/", "http://127.0.0.1:22/", "http://public.test:22/",
        "https://public.test:6379/", "https://8.8.8.8:25/", "http://[2606:4700:4700::1111]:8080/"}) {
    EXPECT_THAT(Fetch(*client, Get(url)), FailsWith(Failure::kBlockedPort)) << url;
  }
}

TEST_F(HttpClientGuard, ANameWithoutAddressesIsAFailureOfNames) {
  names_.Set("empty.test", {});
  const auto client = MakeClient(Open());
  EXPECT_THAT(Fetch(*client, Get(UrlOf("empty.test"))), FailsWith(Failure::kDns));
  const http::Result result = Fetch(*client, Get(UrlOf("unknown.test")));
  EXPECT_THAT(result, FailsWith(Failure::kDns));
  EXPECT_EQ(result.message, "the host's name has no address");
  EXPECT_GT(result.times.dns, absl::ZeroDuration());
}

TEST_F(HttpClientGuard, ARedirectToADeniedAddressIsOnlyAnAnswer) {
  TestServer redirecting(TestServer::Answer([](const ServedRequest&) {
    return "HTTP/1.1 307 Go\r\nLocation: http://169.254.169.254/latest/meta-data/\r\nContent-Length: 0\r\n\r\n";
  }));
  const auto client = MakeClient(Open());
  const http::Result result = Fetch(*client, Get(redirecting));
  EXPECT_THAT(result, FailsWith(Failure::kNone));
  EXPECT_EQ(result.status, 307);
}

}  // namespace
}  // namespace northwind::testing

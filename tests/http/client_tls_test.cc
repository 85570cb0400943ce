// SPDX-License-Identifier: Apache-2.0
//
// Which servers the client believes.
#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "src/http/client.h"
#include "tests/http/client_fixture.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using http::Failure;
using ::testing::HasSubstr;

class HttpClientTls : public ::testing::Test {
 protected:
  HttpClientTls() : authority_(MakeIdentity({})) {
    bundle_ = directory_.path() + "/ca.pem";
    std::ofstream(bundle_) << authority_.Pem();
  }

  // Every name is this machine.
  http::ClientOptions Trusting(const std::string& bundle) {
    http::ClientOptions options = OnThisMachine();
    options.schemes = http::Schemes::kHttpsOnly;
    options.ca_bundle = bundle;
    options.resolve = [](const std::string&) -> absl::StatusOr<std::vector<http::IpAddress>> {
      return std::vector<http::IpAddress>{*http::IpAddress::Parse("127.0.0.1")};
    };
    return options;
  }
  static TestServer::Script Hello() {
    return TestServer::Answer([](const ServedRequest&) { return TestServer::Ok("hello"); });
  }
  // What comes of a request to such a server by this name.
  http::Result FetchFrom(const Identity& identity, const std::string& host, int max_tls_version = TLS1_3_VERSION) {
    TestServer server(Hello(), {.identity = &identity, .max_tls_version = max_tls_version});
    return Fetch(*MakeClient(Trusting(bundle_)), Get(absl::StrCat("https://", host, ":", server.port(), "/")));
  }

  TempDir directory_;
  Identity authority_;
  std::string bundle_;
};

TEST_F(HttpClientTls, AServerWithAGoodCertificateIsBelieved) {
  const Identity good = MakeIdentity({.names = "DNS:merchant.test,IP:127.0.0.1", .issuer = &authority_});
  for (const char* host : {"merchant.test", "MERCHANT.test", "127.0.0.1"}) {
    const http::Result result = FetchFrom(good, host);
    EXPECT_THAT(result, FailsWith(Failure::kNone)) << host;
    EXPECT_EQ(result.body, "hello");
    EXPECT_GT(result.times.tls, absl::ZeroDuration());
  }
}

TEST_F(HttpClientTls, ConnectionsAreKept) {
  const Identity good = MakeIdentity({.names = "DNS:merchant.test", .issuer = &authority_});
  TestServer server(Hello(), {.identity = &good});
  const auto client = MakeClient(Trusting(bundle_));
  const std::string url = absl::StrCat("https://merchant.test:", server.port(), "/");
  EXPECT_EQ(Fetch(*client, Get(url)).status, 200);
  const http::Result second = Fetch(*client, Get(url));
  EXPECT_TRUE(second.reused_connection);
  EXPECT_EQ(second.times.tls, absl::ZeroDuration());
  EXPECT_EQ(server.connections(), 1u);
  // A certificate is good for the name that it was checked for, and a connection likewise.
  EXPECT_THAT(Fetch(*client, Get(absl::StrCat("https://other.test:", server.port(), "/"))), FailsWith(Failure::kTls));
}

TEST_F(HttpClientTls, ARedirectIsOnlyAnAnswer) {
  const Identity good = MakeIdentity({.names = "DNS:merchant.test", .issuer = &authority_});
  std::string url;
  TestServer server(TestServer::Answer([&](const ServedRequest& request) {
                      EXPECT_EQ(request.target, "/");
                      return "HTTP/1.1 301 Moved\r\nLocation: " + url + "elsewhere\r\nContent-Length: 0\r\n\r\n";
                    }),
                    {.identity = &good});
  url = absl::StrCat("https://merchant.test:", server.port(), "/");
  const http::Result result = Fetch(*MakeClient(Trusting(bundle_)), Get(url));
  EXPECT_THAT(result, FailsWith(Failure::kNone));
  EXPECT_EQ(result.status, 301);
}

TEST_F(HttpClientTls, ACertificateForAnotherHostIsRefused) {
  const Identity other = MakeIdentity({.names = "DNS:other.test", .issuer = &authority_});
  const http::Result result = FetchFrom(other, "merchant.test");
  EXPECT_THAT(result, FailsWith(Failure::kTls));
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.body, "");
  EXPECT_THAT(FetchFrom(other, "127.0.0.1"), FailsWith(Failure::kTls));
}

TEST_F(HttpClientTls, ACertificateOutOfItsTimeIsRefused) {
  const Identity expired = MakeIdentity(
      {.names = "DNS:merchant.test", .valid_from_seconds = -7200, .valid_to_seconds = -3600, .issuer = &authority_});
  const http::Result result = FetchFrom(expired, "merchant.test");
  EXPECT_THAT(result, FailsWith(Failure::kTls));
  EXPECT_THAT(result.message, HasSubstr("expired"));
  const Identity early = MakeIdentity(
      {.names = "DNS:merchant.test", .valid_from_seconds = 3600, .valid_to_seconds = 7200, .issuer = &authority_});
  EXPECT_THAT(FetchFrom(early, "merchant.test"), FailsWith(Failure::kTls));
}

TEST_F(HttpClientTls, ACertificateThatNobodyTrustedSignedIsRefused) {
  const http::Result self_signed = FetchFrom(MakeIdentity({.names = "DNS:merchant.test"}), "merchant.test");
  EXPECT_THAT(self_signed, FailsWith(Failure::kTls));
  EXPECT_THAT(self_signed.message, HasSubstr("self"));
  const Identity stranger = MakeIdentity({});
  EXPECT_THAT(FetchFrom(MakeIdentity({.names = "DNS:merchant.test", .issuer = &stranger}), "merchant.test"),
              FailsWith(Failure::kTls));
}

TEST_F(HttpClientTls, WithoutABundleTheSystemsAuthoritiesDecide) {
  const Identity good = MakeIdentity({.names = "DNS:merchant.test", .issuer = &authority_});
  TestServer server(Hello(), {.identity = &good});
  EXPECT_THAT(Fetch(*MakeClient(Trusting("")), Get(absl::StrCat("https://merchant.test:", server.port(), "/"))),
              FailsWith(Failure::kTls));
}

TEST_F(HttpClientTls, Version12IsTheOldestSpoken) {
  const Identity good = MakeIdentity({.names = "DNS:merchant.test", .issuer = &authority_});
  EXPECT_THAT(FetchFrom(good, "merchant.test", TLS1_2_VERSION), FailsWith(Failure::kNone));
  EXPECT_THAT(FetchFrom(good, "merchant.test", TLS1_1_VERSION), FailsWith(Failure::kTls));
}

TEST_F(HttpClientTls, AServerThatSpeaksNoTlsIsAFailureOfTls) {
  TestServer plain(
      [](ServedConnection& connection) { connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); });
  EXPECT_THAT(Fetch(*MakeClient(Trusting(bundle_)), Get(absl::StrCat("https://merchant.test:", plain.port(), "/"))),
              FailsWith(Failure::kTls));
}

TEST_F(HttpClientTls, AServerThatGoesSilentInTheHandshakeIsGivenUp) {
  TestServer silent([](ServedConnection& connection) { connection.AwaitEnd(); });
  http::Request request = Get(absl::StrCat("https://merchant.test:", silent.port(), "/"));
  request.connect_timeout = absl::Milliseconds(200);
  const http::Result result = Fetch(*MakeClient(Trusting(bundle_)), std::move(request));
  EXPECT_THAT(result, FailsWith(Failure::kTimeout));
  EXPECT_EQ(result.message, "timed out before it was connected");
}

// Without TLS's own goodbye nobody knows whether that was all.
TEST_F(HttpClientTls, AnUnannouncedEndIsTheEndOnlyIfTheLengthSaysSo) {
  const Identity good = MakeIdentity({.names = "DNS:merchant.test", .issuer = &authority_});
  TestServer server(
      [](ServedConnection& connection) {
        const auto request = connection.Read();
        if (!request) return;
        connection.Write(request->target == "/whole" ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"
                                                     : "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\npart");
        connection.Cut();
      },
      {.identity = &good});
  const auto client = MakeClient(Trusting(bundle_));
  const std::string url = absl::StrCat("https://merchant.test:", server.port());
  EXPECT_THAT(Fetch(*client, Get(url + "/whole")), FailsWith(Failure::kNone));
  const http::Result part = Fetch(*client, Get(url + "/part"));
  EXPECT_THAT(part, FailsWith(Failure::kReceive));
  EXPECT_EQ(part.body, "part");
}

}  // namespace
}  // namespace northwind::testing

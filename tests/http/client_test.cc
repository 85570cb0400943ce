// SPDX-License-Identifier: Apache-2.0
//
// What goes over the wire and back, on orderly servers and disorderly ones.
#include "src/http/client.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "tests/http/client_fixture.h"

namespace northwind::testing {
namespace {

using http::Failure;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Serves one request with these bytes and closes.
TestServer::Script Once(std::string response) {
  return [response = std::move(response)](ServedConnection& connection) {
    if (connection.Read()) connection.Write(response);
  };
}

TEST(HttpClient, SendsTheRequestAsAskedAndReturnsTheResponse) {
  ServedRequest seen;
  TestServer server(TestServer::Answer([&](const ServedRequest& request) {
    seen = request;
    return "HTTP/1.1 503 Busy\r\nRetry-After:  120 \r\nX-Empty:\r\nContent-Length: 4\r\n\r\nlate";
  }));
  const auto client = MakeClient();
  const http::Result result =
      Fetch(*client, {.url = "http://" + server.authority() + "/hook?a=b#fragment",
                      .headers = {{"webhook-id", "msg_1"}, {"X-Empty", ""}, {"Content-Type", "application/json"}},
                      .body = std::string("{\"a\":\0}", 7)});
  EXPECT_THAT(result, FailsWith(Failure::kNone));
  EXPECT_EQ(result.message, "");
  EXPECT_EQ(result.status, 503);
  EXPECT_EQ(result.body, "late");
  EXPECT_FALSE(result.truncated);
  EXPECT_THAT(result.headers, ElementsAre(http::Header{"Retry-After", "120"}, http::Header{"X-Empty", ""},
                                          http::Header{"Content-Length", "4"}));
  EXPECT_EQ(result.FindHeader("retry-after"), "120");
  EXPECT_EQ(result.FindHeader("retry"), std::nullopt);
  EXPECT_EQ(result.remote_address, http::IpAddress::Parse("127.0.0.1"));
  EXPECT_EQ(result.remote_port, server.port());
  EXPECT_FALSE(result.reused_connection);
  EXPECT_EQ(result.times.dns, absl::ZeroDuration());
  EXPECT_GT(result.times.connect, absl::ZeroDuration());
  EXPECT_EQ(result.times.tls, absl::ZeroDuration());
  EXPECT_GT(result.times.first_byte, absl::ZeroDuration());
  EXPECT_GE(result.times.total, result.times.connect + result.times.first_byte);

  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/hook?a=b");
  EXPECT_EQ(seen.body, std::string("{\"a\":\0}", 7));
  EXPECT_EQ(seen.head, "POST /hook?a=b HTTP/1.1\r\nHost: " + server.authority() +
                           "\r\nUser-Agent: northwind\r\nAccept: */*\r\nwebhook-id: msg_1\r\nX-Empty:\r\n"
                           "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n");
}

TEST(HttpClient, EveryMethodSendsItsBodyAndNothingOfItsOwnBeside) {
  std::vector<ServedRequest> seen;
  TestServer server(TestServer::Answer([&](const ServedRequest& request) {
    seen.push_back(request);
    return TestServer::Ok("");
  }));
  const auto client = MakeClient();
  const std::string url = "http://" + server.authority() + "/";
  const std::string large(2 << 20, 'x');  // libcurl would send Expect: 100-continue
  EXPECT_EQ(Fetch(*client, {.method = http::Method::kGet, .url = url}).status, 200);
  EXPECT_EQ(Fetch(*client, {.method = http::Method::kPost, .url = url}).status, 200);
  EXPECT_EQ(Fetch(*client, {.method = http::Method::kPost, .url = url, .body = large, .timeout = kNever}).status, 200);
  EXPECT_EQ(Fetch(*client, {.method = http::Method::kPut, .url = url, .body = "b"}).status, 200);
  EXPECT_EQ(Fetch(*client, {.method = http::Method::kPut, .url = url}).status, 200);
  EXPECT_EQ(Fetch(*client, {.method = http::Method::kDelete, .url = url}).status, 200);
  EXPECT_EQ(Fetch(*client, {.method = http::Method::kDelete, .url = url, .body = "c"}).status, 200);
  std::vector<std::string> methods;
  for (const ServedRequest& request : seen) {
    methods.push_back(request.method + " " + request.Header("Content-Length").value_or("none"));
    for (const char* header :
         {"Expect", "Content-Type", "Accept-Encoding", "Cookie", "Authorization", "TE", "Upgrade"}) {
      EXPECT_EQ(request.Header(header), std::nullopt) << request.head;
    }
  }
  EXPECT_THAT(methods, ElementsAre("GET none", "POST 0", "POST 2097152", "PUT 1", "PUT 0", "DELETE none", "DELETE 1"));
  EXPECT_EQ(seen[2].body, large);
}

TEST(HttpClient, KeepsConnectionsAndSaysSo) {
  TestServer server(TestServer::Answer([](const ServedRequest&) { return TestServer::Ok("x"); }));
  const auto client = MakeClient();
  EXPECT_FALSE(Fetch(*client, Get(server)).reused_connection);
  for (int i = 0; i < 10; ++i) {
    const http::Result result = Fetch(*client, Get(server));
    EXPECT_EQ(result.status, 200);
    EXPECT_TRUE(result.reused_connection);
    EXPECT_EQ(result.times.connect, absl::ZeroDuration());
    EXPECT_EQ(result.remote_port, server.port());
  }
  EXPECT_EQ(server.connections(), 1u);
}

TEST(HttpClient, AKeptConnectionThatTheServerHasClosedIsReplaced) {
  Counter closed;
  TestServer server([&](ServedConnection& connection) {
    connection.Read();
    connection.Write(TestServer::Ok("x"));
    if (connection.index() > 0) connection.AwaitEnd();
    closed.Add();
  });
  const auto client = MakeClient();
  EXPECT_EQ(Fetch(*client, Get(server)).status, 200);
  closed.Await(1);
  const http::Result result = Fetch(*client, Get(server));
  EXPECT_EQ(result.status, 200);
  EXPECT_FALSE(result.reused_connection);
}

TEST(HttpClient, SpeaksIpv6) {
  TestServer server(TestServer::Answer([](const ServedRequest&) { return TestServer::Ok("six"); }), {.address = "::1"});
  const auto client = MakeClient();
  const http::Result result = Fetch(*client, Get(server));
  EXPECT_EQ(result.body, "six");
  EXPECT_EQ(result.remote_address, http::IpAddress::Parse("::1"));
}

TEST(HttpClient, DoesNotFollowRedirects) {
  TestServer server(TestServer::Answer([&](const ServedRequest& request) {
    EXPECT_EQ(request.target, "/");
    return "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nRefresh: 0; url=/elsewhere\r\nContent-Length: 0\r\n\r\n";
  }));
  const auto client = MakeClient();
  const http::Result result = Fetch(*client, Get(server));
  EXPECT_THAT(result, FailsWith(Failure::kNone));
  EXPECT_EQ(result.status, 302);
  EXPECT_EQ(result.FindHeader("Location"), "/elsewhere");
  EXPECT_EQ(server.connections(), 1u);
}

TEST(HttpClient, UsesNoProxyOfTheEnvironment) {
  TestServer proxy(TestServer::Answer([](const ServedRequest&) { return TestServer::Ok("proxy"); }));
  TestServer server(TestServer::Answer([](const ServedRequest&) { return TestServer::Ok("server"); }));
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"}) {
    setenv(name, ("http://" + proxy.authority()).c_str(), 1);
  }
  const auto client = MakeClient();
  EXPECT_EQ(Fetch(*client, Get(server)).body, "server");
  EXPECT_EQ(proxy.connections(), 0u);
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"}) unsetenv(name);
}

TEST(HttpClient, KeepsNoCookiesAndUndoesNoCompression) {
  std::vector<ServedRequest> seen;
  TestServer server(TestServer::Answer([&](const ServedRequest& request) {
    seen.push_back(request);
    return "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain";
  }));
  const auto client = MakeClient();
  EXPECT_EQ(Fetch(*client, Get(server)).body, "plain");
  EXPECT_EQ(Fetch(*client, Get(server)).body, "plain");
  EXPECT_EQ(seen.at(1).Header("Cookie"), std::nullopt);
}

TEST(HttpClient, UnderstandsEveryWayToEndAResponse) {
  const struct {
    const char* response;
    int status;
    const char* body;
  } cases[] = {
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Trailer: "
       "1\r\nRetry-After: 9\r\n\r\n",
       200, "abcde"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nHTTP/1.1 500 No: 1\r\n\r\n", 200, "abc"},
      {"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end"},
      {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", 200, "until the end"},
      {"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304, ""},
      {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 "
       "Accepted\r\nContent-Length: 2\r\n\r\nok",
       202, "ok"},
      {"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", 299, ""},
  };
  const auto client = MakeClient();
  for (const auto& each : cases) {
    TestServer server(Once(each.response));
    const http::Result result = Fetch(*client, Get(server));
    EXPECT_THAT(result, FailsWith(Failure::kNone)) << each.response;
    EXPECT_EQ(result.status, each.status) << each.response;
    EXPECT_EQ(result.body, each.body) << each.response;
    EXPECT_EQ(result.FindHeader("Link"), std::nullopt) << "of an interim response";
    EXPECT_EQ(result.FindHeader("Retry-After"), std::nullopt) << "of a trailer";
  }
}

TEST(HttpClient, AResponseThatBreaksOffIsAFailureWithWhatCame) {
  const struct {
    const char* response;
    int status;
    const char* body;
  } cases[] = {
      {"", 0, ""},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", 200, "half"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 200, "ab"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab", 200, ""},
      {"HTTP/1.1 100 Continue\r\n\r\n", 0, ""},
      {"not HTTP at all\r\n\r\n", 0, ""},
      {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, ""},
      {"SSH-2.0-OpenSSH_9.2\r\n", 0, ""},
  };
  const auto client = MakeClient();
  for (const auto& each : cases) {
    TestServer server(Once(each.response));
    const http::Result result = Fetch(*client, Get(server));
    EXPECT_THAT(result, FailsWith(Failure::kReceive)) << each.response;
    EXPECT_NE(result.message, "");
    EXPECT_EQ(result.status, each.status) << each.response;
    EXPECT_EQ(result.body, each.body) << each.response;
  }
}

TEST(HttpClient, AResetIsAFailureToReceive) {
  TestServer server([](ServedConnection& connection) {
    connection.Read();
    connection.Reset();
  });
  const auto client = MakeClient();
  EXPECT_THAT(Fetch(*client, Get(server)), FailsWith(Failure::kReceive));
}

TEST(HttpClient, APortThatNobodyListensOnIsAFailureToConnect) {
  std::string authority;
  {
    TestServer gone([](ServedConnection&) {});
    authority = gone.authority();
  }
  const auto client = MakeClient();
  const http::Result result = Fetch(*client, Get("http://" + authority + "/"));
  EXPECT_THAT(result, FailsWith(Failure::kConnect));
  EXPECT_EQ(result.message, "the connection was refused");
  EXPECT_EQ(result.status, 0);
}

TEST(HttpClient, RefusesRequestsThatItWouldNotSend) {
  const auto client = MakeClient();
  const http::Result url = Fetch(*client, Get("gopher://127.0.0.1/_secret"));
  EXPECT_THAT(url, FailsWith(Failure::kInvalidUrl));
  EXPECT_THAT(url.message, Not(HasSubstr("secret")));
  EXPECT_THAT(Fetch(*client, Get("http://user:pass@127.0.0.1/")), FailsWith(Failure::kInvalidUrl));
  EXPECT_THAT(Fetch(*client, Get("file:///etc/passwd")), FailsWith(Failure::kInvalidUrl));
  http::Request injecting = Get("http://127.0.0.1/");
  injecting.headers = {{"X", "a\r\nEvil: 1"}};
  EXPECT_THAT(Fetch(*client, std::move(injecting)), FailsWith(Failure::kInvalidRequest));
  http::ClientOptions https_only = OnThisMachine();
  https_only.schemes = http::Schemes::kHttpsOnly;
  EXPECT_THAT(Fetch(*MakeClient(https_only), Get("http://127.0.0.1/")), FailsWith(Failure::kInvalidUrl));
}

TEST(HttpClient, IsNotMadeWithOptionsThatCannotWork) {
  EXPECT_THAT(http::Client::Create({.ca_bundle = "/does/not/exist.pem"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("/does/not/exist.pem")));
  EXPECT_THAT(http::Client::Create({.user_agent = "a\r\nb"}), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace northwind::testing

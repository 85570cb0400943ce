// SPDX-License-Identifier: Apache-2.0
//
// Many requests on one connection: what ends one of them must not touch the others.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "src/http/client.h"
#include "tests/http/client_fixture.h"
#include "tests/http/http2_script.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using http::Failure;
using ::testing::Each;
using ::testing::SizeIs;

class HttpClientHttp2 : public ::testing::Test {
 protected:
  HttpClientHttp2()
      : identity_(MakeIdentity({.names = "IP:127.0.0.1"})),
        server_(ServeHttp2([this](const ServedRequest& request) { return Answer(request); }),
                {.identity = &identity_, .protocol = "h2"}) {
    http::ClientOptions options = OnThisMachine();
    options.ca_bundle = directory_ / "ca.pem";
    std::ofstream(options.ca_bundle) << identity_.Pem();
    client_ = MakeClient(options);
  }

  Http2Answer Answer(const ServedRequest& request) {
    if (request.target == "/hang") {
      hanging_.Add();
      return {.hang = true};
    }
    if (request.target == "/stuck" && server_.connections() == 1) return {.hang = true};
    if (request.target == "/endless") return {.status = 500, .body = "abc", .kind = Http2Answer::Body::kEndless};
    return {.status = 201, .body = absl::StrCat(request.method, " ", request.target, " ", request.body)};
  }
  http::Request To(const std::string& target) { return Get(absl::StrCat("https://", server_.authority(), target)); }

  TempDir directory_;
  Identity identity_;
  Counter hanging_;
  TestServer server_;
  std::unique_ptr<http::Client> client_;
};

TEST_F(HttpClientHttp2, RequestsShareAConnectionAndEachHasItsResponse) {
  http::Request post = To("/first");
  post.method = http::Method::kPost;
  post.body = std::string(100'000, 'x');
  const http::Result first = Fetch(*client_, post);
  EXPECT_THAT(first, FailsWith(Failure::kNone));
  EXPECT_EQ(first.status, 201);
  EXPECT_TRUE(first.truncated);
  post.max_body_bytes = 200'000;
  EXPECT_EQ(Fetch(*client_, post).body, "POST /first " + post.body);
  Results results;
  for (int i = 0; i < 50; ++i) ASSERT_THAT(client_->Start(To(absl::StrCat("/", i)), results.Callback()), IsOk());
  ASSERT_TRUE(client_->Drain());
  std::vector<std::string> bodies;
  for (const http::Result& result : results.all()) {
    EXPECT_THAT(result, FailsWith(Failure::kNone));
    EXPECT_TRUE(result.reused_connection);
    bodies.push_back(result.body);
  }
  std::sort(bodies.begin(), bodies.end());
  EXPECT_EQ(std::unique(bodies.begin(), bodies.end()), bodies.end());
  EXPECT_THAT(bodies, SizeIs(50));
  EXPECT_EQ(server_.connections(), 1u);
}

TEST_F(HttpClientHttp2, ACutBodyAndADeadlineEndOneRequestAndNotItsNeighbours) {
  EXPECT_EQ(Fetch(*client_, To("/")).status, 201);
  Results hang;
  http::Request hanging = To("/hang");
  ASSERT_THAT(client_->Start(hanging, hang.Callback()), IsOk());
  hanging_.Await(1);
  http::Request endless = To("/endless");
  endless.max_body_bytes = 1000;
  for (int i = 0; i < 3; ++i) {
    const http::Result cut = Fetch(*client_, endless);
    EXPECT_THAT(cut, FailsWith(Failure::kNone));
    EXPECT_EQ(cut.status, 500);
    EXPECT_TRUE(cut.truncated);
    EXPECT_THAT(cut.body, SizeIs(1000));
  }
  hanging.timeout = absl::Milliseconds(200);
  EXPECT_THAT(Fetch(*client_, hanging), FailsWith(Failure::kTimeout));
  EXPECT_EQ(Fetch(*client_, To("/after")).body, "GET /after ");
  EXPECT_THAT(hang.all(), SizeIs(0)) << "the first one still waits";
  client_.reset();
  EXPECT_THAT(hang.all(), Each(FailsWith(Failure::kAborted)));
  EXPECT_THAT(hang.all(), SizeIs(1));
}

// A connection may be dead without an end of it: the receiver's machine is gone, or a balancer has lost what was behind it.
TEST_F(HttpClientHttp2, AConnectionThatLeftARequestUnansweredGetsNoMoreOfThem) {
  EXPECT_EQ(Fetch(*client_, To("/")).status, 201);
  http::Request stuck = To("/stuck");
  stuck.timeout = absl::Milliseconds(200);
  EXPECT_THAT(Fetch(*client_, stuck), FailsWith(Failure::kTimeout));
  for (const size_t connections : {2u, 3u}) {
    const http::Result next = Fetch(*client_, To("/stuck"));
    EXPECT_THAT(next, FailsWith(Failure::kNone));
    EXPECT_FALSE(next.reused_connection);
    EXPECT_EQ(server_.connections(), connections);
  }
}

}  // namespace
}  // namespace northwind::testing

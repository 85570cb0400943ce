// SPDX-License-Identifier: Apache-2.0
//
// Servers that never stop, never begin, or send too much.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "src/http/client.h"
#include "tests/http/client_fixture.h"

namespace northwind::testing {
namespace {

using http::Failure;
using ::testing::HasSubstr;

// Long enough for a busy machine to reach the point of the test, short enough to wait for.
constexpr absl::Duration kSoon = absl::Seconds(1);

http::Request GetSoon(const TestServer& server) {
  http::Request request = Get(server);
  request.timeout = kSoon;
  return request;
}

TEST(HttpClientLimits, ABodyIsCutAtItsCapAndKeepsItsStatus) {
  TestServer server(TestServer::Answer([](const ServedRequest&) { return TestServer::Ok("0123456789"); }));
  const auto client = MakeClient();
  for (const size_t cap : {size_t{0}, size_t{1}, size_t{9}, size_t{10}, size_t{11}}) {
    http::Request request = Get(server);
    request.max_body_bytes = cap;
    const http::Result result = Fetch(*client, std::move(request));
    EXPECT_THAT(result, FailsWith(Failure::kNone));
    EXPECT_EQ(result.status, 200);
    EXPECT_EQ(result.body, std::string("0123456789").substr(0, cap));
    EXPECT_EQ(result.truncated, cap < 10) << cap;
  }
}

TEST(HttpClientLimits, AnEndlessBodyEndsAtTheCap) {
  for (const char* head :
       {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n"}) {
    Counter closed;
    TestServer server([&](ServedConnection& connection) {
      connection.Read();
      connection.Write(head);
      while (connection.Write(std::string(10'000, 'x'))) {
      }
      closed.Add();
    });
    const auto client = MakeClient();
    http::Request request = Get(server);
    request.max_body_bytes = 100'000;
    const http::Result result = Fetch(*client, std::move(request));
    EXPECT_THAT(result, FailsWith(Failure::kNone));
    EXPECT_TRUE(result.truncated);
    EXPECT_EQ(result.body, std::string(100'000, 'x'));
    closed.Await(1);  // nothing more is read
  }
}

TEST(HttpClientLimits, AnEndlessChunkedBodyEndsAtTheCap) {
  TestServer server([](ServedConnection& connection) {
    connection.Read();
    connection.Write("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (connection.Write("3\r\nabc\r\n")) {
    }
  });
  http::Request request = Get(server);
  request.max_body_bytes = 5;
  const http::Result result = Fetch(*MakeClient(), std::move(request));
  EXPECT_THAT(result, FailsWith(Failure::kNone));
  EXPECT_EQ(result.status, 500);
  EXPECT_EQ(result.body, "abcab");
  EXPECT_TRUE(result.truncated);
}

TEST(HttpClientLimits, HeadersAreCappedHoweverTheyCome) {
  const std::string line = "X-Filler: " + std::string(1000, 'x') + "\r\n";
  const struct {
    const char* what;
    std::string begin;
    std::string repeated;
  } cases[] = {
      {"many lines", "HTTP/1.1 200 OK\r\n", line},
      {"many interim responses", "", "HTTP/1.1 100 Continue\r\nX: " + std::string(100, 'x') + "\r\n\r\n"},
      {"one line without an end", "HTTP/1.1 200 OK\r\nX: ", std::string(1000, 'x')},
      {"a status line without an end", "HTTP/1.1 200 ", std::string(1000, 'x')},
      {"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", line},
  };
  const auto client = MakeClient();
  for (const auto& each : cases) {
    TestServer server([&](ServedConnection& connection) {
      connection.Read();
      connection.Write(each.begin);
      while (connection.Write(each.repeated)) {
      }
    });
    EXPECT_THAT(Fetch(*client, Get(server)), FailsWith(Failure::kHeadersTooLarge)) << each.what;
  }
}

TEST(HttpClientLimits, HeadersUpToTheirCapAreFine) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  TestServer server(TestServer::Answer([&](const ServedRequest&) { return head; }));
  const auto client = MakeClient();
  http::Request request = Get(server);
  request.max_header_bytes = head.size();
  EXPECT_EQ(Fetch(*client, request).status, 200);
  request.max_header_bytes = head.size() - 1;
  const http::Result result = Fetch(*client, request);
  EXPECT_THAT(result, FailsWith(Failure::kHeadersTooLarge));
  EXPECT_EQ(result.status, 0);
}

TEST(HttpClientLimits, AServerThatHangsIsGivenUpAtTheDeadline) {
  TestServer server([](ServedConnection& connection) { connection.AwaitEnd(); });
  const http::Result result = Fetch(*MakeClient(), GetSoon(server));
  EXPECT_THAT(result, FailsWith(Failure::kTimeout));
  EXPECT_EQ(result.message, "timed out waiting for the response");
  EXPECT_EQ(result.status, 0);
}

TEST(HttpClientLimits, ADripOfBytesIsGivenUpAtTheDeadlineWithWhatCame) {
  absl::Notification over;
  TestServer server([&](ServedConnection& connection) {
    connection.Read();
    connection.Write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    // Not to wait for something: dripping is what this server does.
    do {
      connection.Write("x");
    } while (!over.WaitForNotificationWithTimeout(absl::Milliseconds(20)));
  });
  const http::Result result = Fetch(*MakeClient(), GetSoon(server));
  over.Notify();
  EXPECT_THAT(result, FailsWith(Failure::kTimeout));
  EXPECT_EQ(result.message, "timed out within the response");
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, std::string(result.body.size(), 'x'));
  EXPECT_FALSE(result.body.empty());
}

TEST(HttpClientLimits, ADripOfHeadersIsGivenUpAtTheDeadline) {
  absl::Notification over;
  TestServer server([&](ServedConnection& connection) {
    connection.Read();
    connection.Write("HTTP/1.1 200 OK\r\n");
    do {
      connection.Write("X: y\r\n");
    } while (!over.WaitForNotificationWithTimeout(absl::Milliseconds(20)));
  });
  const http::Result result = Fetch(*MakeClient(), GetSoon(server));
  over.Notify();
  EXPECT_THAT(result, FailsWith(Failure::kTimeout));
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(result.headers.empty());
}

TEST(HttpClientLimits, AServerThatDoesNotReadTheBodyIsGivenUpAtTheDeadline) {
  absl::Notification over;
  TestServer server([&](ServedConnection&) { over.WaitForNotification(); });
  const http::Result result = Fetch(*MakeClient(), {.url = "http://" + server.authority() + "/",
                                                    .body = std::string(http::kMaxRequestBodyBytes, 'x'),
                                                    .timeout = kSoon});
  over.Notify();
  EXPECT_THAT(result, FailsWith(Failure::kTimeout));
}

TEST(HttpClientLimits, ALookupThatHangsIsGivenUpAtTheDeadline) {
  absl::Notification over;
  http::ClientOptions options = OnThisMachine();
  options.resolve = [&](const std::string&) -> absl::StatusOr<std::vector<http::IpAddress>> {
    over.WaitForNotification();
    return absl::NotFoundError("at last");
  };
  const auto client = MakeClient(options);
  http::Request request = Get("http://slow.test/");
  request.connect_timeout = absl::Milliseconds(100);
  const http::Result result = Fetch(*client, std::move(request));
  over.Notify();
  EXPECT_THAT(result, FailsWith(Failure::kTimeout));
  EXPECT_EQ(result.message, "timed out looking up the host's name");
}

TEST(HttpClientLimits, TheLastDescriptorsAreLeftToTheRestOfTheProcess) {
  constexpr size_t kRequests = 150;
  constexpr rlim_t kDescriptors = 256;
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
  const rlimit few = {.rlim_cur = kDescriptors, .rlim_max = usual.rlim_max};
  Counter held;
  TestServer server([&](ServedConnection& connection) {
    connection.Read();
    held.Add();
    connection.AwaitEnd();
  });
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  auto client = MakeClient();
  Results failed;
  for (size_t i = 0; i < kRequests; ++i) {
    EXPECT_THAT(client->Start(Get(server),
                              [&, note = failed.Callback()](http::Result result) mutable {
                                if (result.failure == Failure::kAborted) return;
                                std::move(note)(std::move(result));
                                held.Add();
                              }),
                IsOk());
    held.Await(i + 1);  // one by one, as the server's connections are of the same process
  }
  EXPECT_FALSE(failed.all().empty());
  EXPECT_THAT(failed.all(), ::testing::Each(FailsWith(Failure::kInternal)));
  const int free = open("/dev/null", O_RDONLY);
  EXPECT_GE(free, 0);
  close(free);
  client.reset();
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
#include "src/http/request.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace northwind::internal::http {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::HasSubstr;
using std::string_view_literals::operator""sv;

TEST(CheckHeader, TokensWithPlainValuesAreFine) {
  EXPECT_THAT(CheckHeader("webhook-id", "msg_1"), IsOk());
  EXPECT_THAT(CheckHeader("X", ""), IsOk());
  EXPECT_THAT(CheckHeader("!#$%&'*+-.^_`|~09azAZ", "tab\tinside, \"quotes\"; \xc3\xbc"), IsOk());
}

TEST(CheckHeader, ANameThatIsNoTokenIsRefused) {
  for (const std::string_view name :
       {""sv, " "sv, "a b"sv, "a:"sv, "a\r\nb"sv, "a\n"sv, "a\0"sv, "\xc3\xbc"sv, "a\t"sv, "(a)"sv, "a/b"sv, "a;"sv}) {
    EXPECT_THAT(CheckHeader(name, "v"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("token"))) << name;
  }
}

TEST(CheckHeader, AValueThatCouldEndTheLineIsRefused) {
  for (const std::string_view value :
       {"a\r\nEvil: 1"sv, "a\nEvil: 1"sv, "a\rEvil: 1"sv, "a\0"sv, "\0"sv, "a\x7f"sv, "a\x1b[0m"sv, "\n"sv}) {
    EXPECT_THAT(CheckHeader("X", value), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("control"))) << value;
  }
  for (const std::string_view value : {" a"sv, "a "sv, "\ta"sv, "a\t"sv, " "sv}) {
    EXPECT_THAT(CheckHeader("X", value), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("space"))) << value;
  }
}

TEST(CheckHeader, HeadersThatFrameOrRouteTheMessageAreTheClients) {
  for (const char* name : {"Host", "host", "Content-Length", "CONTENT-LENGTH", "Transfer-Encoding", "Connection",
                           "Expect", "TE", "Trailer", "Upgrade", "Keep-Alive", "HTTP2-Settings", "Proxy-Authorization",
                           "proxy-connection", "Proxy-Anything"}) {
    EXPECT_THAT(CheckHeader(name, "1"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(name))) << name;
  }
}

TEST(CheckRequest, EveryLimitHolds) {
  EXPECT_THAT(CheckRequest({}), IsOk());
  Request request;
  request.headers.assign(kMaxRequestHeaders, {"a", "b"});
  EXPECT_THAT(CheckRequest(request), IsOk());
  request.headers.push_back({"a", "b"});
  EXPECT_THAT(CheckRequest(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("64 headers")));

  request.headers = {{"a", std::string(kMaxRequestHeaderBytes - 1, 'x')}};
  EXPECT_THAT(CheckRequest(request), IsOk());
  request.headers[0].value += 'x';
  EXPECT_THAT(CheckRequest(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("32768 bytes")));

  request = {.body = std::string(kMaxRequestBodyBytes, 'x')};
  EXPECT_THAT(CheckRequest(request), IsOk());
  request.body += 'x';
  EXPECT_THAT(CheckRequest(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("8388608 bytes")));

  EXPECT_THAT(CheckRequest({.max_header_bytes = kMaxResponseHeaderBytes}), IsOk());
  EXPECT_THAT(CheckRequest({.max_header_bytes = kMaxResponseHeaderBytes + 1}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckRequest({.timeout = kMaxTimeout}), IsOk());
  for (const absl::Duration timeout : {absl::ZeroDuration(), -absl::Seconds(1), -absl::InfiniteDuration(),
                                       kMaxTimeout + absl::Nanoseconds(1), absl::InfiniteDuration()}) {
    EXPECT_THAT(CheckRequest({.timeout = timeout}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("timeout")));
  }
  EXPECT_THAT(CheckRequest({.connect_timeout = absl::ZeroDuration()}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckRequest({.method = Method::kGet, .body = "x"}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckRequest({.headers = {{"a", "b"}, {"Host", "c"}}}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(CheckRequest, OfASignedOneOnlyWhatIsSignedRightlyIsLetThrough) {
  const Request good = {.url = "http://127.0.0.1:4711/",
                        .headers = {{"Content-Type", "a/b"}, {"X-Amz-Target", "x"}, {"X-Amz-Security-Token", "y"}},
                        .body = std::string(kMaxSignedBodyBytes, 'x'),
                        .signature = AwsSignature{"eu-central-1", "sqs", "AKID", "secret"}};
  EXPECT_THAT(CheckRequest(good), IsOk());
  const auto refused = [&good](auto change) {
    Request request = good;
    change(request);
    EXPECT_THAT(CheckRequest(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sign")));
  };
  refused([](Request& request) { request.body += 'x'; });
  refused([](Request& request) { request.method = Method::kPut; });
  refused([](Request& request) { request.url += "queue"; });
  refused([](Request& request) { request.url = "http://127.0.0.1?b=1&a=2"; });
  refused([](Request& request) { request.headers.erase(request.headers.begin()); });
  refused([](Request& request) { request.headers.push_back({"X-Empty", ""}); });
  refused([](Request& request) { request.headers.push_back({"x-amz-date", "20260101T000000Z"}); });
  refused([](Request& request) { request.headers.push_back({"Authorization", "z"}); });
  refused([](Request& request) { request.headers.push_back({"X-Amz-Target-Too", "z"}); });
  refused([](Request& request) { request.headers.push_back({"content-type", "a/b"}); });
  refused([](Request& request) { request.signature->region = "eu:central"; });
  refused([](Request& request) { request.signature->service.clear(); });
  refused([](Request& request) { request.signature->secret_access_key.clear(); });
}

}  // namespace
}  // namespace northwind::internal::http

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

}  // namespace
}  // namespace northwind::internal::http

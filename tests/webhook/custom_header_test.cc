// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/custom_header.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/base/error.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Headers = std::vector<CustomHeader>;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

TEST(CustomHeaders, OrdinaryOnesAreTaken) {
  EXPECT_THAT(ValidateCustomHeaders({}), IsOk());
  EXPECT_THAT(ValidateCustomHeaders(Headers{{"X-Tenant", "42"},
                                            {"Authorization", "Bearer abc.def=="},
                                            {"Cookie", "a=b; c=d"},
                                            {"x!#$%&'*+-.^_`|~9", "blanks \t inside, \"and\" more"},
                                            {"Empty", ""},
                                            {"Contents", "content- is reserved, this is not"},
                                            {"X-Webhook-Id", "nor this"},
                                            {"Accept", "*/*"}}),
              IsOk());
}

TEST(CustomHeaders, ReservedOnesAreRefusedInAnyCase) {
  for (const char* name : {"Content-Type",
                           "content-length",
                           "CONTENT-ENCODING",
                           "Content-MD5",
                           "Host",
                           "User-Agent",
                           "webhook-id",
                           "Webhook-Timestamp",
                           "webhook-signature",
                           "webhook-",
                           "WEBHOOK-anything",
                           "Connection",
                           "Keep-Alive",
                           "Transfer-Encoding",
                           "TE",
                           "Trailer",
                           "Upgrade",
                           "HTTP2-Settings",
                           "Proxy-Authorization",
                           "Proxy-Authenticate",
                           "Proxy-Connection",
                           "Proxy-Anything",
                           "Expect",
                           "Accept-Encoding",
                           "Range"}) {
    EXPECT_TRUE(IsReservedHeader(name)) << name;
    EXPECT_THAT(ValidateCustomHeaders(Headers{{"Fine", "1"}, {name, "v"}}),
                StatusIs(kInvalid, AllOf(HasSubstr("headers[1].name"), HasSubstr("sender"))))
        << name;
  }
}

TEST(CustomHeaders, ANameIsAToken) {
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a:"), std::string(":path"), std::string("a\r"),
        std::string("a\n"), std::string("a\0", 2), std::string("\xc3\xbc"), std::string("a/b"), std::string("(a)"),
        std::string("\"a\""), std::string(" a")}) {
    EXPECT_THAT(ValidateCustomHeaders(Headers{{name, "v"}}), StatusIs(kInvalid, HasSubstr("headers[0].name"))) << name;
  }
}

TEST(CustomHeaders, AValueCannotBeginAnotherHeaderAndIsNotTold) {
  for (const std::string& value :
       {std::string("hush\r\nX: y"), std::string("hush\n"), std::string("hush\r"), std::string("hush\0", 5),
        std::string(" hush"), std::string("hush "), std::string("\thush"), std::string("hush\x7f"),
        std::string("hush\x1b[0m"), std::string("hush\xff"), std::string("h\xc3\xbcsh")}) {
    EXPECT_THAT(ValidateCustomHeaders(Headers{{"A", value}}),
                StatusIs(kInvalid, AllOf(HasSubstr("headers[0].value"), Not(HasSubstr("hush")))))
        << value;
  }
}

TEST(CustomHeaders, NoNameIsThereTwice) {
  EXPECT_THAT(ValidateCustomHeaders(Headers{{"X-A", "1"}, {"X-B", "2"}, {"x-a", "1"}}),
              StatusIs(kInvalid, HasSubstr("headers[2].name: x-a is there twice")));
}

TEST(CustomHeaders, NumberAndLengthsAreBounded) {
  Headers headers;
  while (headers.size() < kMaxCustomHeaders) headers.push_back({"X-" + std::to_string(headers.size()), "v"});
  EXPECT_THAT(ValidateCustomHeaders(headers), IsOk());
  headers.push_back({"One-More", ""});
  EXPECT_THAT(ValidateCustomHeaders(headers), StatusIs(kInvalid, HasSubstr("at most 32, not 33")));

  EXPECT_THAT(ValidateCustomHeaders(Headers{{std::string(64, 'n'), std::string(1024, 'v')}}), IsOk());
  EXPECT_THAT(ValidateCustomHeaders(Headers{{std::string(65, 'n'), ""}}),
              StatusIs(kInvalid, HasSubstr("name: longer")));
  EXPECT_THAT(ValidateCustomHeaders(Headers{{"n", std::string(1025, 'v')}}),
              StatusIs(kInvalid, HasSubstr("value: longer")));

  Headers wide;
  for (char c = 'a'; c < 'h'; ++c) wide.push_back({std::string(1, c), std::string(1024, 'v')});
  wide.push_back({"h", std::string(8192 - 7 * 1025 - 1, 'v')});
  EXPECT_THAT(ValidateCustomHeaders(wide), IsOk());
  wide.back().value.push_back('v');
  EXPECT_THAT(ValidateCustomHeaders(wide), StatusIs(kInvalid, HasSubstr("8192 bytes together")));
}

TEST(CustomHeaders, GoldenBytes) {
  const Headers headers = {{"X-A", "1"}, {"B", ""}};
  const SecretBytes bytes = EncodeCustomHeaders(headers);
  EXPECT_EQ(absl::BytesToHexString(ToAbsl(bytes.view())),
            "02"        // count
            "03582d41"  // name
            "0131"      // value
            "0142"      // name
            "00");      // value
  EXPECT_THAT(DecodeCustomHeaders(bytes.view()), IsOkAndHolds(headers));
}

TEST(CustomHeaders, DamageIsSeen) {
  const std::string bytes(EncodeCustomHeaders(Headers{{"X-A", "1"}, {"B", "hush"}}).view());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(DecodeCustomHeaders(bytes.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss)) << size;
  }
  EXPECT_THAT(DecodeCustomHeaders(bytes + "x"), StatusIs(absl::StatusCode::kDataLoss, Not(HasSubstr("hush"))));
  EXPECT_THAT(DecodeCustomHeaders(std::string("\0", 1)), StatusIs(absl::StatusCode::kDataLoss));
  std::string changed = bytes;
  changed[changed.find('1')] = '\n';
  EXPECT_THAT(DecodeCustomHeaders(changed), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace northwind::internal

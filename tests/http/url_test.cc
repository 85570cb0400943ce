// SPDX-License-Identifier: Apache-2.0
#include "src/http/url.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace northwind::internal::http {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Url, IsTakenApart) {
  const struct {
    const char* text;
    const char* canonical;
    const char* host;
    uint16_t port;
  } cases[] = {
      {"https://example.com", "https://example.com/", "example.com", 443},
      {"https://example.com/a/b?c=d&e", "https://example.com/a/b?c=d&e", "example.com", 443},
      {"HTTPS://Example.COM:8443/A", "https://example.com:8443/A", "example.com", 8443},
      {"https://example.com/a#secret", "https://example.com/a", "example.com", 443},
      {"http://example.com/", "http://example.com/", "example.com", 80},
      {"https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443},
      {"https://my_host-1.example/", "https://my_host-1.example/", "my_host-1.example", 443},
      {"https://localhost:1/", "https://localhost:1/", "localhost", 1},
      {"https://192.0.2.1/", "https://192.0.2.1/", "192.0.2.1", 443},
      {"https://[2001:DB8::1]:65535/", "https://[2001:db8::1]:65535/", "2001:db8::1", 65535},
  };
  for (const auto& each : cases) {
    const absl::StatusOr<Url> url = ParseUrl(each.text, Schemes::kHttpAndHttps);
    ASSERT_THAT(url, IsOk());
    EXPECT_EQ(url->text, each.canonical);
    EXPECT_EQ(url->host, each.host);
    EXPECT_EQ(url->port, each.port);
    EXPECT_EQ(url->literal, IpAddress::Parse(each.host));
  }
}

// Numbers that some resolvers take for addresses are read as the address at once, so that the guard sees it.
TEST(Url, OddSpellingsOfAnAddressAreThatAddressOrRefused) {
  for (const char* host :
       {"2130706433", "0x7f000001", "017700000001", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "0X7F.1",
        "127.0.0.1.", "%31%32%37.0.0.1", "127.0.0.1%2e", "0.0.0.0x7f000001", "127.0.0.1.1", "256.0.0.1", "1.2.3",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]"}) {
    const absl::StatusOr<Url> url = ParseUrl(std::string("https://") + host + "/", Schemes::kHttpsOnly);
    if (url.ok()) {
      EXPECT_TRUE(url->literal) << host << " is a name: " << url->host;
    }
  }
  EXPECT_EQ(ParseUrl("https://2130706433/", Schemes::kHttpsOnly)->literal, IpAddress::Parse("127.0.0.1"));
  EXPECT_EQ(ParseUrl("https://[::ffff:127.0.0.1]/", Schemes::kHttpsOnly)->literal, IpAddress::Parse("127.0.0.1"));
}

TEST(Url, OtherSchemesAreRefused) {
  for (const char* url :
       {"file:///etc/passwd",      "file://localhost/etc/passwd", "ftp://example.com/",  "ftps://example.com/",
        "gopher://example.com/_x", "gophers://example.com/",      "dict://example.com/", "ldap://example.com/",
        "smtp://example.com",      "telnet://example.com",        "scp://example.com/",  "sftp://example.com/",
        "tftp://example.com/",     "smb://example.com/",          "imap://example.com/", "ws://example.com/",
        "wss://example.com/",      "mqtt://example.com/",         "javascript://x/",     "data:text/plain,x",
        "unix:///tmp/x",           "httpss://example.com/",       "x://example.com/"}) {
    EXPECT_THAT(ParseUrl(url, Schemes::kHttpAndHttps),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("refused")))
        << url;
  }
  EXPECT_THAT(ParseUrl("http://example.com/", Schemes::kHttpsOnly),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("scheme")));
}

TEST(Url, UserInformationIsRefused) {
  for (const char* url : {"https://user@example.com/", "https://user:secret@example.com/",
                          "https://:secret@example.com/", "https://@example.com/", "https://example.com@10.0.0.1/",
                          "https://a@b@example.com/", "https://user%40example.com@other.example/"}) {
    EXPECT_THAT(ParseUrl(url, Schemes::kHttpsOnly),
                StatusIs(absl::StatusCode::kInvalidArgument, Not(HasSubstr("secret"))))
        << url;
  }
}

TEST(Url, WhatIsNotAPlainAbsoluteUrlIsRefused) {
  using std::string_view_literals::operator""sv;
  const std::string long_path = "https://example.com/" + std::string(kMaxUrlBytes, 'a');
  const std::string long_host = "https://" + std::string(64, 'a') + ".com/";
  std::string long_name = "https://";
  for (int i = 0; i < 64; ++i) long_name += "abcd.";
  long_name += "com/";
  for (const std::string_view url : {""sv,
                                     "example.com"sv,
                                     "/path"sv,
                                     "//example.com/"sv,
                                     "https:"sv,
                                     "https://"sv,
                                     "https:///path"sv,
                                     "https:/example.com/"sv,
                                     "https:////example.com/"sv,
                                     "https://:443/"sv,
                                     "https://example.com:0/"sv,
                                     "https://example.com:65536/"sv,
                                     "https://example.com:99999999999/"sv,
                                     "https://example.com:x/"sv,
                                     "https://example.com:-1/"sv,
                                     "https://exa mple.com/"sv,
                                     " https://example.com/"sv,
                                     "https://example.com/ "sv,
                                     "https://example.com/a b"sv,
                                     "https://example.com/\r\nHost: x"sv,
                                     "https://example.com/\n"sv,
                                     "https://example.com/\t"sv,
                                     "https://example.com/\0x"sv,
                                     "https://example.com\\@10.0.0.1/"sv,
                                     "https:\\\\example.com/"sv,
                                     "https://b\xc3\xbc"
                                     "cher.example/"sv,
                                     "https://example.com/\x7f"sv,
                                     "https://example..com/"sv,
                                     "https://.example.com/"sv,
                                     "https://example.com./"sv,
                                     "https://exa*mple.com/"sv,
                                     "https://exa%20mple.com/"sv,
                                     "https://example.com%00.evil/"sv,
                                     "https://example.com%0a/"sv,
                                     "https://[::1"sv,
                                     "https://[::1]x/"sv,
                                     "https://[fe80::1%25eth0]/"sv,
                                     "https://[fe80::1%eth0]/"sv,
                                     "https://[example.com]/"sv,
                                     "https://[127.0.0.1]/"sv,
                                     "https://[]/"sv,
                                     "https://[::1.2.3]/"sv,
                                     "https://1.2.3.4.5/"sv,
                                     std::string_view(long_path),
                                     std::string_view(long_host),
                                     std::string_view(long_name)}) {
    EXPECT_THAT(ParseUrl(url, Schemes::kHttpsOnly), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("refused")))
        << url;
  }
}

TEST(Url, ItsCanonicalFormIsItsOwnCanonicalForm) {
  for (const char* text :
       {"https://a.example/%2e%2e/x", "https://a.example/./b/../c", "https://a.example?x", "https://a.example/a%0d%0ab",
        "https://2130706433:444/?#", "https://[::FFFF:1.2.3.4]/", "https://a.example:443/", "https://A.EXAMPLE/%7Ex"}) {
    const absl::StatusOr<Url> once = ParseUrl(text, Schemes::kHttpsOnly);
    ASSERT_THAT(once, IsOk());
    const absl::StatusOr<Url> twice = ParseUrl(once->text, Schemes::kHttpsOnly);
    ASSERT_THAT(twice, IsOk());
    EXPECT_EQ(twice->text, once->text);
    EXPECT_EQ(twice->host, once->host);
    EXPECT_EQ(twice->port, once->port);
  }
}

}  // namespace
}  // namespace northwind::internal::http

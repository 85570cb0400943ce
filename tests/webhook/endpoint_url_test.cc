// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/endpoint_url.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/http/url.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;
using ::testing::StartsWith;

// Endpoints are called by another parser, libcurl's. What is accepted here must be accepted there and mean the same, or it
// would be found out with the first message.
void ExpectTheSenderReadsTheSame(const std::string& canonical) {
  const auto url = http::ParseUrl(canonical, http::Schemes::kHttpAndHttps);
  ASSERT_THAT(url, IsOk()) << canonical;
  EXPECT_EQ(url->text, canonical);
  const std::string host = url->host.find(':') == std::string::npos ? url->host : "[" + url->host + "]";
  const size_t slash = canonical.find('/', canonical.find("://") + 3);
  std::string authority = canonical.substr(0, slash);
  authority.erase(0, authority.find("://") + 3);
  const bool secure = canonical.starts_with("https:");
  EXPECT_EQ(authority, url->port == (secure ? 443 : 80) ? host : host + ":" + std::to_string(url->port)) << canonical;
}

TEST(EndpointUrl, IsBroughtIntoItsCanonicalForm) {
  constexpr struct {
    const char* given;
    const char* canonical;
  } kRows[] = {
      {"https://example.com/hook", "https://example.com/hook"},
      {"https://example.com", "https://example.com/"},
      {"https://example.com?a=b", "https://example.com/?a=b"},
      {"HTTPS://Example.COM/Hook?A=B", "https://example.com/Hook?A=B"},
      {"https://example.com:443/", "https://example.com/"},
      {"https://example.com:8443/", "https://example.com:8443/"},
      {"https://example.com:80/", "https://example.com:80/"},
      {"http://example.com:80/", "http://example.com/"},
      {"http://example.com:443/", "http://example.com:443/"},
      {"https://a_b.c-d.example/", "https://a_b.c-d.example/"},
      {"https://localhost:1/", "https://localhost:1/"},
      {"https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"},
      {"https://1.2.3.4/", "https://1.2.3.4/"},
      {"https://255.255.255.255:65535/", "https://255.255.255.255:65535/"},
      {"https://1password.example/", "https://1password.example/"},
      {"https://example.com?", "https://example.com/"},
      {"https://example.com/a?", "https://example.com/a"},
      {"https://example.com/a??", "https://example.com/a??"},
      {"https://example.com/.../.a/b./..c?/../.", "https://example.com/.../.a/b./..c?/../."},
      {"https://[2001:0DB8::0001]/", "https://[2001:db8::1]/"},
      {"https://[::1]:8443/x", "https://[::1]:8443/x"},
      {"https://[::ffff:1.2.3.4]:443", "https://[::ffff:1.2.3.4]/"},
      {"https://example.com/a%20b/~x/(y);z=1,2?q='*'&r=a@b:c//d?e",
       "https://example.com/a%20b/~x/(y);z=1,2?q='*'&r=a@b:c//d?e"},
      {"https://example.com/@user", "https://example.com/@user"},
  };
  for (const auto& [given, canonical] : kRows) {
    EXPECT_THAT(CanonicalUrl(given, PlainHttp::kAllowed), IsOkAndHolds(std::string(canonical))) << given;
    EXPECT_THAT(CanonicalUrl(canonical, PlainHttp::kAllowed), IsOkAndHolds(std::string(canonical)));
    ExpectTheSenderReadsTheSame(canonical);
  }
}

TEST(EndpointUrl, HttpIsRefusedUnlessItIsAllowed) {
  EXPECT_THAT(CanonicalUrl("http://example.com/", PlainHttp::kRefused),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("url: must begin with https://")));
}

TEST(EndpointUrl, AnythingElseIsRefused) {
  for (const char* bad : {
           "",
           "https",
           "https:",
           "https:/",
           "https://",
           "https:///x",
           "https://?q",
           "//example.com/",
           "example.com",
           "ftp://example.com/",
           "file:///etc/passwd",
           "httpsx://example.com/",
           "https:example.com",
           " https://example.com/",
           "https://example.com/ ",
           "https://example.com/a b",
           "https://example.com/\r\nX: y",
           "https://example.com/\t",
           // User, password, fragment.
           "https://user@example.com/",
           "https://user:pw@example.com/",
           "https://@example.com/",
           "https://example.com/#f",
           "https://example.com#",
           "https://example.com\\@evil.example/",
           // Ports.
           "https://example.com:/",
           "https://example.com:0/",
           "https://example.com:00443/",
           "https://example.com:65536/",
           "https://example.com:99999999999/",
           "https://example.com:-1/",
           "https://example.com:+1/",
           "https://example.com:8x/",
           "https://example.com:80:80/",
           // Names.
           "https://.example.com/",
           "https://example..com/",
           "https://example.com./",
           "https://-a.example/",
           "https://a-.example/",
           "https://exa mple/",
           "https://ex*mple.com/",
           "https://b\xc3\xbc"
           "cher.example/",
           "https://example.com%2e/",
           "https://%65xample.com/",
           // Addresses in disguise.
           "https://127.1/",
           "https://2130706433/",
           "https://0x7f000001/",
           "https://0x7f.1/",
           "https://017700000001/",
           "https://0177.0.0.1/",
           "https://1.2.3.4.5/",
           "https://1.2.3/",
           "https://1.2.3.256/",
           "https://01.2.3.4/",
           "https://a.1/",
           "https://a.0x1f/",
           "https://a.0x/",
           "https://example.0xg/",
           // Segments that would be taken out.
           "https://example.com/a/../b",
           "https://example.com/./b",
           "https://example.com/..",
           "https://example.com/a/.?q",
           "https://example.com/%2e%2E/b",
           "https://example.com/a/.%2e",
           // IPv6.
           "https://[]/",
           "https://[/",
           "https://[::1/",
           "https://::1/",
           "https://[::1]x/",
           "https://[::g]/",
           "https://[fe80::1%25eth0]/",
           "https://[fe80::1%eth0]/",
           "https://[1.2.3.4]/",
           "https://x[::1]/",
           "https://[::1]:/",
           // Characters of path and query.
           "https://example.com/%",
           "https://example.com/%2",
           "https://example.com/%zz",
           "https://example.com/\"",
           "https://example.com/<",
           "https://example.com/{}",
           "https://example.com/\\",
           "https://example.com/^",
           "https://example.com/`",
           "https://example.com/|",
           "https://example.com/?a[]=1",
           "https://example.com/\x7f",
           "https://example.com/\xc3\xbc",
       }) {
    EXPECT_THAT(CanonicalUrl(bad, PlainHttp::kAllowed),
                StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("url: ")))
        << bad;
  }
  EXPECT_THAT(CanonicalUrl(std::string_view("https://a\0b/", 12), PlainHttp::kAllowed),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(EndpointUrl, SaysWhatIsWrongAndNotTheUrl) {
  EXPECT_THAT(CanonicalUrl("https://hush:hush@example.com/", PlainHttp::kRefused),
              StatusIs(absl::StatusCode::kInvalidArgument, "url: must hold no user or password (\"@\")"));
  EXPECT_THAT(CanonicalUrl("https://127.1/", PlainHttp::kRefused),
              StatusIs(absl::StatusCode::kInvalidArgument, "url: the host is neither a name nor an address"));
}

TEST(EndpointUrl, IsWhatTheSenderWillCall) {
  Random random(TestSeed());
  const std::vector<std::string> schemes = {"https://", "https://", "http://", "HTTPS://", "https:/"};
  const std::vector<std::string> hosts = {"a",
                                          "A-b",
                                          "_x",
                                          "x_",
                                          "xn--bcher-kva",
                                          "1",
                                          "01",
                                          "0x7f",
                                          "127",
                                          "255",
                                          "256",
                                          ".",
                                          ".",
                                          ".",
                                          "-",
                                          "[::1]",
                                          "[::ffff:1.2.3.4]",
                                          "[::",
                                          "::2]",
                                          "[fe80::1]",
                                          "%2e",
                                          "e",
                                          "com",
                                          "localhost",
                                          "@",
                                          "[::ffff:102:304]",
                                          "[1:0:0:2:0:0:0:3]",
                                          "[0:0:0:0:0:0:0:0]",
                                          "[2001:DB8::]"};
  const std::vector<std::string> ports = {"", "", "", ":443", ":80", ":1", ":65535", ":0", ":65536", ":", ":0443"};
  const std::vector<std::string> rest = {"/",   "a", "?", "b=c", "%41", "%2f", "%", "..", ".", "//", "&", ";x",
                                         "'*'", "(", ")", "@",   ":",   "$",   "!", "~",  "+", ",",  "#"};
  uint64_t accepted = 0;
  for (uint64_t i = 0; i < TestOps(20'000); ++i) {
    std::string text = random.Pick(schemes);
    for (uint64_t n = random.Between(1, 5); n > 0; --n) text += random.Pick(hosts);
    text += random.Pick(ports);
    if (random.OneIn(2)) text += "/";
    for (uint64_t n = random.Below(6); n > 0; --n) text += random.Pick(rest);
    const auto canonical = CanonicalUrl(text, PlainHttp::kAllowed);
    if (!canonical.ok()) continue;
    ++accepted;
    ASSERT_NO_FATAL_FAILURE(ExpectTheSenderReadsTheSame(*canonical)) << text;
    ASSERT_THAT(CanonicalUrl(*canonical, PlainHttp::kAllowed), IsOkAndHolds(*canonical)) << text;
  }
  EXPECT_GT(accepted, 0u);
}

TEST(EndpointUrl, LengthsAreBounded) {
  const auto label = [](size_t size) { return std::string(size, 'a'); };
  const auto is_good = [](const std::string& url) { return CanonicalUrl(url, PlainHttp::kRefused).ok(); };
  EXPECT_TRUE(is_good("https://" + label(63) + ".example/"));
  EXPECT_FALSE(is_good("https://" + label(64) + ".example/"));
  const std::string long_name = label(63) + "." + label(63) + "." + label(63) + ".";
  EXPECT_TRUE(is_good("https://" + long_name + label(61) + "/"));  // 253
  EXPECT_FALSE(is_good("https://" + long_name + label(62) + "/"));
  const std::string begin = "https://example.com/";
  EXPECT_TRUE(is_good(begin + label(kMaxUrlBytes - begin.size())));
  EXPECT_FALSE(is_good(begin + label(kMaxUrlBytes - begin.size() + 1)));
  // The "/" that is put in would make it longer.
  EXPECT_FALSE(is_good("https://example.com?" + label(kMaxUrlBytes - begin.size())));
}

}  // namespace
}  // namespace northwind::internal

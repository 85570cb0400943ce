// SPDX-License-Identifier: Apache-2.0
//
// Bytes that two readers of HTTP could understand in two ways. Each is sent with a second request behind it that nobody asked for: the server
// refuses, ends the connection, and its handler sees neither.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <ostream>
#include <string>

#include "examples/reference_server/http/listener.h"
#include "tests/server/http/fake_authenticator.h"
#include "tests/server/http/raw_client.h"

namespace northwind::server {
namespace {

using ::northwind::testing::FakeAuthenticator;
using ::northwind::testing::RawClient;

struct Case {
  std::string name;
  std::string bytes;
  int status = 400;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::string Post(const std::string& fields, const std::string& body = "") {
  return "POST /take HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body;
}

std::string ManyFields(int count) {
  std::string fields;
  for (int i = 0; i < count; ++i) fields += "F" + std::to_string(i) + ": 1\r\n";
  return fields;
}

const Case kCases[] = {
    // How long the body is.
    {"LengthAndChunked", Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
    {"ChunkedAndLength", Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")},
    {"TwoLengths", Post("Content-Length: 0\r\nContent-Length: 5\r\n")},
    {"TwoLengthsTheSame", Post("Content-Length: 5\r\nContent-Length: 5\r\n", "abcde")},
    {"LengthsInAList", Post("Content-Length: 5, 5\r\n", "abcde")},
    {"LengthWithSign", Post("Content-Length: +5\r\n", "abcde")},
    {"LengthNegative", Post("Content-Length: -1\r\n")},
    {"LengthHexadecimal", Post("Content-Length: 0x5\r\n", "abcde")},
    {"LengthEmpty", Post("Content-Length: \r\n")},
    {"LengthNotANumber", Post("Content-Length: five\r\n")},
    {"LengthBeyond64Bits", Post("Content-Length: 18446744073709551617\r\n", "a")},
    {"LengthWithInnerBlank", Post("Content-Length: 1 0\r\n")},
    {"CodingIdentity", Post("Transfer-Encoding: identity\r\n")},
    {"CodingGzip", Post("Transfer-Encoding: gzip\r\n")},
    {"CodingGzipThenChunked", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")},
    {"CodingChunkedThenIdentity", Post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")},
    {"CodingChunkedTwice", Post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")},
    {"CodingInTwoFields", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
    {"CodingInTwoFieldsHidden", Post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
    {"CodingQuoted", Post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n")},
    {"CodingMisspelt", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")},
    {"CodingWithParameter", Post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n")},
    {"CodingEmpty", Post("Transfer-Encoding: \r\n", "0\r\n\r\n")},
    {"CodingWithVerticalTab", Post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n")},
    {"CodingInHttp10", "POST /take HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    // Fields.
    {"BlankBeforeColon", Post("Content-Length : 5\r\n", "abcde")},
    {"TabBeforeColon", Post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n")},
    {"NoColon", Post("Content-Length\r\n")},
    {"NoName", Post(": value\r\n")},
    {"NameWithBlank", Post("Content Length: 5\r\n", "abcde")},
    {"NameWithNul", Post(std::string("A\0B: 1\r\n", 8))},
    {"NameWithNonAscii", Post("Cont\xC3\xA9nt: 1\r\n")},
    {"ValueWithNul", Post(std::string("A: 1\0002\r\n", 8))},
    {"ValueWithDelete", Post("A: \x7F\r\n")},
    {"ValueWithBareCr", Post("A: 1\rB: 2\r\n")},
    {"Folded", Post("Content-Length:\r\n 5\r\n", "abcde")},
    {"FoldedByTab", Post("A: 1\r\n\tTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
    {"FirstFieldFolded", "POST /take HTTP/1.1\r\n Host: x\r\n\r\n"},
    {"BareLfAfterField", Post("A: 1\nContent-Length: 5\r\n", "abcde")},
    {"BareLfAfterLine", "POST /take HTTP/1.1\nHost: x\r\n\r\n"},
    {"BareLfEverywhere", "POST /take HTTP/1.1\nHost: x\n\n"},
    {"CrCrLf", "POST /take HTTP/1.1\r\r\nHost: x\r\n\r\n"},
    {"HundredAndOneFields", Post(ManyFields(101)), 431},
    // Hosts.
    {"NoHost", "POST /take HTTP/1.1\r\n\r\n"},
    {"TwoHosts", Post("Host: y\r\n")},
    {"TwoHostsTheSame", Post("Host: x\r\n")},
    // The line itself.
    {"NoVersion", "POST /take\r\nHost: x\r\n\r\n"},
    {"Version09", "POST /take HTTP/0.9\r\nHost: x\r\n\r\n"},
    {"Version12", "POST /take HTTP/1.2\r\nHost: x\r\n\r\n"},
    {"Version2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    {"VersionLowerCase", "POST /take http/1.1\r\nHost: x\r\n\r\n"},
    {"VersionWithBlank", "POST /take HTTP/1.1 \r\nHost: x\r\n\r\n"},
    {"TwoBlanks", "POST  /take HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"LeadingBlank", " POST /take HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"AbsoluteForm", "POST http://y/take HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"AuthorityForm", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"AsteriskForm", "POST * HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"TargetWithFragment", "POST /take#x HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"TargetWithNonAscii", "POST /tak\xC3\xA9 HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"TargetWithBlank", "POST /take /x HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"PathBadlyEncoded", "POST /take%zz HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"PathCutInEscape", "POST /take%4 HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"PathWithEscapedSlash", "POST /x%2Ftake HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"PathWithEscapedNul", "POST /take%00 HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"PathWithBackslash", "POST /x\\take HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"PathWithEscapedBackslash", "POST /x%5ctake HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"PathThatGoesUp", "POST /x/../take HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"PathThatGoesUpEscaped", "POST /x/%2e%2E/take HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"PathThatStays", "POST /./take HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"QueryBadlyEncoded", "POST /take?a=%zz HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"QueryCutInEscape", "POST /take?a=%4 HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"MethodUnknown", "BREW /take HTTP/1.1\r\nHost: x\r\n\r\n", 501},
    {"MethodLowerCase", "post /take HTTP/1.1\r\nHost: x\r\n\r\n", 501},
    {"MethodWithNul", std::string("PO\0T /take HTTP/1.1\r\nHost: x\r\n\r\n", 32)},
    {"Tls", "\x16\x03\x01\x02\x01\x01\n\r\n\r\n"},
    {"TwoEmptyLines", "\r\n\r\nPOST /take HTTP/1.1\r\nHost: x\r\n\r\n"},
    // Chunks.
    {"ChunkWithoutSize", Post("Transfer-Encoding: chunked\r\n", "\r\n\r\n")},
    {"ChunkSizeNegative", Post("Transfer-Encoding: chunked\r\n", "-1\r\na\r\n0\r\n\r\n")},
    {"ChunkSizeWithPrefix", Post("Transfer-Encoding: chunked\r\n", "0x1\r\na\r\n0\r\n\r\n")},
    {"ChunkSizeBeyond64Bits", Post("Transfer-Encoding: chunked\r\n", "10000000000000000\r\na\r\n0\r\n\r\n")},
    {"ChunkLongerThanItSays", Post("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n")},
    {"ChunkEndedByLf", Post("Transfer-Encoding: chunked\r\n", "1\na\n0\n\n")},
    {"ChunkSizeLargerThanIsTaken", Post("Transfer-Encoding: chunked\r\n", "FFFFFF\r\n"), 413},
};

class Smuggling : public ::testing::TestWithParam<Case> {
 protected:
  Smuggling() {
    Route route{.method = Method::kPost, .pattern = "/take", .name = "take", .scope = Scope::kPublic, .max_body = 1000};
    route.handler = [this](const Request&, const Caller&) {
      ++taken_;
      return Response{.content_type = "text/plain", .body = "taken"};
    };
    router_.Add(std::move(route));
    auto listener = Listener::Start({}, router_);
    EXPECT_TRUE(listener.ok()) << listener.status();
    if (listener.ok()) listener_ = *std::move(listener);
  }

  std::atomic<int> taken_ = 0;
  FakeAuthenticator auth_;
  Router router_{auth_};
  std::unique_ptr<Listener> listener_;
};

TEST_P(Smuggling, IsRefusedAndTheConnectionEnds) {
  ASSERT_NE(listener_, nullptr);
  RawClient client(listener_->port());
  ASSERT_TRUE(client.Send(GetParam().bytes + "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
  client.FinishSending();
  const auto answer = client.Answer();
  EXPECT_EQ(answer.status, GetParam().status) << answer.body;
  EXPECT_THAT(answer.head, ::testing::HasSubstr("Connection: close\r\n"));
  EXPECT_EQ(client.Rest(), "") << "a second answer";
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(taken_, 0);
}

INSTANTIATE_TEST_SUITE_P(Corpus, Smuggling, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

// What looks odd and is as HTTP wants it.
TEST_F(Smuggling, WhatIsAllowedIsTaken) {
  ASSERT_NE(listener_, nullptr);
  RawClient client(listener_->port());
  const std::string good[] = {
      "\r\n" + Post("Content-Length: 0\r\n"),
      Post("content-length:3\r\n", "abc"),
      Post("Content-Length: \t 3 \t\r\n", "abc"),
      Post("TRANSFER-ENCODING: Chunked\r\n", "1;a=b\r\nx\r\n0\r\nTrailer: 1\r\n\r\n"),
      Post("Content-Length: 000\r\n"),
      Post(ManyFields(98) + "Content-Length: 0\r\n"),
      "POST /take?a=1&a=2&=%20 HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n",
  };
  // And after each, the next request is the next, not what was left of it.
  int expected = 0;
  for (const std::string& request : good) {
    ASSERT_TRUE(client.Send(request));
    EXPECT_EQ(client.Answer().body, "taken") << request;
    EXPECT_EQ(taken_, ++expected);
  }
}

}  // namespace
}  // namespace northwind::server

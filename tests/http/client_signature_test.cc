// SPDX-License-Identifier: Apache-2.0
//
// Requests signed by Signature Version 4 of AWS, checked by a computation of its own over what the server received.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "src/http/client.h"
#include "tests/http/client_fixture.h"

namespace northwind::testing {
namespace {

using http::Failure;
using ::testing::HasSubstr;

std::string Sha256Hex(const std::string& text) {
  unsigned char digest[32];
  EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_sha256(), nullptr);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<char*>(digest), sizeof(digest)));
}

std::string Hmac(const std::string& key, const std::string& text) {
  unsigned char digest[32];
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &length);
  return {reinterpret_cast<char*>(digest), length};
}

// The text behind `name` up to the next comma.
std::string Field(const std::string& authorization, const std::string& name) {
  const size_t at = authorization.find(name + "=");
  if (at == std::string::npos) return {};
  const size_t begin = at + name.size() + 1;
  return authorization.substr(begin, authorization.find(',', begin) - begin);
}

// The signature that the request should have, by what it says of scope and headers.
std::string ExpectedSignature(const ServedRequest& request, const std::string& secret) {
  const std::string authorization = request.Header("Authorization").value_or("");
  std::string canonical = absl::StrCat(request.method, "\n/\n\n");
  const std::string names = Field(authorization, "SignedHeaders");
  const std::vector<std::string> lines = absl::StrSplit(request.head, "\r\n");
  for (const absl::string_view name : absl::StrSplit(names, ';')) {
    std::string value;
    for (const std::string& line : lines) {
      if (absl::AsciiStrToLower(line.substr(0, line.find(':'))) == name) value = line.substr(line.find(':') + 1);
    }
    absl::StrAppend(&canonical, name, ":", absl::StripAsciiWhitespace(value), "\n");
  }
  absl::StrAppend(&canonical, "\n", names, "\n", Sha256Hex(request.body));
  const std::vector<std::string> scope = absl::StrSplit(Field(authorization, "Credential"), '/');
  if (scope.size() != 5) return {};
  const std::string to_sign =
      absl::StrCat("AWS4-HMAC-SHA256\n", request.Header("X-Amz-Date").value_or(""), "\n", scope[1], "/", scope[2], "/",
                   scope[3], "/aws4_request\n", Sha256Hex(canonical));
  const std::string key = Hmac(Hmac(Hmac(Hmac("AWS4" + secret, scope[1]), scope[2]), scope[3]), "aws4_request");
  return absl::BytesToHexString(Hmac(key, to_sign));
}

http::Request Signed(const TestServer& server) {
  return {.url = "http://" + server.authority() + "/",
          .headers = {{"Content-Type", "application/x-amz-json-1.0"}, {"X-Amz-Target", "AmazonSQS.ReceiveMessage"}},
          .body = R"({"QueueUrl":"http://example.com/q"})",
          .signature = http::AwsSignature{"eu-central-1", "sqs", "AKID", "se:cr/et+"},
          .timeout = kNever};
}

TEST(HttpSignature, IsThatOfTheRequestAsItArrived) {
  std::vector<ServedRequest> seen;
  TestServer server(TestServer::Answer([&](const ServedRequest& request) {
    seen.push_back(request);
    return TestServer::Ok("{}");
  }));
  const auto client = MakeClient();
  std::vector<http::Request> requests(4, Signed(server));
  requests[1].headers.push_back({"X-Amz-Security-Token", "FwoGZXIvYXdzE/+a=="});
  requests[2].body = std::string(http::kMaxSignedBodyBytes, '\0');
  requests[3].body.clear();
  for (const http::Request& request : requests) {
    EXPECT_EQ(Fetch(*client, request).status, 200);
    const ServedRequest& served = seen.back();
    const std::string authorization = served.Header("Authorization").value_or("");
    EXPECT_THAT(authorization, HasSubstr("AWS4-HMAC-SHA256 Credential=AKID/"));
    EXPECT_THAT(authorization, HasSubstr("/eu-central-1/sqs/aws4_request"));
    for (const char* name : {"content-type", "host", "x-amz-date", "x-amz-target"}) {
      EXPECT_THAT(Field(authorization, "SignedHeaders"), HasSubstr(name));
    }
    EXPECT_EQ(Field(authorization, "Signature"), ExpectedSignature(served, "se:cr/et+")) << served.head;
    EXPECT_EQ(served.Header("Expect"), std::nullopt);
    EXPECT_EQ(served.body, request.body);
  }
  EXPECT_THAT(Field(*seen[1].Header("Authorization"), "SignedHeaders"), HasSubstr("x-amz-security-token"));
  EXPECT_EQ(server.connections(), 1u);
}

TEST(HttpSignature, OfOneRequestIsNotThatOfTheNextOnTheSameConnection) {
  std::vector<ServedRequest> seen;
  TestServer server(TestServer::Answer([&](const ServedRequest& request) {
    seen.push_back(request);
    return TestServer::Ok("{}");
  }));
  const auto client = MakeClient();
  http::Request request = Signed(server);
  EXPECT_EQ(Fetch(*client, request).status, 200);
  request.signature->access_key_id = "AKID2";
  request.signature->secret_access_key = "another";
  EXPECT_EQ(Fetch(*client, request).status, 200);
  request.signature.reset();
  EXPECT_EQ(Fetch(*client, request).status, 200);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(server.connections(), 1u);
  EXPECT_THAT(*seen[1].Header("Authorization"), HasSubstr("Credential=AKID2/"));
  EXPECT_EQ(Field(*seen[1].Header("Authorization"), "Signature"), ExpectedSignature(seen[1], "another"));
  EXPECT_EQ(seen[2].Header("Authorization"), std::nullopt);
  EXPECT_EQ(seen[2].Header("X-Amz-Date"), std::nullopt);
}

}  // namespace
}  // namespace northwind::testing

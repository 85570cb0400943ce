// SPDX-License-Identifier: Apache-2.0
//
// Which source is taken, and what a container's endpoint is asked; sources that a real server gives are in
// credentials_test.cc.
#include "src/sqs/credential_chain.h"

#include <gtest/gtest.h>

#include "src/sqs/remote_credentials.h"
#include "tests/http/test_server.h"
#include "tests/sqs/fake_environment.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using absl::StatusCode;
using internal::sqs::AwsCredentials;
using internal::sqs::AwsKeys;
using internal::sqs::FindCredentials;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kContainerKeys =
    R"({"RoleArn":"r","AccessKeyId":"CONTAINER","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-27T12:00:00Z"})";

class CredentialChain : public ::testing::Test {
 protected:
  CredentialChain() {
    environment_ = {{"AWS_CONFIG_FILE", directory_ / "config"},
                    {"AWS_SHARED_CREDENTIALS_FILE", directory_ / "credentials"}};
  }
  absl::StatusOr<std::unique_ptr<AwsCredentials>> Find() {
    return FindCredentials({.region = "eu-central-1"}, Lookup(environment_));
  }
  absl::StatusOr<AwsKeys> Get() {
    NW_ASSIGN_OR_RETURN(const auto found, Find());
    return found->Get();
  }
  void WriteProfile(const std::string& settings) { WriteFile(directory_ / "credentials", "[default]\n" + settings); }

  TempDir directory_;
  FakeEnvironment environment_;
};

TEST_F(CredentialChain, TheFirstThatIsConfiguredIsTaken) {
  TestServer server(TestServer::Answer([](const ServedRequest&) { return TestServer::Ok(kContainerKeys); }));
  environment_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://" + server.authority() + "/keys";
  EXPECT_EQ(Get()->access_key_id, "CONTAINER");
  WriteProfile("aws_access_key_id = PROFILE\naws_secret_access_key = s/+=\naws_session_token = t\n");
  EXPECT_EQ(*Get(), (AwsKeys{"PROFILE", "s/+=", "t", {}}));
  environment_["AWS_ACCESS_KEY_ID"] = "ENVIRONMENT";
  EXPECT_THAT(Find(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("only one")));
  environment_["AWS_SECRET_ACCESS_KEY"] = "s";
  EXPECT_EQ(*Get(), (AwsKeys{"ENVIRONMENT", "s", "", {}}));
  environment_["AWS_SESSION_TOKEN"] = "t";
  EXPECT_EQ(Get()->session_token, "t");
}

TEST_F(CredentialChain, KeysInTheFilesAreReadEachTime) {
  WriteProfile("aws_access_key_id=A\naws_secret_access_key=s\n");
  NW_ASSERT_OK_AND_ASSIGN(const auto credentials, Find());
  EXPECT_EQ(credentials->Get()->access_key_id, "A");
  WriteProfile("aws_access_key_id=B\naws_secret_access_key=s\n");
  EXPECT_EQ(credentials->Get()->access_key_id, "B");
  WriteProfile("aws_access_key_id=B\n");
  EXPECT_THAT(credentials->Get(), StatusIs(StatusCode::kUnavailable));
}

TEST_F(CredentialChain, AProfileThatNeedsWhatIsNotSupportedIsRefusedNotPassedOver) {
  environment_["AWS_EC2_METADATA_DISABLED"] = "true";
  for (const char* setting :
       {"source_profile", "credential_source", "credential_process", "sso_session", "sso_start_url"}) {
    WriteProfile(std::string(setting) + " = x\nrole_arn = arn\n");
    EXPECT_THAT(Find(), StatusIs(StatusCode::kInvalidArgument, HasSubstr(setting)));
  }
  WriteProfile("role_arn = arn\n");
  EXPECT_THAT(Find(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("role_arn")));
  WriteProfile("web_identity_token_file = /x\n");
  EXPECT_THAT(Find(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("no role_arn")));
  WriteProfile("aws_access_key_id = x\n");
  EXPECT_THAT(Find(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("only one")));
  environment_["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/x";
  EXPECT_THAT(Find(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("AWS_ROLE_ARN")));
}

TEST_F(CredentialChain, WithNothingConfiguredAndTheInstanceDisabledThereIsNone) {
  environment_["AWS_EC2_METADATA_DISABLED"] = "TRUE";
  EXPECT_THAT(Find(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("none in")));
}

TEST_F(CredentialChain, WithNothingConfiguredAndNoInstanceItIsUnauthenticated) {
  {
    const TestServer gone([](ServedConnection&) {});
    environment_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://" + gone.authority() + "/";
  }
  EXPECT_THAT(Get(), StatusIs(StatusCode::kUnauthenticated, HasSubstr("no credentials in the environment")));
}

TEST_F(CredentialChain, AContainersEndpointIsAskedWithTheTokenThatItsFileHasNow) {
  std::vector<ServedRequest> seen;
  TestServer server(TestServer::Answer([&](const ServedRequest& request) {
    seen.push_back(request);
    return TestServer::Ok(kContainerKeys);
  }));
  environment_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://" + server.authority() + "/v1/credentials?a=b";
  environment_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "text";
  EXPECT_THAT(Get(),
              IsOkAndHolds(AwsKeys{"CONTAINER", "s", "t",
                                   absl::FromCivil(absl::CivilSecond(2026, 11, 27, 12, 0, 0), absl::UTCTimeZone())}));
  environment_["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = directory_ / "token";
  NW_ASSERT_OK_AND_ASSIGN(const auto credentials, Find());
  EXPECT_THAT(credentials->Get(), StatusIs(StatusCode::kUnavailable, HasSubstr("token")));
  WriteFile(directory_ / "token", "one\n");
  EXPECT_THAT(credentials->Get(), IsOk());
  WriteFile(directory_ / "token", "two");
  EXPECT_THAT(credentials->Get(), IsOk());
  WriteFile(directory_ / "token", "two\r\nEvil: 1");
  EXPECT_THAT(credentials->Get(), StatusIs(StatusCode::kUnauthenticated, Not(HasSubstr("Evil"))));
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].method + " " + seen[0].target, "GET /v1/credentials?a=b");
  EXPECT_EQ(seen[0].Header("Authorization"), "text");
  EXPECT_EQ(seen[1].Header("Authorization"), "one");
  EXPECT_EQ(seen[2].Header("Authorization"), "two");
}

TEST_F(CredentialChain, AContainersEndpointIsNotAskedOverHttpAnywhereElse) {
  for (const char* url : {"http://192.0.2.1/keys", "http://169.254.169.254/keys", "http://10.0.0.1:8080/"}) {
    environment_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
    EXPECT_THAT(Get(), StatusIs(StatusCode::kUnauthenticated, HasSubstr("not allowed"))) << url;
  }
  environment_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "ftp://127.0.0.1/";
  EXPECT_THAT(Find(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("FULL_URI")));
  environment_["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "@evil.example/";
  EXPECT_THAT(Find(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("RELATIVE_URI")));
}

TEST_F(CredentialChain, AContainersEndpointThatFailsMayPassAndOneThatRefusesDoesNot) {
  int status = 0;
  std::string body;
  TestServer server(TestServer::Answer([&](const ServedRequest&) {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
  }));
  environment_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://" + server.authority() + "/";
  const struct {
    int status;
    const char* body;
    StatusCode code;
  } cases[] = {{500, "", StatusCode::kUnavailable},
               {429, "", StatusCode::kUnavailable},
               {403, "", StatusCode::kUnauthenticated},
               {404, "", StatusCode::kUnauthenticated},
               {200, "", StatusCode::kUnavailable},
               {200, "{}", StatusCode::kUnavailable},
               {200, R"({"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"})", StatusCode::kUnavailable},
               {200, R"({"Code":"AssumeRoleUnauthorizedAccess"})", StatusCode::kUnauthenticated}};
  for (const auto& each : cases) {
    status = each.status;
    body = each.body;
    EXPECT_THAT(Get(), StatusIs(each.code)) << each.status << " " << each.body;
  }
}

}  // namespace
}  // namespace northwind::testing

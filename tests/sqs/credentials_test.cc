// SPDX-License-Identifier: Apache-2.0
//
// Credentials from their real sources, used at a real queue: a server that gives them and checks signatures made by them.
#include <gtest/gtest.h>

#include "src/sqs/credential_chain.h"
#include "tests/sqs/fake_environment.h"
#include "tests/sqs/queue_client_fixture.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using internal::sqs::FindCredentials;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Credentials : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new SqsServer; }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  Credentials() {
    environment_ = {{"AWS_CONFIG_FILE", directory_ / "config"},
                    {"AWS_SHARED_CREDENTIALS_FILE", directory_ / "credentials"}};
  }
  std::unique_ptr<sqs::QueueClient> MakeClient(const std::string& queue_url) {
    auto credentials = FindCredentials({.region = server_->region()}, Lookup(environment_));
    NW_CHECK(credentials.ok(), "no credentials");
    return MakeQueueClient(server_->ClientOptions(queue_url), *std::move(credentials));
  }
  // New keys of this user, in the shared file; their id.
  std::string WriteNewKeys(const std::string& user) {
    const auto key = server_->Call("iam", "create_access_key", {{"UserName", user}})["AccessKey"];
    WriteFile(directory_ / "credentials", "[default]\naws_access_key_id = " + key["AccessKeyId"].get<std::string>() +
                                              "\naws_secret_access_key = " + key["SecretAccessKey"].get<std::string>() +
                                              "\n");
    return key["AccessKeyId"];
  }
  // Who may receive.
  static void CreateUser(const std::string& user) {
    server_->Call("iam", "create_user", {{"UserName", user}});
    server_->Call("iam", "put_user_policy",
                  {{"UserName", user}, {"PolicyName", "receive"}, {"PolicyDocument", kMayReceive}});
  }

  static constexpr const char* kMayReceive =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:ReceiveMessage","Resource":"*"}]})";
  static SqsServer* server_;
  TempDir directory_;
  FakeEnvironment environment_;
};
SqsServer* Credentials::server_ = nullptr;

TEST_F(Credentials, OfAWebIdentityOpenTheQueueWithTheirSessionToken) {
  const std::string url = server_->CreateQueue("web-identity");
  server_->Send(url, "a");
  const std::string anybody =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRoleWithWebIdentity"}]})";
  const std::string arn = server_->Call(
      "iam", "create_role", {{"RoleName", "payments"}, {"AssumeRolePolicyDocument", anybody}})["Role"]["Arn"];
  server_->Call("iam", "put_role_policy",
                {{"RoleName", "payments"}, {"PolicyName", "receive"}, {"PolicyDocument", kMayReceive}});
  WriteFile(directory_ / "token", "a.web.token\n");
  environment_["AWS_WEB_IDENTITY_TOKEN_FILE"] = directory_ / "token";
  environment_["AWS_ROLE_ARN"] = arn;
  environment_["AWS_ENDPOINT_URL_STS"] = server_->endpoint();

  NW_ASSERT_OK_AND_ASSIGN(const auto credentials, FindCredentials({.region = server_->region()}, Lookup(environment_)));
  NW_ASSERT_OK_AND_ASSIGN(const sqs::AwsKeys keys, credentials->Get());
  EXPECT_NE(keys.session_token, "");
  ASSERT_TRUE(keys.expires_at);
  EXPECT_GT(*keys.expires_at, absl::Now() + absl::Minutes(30));
  EXPECT_LT(*keys.expires_at, absl::Now() + absl::Hours(2));

  const auto client = MakeClient(url);
  EXPECT_THAT(Receive(*client), IsOkAndHolds(SizeIs(1)));
  // They are the role's, not somebody's who may do everything.
  EXPECT_THAT(Attributes(*client), StatusIs(absl::StatusCode::kPermissionDenied));
  // Without the token, or with another, the same keys are refused.
  for (const std::string& token : {std::string(), std::string("another")}) {
    sqs::AwsKeys bad = keys;
    bad.session_token = token;
    const auto refused = MakeQueueClient(server_->ClientOptions(url), std::make_unique<sqs::StaticCredentials>(bad));
    EXPECT_FALSE(Receive(*refused).ok()) << token;
  }

  // The same, from the profile.
  environment_.erase("AWS_WEB_IDENTITY_TOKEN_FILE");
  environment_.erase("AWS_ROLE_ARN");
  WriteFile(directory_ / "config",
            "[default]\nrole_arn = " + arn + "\nweb_identity_token_file = " + (directory_ / "token") + "\n");
  EXPECT_THAT(Receive(*MakeClient(url)), IsOk());
}

TEST_F(Credentials, OfAnInstanceComeByVersionTwoOfItsMetadata) {
  environment_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server_->endpoint() + "/";
  NW_ASSERT_OK_AND_ASSIGN(const auto credentials, FindCredentials({.region = server_->region()}, Lookup(environment_)));
  NW_ASSERT_OK_AND_ASSIGN(const sqs::AwsKeys keys, credentials->Get());
  EXPECT_EQ(keys.access_key_id, "test-key");
  EXPECT_EQ(keys.secret_access_key, "test-secret-key");
  EXPECT_EQ(keys.session_token, "test-session-token");
  ASSERT_TRUE(keys.expires_at);
  EXPECT_GT(*keys.expires_at, absl::Now() + absl::Hours(23));
  // It has answered before: that it is down passes.
  server_->Down();
  EXPECT_THAT(credentials->Get(), StatusIs(absl::StatusCode::kUnavailable));
  server_->Up();
  EXPECT_THAT(credentials->Get(), IsOk());
}

TEST_F(Credentials, ThatAreReplacedInTheFileAndWithdrawnAreAskedForAnewInTheMidstOfWork) {
  const std::string url = server_->CreateQueue("rotation");
  server_->SendAll(url, {"a", "b"});
  CreateUser("rotating");
  const std::string old_id = WriteNewKeys("rotating");
  const auto client = MakeClient(url);
  EXPECT_THAT(Receive(*client, 1), IsOkAndHolds(SizeIs(1)));
  WriteNewKeys("rotating");
  server_->Call("iam", "delete_access_key", {{"UserName", "rotating"}, {"AccessKeyId", old_id}});
  EXPECT_THAT(Receive(*client, 1), IsOkAndHolds(SizeIs(1)));
  EXPECT_EQ(client->Stats().requests, 3u);
  EXPECT_EQ(client->Stats().retries, 1u);
}

TEST_F(Credentials, ThatAreWithdrawnWithoutOthersInTheirPlaceAreUnauthenticatedAndSoSaid) {
  const std::string url = server_->CreateQueue("withdrawn");
  CreateUser("leaving");
  const std::string id = WriteNewKeys("leaving");
  const auto client = MakeClient(url);
  EXPECT_THAT(Receive(*client), IsOk());
  server_->Call("iam", "delete_access_key", {{"UserName", "leaving"}, {"AccessKeyId", id}});
  EXPECT_THAT(Receive(*client), StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("InvalidClientTokenId")));
  WriteNewKeys("leaving");
  EXPECT_THAT(Receive(*client), IsOk());
}

}  // namespace
}  // namespace northwind::testing

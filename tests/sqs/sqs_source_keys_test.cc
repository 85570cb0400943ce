// SPDX-License-Identifier: Apache-2.0
//
// What a source does when its keys are replaced under it, or do not suffice.
#include "gmock/gmock.h"
#include "northwind/sqs.h"
#include "tests/sqs/fake_environment.h"
#include "tests/sqs/source_fixture.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kMayAll =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"}]})";
// All but to delete.
constexpr const char* kMayLook =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sqs:ReceiveMessage","sqs:GetQueueAttributes",
        "sqs:ChangeMessageVisibilityBatch"],"Resource":"*"}]})";

// The keys of a user of the test's own, in the shared file.
class SqsSourceKeys : public SqsSourceTest {
 protected:
  SqsSourceKeys() : user_("user-" + UniqueName()) {
    for (const char* name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}) unsetenv(name);
    setenv("AWS_CONFIG_FILE", (directory_ / "config").c_str(), 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", (directory_ / "credentials").c_str(), 1);
    server().Call("iam", "create_user", {{"UserName", user_}});
  }
  ~SqsSourceKeys() override {
    for (const char* name : {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE",
                             "AWS_ROLE_ARN", "AWS_ENDPOINT_URL_STS"}) {
      unsetenv(name);
    }
  }

  void Allow(const char* policy) {
    server().Call("iam", "put_user_policy", {{"UserName", user_}, {"PolicyName", "queue"}, {"PolicyDocument", policy}});
  }
  SqsServer::Json CreateKey() { return server().Call("iam", "create_access_key", {{"UserName", user_}})["AccessKey"]; }
  // Its id.
  std::string PutKeyInFile(const SqsServer::Json& key) {
    // Renamed into place, as whoever replaces keys should: a source that reads it meanwhile finds the old ones or the new.
    const std::string id = key["AccessKeyId"], secret = key["SecretAccessKey"];
    WriteFile(directory_ / "new", "[default]\naws_access_key_id=" + id + "\naws_secret_access_key=" + secret + "\n");
    std::filesystem::rename(directory_ / "new", directory_ / "credentials");
    return id;
  }
  void Withdraw(const std::string& id) {
    server().Call("iam", "delete_access_key", {{"UserName", user_}, {"AccessKeyId", id}});
  }
  std::unique_ptr<SqsSource> OpenWithWhatIsConfigured(const std::string& url) {
    SqsOptions options = OptionsOf(url, kLongPoll);
    options.max_messages = 20;  // so that there is work for a while
    auto source = SqsSource::Open(*intake_, options);
    EXPECT_THAT(source, IsOk());
    return *std::move(source);
  }
  // Sends so many, and returns when the source is in the midst of them.
  void SendAndAwaitSome(const std::string& url, const SqsSource& source, size_t count) {
    const uint64_t before = source.Stats().applied;
    server().SendAll(url, Captures(sent_, count));
    sent_ += count;
    ASSERT_TRUE(Await([&] { return source.Stats().applied > before; })) << source.Stats().status;
  }
  void ExpectAllAppliedOnce(const std::string& url, SqsSource& source) {
    EXPECT_TRUE(source.WaitUntilDrained(kPatience)) << source.Stats().status;
    EXPECT_THAT(source.Stop(), IsOk());
    const SqsStats stats = source.Stats();
    EXPECT_EQ(stats.applied, sent_);
    EXPECT_GE(stats.deleted, sent_);
    EXPECT_EQ(Available(), 100 * static_cast<int64_t>(sent_));
    EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
    ExpectBooksBalance(*ledger_);
  }

  TempDir directory_;
  const std::string user_;
  size_t sent_ = 0;
};

TEST_F(SqsSourceKeys, ThatAreReplacedInTheFileAndThenRefusedInAnyWordsCostNothing) {
  const char* const words[] = {
      R"({"__type":"com.amazon.coral.service#ExpiredTokenException","message":"The security token is expired"})",
      R"({"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"The security token is invalid."})",
      R"({"__type":"com.amazon.coral.service#InvalidSignatureException","message":"The signature does not match"})"};
  Allow(kMayAll);
  const std::string url = NewQueue();
  std::string id = PutKeyInFile(CreateKey());
  auto source = OpenWithWhatIsConfigured(url);
  ASSERT_THAT(source->Start(), IsOk());
  for (const char* body : words) {
    ASSERT_NO_FATAL_FAILURE(SendAndAwaitSome(url, *source, 60));
    const uint64_t retries = source->Stats().retries;
    const std::string next = PutKeyInFile(CreateKey());
    server().RefuseKeysInUse(403, body);
    EXPECT_TRUE(Await([&] { return source->Stats().retries > retries; })) << "the old ones are refused";
    EXPECT_EQ(source->Stats().state, SqsState::kRunning) << source->Stats().status;
    Withdraw(id);
    id = next;
  }
  // And by the server's own check, of keys that are no more.
  ASSERT_NO_FATAL_FAILURE(SendAndAwaitSome(url, *source, 60));
  PutKeyInFile(CreateKey());
  Withdraw(id);
  ASSERT_NO_FATAL_FAILURE(SendAndAwaitSome(url, *source, 20));
  ASSERT_NO_FATAL_FAILURE(ExpectAllAppliedOnce(url, *source));
}

TEST_F(SqsSourceKeys, ThatAreWithdrawnBeforeThereAreOthersHaltAndNothingIsLost) {
  Allow(kMayAll);
  const std::string url = NewQueue({{"VisibilityTimeout", "2"}});
  const std::string id = PutKeyInFile(CreateKey());
  auto source = OpenWithWhatIsConfigured(url);
  ASSERT_THAT(source->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(SendAndAwaitSome(url, *source, 200));
  Withdraw(id);
  ASSERT_TRUE(AwaitState(*source, SqsState::kHalted));
  EXPECT_THAT(source->Stats().status, StatusIs(absl::StatusCode::kUnauthenticated,
                                               AllOf(HasSubstr("InvalidClientTokenId"), HasSubstr("no others"))));
  EXPECT_THAT(source->Start(), StatusIs(absl::StatusCode::kUnauthenticated)) << "there are still no others";
  PutKeyInFile(CreateKey());
  ASSERT_THAT(source->Start(), IsOk());
  // What could not be deleted is seen again after its timeout.
  EXPECT_TRUE(Await([&] { return server().Visible(url) + server().InFlight(url) == 0; }));
  ASSERT_NO_FATAL_FAILURE(ExpectAllAppliedOnce(url, *source));
}

TEST_F(SqsSourceKeys, OfARoleThatExpireBeforeTheirTimeAreAskedForAnew) {
  const std::string anybody =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRoleWithWebIdentity"}]})";
  const std::string arn =
      server().Call("iam", "create_role", {{"RoleName", user_}, {"AssumeRolePolicyDocument", anybody}})["Role"]["Arn"];
  server().Call("iam", "put_role_policy", {{"RoleName", user_}, {"PolicyName", "queue"}, {"PolicyDocument", kMayAll}});
  WriteFile(directory_ / "token", "a.web.token\n");
  setenv("AWS_WEB_IDENTITY_TOKEN_FILE", (directory_ / "token").c_str(), 1);
  setenv("AWS_ROLE_ARN", arn.c_str(), 1);
  setenv("AWS_ENDPOINT_URL_STS", server().endpoint().c_str(), 1);
  const std::string url = NewQueue();
  auto source = OpenWithWhatIsConfigured(url);
  ASSERT_THAT(source->Start(), IsOk());
  for (int round = 0; round < 3; ++round) {
    ASSERT_NO_FATAL_FAILURE(SendAndAwaitSome(url, *source, 60));
    const uint64_t retries = source->Stats().retries;
    server().RefuseKeysInUse(403, R"({"__type":"ExpiredToken","message":"The security token is expired"})");
    EXPECT_TRUE(Await([&] { return source->Stats().retries > retries; }));
  }
  ASSERT_NO_FATAL_FAILURE(ExpectAllAppliedOnce(url, *source));
}

TEST_F(SqsSourceKeys, WithoutTheRightToDeleteItHaltsWithAllOfItAppliedAndNothingLost) {
  Allow(kMayLook);
  const std::string url = NewQueue({{"VisibilityTimeout", "2"}});
  PutKeyInFile(CreateKey());
  server().SendAll(url, Captures(0, 30));
  sent_ = 30;
  auto source = OpenWithWhatIsConfigured(url);
  ASSERT_THAT(source->Start(), IsOk());
  ASSERT_TRUE(AwaitState(*source, SqsState::kHalted));
  EXPECT_THAT(source->Stats().status, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("DeleteMessageBatch")));
  EXPECT_THAT(source->Stop(), IsOk());
  const SqsStats halted = source->Stats();
  EXPECT_GT(halted.applied, 0U);
  EXPECT_EQ(halted.deleted, 0U);
  EXPECT_GT(halted.delete_failures, 0U);
  EXPECT_EQ(Available(), 100 * static_cast<int64_t>(halted.applied));
  EXPECT_TRUE(Await([&] { return server().Visible(url) == 30; })) << "all of them come again";
  Allow(kMayAll);
  ASSERT_THAT(source->Start(), IsOk());
  ASSERT_NO_FATAL_FAILURE(ExpectAllAppliedOnce(url, *source));
  EXPECT_GE(source->Stats().duplicates, halted.applied);
}

}  // namespace
}  // namespace northwind::testing

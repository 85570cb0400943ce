// SPDX-License-Identifier: Apache-2.0
//
// Against a real server of the protocol, which checks signatures.
#include "src/sqs/queue_client.h"

#include <gtest/gtest.h>

#include "tests/sqs/queue_client_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class QueueClient : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new SqsServer; }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  // A name of its own for each queue.
  static std::string NewName() {
    static int made = 0;
    return "queue-" + std::to_string(++made);
  }
  static std::unique_ptr<sqs::QueueClient> ClientOf(const std::string& queue_url) {
    return MakeQueueClient(server_->ClientOptions(queue_url), server_->Credentials());
  }

  static SqsServer* server_;
};
SqsServer* QueueClient::server_ = nullptr;

TEST_F(QueueClient, ReceivesWhatWasSentAndDeletesIt) {
  const std::string url = server_->CreateQueue(NewName());
  const std::string id = server_->Send(url, R"({"a":"\u00e9 \"quoted\" \\ /"})");
  const auto client = ClientOf(url);
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<sqs::Message> messages, Receive(*client));
  ASSERT_THAT(messages, SizeIs(1));
  EXPECT_EQ(messages[0].id, id);
  EXPECT_EQ(messages[0].body, R"({"a":"\u00e9 \"quoted\" \\ /"})");
  EXPECT_THAT(messages[0].body_md5, SizeIs(32));
  EXPECT_EQ(messages[0].group, "");
  EXPECT_EQ(messages[0].receive_count, 1u);
  EXPECT_EQ(server_->InFlight(url), 1u);
  EXPECT_THAT(Delete(*client, {messages[0].receipt_handle}), IsOkAndHolds(ElementsAre(IsOk())));
  EXPECT_EQ(server_->InFlight(url), 0u);
  EXPECT_EQ(server_->Visible(url), 0u);
  EXPECT_THAT(Receive(*client), IsOkAndHolds(IsEmpty()));
  EXPECT_EQ(client->Stats().retries, 0u);
  EXPECT_EQ(client->Stats().requests, 3u);
}

TEST_F(QueueClient, ALongPollIsAnsweredOnceThereIsAMessage) {
  const std::string url = server_->CreateQueue(NewName());
  const auto client = ClientOf(url);
  Awaited<std::vector<sqs::Message>> polled;
  client->Receive(10, absl::Seconds(20), absl::ZeroDuration(), polled.Callback());
  server_->Send(url, "late");
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<sqs::Message> messages, polled.Get());
  ASSERT_THAT(messages, SizeIs(1));
  EXPECT_EQ(messages[0].body, "late");
}

TEST_F(QueueClient, TellsAQueuesAttributes) {
  const std::string url = server_->CreateQueueWithRedrive(NewName(), 3, {{"VisibilityTimeout", "120"}}).first;
  server_->SendAll(url, {"a", "b", "c"});
  const auto client = ClientOf(url);
  ASSERT_THAT(Receive(*client, 1), IsOkAndHolds(SizeIs(1)));
  NW_ASSERT_OK_AND_ASSIGN(const sqs::QueueAttributes attributes, Attributes(*client));
  EXPECT_EQ(attributes.visibility, absl::Seconds(120));
  EXPECT_FALSE(attributes.fifo);
  EXPECT_EQ(attributes.max_receive_count, 3u);
  EXPECT_EQ(attributes.visible, 2u);
  EXPECT_EQ(attributes.in_flight, 1u);

  NW_ASSERT_OK_AND_ASSIGN(const sqs::QueueAttributes fifo,
                          Attributes(*ClientOf(server_->CreateQueue(NewName() + ".fifo"))));
  EXPECT_TRUE(fifo.fifo);
  EXPECT_EQ(fifo.max_receive_count, std::nullopt);
}

TEST_F(QueueClient, OfAFifoQueueTellsTheGroups) {
  const std::string url = server_->CreateQueue(NewName() + ".fifo");
  server_->Send(url, "1", "red");
  server_->Send(url, "2", "blue");
  const auto client = ClientOf(url);
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<sqs::Message> messages, Receive(*client));
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_EQ(messages[0].group, "red");
  EXPECT_EQ(messages[1].group, "blue");
}

TEST_F(QueueClient, AVisibilityOfZeroGivesAMessageBackToBeReceivedAgain) {
  const std::string url = server_->CreateQueue(NewName());
  server_->Send(url, "again");
  const auto client = ClientOf(url);
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<sqs::Message> first, Receive(*client));
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_THAT(Receive(*client), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(ChangeVisibility(*client, {{first[0].receipt_handle, absl::ZeroDuration()}}),
              IsOkAndHolds(ElementsAre(IsOk())));
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<sqs::Message> second, Receive(*client));
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].id, first[0].id);
  EXPECT_EQ(second[0].receive_count, 2u);
}

TEST_F(QueueClient, FailuresOfABatchAreToldOneByOneInTheirPlace) {
  const std::string url = server_->CreateQueue(NewName());
  server_->SendAll(url, {"a", "b"});
  const auto client = ClientOf(url);
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<sqs::Message> messages, Receive(*client));
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_THAT(ChangeVisibility(*client, {{messages[0].receipt_handle, absl::Seconds(60)},
                                         {"of nobody \xff", absl::Seconds(60)},
                                         {messages[1].receipt_handle, absl::Seconds(60)}}),
              IsOkAndHolds(ElementsAre(
                  IsOk(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ReceiptHandleIsInvalid")), IsOk())));
}

TEST_F(QueueClient, TenLargeMessagesAreOneAnswer) {
  const std::string url = server_->CreateQueue(NewName(), {{"MaximumMessageSize", "1048576"}});
  const std::string body(1 << 18, '"');  // each written as two bytes
  for (int i = 0; i < 10; ++i) server_->Send(url, body);
  const auto client = ClientOf(url);
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<sqs::Message> messages, Receive(*client));
  ASSERT_THAT(messages, SizeIs(10));
  for (const sqs::Message& message : messages) EXPECT_EQ(message.body, body);
}

TEST_F(QueueClient, AQueueThatDoesNotExistIsNotFound) {
  const std::string url = server_->CreateQueue(NewName());
  const auto client = ClientOf(url + "-not");
  EXPECT_THAT(Receive(*client), StatusIs(absl::StatusCode::kNotFound, HasSubstr("ReceiveMessage")));
  EXPECT_THAT(Attributes(*client), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(client->Stats().retries, 0u);
}

TEST_F(QueueClient, WrongKeysAreUnauthenticated) {
  const std::string url = server_->CreateQueue(NewName());
  sqs::AwsKeys keys = server_->keys();
  keys.secret_access_key.back() = keys.secret_access_key.back() == 'x' ? 'y' : 'x';
  EXPECT_THAT(Receive(*MakeQueueClient(server_->ClientOptions(url), std::make_unique<sqs::StaticCredentials>(keys))),
              StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("SignatureDoesNotMatch")));
  keys = server_->keys();
  keys.access_key_id = "AKIAOFNOBODYATALL000";
  EXPECT_THAT(Receive(*MakeQueueClient(server_->ClientOptions(url), std::make_unique<sqs::StaticCredentials>(keys))),
              StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("no others")));
}

TEST_F(QueueClient, WhatAUserMayNotDoIsPermissionDenied) {
  const std::string url = server_->CreateQueue(NewName());
  server_->Call("iam", "create_user", {{"UserName", "powerless"}});
  const auto made = server_->Call("iam", "create_access_key", {{"UserName", "powerless"}})["AccessKey"];
  const auto client = MakeQueueClient(
      server_->ClientOptions(url),
      std::make_unique<sqs::StaticCredentials>(sqs::AwsKeys{made["AccessKeyId"], made["SecretAccessKey"], "", {}}));
  EXPECT_THAT(Receive(*client), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("AccessDenied")));
}

TEST_F(QueueClient, AServerThatIsDownIsUnavailableAndTriedAgainUntilItIsUp) {
  const std::string url = server_->CreateQueue(NewName());
  server_->Send(url, "a");
  const auto client = ClientOf(url);
  server_->Down();
  EXPECT_THAT(Receive(*client), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("refused")));
  EXPECT_EQ(client->Stats().requests, 4u);
  EXPECT_EQ(client->Stats().retries, 3u);
  server_->Up();
  EXPECT_THAT(Receive(*client), IsOkAndHolds(SizeIs(1)));
}

TEST_F(QueueClient, DestroyingItCancelsWhatIsUnderWayAndWhatWaits) {
  const std::string url = server_->CreateQueue(NewName());
  sqs::QueueClientOptions options = server_->ClientOptions(url);
  options.max_in_flight = 2;
  auto client = MakeQueueClient(options, server_->Credentials());
  std::vector<Awaited<std::vector<sqs::Message>>> polls(5);
  for (auto& poll : polls) client->Receive(10, absl::Seconds(20), absl::ZeroDuration(), poll.Callback());
  client.reset();
  for (auto& poll : polls) EXPECT_THAT(poll.Get(), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(QueueClient, MoreThanFitAtATimeWaitForTheirTurn) {
  const std::string url = server_->CreateQueue(NewName());
  server_->SendAll(url, std::vector<std::string>(40, "x"));
  sqs::QueueClientOptions options = server_->ClientOptions(url);
  options.max_in_flight = 2;
  const auto client = MakeQueueClient(options, server_->Credentials());
  std::vector<Awaited<std::vector<sqs::Message>>> polls(20);
  for (auto& poll : polls) client->Receive(2, absl::ZeroDuration(), absl::ZeroDuration(), poll.Callback());
  for (auto& poll : polls) EXPECT_THAT(poll.Get(), IsOkAndHolds(SizeIs(2)));
}

TEST_F(QueueClient, IsNotMadeWithOptionsThatCannotWork) {
  const sqs::QueueClientOptions good = server_->ClientOptions("http://q");
  const auto refused = [&good](auto change) {
    sqs::QueueClientOptions options = good;
    change(options);
    EXPECT_THAT(sqs::QueueClient::Create(options, server_->Credentials()),
                StatusIs(absl::StatusCode::kInvalidArgument));
  };
  refused([](auto& options) { options.endpoint = "http://localhost:4566/path"; });
  refused([](auto& options) { options.endpoint = "ftp://localhost"; });
  refused([](auto& options) { options.endpoint = "localhost"; });
  refused([](auto& options) { options.region = ""; });
  refused([](auto& options) { options.queue_url = ""; });
  refused([](auto& options) { options.ca_bundle = "/does/not/exist.pem"; });
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/queue_text.h"

#include <gtest/gtest.h>

#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace northwind::internal::sqs {
namespace {

using absl::StatusCode;
using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = nlohmann::json;

TEST(QueueText, AsksForWhatIsMeant) {
  const Json receive = Json::parse(ReceiveRequest("http://q", 10, absl::Seconds(20), absl::ZeroDuration()));
  EXPECT_EQ(receive, Json::parse(R"({"QueueUrl":"http://q","MaxNumberOfMessages":10,"WaitTimeSeconds":20,
      "MessageSystemAttributeNames":["ApproximateReceiveCount","MessageGroupId"]})"));
  EXPECT_EQ(Json::parse(ReceiveRequest("http://q", 1, absl::ZeroDuration(), absl::Seconds(30)))["VisibilityTimeout"],
            30);
  EXPECT_EQ(Json::parse(DeleteRequest("http://q", {"a", "b\"\xff"})),
            Json::parse(R"({"QueueUrl":"http://q","Entries":[{"Id":"0","ReceiptHandle":"a"},
                {"Id":"1","ReceiptHandle":"b\"\ufffd"}]})"));
  EXPECT_EQ(Json::parse(VisibilityRequest("http://q", {{"a", absl::ZeroDuration()}})),
            Json::parse(R"({"QueueUrl":"http://q","Entries":[{"Id":"0","ReceiptHandle":"a","VisibilityTimeout":0}]})"));
}

TEST(QueueText, AnEmptyAnswerIsNoMessages) {
  EXPECT_THAT(ReadMessages("{}"), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(ReadMessages(R"({"Messages":null})"), IsOkAndHolds(IsEmpty()));
}

TEST(QueueText, ReadsAMessage) {
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<Message> messages, ReadMessages(R"({"Messages":[{"MessageId":"i",
      "ReceiptHandle":"r","Body":"\u00e9\n","MD5OfBody":"m","New":{},
      "Attributes":{"MessageGroupId":"g","ApproximateReceiveCount":"7"}}]})"));
  ASSERT_THAT(messages, SizeIs(1));
  EXPECT_EQ(messages[0].id, "i");
  EXPECT_EQ(messages[0].receipt_handle, "r");
  EXPECT_EQ(messages[0].body, "\xc3\xa9\n");
  EXPECT_EQ(messages[0].body_md5, "m");
  EXPECT_EQ(messages[0].group, "g");
  EXPECT_EQ(messages[0].receive_count, 7u);
}

TEST(QueueText, WhatNoServiceWouldAnswerIsUnavailable) {
  for (const char* answer : {"", "{", "[]", "null", "\xff", R"({"Messages":[1]})", R"({"Messages":[{"Body":"b"}]})"}) {
    EXPECT_THAT(ReadMessages(answer), StatusIs(StatusCode::kUnavailable)) << answer;
  }
  for (const char* answer : {"", "{}", R"({"Attributes":{}})", R"({"Attributes":{"VisibilityTimeout":"-1"}})",
                             R"({"Attributes":{"VisibilityTimeout":"30","RedrivePolicy":"["}})"}) {
    EXPECT_THAT(ReadAttributes(answer), StatusIs(StatusCode::kUnavailable)) << answer;
  }
  EXPECT_THAT(ReadEntries("nothing", 1), StatusIs(StatusCode::kUnavailable));
}

TEST(QueueText, ReadsAttributes) {
  NW_ASSERT_OK_AND_ASSIGN(
      const QueueAttributes attributes,
      ReadAttributes(R"({"Attributes":{"VisibilityTimeout":"30","FifoQueue":"true","ApproximateNumberOfMessages":"5",
          "ApproximateNumberOfMessagesNotVisible":"6","ApproximateNumberOfMessagesDelayed":"7","RedrivePolicy":"{\"maxReceiveCount\":4}"}})"));
  EXPECT_EQ(attributes.visibility, absl::Seconds(30));
  EXPECT_TRUE(attributes.fifo);
  EXPECT_EQ(attributes.visible, 5u);
  EXPECT_EQ(attributes.in_flight, 6u);
  EXPECT_EQ(attributes.delayed, 7u);
  EXPECT_EQ(attributes.max_receive_count, 4u);
}

TEST(QueueText, EntriesAreInTheOrderAskedWhateverTheOrderOfTheAnswer) {
  EXPECT_THAT(
      ReadEntries(R"({"Successful":[{"Id":"3"},{"Id":"0"},{"Id":"2"},{"Id":"9"},{"Id":"x"},7],
      "Failed":[{"Id":"2","Code":"InternalError","SenderFault":false},{"Id":"1","Code":"InvalidParameterValue","SenderFault":true}]})",
                  5),
      IsOkAndHolds(ElementsAre(IsOk(), StatusIs(StatusCode::kInvalidArgument), StatusIs(StatusCode::kUnavailable),
                               IsOk(), StatusIs(StatusCode::kUnavailable))));
}

}  // namespace
}  // namespace northwind::internal::sqs

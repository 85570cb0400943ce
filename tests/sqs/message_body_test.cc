// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/message_body.h"

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/settlement/sample_events.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal::sqs {
namespace {

using testing::Captured;

std::string Json() { return *EncodeEventJson(Captured("p1", 100)); }
std::string Proto() { return *EncodeEventProto(Captured("p1", 100)); }
std::string Base64() { return absl::Base64Escape(Proto()); }
std::string Notification(const std::string& message) {
  return nlohmann::json{
      {"Type", "Notification"}, {"MessageId", "22b80b92"}, {"TopicArn", "arn:aws:sns:x:1:t"}, {"Message", message}}
      .dump();
}

TEST(MessageBody, AutoTakesJsonByItsBraceAndBase64OfProtobufOtherwise) {
  for (const std::string blanks : {"", " ", "\r\n\t "}) {
    const EventBytes json = EventOfBody(blanks + Json(), SqsBody::kAuto, false);
    EXPECT_EQ(json.refused, "");
    EXPECT_EQ(json.format, EventFormat::kJson);
    EXPECT_EQ(json.bytes, blanks + Json());
  }
  const EventBytes proto = EventOfBody(Base64(), SqsBody::kAuto, false);
  EXPECT_EQ(proto.refused, "");
  EXPECT_EQ(proto.format, EventFormat::kProtobuf);
  EXPECT_EQ(proto.bytes, Proto());
}

TEST(MessageBody, WhatIsNeitherIsRefusedAndKeptWhole) {
  for (const std::string& body : {std::string("[1]"), Base64() + "=", Base64() + "\n", " " + Base64(), std::string("a"),
                                  std::string("abc_"), std::string("QQ"), std::string("QR==")}) {
    const EventBytes event = EventOfBody(body, SqsBody::kAuto, false);
    EXPECT_EQ(event.refused, "body: neither JSON nor base64") << body;
    EXPECT_EQ(event.bytes, body);
  }
}

TEST(MessageBody, ThatOnlyOneKindIsTakenMeansThatTheOtherIsNot) {
  EXPECT_EQ(EventOfBody(Json(), SqsBody::kProtobuf, false).refused, "body: not base64");
  const EventBytes event = EventOfBody(Base64(), SqsBody::kJson, false);
  EXPECT_EQ(event.refused, "");
  EXPECT_FALSE(DecodeEvent(event.format, event.bytes).ok());
}

TEST(MessageBody, AnSnsNotificationIsOpenedAndNothingElseIsTaken) {
  EXPECT_EQ(EventOfBody(Notification(Json()), SqsBody::kAuto, true).bytes, Json());
  EXPECT_EQ(EventOfBody(Notification(Base64()), SqsBody::kAuto, true).bytes, Proto());
  for (const std::string& body :
       {Json(), Base64(), std::string("{}"), std::string("{"), std::string(""), std::string("[]"),
        std::string(R"({"Type":"SubscriptionConfirmation","Message":"x"})"), std::string(R"({"Type":"Notification"})"),
        std::string(R"({"Type":"Notification","Message":{}})"), std::string(100'000, '[')}) {
    const EventBytes event = EventOfBody(body, SqsBody::kAuto, true);
    EXPECT_EQ(event.refused, "body: not a notification of SNS") << body.substr(0, 100);
    EXPECT_EQ(event.bytes, body);
  }
  // The notification is whole, and what is in it is no event: that is kept as it was sent.
  const std::string strange = Notification("strange");
  EXPECT_EQ(EventOfBody(strange, SqsBody::kAuto, true).bytes, strange);
}

TEST(MessageBody, TheMd5IsThatOfTheBodyInEitherCase) {
  EXPECT_TRUE(HasMd5("", "d41d8cd98f00b204e9800998ecf8427e"));
  EXPECT_TRUE(HasMd5("message digest", "F96B697D7CB7938D525A2F31AAF161D0"));  // RFC 1321, A.5
  EXPECT_FALSE(HasMd5("message digesT", "f96b697d7cb7938d525a2f31aaf161d0"));
  EXPECT_FALSE(HasMd5("", ""));
}

TEST(MessageBody, AMessageIsFoundAgainByTheBeginningOfItsId) {
  EXPECT_EQ(PositionOfMessage("01234567-89ab-cdef-fedc-ba9876543210"), 0x0123456789abcdefU);
  EXPECT_EQ(PositionOfMessage("01234567-89AB-CDEF-fedc"), 0x0123456789abcdefU);
  EXPECT_EQ(PositionOfMessage("not a UUID at all"), 0U);
  EXPECT_EQ(PositionOfMessage(""), 0U);
}

}  // namespace
}  // namespace northwind::internal::sqs

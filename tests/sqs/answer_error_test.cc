// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/answer_error.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace northwind::internal::sqs {
namespace {

using absl::StatusCode;
using ::northwind::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Fri, 27 Nov 2026 12:00:00 GMT
const absl::Time kNow = absl::FromCivil(absl::CivilSecond(2026, 11, 27, 12, 0, 0), absl::UTCTimeZone());

http::Result Answer(int status, std::string body, std::vector<http::Header> headers = {}) {
  http::Result result;
  result.status = status;
  result.body = std::move(body);
  result.headers = std::move(headers);
  return result;
}

AnswerError Error(const http::Result& result) {
  const auto error = ErrorOf(result, "ReceiveMessage", kNow);
  EXPECT_TRUE(error);
  return error.value_or(AnswerError());
}

TEST(AnswerError, ASuccessIsNone) { EXPECT_EQ(ErrorOf(Answer(200, "{}"), "ReceiveMessage", kNow), std::nullopt); }

TEST(AnswerError, TheSameFaultHasManyNames) {
  for (const char* body :
       {R"({"__type":"QueueDoesNotExist"})", R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist"})",
        R"({"__type":"AWS.SimpleQueueService.NonExistentQueue","message":"none"})",
        R"({"__type":"com.amazonaws.sqs#QueueDoesNotExist:http://internal.amazon.com/coral/"})",
        R"({"code":"QueueDoesNotExist"})",
        "<ErrorResponse><Error><Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code>"
        "<Message>none</Message></Error></ErrorResponse>"}) {
    const AnswerError error = Error(Answer(400, body));
    EXPECT_THAT(error.status, StatusIs(StatusCode::kNotFound, HasSubstr("ReceiveMessage"))) << body;
    EXPECT_EQ(error.remedy, Remedy::kNone);
  }
  for (const char* header : {"x-amzn-ErrorType", "x-amzn-query-error"}) {
    const auto error = Error(Answer(400, "", {{header, "AWS.SimpleQueueService.NonExistentQueue;Sender"}}));
    EXPECT_THAT(error.status, StatusIs(StatusCode::kNotFound)) << header;
  }
  // The name that we know, wherever it stands.
  EXPECT_THAT(Error(Answer(400, R"({"__type":"a#New"})", {{"x-amzn-query-error", "AccessDenied;Sender"}})).status,
              StatusIs(StatusCode::kPermissionDenied));
}

TEST(AnswerError, EveryKindHasItsStatusAndRemedy) {
  const struct {
    const char* code;
    StatusCode status;
    Remedy remedy;
  } cases[] = {
      {"AccessDeniedException", StatusCode::kPermissionDenied, Remedy::kNone},
      {"KmsAccessDenied", StatusCode::kPermissionDenied, Remedy::kNone},
      {"UnrecognizedClientException", StatusCode::kUnauthenticated, Remedy::kOtherKeys},
      {"ExpiredTokenException", StatusCode::kUnauthenticated, Remedy::kOtherKeys},
      {"InvalidSignatureException", StatusCode::kUnauthenticated, Remedy::kOtherKeys},
      {"ThrottlingException", StatusCode::kResourceExhausted, Remedy::kSlowDown},
      {"RequestThrottled", StatusCode::kResourceExhausted, Remedy::kSlowDown},
      {"OverLimit", StatusCode::kResourceExhausted, Remedy::kNone},
      {"InternalError", StatusCode::kUnavailable, Remedy::kRetry},
      {"InvalidParameterValue", StatusCode::kInvalidArgument, Remedy::kNone},
      {"SomethingNew", StatusCode::kInvalidArgument, Remedy::kNone},
  };
  for (const auto& each : cases) {
    const auto error = Error(Answer(400, absl::StrCat(R"({"__type":")", each.code, R"(","Message":"so it is"})")));
    EXPECT_THAT(error.status, StatusIs(each.status, AllOf(HasSubstr(each.code), HasSubstr("so it is"))));
    EXPECT_EQ(error.remedy, each.remedy) << each.code;
    EXPECT_FALSE(error.answer_lost);
  }
}

TEST(AnswerError, WithoutANameTheHttpStatusDecides) {
  const struct {
    int http;
    StatusCode status;
    Remedy remedy;
    bool lost;
  } cases[] = {
      {302, StatusCode::kInvalidArgument, Remedy::kNone, false},
      {400, StatusCode::kInvalidArgument, Remedy::kNone, false},
      {401, StatusCode::kUnauthenticated, Remedy::kOtherKeys, false},
      {403, StatusCode::kPermissionDenied, Remedy::kNone, false},
      {429, StatusCode::kResourceExhausted, Remedy::kSlowDown, false},
      {500, StatusCode::kUnavailable, Remedy::kRetry, false},
      {502, StatusCode::kUnavailable, Remedy::kRetry, true},
      {503, StatusCode::kUnavailable, Remedy::kRetry, false},
      {504, StatusCode::kUnavailable, Remedy::kRetry, true},
  };
  for (const auto& each : cases) {
    for (const char* body : {"", "<html>no</html>", "[1]", R"({"__type":1})", "\xff\xfe"}) {
      const auto error = Error(Answer(each.http, body));
      EXPECT_THAT(error.status, StatusIs(each.status, HasSubstr(std::to_string(each.http))));
      EXPECT_EQ(error.remedy, each.remedy) << each.http;
      EXPECT_EQ(error.answer_lost, each.lost) << each.http;
    }
  }
}

TEST(AnswerError, AskedToWaitItSaysHowLong) {
  EXPECT_EQ(Error(Answer(503, "", {{"Retry-After", "7"}})).retry_after, absl::Seconds(7));
  EXPECT_EQ(Error(Answer(503, "", {{"Retry-After", "Fri, 27 Nov 2026 12:00:30 GMT"}})).retry_after, absl::Seconds(30));
  EXPECT_EQ(Error(Answer(503, "")).retry_after, std::nullopt);
}

TEST(AnswerError, AClockThatIsWrongIsNamedAndNoOtherKeysAreAskedFor) {
  const std::string body = R"({"__type":"InvalidSignatureException","message":"Signature expired: 20261127T114000Z"})";
  const auto behind = Error(Answer(403, body, {{"Date", "Fri, 27 Nov 2026 12:20:05 GMT"}}));
  EXPECT_THAT(behind.status, StatusIs(StatusCode::kUnauthenticated, HasSubstr("clock is 20m5s behind the service's")));
  EXPECT_EQ(behind.remedy, Remedy::kNone);
  const auto ahead =
      Error(Answer(403, R"({"__type":"SignatureDoesNotMatch"})", {{"Date", "Fri, 27 Nov 2026 11:00:00 GMT"}}));
  EXPECT_THAT(ahead.status, StatusIs(StatusCode::kUnauthenticated, HasSubstr("clock is 1h ahead of the service's")));
  EXPECT_THAT(Error(Answer(403, body)).status, StatusIs(StatusCode::kUnauthenticated, HasSubstr("clock")));
  // Seconds are not to blame.
  const auto wrong =
      Error(Answer(403, R"({"__type":"SignatureDoesNotMatch"})", {{"Date", "Fri, 27 Nov 2026 12:00:09 GMT"}}));
  EXPECT_THAT(wrong.status, StatusIs(StatusCode::kUnauthenticated, Not(HasSubstr("clock"))));
  EXPECT_EQ(wrong.remedy, Remedy::kOtherKeys);
}

TEST(AnswerError, WhatAServiceSaysIsShownOnOneLineAndNotAtAnyLength) {
  const auto error = Error(Answer(400, R"({"__type":"X","message":"a\nb)" + std::string(100'000, 'c') + "\"}"));
  EXPECT_THAT(std::string(error.status.message()), AllOf(HasSubstr("a bc"), Not(HasSubstr("\n"))));
  EXPECT_LT(error.status.message().size(), 1000u);
}

TEST(AnswerError, AConnectionThatFailsIsUnavailableAndMayHaveLostTheAnswer) {
  using http::Failure;
  for (const auto& [failure, lost] :
       {std::pair(Failure::kDns, false), std::pair(Failure::kConnect, false), std::pair(Failure::kTls, false),
        std::pair(Failure::kSend, false), std::pair(Failure::kReceive, true), std::pair(Failure::kTimeout, true)}) {
    http::Result result;
    result.failure = failure;
    result.message = "why";
    const AnswerError error = Error(result);
    EXPECT_THAT(error.status, StatusIs(StatusCode::kUnavailable, HasSubstr("why")));
    EXPECT_EQ(error.remedy, Remedy::kRetry);
    EXPECT_EQ(error.answer_lost, lost) << http::FailureName(failure);
  }
  http::Result cut = Answer(200, "{");
  cut.truncated = true;
  EXPECT_TRUE(Error(cut).answer_lost);
  http::Result aborted;
  aborted.failure = Failure::kAborted;
  EXPECT_THAT(Error(aborted).status, StatusIs(StatusCode::kCancelled));
}

TEST(AnswerError, AnEntryOfABatchIsJudgedByItsNameElseByWhoIsToBlame) {
  EXPECT_THAT(EntryError("ReceiptHandleIsInvalid", "no", true), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(EntryError("InternalError", "", false), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(EntryError("AWS.SimpleQueueService.New", "", false), StatusIs(StatusCode::kUnavailable, "New"));
  EXPECT_THAT(EntryError("", "", true), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace northwind::internal::sqs

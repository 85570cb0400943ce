// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/settlement.h"
#include "northwind/v1/payment_event.pb.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/status_matchers.h"

namespace northwind {
namespace {

using ::northwind::testing::At;
using ::northwind::testing::IsOk;
using ::northwind::testing::Random;
using ::northwind::testing::RandomEvent;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestSeed;
using ::northwind::testing::Usd;
using ::testing::StartsWith;

constexpr char kCaptured[] =
    R"({"type":"PAYMENT_CAPTURED","payment_id":"pay_1","occurred_at":"2024-03-01T12:00:00.250Z","merchant_id":"m-1",)"
    R"("amount":{"asset":"USD/2","units":"1234"},"fee":{"asset":"USD/2","units":"30"},)"
    R"("metadata":{"order":"A \"1\"","store":"4"}})";

// kCaptured with one piece replaced; the piece must be there.
std::string With(std::string_view piece, std::string_view by) {
  std::string text = kCaptured;
  const size_t at = text.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return text.replace(at, piece.size(), by);
}

TEST(EventJson, ReadsEveryFieldOfACapture) {
  NW_ASSERT_OK_AND_ASSIGN(const PaymentEvent event, DecodeEventJson(kCaptured));
  PaymentEvent expected{.type = EventType::kPaymentCaptured, .payment_id = "pay_1"};
  expected.occurred_at = At(0) + absl::Milliseconds(250);
  expected.merchant_id = "m-1";
  expected.amount = Usd(1234);
  expected.fee = Usd(30);
  expected.metadata = {{"order", "A \"1\""}, {"store", "4"}};
  EXPECT_EQ(event, expected);
}

TEST(EventJson, WritesWhatItReadsByteForByte) {
  NW_ASSERT_OK_AND_ASSIGN(const PaymentEvent event, DecodeEventJson(kCaptured));
  NW_ASSERT_OK_AND_ASSIGN(const std::string text, EncodeEventJson(event));
  EXPECT_EQ(text, kCaptured);
}

TEST(EventJson, GoldenTextOfAnAdjustmentAndARefund) {
  NW_ASSERT_OK_AND_ASSIGN(const std::string adjustment,
                          EncodeEventJson(testing::Adjusted("adj:1", 5, AdjustmentDirection::kDebit, 1)));
  EXPECT_EQ(adjustment,
            R"({"type":"ADJUSTMENT","payment_id":"adj:1","occurred_at":"2024-03-01T12:00:01Z","merchant_id":"m1",)"
            R"("amount":{"asset":"USD/2","units":"5"},"direction":"DEBIT"})");
  PaymentEvent refunded = testing::Refunded("p", 7, 2, "r1");
  refunded.occurred_at += absl::Nanoseconds(1);
  NW_ASSERT_OK_AND_ASSIGN(const std::string refund, EncodeEventJson(refunded));
  EXPECT_EQ(refund, R"({"type":"PAYMENT_REFUNDED","payment_id":"p","occurred_at":"2024-03-01T12:00:02.000000001Z",)"
                    R"("merchant_id":"m1","amount":{"asset":"USD/2","units":"7"},"refund_id":"r1"})");
}

TEST(EventJson, BlanksAndTheOrderOfKeysDoNotMatter) {
  const std::string text =
      "\t{ \"amount\" : {\"units\":\"1\" , \"asset\":\"JPY/0\"},\r\n \"merchant_id\":\"m\", \"payout_id\":\"po\","
      "\"type\":\"PAYOUT_REQUESTED\",\"occurred_at\":\"2024-02-29T23:59:59.123456789Z\" } \n";
  NW_ASSERT_OK_AND_ASSIGN(const PaymentEvent event, DecodeEventJson(text));
  EXPECT_EQ(event.amount->asset.ToString(), "JPY/0");
  EXPECT_EQ(absl::ToUnixNanos(event.occurred_at), 1'709'251'199'123'456'789);
}

TEST(EventJson, IsProto3JsonOfTheSchema) {
  Random random(TestSeed());
  for (int i = 0; i < 500; ++i) {
    const PaymentEvent event = RandomEvent(random);
    NW_ASSERT_OK_AND_ASSIGN(const std::string json, EncodeEventJson(event));
    NW_ASSERT_OK_AND_ASSIGN(const std::string binary, EncodeEventProto(event));
    v1::PaymentEvent from_json, from_binary;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &from_json).ok()) << json;
    ASSERT_TRUE(from_binary.ParseFromString(binary));
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(from_json, from_binary)) << json;
  }
}

struct Refusal {
  std::string text;
  std::string message;  // begins with
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.message; }

class EventJsonRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(EventJsonRefuses, AndNamesTheField) {
  EXPECT_THAT(DecodeEventJson(GetParam().text),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(GetParam().message)))
      << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Syntax, EventJsonRefuses,
    ::testing::Values(Refusal{"", "json: not valid JSON"}, Refusal{"{", "json: not valid JSON at byte"},
                      Refusal{"[]", "json: an event is one JSON object, not an array"},
                      Refusal{"\"x\"", "json: an event is one JSON object, not a string"},
                      Refusal{"1", "json: an event is one JSON object, not a number"},
                      Refusal{"null", "json: an event is one JSON object, not null"},
                      Refusal{std::string(kCaptured) + "{}", "json: not valid JSON at byte"},
                      Refusal{std::string(kCaptured) + "x", "json: not valid JSON at byte"},
                      Refusal{std::string(kCaptured) + std::string("\0", 1), "json: contains a NUL"},
                      Refusal{"\xEF\xBB\xBF" + std::string(kCaptured), "json: begins with a byte order mark"},
                      Refusal{With("\"pay_1\"", "'pay_1'"), "json: not valid JSON"},
                      Refusal{With("pay_1", "pay\xff"), "json: not valid JSON"},
                      Refusal{With("pay_1", "pay\xed\xa0\x80"), "json: not valid JSON"},
                      Refusal{With("\"4\"", "\"\\ud800\""), "json: not valid JSON"},
                      Refusal{With("\"store\":\"4\"}}", "\"store\":\"4\"},}"), "json: not valid JSON"},
                      Refusal{With("{\"type\"", "{/* c */\"type\""), "json: not valid JSON"},
                      Refusal{With("\"4\"", "\"a\nb\""), "json: not valid JSON"},
                      Refusal{std::string(100'000, '['), "json: longer than 65536 bytes"},
                      Refusal{std::string(60'000, '['), "json: an event is one JSON object"},
                      Refusal{With("\"4\"", "\"" + std::string(70'000, 'x') + "\""), "json: longer than"}));

INSTANTIATE_TEST_SUITE_P(
    Shape, EventJsonRefuses,
    ::testing::Values(
        Refusal{With("\"payment_id\"", "\"paymentId\""), "paymentId: unknown field"},
        Refusal{With("\"asset\":\"USD/2\",\"units\":\"1234\"", "\"asset\":\"USD/2\",\"value\":\"1\""),
                "amount: unknown field 'value'"},
        Refusal{With("\"fee\"", "\"payment_id\":\"x\",\"fee\""), "payment_id: given twice"},
        Refusal{With("\"fee\":", "\"amount\":"), "amount: given twice"},
        Refusal{With("\"units\":\"1234\"", "\"units\":\"1\",\"units\":\"1\""), "amount: a key is given twice"},
        Refusal{With("\"store\"", "\"order\""), "metadata: key 'order' given twice"},
        Refusal{With("\"1234\"", "1234"), "amount.units: must be a string, not a number"},
        Refusal{With("\"1234\"", "12.34"), "amount.units: must be a string, not a number"},
        Refusal{With("\"1234\"", "1e3"), "amount.units: must be a string, not a number"},
        Refusal{With("\"30\"", "-30"), "fee.units: must be a string, not a number"},
        Refusal{With("\"30\"", "null"), "fee.units: must be a string, not null"},
        Refusal{With("{\"asset\":\"USD/2\",\"units\":\"1234\"}", "\"12 USD\""), "amount: must be an object"},
        Refusal{With("{\"asset\":\"USD/2\",\"units\":\"1234\"}", "[]"), "amount: must be an object, not an array"},
        Refusal{With("{\"asset\":\"USD/2\",\"units\":\"1234\"}", "{}"), "amount.asset: missing"},
        Refusal{With(",\"units\":\"1234\"", ""), "amount.units: missing"},
        Refusal{With("\"pay_1\"", "{}"), "payment_id: must be a string, not an object"},
        Refusal{With("\"pay_1\"", "true"), "payment_id: must be a string, not a boolean"},
        Refusal{With("\"pay_1\"", "null"), "payment_id: must be a string, not null"},
        Refusal{With("\"PAYMENT_CAPTURED\"", "1"), "type: must be a string, not a number"},
        Refusal{With("\"4\"", "4"), "metadata: must be a string, not a number"},
        Refusal{With("\"4\"", "{\"deep\":\"1\"}"), "metadata: must be a string, not an object"}));

INSTANTIATE_TEST_SUITE_P(
    Values, EventJsonRefuses,
    ::testing::Values(
        Refusal{With("PAYMENT_CAPTURED", "PAYMENT_TAKEN"), "type: no such type: 'PAYMENT_TAKEN'"},
        Refusal{With("PAYMENT_CAPTURED", ""), "type: must not be empty"},
        Refusal{With("\"type\":\"PAYMENT_CAPTURED\",", ""), "type: missing"},
        Refusal{With("\"payment_id\":\"pay_1\",", ""), "payment_id: missing; PAYMENT_CAPTURED needs it"},
        Refusal{With("\"merchant_id\":\"m-1\",", ""), "merchant_id: missing"},
        Refusal{With("\"occurred_at\":\"2024-03-01T12:00:00.250Z\",", ""), "occurred_at: missing"},
        Refusal{With("\"amount\":{\"asset\":\"USD/2\",\"units\":\"1234\"},", ""), "amount: missing"},
        Refusal{With("\"pay_1\"", "\"\""), "payment_id: must not be empty"},
        Refusal{With("pay_1", "pay 1"), "payment_id: only "}, Refusal{With("pay_1", "pay/1"), "payment_id: only "},
        Refusal{With("pay_1", "\\u00e9"), "payment_id: only "},
        Refusal{With("pay_1", std::string(65, 'p')), "payment_id: longer than 64"},
        Refusal{With("m-1", "m:1"), "merchant_id: only "},
        Refusal{With("m-1", std::string(65, 'm')), "merchant_id: longer than 64"},
        Refusal{With("\"fee\"", "\"payout_id\":\"x\",\"fee\""), "payout_id: not a field of PAYMENT_CAPTURED"},
        Refusal{With("\"fee\"", "\"refund_id\":\"x\",\"fee\""), "refund_id: not a field of PAYMENT_CAPTURED"},
        Refusal{With("\"fee\"", "\"direction\":\"CREDIT\",\"fee\""), "direction: not a field of PAYMENT_CAPTURED"},
        Refusal{With("\"fee\"", "\"direction\":\"UP\",\"fee\""), "direction: must be CREDIT or DEBIT"},
        Refusal{With("USD/2", "usd/2"), "amount.asset: not an asset"}, Refusal{With("USD/2", "USD"), "amount.asset: "},
        Refusal{With("USD/2", "USD/19"), "amount.asset: "}, Refusal{With("USD/2", ""), "amount.asset: "},
        Refusal{With("\"fee\":{\"asset\":\"USD/2\"", "\"fee\":{\"asset\":\"EUR/2\""),
                "fee.asset: not the asset of the amount"},
        Refusal{With("\"30\"", "\"1235\""), "fee.units: more than the amount"},
        Refusal{With("1234", "0"), "amount.units: must be at least 1"}, Refusal{With("1234", "-5"), "amount.units: "},
        Refusal{With("1234", "+5"), "amount.units: "}, Refusal{With("1234", "12.34"), "amount.units: "},
        Refusal{With("1234", "012"), "amount.units: "}, Refusal{With("1234", "1e3"), "amount.units: "},
        Refusal{With("1234", ""), "amount.units: "}, Refusal{With("1234", " 1"), "amount.units: "},
        Refusal{With("1234", "170141183460469231731687303715884105728"), "amount.units: "},
        Refusal{With("1234", "999999999999999999999999999999999999999"), "amount.units: "},
        Refusal{With("1234", std::string(60'000, '9')), "amount.units: "},
        Refusal{With("\"order\"", "\"\""), "metadata: a key is empty"},
        Refusal{With("\"order\"", "\"" + std::string(129, 'k') + "\""), "metadata: a key is longer"},
        Refusal{With("\"4\"", "\"" + std::string(4096, 'v') + "\""), "metadata: more than"}));

std::vector<Refusal> BadTimes() {
  std::vector<Refusal> all;
  for (const char* time : {"2024-03-01",
                           "2024-03-01T12:00:00",
                           "2024-03-01T12:00:00+00:00",
                           "2024-03-01 12:00:00Z",
                           "2024-03-01t12:00:00z",
                           "2024-13-01T12:00:00Z",
                           "2024-00-01T12:00:00Z",
                           "2023-02-29T12:00:00Z",
                           "2024-04-31T12:00:00Z",
                           "2024-03-00T12:00:00Z",
                           "2024-03-01T24:00:00Z",
                           "2024-03-01T12:60:00Z",
                           "2016-12-31T23:59:60Z",
                           "2024-03-01T12:00:00.Z",
                           "2024-03-01T12:00:00.1234567890Z",
                           "2024-03-01T12:00:00.12x4Z",
                           "-024-03-01T12:00:00Z",
                           "1999-12-31T23:59:59.999999999Z",
                           "2200-01-01T00:00:00.000000001Z",
                           "0001-01-01T00:00:00Z",
                           "9999-12-31T23:59:59Z",
                           "Z",
                           "1709294400"}) {
    all.push_back({With("2024-03-01T12:00:00.250Z", time), "occurred_at: "});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Times, EventJsonRefuses, ::testing::ValuesIn(BadTimes()));

TEST(EventJson, TakesTheExtremes) {
  for (const char* time : {"2000-01-01T00:00:00Z", "2200-01-01T00:00:00Z", "2024-03-01T12:00:00.000000001Z"}) {
    EXPECT_THAT(DecodeEventJson(With("2024-03-01T12:00:00.250Z", time)), IsOk()) << time;
  }
  EXPECT_THAT(DecodeEventJson(With("1234", "170141183460469231731687303715884105727")), IsOk());
  EXPECT_THAT(DecodeEventJson(With("\"30\"", "\"0\"")), IsOk());
  EXPECT_THAT(DecodeEventJson(With("pay_1", std::string(64, ':'))), IsOk());
  EXPECT_THAT(DecodeEventJson(With("USD/2\",\"units\":\"30", "USD/2\",\"units\":\"1234")), IsOk());
}

// What is not a valid event is refused with a message; what is, survives. Nothing crashes.
TEST(EventJson, SurvivesRandomDamage) {
  Random random(TestSeed());
  for (int i = 0; i < 50'000; ++i) {
    NW_ASSERT_OK_AND_ASSIGN(std::string text, EncodeEventJson(RandomEvent(random)));
    for (uint64_t n = 1 + random.Below(4); n > 0; --n) {
      const size_t at = random.Below(text.size());
      switch (random.Below(4)) {
        case 0:
          text[at] = static_cast<char>(random.Next());
          break;
        case 1:
          text.erase(at, 1 + random.Below(8));
          break;
        case 2:
          text.insert(at, 1, "{}[]\",:\\0 "[random.Below(10)]);
          break;
        default:
          text.insert(at, text.substr(random.Below(text.size()), random.Below(40)));
      }
      if (text.empty()) text = "{";
    }
    const absl::StatusOr<PaymentEvent> event = DecodeEventJson(text);
    if (event.ok()) {
      NW_ASSERT_OK_AND_ASSIGN(const std::string again, EncodeEventJson(*event));
      NW_ASSERT_OK_AND_ASSIGN(const PaymentEvent same, DecodeEventJson(again));
      EXPECT_EQ(*event, same) << text;
    } else {
      ASSERT_EQ(event.status().code(), absl::StatusCode::kInvalidArgument) << text;
      ASSERT_THAT(std::string(event.status().message()), ::testing::HasSubstr(": ")) << text;
    }
  }
}

TEST(EventJson, RefusesToWriteAnInvalidEvent) {
  PaymentEvent event = testing::Captured("p", 100);
  event.merchant_id = "";
  EXPECT_THAT(EncodeEventJson(event), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("merchant_id: ")));
  event = testing::Captured("p", 100);
  event.occurred_at += absl::Nanoseconds(1) / 2;
  EXPECT_THAT(EncodeEventJson(event), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("occurred_at: ")));
  event = testing::Captured("p", 100);
  event.metadata["k"] = "\xff";
  EXPECT_THAT(EncodeEventJson(event), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("metadata: ")));
}

}  // namespace
}  // namespace northwind

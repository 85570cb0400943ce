// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/settlement.h"
#include "northwind/v1/payment_event.pb.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/status_matchers.h"

namespace northwind {
namespace {

using ::northwind::testing::Random;
using ::northwind::testing::RandomEvent;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestSeed;
using ::testing::StartsWith;

PaymentEvent Sample() {
  PaymentEvent event = testing::Captured("pay_1", 1234, 30);
  event.occurred_at += absl::Milliseconds(250);
  event.metadata = {{"b", "2"}, {"a", "1"}};
  return event;
}

std::string SampleBytes() { return *EncodeEventProto(Sample()); }

TEST(EventProto, GoldenBytes) {
  EXPECT_EQ(absl::BytesToHexString(SampleBytes()),
            "0801"                            // type
            "12057061795f31"                  // payment_id
            "220b08c08687af061080e59a77"      // occurred_at
            "2a026d31"                        // merchant_id
            "320d0a055553442f32120431323334"  // amount
            "3a0b0a055553442f3212023330"      // fee
            "42060a0161120131"                // metadata, sorted
            "42060a0162120132");
}

TEST(EventProto, AndJsonCarryTheSameEvents) {
  Random random(TestSeed());
  for (int i = 0; i < 20'000; ++i) {
    const PaymentEvent event = RandomEvent(random);
    ASSERT_TRUE(ValidateEvent(event).ok()) << ValidateEvent(event);
    NW_ASSERT_OK_AND_ASSIGN(const std::string json, EncodeEventJson(event));
    NW_ASSERT_OK_AND_ASSIGN(const PaymentEvent from_json, DecodeEventJson(json));
    NW_ASSERT_OK_AND_ASSIGN(const std::string bytes, EncodeEventProto(from_json));
    NW_ASSERT_OK_AND_ASSIGN(const PaymentEvent from_bytes, DecodeEventProto(bytes));
    ASSERT_EQ(from_json, event) << json;
    ASSERT_EQ(from_bytes, event) << json;
    NW_ASSERT_OK_AND_ASSIGN(const std::string again, EncodeEventJson(from_bytes));
    ASSERT_EQ(again, json);
  }
}

struct Refusal {
  std::string bytes;
  std::string message;  // begins with
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.message; }

// The sample with one change to its message.
template <typename Change>
std::string Changed(Change change) {
  v1::PaymentEvent message;
  EXPECT_TRUE(message.ParseFromString(SampleBytes()));
  change(message);
  return message.SerializeAsString();
}

class EventProtoRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(EventProtoRefuses, AndNamesTheField) {
  EXPECT_THAT(DecodeEventProto(GetParam().bytes),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(GetParam().message)));
}

std::string Hex(absl::string_view text) { return absl::HexStringToBytes(text); }

INSTANTIATE_TEST_SUITE_P(
    Wire, EventProtoRefuses,
    ::testing::Values(Refusal{"", "type: missing"},
                      Refusal{SampleBytes() + Hex("7a0178"), "protobuf: unknown field 15"},
                      Refusal{SampleBytes() + Hex("320178"), "amount: given twice"},
                      Refusal{SampleBytes() + Hex("12017a"), "payment_id: given twice"},
                      Refusal{SampleBytes() + Hex("0802"), "type: given twice"},
                      Refusal{SampleBytes() + Hex("1001"), "payment_id: has another wire type"},
                      Refusal{SampleBytes() + Hex("5005"), "direction: unknown"},
                      Refusal{SampleBytes() + Hex("52"), "direction: has another wire type"},
                      Refusal{SampleBytes() + Hex("42060a0161120133"), "metadata: a key is given twice"},
                      Refusal{SampleBytes() + Hex("42080a01631201331801"), "metadata: unknown field 3"},
                      Refusal{SampleBytes() + Hex("42060a0163120aff"), "metadata.value: damaged"},
                      Refusal{SampleBytes() + Hex("42060a0163120 1ff"), "metadata"},
                      Refusal{SampleBytes() + Hex("4a05"), "refund_id: damaged or cut short"},
                      Refusal{SampleBytes() + Hex("4a01ff"), "refund_id: not UTF-8"},
                      Refusal{SampleBytes() + Hex("0b"), "type: has another wire type"},
                      Refusal{SampleBytes() + Hex("00"), "protobuf: damaged or cut short"},
                      Refusal{SampleBytes() + Hex("ffffffffffffffffffff01"), "protobuf: damaged"},
                      Refusal{std::string(70'000, 'x'), "protobuf: longer than 65536 bytes"}));

INSTANTIATE_TEST_SUITE_P(
    Values, EventProtoRefuses,
    ::testing::Values(
        Refusal{Changed([](auto& m) { m.set_type(static_cast<v1::PaymentEvent::Type>(12)); }), "type: unknown"},
        Refusal{Changed([](auto& m) { m.set_type(static_cast<v1::PaymentEvent::Type>(257)); }), "type: unknown"},
        Refusal{Changed([](auto& m) { m.set_type(static_cast<v1::PaymentEvent::Type>(-1)); }), "type: unknown"},
        Refusal{Changed([](auto& m) { m.clear_payment_id(); }), "payment_id: missing"},
        Refusal{Changed([](auto& m) { m.clear_occurred_at(); }), "occurred_at: missing"},
        Refusal{Changed([](auto& m) { m.mutable_occurred_at()->set_nanos(-1); }), "occurred_at: nanos out of range"},
        Refusal{Changed([](auto& m) { m.mutable_occurred_at()->set_nanos(1'000'000'000); }), "occurred_at: nanos"},
        Refusal{Changed([](auto& m) { m.mutable_occurred_at()->set_seconds(INT64_MAX); }), "occurred_at: seconds"},
        Refusal{Changed([](auto& m) { m.mutable_occurred_at()->set_seconds(0); }), "occurred_at: not between"},
        Refusal{Changed([](auto& m) { m.mutable_amount()->set_units("-1"); }), "amount.units: not whole"},
        Refusal{Changed([](auto& m) { m.mutable_amount()->clear_units(); }), "amount.units: not whole"},
        Refusal{Changed([](auto& m) { m.mutable_fee()->set_asset("usd"); }), "fee.asset: not an asset"},
        Refusal{Changed([](auto& m) { m.set_payout_id("po"); }), "payout_id: not a field"},
        Refusal{Changed([](auto& m) { (*m.mutable_metadata())[""] = "x"; }), "metadata: a key is empty"}));

TEST(EventProto, SurvivesRandomDamage) {
  Random random(TestSeed());
  for (int i = 0; i < 50'000; ++i) {
    NW_ASSERT_OK_AND_ASSIGN(std::string bytes, EncodeEventProto(RandomEvent(random)));
    for (uint64_t n = 1 + random.Below(4); n > 0 && !bytes.empty(); --n) {
      const size_t at = random.Below(bytes.size());
      switch (random.Below(3)) {
        case 0:
          bytes[at] = static_cast<char>(random.Next());
          break;
        case 1:
          bytes.erase(at, 1 + random.Below(4));
          break;
        default:
          bytes.insert(at, bytes.substr(random.Below(bytes.size()), random.Below(20)));
      }
    }
    const absl::StatusOr<PaymentEvent> event = DecodeEventProto(bytes);
    if (event.ok()) {
      NW_ASSERT_OK_AND_ASSIGN(const std::string again, EncodeEventProto(*event));
      NW_ASSERT_OK_AND_ASSIGN(const PaymentEvent same, DecodeEventProto(again));
      EXPECT_EQ(*event, same);
    } else {
      ASSERT_EQ(event.status().code(), absl::StatusCode::kInvalidArgument);
      ASSERT_THAT(std::string(event.status().message()), ::testing::HasSubstr(": "));
    }
  }
}

}  // namespace
}  // namespace northwind

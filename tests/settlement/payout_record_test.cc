// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/payout_record.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/base/error.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::At;
using ::northwind::testing::IsOk;
using ::northwind::testing::Random;
using ::northwind::testing::RandomText;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;

std::string Hex(std::string_view bytes) { return absl::BytesToHexString(ToAbsl(bytes)); }

IdempotencyKey KeyOf(uint8_t first) {
  std::array<uint8_t, IdempotencyKey::kSize> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(first + i);
  return IdempotencyKey(bytes);
}

PayoutView SampleView() {
  return {.state = PayoutState::kPaid,
          .merchant = "m1",
          .asset = "USD/2",
          .amount = Amount(300),
          .key = KeyOf(0),
          .requested_at = 0x0102030405060708,
          .settled_at = 0x1112131415161718,
          .reason = Reason::kInsufficientFunds};
}

PayoutRailRecord SampleRail() {
  PayoutRailRecord record{.submitted = true, .submits = 1, .queries = 300, .attention = "look"};
  record.Add({.at = absl::FromUnixNanos(0x0102030405060708),
              .call = RailAttempt::Call::kSubmit,
              .answer = RailState::kUnknown,
              .reason = "no answer"});
  record.Add({.at = absl::FromUnixNanos(0x0102030405060709),
              .call = RailAttempt::Call::kQuery,
              .answer = RailState::kNotFound});
  return record;
}

PayoutInstruction SampleInstruction() {
  return {.provider_key = ProviderKey(KeyOf(0)),
          .payout_id = "po1",
          .merchant_id = "m1",
          .asset = {.code = "USD", .scale = 2},
          .amount = Amount(300),
          .requested_at = absl::FromUnixNanos(0x0102030405060708)};
}

bool Same(const PayoutInstruction& a, const PayoutInstruction& b) {
  return a.provider_key == b.provider_key && a.payout_id == b.payout_id && a.merchant_id == b.merchant_id &&
         a.asset == b.asset && a.amount == b.amount && a.requested_at == b.requested_at;
}

// ---- What is on disk ------------------------------------------------------------------------------------------------

TEST(PayoutRecord, GoldenKeys) {
  EXPECT_EQ(kPayoutCursorKey, "nw/payout/cursor");
  EXPECT_EQ(PayoutTaskId("po1"), "nw/payout/po1");
  EXPECT_EQ(PayoutViewKey("po1"), "nw/payout/view/po1");
  EXPECT_EQ(PayoutRailKey("po1"), "nw/payout/rail/po1");
  EXPECT_EQ(PayoutListKey("m1", 0x0102030405060708, "po1"), "nw/payout/list/m1/\x01\x02\x03\x04\x05\x06\x07\x08po1");
}

TEST(PayoutRecord, GoldenBytesOfAView) {
  EXPECT_EQ(Hex(EncodePayoutView(SampleView())),
            "01"                                // version
            "04"                                // state
            "026d31"                            // merchant
            "055553442f32"                      // asset
            "ac02"                              // amount
            "000102030405060708090a0b0c0d0e0f"  // the hold's key
            "0102030405060708"                  // requested
            "1112131415161718"                  // settled
            "01");                              // reason
}

TEST(PayoutRecord, GoldenBytesOfARailRecord) {
  EXPECT_EQ(Hex(EncodePayoutRail(SampleRail())),
            "01"                    // version
            "01"                    // submitted
            "01"                    // submits
            "ac02"                  // queries
            "046c6f6f6b"            // attention
            "02"                    // attempts
            "0102030405060708"      // of the first: when
            "01"                    // submit
            "04"                    // unknown
            "096e6f20616e73776572"  // reason
            "0102030405060709"
            "02"    // query
            "05"    // not found
            "00");  // no reason
}

TEST(PayoutRecord, GoldenBytesOfATask) {
  EXPECT_EQ(Hex(EncodeInstruction(SampleInstruction(), KeyOf(0))),
            "03706f31"                          // payout id
            "026d31"                            // merchant
            "055553442f32"                      // asset
            "ac02"                              // amount
            "000102030405060708090a0b0c0d0e0f"  // the hold's key
            "0102030405060708");                // requested
}

TEST(PayoutRecord, TheNameAtTheRailIsThatOfTheHoldAndNeverChanges) {
  EXPECT_EQ(ProviderKey(KeyOf(0)), "nw000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(ProviderKey(DeriveKey("po1", At(1), "PAYOUT_REQUESTED")).size(), 34U);
  EXPECT_NE(ProviderKey(DeriveKey("po1", At(1), "PAYOUT_REQUESTED")),
            ProviderKey(DeriveKey("po2", At(1), "PAYOUT_REQUESTED")));
}

TEST(PayoutRecord, PersistedValuesArePinned) {
  EXPECT_EQ(static_cast<int>(RailState::kPaid), 1);
  EXPECT_EQ(static_cast<int>(RailState::kPending), 2);
  EXPECT_EQ(static_cast<int>(RailState::kFailed), 3);
  EXPECT_EQ(static_cast<int>(RailState::kUnknown), 4);
  EXPECT_EQ(static_cast<int>(RailState::kNotFound), 5);
  EXPECT_EQ(static_cast<int>(PayoutState::kRejected), 1);
  EXPECT_EQ(static_cast<int>(PayoutState::kRequested), 2);
  EXPECT_EQ(static_cast<int>(PayoutState::kSubmitted), 3);
  EXPECT_EQ(static_cast<int>(PayoutState::kPaid), 4);
  EXPECT_EQ(static_cast<int>(PayoutState::kFailed), 5);
  EXPECT_EQ(static_cast<int>(PayoutState::kCanceled), 6);
  EXPECT_EQ(static_cast<int>(PayoutState::kReturned), 7);
}

// ---- Round trips ----------------------------------------------------------------------------------------------------

TEST(PayoutRecord, WhatIsWrittenIsRead) {
  const uint64_t seed = TestSeed();
  Random random(seed);
  constexpr std::string_view kId = "ABCXYZabcxyz0189._-";
  for (uint64_t i = TestOps(2000); i > 0; --i) {
    PayoutView view{.state = static_cast<PayoutState>(1 + random.Below(7)),
                    .merchant = RandomText(random, 1, kMaxEventIdBytes, kId),
                    .asset = "USD/2",
                    .amount = *Amount::FromUnits(absl::MakeUint128(random.Next() >> 1, random.Next()) >>
                                                 static_cast<int>(random.Below(127))),
                    .key = DeriveKey("po", At(random.Between(0, 1'000'000)), "x"),
                    .requested_at = static_cast<int64_t>(random.Next() >> 1),
                    .settled_at = static_cast<int64_t>(random.Next() >> 1),
                    .reason = static_cast<Reason>(random.Below(256))};
    NW_ASSERT_OK_AND_ASSIGN(const PayoutView again, DecodePayoutView("po1", EncodePayoutView(view)));
    ASSERT_EQ(EncodePayoutView(again), EncodePayoutView(view)) << "seed " << seed;
    ASSERT_EQ(again.amount, view.amount);
    ASSERT_EQ(again.merchant, view.merchant);
    ASSERT_EQ(again.key, view.key);
    ASSERT_EQ(again.settled_at, view.settled_at);

    PayoutInstruction payout{.provider_key = ProviderKey(view.key),
                             .payout_id = RandomText(random, 1, kMaxEventIdBytes, kId),
                             .merchant_id = view.merchant,
                             .asset = {.code = "USD", .scale = 2},
                             .amount = view.amount,
                             .requested_at = absl::FromUnixNanos(view.requested_at)};
    NW_ASSERT_OK_AND_ASSIGN(const PayoutInstruction same, DecodeInstruction(EncodeInstruction(payout, view.key)));
    ASSERT_TRUE(Same(same, payout)) << "seed " << seed;

    PayoutRailRecord rail{.submitted = random.Percent(50),
                          .submits = static_cast<uint32_t>(random.Next()),
                          .queries = static_cast<uint32_t>(random.Next()),
                          .attention = RandomText(random, 0, kMaxTaskErrorBytes, kId)};
    for (uint64_t n = random.Below(kMaxRailAttempts + 5); n > 0; --n) {
      rail.Add({.at = absl::FromUnixNanos(static_cast<int64_t>(random.Next() >> 1)),
                .call = static_cast<RailAttempt::Call>(1 + random.Below(2)),
                .answer = static_cast<RailState>(1 + random.Below(5)),
                .reason = RandomText(random, 0, kMaxTaskErrorBytes, kId)});
    }
    NW_ASSERT_OK_AND_ASSIGN(const PayoutRailRecord read, DecodePayoutRail("po1", EncodePayoutRail(rail)));
    ASSERT_EQ(EncodePayoutRail(read), EncodePayoutRail(rail)) << "seed " << seed;
    ASSERT_EQ(read.submitted, rail.submitted);
    ASSERT_EQ(read.submits, rail.submits);
    ASSERT_EQ(read.attempts.size(), rail.attempts.size());
  }
}

TEST(PayoutRecord, OfManyCallsTheLastAreKept) {
  PayoutRailRecord record;
  for (int i = 0; i < 50; ++i) record.Add({.at = At(i)});
  ASSERT_EQ(record.attempts.size(), kMaxRailAttempts);
  EXPECT_EQ(record.attempts.front().at, At(30));
  EXPECT_EQ(record.attempts.back().at, At(49));
}

// ---- Damage ---------------------------------------------------------------------------------------------------------

TEST(PayoutRecord, EveryTruncationAndEveryByteTooManyIsSeen) {
  const auto refuses = [](const std::string& whole, const auto& decode) {
    EXPECT_THAT(decode(whole), IsOk());
    for (size_t n = 0; n < whole.size(); ++n) {
      EXPECT_THAT(decode(whole.substr(0, n)), StatusIs(absl::StatusCode::kDataLoss)) << n;
    }
    EXPECT_THAT(decode(whole + "x"), StatusIs(absl::StatusCode::kDataLoss));
  };
  refuses(EncodePayoutView(SampleView()), [](const std::string& bytes) { return DecodePayoutView("po1", bytes); });
  refuses(EncodePayoutRail(SampleRail()), [](const std::string& bytes) { return DecodePayoutRail("po1", bytes); });
  refuses(EncodeInstruction(SampleInstruction(), KeyOf(0)),
          [](const std::string& bytes) { return DecodeInstruction(bytes); });
}

TEST(PayoutRecord, ValuesOutOfRangeAreSeen) {
  const auto with = [](std::string bytes, size_t place, char value) {
    bytes[place] = value;
    return bytes;
  };
  const std::string view = EncodePayoutView(SampleView()), rail = EncodePayoutRail(SampleRail());
  const size_t first_call = 19, first_answer = 20;
  ASSERT_EQ(rail[first_answer], 4) << "where the first answer stands";
  for (const auto& [place, value] : {std::pair<size_t, char>{0, 2}, {1, 0}, {1, 8}, {2, 100}}) {
    EXPECT_THAT(DecodePayoutView("po1", with(view, place, value)), StatusIs(absl::StatusCode::kDataLoss)) << place;
  }
  for (const auto& [place, value] : {std::pair<size_t, char>{0, 2},
                                     {1, 2},
                                     {10, 21},
                                     {first_call, 0},
                                     {first_call, 3},
                                     {first_answer, 0},
                                     {first_answer, 7}}) {
    EXPECT_THAT(DecodePayoutRail("po1", with(rail, place, value)), StatusIs(absl::StatusCode::kDataLoss)) << place;
  }
  PayoutInstruction payout = SampleInstruction();
  payout.asset.code = "usd";
  EXPECT_THAT(DecodeInstruction(EncodeInstruction(payout, KeyOf(0))), StatusIs(absl::StatusCode::kDataLoss));
  payout = SampleInstruction();
  payout.payout_id.assign(kMaxEventIdBytes + 1, 'p');
  EXPECT_THAT(DecodeInstruction(EncodeInstruction(payout, KeyOf(0))), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(PayoutRecord, DamageNamesThePayout) {
  EXPECT_THAT(DecodePayoutView("po1", ""), StatusIs(absl::StatusCode::kDataLoss, ::testing::HasSubstr("po1")));
  EXPECT_THAT(DecodePayoutRail("po1", ""), StatusIs(absl::StatusCode::kDataLoss, ::testing::HasSubstr("po1")));
}

}  // namespace
}  // namespace northwind::internal

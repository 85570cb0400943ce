// SPDX-License-Identifier: Apache-2.0
#include "northwind/idempotency_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "tests/support/status_matchers.h"

namespace northwind {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;

absl::Time Nanos(int64_t nanos) { return absl::FromUnixNanos(nanos); }

struct Vector {
  std::string_view subject_id;
  std::string_view type;
  int64_t nanos;
  std::string_view key;
};

// Computed by another program (Python's hashlib), from the definition in docs/format.md.
constexpr Vector kGolden[] = {
    {"", "", 0, "00000000000070681b0b728a813abea3"},
    {"pay_1", "", 1'700'000'000'000'000'000, "018bcfe56800ef427fc95ee1a5186ca6"},
    {"pay_1", "PAYMENT_CAPTURED", 1'700'000'000'000'000'000, "018bcfe56800a1cc987a361aa55fc510"},
    {"pay_1", "PAYMENT_CAPTURED", 1'700'000'000'000'000'001, "018bcfe56800c3688bc28c049c508c92"},
    {"pay_2", "PAYMENT_REFUNDED", 1'700'000'000'123'456'789, "018bcfe5687bd3b02647658174bc796f"},
    {"pay_1/re_7", "PAYMENT_REFUNDED", 1'767'225'599'999'999'999, "019b76daa7ff6c00aa2af11bf3ccdacd"},
    {"zahlung-ü", "PAYOUT_PAID", 1'700'000'000'000'000'000, "018bcfe56800758212fc0a96d87e91f1"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "ADJUSTMENT", 9'223'372'036'854'775'807,
     "08637bd05af61ed7e6733274769f7762"},
    {"pay_1", "PAYMENT_CAPTURED", 1'700'000'000'123'456'789, "018bcfe5687b6b519c8e6f08427a072f"},
    {"PAYMENT_CAPTUREDpay_1", "", 1'700'000'000'123'456'789, "018bcfe5687b5c196d3155207a91f520"},
    {"po_9", "PAYOUT_REQUESTED", 1'767'225'600'000'000'000, "019b76daa800c3495ef142cf08cc0f44"},
    {std::string_view("\x00\xff", 2), "\n", 1, "000000000000e02a111336056d55f7b8"},
};

TEST(DeriveKey, GivesTheGoldenVectors) {
  for (const Vector& golden : kGolden) {
    EXPECT_EQ(DeriveKey(golden.subject_id, Nanos(golden.nanos), golden.type).ToString(), golden.key)
        << golden.subject_id << " " << golden.type << " " << golden.nanos;
  }
}

TEST(DeriveKey, HashesALongIdWhole) {
  EXPECT_EQ(DeriveKey(std::string(1000, 'x'), absl::FromUnixNanos(9'223'372'036'854'775'807), "t").ToString(),
            "08637bd05af6115c02d75026b56d1ed8");
}

TEST(DeriveKey, DependsOnEveryPartAndOnWhereItEnds) {
  const IdempotencyKey key = DeriveKey("ab", Nanos(5), "cd");
  EXPECT_EQ(key, DeriveKey("ab", Nanos(5), "cd"));
  EXPECT_NE(key, DeriveKey("ab", Nanos(6), "cd"));
  EXPECT_NE(key, DeriveKey("abc", Nanos(5), "cd"));
  EXPECT_NE(key, DeriveKey("abc", Nanos(5), "d"));
  EXPECT_NE(key, DeriveKey("cd", Nanos(5), "ab"));
  EXPECT_NE(key, DeriveKey("cdab", Nanos(5)));
}

TEST(DeriveKey, KeysOfLaterMillisecondsAreGreater) {
  IdempotencyKey last = DeriveKey("z", absl::FromUnixMillis(0));
  for (int64_t millis = 1; millis < 10'000'000'000'000; millis = millis * 3 + 1) {
    const IdempotencyKey next = DeriveKey("a", absl::FromUnixMillis(millis));
    EXPECT_LT(last, next) << millis;
    last = next;
  }
}

TEST(DeriveKey, TimesOutsideTheRangeAreClamped) {
  const absl::Time latest = Nanos(9'223'372'036'854'775'807);
  EXPECT_EQ(DeriveKey("a", absl::InfinitePast()), DeriveKey("a", absl::UnixEpoch()));
  EXPECT_EQ(DeriveKey("a", Nanos(-1)), DeriveKey("a", absl::UnixEpoch()));
  EXPECT_EQ(DeriveKey("a", absl::InfiniteFuture()), DeriveKey("a", latest));
  EXPECT_EQ(DeriveKey("a", latest + absl::Nanoseconds(1)), DeriveKey("a", latest));
}

TEST(DeriveKey, LessThanANanosecondDoesNotCount) {
  EXPECT_EQ(DeriveKey("a", Nanos(7) + absl::Nanoseconds(0.75)), DeriveKey("a", Nanos(7)));
}

constexpr std::string_view kText = "00112233445566778899aabbccddeeff";

TEST(IdempotencyKey, ReadsHexadecimalDigitsAndUuids) {
  NW_ASSERT_OK_AND_ASSIGN(const IdempotencyKey key, IdempotencyKey::Parse(kText));
  EXPECT_EQ(key.ToString(), kText);
  EXPECT_EQ(key.bytes(), std::string_view("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16));
  for (const std::string_view same : {"00112233445566778899AABBCCDDEEFF", "00112233-4455-6677-8899-aabbccddeeff",
                                      "00112233-4455-6677-8899-AABBCCDDeeff"}) {
    NW_ASSERT_OK_AND_ASSIGN(const IdempotencyKey parsed, IdempotencyKey::Parse(same));
    EXPECT_EQ(parsed, key) << same;
  }
}

TEST(IdempotencyKey, RefusesAnyOtherText) {
  for (const std::string_view bad :
       {"", "0", "00112233445566778899aabbccddeef", "00112233445566778899aabbccddeefff",
        "00112233445566778899aabbccddeefg", " 0112233445566778899aabbccddeeff", "00112233-4455-6677-8899aabbccddeeff0",
        "0011223-34455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeef-",
        "{00112233-4455-6677-8899-aabbccddeeff}", "0x112233445566778899aabbccddeeff"}) {
    EXPECT_THAT(IdempotencyKey::Parse(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

TEST(IdempotencyKey, IsMadeFromExactlySixteenBytes) {
  NW_ASSERT_OK_AND_ASSIGN(const IdempotencyKey key, IdempotencyKey::FromBytes(std::string(16, '\x7f')));
  EXPECT_EQ(key.ToString(), "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f");
  EXPECT_THAT(IdempotencyKey::FromBytes(std::string(15, 'x')), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(IdempotencyKey::FromBytes(std::string(17, 'x')), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(IdempotencyKey, IsOrderedBytewiseAsUnsigned) {
  const std::vector<std::string> ascending = {
      "00000000000000000000000000000000", "00000000000000000000000000000001", "000000000000000000000000000000ff",
      "00000000000000008000000000000000", "0000000000000001000000000000000a", "00000000000001000000000000000000",
      "7fffffffffffffff0000000000000000", "80000000000000000000000000000000", "ffffffffffffffffffffffffffffffff"};
  for (size_t i = 0; i < ascending.size(); ++i) {
    for (size_t j = 0; j < ascending.size(); ++j) {
      const IdempotencyKey a = *IdempotencyKey::Parse(ascending[i]);
      const IdempotencyKey b = *IdempotencyKey::Parse(ascending[j]);
      EXPECT_EQ(a <=> b, i <=> j) << ascending[i] << " " << ascending[j];
      EXPECT_EQ(a == b, i == j);
    }
  }
}

TEST(IdempotencyKey, DefaultsToZero) {
  EXPECT_EQ(IdempotencyKey().ToString(), std::string(32, '0'));
  EXPECT_EQ(IdempotencyKey(), IdempotencyKey(std::array<uint8_t, 16>{}));
}

TEST(IdempotencyKey, EqualKeysHashAlikeAndOthersHardlyEver) {
  absl::flat_hash_set<size_t> hashes;
  for (int64_t nanos = 0; nanos < 1000; ++nanos) {
    const IdempotencyKey key = DeriveKey("a", Nanos(nanos));
    hashes.insert(absl::HashOf(key));
    EXPECT_EQ(absl::HashOf(key), absl::HashOf(*IdempotencyKey::Parse(key.ToString())));
  }
  EXPECT_EQ(hashes.size(), 1000u);
}

}  // namespace
}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/secret_box.h"

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TestSeed;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr SecretPlace kPlace = {.tenant = "m_42", .record = "endpoint/ep_1"};
constexpr std::string_view kSecret = "whsec_secret";

// 32 bytes that count up from `first`.
HostKey Key(std::string id, int first) {
  std::string key;
  for (size_t i = 0; i < kHostKeyBytes; ++i) key.push_back(static_cast<char>(first + static_cast<int>(i)));
  return {std::move(id), SecretBytes(key)};
}

template <typename... Keys>
absl::StatusOr<SecretBox> Make(Keys&&... keys) {
  std::vector<HostKey> all;
  (all.push_back(std::forward<Keys>(keys)), ...);
  return SecretBox::Make(std::move(all));
}

// Sealed by another implementation of AES-256-GCM: key 00 01 … 1f, nonce a0 … ab.
TEST(SecretBox, OpensTheGoldenBytes) {
  const std::string sealed = absl::HexStringToBytes(
      "01"                                // version
      "026b31"                            // key id
      "a0a1a2a3a4a5a6a7a8a9aaab"          // nonce
      "91700f48269471da0117e2a7"          // ciphertext
      "e108f47b8ca3b0474509f1166549d441"  // tag
  );
  NW_ASSERT_OK_AND_ASSIGN(const SecretBox box, Make(Key("k1", 0)));
  NW_ASSERT_OK_AND_ASSIGN(const SecretBytes secret, box.Open(kPlace, sealed));
  EXPECT_EQ(secret.view(), kSecret);
}

TEST(SecretBox, WhatIsSealedComesBack) {
  Random random(TestSeed());
  NW_ASSERT_OK_AND_ASSIGN(const SecretBox box, Make(Key("k1", 0)));
  for (const size_t size : {size_t{0}, size_t{1}, size_t{38}, size_t{64}, kMaxSecretBytes}) {
    std::string secret(size, '\0');
    for (char& c : secret) c = static_cast<char>(random.Next());
    NW_ASSERT_OK_AND_ASSIGN(const std::string sealed, box.Seal(kPlace, secret));
    EXPECT_EQ(sealed.size(), 1 + 3 + 12 + size + 16);
    if (size > 16) {
      EXPECT_THAT(sealed, Not(HasSubstr(secret)));
    }
    NW_ASSERT_OK_AND_ASSIGN(const SecretBytes opened, box.Open(kPlace, sealed));
    EXPECT_EQ(opened.view(), secret);
  }
  EXPECT_THAT(box.Seal(kPlace, std::string(kMaxSecretBytes + 1, 's')), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(SecretBox, NeverSealsAlikeTwice) {
  NW_ASSERT_OK_AND_ASSIGN(const SecretBox box, Make(Key("k1", 0)));
  std::set<std::string> nonces;
  for (int i = 0; i < 1000; ++i) nonces.insert(box.Seal(kPlace, kSecret)->substr(4, kAesGcmNonceBytes));
  EXPECT_EQ(nonces.size(), 1000u);
}

TEST(SecretBox, AnyFlippedBitOrMissingByteIsSeen) {
  NW_ASSERT_OK_AND_ASSIGN(const SecretBox box, Make(Key("k1", 0), Key("k3", 1)));
  NW_ASSERT_OK_AND_ASSIGN(const std::string sealed, box.Seal(kPlace, kSecret));
  for (size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const auto opened = box.Open(kPlace, changed);
    EXPECT_FALSE(opened.ok()) << bit;
    EXPECT_THAT(opened.status().ToString(), Not(HasSubstr("secret_"))) << bit;
    // Another length or letter of the key id may name a key that was not given.
    if (bit / 8 < 1 || bit / 8 > 3) {
      EXPECT_THAT(opened, StatusIs(absl::StatusCode::kDataLoss)) << bit;
    }
  }
  for (size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_THAT(box.Open(kPlace, sealed.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss)) << size;
  }
  EXPECT_THAT(box.Open(kPlace, sealed + "x"), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(SecretBox, OpensOnlyInItsPlace) {
  NW_ASSERT_OK_AND_ASSIGN(const SecretBox box, Make(Key("k1", 0)));
  NW_ASSERT_OK_AND_ASSIGN(const std::string sealed, box.Seal(kPlace, kSecret));
  for (const SecretPlace& other : {SecretPlace{"m_43", "endpoint/ep_1"}, SecretPlace{"m_42", "endpoint/ep_2"},
                                   SecretPlace{"endpoint/ep_1", "m_42"}, SecretPlace{"m_42endpoint/ep_1", ""},
                                   SecretPlace{"m_4", "2endpoint/ep_1"}, SecretPlace{"", ""}}) {
    EXPECT_THAT(box.Open(other, sealed), StatusIs(absl::StatusCode::kDataLoss)) << other.tenant << " " << other.record;
  }
}

TEST(SecretBox, AnotherKeyOfTheSameIdIsSeenAndNamed) {
  NW_ASSERT_OK_AND_ASSIGN(const SecretBox box, Make(Key("k1", 0)));
  NW_ASSERT_OK_AND_ASSIGN(const SecretBox other, Make(Key("k1", 1)));
  NW_ASSERT_OK_AND_ASSIGN(const std::string sealed, box.Seal(kPlace, kSecret));
  EXPECT_THAT(other.Open(kPlace, sealed), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("host key k1")));
}

TEST(SecretBox, TheHostsKeyIsRotated) {
  NW_ASSERT_OK_AND_ASSIGN(const SecretBox before, Make(Key("2025", 0)));
  NW_ASSERT_OK_AND_ASSIGN(const std::string old, before.Seal(kPlace, kSecret));
  EXPECT_TRUE(before.IsNewest(old));

  NW_ASSERT_OK_AND_ASSIGN(const SecretBox during, Make(Key("2026", 7), Key("2025", 0)));
  EXPECT_FALSE(during.IsNewest(old));
  NW_ASSERT_OK_AND_ASSIGN(const SecretBytes secret, during.Open(kPlace, old));
  NW_ASSERT_OK_AND_ASSIGN(const std::string fresh, during.Seal(kPlace, secret.view()));
  EXPECT_TRUE(during.IsNewest(fresh));

  NW_ASSERT_OK_AND_ASSIGN(const SecretBox after, Make(Key("2026", 7)));
  NW_ASSERT_OK_AND_ASSIGN(const SecretBytes again, after.Open(kPlace, fresh));
  EXPECT_EQ(again.view(), kSecret);
  EXPECT_THAT(after.Open(kPlace, old), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("host key 2025")));
  EXPECT_FALSE(after.IsNewest("garbage"));
}

// One key under two names: what is sealed under one is not good under the other, as the id is bound.
TEST(SecretBox, TheKeyIdIsBound) {
  NW_ASSERT_OK_AND_ASSIGN(const SecretBox k1, Make(Key("k1", 0)));
  NW_ASSERT_OK_AND_ASSIGN(const SecretBox k2, Make(Key("k2", 0)));
  NW_ASSERT_OK_AND_ASSIGN(std::string sealed, k1.Seal(kPlace, kSecret));
  sealed[3] = '2';
  EXPECT_THAT(k2.Open(kPlace, sealed), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(SecretBox, RefusesKeysThatAreNone) {
  const auto refused = [](std::string_view why) {
    return StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(std::string(why)), Not(HasSubstr("\x05\x06"))));
  };
  EXPECT_THAT(Make(), refused("1 to 16"));
  for (const std::string& id : {std::string(), std::string("a b"), std::string("a/b"), std::string("a\n"),
                                std::string("\xc3\xbc"), std::string(kMaxHostKeyIdBytes + 1, 'a')}) {
    EXPECT_THAT(Make(Key(id, 0)), refused("id")) << id;
  }
  EXPECT_THAT(Make(Key(std::string(kMaxHostKeyIdBytes, 'a'), 0)), IsOk());
  EXPECT_THAT(Make(HostKey{"k", SecretBytes("short")}), refused("5 bytes, not 32"));
  EXPECT_THAT(Make(HostKey{"k", SecretBytes(std::string(33, 'x'))}), refused("33 bytes"));
  EXPECT_THAT(Make(HostKey{"k", SecretBytes::OfSize(32)}), refused("repeated"));
  EXPECT_THAT(Make(HostKey{"k", SecretBytes(std::string(32, 'x'))}), refused("repeated"));
  EXPECT_THAT(Make(Key("k", 0), Key("k", 1)), refused("twice"));
  EXPECT_THAT(Make(Key("a", 0), Key("b", 0)), refused("same"));
  std::vector<HostKey> many;
  for (size_t i = 0; i <= kMaxHostKeys; ++i) many.push_back(Key("k" + std::to_string(i), static_cast<int>(i)));
  EXPECT_THAT(SecretBox::Make(std::move(many)), refused("not 17"));
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/signing_key.h"

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/base/error.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kHmacText = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view kPrivateText =
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
constexpr std::string_view kPublicText = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

std::string WithBytes(std::string_view prefix, size_t size) {
  return std::string(prefix).append(EncodeBase64(std::string(size, 'k')).view());
}

std::string Unhex(std::string_view hex) { return absl::HexStringToBytes(ToAbsl(hex)); }

TEST(SigningKey, TextComesBack) {
  for (const std::string_view text : {kHmacText, kPrivateText}) {
    NW_ASSERT_OK_AND_ASSIGN(const SigningKey key, SigningKey::Parse(text));
    EXPECT_EQ(key.Text().view(), text);
  }
  for (const std::string_view text : {kHmacText, kPublicText}) {
    NW_ASSERT_OK_AND_ASSIGN(const VerificationKey key, VerificationKey::Parse(text));
    EXPECT_EQ(key.Text().view(), text);
  }
}

TEST(SigningKey, HandsOutWhatReceiversNeedAndNoMore) {
  NW_ASSERT_OK_AND_ASSIGN(const SigningKey hmac, SigningKey::Parse(kHmacText));
  EXPECT_EQ(hmac.scheme(), SignatureScheme::kHmacSha256);
  EXPECT_EQ(hmac.verification_key().Text().view(), kHmacText);
  NW_ASSERT_OK_AND_ASSIGN(const SigningKey ed25519, SigningKey::Parse(kPrivateText));
  EXPECT_EQ(ed25519.scheme(), SignatureScheme::kEd25519);
  EXPECT_EQ(ed25519.verification_key().Text().view(), kPublicText);
}

TEST(SigningKey, GeneratedOnesDifferSignAndComeBack) {
  for (const SignatureScheme scheme : {SignatureScheme::kHmacSha256, SignatureScheme::kEd25519}) {
    NW_ASSERT_OK_AND_ASSIGN(const SigningKey key, SigningKey::Generate(scheme));
    NW_ASSERT_OK_AND_ASSIGN(const SigningKey other, SigningKey::Generate(scheme));
    EXPECT_NE(key.Text().view(), other.Text().view());
    const std::string signature = key.Sign("text");
    EXPECT_EQ(signature.size(), SignatureBytes(scheme));
    NW_ASSERT_OK_AND_ASSIGN(const SigningKey again, SigningKey::Parse(key.Text().view()));
    EXPECT_TRUE(again.verification_key().Verify("text", signature));
    EXPECT_FALSE(other.verification_key().Verify("text", signature));
    EXPECT_FALSE(again.verification_key().Verify("texu", signature));
    EXPECT_FALSE(again.verification_key().Verify("text", ""));
    EXPECT_FALSE(again.verification_key().Verify("text", signature + "x"));
    for (size_t bit = 0; bit < 8 * signature.size(); ++bit) {
      std::string changed = signature;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_FALSE(again.verification_key().Verify("text", changed)) << bit;
    }
  }
}

TEST(SigningKey, AnHmacSecretHas24To64Bytes) {
  for (const size_t size : {24, 25, 32, 63, 64}) {
    EXPECT_THAT(SigningKey::Parse(WithBytes("whsec_", size)), IsOk()) << size;
    EXPECT_THAT(VerificationKey::Parse(WithBytes("whsec_", size)), IsOk()) << size;
  }
  for (const size_t size : {0, 1, 16, 23, 65, 66, 96}) {
    EXPECT_THAT(SigningKey::Parse(WithBytes("whsec_", size)), StatusIs(absl::StatusCode::kInvalidArgument)) << size;
    EXPECT_THAT(VerificationKey::Parse(WithBytes("whsec_", size)), StatusIs(absl::StatusCode::kInvalidArgument))
        << size;
  }
}

TEST(SigningKey, HalvesMustBelongTogether) {
  std::string text(kPrivateText);
  text[10] = text[10] == 'A' ? 'B' : 'A';  // another seed
  EXPECT_THAT(SigningKey::Parse(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not belong")));
  EXPECT_THAT(SigningKey::Parse(WithBytes("whsk_", 32)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SigningKey::Parse(WithBytes("whsk_", 65)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(VerificationKey::Parse(WithBytes("whpk_", 31)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(SigningKey, ErrorsHoldNothingOfTheText) {
  const std::string secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";
  for (const std::string& text : {secret, "whsec_" + secret + "=", "whsec_" + secret.substr(0, 8), "whsk_" + secret,
                                  "whpk_" + secret, "whsec" + secret, "WHSEC_" + secret, " whsec_" + secret,
                                  std::string(), "whsec_" + secret + std::string(200, 'A')}) {
    const auto holds_nothing = Not(::testing::AnyOf(HasSubstr("c2VjcmV0"), HasSubstr("secretsecret")));
    EXPECT_THAT(SigningKey::Parse(text), StatusIs(absl::StatusCode::kInvalidArgument, holds_nothing)) << text;
    EXPECT_THAT(VerificationKey::Parse(text), StatusIs(absl::StatusCode::kInvalidArgument, holds_nothing)) << text;
  }
}

TEST(SigningKey, APrivateKeyVerifiesNothingAndAPublicOneSignsNothing) {
  EXPECT_THAT(VerificationKey::Parse(kPrivateText), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SigningKey::Parse(kPublicText), StatusIs(absl::StatusCode::kInvalidArgument));
}

// RFC 8032 section 7.1, tests 1 and 3.
TEST(SigningKey, GivesTheVectorsOfEd25519) {
  const std::string seed1 = Unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
  const std::string public1 = Unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  NW_ASSERT_OK_AND_ASSIGN(const SigningKey first,
                          SigningKey::Parse(std::string("whsk_").append(EncodeBase64(seed1 + public1).view())));
  EXPECT_EQ(absl::BytesToHexString(first.Sign("")),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b");
  const std::string seed3 = Unhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
  const std::string public3 = Unhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
  NW_ASSERT_OK_AND_ASSIGN(const SigningKey third,
                          SigningKey::Parse(std::string("whsk_").append(EncodeBase64(seed3 + public3).view())));
  EXPECT_EQ(absl::BytesToHexString(third.Sign("\xaf\x82")),
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a");
}

}  // namespace
}  // namespace northwind::internal

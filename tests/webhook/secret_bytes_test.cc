// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/secret_bytes.h"

#include <string>
#include <utility>

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
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SecretBytes, MoveLeavesNothingBehind) {
  SecretBytes first("short");
  SecretBytes second(std::move(first));
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.view(), "short");
  first = std::move(second);
  EXPECT_EQ(first.view(), "short");
  EXPECT_TRUE(second.empty());  // NOLINT(bugprone-use-after-move)
  first = SecretBytes();
  EXPECT_EQ(first.view(), "");
  EXPECT_EQ(SecretBytes::Joined("ab", "").view(), "ab");
  EXPECT_EQ(SecretBytes::Joined("ab", "cd").view(), "abcd");
}

TEST(SecretBytes, RandomOnesDiffer) {
  NW_ASSERT_OK_AND_ASSIGN(const SecretBytes a, SecretBytes::Random(32));
  NW_ASSERT_OK_AND_ASSIGN(const SecretBytes b, SecretBytes::Random(32));
  EXPECT_EQ(a.size(), 32u);
  EXPECT_NE(a.view(), b.view());
  EXPECT_NE(a.view(), std::string(32, '\0'));
}

// RFC 4648 section 10.
TEST(Base64, GivesTheVectorsOfItsStandard) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(EncodeBase64(bytes).view(), text);
    NW_ASSERT_OK_AND_ASSIGN(const SecretBytes decoded, DecodeBase64(text));
    EXPECT_EQ(decoded.view(), bytes);
  }
}

TEST(Base64, OneValueHasOneText) {
  for (const char* text : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z", "Zm 9v", " Zm9v", "Zm9v\n", "Zm9v====", "=m9v",
                           "Z=9v", "Zm9vZg==Zm9v", "====", "==", "=", "Zm-v", "Zm_v", "Zm9\x80"}) {
    EXPECT_THAT(DecodeBase64(text), StatusIs(absl::StatusCode::kInvalidArgument, Not(HasSubstr(text)))) << text;
  }
  EXPECT_THAT(DecodeBase64(std::string_view("Zm9\0", 4)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Base64, AnyBytesComeBack) {
  Random random(TestSeed());
  for (size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random.Next());
    const SecretBytes text = EncodeBase64(bytes);
    EXPECT_EQ(text.size(), (size + 2) / 3 * 4);
    NW_ASSERT_OK_AND_ASSIGN(const SecretBytes again, DecodeBase64(text.view()));
    EXPECT_EQ(again.view(), bytes);
  }
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/aes_gcm.h"

#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

struct Vector {
  std::string_view key, nonce, associated, plaintext, ciphertext, tag;
};

// Test cases 13 to 16 of McGrew and Viega's specification of GCM, those of 256-bit keys and 96-bit nonces.
constexpr std::string_view kZeroKey = "0000000000000000000000000000000000000000000000000000000000000000";
constexpr std::string_view kKey = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
constexpr std::string_view kText =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
    "b16aedf5aa0de657ba637b391aafd255";
constexpr std::string_view kSealedText =
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
    "c5f61e6393ba7a0abcc9f662898015ad";
constexpr Vector kVectors[] = {
    {kZeroKey, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {kZeroKey, "000000000000000000000000", "", "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {kKey, "cafebabefacedbaddecaf888", "", kText, kSealedText, "b094dac5d93471bdec1a502270e3cc6c"},
    {kKey, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", kText.substr(0, 120),
     kSealedText.substr(0, 120), "76fc6ece0f4e1768cddf8853bb2d551b"},
};

std::string Unhex(std::string_view hex) { return absl::HexStringToBytes(ToAbsl(hex)); }

TEST(AesGcm, GivesThePublishedVectors) {
  for (const Vector& v : kVectors) {
    const std::string sealed = AesGcmSeal(Unhex(v.key), Unhex(v.nonce), Unhex(v.associated), Unhex(v.plaintext));
    EXPECT_EQ(absl::BytesToHexString(sealed), std::string(v.ciphertext).append(v.tag));
    const auto opened = AesGcmOpen(Unhex(v.key), Unhex(v.nonce), Unhex(v.associated), sealed);
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(opened->view(), Unhex(v.plaintext));
  }
}

TEST(AesGcm, OpensNothingElse) {
  const Vector& v = kVectors[3];
  const std::string key = Unhex(v.key), nonce = Unhex(v.nonce), associated = Unhex(v.associated);
  const std::string sealed = AesGcmSeal(key, nonce, associated, Unhex(v.plaintext));
  const auto flipped = [](std::string bytes, size_t bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    return bytes;
  };
  for (size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
    EXPECT_FALSE(AesGcmOpen(key, nonce, associated, flipped(sealed, bit)).has_value()) << bit;
  }
  for (size_t bit = 0; bit < 8 * key.size(); ++bit) {
    EXPECT_FALSE(AesGcmOpen(flipped(key, bit), nonce, associated, sealed).has_value()) << bit;
  }
  for (size_t bit = 0; bit < 8 * nonce.size(); ++bit) {
    EXPECT_FALSE(AesGcmOpen(key, flipped(nonce, bit), associated, sealed).has_value()) << bit;
  }
  for (size_t bit = 0; bit < 8 * associated.size(); ++bit) {
    EXPECT_FALSE(AesGcmOpen(key, nonce, flipped(associated, bit), sealed).has_value()) << bit;
  }
  EXPECT_FALSE(AesGcmOpen(key, nonce, associated + "x", sealed).has_value());
  EXPECT_FALSE(AesGcmOpen(key, nonce, "", sealed).has_value());
  for (size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(AesGcmOpen(key, nonce, associated, sealed.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(AesGcmOpen(key, nonce, associated, sealed + "x").has_value());
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/base/coding.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/seed.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::Random;
using ::northwind::testing::TestSeed;

std::string Varint(uint64_t v) {
  std::string out;
  PutVarint64(out, v);
  return out;
}
std::string Varint128(absl::uint128 v) {
  std::string out;
  PutVarint128(out, v);
  return out;
}
bool Reads(std::string_view bytes) {
  ByteReader reader(bytes);
  uint64_t v;
  return reader.GetVarint64(v) && reader.AtEnd();
}
bool Reads128(std::string_view bytes) {
  ByteReader reader(bytes);
  absl::uint128 v;
  return reader.GetVarint128(v) && reader.AtEnd();
}

TEST(Coding, BigEndianPutsTheHighByteFirst) {
  std::string out;
  PutBigEndian32(out, 0x01020304);
  PutBigEndian64(out, 0x0102030405060708);
  EXPECT_EQ(out, std::string("\x01\x02\x03\x04\x01\x02\x03\x04\x05\x06\x07\x08", 12));
  EXPECT_EQ(LoadBigEndian32(out.data()), 0x01020304u);
  EXPECT_EQ(LoadBigEndian64(out.data() + 4), 0x0102030405060708u);
}

TEST(Coding, BigEndianKeysSortAsNumbers) {
  std::string last;
  for (const uint64_t v : {uint64_t{0}, uint64_t{1}, uint64_t{255}, uint64_t{256}, uint64_t{1} << 31, uint64_t{1} << 32,
                           (uint64_t{1} << 63) - 1, uint64_t{1} << 63, std::numeric_limits<uint64_t>::max()}) {
    std::string key;
    PutBigEndian64(key, v);
    EXPECT_LT(last, key) << v;
    last = key;
  }
}

TEST(Coding, VarintsHaveTheirKnownBytes) {
  EXPECT_EQ(Varint(0), std::string(1, '\0'));
  EXPECT_EQ(Varint(127), "\x7f");
  EXPECT_EQ(Varint(128), "\x80\x01");
  EXPECT_EQ(Varint(300), "\xac\x02");
  EXPECT_EQ(Varint(std::numeric_limits<uint64_t>::max()), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  EXPECT_EQ(Varint128(300), Varint(300));
  EXPECT_EQ(Varint128(absl::Uint128Max()), std::string(18, '\xff') + "\x03");
  EXPECT_EQ(Varint128(absl::uint128(1) << 64), std::string(9, '\x80') + "\x02");
}

TEST(Coding, EveryLengthOfVarintReadsBack) {
  for (int bits = 0; bits < 64; ++bits) {
    for (const uint64_t v : {uint64_t{1} << bits, (uint64_t{1} << bits) - 1, ~uint64_t{0} >> bits}) {
      const std::string bytes = Varint(v);
      ByteReader reader(bytes);
      uint64_t read = 0;
      ASSERT_TRUE(reader.GetVarint64(read));
      EXPECT_EQ(read, v);
      EXPECT_TRUE(reader.AtEnd());
      EXPECT_LE(bytes.size(), kMaxVarint64);
    }
  }
  for (int bits = 0; bits < 128; ++bits) {
    for (const absl::uint128 v : {absl::uint128(1) << bits, (absl::uint128(1) << bits) - 1}) {
      const std::string bytes = Varint128(v);
      ByteReader reader(bytes);
      absl::uint128 read = 0;
      ASSERT_TRUE(reader.GetVarint128(read));
      EXPECT_EQ(read, v);
      EXPECT_TRUE(reader.AtEnd());
      EXPECT_LE(bytes.size(), kMaxVarint128);
    }
  }
}

TEST(Coding, AVarintMustBeInItsShortestForm) {
  EXPECT_FALSE(Reads(std::string("\x80\x00", 2)));
  EXPECT_FALSE(Reads(std::string("\xff\x80\x00", 3)));
  EXPECT_TRUE(Reads(std::string("\x00", 1)));
  EXPECT_FALSE(Reads128(std::string("\x80\x00", 2)));
  EXPECT_FALSE(Reads128(std::string(18, '\x80') + std::string(1, '\0')));
}

TEST(Coding, AVarintMustFit) {
  EXPECT_FALSE(Reads("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")) << "65 bits";
  EXPECT_FALSE(Reads("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")) << "eleven bytes";
  EXPECT_FALSE(Reads128(std::string(18, '\xff') + "\x04")) << "129 bits";
  EXPECT_FALSE(Reads128(std::string(19, '\xff') + "\x01")) << "twenty bytes";
}

TEST(Coding, ATruncatedVarintFails) {
  const std::string bytes = Varint(std::numeric_limits<uint64_t>::max());
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(Reads(bytes.substr(0, n))) << n;
  const std::string wide = Varint128(absl::Uint128Max());
  for (size_t n = 0; n < wide.size(); ++n) EXPECT_FALSE(Reads128(wide.substr(0, n))) << n;
}

TEST(Coding, ANarrowTypeRefusesAWideVarint) {
  const std::string bytes = Varint(70'000);
  ByteReader wide(bytes);
  uint32_t v32 = 0;
  EXPECT_TRUE(wide.GetVarint(v32));
  EXPECT_EQ(v32, 70'000u);
  ByteReader narrow(bytes);
  uint16_t v16 = 0;
  EXPECT_FALSE(narrow.GetVarint(v16));
  EXPECT_FALSE(narrow.ok());
}

TEST(Coding, ZigZagKeepsSmallMagnitudesSmall) {
  EXPECT_EQ(ZigZag(0), 0u);
  EXPECT_EQ(ZigZag(-1), 1u);
  EXPECT_EQ(ZigZag(1), 2u);
  EXPECT_EQ(ZigZag(-2), 3u);
  for (const int64_t v : {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), int64_t{-123456}}) {
    EXPECT_EQ(UnZigZag(ZigZag(v)), v);
    const std::string bytes = Varint(ZigZag(v));
    ByteReader reader(bytes);
    int64_t read = 0;
    EXPECT_TRUE(reader.GetZigZag(read));
    EXPECT_EQ(read, v);
  }
}

TEST(Coding, BytesCarryTheirLengthAndABound) {
  std::string out;
  PutBytes(out, "hello");
  PutBytes(out, "");
  EXPECT_EQ(out, std::string("\x05hello\x00", 7));
  ByteReader reader(out);
  std::string_view v;
  EXPECT_TRUE(reader.GetBytes(5, v));
  EXPECT_EQ(v, "hello");
  EXPECT_TRUE(reader.GetBytes(0, v));
  EXPECT_EQ(v, "");
  EXPECT_TRUE(reader.AtEnd());
  ByteReader bounded(out);
  EXPECT_FALSE(bounded.GetBytes(4, v)) << "over the bound";
  ByteReader cut(std::string_view(out).substr(0, 5));
  EXPECT_FALSE(cut.GetBytes(5, v)) << "longer than what is left";
}

TEST(ByteReader, OnceFailedStaysFailed) {
  ByteReader reader("\x01\x02");
  uint32_t v32;
  EXPECT_FALSE(reader.GetBigEndian32(v32));
  EXPECT_FALSE(reader.ok());
  uint8_t v8;
  EXPECT_FALSE(reader.GetByte(v8)) << "although there were bytes left";
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, NeverReadsPastTheEndOfRandomBytes) {
  Random random(TestSeed());
  for (int i = 0; i < 100'000; ++i) {
    std::vector<char> bytes(random.Below(24));  // on the heap and no longer: a sanitizer sees one byte too far
    for (char& c : bytes) c = static_cast<char>(random.OneIn(2) ? 0x80 | random.Below(128) : random.Below(256));
    ByteReader reader({bytes.data(), bytes.size()});
    while (reader.ok() && !reader.AtEnd()) {
      uint64_t v64;
      uint32_t v32;
      absl::uint128 v128;
      std::string_view text;
      switch (random.Below(5)) {
        case 0:
          (void)reader.GetVarint64(v64);
          break;
        case 1:
          (void)reader.GetVarint128(v128);
          break;
        case 2:
          (void)reader.GetBytes(100, text);
          break;
        case 3:
          (void)reader.GetBigEndian32(v32);
          break;
        default:
          (void)reader.GetBigEndian64(v64);
      }
      ASSERT_LE(reader.remaining(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace northwind::internal

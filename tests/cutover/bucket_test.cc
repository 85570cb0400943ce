// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>

#include "gtest/gtest.h"
#include "northwind/cutover.h"

namespace northwind::testing {
namespace {

// docs/cutover.md has the same, and the three lines of Python that made them.
TEST(CutoverBucket, GoldenVectors) {
  EXPECT_EQ(CutoverBucket("2026-spring", "m_1"), 3562U);
  EXPECT_EQ(CutoverBucket("2026-spring", "m_42"), 8347U);
  EXPECT_EQ(CutoverBucket("2026-spring", "acme.de"), 5016U);
  EXPECT_EQ(CutoverBucket("2027-autumn", "m_42"), 822U);
  EXPECT_EQ(CutoverBucket("s", "x"), 3748U);
  EXPECT_EQ(CutoverBucket("a b", "c"), 6963U);
  EXPECT_EQ(CutoverBucket(std::string(64, '~'), std::string(64, 'M')), 4286U);
}

TEST(CutoverBucket, SaltAndMerchantDoNotRunIntoEachOther) {
  EXPECT_NE(CutoverBucket("ab", "c"), CutoverBucket("a", "bc"));
}

// A hundred shares of 1 % each: about 1,000 of 100,000 merchants, with a standard deviation of 31.5. The ids are fixed, and so is what comes
// of them; python's hashlib finds 921 … 1076 as well.
TEST(CutoverBucket, MerchantsAreSpreadEvenly) {
  std::array<int, 100> shares{};
  for (int i = 0; i < 100'000; ++i) {
    const uint32_t bucket = CutoverBucket("2026-spring", "m_" + std::to_string(i));
    ASSERT_LT(bucket, kBasisPoints);
    ++shares[bucket / 100];
  }
  for (const int share : shares) {
    EXPECT_GE(share, 921);
    EXPECT_LE(share, 1076);
  }
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/batch_size.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace northwind::internal::postgres {
namespace {

TEST(BatchSize, IsHalvedDownToOne) {
  BatchSize size(8'192);
  EXPECT_EQ(size.get(), 8'192U);
  size.TookTooLong(8'192);
  EXPECT_EQ(size.get(), 4'096U);
  size.TookTooLong(100);  // it had ended sooner, for its rows
  EXPECT_EQ(size.get(), 50U);
  size.TookTooLong(400);  // one that was made before
  EXPECT_EQ(size.get(), 25U);
  for (int i = 0; i < 10; ++i) size.TookTooLong(size.get());
  EXPECT_EQ(size.get(), 1U);
}

TEST(BatchSize, GrowsByQuartersUpToWhatItMayBe) {
  BatchSize size(20);
  for (int i = 0; i < 10; ++i) size.TookTooLong(size.get());
  std::vector<size_t> sizes;
  for (int i = 0; i < 12; ++i) {
    size.WentFast(size.get());
    sizes.push_back(size.get());
  }
  EXPECT_THAT(sizes, ::testing::ElementsAre(2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 20));
  size.WentFast(20);
  EXPECT_EQ(size.get(), 20U);
}

TEST(BatchSize, ASmallBatchThatWentFastSaysNothingOfLargeOnes) {
  BatchSize size(1'000);
  size.TookTooLong(200);
  size.WentFast(3);
  EXPECT_EQ(size.get(), 100U);
}

}  // namespace
}  // namespace northwind::internal::postgres

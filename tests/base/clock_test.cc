// SPDX-License-Identifier: Apache-2.0
#include "northwind/clock.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"

namespace northwind {
namespace {

TEST(Clock, TheSystemClockIsOneAndTellsTheTime) {
  ASSERT_NE(Clock::System(), nullptr);
  EXPECT_EQ(Clock::System(), Clock::System());
  const absl::Time before = absl::Now();
  const absl::Time now = Clock::System()->Now();
  const absl::Time after = absl::Now();
  EXPECT_LE(before, now);
  EXPECT_LE(now, after);
}

}  // namespace
}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#include "src/scheduler/timeline.h"

#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"

namespace northwind::internal {
namespace {

class TimelineTest : public ::testing::Test {
 protected:
  static constexpr Timeline::Options kOptions{.jump_threshold = 10'000'000'000, .release_per_second = 2};

  int64_t Wall() { return absl::ToUnixNanos(clock_.Now()); }
  int64_t In(absl::Duration d) { return start_ + absl::ToInt64Nanoseconds(d); }

  testing::FakeClock clock_;
  const int64_t start_ = Wall();
  Timeline line_{clock_, 0, kOptions};
};

TEST_F(TimelineTest, GoesWithTheWallClock) {
  clock_.Advance(absl::Seconds(5));
  line_.Observe();
  EXPECT_EQ(line_.now(), In(absl::Seconds(5)));
  EXPECT_EQ(line_.offset(), 0);
}

TEST_F(TimelineTest, GoesOnByTheSteadyClockWhenTheWallClockStepsBack) {
  clock_.Jump(-absl::Hours(1));
  line_.Observe();
  EXPECT_EQ(line_.now(), start_);
  EXPECT_EQ(line_.offset(), absl::ToInt64Nanoseconds(absl::Hours(1)));
  clock_.Advance(absl::Seconds(3));
  line_.Observe();
  EXPECT_EQ(line_.now(), In(absl::Seconds(3)));
  // The error is mended: the line is where the wall clock is, and that is no jump.
  clock_.Jump(absl::Hours(1));
  line_.Observe();
  EXPECT_EQ(line_.now(), In(absl::Seconds(3)));
  EXPECT_EQ(line_.offset(), 0);
}

TEST_F(TimelineTest, NeverFallsBehindWhatIsKnownFromBefore) {
  Timeline later(clock_, In(absl::Hours(2)), kOptions);
  EXPECT_EQ(later.now(), In(absl::Hours(2)));
  clock_.Advance(absl::Seconds(1));
  later.Observe();
  EXPECT_EQ(later.now(), In(absl::Hours(2) + absl::Seconds(1)));
}

TEST_F(TimelineTest, ASmallStepAheadIsNoJump) {
  clock_.Jump(absl::Seconds(10));
  line_.Observe();
  EXPECT_EQ(line_.now(), In(absl::Seconds(10)));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(line_.Release(In(absl::Seconds(5))));
}

TEST_F(TimelineTest, WhatAJumpMakesDueIsReleasedAtABoundedRate) {
  clock_.Jump(absl::Hours(1));
  line_.Observe();
  EXPECT_EQ(line_.now(), In(absl::Hours(1)));
  EXPECT_TRUE(line_.Release(start_)) << "was due before";
  EXPECT_FALSE(line_.Release(In(absl::Minutes(1))));
  clock_.Advance(absl::Milliseconds(500));
  line_.Observe();
  EXPECT_TRUE(line_.Release(In(absl::Minutes(1))));
  EXPECT_FALSE(line_.Release(In(absl::Minutes(1))));
  // No more than one second's worth is saved up.
  clock_.Advance(absl::Hours(1));
  line_.Observe();
  int released = 0;
  while (line_.Release(In(absl::Minutes(1)))) ++released;
  EXPECT_EQ(released, 2);
  EXPECT_TRUE(line_.Release(In(absl::Hours(1)))) << "comes after the jump";
}

TEST_F(TimelineTest, AMachineThatSleptIsAJump) {
  // The steady clock stood still.
  clock_.Jump(absl::Hours(8));
  line_.Observe();
  EXPECT_FALSE(line_.Release(In(absl::Hours(7))));
}

TEST_F(TimelineTest, TwoJumpsMakeOne) {
  clock_.Jump(absl::Hours(1));
  line_.Observe();
  clock_.Jump(absl::Hours(1));
  line_.Observe();
  EXPECT_FALSE(line_.Release(In(absl::Minutes(30)))) << "of the first, not worked off";
  EXPECT_FALSE(line_.Release(In(absl::Minutes(90))));
}

TEST_F(TimelineTest, TimesBeforeTheEpochCountAsTheEpoch) {
  clock_.Set(absl::FromUnixSeconds(-5));
  Timeline early(clock_, 0, kOptions);
  EXPECT_EQ(early.now(), 0);
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "northwind/interrupt.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/status_matchers.h"

namespace northwind {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;

TEST(Interrupt, NobodyIsAskedWithoutAScope) {
  EXPECT_FALSE(internal::Interruptible());
  EXPECT_FALSE(internal::Interrupted());
  EXPECT_THAT(internal::CheckInterrupted(), IsOk());
}

TEST(Interrupt, TheFirstQuestionIsAskedAtOnceAndTheNextLater) {
  int asked = 0;
  const InterruptScope scope([&] {
    ++asked;
    return false;
  });
  EXPECT_TRUE(internal::Interruptible());
  const auto begun = std::chrono::steady_clock::now();
  while (asked < 2) EXPECT_FALSE(internal::Interrupted());
  EXPECT_GE(std::chrono::steady_clock::now() - begun, internal::kAskEvery);
}

TEST(Interrupt, WhatIsInterruptedStaysSoAndNobodyIsAskedAgain) {
  int asked = 0;
  const InterruptScope scope([&] {
    ++asked;
    return true;
  });
  EXPECT_THAT(internal::CheckInterrupted(), StatusIs(absl::StatusCode::kCancelled, "interrupted"));
  EXPECT_TRUE(internal::Interrupted());
  EXPECT_EQ(asked, 1);
}

TEST(Interrupt, AnInnerScopeHidesTheOuterOne) {
  const InterruptScope outer([] { return true; });
  {
    const InterruptScope to_the_end(nullptr);
    EXPECT_FALSE(internal::Interruptible());
    EXPECT_FALSE(internal::Interrupted());
  }
  EXPECT_TRUE(internal::Interrupted());
}

TEST(Interrupt, AScopeIsThatOfItsThread) {
  const InterruptScope scope([] { return true; });
  bool other = true;
  std::thread([&] { other = internal::Interrupted(); }).join();
  EXPECT_FALSE(other);
}

}  // namespace
}  // namespace northwind

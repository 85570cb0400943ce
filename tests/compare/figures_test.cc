// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "gtest/gtest.h"
#include "northwind/compare.h"

namespace northwind {
namespace {

Coverage Holding() {
  return {.ingested = {10, 100}, .matched = {4, -40}, .mismatched = {3, 90}, .pending = {2, 30}, .ignored = {1, 20}};
}

TEST(Coverage, HoldsIfEveryRowIsAccountedForInCountAndSum) {
  EXPECT_TRUE(Coverage().holds());
  EXPECT_TRUE(Holding().holds());
  for (CountAndSum Coverage::*part :
       {&Coverage::ingested, &Coverage::matched, &Coverage::mismatched, &Coverage::pending, &Coverage::ignored}) {
    Coverage coverage = Holding();
    (coverage.*part).count += 1;
    EXPECT_FALSE(coverage.holds());
    coverage = Holding();
    (coverage.*part).sum -= 1;
    EXPECT_FALSE(coverage.holds());
  }
}

TEST(Coverage, IsAddedUpWithoutOverflow) {
  constexpr absl::int128 kMost = std::numeric_limits<absl::int128>::max();
  const Coverage coverage = {
      .ingested = {3, kMost}, .matched = {1, kMost}, .mismatched = {1, kMost}, .pending = {1, -kMost}};
  EXPECT_TRUE(coverage.holds());
}

DayFigures Clean() {
  DayFigures day;
  day.state = DayState::kClosed;
  day.sound = true;
  day.assets["USD/2"].ours = {.ingested = {2, 5}, .matched = {1, 3}, .ignored = {1, 2}};
  day.assets["USD/2"].theirs = {.ingested = {1, 3}, .matched = {1, 3}};
  day.assets["JPY/0"].ours = {.ingested = {1, 7}, .mismatched = {1, 7}};
  day.by_state = {{DiscrepancyState::kOpen, 0}, {DiscrepancyState::kExplained, 1}, {DiscrepancyState::kIgnored, 1}};
  return day;
}

TEST(DayFigures, AreCleanOnlyIfNothingIsAmiss) {
  EXPECT_TRUE(Clean().clean());
  using Change = void (*)(DayFigures&);
  const Change changes[] = {
      [](DayFigures& d) { d.state = DayState::kOpen; },
      [](DayFigures& d) { d.state = DayState::kReopened; },
      [](DayFigures& d) { d.sound = false; },
      [](DayFigures& d) { d.incomplete.push_back("USD/2: 3 rows expected, 2 came"); },
      [](DayFigures& d) { d.by_state[DiscrepancyState::kOpen] = 1; },
      [](DayFigures& d) { d.assets["USD/2"].ours.ingested.count += 1; },
      [](DayFigures& d) { d.assets["JPY/0"].theirs.ingested.sum += 1; },
      [](DayFigures& d) { d.assets["USD/2"].ours = {}; },
      [](DayFigures& d) { d.assets["USD/2"].theirs = {}; },
      [](DayFigures& d) { d.assets.clear(); },
  };
  int i = 0;
  for (const Change change : changes) {
    DayFigures day = Clean();
    change(day);
    EXPECT_FALSE(day.clean()) << "change " << i;
    ++i;
  }
  EXPECT_FALSE(DayFigures().clean());
}

}  // namespace
}  // namespace northwind

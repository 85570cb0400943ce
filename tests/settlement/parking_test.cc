// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/parking.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/settlement/sample_events.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::At;
using ::northwind::testing::OfPayout;
using ::northwind::testing::Refunded;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Parking::Limits kRoomy = {.events = 1000, .bytes = 1 << 20, .per_target = 100};

ParkedEvent Parked(const PaymentEvent& event, uint64_t position) {
  ParkedEvent parked{.delivery = {.serial = position, .position = position}};
  parked.raw = *EncodeEventJson(event);
  const MappedEvent mapped = *MapEvent(event);
  parked.transaction = mapped.transaction;
  for (const MappedPosting& posting : mapped.postings) {
    parked.transaction.postings.push_back(
        {AccountId(posting.debit + 1u), AccountId(posting.credit + 1u), posting.amount});
  }
  return parked;
}

TEST(Parking, KeepsTheOrderOfArrivalPerTarget) {
  Parking parking(kRoomy);
  EXPECT_EQ(parking.Park(Parked(Refunded("p1", 1, 1, "a"), 1)), Parking::Answer::kParked);
  EXPECT_EQ(parking.Park(Parked(Refunded("p2", 1, 1, "a"), 2)), Parking::Answer::kParked);
  EXPECT_EQ(parking.Park(Parked(Refunded("p1", 1, 2, "b"), 3)), Parking::Answer::kParked);
  EXPECT_THAT(parking.WaitingFor({1001, "p1"}), ElementsAre(1, 3));
  EXPECT_THAT(parking.WaitingFor({1001, "p2"}), ElementsAre(2));
  EXPECT_THAT(parking.WaitingFor({1001, "p3"}), IsEmpty());
  EXPECT_THAT(parking.WaitingFor({1003, "p1"}), IsEmpty());
  EXPECT_THAT(parking.Oldest(2), ElementsAre(1, 2));
}

TEST(Parking, IncludesThoseThatWaitForAWaitingOne) {
  Parking parking(kRoomy);
  // The return comes before the payment, and both before the request.
  parking.Park(Parked(OfPayout(EventType::kPayoutReturned, "o1", 3), 1));
  EXPECT_THAT(parking.WaitingFor({1006, "o1"}), IsEmpty());
  parking.Park(Parked(OfPayout(EventType::kPayoutPaid, "o1", 2), 2));
  parking.Park(Parked(OfPayout(EventType::kPayoutPaid, "o1", 4), 3));  // the same under a new timestamp
  parking.Park(Parked(OfPayout(EventType::kPayoutReturned, "o1", 5), 4));
  EXPECT_THAT(parking.WaitingFor({1006, "o1"}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(parking.WaitingFor({1007, "o1"}), ElementsAre(1, 4));
}

TEST(Parking, ACopyIsNotedNotParkedAgain) {
  Parking parking(kRoomy);
  parking.Park(Parked(Refunded("p1", 1, 1, "a"), 1));
  EXPECT_EQ(parking.Park(Parked(Refunded("p1", 1, 1, "a"), 7)), Parking::Answer::kCopy);
  EXPECT_EQ(parking.Park(Parked(Refunded("p1", 2, 1, "a"), 8)), Parking::Answer::kParked);  // conflicts with the first
  EXPECT_EQ(parking.size(), 2u);
  const ParkedEvent event = parking.Remove(1);
  ASSERT_EQ(event.copies.size(), 1u);
  EXPECT_EQ(event.copies[0].position, 7u);
  EXPECT_THAT(parking.WaitingFor({1001, "p1"}), ElementsAre(2));
}

TEST(Parking, RemovingAllLeavesNothing) {
  Parking parking(kRoomy);
  for (uint64_t i = 1; i <= 5; ++i) parking.Park(Parked(Refunded("p1", 1, static_cast<int64_t>(i), "a"), i));
  parking.Park(Parked(Refunded("p1", 1, 5, "a"), 6));
  EXPECT_GT(parking.bytes(), 5 * 512u);
  for (const uint64_t arrival : {3, 1, 5, 2, 4}) parking.Remove(arrival);
  EXPECT_TRUE(parking.empty());
  EXPECT_EQ(parking.bytes(), 0u);
  EXPECT_EQ(parking.Find(1), nullptr);
  EXPECT_THAT(parking.WaitingFor({1001, "p1"}), IsEmpty());
}

TEST(Parking, HasThreeBounds) {
  Parking few({.events = 2, .bytes = 1 << 20, .per_target = 100});
  EXPECT_EQ(few.Park(Parked(Refunded("p1", 1, 1), 1)), Parking::Answer::kParked);
  EXPECT_EQ(few.Park(Parked(Refunded("p2", 1, 1), 2)), Parking::Answer::kParked);
  EXPECT_EQ(few.Park(Parked(Refunded("p3", 1, 1), 3)), Parking::Answer::kFull);
  EXPECT_EQ(few.Park(Parked(Refunded("p1", 1, 1), 4)), Parking::Answer::kCopy);  // a copy

  Parking narrow({.events = 100, .bytes = 1 << 20, .per_target = 1});
  EXPECT_EQ(narrow.Park(Parked(Refunded("p1", 1, 1), 1)), Parking::Answer::kParked);
  EXPECT_EQ(narrow.Park(Parked(Refunded("p1", 1, 2), 2)), Parking::Answer::kTargetFull);
  EXPECT_EQ(narrow.Park(Parked(Refunded("p2", 1, 1), 3)), Parking::Answer::kParked);

  Parking small({.events = 100, .bytes = 1000, .per_target = 100});
  EXPECT_EQ(small.Park(Parked(Refunded("p1", 1, 1), 1)), Parking::Answer::kParked);
  EXPECT_EQ(small.Park(Parked(Refunded("p2", 1, 1), 2)), Parking::Answer::kFull);
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/held_messages.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/settlement.h"
#include "tests/support/seed.h"

namespace northwind::internal::sqs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Ended = HeldMessages::Ended;
using Groups = HeldMessages::Groups;

class Held : public ::testing::Test {
 protected:
  static absl::Time At(double seconds) { return absl::UnixEpoch() + absl::Seconds(seconds); }

  Held() { held_.SetVisibility(absl::Seconds(30)); }

  bool Add(const std::string& id, const std::string& handle = "h", double at = 0, const std::string& group = "") {
    return held_.Add({.id = id, .receipt_handle = handle, .group = group, .event = {.bytes = id}}, At(at));
  }
  std::vector<std::string> TakeIds(size_t most, Groups groups = Groups::kWhole) {
    std::vector<std::string> ids;
    taken_.clear();
    for (const HeldMessages::Taken& taken : held_.Take(most, groups)) {
      ids.push_back(taken.event->bytes);
      taken_.push_back(taken.number);
    }
    return ids;
  }
  static std::vector<std::string> Handles(const std::vector<HeldMessages::Request>& requests) {
    std::vector<std::string> handles;
    for (const HeldMessages::Request& request : requests) handles.push_back(request.receipt_handle);
    return handles;
  }

  HeldMessages held_{{.messages = 100, .bytes = 1000}};
  std::vector<HeldMessages::Number> taken_;
};

TEST_F(Held, NoRoomIsReservedBeyondEitherLimitAndRoomComesBackWithWhatLeaves) {
  EXPECT_TRUE(held_.Reserve(60, 100));
  EXPECT_FALSE(held_.Reserve(41, 100));
  EXPECT_FALSE(held_.Reserve(1, 901));
  EXPECT_TRUE(held_.Reserve(40, 900));
  EXPECT_FALSE(held_.Reserve(1, 0));
  held_.Release(60, 100);
  held_.Release(40, 900);
  Add("0123456789");
  EXPECT_EQ(held_.size(), 1U);
  EXPECT_EQ(held_.bytes(), 10U);
  EXPECT_FALSE(held_.Reserve(10, 991));
  EXPECT_FALSE(held_.Reserve(100, 10));
  EXPECT_TRUE(held_.Reserve(99, 990));
  held_.Release(99, 990);
  TakeIds(1);
  held_.Leave(taken_[0]);
  EXPECT_EQ(held_.bytes(), 0U);
  EXPECT_TRUE(held_.Reserve(100, 1000));
}

TEST_F(Held, AreTakenInTheOrderInWhichTheyCame) {
  Add("a"), Add("b"), Add("c");
  EXPECT_THAT(TakeIds(2), ElementsAre("a", "b"));
  Add("d");
  held_.PutBack(taken_);
  EXPECT_THAT(TakeIds(10), ElementsAre("a", "b", "c", "d"));
}

TEST_F(Held, OneOfEachGroupLeavesTheOthersInTheirOrder) {
  Add("a1", "h", 0, "a"), Add("a2", "h", 0, "a"), Add("b1", "h", 0, "b"), Add("x"), Add("y"), Add("a3", "h", 0, "a");
  EXPECT_THAT(TakeIds(10, Groups::kOneEach), ElementsAre("a1", "b1", "x", "y"));
  EXPECT_THAT(TakeIds(10, Groups::kOneEach), ElementsAre("a2"));
  EXPECT_THAT(TakeIds(10, Groups::kOneEach), ElementsAre("a3"));
}

TEST_F(Held, OfAGroupNoneIsTakenBehindAnEventThatIsTooLargeForTheQuarantine) {
  HeldMessages held({.messages = 10, .bytes = 1 << 20});
  const auto add = [&held](const std::string& id, size_t bytes, const std::string& group) {
    held.Add({.id = id, .receipt_handle = id, .group = group, .event = {.bytes = std::string(bytes, 'x')}}, At(0));
  };
  add("a1", 1, "a"), add("a2", kMaxEventBytes + 1, "a"), add("a3", 1, "a"), add("b1", 1, "b"), add("b2", 1, "b");
  EXPECT_THAT(held.Take(10, Groups::kWhole), SizeIs(4));
  held.ReturnGroup("a");
  EXPECT_THAT(Handles(held.BeginReturns(10)), ElementsAre("a3"));
  add("c1", kMaxEventBytes + 1, ""), add("c2", 1, "");
  EXPECT_THAT(held.Take(10, Groups::kWhole), SizeIs(2)) << "without a group there is no order";
}

TEST_F(Held, OneThatComesAgainTakesTheNewHandleAndIsNotAppliedTwice) {
  EXPECT_TRUE(Add("a", "old"));
  EXPECT_FALSE(Add("a", "new"));
  EXPECT_THAT(TakeIds(10), ElementsAre("a"));
  EXPECT_FALSE(Add("a", "newest"));
  EXPECT_THAT(TakeIds(10), IsEmpty());
  EXPECT_EQ(held_.size(), 1U);
}

TEST_F(Held, TheLatestHandleIsDeleted) {
  Add("a", "old");
  TakeIds(1);
  Add("a", "new");
  held_.Delete(taken_[0]);
  const auto requests = held_.BeginDeletes(10);
  EXPECT_THAT(Handles(requests), ElementsAre("new"));
  held_.DeleteEnded(requests[0], Ended::kDone);
  EXPECT_TRUE(held_.empty());
}

TEST_F(Held, OneThatComesAgainWhileItIsDeletedIsDeletedOnceMoreWithTheNewHandle) {
  Add("a", "old");
  TakeIds(1);
  held_.Delete(taken_[0]);
  const auto first = held_.BeginDeletes(10);
  Add("a", "new");
  EXPECT_THAT(held_.BeginDeletes(10), IsEmpty()) << "one request at a time";
  held_.DeleteEnded(first[0], Ended::kDone);
  const auto second = held_.BeginDeletes(10);
  EXPECT_THAT(Handles(second), ElementsAre("new"));
  held_.DeleteEnded(second[0], Ended::kDone);
  EXPECT_TRUE(held_.empty());
}

TEST_F(Held, ADeleteThatDidNotSucceedIsMadeAgain) {
  Add("a");
  TakeIds(1);
  held_.Delete(taken_[0]);
  held_.DeleteEnded(held_.BeginDeletes(10)[0], Ended::kNotDone);
  EXPECT_TRUE(held_.has_deletes());
  EXPECT_THAT(held_.BeginDeletes(10), SizeIs(1));
}

TEST_F(Held, HeartbeatsComeAtAThirdOfTheTimeoutAndAgainAThirdLater) {
  Add("a", "h", 0), Add("b", "h", 3);
  EXPECT_EQ(held_.next_heartbeat(), At(10));
  EXPECT_THAT(held_.BeginHeartbeats(At(9.9), 10), IsEmpty());
  const auto requests = held_.BeginHeartbeats(At(10), 10);
  EXPECT_THAT(requests, SizeIs(1));
  EXPECT_EQ(held_.next_heartbeat(), At(13));
  held_.HeartbeatEnded(requests[0], At(11));
  EXPECT_THAT(held_.BeginHeartbeats(At(20.9), 10), SizeIs(1)) << "of b";
  EXPECT_EQ(held_.next_heartbeat(), At(21));
}

TEST_F(Held, ADeleteWaitsForTheHeartbeatThatIsUnderWay) {
  Add("a");
  TakeIds(1);
  const auto beat = held_.BeginHeartbeats(At(10), 10);
  held_.Delete(taken_[0]);
  EXPECT_FALSE(held_.has_deletes());
  EXPECT_THAT(held_.BeginDeletes(10), IsEmpty());
  held_.HeartbeatEnded(beat[0], At(11));
  EXPECT_THAT(held_.BeginDeletes(10), SizeIs(1));
}

TEST_F(Held, NoHeartbeatBeginsOnOneThatIsToBeDeletedOrReturned) {
  Add("a"), Add("b");
  TakeIds(1);
  held_.Delete(taken_[0]);
  held_.ReturnBuffered();
  EXPECT_EQ(held_.next_heartbeat(), absl::InfiniteFuture());
  EXPECT_THAT(held_.BeginHeartbeats(At(1000), 10), IsEmpty());
  Add("a", "new", 2000);
  EXPECT_THAT(held_.BeginHeartbeats(At(9000), 10), IsEmpty());
}

TEST_F(Held, AHeartbeatOfOneThatWasLeftEndsInNothing) {
  Add("a");
  TakeIds(1);
  const auto beat = held_.BeginHeartbeats(At(10), 10);
  held_.Leave(taken_[0]);
  held_.HeartbeatEnded(beat[0], At(11));
  EXPECT_TRUE(held_.empty());
  EXPECT_EQ(held_.next_heartbeat(), absl::InfiniteFuture());
}

TEST_F(Held, TheRestOfAGroupIsReturnedAndOtherGroupsAreNot) {
  Add("a1", "h", 0, "a"), Add("a2", "a2", 0, "a"), Add("b1", "h", 0, "b"), Add("a3", "a3", 0, "a");
  TakeIds(1);
  held_.Leave(taken_[0]);
  held_.ReturnGroup("a");
  EXPECT_THAT(Handles(held_.BeginReturns(10)), ElementsAre("a2", "a3"));
  EXPECT_THAT(TakeIds(10), ElementsAre("b1"));
}

TEST_F(Held, AllButTheFirstFewAreReturned) {
  for (const char* id : {"a", "b", "c", "d"}) Add(id, id);
  held_.ReturnBuffered(3);
  EXPECT_THAT(Handles(held_.BeginReturns(10)), ElementsAre("d"));
  EXPECT_THAT(TakeIds(10), ElementsAre("a", "b", "c"));
}

TEST_F(Held, OneThatComesAgainWhileItIsReturnedIsHeldAgain) {
  for (const bool under_way : {false, true}) {
    Add("a", "old");
    held_.ReturnBuffered();
    std::vector<HeldMessages::Request> requests;
    if (under_way) requests = held_.BeginReturns(10);
    EXPECT_FALSE(Add("a", "new", 100));
    if (under_way) held_.ReturnEnded(requests[0], Ended::kDone);
    EXPECT_FALSE(held_.has_returns());
    EXPECT_EQ(held_.next_heartbeat(), At(110));
    EXPECT_THAT(TakeIds(10), ElementsAre("a"));
    held_.Delete(taken_[0]);
    const auto deletes = held_.BeginDeletes(10);
    EXPECT_THAT(Handles(deletes), ElementsAre("new"));
    held_.DeleteEnded(deletes[0], Ended::kDone);
    EXPECT_TRUE(held_.empty());
  }
}

TEST_F(Held, AReturnOfOneThatCameAgainAndWasLeftEndsInNothing) {
  for (const Ended ended : {Ended::kDone, Ended::kNotDone}) {
    Add("a", "old");
    held_.ReturnBuffered();
    const auto requests = held_.BeginReturns(10);
    Add("a", "new");
    TakeIds(1);
    held_.Leave(taken_[0]);
    held_.ReturnEnded(requests[0], ended);
    EXPECT_TRUE(held_.empty());
    EXPECT_FALSE(held_.has_returns());
    EXPECT_EQ(held_.next_heartbeat(), absl::InfiniteFuture());
  }
}

TEST_F(Held, AReturnThatIsAnsweredLateDoesNotTouchTheSameMessageReceivedOnceMore) {
  Add("a", "old");
  held_.ReturnBuffered();
  const auto requests = held_.BeginReturns(10);
  Add("a", "new");
  TakeIds(1);
  held_.Leave(taken_[0]);
  EXPECT_TRUE(Add("a", "newest", 50));
  held_.ReturnEnded(requests[0], Ended::kDone);
  EXPECT_THAT(TakeIds(10), ElementsAre("a"));
  EXPECT_EQ(held_.next_heartbeat(), At(60));
}

// Random steps against what must hold after each, whatever came before.
TEST_F(Held, AtRandomNoMessageIsAppliedWhileItIsHeldTwiceAndNoTwoRequestsMeet) {
  testing::Random random(testing::TestSeed());
  std::map<HeldMessages::Number, std::string> under_way;
  std::vector<HeldMessages::Request> deletes, returns, beats;
  std::map<std::string, int> applying;
  std::vector<HeldMessages::Taken> taken;
  std::map<HeldMessages::Number, std::string> id_of;
  double now = 0;
  const auto begin = [&](std::vector<HeldMessages::Request> requests, std::vector<HeldMessages::Request>& into) {
    for (HeldMessages::Request& request : requests) {
      ASSERT_TRUE(under_way.emplace(request.number, request.receipt_handle).second) << "two requests of one message";
      into.push_back(std::move(request));
    }
  };
  const auto pick = [&](std::vector<HeldMessages::Request>& from) {
    const size_t at = random.Below(from.size());
    HeldMessages::Request request = from[at];
    from.erase(from.begin() + static_cast<std::ptrdiff_t>(at));
    under_way.erase(request.number);
    return request;
  };
  for (int step = 0; step < 50'000; ++step) {
    now += static_cast<double>(random.Below(3));
    switch (random.Below(9)) {
      case 0:
      case 1:
        if (held_.Reserve(1, 3)) {
          held_.Release(1, 3);
          const std::string id = std::to_string(random.Below(60));
          Add(id, id + "/" + std::to_string(step), now, random.OneIn(2) ? "g" : "");
        }
        break;
      case 2:
        for (const HeldMessages::Taken& one :
             held_.Take(1 + random.Below(5), random.OneIn(2) ? Groups::kOneEach : Groups::kWhole)) {
          ASSERT_EQ(applying[one.event->bytes]++, 0) << "applied twice at a time";
          id_of[one.number] = one.event->bytes;
          taken.push_back(one);
        }
        break;
      case 3:
        for (const HeldMessages::Taken& one : taken) {
          --applying[id_of[one.number]];
          if (random.OneIn(10)) {
            held_.PutBack({one.number});
          } else if (random.OneIn(10)) {
            held_.Leave(one.number);
          } else {
            held_.Delete(one.number);
          }
        }
        taken.clear();
        break;
      case 4:
        ASSERT_NO_FATAL_FAILURE(begin(held_.BeginDeletes(4), deletes));
        ASSERT_NO_FATAL_FAILURE(begin(held_.BeginReturns(4), returns));
        break;
      case 5:
        ASSERT_NO_FATAL_FAILURE(begin(held_.BeginHeartbeats(At(now), 4), beats));
        break;
      case 6:
        if (!deletes.empty()) held_.DeleteEnded(pick(deletes), random.OneIn(5) ? Ended::kNotDone : Ended::kDone);
        if (!returns.empty()) held_.ReturnEnded(pick(returns), random.OneIn(5) ? Ended::kNotDone : Ended::kDone);
        break;
      case 7:
        if (!beats.empty()) held_.HeartbeatEnded(pick(beats), At(now));
        break;
      case 8:
        if (random.OneIn(5)) held_.ReturnBuffered(random.Below(3));
        if (random.OneIn(5)) held_.ReturnGroup("g");
        break;
    }
    ASSERT_LE(held_.size(), 100U);
    ASSERT_LE(held_.bytes(), 1000U);
  }
  // Everything comes to an end.
  for (const HeldMessages::Taken& one : taken) held_.Delete(one.number);
  held_.ReturnBuffered();
  while (!beats.empty()) held_.HeartbeatEnded(pick(beats), At(now));
  while (!deletes.empty()) held_.DeleteEnded(pick(deletes), Ended::kDone);
  while (!returns.empty()) held_.ReturnEnded(pick(returns), Ended::kDone);
  held_.ReturnBuffered();
  for (int round = 0; round < 3; ++round) {
    for (const auto& request : held_.BeginDeletes(1000)) held_.DeleteEnded(request, Ended::kDone);
    for (const auto& request : held_.BeginReturns(1000)) held_.ReturnEnded(request, Ended::kDone);
  }
  EXPECT_TRUE(held_.empty());
  EXPECT_EQ(held_.bytes(), 0U);
  EXPECT_EQ(held_.next_heartbeat(), absl::InfiniteFuture());
}

}  // namespace
}  // namespace northwind::internal::sqs

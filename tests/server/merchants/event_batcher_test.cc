// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/event_batcher.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <thread>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/settlement/intake_fixture.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/seed.h"
#include "tests/support/temp_dir.h"

namespace {
thread_local bool no_memory = false;
}

// All of this program's, so that a test can be without memory. Not inline: g++ 12 would take malloc and operator delete, or new and free, for a pair.
[[gnu::noinline]] void* operator new(size_t size) {
  void* const memory = no_memory ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t /*size*/) noexcept { std::free(memory); }

namespace northwind::testing {
namespace {

using server::EventBatcher;
using server::EventBatcherOptions;
using Outcomes = absl::StatusOr<std::vector<EventOutcome>>;

std::string JsonOf(const PaymentEvent& event) { return *EncodeEventJson(event); }

// The answer to one request, for whoever waits for it.
class Answer {
 public:
  EventBatcher::Done Taker() {
    return [this](Outcomes outcomes) {
      outcomes_ = std::move(outcomes);
      come_.Notify();
    };
  }
  const Outcomes& Wait() {
    come_.WaitForNotification();
    return outcomes_;
  }
  bool has_come() const { return come_.HasBeenNotified(); }

 private:
  absl::Notification come_;
  Outcomes outcomes_ = absl::UnknownError("no answer");
};

Outcomes ApplyAndWait(EventBatcher& batcher, std::vector<std::string> events) {
  Answer answer;
  const absl::Status taken = batcher.Apply(std::move(events), answer.Taker());
  if (!taken.ok()) return taken;
  return answer.Wait();
}

TEST(EventBatcher, EightThreadsWithCopiesApplyEachEventOnceAndGetTheirOwnAnswers) {
  constexpr int kThreads = 8;
  constexpr int kRequests = 150;
  const uint64_t seed = TestSeed();
  IntakeWorld world;
  std::atomic<uint64_t> applied = 0;
  std::mutex mutex;
  std::map<std::string, uint64_t> distinct;   // payment → cents
  std::map<std::string, Sequence> sequences;  // as answered
  {
    EventBatcher batcher(*world.intake_, {.max_events = 64});
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        Random random(seed + static_cast<uint64_t>(t));
        for (int r = 0; r < kRequests; ++r) {
          std::vector<std::string> events;
          std::vector<std::string> payments;
          for (uint64_t n = 1 + random.Below(5); n > 0; --n) {
            // Of a common stock, which others draw from as well: copies. Else this thread's own.
            const bool shared = random.Percent(30);
            const std::string payment =
                shared ? "s" + std::to_string(random.Below(200))
                       : "t" + std::to_string(t) + "-" + std::to_string(r) + "-" + std::to_string(n);
            const uint64_t cents = 100 + std::hash<std::string>()(payment) % 1000;
            events.push_back(JsonOf(Captured(payment, cents)));
            payments.push_back(payment);
            const std::lock_guard lock(mutex);
            distinct[payment] = cents;
          }
          const Outcomes outcomes = ApplyAndWait(batcher, events);
          ASSERT_THAT(outcomes, IsOk());
          ASSERT_EQ(outcomes->size(), events.size());
          for (size_t i = 0; i < events.size(); ++i) {
            const EventOutcome& outcome = (*outcomes)[i];
            ASSERT_TRUE(outcome.status == EventStatus::kApplied || outcome.status == EventStatus::kDuplicate);
            if (outcome.status == EventStatus::kApplied) ++applied;
            // It is this request's own: the transaction it names is of the event that stands here.
            const auto view = world.ledger_->GetTransaction(outcome.sequence);
            ASSERT_THAT(view, IsOk());
            ASSERT_EQ(view->record.transaction.reference, payments[i]);
            const std::lock_guard lock(mutex);
            ASSERT_EQ(sequences.emplace(payments[i], outcome.sequence).first->second, outcome.sequence);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(applied, distinct.size());
  uint64_t sum = 0;
  for (const auto& [payment, cents] : distinct) sum += cents;
  EXPECT_EQ(world.Available("merchant:m1:available:USD/2"), absl::int128(sum));
  ExpectInvariants(*world.ledger_);
}

TEST(EventBatcher, RequestsOfOneThreadAreAppliedInTheirOrder) {
  IntakeWorld world;
  EventBatcher batcher(*world.intake_, {.max_events = 3});
  std::vector<std::unique_ptr<Answer>> answers;
  // Each needs the money of the one before it: in another order one is rejected.
  for (int i = 0; i < 200; ++i) {
    const auto id = std::to_string(i);
    answers.push_back(std::make_unique<Answer>());
    ASSERT_THAT(batcher.Apply({JsonOf(Captured("p" + id, 100))}, answers.back()->Taker()), IsOk());
    answers.push_back(std::make_unique<Answer>());
    ASSERT_THAT(
        batcher.Apply({JsonOf(OfPayout(EventType::kPayoutRequested, "o" + id, i, 100))}, answers.back()->Taker()),
        IsOk());
  }
  for (const auto& answer : answers) {
    ASSERT_THAT(answer->Wait(), IsOk());
    EXPECT_EQ(answer->Wait()->at(0).status, EventStatus::kApplied);
  }
}

TEST(EventBatcher, ARequestLargerThanABatchIsAppliedWhole) {
  IntakeWorld world;
  EventBatcher batcher(*world.intake_, {.max_events = 4});
  std::vector<std::string> events;
  for (int i = 0; i < 50; ++i) events.push_back(JsonOf(Captured("p" + std::to_string(i), 1)));
  events.emplace_back("nonsense");
  const Outcomes outcomes = ApplyAndWait(batcher, events);
  ASSERT_THAT(outcomes, IsOk());
  ASSERT_EQ(outcomes->size(), 51U);
  EXPECT_EQ(outcomes->back().status, EventStatus::kQuarantined);
  EXPECT_EQ(world.Quarantine().at(0).position, 51U);  // its place in the request
  EXPECT_EQ(world.Available("merchant:m1:available:USD/2"), 50);
  EXPECT_EQ(ApplyAndWait(batcher, {})->size(), 0U);
}

// Holds up the batcher's thread until it is destroyed.
class Held {
 public:
  explicit Held(EventBatcher& batcher) {
    EXPECT_THAT(batcher.Apply({},
                              [this](const Outcomes& /*outcomes*/) {
                                reached_.Notify();
                                go_.WaitForNotification();
                                left_.Notify();
                              }),
                IsOk());
    reached_.WaitForNotification();
  }
  ~Held() {
    go_.Notify();
    left_.WaitForNotification();
  }

 private:
  absl::Notification reached_, go_, left_;
};

TEST(EventBatcher, BoundsHoldAndStopAppliesWhatWaits) {
  IntakeWorld world;
  EventBatcher batcher(*world.intake_, {.max_waiting = 3, .max_waiting_bytes = 10'000});
  Answer kept;
  std::thread stop;
  {
    const Held held(batcher);
    const std::string event = JsonOf(Captured("p1", 5));
    ASSERT_THAT(batcher.Apply({event, JsonOf(Captured("p2", 6))}, kept.Taker()), IsOk());
    EXPECT_EQ(batcher.waiting(), 2U);
    const auto never = [](const Outcomes& /*outcomes*/) { ADD_FAILURE() << "answered although refused"; };
    EXPECT_THAT(batcher.Apply({event, event}, never), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_THAT(batcher.Apply({std::string(10'000, 'x')}, never), StatusIs(absl::StatusCode::kResourceExhausted));
    stop = std::thread([&] { batcher.Stop(); });
    while (!absl::IsUnavailable(batcher.Apply({}, [](const Outcomes& /*outcomes*/) {}))) std::this_thread::yield();
    EXPECT_FALSE(kept.has_come());
  }
  stop.join();
  ASSERT_TRUE(kept.has_come());
  ASSERT_THAT(kept.Wait(), IsOk());
  EXPECT_EQ(world.Available("merchant:m1:available:USD/2"), 11);
  batcher.Stop();
}

TEST(EventBatcher, WhatThereIsNoMemoryForTakesNoRoom) {
  constexpr size_t kRoom = 200;
  IntakeWorld world;
  EventBatcher batcher(*world.intake_, {.max_waiting = kRoom});
  std::atomic<size_t> answered = 0;
  {
    const Held held(batcher);
    size_t taken = 0, failed = 0;
    for (bool full = false; !full;) {
      std::vector<std::string> events = {JsonOf(Captured("p" + std::to_string(taken), 1))};
      EventBatcher::Done done = [&](const Outcomes& /*outcomes*/) { ++answered; };
      // Only some need memory: the queue grows by some at a time.
      no_memory = failed < 3;
      try {
        const absl::Status status = batcher.Apply(std::move(events), std::move(done));
        full = !status.ok();
        taken += full ? 0 : 1;
      } catch (const std::bad_alloc&) {
        ++failed;
      }
      no_memory = false;
      ASSERT_EQ(batcher.waiting(), taken);
    }
    EXPECT_EQ(failed, 3U);
    EXPECT_EQ(taken, kRoom);
  }
  batcher.Stop();
  EXPECT_EQ(answered, kRoom);
}

TEST(EventBatcher, TheAnswersOfALargeBatchHoldUpNoOtherAndAreMadeBeforeStopIsDone) {
  IntakeWorld world;
  EventBatcher batcher(*world.intake_);
  const auto many = [](const std::string& name) {
    std::vector<std::string> events;
    for (int i = 0; i < 600; ++i) events.push_back(JsonOf(Captured(name + std::to_string(i), 1)));
    return events;
  };
  absl::Notification reached, go;
  ASSERT_THAT(batcher.Apply(many("a"),
                            [&](const Outcomes& outcomes) {
                              EXPECT_EQ(outcomes->size(), 600U);
                              reached.Notify();
                              go.WaitForNotification();
                            }),
              IsOk());
  reached.WaitForNotification();
  EXPECT_THAT(ApplyAndWait(batcher, {JsonOf(Captured("small", 1))}), IsOk());
  Answer last;
  ASSERT_THAT(batcher.Apply(many("b"), last.Taker()), IsOk());
  std::thread stop([&] { batcher.Stop(); });
  go.Notify();
  stop.join();
  ASSERT_TRUE(last.has_come());
  EXPECT_EQ(last.Wait()->size(), 600U);
  EXPECT_EQ(world.Available("merchant:m1:available:USD/2"), 1201);
}

TEST(EventBatcher, ABusyLedgerIsSaidToBeBusyOnceTheIntakeHasWaited) {
  IntakeWorld world;
  world.Shut();
  world.ledger_options_.max_queued_transactions = 2;
  world.options_.max_wait = absl::ZeroDuration();
  world.Open();
  EventBatcher batcher(*world.intake_);
  // Three in one ledger batch do not fit its queue.
  const std::vector<std::string> three = {JsonOf(Captured("a", 1)), JsonOf(Captured("b", 1)), JsonOf(Captured("c", 1))};
  EXPECT_THAT(ApplyAndWait(batcher, three), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(ApplyAndWait(batcher, {three[0]}), IsOk());
  EXPECT_EQ(world.Available("merchant:m1:available:USD/2"), 1);
}

TEST(EventBatcher, APoisonedLedgerIsAnErrorForEveryRequestThatWaits) {
  IntakeWorld world;
  {
    EventBatcher batcher(*world.intake_);
    ASSERT_THAT(ApplyAndWait(batcher, {JsonOf(Captured("p0", 1))}), IsOk());
    std::vector<std::unique_ptr<Answer>> answers;
    {
      const Held held(batcher);
      world.disk_.CutPower();
      for (int i = 1; i <= 5; ++i) {
        answers.push_back(std::make_unique<Answer>());
        ASSERT_THAT(batcher.Apply({JsonOf(Captured("p" + std::to_string(i), 1))}, answers.back()->Taker()), IsOk());
      }
    }
    for (const auto& answer : answers) EXPECT_FALSE(answer->Wait().ok());
    EXPECT_FALSE(ApplyAndWait(batcher, {JsonOf(Captured("p9", 1))}).ok());
  }
  world.Crash();
  EXPECT_EQ(world.Available("merchant:m1:available:USD/2"), 1);
}

// Not a bound that fails: a figure to look at (NORTHWIND_TEST_OPS=2e5 for more).
TEST(EventBatcher, SingleEventsManyAtOnce) {
  TempDir directory;
  NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = directory / "store", .free_space_floor_bytes = 0}));
  NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
  NW_ASSERT_OK_AND_ASSIGN(auto intake, Intake::Open(*ledger, *store));
  const uint64_t count = TestOps(20'000);
  std::vector<std::string> events;
  for (uint64_t i = 0; i < count; ++i) {
    events.push_back(JsonOf(Captured("p" + std::to_string(i), 100, 3, "m" + std::to_string(i % 100))));
  }
  EventBatcher batcher(*intake);
  std::atomic<uint64_t> applied = 0;
  const auto begin = std::chrono::steady_clock::now();
  constexpr uint64_t kOpen = 512;  // requests whose answer is not there: as many connections
  std::atomic<uint64_t> answered = 0;
  for (uint64_t i = 0; i < count; ++i) {
    while (i - answered.load() >= kOpen) std::this_thread::yield();
    ASSERT_THAT(batcher.Apply({std::move(events[i])},
                              [&](const Outcomes& outcomes) {
                                if (outcomes.ok() && outcomes->at(0).status == EventStatus::kApplied) ++applied;
                                ++answered;
                              }),
                IsOk());
  }
  batcher.Stop();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_EQ(applied, count);
  std::printf("%.0f requests/s of one event each, %llu under way at most\n", static_cast<double>(count) / seconds,
              static_cast<unsigned long long>(kOpen));
}

}  // namespace
}  // namespace northwind::testing

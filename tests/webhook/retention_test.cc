// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/retention.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/webhook/delivery_record.h"
#include "tests/support/fault_fs.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/webhook/delivery_world.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::FakeClock;
using ::northwind::testing::FaultFs;
using ::northwind::testing::IsOk;
using ::northwind::testing::Loss;
using ::northwind::testing::Random;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TempDir;
using ::northwind::testing::TestOps;
using ::northwind::testing::TestSeed;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;

// ---- Against a model ----------------------------------------------------------------------------------------

bool IsDoomed(const WorldMessage& message, absl::Time before) {
  return message.message.created_at < before &&
         std::all_of(message.deliveries.begin(), message.deliveries.end(), [](const WorldDelivery& one) {
           return one.expected.state != DeliveryState::kPending && one.resend != ResendFate::kWaits;
         });
}

std::set<std::string> KeysThatStay(const DeliveryWorld& world, absl::Time before) {
  std::set<std::string> keys;
  for (const WorldMessage& message : world.messages()) {
    if (!IsDoomed(message, before)) keys.merge(DeliveryWorld::KeysOf(message));
  }
  return keys;
}

std::vector<std::string> TasksOf(const WorldMessage& message) {
  std::vector<std::string> ids;
  for (const WorldDelivery& one : message.deliveries) {
    ids.push_back(DeliveryTaskId(one.expected.name));
    ids.push_back(ResendTaskId(one.expected.name));
  }
  return ids;
}

// Of every task, whether there is one.
std::map<std::string, bool> TasksThatAre(const DeliveryWorld& world) {
  std::map<std::string, bool> tasks;
  for (const WorldMessage& message : world.messages()) {
    for (const std::string& id : TasksOf(message)) tasks[id] = world.StateOf(id).ok();
  }
  return tasks;
}

absl::StatusOr<SweepResult> SweepAll(Retention& retention, absl::Time before, Random& random) {
  SweepResult all;
  do {
    NW_ASSIGN_OR_RETURN(const SweepResult swept, retention.Sweep(before, 1 + random.Below(20), all.next));
    all.messages += swept.messages;
    all.deliveries += swept.deliveries;
    all.attempts += swept.attempts;
    all.kept += swept.kept;
    all.next = swept.next;
  } while (!all.next.empty());
  return all;
}

TEST(RetentionModel, WhatIsOldAndFinalGoesWithItsTasksAndNothingElse) {
  const uint64_t seed = TestSeed();
  Random random(seed);
  for (uint64_t round = TestOps(4); round > 0; --round) {
    const TempDir directory;
    DeliveryWorld world({.path = directory / "store", .messages = 120, .lines_without_receipts = false}, random.Next());
    ASSERT_THAT(world.Open(), IsOk());
    world.Fill();
    Retention retention(world.engine(), world.scheduler(),
                        {.messages = 1 + random.Below(10), .deletions = 1 + random.Below(40)});
    std::vector<absl::Time> times;
    for (int i = 0; i < 4; ++i) times.push_back(world.RandomTime());
    times.push_back(absl::InfinitePast());
    times.push_back(absl::InfiniteFuture());
    std::sort(times.begin(), times.end());
    std::set<std::string> stored = world.StoredKeys();
    for (const absl::Time before : times) {
      std::map<std::string, bool> tasks = TasksThatAre(world);
      SweepResult expected;
      for (const WorldMessage& message : world.messages()) {
        if (message.message.created_at < before && !IsDoomed(message, before)) ++expected.kept;
        if (!IsDoomed(message, before)) continue;
        for (const std::string& id : TasksOf(message)) tasks[id] = false;
        if (!stored.contains(MessageKey(message.message.merchant_id, message.message.id))) continue;
        ++expected.messages;
        expected.deliveries += message.deliveries.size();
        for (const WorldDelivery& one : message.deliveries) expected.attempts += one.attempts.size();
      }
      NW_ASSERT_OK_AND_ASSIGN(const SweepResult swept, SweepAll(retention, before, random));
      EXPECT_EQ(swept.messages, expected.messages) << "seed " << seed;
      EXPECT_EQ(swept.deliveries, expected.deliveries) << "seed " << seed;
      EXPECT_EQ(swept.attempts, expected.attempts) << "seed " << seed;
      EXPECT_EQ(swept.kept, expected.kept) << "seed " << seed;
      stored = world.StoredKeys();
      ASSERT_EQ(stored, KeysThatStay(world, before)) << "seed " << seed;
      ASSERT_EQ(TasksThatAre(world), tasks) << "seed " << seed;
    }
  }
}

// Power is cut at every change of the disk in turn.
TEST(RetentionModel, APowerCutLeavesWholeMessagesOrSuchAsTheNextSweepDeletes) {
  const uint64_t seed = TestSeed();
  bool all_done = false;
  for (uint64_t cut = 0; !all_done; ++cut) {
    FaultFs disk(seed + cut);
    DeliveryWorld world({.path = "/db", .env = disk.env(), .messages = 12, .lines_without_receipts = false}, seed);
    ASSERT_THAT(world.Open(), IsOk());
    world.Fill();
    const std::set<std::string> filled = world.StoredKeys();
    const absl::Time before = absl::InfiniteFuture();
    const RetentionBounds bounds{.messages = 3, .deletions = 4};
    {
      Retention retention(world.engine(), world.scheduler(), bounds);
      disk.CutPowerAfter(cut);
      all_done = retention.Sweep(before, kMaxSweep).ok();
    }
    world.Shut();
    disk.Restart(Loss::kUnsynced);
    ASSERT_THAT(world.Open(), IsOk());

    const std::set<std::string> stored = world.StoredKeys();
    for (const WorldMessage& message : world.messages()) {
      const bool there = stored.contains(MessageKey(message.message.merchant_id, message.message.id));
      if (!IsDoomed(message, before)) {
        for (const std::string& key : DeliveryWorld::KeysOf(message))
          ASSERT_TRUE(stored.contains(key)) << "cut " << cut;
      } else if (there) {
        for (const WorldDelivery& one : message.deliveries) {
          ASSERT_TRUE(stored.contains(DeliveryKey(one.expected.name))) << "cut " << cut << ", seed " << seed;
        }
      } else {
        for (const std::string& key : DeliveryWorld::KeysOf(message))
          ASSERT_FALSE(stored.contains(key)) << "cut " << cut;
        for (const std::string& id : TasksOf(message)) ASSERT_THAT(world.StateOf(id), StatusIs(kNotFound)) << id;
      }
    }
    Retention retention(world.engine(), world.scheduler(), bounds);
    ASSERT_THAT(retention.Sweep(before, kMaxSweep), IsOk());
    ASSERT_EQ(world.StoredKeys(), KeysThatStay(world, before)) << "cut " << cut << ", seed " << seed;
    ASSERT_TRUE(!all_done || cut > 1 || stored == filled) << "a deletion is a write and a sync";
  }
}

// ---- By example -----------------------------------------------------------------------------------------------------

class RetentionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_, {.clock = &clock_, .seed = 1}));
    retention_.emplace(store_->engine(), *scheduler_);
  }
  DeliveryName Name(std::string merchant = "m", int n = 1) {
    return {.merchant_id = std::move(merchant),
            .endpoint_id = "e",
            .message_id = IdOf(clock_.Now(), "000" + std::to_string(n))};
  }
  void PutMessage(const DeliveryName& name) {
    Put(MessageKey(name.merchant_id, name.message_id), EncodeMessage({.type = "payout.paid", .body = "{}"}));
  }
  void PutDelivery(const DeliveryName& name, DeliveryState state) {
    WebhookDelivery delivery{.name = name, .type = "payout.paid", .state = state};
    delivery.delivered_at = clock_.Now();
    Put(DeliveryKey(name), EncodeDelivery(delivery));
  }
  void Put(std::string_view key, std::string_view value) {
    WriteSet writes;
    writes.Put(Space::kHost, key, value);
    ASSERT_THAT(store_->engine().Write(writes), IsOk());
  }
  bool Has(std::string_view key) const {
    const auto value = store_->Get(key);
    EXPECT_THAT(value, IsOk());
    return value.ok() && value->has_value();
  }
  TaskHandle Claimed(const std::string& id) {
    EXPECT_THAT(scheduler_->Schedule({.id = id, .queue = "q"}), IsOk());
    const auto claimed = scheduler_->Claim({.queue = "q"});
    EXPECT_THAT(claimed, IsOk());
    return claimed.ok() && claimed->size() == 1 ? claimed->front().handle : TaskHandle();
  }

  TempDir directory_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Scheduler> scheduler_;
  std::optional<Retention> retention_;
};

TEST_F(RetentionTest, AMessageOfTheMomentItselfStays) {
  PutMessage(Name());
  NW_ASSERT_OK_AND_ASSIGN(SweepResult swept, retention_->Sweep(clock_.Now(), 10));
  EXPECT_EQ(swept.messages, 0U);
  NW_ASSERT_OK_AND_ASSIGN(swept, retention_->Sweep(clock_.Now() + absl::Nanoseconds(1), 10));
  EXPECT_EQ(swept.messages, 1U);
}

TEST_F(RetentionTest, OneDeliveryOnItsWayKeepsAllOfItsMessage) {
  const DeliveryName done = Name();
  DeliveryName pending = done;
  pending.endpoint_id = "f";
  PutMessage(done);
  PutDelivery(done, DeliveryState::kDelivered);
  PutDelivery(pending, DeliveryState::kPending);
  const TaskHandle task = Claimed(DeliveryTaskId(pending));
  NW_ASSERT_OK_AND_ASSIGN(SweepResult swept, retention_->Sweep(absl::InfiniteFuture(), 10));
  EXPECT_EQ(swept.messages, 0U);
  EXPECT_EQ(swept.kept, 1U);
  EXPECT_TRUE(Has(DeliveryKey(done)));
  ASSERT_THAT(scheduler_->Kill(task, "given up"), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(swept, retention_->Sweep(absl::InfiniteFuture(), 10));
  EXPECT_EQ(swept.messages, 1U);
  EXPECT_EQ(swept.deliveries, 2U);
  EXPECT_FALSE(Has(DeliveryKey(done)));
  EXPECT_THAT(scheduler_->GetTask(DeliveryTaskId(pending)), StatusIs(kNotFound));
}

TEST_F(RetentionTest, AReSendOnItsWayKeepsItsMessage) {
  PutMessage(Name());
  PutDelivery(Name(), DeliveryState::kDead);
  const TaskHandle task = Claimed(ResendTaskId(Name()));
  NW_ASSERT_OK_AND_ASSIGN(SweepResult swept, retention_->Sweep(absl::InfiniteFuture(), 10));
  EXPECT_EQ(swept.kept, 1U);
  ASSERT_THAT(scheduler_->Complete(task), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(swept, retention_->Sweep(absl::InfiniteFuture(), 10));
  EXPECT_EQ(swept.messages, 1U);
}

// A re-send has delivered it while an attempt of its policy was under way.
TEST_F(RetentionTest, AnAttemptThatStillRunsLeavesNothingBehind) {
  PutMessage(Name());
  PutDelivery(Name(), DeliveryState::kDelivered);
  const TaskHandle task = Claimed(DeliveryTaskId(Name()));
  NW_ASSERT_OK_AND_ASSIGN(const SweepResult swept, retention_->Sweep(absl::InfiniteFuture(), 10));
  EXPECT_EQ(swept.messages, 1U);
  const Finish finish{.task = task, .host_records = {{.key = AttemptKey(Name(), 1), .value = "receipt"}}};
  const auto outcomes = scheduler_->FinishAll(std::vector{finish});
  ASSERT_THAT(outcomes, IsOk());
  EXPECT_THAT(*outcomes, ElementsAre(FinishOutcome::kStale));
  EXPECT_FALSE(Has(AttemptKey(Name(), 1)));
}

TEST_F(RetentionTest, ACallLooksAtNoMoreThanItsLimitAndSaysWhereToGoOn) {
  for (const char* merchant : {"a", "b"}) {
    for (int n = 1; n <= 3; ++n) PutMessage(Name(merchant, n));
  }
  std::string next;
  std::vector<uint64_t> deleted;
  do {
    NW_ASSERT_OK_AND_ASSIGN(const SweepResult swept, retention_->Sweep(absl::InfiniteFuture(), 2, next));
    deleted.push_back(swept.messages);
    next = swept.next;
  } while (!next.empty());
  EXPECT_THAT(deleted, ElementsAre(2, 2, 2));
  for (const char* merchant : {"a", "b"}) PutMessage(Name(merchant));
  NW_ASSERT_OK_AND_ASSIGN(const SweepResult swept, retention_->Sweep(absl::InfinitePast(), 1));
  EXPECT_THAT(swept.next, StartsWith("nw/webhook/message/a/")) << "a merchant passed over is looked at too";
}

TEST_F(RetentionTest, BadArgumentsAreRefused) {
  for (const size_t limit : {size_t{0}, kMaxSweep + 1}) {
    EXPECT_THAT(retention_->Sweep(absl::InfinitePast(), limit),
                StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("limit: ")));
  }
  EXPECT_THAT(retention_->Sweep(absl::InfinitePast(), 1, "nw/webhook/endpoint/"),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("after: ")));
}

TEST_F(RetentionTest, DamageStopsASweepAndIsNamed) {
  PutMessage(Name());
  PutDelivery(Name(), DeliveryState::kDead);
  Put(AttemptKey(Name(), 1), "x");
  EXPECT_THAT(retention_->Sweep(absl::InfiniteFuture(), 10),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("m/msg_")));
  EXPECT_TRUE(Has(MessageKey("m", Name().message_id)));
  EXPECT_TRUE(Has(DeliveryKey(Name())));
}

}  // namespace
}  // namespace northwind::internal

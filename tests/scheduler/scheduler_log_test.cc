// SPDX-License-Identifier: Apache-2.0
//
// The scheduler's log on disk: that it stays short, survives power cuts, and is not believed when it is damaged.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "src/base/coding.h"
#include "src/store/engine.h"
#include "tests/scheduler/scheduler_fixture.h"
#include "tests/support/fault_fs.h"
#include "tests/support/store_on.h"

namespace northwind::testing {
namespace {

using internal::Cursor;
using internal::Space;
using internal::WriteSet;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class SchedulerLog : public SchedulerFixture {
 protected:
  void SetUp() override {
    options_.min_log_bytes = 4 << 10;
    options_.cache_bytes = 8 << 10;
    SchedulerFixture::SetUp();
  }
  std::vector<uint64_t> Blocks() {
    std::vector<uint64_t> blocks;
    Cursor cursor = store_->engine().NewCursor(Space::kTasks);
    for (cursor.Seek("b"); cursor.Valid() && cursor.key()[0] == 'b'; cursor.Next()) {
      blocks.push_back(internal::LoadBigEndian64(cursor.key().data() + 1));
    }
    EXPECT_THAT(cursor.status(), IsOk());
    return blocks;
  }
  static std::string BlockKey(uint64_t number) {
    std::string key = "b";
    internal::PutBigEndian64(key, number);
    return key;
  }
  void Damage(uint64_t block, size_t at) {
    scheduler_.reset();
    const auto value = store_->engine().Get(Space::kTasks, BlockKey(block));
    ASSERT_THAT(value, IsOk());
    std::string bytes((*value)->view());
    bytes[at % bytes.size()] = static_cast<char>(bytes[at % bytes.size()] ^ 1);
    WriteSet writes;
    writes.Put(Space::kTasks, BlockKey(block), bytes);
    ASSERT_THAT(store_->engine().Write(writes), IsOk());
  }
};

TEST_F(SchedulerLog, IsDroppedBehindWhatIsDone) {
  for (int i = 0; i < 500; ++i) {
    Schedule(Task("t" + std::to_string(i)));
    Complete(ClaimOne());
  }
  EXPECT_LE(Blocks().size(), 3U);
  EXPECT_GE(Blocks().front(), 1400U);
  Reopen();
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
  Schedule(Task("next"));
  EXPECT_EQ(ClaimOne().handle.number, 501U) << "numbers are never given twice";
}

TEST_F(SchedulerLog, CarriesOldTasksAlongWithAllTheirState) {
  TaskSpec waits = DueIn(absl::Hours(9), "waits");
  waits.payload = "old payload";
  waits.key = "key";
  waits.priority = 2;
  ScheduleAll({waits, Task("retried"), Task("dead"), Task("leased")});
  std::vector<ClaimedTask> claimed = Claim(100, absl::Hours(20));
  ASSERT_THAT(claimed, SizeIs(3));
  Retry(claimed[0], "first error", clock_.Now() + absl::Hours(10));
  Kill(claimed[1], "killed for this");
  const absl::Time created = clock_.Now();
  clock_.Advance(absl::Seconds(1));
  const uint64_t first = Blocks().front();
  for (int i = 0; i < 300; ++i) {
    TaskSpec task = Task("t" + std::to_string(i));
    task.payload = std::string(500, 'x');
    Schedule(task);
    Complete(ClaimOne());
  }
  EXPECT_GT(Blocks().front(), first + 100) << "the block they were in is gone";
  EXPECT_LT(scheduler_->Stats()->log_bytes, 20'000U);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Info("waits").payload, "old payload");
    EXPECT_EQ(Info("waits").key, "key");
    EXPECT_EQ(Info("waits").priority, 2);
    EXPECT_EQ(Info("waits").due, created + absl::Hours(9));
    EXPECT_EQ(Info("waits").scheduled_at, created);
    EXPECT_EQ(Info("retried").last_error, "first error");
    EXPECT_EQ(Info("retried").attempts, 1U);
    EXPECT_EQ(Info("dead").state, TaskState::kDead);
    EXPECT_EQ(Info("dead").last_error, "killed for this");
    EXPECT_EQ(Info("dead").died_at, created);
    if (round == 0) {
      EXPECT_EQ(Info("leased").state, TaskState::kLeased);
      EXPECT_EQ(Complete(claimed[2]), FinishOutcome::kDone);
    }
    Reopen();
  }
}

// Written down by hand from docs/format.md.
TEST_F(SchedulerLog, GoldenBytesOfSettingsAndOfTheFirstBlock) {
  ASSERT_THAT(scheduler_->ConfigureQueue("q", {.paused = true, .max_per_key = 300, .order = KeyOrder::kSkipDead}),
              IsOk());
  ASSERT_THAT(scheduler_->ConfigureKey("q", "key", {.paused = false, .max_leased = 300}), IsOk());
  ASSERT_THAT(scheduler_->PauseKey("queue", "k"), IsOk());
  ASSERT_THAT(scheduler_->PauseKey("queue", "gone"), IsOk());
  ASSERT_THAT(scheduler_->ResumeKey("queue", "gone"), IsOk());
  Schedule(DueIn(absl::Hours(1), "a"));
  std::vector<std::pair<std::string, std::string>> found;
  std::optional<Cursor> walk = store_->engine().NewCursor(Space::kTasks);
  Cursor& cursor = *walk;
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) {
    const std::string_view key = cursor.key(), value = cursor.value();
    if (key[0] != 'b') {
      found.emplace_back(key, absl::BytesToHexString({value.data(), value.size()}));
    } else {
      EXPECT_EQ(absl::BytesToHexString({key.data(), key.size()}), "620000000000000001");
    }
  }
  ASSERT_THAT(cursor.status(), IsOk());
  walk.reset();  // before its store
  using Record = std::pair<std::string, std::string>;
  EXPECT_THAT(found, ElementsAre(Record("f", "0000000000000001"),  //
                                 Record("k\x01qkey", "00ac02"),    // not paused, 300
                                 Record("k\x05queuek", "0100"),    // paused, as the queue says
                                 Record("qq", "01ac0202")));       // paused, 300, kSkipDead
  Reopen();
  EXPECT_THAT(scheduler_->GetKey("q", "key"), IsOkAndHolds(KeyConfig{.max_leased = 300}));
  EXPECT_THAT(scheduler_->GetQueue("q"),
              IsOkAndHolds(QueueConfig{.paused = true, .max_per_key = 300, .order = KeyOrder::kSkipDead}));
}

TEST_F(SchedulerLog, IsNotShortenedBelowWhatIsNeeded) {
  for (int i = 0; i < 200; ++i) Schedule(DueIn(absl::Hours(1), "t" + std::to_string(i)));
  Reopen();
  EXPECT_EQ(scheduler_->Stats()->tasks, 200U);
  clock_.Advance(absl::Hours(1));
  EXPECT_THAT(Claim(1000), SizeIs(200));
}

TEST_F(SchedulerLog, ABlockThatGrowsWhenItIsCarriedGoesBitByBit) {
  // Small tasks in one block, each of which has got a long error since: many times as many bytes when carried.
  constexpr size_t kTasks = 4000;
  options_.min_log_bytes = 0;
  Reopen();
  std::vector<TaskSpec> tasks;
  for (size_t i = 0; i < kTasks; ++i) tasks.push_back(Task(std::to_string(i)));
  ScheduleAll(tasks);
  const std::string error(kMaxTaskErrorBytes, 'e');
  std::vector<Finish> ends;
  for (const ClaimedTask& task : Claim(kTasks)) {
    ends.push_back({.task = task.handle, .verdict = Verdict::kRetry, .error = error});
  }
  ASSERT_THAT(ends, SizeIs(kTasks));
  for (size_t first = 0; first < kTasks; first += 500) {
    ASSERT_THAT(scheduler_->FinishAll(absl::MakeConstSpan(ends).subspan(first, 500)), IsOk());
  }
  const uint64_t with_tasks = Blocks().front();
  for (int i = 0; Blocks().front() <= with_tasks; ++i) {
    ASSERT_LT(i, 1000) << "the log is not made shorter";
    TaskSpec task = Task("churn");
    task.payload = std::string(kMaxTaskPayloadBytes, 'x');
    Schedule(task);
    ASSERT_THAT(scheduler_->Cancel(std::vector<std::string>{"churn"}), IsOk());
  }
  for (const uint64_t block : Blocks()) {
    EXPECT_LT((*store_->engine().Get(Space::kTasks, BlockKey(block)))->view().size(), size_t{1500} << 10);
  }
  for (int round = 0; round < 2; ++round) {
    for (const size_t i : {size_t{0}, kTasks / 2, kTasks - 1}) EXPECT_EQ(Info(std::to_string(i)).last_error, error);
    EXPECT_EQ(scheduler_->Stats()->tasks, kTasks);
    Reopen();
  }
}

TEST_F(SchedulerLog, SmallBlocksAtItsBeginningDoNotLetItGrow) {
  for (int i = 0; i < 300; ++i) Schedule(DueIn(absl::Hours(1), "small" + std::to_string(i)));
  TaskSpec large = Task("large");
  large.payload = std::string(60'000, 'x');
  for (int i = 0; i < 40; ++i) {
    Schedule(large);
    Complete(ClaimOne());
  }
  EXPECT_GT(Blocks().front(), 300U) << "gone while the first large ones were written";
  EXPECT_LT(scheduler_->Stats()->log_bytes, 500'000U);
  EXPECT_EQ(scheduler_->Stats()->tasks, 300U);
}

TEST_F(SchedulerLog, AByteThatChangedIsFoundOnOpening) {
  for (int i = 0; i < 3; ++i) Schedule(Task("t" + std::to_string(i)));
  Damage(2, 30);
  EXPECT_THAT(Scheduler::Open(*store_, options_), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("block 2")));
}

TEST_F(SchedulerLog, AMissingBlockIsFoundOnOpening) {
  for (int i = 0; i < 3; ++i) Schedule(Task("t" + std::to_string(i)));
  scheduler_.reset();
  for (const uint64_t missing : {2, 1}) {
    WriteSet writes;
    writes.Delete(Space::kTasks, BlockKey(missing));
    ASSERT_THAT(store_->engine().Write(writes), IsOk());
    EXPECT_THAT(Scheduler::Open(*store_, options_),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("block " + std::to_string(missing) + " is missing")));
  }
}

TEST_F(SchedulerLog, BlocksThatChangedPlacesAreFoundOnOpening) {
  Schedule(Task("a"));
  Schedule(Task("b"));
  scheduler_.reset();
  const uint64_t one = 1, two = 2;
  const std::string first((*store_->engine().Get(Space::kTasks, BlockKey(one)))->view());
  const std::string second((*store_->engine().Get(Space::kTasks, BlockKey(two)))->view());
  WriteSet writes;
  writes.Put(Space::kTasks, BlockKey(one), second);
  writes.Put(Space::kTasks, BlockKey(two), first);
  ASSERT_THAT(store_->engine().Write(writes), IsOk());
  EXPECT_THAT(Scheduler::Open(*store_, options_), StatusIs(absl::StatusCode::kDataLoss));
}

// ---- A faulty disk --------------------------------------------------------------------------------------------------

TEST(SchedulerFault, AFailedWriteIsIndeterminateAndReopeningTellsTheTruth) {
  FaultFs disk;
  FakeClock clock;
  SchedulerOptions options;
  options.clock = &clock;
  NW_ASSERT_OK_AND_ASSIGN(auto store, OpenStoreOn(disk.env(), {.path = "/db", .free_space_floor_bytes = 0}));
  NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(*store, options));
  ASSERT_THAT(scheduler->Schedule(TaskSpec{.id = "a", .queue = "q"}), IsOk());
  disk.Inject({.op = DiskOp::kSync, .path_contains = ".log"});
  EXPECT_THAT(scheduler->Claim({.queue = "q"}), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(scheduler->Claim({.queue = "q"}), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(scheduler->Stats(), StatusIs(absl::StatusCode::kFailedPrecondition)) << "nothing uncertain is shown";
  scheduler.reset();
  store.reset();
  disk.Restart(Loss::kUnsynced);
  NW_ASSERT_OK_AND_ASSIGN(store, OpenStoreOn(disk.env(), {.path = "/db", .free_space_floor_bytes = 0}));
  NW_ASSERT_OK_AND_ASSIGN(scheduler, Scheduler::Open(*store, options));
  clock.Advance(absl::Seconds(5));
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<ClaimedTask> tasks, scheduler->Claim({.queue = "q"}));
  EXPECT_THAT(tasks, SizeIs(1));
}

TEST(SchedulerFault, BelowTheFloorNothingIsTakenOnAndReadsGoOn) {
  FaultFs disk;
  disk.SetFreeSpace(100 << 20);
  NW_ASSERT_OK_AND_ASSIGN(auto store, OpenStoreOn(disk.env(), {.path = "/db", .free_space_floor_bytes = 20 << 20}));
  NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(*store));
  ASSERT_THAT(scheduler->Schedule(TaskSpec{.id = "a", .queue = "q"}), IsOk());
  disk.SetFreeSpace(19 << 20);
  absl::Status refused;
  // The free space is asked for now and then.
  while (refused.ok()) {
    refused = scheduler->Schedule(TaskSpec{.id = "b", .queue = "p", .payload = std::string(60'000, 'x')}).status();
  }
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(scheduler->Claim({.queue = "q"}), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(scheduler->GetTask("a"), IsOk());
  disk.SetFreeSpace(100 << 20);
  EXPECT_THAT(scheduler->Claim({.queue = "q"}), IsOkAndHolds(SizeIs(1)));
}

}  // namespace
}  // namespace northwind::testing

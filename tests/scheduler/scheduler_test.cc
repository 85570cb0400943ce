// SPDX-License-Identifier: Apache-2.0
#include "northwind/scheduler.h"

#include <optional>
#include <string>
#include <vector>

#include "src/scheduler/task_log.h"
#include "src/store/engine.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class SchedulerTasks : public SchedulerFixture {};

TEST_F(SchedulerTasks, ATaskIsHandedOutOnceWithAllItCarries) {
  TaskSpec task = Task("a", "key");
  task.payload = std::string("pay\0load", 8);
  EXPECT_EQ(Schedule(task), ScheduleOutcome::kScheduled);
  const std::vector<ClaimedTask> claimed = Claim();
  ASSERT_THAT(claimed, SizeIs(1));
  EXPECT_EQ(claimed[0].id, "a");
  EXPECT_EQ(claimed[0].key, "key");
  EXPECT_EQ(claimed[0].payload, task.payload);
  EXPECT_EQ(claimed[0].attempt, 1U);
  EXPECT_FALSE(claimed[0].previous_unknown);
  EXPECT_EQ(claimed[0].last_error, "");
  EXPECT_EQ(claimed[0].scheduled_at, clock_.Now());
  EXPECT_EQ(claimed[0].due, clock_.Now());
  EXPECT_EQ(claimed[0].leased_until, clock_.Now() + absl::Minutes(1));
  EXPECT_THAT(Claim(), IsEmpty());
  EXPECT_EQ(Complete(claimed[0]), FinishOutcome::kDone);
  EXPECT_THAT(scheduler_->GetTask("a"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(Schedule(task), ScheduleOutcome::kScheduled) << "the id is free again";
}

TEST_F(SchedulerTasks, NothingIsHandedOutBeforeItIsDue) {
  Schedule(DueIn(absl::Seconds(10), "a"));
  EXPECT_THAT(Claim(), IsEmpty());
  clock_.Advance(absl::Seconds(10) - absl::Nanoseconds(1));
  EXPECT_THAT(Claim(), IsEmpty());
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(ClaimIds(), ElementsAre("a"));
}

TEST_F(SchedulerTasks, ComeByPriorityThenDueTimeThenOrder) {
  std::vector<TaskSpec> tasks = {DueIn(absl::Seconds(3), "later"), DueIn(absl::Seconds(1), "first"),
                                 DueIn(absl::Seconds(1), "second"), DueIn(absl::Seconds(5), "urgent")};
  tasks[3].priority = 9;
  ScheduleAll(tasks);
  clock_.Advance(absl::Seconds(5));
  EXPECT_THAT(ClaimIds(2), ElementsAre("urgent", "first"));
  EXPECT_THAT(ClaimIds(), ElementsAre("second", "later"));
}

TEST_F(SchedulerTasks, QueuesAreApart) {
  TaskSpec other = Task("b");
  other.queue = "other";
  ScheduleAll({Task("a"), other});
  EXPECT_THAT(ClaimIds(), ElementsAre("a"));
  EXPECT_EQ(Stats("q").leased, 1U);
  EXPECT_EQ(Stats("other").waiting, 1U);
  EXPECT_EQ(Stats("other").ready, 1U);
}

TEST_F(SchedulerTasks, TheSameIdReplacesWhatWaits) {
  TaskSpec task = Task("a");
  task.payload = "old";
  Schedule(task);
  task.payload = "new";
  task.due = clock_.Now() + absl::Seconds(5);
  EXPECT_EQ(Schedule(task), ScheduleOutcome::kReplaced);
  EXPECT_THAT(Claim(), IsEmpty());
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(ClaimOne().payload, "new");
  EXPECT_THAT(Claim(), IsEmpty());
}

TEST_F(SchedulerTasks, TheSameIdKeepsWhatIsThereIfAsked) {
  TaskSpec task = Task("a");
  task.payload = "old";
  Schedule(task);
  task.payload = "new";
  task.if_scheduled = IfScheduled::kKeep;
  EXPECT_EQ(Schedule(task), ScheduleOutcome::kKept);
  EXPECT_EQ(ClaimOne().payload, "old");
  EXPECT_EQ(Schedule(task), ScheduleOutcome::kKept) << "claimed";
}

TEST_F(SchedulerTasks, AClaimedTaskIsNotReplaced) {
  Schedule(Task("a"));
  const ClaimedTask claimed = ClaimOne();
  EXPECT_EQ(Schedule(Task("a")), ScheduleOutcome::kLeased);
  EXPECT_EQ(Complete(claimed), FinishOutcome::kDone);
}

TEST_F(SchedulerTasks, TwiceInOneCallCountsTwice) {
  EXPECT_THAT(scheduler_->Schedule(std::vector<TaskSpec>{Task("a"), Task("a")}),
              IsOkAndHolds(ElementsAre(ScheduleOutcome::kScheduled, ScheduleOutcome::kReplaced)));
  EXPECT_THAT(ClaimIds(), ElementsAre("a"));
}

TEST_F(SchedulerTasks, CancelRemovesInAnyState) {
  ScheduleAll({DueIn(absl::Seconds(5), "waits"), Task("leased"), Task("dead")});
  std::vector<ClaimedTask> claimed = Claim();
  ASSERT_THAT(IdsOf(claimed), ElementsAre("leased", "dead"));
  Kill(claimed[1]);
  EXPECT_THAT(scheduler_->Cancel(std::vector<std::string>{"waits", "leased", "dead", "unknown"}),
              IsOkAndHolds(ElementsAre(true, true, true, false)));
  EXPECT_EQ(Complete(claimed[0]), FinishOutcome::kStale);
  clock_.Advance(absl::Hours(1));
  EXPECT_THAT(Claim(), IsEmpty());
  EXPECT_THAT(DeadIds(), IsEmpty());
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

TEST_F(SchedulerTasks, CallsOverTheirBoundsDoNothing) {
  const auto refused = [this](auto change) {
    TaskSpec task = Task("a");
    change(task);
    EXPECT_THAT(scheduler_->Schedule(std::vector<TaskSpec>{Task("b"), task}),
                StatusIs(absl::StatusCode::kInvalidArgument));
  };
  refused([](TaskSpec& t) { t.id.clear(); });
  refused([](TaskSpec& t) { t.id.assign(kMaxTaskIdBytes + 1, 'x'); });
  refused([](TaskSpec& t) { t.queue.clear(); });
  refused([](TaskSpec& t) { t.queue.assign(kMaxQueueNameBytes + 1, 'x'); });
  refused([](TaskSpec& t) { t.key.assign(kMaxTaskKeyBytes + 1, 'x'); });
  refused([](TaskSpec& t) { t.payload.assign(kMaxTaskPayloadBytes + 1, 'x'); });
  refused([](TaskSpec& t) { t.policy.multiplier = 0; });
  EXPECT_THAT(scheduler_->Schedule(std::vector<TaskSpec>(kMaxTasksPerCall + 1, Task("a"))),
              StatusIs(absl::StatusCode::kInvalidArgument));
  TaskSpec big = Task("a");
  big.payload.assign(kMaxTaskPayloadBytes, 'x');
  EXPECT_THAT(scheduler_->Schedule(std::vector<TaskSpec>(200, big)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(scheduler_->Claim({.queue = ""}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(scheduler_->Claim({.queue = "q", .max = 0}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(scheduler_->Claim({.queue = "q", .lease = absl::ZeroDuration()}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

TEST_F(SchedulerTasks, PoliciesCountForTheBoundOfACall) {
  std::vector<TaskSpec> tasks;
  for (size_t i = 0; i < kMaxTasksPerCall; ++i) {
    tasks.push_back(Task("t" + std::to_string(i)));
    tasks.back().payload = std::string(400, 'p');
    tasks.back().policy.delays.assign(kMaxPolicyDelays, absl::Hours(24 * 365 * 100));
  }
  EXPECT_THAT(scheduler_->Schedule(tasks), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bound")));
}

TEST_F(SchedulerTasks, OneTaskTooManyIsRefusedAndThoseThereGoOn) {
  options_.max_tasks = 2;
  Reopen();
  ScheduleAll({Task("a"), Task("b")});
  EXPECT_THAT(scheduler_->Schedule(Task("c")), StatusIs(absl::StatusCode::kResourceExhausted));
  Complete(ClaimOne());
  EXPECT_EQ(Schedule(Task("c")), ScheduleOutcome::kScheduled);
}

TEST_F(SchedulerTasks, AreListedByQueueInPages) {
  TaskSpec other = Task("other");
  other.queue = "other";
  ScheduleAll({Task("c"), DueIn(absl::Hours(1), "a"), other, Task("b"), Task("d")});
  Kill(ClaimOne());
  std::vector<std::string> ids;
  uint64_t after = 0;
  do {
    NW_ASSERT_OK_AND_ASSIGN(const TaskPage page, scheduler_->ListTasks("q", after, 3));
    for (const TaskInfo& task : page.tasks) ids.push_back(task.id);
    after = page.next;
  } while (after != 0);
  EXPECT_THAT(ids, ElementsAre("c", "a", "b", "d"));
  EXPECT_THAT(scheduler_->ListTasks("unknown")->tasks, IsEmpty());
  EXPECT_THAT(scheduler_->ListTasks("q", 0, 0), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(SchedulerTasks, HostRecordsAreWrittenWithTheTasks) {
  ASSERT_THAT(scheduler_->Schedule(std::vector<TaskSpec>{Task("a")}, std::vector<HostRecord>{{"cursor", "7"}}), IsOk());
  EXPECT_THAT(store_->Get("cursor"), IsOkAndHolds(std::optional<std::string>("7")));
  ASSERT_THAT(scheduler_->Schedule({}, std::vector<HostRecord>{{"cursor", "8"}}), IsOk());
  EXPECT_THAT(store_->Get("cursor"), IsOkAndHolds(std::optional<std::string>("8")));
}

// ---- Attempts -------------------------------------------------------------------------------------------------------

class SchedulerAttempts : public SchedulerFixture {};

TEST_F(SchedulerAttempts, ARetryComesAsThePolicySaysAndKnowsItsError) {
  Schedule(Task("a"));
  EXPECT_EQ(Retry(ClaimOne(), "no route"), FinishOutcome::kWaits);
  clock_.Advance(absl::Seconds(10) - absl::Nanoseconds(1));
  EXPECT_THAT(Claim(), IsEmpty());
  clock_.Advance(absl::Nanoseconds(1));
  const ClaimedTask second = ClaimOne();
  EXPECT_EQ(second.attempt, 2U);
  EXPECT_EQ(second.last_error, "no route");
  Retry(second, "still none");
  clock_.Advance(absl::Seconds(20));
  EXPECT_EQ(ClaimOne().last_error, "still none");
}

TEST_F(SchedulerAttempts, NotBeforeHoldsIfItIsLater) {
  Schedule(Task("a"));
  Retry(ClaimOne(), "busy", clock_.Now() + absl::Minutes(5));
  EXPECT_EQ(Info("a").due, clock_.Now() + absl::Minutes(5));
  clock_.Advance(absl::Minutes(5));
  Retry(ClaimOne(), "busy", clock_.Now() + absl::Seconds(1));
  EXPECT_EQ(Info("a").due, clock_.Now() + absl::Seconds(20));
}

TEST_F(SchedulerAttempts, TheLastOneMakesADeadLetter) {
  TaskSpec task = Task("a");
  task.policy = Plain(2);
  Schedule(task);
  EXPECT_EQ(Retry(ClaimOne(), "one"), FinishOutcome::kWaits);
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(Retry(ClaimOne(), "two"), FinishOutcome::kDead);
  clock_.Advance(absl::Hours(9));
  EXPECT_THAT(Claim(), IsEmpty());
  const TaskInfo dead = Info("a");
  EXPECT_EQ(dead.state, TaskState::kDead);
  EXPECT_EQ(dead.cause, DeathCause::kAttempts);
  EXPECT_EQ(dead.last_error, "two");
  EXPECT_EQ(dead.attempts, 2U);
  EXPECT_EQ(dead.died_at, clock_.Now() - absl::Hours(9));
}

TEST_F(SchedulerAttempts, AgeMakesADeadLetterToo) {
  TaskSpec task = Task("a");
  task.policy.max_age = absl::Seconds(25);
  Schedule(task);
  EXPECT_EQ(Retry(ClaimOne()), FinishOutcome::kWaits);
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(Retry(ClaimOne()), FinishOutcome::kDead) << "the next one would come after 30 s";
  EXPECT_EQ(Info("a").cause, DeathCause::kAge);
}

TEST_F(SchedulerAttempts, KillEndsAtOnce) {
  Schedule(Task("a"));
  EXPECT_EQ(Kill(ClaimOne(), "410 Gone"), FinishOutcome::kDead);
  EXPECT_EQ(Info("a").cause, DeathCause::kKilled);
  EXPECT_EQ(Info("a").last_error, "410 Gone");
}

TEST_F(SchedulerAttempts, AnErrorThatIsTooLongIsCut) {
  Schedule(Task("a"));
  Retry(ClaimOne(), std::string(5000, 'e'));
  EXPECT_EQ(Info("a").last_error, std::string(kMaxTaskErrorBytes, 'e'));
}

TEST_F(SchedulerAttempts, ALeaseThatRunsOutIsAnUnknownAttemptThatCounts) {
  TaskSpec task = Task("a");
  task.policy = Plain(2);
  Schedule(task);
  const ClaimedTask first = ClaimOne();
  clock_.Advance(absl::Minutes(1) - absl::Nanoseconds(1));
  EXPECT_THAT(Claim(), IsEmpty());
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(Claim(), IsEmpty()) << "it waits as after any failure";
  clock_.Advance(absl::Seconds(10));
  const ClaimedTask second = ClaimOne();
  EXPECT_EQ(second.attempt, 2U);
  EXPECT_TRUE(second.previous_unknown);
  EXPECT_EQ(second.handle.epoch, first.handle.epoch + 1);
  EXPECT_EQ(Complete(first), FinishOutcome::kStale);
  EXPECT_EQ(Retry(first), FinishOutcome::kStale);
  EXPECT_EQ(Kill(first), FinishOutcome::kStale);
  EXPECT_THAT(scheduler_->Extend(std::vector<Extension>{{first.handle, {{"record", "1"}}}}, absl::Minutes(1)),
              IsOkAndHolds(ElementsAre(FinishOutcome::kStale)));
  EXPECT_THAT(store_->Get("record"), IsOkAndHolds(std::optional<std::string>()));
  clock_.Advance(absl::Minutes(1));
  EXPECT_THAT(Claim(), IsEmpty());
  EXPECT_EQ(Info("a").state, TaskState::kDead) << "poison work that never answers ends too";
}

TEST_F(SchedulerAttempts, ALateCompletionCountsIfNobodyHasClaimedSince) {
  Schedule(Task("a"));
  const ClaimedTask task = ClaimOne();
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(Stats().leased, 0U);
  EXPECT_EQ(Complete(task), FinishOutcome::kDone);
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

TEST_F(SchedulerAttempts, ALateRetryIsNotAnotherAttempt) {
  Schedule(Task("a"));
  const ClaimedTask task = ClaimOne();
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Stats().leased, 0U);
  EXPECT_EQ(Retry(task, "slow", clock_.Now() + absl::Hours(1)), FinishOutcome::kWaits);
  EXPECT_EQ(Info("a").attempts, 1U);
  EXPECT_EQ(Info("a").last_error, "slow");
  EXPECT_EQ(Info("a").due, clock_.Now() + absl::Hours(1));
}

TEST_F(SchedulerAttempts, AThousandLateRetriesAreNoMoreThanOne) {
  Schedule(Task("a"));
  const ClaimedTask task = ClaimOne();
  clock_.Advance(absl::Minutes(2));
  const absl::Time due = Info("a").due;
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Retry(task, "error " + std::to_string(i)), FinishOutcome::kWaits);
  EXPECT_EQ(Info("a").due, due);
  EXPECT_EQ(Info("a").attempts, 1U);
  EXPECT_EQ(Info("a").last_error, "error 999");
  EXPECT_EQ(*scheduler_->Stats()->next_due, due);
  clock_.Advance(absl::Minutes(2));
  EXPECT_THAT(Claim(), SizeIs(1));
}

TEST_F(SchedulerAttempts, ExtendKeepsALease) {
  Schedule(Task("a"));
  const ClaimedTask task = ClaimOne();
  clock_.Advance(absl::Seconds(50));
  EXPECT_THAT(scheduler_->Extend(std::vector<Extension>{{task.handle, {{"record", "1"}}}}, absl::Minutes(1)),
              IsOkAndHolds(ElementsAre(FinishOutcome::kDone)));
  EXPECT_THAT(store_->Get("record"), IsOkAndHolds(std::optional<std::string>("1")));
  clock_.Advance(absl::Seconds(59));
  EXPECT_EQ(Stats().leased, 1U);
  EXPECT_EQ(Info("a").leased_until, clock_.Now() + absl::Seconds(1));
  EXPECT_EQ(Complete(task), FinishOutcome::kDone);
}

TEST_F(SchedulerAttempts, HostRecordsOfAnAttemptAreWrittenIfItTakesEffect) {
  Schedule(Task("a"));
  const ClaimedTask task = ClaimOne();
  EXPECT_THAT(scheduler_->FinishAll(std::vector<Finish>{{.task = task.handle, .host_records = {{"done", "1"}}},
                                                        {.task = task.handle, .host_records = {{"done", "2"}}}}),
              IsOkAndHolds(ElementsAre(FinishOutcome::kDone, FinishOutcome::kStale)));
  EXPECT_THAT(store_->Get("done"), IsOkAndHolds(std::optional<std::string>("1")));
}

TEST_F(SchedulerAttempts, AHandleOfAnotherTaskInTheSamePlaceIsStale) {
  Schedule(Task("a"));
  const ClaimedTask first = ClaimOne();
  Complete(first);
  Schedule(Task("b"));
  const ClaimedTask second = ClaimOne();
  EXPECT_EQ(second.handle.slot, first.handle.slot);
  EXPECT_EQ(Complete(first), FinishOutcome::kStale);
  EXPECT_THAT(scheduler_->Complete(TaskHandle{}), IsOkAndHolds(FinishOutcome::kStale));
  EXPECT_EQ(Complete(second), FinishOutcome::kDone);
}

// ---- Reopening ------------------------------------------------------------------------------------------------------

class SchedulerReopened : public SchedulerFixture {};

TEST_F(SchedulerReopened, FindsEverythingAsItWas) {
  TaskSpec waits = DueIn(absl::Hours(1), "waits");
  waits.payload = "p";
  waits.priority = 3;
  waits.key = "k";
  ScheduleAll({waits, Task("retried"), Task("dead"), Task("done")});
  const std::vector<ClaimedTask> claimed = Claim();
  ASSERT_THAT(claimed, SizeIs(3));
  Retry(claimed[0], "no");
  Kill(claimed[1], "bad");
  Complete(claimed[2]);
  const TaskInfo before[] = {Info("waits"), Info("retried"), Info("dead")};
  for (int round = 0; round < 2; ++round) {
    Reopen();
    for (const TaskInfo& expected : before) {
      const TaskInfo found = Info(expected.id);
      EXPECT_EQ(found.state, expected.state) << expected.id;
      EXPECT_EQ(found.payload, expected.payload);
      EXPECT_EQ(found.key, expected.key);
      EXPECT_EQ(found.priority, expected.priority);
      EXPECT_EQ(found.attempts, expected.attempts);
      EXPECT_EQ(found.epoch, expected.epoch);
      EXPECT_EQ(found.scheduled_at, expected.scheduled_at);
      EXPECT_EQ(found.due, expected.due);
      EXPECT_EQ(found.last_error, expected.last_error);
      EXPECT_EQ(found.cause, expected.cause);
    }
    EXPECT_THAT(scheduler_->GetTask("done"), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_EQ(scheduler_->Stats()->tasks, 3U);
  }
}

TEST_F(SchedulerReopened, TakesLeasesBackAsUnknownAttempts) {
  TaskSpec poison = Task("poison");
  poison.policy = Plain(1);
  ScheduleAll({Task("a"), poison});
  const std::vector<ClaimedTask> claimed = Claim();
  ASSERT_THAT(claimed, SizeIs(2));
  Reopen();
  EXPECT_EQ(Info("poison").state, TaskState::kDead) << "work that kills its worker ends as a dead letter";
  EXPECT_EQ(Info("poison").cause, DeathCause::kAttempts);
  EXPECT_EQ(Info("a").attempts, 1U);
  EXPECT_THAT(Claim(), IsEmpty());
  clock_.Advance(absl::Seconds(10));
  const ClaimedTask again = ClaimOne();
  EXPECT_TRUE(again.previous_unknown);
  EXPECT_EQ(again.attempt, 2U);
  EXPECT_EQ(again.handle.epoch, 2U);
}

TEST_F(SchedulerReopened, KnowsSettings) {
  ASSERT_THAT(scheduler_->ConfigureQueue("q", {.paused = true, .max_per_key = 3, .order = KeyOrder::kSkipDead}),
              IsOk());
  ASSERT_THAT(scheduler_->ConfigureKey("q", "k", {.paused = true, .max_leased = 2}), IsOk());
  Reopen();
  EXPECT_THAT(scheduler_->GetQueue("q"),
              IsOkAndHolds(QueueConfig{.paused = true, .max_per_key = 3, .order = KeyOrder::kSkipDead}));
  EXPECT_THAT(scheduler_->GetKey("q", "k"), IsOkAndHolds(KeyConfig{.paused = true, .max_leased = 2}));
  ASSERT_THAT(scheduler_->ConfigureKey("q", "k", {}), IsOk());
  Reopen();
  EXPECT_THAT(scheduler_->GetKey("q", "k"), IsOkAndHolds(KeyConfig{}));
}

TEST_F(SchedulerReopened, ALeaseThatRanOutBeforeIsCountedOnce) {
  TaskSpec task = Task("a");
  task.policy.jitter = Jitter::kDecorrelated;
  Schedule(task);
  EXPECT_THAT(Claim(1, absl::Seconds(1)), SizeIs(1));
  clock_.Advance(absl::Minutes(1));
  Reopen();
  EXPECT_EQ(Info("a").attempts, 1U);
  EXPECT_EQ(Info("a").last_error, "the lease ran out");
}

TEST_F(SchedulerReopened, OptionsThatMakeNoSenseAreRefused) {
  scheduler_.reset();
  SchedulerOptions options = options_;
  options.max_tasks = 100'000'001;
  EXPECT_THAT(Scheduler::Open(*store_, options), StatusIs(absl::StatusCode::kInvalidArgument));
  options = options_;
  options.release_per_second = 0;
  EXPECT_THAT(Scheduler::Open(*store_, options), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(SchedulerReopened, OnlyOneSchedulerAtATime) {
  EXPECT_THAT(Scheduler::Open(*store_), StatusIs(absl::StatusCode::kFailedPrecondition));
  scheduler_.reset();
  EXPECT_THAT(Scheduler::Open(*store_), IsOk());
}

TEST_F(SchedulerReopened, AClosedOneRefusesWork) {
  scheduler_->Close();
  scheduler_->Close();
  EXPECT_THAT(scheduler_->Schedule(Task("a")), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(scheduler_->Claim({.queue = "q"}), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(scheduler_->Stats(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

// ---- Dead letters ---------------------------------------------------------------------------------------------------

class SchedulerDeadLetters : public SchedulerFixture {
 protected:
  // Dead: id, key, and a second apart.
  void MakeDead(int count, const std::string& prefix, const std::string& key = {}) {
    for (int i = 0; i < count; ++i) {
      Schedule(Task(prefix + std::to_string(i), key));
      Kill(ClaimOne(), "reason of " + prefix + std::to_string(i));
      clock_.Advance(absl::Seconds(1));
    }
  }
};

TEST_F(SchedulerDeadLetters, AreListedInPagesAndByFilter) {
  const absl::Time start = clock_.Now();
  MakeDead(5, "a");
  MakeDead(5, "b", "key");
  std::vector<std::string> ids;
  std::optional<DeadCursor> after;
  do {
    NW_ASSERT_OK_AND_ASSIGN(const DeadPage page, scheduler_->ListDead({}, after, 3));
    for (const TaskInfo& task : page.tasks) ids.push_back(task.id);
    after = page.next;
  } while (after);
  EXPECT_THAT(ids, ElementsAre("a0", "a1", "a2", "a3", "a4", "b0", "b1", "b2", "b3", "b4"));
  EXPECT_THAT(DeadIds({.key = "key"}), SizeIs(5));
  EXPECT_THAT(DeadIds({.queue = "other"}), IsEmpty());
  EXPECT_THAT(DeadIds({.id_prefix = "a"}), SizeIs(5));
  EXPECT_THAT(DeadIds({.died_from = start + absl::Seconds(4), .died_before = start + absl::Seconds(6)}),
              ElementsAre("a4", "b0"));
  EXPECT_THAT(scheduler_->ListDead({}, std::nullopt, 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(Info("b3").last_error, "reason of b3");
}

TEST_F(SchedulerDeadLetters, ARedrivenOneBeginsAnew) {
  TaskSpec task = Task("a");
  task.policy = Plain(1);
  Schedule(task);
  const ClaimedTask claimed = ClaimOne();
  EXPECT_EQ(Retry(claimed), FinishOutcome::kDead);
  EXPECT_THAT(scheduler_->Redrive(std::vector<std::string>{"a", "unknown"}), IsOkAndHolds(1U));
  EXPECT_EQ(Complete(claimed), FinishOutcome::kStale) << "the one before has no say any more";
  const ClaimedTask again = ClaimOne();
  EXPECT_EQ(again.attempt, 1U);
  EXPECT_GT(again.handle.epoch, claimed.handle.epoch);
  EXPECT_EQ(Retry(again), FinishOutcome::kDead);
}

TEST_F(SchedulerDeadLetters, ManyAreRedrivenAtABoundedRate) {
  MakeDead(10, "a");
  MakeDead(2, "b");
  EXPECT_THAT(scheduler_->RedriveAll({.id_prefix = "a"}, 2), IsOkAndHolds(10U));
  EXPECT_THAT(DeadIds(), ElementsAre("b0", "b1"));
  size_t claimed = 0;
  for (int second = 0; second < 5; ++second) {
    const size_t now = Claim().size();
    EXPECT_LE(now, 2U);
    claimed += now;
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_GE(claimed, 9U);
  EXPECT_THAT(scheduler_->RedriveAll({.id_prefix = "a"}), IsOkAndHolds(0U));
}

TEST_F(SchedulerDeadLetters, ManyMoreThanOneStepAreRedriven) {
  constexpr int kMany = 2500;
  std::vector<TaskSpec> tasks;
  for (int i = 0; i < kMany; ++i) tasks.push_back(Task("t" + std::to_string(i)));
  ScheduleAll(tasks);
  std::vector<Finish> ends;
  for (const ClaimedTask& task : Claim(kMany)) ends.push_back({.task = task.handle, .verdict = Verdict::kKill});
  ASSERT_THAT(scheduler_->FinishAll(ends), IsOk());
  EXPECT_EQ(Stats().dead, static_cast<uint64_t>(kMany));
  EXPECT_THAT(scheduler_->RedriveAll({}), IsOkAndHolds(static_cast<size_t>(kMany)));
  EXPECT_THAT(Claim(kMany), SizeIs(kMany));
}

TEST_F(SchedulerDeadLetters, DiscardedOnesAreGone) {
  MakeDead(3, "a");
  EXPECT_THAT(scheduler_->Discard(std::vector<std::string>{"a0", "unknown"}), IsOkAndHolds(1U));
  EXPECT_THAT(DeadIds(), ElementsAre("a1", "a2"));
  EXPECT_THAT(scheduler_->DiscardAll({}), IsOkAndHolds(2U));
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

TEST_F(SchedulerDeadLetters, AreReplacedByANewTaskOfTheirId) {
  MakeDead(1, "a");
  const uint32_t epoch = Info("a0").epoch;
  EXPECT_EQ(Schedule(Task("a0")), ScheduleOutcome::kReplaced);
  EXPECT_THAT(DeadIds(), IsEmpty());
  EXPECT_GT(ClaimOne().handle.epoch, epoch) << "epochs of an id only grow";
}

// ---- Queues and keys ------------------------------------------------------------------------------------------------

class SchedulerKeys : public SchedulerFixture {};

TEST_F(SchedulerKeys, APausedQueueHandsOutNothing) {
  Schedule(Task("a"));
  ASSERT_THAT(scheduler_->PauseQueue("q"), IsOk());
  EXPECT_THAT(Claim(), IsEmpty());
  ASSERT_THAT(scheduler_->ResumeQueue("q"), IsOk());
  EXPECT_THAT(ClaimIds(), ElementsAre("a"));
}

TEST_F(SchedulerKeys, APausedKeyHoldsUpOnlyItself) {
  ASSERT_THAT(scheduler_->PauseKey("q", "k"), IsOk());
  ScheduleAll({Task("a", "k"), Task("b", "l"), Task("c")});
  EXPECT_THAT(ClaimIds(), ElementsAre("b", "c"));
  ASSERT_THAT(scheduler_->ResumeKey("q", "k"), IsOk());
  EXPECT_THAT(ClaimIds(), ElementsAre("a"));
}

TEST_F(SchedulerKeys, ALimitBoundsTheLeasesOfAKey) {
  ASSERT_THAT(scheduler_->ConfigureQueue("q", {.max_per_key = 2}), IsOk());
  ASSERT_THAT(scheduler_->ConfigureKey("q", "narrow", {.max_leased = 1}), IsOk());
  ScheduleAll(
      {Task("a1", "a"), Task("a2", "a"), Task("a3", "a"), Task("n1", "narrow"), Task("n2", "narrow"), Task("free")});
  const std::vector<ClaimedTask> claimed = Claim();
  EXPECT_THAT(IdsOf(claimed), ElementsAre("a1", "a2", "n1", "free"));
  Complete(claimed[1]);
  EXPECT_THAT(ClaimIds(), ElementsAre("a3"));
  Retry(claimed[2]);
  EXPECT_THAT(ClaimIds(), ElementsAre("n2"));
  ASSERT_THAT(scheduler_->ConfigureKey("q", "narrow", {.max_leased = 2}), IsOk());
  clock_.Advance(absl::Seconds(10));
  EXPECT_THAT(ClaimIds(), ElementsAre("n1"));
}

TEST_F(SchedulerKeys, AnOrderedKeyGoesOneByOne) {
  ASSERT_THAT(scheduler_->ConfigureQueue("q", {.order = KeyOrder::kBlockOnDead}), IsOk());
  ScheduleAll({Task("a1", "a"), Task("a2", "a"), Task("b1", "b")});
  std::vector<ClaimedTask> claimed = Claim();
  EXPECT_THAT(IdsOf(claimed), ElementsAre("a1", "b1"));
  Retry(claimed[0]);
  EXPECT_THAT(Claim(), IsEmpty()) << "a2 waits until a1 is through";
  clock_.Advance(absl::Seconds(10));
  const ClaimedTask again = ClaimOne();
  EXPECT_EQ(again.id, "a1");
  Complete(again);
  EXPECT_THAT(ClaimIds(), ElementsAre("a2"));
}

TEST_F(SchedulerKeys, ADeadOneBlocksOrIsSkipped) {
  ASSERT_THAT(scheduler_->ConfigureQueue("q", {.order = KeyOrder::kBlockOnDead}), IsOk());
  ScheduleAll({Task("a1", "a"), Task("a2", "a"), Task("b1", "b"), Task("b2", "b")});
  for (const ClaimedTask& task : Claim()) Kill(task);
  EXPECT_THAT(Claim(), IsEmpty());
  EXPECT_THAT(scheduler_->Discard(std::vector<std::string>{"a1"}), IsOkAndHolds(1U));
  EXPECT_THAT(ClaimIds(), ElementsAre("a2"));
  ASSERT_THAT(scheduler_->ConfigureQueue("q", {.order = KeyOrder::kSkipDead}), IsOk());
  EXPECT_THAT(ClaimIds(), ElementsAre("b2"));
  // Redriven, it has its old place, before what has not begun.
  Schedule(Task("b3", "b"));
  EXPECT_THAT(scheduler_->Redrive(std::vector<std::string>{"b1"}), IsOkAndHolds(1U));
  EXPECT_THAT(Claim(), IsEmpty()) << "b2 is claimed";
  Reopen();
  clock_.Advance(absl::Seconds(10));
  EXPECT_THAT(ClaimIds(), UnorderedElementsAre("a2", "b1"));
}

TEST_F(SchedulerKeys, OrderCanBeGivenUp) {
  ASSERT_THAT(scheduler_->ConfigureQueue("q", {.order = KeyOrder::kBlockOnDead}), IsOk());
  ScheduleAll({Task("a1", "a"), Task("a2", "a")});
  EXPECT_THAT(ClaimIds(), ElementsAre("a1"));
  ASSERT_THAT(scheduler_->ConfigureQueue("q", {}), IsOk());
  EXPECT_THAT(ClaimIds(), ElementsAre("a2"));
}

TEST_F(SchedulerKeys, ThereIsABoundToKeysWithSettings) {
  for (size_t i = 0; i < 3; ++i) ASSERT_THAT(scheduler_->PauseKey("q", "k" + std::to_string(i)), IsOk());
  Shut();
  // Written at once, since a hundred thousand calls are a hundred thousand synced writes.
  NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
  internal::WriteSet writes;
  for (size_t i = 3; i < kMaxTaskKeySettings; ++i) {
    internal::TaskLog::PutKey("q", "k" + std::to_string(i), {.paused = true}, writes);
  }
  ASSERT_THAT(store_->engine().Write(writes), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_, options_));
  EXPECT_THAT(scheduler_->PauseKey("q", "one more"), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(scheduler_->ConfigureKey("q", "k7", {.max_leased = 2}), IsOk()) << "it has some already";
  EXPECT_THAT(scheduler_->ResumeKey("q", "k8"), IsOk());
  EXPECT_THAT(scheduler_->PauseKey("q", "one more"), IsOk());
}

TEST_F(SchedulerKeys, ThereIsABoundToQueues) {
  for (size_t i = 0; i < kMaxTaskQueues; ++i) {
    ASSERT_THAT(scheduler_->ConfigureQueue("q" + std::to_string(i), {.paused = true}), IsOk());
  }
  EXPECT_THAT(scheduler_->Schedule(Task("a")), StatusIs(absl::StatusCode::kResourceExhausted));
}

// ---- The clock ------------------------------------------------------------------------------------------------------

class SchedulerClock : public SchedulerFixture {};

TEST_F(SchedulerClock, AStepBackNeitherFiresAgainNorStalls) {
  ScheduleAll({Task("done"), DueIn(absl::Seconds(5), "soon")});
  Complete(ClaimOne());
  clock_.Jump(-absl::Hours(1));
  EXPECT_THAT(Claim(), IsEmpty());
  clock_.Advance(absl::Seconds(5));
  EXPECT_THAT(ClaimIds(), ElementsAre("soon"));
}

TEST_F(SchedulerClock, DueTimesGivenAfterAStepBackAreMeantByTheNewTime) {
  clock_.Jump(-absl::Hours(1));
  Schedule(DueIn(absl::Minutes(1), "a"));
  EXPECT_EQ(Info("a").due, clock_.Now() + absl::Minutes(1)) << "and are shown so";
  clock_.Advance(absl::Seconds(59));
  EXPECT_THAT(Claim(), IsEmpty());
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(ClaimIds(), ElementsAre("a"));
}

TEST_F(SchedulerClock, AStepBackBeforeReopeningDoesNotStall) {
  clock_.Advance(absl::Hours(2));
  Schedule(DueIn(absl::Seconds(5), "soon"));
  clock_.Jump(-absl::Hours(2));
  Reopen();
  clock_.Advance(absl::Seconds(5));
  EXPECT_THAT(ClaimIds(), ElementsAre("soon"));
}

TEST_F(SchedulerClock, AJumpAheadIsReleasedAtABoundedRate) {
  options_.release_per_second = 10;
  Reopen();
  std::vector<TaskSpec> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(DueIn(absl::Minutes(1 + i), "t" + std::to_string(i)));
  ScheduleAll(tasks);
  clock_.Jump(absl::Hours(24));
  size_t claimed = 0;
  EXPECT_THAT(Claim(), IsEmpty());
  Schedule(Task("new"));
  EXPECT_THAT(ClaimIds(), ElementsAre("new")) << "what is new does not wait behind";
  for (int second = 1; second <= 10; ++second) {
    clock_.Advance(absl::Seconds(1));
    const size_t now = Claim().size();
    EXPECT_EQ(now, 10U);
    claimed += now;
  }
  EXPECT_EQ(claimed, 100U);
}

}  // namespace
}  // namespace northwind::testing

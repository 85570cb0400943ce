// SPDX-License-Identifier: Apache-2.0
//
// What a source does when the queue, the disk or the ledger fails under it.
#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "gmock/gmock.h"
#include "northwind/sqs.h"
#include "src/sqs/open_client.h"
#include "src/sqs/source_core.h"
#include "tests/sqs/source_fixture.h"
#include "tests/support/sync_gate.h"

namespace northwind::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SqsSourceFaults : public SqsSourceTest {
 protected:
  ~SqsSourceFaults() override {
    if (down_) ServerUp();
  }

  void ServerDown() {
    server().Down();
    down_ = true;
  }
  void ServerUp() {
    server().Up();
    down_ = false;
  }

  void ReopenWithFloor() {
    ShutLedger();
    floor_ = 1 << 20;
    intake_options_.max_wait = absl::ZeroDuration();
    OpenLedger();
  }
  // Until so long has passed on the server: a message that it hides for that time is seen again.
  void AwaitOnServer(int seconds) {
    const std::string url = NewQueue();
    server().Send(url, "clock");
    server().Call("sqs", "receive_message", {{"QueueUrl", url}, {"VisibilityTimeout", seconds}});
    EXPECT_TRUE(Await([&] { return server().Visible(url) == 1; }));
  }
  void FillDisk() { disk_.SetFreeSpace(floor_ / 2); }
  void MakeRoom() { disk_.SetFreeSpace(uint64_t{1} << 30); }

 private:
  bool down_ = false;
};

// ---- The queue ------------------------------------------------------------------------------------------------

TEST_F(SqsSourceFaults, AQueueThatCannotBeReachedIsNoErrorAndIsWaitedFor) {
  const std::string url = NewQueue();
  server().SendAll(url, Captures(0, 20));
  ServerDown();
  auto source = Start(OptionsOf(url));
  EXPECT_EQ(source->Stats().state, SqsState::kWaiting);
  EXPECT_THAT(source->Stats().status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_FALSE(source->WaitUntilDrained(absl::Milliseconds(300)));
  ServerUp();
  EXPECT_TRUE(source->WaitUntilDrained(kPatience));
  EXPECT_EQ(source->Stats().state, SqsState::kRunning);
  EXPECT_THAT(source->Stats().status, IsOk());
  EXPECT_EQ(Available(), 2000);
}

TEST_F(SqsSourceFaults, WhatAnUnreachableQueueLacksIsFoundOutWhenItIsReached) {
  SqsOptions options = OptionsOf(NewQueue());
  options.poison = SqsPoison::kRedrivePolicy;
  ServerDown();
  auto source = Start(options);
  ServerUp();
  EXPECT_TRUE(AwaitState(*source, SqsState::kHalted));
  EXPECT_THAT(source->Stats().status, StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(SqsSourceFaults, TheServerMayGoAndComeBackAtAnyMoment) {
  const std::string url = NewQueue({{"VisibilityTimeout", "2"}});
  Random random(TestSeed());
  server().SendAll(url, Captures(0, 400));
  SqsOptions options = OptionsOf(url, kLongPoll);
  options.max_messages = 50;
  auto source = Start(options);
  for (uint64_t cut = 0; cut < 4; ++cut) {
    EXPECT_TRUE(Await([&] { return source->Stats().applied >= 60 * cut; }));
    ServerDown();
    absl::SleepFor(absl::Milliseconds(random.Below(1000)));
    ServerUp();
  }
  EXPECT_TRUE(Await([&] { return source->Stats().applied == 400; })) << source->Stats().status;
  // What a lost answer brought is visible again after its timeout.
  EXPECT_TRUE(Await([&] { return server().Visible(url) + server().InFlight(url) == 0; }));
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(Available(), 40'000);
  ExpectBooksBalance(*ledger_);
}

TEST_F(SqsSourceFaults, AServerThatComesBackWithoutItsQueuesHaltsAndWhatIsSentToItAnewCountsOnce) {
  const std::string name = UniqueName();
  const std::string url = server().CreateQueue(name);
  server().SendAll(url, Captures(0, 200));
  SqsOptions options = OptionsOf(url);
  options.max_messages = 20;
  auto source = Start(options);
  EXPECT_TRUE(Await([&] { return source->Stats().applied >= 30; }));
  ServerDown();
  server().Forget();
  ServerUp();
  ASSERT_TRUE(AwaitState(*source, SqsState::kHalted));
  EXPECT_THAT(source->Stats().status, StatusIs(absl::StatusCode::kNotFound));
  const uint64_t applied = source->Stats().applied;
  EXPECT_EQ(server().CreateQueue(name), url);
  server().SendAll(url, Captures(0, 250));  // by a producer who does not know how many had arrived
  EXPECT_THAT(source->Start(), IsOk());
  EXPECT_TRUE(source->WaitUntilDrained(kPatience));
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(source->Stats().applied, 250U);
  EXPECT_GE(source->Stats().duplicates, applied);
  EXPECT_EQ(Available(), 25'000);
  ExpectBooksBalance(*ledger_);
}

TEST_F(SqsSourceFaults, WrongKeysHalt) {
  const std::string url = NewQueue();
  auto right = Open(OptionsOf(url));
  setenv("AWS_SECRET_ACCESS_KEY", "wrong", 1);
  auto source = SqsSource::Open(*intake_, OptionsOf(url));
  ASSERT_THAT(source, IsOk());
  EXPECT_THAT((*source)->Start(), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_EQ((*source)->Stats().state, SqsState::kHalted);
}

TEST_F(SqsSourceFaults, AQueueThatIsDeletedHaltsAndIsPolledAgainAfterAnotherStart) {
  const std::string name = UniqueName();
  const std::string url = server().CreateQueue(name);
  auto source = Start(OptionsOf(url));
  server().Call("sqs", "delete_queue", {{"QueueUrl", url}});
  EXPECT_TRUE(AwaitState(*source, SqsState::kHalted));
  EXPECT_THAT(source->Stats().status, StatusIs(absl::StatusCode::kNotFound));
  server().CreateQueue(name);
  server().SendAll(url, Captures(0, 5));
  EXPECT_THAT(source->Start(), IsOk());
  EXPECT_TRUE(source->WaitUntilDrained(kPatience));
  EXPECT_EQ(source->Stats().applied, 5U);
}

TEST_F(SqsSourceFaults, StopReturnsAlthoughTheServerIsGone) {
  const std::string url = NewQueue();
  server().SendAll(url, Captures(0, 10));
  auto source = Start(OptionsOf(url, absl::Seconds(20)));
  EXPECT_TRUE(Await([&] { return source->Stats().applied == 10; }));
  ServerDown();
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(source->Stats().held, 0U);
}

TEST_F(SqsSourceFaults, ASourceIsDestroyedAlthoughTheServerDoesNotAnswer) {
  const std::string url = NewQueue();
  auto source = Start(OptionsOf(url, absl::Seconds(20)));
  const uint64_t receives = server().Requests("ReceiveMessage");
  EXPECT_TRUE(Await([&] { return server().Requests("ReceiveMessage") > receives; })) << "one is under way";
  server().Freeze();
  source.reset();
  server().Thaw();
}

TEST_F(SqsSourceFaults, ADeleteThatIsRefusedAsAWholeHaltsAndIsCounted) {
  for (const int status : {400, 404, 405, 413}) {  // as by a proxy, without a word of SQS
    const std::string url = NewQueue();
    server().SendAll(url, Captures(0, 5));
    server().FailNext({.operation = "DeleteMessageBatch", .status = status, .body = "<html>", .count = 1});
    auto source = Start(OptionsOf(url));
    ASSERT_TRUE(AwaitState(*source, SqsState::kHalted));
    EXPECT_THAT(source->Stats().status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("DeleteMessageBatch")));
    EXPECT_GE(source->Stats().delete_failures, 1U);
    EXPECT_THAT(source->Stop(), IsOk());
    EXPECT_EQ(source->Stats().deleted + source->Stats().delete_failures, 5U);
  }
}

TEST_F(SqsSourceFaults, HeartbeatsThatFailAreCountedAndThoseThatAreNotAllowedHalt) {
  SyncGate gate(disk_.env());
  ShutLedger();
  NW_ASSERT_OK_AND_ASSIGN(auto store, OpenStoreOn(gate.env(), {.path = "/db", .free_space_floor_bytes = 0}));
  NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
  NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(*store));
  NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger, *store, {.scheduler = scheduler.get()}));
  const std::string url = NewQueue();
  server().SendAll(url, Captures(0, 3));
  SqsOptions options = OptionsOf(url);
  options.visibility = absl::Seconds(3);
  auto source = Open(options);
  gate.Close();
  server().FailNext({.operation = "ChangeMessageVisibilityBatch", .count = 4});  // a request and its retries
  EXPECT_THAT(source->Start(), IsOk());
  EXPECT_TRUE(Await([&] { return source->Stats().heartbeat_failures >= 1; }));
  EXPECT_NE(source->Stats().state, SqsState::kHalted);
  server().FailNext({.operation = "ChangeMessageVisibilityBatch", .status = 403});
  EXPECT_TRUE(AwaitState(*source, SqsState::kHalted));
  EXPECT_THAT(source->Stats().status, StatusIs(absl::StatusCode::kPermissionDenied));
  gate.Open();
  EXPECT_THAT(source->Stop(), IsOk());
  source.reset();
  intake_.reset();
}

// ---- Stopping -------------------------------------------------------------------------------------------------

TEST_F(SqsSourceFaults, AReceiveUnderWayIsNotCutOffByStopAndWhatItBringsIsApplied) {
  const std::string url = NewQueue();
  SqsOptions options = OptionsOf(url, absl::Seconds(20));
  options.pollers = 1;
  auto source = Start(options);
  absl::Status stopped;
  std::thread stopper([&] { stopped = source->Stop(); });
  EXPECT_FALSE(source->WaitUntilDrained(kPatience)) << "it is being stopped";
  server().SendAll(url, Captures(0, 1));  // ends the receive
  stopper.join();
  EXPECT_THAT(stopped, IsOk());
  EXPECT_EQ(server().InFlight(url), 0U) << "nothing is hidden";
  EXPECT_EQ(source->Stats().applied + server().Visible(url), 1U);
}

TEST_F(SqsSourceFaults, StopSendsNoMoreDeletesOnceTheyFail) {
  constexpr uint64_t kMessages = 900, kUnderWay = 640;
  const std::string url = NewQueue();
  server().SendAll(url, Captures(0, kMessages));
  server().FailNext({.operation = "DeleteMessageBatch", .count = 1 << 20});
  auto source = Start(OptionsOf(url));
  EXPECT_TRUE(Await([&] { return source->Stats().applied == kMessages; }));
  EXPECT_THAT(source->Stop(), IsOk());
  server().FailNoMore();
  EXPECT_LE(source->Stats().delete_failures, kUnderWay);
  EXPECT_EQ(source->Stats().held, 0U);
  EXPECT_EQ(Drain(OptionsOf(url)).applied, 0U) << "what comes again is a duplicate";
}

TEST_F(SqsSourceFaults, StopEndsAStartAndACountThatWaitForAQueueThatDoesNotAnswer) {
  auto source = Open(OptionsOf(NewQueue()));
  const std::function<absl::Status()> calls[] = {[&] { return source->Start(); },
                                                 [&] { return source->CountMessages().status(); }};
  server().Freeze();
  for (const auto& call : calls) {
    std::atomic<bool> done = false;
    absl::Status status;
    std::thread caller([&] {
      status = call();
      done = true;
    });
    while (!done) EXPECT_THAT(source->Stop(), IsOk());
    caller.join();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
    EXPECT_EQ(source->Stats().state, SqsState::kStopped);
  }
  server().Thaw();
  EXPECT_THAT(source->Start(), IsOk());
}

TEST_F(SqsSourceFaults, AnswersOfWhatStopCutOffDoNotReachTheNextStart) {
  const std::string url = NewQueue({{"VisibilityTimeout", "1"}});
  SqsOptions options = OptionsOf(url, kLongPoll);
  Open(options);  // keys
  NW_ASSERT_OK_AND_ASSIGN(auto client, internal::sqs::OpenClient(options, 100));
  internal::sqs::SourceCore source(*intake_, options, std::move(client));
  const uint64_t receives = server().Requests("ReceiveMessage");
  EXPECT_THAT(source.Start(), IsOk());
  EXPECT_TRUE(Await([&] { return server().Requests("ReceiveMessage") > receives; })) << "one is under way";
  server().Freeze();
  EXPECT_THAT(source.Stop(absl::ZeroDuration()), IsOk());
  server().Thaw();
  EXPECT_THAT(source.Start(), IsOk());
  server().SendAll(url, Captures(0, 20));
  EXPECT_TRUE(Await([&] { return source.Stats().applied == 20; }));
  EXPECT_THAT(source.Stop(absl::InfiniteDuration()), IsOk());
  EXPECT_EQ(Available(), 2000);
}

// ---- The disk -------------------------------------------------------------------------------------------------

TEST_F(SqsSourceFaults, AFullDiskStopsReceivingAndGivesMessagesBackUntilThereIsRoom) {
  ReopenWithFloor();
  const std::string url = NewQueue();
  server().SendAll(url, Captures(0, 100));
  const uint64_t deletes = server().Requests("DeleteMessageBatch");
  FillDisk();
  SqsOptions options = OptionsOf(url);
  options.visibility = absl::Seconds(3);
  auto source = Start(options);
  ASSERT_TRUE(AwaitState(*source, SqsState::kWaiting));
  EXPECT_THAT(source->Stats().status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("free space")));
  // A few stay here, to see by them whether there is room. The others can be had by somebody else.
  EXPECT_TRUE(Await([&] { return source->Stats().held <= 10 && server().Visible(url) >= 90; }));
  const uint64_t receives = server().Requests("ReceiveMessage");
  AwaitOnServer(4);  // it has looked for room after 1 s, and after 2 s more
  // One of them is the clock's.
  EXPECT_EQ(server().Requests("ReceiveMessage"), receives + 1) << "nothing is asked for while the disk is full";
  EXPECT_EQ(server().Requests("DeleteMessageBatch"), deletes) << "nothing is deleted before it is durable";
  EXPECT_EQ(source->Stats().state, SqsState::kWaiting);
  EXPECT_EQ(source->Stats().applied, 0U);
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 100U);
  MakeRoom();
  EXPECT_TRUE(Await([&] { return source->Stats().applied == 100; }));
  EXPECT_TRUE(source->WaitUntilDrained(kPatience));
  EXPECT_EQ(source->Stats().state, SqsState::kRunning);
  EXPECT_THAT(source->Stats().status, IsOk());
  EXPECT_EQ(Available(), 10'000);
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
}

TEST_F(SqsSourceFaults, ADiskThatFillsUpInTheMidstOfWorkLeavesInTheQueueWhatIsNotApplied) {
  ReopenWithFloor();
  const std::string url = NewQueue();
  server().SendAll(url, Captures(0, 300));
  SqsOptions options = OptionsOf(url);
  options.max_messages = 20;
  auto source = Start(options);
  ASSERT_TRUE(Await([&] { return source->Stats().applied >= 30; }));
  FillDisk();
  ASSERT_TRUE(AwaitState(*source, SqsState::kWaiting));
  const uint64_t applied = source->Stats().applied;
  EXPECT_LT(applied, 300U);
  EXPECT_TRUE(Await([&] { return server().Visible(url) + server().InFlight(url) == 300 - applied; }));
  EXPECT_EQ(Available(), 100 * static_cast<int64_t>(applied));
  MakeRoom();
  EXPECT_TRUE(source->WaitUntilDrained(kPatience));
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(source->Stats().applied, 300U);
  EXPECT_GE(source->Stats().deleted, 300U);
  EXPECT_EQ(Available(), 30'000);
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
  ExpectBooksBalance(*ledger_);
}

TEST_F(SqsSourceFaults, AFullDiskDoesNotUseUpTheReceivesOfARedrivePolicy) {
  ReopenWithFloor();
  const auto [url, dead] = NewQueueWithRedrive(5);
  server().SendAll(url, Captures(0, 60));
  SqsOptions options = OptionsOf(url, kLongPoll);
  options.pollers = 8;  // none of which brings again what is given back
  options.visibility = absl::Seconds(3);
  auto source = Start(options);
  EXPECT_TRUE(source->WaitUntilDrained(kPatience));
  FillDisk();
  server().SendAll(url, Captures(0, 60));  // duplicates, which need no room, do not make it believe that there is some
  server().SendAll(url, Captures(60, 60));
  ASSERT_TRUE(AwaitState(*source, SqsState::kWaiting));
  AwaitOnServer(4);
  MakeRoom();
  EXPECT_TRUE(Await([&] { return source->Stats().applied == 120; }));
  EXPECT_TRUE(source->WaitUntilDrained(kPatience));
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_THAT(server().TakeAll(dead), IsEmpty());
  EXPECT_EQ(Available(), 12'000);
}

TEST_F(SqsSourceFaults, StopGivesBackWhatTheDiskHasNoRoomFor) {
  ReopenWithFloor();
  const std::string url = NewQueue({{"VisibilityTimeout", "3600"}});
  server().SendAll(url, Captures(0, 50));
  FillDisk();
  auto source = Start(OptionsOf(url));
  ASSERT_TRUE(AwaitState(*source, SqsState::kWaiting));
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(server().Visible(url), 50U);
  EXPECT_EQ(server().InFlight(url), 0U);
  EXPECT_EQ(source->Stats().returned, source->Stats().received);
  EXPECT_EQ(source->Stats().held, 0U);
}

// ---- The ledger -----------------------------------------------------------------------------------------------

// What a commit that failed on the disk leaves: a source that is halted, the whole of a queue, and a ledger that is
// opened anew.
class SqsSourcePoisoned : public SqsSourceFaults, public ::testing::WithParamInterface<Fault> {};

TEST_P(SqsSourcePoisoned, APoisonedLedgerHaltsAndGivesEverythingBack) {
  const std::string url = NewQueue({{"VisibilityTimeout", "3600"}});
  server().SendAll(url, Captures(0, 50));
  disk_.Inject(GetParam());
  auto source = Start(OptionsOf(url));
  ASSERT_TRUE(AwaitState(*source, SqsState::kHalted));
  EXPECT_FALSE(source->Stats().status.ok());
  EXPECT_FALSE(source->WaitUntilDrained(kPatience)) << "at once";
  EXPECT_TRUE(Await([&] { return server().Visible(url) == 50; }));
  EXPECT_EQ(source->Stats().deleted, 0U);
  source.reset();
  ShutLedger();
  disk_.ClearFaults();
  disk_.Restart(Loss::kUnsynced);
  OpenLedger();
  Drain(OptionsOf(url));
  EXPECT_EQ(Available(), 5000);
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
  ExpectBooksBalance(*ledger_);
}

INSTANTIATE_TEST_SUITE_P(Faults, SqsSourcePoisoned,
                         ::testing::Values(Fault{.op = DiskOp::kSync, .forever = true},
                                           Fault{.op = DiskOp::kAppend, .forever = true, .no_space = true}),
                         [](const auto& fault) { return fault.param.no_space ? "NoSpace" : "NoSync"; });

TEST_F(SqsSourceFaults, MessagesStayHiddenWhileTheLedgerIsSlow) {
  SyncGate gate(disk_.env());
  ShutLedger();
  auto store = OpenStoreOn(gate.env(), {.path = "/db", .free_space_floor_bytes = 0});
  ASSERT_THAT(store, IsOk());
  {
    NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(**store));
    NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(**store));
    NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger, **store, {.scheduler = scheduler.get()}));
    const std::string url = NewQueue({{"VisibilityTimeout", "4"}});
    server().SendAll(url, Captures(0, 30));
    gate.Close();
    auto source = Start(OptionsOf(url));
    gate.AwaitSync();
    AwaitOnServer(6);
    EXPECT_EQ(server().Visible(url), 0U);
    gate.Open();
    EXPECT_TRUE(source->WaitUntilDrained(kPatience));
    EXPECT_THAT(source->Stop(), IsOk());
    EXPECT_EQ(source->Stats().redelivered, 0U);
    EXPECT_EQ(source->Stats().applied, 30U);
    source.reset();
    intake_.reset();
  }
}

}  // namespace
}  // namespace northwind::testing

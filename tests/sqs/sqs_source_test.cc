// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "northwind/sqs.h"
#include "tests/sqs/source_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// ---- Opening and starting -------------------------------------------------------------------------------------

TEST_F(SqsSourceTest, OptionsOutOfRangeAreRefusedByName) {
  const SqsOptions good = OptionsOf("http://127.0.0.1:1/1/q");
  const auto refuses = [&](const char* name, const auto& change) {
    SqsOptions options = good;
    change(options);
    EXPECT_THAT(SqsSource::Open(*intake_, options), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(name)));
  };
  refuses("queue_url", [](SqsOptions& o) { o.queue_url = ""; });
  refuses("pollers", [](SqsOptions& o) { o.pollers = 0; });
  refuses("pollers", [](SqsOptions& o) { o.pollers = kMaxSqsPollers + 1; });
  refuses("wait", [](SqsOptions& o) { o.wait = absl::Seconds(21); });
  refuses("wait", [](SqsOptions& o) { o.wait = absl::Milliseconds(1500); });
  refuses("wait", [](SqsOptions& o) { o.wait = absl::Seconds(-1); });
  refuses("visibility", [](SqsOptions& o) { o.visibility = absl::Milliseconds(500); });
  refuses("visibility", [](SqsOptions& o) { o.visibility = absl::Hours(12) + absl::Seconds(1); });
  refuses("max_messages", [](SqsOptions& o) { o.max_messages = 9; });
  refuses("max_messages", [](SqsOptions& o) { o.max_messages = 100'001; });
  refuses("max_bytes", [](SqsOptions& o) { o.max_bytes = (size_t{16} << 20) - 1; });
  refuses("max_bytes", [](SqsOptions& o) { o.max_bytes = (size_t{4} << 30) + 1; });
  refuses("batch", [](SqsOptions& o) { o.batch = 0; });
  refuses("batch", [](SqsOptions& o) { o.batch = 100'001; });
  refuses("body", [](SqsOptions& o) { o.body = static_cast<SqsBody>(9); });
  refuses("poison", [](SqsOptions& o) { o.poison = static_cast<SqsPoison>(0); });
}

TEST_F(SqsSourceTest, AnIntakeThatDoesNotParkDurablyIsRefused) {
  intake_.reset();
  auto intake = Intake::Open(*ledger_, *store_);
  ASSERT_THAT(intake, IsOk());
  EXPECT_THAT(SqsSource::Open(**intake, OptionsOf("http://127.0.0.1:1/1/q")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("scheduler")));
}

TEST_F(SqsSourceTest, AQueueThatDoesNotExistHalts) {
  auto source = Open(OptionsOf(server().endpoint() + "/123456789012/none"));
  EXPECT_THAT(source->Start(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(source->Stats().state, SqsState::kHalted);
  EXPECT_THAT(source->Stats().status, StatusIs(absl::StatusCode::kNotFound));
  EXPECT_FALSE(source->WaitUntilDrained(kPatience)) << "at once";
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(source->Stats().state, SqsState::kStopped);
}

TEST_F(SqsSourceTest, PoisonCannotBeLeftToARedrivePolicyThatIsNotThere) {
  SqsOptions options = OptionsOf(NewQueue());
  options.poison = SqsPoison::kRedrivePolicy;
  EXPECT_THAT(Open(options)->Start(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("redrive policy")));
}

TEST_F(SqsSourceTest, AVisibilityTimeoutOfZeroIsRefusedUnlessTheOptionsSayAnother) {
  const std::string url = NewQueue({{"VisibilityTimeout", "0"}});
  EXPECT_THAT(Open(OptionsOf(url))->Start(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("visibility")));
  SqsOptions options = OptionsOf(url);
  options.visibility = absl::Seconds(30);
  server().SendAll(url, Captures(0, 3));
  EXPECT_EQ(Drain(options).applied, 3U);
}

TEST_F(SqsSourceTest, IsStartedOnceAndAgainAfterItWasStopped) {
  const std::string url = NewQueue();
  auto source = Open(OptionsOf(url));
  EXPECT_EQ(source->Stats().state, SqsState::kStopped);
  EXPECT_THAT(source->Stop(), IsOk());
  for (size_t round = 0; round < 3; ++round) {
    ASSERT_THAT(source->Start(), IsOk());
    EXPECT_THAT(source->Start(), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_EQ(source->Stats().state, SqsState::kRunning);
    server().SendAll(url, Captures(10 * round, 10));
    EXPECT_TRUE(source->WaitUntilDrained(kPatience));
    EXPECT_EQ(source->Stats().applied, 10 * (round + 1));
    ASSERT_THAT(source->Stop(), IsOk());
    EXPECT_EQ(source->Stats().state, SqsState::kStopped);
    EXPECT_FALSE(source->WaitUntilDrained(kPatience)) << "at once";
  }
}

// ---- Applying -------------------------------------------------------------------------------------------------

TEST_F(SqsSourceTest, EveryMessageIsAppliedOnceAndDeleted) {
  const std::string url = NewQueue();
  std::vector<std::string> bodies = Captures(0, 200);
  for (size_t i = 0; i < 50; ++i) bodies.push_back(bodies[i]);  // sent twice
  bodies.push_back(absl::Base64Escape(*EncodeEventProto(Captured("p200", 100))));
  bodies.push_back(Json(OfPayout(EventType::kPayoutRequested, "o1", 1, 10'000'000)));  // more than there is
  server().SendAll(url, bodies);
  const SqsStats stats = Drain(OptionsOf(url, kLongPoll));
  // The server, too, delivers at least once: some come twice.
  EXPECT_GE(stats.received, 252U);
  EXPECT_EQ(stats.applied, 201U);
  EXPECT_GE(stats.duplicates, 50U);
  EXPECT_EQ(stats.rejected, 1U);
  EXPECT_GE(stats.deleted, 252U);
  EXPECT_EQ(stats.poison, 0U);
  EXPECT_EQ(stats.held, 0U);
  EXPECT_EQ(stats.held_bytes, 0U);
  EXPECT_EQ(Available(), 20'100);
  EXPECT_EQ(server().Visible(url), 0U);
  EXPECT_EQ(server().InFlight(url), 0U);
  ExpectBooksBalance(*ledger_);
}

TEST_F(SqsSourceTest, AnEventThatWaitsForAnotherIsDeletedWhenItIsDurablyParked) {
  const std::string url = NewQueue();
  server().Send(url, Json(Refunded("p0", 40, 1)));
  const SqsStats first = Drain(OptionsOf(url));
  EXPECT_EQ(first.parked, 1U);
  EXPECT_EQ(first.deleted, 1U);
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
  ShutLedger();
  OpenLedger();
  EXPECT_EQ(intake_->parked(), 1U);
  server().SendAll(url, Captures(0, 1));
  Drain(OptionsOf(url));
  EXPECT_EQ(Available(), 60);
  EXPECT_EQ(intake_->parked(), 0U);
}

TEST_F(SqsSourceTest, NotificationsOfSnsAreOpened) {
  const std::string url = NewQueue();
  server().Send(url, SqsServer::Json{{"Type", "Notification"}, {"Message", Captures(0, 1)[0]}}.dump());
  SqsOptions options = OptionsOf(url);
  options.sns_envelope = true;
  EXPECT_EQ(Drain(options).applied, 1U);
}

TEST_F(SqsSourceTest, TwoSourcesShareAQueue) {
  const std::string url = NewQueue();
  server().SendAll(url, Captures(0, 300));
  auto one = Start(OptionsOf(url, kLongPoll));
  auto two = Start(OptionsOf(url, kLongPoll));
  EXPECT_TRUE(one->WaitUntilDrained(kPatience));
  EXPECT_TRUE(two->WaitUntilDrained(kPatience));
  EXPECT_THAT(one->Stop(), IsOk());
  EXPECT_THAT(two->Stop(), IsOk());
  EXPECT_EQ(one->Stats().applied + two->Stats().applied, 300U);
  EXPECT_EQ(Available(), 30'000);
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
}

// ---- Poison ---------------------------------------------------------------------------------------------------

TEST_F(SqsSourceTest, PoisonIsDeletedOnceItIsInQuarantine) {
  const std::string url = NewQueue();
  const std::vector<std::string> poison = {"{\"type\":\"NONE\"}", "neither", Json(Captured("p0", 999))};
  server().SendAll(url, Captures(0, 1));
  Drain(OptionsOf(url));
  server().SendAll(url, poison);
  const SqsStats stats = Drain(OptionsOf(url));
  EXPECT_EQ(stats.poison, 3U);
  EXPECT_EQ(stats.deleted, 3U);
  std::set<std::string> quarantined;
  for (const QuarantinedEvent& event : Quarantine()) quarantined.insert(event.raw);
  EXPECT_EQ(quarantined, std::set<std::string>(poison.begin(), poison.end()));
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
}

TEST_F(SqsSourceTest, AQuarantinedEventIsFoundByTheIdOfItsMessage) {
  const std::string url = NewQueue();
  const std::string id = server().Send(url, "neither");
  Drain(OptionsOf(url));
  ASSERT_THAT(Quarantine(), SizeIs(1));
  EXPECT_EQ(Quarantine()[0].detail, "body: neither JSON nor base64");
  const std::string digits = id.substr(0, 8) + id.substr(9, 4) + id.substr(14, 4);
  EXPECT_EQ(Quarantine()[0].position, std::stoull(digits, nullptr, 16));
}

TEST_F(SqsSourceTest, PoisonIsLeftToTheRedrivePolicyAndNothingElseIs) {
  const auto [url, dead] = NewQueueWithRedrive(2, {{"VisibilityTimeout", "1"}});
  SqsOptions options = OptionsOf(url);
  options.poison = SqsPoison::kRedrivePolicy;
  std::vector<std::string> bodies = Captures(0, 40);
  bodies.push_back("neither");
  server().SendAll(url, bodies);
  auto source = Start(options);
  EXPECT_TRUE(Await([&, dead = dead] { return server().Visible(dead) == 1; }));
  EXPECT_TRUE(source->WaitUntilDrained(kPatience));
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(source->Stats().poison, 2U) << "as often as the policy says";
  EXPECT_EQ(source->Stats().applied, 40U);
  EXPECT_THAT(server().TakeAll(dead), ElementsAre("neither"));
  EXPECT_THAT(Quarantine(), SizeIs(1)) << "and it is in quarantine, too";
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
}

TEST_F(SqsSourceTest, PoisonIsReceivedAsOftenAsTheRedrivePolicySaysAlsoAcrossAStop) {
  for (const uint64_t most : {1, 3}) {
    const auto [url, dead] = NewQueueWithRedrive(static_cast<int>(most), {{"VisibilityTimeout", "2"}});
    SqsOptions options = OptionsOf(url);
    options.poison = SqsPoison::kRedrivePolicy;
    server().SendAll(url, {"neither", "{}", Captures(most, 1)[0]});
    auto source = Start(options);
    EXPECT_TRUE(Await([&] { return source->Stats().poison == 2; }));
    EXPECT_THAT(source->Stop(), IsOk());
    EXPECT_THAT(source->Start(), IsOk());
    EXPECT_TRUE(Await([&, dead = dead] { return server().Visible(dead) == 2; }));
    EXPECT_THAT(source->Stop(), IsOk());
    EXPECT_EQ(source->Stats().poison, 2 * most);
    EXPECT_EQ(source->Stats().received, 2 * most + 1);
    EXPECT_EQ(source->Stats().applied, 1U);
    EXPECT_EQ(source->Stats().deleted, 1U);
    EXPECT_THAT(server().TakeAll(dead), UnorderedElementsAre("neither", "{}"));
    EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
  }
  EXPECT_THAT(Quarantine(), SizeIs(2)) << "once each, however often they came";
}

TEST_F(SqsSourceTest, WhatIsTooLargeForTheQuarantineIsLeftToARedrivePolicyIfThereIsOne) {
  const std::string large(kMaxEventBytes + 1, 'x');
  const std::string without = NewQueue();
  server().Send(without, large);
  EXPECT_EQ(Drain(OptionsOf(without)).deleted, 1U);
  const auto [url, dead] = NewQueueWithRedrive(1, {{"VisibilityTimeout", "1"}});
  server().Send(url, large);
  auto source = Start(OptionsOf(url));
  EXPECT_TRUE(Await([&, dead = dead] { return server().Visible(dead) == 1; }));
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(source->Stats().deleted, 0U);
  EXPECT_THAT(server().TakeAll(dead), ElementsAre(large)) << "the whole of it";
}

// ---- Groups ---------------------------------------------------------------------------------------------------

// Of a group, what was asked for before there was enough is rejected: the order shows.
std::vector<std::string> RiseAndFall(const std::string& merchant, size_t count) {
  std::vector<std::string> bodies;
  for (size_t i = 0; i < count; ++i) {
    const std::string id = merchant + "-" + std::to_string(i);
    bodies.push_back(*EncodeEventJson(Captured("p" + id, 100, 0, merchant)));
    PaymentEvent payout = OfPayout(EventType::kPayoutRequested, "o" + id, 1, 100);
    payout.merchant_id = merchant;
    bodies.push_back(*EncodeEventJson(payout));
  }
  return bodies;
}

TEST_F(SqsSourceTest, TheOrderWithinAGroupIsKeptAcrossReceives) {
  const std::string url = NewQueue({}, ".fifo");
  for (const char* merchant : {"a", "b", "c"}) server().SendAll(url, RiseAndFall(merchant, 25), merchant);
  const SqsStats stats = Drain(OptionsOf(url, kLongPoll));
  EXPECT_EQ(stats.applied, 150U);
  EXPECT_EQ(stats.rejected, 0U);
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
}

TEST_F(SqsSourceTest, PoisonThatIsLeftStopsItsGroupAndNotTheOthers) {
  const auto [url, dead] = NewQueueWithRedrive(3, {{"VisibilityTimeout", "1"}}, ".fifo");
  SqsOptions options = OptionsOf(url);
  options.poison = SqsPoison::kRedrivePolicy;
  const std::vector<std::string> a = RiseAndFall("a", 6), b = RiseAndFall("b", 6);
  server().SendAll(url, {a[0], a[1], "neither"}, "a");
  server().SendAll(url, {a.begin() + 2, a.end()}, "a");
  server().SendAll(url, b, "b");
  auto source = Start(options);
  EXPECT_TRUE(Await([&, dead = dead] { return server().Visible(dead) == 1; }));
  EXPECT_TRUE(Await([&] { return source->Stats().applied == 24; }));
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(source->Stats().rejected, 0U);
  EXPECT_THAT(server().TakeAll(dead), ElementsAre("neither")) << "those behind it were not received as often as it was";
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 0U);
}

TEST_F(SqsSourceTest, AnEventThatIsLeftForItsSizeStopsItsGroupAndNotTheOthers) {
  const auto [url, dead] = NewQueueWithRedrive(3, {{"VisibilityTimeout", "3600"}}, ".fifo");
  const std::string oversized(kMaxEventBytes + 1, 'x');
  const std::vector<std::string> a = Captures(0, 2), b = Captures(2, 2);
  server().SendAll(url, {a[0], oversized, a[1]}, "a");
  server().SendAll(url, b, "b");
  auto source = Start(OptionsOf(url));
  EXPECT_TRUE(Await([&] { return source->Stats().returned == 1 && source->Stats().applied == 3; }));
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(source->Stats().applied, 3U);
  EXPECT_EQ(source->Stats().poison, 1U);
  EXPECT_EQ(server().InFlight(url), 1U) << "the oversized one, and behind it";
  EXPECT_EQ(server().Visible(url) + server().InFlight(url), 2U);
}

// ---- Room, time -----------------------------------------------------------------------------------------------

TEST_F(SqsSourceTest, NoMoreIsHeldThanTheOptionsSay) {
  const std::string url = NewQueue();
  server().SendAll(url, Captures(0, 100));
  SqsOptions options = OptionsOf(url);
  options.max_messages = 10;
  options.pollers = 8;
  auto source = Start(options);
  size_t most = 0;
  EXPECT_TRUE(Await([&] {
    most = std::max(most, source->Stats().held);
    return source->Stats().applied == 100;
  }));
  EXPECT_LE(most, 10U);
}

TEST_F(SqsSourceTest, AReceiveMayWaitForMessagesOrNot) {
  for (const absl::Duration wait : {absl::ZeroDuration(), kLongPoll}) {
    auto source = Start(OptionsOf(NewQueue(), wait));
    for (int round = 0; round < 3; ++round) EXPECT_TRUE(source->WaitUntilDrained(kPatience));
    EXPECT_THAT(source->Stop(), IsOk());
  }
}

TEST_F(SqsSourceTest, WhatIsVisibleAgainWhileItIsHeldIsNotLost) {
  // The server stands still for longer than the messages are hidden, and hands them out anew.
  const std::string url = NewQueue({{"VisibilityTimeout", "1"}});
  server().SendAll(url, Captures(0, 30));
  auto source = Start(OptionsOf(url));
  server().Freeze();
  absl::SleepFor(absl::Milliseconds(1500));
  server().Thaw();
  EXPECT_TRUE(source->WaitUntilDrained(kPatience));
  EXPECT_THAT(source->Stop(), IsOk());
  EXPECT_EQ(Available(), 3000);
}

}  // namespace
}  // namespace northwind::testing

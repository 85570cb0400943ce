// SPDX-License-Identifier: Apache-2.0
//
// Parked events that outlive the process, and the end of their wait; and what can be done with the quarantine.
#include "src/settlement/durable_parking.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/settlement.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_fs.h"
#include "tests/support/invariants.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_on.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class DurableParking : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void TearDown() override {
    if (ledger_ != nullptr && !HasFatalFailure()) ExpectInvariants(*ledger_);
    Shut();
  }
  void Open() {
    NW_ASSERT_OK_AND_ASSIGN(store_, OpenStoreOn(disk_.env(), {.path = "/db", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(ledger_, Ledger::Open(*store_));
    SchedulerOptions options;
    options.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_, options));
    OpenIntake();
  }
  void OpenIntake() {
    intake_.reset();
    options_.scheduler = scheduler_.get();
    NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger_, *store_, options_));
  }
  void Shut() {
    intake_.reset();
    scheduler_.reset();
    ledger_.reset();
    store_.reset();
  }
  void Crash() {
    disk_.CutPower();
    Shut();
    disk_.Restart(Loss::kUnsynced);
    Open();
  }
  IntakeResult Apply(const std::vector<PaymentEvent>& events, uint64_t position = 1) {
    auto result = intake_->Apply(events, position);
    EXPECT_THAT(result, IsOk());
    return result.ok() ? *std::move(result) : IntakeResult{.outcomes = std::vector<EventOutcome>(events.size())};
  }
  std::vector<LateOutcome> Retry() {
    auto late = intake_->RetryParked();
    EXPECT_THAT(late, IsOk());
    return late.ok() ? *std::move(late) : std::vector<LateOutcome>();
  }
  uint64_t Tasks() { return scheduler_->Stats()->tasks; }
  std::vector<QuarantinedEvent> Quarantine() { return intake_->ListQuarantine()->events; }

  FaultFs disk_;
  FakeClock clock_;
  IntakeOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Intake> intake_;
};

TEST_F(DurableParking, AParkedEventOutlivesACrashAndIsAppliedRightAfterWhatItWaitsFor) {
  EXPECT_EQ(Apply({Refunded("p1", 100, 5, "r1")}, 7).outcomes[0].status, EventStatus::kParked);
  EXPECT_EQ(Tasks(), 1U);
  Crash();
  EXPECT_EQ(intake_->parked(), 1U);
  const IntakeResult result = Apply({Captured("p1", 1000)}, 8);
  EXPECT_EQ(result.outcomes[0].status, EventStatus::kApplied);
  ASSERT_THAT(result.late, SizeIs(1));
  EXPECT_EQ(result.late[0].position, 7U);
  EXPECT_EQ(result.late[0].outcome.status, EventStatus::kApplied);
  EXPECT_EQ(Tasks(), 0U);
  EXPECT_EQ(intake_->parked(), 0U);
}

TEST_F(DurableParking, WhatIsParkedAndSetFreeInOneCallLeavesNoTask) {
  const uint64_t before = scheduler_->Stats()->log_bytes;
  const IntakeResult result = Apply({Refunded("p1", 100, 5, "r1"), Captured("p1", 1000)});
  EXPECT_EQ(result.outcomes[0].status, EventStatus::kApplied);
  EXPECT_EQ(Tasks(), 0U);
  EXPECT_EQ(scheduler_->Stats()->log_bytes, before) << "nor a trace of one";
}

TEST_F(DurableParking, ManyWaitInTheOrderInWhichTheyCame) {
  std::vector<PaymentEvent> events;
  for (int i = 0; i < 5; ++i) events.push_back(Refunded("p1", 300, 5 + i, "r" + std::to_string(i)));
  Apply(events, 10);
  Crash();
  const IntakeResult result = Apply({Captured("p1", 1000)}, 20);
  std::vector<uint64_t> applied;
  for (const LateOutcome& late : result.late) {
    if (late.outcome.status == EventStatus::kApplied) applied.push_back(late.position);
  }
  EXPECT_THAT(applied, ElementsAre(10, 11, 12)) << "the rest is more than the capture";
  EXPECT_EQ(Tasks(), 0U);
}

TEST_F(DurableParking, TheSameEventAgainAfterACrashIsACopy) {
  Apply({Refunded("p1", 100, 5, "r1")}, 1);
  Crash();
  EXPECT_EQ(Apply({Refunded("p1", 100, 5, "r1")}, 2).outcomes[0].status, EventStatus::kParked);
  EXPECT_EQ(Tasks(), 1U);
  EXPECT_EQ(intake_->parked(), 1U);
  const IntakeResult result = Apply({Captured("p1", 1000)}, 3);
  ASSERT_THAT(result.late, SizeIs(2));
  EXPECT_EQ(result.late[0].outcome.status, EventStatus::kApplied);
  EXPECT_EQ(result.late[1].outcome.status, EventStatus::kDuplicate);
}

TEST_F(DurableParking, ATargetThatCameByAnotherWayIsFoundAtTheNextTry) {
  Apply({Refunded("p1", 100, 5, "r1")}, 7);
  intake_.reset();
  {
    // An intake without a scheduler knows nothing of it.
    NW_ASSERT_OK_AND_ASSIGN(auto other, Intake::Open(*ledger_, *store_));
    ASSERT_THAT(other->Apply(std::vector<PaymentEvent>{Captured("p1", 1000)}), IsOk());
  }
  OpenIntake();
  EXPECT_THAT(Retry(), IsEmpty()) << "not yet";
  clock_.Advance(absl::Minutes(1));
  const std::vector<LateOutcome> late = Retry();
  ASSERT_THAT(late, SizeIs(1));
  EXPECT_EQ(late[0].position, 7U);
  EXPECT_EQ(late[0].outcome.status, EventStatus::kApplied);
  EXPECT_EQ(Tasks(), 0U);
}

TEST_F(DurableParking, AWaitEndsInQuarantine) {
  options_.park_policy.delays = {absl::Minutes(1), absl::Minutes(2)};
  OpenIntake();
  Apply({Refunded("p1", 100, 5, "r1")}, 7);
  clock_.Advance(absl::Minutes(1));
  EXPECT_THAT(Retry(), IsEmpty());
  EXPECT_EQ(intake_->parked(), 1U);
  clock_.Advance(absl::Minutes(2));
  const std::vector<LateOutcome> late = Retry();
  ASSERT_THAT(late, SizeIs(1));
  EXPECT_EQ(late[0].position, 7U);
  EXPECT_EQ(late[0].outcome.cause, QuarantineCause::kTargetNotFound);
  EXPECT_THAT(late[0].outcome.detail, HasSubstr("PAYMENT_CAPTURED p1"));
  EXPECT_EQ(Tasks(), 0U);
  EXPECT_EQ(intake_->parked(), 0U);
  ASSERT_THAT(Quarantine(), SizeIs(1));
  EXPECT_EQ(Quarantine()[0].position, 7U);
}

TEST_F(DurableParking, AWaitThatEndedJustBeforeACrashEndsInQuarantineToo) {
  options_.park_policy.delays = {absl::Minutes(1)};
  OpenIntake();
  Apply({Refunded("p1", 100, 5, "r1")}, 7);
  clock_.Advance(absl::Minutes(1));
  // As RetryParked does, which then does not live to write to the quarantine.
  const auto tasks = scheduler_->Claim({.queue = "nw/parked"});
  ASSERT_THAT(tasks, IsOkAndHolds(SizeIs(1)));
  ASSERT_THAT(scheduler_->Retry((*tasks)[0].handle, "has not come"), IsOkAndHolds(FinishOutcome::kDead));
  Crash();
  EXPECT_EQ(intake_->parked(), 0U);
  EXPECT_THAT(Quarantine(), SizeIs(1));
  EXPECT_EQ(Tasks(), 0U);
}

TEST_F(DurableParking, AWaitWhoseLastAttemptNobodyEndedEndsInQuarantineToo) {
  options_.park_policy.delays = {absl::Minutes(1)};
  OpenIntake();
  Apply({Refunded("p1", 100, 5, "r1")}, 7);
  clock_.Advance(absl::Minutes(1));
  // As RetryParked does, which then meets a ledger that is full.
  ASSERT_THAT(scheduler_->Claim({.queue = "nw/parked"}), IsOkAndHolds(SizeIs(1)));
  clock_.Advance(absl::Minutes(2));
  const std::vector<LateOutcome> late = Retry();
  ASSERT_THAT(late, SizeIs(1));
  EXPECT_EQ(late[0].outcome.cause, QuarantineCause::kTargetNotFound);
  EXPECT_EQ(intake_->parked(), 0U);
  EXPECT_EQ(Tasks(), 0U);
}

TEST_F(DurableParking, TriedAnewTheyAreAppliedInTheOrderInWhichTheyCame) {
  Apply({OfPayout(EventType::kPayoutReturned, "po1", 6)}, 1);
  Apply({Refunded("p1", 700, 5, "r1"), OfPayout(EventType::kPayoutPaid, "po1", 5)}, 2);
  clock_.Advance(absl::Minutes(1));
  EXPECT_THAT(Retry(), IsEmpty());
  clock_.Advance(absl::Seconds(30));
  Apply({Refunded("p1", 400, 5, "r2"), OfPayout(EventType::kPayoutPaid, "po1", 8)}, 4);
  intake_.reset();
  {
    NW_ASSERT_OK_AND_ASSIGN(auto other, Intake::Open(*ledger_, *store_));
    ASSERT_THAT(other->Apply(std::vector<PaymentEvent>{Captured("p1", 1000), Captured("p2", 1000),
                                                       OfPayout(EventType::kPayoutRequested, "po1", 4, 100)}),
                IsOk());
  }
  OpenIntake();
  // Only the last two are due.
  clock_.Advance(absl::Minutes(1));
  std::vector<std::string> came;
  for (const LateOutcome& late : Retry()) {
    came.push_back(std::to_string(late.position) + " " + std::string(Name(late.outcome.status)));
  }
  EXPECT_THAT(came, UnorderedElementsAre("1 applied", "2 applied", "3 applied", "4 rejected", "5 already_settled"));
  EXPECT_EQ(Tasks(), 0U);
  EXPECT_EQ(intake_->parked(), 0U);
}

TEST_F(DurableParking, AnEventThatIsReadMoreStrictlyNowGoesToQuarantine) {
  ASSERT_THAT(scheduler_->Schedule(TaskSpec{.id = "nw/parked/1", .queue = "nw/parked", .payload = {1, 7, '{', '}'}}),
              IsOk());
  intake_.reset();
  NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger_, *store_, options_));
  ASSERT_THAT(Quarantine(), SizeIs(1));
  EXPECT_EQ(Quarantine()[0].cause, QuarantineCause::kMalformed);
  EXPECT_EQ(Quarantine()[0].position, 7U);
}

TEST_F(DurableParking, WhatIsParkedAgainBeforeItsOldTaskIsRemovedKeepsATask) {
  internal::DurableParking parking(*scheduler_, IntakeOptions::DefaultParkPolicy());
  parking.Add({.bytes = "event", .position = 7}, 1);
  ASSERT_THAT(parking.Flush(), IsOk());
  parking.Remove(1);
  parking.Add({.bytes = "event", .position = 8}, 2);
  ASSERT_THAT(parking.Flush(), IsOk());
  const auto kept = parking.Load();
  ASSERT_THAT(kept, IsOkAndHolds(SizeIs(1)));
  EXPECT_EQ((*kept)[0].position, 8U);
  // And again, but it does not stay.
  parking.Remove(2);
  parking.Add({.bytes = "event", .position = 9}, 3);
  parking.Remove(3);
  ASSERT_THAT(parking.Flush(), IsOk());
  EXPECT_EQ(Tasks(), 0U);
}

TEST_F(DurableParking, WhatIsRemovedMakesRoomForWhatIsAdded) {
  intake_.reset();
  scheduler_.reset();
  SchedulerOptions options;
  options.clock = &clock_;
  options.max_tasks = 1;
  NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_, options));
  internal::DurableParking parking(*scheduler_, IntakeOptions::DefaultParkPolicy());
  parking.Add({.bytes = "one"}, 1);
  ASSERT_THAT(parking.Flush(), IsOk());
  parking.Remove(1);
  parking.Add({.bytes = "two"}, 2);
  EXPECT_THAT(parking.Flush(), IsOk());
  EXPECT_EQ(Tasks(), 1U);
}

TEST_F(DurableParking, FinishEndsAllWaits) {
  Apply({Refunded("p1", 100, 5, "r1"), OfPayout(EventType::kPayoutPaid, "po1", 5)});
  EXPECT_THAT(intake_->Finish(), IsOkAndHolds(SizeIs(2)));
  EXPECT_EQ(Tasks(), 0U);
  Crash();
  EXPECT_EQ(intake_->parked(), 0U);
  EXPECT_THAT(Quarantine(), SizeIs(2));
}

TEST_F(DurableParking, WithoutASchedulerThereIsNothingToRetry) {
  intake_.reset();
  NW_ASSERT_OK_AND_ASSIGN(auto other, Intake::Open(*ledger_, *store_));
  EXPECT_THAT(other->RetryParked(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(DurableParking, APolicyWithoutAnEndIsRefused) {
  options_.park_policy = RetryPolicy();
  EXPECT_THAT(Intake::Open(*ledger_, *store_, options_), StatusIs(absl::StatusCode::kInvalidArgument));
  options_.park_policy.delays.assign(kMaxPolicyDelays + 1, absl::Minutes(1));
  EXPECT_THAT(Intake::Open(*ledger_, *store_, options_), StatusIs(absl::StatusCode::kInvalidArgument));
}

// ---- Crashes --------------------------------------------------------------------------------------------------------

TEST_F(DurableParking, AfterAnyCrashesTheBooksAreThoseOfARunWithoutOne) {
  const uint64_t seed = TestSeed();
  Random random(seed);
  std::vector<PaymentEvent> events;
  for (uint64_t i = 0; i < 40; ++i) {
    const std::string payment = "pay" + std::to_string(i), payout = "po" + std::to_string(i);
    events.push_back(Captured(payment, 1000));
    for (int refund = 0; refund < 4; ++refund) {
      events.push_back(Refunded(payment, 100 + random.Below(400), 5, "r" + std::to_string(refund)));
    }
    events.push_back(OfPayout(EventType::kPayoutRequested, payout, 6, 1 + random.Below(500)));
    events.push_back(OfPayout(random.Percent(70) ? EventType::kPayoutPaid : EventType::kPayoutFailed, payout, 7));
    events.push_back(OfPayout(EventType::kPayoutReturned, payout, 8));
  }
  for (size_t i = events.size(); i > 1; --i) std::swap(events[i - 1], events[random.Below(i)]);
  const auto books = [](const Ledger& ledger) {
    std::map<std::string, std::string> totals;
    const AccountPage page = *ledger.ListAccounts("", "", 100);
    for (const Account& account : page.accounts) {
      const Totals t = *ledger.Balance(*ledger.FindAccount(account.name));
      totals[account.name] = absl::StrCat(absl::Uint128Low64(t.debits_posted), " ",
                                          absl::Uint128Low64(t.credits_posted), " ", absl::Uint128Low64(t.debits_held));
    }
    return totals;
  };

  uint64_t crashes = 0;
  const auto survive = [&](const auto& call) {
    if (random.Percent(50)) disk_.CutPowerAfter(random.Below(8));
    while (!call().ok()) {
      ASSERT_TRUE(disk_.PowerIsCut());
      ++crashes;
      Shut();
      disk_.Restart(Loss::kUnsynced);
      ASSERT_NO_FATAL_FAILURE(Open());
    }
    if (disk_.PowerIsCut()) Crash();
  };
  for (size_t begin = 0; begin < events.size();) {
    const size_t count = std::min(1 + random.Below(30), events.size() - begin);
    const auto chunk = absl::MakeConstSpan(events).subspan(begin, count);
    ASSERT_NO_FATAL_FAILURE(survive([&] { return intake_->Apply(chunk, begin).status(); })) << "seed " << seed;
    begin += count;
    clock_.Advance(absl::Seconds(40));
    ASSERT_NO_FATAL_FAILURE(survive([&] { return intake_->RetryParked(1 + random.Below(20)).status(); }));
  }
  Crash();

  FaultFs other_disk;
  NW_ASSERT_OK_AND_ASSIGN(auto store, OpenStoreOn(other_disk.env(), {.path = "/db", .free_space_floor_bytes = 0}));
  NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
  NW_ASSERT_OK_AND_ASSIGN(auto intake, Intake::Open(*ledger, *store));
  ASSERT_THAT(intake->Apply(events), IsOk());
  EXPECT_EQ(books(*ledger_), books(*ledger)) << "seed " << seed;
  // Everything that waits has a task; a task more is that of an event applied just before a crash.
  EXPECT_EQ(Tasks(), intake_->parked());
  for (int i = 0; i < 100 && intake_->parked() > intake->parked(); ++i) {
    clock_.Advance(absl::Hours(1));
    Retry();
  }
  EXPECT_EQ(intake_->parked(), intake->parked()) << "seed " << seed;
  EXPECT_GT(crashes, 0U);
}

// ---- Quarantine -----------------------------------------------------------------------------------------------------

TEST_F(DurableParking, QuarantinedEventsAreRedrivenAndDiscarded) {
  Apply({Refunded("p1", 100, 5, "r1"), Refunded("p2", 100, 5, "r1")});
  ASSERT_THAT(intake_->Finish(), IsOk());
  ASSERT_THAT(Quarantine(), SizeIs(2));
  std::string of_p1, of_p2;
  for (const QuarantinedEvent& event : Quarantine()) {
    (event.raw.find("\"p1\"") != std::string::npos ? of_p1 : of_p2) = event.id;
  }
  Apply({Captured("p1", 1000)});
  EXPECT_THAT(intake_->RedriveQuarantined(std::vector<std::string>{of_p1, "unknown"}),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Quarantine(), SizeIs(2));
  const auto outcomes = intake_->RedriveQuarantined(std::vector<std::string>{of_p1});
  ASSERT_THAT(outcomes, IsOkAndHolds(SizeIs(1)));
  EXPECT_EQ((*outcomes)[0].status, EventStatus::kApplied);
  EXPECT_THAT(Quarantine(), SizeIs(1));
  EXPECT_THAT(intake_->DiscardQuarantined(std::vector<std::string>{of_p2, of_p1}), IsOkAndHolds(1U));
  EXPECT_THAT(Quarantine(), IsEmpty());
  Crash();
  EXPECT_THAT(Quarantine(), IsEmpty());
}

TEST_F(DurableParking, WhatWasRedrivenAndWaitsAgainIsNotAppliedOnceItIsDiscarded) {
  Apply({OfPayout(EventType::kPayoutPaid, "po1", 5)}, 1);
  ASSERT_THAT(intake_->Finish(), IsOk());
  const std::vector<std::string> ids(2, Quarantine()[0].id);
  const auto outcomes = intake_->RedriveQuarantined(ids);
  ASSERT_THAT(outcomes, IsOkAndHolds(SizeIs(2)));
  EXPECT_EQ((*outcomes)[0].status, EventStatus::kParked);
  EXPECT_THAT(intake_->DiscardQuarantined(ids), IsOkAndHolds(1U));
  EXPECT_EQ(intake_->parked(), 0U);
  EXPECT_EQ(Tasks(), 0U);
  Apply({Captured("p1", 1000), OfPayout(EventType::kPayoutRequested, "po1", 4, 100)}, 3);
  EXPECT_EQ(ledger_->Balance(*ledger_->FindAccount("merchant:m1:available:USD/2"))->debits_posted, 0U);
}

TEST_F(DurableParking, WhatARedrivenEventSetsFreeIsTold) {
  Apply({OfPayout(EventType::kPayoutPaid, "po1", 5)}, 1);
  ASSERT_THAT(intake_->Finish(), IsOk());
  Apply({OfPayout(EventType::kPayoutReturned, "po1", 6)}, 2);
  Apply({Captured("p1", 1000), OfPayout(EventType::kPayoutRequested, "po1", 4, 100)}, 3);
  ASSERT_THAT(Quarantine(), SizeIs(1));
  const auto outcomes = intake_->RedriveQuarantined(std::vector<std::string>{Quarantine()[0].id});
  ASSERT_THAT(outcomes, IsOkAndHolds(SizeIs(1)));
  EXPECT_EQ((*outcomes)[0].status, EventStatus::kApplied);
  const std::vector<LateOutcome> late = Retry();
  ASSERT_THAT(late, SizeIs(1));
  EXPECT_EQ(late[0].position, 2U);
  EXPECT_EQ(late[0].outcome.status, EventStatus::kApplied);
}

TEST_F(DurableParking, AnEventThatIsKeptInPartIsNotRedrivenButDiscarded) {
  // With nothing but blanks at its end, what is kept of it could be read.
  std::string raw = *EncodeEventJson(Captured("p1", 1000));
  raw.resize(kMaxEventBytes + 1, ' ');
  const std::vector<RawEvent> events = {{.bytes = raw}};
  ASSERT_THAT(intake_->Apply(events), IsOk());
  ASSERT_THAT(Quarantine(), SizeIs(1));
  const std::vector<std::string> ids = {Quarantine()[0].id};
  const auto outcomes = intake_->RedriveQuarantined(ids);
  ASSERT_THAT(outcomes, IsOkAndHolds(SizeIs(1)));
  EXPECT_EQ((*outcomes)[0].status, EventStatus::kQuarantined);
  EXPECT_THAT(ledger_->FindAccount("merchant:m1:available:USD/2"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Quarantine(), SizeIs(1));
  EXPECT_THAT(intake_->DiscardQuarantined(ids), IsOkAndHolds(1U));
  EXPECT_THAT(Quarantine(), IsEmpty());
}

}  // namespace
}  // namespace northwind::testing

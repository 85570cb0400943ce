// SPDX-License-Identifier: Apache-2.0
#include "northwind/payout.h"

#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "examples/simulated_rail/rail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/settlement/payout_fixture.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(PayoutTest, AStoreHasOneOfThemOpen) {
  EXPECT_THAT(Payouts::Open({*ledger_, *store_, *scheduler_, *intake_, rail_}, {}).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(PayoutTest, ARequestedPayoutIsSubmittedOnceAndPaid) {
  Request();
  EXPECT_THAT(payouts_->GetPayout("po1"), StatusIs(absl::StatusCode::kNotFound));
  Follow();
  EXPECT_EQ(Get().state, PayoutState::kRequested);
  EXPECT_EQ(Get().next_attempt, clock_.Now());
  EXPECT_EQ(Work(), 1U);
  EXPECT_EQ(Work(), 0U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2"));
  EXPECT_EQ(Merchant().debits_posted, 300U);
  EXPECT_EQ(Merchant().debits_held, 0U);
  Follow();
  const Payout payout = Get();
  EXPECT_EQ(payout.state, PayoutState::kPaid);
  EXPECT_EQ(payout.merchant_id, "m1");
  EXPECT_EQ(payout.amount, Amount(300));
  EXPECT_EQ(payout.provider_key, rail_.keys[0]);
  EXPECT_EQ(payout.submits, 1U);
  EXPECT_EQ(payout.next_attempt, std::nullopt);
  EXPECT_EQ(payout.attention, "");
  EXPECT_THAT(TimelineOf(payout), ElementsAre("PAYOUT_REQUESTED", "submit paid", "PAYOUT_PAID"));
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

TEST_F(PayoutTest, AFailedOneGivesTheMoneyBack) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kFailed, .reason = "account closed"}};
  Work();
  Follow();
  EXPECT_EQ(Get().state, PayoutState::kFailed);
  EXPECT_EQ(Merchant().available(), 1000);
  EXPECT_THAT(TimelineOf(Get()), ElementsAre("PAYOUT_REQUESTED", "submit failed: account closed", "PAYOUT_FAILED"));
}

TEST_F(PayoutTest, AnUnknownOneIsAskedForAndNeverSubmittedAgainNorReleased) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kUnknown, .reason = "timed out"},
                   {.state = RailState::kUnknown},
                   {.state = RailState::kPending},
                   {.state = RailState::kPaid}};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Work(), 1U);
    Follow();
    if (i < 3) {
      EXPECT_EQ(Get().state, PayoutState::kSubmitted);
      EXPECT_EQ(Merchant().debits_held, 300U);
      EXPECT_EQ(Work(), 0U) << "not before its time";
    }
    clock_.Advance(absl::Seconds(1 << i));
  }
  EXPECT_THAT(rail_.calls,
              ElementsAre("submit po1 300 USD/2", "query po1 300 USD/2", "query po1 300 USD/2", "query po1 300 USD/2"));
  EXPECT_THAT(std::set<std::string>(rail_.keys.begin(), rail_.keys.end()), SizeIs(1)) << "one key for ever";
  EXPECT_EQ(Get().state, PayoutState::kPaid);
  EXPECT_EQ(Get().queries, 3U);
}

TEST_F(PayoutTest, TheRailMaySayWhenToAskAgain) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kPending, .reason = "", .not_before = clock_.Now() + absl::Hours(1)}};
  Work();
  EXPECT_EQ(Get().next_attempt, clock_.Now() + absl::Hours(1));
}

TEST_F(PayoutTest, WhatTheRailIsSureNotToKnowIsSubmittedAgainUnderTheSameKey) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kUnknown}, {.state = RailState::kNotFound}};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Work(), 1U);
    clock_.Advance(absl::Seconds(4));
  }
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2", "query po1 300 USD/2", "submit po1 300 USD/2"));
  EXPECT_THAT(std::set<std::string>(rail_.keys.begin(), rail_.keys.end()), SizeIs(1));
}

TEST_F(PayoutTest, AnAnswerToASubmissionThatMakesNoSenseIsUnknown) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kNotFound}};
  Work();
  clock_.Advance(absl::Seconds(1));
  Work();
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2", "query po1 300 USD/2"));
}

TEST_F(PayoutTest, ALeaseLostDuringTheCallLeavesItToTheNextToAsk) {
  Request();
  Follow();
  // While one worker waits for the rail, its lease runs out, and another takes over.
  rail_.during = [this] {
    clock_.Advance(absl::Minutes(11));
    EXPECT_EQ(Work(), 0U);
    clock_.Advance(absl::Seconds(1));
    EXPECT_EQ(Work(), 1U);
  };
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2", "query po1 300 USD/2"));
  Follow();
  EXPECT_EQ(Get().state, PayoutState::kPaid);
  EXPECT_EQ(Merchant().debits_posted, 300U);
  EXPECT_EQ(Get().attention, "");
}

TEST_F(PayoutTest, ASlowRailCostsNoLeaseOfThoseThatWaitInTheBatch) {
  for (int i = 0; i < 3; ++i) Request("po" + std::to_string(i));
  Follow();
  const auto slow = [this] { clock_.Advance(absl::Minutes(6)); };
  rail_.during = [this, slow] {
    slow();
    rail_.during = [this, slow] {
      slow();
      rail_.during = [this] {
        EXPECT_EQ(Work(), 0U);
        clock_.Advance(absl::Seconds(1));
        EXPECT_EQ(Work(), 0U) << "the lease would have run out long ago";
      };
    };
  };
  EXPECT_EQ(Work(), 3U);
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Work(), 0U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po0 300 USD/2", "submit po1 300 USD/2", "submit po2 300 USD/2"));
  EXPECT_EQ(Merchant().debits_posted, 900U);
}

TEST_F(PayoutTest, WhatWasLostBeforeItsCallIsLeftToTheNextWhoAsks) {
  for (int i = 0; i < 2; ++i) Request("po" + std::to_string(i));
  Follow();
  rail_.during = [this] {
    clock_.Advance(absl::Minutes(11));
    EXPECT_EQ(Work(), 0U);
    clock_.Advance(absl::Seconds(1));
    EXPECT_EQ(Work(), 2U) << "another takes both over";
  };
  EXPECT_EQ(Work(), 2U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po0 300 USD/2", "query po0 300 USD/2", "query po1 300 USD/2"));
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

TEST_F(PayoutTest, AfterARestartDuringTheCallTheRailIsAsked) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kUnknown}};
  Work();
  // What the first process would find: an intent without an answer, the task not yet due again.
  Shut();
  Open();
  clock_.Advance(absl::Seconds(10));
  Work();
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2", "query po1 300 USD/2"));
}

TEST_F(PayoutTest, IsCanceledBeforeItIsSubmittedAndNotAfter) {
  Request("po1");
  Request("po2");
  Follow();
  EXPECT_THAT(payouts_->Cancel("po1"), IsOk());
  EXPECT_THAT(payouts_->Cancel("po1"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("settled")));
  EXPECT_THAT(payouts_->Cancel("unknown"), StatusIs(absl::StatusCode::kNotFound));
  rail_.answers = {{.state = RailState::kPending}};
  EXPECT_EQ(Work(), 2U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po2 300 USD/2")) << "the rail never hears of the canceled one";
  EXPECT_THAT(payouts_->Cancel("po2"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("submitted")));
  Follow();
  EXPECT_EQ(Get("po1").state, PayoutState::kCanceled);
  EXPECT_EQ(scheduler_->Stats()->tasks, 1U);
}

TEST_F(PayoutTest, AContradictionIsLeftForSomebodyToLookAt) {
  Request();
  Follow();
  // An event from elsewhere cancels it while the rail executes it.
  rail_.during = [this] { Apply(OfPayout(EventType::kPayoutCanceled, "po1", 50)); };
  Work();
  Follow();
  EXPECT_EQ(Get().state, PayoutState::kCanceled);
  EXPECT_THAT(Get().attention, HasSubstr("the rail says paid"));
  EXPECT_THAT(scheduler_->ListDead()->tasks, SizeIs(1));
}

TEST_F(PayoutTest, TheSameNewsFromElsewhereIsNoContradiction) {
  Request();
  Follow();
  rail_.during = [this] { Apply(OfPayout(EventType::kPayoutPaid, "po1", 50)); };
  Work();
  Follow();
  EXPECT_EQ(Get().state, PayoutState::kPaid);
  EXPECT_EQ(Get().attention, "");
  EXPECT_EQ(Merchant().debits_posted, 300U);
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

// ---- Rail and ledger at odds ----------------------------------------------------------------------------------------

TEST_F(PayoutTest, AnUnansweredOneThatAnEventFromElsewhereReleasedIsStillAskedAbout) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kUnknown, .reason = "timed out"}};
  Work();
  Apply(OfPayout(EventType::kPayoutFailed, "po1", 50));
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2", "query po1 300 USD/2"));
  EXPECT_EQ(Get().attention.substr(0, 62), "the rail says paid, but in the ledger 0.00 of 3.00 are paid an");
  EXPECT_THAT(scheduler_->ListDead()->tasks, SizeIs(1));
  EXPECT_EQ(Merchant().available(), 1000) << "nothing is moved on suspicion";
}

TEST_F(PayoutTest, AContradictionFoundJustBeforeACrashIsFoundAgain) {
  Request();
  Follow();
  rail_.during = [this] {
    Apply(OfPayout(EventType::kPayoutCanceled, "po1", 50));
    // Another process takes over, as if this one had ended with its intent on disk.
    clock_.Advance(absl::Minutes(11));
    EXPECT_EQ(Work(), 0U);
    clock_.Advance(absl::Seconds(1));
    EXPECT_EQ(Work(), 1U);
  };
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(Get().attention, HasSubstr("the rail says paid"));
  EXPECT_THAT(scheduler_->ListDead()->tasks, SizeIs(1));
}

TEST_F(PayoutTest, PaidInPartByAnEventFromElsewhereIsAContradiction) {
  Request();
  Follow();
  rail_.during = [this] { Apply(OfPayout(EventType::kPayoutPaid, "po1", 50, 200)); };
  Work();
  EXPECT_THAT(Get().attention, HasSubstr("2.00 of 3.00 are paid and the rest is released"));
  EXPECT_THAT(scheduler_->ListDead()->tasks, SizeIs(1));
}

TEST_F(PayoutTest, WhatTheRailNeverFoundIsNotSubmittedAgainOnceItIsReleased) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kUnknown}, {.state = RailState::kNotFound}, {.state = RailState::kNotFound}};
  Work();
  Apply(OfPayout(EventType::kPayoutCanceled, "po1", 50));
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Work(), 1U);
  EXPECT_EQ(scheduler_->Stats()->tasks, 1U) << "the submission may still be on its way";
  clock_.Advance(absl::Minutes(11));
  EXPECT_EQ(Work(), 1U);
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2", "query po1 300 USD/2", "query po1 300 USD/2"));
  EXPECT_EQ(Get().attention, "");
}

TEST_F(PayoutTest, AnEventThatTheLedgerRefusesIsTriedAgainWhenTheTaskIsRedriven) {
  Request();
  Follow();
  const AccountId merchant = *ledger_->FindAccount("merchant:m1:available:USD/2");
  ASSERT_THAT(ledger_->Freeze(merchant), IsOk());
  Work();
  EXPECT_THAT(Get().attention,
              HasSubstr("0.00 of 3.00 are paid and the rest is held; its event: rejected account_frozen"));
  EXPECT_EQ(Merchant().debits_held, 300U);
  ASSERT_THAT(ledger_->Unfreeze(merchant), IsOk());
  clock_.Advance(absl::Seconds(1));
  ASSERT_THAT(scheduler_->Redrive(std::vector<std::string>{"nw/payout/po1"}), IsOkAndHolds(1U));
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2", "query po1 300 USD/2"));
  EXPECT_EQ(Merchant().debits_posted, 300U);
  EXPECT_EQ(Get().attention, "") << "nothing is left to look at";
}

// ---- Rails and hosts that misbehave ---------------------------------------------------------------------------------

TEST_F(PayoutTest, ARailThatThrowsHasNotAnswered) {
  Request();
  Follow();
  rail_.during = [] { throw std::runtime_error("socket closed"); };
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(TimelineOf(Get()), ElementsAre("PAYOUT_REQUESTED", "submit unknown: the rail threw: socket closed"));
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2", "query po1 300 USD/2"));
}

TEST_F(PayoutTest, AnswersOutOfRangeAreUnknownAndAskedForAgain) {
  Request();
  Follow();
  rail_.answers = {{.state = static_cast<RailState>(0), .reason = std::string(5000, 'x')},
                   {.state = static_cast<RailState>(7), .reason = "", .not_before = absl::InfiniteFuture()}};
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Work(), 1U);
    EXPECT_EQ(Get().timeline.back().detail.substr(0, 7), "unknown");
    if (i == 0) clock_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(Get().next_attempt, clock_.Now() + kMaxRailDelay) << "not put off for ever";
  EXPECT_EQ(Merchant().debits_held, 300U);
}

// Whatever the rail is: there is none that it could call.
TEST(PayoutInAShadow, DoesNotOpenAndOnceLeftOnlyOnARailThatClaims) {
  const TempDir directory;
  ScriptedRail rail;
  for (const StoreMode mode : {StoreMode::kShadow, StoreMode::kAsIs, StoreMode::kLeaveShadow}) {
    NW_ASSERT_OK_AND_ASSIGN(auto store,
                            Store::Open({.path = directory / "s", .mode = mode, .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
    NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(*store));
    NW_ASSERT_OK_AND_ASSIGN(auto intake, Intake::Open(*ledger, *store));
    PayoutOptions options;
    const bool shadow = mode != StoreMode::kLeaveShadow;
    EXPECT_THAT(Payouts::Open({*ledger, *store, *scheduler, *intake, rail}, options),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(shadow ? "shadow" : "ClaimedRail")));
    options.batch_system = BatchSystem::kGone;
    EXPECT_EQ(Payouts::Open({*ledger, *store, *scheduler, *intake, rail}, options).ok(), !shadow);
  }
}

TEST_F(PayoutTest, WhatIsWithheldCountsAsNotSubmittedAndIsSubmittedAgain) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kWithheld, .reason = "not today", .not_before = clock_.Now() + absl::Hours(1)}};
  Work();
  EXPECT_EQ(Get().state, PayoutState::kRequested);
  EXPECT_EQ(Get().submits, 0U);
  EXPECT_EQ(Get().timeline.back().detail, "withheld: not today");
  EXPECT_EQ(Get().next_attempt, clock_.Now() + absl::Hours(1));
  EXPECT_THAT(payouts_->Cancel("po1"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("withheld")));
  clock_.Advance(absl::Hours(1));
  Work();
  Follow();
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2", "submit po1 300 USD/2"));
  EXPECT_EQ(Get().state, PayoutState::kPaid);
}

TEST_F(PayoutTest, WhatIsWithheldAndSettledElsewhereIsDoneWithWithoutAnotherCall) {
  Request();
  Follow();
  rail_.answers = {{.state = RailState::kWithheld, .reason = "somebody else's"}};
  Work();
  Apply(OfPayout(EventType::kPayoutPaid, "po1", 2));
  clock_.Advance(absl::Seconds(2));
  Work();
  Follow();
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2"));
  EXPECT_EQ(Get().state, PayoutState::kPaid);
  EXPECT_EQ(Get().attention, "");
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

TEST_F(PayoutTest, AQueryThatIsWithheldLeadsToAnotherSubmissionOrToTheEndOfASettledOne) {
  for (const char* id : {"po1", "po2"}) Request(id);
  Follow();
  rail_.answers = {{.state = RailState::kUnknown}, {.state = RailState::kUnknown}};
  Work();
  Apply(OfPayout(EventType::kPayoutPaid, "po2", 2));
  // Nothing can be on its way any more, and so the settled one ends, whatever the ledger says of it.
  clock_.Advance(absl::Minutes(11));
  rail_.answers = {{.state = RailState::kWithheld}, {.state = RailState::kWithheld}};
  EXPECT_EQ(Work(), 2U);
  EXPECT_EQ(Get("po2").attention, "");
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Work(), 1U);
  EXPECT_EQ(rail_.calls.back(), "submit po1 300 USD/2");
  Follow();
  EXPECT_EQ(Get("po1").state, PayoutState::kPaid);
  EXPECT_EQ(scheduler_->Stats()->tasks, 0U);
}

TEST_F(PayoutTest, WhatOnlyLooksLikeAPayoutHoldsUpNone) {
  const auto open = [this](const char* name, bool external) {
    return *ledger_->OpenAccount({.name = name, .asset = "USD/2", .external = external});
  };
  const AccountId house = open("house", true), till = open("till", false), clearing = open("bank:clearing:USD/2", true);
  const uint16_t code = EventCode(EventType::kPayoutRequested);
  std::vector<Transaction> odd = {
      {.key = DeriveKey("a", At(1), "x"), .postings = {{house, till, 500}}, .code = code, .reference = "a"},
      {.key = DeriveKey("b", At(1), "x"),
       .kind = TransactionKind::kHold,
       .postings = {{till, clearing, 100}},
       .code = code,
       .reference = "b",
       .unique_reference = true},
      {.key = DeriveKey("b", At(2), "x"),
       .kind = TransactionKind::kRelease,
       .target = Target::Key(DeriveKey("b", At(1), "x")),
       .code = code,
       .reference = "c"}};
  NW_ASSERT_OK_AND_ASSIGN(const auto results, ledger_->Commit(odd));
  for (const CommitResult& result : results) EXPECT_EQ(result.outcome, Outcome::kApplied);
  Request();
  const AccountId merchant = *ledger_->FindAccount("merchant:m1:available:USD/2");
  const Transaction long_name{.key = DeriveKey("d", At(1), "x"),
                              .kind = TransactionKind::kHold,
                              .postings = {{merchant, clearing, 100}},
                              .code = code,
                              .reference = std::string(kMaxReferenceBytes, 'd'),
                              .unique_reference = true};
  ASSERT_THAT(ledger_->Commit({&long_name, 1}), IsOk());
  Follow();
  EXPECT_EQ(Work(), 1U);
  EXPECT_THAT(rail_.calls, ElementsAre("submit po1 300 USD/2"));
  Follow();
  EXPECT_EQ(payouts_->followed(), ledger_->Head().sequence);
}

TEST_F(PayoutTest, TheLongestRecordsOfABatchFitOneWrite) {
  PayoutOptions options;
  options.clock = &clock_;
  options.batch = 256;
  options.policy.jitter = Jitter::kNone;
  payouts_.reset();
  NW_ASSERT_OK_AND_ASSIGN(payouts_, Payouts::Open({*ledger_, *store_, *scheduler_, *intake_, rail_}, options));
  std::vector<PaymentEvent> events = {Captured("pay1", 1'000'000)};
  for (int i = 0; i < 300; ++i) {
    std::string id = "po" + std::to_string(i);
    id.append(kMaxEventIdBytes - id.size(), '.');
    events.push_back(OfPayout(EventType::kPayoutRequested, id, 1, 100));
  }
  ASSERT_THAT(intake_->Apply(events), IsOk());
  Follow();
  for (size_t i = 0; i < 2 * (kMaxRailAttempts + 1); ++i) {
    rail_.answers.assign(256, {.state = RailState::kUnknown, .reason = std::string(kMaxTaskErrorBytes, 'r')});
    EXPECT_GT(Work(), 0U);
    clock_.Advance(absl::Hours(1));
  }
}

TEST_F(PayoutTest, CanBeStoppedAndStartedAgain) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(payouts_->Start(), IsOk());
    payouts_->Stop();
    payouts_->Stop();
    EXPECT_THAT(payouts_->status(), IsOk());
  }
}

TEST_F(PayoutTest, RejectedAndReturnedOnesAreShown) {
  Apply(Captured("pay1", 100));
  EXPECT_EQ(Apply(OfPayout(EventType::kPayoutRequested, "po1", 1, 300)).status, EventStatus::kRejected);
  Follow();
  EXPECT_EQ(Get().state, PayoutState::kRejected);
  EXPECT_EQ(Get().reason, Reason::kInsufficientFunds);
  EXPECT_THAT(TimelineOf(Get()), ElementsAre("rejected insufficient_funds"));
  EXPECT_EQ(Work(), 0U);
  // Requested again with money there.
  Apply(Captured("pay2", 1000));
  clock_.Advance(absl::Seconds(1));
  Apply(OfPayout(EventType::kPayoutRequested, "po1", 2, 300));
  Follow();
  Work();
  Apply(OfPayout(EventType::kPayoutReturned, "po1", 60));
  Follow();
  EXPECT_EQ(Get().state, PayoutState::kReturned);
  EXPECT_EQ(Merchant().available(), 1100);
  NW_ASSERT_OK_AND_ASSIGN(const PayoutPage page, payouts_->ListPayouts({.merchant_id = "m1"}));
  EXPECT_THAT(page.payouts, SizeIs(1)) << "once, though it was requested twice";
}

TEST_F(PayoutTest, AreListedByStateAndTimeInPages) {
  for (int i = 0; i < 10; ++i) {
    Request("po" + std::to_string(i), 100, i + 1);
    clock_.Advance(absl::Seconds(1));
  }
  Follow();
  for (int i = 0; i < 5; ++i) EXPECT_THAT(payouts_->Cancel("po" + std::to_string(2 * i)), IsOk());
  Follow();
  const auto list = [this](PayoutQuery query) {
    std::vector<std::string> ids;
    query.merchant_id = "m1";
    do {
      const auto page = payouts_->ListPayouts(query);
      EXPECT_THAT(page, IsOk());
      for (const Payout& payout : page->payouts) ids.push_back(payout.payout_id);
      query.after = page->next;
    } while (!query.after.empty());
    return ids;
  };
  EXPECT_THAT(list({.limit = 3}), SizeIs(10));
  EXPECT_THAT(list({.state = PayoutState::kCanceled, .limit = 2}), ElementsAre("po0", "po2", "po4", "po6", "po8"));
  const absl::Time start = At(100);
  EXPECT_THAT(list({.from = start + absl::Seconds(3), .before = start + absl::Seconds(5)}), ElementsAre("po3", "po4"));
  const auto newest_first = Direction::kBackward;
  EXPECT_THAT(list({.direction = newest_first, .limit = 3}),
              ElementsAre("po9", "po8", "po7", "po6", "po5", "po4", "po3", "po2", "po1", "po0"));
  EXPECT_THAT(list({.state = PayoutState::kCanceled, .direction = newest_first, .limit = 2}),
              ElementsAre("po8", "po6", "po4", "po2", "po0"));
  for (const size_t limit : {1, 100}) {
    EXPECT_THAT(list({.from = start + absl::Seconds(3),
                      .before = start + absl::Seconds(5),
                      .direction = newest_first,
                      .limit = limit}),
                ElementsAre("po4", "po3"));
  }
  EXPECT_THAT(list({.before = absl::InfinitePast(), .direction = newest_first}), IsEmpty());
  EXPECT_THAT(payouts_->ListPayouts({.merchant_id = "m1", .limit = 0}), StatusIs(absl::StatusCode::kInvalidArgument));
  // Of nobody is not of all: an empty list would say that there are none.
  EXPECT_THAT(payouts_->ListPayouts({}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(payouts_->ListPayouts({.merchant_id = "a/b"}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(payouts_->ListPayouts({.merchant_id = "nobody"})->payouts, IsEmpty());
}

TEST_F(PayoutTest, OptionsOutOfRangeAreRefused) {
  const auto refused = [this](auto change) {
    PayoutOptions options;
    change(options);
    EXPECT_THAT(Payouts::Open({*ledger_, *store_, *scheduler_, *intake_, rail_}, options),
                StatusIs(absl::StatusCode::kInvalidArgument));
  };
  refused([](PayoutOptions& o) { o.workers = 0; });
  refused([](PayoutOptions& o) { o.batch = 0; });
  refused([](PayoutOptions& o) { o.batch = 257; });
  refused([](PayoutOptions& o) { o.lease = absl::ZeroDuration(); });
  refused([](PayoutOptions& o) { o.lease = absl::InfiniteDuration(); });
  refused([](PayoutOptions& o) { o.policy.multiplier = 0; });
  refused([](PayoutOptions& o) { o.policy.max_attempts = 5; });
  refused([](PayoutOptions& o) { o.policy = RetryPolicy::StandardWebhooks(); });
}

// ---- With a bank ----------------------------------------------------------------------------------------------------

// All at once, with threads, against a bank that times out, loses, delays and fails.
TEST(PayoutRun, EveryPayoutEndsAndNoneIsExecutedTwice) {
  const uint64_t seed = TestSeed();
  const uint64_t payouts_in_all = TestOps(2000) / 2;
  TempDir directory;
  NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = directory / "store", .free_space_floor_bytes = 0}));
  NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
  NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(*store));
  NW_ASSERT_OK_AND_ASSIGN(auto intake, Intake::Open(*ledger, *store));
  NW_ASSERT_OK_AND_ASSIGN(auto rail, examples::SimulatedRail::Open(directory / "rail", {.seed = seed,
                                                                                        .timeout_after_success = 10,
                                                                                        .lost = 10,
                                                                                        .pending = 10,
                                                                                        .failed = 10,
                                                                                        .outage_every = 500,
                                                                                        .outage_calls = 50}));
  PayoutOptions options;
  options.policy.initial = absl::Milliseconds(1);
  options.policy.cap = absl::Milliseconds(20);
  NW_ASSERT_OK_AND_ASSIGN(auto payouts, Payouts::Open({*ledger, *store, *scheduler, *intake, *rail}, options));
  ASSERT_THAT(payouts->Start(), IsOk());
  EXPECT_THAT(payouts->Start(), StatusIs(absl::StatusCode::kFailedPrecondition));
  std::vector<PaymentEvent> events;
  for (uint64_t i = 0; i < payouts_in_all; ++i) {
    events.push_back(Captured("pay" + std::to_string(i), 1000));
    events.push_back(OfPayout(EventType::kPayoutRequested, "po" + std::to_string(i), 1, 1 + i % 900));
  }
  ASSERT_THAT(intake->Apply(events), IsOk());
  while (payouts->status().ok() && (payouts->followed() < ledger->Head().sequence || scheduler->Stats()->tasks > 0)) {
    std::this_thread::yield();
  }
  payouts->Stop();
  ASSERT_THAT(payouts->status(), IsOk());
  ASSERT_THAT(payouts->FollowOnce(kMaxJournalPage), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const auto books, examples::SimulatedRail::ReadBooks(directory / "rail"));
  EXPECT_EQ(books.most_executions(), 1U);
  const Totals clearing = *ledger->Balance(*ledger->FindAccount("bank:clearing:USD/2"));
  EXPECT_EQ(clearing.credits_posted, books.totals.at("USD/2"));
  EXPECT_EQ(clearing.credits_held, 0U) << "all are settled";
  uint64_t paid = 0;
  for (uint64_t i = 0; i < payouts_in_all; ++i) {
    const auto payout = payouts->GetPayout("po" + std::to_string(i));
    ASSERT_THAT(payout, IsOk());
    EXPECT_TRUE(payout->state == PayoutState::kPaid || payout->state == PayoutState::kFailed);
    EXPECT_EQ(books.executions.contains(payout->provider_key), payout->state == PayoutState::kPaid);
    EXPECT_EQ(payout->attention, "");
    paid += payout->state == PayoutState::kPaid ? 1 : 0;
  }
  EXPECT_EQ(paid, books.executions.size());
  ExpectInvariants(*ledger);
}

}  // namespace
}  // namespace northwind::testing

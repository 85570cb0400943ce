// SPDX-License-Identifier: Apache-2.0
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/cutover.h"
#include "northwind/payout.h"
#include "tests/cutover/cutover_fixture.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/invariants.h"
#include "tests/support/memory_claims.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Fault = MemoryClaims::Fault;

// A bank that takes a key on once, and that sees to it that it is called only by those who may.
class WatchfulBank final : public PayoutRail {
 public:
  explicit WatchfulBank(const MemoryClaims& claims) : claims_(claims) {}

  RailAnswer Submit(const PayoutInstruction& payout) override {
    if (const auto hook = std::exchange(during_submit_, nullptr)) hook();
    const auto holder = claims_.HolderOf(payout.payout_id);
    EXPECT_TRUE(holder.has_value()) << payout.payout_id << " is submitted without a claim";
    const absl::MutexLock lock(&mutex_);
    if (holder.has_value()) {
      EXPECT_EQ(holder->first, SettlementSystem::kNorthwind) << payout.payout_id << " is the batch's";
      EXPECT_TRUE(holder->second == MemoryClaims::TokenOfThisThread() || not_found_.contains(payout.payout_id))
          << payout.payout_id << " was claimed by another attempt, and the bank was not asked";
    }
    calls_.push_back("submit " + payout.payout_id);
    if (!lost_.contains(payout.payout_id)) ++executions_[payout.payout_id];
    return Answer(RailState::kPaid);
  }
  RailAnswer Query(const PayoutInstruction& payout) override {
    if (const auto hook = std::exchange(during_query_, nullptr)) hook();
    const absl::MutexLock lock(&mutex_);
    calls_.push_back("query " + payout.payout_id);
    if (executions_.contains(payout.payout_id)) return Answer(RailState::kPaid);
    RailAnswer answer = Answer(RailState::kNotFound);
    if (answer.state == RailState::kNotFound) not_found_.insert(payout.payout_id);
    return answer;
  }

  // Of the next calls, instead of the truth.
  void Say(std::initializer_list<RailState> states) {
    const absl::MutexLock lock(&mutex_);
    said_.insert(said_.end(), states.begin(), states.end());
  }
  // Runs once, within the next call; for tests of one thread.
  void DuringSubmit(std::function<void()> hook) { during_submit_ = std::move(hook); }
  void DuringQuery(std::function<void()> hook) { during_query_ = std::move(hook); }
  void Lose(const std::string& id) {
    const absl::MutexLock lock(&mutex_);
    lost_.insert(id);
  }
  std::vector<std::string> calls() const {
    const absl::MutexLock lock(&mutex_);
    return calls_;
  }
  std::map<std::string, int> executions() const {
    const absl::MutexLock lock(&mutex_);
    return executions_;
  }

 private:
  RailAnswer Answer(RailState truth) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (said_.empty()) return {.state = truth};
    const RailState state = said_.front();
    said_.pop_front();
    return {.state = state};
  }

  const MemoryClaims& claims_;
  std::function<void()> during_submit_, during_query_;
  mutable absl::Mutex mutex_;
  std::deque<RailState> said_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> executions_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> lost_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> not_found_ ABSL_GUARDED_BY(mutex_);
};

// ---- By itself ----------------------------------------------------------------------------------------------

class ClaimedRailTest : public CutoverFixture {
 protected:
  void SetUp() override {
    CutoverFixture::SetUp();
    KnowAndRaiseToAll();
    rail_ = std::make_unique<ClaimedRail>(bank_, claims_, *cutover_);
  }
  PayoutInstruction Po(const std::string& id) {
    return {.provider_key = "nw" + id, .payout_id = id, .merchant_id = "m1", .amount = 5};
  }
  RailAnswer Submit(const std::string& id = "po1") { return rail_->Submit(Po(id)); }
  RailAnswer Query(const std::string& id = "po1") { return rail_->Query(Po(id)); }
  void ExpectWithheld(const RailAnswer& answer, const std::string& why) {
    EXPECT_EQ(Name(answer.state), "withheld");
    EXPECT_THAT(answer.reason, HasSubstr(why));
    EXPECT_GT(answer.not_before, clock_.Now());
    EXPECT_LE(answer.not_before, clock_.Now() + absl::Minutes(10));
  }

  MemoryClaims claims_;
  WatchfulBank bank_{claims_};
  std::unique_ptr<ClaimedRail> rail_;
};

TEST_F(ClaimedRailTest, WhatIsAssignedIsClaimedAndThenSubmitted) {
  AssignOne("po1");
  EXPECT_EQ(Submit().state, RailState::kPaid);
  EXPECT_THAT(bank_.calls(), ElementsAre("submit po1"));
  const std::vector<ClaimRequest> requests = claims_.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].merchant_id, "m1");
  EXPECT_EQ(requests[0].system, SettlementSystem::kNorthwind);
  EXPECT_EQ(requests[0].epoch, cutover_->Status().epoch);
}

TEST_F(ClaimedRailTest, WhatIsNotNorthwindsIsWithheldAndNotClaimed) {
  ExpectWithheld(Submit(), "not assigned");
  ExpectWithheld(Query(), "not assigned");
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  AssignOne("po1");
  ExpectWithheld(Submit(), "assigned to the batch");
  ExpectWithheld(Query(), "assigned to the batch");
  EXPECT_THAT(claims_.requests(), IsEmpty());
  EXPECT_THAT(bank_.calls(), IsEmpty());
}

TEST_F(ClaimedRailTest, WhileSendingIsStoppedNothingIsClaimedOrSentButWhatIsClaimedIsAskedAbout) {
  AssignOne("po1");
  AssignOne("po2");
  bank_.Say({RailState::kUnknown});
  EXPECT_EQ(Submit("po1").state, RailState::kUnknown);
  ASSERT_THAT(cutover_->StopSending("ann", "test"), IsOk());
  ExpectWithheld(Submit("po1"), "sending is stopped");
  ExpectWithheld(Submit("po2"), "sending is stopped");
  ExpectWithheld(Query("po2"), "sending is stopped");
  EXPECT_EQ(Query("po1").state, RailState::kPaid);
  EXPECT_FALSE(claims_.HolderOf("po2").has_value());
  EXPECT_THAT(bank_.calls(), ElementsAre("submit po1", "query po1"));
  ASSERT_THAT(cutover_->ResumeSending("ann", "test"), IsOk());
  EXPECT_EQ(Submit("po2").state, RailState::kPaid);
}

TEST_F(ClaimedRailTest, WhatTheBatchHasClaimedIsWithheldForEver) {
  AssignOne("po1");
  ASSERT_EQ(claims_.ClaimForBatch("po1"), ClaimVerdict::kClaimed);
  ExpectWithheld(Submit(), "the batch has claimed it");
  ExpectWithheld(Query(), "the batch has claimed it");
  EXPECT_THAT(bank_.calls(), IsEmpty());
}

TEST_F(ClaimedRailTest, ClaimsOfAnOlderEpochAreStaleUntilItIsAdvanced) {
  AssignOne("po1");
  ASSERT_THAT(claims_.PublishEpoch(7), IsOk());
  ExpectWithheld(Submit(), "epoch 2 is older");
  EXPECT_THAT(bank_.calls(), IsEmpty());
  ASSERT_THAT(cutover_->AdvanceEpoch(7, "ann", "looked at after a restore"), IsOk());
  EXPECT_EQ(Submit().state, RailState::kPaid);
}

TEST_F(ClaimedRailTest, AnUnreachableArbiterLetsAPayoutWait) {
  AssignOne("po1");
  claims_.set_down(true);
  RailAnswer answer = Submit();
  EXPECT_EQ(answer.state, RailState::kUnknown);
  EXPECT_THAT(answer.reason, HasSubstr("waits for the claim"));
  answer = Query();
  EXPECT_EQ(answer.state, RailState::kUnknown);
  EXPECT_THAT(answer.reason, HasSubstr("cannot be told"));
  EXPECT_THAT(bank_.calls(), IsEmpty());
  claims_.set_down(false);
  EXPECT_EQ(Query().state, RailState::kNotFound) << "never submitted, and so may be";
  EXPECT_EQ(Submit().state, RailState::kPaid);
}

TEST_F(ClaimedRailTest, ALostAnswerIsAskedForAgainWithTheSameToken) {
  AssignOne("po1");
  claims_.FailClaims({Fault::kAfter});
  EXPECT_EQ(Submit().state, RailState::kPaid);
  const std::vector<ClaimRequest> requests = claims_.requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].token, requests[1].token);
  EXPECT_THAT(bank_.calls(), ElementsAre("submit po1"));
}

TEST_F(ClaimedRailTest, AClaimOfAnEarlierAttemptIsSubmittedOnlyAfterTheRailSaysItHasNotFoundIt) {
  AssignOne("po1");
  claims_.FailClaims({Fault::kAfter, Fault::kAfter});
  EXPECT_EQ(Submit().state, RailState::kUnknown);
  ASSERT_TRUE(claims_.HolderOf("po1").has_value());
  bank_.Say({RailState::kUnknown, RailState::kPending, RailState::kFailed});
  EXPECT_EQ(Submit().state, RailState::kUnknown);
  EXPECT_EQ(Submit().state, RailState::kPending);
  EXPECT_EQ(Submit().state, RailState::kFailed);
  EXPECT_EQ(Query().state, RailState::kNotFound);
  EXPECT_EQ(Submit().state, RailState::kPaid);
  EXPECT_THAT(bank_.calls(),
              ElementsAre("query po1", "query po1", "query po1", "query po1", "query po1", "submit po1"));
}

TEST_F(ClaimedRailTest, WhatNorthwindClaimedBeforeARestoreItPaysWhateverTheStoreSaysNow) {
  ASSERT_EQ(claims_.ClaimForNorthwind("po1"), ClaimVerdict::kClaimed);
  EXPECT_EQ(Submit("po1").state, RailState::kPaid) << "not assigned";
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  AssignOne("po2");
  ASSERT_EQ(claims_.ClaimForNorthwind("po2"), ClaimVerdict::kClaimed);
  bank_.Say({RailState::kPending});
  EXPECT_EQ(Submit("po2").state, RailState::kPending) << "assigned to the batch";
  EXPECT_THAT(bank_.calls(), ElementsAre("query po1", "submit po1", "query po2"));
  AssignOne("po3");
  ASSERT_EQ(claims_.ClaimForBatch("po3"), ClaimVerdict::kClaimed);
  ExpectWithheld(Submit("po3"), "the batch has claimed it");
  claims_.set_down(true);
  EXPECT_EQ(Submit("po2").state, RailState::kUnknown) << "whose it is cannot be told";
}

TEST_F(ClaimedRailTest, SendingThatIsStoppedDuringTheClaimBeginsNoSubmission) {
  AssignOne("po1");
  claims_.AfterClaim([this](const ClaimRequest&) { ASSERT_THAT(cutover_->StopSending("ann", "now"), IsOk()); });
  ExpectWithheld(Submit(), "sending is stopped");
  EXPECT_THAT(bank_.calls(), IsEmpty());
  EXPECT_EQ(Query().state, RailState::kNotFound);
  ASSERT_THAT(cutover_->ResumeSending("ann", "test"), IsOk());
  EXPECT_EQ(Submit().state, RailState::kPaid);
  EXPECT_THAT(bank_.calls(), ElementsAre("query po1", "query po1", "submit po1"));
}

TEST_F(ClaimedRailTest, SendingThatIsStoppedWhileTheRailIsAskedBeginsNoSubmission) {
  ASSERT_EQ(claims_.ClaimForNorthwind("po1"), ClaimVerdict::kClaimed);
  bank_.DuringQuery([this] { ASSERT_THAT(cutover_->StopSending("ann", "now"), IsOk()); });
  ExpectWithheld(Submit(), "sending is stopped");
  EXPECT_THAT(bank_.calls(), ElementsAre("query po1"));
}

TEST_F(ClaimedRailTest, StoppingWaitsForNoCallOfTheRailAndSaysHowManyAreUnderWay) {
  AssignOne("po1");
  bank_.DuringSubmit([this] {
    EXPECT_EQ(cutover_->Status().sending, 1U);
    ASSERT_THAT(cutover_->StopSending("ann", "now"), IsOk());
    EXPECT_EQ(cutover_->Status().sending, 1U);
  });
  EXPECT_EQ(Submit().state, RailState::kPaid);
  EXPECT_EQ(cutover_->Status().sending, 0U);
}

TEST_F(ClaimedRailTest, EveryAttemptHasATokenOfItsOwn) {
  std::set<std::array<uint8_t, 16>> tokens;
  for (int i = 0; i < 50; ++i) {
    AssignOne("po" + std::to_string(i));
    Submit("po" + std::to_string(i));
    Submit("po" + std::to_string(i));
  }
  for (const ClaimRequest& request : claims_.requests()) tokens.insert(request.token);
  EXPECT_EQ(tokens.size(), 100U);
}

TEST_F(ClaimedRailTest, ToCancelIsToClaimWhoeverItIsAssignedTo) {
  EXPECT_THAT(rail_->ClaimToCancel(Po("po1")), IsOk());
  EXPECT_EQ(claims_.ClaimForBatch("po1"), ClaimVerdict::kOther);
  ASSERT_EQ(claims_.ClaimForBatch("po2"), ClaimVerdict::kClaimed);
  EXPECT_THAT(rail_->ClaimToCancel(Po("po2")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the batch has claimed it")));
  ASSERT_EQ(claims_.ClaimForNorthwind("po3"), ClaimVerdict::kClaimed);
  EXPECT_THAT(rail_->ClaimToCancel(Po("po3")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("may have paid it")));
  ASSERT_THAT(claims_.PublishEpoch(100), IsOk());
  EXPECT_THAT(rail_->ClaimToCancel(Po("po4")), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("older")));
  EXPECT_THAT(bank_.calls(), IsEmpty());
}

TEST_F(ClaimedRailTest, ACancelWhoseAnswerWasLostGoesOnWithTheSameClaim) {
  claims_.FailClaims({Fault::kAfter, Fault::kBefore});
  EXPECT_THAT(rail_->ClaimToCancel(Po("po1")), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(rail_->ClaimToCancel(Po("po1")), IsOk());
  EXPECT_THAT(rail_->ClaimToCancel(Po("po1")), StatusIs(absl::StatusCode::kFailedPrecondition))
      << "that one is answered; this is another";
}

TEST_F(ClaimedRailTest, OfCancelsWithoutAnAnswerSoManyAreRemembered) {
  const auto cancel = [this](size_t n) { return rail_->ClaimToCancel(Po("po" + std::to_string(n))); };
  for (size_t n = 0; n <= kMaxOpenCancels; ++n) {
    claims_.FailClaims({Fault::kAfter, Fault::kBefore});
    ASSERT_THAT(cancel(n), StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_THAT(cancel(1), IsOk());
  EXPECT_THAT(cancel(kMaxOpenCancels), IsOk());
  EXPECT_THAT(cancel(0), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("may have paid it")));
}

// ---- Under Payouts ------------------------------------------------------------------------------------------

class ClaimedPayoutTest : public ClaimedRailTest {
 protected:
  void SetUp() override {
    clock_.Set(At(100));
    ClaimedRailTest::SetUp();
    LedgerOptions ledger_options;
    ledger_options.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(ledger_, Ledger::Open(*store_, ledger_options));
    SchedulerOptions scheduler_options;
    scheduler_options.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_, scheduler_options));
    NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger_, *store_));
    PayoutOptions options;
    options.clock = &clock_;
    options.policy.jitter = Jitter::kNone;
    options.lease = kLease;
    NW_ASSERT_OK_AND_ASSIGN(payouts_, Payouts::Open({*ledger_, *store_, *scheduler_, *intake_, *rail_}, options));
  }
  void TearDown() override {
    if (ledger_ != nullptr && !HasFatalFailure()) ExpectInvariants(*ledger_);
  }
  EventOutcome Apply(const PaymentEvent& event) {
    const auto result = intake_->Apply(std::vector<PaymentEvent>{event});
    EXPECT_THAT(result, IsOk());
    return result.ok() ? result->outcomes[0] : EventOutcome();
  }
  void Request(const std::string& id = "po1") {
    Apply(Captured("pay_" + id, 1000));
    EXPECT_EQ(Apply(OfPayout(EventType::kPayoutRequested, id, 1, 300)).status, EventStatus::kApplied);
    Follow();
  }
  void Follow() {
    clock_.Advance(absl::Milliseconds(1));
    ASSERT_THAT(payouts_->FollowOnce(), IsOk());
  }
  // What is due after so long, once.
  size_t Work(absl::Duration later = absl::ZeroDuration()) {
    if (later > absl::ZeroDuration()) clock_.Advance(later);
    const auto worked = payouts_->WorkOnce();
    EXPECT_THAT(worked, IsOk());
    return worked.value_or(0);
  }
  // Another worker, once the lease of the first has run out: when that is noticed, and when the task is due again.
  void OtherWorker(int works) {
    clock_.Advance(2 * kLease);
    for (int tries = 0; works > 0; ++tries) {
      ASSERT_LT(tries, 10) << "it gets nothing to do";
      if (Work(absl::Minutes(1)) == 1) --works;
    }
  }
  Payout Get(const std::string& id = "po1") {
    const auto payout = payouts_->GetPayout(id);
    EXPECT_THAT(payout, IsOk());
    return payout.value_or(Payout());
  }
  uint64_t Tasks() { return scheduler_->Stats()->tasks; }

  static constexpr absl::Duration kLease = absl::Minutes(1);
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Payouts> payouts_;
};

TEST_F(ClaimedPayoutTest, AWithheldPayoutIsRequestedAndItsTimelineSaysWhy) {
  Request();
  ASSERT_EQ(Work(), 1U);
  const Payout payout = Get();
  EXPECT_EQ(payout.state, PayoutState::kRequested);
  EXPECT_EQ(payout.submits, 0U);
  EXPECT_EQ(payout.timeline.back().what, "submit");
  EXPECT_EQ(payout.timeline.back().detail, "withheld: it is not assigned");
  EXPECT_GT(payout.next_attempt, clock_.Now() + absl::Minutes(2));
  EXPECT_THAT(payouts_->Cancel("po1"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("withheld")));
  AssignOne("po1");
  ASSERT_EQ(Work(absl::Minutes(4)), 1U);
  Follow();
  EXPECT_EQ(Get().state, PayoutState::kPaid);
  EXPECT_EQ(Get().submits, 1U);
}

TEST_F(ClaimedPayoutTest, WhatTheBatchPaidIsDoneWithAndNobodyIsCalledToLook) {
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  for (const auto& [id, end] : std::vector<std::pair<std::string, EventType>>{
           {"po1", EventType::kPayoutPaid}, {"po2", EventType::kPayoutFailed}, {"po3", EventType::kPayoutCanceled}}) {
    Request(id);
    AssignOne(id);
    ASSERT_EQ(Work(), 1U);
    EXPECT_EQ(Apply(OfPayout(end, id, 2)).status, EventStatus::kApplied);
    Follow();
    ASSERT_EQ(Work(absl::Minutes(4)), 1U);
    EXPECT_EQ(Get(id).attention, "");
    EXPECT_EQ(Tasks(), 0U) << "nobody asks any more";
  }
  EXPECT_EQ(Get("po1").state, PayoutState::kPaid);
  EXPECT_EQ(Get("po2").state, PayoutState::kFailed);
  EXPECT_THAT(bank_.calls(), IsEmpty());
}

TEST_F(ClaimedPayoutTest, WhatIsCanceledNobodyPays) {
  for (const char* id : {"po1", "po2", "po3"}) {
    AssignOne(id);
    Request(id);
  }
  ASSERT_EQ(claims_.ClaimForBatch("po2"), ClaimVerdict::kClaimed);
  EXPECT_THAT(payouts_->Cancel("po1"), IsOk());
  EXPECT_THAT(payouts_->Cancel("po2"), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the batch")));
  claims_.set_down(true);
  EXPECT_THAT(payouts_->Cancel("po3"), StatusIs(absl::StatusCode::kUnavailable));
  claims_.set_down(false);
  Follow();
  EXPECT_EQ(Get("po1").state, PayoutState::kCanceled);
  EXPECT_EQ(Get("po2").state, PayoutState::kRequested);
  EXPECT_EQ(Get("po3").state, PayoutState::kRequested);
  // Nobody has told Cutover yet.
  NW_ASSERT_OK_AND_ASSIGN(
      const HandBackResult result,
      cutover_->HandBack(claims_, std::vector<std::string>{"po1", "po2", "po3"}, "bob", "rollback", ledger_.get()));
  EXPECT_EQ(result.kept, 1U);
  EXPECT_EQ(result.before, 1U);
  EXPECT_EQ(result.handed, 1U);
  EXPECT_EQ(claims_.ClaimForBatch("po1"), ClaimVerdict::kOther);
}

TEST_F(ClaimedPayoutTest, WhatTheLedgerHoldsNoMoneyForIsNotHandedToTheBatch) {
  for (const char* id : {"held", "rejected", "failed", "canceled"}) AssignOne(id);
  for (const char* id : {"held", "failed", "canceled"}) Request(id);
  ASSERT_EQ(Apply(OfPayout(EventType::kPayoutRequested, "rejected", 1, 1'000'000)).status, EventStatus::kRejected);
  Apply(OfPayout(EventType::kPayoutFailed, "failed", 2));
  Apply(OfPayout(EventType::kPayoutCanceled, "canceled", 2));
  NW_ASSERT_OK_AND_ASSIGN(
      const HandBackResult result,
      cutover_->HandBack(claims_, std::vector<std::string>{"held", "rejected", "failed", "canceled"}, "bob", "rollback",
                         ledger_.get()));
  EXPECT_EQ(result.handed, 1U);
  EXPECT_EQ(result.finished, 3U);
  for (const char* id : {"rejected", "failed", "canceled"}) EXPECT_FALSE(claims_.HolderOf(id).has_value()) << id;
}

TEST_F(ClaimedPayoutTest, ARailThatHidesHowItClaimsCancelsNothing) {
  class Wrapper final : public PayoutRail {
   public:
    explicit Wrapper(PayoutRail& rail) : rail_(rail) {}
    RailAnswer Submit(const PayoutInstruction& payout) override { return rail_.Submit(payout); }
    RailAnswer Query(const PayoutInstruction& payout) override { return rail_.Query(payout); }
    bool ClaimsFirst() const override { return rail_.ClaimsFirst(); }

   private:
    PayoutRail& rail_;
  } wrapper(*rail_);
  EXPECT_THAT(wrapper.ClaimToCancel(Po("po1")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("does not claim to cancel")));
}

TEST_F(ClaimedPayoutTest, AnAttemptThatMayStillClaimKeepsASettledPayoutOpenForALease) {
  AssignOne("po1");
  Request();
  claims_.set_down(true);
  ASSERT_EQ(Work(), 1U);
  EXPECT_EQ(Get().state, PayoutState::kSubmitted) << "it may have been claimed";
  EXPECT_THAT(Get().timeline.back().detail, HasSubstr("unknown: waits for the claim"));
  claims_.set_down(false);
  ASSERT_EQ(claims_.ClaimForBatch("po1"), ClaimVerdict::kClaimed);
  EXPECT_EQ(Apply(OfPayout(EventType::kPayoutPaid, "po1", 2)).status, EventStatus::kApplied);
  Follow();
  ASSERT_EQ(Work(absl::Seconds(2)), 1U);
  EXPECT_EQ(Tasks(), 1U);
  ASSERT_EQ(Work(absl::Minutes(5)), 1U);
  EXPECT_EQ(Tasks(), 0U);
  EXPECT_EQ(Get().attention, "");
  EXPECT_THAT(bank_.calls(), IsEmpty());
}

TEST_F(ClaimedPayoutTest, AWorkerThatLosesItsLeaseBeforeTheClaimPaysNothingTwice) {
  AssignOne("po1");
  Request();
  claims_.BeforeClaim([this](const ClaimRequest&) {
    // It takes longer than the lease. Another worker asks, hears that nobody has claimed it, and submits it.
    OtherWorker(2);
    EXPECT_THAT(bank_.calls(), ElementsAre("submit po1"));
  });
  Work();
  Follow();
  EXPECT_EQ(bank_.executions(), (std::map<std::string, int>{{"po1", 1}}));
  EXPECT_EQ(Get().state, PayoutState::kPaid);
  EXPECT_EQ(Get().attention, "");
}

TEST_F(ClaimedPayoutTest, AWorkerThatLosesItsLeaseAfterTheClaimIsAskedAboutAtTheRail) {
  AssignOne("po1");
  Request();
  bank_.Say({RailState::kUnknown});  // what the other one hears: the rail cannot tell yet
  claims_.AfterClaim([this](const ClaimRequest&) { OtherWorker(1); });
  Work();
  EXPECT_THAT(bank_.calls(), ElementsAre("query po1", "submit po1"));
  EXPECT_EQ(Work(absl::Minutes(10)), 1U);
  Follow();
  EXPECT_EQ(Get().state, PayoutState::kPaid);
  EXPECT_EQ(bank_.executions(), (std::map<std::string, int>{{"po1", 1}}));
}

TEST_F(ClaimedPayoutTest, BesideABatchOnlyARailThatClaimsIsTakenUntilTheBatchIsGone) {
  payouts_.reset();
  const Payouts::Parts bare{*ledger_, *store_, *scheduler_, *intake_, bank_};
  EXPECT_THAT(Payouts::Open(bare), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("ClaimedRail")));
  PayoutOptions options;
  options.batch_system = BatchSystem::kGone;
  EXPECT_THAT(Payouts::Open(bare, options), IsOk());
}

TEST_F(ClaimedPayoutTest, ManyWorkersABadNetworkAndABatchThatClaimsAtTheSameTimePayEachOnce) {
  payouts_.reset();
  PayoutOptions options;
  options.workers = 4;
  options.batch = 3;
  options.policy.initial = absl::Milliseconds(1);
  options.policy.cap = absl::Milliseconds(4);
  options.clock = &clock_;
  NW_ASSERT_OK_AND_ASSIGN(payouts_, Payouts::Open({*ledger_, *store_, *scheduler_, *intake_, *rail_}, options));
  Random random(TestSeed());
  constexpr int kPayouts = 200;
  std::vector<RouteRequest> requests;
  std::vector<PaymentEvent> events;
  for (int i = 0; i < kPayouts; ++i) {
    requests.push_back({"po" + std::to_string(i), "m1"});
    events.push_back(Captured("pay" + std::to_string(i), 1000));
    events.push_back(OfPayout(EventType::kPayoutRequested, requests.back().id, 1, 300));
  }
  ASSERT_THAT(cutover_->Assign(requests), IsOk());
  ASSERT_THAT(intake_->Apply(events), IsOk());
  claims_.FailOneIn(3);
  ASSERT_THAT(payouts_->Start(), IsOk());
  std::set<std::string> batch;
  const auto deadline = absl::Now() + absl::Minutes(2);
  while (absl::Now() < deadline) {
    const std::string id = random.Pick(requests).id;
    const ClaimVerdict verdict = claims_.ClaimForBatch(id);
    if (verdict == ClaimVerdict::kClaimed && batch.insert(id).second) {
      EXPECT_EQ(Apply(OfPayout(EventType::kPayoutPaid, id, 2)).status, EventStatus::kApplied);
    }
    clock_.Advance(absl::Milliseconds(1));
    if (batch.size() + bank_.executions().size() == kPayouts) break;
  }
  payouts_->Stop();
  ASSERT_THAT(payouts_->status(), IsOk());
  EXPECT_EQ(batch.size() + bank_.executions().size(), kPayouts) << "not all were paid";
  for (const auto& [id, times] : bank_.executions()) {
    EXPECT_EQ(times, 1) << id;
    EXPECT_FALSE(batch.contains(id)) << id << " was paid by both";
  }
}

}  // namespace
}  // namespace northwind::testing

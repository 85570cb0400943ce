// SPDX-License-Identifier: Apache-2.0
#include "northwind/cutover.h"

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/cutover/core.h"
#include "tests/cutover/cutover_fixture.h"
#include "tests/support/fault_fs.h"
#include "tests/support/memory_claims.h"
#include "tests/support/store_on.h"

namespace northwind::testing {
namespace {

using internal::CutoverOnGate;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto kBatch = SettlementSystem::kBatch;
constexpr auto kNorthwind = SettlementSystem::kNorthwind;

// With the salt of the fixture: buckets 3562, 8347 and 5016.
const std::vector<std::string> kThree = {"m_1", "m_42", "acme.de"};

class CutoverTest : public CutoverFixture {
 protected:
  // Two days of 2026-03, the clock being at an earlier year, or else where the test puts it.
  GateStatus OpenGate(int last_day = 14) const {
    return {
        .open = true, .days = {absl::CivilDay(2026, 3, 1), absl::CivilDay(2026, 3, last_day)}, .rules_hash = "abcd"};
  }
  absl::Status RaiseOn(int day, int hour, int last_clean_day) {
    clock_.Set(absl::FromCivil(absl::CivilHour(2026, 3, day, hour), absl::UTCTimeZone()));
    return CutoverOnGate::Raise(*cutover_, OpenGate(last_clean_day), "ann", "clean");
  }
  GateStatus ShutGate() const { return {.reasons = {"2026-03-02 is not closed", "rules changed"}}; }
};

// ---- Assignment ---------------------------------------------------------------------------------------------

TEST_F(CutoverTest, InTheBeginningEverythingIsTheBatchs) {
  const CutoverStatus status = cutover_->Status();
  EXPECT_EQ(status.threshold, 0U);
  EXPECT_EQ(status.epoch, 0U);
  EXPECT_THAT(status.stages, ElementsAre(500U, 2500U, 10'000U));
  EXPECT_THAT(Lines(), IsEmpty());
  EXPECT_EQ(AssignOne("po_1").system, kBatch);
  EXPECT_EQ(AssignOne("po_1").reason, RouteReason::kUnknownMerchant);
  ASSERT_THAT(cutover_->AddMerchants(kThree, "ann"), IsOk());
  EXPECT_EQ(AssignOne("po_2", "m_1").system, kBatch);
  EXPECT_EQ(AssignOne("po_2", "m_1").reason, RouteReason::kBucket);
}

TEST_F(CutoverTest, TheThresholdTakesThoseWhoseBucketIsBelowIt) {
  ASSERT_THAT(cutover_->AddMerchants(kThree, "ann"), IsOk());
  ASSERT_THAT(cutover_->ForceRaise(3562, "ann", "exactly its bucket"), IsOk());
  EXPECT_EQ(AssignOne("po_1", "m_1").system, kBatch);
  ASSERT_THAT(cutover_->ForceRaise(3563, "ann", "one more"), IsOk());
  EXPECT_EQ(AssignOne("po_2", "m_1").system, kNorthwind);
  EXPECT_EQ(AssignOne("po_3", "acme.de").system, kBatch);
  EXPECT_EQ(cutover_->Peek("m_1"), kNorthwind);
  EXPECT_EQ(cutover_->Peek("acme.de"), kBatch);
  EXPECT_EQ(cutover_->Peek("nobody"), kBatch);
}

TEST_F(CutoverTest, TheFirstAnswerOfAnIdIsItsAnswerForEver) {
  KnowAndRaiseToAll();
  const Assignment first = AssignOne("po_1");
  EXPECT_EQ(first.system, kNorthwind);
  EXPECT_EQ(first.epoch, 2U);
  EXPECT_EQ(first.at, clock_.Now());
  clock_.Advance(absl::Seconds(5));
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  ASSERT_THAT(cutover_->Lower(0, "ann", "test"), IsOk());
  ASSERT_THAT(cutover_->SetOverride("m1", Override::kDeny, "ann", "test"), IsOk());
  for (int opened = 0; opened < 2; ++opened) {
    const Assignment again = AssignOne("po_1");
    EXPECT_EQ(again.system, kNorthwind);
    EXPECT_EQ(again.reason, RouteReason::kBucket);
    EXPECT_EQ(again.epoch, first.epoch);
    EXPECT_EQ(again.at, first.at);
    Reopen();
  }
  EXPECT_EQ(cutover_->Find("po_1")->system, kNorthwind);
  EXPECT_THAT(cutover_->Find("po_2"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(CutoverTest, ReasonsComeInTheirOrder) {
  ASSERT_THAT(cutover_->SetOverride("m1", Override::kAllow, "ann", "test"), IsOk());
  EXPECT_EQ(AssignOne("po_1").reason, RouteReason::kUnknownMerchant);
  ASSERT_THAT(cutover_->AddMerchants(std::vector<std::string>{"m1"}, "ann"), IsOk());
  EXPECT_EQ(AssignOne("po_2").reason, RouteReason::kAllowed);
  EXPECT_EQ(AssignOne("po_2").system, kNorthwind) << "though the threshold is 0";
  ASSERT_THAT(cutover_->ForceRaise(kBasisPoints, "ann", "test"), IsOk());
  ASSERT_THAT(cutover_->SetOverride("m1", Override::kDeny, "ann", "test"), IsOk());
  EXPECT_EQ(AssignOne("po_3").reason, RouteReason::kDenied);
  EXPECT_EQ(AssignOne("po_3").system, kBatch);
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  EXPECT_EQ(AssignOne("po_4").reason, RouteReason::kRoutedToBatch);
  ASSERT_THAT(cutover_->ForceResumeRouting("ann", "test"), IsOk());
  ASSERT_THAT(cutover_->SetOverride("m1", std::nullopt, "ann", "test"), IsOk());
  EXPECT_EQ(AssignOne("po_5").reason, RouteReason::kBucket);
  EXPECT_EQ(AssignOne("po_5").system, kNorthwind);
}

TEST_F(CutoverTest, AnIdOfAnotherMerchantIsRefusedAndNothingIsDone) {
  KnowAndRaiseToAll({"m1", "m2"});
  EXPECT_EQ(SystemOf("po_1"), kNorthwind);
  const std::vector<RouteRequest> stored = {{"po_2", "m1"}, {"po_1", "m2"}};
  EXPECT_THAT(cutover_->Assign(stored), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("po_1")));
  const std::vector<RouteRequest> within = {{"po_2", "m1"}, {"po_3", "m1"}, {"po_2", "m2"}};
  EXPECT_THAT(cutover_->Assign(within), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("po_2")));
  EXPECT_THAT(cutover_->Find("po_2"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(cutover_->Status().residue, 1U);
}

TEST_F(CutoverTest, AnIdTwiceInOneCallHasOneAnswerAndCountsOnce) {
  KnowAndRaiseToAll();
  const std::vector<RouteRequest> requests = {{"po_1", "m1"}, {"po_2", "m1"}, {"po_1", "m1"}};
  NW_ASSERT_OK_AND_ASSIGN(const auto answers, cutover_->Assign(requests));
  ASSERT_THAT(answers, SizeIs(3));
  EXPECT_EQ(answers[2].id, "po_1");
  EXPECT_EQ(cutover_->Status().residue, 2U);
}

TEST_F(CutoverTest, WhatIsNoIdOrTooManyIsRefused) {
  const auto assign = [this](std::string id, std::string merchant) {
    const std::vector<RouteRequest> requests = {{std::move(id), std::move(merchant)}};
    return cutover_->Assign(requests).status();
  };
  EXPECT_THAT(assign("po:1", "m1"), IsOk());
  for (const std::string& bad : {std::string(), std::string(65, 'a'), std::string("a/b"), std::string("a b")}) {
    EXPECT_THAT(assign(bad, "m1"), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
    EXPECT_THAT(assign("po_1", bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
  EXPECT_THAT(assign("po_1", "m:1"), StatusIs(absl::StatusCode::kInvalidArgument));
  const std::vector<RouteRequest> many(kMaxAssignBatch + 1, {"po_1", "m1"});
  EXPECT_THAT(cutover_->Assign(many), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(cutover_->Assign({many.data(), kMaxAssignBatch}), IsOk());
  EXPECT_THAT(cutover_->Assign({}), IsOkAndHolds(IsEmpty()));
}

// ---- Up and down --------------------------------------------------------------------------------------------

TEST_F(CutoverTest, StagesAreClimbedOneByOneWhileTheGateIsOpen) {
  for (const uint32_t stage : {500U, 2500U, 10'000U}) {
    ASSERT_THAT(CutoverOnGate::Raise(*cutover_, OpenGate(), "ann", "clean"), IsOk());  // of days after each of them
    EXPECT_EQ(cutover_->Status().threshold, stage);
  }
  EXPECT_THAT(CutoverOnGate::Raise(*cutover_, OpenGate(), "ann", "clean"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("last stage")));
  EXPECT_THAT(Lines().front().detail,
              AllOf(HasSubstr("threshold: 0 -> 500"), HasSubstr("2026-03-01 to 2026-03-14"), HasSubstr("abcd")));
}

TEST_F(CutoverTest, TheDaysOfOneStageAreNotGoodForTheNext) {
  ASSERT_THAT(RaiseOn(15, 0, 14), IsOk());
  const auto too_early = StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the last raise was on 2026-03-15"));
  EXPECT_THAT(RaiseOn(15, 1, 14), too_early);
  Reopen();
  EXPECT_THAT(RaiseOn(16, 1, 15), too_early) << "it was raised in the middle of that day";
  ASSERT_THAT(RaiseOn(17, 23, 16), IsOk());
  ASSERT_THAT(cutover_->Lower(600, "ann", "test"), IsOk());
  EXPECT_THAT(RaiseOn(18, 12, 17), StatusIs(absl::StatusCode::kFailedPrecondition)) << "to lower it helps nothing";
  ASSERT_THAT(RaiseOn(19, 12, 18), IsOk());
  EXPECT_EQ(cutover_->Status().threshold, 2500U);
  ASSERT_THAT(cutover_->ForceRaise(2600, "ann", "test"), IsOk());
  EXPECT_THAT(RaiseOn(20, 12, 19), StatusIs(absl::StatusCode::kFailedPrecondition)) << "forced on the 19th";
  EXPECT_EQ(cutover_->Status().threshold, 2600U);
}

TEST_F(CutoverTest, HowManyDaysAreBetweenRaisesIsAnOption) {
  const auto open = [this](uint32_t days) {
    cutover_.reset();
    NW_ASSERT_OK_AND_ASSIGN(
        cutover_, Cutover::Open(*store_, {.salt = "2026-spring", .days_between_raises = days, .clock = &clock_}));
  };
  open(0);
  ASSERT_THAT(RaiseOn(15, 0, 14), IsOk());
  ASSERT_THAT(RaiseOn(15, 0, 14), IsOk());
  open(2);
  EXPECT_THAT(RaiseOn(18, 0, 17), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("it takes 2")))
      << "the gate has the 1st and the 17th";
}

TEST_F(CutoverTest, AShutGateSaysWhyAndNothingChanges) {
  EXPECT_THAT(CutoverOnGate::Raise(*cutover_, ShutGate(), "ann", "hope"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("2026-03-02 is not closed"), HasSubstr("rules changed"))));
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  EXPECT_THAT(CutoverOnGate::ResumeRouting(*cutover_, ShutGate(), "ann", "hope"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not closed")));
  EXPECT_TRUE(cutover_->Status().routed_to_batch);
  EXPECT_EQ(cutover_->Status().epoch, 1U);
}

TEST_F(CutoverTest, NoStageIsClimbedWhileRoutingIsSwitchedToTheBatch) {
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  EXPECT_THAT(CutoverOnGate::Raise(*cutover_, OpenGate(), "ann", "clean"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("switched to the batch")));
  ASSERT_THAT(CutoverOnGate::ResumeRouting(*cutover_, OpenGate(), "ann", "clean"), IsOk());
  EXPECT_FALSE(cutover_->Status().routed_to_batch);
  EXPECT_THAT(CutoverOnGate::Raise(*cutover_, OpenGate(), "ann", "clean"), IsOk());
}

TEST_F(CutoverTest, TheThresholdIsLoweredOnlyDownAndForcedOnlyUp) {
  ASSERT_THAT(cutover_->ForceRaise(700, "ann", "test"), IsOk());
  for (const uint32_t wrong : {700U, 699U, 10'001U}) {
    EXPECT_THAT(cutover_->ForceRaise(wrong, "ann", "test"), StatusIs(absl::StatusCode::kInvalidArgument)) << wrong;
  }
  EXPECT_THAT(cutover_->Lower(700, "ann", "test"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(cutover_->Lower(699, "ann", "test"), IsOk());
  EXPECT_EQ(cutover_->Status().threshold, 699U);
  // The next stage is the first one above where it stands.
  ASSERT_THAT(CutoverOnGate::Raise(*cutover_, OpenGate(), "ann", "clean"), IsOk());
  EXPECT_EQ(cutover_->Status().threshold, 2500U);
}

TEST_F(CutoverTest, WhatIsSoAlreadyIsNoChange) {
  ASSERT_THAT(cutover_->StopSending("ann", "test"), IsOk());
  ASSERT_THAT(cutover_->StopSending("ann", "test"), IsOk());
  ASSERT_THAT(cutover_->AddMerchants(kThree, "ann"), IsOk());
  ASSERT_THAT(cutover_->AddMerchants(kThree, "ann"), IsOk());
  ASSERT_THAT(cutover_->SetOverride("m1", std::nullopt, "ann", "test"), IsOk());
  EXPECT_EQ(cutover_->Status().epoch, 2U);
  EXPECT_THAT(Lines(), SizeIs(2));
}

TEST_F(CutoverTest, EveryChangeHasAnActorAndAReasonWithinBounds) {
  const std::string long_actor(129, 'a'), long_reason(1001, 'r');
  for (const auto& [actor, reason] : std::vector<std::pair<std::string, std::string>>{
           {"", "why"}, {"ann", ""}, {long_actor, "why"}, {"ann", long_reason}}) {
    for (const absl::Status& status :
         {cutover_->RouteToBatch(actor, reason), cutover_->StopSending(actor, reason),
          cutover_->ResumeSending(actor, reason), cutover_->ForceRaise(1, actor, reason),
          cutover_->ForceResumeRouting(actor, reason), cutover_->SetOverride("m1", Override::kDeny, actor, reason),
          CutoverOnGate::Raise(*cutover_, OpenGate(), actor, reason), cutover_->AdvanceEpoch(9, actor, reason)}) {
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
    }
  }
  EXPECT_THAT(cutover_->AddMerchants(kThree, ""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(cutover_->Status().epoch, 0U);
  EXPECT_THAT(cutover_->RouteToBatch(std::string(128, 'a'), std::string(1000, 'r')), IsOk());
}

TEST_F(CutoverTest, TheEpochCanOnlyBeAdvanced) {
  ASSERT_THAT(cutover_->AdvanceEpoch(40, "ann", "restored"), IsOk());
  EXPECT_THAT(cutover_->AdvanceEpoch(40, "ann", "restored"), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(cutover_->StopSending("ann", "test"), IsOk());
  EXPECT_EQ(cutover_->Status().epoch, 41U);
}

// ---- Kept ---------------------------------------------------------------------------------------------------

TEST_F(CutoverTest, ARestartKeepsEverything) {
  ASSERT_THAT(cutover_->AddMerchants(kThree, "ann"), IsOk());
  ASSERT_THAT(cutover_->ForceRaise(9000, "ann", "test"), IsOk());
  ASSERT_THAT(cutover_->SetOverride("m_1", Override::kDeny, "bob", "test"), IsOk());
  ASSERT_THAT(cutover_->SetOverride("m_42", Override::kAllow, "bob", "test"), IsOk());
  EXPECT_EQ(SystemOf("po_1", "m_42"), kNorthwind);
  EXPECT_EQ(SystemOf("po_2", "m_42"), kNorthwind);
  ASSERT_THAT(cutover_->Finish(std::vector<std::string>{"po_1", "po_1", "nobody", "bad id"}), IsOk());
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  ASSERT_THAT(cutover_->StopSending("ann", "test"), IsOk());
  const std::vector<AuditLine> lines = Lines();
  for (int opened = 0; opened < 2; ++opened) {
    const CutoverStatus status = cutover_->Status();
    EXPECT_EQ(status.epoch, 6U);
    EXPECT_EQ(status.threshold, 9000U);
    EXPECT_TRUE(status.routed_to_batch);
    EXPECT_TRUE(status.sending_stopped);
    EXPECT_EQ(status.merchants, 3U);
    EXPECT_EQ(status.allowed, 1U);
    EXPECT_EQ(status.denied, 1U);
    EXPECT_EQ(status.residue, 1U);
    Reopen();
  }
  EXPECT_THAT(Lines(), SizeIs(lines.size()));
  EXPECT_EQ(Lines().back().hash, lines.back().hash);
}

TEST_F(CutoverTest, AStoreHasOneCutoverWithOneSalt) {
  EXPECT_THAT(Cutover::Open(*store_, {.salt = "2026-spring"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("open")));
  cutover_.reset();
  EXPECT_THAT(Cutover::Open(*store_, {.salt = "another"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("salt")));
  NW_ASSERT_OK_AND_ASSIGN(cutover_, Cutover::Open(*store_, {.salt = "2026-spring"}));
}

TEST_F(CutoverTest, OptionsOutOfRangeAreRefused) {
  cutover_.reset();
  for (const CutoverOptions& wrong : std::vector<CutoverOptions>{{},
                                                                 {.salt = std::string(65, 's')},
                                                                 {.salt = "a\n"},
                                                                 {.salt = "ü"},
                                                                 {.salt = "s", .stages = {}},
                                                                 {.salt = "s", .stages = {500}},
                                                                 {.salt = "s", .stages = {0, 10'000}},
                                                                 {.salt = "s", .stages = {500, 500, 10'000}},
                                                                 {.salt = "s", .stages = {500, 400, 10'000}},
                                                                 {.salt = "s", .stages = {500, 10'000, 10'001}},
                                                                 {.salt = "s", .days_between_raises = 366}}) {
    EXPECT_THAT(Cutover::Open(*store_, wrong), StatusIs(absl::StatusCode::kInvalidArgument)) << wrong.salt;
  }
}

// ---- When nothing can be written ------------------------------------------------------------------------------

MATCHER_P3(LineIs, epoch, action, detail, "") {
  return arg.epoch == static_cast<uint64_t>(epoch) && arg.action == action &&
         arg.detail.find(detail) != std::string::npos;
}

// Writes on a disk that was full while sending was stopped, and sees to it that this came to the log first.
class AfterAFullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    NW_ASSERT_OK_AND_ASSIGN(store_, OpenStoreOn(disk_.env(), {.path = "/db", .free_space_floor_bytes = 1}));
    NW_ASSERT_OK_AND_ASSIGN(cutover_, Cutover::Open(*store_, {.salt = "s"}));
    ASSERT_THAT(cutover_->AddMerchants(std::vector<std::string>{"m1"}, "ann"), IsOk());
    ASSERT_THAT(cutover_->ForceRaise(kBasisPoints, "ann", "test"), IsOk());
    ASSERT_THAT(cutover_->Assign(std::vector<RouteRequest>{{"po0", "m1"}}), IsOk());
    disk_.SetFreeSpace(0);
    ASSERT_THAT(cutover_->StopSending("ann", "now"), StatusIs(absl::StatusCode::kResourceExhausted));
    disk_.SetFreeSpace(uint64_t{1} << 40);
    ASSERT_EQ(cutover_->Status().epoch, 2U);
  }
  void ExpectWritten(size_t lines = 1) {
    EXPECT_EQ(cutover_->Status().epoch, 2U + lines);
    NW_ASSERT_OK_AND_ASSIGN(const auto log, cutover_->AuditLog(2));
    ASSERT_THAT(log, SizeIs(lines));
    EXPECT_THAT(log[0], LineIs(3, "stop_sending", "sending_stopped: no -> yes; could not be written at the time"));
    EXPECT_EQ(log[0].reason, "now");
    cutover_.reset();
    NW_ASSERT_OK_AND_ASSIGN(cutover_, Cutover::Open(*store_, {.salt = "s"}));
  }

  FaultFs disk_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Cutover> cutover_;
};

TEST_F(AfterAFullDisk, AnAssignmentIsOfTheNewEpochAndWritesTheChangeFirst) {
  ASSERT_THAT(cutover_->Assign(std::vector<RouteRequest>{{"po0", "m1"}}), IsOk());
  EXPECT_EQ(cutover_->Status().epoch, 2U) << "nothing is written";
  NW_ASSERT_OK_AND_ASSIGN(const auto made, cutover_->Assign(std::vector<RouteRequest>{{"po1", "m1"}}));
  EXPECT_EQ(made.front().epoch, 3U);
  ExpectWritten();
  EXPECT_TRUE(cutover_->Status().sending_stopped);
}

TEST_F(AfterAFullDisk, AFinishWritesTheChange) {
  ASSERT_THAT(cutover_->Finish(std::vector<std::string>{"po0"}), IsOk());
  ExpectWritten();
  EXPECT_TRUE(cutover_->Status().sending_stopped);
}

TEST_F(AfterAFullDisk, NewMerchantsWriteTheChangeFirst) {
  ASSERT_THAT(cutover_->AddMerchants(std::vector<std::string>{"m2"}, "ann"), IsOk());
  ExpectWritten(2);
}

TEST_F(AfterAFullDisk, AnOverrideWritesTheChangeFirstAndKnowsItsOwnLine) {
  ASSERT_THAT(cutover_->SetOverride("m1", Override::kDeny, "bob", "too large"), IsOk());
  ExpectWritten(2);
  NW_ASSERT_OK_AND_ASSIGN(const OverridePage page, cutover_->Overrides());
  ASSERT_THAT(page.items, SizeIs(1));
  EXPECT_EQ(page.items[0].line, 4U);
  EXPECT_EQ(page.items[0].actor, "bob");
}

TEST_F(AfterAFullDisk, HandingBackWritesTheChangeFirstAndClaimsUnderItsEpoch) {
  MemoryClaims claims;
  ASSERT_THAT(claims.PublishEpoch(3), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const HandBackResult result,
                          cutover_->HandBack(claims, std::vector<std::string>{"po0"}, "ann", "rollback"));
  EXPECT_EQ(result.handed, 1U);
  EXPECT_EQ(cutover_->Status().epoch, 3U);
  EXPECT_THAT(cutover_->AuditLog(2), IsOkAndHolds(ElementsAre(LineIs(3, "stop_sending", ""), LineIs(3, "hand_back", ""),
                                                              LineIs(3, "handed_back", ""))));
}

TEST_F(AfterAFullDisk, ToTakeItBackIsToWriteBoth) {
  ASSERT_THAT(cutover_->ResumeSending("ann", "mended"), IsOk());
  ExpectWritten(2);
  EXPECT_FALSE(cutover_->Status().sending_stopped);
}

TEST_F(AfterAFullDisk, AnAdvancedEpochIsAboveThatOfTheChange) {
  ASSERT_THAT(cutover_->AdvanceEpoch(3, "ann", "restored"), IsOk());
  ExpectWritten(2);
}

TEST(CutoverOnAFullDisk, GoingDownHoldsAndIsWrittenWithTheNextChange) {
  FaultFs disk;
  // So low a floor is asked for at every write.
  const StoreOptions options{.path = "/db", .free_space_floor_bytes = 1};
  NW_ASSERT_OK_AND_ASSIGN(auto store, OpenStoreOn(disk.env(), options));
  NW_ASSERT_OK_AND_ASSIGN(auto cutover, Cutover::Open(*store, {.salt = "s"}));
  ASSERT_THAT(cutover->AddMerchants(std::vector<std::string>{"m1"}, "ann"), IsOk());
  ASSERT_THAT(cutover->ForceRaise(kBasisPoints, "ann", "test"), IsOk());

  disk.SetFreeSpace(0);
  const auto refused = StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("is not durable"));
  EXPECT_THAT(cutover->StopSending("ann", "now"), refused);
  EXPECT_THAT(cutover->RouteToBatch("ann", "now"), refused);
  EXPECT_THAT(cutover->Lower(500, "ann", "now"), refused);
  EXPECT_THAT(cutover->Lower(500, "ann", "again"), refused) << "asked for again, it is tried again";
  EXPECT_TRUE(cutover->Status().sending_stopped);
  EXPECT_TRUE(cutover->Status().routed_to_batch);
  EXPECT_EQ(cutover->Status().threshold, 500U);
  EXPECT_EQ(cutover->Peek("m1"), kBatch);
  EXPECT_EQ(cutover->Status().epoch, 2U);
  // The way up is taken only together with its line.
  EXPECT_THAT(cutover->ForceRaise(600, "ann", "test"), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(cutover->Status().threshold, 500U);

  disk.SetFreeSpace(uint64_t{1} << 40);
  ASSERT_THAT(cutover->StopSending("ann", "there is room"), IsOk());
  EXPECT_THAT(cutover->AuditLog(2), IsOkAndHolds(ElementsAre(LineIs(3, "stop_sending", "sending_stopped: no -> yes"),
                                                             LineIs(4, "route_to_batch", "routed_to_batch: no -> yes"),
                                                             LineIs(5, "lower", "threshold: 10000 -> 500"))));
  cutover.reset();
  store.reset();
  NW_ASSERT_OK_AND_ASSIGN(store, OpenStoreOn(disk.env(), options));
  NW_ASSERT_OK_AND_ASSIGN(cutover, Cutover::Open(*store, {.salt = "s"}));
  EXPECT_TRUE(cutover->Status().sending_stopped);
  EXPECT_TRUE(cutover->Status().routed_to_batch);
  EXPECT_EQ(cutover->Status().threshold, 500U);
  cutover.reset();
  store.reset();
}

// ---- In a shadow --------------------------------------------------------------------------------------------

TEST(CutoverInAShadow, EverythingStaysWithTheBatch) {
  const TempDir directory;
  const StoreOptions options{.path = directory / "s", .mode = StoreMode::kShadow, .free_space_floor_bytes = 0};
  NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open(options));
  NW_ASSERT_OK_AND_ASSIGN(auto cutover, Cutover::Open(*store, {.salt = "s"}));
  ASSERT_THAT(cutover->AddMerchants(std::vector<std::string>{"m1"}, "ann"), IsOk());
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("shadow"));
  EXPECT_THAT(cutover->ForceRaise(kBasisPoints, "ann", "test"), refused);
  EXPECT_THAT(CutoverOnGate::Raise(*cutover, {.open = true}, "ann", "test"), refused);
  EXPECT_THAT(cutover->SetOverride("m1", Override::kAllow, "ann", "test"), refused);
  EXPECT_THAT(cutover->SetOverride("m1", Override::kDeny, "ann", "test"), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const OverridePage overrides, cutover->Overrides());
  ASSERT_THAT(overrides.items, SizeIs(1)) << "what was refused is not there";
  EXPECT_EQ(overrides.items[0].value, Override::kDeny);
  EXPECT_THAT(cutover->RouteToBatch("ann", "test"), IsOk());
  EXPECT_EQ(cutover->Status().threshold, 0U);
}

// ---- Threads ------------------------------------------------------------------------------------------------

TEST_F(CutoverTest, WhatIsAssignedAfterRoutingToTheBatchGoesToTheBatchOnEveryThread) {
  KnowAndRaiseToAll();
  constexpr int kThreads = 4;
  std::atomic<bool> routed{false}, done{false};
  std::atomic<int> late{0}, before{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !done || i < 3; ++i) {
        const bool after = routed;
        const std::vector<RouteRequest> requests = {{"po_" + std::to_string(t) + "_" + std::to_string(i), "m1"},
                                                    {"shared_" + std::to_string(i), "m1"}};
        const auto answers = cutover_->Assign(requests);
        ASSERT_THAT(answers, IsOk());
        if (!after) {
          ++before;
          continue;
        }
        ++late;
        EXPECT_EQ(answers->front().system, kBatch);
        EXPECT_EQ(cutover_->Peek("m1"), kBatch);
      }
    });
  }
  while (before < 4 * kThreads && !HasFailure()) std::this_thread::yield();
  ASSERT_THAT(cutover_->RouteToBatch("ann", "now"), IsOk());
  const uint64_t residue = cutover_->Status().residue;
  routed = true;
  while (late < 4 * kThreads && !HasFailure()) std::this_thread::yield();
  done = true;
  for (std::thread& thread : threads) thread.join();
  // Nor did any that had begun before come to another answer after the switch was set.
  EXPECT_EQ(cutover_->Status().residue, residue);
  // What the threads assigned together, they were told alike, before and after.
  NW_ASSERT_OK_AND_ASSIGN(const Assignment shared, cutover_->Find("shared_0"));
  EXPECT_EQ(shared.system, kNorthwind);
  Reopen();
  EXPECT_TRUE(cutover_->Status().routed_to_batch);
}

}  // namespace
}  // namespace northwind::testing

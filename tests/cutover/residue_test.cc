// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cutover/cutover_fixture.h"
#include "tests/support/memory_claims.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Fault = MemoryClaims::Fault;
using Ids = std::vector<std::string>;

class ResidueTest : public CutoverFixture {
 protected:
  void SetUp() override {
    CutoverFixture::SetUp();
    KnowAndRaiseToAll();
    for (const char* id : {"po1", "po2", "po3"}) AssignOne(id);
  }
  Ids ResidueIds() {
    Ids ids;
    const auto page = cutover_->Residue(claims_);
    EXPECT_THAT(page, IsOk());
    if (!page.ok()) return ids;
    for (const auto& item : page->items) ids.push_back(item.assignment.id);
    return ids;
  }
  void ClaimForNorthwind(const std::string& id) {
    ClaimRequest request{.id = id, .merchant_id = "m1", .epoch = cutover_->Status().epoch};
    request.token[0] = 1;
    EXPECT_THAT(claims_.Claim(request), IsOkAndHolds(ClaimVerdict::kClaimed));
  }

  MemoryClaims claims_;
};

TEST_F(ResidueTest, IsWhatIsAssignedToNorthwindAndNotFinishedWithWhoClaimedIt) {
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  AssignOne("po4");
  ClaimForNorthwind("po2");
  for (int opened = 0; opened < 2; ++opened) {
    NW_ASSERT_OK_AND_ASSIGN(const ResiduePage page, cutover_->Residue(claims_));
    ASSERT_THAT(page.items, SizeIs(3));
    EXPECT_EQ(page.next, "");
    EXPECT_FALSE(page.items[0].claim.has_value());
    ASSERT_TRUE(page.items[1].claim.has_value());
    EXPECT_EQ(page.items[1].claim->system, SettlementSystem::kNorthwind);
    EXPECT_EQ(page.items[1].assignment.merchant_id, "m1");
    Reopen();
  }
  ASSERT_THAT(cutover_->Finish(Ids{"po2"}), IsOk());
  EXPECT_THAT(ResidueIds(), ElementsAre("po1", "po3"));
  AssignOne("po2");
  EXPECT_THAT(ResidueIds(), ElementsAre("po1", "po3")) << "to ask again makes it no residue again";
}

TEST_F(ResidueTest, IsReadInPages) {
  NW_ASSERT_OK_AND_ASSIGN(const ResiduePage first, cutover_->Residue(claims_, "", 2));
  EXPECT_THAT(first.items, SizeIs(2));
  EXPECT_EQ(first.next, "po2");
  NW_ASSERT_OK_AND_ASSIGN(const ResiduePage second, cutover_->Residue(claims_, first.next, 2));
  ASSERT_THAT(second.items, SizeIs(1));
  EXPECT_EQ(second.items[0].assignment.id, "po3");
  EXPECT_EQ(second.next, "");
  EXPECT_THAT(cutover_->Residue(claims_, "", 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(cutover_->Residue(claims_, "", kMaxAuditPage + 1), StatusIs(absl::StatusCode::kInvalidArgument));
  claims_.set_down(true);
  EXPECT_THAT(cutover_->Residue(claims_), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ResidueTest, HandBackGivesWhatIsUnclaimedAndKeepsWhatNorthwindClaimed) {
  ClaimForNorthwind("po1");
  ASSERT_EQ(claims_.ClaimForBatch("po2"), ClaimVerdict::kClaimed);
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  AssignOne("po4");
  const uint64_t epoch = cutover_->Status().epoch;
  NW_ASSERT_OK_AND_ASSIGN(const HandBackResult result,
                          cutover_->HandBack(claims_, Ids{"po1", "po2", "po3", "po4"}, "bob", "rollback"));
  EXPECT_EQ(result.handed, 1U);
  EXPECT_EQ(result.kept, 1U);
  EXPECT_EQ(result.before, 2U);
  EXPECT_EQ(claims_.HolderOf("po3")->first, SettlementSystem::kBatch);
  EXPECT_EQ(claims_.HolderOf("po1")->first, SettlementSystem::kNorthwind);
  EXPECT_FALSE(claims_.HolderOf("po4").has_value()) << "the batch's own is not claimed for it";
  EXPECT_THAT(ResidueIds(), ElementsAre("po1"));
  EXPECT_EQ(cutover_->Status().residue, 1U);
  EXPECT_EQ(cutover_->Status().epoch, epoch) << "no settings have changed";
  const std::vector<AuditLine> lines = Lines();
  EXPECT_EQ(lines[lines.size() - 2].action, "hand_back");
  EXPECT_EQ(lines[lines.size() - 2].detail, "ids: 4, from po1 to po4");
  EXPECT_EQ(lines.back().action, "handed_back");
  EXPECT_EQ(lines.back().detail, "handed: 1, kept: 1, before: 2, finished: 0");
  EXPECT_EQ(lines.back().reason, "rollback");
}

TEST_F(ResidueTest, HandBackKeepsWhatNorthwindClaimedBeforeTheStoreWasRestored) {
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  for (const char* id : {"po4", "po5", "po6"}) AssignOne(id);
  ClaimForNorthwind("po4");
  ASSERT_EQ(claims_.ClaimForBatch("po5"), ClaimVerdict::kClaimed);
  NW_ASSERT_OK_AND_ASSIGN(const HandBackResult result,
                          cutover_->HandBack(claims_, Ids{"po4", "po5", "po6"}, "bob", "rollback"));
  EXPECT_EQ(result.kept, 1U);
  EXPECT_EQ(result.before, 2U);
  claims_.set_down(true);
  EXPECT_THAT(cutover_->HandBack(claims_, Ids{"po4"}, "bob", "rollback"), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ResidueTest, HandBackGivesTheBatchNothingThatIsFinished) {
  ClaimForNorthwind("po2");
  ASSERT_THAT(cutover_->Finish(Ids{"po1", "po2"}), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(HandBackResult result,
                          cutover_->HandBack(claims_, Ids{"po1", "po2", "po3"}, "bob", "rollback"));
  EXPECT_EQ(result.finished, 1U);
  EXPECT_EQ(result.kept, 1U);
  EXPECT_EQ(result.handed, 1U);
  EXPECT_FALSE(claims_.HolderOf("po1").has_value());
  NW_ASSERT_OK_AND_ASSIGN(result, cutover_->HandBack(claims_, Ids{"po3"}, "bob", "again"));
  EXPECT_EQ(result.before, 1U);
}

TEST_F(ResidueTest, HandBackThatIsCutOffGoesOnWhenCalledAgain) {
  claims_.FailClaims({Fault::kNone, Fault::kAfter, Fault::kBefore});
  EXPECT_THAT(cutover_->HandBack(claims_, Ids{"po1", "po2", "po3"}, "bob", "rollback"),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(ResidueIds(), ElementsAre("po2", "po3"));
  EXPECT_THAT(Lines().back().detail, HasSubstr("handed: 1, kept: 0, before: 0, finished: 0; then: "));
  NW_ASSERT_OK_AND_ASSIGN(const HandBackResult result,
                          cutover_->HandBack(claims_, Ids{"po1", "po2", "po3"}, "bob", "rollback"));
  EXPECT_EQ(result.before, 2U) << "po2's claim was made, and its answer lost";
  EXPECT_EQ(result.handed, 1U);
  EXPECT_THAT(ResidueIds(), IsEmpty());
}

TEST_F(ResidueTest, HandBackOfWhatIsNotAssignedOrWithOldSettingsDoesNothing) {
  EXPECT_THAT(cutover_->HandBack(claims_, Ids{"po1", "po9"}, "bob", "rollback"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("po9")));
  EXPECT_THAT(claims_.requests(), IsEmpty());
  EXPECT_THAT(cutover_->HandBack(claims_, Ids{"po1"}, "", "rollback"), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(claims_.PublishEpoch(1000), IsOk());
  EXPECT_THAT(cutover_->HandBack(claims_, Ids{"po1"}, "bob", "rollback"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("older")));
  EXPECT_THAT(ResidueIds(), SizeIs(3));
}

TEST_F(ResidueTest, TheEpochIsPublishedAndNeverGoesBack) {
  ASSERT_THAT(cutover_->PublishEpoch(claims_), IsOk());
  EXPECT_EQ(claims_.published(), 2U);
  claims_.set_down(true);
  EXPECT_THAT(cutover_->PublishEpoch(claims_), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
//
// What may be ignored and what not, what people decide, and when the gate is open.
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/compare/gate.h"
#include "tests/compare/run_world.h"

namespace northwind::testing {
namespace {

using internal::compare::GateView;
using internal::compare::JudgeGate;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using enum DiscrepancyClass;

IgnoreRule Rule(std::string id, DiscrepancyClass of) {
  return {.id = std::move(id),
          .owner = "ops",
          .reason = "known",
          .of = of,
          .from = kDay - 5,
          .to = kDay + 5,
          .expires_at = Noon(kDay + 10),
          .max_count = 2,
          .max_units = {{"USD/2", 150'00}}};
}

TEST(Rules, ADifferenceOfMoneyIsNeverIgnored) {
  RunWorld world;
  for (const DiscrepancyClass of : {kDuplicate, kCurrency, kAmount, kFee, kMerchant}) {
    EXPECT_THAT(world.run_->AddRule(Rule("r", of)), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("of:")));
  }
  IgnoreRule rule = Rule("r", kStatus);
  rule.max_count = 0;
  EXPECT_THAT(world.run_->AddRule(rule), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_count")));
  rule = Rule("r r", kStatus);
  EXPECT_THAT(world.run_->AddRule(rule), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("id")));
  EXPECT_THAT(world.run_->Rules(), IsOkAndHolds(IsEmpty()));
}

TEST(Rules, WhatARuleCoversIsIgnoredAndTheDayMayBeClean) {
  RunWorld world;
  ASSERT_THAT(world.run_->AddRule(Rule("late-batch", kMissingThere)), IsOk());
  world.Settle({Capture("pay_1", 100'00), Capture("pay_2", 1'00)});
  world.Ingest({{.ref = "pay_2", .amount = "1.00"}});
  const DayFigures day = world.Close();
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kIgnored);
  EXPECT_EQ(world.Find("capture:pay_1")->history.back().reason, "late-batch");
  EXPECT_EQ(day.assets.at("USD/2").ours.ignored, (CountAndSum{1, 100'00}));
  EXPECT_TRUE(day.clean());
}

TEST(Rules, CountAndValueAreCapped) {
  RunWorld world;
  ASSERT_THAT(world.run_->AddRule(Rule("r", kMissingThere)), IsOk());
  world.Settle({Capture("a", 100'00), Capture("b", 50'01), Capture("c", 49'00), Capture("d", 0'01)});
  world.Close();
  EXPECT_EQ(world.Find("capture:a")->state, DiscrepancyState::kIgnored);
  EXPECT_EQ(world.Find("capture:b")->state, DiscrepancyState::kOpen);  // 150.01 in all
  EXPECT_EQ(world.Find("capture:c")->state, DiscrepancyState::kIgnored);
  EXPECT_EQ(world.Find("capture:d")->state, DiscrepancyState::kOpen);  // the third
  EXPECT_EQ(world.run_->Report(kDay, kDay)->rule_uses.at("r"), 2);
  // What is resolved makes room.
  world.Ingest({{.ref = "a", .amount = "100.00"}});
  EXPECT_EQ(world.run_->Report(kDay, kDay)->rule_uses.at("r"), 1);
}

TEST(Rules, AllClassesMustBeCoveredAndLegMerchantDayAndAssetMustFit) {
  RunWorld world;
  IgnoreRule other_leg = Rule("leg", kDayShift);
  other_leg.leg = Leg::kPayout;
  IgnoreRule other_merchant = Rule("merchant", kDayShift);
  other_merchant.merchant_id = "m9";
  IgnoreRule other_days = Rule("days", kDayShift);
  other_days.to = kDay - 1;
  IgnoreRule other_asset = Rule("asset", kDayShift);
  other_asset.max_units = {{"EUR/2", 1'000'00}};
  for (const IgnoreRule& rule : {other_leg, other_merchant, other_days, other_asset})
    ASSERT_THAT(world.run_->AddRule(rule), IsOk());
  world.Settle(Capture("pay_1", 100'00));
  world.Ingest({{.ref = "pay_1", .amount = "100.00", .status = "WON", .day = "2026-03-03"}});
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kOpen);
  ASSERT_THAT(world.run_->AddRule(Rule("day", kDayShift)), IsOk());
  world.Close();
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kOpen);  // its status is not covered
  ASSERT_THAT(world.run_->AddRule(Rule("status", kStatus)), IsOk());
  world.Close();
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kIgnored);
}

TEST(Rules, AnExpiredRuleCoversNothingFromTheNextClosingOn) {
  RunWorld world;
  ASSERT_THAT(world.run_->AddRule(Rule("r", kMissingThere)), IsOk());
  world.Settle(Capture("pay_1", 100'00));
  world.Close();
  world.clock_.Set(Noon(kDay + 10));
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kIgnored);
  EXPECT_EQ(world.Close().by_state.at(DiscrepancyState::kOpen), 1);
}

TEST(Rules, WhatAnExpiredRuleCoveredIsOpenAgainForWhoeverLooks) {
  const std::vector<std::function<void(RunWorld&)>> looks = {
      [](RunWorld& w) { EXPECT_FALSE(w.run_->Gate()->open); },
      [](RunWorld& w) { EXPECT_THAT(w.run_->FollowOnce(), IsOk()); },
      [](RunWorld& w) { w.Ingest({}); },
      [](RunWorld& w) { w.ReopenRun(); },
      [](RunWorld& w) { w.Close(kDay - 1); },
      [](RunWorld& w) { EXPECT_EQ(w.run_->Report(kDay, kDay)->unresolved_count, 1); },
  };
  for (size_t i = 0; i < looks.size(); ++i) {
    SCOPED_TRACE(i);
    RunWorld world;
    ASSERT_THAT(world.run_->AddRule(Rule("r", kMissingThere)), IsOk());
    world.Settle({Capture("pay_1", 100'00), Capture("pay_2", 1'00)});
    world.Ingest({{.ref = "pay_2", .amount = "1.00"}});
    EXPECT_TRUE(world.Close().clean());
    world.clock_.Set(Noon(kDay + 10) - absl::Nanoseconds(1));
    EXPECT_THAT(world.run_->Gate(), IsOk());
    EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kIgnored);
    EXPECT_EQ(world.Day().state, DayState::kClosed);
    world.clock_.Set(Noon(kDay + 10));
    looks[i](world);
    EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kOpen);
    EXPECT_EQ(world.Day().state, DayState::kReopened);
    world.Check();
  }
}

TEST(Rules, OfRowsThatCannotBeReadOnlyTheCountIsCapped) {
  RunWorld world;
  IgnoreRule rule = Rule("u", kUnreadable);
  EXPECT_THAT(world.run_->AddRule(rule), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_units")));
  rule.max_units.clear();
  rule.max_count = 1;
  ASSERT_THAT(world.run_->AddRule(rule), IsOk());
  world.Ingest({{.row = "1", .ref = "a", .amount = "?"}, {.row = "2", .ref = "b", .amount = "?"}});
  EXPECT_EQ(world.Find("row:batch:1")->state, DiscrepancyState::kIgnored);
  EXPECT_EQ(world.Find("row:batch:2")->state, DiscrepancyState::kOpen);
  // Of everything else an asset without a cap is not covered.
  IgnoreRule no_asset = Rule("n", kMissingThere);
  no_asset.max_units.clear();
  ASSERT_THAT(world.run_->AddRule(no_asset), IsOk());
  world.Settle(Capture("pay_1", 0'01));
  world.Close();
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kOpen);
}

TEST(Rules, WhatARetiredRuleCoveredIsOpenAgainAndItsIdIsUsedUp) {
  RunWorld world;
  ASSERT_THAT(world.run_->AddRule(Rule("r", kMissingThere)), IsOk());
  world.Settle(Capture("pay_1", 100'00));
  world.Close();
  ASSERT_THAT(world.run_->RetireRule("r", "ops"), IsOk());
  world.Check();
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kOpen);
  EXPECT_EQ(world.Day().state, DayState::kReopened);
  EXPECT_THAT(world.run_->Rules(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(world.run_->RetireRule("r", "ops"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(world.run_->AddRule(Rule("r", kStatus)), StatusIs(absl::StatusCode::kAlreadyExists));
  world.ReopenRun();
  EXPECT_THAT(world.run_->AddRule(Rule("r", kStatus)), StatusIs(absl::StatusCode::kAlreadyExists));
}

// ---- By hand ------------------------------------------------------------------------------------------------

TEST(Decisions, AnExplanationHoldsUntilSomethingElseDiffers) {
  RunWorld world;
  world.Settle({Capture("pay_1", 100'00), Capture("pay_2", 1'00)});
  world.Ingest({{.ref = "pay_1", .amount = "100.01"}, {.ref = "pay_2", .amount = "1.00"}});
  EXPECT_FALSE(world.Close().clean());
  ASSERT_THAT(world.run_->Explain("capture:pay_1", "ann", "a cent of rounding"), IsOk());
  const DayFigures day = world.Close();
  EXPECT_TRUE(day.clean());
  EXPECT_EQ(day.assets.at("USD/2").ours.mismatched, (CountAndSum{1, 100'00}));
  EXPECT_EQ(day.by_state.at(DiscrepancyState::kExplained), 1);
  world.Ingest({{.ref = "pay_1", .amount = "900.00"}});
  const Discrepancy found = *world.Find("capture:pay_1");
  EXPECT_EQ(found.state, DiscrepancyState::kOpen);
  ASSERT_THAT(found.history, SizeIs(3));
  EXPECT_EQ(found.history[1].actor, "ann");
  EXPECT_EQ(found.history[1].reason, "a cent of rounding");
}

TEST(Decisions, AnExplanationIsVoidOnceTheSameTextReadsAsAnotherAmount) {
  RunWorld world;
  world.Settle(Capture("pay_1", 50'00));
  world.Ingest({{.ref = "pay_1", .amount = "100"}});
  ASSERT_THAT(world.run_->Explain("capture:pay_1", "ann", "twice, and given back"), IsOk());
  world.ReopenRun();
  world.Close();
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kExplained);
  world.options_of_run_.mapping.amount_form = LegacyAmountForm::kMinorUnits;
  world.ReopenRun();
  EXPECT_THAT(world.ClassesOf("capture:pay_1"), ElementsAre(kAmount));
  EXPECT_EQ(world.Find("capture:pay_1")->state, DiscrepancyState::kOpen);
}

TEST(Decisions, WhatAgreesByItselfIsNotDecidedByHand) {
  RunWorld world;
  world.Settle(Capture("pay_1", 100'00));
  world.Ingest({{.ref = "pay_1", .amount = "99.00"}});
  ASSERT_THAT(world.run_->Resolve("capture:pay_1", "ann", "mended"), IsOk());
  ASSERT_THAT(world.run_->Reopen("capture:pay_1", "ann", "not yet"), IsOk());
  world.Ingest({{.ref = "pay_1", .amount = "100.00"}});
  EXPECT_THAT(world.run_->Explain("capture:pay_1", "ann", "x"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(world.run_->Explain("capture:none", "ann", "x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(world.run_->Explain("capture:pay_1", "", "x"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Decisions, DiscrepanciesAreListedByPagesAndFilters) {
  RunWorld world;
  world.Settle({Capture("a", 1'00), Capture("b", 1'00), Capture("c", 1'00, 0, Noon(), "m2")});
  world.Close();
  world.Ingest({{.ref = "b", .amount = "2.00"}});
  EXPECT_THAT(world.List({.first_class = kMissingThere}), SizeIs(2));
  EXPECT_THAT(world.List({.merchant_id = "m2"}), SizeIs(1));
  EXPECT_THAT(world.List({.day = kDay + 1}), IsEmpty());
  EXPECT_THAT(world.List({.state = DiscrepancyState::kOpen}), SizeIs(3));
  const DiscrepancyPage page = *world.run_->ListDiscrepancies({.limit = 2});
  EXPECT_EQ(page.next, "capture:b");
  EXPECT_THAT(world.List({.after = page.next, .limit = 2}), SizeIs(1));
  EXPECT_THAT(world.run_->ListDiscrepancies({.limit = 0}), StatusIs(absl::StatusCode::kInvalidArgument));
}

// ---- The gate -----------------------------------------------------------------------------------------------

DayFigures Clean(absl::CivilDay day) {
  DayFigures figures{
      .day = day, .state = DayState::kClosed, .rules_hash = "h", .canaries = {{kAmount, {kAmount}}}, .sound = true};
  for (Coverage* side : {&figures.assets["USD/2"].ours, &figures.assets["USD/2"].theirs}) {
    side->ingested = side->matched = {1, 5};
  }
  return figures;
}

struct GateCase {
  const char* what;
  std::vector<DayFigures> days;
  size_t clean;
  bool open;
  const char* reason;
};

TEST(Gate, IsOpenExactlyAfterSoManyCleanDaysInARow) {
  DayFigures reopened = Clean(kDay);
  reopened.state = DayState::kReopened;
  DayFigures with_open = Clean(kDay);
  with_open.by_state[DiscrepancyState::kOpen] = 1;
  DayFigures explained = Clean(kDay);
  explained.by_state[DiscrepancyState::kExplained] = 1;
  DayFigures unsound = Clean(kDay);
  unsound.sound = false;
  unsound.canaries = {{kAmount, {}}};
  DayFigures incomplete = Clean(kDay);
  incomplete.incomplete = {"USD/2: less"};
  DayFigures uncovered = Clean(kDay);
  uncovered.assets["USD/2"].ours.matched.count = 0;
  DayFigures other_rules = Clean(kDay);
  other_rules.rules_hash = "g";
  DayFigures blank{.day = kDay, .state = DayState::kClosed, .rules_hash = "h"};
  DayFigures blank_incomplete = blank;
  blank_incomplete.incomplete = {"USD/2: less"};
  DayFigures nothing_agrees = explained;
  nothing_agrees.canaries.clear();
  nothing_agrees.sound = false;
  const std::vector<GateCase> cases = {
      {"nothing", {}, 0, false, "No day"},
      {"one", {Clean(kDay)}, 1, false, "1 clean day in a row up to 2026-03-02; 2 are needed"},
      {"two", {Clean(kDay - 1), Clean(kDay)}, 2, true, ""},
      {"a hole", {Clean(kDay - 2), Clean(kDay)}, 1, false, "2026-03-01 was not closed"},
      {"last is reopened", {Clean(kDay - 2), Clean(kDay - 1), reopened}, 0, false, "has changed"},
      {"one before is reopened", {reopened, Clean(kDay + 1)}, 1, false, "has changed"},
      {"one long before is reopened", {reopened, Clean(kDay + 1), Clean(kDay + 2)}, 2, false, "has changed"},
      {"open long before", {with_open, Clean(kDay + 1), Clean(kDay + 2)}, 2, false, "1 discrepancy open"},
      {"explained long before", {explained, Clean(kDay + 1), Clean(kDay + 2)}, 3, true, ""},
      {"unsound long before", {unsound, Clean(kDay + 1), Clean(kDay + 2)}, 2, false, "not sound"},
      {"incomplete long before", {incomplete, Clean(kDay + 1), Clean(kDay + 2)}, 2, false, "not complete"},
      {"uncovered long before", {uncovered, Clean(kDay + 1), Clean(kDay + 2)}, 2, false, "accounted for"},
      {"all of it explained, long before", {nothing_agrees, Clean(kDay + 1), Clean(kDay + 2)}, 2, true, ""},
      {"all of it explained", {Clean(kDay - 1), nothing_agrees}, 0, false, "no canary"},
      {"open", {Clean(kDay - 2), Clean(kDay - 1), with_open}, 0, false, "1 discrepancy open"},
      {"explained", {Clean(kDay - 1), explained}, 2, true, ""},
      {"unsound", {Clean(kDay - 1), unsound}, 0, false, "not sound"},
      {"incomplete", {Clean(kDay - 1), incomplete}, 0, false, "not complete"},
      {"uncovered", {Clean(kDay - 1), uncovered}, 0, false, "accounted for"},
      {"other rules", {other_rules, Clean(kDay + 1)}, 1, false, "another mapping or other rules"},
      {"a day without business", {Clean(kDay - 1), blank, Clean(kDay + 1)}, 2, true, ""},
      {"one that should have had some", {Clean(kDay - 1), blank_incomplete, Clean(kDay + 1)}, 1, false, "not complete"},
  };
  for (const GateCase& c : cases) {
    const GateStatus gate = JudgeGate({.closed = c.days, .needed = 2, .rules_hash = "h"});
    EXPECT_EQ(gate.days.size(), c.clean) << c.what;
    EXPECT_EQ(gate.open, c.open) << c.what;
    EXPECT_EQ(gate.reasons.empty(), c.open) << c.what;
    EXPECT_THAT(gate.open ? "" : gate.reasons.front(), HasSubstr(c.reason)) << c.what;
  }
}

TEST(Gate, IsShutByWhateverWasNotLookedIntoBesideThoseDays) {
  const GateView clean{.closed = {Clean(kDay - 1), Clean(kDay)}, .due = kDay, .needed = 2, .rules_hash = "h"};
  ASSERT_TRUE(JudgeGate(clean).open);
  GateView view = clean;
  view.open = 3;
  EXPECT_THAT(JudgeGate(view).reasons, ElementsAre("3 discrepancies are open, of all days."));
  view = clean;
  view.never_closed = {kDay - 9};
  EXPECT_THAT(JudgeGate(view).reasons, ElementsAre("2026-02-21 has rows and was never closed."));
  view.never_closed = {kDay - 9, kDay - 8, kDay - 7};
  EXPECT_THAT(JudgeGate(view).reasons, ElementsAre("2026-02-21 and 2 other days have rows and were never closed."));
  view = clean;
  view.due = kDay + 1;
  EXPECT_THAT(JudgeGate(view).reasons,
              ElementsAre("Nothing was compared since 2026-03-02: 2026-03-03 should have been closed."));
  view = clean;
  view.journal_lags = true;
  EXPECT_THAT(JudgeGate(view).reasons, ElementsAre(HasSubstr("not followed")));
}

class CleanWorld : public RunWorld {
 public:
  CleanWorld() {
    Ingest({{.ref = "funds", .amount = "1000000.00", .day = absl::FormatCivilTime(kDay - 20)}});
    EXPECT_TRUE(Close(kDay - 20).clean());
    for (int i = -1; i <= 0; ++i) {
      const std::string id = absl::StrCat("pay_", i + 1);
      Settle(Capture(id, 5'00, 0, Noon(kDay + i)));
      Ingest({{.ref = id, .amount = "5.00", .day = absl::FormatCivilTime(kDay + i)}});
      EXPECT_TRUE(Close(kDay + i).clean());
    }
  }
};

TEST(Gate, AnyChangeOfRulesBeginsTheCountAnew) {
  CleanWorld world;
  EXPECT_TRUE(world.run_->Gate()->open);
  ASSERT_THAT(world.run_->AddRule(Rule("r", kStatus)), IsOk());
  EXPECT_FALSE(world.run_->Gate()->open);
  world.Close(kDay);
  EXPECT_THAT(world.run_->Gate()->days, ElementsAre(kDay));
  world.Close(kDay - 1);
  EXPECT_TRUE(world.run_->Gate()->open);
}

TEST(Gate, ADiscrepancyOfADayThatGoesOnShutsIt) {
  CleanWorld world;
  ASSERT_TRUE(world.run_->Gate()->open);
  world.Settle(Capture("today", 1'00, 0, Noon(kDay + 1)));
  EXPECT_TRUE(world.run_->Gate()->open);
  world.Ingest({{.ref = "today", .amount = "2.00", .day = "2026-03-03"}});
  EXPECT_THAT(world.run_->Gate()->reasons, ElementsAre("1 discrepancy is open, of all days."));
  world.ReopenRun();
  EXPECT_FALSE(world.run_->Gate()->open);
  ASSERT_THAT(world.run_->Explain("capture:today", "ann", "known"), IsOk());
  EXPECT_TRUE(world.run_->Gate()->open);
  ASSERT_THAT(world.run_->Reopen("capture:today", "ann", "not so"), IsOk());
  EXPECT_FALSE(world.run_->Gate()->open);
  world.Ingest({{.ref = "today", .amount = "1.00", .day = "2026-03-03"}});
  EXPECT_TRUE(world.run_->Gate()->open);
}

TEST(Gate, ARowThatCannotBeReadShutsItOnWhateverDayItCame) {
  CleanWorld world;
  world.Ingest({{.row = "x", .ref = "pay_7", .amount = "?"}});
  EXPECT_THAT(world.Find("row:batch:x")->day, kDay + 1);
  EXPECT_FALSE(world.run_->Gate()->open);
  world.Ingest({{.row = "x", .ref = "pay_1", .amount = "1.00", .status = "VOID"}});
  world.Close(kDay);
  EXPECT_TRUE(world.run_->Gate()->open);
}

TEST(Gate, ADayWithRowsThatWasNeverClosedShutsItHoweverLongAgo) {
  CleanWorld world;
  world.Settle(Capture("stray", 1'00, 0, Noon(kDay - 10)));
  EXPECT_THAT(world.run_->Gate()->reasons, ElementsAre("2026-02-20 has rows and was never closed."));
  world.Close(kDay - 10);
  EXPECT_FALSE(world.run_->Gate()->open);
  ASSERT_THAT(world.run_->Explain("capture:stray", "ann", "before the batch's time"), IsOk());
  world.Close(kDay - 10);
  EXPECT_TRUE(world.run_->Gate()->open);
}

TEST(Gate, CleanDaysOfLongAgoDoNotKeepItOpen) {
  CleanWorld world;
  world.clock_.Set(Noon(kDay + 2));
  EXPECT_TRUE(world.run_->Gate()->open);
  world.clock_.Set(Noon(kDay + 3) - absl::Hours(12) - absl::Nanoseconds(1));
  EXPECT_TRUE(world.run_->Gate()->open);
  world.clock_.Set(Noon(kDay + 3) - absl::Hours(12));
  EXPECT_THAT(world.run_->Gate()->reasons, ElementsAre(HasSubstr("Nothing was compared since 2026-03-02")));
}

TEST(Gate, RecordsOfAClosedDayThatWereNotFollowedShutIt) {
  CleanWorld world;
  // What the ledger records now is of before the end of that day.
  const absl::CivilDay last(2150, 1, 1);
  world.clock_.Set(Noon(last + 1));
  world.Close(last);
  EXPECT_THAT(world.run_->Gate()->reasons, Not(Contains(HasSubstr("not followed"))));
  world.Apply(Capture("pay_8", 1'00, 0, Noon(last + 1)));
  EXPECT_THAT(world.run_->Gate()->reasons, Contains(HasSubstr("not followed")));
  ASSERT_THAT(world.run_->CatchUp(), IsOk());
  EXPECT_THAT(world.run_->Gate()->reasons, Not(Contains(HasSubstr("not followed"))));
}

TEST(Gate, OfEachDayTheBatchsOwnTotalsMustBeTold) {
  CleanWorld world;
  EXPECT_TRUE(ParallelRunOptions().needs_totals);
  world.options_of_run_.needs_totals = true;
  world.ReopenRun();
  using Totals = std::map<std::string, CountAndSum>;
  EXPECT_THAT(world.run_->Gate()->reasons.front(), "Of 2026-03-02 it was not told what the batch itself counts.");
  for (const absl::CivilDay day : {kDay - 1, kDay}) {
    world.Close(day, {.actor = "ops", .expected = Totals{{"USD/2", {1, 5'00}}}});
  }
  EXPECT_THAT(world.run_->Gate()->reasons, ElementsAre("Of 2026-02-10 it was not told what the batch itself counts."));
  world.Close(kDay - 20, {.actor = "ops", .expected = Totals{{"USD/2", {1, 1'000'000'00}}}});
  EXPECT_TRUE(world.run_->Gate()->open);
  // A day without rows: that the batch has none must be told too.
  world.clock_.Set(Noon(kDay + 2));
  world.Close(kDay + 1);
  EXPECT_FALSE(world.run_->Gate()->open);
  world.Close(kDay + 1, {.actor = "ops", .expected = Totals{}});
  EXPECT_TRUE(world.run_->Gate()->open);
}

TEST(Gate, NobodySignsForDaysThatWereNotCompared) {
  CleanWorld world;
  const auto refused = [](const char* why) { return StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(why)); };
  EXPECT_THAT(world.run_->SignOff(kDay - 2, kDay, "ann", ""), refused("2026-02-28 was not closed"));
  EXPECT_THAT(world.run_->SignOff(kDay, kDay + 1, "ann", ""), refused("2026-03-03 was not closed"));
  EXPECT_THAT(world.run_->SignOff(kDay + 5, kDay + 6, "ann", ""), refused("was not closed"));
  EXPECT_THAT(world.run_->SignOff(kDay, kDay - 1, "ann", ""), refused("no clean day"));
  world.Close(kDay - 2);
  EXPECT_THAT(world.run_->SignOff(kDay - 2, kDay - 2, "ann", ""), refused("no clean day"));
  EXPECT_THAT(world.run_->SignOff(kDay - 2, kDay, "ann", ""), IsOk());
  world.Settle(Capture("stray", 1'00, 0, Noon(kDay - 10)));
  world.Close(kDay - 10);
  ASSERT_THAT(world.run_->Explain("capture:stray", "ann", "before the batch's time"), IsOk());
  world.Close(kDay - 10);
  ASSERT_TRUE(world.run_->Gate()->open);
  EXPECT_THAT(world.run_->SignOff(kDay - 10, kDay - 10, "ann", ""), refused("no canary"));
}

TEST(Gate, ALateRowShutsItAndVoidsTheSignOff) {
  CleanWorld world;
  ASSERT_THAT(world.run_->SignOff(kDay - 1, kDay, "ann", "go"), IsOk());
  RunReport report = *world.run_->Report(kDay - 1, kDay);
  EXPECT_EQ(report.signed_by, "ann");
  EXPECT_EQ(report.note, "go");
  EXPECT_TRUE(report.gate.open);
  EXPECT_EQ(world.run_->Report(kDay, kDay)->signed_by, "");  // of another report
  world.ReopenRun();
  EXPECT_EQ(world.run_->Report(kDay - 1, kDay)->signed_by, "ann");

  world.Ingest({{.ref = "pay_9", .amount = "1.00"}});
  report = *world.run_->Report(kDay - 1, kDay);
  EXPECT_EQ(report.signed_by, "");
  EXPECT_FALSE(report.gate.open);
  EXPECT_EQ(report.unresolved_count, 1);
  EXPECT_THAT(world.run_->SignOff(kDay - 1, kDay, "ann", ""),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("2026-03-02")));
  // Mended and closed again it is to be signed again.
  ASSERT_THAT(world.run_->Explain("capture:pay_9", "ann", "a test of theirs"), IsOk());
  world.clock_.Advance(absl::Minutes(1));
  world.Close(kDay);
  EXPECT_TRUE(world.run_->Gate()->open);
  EXPECT_EQ(world.run_->Report(kDay - 1, kDay)->signed_by, "");
}

}  // namespace
}  // namespace northwind::testing

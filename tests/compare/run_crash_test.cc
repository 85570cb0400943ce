// SPDX-License-Identifier: Apache-2.0
//
// The power is cut at every change of the disk in turn: what was answered is there, and doing all of it again comes to the same.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/compare/run_world.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

std::string Show(const CountAndSum& c) { return absl::StrCat(c.count, "/", FormatUnits(c.sum, 2)); }

// All that can be seen, but for moments.
std::map<std::string, std::string> Look(RunWorld& world) {
  std::map<std::string, std::string> seen;
  for (const Discrepancy& d : world.List()) {
    std::string& text = seen[d.id];
    for (const DiscrepancyClass c : d.classes) absl::StrAppend(&text, std::string(Name(c)), " ");
    absl::StrAppend(&text, std::string(Name(d.state)), " ", d.ours.size(), " ", d.theirs.size(), " ", d.detail);
  }
  const std::vector<DayFigures> days = *world.run_->Days(kDay - 30, kDay + 30);
  for (const DayFigures& day : days) {
    std::string& text = seen[absl::FormatCivilTime(day.day)];
    absl::StrAppend(&text, std::string(Name(day.state)), day.sound ? " sound" : "",
                    day.our_digest == day.their_digest ? " same" : "");
    for (const auto& [asset, sides] : day.assets) {
      for (const Coverage* c : {&sides.ours, &sides.theirs}) {
        absl::StrAppend(&text, " ", asset, " ", Show(c->ingested), " ", Show(c->matched), " ", Show(c->mismatched), " ",
                        Show(c->pending), " ", Show(c->ignored), " ", Show(c->by_northwind));
      }
    }
  }
  return seen;
}

using Step = std::function<absl::Status(RunWorld&)>;

// A day from its first row to its second closing. Two payouts are northwind's: one paid, and one that the batch pays too.
std::vector<Step> Steps() {
  const auto ingest = [](std::string next, std::vector<Line> lines) {
    return [next = std::move(next), lines = std::move(lines)](RunWorld& world) {
      std::vector<RawRow> rows;
      for (const Line& line : lines) rows.push_back(Raw(line));
      const bool there = world.run_->Cursor("batch").value_or("") == next;
      const auto result = world.run_->Ingest("batch", Columns(), rows, next);
      // The cursor comes with the last row, not before.
      EXPECT_EQ(there && result.ok() ? result->new_rows : 0, 0);
      return result.status();
    };
  };
  const auto close = [](RunWorld& world) { return world.run_->CloseDay(kDay, {.actor = "ops"}).status(); };
  return {
      [](RunWorld& world) { return world.run_->FollowOnce(3).status(); },
      [](RunWorld& world) { return world.run_->CatchUp(); },
      ingest("first", {{.row = "1", .ref = "pay_1", .amount = "1.00"},
                       {.row = "2", .ref = "pay_2", .amount = "9.00"},
                       {.row = "2", .ref = "pay_3", .amount = "3.00"},
                       {.row = "4", .ref = "pay_9", .amount = "1.00"},
                       {.row = "5", .ref = "pay_5", .amount = "?"},
                       {.row = "7", .type = "PAY", .ref = "po_2", .amount = "2.00"}}),
      close,
      ingest("second",
             {{.row = "6", .ref = "pay_2", .amount = "2.00"}, {.row = "4", .ref = "pay_4", .amount = "4.10"}}),
      close,
  };
}

void Prepare(RunWorld& world) {
  std::vector<PaymentEvent> events;
  for (uint64_t i = 1; i <= 4; ++i) events.push_back(Capture(absl::StrCat("pay_", i), i * 100));
  for (const std::string id : {"po_1", "po_2"}) {
    events.push_back(OfPayout(EventType::kPayoutRequested, id, Noon(), 200));
    events.push_back(OfPayout(EventType::kPayoutPaid, id, Noon()));
  }
  world.options_of_run_.is_ours = [](Leg, std::string_view, std::string_view) { return true; };
  world.ReopenRun();
  world.Apply(events);
}

void ExpectSameAfterACutAt(uint64_t changes, const std::map<std::string, std::string>& wanted, bool& cut) {
  RunWorld world;
  Prepare(world);
  world.disk_.CutPowerAfter(changes);
  cut = false;
  for (const Step& step : Steps()) {
    if (step(world).ok()) continue;
    ASSERT_TRUE(world.disk_.PowerIsCut());
    ASSERT_FALSE(cut);
    cut = true;
    world.CrashAll();
    world.Check();
    for (const Discrepancy& found : world.List()) EXPECT_THAT(found.id, ::testing::Not(::testing::HasSubstr("canary")));
    ASSERT_THAT(step(world), IsOk());  // what was not answered is done again
  }
  world.Check();
  EXPECT_EQ(Look(world), wanted) << "cut at change " << changes;
}

TEST(Crash, WhereverThePowerIsCutNothingIsLostAndNothingIsThereTwice) {
  RunWorld world;
  Prepare(world);
  for (const Step& step : Steps()) ASSERT_THAT(step(world), IsOk());
  const auto wanted = Look(world);
  EXPECT_EQ(world.Day().assets.at("USD/2").ours.by_northwind, (CountAndSum{1, -200}));
  EXPECT_EQ(world.ClassesOf("payout:po_2"), std::vector{DiscrepancyClass::kDuplicate});
  uint64_t tried = 0;
  bool cut = true;
  for (uint64_t changes = 0; cut && !HasFailure(); changes += TestStride(), ++tried) {
    ExpectSameAfterACutAt(changes, wanted, cut);
  }
  EXPECT_GT(tried * TestStride(), 20);
}

TEST(Crash, AMappingThatIsHalfReadIsReadToItsEnd) {
  bool cut = true;
  uint64_t tried = 0;
  for (uint64_t changes = 0; cut && !HasFailure(); changes += TestStride(), ++tried) {
    RunWorld world;
    Prepare(world);
    for (const Step& step : Steps()) ASSERT_THAT(step(world), IsOk());
    world.run_.reset();
    world.options_of_run_.mapping.time_zone = "Pacific/Kiritimati";
    world.options_of_run_.mapping.amount_form = LegacyAmountForm::kMinorUnits;  // nothing can be read any more
    world.disk_.CutPowerAfter(changes);
    auto run = ParallelRun::Open(*world.ledger_, *world.store_, world.options_of_run_);
    cut = world.disk_.PowerIsCut();
    if (run.ok()) world.run_ = *std::move(run);
    world.CrashAll();
    world.Check();
    EXPECT_EQ(world.Day(kDay + 1).assets.at("USD/2").ours.ingested.count, 6);
    EXPECT_EQ(world.List({.state = DiscrepancyState::kOpen, .first_class = DiscrepancyClass::kUnreadable}).size(), 6);
  }
  EXPECT_GE(tried * TestStride(), 5);
}

}  // namespace
}  // namespace northwind::testing

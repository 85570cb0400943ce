// SPDX-License-Identifier: Apache-2.0
//
// A ramp whose gate is that of a real parallel run, over a real ledger: northwind pays its part, the batch the rest.
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/compare.h"
#include "northwind/cutover.h"
#include "tests/compare/run_world.h"
#include "tests/support/memory_claims.h"

namespace northwind::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kGateDays = 2;
constexpr int kPayoutsADay = 20;
constexpr uint64_t kCents = 50'00;
constexpr auto kNorthwind = SettlementSystem::kNorthwind;

// The cutover is in the ledger's store, the parallel run in one of its own. Northwind claims what it is assigned, as its rail does; the
// batch claims the rest, and has rows of what it claimed alone.
class RampWorld : public IntakeWorld {
 public:
  RampWorld() {
    clock_.Set(Noon(kDay));
    auto engine = internal::Engine::Open({.path = "/kept", .free_space_floor_bytes = 0}, kept_disk_.env());
    EXPECT_THAT(engine, IsOk());
    kept_ = std::make_unique<Store>(*std::move(engine));
    auto cutover = Cutover::Open(*store_, {.salt = "2026-spring", .clock = &clock_});
    EXPECT_THAT(cutover, IsOk());
    cutover_ = *std::move(cutover);
    EXPECT_THAT(cutover_->AddMerchants(Merchants(), "ann"), IsOk());
    OpenRun(NorthwindPays(*cutover_, claims_));
  }

  void OpenRun(IsOurs is_ours) {
    run_.reset();
    auto run = ParallelRun::Open(
        *ledger_, *kept_,
        {.mapping = BatchMapping(), .clock = &clock_, .gate_days = kGateDays, .is_ours = std::move(is_ours)});
    ASSERT_THAT(run, IsOk());
    run_ = *std::move(run);
  }

  static std::string Merchant(int n) { return absl::StrCat("m", n); }
  static std::vector<std::string> Merchants() {
    std::vector<std::string> all;
    for (int n = 0; n < kPayoutsADay; ++n) all.push_back(Merchant(n));
    return all;
  }
  // Of the day that is next.
  std::string Payout(int n) const { return absl::StrCat("po_", today_.day(), "_", n); }

  // A day of business, one payment and one payout of each merchant; which payouts northwind pays. The clock is on the next day then.
  std::vector<std::string> Business() {
    std::vector<std::string> ours;
    std::vector<PaymentEvent> events;
    lines_.clear();
    const std::string day = absl::FormatCivilTime(today_);
    for (int n = 0; n < kPayoutsADay; ++n) {
      const std::string id = Payout(n);
      const std::vector<RouteRequest> request = {{.id = id, .merchant_id = Merchant(n)}};
      const auto assigned = cutover_->Assign(request);
      EXPECT_THAT(assigned, IsOk());
      if (!assigned.ok()) return {};
      events.push_back(Capture("pay_" + id, 2 * kCents, 0, Noon(today_), Merchant(n)));
      events.push_back(OfPayout(EventType::kPayoutRequested, id, Noon(today_, 5), kCents));
      events.back().merchant_id = Merchant(n);
      const bool northwinds = assigned->front().system == kNorthwind;
      if (const auto ending = northwinds ? our_ending_ : std::optional(EventType::kPayoutPaid)) {
        events.push_back(OfPayout(*ending, id, Noon(today_, 5)));
        events.back().merchant_id = Merchant(n);
      }
      lines_.push_back({.ref = "pay_" + id, .merchant = Merchant(n), .amount = "100.00", .day = day});
      if (northwinds) {
        if (our_claims_) {
          EXPECT_EQ(claims_.ClaimForNorthwind(id), ClaimVerdict::kClaimed);
        }
        ours.push_back(id);
      } else {
        EXPECT_EQ(claims_.ClaimForBatch(id), ClaimVerdict::kClaimed);
        lines_.push_back(PayLine(n));
      }
    }
    for (const EventOutcome& outcome : Apply(events).outcomes) EXPECT_EQ(outcome.status, EventStatus::kApplied);
    clock_.Set(Noon(today_ + 1));
    return ours;
  }
  Line PayLine(int n) const {
    return {.type = "PAY",
            .ref = Payout(n),
            .merchant = Merchant(n),
            .amount = "50.00",
            .day = absl::FormatCivilTime(today_)};
  }

  absl::StatusOr<DayFigures> Close() {
    EXPECT_THAT(run_->CatchUp(), IsOk());
    std::vector<RawRow> rows;
    absl::int128 sum = 0;
    for (const Line& line : lines_) {
      rows.push_back(Raw(line));
      sum += line.type == "PAY" ? -absl::int128(kCents) : absl::int128(2 * kCents);
    }
    EXPECT_THAT(run_->Ingest("batch", Columns(), rows).status(), IsOk());
    return run_->CloseDay(
        today_, {.actor = "ops", .expected = std::map<std::string, CountAndSum>{{"USD/2", {lines_.size(), sum}}}});
  }
  // A whole day, which the batch and northwind share; what was closed.
  DayFigures WholeDay(std::vector<std::string>* ours = nullptr) {
    std::vector<std::string> paid = Business();
    if (ours != nullptr) *ours = std::move(paid);
    auto figures = Close();
    EXPECT_THAT(figures, IsOk());
    Check();
    ++today_;
    return figures.ok() ? *std::move(figures) : DayFigures{};
  }

  GateStatus Gate() {
    auto gate = run_->Gate();
    EXPECT_THAT(gate, IsOk());
    return gate.value_or(GateStatus{});
  }
  std::vector<DiscrepancyClass> ClassesOf(const std::string& id) {
    const auto found = run_->GetDiscrepancy(id);
    return found.ok() && found->state != DiscrepancyState::kResolved ? found->classes : std::vector<DiscrepancyClass>{};
  }

  // Both stores.
  void Check() {
    ExpectInvariants(*ledger_);
    auto days = run_->Days(kDay, kDay + 30);
    ASSERT_THAT(days, IsOk());
    for (const DayFigures& day : *days) {
      for (const auto& [asset, sides] : day.assets) {
        EXPECT_TRUE(sides.ours.holds() && sides.theirs.holds()) << absl::FormatCivilTime(day.day) << " " << asset;
      }
    }
    EXPECT_THAT(run_->Verify(), IsOk());
  }

  FakeClock clock_;
  FaultFs kept_disk_{7};
  std::unique_ptr<Store> kept_;
  MemoryClaims claims_;
  std::unique_ptr<Cutover> cutover_;
  std::unique_ptr<ParallelRun> run_;
  absl::CivilDay today_ = kDay;
  // What becomes of northwind's payouts on their day; nothing: they stay open. And whether it claims them.
  std::optional<EventType> our_ending_ = EventType::kPayoutPaid;
  bool our_claims_ = true;
  std::vector<Line> lines_;  // of the batch, of the day
};

TEST(RampGate, StaysOpenWhileNorthwindPaysItsPart) {
  RampWorld world;
  for (int day = 0; day < kGateDays; ++day) EXPECT_TRUE(world.WholeDay().clean());
  ASSERT_THAT(world.cutover_->Raise(*world.run_, "ann", "two clean days"), IsOk());
  // Which merchants move is the salt's: one has to, for there to be something to see.
  ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
  for (const uint32_t stage : {500U, 2'500U, 10'000U}) {
    ASSERT_EQ(world.cutover_->Status().threshold, stage);
    for (int day = 0; day < kGateDays; ++day) {
      std::vector<std::string> ours;
      const DayFigures figures = world.WholeDay(&ours);
      EXPECT_TRUE(figures.clean()) << stage;
      ASSERT_FALSE(ours.empty());
      EXPECT_EQ(ours.size() == kPayoutsADay, stage == kBasisPoints);
      const Coverage& coverage = figures.assets.at("USD/2").ours;
      EXPECT_EQ(coverage.by_northwind, (CountAndSum{ours.size(), -absl::int128(ours.size() * kCents)}));
      EXPECT_EQ(coverage.ignored, coverage.by_northwind);
      EXPECT_EQ(coverage.matched.count, 2 * kPayoutsADay - ours.size());
      EXPECT_EQ(figures.our_digest, figures.their_digest) << "what the batch rightly has not is no part of either";
    }
    EXPECT_THAT(world.Gate().reasons, IsEmpty()) << stage;
    if (stage == kBasisPoints) break;
    ASSERT_THAT(world.cutover_->Raise(*world.run_, "ann", "still clean"), IsOk());
  }
}

TEST(RampGate, ShutsWhenTheBatchPaysWhatIsNorthwindsToo) {
  RampWorld world;
  ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
  for (int day = 0; day < kGateDays; ++day) EXPECT_TRUE(world.WholeDay().clean());
  ASSERT_THAT(world.Business(), ElementsAre(world.Payout(3)));
  world.lines_.push_back(world.PayLine(3));
  const std::string id = "payout:" + world.Payout(3);
  const auto figures = world.Close();
  ASSERT_THAT(figures, IsOk());
  EXPECT_FALSE(figures->clean());
  EXPECT_THAT(world.ClassesOf(id), ElementsAre(DiscrepancyClass::kDuplicate));
  EXPECT_THAT(world.run_->GetDiscrepancy(id)->detail, HasSubstr("northwind's to pay, and there too: -50.00 USD of m3"));
  EXPECT_THAT(world.Gate().reasons, Contains(HasSubstr("has 1 discrepancy open")));
  EXPECT_THAT(world.cutover_->Raise(*world.run_, "ann", "no"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("has 1 discrepancy open")));
  world.Check();
}

TEST(RampGate, ARowOfTheBatchThatComesAfterTheClosingIsSeenAtOnce) {
  RampWorld world;
  ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
  ASSERT_THAT(world.Business(), ElementsAre(world.Payout(3)));
  ASSERT_TRUE(world.Close()->clean());
  const std::vector<RawRow> late = {Raw(world.PayLine(3))};
  ASSERT_THAT(world.run_->Ingest("batch", Columns(), late).status(), IsOk());
  EXPECT_THAT(world.ClassesOf("payout:" + world.Payout(3)), ElementsAre(DiscrepancyClass::kDuplicate));
  EXPECT_FALSE(world.Gate().open);
  world.Check();
}

TEST(RampGate, ShutsWhenNorthwindDoesNotPayWhatIsItsOwn) {
  for (const auto ending : {std::optional<EventType>(), std::optional(EventType::kPayoutFailed),
                            std::optional(EventType::kPayoutCanceled)}) {
    RampWorld world;
    ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
    for (int day = 0; day < kGateDays; ++day) EXPECT_TRUE(world.WholeDay().clean());
    ASSERT_TRUE(world.Gate().open);
    world.our_ending_ = ending;
    const std::string id = world.Payout(3);
    const DayFigures figures = world.WholeDay();
    EXPECT_FALSE(figures.clean());
    EXPECT_EQ(figures.assets.at("USD/2").ours.by_northwind.count, 0U);
    EXPECT_THAT(world.ClassesOf("payout:" + id), ElementsAre(DiscrepancyClass::kMissingThere));
    const auto found = world.run_->GetDiscrepancy("payout:" + id);
    ASSERT_THAT(found, IsOk());
    EXPECT_THAT(found->detail, HasSubstr("northwind's to pay, and not paid: -50.00"));
    EXPECT_FALSE(world.Gate().open);
  }
}

TEST(RampGate, WhatIsPaidLateIsCleanOnceItsDayIsClosedAgain) {
  RampWorld world;
  ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
  world.our_ending_ = std::nullopt;
  const std::string id = world.Payout(3);
  world.Business();
  EXPECT_FALSE(world.Close()->clean());
  PaymentEvent paid = OfPayout(EventType::kPayoutPaid, id, Noon(world.today_, 9));
  paid.merchant_id = "m3";
  EXPECT_EQ(world.Apply(paid).status, EventStatus::kApplied);
  const auto again = world.Close();
  ASSERT_THAT(again, IsOk());
  EXPECT_TRUE(again->clean());
  EXPECT_EQ(again->assets.at("USD/2").ours.by_northwind, (CountAndSum{1, -absl::int128(kCents)}));
  world.Check();
}

TEST(RampGate, ARowOfTheBatchThatSaysFailedPaysNobody) {
  RampWorld world;
  ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
  ASSERT_THAT(world.Business(), ElementsAre(world.Payout(3)));
  world.lines_.push_back(world.PayLine(3));
  world.lines_.back().status = "FAILED";
  ASSERT_THAT(world.Close(), IsOk());
  EXPECT_THAT(world.ClassesOf("payout:" + world.Payout(3)), ElementsAre(DiscrepancyClass::kStatus));
  world.Check();
}

// All of it is settled as northwind's, and then the claim turns out to be the batch's: what it has no row of is missing.
TEST(RampGate, WhatTurnsOutToBeTheBatchsIsLookedAtAgainThoughItWasSettled) {
  RampWorld world;
  ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
  world.our_claims_ = false;
  const std::string id = world.Payout(3);
  world.Business();
  ASSERT_TRUE(world.Close()->clean());
  ASSERT_EQ(world.claims_.ClaimForBatch(id), ClaimVerdict::kClaimed);
  EXPECT_FALSE(world.Close()->clean());
  EXPECT_THAT(world.ClassesOf("payout:" + id), ElementsAre(DiscrepancyClass::kMissingThere));
  world.Check();
}

// The day was closed before; only another closing hears of it.
TEST(RampGate, AfterAHandBackTheDayIsClosedAgainAndTheBatchsRowAgrees) {
  RampWorld world;
  ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
  world.our_ending_ = std::nullopt;
  world.our_claims_ = false;
  const std::string id = world.Payout(3);
  world.Business();
  EXPECT_FALSE(world.Close()->clean()) << "nobody has paid it";
  const auto handed =
      world.cutover_->HandBack(world.claims_, std::vector<std::string>{id}, "ann", "back", world.ledger_.get());
  ASSERT_THAT(handed, IsOk());
  ASSERT_EQ(handed->handed, 1U);
  EXPECT_FALSE(world.Close()->clean()) << "nor has the batch yet";
  EXPECT_THAT(world.ClassesOf("payout:" + id), ElementsAre(DiscrepancyClass::kMissingThere));
  PaymentEvent paid = OfPayout(EventType::kPayoutPaid, id, Noon(world.today_, 9));
  paid.merchant_id = "m3";
  EXPECT_EQ(world.Apply(paid).status, EventStatus::kApplied);
  world.lines_.push_back(world.PayLine(3));
  const auto again = world.Close();
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->assets.at("USD/2").ours.by_northwind.count, 0U);
  EXPECT_THAT(world.ClassesOf("payout:" + id), ::testing::Each(DiscrepancyClass::kLate))
      << "and neither missing nor paid twice";
  world.Check();
}

TEST(RampGate, WhatWasHandedBackIsTheBatchs) {
  RampWorld world;
  ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
  const std::vector<RouteRequest> request = {{.id = world.Payout(3), .merchant_id = "m3"}};
  ASSERT_THAT(world.cutover_->Assign(request), IsOk());
  ASSERT_EQ(world.claims_.ClaimForBatch(world.Payout(3)), ClaimVerdict::kClaimed);
  const IsOurs is_ours = NorthwindPays(*world.cutover_, world.claims_);
  EXPECT_THAT(is_ours(Leg::kPayout, world.Payout(3), "m3"), IsOkAndHolds(false));
  EXPECT_THAT(is_ours(Leg::kCapture, world.Payout(3), "m3"), IsOkAndHolds(false));
  EXPECT_THAT(is_ours(Leg::kPayout, "po_of_nobody", "m3"), IsOkAndHolds(false));
}

TEST(RampGate, WhenItCannotBeToldWhoPaysTheDayIsToBeClosedAgain) {
  RampWorld world;
  ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
  world.Business();
  world.claims_.set_down(true);
  EXPECT_THAT(world.Close(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("who pays payout:po_")));
  EXPECT_FALSE(world.Gate().open);
  EXPECT_THAT(world.run_->Verify(), IsOk());
  world.claims_.set_down(false);
  EXPECT_TRUE(world.Close()->clean());
  world.Check();
}

TEST(RampGate, AnAnswerThatComesLateMendsTheDayWhenItIsClosedAgain) {
  RampWorld world;
  ASSERT_THAT(world.cutover_->SetOverride("m3", Override::kAllow, "ann", "the first"), IsOk());
  world.Business();
  const std::string id = "payout:" + world.Payout(3);
  world.OpenRun([](Leg, std::string_view, std::string_view) { return false; });
  EXPECT_FALSE(world.Close()->clean());
  EXPECT_THAT(world.ClassesOf(id), ElementsAre(DiscrepancyClass::kMissingThere));
  world.OpenRun(NorthwindPays(*world.cutover_, world.claims_));
  const auto mended = world.Close();
  ASSERT_THAT(mended, IsOk());
  EXPECT_TRUE(mended->clean());
  EXPECT_EQ(mended->assets.at("USD/2").ours.by_northwind.count, 1U);
  world.Check();
  // And what was answered is kept, whoever is asked no more.
  world.OpenRun(nullptr);
  EXPECT_TRUE(world.Close()->clean());
  world.Check();
}

}  // namespace
}  // namespace northwind::testing

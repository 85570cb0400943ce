// SPDX-License-Identifier: Apache-2.0
//
// Payouts on a store, a ledger and a scheduler, one step at a time, at a rail that answers what it is told to.
#ifndef NORTHWIND_TESTS_SETTLEMENT_PAYOUT_FIXTURE_H_
#define NORTHWIND_TESTS_SETTLEMENT_PAYOUT_FIXTURE_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/payout.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/fake_clock.h"
#include "tests/support/invariants.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {

// Answers what it is told to, and remembers what it was asked.
class ScriptedRail final : public PayoutRail {
 public:
  RailAnswer Submit(const PayoutInstruction& payout) override { return Call("submit", payout); }
  RailAnswer Query(const PayoutInstruction& payout) override { return Call("query", payout); }

  std::deque<RailAnswer> answers;  // kPaid when there are no more
  std::vector<std::string> calls;  // "submit po1 300 USD/2"
  std::vector<std::string> keys;
  std::function<void()> during;  // runs within the next call

 private:
  RailAnswer Call(const std::string& what, const PayoutInstruction& payout) {
    calls.push_back(what + " " + payout.payout_id + " " + payout.amount.ToString(0) + " " + payout.asset.ToString());
    keys.push_back(payout.provider_key);
    if (during) std::exchange(during, nullptr)();
    if (answers.empty()) return {.state = RailState::kPaid};
    RailAnswer answer = answers.front();
    answers.pop_front();
    return answer;
  }
};

class PayoutTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void TearDown() override {
    if (ledger_ != nullptr && !HasFatalFailure()) ExpectInvariants(*ledger_);
  }
  void Open() {
    NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    LedgerOptions ledger_options;
    ledger_options.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(ledger_, Ledger::Open(*store_, ledger_options));
    SchedulerOptions scheduler_options;
    scheduler_options.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_, scheduler_options));
    NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger_, *store_));
    OpenPayouts();
  }
  void OpenPayouts() {
    PayoutOptions options;
    options.clock = &clock_;
    options.policy.jitter = Jitter::kNone;
    NW_ASSERT_OK_AND_ASSIGN(payouts_, Payouts::Open({*ledger_, *store_, *scheduler_, *intake_, rail_}, options));
  }
  void Shut() {
    payouts_.reset();
    intake_.reset();
    scheduler_.reset();
    ledger_.reset();
    store_.reset();
  }
  EventOutcome Apply(const PaymentEvent& event) {
    const auto result = intake_->Apply(std::vector<PaymentEvent>{event});
    EXPECT_THAT(result, IsOk());
    return result.ok() ? result->outcomes[0] : EventOutcome();
  }
  // A payment and a payout of some of it.
  void Request(const std::string& payout = "po1", uint64_t cents = 300, int64_t at = 1,
               const std::string& merchant = "m1") {
    Apply(Captured("pay_" + payout, 1000, 0, merchant));
    PaymentEvent request = OfPayout(EventType::kPayoutRequested, payout, at, cents);
    request.merchant_id = merchant;
    EXPECT_EQ(Apply(request).status, EventStatus::kApplied);
  }
  void Follow() {
    clock_.Advance(absl::Milliseconds(1));
    while (true) {
      const auto followed = payouts_->FollowOnce();
      ASSERT_THAT(followed, IsOk());
      if (*followed == 0) return;
    }
  }
  size_t Work() {
    const auto worked = payouts_->WorkOnce();
    EXPECT_THAT(worked, IsOk());
    return worked.value_or(0);
  }
  Payout Get(const std::string& id = "po1") {
    const auto payout = payouts_->GetPayout(id);
    EXPECT_THAT(payout, IsOk());
    return payout.value_or(Payout());
  }
  Totals Merchant(const std::string& merchant = "m1") {
    return *ledger_->Balance(*ledger_->FindAccount("merchant:" + merchant + ":available:USD/2"));
  }

  TempDir directory_;
  FakeClock clock_{At(100)};
  ScriptedRail rail_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Payouts> payouts_;
};

inline std::vector<std::string> TimelineOf(const Payout& payout) {
  std::vector<std::string> lines;
  for (const PayoutMoment& moment : payout.timeline) {
    lines.push_back(moment.what + (moment.detail.empty() ? "" : " " + moment.detail));
  }
  return lines;
}

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SETTLEMENT_PAYOUT_FIXTURE_H_

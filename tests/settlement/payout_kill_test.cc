// SPDX-License-Identifier: Apache-2.0
//
// Payouts in a process that is killed again and again, at a bank that outlives it. NORTHWIND_TEST_PAYOUTS and NORTHWIND_TEST_KILLS set how
// many of each.
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "examples/simulated_rail/rail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/payout.h"
#include "src/settlement/payout_record.h"
#include "src/store/engine.h"
#include "tests/support/child_process.h"
#include "tests/support/invariants.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

class PayoutKill : public ::testing::Test {
 protected:
  // Kills the child so many times, and does that each time, then lets it come to an end.
  void RunAndKill(
      uint64_t payouts, uint64_t kills, bool honours_keys, const std::function<void()>& then = [] {}) {
    Random random(seed_);
    for (uint64_t kill = 0;; ++kill) {
      ChildProcess child({NORTHWIND_PAYOUT_CHILD, directory_.path(), std::to_string(payouts),
                          std::to_string(seed_ >> 1), honours_keys ? "1" : "0"});
      std::string said;
      const bool last = kill >= kills;
      const auto delay = std::chrono::microseconds(random.Below(60'000));
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(240);
      while (said.empty()) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the child does nothing";
        ASSERT_TRUE(child.Read(said, 50)) << "the child ended by itself with " << child.Wait();
      }
      const auto moment = std::chrono::steady_clock::now() + delay;
      while (said.back() != 'd' && (last || std::chrono::steady_clock::now() < moment)) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the payouts do not come to an end";
        ASSERT_TRUE(child.Read(said, last ? 50 : 1)) << "the child ended by itself with " << child.Wait();
      }
      if (last) {
        ASSERT_EQ(child.Wait(), 0);
        return;
      }
      if (said.back() == 'd') continue;
      child.Kill();
      child.Wait();
      ++killed_;
      ASSERT_NO_FATAL_FAILURE(then());
    }
  }

  void Check(uint64_t count, bool all_settled) {
    NW_ASSERT_OK_AND_ASSIGN(const auto books, examples::SimulatedRail::ReadBooks(directory_ / "rail"));
    EXPECT_EQ(books.most_executions(), 1U) << "paid twice";
    NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
    NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(*store));
    NW_ASSERT_OK_AND_ASSIGN(auto intake, Intake::Open(*ledger, *store));
    NW_ASSERT_OK_AND_ASSIGN(auto rail, examples::SimulatedRail::Open(directory_ / "rail"));
    NW_ASSERT_OK_AND_ASSIGN(auto payouts, Payouts::Open({*ledger, *store, *scheduler, *intake, *rail}));
    uint64_t paid = 0, failed = 0, open = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const auto payout = payouts->GetPayout("po" + std::to_string(i));
      ASSERT_THAT(payout, IsOk());
      ASSERT_EQ(payout->attention, "") << payout->payout_id;
      const bool executed = books.executions.contains(payout->provider_key);
      if (payout->state == PayoutState::kSubmitted) {
        ++open;
        ASSERT_TRUE(payout->next_attempt.has_value()) << payout->payout_id << " is open, and nobody asks about it";
        continue;
      }
      ASSERT_EQ(executed, payout->state == PayoutState::kPaid) << payout->payout_id;
      ASSERT_TRUE(executed || payout->state == PayoutState::kFailed) << Name(payout->state);
      ++(executed ? paid : failed);
    }
    const Totals clearing = *ledger->Balance(*ledger->FindAccount("bank:clearing:USD/2"));
    if (all_settled) {
      EXPECT_EQ(open, 0U);
      EXPECT_EQ(clearing.credits_posted, books.totals.at("USD/2")) << "the rail and the ledger agree to the cent";
      EXPECT_EQ(clearing.credits_held, 0U);
    }
    std::printf("%llu kills; %llu payouts paid, %llu failed, %llu open; the rail got %llu keys\n",
                static_cast<unsigned long long>(killed_), static_cast<unsigned long long>(paid),
                static_cast<unsigned long long>(failed), static_cast<unsigned long long>(open),
                static_cast<unsigned long long>(books.submissions.size()));
    EXPECT_THAT(ledger->Verify(), IsOk());
    ExpectBooksBalance(*ledger);
  }

  TempDir directory_;
  const uint64_t seed_ = TestSeed();
  uint64_t killed_ = 0;
};

TEST_F(PayoutKill, EveryPayoutEndsOnceAndTheRailAgreesToTheCent) {
  const uint64_t payouts = TestOps(5000, "NORTHWIND_TEST_PAYOUTS");
  ASSERT_NO_FATAL_FAILURE(RunAndKill(payouts, TestOps(30, "NORTHWIND_TEST_KILLS"), true));
  ASSERT_NO_FATAL_FAILURE(Check(payouts, true));
}

TEST_F(PayoutKill, AtARailThatPaysEverySubmissionNoneIsMadeTwice) {
  constexpr uint64_t kPayouts = 1000;
  ASSERT_NO_FATAL_FAILURE(RunAndKill(kPayouts, 10, false));
  ASSERT_NO_FATAL_FAILURE(Check(kPayouts, false));
}

// While the process is away, records of some payouts are changed and lost. Those end as dead letters or are done already; nobody's else waits;
// and, redriven, they end as the rail knows them.
TEST_F(PayoutKill, DamagedOnesAreSetAsideAndAllOthersEnd) {
  constexpr uint64_t kPayouts = 1000;
  Random random(seed_ + 1);
  std::set<std::string> touched, damaged;
  ASSERT_NO_FATAL_FAILURE(RunAndKill(kPayouts, 15, true, [&] {
    NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    internal::WriteSet writes;
    for (int i = 0; i < 20; ++i) {
      const std::string id = "po" + std::to_string(random.Below(kPayouts));
      if (!touched.insert(id).second) continue;  // once only: what is set aside and damaged again is set aside again
      // Nothing that damage could not have done: neither is there before it was written.
      for (const std::string& key : {internal::PayoutRailKey(id), internal::PayoutViewKey(id)}) {
        NW_ASSERT_OK_AND_ASSIGN(const auto bytes, store->Get(key));
        if (!bytes.has_value()) continue;
        writes.Put(internal::Space::kHost, key, std::string_view(*bytes).substr(0, random.Below(bytes->size())));
        if (key == internal::PayoutRailKey(id)) damaged.insert(id);
      }
    }
    ASSERT_THAT(store->engine().Write(writes), IsOk());
  }));
  uint64_t dead = 0;
  {
    NW_ASSERT_OK_AND_ASSIGN(auto store, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(auto ledger, Ledger::Open(*store));
    NW_ASSERT_OK_AND_ASSIGN(auto scheduler, Scheduler::Open(*store));
    NW_ASSERT_OK_AND_ASSIGN(auto intake, Intake::Open(*ledger, *store));
    NW_ASSERT_OK_AND_ASSIGN(auto rail, examples::SimulatedRail::Open(directory_ / "rail"));
    NW_ASSERT_OK_AND_ASSIGN(auto payouts, Payouts::Open({*ledger, *store, *scheduler, *intake, *rail}));
    NW_ASSERT_OK_AND_ASSIGN(const DeadPage page,
                            scheduler->ListDead({.queue = "nw/payout"}, std::nullopt, kMaxDeadPage));
    std::set<std::string> aside;
    for (const TaskInfo& task : page.tasks) {
      aside.insert(task.id.substr(std::string_view("nw/payout/").size()));
      EXPECT_THAT(task.last_error, ::testing::StartsWith("set aside, the rail was not called: payout "));
    }
    dead = aside.size();
    uint64_t held = 0;
    for (uint64_t i = 0; i < kPayouts; ++i) {
      NW_ASSERT_OK_AND_ASSIGN(const Payout payout, payouts->GetPayout("po" + std::to_string(i)));
      if (aside.contains(payout.payout_id)) {
        EXPECT_TRUE(damaged.contains(payout.payout_id)) << payout.payout_id;
        EXPECT_THAT(payout.attention, ::testing::HasSubstr("damaged or lost"));
        // Or killed between its event and the end of its task.
        if (payout.state == PayoutState::kSubmitted) held += static_cast<uint64_t>(payout.amount.units());
      } else {
        EXPECT_TRUE(payout.state == PayoutState::kPaid || payout.state == PayoutState::kFailed) << payout.payout_id;
        EXPECT_TRUE(payout.attention.empty() || damaged.contains(payout.payout_id)) << payout.payout_id;
      }
    }
    EXPECT_EQ(ledger->Balance(*ledger->FindAccount("bank:clearing:USD/2"))->credits_held, held);
    ExpectInvariants(*ledger);
    NW_ASSERT_OK_AND_ASSIGN(const auto books, examples::SimulatedRail::ReadBooks(directory_ / "rail"));
    EXPECT_EQ(books.most_executions(), 1U) << "paid twice";
    ASSERT_THAT(scheduler->RedriveAll({.queue = "nw/payout"}), IsOkAndHolds(dead));
    // Records of those that had ended already stay as they are, and say so; they are none of this test's end.
    internal::WriteSet writes;
    for (const std::string& id : damaged) {
      if (!aside.contains(id)) writes.Delete(internal::Space::kHost, internal::PayoutRailKey(id));
    }
    ASSERT_THAT(store->engine().Write(writes), IsOk());
  }
  std::printf("%zu were damaged, %llu of them set aside\n", damaged.size(), static_cast<unsigned long long>(dead));
  ASSERT_NO_FATAL_FAILURE(RunAndKill(kPayouts, 0, true));
  ASSERT_NO_FATAL_FAILURE(Check(kPayouts, true));
}

}  // namespace
}  // namespace northwind::testing

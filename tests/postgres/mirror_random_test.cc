// SPDX-License-Identifier: Apache-2.0
//
// Random histories, mirrored by random mirrors: every kind of transaction, targets that are not there, expiries, changed accounts and
// settlement's events; in batches of any size, by arrays and by COPY, stopped and started at any moment. The rows are those that the
// journal alone tells, whenever one looks.
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/postgres/followed_fixture.h"
#include "tests/support/model.h"
#include "tests/support/seed.h"
#include "tests/support/workload.h"

namespace northwind::testing {
namespace {

constexpr int kMerchants = 4;

class MirrorRandom : public FollowedFixture {
 protected:
  void Run(const Profile& profile, uint64_t usual) {
    const uint64_t operations = TestOps(usual);
    Workload workload(profile, model_, random_);
    ASSERT_NO_FATAL_FAILURE(OpenAccounts(workload, profile.accounts));
    while (operations_ < operations) {
      ++steps_;
      SCOPED_TRACE(absl::StrCat("step ", steps_, ", operation ", operations_));
      ASSERT_NO_FATAL_FAILURE(Step(workload, profile));
      ASSERT_NO_FATAL_FAILURE(MirrorStep());
    }
    ASSERT_NO_FATAL_FAILURE(CatchUp());
    ASSERT_NO_FATAL_FAILURE(Look());
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());  // once more from the first row on
    std::printf(
        "%s: %llu transactions, %llu postings, %llu rejections, %llu holds, %llu payouts; %llu mirrors, looked at %llu "
        "times\n",
        profile.name.c_str(), static_cast<unsigned long long>(rows_.transactions()),
        static_cast<unsigned long long>(rows_.postings()), static_cast<unsigned long long>(rows_.rejections()),
        static_cast<unsigned long long>(rows_.holds()), static_cast<unsigned long long>(rows_.payouts()),
        static_cast<unsigned long long>(mirrors_), static_cast<unsigned long long>(looks_));
    EXPECT_GT(rows_.transactions(), 0U);
    EXPECT_GT(rows_.holds(), 0U);
    EXPECT_GT(rows_.payouts(), 0U);
  }

 private:
  // ---- The ledger -----------------------------------------------------------------------------------------

  // The model is there for the workload, which aims at what exists: the ledger is not held against it, and takes events beside it. So
  // all accounts of the workload come first, where their numbers are the same in both.
  void OpenAccounts(Workload& workload, size_t count) {
    std::vector<AccountSpec> specs = {{.name = "world", .asset = "USD/2", .external = true},
                                      {.name = "alice", .asset = "USD/2"},
                                      {.name = "bob", .asset = "USD/2"}};
    ASSERT_THAT(model_.OpenAccounts(specs, clock_.Now()), IsOk());
    // Where money comes from in the workload's other assets.
    specs = {{.name = "outside:eur", .asset = "EUR/2", .external = true},
             {.name = "outside:jpy", .asset = "JPY/0", .external = true}};
    while (model_.account_count() < count + 2) {
      const auto expected = model_.OpenAccounts(specs, clock_.Now());
      const auto opened = ledger_->OpenAccounts(specs);
      ASSERT_EQ(opened.ok(), expected.ok()) << opened.status();
      if (opened.ok()) {
        ASSERT_EQ(*opened, *expected);
      }
      specs = {workload.NextAccount()};
    }
  }

  void Step(Workload& workload, const Profile& profile) {
    clock_.Advance(absl::Nanoseconds(random_.Between(0, 2'000'000'000)));
    if (random_.OneIn(20)) clock_.Advance(absl::Hours(random_.Between(1, 500)));  // another month, now and then
    const uint64_t draw = random_.Below(100);
    if (draw < 3) return ReopenLedger();
    if (draw < 6) {
      ASSERT_THAT(ledger_->ExpireHolds(), IsOk());
      model_.ExpireHolds(clock_.Now());
    } else if (draw < 35) {
      ASSERT_NO_FATAL_FAILURE(ApplyEvents());
    } else if (random_.Percent(profile.account_change)) {
      ChangeAccount(workload);
    } else {
      const std::vector<Transaction> batch = workload.NextBatch(clock_.Now());
      operations_ += batch.size();
      model_.Commit(batch, {}, clock_.Now());
      ASSERT_THAT(ledger_->Commit(batch), IsOk());
    }
  }

  void ReopenLedger() {
    mirror_.reset();
    intake_.reset();
    Reopen();
    NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger_, *store_));
  }

  // Errors are as good as answers: nothing is in the journal then.
  void ChangeAccount(Workload& workload) {
    ++operations_;
    const AccountId id = workload.AnyAccount();
    switch (random_.Below(6)) {
      case 0:
        (void)ledger_->Freeze(id), (void)model_.Freeze(id, clock_.Now());
        return;
      case 1:
      case 2:
        (void)ledger_->Unfreeze(id), (void)model_.Unfreeze(id, clock_.Now());
        return;
      case 3:
        if (random_.OneIn(10)) (void)ledger_->CloseAccount(id), (void)model_.CloseAccount(id, clock_.Now());
        return;
      case 4: {
        const absl::int128 limit = -random_.Between(-5, 60);
        (void)ledger_->SetMinAvailable(id, limit), (void)model_.SetMinAvailable(id, limit, clock_.Now());
        return;
      }
      default:
        OpenAccount({.name = absl::StrCat("late:", steps_), .asset = "EUR/2", .external = random_.OneIn(2)});
        return;
    }
  }

  void ApplyEvents() {
    std::vector<PaymentEvent> events;
    for (uint64_t n = 1 + random_.Below(12); n > 0; --n) events.push_back(NextEvent());
    operations_ += events.size();
    ASSERT_NO_FATAL_FAILURE(Apply(events));
  }
  // Of a payment or payout that was, is, or may come later; most are possible.
  PaymentEvent NextEvent() {
    ++seconds_;
    const auto any = [this](const char* what, uint64_t& count, PaymentEvent event, std::string PaymentEvent::*id,
                            bool fresh) {
      const uint64_t number = fresh ? ++count : 1 + random_.Below(count + 1);
      event.*id = absl::StrCat(what, number);
      event.merchant_id = absl::StrCat("m", number % kMerchants);
      return event;
    };
    const auto payment = [&](PaymentEvent event, bool fresh = false) {
      return any("p", payments_, std::move(event), &PaymentEvent::payment_id, fresh);
    };
    const auto payout = [&](PaymentEvent event, bool fresh = false) {
      return any("po", payouts_, std::move(event), &PaymentEvent::payout_id, fresh);
    };
    const uint64_t cents = 1 + random_.Below(2'000), less = random_.OneIn(2) ? 0 : 1 + random_.Below(800);
    switch (random_.Below(16)) {
      case 0:
        return payment(Refunded("", cents, seconds_, absl::StrCat("r", seconds_)));
      case 1:
        return payment(OfPayment(EventType::kDisputeOpened, "", seconds_, cents));
      case 2:
        return payment(OfPayment(EventType::kDisputeLost, "", seconds_, less));
      case 3:
        return payment(OfPayment(EventType::kDisputeWon, "", seconds_));
      case 4:
        return payment(Adjusted("", cents, AdjustmentDirection::kCredit, seconds_), /*fresh=*/true);
      case 5:
      case 6:
      case 7:
        return payout(OfPayout(EventType::kPayoutRequested, "", seconds_, cents), /*fresh=*/true);
      case 8:
      case 9:
        return payout(OfPayout(EventType::kPayoutPaid, "", seconds_, less));
      case 10:
        return payout(OfPayout(EventType::kPayoutFailed, "", seconds_));
      case 11:
        return payout(OfPayout(EventType::kPayoutCanceled, "", seconds_));
      case 12:
        return payout(OfPayout(EventType::kPayoutReturned, "", seconds_, less));
      default:
        return payment(Captured("", cents + 500, random_.Below(20)), /*fresh=*/true);
    }
  }

  // ---- The mirror -----------------------------------------------------------------------------------------

  void MirrorStep() {
    if (mirror_ == nullptr) {
      if (random_.OneIn(3)) return StartAnyMirror();
    } else if (random_.OneIn(8)) {
      mirror_.reset();  // whatever it is at
    } else if (random_.OneIn(8)) {
      mirror_->Stop();
      ASSERT_THAT(mirror_->Start(), IsOk());
    } else if (random_.OneIn(4)) {
      ASSERT_NO_FATAL_FAILURE(CatchUp());
    }
    if (random_.OneIn(4)) {
      ASSERT_NO_FATAL_FAILURE(Look());
    }
  }
  void StartAnyMirror() {
    ++mirrors_;
    mirror_options_.batch = random_.Pick<size_t>({1, 2, 17, 100, 1'000, kMaxJournalPage});
    mirror_options_.backfill_lag = random_.Pick<uint64_t>({0, 10, 100, UINT64_MAX});
    mirror_options_.cached_accounts = random_.Pick<size_t>({0, 1, 5, 100'000});
    ASSERT_NO_FATAL_FAILURE(StartMirror());
  }
  // What is there at this moment, beside a mirror that goes on; rows that were compared before are counted only.
  void Look() {
    ++looks_;
    PostgresSession sql(PostgresServer::Shared().Connection(database_));
    sql.Run("SET search_path = northwind; BEGIN ISOLATION LEVEL REPEATABLE READ");
    const Sequence watermark(std::stoull(sql.Value("SELECT sequence FROM watermark")));
    ASSERT_GE(watermark, rows_.end());
    ASSERT_NO_FATAL_FAILURE(rows_.ReadAndCompare(*ledger_, watermark, sql));
  }

  Random random_{TestSeed()};
  Model model_;
  JournalRows rows_;
  uint64_t operations_ = 0;
  uint64_t steps_ = 0;
  uint64_t mirrors_ = 0;
  uint64_t looks_ = 0;
  uint64_t payments_ = 0;
  uint64_t payouts_ = 0;
  int64_t seconds_ = 0;
};

TEST_F(MirrorRandom, EverydayMix) { Run({.name = "everyday", .account_change = 8}, 5'000); }

TEST_F(MirrorRandom, HoldsThatAreCapturedReleasedAndRunOut) {
  Run({.name = "holds", .post = 25, .hold = 35, .capture = 25, .release = 10, .reverse = 5, .expiring = 70}, 5'000);
}

TEST_F(MirrorRandom, ReversalsInPartAndInWhole) {
  Run({.name = "reversals", .post = 30, .hold = 10, .capture = 10, .release = 2, .reverse = 48, .max_amount = 9},
      5'000);
}

TEST_F(MirrorRandom, AmountsNearTheLargest) {
  Run({.name = "huge", .accounts = 16, .conflict = 3, .huge_amount = 30}, 4'000);
}

TEST_F(MirrorRandom, AccountsThatAreFrozenLimitedAndClosed) {
  Run({.name = "accounts", .accounts = 30, .max_batch = 40, .account_change = 30}, 3'000);
}

}  // namespace
}  // namespace northwind::testing

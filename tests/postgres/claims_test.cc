// SPDX-License-Identifier: Apache-2.0
//
// Who is told what, one after the other and all at once.
#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cutover/arbiter_model.h"
#include "tests/postgres/claims_fixture.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

using ::testing::HasSubstr;

constexpr SettlementSystem kBatch = SettlementSystem::kBatch;
constexpr SettlementSystem kNorthwind = SettlementSystem::kNorthwind;

using Claims = ClaimsFixture;

TEST_F(Claims, TheFirstAttemptOwnsItAndEverybodyIsToldSoForEver) {
  EXPECT_THAT(IsFound(*claims_, "po_1"), IsOkAndHolds(false));
  const absl::Time before = absl::Now();
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", kNorthwind, 1, 7)), IsOkAndHolds(ClaimVerdict::kClaimed));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", kNorthwind, 1, 7)), IsOkAndHolds(ClaimVerdict::kClaimed));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", kNorthwind, 2, 8)), IsOkAndHolds(ClaimVerdict::kHeld));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", kBatch, 3, 9)), IsOkAndHolds(ClaimVerdict::kOther));
  // Not even with the token of the other.
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", kBatch, 1, 9)), IsOkAndHolds(ClaimVerdict::kOther));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_2", kBatch, 4)), IsOkAndHolds(ClaimVerdict::kClaimed));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_2", kNorthwind, 5)), IsOkAndHolds(ClaimVerdict::kOther));

  NW_ASSERT_OK_AND_ASSIGN(const auto found, claims_->Find("po_1"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->id, "po_1");
  EXPECT_EQ(found->merchant_id, "m1");
  EXPECT_EQ(found->system, kNorthwind);
  EXPECT_EQ(found->epoch, 7U);
  EXPECT_GE(found->at, before - absl::Seconds(1));
  EXPECT_LE(found->at, absl::Now() + absl::Seconds(1));
}

TEST_F(Claims, BothSidesSpeakTheSameWords) {
  EXPECT_EQ(sql_->Value(ClaimSql("po_1", "batch", 1)), "claimed");
  EXPECT_EQ(sql_->Value(ClaimSql("po_1", "batch", 2)), "held");
  EXPECT_EQ(sql_->Value(ClaimSql("po_1", "northwind", 1)), "other");
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", kBatch, 1)), IsOkAndHolds(ClaimVerdict::kClaimed));
  EXPECT_EQ(sql_->Value("SELECT claim_for_batch('po_2', 'm1', 0, gen_random_uuid())"), "claimed");
  EXPECT_THAT(claims_->Claim(ClaimOf("po_2", kNorthwind, 1)), IsOkAndHolds(ClaimVerdict::kOther));
  EXPECT_EQ(sql_->Value("SELECT publish_epoch(5)"), "5");
  EXPECT_EQ(sql_->Value("SELECT publish_epoch(4)"), "5");
  EXPECT_EQ(sql_->Value(ClaimSql("po_3", "batch", 1, 4)), "stale");
}

TEST_F(Claims, OneIdIsOfOneMerchant) {
  ASSERT_THAT(claims_->Claim(ClaimOf("po_1", kNorthwind, 1)), IsOk());
  for (const SettlementSystem system : {kNorthwind, kBatch}) {
    ClaimRequest other = ClaimOf("po_1", system, 1);
    other.merchant_id = "m2";
    EXPECT_THAT(claims_->Claim(other),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("po_1 is claimed for merchant m1, not m2")));
  }
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", kNorthwind, 1)), IsOkAndHolds(ClaimVerdict::kClaimed));
}

TEST_F(Claims, WhatCannotBeAClaimNeedsNoServerToBeRefused) {
  NW_ASSERT_OK_AND_ASSIGN(const auto claims, PostgresClaims::Open({.connection = "host=/nowhere"}));
  for (const std::string& id : {std::string(), std::string(65, 'a'), std::string("a b"), std::string("é"),
                                std::string("a\0b", 3), std::string("a\n")}) {
    EXPECT_THAT(claims->Claim(ClaimOf(id, kBatch, 1)), StatusIs(absl::StatusCode::kInvalidArgument)) << id;
    EXPECT_THAT(claims->Find(id), StatusIs(absl::StatusCode::kInvalidArgument)) << id;
    ClaimRequest request = ClaimOf("po", kBatch, 1);
    request.merchant_id = id;
    EXPECT_THAT(claims->Claim(request), StatusIs(absl::StatusCode::kInvalidArgument)) << id;
  }
  EXPECT_THAT(claims->Claim(ClaimOf("po", SettlementSystem{3}, 1)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(claims->Claim(ClaimOf("po", kBatch, 1, UINT64_MAX)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(claims->PublishEpoch(UINT64_MAX), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(claims->Claim(ClaimOf("po", kBatch, 1)), StatusIs(absl::StatusCode::kUnavailable));

  EXPECT_THAT(PostgresClaims::Open({}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PostgresClaims::Open({.connection = "x", .schema = "A"}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PostgresClaims::Open({.connection = "x", .statement_timeout = absl::ZeroDuration()}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PostgresClaims::Open({.connection = "x", .connections = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PostgresClaims::Open({.connection = "x", .connections = kMaxClaimConnections + 1}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(Claims, TheServerRefusesWhatCannotBeAClaim) {
  EXPECT_EQ(sql_->Refusal(ClaimSql("a b", "batch", 1)), "23514");
  EXPECT_EQ(sql_->Refusal(ClaimSql("", "batch", 1)), "23514");
  EXPECT_EQ(sql_->Refusal(ClaimSql("po", "both", 1)), "22023");
  EXPECT_EQ(sql_->Refusal(ClaimSql("po", "batch", 1, -1)), "00000");  // stale: nothing is older than 0
  EXPECT_EQ(sql_->Value(ClaimSql("po", "batch", 1, -1)), "stale");
  EXPECT_EQ(sql_->Refusal("SELECT claim('po', 'm1', 'batch', 0, NULL)"), "22023");
  EXPECT_EQ(sql_->Refusal("SELECT claim('po', 'm1', NULL, 0, gen_random_uuid())"), "22023");
  EXPECT_EQ(sql_->Refusal("SELECT publish_epoch(NULL)"), "00000");
  EXPECT_EQ(sql_->Value("SELECT epoch FROM published_epoch"), "0");
  EXPECT_EQ(sql_->Value("SELECT count(*) FROM claims"), "0");
}

TEST_F(Claims, OlderEpochsThanThePublishedOneClaimNothingNew) {
  ASSERT_THAT(claims_->Claim(ClaimOf("po_1", kNorthwind, 1, 4)), IsOkAndHolds(ClaimVerdict::kClaimed));
  ASSERT_THAT(claims_->PublishEpoch(5), IsOk());
  EXPECT_THAT(claims_->PublishedEpoch(), IsOkAndHolds(5U));
  for (const SettlementSystem system : {kNorthwind, kBatch}) {
    EXPECT_THAT(claims_->Claim(ClaimOf("po_2", system, 2, 4)), IsOkAndHolds(ClaimVerdict::kStale));
  }
  EXPECT_THAT(IsFound(*claims_, "po_2"), IsOkAndHolds(false));
  // It never goes back.
  ASSERT_THAT(claims_->PublishEpoch(3), IsOk());
  EXPECT_THAT(claims_->PublishedEpoch(), IsOkAndHolds(5U));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_2", kBatch, 2, 4)), IsOkAndHolds(ClaimVerdict::kStale));
  // What is claimed is told to everybody.
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", kNorthwind, 1, 4)), IsOkAndHolds(ClaimVerdict::kClaimed));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", kNorthwind, 2, 1)), IsOkAndHolds(ClaimVerdict::kHeld));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_1", kBatch, 3, 1)), IsOkAndHolds(ClaimVerdict::kOther));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_2", kBatch, 2, 5)), IsOkAndHolds(ClaimVerdict::kClaimed));
  EXPECT_THAT(claims_->Claim(ClaimOf("po_3", kNorthwind, 2, 6)), IsOkAndHolds(ClaimVerdict::kClaimed));
}

// Two processes of each system, and several threads in each, want all of them.
TEST_F(Claims, BothSystemsRaceAndEachIdHasOneOwnerForGood) {
  constexpr int kIds = 300;
  constexpr int kThreads = 8;
  const uint64_t seed = TestSeed();
  std::vector<std::unique_ptr<PostgresClaims>> processes(4);
  for (auto& process : processes) {
    NW_ASSERT_OK_AND_ASSIGN(process, PostgresClaims::Open(options_));
  }
  std::vector<std::vector<std::pair<int, ClaimVerdict>>> told(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<int> order(kIds);
      for (int i = 0; i < kIds; ++i) order[i] = i;
      std::shuffle(order.begin(), order.end(), std::mt19937_64(seed + t / 2));  // pairs go side by side
      for (const int id : order) {
        const auto verdict = processes[t % 4]->Claim(
            ClaimOf(absl::StrCat("po_", id), t % 2 == 0 ? kBatch : kNorthwind, (t + 1) * 1000 + id));
        ASSERT_THAT(verdict, IsOk());
        told[t].emplace_back(id, *verdict);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::map<int, SettlementSystem> owners;
  for (int t = 0; t < kThreads; ++t) {
    for (const auto& [id, verdict] : told[t]) {
      if (verdict != ClaimVerdict::kClaimed) continue;
      EXPECT_TRUE(owners.emplace(id, t % 2 == 0 ? kBatch : kNorthwind).second) << id << " was claimed twice";
    }
  }
  ASSERT_EQ(owners.size(), size_t{kIds});
  std::set<SettlementSystem> winners;
  for (int t = 0; t < kThreads; ++t) {
    const SettlementSystem system = t % 2 == 0 ? kBatch : kNorthwind;
    for (const auto& [id, verdict] : told[t]) {
      winners.insert(owners[id]);
      if (verdict == ClaimVerdict::kClaimed) continue;
      EXPECT_EQ(verdict, owners[id] == system ? ClaimVerdict::kHeld : ClaimVerdict::kOther) << id;
    }
  }
  for (const auto& [id, owner] : owners) {
    NW_ASSERT_OK_AND_ASSIGN(const auto found, claims_->Find(absl::StrCat("po_", id)));
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->system, owner) << id;
  }
  EXPECT_EQ(winners.size(), 2U) << "no race: one system was always first";
}

// The model that simulations stand on says what PostgreSQL says.
TEST_F(Claims, TheModelAgrees) {
  Random random(TestSeed());
  ArbiterModel model;
  const uint64_t steps = TestOps(2'000);
  for (uint64_t step = 0; step < steps; ++step) {
    const std::string id = absl::StrCat("po_", random.Below(1 + steps / 20));
    if (random.OneIn(30)) {
      const uint64_t epoch = random.Below(2 + step / 100);
      ASSERT_THAT(model.PublishEpoch(epoch), IsOk());
      ASSERT_THAT(claims_->PublishEpoch(epoch), IsOk());
      ASSERT_THAT(claims_->PublishedEpoch(), IsOkAndHolds(model.published()));
    } else if (random.OneIn(4)) {
      NW_ASSERT_OK_AND_ASSIGN(const auto expected, model.Find(id));
      NW_ASSERT_OK_AND_ASSIGN(const auto found, claims_->Find(id));
      ASSERT_EQ(found.has_value(), expected.has_value()) << id;
      if (!expected.has_value()) continue;
      EXPECT_EQ(found->id, expected->id);
      EXPECT_EQ(found->merchant_id, expected->merchant_id);
      EXPECT_EQ(found->system, expected->system);
      EXPECT_EQ(found->epoch, expected->epoch);
    } else {
      ClaimRequest request = ClaimOf(id, random.OneIn(2) ? kBatch : kNorthwind, static_cast<uint32_t>(random.Below(3)),
                                     random.Below(2 + step / 100));
      if (random.OneIn(20)) request.merchant_id = "m2";
      const auto expected = model.Claim(request);
      const auto verdict = claims_->Claim(request);
      ASSERT_EQ(verdict.status().code(), expected.status().code()) << id << " " << verdict.status();
      if (expected.ok()) {
        ASSERT_EQ(Name(*verdict), Name(*expected)) << id;
      }
    }
  }
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
#include "src/webhook/merchant_policies.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/webhook/webhook_policy.h"
#include "tests/support/fault_fs.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::Loss;
using ::northwind::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::StartsWith;

WebhookPolicy Burst(uint32_t burst) { return {.burst = burst}; }

class MerchantPoliciesTest : public ::testing::Test {
 protected:
  MerchantPoliciesTest() {
    store_options_.path = "/db";
    store_options_.free_space_floor_bytes = 0;
    store_options_.write_buffer_bytes = 1 << 20;
    store_options_.block_cache_bytes = 1 << 20;
    EXPECT_THAT(Open(), IsOk());
  }
  ~MerchantPoliciesTest() override { Shut(); }

  absl::Status Open(const WebhookPolicy& otherwise = Burst(1)) {
    if (engine_ == nullptr) {
      NW_ASSIGN_OR_RETURN(engine_, Engine::Open(store_options_, disk_.env()));
    }
    policies_.reset();
    NW_ASSIGN_OR_RETURN(policies_, MerchantPolicies::Open(*engine_, otherwise));
    return absl::OkStatus();
  }
  void Shut() {
    policies_.reset();
    engine_.reset();
  }
  uint32_t BurstOf(const std::string& merchant, std::optional<WebhookPolicy> own = std::nullopt) const {
    return policies_->Of({.merchant_id = merchant, .id = "e", .policy = std::move(own)})->burst;
  }
  void Put(std::string_view key, std::string_view value) {
    WriteSet writes;
    writes.Put(Space::kHost, key, value);
    ASSERT_THAT(engine_->Write(writes), IsOk());
  }

  testing::FaultFs disk_;
  StoreOptions store_options_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<MerchantPolicies> policies_;
};

TEST_F(MerchantPoliciesTest, TheEndpointsPolicyHoldsElseItsMerchantsElseTheDefault) {
  ASSERT_THAT(policies_->Set("m", Burst(2)), IsOk());
  EXPECT_EQ(BurstOf("m", Burst(3)), 3u);
  EXPECT_EQ(BurstOf("m"), 2u);
  EXPECT_EQ(BurstOf("n", Burst(3)), 3u);
  EXPECT_EQ(BurstOf("n"), 1u);
  ASSERT_THAT(policies_->Set("m", std::nullopt), IsOk());
  EXPECT_EQ(BurstOf("m"), 1u);
}

TEST_F(MerchantPoliciesTest, AreStoredUnderTheMerchant) {
  ASSERT_THAT(policies_->Set("m.42", Burst(2)), IsOk());
  const auto stored = engine_->Get(Space::kHost, "nw/webhook/policy/m.42");
  ASSERT_THAT(stored, IsOk());
  ASSERT_TRUE(stored->has_value());
  EXPECT_EQ((*stored)->view(), EncodeWebhookPolicy(Burst(2)));
  ASSERT_THAT(policies_->Set("m.42", std::nullopt), IsOk());
  EXPECT_FALSE((*engine_->Get(Space::kHost, "nw/webhook/policy/m.42")).has_value());
}

TEST_F(MerchantPoliciesTest, AreKeptAsTheyAreStored) {
  ASSERT_THAT(policies_->Set("m", WebhookPolicy{.max_per_second = 1.0 / 3}), IsOk());
  const WebhookPolicy kept = {.max_per_second = 0.333};
  EXPECT_THAT(policies_->Get("m"), IsOkAndHolds(kept));
  EXPECT_EQ(*policies_->Of({.merchant_id = "m"}), kept);
  ASSERT_THAT(Open({.max_per_second = 1.0 / 3}), IsOk());
  EXPECT_EQ(*policies_->Of({.merchant_id = "n"}), kept) << "the default too";
}

TEST_F(MerchantPoliciesTest, AreThereAgainAfterAPowerCut) {
  ASSERT_THAT(policies_->Set("a", Burst(2)), IsOk());
  ASSERT_THAT(policies_->Set("b", Burst(3)), IsOk());
  ASSERT_THAT(policies_->Set("c", Burst(4)), IsOk());
  ASSERT_THAT(policies_->Set("b", std::nullopt), IsOk());
  ASSERT_THAT(policies_->Set("c", Burst(5)), IsOk());
  Shut();
  disk_.Restart(Loss::kUnsynced);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(policies_->Get("a"), IsOkAndHolds(Burst(2)));
  EXPECT_THAT(policies_->Get("b"), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(policies_->Get("c"), IsOkAndHolds(Burst(5)));
}

TEST_F(MerchantPoliciesTest, WhatWouldChangeNothingIsNotWritten) {
  ASSERT_THAT(policies_->Set("m", WebhookPolicy{.max_per_second = 0.0125}), IsOk());
  const uint64_t before = disk_.changes();
  EXPECT_THAT(policies_->Set("m", WebhookPolicy{.max_per_second = 0.0125}), IsOk());
  EXPECT_THAT(policies_->Set("n", std::nullopt), IsOk());
  EXPECT_EQ(disk_.changes(), before);
}

TEST_F(MerchantPoliciesTest, ARefusedOneChangesNothing) {
  ASSERT_THAT(policies_->Set("m", Burst(2)), IsOk());
  EXPECT_THAT(policies_->Set("m", Burst(0)), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("policy.burst")));
  EXPECT_THAT(policies_->Get("m"), IsOkAndHolds(Burst(2)));
  for (const char* bad : {"", "a/b", "a b"}) {
    EXPECT_THAT(policies_->Set(bad, Burst(2)), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("merchant_id")));
    EXPECT_THAT(policies_->Get(bad), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("merchant_id")));
  }
  EXPECT_THAT(Open(Burst(0)), StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("policy.burst")));
}

TEST_F(MerchantPoliciesTest, AFailedWriteIsNotSeen) {
  ASSERT_THAT(policies_->Set("m", Burst(2)), IsOk());
  disk_.CutPowerAfter(0);
  EXPECT_THAT(policies_->Set("m", Burst(3)), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(policies_->Set("m", std::nullopt), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(BurstOf("m"), 2u);
}

TEST_F(MerchantPoliciesTest, LiveBesideOtherRecordsAndRefuseDamagedOnes) {
  ASSERT_THAT(policies_->Set("m", Burst(2)), IsOk());
  for (const char* key : {"nw/webhook/policy", "nw/webhook/policy0", "nw/webhook/polica/m", "z"}) Put(key, "other");
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(policies_->Get("m"), IsOkAndHolds(Burst(2)));
  for (const char* damaged : {"nw/webhook/policy/n", "nw/webhook/policy/"}) {
    Put(damaged, damaged == std::string_view("nw/webhook/policy/") ? EncodeWebhookPolicy(Burst(2)) : "x");
    EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(damaged)));
    WriteSet writes;
    writes.Delete(Space::kHost, damaged);
    ASSERT_THAT(engine_->Write(writes), IsOk());
  }
}

// Every reader sees a whole policy, and each merchant's policies in the order in which they were set.
TEST_F(MerchantPoliciesTest, MayBeReadAndSetByManyThreads) {
  constexpr uint32_t kEach = 30;
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    uint32_t a = 1, b = 1;
    while (!stop) {
      for (const auto& [merchant, last] : {std::pair{"a", &a}, std::pair{"b", &b}}) {
        const WebhookPolicy policy = *policies_->Of({.merchant_id = merchant});
        ASSERT_GE(policy.burst, *last);
        ASSERT_EQ(policy.max_concurrent, policy.burst == 1 ? WebhookPolicy().max_concurrent : policy.burst);
        *last = policy.burst;
      }
    }
  });
  std::vector<std::thread> writers;
  for (const char* merchant : {"a", "b"}) {
    writers.emplace_back([&, merchant] {
      for (uint32_t i = 2; i < 2 + kEach; ++i) {
        ASSERT_THAT(policies_->Set(merchant, WebhookPolicy{.max_concurrent = i, .burst = i}), IsOk());
        ASSERT_THAT(policies_->Set("c", Burst(i)), IsOk());
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  stop = true;
  reader.join();
  EXPECT_EQ(BurstOf("a"), kEach + 1);
  EXPECT_EQ(BurstOf("b"), kEach + 1);
  const uint32_t memory = BurstOf("c");
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(BurstOf("c"), memory) << "the store has the writes in the order that was seen";
}

}  // namespace
}  // namespace northwind::internal

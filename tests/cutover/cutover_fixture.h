// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_CUTOVER_CUTOVER_FIXTURE_H_
#define NORTHWIND_TESTS_CUTOVER_CUTOVER_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/cutover.h"
#include "northwind/store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {

// A store with a cutover that has begun.
class CutoverFixture : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    NW_ASSERT_OK_AND_ASSIGN(cutover_, Cutover::Open(*store_, {.salt = "2026-spring", .clock = &clock_}));
  }
  void Reopen() {
    cutover_.reset();
    store_.reset();
    Open();
  }
  // Every merchant that is named in tests, and all of northwind's that are known.
  void KnowAndRaiseToAll(const std::vector<std::string>& merchants = {"m1"}) {
    ASSERT_THAT(cutover_->AddMerchants(merchants, "ann"), IsOk());
    ASSERT_THAT(cutover_->ForceRaise(kBasisPoints, "ann", "test"), IsOk());
  }
  Assignment AssignOne(const std::string& id, const std::string& merchant = "m1") {
    const std::vector<RouteRequest> requests = {{.id = id, .merchant_id = merchant}};
    const auto answers = cutover_->Assign(requests);
    EXPECT_THAT(answers, IsOk());
    return answers.ok() ? answers->front() : Assignment();
  }
  SettlementSystem SystemOf(const std::string& id, const std::string& merchant = "m1") {
    return AssignOne(id, merchant).system;
  }
  std::vector<AuditLine> Lines() {
    const auto lines = cutover_->AuditLog(0, kMaxAuditPage);
    EXPECT_THAT(lines, IsOk());
    return lines.value_or(std::vector<AuditLine>());
  }

  TempDir directory_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Cutover> cutover_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_CUTOVER_CUTOVER_FIXTURE_H_

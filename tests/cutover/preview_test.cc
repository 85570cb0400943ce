// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cutover/cutover_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

// Buckets: m_1 3562, acme.de 5016, m_42 8347.
class PreviewTest : public CutoverFixture {
 protected:
  void SetUp() override {
    CutoverFixture::SetUp();
    ASSERT_THAT(cutover_->AddMerchants(std::vector<std::string>{"m_1", "m_42", "acme.de"}, "ann"), IsOk());
  }
  CutoverPreview Preview(uint32_t threshold) {
    const std::vector<MerchantValue> values = {{"m_1", "USD/2", 100},     {"m_1", "EUR/2", 7},
                                               {"acme.de", "USD/2", 900}, {"m_42", "USD/2", 50},
                                               {"m_42", "USD/2", 1},      {"stranger", "USD/2", 1000}};
    const auto preview = cutover_->Preview(threshold, values);
    EXPECT_THAT(preview, IsOk());
    return preview.value_or(CutoverPreview());
  }
};

TEST_F(PreviewTest, SaysHowManyMerchantsAndHowMuchMoneyWouldMove) {
  ASSERT_THAT(cutover_->ForceRaise(3600, "ann", "test"), IsOk());
  const CutoverPreview preview = Preview(5017);
  EXPECT_EQ(preview.merchants, 3U);
  EXPECT_THAT(preview.units, ElementsAre(Pair("EUR/2", 7), Pair("USD/2", 2051)));
  EXPECT_EQ(preview.now.merchants, 1U);
  EXPECT_THAT(preview.now.units, ElementsAre(Pair("EUR/2", 7), Pair("USD/2", 100)));
  EXPECT_EQ(preview.then.merchants, 2U);
  EXPECT_THAT(preview.then.units, ElementsAre(Pair("EUR/2", 7), Pair("USD/2", 1000)));
  EXPECT_THAT(preview.moved, ElementsAre("acme.de"));
  EXPECT_EQ(cutover_->Status().threshold, 3600U) << "nothing is changed";
}

TEST_F(PreviewTest, HeedsOverridesAndLooksPastTheSwitch) {
  ASSERT_THAT(cutover_->ForceRaise(kBasisPoints, "ann", "test"), IsOk());
  ASSERT_THAT(cutover_->SetOverride("m_1", Override::kDeny, "ann", "test"), IsOk());
  ASSERT_THAT(cutover_->SetOverride("m_42", Override::kAllow, "ann", "test"), IsOk());
  EXPECT_THAT(Preview(0).moved, ElementsAre("acme.de"));
  EXPECT_EQ(Preview(0).then.merchants, 1U);
  ASSERT_THAT(cutover_->RouteToBatch("ann", "test"), IsOk());
  const CutoverPreview preview = Preview(kBasisPoints);
  EXPECT_EQ(preview.now.merchants, 0U);
  EXPECT_THAT(preview.now.units, IsEmpty());
  EXPECT_EQ(preview.then.merchants, 2U);
  EXPECT_THAT(preview.moved, ElementsAre("acme.de", "m_42"));
}

TEST_F(PreviewTest, NamesNoMoreThanItsBoundAndCountsAll) {
  std::vector<std::string> many;
  for (size_t i = 0; i < kMaxPreviewMerchants + 10; ++i) many.push_back("x" + std::to_string(i));
  ASSERT_THAT(cutover_->AddMerchants(many, "ann"), IsOk());
  EXPECT_THAT(Preview(kBasisPoints).moved, SizeIs(kMaxPreviewMerchants));
  EXPECT_EQ(Preview(kBasisPoints).then.merchants, many.size() + 3);
}

TEST_F(PreviewTest, WhatCannotBeCountedOrRaisedToIsRefused) {
  EXPECT_THAT(cutover_->Preview(kBasisPoints + 1, {}), StatusIs(absl::StatusCode::kInvalidArgument));
  const std::vector<MerchantValue> values = {{"m_1", "USD/2", absl::Uint128Max()}, {"m_42", "USD/2", 1}};
  EXPECT_THAT(cutover_->Preview(500, values), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace northwind::testing

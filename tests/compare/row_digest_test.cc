// SPDX-License-Identifier: Apache-2.0
//
// The golden digests were made with Python's hashlib, from docs/parallel-run.md ("Digests"), which lists them too.
#include "src/compare/row_digest.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace northwind::internal {
namespace {

std::string Hex(const Hash256& hash) {
  std::string out;
  char two[3];
  for (const uint8_t byte : hash) {
    std::snprintf(two, sizeof(two), "%02x", byte);
    out += two;
  }
  return out;
}

SettledRow Capture() {
  return {.leg = Leg::kCapture,
          .id = "pay_1",
          .merchant_id = "m_42",
          .asset = {.code = "USD", .scale = 2},
          .units = 10'000,
          .fee = 290,
          .status = LegStatus::kSettled,
          .day = absl::CivilDay(2026, 3, 1),
          .at = absl::FromUnixSeconds(1'772'366'400)};
}
SettledRow Refund() {
  SettledRow row = Capture();
  row.leg = Leg::kRefund;
  row.id = "pay_1/re_1";
  row.units = -2'500;
  row.fee.reset();
  return row;
}
SettledRow LargestPayout() {
  SettledRow row = Capture();
  row.leg = Leg::kPayout;
  row.id = "po_1";
  row.asset = {.code = "JPY", .scale = 0};
  row.units = -static_cast<absl::int128>(Amount::Max().units());
  row.fee = 0;
  row.status.reset();
  row.day = absl::CivilDay(2026, 12, 31);
  return row;
}

TEST(CanonicalText, HasAFieldForAllThatMayBeCompared) {
  EXPECT_EQ(CanonicalText(Capture()), "capture\tpay_1\tm_42\tUSD/2\t10000\t290\tsettled\t2026-03-01");
}

TEST(CanonicalText, LeavesOutWhatIsNotComparedButNotItsTab) {
  EXPECT_EQ(CanonicalText(Refund()), "refund\tpay_1/re_1\tm_42\tUSD/2\t-2500\t\tsettled\t2026-03-01");
  EXPECT_EQ(CanonicalText(LargestPayout()),
            "payout\tpo_1\tm_42\tJPY/0\t-170141183460469231731687303715884105727\t0\t\t2026-12-31");
}

TEST(CanonicalText, DoesNotHoldTheMoment) {
  SettledRow other = Capture();
  other.at.reset();
  EXPECT_EQ(CanonicalText(other), CanonicalText(Capture()));
}

TEST(Digests, FromRowsUpToTheDayAreTheGoldenOnes) {
  const std::string capture = "ee590525484760d725008121349ea05041b736f7f1b60ad5d5110a4d161e3db8";
  const std::string refund = "2616df845296bdb125fe3d7f22face7488122215df9fbc2b00ad3bbadc39c02e";
  const std::string payout = "f889859c8318a768a1c25e90163a5f5de9c47d685105f948a89c4b5078dae5ce";
  EXPECT_EQ(Hex(Sha256::Of(CanonicalText(Capture()))), capture);
  EXPECT_EQ(Hex(Sha256::Of(CanonicalText(Refund()))), refund);
  EXPECT_EQ(Hex(Sha256::Of(CanonicalText(LargestPayout()))), payout);

  DigestOfLines lines;
  lines.Add("capture:pay_1", Sha256::Of(CanonicalText(Capture())));
  lines.Add("payout:po_1", Sha256::Of(CanonicalText(LargestPayout())));
  lines.Add("refund:pay_1/re_1", Sha256::Of(CanonicalText(Refund())));
  EXPECT_EQ(lines.lines(), 3u);
  const Hash256 hour = lines.Finish();
  EXPECT_EQ(Hex(hour), "83dcd0a7386fe47a9e71b426f31a08fc19f17e5d896ebf8a7ea1473b46ae711b");
  EXPECT_EQ(lines.lines(), 0u);
  lines.Add("12", hour);
  const Hash256 merchant = lines.Finish();
  EXPECT_EQ(Hex(merchant), "2f42cdebbc14d3a41c29a41c361878cbc985f3be58056cda0ec53965277cae31");
  lines.Add("m_42", merchant);
  EXPECT_EQ(Hex(lines.Finish()), "c1c3ac27af4b915c40cd4a0f5ec77839acb7077d2ba5525202ae4e51c30d2a91");
}

TEST(Digests, OfRowsOfOneNameFollowInAscendingOrder) {
  SettledRow row = Capture();
  row.id = "pay_2";
  row.fee.reset();
  row.status.reset();
  std::vector<Hash256> digests;
  for (const int units : {1, 2}) {
    row.units = units;
    digests.push_back(Sha256::Of(CanonicalText(row)));
  }
  std::sort(digests.begin(), digests.end());
  DigestOfLines lines;
  for (const Hash256& digest : digests) lines.Add("capture:pay_2", digest);
  EXPECT_EQ(Hex(lines.Finish()), "20413cc9592a7c3894a2dfa72bfe8de1f82e88923aa763f23bb871e6d94cbda8");
}

TEST(Digests, OfNothingAreZero) {
  DigestOfLines lines;
  EXPECT_EQ(lines.Finish(), Hash256{});
  lines.Add("a", Hash256{});
  EXPECT_NE(lines.Finish(), Hash256{});
  EXPECT_EQ(lines.Finish(), Hash256{});
}

TEST(DigestsDeathTest, OfLinesInAnotherOrderAreAProgrammerError) {
  DigestOfLines lines;
  lines.Add("b", Hash256{1});
  EXPECT_DEATH(lines.Add("a", Hash256{2}), "out of order");
  EXPECT_DEATH(lines.Add("b", Hash256{0}), "out of order");
  EXPECT_DEATH(lines.Add("c\td", Hash256{2}), "one word");
  lines.Finish();
  lines.Add("a", Hash256{});  // begins anew
}

}  // namespace
}  // namespace northwind::internal

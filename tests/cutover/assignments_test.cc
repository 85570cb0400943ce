// SPDX-License-Identifier: Apache-2.0
#include "src/cutover/assignments.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;

Assignment Sample() {
  return {.id = "po1",
          .merchant_id = "m1",
          .system = SettlementSystem::kNorthwind,
          .reason = RouteReason::kBucket,
          .epoch = 300,
          .at = absl::FromUnixSeconds(1'700'000'000)};
}

TEST(CutoverAssignments, GoldenBytes) {
  EXPECT_EQ(absl::BytesToHexString(EncodeAssignment(Sample())), "010205ac0217979cfe362a0000026d31");
  EXPECT_EQ(absl::BytesToHexString(EncodeCounts({.merchants = 300, .allowed = 2, .denied = 1, .residue = 128})),
            "01ac0202018001");
  EXPECT_EQ(absl::BytesToHexString(EncodeStanding({.known = true, .override = Override::kDeny})), "010102");
  EXPECT_EQ(absl::BytesToHexString(EncodeStanding({.known = false, .override = Override::kAllow})), "010001");
  EXPECT_EQ(absl::BytesToHexString(EncodeOverride({.value = Override::kDeny, .line = 300})), "0102ac02");
  EXPECT_EQ(CutoverKey(kOverridePrefix, "m1"), "nw/cutover/override/m1");
  EXPECT_EQ(CutoverKey(kAssignmentPrefix, "po1"), "nw/cutover/assignment/po1");
  EXPECT_EQ(CutoverKey(kResiduePrefix, "po1"), "nw/cutover/residue/po1");
  EXPECT_EQ(CutoverKey(kMerchantPrefix, "m1"), "nw/cutover/merchant/m1");
}

TEST(CutoverAssignments, AreReadAsTheyWereWritten) {
  const auto read = DecodeAssignment("po1", EncodeAssignment(Sample()));
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->id, "po1");
  EXPECT_EQ(read->merchant_id, "m1");
  EXPECT_EQ(read->system, SettlementSystem::kNorthwind);
  EXPECT_EQ(read->reason, RouteReason::kBucket);
  EXPECT_EQ(read->epoch, 300U);
  EXPECT_EQ(read->at, Sample().at);
  const CutoverCounts counts{.merchants = 1, .allowed = 2, .denied = 3, .residue = 4};
  EXPECT_THAT(DecodeCounts(EncodeCounts(counts)), IsOkAndHolds(counts));
  for (const bool known : {false, true}) {
    for (const auto override :
         {std::optional<Override>(), std::optional(Override::kAllow), std::optional(Override::kDeny)}) {
      const MerchantStanding standing{.known = known, .override = override};
      EXPECT_THAT(DecodeStanding("m1", EncodeStanding(standing)), IsOkAndHolds(standing));
    }
  }
}

TEST(CutoverAssignments, OverridesAreReadAsTheyWereWritten) {
  for (const Override value : {Override::kAllow, Override::kDeny}) {
    const IndexedOverride override{.value = value, .line = 300};
    EXPECT_THAT(DecodeOverride("m1", EncodeOverride(override)), IsOkAndHolds(override));
  }
}

TEST(CutoverAssignments, DamageIsSeen) {
  const auto with = [](std::string bytes, size_t place, char value) {
    bytes[place] = value;
    return bytes;
  };
  const std::string bytes = EncodeAssignment(Sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(DecodeAssignment("po1", bytes.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss)) << size;
  }
  EXPECT_THAT(DecodeAssignment("po1", bytes + "x"), StatusIs(absl::StatusCode::kDataLoss));
  for (const auto& [place, value] : {std::pair<size_t, char>{0, 2}, {1, 0}, {1, 3}, {2, 0}, {2, 6}}) {
    EXPECT_THAT(DecodeAssignment("po1", with(bytes, place, value)), StatusIs(absl::StatusCode::kDataLoss)) << place;
  }
  const std::string standing = EncodeStanding({.known = true, .override = Override::kDeny});
  for (const auto& [place, value] : {std::pair<size_t, char>{0, 2}, {1, 2}, {2, 3}}) {
    EXPECT_THAT(DecodeStanding("m1", with(standing, place, value)), StatusIs(absl::StatusCode::kDataLoss)) << place;
  }
  EXPECT_THAT(DecodeStanding("m1", standing + "x"), StatusIs(absl::StatusCode::kDataLoss));
  const std::string override = EncodeOverride({.value = Override::kDeny, .line = 3});
  for (const auto& [place, value] : {std::pair<size_t, char>{0, 2}, {1, 0}, {1, 3}, {2, 0}}) {
    EXPECT_THAT(DecodeOverride("m1", with(override, place, value)), StatusIs(absl::StatusCode::kDataLoss)) << place;
  }
  for (size_t size = 0; size < override.size(); ++size) {
    EXPECT_THAT(DecodeOverride("m1", override.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss)) << size;
  }
  EXPECT_THAT(DecodeOverride("m1", override + "x"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(DecodeCounts("\1\1\1\1"), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/cutover/settings.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;

CutoverSettings Sample() {
  CutoverSettings settings{.salt = "s", .epoch = 300, .threshold = 2500, .sending_stopped = true, .raised_on = 20'000};
  settings.audit.lines = 2;
  for (uint8_t i = 0; i < 32; ++i) settings.audit.hash[i] = i;
  return settings;
}

TEST(CutoverSettings, GoldenBytes) {
  EXPECT_EQ(absl::BytesToHexString(EncodeSettings(Sample())),
            "020173ac02c4130202000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fa09c01");
  EXPECT_THAT(DecodeSettings(EncodeSettings(Sample())), IsOkAndHolds(Sample()));
}

TEST(CutoverSettings, DamageIsSeen) {
  const std::string bytes = EncodeSettings(Sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(DecodeSettings(bytes.substr(0, size)), StatusIs(absl::StatusCode::kDataLoss)) << size;
  }
  EXPECT_THAT(DecodeSettings(bytes + "x"), StatusIs(absl::StatusCode::kDataLoss));
  const auto with = [&bytes](size_t place, char value) {
    std::string changed = bytes;
    changed[place] = value;
    return changed;
  };
  EXPECT_THAT(DecodeSettings(with(0, 1)), StatusIs(absl::StatusCode::kDataLoss)) << "an older version";
  EXPECT_THAT(DecodeSettings(with(0, 3)), StatusIs(absl::StatusCode::kDataLoss)) << "another version";
  EXPECT_THAT(DecodeSettings(with(2, '\n')), StatusIs(absl::StatusCode::kDataLoss)) << "no salt";
  EXPECT_THAT(DecodeSettings(with(6, 0x7f)), StatusIs(absl::StatusCode::kDataLoss)) << "a threshold above 10,000";
  EXPECT_THAT(DecodeSettings(with(7, 4)), StatusIs(absl::StatusCode::kDataLoss)) << "a switch that is none";
}

TEST(CutoverSettings, AChangeIsSaidInWords) {
  CutoverSettings to = Sample();
  EXPECT_EQ(DescribeChange(Sample(), to), "");
  to.threshold = 0;
  to.routed_to_batch = true;
  to.sending_stopped = false;
  ++to.epoch;
  EXPECT_EQ(DescribeChange(Sample(), to),
            "threshold: 2500 -> 0; routed_to_batch: no -> yes; sending_stopped: yes -> no");
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/cutover/audit_log.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/store/engine.h"
#include "tests/cutover/cutover_fixture.h"

namespace northwind::testing {
namespace {

using internal::AuditKey;
using internal::Space;
using internal::WriteSet;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Made by a few lines of Python over hashlib.
TEST(AuditLogBytes, GoldenBytes) {
  AuditLine first{.number = 1,
                  .at = absl::FromUnixSeconds(1'700'000'000),
                  .epoch = 1,
                  .actor = "ann",
                  .action = "lower",
                  .detail = "threshold: 500 -> 0",
                  .reason = "odd"};
  EXPECT_EQ(
      absl::BytesToHexString(internal::EncodeAuditLine({}, first)),
      "0117979cfe362a00000103616e6e056c6f776572137468726573686f6c643a20353030202d3e2030036f646422272eb93b0a4d08b35ba"
      "767006a6b3dfd7f7ca2cd60335bbc9eaa1cb2d8fdff");
  AuditLine second{.number = 2,
                   .at = first.at + absl::Nanoseconds(1),
                   .epoch = 2,
                   .actor = "bob",
                   .action = "stop_sending",
                   .reason = "more"};
  EXPECT_EQ(
      absl::BytesToHexString(internal::EncodeAuditLine(first.hash, second)),
      "0117979cfe362a00010203626f620c73746f705f73656e64696e6700046d6f7265210b8afeb7aa09a396fb16824c3e08acd12050f62dc"
      "2f0b52f6486073fe99b38");
}

class AuditLogTest : public CutoverFixture {
 protected:
  void SetUp() override {
    CutoverFixture::SetUp();
    for (const uint32_t threshold : {100U, 200U, 300U, 400U, 500U}) {
      clock_.Advance(absl::Seconds(1));
      ASSERT_THAT(cutover_->ForceRaise(threshold, "ann", "step"), IsOk());
    }
  }
  void Write(uint64_t number, const std::string& bytes) {
    WriteSet writes;
    writes.Put(Space::kHost, AuditKey(number), bytes);
    ASSERT_THAT(store_->engine().Write(writes), IsOk());
  }
  std::string Read(uint64_t number) { return **store_->Get(AuditKey(number)); }
};

TEST_F(AuditLogTest, SaysWhoDidWhatWhenAndWhy) {
  ASSERT_THAT(cutover_->RouteToBatch("bob", "odd figures"), IsOk());
  const std::vector<AuditLine> lines = Lines();
  ASSERT_THAT(lines, SizeIs(6));
  EXPECT_EQ(lines[5].number, 6U);
  EXPECT_EQ(lines[5].at, clock_.Now());
  EXPECT_EQ(lines[5].epoch, 6U);
  EXPECT_EQ(lines[5].actor, "bob");
  EXPECT_EQ(lines[5].action, "route_to_batch");
  EXPECT_EQ(lines[5].detail, "routed_to_batch: no -> yes");
  EXPECT_EQ(lines[5].reason, "odd figures");
  EXPECT_EQ(lines[0].detail, "threshold: 0 -> 100; without the gate");
}

TEST_F(AuditLogTest, IsReadInPages) {
  EXPECT_THAT(*cutover_->AuditLog(1, 2), ElementsAre(Field(&AuditLine::number, 2), Field(&AuditLine::number, 3)));
  EXPECT_THAT(*cutover_->AuditLog(3, 100), ElementsAre(Field(&AuditLine::number, 4), Field(&AuditLine::number, 5)));
  EXPECT_THAT(cutover_->AuditLog(5, 1), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(cutover_->AuditLog(~uint64_t{0}, 1), IsOkAndHolds(IsEmpty()));
  for (const size_t wrong : {size_t{0}, kMaxAuditPage + 1}) {
    EXPECT_THAT(cutover_->AuditLog(0, wrong), StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST_F(AuditLogTest, AnyByteThatIsChangedBreaksTheChain) {
  const std::string bytes = Read(3);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    Write(3, changed);
    EXPECT_THAT(cutover_->AuditLog(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("line"))) << "byte " << i;
  }
  Write(3, bytes);
  EXPECT_THAT(cutover_->AuditLog(), IsOk());
}

TEST_F(AuditLogTest, ALineInAnothersPlaceOrMissingIsMissed) {
  const std::string third = Read(3);
  Write(3, Read(2));
  EXPECT_THAT(cutover_->AuditLog(), StatusIs(absl::StatusCode::kDataLoss));
  WriteSet writes;
  writes.Delete(Space::kHost, AuditKey(3));
  ASSERT_THAT(store_->engine().Write(writes), IsOk());
  EXPECT_THAT(cutover_->AuditLog(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("line 3 of the audit log is missing")));
  EXPECT_THAT(cutover_->AuditLog(0, 2), IsOk()) << "a page without it";
}

// Who can write a line can write its hash as well: the settings know the last one.
TEST_F(AuditLogTest, ALastLineThatIsMadeUpIsSeenWhenItIsReadAndWhenTheStoreIsOpened) {
  AuditLine line = *internal::DecodeAuditLine(5, Read(5));
  line.actor = "eve";
  Write(5, internal::EncodeAuditLine(internal::DecodeAuditLine(4, Read(4))->hash, line));
  EXPECT_THAT(cutover_->AuditLog(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("written last")));
  cutover_.reset();
  EXPECT_THAT(Cutover::Open(*store_, {.salt = "2026-spring"}), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(AuditLogTest, LongDetailsAreCut) {
  std::vector<std::string> merchants;
  for (int i = 0; i < 1000; ++i) merchants.push_back("merchant_" + std::to_string(i));
  ASSERT_THAT(cutover_->AddMerchants(merchants, "ann"), IsOk());
  const std::vector<AuditLine> lines = Lines();
  EXPECT_THAT(lines.back().detail, HasSubstr("merchants: 1000 new: merchant_0 merchant_1 "));
  EXPECT_THAT(lines.back().detail, HasSubstr("and 980 more"));
}

}  // namespace
}  // namespace northwind::testing

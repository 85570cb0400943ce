// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "tests/server/auth/credentials_fixture.h"

namespace northwind::server {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Key(uint64_t number) { return absl::StrFormat("server/audit/%016x", number); }

class AuditTrailTest : public northwind::testing::CredentialsTest {
 protected:
  void SetUp() override {
    OpenStore();
    OpenTrail();
  }
  void OpenTrail() {
    auto trail = AuditTrail::Open(*store_, &clock_);
    ASSERT_THAT(trail, IsOk());
    trail_ = *std::move(trail);
  }
  static AuditEntry Entry(const std::string& detail = "{}") {
    AuditEntry entry;
    entry.request_id = "req_1";
    entry.actor = "key:ops";
    entry.action = "raiseCutover";
    entry.subject = "cutover";
    entry.detail = detail;
    return entry;
  }
  void AppendMany(int count) {
    for (int i = 0; i < count; ++i) ASSERT_THAT(trail_->Append(Entry(std::to_string(i))), IsOk());
  }
  absl::Status OpenAnew() { return AuditTrail::Open(*store_, &clock_).status(); }

  std::unique_ptr<AuditTrail> trail_;
};

TEST_F(AuditTrailTest, KeepsWhatWasWrittenNewestFirst) {
  EXPECT_THAT(*trail_->List(), IsEmpty());
  AppendMany(5);
  trail_.reset();
  store_.reset();
  OpenStore();
  OpenTrail();
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<AuditEntry> all, trail_->List());
  ASSERT_THAT(all, SizeIs(5));
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(all[i].number, 5 - i);
    EXPECT_EQ(all[i].detail, std::to_string(4 - i));
  }
  EXPECT_EQ(all[0].request_id, "req_1");
  EXPECT_EQ(all[0].actor, "key:ops");
  EXPECT_EQ(all[0].action, "raiseCutover");
  EXPECT_EQ(all[0].subject, "cutover");
  EXPECT_EQ(all[0].at, clock_.Now());
  EXPECT_EQ(trail_->head(), (AuditHead{.number = 5, .hash = all[0].hash}));
  EXPECT_THAT(trail_->Verify(), IsOk());
}

TEST_F(AuditTrailTest, Pages) {
  AppendMany(7);
  std::vector<uint64_t> numbers;
  uint64_t before = 0;
  for (;;) {
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<AuditEntry> page, trail_->List(before, 3));
    for (const AuditEntry& entry : page) numbers.push_back(entry.number);
    if (page.size() < 3) break;
    before = page.back().number;
  }
  EXPECT_THAT(numbers, ::testing::ElementsAre(7, 6, 5, 4, 3, 2, 1));
  EXPECT_THAT(*trail_->List(1), IsEmpty());
  EXPECT_THAT(*trail_->List(100, 1000), SizeIs(7));
  EXPECT_THAT(trail_->List(0, 0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(trail_->List(0, 1001), StatusIs(absl::StatusCode::kInvalidArgument));
}

// The bytes of the first two lines, as another program (a few lines of Python) made them of the grammar.
TEST_F(AuditTrailTest, TheFormatIsThis) {
  clock_.Set(absl::FromUnixMicros(1'700'000'000'123'456));
  ASSERT_THAT(trail_->Append(Entry(R"({"asked":{}})")), IsOk());
  AuditEntry empty;
  ASSERT_THAT(trail_->Append(empty), IsOk());
  EXPECT_EQ(absl::BytesToHexString(store_->Get(Key(1)).value().value()),
            "01000000000000000100060a2418202240000000057265715f31000000076b65793a6f70730000000c72616973654375"
            "746f766572000000076375746f7665720000000c7b2261736b6564223a7b7d7d9073afc6117f11673a44dcbd52b08089"
            "8d7e0f3e4076a63be4deea06c0285e65");
  EXPECT_EQ(absl::BytesToHexString(store_->Get(Key(2)).value().value()),
            "01000000000000000200060a24182022400000000000000000000000000000000000000000d4c4589bfb98e543046e48"
            "ce6e1f387381010e82dc31349bf66412a1bf35c8c5");
}

TEST_F(AuditTrailTest, EveryByteMatters) {
  AppendMany(3);
  EveryByteMatters("server/audit/", [&] {
    const absl::Status opened = OpenAnew();
    EXPECT_EQ(trail_->Verify().code(), opened.code());
    EXPECT_EQ(trail_->List().status().code(), opened.code());
    return opened;
  });
}

TEST_F(AuditTrailTest, ALineThatWasTakenOutShows) {
  AppendMany(5);
  for (uint64_t number = 1; number < 5; ++number) {
    NW_ASSERT_OK_AND_ASSIGN(const auto line, store_->Get(Key(number)));
    ASSERT_THAT(store_->Write({HostChange{.key = Key(number), .value = std::nullopt}}), IsOk());
    EXPECT_THAT(OpenAnew(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(std::to_string(number))));
    EXPECT_THAT(trail_->Verify(), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_THAT(trail_->List(), StatusIs(absl::StatusCode::kDataLoss));
    ASSERT_THAT(store_->Write({HostChange{.key = Key(number), .value = line}}), IsOk());
  }
  EXPECT_THAT(OpenAnew(), IsOk());
}

TEST_F(AuditTrailTest, LinesThatChangedPlacesShow) {
  AppendMany(3);
  const auto one = store_->Get(Key(1)).value();
  const auto two = store_->Get(Key(2)).value();
  ASSERT_THAT(store_->Write({HostChange{.key = Key(1), .value = two}, HostChange{.key = Key(2), .value = one}}),
              IsOk());
  EXPECT_THAT(OpenAnew(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(AuditTrailTest, ARecordOfNoLineShows) {
  AppendMany(2);
  ASSERT_THAT(store_->Write({HostChange{.key = "server/audit/zz", .value = "x"}}), IsOk());
  EXPECT_THAT(OpenAnew(), StatusIs(absl::StatusCode::kDataLoss));
}

// What a chain cannot show: it needs the head that was written down elsewhere.
TEST_F(AuditTrailTest, TheNewestLineTakenOffShowsOnlyByTheHead) {
  AppendMany(3);
  const AuditHead head = trail_->head();
  ASSERT_THAT(store_->Write({HostChange{.key = Key(3), .value = std::nullopt}}), IsOk());
  EXPECT_THAT(trail_->Verify(), StatusIs(absl::StatusCode::kDataLoss)) << "who was running knows";
  NW_ASSERT_OK_AND_ASSIGN(const auto anew, AuditTrail::Open(*store_, &clock_));
  EXPECT_THAT(anew->Verify(), IsOk());
  EXPECT_NE(anew->head(), head);
}

TEST_F(AuditTrailTest, NoTwoEntriesHaveOneLine) {
  AuditEntry one = Entry();
  one.action = "ab";
  one.subject = "c";
  AuditEntry two = Entry();
  two.action = "a";
  two.subject = "bc";
  ASSERT_THAT(trail_->Append(one), IsOk());
  const auto first = trail_->head();
  ASSERT_THAT(store_->Write({HostChange{.key = Key(1), .value = std::nullopt}}), IsOk());
  OpenTrail();
  ASSERT_THAT(trail_->Append(two), IsOk());
  EXPECT_NE(trail_->head(), first);
}

TEST_F(AuditTrailTest, BoundsAreKept) {
  AuditEntry entry = Entry(std::string(4096, 'a'));
  entry.subject = std::string(512, 's');
  EXPECT_THAT(trail_->Append(entry), IsOk());
  EXPECT_THAT(trail_->Append(Entry(std::string(4097, 'a'))), StatusIs(absl::StatusCode::kInvalidArgument));
  entry.subject += "s";
  EXPECT_THAT(trail_->Append(entry), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(trail_->head().number, 1U);
}

TEST_F(AuditTrailTest, ManyThreadsMakeOneChain) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this] {
      for (int j = 0; j < 20; ++j) {
        EXPECT_THAT(trail_->Append(Entry()), IsOk());
        EXPECT_THAT(trail_->List(0, 5), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(trail_->head().number, 160U);
  EXPECT_THAT(OpenAnew(), IsOk());
}

TEST_F(AuditTrailTest, LongerThanAPageOfTheStore) {
  AppendMany(1002);
  EXPECT_THAT(OpenAnew(), IsOk());
  EXPECT_THAT(trail_->Verify(), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const std::vector<AuditEntry> page, trail_->List(0, 1000));
  ASSERT_THAT(page, SizeIs(1000));
  EXPECT_EQ(page.back().number, 3U);
}

}  // namespace
}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
#include "src/store/sorted_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "src/base/coding.h"
#include "src/store/engine.h"
#include "tests/store/engine_fixture.h"
#include "tests/support/fault_fs.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::DiskOp;
using ::northwind::testing::IsOk;
using ::northwind::testing::Loss;
using ::northwind::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;

class SortedFilesTest : public ::northwind::testing::EngineFixture {
 protected:
  SortedFiles New() {
    auto files = engine_->NewSortedFiles();
    EXPECT_THAT(files, IsOk());
    return *std::move(files);
  }
  std::vector<std::string> ScratchFiles() {
    std::vector<std::string> names;
    EXPECT_TRUE(disk_.env()->GetChildren("/db/ingest", &names).ok());
    return names;
  }
};

TEST_F(SortedFilesTest, AppearTogetherInAllTheirSpaces) {
  SortedFiles files = New();
  ASSERT_THAT(files.Put(Space::kIds, "a", "1"), IsOk());
  ASSERT_THAT(files.Put(Space::kState, "w", "2"), IsOk());
  ASSERT_THAT(files.Put(Space::kIds, "b", "3"), IsOk());
  EXPECT_EQ(Get(Space::kIds, "a"), std::nullopt) << "not yet";
  ASSERT_THAT(engine_->Ingest(std::move(files)), IsOk());
  EXPECT_THAT(Values(Space::kIds, ""), ElementsAre("1", "3"));
  EXPECT_THAT(Values(Space::kState, ""), ElementsAre("2"));
  Reopen(Loss::kUnsynced);
  EXPECT_THAT(Values(Space::kIds, ""), ElementsAre("1", "3"));
  EXPECT_THAT(Values(Space::kState, ""), ElementsAre("2"));
}

TEST_F(SortedFilesTest, ALaterSetHidesAnEarlierOne) {
  Ingest({{Space::kAccounts, "a", "1"}, {Space::kAccounts, "b", "1"}, {Space::kAccounts, "c", "1"}});
  SortedFiles files = New();
  ASSERT_THAT(files.Put(Space::kAccounts, "a", "2"), IsOk());
  ASSERT_THAT(files.Delete(Space::kAccounts, "b"), IsOk());
  ASSERT_THAT(engine_->Ingest(std::move(files)), IsOk());
  EXPECT_THAT(Values(Space::kAccounts, ""), ElementsAre("2", "1"));
  EXPECT_EQ(Get(Space::kAccounts, "b"), std::nullopt);
  Reopen(Loss::kUnsynced);
  EXPECT_THAT(Values(Space::kAccounts, ""), ElementsAre("2", "1"));
}

TEST_F(SortedFilesTest, AnEmptySetIsFine) {
  EXPECT_THAT(engine_->Ingest(New()), IsOk());
  EXPECT_THAT(engine_->poison(), IsOk());
}

TEST_F(SortedFilesTest, KeysOutOfOrderAreRefusedAndNothingOfTheSetCanBeIngested) {
  SortedFiles files = New();
  ASSERT_THAT(files.Put(Space::kIds, "b", "1"), IsOk());
  EXPECT_THAT(files.Put(Space::kIds, "a", "2"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ids")));
  EXPECT_THAT(files.Put(Space::kIds, "c", "3"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(engine_->Ingest(std::move(files)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(engine_->poison(), IsOk());
  EXPECT_THAT(Values(Space::kIds, ""), IsEmpty());
}

TEST_F(SortedFilesTest, TheSameKeyTwiceIsRefused) {
  SortedFiles files = New();
  ASSERT_THAT(files.Put(Space::kIds, "a", "1"), IsOk());
  EXPECT_THAT(files.Put(Space::kIds, "a", "2"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(SortedFilesTest, AreDeletedIfNeverIngested) {
  {
    SortedFiles files = New();
    ASSERT_THAT(files.Put(Space::kIds, "a", "1"), IsOk());
    EXPECT_EQ(ScratchFiles().size(), 1u);
  }
  EXPECT_THAT(ScratchFiles(), IsEmpty());
}

TEST_F(SortedFilesTest, LeaveNothingBehindWhenIngested) {
  Ingest({{Space::kIds, "a", "1"}, {Space::kLinks, "01234567a", "1"}});
  EXPECT_THAT(ScratchFiles(), IsEmpty());
}

TEST_F(SortedFilesTest, WhatAKilledProcessLeftBehindIsRemovedAtTheNextOpen) {
  ASSERT_TRUE(rocksdb::WriteStringToFile(disk_.env(), "half a table", "/db/ingest/17.sst", true).ok());
  Reopen();
  EXPECT_THAT(ScratchFiles(), IsEmpty());
}

TEST_F(SortedFilesTest, NewFilesAreBegunBySize) {
  SortedFiles files = New();
  for (uint64_t i = 0; i < 140; ++i) {
    std::string key;
    PutBigEndian64(key, i);
    ASSERT_THAT(files.Put(Space::kIds, key, std::string(1 << 20, static_cast<char>(i))), IsOk());
  }
  EXPECT_EQ(ScratchFiles().size(), 3u) << "of 64 MiB each";
  ASSERT_THAT(engine_->Ingest(std::move(files)), IsOk());
  uint64_t expected = 0;
  Cursor cursor = engine_->NewCursor(Space::kIds, {.fill_cache = false, .read_ahead = true});
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next(), ++expected) {
    ASSERT_EQ(LoadBigEndian64(cursor.key().data()), expected);
    ASSERT_EQ(cursor.value().size(), 1u << 20);
  }
  EXPECT_THAT(cursor.status(), IsOk());
  EXPECT_EQ(expected, 140u);
}

TEST_F(SortedFilesTest, BelowTheFloorNoneIsBegunAndNothingIsPoisoned) {
  options_.free_space_floor_bytes = 1 << 20;
  Reopen();
  disk_.SetFreeSpace(1000);
  SortedFiles files = New();
  EXPECT_THAT(files.Put(Space::kIds, "a", "1"),
              StatusIs(absl::StatusCode::kResourceExhausted, AllOf(HasSubstr("/db"), HasSubstr("below the floor"))));
  EXPECT_THAT(engine_->Ingest(std::move(files)), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(engine_->poison(), IsOk());
}

TEST_F(SortedFilesTest, AFullDiskWhileWritingThemPoisonsNothing) {
  disk_.SetFreeSpace(10'000);
  SortedFiles files = New();
  absl::Status status;
  for (uint64_t i = 0; status.ok() && i < 1000; ++i) {
    std::string key;
    PutBigEndian64(key, i);
    status = files.Put(Space::kIds, key, std::string(10'000, 'x'));
  }
  if (status.ok()) status = engine_->Ingest(std::move(files));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(engine_->poison(), IsOk());
  disk_.SetFreeSpace(1 << 30);
  EXPECT_THAT(TryPut(Space::kJournal, "a", "1"), IsOk());
  Ingest({{Space::kIds, "a", "1"}});
}

TEST_F(SortedFilesTest, AFailedIngestPoisonsAndIsNotSeen) {
  disk_.Inject({.op = DiskOp::kSync, .path_contains = "MANIFEST"});
  EXPECT_THAT(::northwind::testing::IngestRecords(*engine_, {{Space::kIds, "a", "1"}}),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("outcome unknown")));
  EXPECT_EQ(Get(Space::kIds, "a"), std::nullopt);
  EXPECT_THAT(TryPut(Space::kJournal, "a", "1"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(engine_->NewSortedFiles(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

// RocksDB deletes the tables of an ingest that failed; but the manifest on disk may name them all the same.
TEST_F(SortedFilesTest, AFailedIngestDeletesNoTable) {
  const size_t before = Files(".sst").size();
  disk_.Inject({.op = DiskOp::kSync, .path_contains = "MANIFEST", .nth = 2});  // the first reserves file numbers
  EXPECT_THAT(::northwind::testing::IngestRecords(*engine_, {{Space::kIds, "a", "1"}, {Space::kState, "w", "1"}}),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_EQ(Files(".sst").size(), before + 2);
  Reopen();
  EXPECT_EQ(Get(Space::kIds, "a").has_value(), Get(Space::kState, "w").has_value()) << "both or neither";
}

}  // namespace
}  // namespace northwind::internal

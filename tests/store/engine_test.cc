// SPDX-License-Identifier: Apache-2.0
//
// What the engine does while nothing goes wrong, and what it answers when something does.
#include "src/store/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "rocksdb/perf_context.h"
#include "rocksdb/perf_level.h"
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

class EngineTest : public ::northwind::testing::EngineFixture {};

TEST_F(EngineTest, WhatWasWrittenIsThereAfterReopening) {
  WriteSet writes;
  writes.Put(Space::kJournal, "a", "1");
  writes.Put(Space::kHost, "a", "2");
  ASSERT_THAT(engine_->Write(writes), IsOk());
  Reopen(Loss::kUnsynced);
  EXPECT_THAT(Get(Space::kJournal, "a"), Optional(std::string("1")));
  EXPECT_THAT(Get(Space::kHost, "a"), Optional(std::string("2")));
}

TEST_F(EngineTest, SpacesDoNotSeeEachOthersKeys) {
  Put(Space::kHost, "a", "1");
  EXPECT_EQ(Get(Space::kJournal, "a"), std::nullopt);
}

TEST_F(EngineTest, AValueInPartsIsJoinedInOrder) {
  WriteSet writes;
  const std::vector<std::string_view> parts = {"one", "", "two", "three"};
  writes.Put(Space::kJournal, "a", absl::MakeConstSpan(parts));
  ASSERT_THAT(engine_->Write(writes), IsOk());
  EXPECT_THAT(Get(Space::kJournal, "a"), Optional(std::string("onetwothree")));
}

TEST_F(EngineTest, OperationsOfAWriteSetHappenInTheirOrder) {
  WriteSet writes;
  writes.Put(Space::kHost, "a", "1");
  writes.Delete(Space::kHost, "a");
  writes.Put(Space::kHost, "b", "1");
  writes.Put(Space::kHost, "b", "2");
  ASSERT_THAT(engine_->Write(writes), IsOk());
  EXPECT_EQ(Get(Space::kHost, "a"), std::nullopt);
  EXPECT_THAT(Get(Space::kHost, "b"), Optional(std::string("2")));
}

TEST_F(EngineTest, AWriteSetCanBeUsedAgainAfterClear) {
  WriteSet writes;
  writes.Put(Space::kHost, "a", "1");
  EXPECT_GT(writes.ByteSize(), 0u);
  writes.Clear();
  EXPECT_TRUE(writes.empty());
  EXPECT_EQ(writes.ByteSize(), 0u);
  writes.Put(Space::kHost, "b", "2");
  ASSERT_THAT(engine_->Write(writes), IsOk());
  EXPECT_EQ(Get(Space::kHost, "a"), std::nullopt);
  EXPECT_THAT(Get(Space::kHost, "b"), Optional(std::string("2")));
}

TEST_F(EngineTest, AnEmptyWriteSetTouchesNoDisk) {
  const uint64_t before = disk_.changes();
  WriteSet writes;
  EXPECT_THAT(engine_->Write(writes), IsOk());
  EXPECT_EQ(disk_.changes(), before);
}

TEST_F(EngineTest, EveryWriteIsSynced) {
  Put(Space::kJournal, "a", "1");
  for (int i = 0; i < 10; ++i) {
    const uint64_t before = disk_.changes(DiskOp::kSync);
    Put(Space::kJournal, "b", std::string(1000, 'x'));
    EXPECT_EQ(disk_.changes(DiskOp::kSync), before + 1);
  }
}

TEST_F(EngineTest, ACursorWalksBothWays) {
  for (const char* key : {"b", "d", "f"}) Put(Space::kJournal, key, std::string("v") + key);
  Cursor cursor = engine_->NewCursor(Space::kJournal);
  EXPECT_FALSE(cursor.Valid());
  cursor.SeekToFirst();
  ASSERT_TRUE(cursor.Valid());
  EXPECT_EQ(cursor.key(), "b");
  EXPECT_EQ(cursor.value(), "vb");
  cursor.Seek("c");
  EXPECT_EQ(cursor.key(), "d");
  cursor.Next();
  EXPECT_EQ(cursor.key(), "f");
  cursor.Prev();
  EXPECT_EQ(cursor.key(), "d");
  cursor.SeekForPrev("e");
  EXPECT_EQ(cursor.key(), "d");
  cursor.SeekToLast();
  EXPECT_EQ(cursor.key(), "f");
  cursor.Next();
  EXPECT_FALSE(cursor.Valid());
  EXPECT_THAT(cursor.status(), IsOk());
}

TEST_F(EngineTest, ASnapshotStandsStill) {
  Put(Space::kHost, "a", "1");
  const auto snapshot = engine_->NewSnapshot();
  Put(Space::kHost, "a", "2");
  Put(Space::kHost, "b", "2");
  NW_ASSERT_OK_AND_ASSIGN(const auto value, snapshot->Get(Space::kHost, "a"));
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->view(), "1");
  NW_ASSERT_OK_AND_ASSIGN(const auto missing, snapshot->Get(Space::kHost, "b"));
  EXPECT_FALSE(missing.has_value());
  Cursor cursor = snapshot->NewCursor(Space::kHost);
  cursor.SeekToFirst();
  ASSERT_TRUE(cursor.Valid());
  EXPECT_EQ(cursor.value(), "1");
  cursor.Next();
  EXPECT_FALSE(cursor.Valid());
}

TEST_F(EngineTest, ASnapshotDoesNotSeeWhatIsIngestedLater) {
  const auto snapshot = engine_->NewSnapshot();
  Ingest({{Space::kIds, "a", "1"}});
  NW_ASSERT_OK_AND_ASSIGN(const auto value, snapshot->Get(Space::kIds, "a"));
  EXPECT_FALSE(value.has_value());
  EXPECT_THAT(Get(Space::kIds, "a"), Optional(std::string("1")));
}

TEST_F(EngineTest, APinnedValueOutlivesItsDeletion) {
  Put(Space::kHost, "a", std::string(100'000, 'x'));
  ASSERT_THAT(engine_->Flush(), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(auto value, engine_->Get(Space::kHost, "a"));
  WriteSet writes;
  writes.Delete(Space::kHost, "a");
  ASSERT_THAT(engine_->Write(writes), IsOk());
  ASSERT_THAT(engine_->Flush(), IsOk());
  PinnedValue moved = std::move(*value);
  EXPECT_EQ(moved.view(), std::string(100'000, 'x'));
}

// ---- Prefixes -----------------------------------------------------------------------------------------------

std::string ReferenceKey(std::string_view reference, uint8_t sequence) {
  return std::string("\x00\x07", 2) + static_cast<char>(reference.size()) + std::string(reference) +
         std::string(7, '\0') + static_cast<char>(sequence);
}
std::string LinkKey(uint8_t target, uint8_t sequence) {
  return std::string(7, '\0') + static_cast<char>(target) + std::string(7, '\0') + static_cast<char>(sequence);
}

TEST_F(EngineTest, ASamePrefixCursorShowsOneReferenceOnly) {
  // "ab" is a prefix of "abc" as text, not as a key.
  Ingest({{Space::kReferences, ReferenceKey("ab", 1), "1"},
          {Space::kReferences, ReferenceKey("ab", 4), "4"},
          {Space::kReferences, ReferenceKey("cd", 9), "9"},
          {Space::kReferences, ReferenceKey("abc", 2), "2"}});
  Ingest({{Space::kReferences, ReferenceKey("ab", 7), "7"}});
  const CursorOptions options{.same_prefix = true};
  EXPECT_THAT(Values(Space::kReferences, ReferenceKey("ab", 0), options), ElementsAre("1", "4", "7"));
  EXPECT_THAT(Values(Space::kReferences, ReferenceKey("ab", 0).substr(0, 5), options), ElementsAre("1", "4", "7"))
      << "sought by the bare prefix";
  EXPECT_THAT(Values(Space::kReferences, ReferenceKey("ab", 2), options), ElementsAre("4", "7"));
  EXPECT_THAT(Values(Space::kReferences, ReferenceKey("abc", 0), options), ElementsAre("2"));
  EXPECT_THAT(Values(Space::kReferences, ReferenceKey("zz", 0), options), IsEmpty());
  EXPECT_THAT(Values(Space::kReferences, ReferenceKey("ab", 8), options), IsEmpty());
}

TEST_F(EngineTest, ASamePrefixCursorShowsTheLinksOfOneTargetOnly) {
  Ingest(
      {{Space::kLinks, LinkKey(1, 5), "5"}, {Space::kLinks, LinkKey(1, 6), "6"}, {Space::kLinks, LinkKey(2, 7), "7"}});
  const CursorOptions options{.same_prefix = true};
  EXPECT_THAT(Values(Space::kLinks, LinkKey(1, 0), options), ElementsAre("5", "6"));
  EXPECT_THAT(Values(Space::kLinks, LinkKey(2, 0).substr(0, 8), options), ElementsAre("7"));
  EXPECT_THAT(Values(Space::kLinks, LinkKey(3, 0), options), IsEmpty());
}

TEST_F(EngineTest, AnOrdinaryCursorSeesEveryKeyOfASpaceWithPrefixes) {
  for (uint8_t target = 1; target <= 50; ++target) {
    Ingest({{Space::kLinks, LinkKey(target, 1), std::to_string(target)}});
  }
  EXPECT_EQ(Values(Space::kLinks, "").size(), 50u);
  EXPECT_EQ(Values(Space::kLinks, LinkKey(26, 0)).size(), 25u);
  // From between two keys, and from less than a whole prefix.
  EXPECT_EQ(Values(Space::kLinks, LinkKey(49, 9)).size(), 1u);
  EXPECT_EQ(Values(Space::kLinks, std::string(3, '\0')).size(), 50u);
}

TEST_F(EngineTest, AskingForWhatNeverWasReadsNoDataBlock) {
  std::vector<::northwind::testing::Record> records;
  for (int i = 0; i < 100; ++i) {
    records.push_back({Space::kReferences, ReferenceKey("r" + std::to_string(1000 + 2 * i), 1), "x"});
    records.push_back({Space::kIds, "id" + std::to_string(1000 + 2 * i), "x"});
  }
  Ingest(records);
  const auto ask = [&](int i) {
    EXPECT_THAT(Values(Space::kReferences, ReferenceKey("r" + std::to_string(i), 0), {.same_prefix = true}), IsEmpty());
    EXPECT_EQ(Get(Space::kIds, "id" + std::to_string(i)), std::nullopt);
  };
  ask(1001);  // loads the filters
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
  rocksdb::get_perf_context()->Reset();
  for (int i = 1003; i < 1103; i += 2) ask(i);
  const uint64_t reads = rocksdb::get_perf_context()->block_read_count;
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
  EXPECT_LE(reads, 4u);  // a filter with 10 bits a key says "maybe" once in a hundred
}

TEST_F(EngineTest, SeekingLessThanAPrefixOnASamePrefixCursorIsAProgrammingError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // RocksDB has threads
  Cursor cursor = engine_->NewCursor(Space::kReferences, {.same_prefix = true});
  EXPECT_DEATH(cursor.Seek("x"), "less than a whole prefix");
}

// ---- Errors -------------------------------------------------------------------------------------------------

TEST_F(EngineTest, AFailedSyncPoisonsEveryLaterWrite) {
  Put(Space::kJournal, "a", "1");
  disk_.Inject({.op = DiskOp::kSync, .path_contains = ".log"});
  EXPECT_THAT(TryPut(Space::kJournal, "b", "2"),
              StatusIs(absl::StatusCode::kAborted, AllOf(HasSubstr("outcome unknown"), HasSubstr("/db"))));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(TryPut(Space::kJournal, "c", "3"),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("Input/output error")));
  }
  EXPECT_THAT(engine_->poison(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(engine_->NewSortedFiles(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(engine_->Flush(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(engine_->Checkpoint("/copy"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(engine_->DropDerived(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(engine_->SetUuid({}), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Get(Space::kJournal, "a"), Optional(std::string("1"))) << "reads go on";

  Reopen(Loss::kUnsynced);
  EXPECT_THAT(Get(Space::kJournal, "a"), Optional(std::string("1")));
  EXPECT_EQ(Get(Space::kJournal, "c"), std::nullopt);
  EXPECT_THAT(TryPut(Space::kJournal, "d", "4"), IsOk());
}

TEST_F(EngineTest, AFailedAppendPoisonsEveryLaterWrite) {
  disk_.Inject({.op = DiskOp::kAppend, .path_contains = ".log"});
  EXPECT_THAT(TryPut(Space::kJournal, "b", "2"), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(TryPut(Space::kJournal, "c", "3"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(EngineTest, AFailedFlushPoisonsEveryLaterWrite) {
  Put(Space::kJournal, "a", "1");
  disk_.Inject({.op = DiskOp::kAppend, .path_contains = ".sst"});
  EXPECT_THAT(engine_->Flush(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(TryPut(Space::kJournal, "b", "2"), StatusIs(absl::StatusCode::kFailedPrecondition));
  Reopen(Loss::kUnsynced);
  EXPECT_THAT(Get(Space::kJournal, "a"), Optional(std::string("1")));
}

TEST_F(EngineTest, AnErrorInTheBackgroundPoisonsEveryLaterWrite) {
  disk_.Inject({.op = DiskOp::kAppend, .path_contains = ".sst", .forever = true});
  absl::Status status;
  for (int i = 0; status.ok() && i < 2000; ++i) {  // until a full memtable is flushed behind our back
    status = TryPut(Space::kJournal, std::to_string(i), std::string(64 << 10, 'x'));
  }
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(engine_->poison(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("Input/output error")));
}

TEST_F(EngineTest, BelowTheFloorNothingIsWrittenAndNothingIsPoisoned) {
  options_.free_space_floor_bytes = 1 << 20;
  Reopen();
  Put(Space::kJournal, "a", "1");
  disk_.SetFreeSpace(1 << 19);  // what RocksDB deletes in the background, some kilobytes, comes to it
  SkipFreeSpaceCache();
  const uint64_t before = disk_.changes();
  EXPECT_THAT(
      TryPut(Space::kJournal, "b", "2"),
      StatusIs(absl::StatusCode::kResourceExhausted, AllOf(HasSubstr("/db"), HasSubstr("below the floor of 1048576"))));
  EXPECT_EQ(disk_.changes(), before);
  EXPECT_THAT(engine_->poison(), IsOk());
  EXPECT_EQ(Get(Space::kJournal, "b"), std::nullopt);
  disk_.SetFreeSpace(1 << 30);
  EXPECT_THAT(TryPut(Space::kJournal, "b", "2"), IsOk());
}

TEST_F(EngineTest, NoMoreThanTheFloorIsWrittenBetweenTwoLooksAtTheFreeSpace) {
  options_.free_space_floor_bytes = 1 << 20;
  options_.write_buffer_bytes = 64 << 20;  // no flush meanwhile
  Reopen();
  disk_.SetFreeSpace(2 << 20);
  SkipFreeSpaceCache();
  absl::Status status;
  int written = 0;
  for (; status.ok() && written < 100; ++written) {
    status = TryPut(Space::kJournal, std::to_string(written), std::string(64 << 10, 'x'));
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("below the floor")));
  EXPECT_THAT(engine_->poison(), IsOk());
}

TEST_F(EngineTest, WithAFloorOfZeroOnlyTheFullDiskItselfStopsAWrite) {
  disk_.SetFreeSpace(100'000);
  absl::Status status;
  for (int i = 0; status.ok() && i < 100; ++i) {
    status = TryPut(Space::kJournal, std::to_string(i), std::string(10'000, 'x'));
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted, HasSubstr("No space left on device")));
  EXPECT_THAT(TryPut(Space::kJournal, "b", "2"), StatusIs(absl::StatusCode::kFailedPrecondition));
  // Room again: neither RocksDB nor the engine resumes by itself.
  disk_.SetFreeSpace(1 << 30);
  EXPECT_THAT(TryPut(Space::kJournal, "b", "2"), StatusIs(absl::StatusCode::kFailedPrecondition));
  Reopen(Loss::kUnsynced);
  EXPECT_THAT(TryPut(Space::kJournal, "b", "2"), IsOk());
  EXPECT_THAT(Get(Space::kJournal, "0"), Optional(std::string(10'000, 'x')));
}

TEST_F(EngineTest, ADamagedTableIsDataLossAndNamesSpaceAndKey) {
  Put(Space::kHost, "ab", std::string(1000, 'x'));
  ASSERT_THAT(engine_->Flush(), IsOk());
  Reopen();
  for (const std::string& table : Files(".sst")) disk_.Damage(table, 20);
  EXPECT_THAT(engine_->Get(Space::kHost, "ab"),
              StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("host"), HasSubstr("0x6162"))));
  Cursor cursor = engine_->NewCursor(Space::kHost);
  cursor.Seek("aa");
  EXPECT_FALSE(cursor.Valid());
  EXPECT_THAT(cursor.status(), StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("host"), HasSubstr("0x6161"))));
}

// ---- The rest -----------------------------------------------------------------------------------------------

TEST_F(EngineTest, OnlyOneLedgerGetsTheSlot) {
  EXPECT_TRUE(engine_->AcquireSlot(Engine::Slot::kLedger));
  EXPECT_FALSE(engine_->AcquireSlot(Engine::Slot::kLedger));
  engine_->ReleaseSlot(Engine::Slot::kLedger);
  EXPECT_TRUE(engine_->AcquireSlot(Engine::Slot::kLedger));
}

TEST_F(EngineTest, DiskBytesGrowWithWhatIsWritten) {
  const uint64_t before = engine_->DiskBytes();
  Put(Space::kJournal, "a", std::string(100'000, 'x'));
  EXPECT_GE(engine_->DiskBytes(), before + 100'000) << "in the log";
  std::string noise;
  for (uint32_t i = 0, state = 1; i < 100'000; ++i) {
    state = state * 1664525 + 1013904223;
    noise.push_back(static_cast<char>(state >> 24));
  }
  Ingest({{Space::kIds, "a", noise}});
  EXPECT_GE(engine_->DiskBytes(), before + 200'000) << "and in a table";
}

TEST_F(EngineTest, WritersReadersAndIngestRunBesideEachOther) {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> written{0};
  std::thread writer([&] {
    for (uint64_t i = 1; i <= 500; ++i) {
      WriteSet writes;
      writes.Put(Space::kJournal, "last", std::to_string(i));
      writes.Put(Space::kHost, "last", std::to_string(i));
      ASSERT_THAT(engine_->Write(writes), IsOk());
      written = i;
    }
    stop = true;
  });
  std::thread reader([&] {
    while (!stop) {
      const uint64_t at_least = written;
      const auto snapshot = engine_->NewSnapshot();
      const auto journal = snapshot->Get(Space::kJournal, "last");
      const auto host = snapshot->Get(Space::kHost, "last");
      ASSERT_TRUE(journal.ok() && host.ok());
      ASSERT_EQ(journal->has_value(), host->has_value());
      if (!journal->has_value()) continue;
      EXPECT_EQ((*journal)->view(), (*host)->view()) << "a write is seen whole";
      EXPECT_GE(std::stoull(std::string((*journal)->view())), at_least);
    }
  });
  for (int i = 0; i < 20; ++i) Ingest({{Space::kIds, std::to_string(i), "x"}, {Space::kState, "w", std::to_string(i)}});
  writer.join();
  reader.join();
  EXPECT_THAT(Get(Space::kState, "w"), Optional(std::string("19")));
}

}  // namespace
}  // namespace northwind::internal

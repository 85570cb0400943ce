// SPDX-License-Identifier: Apache-2.0
//
// Power cuts and errors at every single change that the engine makes to the disk, one after the other: whatever
// happened, the store opens again, and each promise holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "src/store/engine.h"
#include "tests/store/engine_fixture.h"
#include "tests/support/fault_fs.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::DiskOp;
using ::northwind::testing::FaultFs;
using ::northwind::testing::IngestRecords;
using ::northwind::testing::IsOk;
using ::northwind::testing::Loss;
using ::northwind::testing::Random;
using ::northwind::testing::Record;
using ::northwind::testing::Tail;
using ::northwind::testing::TestSeed;
using ::northwind::testing::TestStride;

StoreOptions SmallStore() {
  return {.path = "/a/db", .free_space_floor_bytes = 0, .block_cache_bytes = 1 << 20, .write_buffer_bytes = 256 << 10};
}

absl::StatusOr<std::unique_ptr<Engine>> Open(FaultFs& disk) { return Engine::Open(SmallStore(), disk.env()); }

std::string Count(const Engine& engine, Space space) {
  int count = 0;
  Cursor cursor = engine.NewCursor(space);
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) ++count;
  return cursor.status().ok() ? std::to_string(count) : cursor.status().ToString();
}

std::string ValueOf(const Engine& engine, Space space, std::string_view key) {
  const auto value = engine.Get(space, key);
  if (!value.ok()) return value.status().ToString();
  return value->has_value() ? std::string((*value)->view()) : "none";
}

TEST(Crash, AStoreKilledWhileItIsMadeCanBeMadeAgain) {
  const uint64_t seed = TestSeed();
  for (const Loss loss : {Loss::kNothing, Loss::kUnsynced}) {
    for (uint64_t cut = seed % TestStride();; cut += TestStride()) {
      SCOPED_TRACE(cut);
      FaultFs disk(seed + cut);
      disk.CutPowerAfter(cut);
      const bool finished = Open(disk).ok() && !disk.PowerIsCut();
      disk.Restart(loss);
      {
        auto engine = Open(disk);
        ASSERT_THAT(engine, IsOk());
        WriteSet writes;
        writes.Put(Space::kJournal, "a", "1");
        ASSERT_THAT((*engine)->Write(writes), IsOk());
      }
      disk.Restart(Loss::kUnsynced);
      auto engine = Open(disk);
      ASSERT_THAT(engine, IsOk());
      ASSERT_EQ(ValueOf(**engine, Space::kJournal, "a"), "1");
      if (finished) break;
    }
  }
}

TEST(Crash, AnErrorWhileAStoreIsMadeDoesNotKeepItFromBeingMade) {
  for (uint64_t nth = 1;; ++nth) {
    SCOPED_TRACE(nth);
    FaultFs disk;
    disk.Inject({.nth = nth});
    const uint64_t before = disk.changes();
    (void)Open(disk);
    const bool finished = disk.changes() - before < nth;
    disk.Restart(Loss::kNothing);
    ASSERT_THAT(Open(disk), IsOk());
    if (finished) break;
  }
}

// Writes numbered pairs of records until the power goes, with flushes in between; then at least what was acknowledged
// must be there, without a gap, and each pair whole.
class CrashWhileWriting : public ::testing::TestWithParam<Tail> {};

TEST_P(CrashWhileWriting, WhatWasAcknowledgedIsThereWithoutAGap) {
  const uint64_t seed = TestSeed();
  for (uint64_t cut = seed % TestStride(); cut < 250; cut += TestStride()) {
    SCOPED_TRACE(cut);
    FaultFs disk(seed + cut);
    Random random(seed + cut);
    int acknowledged = 0;
    {
      auto engine = Open(disk);
      ASSERT_THAT(engine, IsOk());
      disk.CutPowerAfter(cut);
      absl::Status status;
      while (status.ok()) {
        WriteSet writes;
        const std::string number = std::to_string(acknowledged + 1);
        writes.Put(Space::kJournal, std::string(6 - number.size(), '0') + number,
                   std::string(1 + random.Below(100'000), 'j'));
        writes.Put(Space::kHost, "last", number);
        status = (*engine)->Write(writes);
        acknowledged += status.ok() ? 1 : 0;
        if (status.ok() && random.OneIn(20)) status = (*engine)->Flush();
      }
      ASSERT_TRUE(disk.PowerIsCut());
    }
    disk.Restart(Loss::kUnsynced, GetParam());
    auto engine = Open(disk);
    ASSERT_THAT(engine, IsOk());
    const std::string found = Count(**engine, Space::kJournal);
    ASSERT_TRUE(found == std::to_string(acknowledged) || found == std::to_string(acknowledged + 1))
        << found << " found, " << acknowledged << " acknowledged";
    ASSERT_EQ(ValueOf(**engine, Space::kHost, "last"), found == "0" ? "none" : found);
  }
}

INSTANTIATE_TEST_SUITE_P(Tails, CrashWhileWriting, ::testing::Values(Tail::kTorn, Tail::kHoles),
                         [](const auto& param_info) { return param_info.param == Tail::kTorn ? "Torn" : "Holes"; });

// One operation on a store, tried with a fault at its first change, its second, and so on until it meets none.
struct Step {
  std::function<void(Engine&)> prepare;
  std::function<absl::Status(Engine&)> run;
  // What must be seen if it did not happen, and if it did.
  std::function<std::string(const Engine&)> look;
  std::string before;
  std::string after;
};

enum class Trouble { kPowerCut, kKill, kError, kNoSpace };

void TryEveryFault(const Step& step, Trouble trouble) {
  const uint64_t seed = TestSeed();
  std::set<std::string> seen;
  for (uint64_t n = seed % TestStride();; n += TestStride()) {
    ASSERT_LT(n, 5000u) << "never finishes";
    SCOPED_TRACE(n);
    FaultFs disk(seed + n);
    auto engine = Open(disk);
    ASSERT_THAT(engine, IsOk());
    step.prepare(**engine);
    const uint64_t changes = disk.changes();
    if (trouble == Trouble::kPowerCut || trouble == Trouble::kKill) {
      disk.CutPowerAfter(n);
    } else {
      disk.Inject({.nth = n + 1, .no_space = trouble == Trouble::kNoSpace});
    }
    const absl::Status status = step.run(**engine);
    const bool met = disk.changes() - changes > n;
    if (!met) {
      ASSERT_THAT(status, IsOk());
    }
    if (status.ok()) {
      ASSERT_EQ(step.look(**engine), step.after);
    }
    engine->reset();
    disk.Restart(trouble == Trouble::kPowerCut ? Loss::kUnsynced : Loss::kNothing);
    engine = Open(disk);
    ASSERT_THAT(engine, IsOk());
    const std::string found = step.look(**engine);
    if (status.ok()) {
      ASSERT_EQ(found, step.after) << "reported as done";
    } else {
      ASSERT_TRUE(found == step.before || found == step.after) << found;
    }
    seen.insert(found);
    // It can be done now, if it was not.
    if (found == step.before) {
      ASSERT_THAT(step.run(**engine), IsOk());
      ASSERT_EQ(step.look(**engine), step.after);
    }
    if (!met) break;
  }
  EXPECT_TRUE(seen.contains(step.after));
  // A write that fails leaves a random part of it behind, which may be all of it; and a stride may pass over the first changes.
  if ((trouble == Trouble::kPowerCut || trouble == Trouble::kKill) && TestStride() == 1) {
    EXPECT_TRUE(seen.contains(step.before)) << "the faults missed the operation";
  }
}

class CrashAtEveryChange : public ::testing::TestWithParam<Trouble> {};

std::string LookAtDerived(const Engine& engine) {
  return Count(engine, Space::kIds) + " " + Count(engine, Space::kEntries) + " " + Count(engine, Space::kLinks) + " " +
         ValueOf(engine, Space::kState, "w") + ", journal " + Count(engine, Space::kJournal);
}

absl::Status WriteJournal(Engine& engine) {
  WriteSet writes;
  writes.Put(Space::kJournal, "a", "1");
  return engine.Write(writes);
}

TEST_P(CrashAtEveryChange, AnIngestIsSeenWholeOrNotAtAll) {
  TryEveryFault({.prepare =
                     [](Engine& engine) {
                       ASSERT_THAT(WriteJournal(engine), IsOk());
                       ASSERT_THAT(IngestRecords(engine, {{Space::kIds, "a", "1"}, {Space::kState, "w", "1"}}), IsOk());
                     },
                 .run =
                     [](Engine& engine) {
                       return IngestRecords(engine, {{Space::kIds, "b", "2"},
                                                     {Space::kIds, "c", "2"},
                                                     {Space::kEntries, "a", std::string(100'000, 'x')},
                                                     {Space::kLinks, "00000000a", "2"},
                                                     {Space::kState, "w", "2"}});
                     },
                 .look = LookAtDerived,
                 .before = "1 0 0 1, journal 1",
                 .after = "3 1 1 2, journal 1"},
                GetParam());
}

TEST_P(CrashAtEveryChange, DroppingTheDerivedSpacesIsSeenWholeOrNotAtAll) {
  TryEveryFault(
      {.prepare =
           [](Engine& engine) {
             ASSERT_THAT(WriteJournal(engine), IsOk());
             ASSERT_THAT(IngestRecords(
                             engine, {{Space::kIds, "a", "1"}, {Space::kEntries, "a", "1"}, {Space::kState, "w", "1"}}),
                         IsOk());
           },
       .run = [](Engine& engine) { return engine.DropDerived(); },
       .look = LookAtDerived,
       .before = "1 1 0 1, journal 1",
       .after = "0 0 0 none, journal 1"},
      GetParam());
}

TEST_P(CrashAtEveryChange, AnIdentityIsReplacedWholeOrNotAtAll) {
  const auto first_byte = [](const Engine& engine) { return engine.uuid()[0] == 7 ? "new" : "old"; };
  TryEveryFault({.prepare =
                     [](Engine& engine) {
                       std::array<uint8_t, 16> uuid{};
                       ASSERT_THAT(engine.SetUuid(uuid), IsOk());
                     },
                 .run =
                     [](Engine& engine) {
                       std::array<uint8_t, 16> uuid{};
                       uuid[0] = 7;
                       return engine.SetUuid(uuid);
                     },
                 .look = first_byte,
                 .before = "old",
                 .after = "new"},
                GetParam());
}

// The log of a killed process is read, written out and deleted while the store opens.
TEST_P(CrashAtEveryChange, OpeningLosesNothing) {
  const uint64_t seed = TestSeed();
  for (uint64_t n = seed % TestStride();; n += TestStride()) {
    ASSERT_LT(n, 5000u) << "never finishes";
    SCOPED_TRACE(n);
    FaultFs disk(seed + n);
    {
      auto engine = Open(disk);
      ASSERT_THAT(engine, IsOk());
      ASSERT_THAT(IngestRecords(**engine, {{Space::kIds, "a", "1"}, {Space::kState, "w", "1"}}), IsOk());
      ASSERT_THAT(WriteJournal(**engine), IsOk());
    }
    disk.Restart(Loss::kUnsynced);
    const uint64_t changes = disk.changes();
    if (GetParam() == Trouble::kPowerCut || GetParam() == Trouble::kKill) {
      disk.CutPowerAfter(n);
    } else {
      disk.Inject({.nth = n + 1, .no_space = GetParam() == Trouble::kNoSpace});
    }
    const bool opened = Open(disk).ok();
    const bool met = disk.changes() - changes > n;
    ASSERT_TRUE(opened || met);
    disk.Restart(GetParam() == Trouble::kPowerCut ? Loss::kUnsynced : Loss::kNothing);
    const auto engine = Open(disk);
    ASSERT_THAT(engine, IsOk());
    ASSERT_EQ(LookAtDerived(**engine), "1 0 0 1, journal 1");
    if (!met) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Troubles, CrashAtEveryChange,
                         ::testing::Values(Trouble::kPowerCut, Trouble::kKill, Trouble::kError, Trouble::kNoSpace),
                         [](const auto& param_info) {
                           switch (param_info.param) {
                             case Trouble::kPowerCut:
                               return "PowerCut";
                             case Trouble::kKill:
                               return "Kill";
                             case Trouble::kError:
                               return "Error";
                             case Trouble::kNoSpace:
                               return "NoSpace";
                           }
                           return "";
                         });

TEST(Crash, ACheckpointIsThereWholeOrNotAtAll) {
  const uint64_t seed = TestSeed();
  for (uint64_t cut = 0;; ++cut) {
    SCOPED_TRACE(cut);
    FaultFs disk(seed + cut);
    auto engine = Open(disk);
    ASSERT_THAT(engine, IsOk());
    ASSERT_THAT(WriteJournal(**engine), IsOk());
    ASSERT_THAT(IngestRecords(**engine, {{Space::kIds, "a", "1"}, {Space::kState, "w", "1"}}), IsOk());
    disk.CutPowerAfter(cut);
    const absl::Status status = (*engine)->Checkpoint("/a/copy");
    const bool met = disk.PowerIsCut();
    engine->reset();
    disk.Restart(Loss::kUnsynced);
    const bool there = disk.env()->FileExists("/a/copy").ok();
    ASSERT_TRUE(there || !status.ok());
    if (there) {
      StoreOptions options = SmallStore();
      options.path = "/a/copy";
      options.create_if_missing = false;
      const auto copy = Engine::Open(options, disk.env());
      ASSERT_THAT(copy, IsOk());
      ASSERT_EQ(LookAtDerived(**copy), "1 0 0 1, journal 1");
    }
    engine = Open(disk);
    ASSERT_THAT(engine, IsOk());
    ASSERT_EQ(LookAtDerived(**engine), "1 0 0 1, journal 1");
    if (!there) {
      ASSERT_THAT((*engine)->Checkpoint("/a/copy"), IsOk()) << "the rest of the first try is in the way";
    }
    if (!met) break;
  }
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/store/log_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "src/store/engine.h"
#include "tests/store/engine_fixture.h"
#include "tests/support/fault_fs.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;
using ::testing::Optional;

// Two writes in the log, the second over several of its blocks of 32 KiB.
class LogTail : public ::northwind::testing::EngineFixture {
 protected:
  LogTail() {
    Put(Space::kJournal, "a", std::string(100'000, 'a'));
    second_ = disk_.FileSize(Log());
    Put(Space::kJournal, "b", std::string(100'000, 'b'));
    end_ = disk_.FileSize(Log());
  }
  std::string Log() { return Files(".log").back(); }

  // Closes the engine and overwrites a part of its log.
  void Overwrite(size_t begin, size_t end, char with) {
    const std::string path = Log();
    engine_.reset();
    std::string log;
    ASSERT_TRUE(rocksdb::ReadFileToString(disk_.env(), path, &log).ok());
    log.replace(begin, end - begin, end - begin, with);
    ASSERT_TRUE(rocksdb::WriteStringToFile(disk_.env(), log, path, true).ok());
  }
  void ExpectTheFirstWriteOnly() {
    EXPECT_THAT(LastWriteHasHoles(*disk_.env(), "/db", 0), IsOkAndHolds(true));
    Open();
    EXPECT_THAT(Get(Space::kJournal, "a"), Optional(std::string(100'000, 'a')));
    EXPECT_EQ(Get(Space::kJournal, "b"), std::nullopt);
    EXPECT_THAT(TryPut(Space::kJournal, "c", "3"), IsOk());
    Reopen(::northwind::testing::Loss::kUnsynced);
    EXPECT_THAT(Get(Space::kJournal, "c"), Optional(std::string("3")));
  }
  void ExpectDataLoss() { EXPECT_THAT(Engine::Open(options_, disk_.env()), StatusIs(absl::StatusCode::kDataLoss)); }
  static size_t Up(size_t n) { return (n + 511) / 512 * 512; }

  size_t second_ = 0;
  size_t end_ = 0;
};

TEST_F(LogTail, ASoundLogHasNoHoles) {
  engine_.reset();
  EXPECT_THAT(LastWriteHasHoles(*disk_.env(), "/db", 0), IsOkAndHolds(false));
  Open();
  EXPECT_THAT(Get(Space::kJournal, "b"), Optional(std::string(100'000, 'b')));
}

TEST_F(LogTail, AHoleInsideTheLastWriteCostsThatWriteOnly) {
  Overwrite(Up(second_ + 40'000), Up(second_ + 40'000) + 512, '\0');
  ExpectTheFirstWriteOnly();
}

TEST_F(LogTail, AHoleOverTheHeaderOfABlockCostsThatWriteOnly) {
  const size_t block = (second_ / 32768 + 1) * 32768;
  Overwrite(block, block + 4096, '\0');
  ExpectTheFirstWriteOnly();
}

TEST_F(LogTail, ALastWriteThatIsAllZerosCostsThatWriteOnly) {
  Overwrite(Up(second_), end_, '\0');
  ExpectTheFirstWriteOnly();
}

TEST_F(LogTail, AHoleBeforeTheLastWriteIsDataLoss) {
  Overwrite(40'960, 40'960 + 4096, '\0');
  EXPECT_THAT(LastWriteHasHoles(*disk_.env(), "/db", 0), StatusIs(absl::StatusCode::kDataLoss));
  ExpectDataLoss();
}

TEST_F(LogTail, AFlippedByteInTheLastWriteIsDataLoss) {
  Overwrite(second_ + 40'000, second_ + 40'001, 'x');
  EXPECT_THAT(LastWriteHasHoles(*disk_.env(), "/db", 0), IsOkAndHolds(false));
  ExpectDataLoss();
}

class LogTailOfTwo : public LogTail {
 protected:
  // Makes a hole in the last write, and a later log of that content.
  void AddLog(const std::string& content) {
    Overwrite(Up(second_ + 40'000), Up(second_ + 40'000) + 512, '\0');
    ASSERT_TRUE(rocksdb::WriteStringToFile(disk_.env(), content, "/db/999999.log", true).ok());
  }
};

TEST_F(LogTailOfTwo, AHoleInALogWithAnotherAfterItIsDataLoss) {
  std::string log;
  ASSERT_TRUE(rocksdb::ReadFileToString(disk_.env(), Log(), &log).ok());
  AddLog(log.substr(0, second_));
  EXPECT_THAT(LastWriteHasHoles(*disk_.env(), "/db", 0), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(LogTailOfTwo, ALaterLogWithNoMoreThanAnEmptyWriteIsNone) {
  AddLog(std::string(19, 'x'));
  EXPECT_THAT(LastWriteHasHoles(*disk_.env(), "/db", 0), IsOkAndHolds(true));
}

TEST_F(LogTailOfTwo, ALogThatIsNotReadAnyMoreDoesNotCount) {
  std::string log;
  ASSERT_TRUE(rocksdb::ReadFileToString(disk_.env(), Log(), &log).ok());
  AddLog(log);
  EXPECT_THAT(LastWriteHasHoles(*disk_.env(), "/db", 999'999), IsOkAndHolds(false));
}

// Small writes, many to a block, acknowledged one after the other.
class SmallWrites : public ::northwind::testing::EngineFixture {
 protected:
  void Write(int count, size_t bytes) {
    for (int i = 0; i < count; ++i) {
      begins_.push_back(disk_.FileSize(Log()));
      const std::string key = std::to_string(100 + i);
      Put(Space::kHost, key, std::string(bytes, static_cast<char>('a' + i % 26)));
    }
    engine_.reset();
    ASSERT_TRUE(rocksdb::ReadFileToString(disk_.env(), Log(), &log_).ok());
  }
  std::string Log() { return Files(".log").back(); }
  // Opens what is left with a part of the log zeroed.
  absl::Status OpenWithZeros(size_t begin, size_t end) {
    std::string log = log_;
    log.replace(begin, end - begin, end - begin, '\0');
    EXPECT_TRUE(rocksdb::WriteStringToFile(disk_.env(), log, Log(), true).ok());
    return Engine::Open(options_, disk_.env()).status();
  }

  std::vector<size_t> begins_;
  std::string log_;
};

TEST_F(SmallWrites, AHoleInOneWithSoundOnesBehindItInItsBlockIsDataLoss) {
  Write(9, 700);
  const size_t hole = (begins_[3] + 511) / 512 * 512;
  ASSERT_LE(hole + 512, begins_[5]);
  EXPECT_THAT(OpenWithZeros(hole, hole + 512), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(SmallWrites, AHoleOverTheEndOfOneAndTheHeaderOfTheLastIsDataLoss) {
  Write(9, 700);
  const size_t hole = begins_[8] / 512 * 512;
  ASSERT_LE(begins_[7] + 7, hole);
  EXPECT_THAT(OpenWithZeros(hole, hole + 512), StatusIs(absl::StatusCode::kDataLoss));
}

// Where RocksDB skips the rest of the block in silence.
TEST_F(SmallWrites, AHoleThatBeginsWithAHeaderIsDataLoss) {
  const size_t begin = disk_.FileSize(Log());
  Write(1, 200);
  const size_t overhead = disk_.FileSize(Log()) - begin - 200;
  begins_.clear();
  Open();
  const size_t filler = 2048 - disk_.FileSize(Log()) % 512 - overhead;
  Put(Space::kHost, "000", std::string(filler, 'f'));
  Write(9, 1024 - overhead);
  ASSERT_EQ(begins_[4] % 512, 0U);
  EXPECT_THAT(OpenWithZeros(begins_[4], begins_[4] + 512), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(SmallWrites, AnySectorOfZerosBeforeTheLastOneIsDataLossAndNeverAShorterLog) {
  Write(100, 700);
  for (size_t hole = 0; hole < begins_.back(); hole += 512) {
    SCOPED_TRACE(hole);
    EXPECT_THAT(OpenWithZeros(hole, hole + 512), StatusIs(absl::StatusCode::kDataLoss));
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/store/log_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

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
    EXPECT_THAT(OnlyTheLastWriteHasHoles(*disk_.env(), "/db"), IsOkAndHolds(true));
    Open();
    EXPECT_THAT(Get(Space::kJournal, "a"), Optional(std::string(100'000, 'a')));
    EXPECT_EQ(Get(Space::kJournal, "b"), std::nullopt);
    EXPECT_THAT(TryPut(Space::kJournal, "c", "3"), IsOk());
    Reopen(::northwind::testing::Loss::kUnsynced);
    EXPECT_THAT(Get(Space::kJournal, "c"), Optional(std::string("3")));
  }
  void ExpectDataLoss() {
    EXPECT_THAT(OnlyTheLastWriteHasHoles(*disk_.env(), "/db"), IsOkAndHolds(false));
    EXPECT_THAT(Engine::Open(options_, disk_.env()), StatusIs(absl::StatusCode::kDataLoss));
  }
  static size_t Up(size_t n) { return (n + 511) / 512 * 512; }

  size_t second_ = 0;
  size_t end_ = 0;
};

TEST_F(LogTail, ASoundLogHasNoHoles) {
  engine_.reset();
  EXPECT_THAT(OnlyTheLastWriteHasHoles(*disk_.env(), "/db"), IsOkAndHolds(false));
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
  ExpectDataLoss();
}

TEST_F(LogTail, AFlippedByteInTheLastWriteIsDataLoss) {
  Overwrite(second_ + 40'000, second_ + 40'001, 'x');
  ExpectDataLoss();
}

TEST_F(LogTail, AHoleInALogWithAnotherAfterItIsDataLoss) {
  Overwrite(Up(second_ + 40'000), Up(second_ + 40'000) + 512, '\0');
  std::string log;
  ASSERT_TRUE(rocksdb::ReadFileToString(disk_.env(), Log(), &log).ok());
  ASSERT_TRUE(rocksdb::WriteStringToFile(disk_.env(), log.substr(0, second_), "/db/999999.log", true).ok());
  EXPECT_THAT(OnlyTheLastWriteHasHoles(*disk_.env(), "/db"), IsOkAndHolds(false));
}

}  // namespace
}  // namespace northwind::internal

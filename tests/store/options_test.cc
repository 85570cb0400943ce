// SPDX-License-Identifier: Apache-2.0
//
// RocksDB itself under our options, where they keep it from doing harm.
#include "src/store/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "rocksdb/db.h"
#include "tests/support/fault_fs.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::FaultFs;

std::unique_ptr<rocksdb::DB> OpenUnderOurOptions(FaultFs& disk) {
  rocksdb::Options options(DatabaseOptions({}, disk.env(), nullptr), rocksdb::ColumnFamilyOptions());
  options.listeners.clear();
  options.create_if_missing = true;
  options.disable_auto_compactions = true;
  rocksdb::DB* db = nullptr;
  EXPECT_TRUE(rocksdb::DB::Open(options, "/db", &db).ok());
  return std::unique_ptr<rocksdb::DB>(db);
}

void PutAndFlush(rocksdb::DB& db) {
  EXPECT_TRUE(db.Put({}, "key", "value").ok());
  EXPECT_TRUE(db.Flush({}).ok());
}

// A checkpoint asks for the log files, and waits for whoever looks for files to delete. RocksDB 7.8.3 looks for some when
// a cursor ends that was the last to see the store as it was, and by itself wakes nobody when it finds none. If nothing
// else goes on in the store then, they wait for ever.
TEST(Options, ACursorThatEndsLeavesNobodyWaiting) {
  for (int round = 0; round < 40 && !HasFailure(); ++round) {
    FaultFs disk;
    const std::unique_ptr<rocksdb::DB> db = OpenUnderOurOptions(disk);
    ASSERT_NE(db, nullptr);
    std::vector<std::unique_ptr<rocksdb::Iterator>> cursors;
    for (int i = 0; i < 20; ++i) {
      cursors.emplace_back(db->NewIterator(CursorRead({})));
      PutAndFlush(*db);
    }
    std::atomic<uint64_t> answers{0};
    std::atomic<bool> stop{false};
    std::thread asking([&] {
      for (; !stop; ++answers) {
        rocksdb::VectorLogPtr logs;
        EXPECT_TRUE(db->GetSortedWalFiles(logs).ok());
      }
    });
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    for (std::unique_ptr<rocksdb::Iterator>& cursor : cursors) {
      cursor.reset();
      const uint64_t before = answers;
      while (answers < before + 2 && absl::Now() < deadline) std::this_thread::yield();
    }
    EXPECT_LT(absl::Now(), deadline) << "nobody wakes it, in round " << round;
    stop = true;
    PutAndFlush(*db);  // this does
    asking.join();
  }
}

}  // namespace
}  // namespace northwind::internal

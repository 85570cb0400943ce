// SPDX-License-Identifier: Apache-2.0
#include "src/store/manifest_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "src/store/directory.h"
#include "src/store/engine.h"
#include "tests/store/engine_fixture.h"
#include "tests/support/fault_fs.h"
#include "tests/support/status_matchers.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::DiskOp;
using ::northwind::testing::IngestRecords;
using ::northwind::testing::IsOk;
using ::northwind::testing::Loss;
using ::northwind::testing::Record;
using ::northwind::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Optional;

// A store with some records of journal and host in a table and some in the log.
class ManifestTail : public ::northwind::testing::EngineFixture {
 protected:
  ManifestTail() {
    PutPair("a");
    EXPECT_THAT(engine_->Flush(), IsOk());
    PutPair("b");
  }

  // The key is long, so that a flush's first record in the manifest, which has it twice, is longer than two sectors.
  static std::string Key(const std::string& name) { return std::string(1000, 'k') + name; }
  void PutPair(const std::string& name) {
    Put(Space::kJournal, Key(name), name);
    Put(Space::kHost, Key(name), name);
    pairs_.push_back(name);
  }
  bool HasEveryPair() {
    for (const std::string& name : pairs_) {
      if (Get(Space::kJournal, Key(name)) != name || Get(Space::kHost, Key(name)) != name) return false;
    }
    return true;
  }

  std::string Manifest() {
    std::string current;
    EXPECT_TRUE(rocksdb::ReadFileToString(disk_.env(), "/db/CURRENT", &current).ok());
    return "/db/" + current.substr(0, current.size() - 1);
  }
  // The change is written to the manifest, but its sync does not come back, and the process ends.
  void Begin(const std::function<absl::Status()>& change, uint64_t nth = 1) {
    begin_ = disk_.FileSize(Manifest());
    disk_.Inject({.op = DiskOp::kSync, .path_contains = "MANIFEST", .nth = nth});
    EXPECT_FALSE(change().ok());
    Close();
  }
  void Finish(const std::function<absl::Status()>& change) {
    begin_ = disk_.FileSize(Manifest());
    EXPECT_THAT(change(), IsOk());
    Close();
  }
  void Close() {
    engine_.reset();
    disk_.ClearFaults();
    end_ = disk_.FileSize(Manifest());
    closed_.clear();
    std::vector<std::string> names;
    ASSERT_TRUE(disk_.env()->GetChildren("/db", &names).ok());
    for (const std::string& name : names) {
      if (name == "ingest") continue;
      ASSERT_TRUE(rocksdb::ReadFileToString(disk_.env(), "/db/" + name, &closed_[name]).ok());
    }
  }
  // Brings all files back to how they were then.
  void Restore() {
    std::vector<std::string> names;
    ASSERT_TRUE(disk_.env()->GetChildren("/db", &names).ok());
    for (const std::string& name : names) {
      if (name == "ingest") continue;
      ASSERT_TRUE(disk_.env()->DeleteFile("/db/" + name).ok());
    }
    for (const auto& [name, content] : closed_) {
      ASSERT_TRUE(rocksdb::WriteStringToFile(disk_.env(), content, "/db/" + name, true).ok());
    }
    ASSERT_THAT(SyncDirectory(*disk_.env(), "/db"), IsOk());
  }

  void Zero(size_t begin, size_t end) { Rewrite(Manifest(), begin, std::string(end - begin, '\0')); }
  void Rewrite(const std::string& path, size_t begin, const std::string& with) {
    std::string content;
    ASSERT_TRUE(rocksdb::ReadFileToString(disk_.env(), path, &content).ok());
    content.replace(begin, with.size(), with);
    ASSERT_TRUE(rocksdb::WriteStringToFile(disk_.env(), content, path, true).ok());
  }
  static size_t Up(size_t n) { return (n + 511) / 512 * 512; }

  void ExpectRefusal(const std::string& reason) {
    const size_t size = disk_.FileSize(Manifest());
    EXPECT_THAT(Engine::Open(options_, disk_.env()),
                StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("MANIFEST"), HasSubstr(reason))));
    EXPECT_EQ(disk_.FileSize(Manifest()), size) << "it is left as it was";
  }

  std::function<absl::Status()> flush_ = [this] { return engine_->Flush(); };
  std::function<absl::Status()> ingest_ = [this] {
    return IngestRecords(*engine_, {{Space::kIds, Key("i"), "1"},
                                    {Space::kEntries, Key("i"), "1"},
                                    {Space::kAccounts, Key("i"), "1"},
                                    {Space::kState, "w", "1"}});
  };
  std::vector<std::string> pairs_;
  std::map<std::string, std::string> closed_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

TEST_F(ManifestTail, OneWithoutHolesIsLeftAlone) {
  Close();
  EXPECT_THAT(CutHolesFromManifest(*disk_.env(), "/db"), IsOk());
  EXPECT_EQ(disk_.FileSize(Manifest()), end_);
}

TEST_F(ManifestTail, AHoleInAFlushThatWasNotFinishedCostsNothing) {
  Begin(flush_);
  ASSERT_LT(Up(begin_) + 512, end_) << "something sound comes after it";
  Zero(Up(begin_), Up(begin_) + 512);
  EXPECT_THAT(CutHolesFromManifest(*disk_.env(), "/db"), IsOk());
  EXPECT_EQ(disk_.FileSize(Manifest()), begin_);
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_TRUE(HasEveryPair());
  PutPair("c");
  Reopen(Loss::kUnsynced);
  EXPECT_TRUE(HasEveryPair());
}

TEST_F(ManifestTail, AHoleInAnIngestThatWasNotFinishedUndoesAllOfIt) {
  Begin(ingest_, 2);  // the first reserves file numbers
  const size_t last = (end_ - 1) / 512 * 512;
  ASSERT_GT(last, begin_ + 4000) << "the hole is in the last one of several records";
  Zero(last, end_);
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_TRUE(HasEveryPair());
  EXPECT_EQ(Get(Space::kIds, Key("i")), std::nullopt);
  EXPECT_EQ(Get(Space::kState, "w"), std::nullopt);
  EXPECT_THAT(ingest_(), IsOk());
  EXPECT_THAT(Get(Space::kState, "w"), Optional(std::string("1")));
}

TEST_F(ManifestTail, AnyHolesInAChangeThatWasNotFinishedCostNothing) {
  for (const bool flush : {true, false}) {
    SCOPED_TRACE(flush ? "flush" : "ingest");
    flush ? Begin(flush_) : Begin(ingest_, 2);
    const size_t sectors = (end_ - Up(begin_) + 511) / 512;
    for (size_t holes = 1; holes < size_t{1} << std::min<size_t>(sectors, 6); ++holes) {
      Restore();
      for (size_t i = 0; i < sectors; ++i) {
        const size_t sector = Up(begin_) + i * 512;
        if ((holes >> i % 6 & 1) != 0) Zero(sector, std::min(sector + 512, end_));
      }
      ASSERT_NO_FATAL_FAILURE(Open());
      EXPECT_TRUE(HasEveryPair());
      engine_.reset();
      ASSERT_FALSE(HasFailure()) << holes;
    }
    Restore();
    ASSERT_NO_FATAL_FAILURE(Open());
  }
}

// What was acknowledged, and then goes bad. It may not even be noticed, as long as nothing is lost.
TEST_F(ManifestTail, AnySectorOfZerosIsDataLossOrCostsNothing) {
  for (const char* name : {"c", "d", "e"}) {
    EXPECT_THAT(ingest_(), IsOk());
    EXPECT_THAT(engine_->Flush(), IsOk());
    PutPair(name);
  }
  Put(Space::kHost, Key("alone"), "1");
  EXPECT_THAT(engine_->Flush(), IsOk());
  Finish(ingest_);
  int refused = 0;
  for (size_t sector = 0; sector < end_; sector += 512) {
    SCOPED_TRACE(sector);
    Restore();
    Zero(sector, std::min(sector + 512, end_));
    auto engine = Engine::Open(options_, disk_.env());
    if (engine.ok()) {
      engine_ = *std::move(engine);
      EXPECT_TRUE(HasEveryPair());
      EXPECT_THAT(Get(Space::kHost, Key("alone")), Optional(std::string("1")));
      engine_.reset();
    } else {
      EXPECT_THAT(engine, StatusIs(absl::StatusCode::kDataLoss));
      ++refused;
    }
  }
  EXPECT_GT(refused, 10);
}

TEST_F(ManifestTail, AHoleInAFlushWhoseLogIsGoneIsDataLoss) {
  Finish(flush_);
  Zero(Up(begin_), Up(begin_) + 512);
  ExpectRefusal("log");
}

TEST_F(ManifestTail, AHoleIsDataLossIfATableOfTheStateBeforeIsGone) {
  const std::vector<std::string> tables = Files(".sst");
  Begin(flush_);
  Zero(Up(begin_), Up(begin_) + 512);
  ASSERT_TRUE(disk_.env()->DeleteFile(tables.back()).ok());
  ExpectRefusal(tables.back().substr(4));
}

TEST_F(ManifestTail, AHoleIsDataLossIfALogInTheMiddleIsGone) {
  const std::string log = Files(".log").back();
  std::vector<size_t> ends;
  for (const char* name : {"c", "d"}) {
    ends.push_back(disk_.FileSize(log));
    PutPair(name);
  }
  Begin(flush_);
  Zero(Up(begin_), Up(begin_) + 512);
  // What was one log becomes the first and the third of three.
  const std::string content = closed_[log.substr(4)];
  ASSERT_TRUE(rocksdb::WriteStringToFile(disk_.env(), content.substr(0, ends[0]), log, true).ok());
  ASSERT_TRUE(rocksdb::WriteStringToFile(disk_.env(), content.substr(ends[1]), "/db/999999.log", true).ok());
  ExpectRefusal("a write is missing before log 999999");
}

TEST_F(ManifestTail, AHoleInWhatWasThereFromTheBeginningIsDataLoss) {
  Reopen();
  Close();
  Zero(512, 1024);
  ExpectRefusal("came into use");
}

TEST_F(ManifestTail, AHoleBeforeTheMakingOfASpaceIsDataLoss) {
  Finish([this] {
    const absl::Status status = ingest_();
    return status.ok() ? engine_->DropDerived() : status;
  });
  Zero(Up(begin_), Up(begin_) + 512);
  ExpectRefusal("column family was added or dropped");
}

TEST_F(ManifestTail, AFlippedByteIsDataLoss) {
  Begin(flush_);
  disk_.Damage(Manifest(), begin_ + 50);
  EXPECT_THAT(CutHolesFromManifest(*disk_.env(), "/db"), IsOk());
  EXPECT_THAT(Engine::Open(options_, disk_.env()), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(ManifestTail, APowerCutAtAnyChangeWhileItIsCutCostsNothing) {
  Begin(flush_);
  for (uint64_t changes = 0;; ++changes) {
    SCOPED_TRACE(changes);
    Restore();
    Zero(Up(begin_), Up(begin_) + 512);
    disk_.CutPowerAfter(changes);
    const bool opened = Engine::Open(options_, disk_.env()).ok();
    ASSERT_TRUE(opened || disk_.PowerIsCut());
    disk_.Restart(Loss::kUnsynced,
                  changes % 2 == 0 ? ::northwind::testing::Tail::kTorn : ::northwind::testing::Tail::kHoles);
    ASSERT_NO_FATAL_FAILURE(Open());
    EXPECT_TRUE(HasEveryPair());
    engine_.reset();
    ASSERT_FALSE(HasFailure());
    if (opened) break;
  }
}

TEST_F(ManifestTail, AnErrorAtAnyChangeWhileItIsCutIsSaidAndCostsNothing) {
  Begin(flush_);
  for (const char* path : {".dbtmp", "MANIFEST"}) {
    for (uint64_t nth = 1; nth < 6; ++nth) {
      SCOPED_TRACE(path + std::to_string(nth));
      Restore();
      Zero(Up(begin_), Up(begin_) + 512);
      disk_.Inject({.path_contains = path, .nth = nth});
      (void)Engine::Open(options_, disk_.env());
      disk_.Restart(Loss::kUnsynced);
      ASSERT_NO_FATAL_FAILURE(Open());
      EXPECT_TRUE(HasEveryPair());
      engine_.reset();
      ASSERT_FALSE(HasFailure());
    }
  }
}

}  // namespace
}  // namespace northwind::internal

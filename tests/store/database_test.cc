// SPDX-License-Identifier: Apache-2.0
//
// Opening: whose directory it is, which format, and what is wrong with it. On a real disk where that matters.
#include "src/store/database.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rocksdb/db.h"
#include "src/base/coding.h"
#include "src/store/engine.h"
#include "tests/store/engine_fixture.h"
#include "tests/support/fault_fs.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::internal {
namespace {

using ::northwind::testing::IsOk;
using ::northwind::testing::Loss;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TempDir;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Optional;

absl::StatusOr<std::unique_ptr<Engine>> OpenAt(const std::string& path, bool create = true) {
  return Engine::Open({.path = path, .create_if_missing = create, .free_space_floor_bytes = 0});
}

// Every file below a directory with its content.
std::map<std::string, std::string> ContentOf(const std::string& directory) {
  std::map<std::string, std::string> content;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    content[entry.path()] = entry.is_directory() ? "" : std::string(std::istreambuf_iterator<char>(file), {});
  }
  return content;
}

// ---- Making ---------------------------------------------------------------------------------------------------

TEST(Database, IsMadeWithItsParents) {
  const TempDir directory;
  EXPECT_THAT(OpenAt(directory / "a/b/c"), IsOk());
  EXPECT_THAT(OpenAt(directory / "a/b/c", false), IsOk());
}

TEST(Database, IsNotMadeUnlessAskedFor) {
  const TempDir directory;
  EXPECT_THAT(OpenAt(directory / "none", false), StatusIs(absl::StatusCode::kNotFound, HasSubstr(directory / "none")));
  EXPECT_FALSE(std::filesystem::exists(directory / "none"));
  ASSERT_TRUE(std::filesystem::create_directory(directory / "empty"));
  EXPECT_THAT(OpenAt(directory / "empty", false), StatusIs(absl::StatusCode::kNotFound));
}

TEST(Database, IsMadeInAnEmptyDirectory) {
  const TempDir directory;
  EXPECT_THAT(OpenAt(directory.path()), IsOk());
}

TEST(Database, ATrailingSlashNamesTheSameDirectory) {
  const TempDir directory;
  const auto engine = OpenAt(directory / "store///");
  ASSERT_THAT(engine, IsOk());
  EXPECT_EQ((*engine)->path(), directory / "store");
}

TEST(Database, NeedsAPath) { EXPECT_THAT(OpenAt(""), StatusIs(absl::StatusCode::kInvalidArgument)); }

TEST(Database, NoPermissionIsSaidSo) {
  const TempDir directory;
  ASSERT_EQ(chmod(directory.path().c_str(), 0500), 0);
  const uid_t user = geteuid();
  if (user == 0) {
    ASSERT_EQ(chown(directory.path().c_str(), 65534, 65534), 0);
    ASSERT_EQ(seteuid(65534), 0);  // root may write anywhere
  }
  const auto engine = OpenAt(directory / "store");
  const auto in_place = OpenAt(directory.path());
  ASSERT_EQ(seteuid(user), 0);
  EXPECT_THAT(engine, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(directory / "store")));
  EXPECT_THAT(in_place, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(directory.path())));
}

// ---- Identity -------------------------------------------------------------------------------------------------

TEST(Database, KeepsItsIdentity) {
  const TempDir directory;
  std::array<uint8_t, 16> uuid{};
  {
    const auto engine = OpenAt(directory / "a");
    ASSERT_THAT(engine, IsOk());
    uuid = (*engine)->uuid();
  }
  EXPECT_NE(uuid, (std::array<uint8_t, 16>{}));
  const auto engine = OpenAt(directory / "a");
  ASSERT_THAT(engine, IsOk());
  EXPECT_EQ((*engine)->uuid(), uuid);
  const auto other = OpenAt(directory / "b");
  ASSERT_THAT(other, IsOk());
  EXPECT_NE((*other)->uuid(), uuid);
}

class DatabaseIdentity : public ::northwind::testing::EngineFixture {};

TEST_F(DatabaseIdentity, CanBeReplacedWhileNothingIsStored) {
  std::array<uint8_t, 16> uuid{1, 2, 3};
  ASSERT_THAT(engine_->SetUuid(uuid), IsOk());
  EXPECT_EQ(engine_->uuid(), uuid);
  Reopen(Loss::kUnsynced);
  EXPECT_EQ(engine_->uuid(), uuid);
  Put(Space::kJournal, "a", "1");
  EXPECT_THAT(engine_->SetUuid({}), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("journal")));
  EXPECT_EQ(engine_->uuid(), uuid);
}

TEST_F(DatabaseIdentity, CannotBeReplacedBesideHostRecords) {
  Put(Space::kHost, "a", "1");
  EXPECT_THAT(engine_->SetUuid({}), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("host")));
}

TEST_F(DatabaseIdentity, ItsLossIsDataLoss) {
  Put(Space::kJournal, "a", "1");
  WriteSet writes;
  writes.Delete(Space::kMeta, "identity");
  ASSERT_THAT(engine_->Write(writes), IsOk());
  engine_.reset();
  EXPECT_THAT(Engine::Open(options_, disk_.env()), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("journal")));
}

TEST_F(DatabaseIdentity, ANewerFormatIsRefusedNamingBothVersions) {
  std::string identity = "northwind";
  PutBigEndian32(identity, 2);
  identity += "what format 2 puts here";
  Put(Space::kMeta, "identity", identity);
  engine_.reset();
  EXPECT_THAT(Engine::Open(options_, disk_.env()),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("/db"), HasSubstr("format version 2"), HasSubstr("up to version 1"))));
}

TEST_F(DatabaseIdentity, AnotherMagicIsRefused) {
  Put(Space::kMeta, "identity", "southwind and a few bytes more");
  engine_.reset();
  EXPECT_THAT(Engine::Open(options_, disk_.env()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not a northwind store")));
}

// Makes the store one of a newer format, with a column family that this library does not know.
TEST(Database, ANewerFormatWithMoreSpacesIsRefusedAndNotTouched) {
  const TempDir directory;
  const std::string path = directory / "store";
  ASSERT_THAT(OpenAt(path), IsOk());
  {
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, path, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) families.push_back({name, {}});
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* raw = nullptr;
    rocksdb::ColumnFamilyHandle* added = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, path, families, &handles, &raw).ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    std::string identity = "northwind";
    PutBigEndian32(identity, 7);
    ASSERT_TRUE(db->Put({}, "identity", identity).ok());
    ASSERT_TRUE(db->CreateColumnFamily({}, "future", &added).ok());
    handles.push_back(added);
    for (rocksdb::ColumnFamilyHandle* handle : handles) (void)db->DestroyColumnFamilyHandle(handle);
  }
  const auto before = ContentOf(path);
  EXPECT_THAT(OpenAt(path), StatusIs(absl::StatusCode::kFailedPrecondition,
                                     AllOf(HasSubstr("format version 7"), HasSubstr("up to version 1"))));
  EXPECT_EQ(ContentOf(path), before);
}

// ---- What is not ours -------------------------------------------------------------------------------------------

TEST(Database, ADirectoryWithOtherFilesIsRefusedAndNotTouched) {
  const TempDir directory;
  std::ofstream(directory / "thesis.tex") << "chapter one";
  const auto before = ContentOf(directory.path());
  EXPECT_THAT(OpenAt(directory.path()), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                 AllOf(HasSubstr(directory.path()), HasSubstr("thesis.tex"))));
  EXPECT_EQ(ContentOf(directory.path()), before);
}

TEST(Database, AnotherProgramsRocksDbIsRefusedAndNotTouched) {
  const TempDir directory;
  {
    rocksdb::Options options;
    options.create_if_missing = true;
    rocksdb::DB* raw = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(options, directory / "db", &raw).ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    ASSERT_TRUE(db->Put({}, "key", "value").ok());
  }
  const auto before = ContentOf(directory / "db");
  EXPECT_THAT(OpenAt(directory / "db"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not a northwind store")));
  EXPECT_EQ(ContentOf(directory / "db"), before);
}

TEST(Database, AFileIsRefused) {
  const TempDir directory;
  std::ofstream(directory / "file") << "text";
  EXPECT_THAT(OpenAt(directory / "file"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not a directory")));
}

// ---- One at a time ----------------------------------------------------------------------------------------------

TEST(Database, IsOpenOnceInAProcess) {
  const TempDir directory;
  auto engine = OpenAt(directory / "store");
  ASSERT_THAT(engine, IsOk());
  EXPECT_THAT(OpenAt(directory / "store"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("open already in this process"), HasSubstr(directory / "store"))));
  engine->reset();
  EXPECT_THAT(OpenAt(directory / "store"), IsOk());
}

constexpr int kPipe = 63;  // the descriptor that a child tells its parent things on

// Starts this test program again, with one of the disabled tests below only.
class Child {
 public:
  Child(const std::string& test, const std::string& store) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    setenv("NORTHWIND_TEST_STORE", store.c_str(), 1);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], kPipe);
    std::string name = "database_test", filter = "--gtest_filter=" + test, also = "--gtest_also_run_disabled_tests";
    std::array<char*, 4> arguments = {name.data(), filter.data(), also.data(), nullptr};
    EXPECT_EQ(posix_spawn(&id_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = ends[0];
  }
  ~Child() {
    Kill();
    close(output_);
  }

  // The next byte that it told; 0 at the end.
  char Read() {
    char byte = 0;
    return read(output_, &byte, 1) == 1 ? byte : 0;
  }
  void Kill() {
    if (id_ == 0) return;
    kill(id_, SIGKILL);
    waitpid(id_, nullptr, 0);
    id_ = 0;
  }

 private:
  pid_t id_ = 0;
  int output_ = -1;
};

void Tell(char byte) { ASSERT_EQ(write(kPipe, &byte, 1), 1); }

TEST(DatabaseChild, DISABLED_OpensAndWaits) {
  const auto engine = OpenAt(std::getenv("NORTHWIND_TEST_STORE"));
  Tell(engine.ok() ? 'o' : 'e');
  // Until it is killed; or its parent is gone, and with it the other end.
  pollfd other_end = {.fd = kPipe, .events = 0, .revents = 0};
  while (poll(&other_end, 1, -1) < 0) {
  }
}

TEST(DatabaseChild, DISABLED_WritesUntilKilled) {
  const auto engine = OpenAt(std::getenv("NORTHWIND_TEST_STORE"));
  for (uint64_t i = 1; engine.ok(); ++i) {
    WriteSet writes;
    std::string key;
    PutBigEndian64(key, i);
    writes.Put(Space::kJournal, key, std::string(1 + i % 5000, 'j'));
    writes.Put(Space::kHost, "last", key);
    if (!(*engine)->Write(writes).ok()) break;
    Tell('w');
  }
}

TEST(Database, IsOpenOnceAmongProcesses) {
  const TempDir directory;
  Child child("DatabaseChild.DISABLED_OpensAndWaits", directory / "store");
  ASSERT_EQ(child.Read(), 'o');
  EXPECT_THAT(OpenAt(directory / "store"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("open in another process"), HasSubstr(directory / "store"))));
  child.Kill();
  EXPECT_THAT(OpenAt(directory / "store"), IsOk());
}

TEST(Database, AKilledProcessLosesNothingThatItSaidIsWritten) {
  const TempDir directory;
  for (int round = 1; round <= 5; ++round) {
    uint64_t acknowledged = 0;
    {
      std::filesystem::remove_all(directory / "store");
      Child child("DatabaseChild.DISABLED_WritesUntilKilled", directory / "store");
      for (; acknowledged < 100u * static_cast<unsigned>(round); ++acknowledged) ASSERT_EQ(child.Read(), 'w');
      child.Kill();
      while (child.Read() == 'w') ++acknowledged;
    }
    const auto engine = OpenAt(directory / "store");
    ASSERT_THAT(engine, IsOk());
    uint64_t found = 0;
    Cursor cursor = (*engine)->NewCursor(Space::kJournal);
    for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) ASSERT_EQ(LoadBigEndian64(cursor.key().data()), ++found);
    ASSERT_THAT(cursor.status(), IsOk());
    EXPECT_GE(found, acknowledged);
    EXPECT_LE(found, acknowledged + 1);
    const auto last = (*engine)->Get(Space::kHost, "last");
    ASSERT_TRUE(last.ok() && last->has_value());
    EXPECT_EQ(LoadBigEndian64((*last)->view().data()), found);
  }
}

// ---- Damage ---------------------------------------------------------------------------------------------------

class DatabaseDamage : public ::northwind::testing::EngineFixture {
 protected:
  DatabaseDamage() {
    for (char key = 'a'; key <= 'z'; ++key) Put(Space::kJournal, std::string(1, key), std::string(2000, key));
  }
  absl::StatusOr<std::unique_ptr<Engine>> OpenAgain() { return Engine::Open(options_, disk_.env()); }
  void Delete(const std::vector<std::string>& paths) {
    ASSERT_FALSE(paths.empty());
    for (const std::string& path : paths) ASSERT_TRUE(disk_.env()->DeleteFile(path).ok());
  }
};

TEST_F(DatabaseDamage, ALostCurrentFileIsDataLoss) {
  engine_.reset();
  Delete({"/db/CURRENT"});
  EXPECT_THAT(OpenAgain(), StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("/db"), HasSubstr("CURRENT"))));
}

TEST_F(DatabaseDamage, ALostManifestIsDataLoss) {
  engine_.reset();
  std::vector<std::string> names;
  ASSERT_TRUE(disk_.env()->GetChildren("/db", &names).ok());
  for (const std::string& name : names) {
    if (name.starts_with("MANIFEST")) Delete({"/db/" + name});
  }
  EXPECT_THAT(OpenAgain(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("MANIFEST")));
}

TEST_F(DatabaseDamage, ADamagedManifestIsDataLoss) {
  engine_.reset();
  std::vector<std::string> names;
  ASSERT_TRUE(disk_.env()->GetChildren("/db", &names).ok());
  for (const std::string& name : names) {
    if (name.starts_with("MANIFEST")) disk_.Damage("/db/" + name, 100);
  }
  EXPECT_THAT(OpenAgain(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(DatabaseDamage, ALostTableIsDataLoss) {
  ASSERT_THAT(engine_->Flush(), IsOk());
  const std::vector<std::string> tables = Files(".sst");
  engine_.reset();
  Delete(tables);
  EXPECT_THAT(OpenAgain(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("No such file")));
}

TEST_F(DatabaseDamage, AFlippedByteInTheMiddleOfTheLogIsDataLoss) {
  const std::vector<std::string> logs = Files(".log");
  engine_.reset();
  disk_.Damage(logs.back(), disk_.FileSize(logs.back()) / 2);
  EXPECT_THAT(OpenAgain(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(DatabaseDamage, ALogCutInTheMiddleOfItsLastRecordIsAnOrdinaryCrash) {
  const std::vector<std::string> logs = Files(".log");
  engine_.reset();
  std::string log;
  ASSERT_TRUE(rocksdb::ReadFileToString(disk_.env(), logs.back(), &log).ok());
  log.resize(log.size() - 1000);
  ASSERT_TRUE(rocksdb::WriteStringToFile(disk_.env(), log, logs.back(), true).ok());
  Open();
  EXPECT_THAT(Get(Space::kJournal, "y"), Optional(std::string(2000, 'y')));
  EXPECT_EQ(Get(Space::kJournal, "z"), std::nullopt);
}

}  // namespace
}  // namespace northwind::internal

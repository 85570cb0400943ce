// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/first_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/server/auth/credentials_fixture.h"

namespace northwind::server {
namespace {

using ::northwind::testing::CredentialsTest;
using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;

using FirstKeyTest = CredentialsTest;

TEST_F(FirstKeyTest, IsMadeOnceAndMayDoEverything) {
  const std::string file = dir_ / "first.key";
  EXPECT_THAT(MakeFirstKey(*credentials_, file, clock_.Now()), IsOkAndHolds(true));
  struct stat found {};
  ASSERT_EQ(stat(file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
  std::ifstream in(file);
  std::string key;
  in >> key;
  NW_ASSERT_OK_AND_ASSIGN(const Caller caller, credentials_->Authenticate(Bearer(key)));
  EXPECT_EQ(caller.scopes.size(), 6U);
  EXPECT_THAT(MakeFirstKey(*credentials_, dir_ / "second.key", clock_.Now()), IsOkAndHolds(false));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "second.key"));
}

TEST_F(FirstKeyTest, IsMadeAnewWhenAProcessEndedBeforeTheFileWasWritten) {
  const std::string file = dir_ / "first.key";
  ASSERT_THAT(MakeFirstKey(*credentials_, file, clock_.Now()), IsOkAndHolds(true));
  std::filesystem::resize_file(file, 0);
  EXPECT_THAT(MakeFirstKey(*credentials_, file, clock_.Now()), IsOkAndHolds(true));
  std::ifstream in(file);
  std::string key;
  in >> key;
  EXPECT_THAT(credentials_->Authenticate(Bearer(key)), IsOk());
  EXPECT_THAT(MakeFirstKey(*credentials_, file, clock_.Now()), IsOkAndHolds(false));
}

TEST_F(FirstKeyTest, AFileThatCannotBeWrittenLeavesNoKey) {
  std::ofstream(dir_ / "there") << "kept";
  EXPECT_THAT(MakeFirstKey(*credentials_, dir_ / "there", clock_.Now()), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(MakeFirstKey(*credentials_, dir_ / "no/such/place", clock_.Now()), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(*credentials_->ListKeys(), ::testing::IsEmpty());
  EXPECT_TRUE(FilesHave("kept"));
}

TEST_F(FirstKeyTest, IsMadeAnewWhenNoneIsGoodAnyMore) {
  ASSERT_THAT(MakeFirstKey(*credentials_, dir_ / "one", clock_.Now()), IsOkAndHolds(true));
  ASSERT_THAT(credentials_->RevokeKey(credentials_->ListKeys()->front().id), IsOk());
  MakeKey();  // one that may make no other
  EXPECT_THAT(MakeFirstKey(*credentials_, dir_ / "two", clock_.Now()), IsOkAndHolds(true));
}

}  // namespace
}  // namespace northwind::server

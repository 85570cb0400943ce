// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/aws_profile.h"

#include <gtest/gtest.h>

#include "tests/sqs/fake_environment.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using internal::sqs::AwsProfile;
using internal::sqs::ProfileFile;
using internal::sqs::ReadProfile;
using internal::sqs::ReadSettings;
using internal::sqs::Settings;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

constexpr const char* kConfig =
    "# a comment\r\n"
    "[default]\r\n"
    "region = eu-central-1\r\n"
    "[profile  pay]\n"
    "  ; another\n"
    "Region=eu-west-1  # where it is\n"
    "s3 =\n"
    "  max_queue_size = 1\n"
    "key = a=b#c\n"
    "[sso-session pay]\n"
    "region = us-east-1\n"
    "[pay]\n"
    "region = us-east-2\n"
    "[profile pay]\n"
    "output = json";

TEST(ReadSettings, OfAConfigurationAreThoseUnderTheProfilesHeadings) {
  Settings settings;
  EXPECT_THAT(ReadSettings(kConfig, ProfileFile::kConfig, "pay", settings), IsOkAndHolds(true));
  EXPECT_THAT(settings,
              ElementsAre(Pair("key", "a=b#c"), Pair("output", "json"), Pair("region", "eu-west-1"), Pair("s3", "")));
  settings.clear();
  EXPECT_THAT(ReadSettings(kConfig, ProfileFile::kConfig, "default", settings), IsOkAndHolds(true));
  EXPECT_THAT(settings, ElementsAre(Pair("region", "eu-central-1")));
  settings.clear();
  EXPECT_THAT(ReadSettings(kConfig, ProfileFile::kConfig, "other", settings), IsOkAndHolds(false));
  EXPECT_THAT(settings, IsEmpty());
}

TEST(ReadSettings, OfCredentialsAHeadingIsTheNameByItself) {
  Settings settings;
  EXPECT_THAT(ReadSettings("[pay]\na=1\n[profile pay]\na=2\n", ProfileFile::kCredentials, "pay", settings),
              IsOkAndHolds(true));
  EXPECT_THAT(settings, ElementsAre(Pair("a", "1")));
}

TEST(ReadSettings, ALineThatIsNothingIsNamedByItsNumberOnly) {
  for (const char* text :
       {"[default]\naws_secret_access_key hunter2\n", "\n=hunter2", "[default]\n[hunter2\n", "\nhunter2=1"}) {
    Settings settings;
    EXPECT_THAT(ReadSettings(text, ProfileFile::kConfig, "default", settings),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("line 2"), Not(HasSubstr("hunter2")))))
        << text;
  }
}

TEST(ReadProfile, CredentialsHaveTheLastWordOverTheConfiguration) {
  const TempDir directory;
  WriteFile(directory / "config", "[profile pay]\nregion=eu-west-1\naws_access_key_id=A\n");
  WriteFile(directory / "credentials", "[pay]\naws_access_key_id=B\n");
  FakeEnvironment environment = {{"AWS_CONFIG_FILE", directory / "config"},
                                 {"AWS_SHARED_CREDENTIALS_FILE", directory / "credentials"},
                                 {"AWS_PROFILE", "pay"}};
  NW_ASSERT_OK_AND_ASSIGN(const AwsProfile profile, ReadProfile(Lookup(environment), ""));
  EXPECT_EQ(profile.name, "pay");
  EXPECT_EQ(profile.Get("region"), "eu-west-1");
  EXPECT_EQ(profile.Get("aws_access_key_id"), "B");
  EXPECT_EQ(profile.Get("nothing"), "");
  EXPECT_THAT(ReadProfile(Lookup(environment), "other"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("other")));
}

TEST(ReadProfile, FilesThatAreNotThereAreEmptyAndThoseThatCannotBeReadAreRefused) {
  const TempDir directory;
  FakeEnvironment environment = {{"HOME", directory.path()}};
  NW_ASSERT_OK_AND_ASSIGN(const AwsProfile none, ReadProfile(Lookup(environment), ""));
  EXPECT_EQ(none.name, "default");
  EXPECT_THAT(none.settings, IsEmpty());
  std::filesystem::create_directory(directory / ".aws");
  WriteFile(directory / ".aws/config", "[default]\nregion=eu-west-3\n");
  NW_ASSERT_OK_AND_ASSIGN(const AwsProfile usual, ReadProfile(Lookup(environment), ""));
  EXPECT_EQ(usual.Get("region"), "eu-west-3");
  environment["AWS_CONFIG_FILE"] = directory.path();  // a directory
  EXPECT_THAT(ReadProfile(Lookup(environment), ""), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/aws_profile.h"

#include <gtest/gtest.h>

#include "tests/sqs/fake_environment.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using internal::sqs::AwsProfile;
using internal::sqs::ReadProfile;
using internal::sqs::ReadSettings;
using internal::sqs::Section;
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
  EXPECT_THAT(ReadSettings(kConfig, Section::kConfigProfile, "pay", settings), IsOkAndHolds(true));
  EXPECT_THAT(settings, ElementsAre(Pair("key", "a=b#c"), Pair("output", "json"), Pair("region", "eu-west-1"),
                                    Pair("s3", ""), Pair("s3.max_queue_size", "1")));
  settings.clear();
  EXPECT_THAT(ReadSettings(kConfig, Section::kConfigProfile, "default", settings), IsOkAndHolds(true));
  EXPECT_THAT(settings, ElementsAre(Pair("region", "eu-central-1")));
  settings.clear();
  EXPECT_THAT(ReadSettings(kConfig, Section::kConfigProfile, "other", settings), IsOkAndHolds(false));
  EXPECT_THAT(settings, IsEmpty());
}

TEST(ReadSettings, OfCredentialsAHeadingIsTheNameByItself) {
  Settings settings;
  EXPECT_THAT(ReadSettings("[pay]\na=1\n[profile pay]\na=2\n", Section::kCredentialsProfile, "pay", settings),
              IsOkAndHolds(true));
  EXPECT_THAT(settings, ElementsAre(Pair("a", "1")));
}

TEST(ReadSettings, OfServicesThoseOfEachAreNamedByBoth) {
  constexpr const char* kText =
      "[services local]\n"
      "sqs =\n"
      "  endpoint_url = http://localhost:1\n"
      "\n"
      "  # a comment\n"
      "\tregion = eu-west-1 ; where\n"
      "STS = \n"
      "    Endpoint_URL=http://localhost:2\n"
      "note = one\n"
      "  and endpoint_url = http://localhost:3\n"
      "[services other]\n"
      "sqs =\n"
      "  endpoint_url = http://localhost:4\n"
      "[local]\n"
      "  endpoint_url = http://localhost:5\n";
  Settings settings;
  EXPECT_THAT(ReadSettings(kText, Section::kServices, "local", settings), IsOkAndHolds(true));
  EXPECT_THAT(settings, ElementsAre(Pair("note", "one"), Pair("sqs", ""),
                                    Pair("sqs.endpoint_url", "http://localhost:1"), Pair("sqs.region", "eu-west-1"),
                                    Pair("sts", ""), Pair("sts.endpoint_url", "http://localhost:2")));
  EXPECT_THAT(ReadSettings(kText, Section::kConfigProfile, "local", settings), IsOkAndHolds(false));
}

TEST(ReadSettings, ALineThatIsNothingIsNamedByItsNumberOnly) {
  for (const char* text :
       {"[default]\naws_secret_access_key hunter2\n", "\n=hunter2", "[default]\n[hunter2\n", "\nhunter2=1"}) {
    Settings settings;
    EXPECT_THAT(ReadSettings(text, Section::kConfigProfile, "default", settings),
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("line 2"), Not(HasSubstr("hunter2")))))
        << text;
  }
  Settings settings;
  EXPECT_THAT(ReadSettings("[default]\nsqs =\n  hunter2\n", Section::kConfigProfile, "default", settings),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("line 3"), Not(HasSubstr("hunter2")))));
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

TEST(ReadProfile, TheServicesThatItNamesAreThoseOfTheConfiguration) {
  const TempDir directory;
  FakeEnvironment environment = {{"AWS_CONFIG_FILE", directory / "config"},
                                 {"AWS_SHARED_CREDENTIALS_FILE", directory / "credentials"}};
  WriteFile(directory / "config",
            "[services local]\nsqs=\n endpoint_url=http://localhost:1\n"
            "[default]\nservices=local\n[profile lost]\nservices=nowhere\n[profile plain]\n");
  WriteFile(directory / "credentials", "[services nowhere]\nsqs=\n endpoint_url=http://localhost:2\n");
  NW_ASSERT_OK_AND_ASSIGN(const AwsProfile profile, ReadProfile(Lookup(environment), ""));
  ASSERT_TRUE(profile.services.has_value());
  EXPECT_THAT(*profile.services, ElementsAre(Pair("sqs", ""), Pair("sqs.endpoint_url", "http://localhost:1")));
  for (const char* name : {"lost", "plain"}) {
    NW_ASSERT_OK_AND_ASSIGN(const AwsProfile other, ReadProfile(Lookup(environment), name));
    EXPECT_EQ(other.services, std::nullopt) << name;
  }
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

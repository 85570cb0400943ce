// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/configured_endpoint.h"

#include <gtest/gtest.h>

#include "tests/sqs/fake_environment.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

using internal::sqs::AwsProfile;
using internal::sqs::ConfiguredEndpoint;
using internal::sqs::Settings;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ConfiguredEndpoint, TheServicesOwnComesBeforeThatOfAllAndTheEnvironmentBeforeTheFile) {
  FakeEnvironment environment;
  AwsProfile profile = {.name = "pay", .settings = {}};
  const auto of = [&](const char* service) { return *ConfiguredEndpoint(service, profile, Lookup(environment)); };
  EXPECT_EQ(of("sqs"), "");
  profile.settings["endpoint_url"] = "http://profile";
  EXPECT_EQ(of("sqs"), "http://profile");
  profile.settings["services"] = "local";
  profile.services =
      Settings{{"sqs", ""}, {"sqs.endpoint_url", "http://services"}, {"endpoint_url", "http://nobody's"}};
  EXPECT_EQ(of("sqs"), "http://services");
  EXPECT_EQ(of("sts"), "http://profile") << "the section says nothing of it";
  environment["AWS_ENDPOINT_URL"] = "http://environment";
  EXPECT_EQ(of("sqs"), "http://environment");
  environment["AWS_ENDPOINT_URL_SQS"] = "http://environment-sqs";
  EXPECT_EQ(of("sqs"), "http://environment-sqs");
  EXPECT_EQ(of("sts"), "http://environment");
}

TEST(ConfiguredEndpoint, AllAreIgnoredIfTheEnvironmentSaysSoOrElseTheProfile) {
  FakeEnvironment environment = {{"AWS_ENDPOINT_URL", "http://environment"}};
  AwsProfile profile = {.name = "pay", .settings = {}};
  const auto of = [&] { return ConfiguredEndpoint("sqs", profile, Lookup(environment)); };
  profile.settings["ignore_configured_endpoint_urls"] = "True";
  EXPECT_THAT(of(), IsOkAndHolds(""));
  environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "false";
  EXPECT_THAT(of(), IsOkAndHolds("http://environment"));
  environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "yes";
  EXPECT_THAT(of(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")));
  environment.erase("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
  profile.settings["ignore_configured_endpoint_urls"] = "1";
  EXPECT_THAT(of(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ignore_configured_endpoint_urls")));
}

TEST(ConfiguredEndpoint, ServicesThatAreNamedAndNotThereAreRefusedUnlessTheyDoNotMatter) {
  FakeEnvironment environment;
  const AwsProfile profile = {.name = "pay", .settings = {{"services", "local"}, {"endpoint_url", "http://profile"}}};
  const auto of = [&] { return ConfiguredEndpoint("sqs", profile, Lookup(environment)); };
  EXPECT_THAT(of(), StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("pay"), HasSubstr("local"))));
  environment["AWS_ENDPOINT_URL"] = "http://environment";
  EXPECT_THAT(of(), IsOkAndHolds("http://environment"));
  environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  EXPECT_THAT(of(), IsOkAndHolds(""));
}

}  // namespace
}  // namespace northwind::testing

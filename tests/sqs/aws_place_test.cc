// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/aws_place.h"

#include <gtest/gtest.h>

#include "tests/sqs/fake_environment.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

using internal::sqs::AwsPlace;
using internal::sqs::PlaceOf;
using internal::sqs::RegionOfHost;
using ::testing::HasSubstr;

constexpr const char* kQueue = "https://sqs.eu-central-1.amazonaws.com/123456789012/payments";

TEST(AwsPlace, ARegionIsLookedForInOneOrder) {
  FakeEnvironment environment;
  internal::sqs::AwsProfile profile;
  const auto region = [&](const std::string& option) {
    return PlaceOf(kQueue, option, "", profile, Lookup(environment))->region;
  };
  EXPECT_EQ(region(""), "eu-central-1");
  profile.settings["region"] = "a-profile-1";
  EXPECT_EQ(region(""), "a-profile-1");
  environment["AWS_DEFAULT_REGION"] = "a-default-1";
  EXPECT_EQ(region(""), "a-default-1");
  environment["AWS_REGION"] = "a-region-1";
  EXPECT_EQ(region(""), "a-region-1");
  EXPECT_EQ(region("an-option-1"), "an-option-1");
  EXPECT_THAT(PlaceOf("http://localhost:9324/queue/payments", "", "", {}, Lookup({})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("AWS_REGION")));
}

TEST(AwsPlace, AnEndpointIsLookedForInOneOrder) {
  FakeEnvironment environment;
  const auto endpoint = [&](const std::string& option) {
    return PlaceOf(kQueue, "", option, {}, Lookup(environment))->endpoint;
  };
  EXPECT_EQ(endpoint(""), "https://sqs.eu-central-1.amazonaws.com");
  environment["AWS_ENDPOINT_URL"] = "http://localhost:1/";
  EXPECT_EQ(endpoint(""), "http://localhost:1");
  environment["AWS_ENDPOINT_URL_SQS"] = "http://localhost:2";
  EXPECT_EQ(endpoint(""), "http://localhost:2");
  EXPECT_EQ(endpoint("https://10.0.0.1:3"), "https://10.0.0.1:3");
  EXPECT_THAT(PlaceOf(kQueue, "", "localhost:4566", {}, Lookup({})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("endpoint")));
  EXPECT_THAT(PlaceOf("payments", "r", "", {}, Lookup({})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("queue_url")));
  EXPECT_EQ(PlaceOf("http://[::1]:4711/1/q", "r", "", {}, Lookup({}))->endpoint, "http://[::1]:4711");
}

TEST(AwsPlace, HostsOfAwsTellTheirRegion) {
  EXPECT_EQ(RegionOfHost("sqs.us-gov-west-1.amazonaws.com"), "us-gov-west-1");
  EXPECT_EQ(RegionOfHost("sqs.cn-north-1.amazonaws.com.cn"), "cn-north-1");
  EXPECT_EQ(RegionOfHost("sqs-fips.us-east-1.amazonaws.com"), "us-east-1");
  EXPECT_EQ(RegionOfHost("sqs.eu-west-1.api.aws"), "eu-west-1");
  EXPECT_EQ(RegionOfHost("eu-west-1.queue.amazonaws.com"), "eu-west-1");
  for (const char* host : {"", "localhost", "sqs.example.com", "sqs.a.b.c", "queue.amazonaws.com", "127.0.0.1"}) {
    EXPECT_EQ(RegionOfHost(host), "") << host;
  }
}

}  // namespace
}  // namespace northwind::testing

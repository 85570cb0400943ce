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
    return PlaceOf({.queue_url = kQueue, .region = option}, profile, Lookup(environment))->region;
  };
  EXPECT_EQ(region(""), "eu-central-1");
  profile.settings["region"] = "a-profile-1";
  EXPECT_EQ(region(""), "a-profile-1");
  environment["AWS_DEFAULT_REGION"] = "a-default-1";
  EXPECT_EQ(region(""), "a-default-1");
  environment["AWS_REGION"] = "a-region-1";
  EXPECT_EQ(region(""), "a-region-1");
  EXPECT_EQ(region("an-option-1"), "an-option-1");
  EXPECT_THAT(PlaceOf({.queue_url = "http://localhost:9324/queue/payments"}, {}, Lookup({})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("AWS_REGION")));
}

TEST(AwsPlace, AnEndpointIsTheOptionTheConfiguredOneOrThatOfTheQueue) {
  FakeEnvironment environment;
  internal::sqs::AwsProfile profile;
  const auto endpoint = [&](const std::string& option) {
    return PlaceOf({.queue_url = kQueue, .endpoint = option}, profile, Lookup(environment))->endpoint;
  };
  EXPECT_EQ(endpoint(""), "https://sqs.eu-central-1.amazonaws.com");
  profile.settings["endpoint_url"] = "http://localhost:1/";
  EXPECT_EQ(endpoint(""), "http://localhost:1");
  environment["AWS_ENDPOINT_URL_SQS"] = "http://localhost:2";
  EXPECT_EQ(endpoint(""), "http://localhost:2");
  EXPECT_EQ(endpoint("https://10.0.0.1:3"), "https://10.0.0.1:3");
  environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  EXPECT_EQ(endpoint(""), "https://sqs.eu-central-1.amazonaws.com");
  EXPECT_EQ(endpoint("https://10.0.0.1:3"), "https://10.0.0.1:3");
}

TEST(AwsPlace, WhatIsNoUrlIsRefused) {
  const auto place = [](const SqsOptions& options, const FakeEnvironment& environment = {}) {
    return PlaceOf(options, {}, Lookup(environment));
  };
  EXPECT_THAT(place({.queue_url = kQueue, .endpoint = "localhost:4566"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("endpoint")));
  EXPECT_THAT(place({.queue_url = kQueue}, {{"AWS_ENDPOINT_URL", "localhost:4566"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("endpoint")));
  EXPECT_THAT(place({.queue_url = kQueue}, {{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "yes"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")));
  EXPECT_THAT(place({.queue_url = "payments", .region = "r"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("queue_url")));
  EXPECT_EQ(place({.queue_url = "http://[::1]:4711/1/q", .region = "r"})->endpoint, "http://[::1]:4711");
}

TEST(AwsPlace, WhoIsBelievedIsLookedForInOneOrder) {
  FakeEnvironment environment;
  internal::sqs::AwsProfile profile;
  const auto bundle = [&](const std::string& option) {
    return PlaceOf({.queue_url = kQueue, .ca_bundle = option}, profile, Lookup(environment))->ca_bundle;
  };
  EXPECT_EQ(bundle(""), "");
  profile.settings["ca_bundle"] = "/profile.pem";
  EXPECT_EQ(bundle(""), "/profile.pem");
  environment["AWS_CA_BUNDLE"] = "/environment.pem";
  EXPECT_EQ(bundle(""), "/environment.pem");
  EXPECT_EQ(bundle("/option.pem"), "/option.pem");
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

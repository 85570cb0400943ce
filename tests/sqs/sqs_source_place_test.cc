// SPDX-License-Identifier: Apache-2.0
//
// Sources that find their queue where the environment and the shared files say, and by https. That the queue's URL has another host
// shows that it is not asked.
#include <filesystem>
#include <set>

#include "gmock/gmock.h"
#include "northwind/sqs.h"
#include "tests/sqs/fake_environment.h"
#include "tests/sqs/source_fixture.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {
namespace {

using ::testing::HasSubstr;

class SqsSourcePlace : public SqsSourceTest {
 protected:
  SqsSourcePlace() {
    Set("AWS_CONFIG_FILE", directory_ / "config");
    Set("AWS_SHARED_CREDENTIALS_FILE", directory_ / "credentials");
  }
  ~SqsSourcePlace() override {
    for (const std::string& name : set_) unsetenv(name.c_str());
  }

  void Set(const char* name, const std::string& value) {
    setenv(name, value.c_str(), 1);
    set_.insert(name);
  }
  void Unset(const char* name) { unsetenv(name); }
  void Configure(const std::string& text) { WriteFile(directory_ / "config", text); }
  static SqsOptions Somewhere(const std::string& queue_url) {
    // Of a server: scheme, host and port; then comes the path.
    const size_t path = queue_url.find('/', queue_url.find("://") + 3);
    return {.queue_url = "http://127.0.0.1:1" + queue_url.substr(path),
            .region = "eu-central-1",
            .wait = absl::ZeroDuration()};
  }
  // Of five new events in a new queue, so many are applied, by a source with these options but for the queue's URL.
  uint64_t AppliedOfFive(const SqsOptions& where) {
    const std::string url = NewQueue();
    server().SendAll(url, Captures(sent_, 5));
    sent_ += 5;
    SqsOptions options = Somewhere(url);
    options.endpoint = where.endpoint;
    options.ca_bundle = where.ca_bundle;
    options.profile = where.profile;
    return Drain(options).applied;
  }
  // What a source says that does not find its queue there.
  absl::Status WhatIsWrong(const SqsOptions& where) {
    SqsOptions options = Somewhere(NewQueue());
    options.endpoint = where.endpoint;
    options.ca_bundle = where.ca_bundle;
    auto source = Open(options);
    EXPECT_THAT(source->Start(), IsOk());
    EXPECT_TRUE(AwaitState(*source, SqsState::kWaiting));
    return source->Stats().status;
  }

  TempDir directory_;
  std::set<std::string> set_;
  size_t sent_ = 0;
};

TEST_F(SqsSourcePlace, AnEndpointOfTheEnvironmentOrTheFilesIsAskedInsteadOfTheQueuesHost) {
  const std::string here = server().endpoint();
  const std::string nowhere = "http://127.0.0.1:1";
  EXPECT_EQ(AppliedOfFive({.endpoint = here}), 5U);
  Configure("[default]\nendpoint_url = " + here + "\n");
  EXPECT_EQ(AppliedOfFive({}), 5U);
  Configure("[profile pay]\nservices = local\nendpoint_url = " + nowhere +
            "\n[services local]\nsqs =\n  endpoint_url = " + here + "\nsts =\n  endpoint_url = " + nowhere + "\n");
  EXPECT_EQ(AppliedOfFive({.profile = "pay"}), 5U);
  Configure("[default]\nendpoint_url = " + nowhere + "\n");
  Set("AWS_ENDPOINT_URL", here);
  EXPECT_EQ(AppliedOfFive({}), 5U);
  Set("AWS_ENDPOINT_URL", nowhere);
  Set("AWS_ENDPOINT_URL_SQS", here);
  EXPECT_EQ(AppliedOfFive({}), 5U);
  Set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
  EXPECT_THAT(WhatIsWrong({}), StatusIs(absl::StatusCode::kUnavailable)) << "the queue's own host, where nobody is";
  EXPECT_EQ(AppliedOfFive({.endpoint = here}), 5U) << "the option is not ignored";
}

TEST_F(SqsSourcePlace, AnHttpsEndpointIsBelievedByTheBundleOfTheOptionsTheEnvironmentOrTheProfileAndByNothingElse) {
  const std::string endpoint = server().ListenForTls(directory_.path());
  const std::string bundle = directory_ / "ca.pem";
  EXPECT_EQ(AppliedOfFive({.endpoint = endpoint, .ca_bundle = bundle}), 5U);
  EXPECT_THAT(WhatIsWrong({.endpoint = endpoint}), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("certificate")));
  Set("AWS_CA_BUNDLE", bundle);
  EXPECT_EQ(AppliedOfFive({.endpoint = endpoint}), 5U);
  Unset("AWS_CA_BUNDLE");
  Configure("[default]\nca_bundle = " + bundle + "\nendpoint_url = " + endpoint + "\n");
  EXPECT_EQ(AppliedOfFive({}), 5U);
  // Another authority's.
  std::filesystem::create_directory(directory_ / "other");
  server().ListenForTls(directory_ / "other");
  EXPECT_THAT(WhatIsWrong({.endpoint = endpoint, .ca_bundle = directory_ / "other/ca.pem"}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("certificate")));
  // The certificate is of the address, and not of the name.
  std::string by_name = endpoint;
  by_name.replace(by_name.find("127.0.0.1"), 9, "localhost");
  EXPECT_THAT(WhatIsWrong({.endpoint = by_name, .ca_bundle = bundle}), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace northwind::testing

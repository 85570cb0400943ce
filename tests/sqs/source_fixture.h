// SPDX-License-Identifier: Apache-2.0
//
// A ledger on a disk that can fail, with an intake, and sources that bring it what is in a queue of a real server.
#ifndef NORTHWIND_TESTS_SQS_SOURCE_FIXTURE_H_
#define NORTHWIND_TESTS_SQS_SOURCE_FIXTURE_H_

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/sqs.h"
#include "northwind/store.h"
#include "tests/settlement/sample_events.h"
#include "tests/sqs/sqs_server.h"
#include "tests/support/fault_fs.h"
#include "tests/support/invariants.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_on.h"

namespace northwind::testing {

inline constexpr absl::Duration kPatience = absl::Seconds(120);
// The shortest there is.
inline constexpr absl::Duration kLongPoll = absl::Seconds(1);

class SqsSourceTest : public ::testing::Test {
 protected:
  SqsSourceTest() { OpenLedger(); }

  void OpenLedger() {
    auto store = OpenStoreOn(disk_.env(), {.path = "/db", .free_space_floor_bytes = floor_});
    ASSERT_THAT(store, IsOk());
    store_ = *std::move(store);
    auto ledger = Ledger::Open(*store_);
    ASSERT_THAT(ledger, IsOk());
    ledger_ = *std::move(ledger);
    auto scheduler = Scheduler::Open(*store_);
    ASSERT_THAT(scheduler, IsOk());
    scheduler_ = *std::move(scheduler);
    intake_options_.scheduler = scheduler_.get();
    auto intake = Intake::Open(*ledger_, *store_, intake_options_);
    ASSERT_THAT(intake, IsOk());
    intake_ = *std::move(intake);
  }
  void ShutLedger() {
    intake_.reset();
    scheduler_.reset();
    ledger_.reset();
    store_.reset();
  }

  // Receives do not wait for messages unless a test is of those that do: an empty queue, and Stop, would take that long.
  SqsOptions OptionsOf(const std::string& queue_url, absl::Duration wait = absl::ZeroDuration()) {
    return {.queue_url = queue_url, .region = server().region(), .endpoint = server().endpoint(), .wait = wait};
  }
  std::unique_ptr<SqsSource> Open(const SqsOptions& options) {
    setenv("AWS_ACCESS_KEY_ID", server().keys().access_key_id.c_str(), 1);
    setenv("AWS_SECRET_ACCESS_KEY", server().keys().secret_access_key.c_str(), 1);
    auto source = SqsSource::Open(*intake_, options);
    EXPECT_THAT(source, IsOk());
    return source.ok() ? *std::move(source) : nullptr;
  }
  std::unique_ptr<SqsSource> Start(const SqsOptions& options) {
    auto source = Open(options);
    EXPECT_THAT(source->Start(), IsOk());
    return source;
  }
  // Receives until the queue is empty, and stops.
  SqsStats Drain(const SqsOptions& options) {
    auto source = Start(options);
    EXPECT_TRUE(source->WaitUntilDrained(kPatience)) << source->Stats().status;
    EXPECT_THAT(source->Stop(), IsOk());
    return source->Stats();
  }
  // Looks now and then; false if it has not come to that in a long time.
  template <typename Holds>
  static bool Await(const Holds& holds) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!holds()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }
  static bool AwaitState(const SqsSource& source, SqsState state) {
    return Await([&] { return source.Stats().state == state; });
  }

  // A queue of the test's own: tests share one server.
  std::string NewQueue(SqsServer::Json attributes = SqsServer::Json::object(), const std::string& end = "") {
    return server().CreateQueue(UniqueName() + end, std::move(attributes));
  }
  // With its dead-letter queue.
  std::pair<std::string, std::string> NewQueueWithRedrive(int max_receive_count,
                                                          SqsServer::Json attributes = SqsServer::Json::object(),
                                                          const std::string& end = "") {
    return server().CreateQueueWithRedrive(UniqueName() + end, max_receive_count, std::move(attributes));
  }
  static std::string UniqueName() {
    static int count = 0;
    return "q" + std::to_string(++count);
  }
  static SqsServer& server() {
    static SqsServer* const server = new SqsServer();
    return *server;
  }
  static void TearDownTestSuite() {}

  static std::string Json(const PaymentEvent& event) { return *EncodeEventJson(event); }
  static std::vector<std::string> Captures(size_t first, size_t count) {
    std::vector<std::string> bodies;
    for (size_t i = first; i < first + count; ++i) bodies.push_back(Json(Captured("p" + std::to_string(i), 100)));
    return bodies;
  }
  // Of merchant m1, in USD cents.
  absl::int128 Available() {
    const auto id = ledger_->FindAccount("merchant:m1:available:USD/2");
    return id.ok() ? ledger_->Balance(*id)->available() : 0;
  }
  std::vector<QuarantinedEvent> Quarantine() {
    auto page = intake_->ListQuarantine({}, kMaxQuarantinePage);
    EXPECT_THAT(page, IsOk());
    return page.ok() ? std::move(page->events) : std::vector<QuarantinedEvent>();
  }

  FaultFs disk_;
  uint64_t floor_ = 0;
  IntakeOptions intake_options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Intake> intake_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SQS_SOURCE_FIXTURE_H_

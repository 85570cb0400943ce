// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_WEBHOOK_WEBHOOKS_FIXTURE_H_
#define NORTHWIND_TESTS_WEBHOOK_WEBHOOKS_FIXTURE_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/settlement.h"
#include "northwind/store.h"
#include "northwind/webhook.h"
#include "src/webhook/webhooks_on_resolver.h"
#include "tests/http/test_server.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/invariants.h"
#include "tests/support/moving_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {

// A message as an endpoint got it.
struct ReceivedMessage {
  WebhookHeaders headers;
  std::string target;
  std::string head;
  std::string body;
};

// An endpoint on this machine that answers as it is told, and keeps what it got.
class TestReceiver {
 public:
  using Answer = std::function<std::string(const ReceivedMessage&)>;

  TestReceiver() : TestReceiver([](const ReceivedMessage&) { return Status(204); }) {}
  explicit TestReceiver(Answer answer)
      : answer_(std::move(answer)),
        server_(TestServer::Answer([this](const ServedRequest& request) { return Take(request); })) {}

  static std::string Status(int status, std::string_view headers = "", std::string_view body = "") {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + std::string(headers) +
           (status == 204 ? "" : "content-length: " + std::to_string(body.size()) + "\r\n") + "\r\n" +
           std::string(body);
  }

  std::string url() const { return "http://" + server_.authority() + "/hook"; }
  void SetAnswer(Answer answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  std::vector<ReceivedMessage> messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  void Await(size_t count) {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return messages_.size() >= count; });
  }

 private:
  std::string Take(const ServedRequest& request) {
    ReceivedMessage message{.headers = {.id = request.Header("webhook-id").value_or(""),
                                        .timestamp = request.Header("webhook-timestamp").value_or(""),
                                        .signature = request.Header("webhook-signature").value_or("")},
                            .target = request.target,
                            .head = request.head,
                            .body = request.body};
    Answer answer;
    {
      const std::lock_guard lock(mutex_);
      messages_.push_back(message);
      answer = answer_;
      came_.notify_all();
    }
    return answer(message);
  }

  mutable std::mutex mutex_;
  std::condition_variable came_;
  Answer answer_;
  std::vector<ReceivedMessage> messages_;
  TestServer server_;  // last: its threads use the rest
};

// Ledger, scheduler, intake and webhooks on one store.
class WebhooksFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.host_keys = {{.id = "test", .key = std::string("0123456789abcdef0123456789abcdef")}};
    options_.plain_http = true;
    options_.allowed_networks = {{.network = "127.0.0.0/8", .ports = {}}};
    options_.clock = &clock_;
    options_.policy.retry.delays = std::vector<absl::Duration>(4, absl::ZeroDuration());
    options_.policy.timeout = absl::Minutes(1);
    options_.breaker_failures = 1000;  // but for tests of the breaker
    Open();
  }
  void TearDown() override {
    if (webhooks_ != nullptr) {
      EXPECT_THAT(webhooks_->status(), IsOk());
    }
    if (ledger_ != nullptr && !HasFatalFailure()) ExpectInvariants(*ledger_);
    Shut();
  }
  void Open() {
    NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    LedgerOptions ledger;
    ledger.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(ledger_, Ledger::Open(*store_, ledger));
    SchedulerOptions scheduler;
    scheduler.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_, scheduler));
    NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger_, *store_));
    NW_ASSERT_OK_AND_ASSIGN(webhooks_,
                            internal::WebhooksOnResolver::Open({*ledger_, *store_, *scheduler_}, options_, resolve_));
  }
  void Shut() {
    webhooks_.reset();
    intake_.reset();
    scheduler_.reset();
    ledger_.reset();
    store_.reset();
  }
  void Reopen() {
    Shut();
    Open();
  }
  void Start() { ASSERT_THAT(webhooks_->Start(), IsOk()); }

  NewEndpoint Create(const std::string& merchant, const EndpointSpec& spec) {
    absl::StatusOr<NewEndpoint> made = webhooks_->CreateEndpoint(merchant, spec);
    EXPECT_THAT(made, IsOk());
    return made.ok() ? *std::move(made) : NewEndpoint();
  }
  // A payment of the merchant m1, which its endpoints are told of as payment.captured.
  void Capture(const std::string& payment) { Apply(Captured(payment, 1000)); }
  EventOutcome Apply(const PaymentEvent& event) {
    const auto result = intake_->Apply(std::vector<PaymentEvent>{event});
    EXPECT_THAT(result, IsOk());
    return result.ok() ? result->outcomes[0] : EventOutcome();
  }
  // The merchant's deliveries, the oldest first.
  std::vector<WebhookDelivery> Deliveries(const std::string& merchant = "m1", const std::string& endpoint = "") {
    const auto page = webhooks_->ListDeliveries({.merchant_id = merchant,
                                                 .endpoint_id = endpoint,
                                                 .direction = Direction::kForward,
                                                 .limit = kMaxDeliveryPage});
    EXPECT_THAT(page, IsOk());
    return page.ok() ? page->deliveries : std::vector<WebhookDelivery>();
  }
  std::vector<WebhookAttempt> Attempts(const std::string& merchant = "m1", const std::string& endpoint = "") {
    const auto page = webhooks_->ListAttempts(
        {.merchant_id = merchant, .endpoint_id = endpoint, .direction = Direction::kForward, .limit = kMaxAttemptPage});
    EXPECT_THAT(page, IsOk());
    return page.ok() ? page->attempts : std::vector<WebhookAttempt>();
  }
  std::vector<AttemptFailure> Failures(const std::string& endpoint = "") {
    std::vector<AttemptFailure> failures;
    for (const WebhookAttempt& attempt : Attempts("m1", endpoint)) failures.push_back(attempt.failure);
    return failures;
  }
  // Until it is so. What never becomes so ends with the test's time.
  template <typename Condition>
  void Await(const Condition& condition) {
    while (!condition() && webhooks_->status().ok() && !HasFailure()) std::this_thread::yield();
    EXPECT_THAT(webhooks_->status(), IsOk());
  }
  void AwaitState(DeliveryState state, size_t count = 1, const std::string& endpoint = "") {
    Await([&] {
      size_t in_state = 0;
      for (const WebhookDelivery& delivery : Deliveries("m1", endpoint)) in_state += delivery.state == state;
      return in_state >= count;
    });
  }
  // The message that tells of it may be there before the call that wrote it, and the state, has returned.
  void AwaitDisabled(const std::string& endpoint, DisableReason reason) {
    Await([&] { return webhooks_->GetEndpoint("m1", endpoint)->disabled.has_value(); });
    EXPECT_EQ(webhooks_->GetEndpoint("m1", endpoint)->disabled->reason, reason);
  }

  TempDir directory_;
  MovingClock clock_;
  WebhookOptions options_;
  internal::http::ResolveFunction resolve_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Webhooks> webhooks_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_WEBHOOK_WEBHOOKS_FIXTURE_H_

// SPDX-License-Identifier: Apache-2.0
//
// The routes of endpoints and deliveries over real webhooks, with receivers on this machine, asked through the router.
#ifndef NORTHWIND_TESTS_SERVER_ENDPOINTS_ENDPOINTS_FIXTURE_H_
#define NORTHWIND_TESTS_SERVER_ENDPOINTS_ENDPOINTS_FIXTURE_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "examples/receivers/receiver_fleet.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/routes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/http/fake_authenticator.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/moving_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {

using server::Json;
using server::Method;
using server::Request;
using server::Response;

inline const std::string kM1 = "/v1/merchants/m1";

// A message that a receiver got, kept.
struct KeptMessage {
  WebhookHeaders headers;
  std::string body;
};

class EndpointsFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    NW_ASSERT_OK_AND_ASSIGN(fleet_, examples::ReceiverFleet::Start({.on_message = [this](const auto& message) {
                              const std::lock_guard lock(mutex_);
                              messages_.push_back({message.headers, std::string(message.body)});
                            }}));
    NW_ASSERT_OK_AND_ASSIGN(host_.store, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    LedgerOptions ledger;
    ledger.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(host_.ledger, Ledger::Open(*host_.store, ledger));
    SchedulerOptions scheduler;
    scheduler.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(host_.scheduler, Scheduler::Open(*host_.store, scheduler));
    NW_ASSERT_OK_AND_ASSIGN(host_.intake, Intake::Open(*host_.ledger, *host_.store));
    WebhookOptions options;
    options.host_keys = {{.id = "test", .key = std::string("0123456789abcdef0123456789abcdef")}};
    options.plain_http = true;
    options.allowed_networks = {{.network = "127.0.0.0/8", .ports = {}}};
    options.clock = &clock_;
    options.policy.retry.delays = {absl::ZeroDuration()};  // one attempt: then it is dead
    options.policy.timeout = absl::Minutes(1);
    options.breaker_failures = 1000;
    NW_ASSERT_OK_AND_ASSIGN(host_.webhooks, Webhooks::Open({*host_.ledger, *host_.store, *host_.scheduler}, options));
    using server::Caller, server::Scope;
    const std::set<Scope> merchant = {Scope::kMerchantRead, Scope::kMerchantWrite};
    std::set<Scope> all = merchant;
    all.insert(Scope::kOperatorRead);
    authenticator_.callers = {
        {"operator", {.kind = Caller::Kind::kKey, .id = "key_1", .actor = "key:operator", .scopes = all}},
        {"service", {.kind = Caller::Kind::kKey, .id = "key_2", .actor = "key:service", .scopes = merchant}},
        {"reader", {.kind = Caller::Kind::kKey, .id = "key_3", .scopes = {Scope::kMerchantRead}}},
        {"m1",
         {.kind = Caller::Kind::kSession, .id = "s1", .actor = "merchant:m1", .scopes = merchant, .merchant = "m1"}}};
    server::AddEndpointRoutes(router_, host_);
    server::AddDeliveryRoutes(router_, host_);
  }
  void TearDown() override {
    if (host_.webhooks == nullptr) return;
    EXPECT_THAT(host_.webhooks->status(), IsOk());
    host_.webhooks->Stop();
  }
  void Start() { ASSERT_THAT(host_.webhooks->Start(), IsOk()); }

  Response Ask(Method method, const std::string& target, const std::string& body = "",
               std::vector<server::Field> fields = {}, const std::string& who = "m1") {
    Request request{.method = method, .path = target.substr(0, target.find('?')), .fields = std::move(fields)};
    request.body = body;
    request.id = "req_test";
    request.fields.push_back({"Authorization", who});
    request.fields.push_back({"X-CSRF-Token", "token"});
    std::string_view query = std::string_view(target).substr(std::min(target.size(), request.path.size() + 1));
    while (!query.empty()) {
      const std::string_view pair = query.substr(0, query.find('&'));
      const size_t equals = std::min(pair.find('='), pair.size());
      request.query.emplace_back(pair.substr(0, equals), pair.substr(std::min(pair.size(), equals + 1)));
      query.remove_prefix(std::min(query.size(), pair.size() + 1));
    }
    Response answer;
    router_.Answer(
        std::move(request), [](const std::function<void()>& work) { work(); },
        [&](Response response) { answer = std::move(response); });
    return answer;
  }
  // What is answered with a status of 2xx.
  Json Good(const Response& response) {
    EXPECT_EQ(response.status / 100, 2) << response.body;
    return response.body.empty() ? Json() : Json::parse(response.body, nullptr, false);
  }
  Json Get(const std::string& target, const std::string& who = "m1") {
    return Good(Ask(Method::kGet, target, "", {}, who));
  }
  Json Post(const std::string& target, const std::string& body = "") { return Good(Ask(Method::kPost, target, body)); }
  // {"endpoint":…,"secret":…}
  Json Create(const std::string& url, const Json& more = Json::object()) {
    Json body = {{"url", url}};
    body.update(more);
    return Post(kM1 + "/endpoints", body.dump());
  }
  std::string AddReceiver(const std::string& name, examples::Behaviour behaviour = examples::Behaviour::kOk) {
    const absl::StatusOr<std::string> url = fleet_->Add({.name = name, .behaviour = behaviour});
    EXPECT_THAT(url, IsOk());
    return url.value_or("");
  }
  static std::string PlaceOf(const Json& made) {
    return kM1 + "/endpoints/" + made["endpoint"]["id"].get<std::string>();
  }

  // A payment of m1, which its endpoints are told of as payment.captured.
  void Capture(const std::string& payment) {
    EXPECT_THAT(host_.intake->Apply(std::vector<PaymentEvent>{Captured(payment, 1000)}), IsOk());
  }
  // Until it is so. What never becomes so ends with the test's time.
  template <typename Condition>
  void Await(const Condition& condition) {
    while (!condition() && host_.webhooks->status().ok() && !HasFailure()) std::this_thread::yield();
    EXPECT_THAT(host_.webhooks->status(), IsOk());
  }
  // The merchant's deliveries in that state, once there are so many.
  Json AwaitDeliveries(const std::string& state, size_t count = 1) {
    Json data;
    Await([&] {
      data = Get(kM1 + "/deliveries?state=" + state)["data"];
      return data.size() >= count;
    });
    return data;
  }
  std::vector<KeptMessage> messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }

  TempDir directory_;
  MovingClock clock_;
  std::mutex mutex_;
  std::vector<KeptMessage> messages_;
  std::unique_ptr<examples::ReceiverFleet> fleet_;
  server::Host host_;
  FakeAuthenticator authenticator_;
  server::Router router_{authenticator_};
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SERVER_ENDPOINTS_ENDPOINTS_FIXTURE_H_

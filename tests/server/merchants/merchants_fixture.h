// SPDX-License-Identifier: Apache-2.0
//
// The routes of merchants on a store, a ledger, a simulated bank and all between, asked through the router as the listener asks.
#ifndef NORTHWIND_TESTS_SERVER_MERCHANTS_MERCHANTS_FIXTURE_H_
#define NORTHWIND_TESTS_SERVER_MERCHANTS_MERCHANTS_FIXTURE_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/routes.h"
#include "examples/simulated_rail/rail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/http/fake_authenticator.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/invariants.h"
#include "tests/support/moving_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::testing {

using server::Caller;
using server::Json;
using server::Method;
using server::Request;
using server::Response;
using server::Scope;

inline Request MakeRequest(Method method, std::string_view target, std::string_view who = "operator") {
  Request request{.method = method, .path = std::string(target.substr(0, target.find('?')))};
  request.id = "req_test";
  request.received_at = absl::Now();
  request.fields.push_back({"Authorization", std::string(who)});
  std::string_view query = target.substr(std::min(target.size(), request.path.size() + 1));
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    const size_t equals = std::min(pair.find('='), pair.size());
    request.query.emplace_back(pair.substr(0, equals), pair.substr(std::min(pair.size(), equals + 1)));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
  }
  return request;
}

// With what is given a piece at a time put together as the body.
inline Response Ask(const server::Router& router, Request request) {
  absl::Notification answered;
  Response answer;
  router.Answer(
      std::move(request), [](const std::function<void()>& work) { work(); },
      [&](Response response) {
        answer = std::move(response);
        answered.Notify();
      });
  answered.WaitForNotification();
  while (answer.pull) {
    const absl::StatusOr<std::string> piece = answer.pull();
    EXPECT_THAT(piece, IsOk());
    if (!piece.ok() || piece->empty()) break;
    answer.body += *piece;
  }
  return answer;
}

class MerchantsFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    NW_ASSERT_OK_AND_ASSIGN(host_.store, Store::Open({.path = directory_ / "store", .free_space_floor_bytes = 0}));
    ledger_options_.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(host_.ledger, Ledger::Open(*host_.store, ledger_options_));
    SchedulerOptions scheduler;
    scheduler.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(host_.scheduler, Scheduler::Open(*host_.store, scheduler));
    IntakeOptions intake;
    intake.scheduler = host_.scheduler.get();
    intake.max_wait = absl::ZeroDuration();
    NW_ASSERT_OK_AND_ASSIGN(host_.intake, Intake::Open(*host_.ledger, *host_.store, intake));
    NW_ASSERT_OK_AND_ASSIGN(host_.rail, examples::SimulatedRail::Open(directory_ / "bank", {.seed = 7}));
    PayoutOptions payouts;
    payouts.clock = &clock_;
    payouts.policy.jitter = Jitter::kNone;
    NW_ASSERT_OK_AND_ASSIGN(
        host_.payouts,
        Payouts::Open({*host_.ledger, *host_.store, *host_.scheduler, *host_.intake, *host_.rail}, payouts));
    WebhookOptions webhooks;
    webhooks.host_keys = {{.id = "test", .key = std::string("0123456789abcdef0123456789abcdef")}};
    webhooks.plain_http = true;
    webhooks.allowed_networks = {{.network = "127.0.0.0/8", .ports = {}}};
    webhooks.clock = &clock_;
    NW_ASSERT_OK_AND_ASSIGN(host_.webhooks, Webhooks::Open({*host_.ledger, *host_.store, *host_.scheduler}, webhooks));
    NW_ASSERT_OK_AND_ASSIGN(host_.audit, server::AuditTrail::Open(*host_.store, &clock_));
    const std::set<Scope> merchant = {Scope::kMerchantRead, Scope::kMerchantWrite};
    authenticator_.callers = {
        {"operator",
         {.kind = Caller::Kind::kKey,
          .id = "key_1",
          .actor = "key:operator",
          .scopes = {Scope::kMerchantRead, Scope::kOperatorRead, Scope::kOperatorWrite, Scope::kEventsWrite}}},
        {"m1",
         {.kind = Caller::Kind::kSession, .id = "s1", .actor = "merchant:m1", .scopes = merchant, .merchant = "m1"}},
        {"m2",
         {.kind = Caller::Kind::kSession, .id = "s2", .actor = "merchant:m2", .scopes = merchant, .merchant = "m2"}},
        {"bound", {.kind = Caller::Kind::kKey, .id = "key_2", .scopes = {Scope::kEventsWrite}, .merchant = "m1"}}};
    server::AddMerchantRoutes(router_, host_);
    server::AddPayoutRoutes(router_, host_);
  }
  void TearDown() override {
    if (readable_ && host_.ledger != nullptr && !HasFatalFailure()) ExpectInvariants(*host_.ledger);
    if (host_.webhooks != nullptr) host_.webhooks->Stop();
  }

  EventOutcome Apply(const PaymentEvent& event) {
    const auto result = host_.intake->Apply(std::vector<PaymentEvent>{event});
    EXPECT_THAT(result, IsOk());
    return result.ok() ? result->outcomes[0] : EventOutcome();
  }
  void Follow() {
    for (absl::StatusOr<size_t> n = 1; *n > 0; n = host_.payouts->FollowOnce()) ASSERT_THAT(n, IsOk());
  }
  Response Get(std::string_view target, std::string_view who = "operator") {
    return Ask(router_, MakeRequest(Method::kGet, target, who));
  }
  Json GetJson(std::string_view target, std::string_view who = "operator") {
    const Response response = Get(target, who);
    EXPECT_EQ(response.status, 200) << target << ": " << response.body;
    return Json::parse(response.body, nullptr, false);
  }
  // The data of all pages.
  std::vector<Json> GetAll(const std::string& target) {
    std::vector<Json> all;
    std::string cursor;
    for (size_t pages = 0; pages < 10'000; ++pages) {
      const Json page = GetJson(target + (cursor.empty() ? "" : "&cursor=" + cursor));
      for (const Json& item : page.at("data")) all.push_back(item);
      if (page.at("next_cursor").is_null()) return all;
      cursor = page.at("next_cursor");
    }
    ADD_FAILURE() << "the pages do not end";
    return all;
  }

  bool readable_ = true;  // the ledger, at the end
  TempDir directory_;
  MovingClock clock_;
  LedgerOptions ledger_options_;
  server::Host host_;
  FakeAuthenticator authenticator_;
  server::Router router_{authenticator_};
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_SERVER_MERCHANTS_MERCHANTS_FIXTURE_H_

// SPDX-License-Identifier: Apache-2.0
//
// POST /v1/events, over a real ledger.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "examples/reference_server/api/event_batcher.h"
#include "examples/reference_server/api/events_body.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/routes.h"
#include "tests/server/http/fake_authenticator.h"
#include "tests/support/invariants.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace northwind::server {
namespace {

using ::northwind::testing::FakeAuthenticator;
using ::northwind::testing::IsOk;
using ::northwind::testing::IsOkAndHolds;
using ::northwind::testing::StatusIs;
using ::northwind::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Captured(int payment, const std::string& merchant = "m_1", int units = 1000) {
  return absl::StrCat(R"({"type":"PAYMENT_CAPTURED","payment_id":"pay_)", payment,
                      R"(","occurred_at":"2026-07-01T12:00:00Z",)", R"("merchant_id":")", merchant,
                      R"(","amount":{"asset":"USD/2","units":")", units, R"("}})");
}

TEST(EventsBody, AnArrayIsSplitIntoTheTextsOfItsElements) {
  EXPECT_THAT(SplitArray(R"( [ {"a":"],[\"{"} , [1,{"b":[]}],2 ] )"),
              IsOkAndHolds(ElementsAre(R"({"a":"],[\"{"})", R"([1,{"b":[]}])", "2")));
  EXPECT_THAT(SplitArray("[]"), IsOkAndHolds(ElementsAre()));
  EXPECT_THAT(SplitArray(" [ \n ] "), IsOkAndHolds(ElementsAre()));
  for (const char* bad : {"", "[", "]", "{}", "[1,]", "[,1]", "[1][2]", "[1]2]", "[\"]", "[[]", "[{]"}) {
    EXPECT_THAT(SplitArray(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
  std::string many = "[0";
  for (size_t i = 1; i < kMaxEventsPerRequest; ++i) many += ",0";
  EXPECT_THAT(SplitArray(many + "]").status(), IsOk());
  EXPECT_THAT(SplitArray(many + ",0]"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("10000")));
}

// Against the JSON library: whatever array it takes is split as it splits it.
TEST(EventsBody, RandomArraysAreSplitAsTheLibrarySplitsThem) {
  std::mt19937_64 random(northwind::testing::TestSeed());
  const auto value = [&](auto&& self, int depth) -> Json {
    switch (random() % (depth > 3 ? 3 : 5)) {
      case 0:
        return random() % 1000;
      case 1:
        return std::string(random() % 5, "]}[{,\"\\ x"[random() % 9]);
      case 2:
        return nullptr;
      case 3: {
        Json list = Json::array();
        for (size_t n = random() % 4; n > 0; --n) list.push_back(self(self, depth + 1));
        return list;
      }
      default: {
        Json object = Json::object();
        for (size_t n = random() % 4; n > 0; --n) object[std::string(n, "]\",x"[random() % 4])] = self(self, depth + 1);
        return object;
      }
    }
  };
  for (int i = 0; i < 2000; ++i) {
    Json list = Json::array();
    for (size_t n = random() % 6; n > 0; --n) list.push_back(value(value, 0));
    const auto split = SplitArray(list.dump(static_cast<int>(random() % 3) - 1));
    ASSERT_THAT(split.status(), IsOk()) << list.dump();
    ASSERT_EQ(split->size(), list.size()) << list.dump();
    for (size_t j = 0; j < list.size(); ++j) ASSERT_EQ(Json::parse((*split)[j]), list[j]) << list.dump();
  }
}

TEST(EventsBody, LinesAreSplitAndEmptyOnesAreNone) {
  EXPECT_THAT(SplitLines("{}\r\n\n  \n[1]\nlast"), IsOkAndHolds(ElementsAre("{}", "[1]", "last")));
  EXPECT_THAT(SplitLines(""), IsOkAndHolds(ElementsAre()));
  std::string many;
  for (size_t i = 0; i <= kMaxEventsPerRequest; ++i) many += "0\n";
  EXPECT_THAT(SplitLines(many), StatusIs(absl::StatusCode::kInvalidArgument));
}

class EventRoutes : public ::testing::Test {
 protected:
  void SetUp() override {
    NW_ASSERT_OK_AND_ASSIGN(store_, Store::Open({.path = directory_ / "store"}));
    NW_ASSERT_OK_AND_ASSIGN(ledger_, Ledger::Open(*store_));
    NW_ASSERT_OK_AND_ASSIGN(scheduler_, Scheduler::Open(*store_));
    NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger_, *store_, {.scheduler = scheduler_.get()}));
    MakeBatcher({});
    auth_.callers["all"] = {Caller::Kind::kKey, "key_1", "key:all", {Scope::kEventsWrite}, ""};
    auth_.callers["bound"] = {Caller::Kind::kKey, "key_2", "key:bound", {Scope::kEventsWrite}, "m_1"};
  }
  void TearDown() override {
    batcher_.reset();
    if (ledger_ != nullptr) northwind::testing::ExpectInvariants(*ledger_);
  }

  void MakeBatcher(const EventBatcherOptions& options) {
    batcher_ = std::make_unique<EventBatcher>(*intake_, options);
    router_ = std::make_unique<Router>(auth_);
    AddEventRoutes(*router_, *batcher_);
  }

  Response Post(std::string body, const std::string& type = "application/json", const std::string& caller = "all") {
    Request request{.method = Method::kPost, .path = "/v1/events", .body = std::move(body), .id = "req_1"};
    request.fields = {{"Authorization", caller}, {"Content-Type", type}};
    Response answer;
    absl::Notification answered;
    router_->Answer(
        std::move(request), [](const std::function<void()>& work) { work(); },
        [&](Response response) {
          answer = std::move(response);
          answered.Notify();
        });
    answered.WaitForNotification();
    return answer;
  }

  TempDir directory_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Intake> intake_;
  FakeAuthenticator auth_;
  std::unique_ptr<EventBatcher> batcher_;
  std::unique_ptr<Router> router_;
};

std::vector<std::string> Statuses(const Response& response) {
  std::vector<std::string> statuses;
  const Json body = Json::parse(response.body);
  for (const Json& outcome : body.at("outcomes")) {
    statuses.push_back(outcome.at("status").get<std::string>());
  }
  return statuses;
}

TEST_F(EventRoutes, OneEventAnArrayAndLinesGetAnOutcomeEach) {
  const Response one = Post(Captured(1));
  EXPECT_EQ(one.status, 202);
  EXPECT_THAT(one.body, HasSubstr(R"("status":"applied","type":"PAYMENT_CAPTURED")"));
  EXPECT_THAT(Statuses(Post(" [" + Captured(1) + "," + Captured(2) + "]")), ElementsAre("duplicate", "applied"));
  const Response lines = Post(Captured(2) + "\n" + Captured(3) + "\n", "application/x-ndjson; charset=utf-8");
  EXPECT_EQ(lines.content_type, "application/x-ndjson");
  EXPECT_THAT(SplitLines(lines.body), IsOkAndHolds(ElementsAre(HasSubstr("duplicate"), HasSubstr("applied"))));
  EXPECT_EQ(Post("[]").body, R"({"outcomes":[]})");
}

TEST_F(EventRoutes, WhatIsNoEventIsQuarantinedAndSpoilsNoOther) {
  const Response answer = Post("[" + Captured(1) + R"(,{"type":"NOTHING"},{"type":,2,)" + Captured(2) + "]");
  EXPECT_EQ(answer.status, 400) << "no array: brackets do not close where they should";
  const Response good = Post("[" + Captured(1) + R"(,{"type":"NOTHING"},2,)" + Captured(2) + "]");
  EXPECT_THAT(Statuses(good), ElementsAre("applied", "quarantined", "quarantined", "applied"));
  EXPECT_THAT(Json::parse(good.body)["outcomes"][1]["detail"].get<std::string>(), HasSubstr("type"));
}

TEST_F(EventRoutes, WhatIsNoBodyIsRefusedAndNothingIsApplied) {
  for (const char* bad : {"", "  ", "1", "\"x\"", "[{}", "null"}) EXPECT_EQ(Post(bad).status, 400) << bad;
  EXPECT_EQ(Post(Captured(1), "text/plain").status, 415);
  EXPECT_EQ(ledger_->Head().sequence, Sequence());
}

TEST_F(EventRoutes, AKeyOfOneMerchantBringsItsEventsOnly) {
  EXPECT_EQ(Post(Captured(1, "m_1"), "application/json", "bound").status, 202);
  const Sequence head = ledger_->Head().sequence;
  EXPECT_EQ(Post(Captured(2, "m_2"), "application/json", "bound").status, 403);
  EXPECT_EQ(Post("[" + Captured(3, "m_1") + "," + Captured(4, "m_2") + "]", "application/json", "bound").status, 403);
  EXPECT_EQ(Post(R"([{"type":"NOTHING"}])", "application/json", "bound").status, 403);
  EXPECT_EQ(ledger_->Head().sequence, head);
}

TEST_F(EventRoutes, ManyClientsWithDuplicatesEndInTheUniqueOnes) {
  MakeBatcher({.max_events = 7});  // so that batches are cut everywhere
  constexpr int kUnique = 700;
  constexpr int kThreads = 8;
  std::vector<int> payments;
  for (int i = 0; i < kUnique; ++i) payments.push_back(i);
  std::mt19937_64 random(northwind::testing::TestSeed());
  while (payments.size() < 1000) payments.push_back(static_cast<int>(random() % kUnique));
  std::shuffle(payments.begin(), payments.end(), random);
  std::atomic<int> applied = 0;
  std::atomic<int> duplicates = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t; i < payments.size(); i += kThreads) {
        const Response answer = Post(Captured(payments[i]));
        applied += answer.body.find("\"applied\"") != std::string::npos;
        duplicates += answer.body.find("\"duplicate\"") != std::string::npos;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(applied, kUnique);
  EXPECT_EQ(duplicates, 300);
  NW_ASSERT_OK_AND_ASSIGN(const AccountId account, ledger_->FindAccount("merchant:m_1:available:USD/2"));
  NW_ASSERT_OK_AND_ASSIGN(const Totals totals, ledger_->Balance(account));
  EXPECT_EQ(totals.available(), kUnique * 1000);
}

TEST_F(EventRoutes, AnOutcomeIsItsOwn) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 50; ++i) {
        const int payment = t * 1000 + i;
        const Response answer = Post("[" + Captured(payment) + ",7," + Captured(payment) + "]");
        EXPECT_THAT(Statuses(answer), ElementsAre("applied", "quarantined", "duplicate"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(EventRoutes, TooManyThatWaitAreToldToComeAgain) {
  MakeBatcher({.max_waiting = 2});
  const Response answer = Post("[" + Captured(1) + "," + Captured(2) + "," + Captured(3) + "]");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(ledger_->Head().sequence, Sequence());
  EXPECT_EQ(batcher_->waiting(), 0);
}

TEST_F(EventRoutes, WhatWaitsWhenItIsStoppedIsAppliedAndNothingAfter) {
  std::atomic<int> answered = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_THAT(batcher_->Apply({Captured(i)}, [&](const auto& outcomes) { answered += outcomes.ok(); }), IsOk());
  }
  batcher_->Stop();
  EXPECT_EQ(answered, 100);
  EXPECT_EQ(Post(Captured(1)).status, 503);
}

TEST_F(EventRoutes, ALedgerThatIsClosedIsTold) {
  ASSERT_THAT(ledger_->Close(), IsOk());
  const Response answer = Post(Captured(1));
  EXPECT_EQ(answer.status, 409);
  batcher_.reset();
  intake_.reset();
  scheduler_.reset();
  ledger_.reset();
}

}  // namespace
}  // namespace northwind::server

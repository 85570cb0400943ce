// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "tests/server/endpoints/endpoints_fixture.h"

namespace northwind::testing {
namespace {

using examples::Behaviour;
using ::testing::HasSubstr;

class DeliveryRoutesTest : public EndpointsFixture {
 protected:
  static std::string PlaceOfDelivery(const Json& delivery, const std::string& merchant = kM1) {
    return merchant + "/deliveries/" + delivery["endpoint_id"].get<std::string>() + "/" +
           delivery["message_id"].get<std::string>();
  }
};

TEST_F(DeliveryRoutesTest, AnEventIsDeliveredAndSeen) {
  Start();
  const Json made = Create(AddReceiver("shop"));
  Capture("pay_1");
  const Json listed = AwaitDeliveries("delivered")[0];
  EXPECT_EQ(listed["endpoint_id"], made["endpoint"]["id"]);
  EXPECT_EQ(listed["message_id"], messages().front().headers.id);
  EXPECT_EQ(listed["type"], "payment.captured");
  EXPECT_EQ(listed["attempts"], 1);
  EXPECT_EQ(listed["last_status"], 204);
  EXPECT_TRUE(listed["last_failure"].is_null());
  EXPECT_EQ(listed["sequence"], std::to_string(host_.ledger->Head().sequence.value()));

  Json delivery = Get(PlaceOfDelivery(listed));
  EXPECT_EQ(delivery["body"], messages().front().body);
  EXPECT_TRUE(delivery["next_attempt"].is_null());
  ASSERT_EQ(delivery["attempts_list"].size(), 1u);
  const Json attempt = delivery["attempts_list"][0];
  EXPECT_EQ(attempt["number"], 1);
  EXPECT_EQ(attempt["trigger"], "schedule");
  EXPECT_EQ(attempt["status"], 204);
  EXPECT_TRUE(attempt["failure"].is_null());
  EXPECT_GT(attempt["timings_ms"]["total"].get<double>(), 0);
  for (const char* more : {"next_attempt", "body", "attempts_list"}) delivery.erase(more);
  EXPECT_EQ(delivery, listed);
  EXPECT_EQ(Get(kM1 + "/attempts")["data"], Json::array({attempt}));
}

TEST_F(DeliveryRoutesTest, OnlyOperatorsSeeWhereItWasSent) {
  Start();
  Create(AddReceiver("shop"));
  Capture("pay_1");
  const std::string place = PlaceOfDelivery(AwaitDeliveries("delivered")[0]);
  for (const std::string who : {"m1", "service"}) {
    EXPECT_FALSE(Get(place, who)["attempts_list"][0].contains("remote_address")) << who;
    EXPECT_FALSE(Get(kM1 + "/attempts", who)["data"][0].contains("remote_address")) << who;
  }
  EXPECT_THAT(Get(place, "operator")["attempts_list"][0]["remote_address"].get<std::string>(), HasSubstr("127.0.0.1:"));
  EXPECT_THAT(Get(kM1 + "/attempts", "operator")["data"][0]["remote_address"].get<std::string>(),
              HasSubstr("127.0.0.1:"));
}

TEST_F(DeliveryRoutesTest, WhatIsDeadIsSentAgain) {
  Start();
  Create(AddReceiver("shop", Behaviour::kError));
  Capture("pay_1");
  const Json dead = AwaitDeliveries("dead")[0];
  EXPECT_EQ(dead["last_failure"], "status");
  EXPECT_EQ(dead["last_status"], 500);
  ASSERT_THAT(fleet_->SetBehaviour("shop", Behaviour::kOk), IsOk());
  const Response resent = Ask(Method::kPost, PlaceOfDelivery(dead) + "/resend");
  EXPECT_EQ(resent.status, 202);
  EXPECT_EQ(Good(resent)["message_id"], dead["message_id"]);
  AwaitDeliveries("delivered");
  const Json attempts = Get(PlaceOfDelivery(dead))["attempts_list"];
  ASSERT_EQ(attempts.size(), 2u);
  EXPECT_EQ(attempts[0]["failure"], "status") << "the oldest first";
  EXPECT_EQ(attempts[1]["trigger"], "resend");
  EXPECT_EQ(Get(kM1 + "/attempts?failure=status&status=500")["data"], Json::array({attempts[0]}));
  EXPECT_EQ(Get(kM1 + "/attempts?failure=none")["data"], Json::array({attempts[1]}));
}

TEST_F(DeliveryRoutesTest, ManyAreSentAgainAtOnce) {
  Start();
  Create(AddReceiver("shop", Behaviour::kError));
  Create(AddReceiver("other", Behaviour::kError));
  Capture("pay_1");
  const Json dead = AwaitDeliveries("dead", 2);
  Post(kM1 + "/endpoints/" + dead[1]["endpoint_id"].get<std::string>() + "/disable");
  ASSERT_THAT(fleet_->SetBehaviour("shop", Behaviour::kOk), IsOk());
  ASSERT_THAT(fleet_->SetBehaviour("other", Behaviour::kOk), IsOk());
  const auto name = [](const Json& delivery) {
    return Json{{"endpoint_id", delivery["endpoint_id"]}, {"message_id", delivery["message_id"]}};
  };
  const Json none = {{"endpoint_id", "ep_none"}, {"message_id", dead[0]["message_id"]}};
  const Json odd = {{"endpoint_id", dead[0]["endpoint_id"]}, {"message_id", "odd"}};
  const Json answer =
      Post(kM1 + "/deliveries/resend", Json{{"deliveries", {name(dead[0]), name(dead[1]), none, odd}}}.dump())["data"];
  std::vector<std::string> statuses;
  for (const Json& item : answer) statuses.push_back(item["status"]);
  EXPECT_EQ(statuses, (std::vector<std::string>{"sent", "disabled", "not_found", "not_found"}));
  EXPECT_EQ(answer[0]["endpoint_id"], dead[0]["endpoint_id"]);
  AwaitDeliveries("delivered");
}

TEST_F(DeliveryRoutesTest, AreChosenAndPaged) {
  Start();
  const std::string shop = Create(AddReceiver("shop"))["endpoint"]["id"];
  Create(AddReceiver("other"));
  for (int i = 0; i < 3; ++i) Capture("pay_" + std::to_string(i));
  const Json all = AwaitDeliveries("delivered", 6);
  for (const std::string list : {"/deliveries", "/attempts"}) {
    EXPECT_EQ(Get(kM1 + list + "?endpoint=" + shop)["data"].size(), 3u);
    EXPECT_EQ(Get(kM1 + list + "?message=" + all[0]["message_id"].get<std::string>())["data"].size(), 2u);
    EXPECT_EQ(Get(kM1 + list + "?type=payout.paid")["data"].size(), 0u);
    EXPECT_EQ(Get(kM1 + list + "?from=2020-01-01T00:00:00Z&before=2021-01-01T00:00:00Z")["data"].size(), 0u);
    Json paged = Json::array();
    std::string cursor;
    do {
      const Json page = Get(kM1 + list + "?limit=4" + cursor);
      for (const Json& item : page["data"]) paged.push_back(item);
      cursor = page["next_cursor"].is_null() ? "" : "&cursor=" + page["next_cursor"].get<std::string>();
    } while (!cursor.empty() && !HasFailure());
    EXPECT_EQ(paged, Get(kM1 + list)["data"]) << list;
    EXPECT_EQ(paged.size(), 6u);
  }
}

TEST_F(DeliveryRoutesTest, WhatIsWrongIsNamed) {
  const auto bad = [&](Method method, const std::string& target, const std::string& body, const std::string& field) {
    const Response response = Ask(method, kM1 + target, body);
    EXPECT_EQ(response.status, 400) << target << body;
    EXPECT_THAT(response.body, HasSubstr("\"detail\":\"" + field)) << target << body;
  };
  for (const std::string list : {"/deliveries", "/attempts"}) {
    bad(Method::kGet, list + "?limit=1001", "", "limit: ");
    bad(Method::kGet, list + "?cursor=YWJj", "", "cursor: ");
    bad(Method::kGet, list + "?endpoint=", "", "endpoint: ");
    bad(Method::kGet, list + "?endpoint=a.b", "", "endpoint_id: ");
    bad(Method::kGet, list + "?message=odd", "", "message_id: ");
    bad(Method::kGet, list + "?type=odd", "", "type: ");
    bad(Method::kGet, list + "?from=odd", "", "from: ");
    bad(Method::kGet, list + "?other=1", "", "there is no query parameter 'other'");
  }
  bad(Method::kGet, "/deliveries?state=odd", "", "state: ");
  bad(Method::kGet, "/attempts?failure=invalid", "", "failure: ");
  bad(Method::kGet, "/attempts?status=20x", "", "status: ");
  bad(Method::kGet, "/attempts?status=2.0", "", "status: ");
  bad(Method::kGet, "/deliveries/ep_1/odd", "", "message_id: ");
  bad(Method::kPost, "/deliveries/resend", "{}", "deliveries: ");
  bad(Method::kPost, "/deliveries/resend", R"({"deliveries":[]})", "deliveries: ");
  bad(Method::kPost, "/deliveries/resend", R"({"deliveries":[{"endpoint_id":"ep_1"}]})", "deliveries[0]: ");
  bad(Method::kPost, "/deliveries/resend", R"({"deliveries":[{"endpoint_id":1,"message_id":"m"}]})",
      "deliveries[0].endpoint_id: ");
  Json many = Json::array();
  for (int i = 0; i < 101; ++i) many.push_back({{"endpoint_id", "e"}, {"message_id", "m"}});
  bad(Method::kPost, "/deliveries/resend", Json{{"deliveries", many}}.dump(), "deliveries: ");
}

TEST_F(DeliveryRoutesTest, AnothersDeliveryIsLikeNone) {
  Start();
  Create(AddReceiver("shop"));
  Capture("pay_1");
  const Json delivery = AwaitDeliveries("delivered")[0];
  const std::string m2 = "/v1/merchants/m2";
  const std::string none = m2 + "/deliveries/ep_none/" + delivery["message_id"].get<std::string>();
  for (const auto& [method, rest] : {std::pair(Method::kGet, ""), std::pair(Method::kPost, "/resend")}) {
    const Response missing = Ask(method, none + rest, "", {}, "service");
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(Ask(method, PlaceOfDelivery(delivery, m2) + rest, "", {}, "service").body, missing.body);
    EXPECT_EQ(Ask(method, PlaceOfDelivery(delivery, m2) + rest).body, missing.body) << "a session of m1";
  }
  EXPECT_EQ(Get(m2 + "/deliveries", "service")["data"].size(), 0u);
  EXPECT_EQ(Get(m2 + "/attempts", "service")["data"].size(), 0u);
}

}  // namespace
}  // namespace northwind::testing

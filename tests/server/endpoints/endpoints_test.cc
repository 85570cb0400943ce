// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "northwind/webhook.h"
#include "tests/server/endpoints/endpoints_fixture.h"

namespace northwind::testing {
namespace {

using examples::Behaviour;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::FieldsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class EndpointRoutesTest : public EndpointsFixture {
 protected:
  // 400, whose detail begins with the field.
  void ExpectBad(Method method, const std::string& target, const std::string& body, const std::string& field) {
    const Response response = Ask(method, target, body, {{"If-Match", "\"1\""}});
    EXPECT_EQ(response.status, 400) << target << body;
    const Json problem = Json::parse(response.body, nullptr, false);
    EXPECT_EQ(problem["code"], "invalid_request") << target << body;
    EXPECT_THAT(problem["detail"].get<std::string>(), HasSubstr(field)) << target << body;
  }
};

TEST_F(EndpointRoutesTest, ShowsTheSecretOnceAndHeaderValuesNever) {
  const Response made = Ask(Method::kPost, kM1 + "/endpoints",
                            R"({"url":"https://shop.example/hook","events":["payout.*"],
                                "headers":[{"name":"X-Shop","value":"hidden-value"}],"scheme":"v1"})");
  ASSERT_EQ(made.status, 201) << made.body;
  const Json json = Json::parse(made.body);
  EXPECT_THAT(json["secret"].get<std::string>(), StartsWith("whsec_"));
  EXPECT_THAT(made.body, Not(HasSubstr("hidden-value")));
  EXPECT_THAT(made.fields, AllOf(Contains(FieldsAre("Location", PlaceOf(json))), Contains(FieldsAre("ETag", "\"1\""))));

  const Response got = Ask(Method::kGet, PlaceOf(json));
  EXPECT_THAT(got.fields, Contains(FieldsAre("ETag", "\"1\"")));
  EXPECT_EQ(Good(got), json["endpoint"]);
  const Json endpoint = json["endpoint"];
  EXPECT_EQ(endpoint["events"].dump(), R"(["payout.*"])");
  EXPECT_EQ(endpoint["headers"].dump(), R"(["X-Shop"])");
  EXPECT_EQ(endpoint["state"], "enabled");
  EXPECT_EQ(endpoint["scheme"], "v1");
  EXPECT_TRUE(endpoint["disabled"].is_null() && endpoint["policy"].is_null());
  EXPECT_EQ(endpoint["health"].dump(),
            R"({"breaker":"closed","retry_at":null,"failing_since":null,"consecutive_failures":0})");
  for (const std::string& target : {PlaceOf(json), kM1 + "/endpoints"}) {
    EXPECT_THAT(Ask(Method::kGet, target, "", {}, "operator").body,
                AllOf(Not(HasSubstr("hidden-value")), Not(HasSubstr("whsec_"))));
  }
}

TEST_F(EndpointRoutesTest, ListsAPageAtATime) {
  for (int i = 0; i < 5; ++i) Create("https://shop.example/" + std::to_string(i));
  std::vector<std::string> ids;
  std::string cursor;
  do {
    const Json page = Get(kM1 + "/endpoints?limit=2" + cursor);
    for (const Json& endpoint : page["data"]) ids.push_back(endpoint["id"]);
    cursor = page["next_cursor"].is_null() ? "" : "&cursor=" + page["next_cursor"].get<std::string>();
  } while (!cursor.empty() && !HasFailure());
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 5u);
  EXPECT_THAT(ids, SizeIs(5));
}

TEST_F(EndpointRoutesTest, ARepeatedCreationFindsTheFirst) {
  const std::string body = R"({"url":"https://shop.example/"})";
  const Response made = Ask(Method::kPost, kM1 + "/endpoints", body, {{"Idempotency-Key", "try-1"}});
  const std::string id = Good(made)["endpoint"]["id"];
  EXPECT_THAT(id, AllOf(StartsWith("ep_"), SizeIs(35)));
  const Response again = Ask(Method::kPost, kM1 + "/endpoints", body, {{"Idempotency-Key", "try-1"}});
  EXPECT_EQ(again.status, 409);
  EXPECT_THAT(again.body, AllOf(HasSubstr("already_exists"), HasSubstr(id), Not(HasSubstr("whsec_"))));
  EXPECT_NE(Good(Ask(Method::kPost, "/v1/merchants/m2/endpoints", body, {{"Idempotency-Key", "try-1"}},
                     "service"))["endpoint"]["id"],
            id);
  for (const std::string& key : {std::string("a b"), std::string(65, 'a'), std::string()}) {
    EXPECT_THAT(Ask(Method::kPost, kM1 + "/endpoints", body, {{"Idempotency-Key", key}}).body,
                HasSubstr("Idempotency-Key: "));
  }
}

TEST_F(EndpointRoutesTest, AChangeIsToTheVersionThatWasSeen) {
  const std::string place = PlaceOf(Create("https://shop.example/", {{"headers", {{{"name", "A"}, {"value", "1"}}}}}));
  const std::string change = R"({"url":"https://shop.example/two","policy":{"burst":3}})";
  const Response without = Ask(Method::kPatch, place, change);
  EXPECT_EQ(without.status, 428);
  EXPECT_THAT(without.body, HasSubstr("precondition_required"));
  const Response changed = Ask(Method::kPatch, place, change, {{"If-Match", "\"1\""}});
  const Json endpoint = Good(changed);
  EXPECT_THAT(changed.fields, Contains(FieldsAre("ETag", "\"2\"")));
  EXPECT_EQ(endpoint["version"], 2);
  EXPECT_EQ(endpoint["url"], "https://shop.example/two");
  EXPECT_EQ(endpoint["policy"]["burst"], 3);
  EXPECT_EQ(endpoint["headers"].dump(), R"(["A"])") << "what is not said stays";
  const Response conflict = Ask(Method::kPatch, place, R"({"events":["*"]})", {{"If-Match", "\"1\""}});
  EXPECT_EQ(conflict.status, 412);
  EXPECT_THAT(conflict.body, HasSubstr("version_conflict"));
  EXPECT_TRUE(Good(Ask(Method::kPatch, place, R"({"policy":null})", {{"If-Match", "\"2\""}}))["policy"].is_null());
  for (const char* tag : {"3", "*", "W/\"3\"", "\"\"", "\"3\", \"4\"", "\"-1\"", "\"03x\""}) {
    const Response bad = Ask(Method::kPatch, place, change, {{"If-Match", tag}});
    EXPECT_EQ(bad.status, 400) << tag;
    EXPECT_THAT(bad.body, HasSubstr("If-Match: ")) << tag;
  }
  EXPECT_EQ(Ask(Method::kDelete, place, "", {{"If-Match", "\"2\""}}).status, 412);
  const Response deleted = Ask(Method::kDelete, place, "", {{"If-Match", "\"3\""}});
  EXPECT_EQ(deleted.status, 204);
  EXPECT_EQ(deleted.body, "");
  EXPECT_EQ(Ask(Method::kGet, place).status, 404);
}

TEST_F(EndpointRoutesTest, IsPausedResumedDisabledAndEnabled) {
  Start();
  const std::string place = PlaceOf(Create(AddReceiver("shop")));
  EXPECT_EQ(Post(place + "/pause")["state"], "paused");
  Capture("pay_1");
  AwaitDeliveries("pending");
  EXPECT_THAT(messages(), SizeIs(0));
  EXPECT_EQ(Post(place + "/resume", "{}")["state"], "enabled");
  AwaitDeliveries("delivered");
  const Json disabled = Post(place + "/disable");
  EXPECT_EQ(disabled["state"], "disabled");
  EXPECT_EQ(disabled["disabled"]["reason"], "by_hand");
  EXPECT_EQ(disabled["disabled"]["detail"], "by the merchant");
  const Response test = Ask(Method::kPost, place + "/test");
  EXPECT_EQ(test.status, 409);
  EXPECT_THAT(test.body, HasSubstr("wrong_state"));
  EXPECT_EQ(Post(place + "/enable")["state"], "enabled");
  const std::string id = Post(place + "/test")["message_id"];
  Await([&] { return messages().back().headers.id == id; });
}

TEST_F(EndpointRoutesTest, OldAndNewSecretVerifyDuringTheOverlap) {
  Start();
  const Json made = Create(AddReceiver("shop"));
  const Json rotated = Post(PlaceOf(made) + "/rotate-secret", R"({"overlap_seconds":3600})");
  EXPECT_EQ(rotated["endpoint"]["version"], 2);
  EXPECT_NE(rotated["secret"], made["secret"]);
  absl::Time until;
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, rotated["old_valid_until"].get<std::string>(), &until, nullptr));
  EXPECT_GT(until, clock_.Now());
  const auto verify = [&](const Json& secret) {
    const KeptMessage message = messages().back();
    return VerifyWebhook(std::vector<std::string>{secret.get<std::string>()}, message.headers, message.body,
                         clock_.Now());
  };
  Capture("pay_1");
  AwaitDeliveries("delivered");
  EXPECT_THAT(verify(made["secret"]), IsOk());
  EXPECT_THAT(verify(rotated["secret"]), IsOk());
  const Json at_once = Post(PlaceOf(made) + "/rotate-secret", R"({"overlap_seconds":0,"scheme":"v1a"})");
  EXPECT_TRUE(at_once["old_valid_until"].is_null());
  EXPECT_THAT(at_once["secret"].get<std::string>(), StartsWith("whpk_"));
  Capture("pay_2");
  AwaitDeliveries("delivered", 2);
  EXPECT_THAT(verify(rotated["secret"]), Not(IsOk()));
  EXPECT_THAT(verify(at_once["secret"]), IsOk());
}

TEST_F(EndpointRoutesTest, WhatWasMissedIsCountedAndRecovered) {
  Start();
  const std::string place = PlaceOf(Create(AddReceiver("shop", Behaviour::kError)));
  EXPECT_EQ(Get(place + "/recovery").dump(), R"({"recovery":null})");
  Capture("pay_1");
  AwaitDeliveries("dead");
  Post(place + "/disable");
  Capture("pay_2");
  Await([&] { return host_.webhooks->Stats()->followed == host_.ledger->Head().sequence; });
  ASSERT_THAT(fleet_->SetBehaviour("shop", Behaviour::kOk), IsOk());
  Post(place + "/enable");
  const std::string since = "2020-01-01T00:00:00Z";
  EXPECT_EQ(Get(place + "/recovery?since=" + since).dump(),
            R"({"count":{"delivered":0,"pending":0,"dead":1,"missing":1,"recoverable":2}})");
  const Response begun = Ask(Method::kPost, place + "/recovery", R"({"since":"2020-01-01T00:00:00Z","per_second":7})");
  EXPECT_EQ(begun.status, 202);
  EXPECT_EQ(Good(begun)["per_second"], 7);
  EXPECT_EQ(Good(begun)["since"], "2020-01-01T00:00:00.000000Z");
  AwaitDeliveries("delivered", 2);
  Await([&] { return Get(place + "/recovery")["recovery"]["state"] == "done"; });
  EXPECT_EQ(Get(place + "/recovery")["recovery"]["recovered"], 2);
  EXPECT_EQ(Ask(Method::kDelete, place + "/recovery").status, 409) << "none is running";
}

TEST_F(EndpointRoutesTest, WhatIsDeadIsDriven) {
  Start();
  const std::string place = PlaceOf(Create(AddReceiver("shop", Behaviour::kError)));
  Capture("pay_1");
  AwaitDeliveries("dead");
  ASSERT_THAT(fleet_->SetBehaviour("shop", Behaviour::kOk), IsOk());
  EXPECT_EQ(Post(place + "/redrive").dump(), R"({"redriven":1})");
  AwaitDeliveries("delivered");
  EXPECT_EQ(Post(place + "/redrive", R"({"per_second":5})").dump(), R"({"redriven":0})");
}

TEST_F(EndpointRoutesTest, AMerchantsPolicyIsKeptAsItIsGiven) {
  EXPECT_EQ(Ask(Method::kGet, kM1 + "/policy").body, "null");
  const std::string policy =
      R"({"retry":{"delays_seconds":[0,0.25,7]},"timeout_seconds":2.5,"max_concurrent":3,"max_per_second":0.5,"burst":2})";
  EXPECT_EQ(Ask(Method::kPut, kM1 + "/policy", policy).body, policy);
  EXPECT_EQ(Ask(Method::kGet, kM1 + "/policy").body, policy);
  EXPECT_EQ(Ask(Method::kPost, kM1 + "/policy/preview", policy).body,
            R"({"attempts_at_seconds":[0,0.25,7.25],"gives_up_after_seconds":7.25})");
  EXPECT_EQ(Ask(Method::kPut, kM1 + "/policy", "null").body, "null");
  EXPECT_EQ(Ask(Method::kPut, kM1 + "/policy", policy, {}, "reader").status, 403);
}

TEST_F(EndpointRoutesTest, WhatIsWrongIsNamed) {
  const std::string all = kM1 + "/endpoints";
  const std::string one = PlaceOf(Create("https://shop.example/"));
  const std::string url = R"("url":"https://shop.example/")";
  ExpectBad(Method::kPost, all, "{}", "url: ");
  ExpectBad(Method::kPost, all, "", "JSON");
  ExpectBad(Method::kPost, all, R"({"url":7})", "url: ");
  ExpectBad(Method::kPost, all, R"({"url":"ftp://x/"})", "url: ");
  ExpectBad(Method::kPost, all, "{" + url + R"(,"secret":"x"})", "'secret'");
  ExpectBad(Method::kPost, all, "{" + url + R"(,"events":"*"})", "events: ");
  ExpectBad(Method::kPost, all, "{" + url + R"(,"events":[]})", "events: ");
  ExpectBad(Method::kPost, all, "{" + url + R"(,"events":["*",1]})", "events[1]: ");
  ExpectBad(Method::kPost, all, "{" + url + R"(,"events":["no such"]})", "events[0]: ");
  ExpectBad(Method::kPost, all, "{" + url + R"(,"headers":[{"name":"A"}]})", "headers[0]: ");
  ExpectBad(Method::kPost, all, "{" + url + R"(,"headers":[{"name":"A","value":1}]})", "headers[0].value: ");
  ExpectBad(Method::kPost, all, "{" + url + R"(,"headers":[{"name":"Host","value":""}]})", "headers[0]");
  ExpectBad(Method::kPost, all, "{" + url + R"(,"scheme":"v2"})", "scheme: ");
  ExpectBad(Method::kPost, all, "{" + url + R"(,"policy":{"burst":0}})", "policy.burst: ");
  ExpectBad(Method::kPatch, one, R"({"scheme":"v1"})", "'scheme'");
  ExpectBad(Method::kPatch, one, R"({"url":null})", "url: ");
  ExpectBad(Method::kPatch, one, R"({"policy":{"timeout_seconds":61}})", "policy.timeout: ");
  ExpectBad(Method::kPost, one + "/pause", R"({"x":1})", "'x'");
  ExpectBad(Method::kPost, one + "/rotate-secret", R"({"overlap_seconds":-1})", "overlap: ");
  ExpectBad(Method::kPost, one + "/rotate-secret", R"({"overlap_seconds":2592001})", "overlap: ");
  ExpectBad(Method::kPost, one + "/rotate-secret", R"({"overlap_seconds":1.0})", "overlap_seconds: ");
  ExpectBad(Method::kGet, one + "/recovery?since=yesterday", "", "since: ");
  ExpectBad(Method::kPost, one + "/recovery", "{}", "since: ");
  ExpectBad(Method::kPost, one + "/recovery", R"({"since":"2020-01-01T00:00:00Z","per_second":-1})", "per_second: ");
  ExpectBad(Method::kPost, one + "/redrive", R"({"per_second":4294967296})", "per_second: ");
  ExpectBad(Method::kPut, kM1 + "/policy", R"({"retry":{"initial_seconds":1}})", "policy.retry: must end");
  ExpectBad(Method::kPost, kM1 + "/policy/preview", "null", "policy: ");
  ExpectBad(Method::kGet, one + "?at=now", "", "'at'");
  ExpectBad(Method::kGet, all + "?limit=0", "", "limit: ");
  ExpectBad(Method::kGet, all + "?limit=1001", "", "limit: ");
  EXPECT_TRUE(Get(all + "?limit=1000")["data"].is_array()) << "every list takes that";
}

TEST_F(EndpointRoutesTest, AnothersEndpointIsLikeNone) {
  const Json made = Create("https://shop.example/");
  const std::string id = made["endpoint"]["id"];
  const std::vector<std::tuple<Method, std::string, std::string>> asks = {
      {Method::kGet, "", ""},
      {Method::kPatch, "", R"({"url":"https://shop.example/"})"},
      {Method::kDelete, "", ""},
      {Method::kPost, "/pause", ""},
      {Method::kPost, "/resume", ""},
      {Method::kPost, "/disable", ""},
      {Method::kPost, "/enable", ""},
      {Method::kPost, "/rotate-secret", ""},
      {Method::kPost, "/test", ""},
      {Method::kGet, "/recovery", ""},
      {Method::kGet, "/recovery?since=2020-01-01T00:00:00Z", ""},
      {Method::kPost, "/recovery", R"({"since":"2020-01-01T00:00:00Z"})"},
      {Method::kDelete, "/recovery", ""},
      {Method::kPost, "/redrive", ""}};
  for (const auto& [method, rest, body] : asks) {
    const auto ask = [&, &method = method, &rest = rest, &body = body](const std::string& place,
                                                                       const std::string& who) {
      return Ask(method, place + rest, body, {{"If-Match", "\"1\""}}, who);
    };
    const Response none = ask("/v1/merchants/m2/endpoints/ep_none", "service");
    EXPECT_EQ(none.status, 404) << rest;
    EXPECT_EQ(ask("/v1/merchants/m2/endpoints/" + id, "service").body, none.body) << rest;
    EXPECT_EQ(ask("/v1/merchants/m2/endpoints/ep_none", "m1").body, none.body) << rest;
  }
  EXPECT_EQ(Get(PlaceOf(made)), made["endpoint"]);
}

TEST_F(EndpointRoutesTest, EventTypesAreForEverybody) {
  authenticator_.callers[""] = {};
  const Json types = Get("/v1/event-types", "");
  EXPECT_EQ(types["data"].size(), WebhookEventTypes().size());
  EXPECT_THAT(types["data"].get<std::vector<std::string>>(), Contains("payout.paid"));
}

TEST_F(EndpointRoutesTest, AServerWithoutWebhooksSaysSo) {
  host_.webhooks.reset();
  const Response response = Ask(Method::kGet, kM1 + "/endpoints");
  EXPECT_EQ(response.status, 409);
  EXPECT_THAT(response.body, HasSubstr("not_configured"));
}

}  // namespace
}  // namespace northwind::testing

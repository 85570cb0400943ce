// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <string>
#include <utility>

#include "tests/server/http/fake_authenticator.h"

namespace northwind::server {
namespace {

using ::northwind::testing::FakeAuthenticator;
using ::testing::Contains;
using ::testing::FieldsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    using Kind = Caller::Kind;
    auth_.callers["reader"] = {Kind::kKey, "key_1", "key:reader", {Scope::kMerchantRead}, ""};
    auth_.callers["bound"] = {Kind::kKey, "key_2", "key:bound", {Scope::kMerchantRead, Scope::kMerchantWrite}, "m_1"};
    auth_.callers["session"] = {
        Kind::kSession, "s_1", "merchant:m_1", {Scope::kMerchantRead, Scope::kMerchantWrite}, "m_1"};
    auth_.callers["weak"] = {Kind::kSession, "s_2", "merchant:m_1", {}, "m_1"};
    Add(Method::kGet, "/open", "open", Scope::kPublic);
    Add(Method::kGet, "/v1/merchants/{merchant}/payouts/{payout}", "getPayout", Scope::kMerchantRead);
    Add(Method::kGet, "/v1/merchants/{merchant}/payouts.csv", "exportPayouts", Scope::kMerchantRead);
    Add(Method::kGet, "/v1/merchants/{merchant}/{other}", "other", Scope::kMerchantRead);
    Add(Method::kPost, "/v1/merchants/{merchant}/endpoints", "createEndpoint", Scope::kMerchantWrite);
    Add(Method::kDelete, "/v1/merchants/{merchant}/endpoints", "deleteEndpoint", Scope::kMerchantWrite);
  }

  void Add(Method method, std::string pattern, std::string name, Scope scope) {
    Route route{.method = method, .pattern = std::move(pattern), .name = name, .scope = scope};
    route.handler = [name](const Request& request, const Caller& caller) {
      std::string body = name + " by " + caller.id;
      for (const auto& [key, value] : request.params) body.append(" ").append(key).append("=").append(value);
      return Response{.content_type = "text/plain", .body = body};
    };
    router_.Add(std::move(route));
  }

  Response Ask(Method method, std::string path, const std::string& credential = "", std::vector<Field> fields = {}) {
    Request request{.method = method, .path = std::move(path), .fields = std::move(fields), .id = "req_1"};
    if (!credential.empty()) request.fields.push_back({"Authorization", credential});
    Response answer;
    router_.Answer(
        std::move(request), [](const std::function<void()>& work) { work(); },
        [&](Response response) { answer = std::move(response); });
    return answer;
  }

  FakeAuthenticator auth_;
  Router router_{auth_};
};

TEST(ServerProblem, EveryStatusHasATitleOfItsOwn) {
  for (const int status : {400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 428, 429, 431, 501, 503, 504, 505}) {
    EXPECT_THAT(AsResponse({.status = status, .code = "x"}, Request{}).body, Not(HasSubstr("Internal Server Error")))
        << status;
  }
  EXPECT_THAT(AsResponse({.status = 501, .code = "x"}, Request{}).body, HasSubstr(R"("title":"Not Implemented")"));
}

TEST_F(RouterTest, WhatIsLargeIsNotReadWhereOthersWait) {
  Route route{.method = Method::kPost, .pattern = "/later", .name = "later", .scope = Scope::kPublic};
  route.async_handler = [](const Request& request, const Caller&, const Respond& respond) {
    if (request.body.front() == '!') throw std::bad_alloc();
    respond({.content_type = "text/plain", .body = std::to_string(request.body.size())});
  };
  router_.Add(std::move(route));
  bool blocked = false;
  const auto ask = [&](std::string body) {
    Response answer;
    router_.Answer(
        Request{.method = Method::kPost, .path = "/later", .body = std::move(body), .id = "req_1"},
        [&](const std::function<void()>& work) {
          blocked = true;
          work();
        },
        [&](Response response) { answer = std::move(response); });
    return answer;
  };
  EXPECT_EQ(ask(std::string(kLargeBody, 'x')).body, std::to_string(kLargeBody));
  EXPECT_FALSE(blocked);
  EXPECT_EQ(ask(std::string(kLargeBody + 1, 'x')).body, std::to_string(kLargeBody + 1));
  EXPECT_TRUE(blocked);
  EXPECT_EQ(ask(std::string(kLargeBody + 1, '!')).status, 500);
}

TEST_F(RouterTest, FindsTheRouteAndItsParts) {
  EXPECT_EQ(Ask(Method::kGet, "/open").body, "open by ");
  EXPECT_EQ(Ask(Method::kGet, "/v1/merchants/m_2/payouts/po_1", "reader").body,
            "getPayout by key_1 merchant=m_2 payout=po_1");
  EXPECT_EQ(Ask(Method::kHead, "/v1/merchants/m_2/payouts/po_1", "reader").body,
            "getPayout by key_1 merchant=m_2 payout=po_1");
  EXPECT_EQ(Ask(Method::kGet, "/v1/merchants/m%5F2/payouts/%41%20b", "reader").body,
            "getPayout by key_1 merchant=m_2 payout=A b");
  EXPECT_EQ(Ask(Method::kGet, "/v1/merchants/m_2/payouts.csv", "reader").body, "exportPayouts by key_1 merchant=m_2")
      << "what is spelt out goes before what is named";
  EXPECT_EQ(Ask(Method::kGet, "/v1/merchants/m_2/x", "reader").route, "other");
}

TEST_F(RouterTest, WhatIsNotThereIsNotFound) {
  for (const char* path :
       {"/", "", "/nothing", "/open/", "//open", "/v1/merchants//payouts/po_1", "/v1/merchants/m_1/payouts/",
        "/v1/merchants/m_1/payouts/%2", "/v1/merchants/m_1/payouts/%zz", "/v1/merchants/m_1/payouts/a%2Fb",
        "/v1/merchants/m_1/payouts/a%00b", "/v1/merchants/%2e%2e/payouts/po", "/v1/merchants/../payouts/po"}) {
    const Response answer = Ask(Method::kGet, path, "reader");
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_THAT(answer.body, HasSubstr(R"("code":"not_found")")) << path;
  }
}

TEST_F(RouterTest, AnotherMethodIsToldWhichThereAre) {
  const Response answer = Ask(Method::kPut, "/v1/merchants/m_1/endpoints", "bound");
  EXPECT_EQ(answer.status, 405);
  EXPECT_THAT(answer.fields, Contains(FieldsAre("Allow", "GET, HEAD, POST, DELETE")));
}

TEST_F(RouterTest, GuardsInOrder) {
  const std::string mine = "/v1/merchants/m_1/payouts/po_1";
  EXPECT_EQ(Ask(Method::kGet, mine).status, 401);
  EXPECT_THAT(Ask(Method::kGet, mine).fields, Contains(FieldsAre("WWW-Authenticate", "Bearer")));
  EXPECT_EQ(Ask(Method::kGet, mine, "bad").status, 401);
  EXPECT_EQ(Ask(Method::kGet, "/open", "bad").status, 200) << "nobody has to be somebody here";
  EXPECT_EQ(Ask(Method::kGet, mine, "bad", {{"Over-Rate", "1"}}).status, 401);
  const Response rate = Ask(Method::kGet, mine, "reader", {{"Over-Rate", "1"}});
  EXPECT_EQ(rate.status, 429);
  EXPECT_THAT(rate.fields, Contains(FieldsAre("Retry-After", "3")));
  EXPECT_EQ(Ask(Method::kGet, mine, "weak").status, 403) << "no scope";
  EXPECT_EQ(Ask(Method::kPost, "/v1/merchants/m_1/endpoints", "reader").status, 403);
  EXPECT_EQ(Ask(Method::kGet, mine, "session").status, 200);
}

TEST_F(RouterTest, WhatIsForEverybodyAndHasNoRateLooksAtNoCredential) {
  Route route{.pattern = "/page", .name = "page", .scope = Scope::kPublic, .unlimited = true};
  route.handler = [](const Request&, const Caller& caller) { return Response{.body = "page by " + caller.id}; };
  router_.Add(std::move(route));
  for (const char* caller : {"", "bad", "reader", "session"}) {
    EXPECT_EQ(Ask(Method::kGet, "/page", caller, {{"Over-Rate", "1"}}).body, "page by ") << caller;
  }
  EXPECT_EQ(Ask(Method::kGet, "/open", "reader", {{"Over-Rate", "1"}}).status, 429);
}

TEST_F(RouterTest, ASessionsChangeNeedsItsToken) {
  const std::string path = "/v1/merchants/m_1/endpoints";
  const Response without = Ask(Method::kPost, path, "session");
  EXPECT_EQ(without.status, 403);
  EXPECT_THAT(without.body, HasSubstr(R"("code":"csrf")"));
  EXPECT_EQ(Ask(Method::kDelete, path, "session", {{"X-CSRF-Token", "other"}}).status, 403);
  EXPECT_EQ(Ask(Method::kPost, path, "session", {{"x-csrf-token", "token"}}).status, 200);
  EXPECT_EQ(Ask(Method::kPost, path, "bound").status, 200) << "a key is not sent by a browser on its own";
}

// All routes of the table: another's merchant, whoever asks, whatever they may do, is answered as a path that leads nowhere.
TEST_F(RouterTest, AnotherTenantIsAnsweredAsNothingIs) {
  const Response nothing = Ask(Method::kGet, "/nothing");
  for (const Route& route : router_.routes()) {
    if (route.pattern.find("{merchant}") == std::string::npos) continue;
    std::string path = route.pattern;
    path.replace(path.find("{merchant}"), 10, "m_2");
    for (const char* caller : {"bound", "session", "weak"}) {
      const Response answer = Ask(route.method, path, caller, {{"X-CSRF-Token", "token"}});
      EXPECT_EQ(answer.status, nothing.status) << route.name << " " << caller;
      EXPECT_EQ(answer.body, nothing.body) << route.name << " " << caller;
      EXPECT_EQ(answer.fields.size(), nothing.fields.size()) << route.name << " " << caller;
    }
  }
}

TEST_F(RouterTest, AHandlerThatThrowsFailsItsRequestOnly) {
  Route route{.pattern = "/throws", .name = "throws", .scope = Scope::kPublic};
  route.handler = [](const Request&, const Caller&) -> Response { throw std::runtime_error("secret"); };
  router_.Add(std::move(route));
  const Response answer = Ask(Method::kGet, "/throws");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body.find("secret"), std::string::npos);
}

TEST_F(RouterTest, ScopesHaveNames) {
  for (const Scope scope : {Scope::kEventsWrite, Scope::kMerchantRead, Scope::kMerchantWrite, Scope::kPortalLink,
                            Scope::kOperatorRead, Scope::kOperatorWrite}) {
    EXPECT_EQ(ParseScope(Name(scope)), scope);
  }
  EXPECT_EQ(ParseScope("public"), std::nullopt);
  EXPECT_EQ(ParseScope(""), std::nullopt);
}

}  // namespace
}  // namespace northwind::server

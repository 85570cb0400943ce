// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "examples/reference_server/api/json.h"
#include "examples/reference_server/api/routes.h"
#include "tests/server/auth/credentials_fixture.h"

namespace northwind::server {
namespace {

using ::northwind::testing::IsOk;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::FieldsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// The routes on a host that has what they need, through the router with all that it guards.
class AccessTest : public northwind::testing::CredentialsTest {
 protected:
  void SetUp() override {
    options_.clock = &clock_;
    OpenStore();
    host_.store = std::move(store_);
    host_.credentials = Credentials::Open(*host_.store, options_).value();
    host_.audit = AuditTrail::Open(*host_.store, &clock_).value();
    server_options_.public_url = "https://pay.example/";
    router_ = std::make_unique<Router>(*host_.credentials);
    AddAccessRoutes(*router_, host_, server_options_);
    // What every merchant's route is like.
    AddMine(Method::kGet, "look", Scope::kMerchantRead);
    AddMine(Method::kPost, "change", Scope::kMerchantWrite);
    admin_ = Key({Scope::kEventsWrite, Scope::kMerchantRead, Scope::kMerchantWrite, Scope::kPortalLink,
                  Scope::kOperatorRead, Scope::kOperatorWrite});
  }
  void AddMine(Method method, const std::string& name, Scope scope) {
    Route route{.method = method, .pattern = "/v1/merchants/{merchant}/" + name, .name = name, .scope = scope};
    route.handler = [](const Request& request, const Caller&) {
      return JsonResponse({{"id", request.param("merchant")}});
    };
    router_->Add(std::move(route));
  }

  std::string Key(std::set<Scope> scopes, const std::string& merchant = "") {
    return host_.credentials->CreateKey({.name = "k", .scopes = std::move(scopes), .merchant = merchant})->key;
  }

  Response Ask(Method method, std::string path, std::string body, std::vector<Field> fields) {
    Request request = With(std::move(fields));
    request.method = method;
    request.path = std::move(path);
    request.body = std::move(body);
    Response answer;
    int answers = 0;
    router_->Answer(
        std::move(request), [](const std::function<void()>& work) { work(); },
        [&](Response response) {
          answer = std::move(response);
          ++answers;
        });
    EXPECT_EQ(answers, 1);
    return answer;
  }
  Response ByKey(const std::string& key, Method method, const std::string& path, const std::string& body = "",
                 std::vector<Field> fields = {}) {
    fields.push_back({"Authorization", "Bearer " + key});
    return Ask(method, path, body, std::move(fields));
  }
  static std::vector<Field> Signed(const Session& session) {
    return {{"Cookie", "__Host-northwind=" + session.cookie}, {"X-CSRF-Token", session.csrf_token}};
  }
  Response PostSession(const std::string& token, std::vector<Field> fields = {}) {
    fields.push_back({"Content-Type", "application/json"});
    return Ask(Method::kPost, "/v1/session", Json{{"token", token}}.dump(), std::move(fields));
  }
  Session SignedIn(const std::string& merchant) {
    return host_.credentials->SignIn(host_.credentials->CreateLink(merchant)->token).value();
  }

  static std::string FieldOf(const Response& response, const std::string& name) {
    std::string value;
    for (const Field& field : response.fields) {
      if (field.name == name) value = field.value;
    }
    return value;
  }
  static std::string CodeOf(const Response& response) { return Json::parse(response.body)["code"]; }
  // Of the audit trail, oldest first: "action subject detail".
  std::vector<std::string> Lines() {
    std::vector<std::string> lines;
    const auto entries = host_.audit->List(0, 1000).value();
    for (auto at = entries.rbegin(); at != entries.rend(); ++at) {
      lines.push_back(at->actor + " " + at->action + " " + at->subject + " " + at->detail);
    }
    return lines;
  }

  Host host_;
  ServerOptions server_options_;
  std::unique_ptr<Router> router_;
  std::string admin_;
};

TEST_F(AccessTest, FromALinkToASessionAndOutAgain) {
  const Response made = ByKey(admin_, Method::kPost, "/v1/portal-links", R"({"merchant_id":"m_1"})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(FieldOf(made, "Cache-Control"), "no-store");
  const std::string url = Json::parse(made.body)["url"];
  const std::string begin = "https://pay.example/portal/#/signin/";
  ASSERT_THAT(url, StartsWith(begin));
  EXPECT_EQ(Json::parse(made.body)["expires_at"], TimeJson(clock_.Now() + absl::Minutes(10)));
  const std::string token = url.substr(begin.size());

  const Response in = PostSession(token);
  ASSERT_EQ(in.status, 201) << in.body;
  const Json session = Json::parse(in.body);
  EXPECT_EQ(session["merchant_id"], "m_1");
  EXPECT_EQ(session["expires_at"], TimeJson(clock_.Now() + absl::Hours(12)));
  const std::string set = FieldOf(in, "Set-Cookie");
  EXPECT_THAT(set, ::testing::MatchesRegex("__Host-northwind=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict; Secure"));
  const std::string cookie = set.substr(0, set.find(';'));
  EXPECT_EQ(FieldOf(in, "Cache-Control"), "no-store");
  EXPECT_EQ(PostSession(token).status, 401);

  const Response found = Ask(Method::kGet, "/v1/session", "", {{"Cookie", cookie}});
  EXPECT_EQ(found.status, 200);
  EXPECT_EQ(Json::parse(found.body), session);
  EXPECT_THAT(found.fields, Not(Contains(FieldsAre("Set-Cookie", ::testing::_))));

  EXPECT_EQ(CodeOf(Ask(Method::kDelete, "/v1/session", "", {{"Cookie", cookie}})), "csrf");
  const Response out = Ask(Method::kDelete, "/v1/session", "",
                           {{"Cookie", cookie}, {"X-CSRF-Token", session["csrf_token"].get<std::string>()}});
  EXPECT_EQ(out.status, 204);
  EXPECT_EQ(FieldOf(out, "Set-Cookie"), "__Host-northwind=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0");
  EXPECT_EQ(Ask(Method::kGet, "/v1/session", "", {{"Cookie", cookie}}).status, 401);

  const std::string expires = TimeJson(clock_.Now() + absl::Minutes(10)).dump();
  EXPECT_THAT(Lines(),
              ElementsAre(R"(key:k createPortalLink merchant m_1 {"asked":{"merchant_id":"m_1"}})",
                          R"(key:k createPortalLink merchant m_1 {"done":{"expires_at":)" + expires + "}}",
                          R"(merchant:m_1 signIn merchant m_1 {"done":null})",
                          ::testing::MatchesRegex(R"(merchant:m_1 signOut session ses_[0-9a-f]* ..asked.:null.)"),
                          ::testing::MatchesRegex(R"(merchant:m_1 signOut session ses_[0-9a-f]* ..done.:...)")));
  for (const std::string& secret : {token, cookie.substr(cookie.find('=') + 1)}) EXPECT_FALSE(FilesHave(secret));
}

TEST_F(AccessTest, ASessionSeesItsOwnMerchantOnly) {
  const Session one = SignedIn("m_1");
  const Session two = SignedIn("m_2");
  EXPECT_EQ(Ask(Method::kGet, "/v1/merchants/m_1/look", "", Signed(one)).status, 200);
  EXPECT_EQ(Ask(Method::kPost, "/v1/merchants/m_1/change", "", Signed(one)).status, 200);
  const Response nothing = Ask(Method::kGet, "/v1/nothing", "", {});
  for (const Method method : {Method::kGet, Method::kPost}) {
    const std::string what = method == Method::kGet ? "look" : "change";
    const Response other = Ask(method, "/v1/merchants/m_2/" + what, "", Signed(one));
    EXPECT_EQ(other.status, 404);
    EXPECT_EQ(other.body, nothing.body) << "as if it did not exist";
  }
  EXPECT_EQ(CodeOf(Ask(Method::kPost, "/v1/merchants/m_1/change", "",
                       {{"Cookie", "__Host-northwind=" + one.cookie}, {"X-CSRF-Token", two.csrf_token}})),
            "csrf");
  EXPECT_EQ(CodeOf(Ask(Method::kPost, "/v1/merchants/m_1/change", "", {{"Cookie", "__Host-northwind=" + one.cookie}})),
            "csrf");
}

TEST_F(AccessTest, ASessionMayNothingOfOperatorsAndServices) {
  const Session session = SignedIn("m_1");
  for (const Route& route : router_->routes()) {
    if (route.scope == Scope::kPublic || route.scope == Scope::kMerchantRead || route.scope == Scope::kMerchantWrite) {
      continue;
    }
    std::string path = route.pattern;
    if (absl::StrContains(path, "{key}")) path.replace(path.find("{key}"), 5, "key_0000000000000000");
    EXPECT_EQ(CodeOf(Ask(route.method, path, "{}", Signed(session))), "forbidden") << route.name;
  }
  EXPECT_THAT(Lines(), SizeIs(0));
}

TEST_F(AccessTest, ASessionThatHasEndedIsNoCredential) {
  const Session session = SignedIn("m_1");
  clock_.Advance(absl::Hours(1));
  const Response answer = Ask(Method::kGet, "/v1/session", "", Signed(session));
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(FieldOf(answer, "WWW-Authenticate"), "Bearer");
  EXPECT_EQ(Ask(Method::kGet, "/v1/merchants/m_1/look", "", Signed(session)).status, 401);
  // It does not stand in the way of a new one.
  const std::string token = host_.credentials->CreateLink("m_1")->token;
  EXPECT_EQ(PostSession(token, {{"Cookie", "__Host-northwind=" + session.cookie}}).status, 201);
}

TEST_F(AccessTest, ALinkSignsInWhoeverWasSignedInAndEndsThat) {
  const Session before = SignedIn("m_1");
  const std::string token = host_.credentials->CreateLink("m_2")->token;
  const Response in = PostSession(token, {{"Cookie", "__Host-northwind=" + before.cookie}});
  ASSERT_EQ(in.status, 201) << in.body;
  EXPECT_EQ(Json::parse(in.body)["merchant_id"], "m_2");
  EXPECT_EQ(Ask(Method::kGet, "/v1/session", "", Signed(before)).status, 401);
}

TEST_F(AccessTest, SigningInTakesJsonOnly) {
  const std::string token = host_.credentials->CreateLink("m_1")->token;
  const std::string body = Json{{"token", token}}.dump();
  for (const std::string& type : {std::string("text/plain"), std::string("application/x-www-form-urlencoded"),
                                  std::string("text/plain; application/json")}) {
    EXPECT_EQ(Ask(Method::kPost, "/v1/session", body, {{"Content-Type", type}}).status, 415) << type;
  }
  EXPECT_EQ(Ask(Method::kPost, "/v1/session", body, {}).status, 415);
  for (const std::string& wrong : {std::string("{}"), std::string("[]"), std::string(R"({"token":1})"),
                                   std::string("x"), R"({"token":")" + token + R"(","more":1})"}) {
    EXPECT_EQ(Ask(Method::kPost, "/v1/session", wrong, {{"Content-Type", "application/json"}}).status, 400) << wrong;
  }
  EXPECT_EQ(Ask(Method::kPost, "/v1/session", body, {{"Content-Type", "Application/JSON; charset=utf-8"}}).status, 201);
}

TEST_F(AccessTest, GuessingIsSlowedDown) {
  int refused = 0;
  for (int i = 0; i < 60; ++i) {
    const Response answer = PostSession(std::string(64, '0'));
    EXPECT_TRUE(answer.status == 401 || answer.status == 429) << answer.status;
    refused += answer.status == 429 ? 1 : 0;
  }
  EXPECT_EQ(refused, 10);
  EXPECT_THAT(Lines(), SizeIs(0)) << "whoever likes cannot fill the trail";
}

TEST_F(AccessTest, KeysHaveNoSession) {
  EXPECT_EQ(ByKey(admin_, Method::kGet, "/v1/session").status, 404);
  EXPECT_EQ(ByKey(admin_, Method::kDelete, "/v1/session").status, 404);
}

TEST_F(AccessTest, LinksAreForWhomTheKeyIsGood) {
  const std::string bound = Key({Scope::kPortalLink}, "m_1");
  EXPECT_EQ(ByKey(bound, Method::kPost, "/v1/portal-links", R"({"merchant_id":"m_1"})").status, 201);
  EXPECT_EQ(ByKey(bound, Method::kPost, "/v1/portal-links", R"({"merchant_id":"m_2"})").status, 403);
  for (const char* wrong : {R"({"merchant_id":"m 1"})", R"({"merchant_id":""})", R"({"merchant_id":7})", "{}", ""}) {
    EXPECT_EQ(ByKey(admin_, Method::kPost, "/v1/portal-links", wrong).status, 400) << wrong;
  }
  EXPECT_EQ(ByKey(Key({Scope::kEventsWrite}), Method::kPost, "/v1/portal-links", R"({"merchant_id":"m_1"})").status,
            403);
}

TEST_F(AccessTest, AKeyIsMadeUsedRotatedAndRevoked) {
  const Response made = ByKey(admin_, Method::kPost, "/v1/operator/keys",
                              R"({"name":"erp","scopes":["merchant:read"],"merchant_id":"m_1",)"
                              R"("expires_at":"2030-01-01T00:00:00Z"})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(FieldOf(made, "Cache-Control"), "no-store");
  const Json view = Json::parse(made.body)["view"];
  const std::string key = Json::parse(made.body)["key"];
  const std::string id = view["id"];
  EXPECT_EQ(view, Json({{"id", id},
                        {"name", "erp"},
                        {"scopes", {"merchant:read"}},
                        {"merchant_id", "m_1"},
                        {"created_at", TimeJson(clock_.Now())},
                        {"expires_at", "2030-01-01T00:00:00.000000Z"},
                        {"last_used_at", nullptr},
                        {"revoked_at", nullptr}}));
  EXPECT_EQ(ByKey(key, Method::kGet, "/v1/merchants/m_1/look").status, 200);
  EXPECT_EQ(ByKey(key, Method::kGet, "/v1/merchants/m_2/look").status, 404);
  EXPECT_EQ(ByKey(key, Method::kPost, "/v1/merchants/m_1/change").status, 403);
  EXPECT_EQ(ByKey(key, Method::kGet, "/v1/operator/keys").status, 403);

  const Response rotated =
      ByKey(admin_, Method::kPost, "/v1/operator/keys/" + id + "/rotate", R"({"overlap_seconds":60})");
  ASSERT_EQ(rotated.status, 201) << rotated.body;
  const std::string next = Json::parse(rotated.body)["key"];
  const std::string next_id = Json::parse(rotated.body)["view"]["id"];
  EXPECT_EQ(ByKey(key, Method::kGet, "/v1/merchants/m_1/look").status, 200);
  clock_.Advance(absl::Seconds(60));
  EXPECT_EQ(ByKey(key, Method::kGet, "/v1/merchants/m_1/look").status, 401);
  EXPECT_EQ(ByKey(next, Method::kGet, "/v1/merchants/m_1/look").status, 200);

  EXPECT_EQ(ByKey(admin_, Method::kDelete, "/v1/operator/keys/" + next_id).status, 204);
  EXPECT_EQ(ByKey(admin_, Method::kDelete, "/v1/operator/keys/" + next_id).status, 204);
  EXPECT_EQ(ByKey(next, Method::kGet, "/v1/merchants/m_1/look").status, 401);

  EXPECT_THAT(Lines(), ElementsAre(StartsWith("key:k createKey keys {\"asked\":{"),
                                   StartsWith("key:k createKey keys {\"done\":{\"id\":\"" + id),
                                   "key:k rotateKey key " + id + R"( {"asked":{"overlap_seconds":60}})",
                                   StartsWith("key:k rotateKey key " + id + " {\"done\":{\"id\":\"" + next_id),
                                   StartsWith("key:k revokeKey key " + next_id + " {\"asked\""),
                                   StartsWith("key:k revokeKey key " + next_id + " {\"done\""),
                                   StartsWith("key:k revokeKey key " + next_id + " {\"asked\""),
                                   StartsWith("key:k revokeKey key " + next_id + " {\"done\"")));
  for (const std::string& secret : {key, next}) EXPECT_FALSE(FilesHave(secret.substr(secret.size() - 64)));
}

TEST_F(AccessTest, NobodyHandsOutMoreThanTheyHave) {
  const std::string weak = Key({Scope::kOperatorWrite, Scope::kOperatorRead});
  EXPECT_EQ(ByKey(weak, Method::kPost, "/v1/operator/keys", R"({"name":"k","scopes":["events:write"]})").status, 403);
  EXPECT_EQ(ByKey(weak, Method::kPost, "/v1/operator/keys", R"({"name":"k","scopes":["operator:read"]})").status, 201);
  const std::string strong_id = admin_.substr(4, 20);
  EXPECT_EQ(ByKey(weak, Method::kPost, "/v1/operator/keys/" + strong_id + "/rotate", R"({"overlap_seconds":0})").status,
            403);
  EXPECT_EQ(ByKey(admin_, Method::kGet, "/v1/operator/keys").status, 200) << "it is as good as before";
}

TEST_F(AccessTest, KeysThatCannotBeAreRefusedAndNothingIsWritten) {
  for (const char* wrong :
       {"", "[]", "{}", R"({"name":"k"})", R"({"scopes":["merchant:read"]})", R"({"name":"k","scopes":[]})",
        R"({"name":"k","scopes":["public"]})", R"({"name":"k","scopes":["all"]})", R"({"name":"k","scopes":[1]})",
        R"({"name":"k","scopes":"merchant:read"})", R"({"name":"a b","scopes":["merchant:read"]})",
        R"({"name":"k","scopes":["merchant:read"],"merchant_id":""})",
        R"({"name":"k","scopes":["operator:read"],"merchant_id":"m_1"})",
        R"({"name":"k","scopes":["merchant:read"],"expires_at":"tomorrow"})",
        R"({"name":"k","scopes":["merchant:read"],"expires_at":"2001-01-01T00:00:00Z"})",
        R"({"name":"k","scopes":["merchant:read"],"key":"nwk_mine"})"}) {
    EXPECT_EQ(ByKey(admin_, Method::kPost, "/v1/operator/keys", wrong).status, 400) << wrong;
  }
  EXPECT_THAT(*host_.credentials->ListKeys(), SizeIs(1));
  const std::string rotate = "/v1/operator/keys/" + admin_.substr(4, 20) + "/rotate";
  for (const char* wrong :
       {"", "{}", R"({"overlap_seconds":-1})", R"({"overlap_seconds":1.5})", R"({"overlap_seconds":"1"})",
        R"({"overlap_seconds":2592001})", R"({"overlap_seconds":18446744073709551615})"}) {
    EXPECT_EQ(ByKey(admin_, Method::kPost, rotate, wrong).status, 400) << wrong;
  }
  for (const char* id : {"key_0000000000000000", "x", "%FF"}) {
    const std::string path = std::string("/v1/operator/keys/") + id;
    EXPECT_EQ(ByKey(admin_, Method::kDelete, path).status, 404);
    EXPECT_EQ(ByKey(admin_, Method::kPost, path + "/rotate", R"({"overlap_seconds":0})").status, 404);
  }
}

TEST_F(AccessTest, ARepeatOfAKeysRequestMakesNoOther) {
  const std::string body = R"({"name":"k","scopes":["merchant:read"]})";
  const std::vector<Field> once = {{"Idempotency-Key", "a-1"}};
  const Response made = ByKey(admin_, Method::kPost, "/v1/operator/keys", body, once);
  ASSERT_EQ(made.status, 201);
  const Response again = ByKey(admin_, Method::kPost, "/v1/operator/keys", body, once);
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(Json::parse(again.body)["code"], "already_exists");
  EXPECT_EQ(Json::parse(again.body)["detail"], Json::parse(made.body)["view"]["id"]);
  EXPECT_THAT(Lines().back(), HasSubstr("createKey keys {\"failed\":\"ALREADY_EXISTS"));
  for (const std::string& wrong : {std::string(), std::string("a b"), std::string(65, 'a')}) {
    EXPECT_EQ(ByKey(admin_, Method::kPost, "/v1/operator/keys", body, {{"Idempotency-Key", wrong}}).status, 400);
  }
}

TEST_F(AccessTest, KeysAreListedInPagesWithoutTheKeys) {
  for (int i = 0; i < 4; ++i) Key({Scope::kMerchantRead});
  std::set<std::string> ids;
  std::vector<std::pair<std::string, std::string>> query = {{"limit", "2"}};
  for (;;) {
    Request request = Bearer(admin_);
    request.path = "/v1/operator/keys";
    request.query = query;
    Response answer;
    router_->Answer(
        std::move(request), [](const std::function<void()>& work) { work(); },
        [&](Response response) { answer = std::move(response); });
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_THAT(answer.body, Not(HasSubstr("nwk_")));
    EXPECT_THAT(answer.body, Not(HasSubstr("hash")));
    const Json page = Json::parse(answer.body);
    for (const Json& view : page["data"]) EXPECT_TRUE(ids.insert(view["id"]).second);
    if (page["next_cursor"].is_null()) break;
    query = {{"limit", "2"}, {"cursor", page["next_cursor"]}};
  }
  EXPECT_THAT(ids, SizeIs(5));
}

TEST_F(AccessTest, WithoutItsLineNothingIsDone) {
  // A store below the floor of its disk takes no writes.
  const Session session = SignedIn("m_1");
  const std::string token = host_.credentials->CreateLink("m_1")->token;
  host_.audit = nullptr;
  northwind::testing::TempDir other;
  const auto full = Store::Open({.path = other / "store", .free_space_floor_bytes = ~uint64_t{0}}).value();
  host_.audit = AuditTrail::Open(*full, &clock_).value();
  EXPECT_EQ(ByKey(admin_, Method::kPost, "/v1/operator/keys", R"({"name":"k","scopes":["merchant:read"]})").status,
            503);
  EXPECT_THAT(*host_.credentials->ListKeys(), SizeIs(1));
  EXPECT_EQ(ByKey(admin_, Method::kDelete, "/v1/operator/keys/" + admin_.substr(4, 20)).status, 503);
  EXPECT_EQ(ByKey(admin_, Method::kGet, "/v1/operator/keys").status, 200);
  EXPECT_EQ(Ask(Method::kDelete, "/v1/session", "", Signed(session)).status, 503);
  EXPECT_EQ(Ask(Method::kGet, "/v1/session", "", Signed(session)).status, 200);
  const Response in = PostSession(token);
  EXPECT_EQ(in.status, 503);
  EXPECT_EQ(FieldOf(in, "Set-Cookie"), "");
  EXPECT_THAT(*host_.store->List("server/auth/session/"), SizeIs(1));
  host_.audit.reset();
}

}  // namespace
}  // namespace northwind::server

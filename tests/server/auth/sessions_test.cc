// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/server/auth/credentials_fixture.h"

namespace northwind::server {
namespace {

using ::northwind::testing::CredentialsTest;
using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;

using SessionsTest = CredentialsTest;

TEST_F(SessionsTest, ASessionIsGoodForItsMerchant) {
  const Session session = SignIn("m_1");
  EXPECT_THAT(session.cookie, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(session.expires_at, clock_.Now() + absl::Hours(12));
  NW_ASSERT_OK_AND_ASSIGN(const Caller caller, credentials_->Authenticate(Cookie(session.cookie)));
  EXPECT_EQ(caller.kind, Caller::Kind::kSession);
  EXPECT_THAT(caller.id, MatchesRegex("ses_[0-9a-f]{16}"));
  EXPECT_EQ(caller.actor, "merchant:m_1");
  EXPECT_EQ(caller.merchant, "m_1");
  EXPECT_THAT(caller.scopes, ElementsAre(Scope::kMerchantRead, Scope::kMerchantWrite));
  NW_ASSERT_OK_AND_ASSIGN(const Session found, credentials_->FindSession(Cookie(session.cookie)));
  EXPECT_EQ(found.csrf_token, session.csrf_token);
  EXPECT_EQ(found.expires_at, session.expires_at);
  EXPECT_THAT(Try(With({{"Cookie", "a=b;__Host-northwind=" + session.cookie + " ; c=d"}})), IsOk());
  EXPECT_THAT(Try(With({{"Cookie", "northwind-plain=" + session.cookie}})), IsOk()) << "another's cookie";
  EXPECT_EQ(credentials_->Authenticate(With({{"Cookie", "northwind-plain=" + session.cookie}}))->kind,
            Caller::Kind::kNobody);
  CrashAndReopen();
  EXPECT_THAT(Try(Cookie(session.cookie)), IsOk());
}

TEST_F(SessionsTest, PlainCookiesHaveAnotherName) {
  EXPECT_EQ(credentials_->cookie_name(), "__Host-northwind");
  options_.plain_cookies = true;
  Reopen();
  EXPECT_EQ(credentials_->cookie_name(), "northwind-plain");
  const Session session = SignIn("m_1");
  EXPECT_EQ(credentials_->Authenticate(With({{"Cookie", "northwind-plain=" + session.cookie}}))->merchant, "m_1");
}

TEST_F(SessionsTest, WhatIsNotExactlyTheCookieIsNotGood) {
  const std::string cookie = SignIn("m_1").cookie;
  std::string other = cookie;
  other[63] = other[63] == '0' ? '1' : '0';
  for (const std::string& shown : {other, cookie.substr(1), cookie + "0", std::string("x"), "\"" + cookie + "\""}) {
    EXPECT_THAT(Try(Cookie(shown)), StatusIs(absl::StatusCode::kUnauthenticated)) << shown;
  }
}

TEST_F(SessionsTest, EndsWithoutRequests) {
  const Session session = SignIn("m_1");
  clock_.Advance(absl::Hours(1) - absl::Microseconds(1));
  EXPECT_THAT(Try(Cookie(session.cookie)), IsOk());
  clock_.Advance(absl::Hours(1) - absl::Microseconds(1));
  EXPECT_THAT(Try(Cookie(session.cookie)), IsOk());
  Reopen();
  clock_.Advance(absl::Hours(1));
  EXPECT_THAT(Try(Cookie(session.cookie)), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(credentials_->FindSession(Cookie(session.cookie)), StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(SessionsTest, ThatItIsGoodStillIsSeenWithoutUsingIt) {
  const Session session = SignIn("m_1");
  NW_ASSERT_OK_AND_ASSIGN(const Caller caller, credentials_->Authenticate(Cookie(session.cookie)));
  const auto good = credentials_->StillGood(Cookie(session.cookie), caller);
  clock_.Advance(absl::Hours(1) - absl::Microseconds(1));
  EXPECT_TRUE(good());
  clock_.Advance(absl::Microseconds(1));
  EXPECT_FALSE(good()) << "nobody asked for anything";
  const Session other = SignIn("m_1");
  NW_ASSERT_OK_AND_ASSIGN(const Caller its, credentials_->Authenticate(Cookie(other.cookie)));
  const auto good_too = credentials_->StillGood(Cookie(other.cookie), its);
  EXPECT_TRUE(good_too());
  ASSERT_THAT(credentials_->SignOut(other.cookie), IsOk());
  EXPECT_FALSE(good_too());
  EXPECT_FALSE(credentials_->StillGood(With({}), Caller{})());
}

// A page whose stream is opened again every quarter of an hour, with nobody in front of it.
TEST_F(SessionsTest, WhatAPageAsksByItselfDoesNotKeepItAlive) {
  const Session session = SignIn("m_1");
  Router router(*credentials_);
  int answered = 0;
  const Handler handler = [&](const Request&, const Caller&) {
    ++answered;
    return Response{};
  };
  router.Add(
      {.pattern = "/live", .name = "live", .scope = Scope::kMerchantRead, .by_itself = true, .handler = handler});
  router.Add({.pattern = "/asked", .name = "asked", .scope = Scope::kMerchantRead, .handler = handler});
  const auto ask = [&](const std::string& path) {
    Request request = Cookie(session.cookie);
    request.method = Method::kGet;
    request.path = path;
    int status = 0;
    router.Answer(
        std::move(request), [](const std::function<void()>& work) { work(); },
        [&](const Response& response) { status = response.status; });
    return status;
  };
  clock_.Advance(absl::Minutes(30));
  EXPECT_EQ(ask("/asked"), 200);
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(absl::Minutes(15));
    EXPECT_EQ(ask("/live"), 200);
  }
  clock_.Advance(absl::Minutes(15));
  EXPECT_EQ(ask("/live"), 401);
  EXPECT_EQ(ask("/asked"), 401);
  EXPECT_EQ(answered, 4);
}

TEST_F(SessionsTest, EndsAfterItsLifetimeWhateverIsAsked) {
  const Session session = SignIn("m_1");
  for (int i = 0; i < 23; ++i) {
    clock_.Advance(absl::Minutes(30));
    ASSERT_THAT(Try(Cookie(session.cookie)), IsOk()) << i;
  }
  clock_.Advance(absl::Minutes(30) - absl::Microseconds(1));
  EXPECT_THAT(Try(Cookie(session.cookie)), IsOk());
  clock_.Advance(absl::Microseconds(1));
  EXPECT_THAT(Try(Cookie(session.cookie)), StatusIs(absl::StatusCode::kUnauthenticated));
}

TEST_F(SessionsTest, SigningOutEndsThatOneForGood) {
  const Session one = SignIn("m_1");
  const Session two = SignIn("m_1");
  EXPECT_THAT(credentials_->SignOut(one.cookie), IsOk());
  EXPECT_THAT(credentials_->SignOut(one.cookie), IsOk());
  EXPECT_THAT(Try(Cookie(one.cookie)), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(Try(Cookie(two.cookie)), IsOk());
  CrashAndReopen();
  EXPECT_THAT(Try(Cookie(one.cookie)), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(Try(Cookie(two.cookie)), IsOk());
}

TEST_F(SessionsTest, OnlyItsOwnCsrfTokenIsGood) {
  const Session one = SignIn("m_1");
  const Session two = SignIn("m_1");
  const Caller caller = credentials_->Authenticate(Cookie(one.cookie)).value();
  const auto has = [&](const std::vector<std::string>& tokens) {
    Request request = Cookie(one.cookie);
    for (const std::string& token : tokens) request.fields.push_back({"x-csrf-token", token});
    return credentials_->HasCsrfToken(request, caller);
  };
  EXPECT_TRUE(has({one.csrf_token}));
  EXPECT_FALSE(has({}));
  EXPECT_FALSE(has({""}));
  EXPECT_FALSE(has({two.csrf_token}));
  EXPECT_FALSE(has({one.cookie}));
  EXPECT_FALSE(has({one.csrf_token + "0"}));
  EXPECT_FALSE(has({one.csrf_token, one.csrf_token}));
  EXPECT_FALSE(credentials_->HasCsrfToken(With({{"X-CSRF-Token", one.csrf_token}}), caller));
}

// HMAC-SHA256 of "csrf", by another implementation (Python's hmac).
TEST(CsrfToken, IsTheHmacOfTheCookie) {
  EXPECT_EQ(CsrfTokenOf(std::string(64, 'a')), "eff3b87f26f221432b3a2806b74cdd41386a58544d34c9182f2f3f9ea259b567");
}

TEST_F(SessionsTest, ThereAreOnlySoManyAndALinkIsNotUsedUpByThat) {
  options_.max_sessions = 2;
  Reopen();
  SignIn("m_1");
  SignIn("m_2");
  const std::string token = credentials_->CreateLink("m_3").value().token;
  EXPECT_THAT(credentials_->SignIn(token), StatusIs(absl::StatusCode::kResourceExhausted));
  options_.link_lifetime = absl::Hours(24);
  const std::string later = [&] {
    Reopen();
    return credentials_->CreateLink("m_3").value().token;
  }();
  EXPECT_THAT(credentials_->SignIn(token), StatusIs(absl::StatusCode::kResourceExhausted));
  clock_.Advance(absl::Hours(1));
  Reopen();  // those that have ended are removed
  EXPECT_THAT(credentials_->SignIn(later), IsOk());
}

TEST_F(SessionsTest, WhatHasEndedLeavesTheStore) {
  SignIn("m_1");
  clock_.Advance(absl::Minutes(30));
  SignIn("m_2");
  clock_.Advance(absl::Minutes(30));
  Reopen();
  EXPECT_EQ(store_->List("server/auth/session/")->size(), 1U);
}

// By the thread that keeps house, which a request wakes a minute after the last time.
TEST_F(SessionsTest, ARunningServerKeepsHouse) {
  SignIn("m_1");
  clock_.Advance(absl::Hours(1));
  EXPECT_THAT(Try(Cookie(std::string(64, '0'))), StatusIs(absl::StatusCode::kUnauthenticated));
  while (!store_->List("server/auth/session/")->empty()) std::this_thread::yield();
}

TEST_F(SessionsTest, TheFilesHaveNoCookieAndNoToken) {
  NW_ASSERT_OK_AND_ASSIGN(const PortalLink link, credentials_->CreateLink("found-if-looked-for"));
  EXPECT_FALSE(FilesHave(link.token));
  NW_ASSERT_OK_AND_ASSIGN(const Session session, credentials_->SignIn(link.token));
  ASSERT_TRUE(FilesHave("found-if-looked-for"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(FilesHave(link.token));
    EXPECT_FALSE(FilesHave(session.cookie));
    EXPECT_FALSE(FilesHave(session.csrf_token));
    Reopen();
  }
}

TEST_F(SessionsTest, EveryByteOfARecordMatters) {
  SignIn("m_1");
  EveryByteMatters("server/auth/session/", [&] {
    return Sessions::Open(*store_, {.idle = absl::Hours(1), .lifetime = absl::Hours(12), .max_sessions = 10}).status();
  });
}

}  // namespace
}  // namespace northwind::server

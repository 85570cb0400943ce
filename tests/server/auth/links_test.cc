// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/auth/links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/synchronization/barrier.h"
#include "tests/server/auth/credentials_fixture.h"

namespace northwind::server {
namespace {

using ::northwind::testing::CredentialsTest;
using ::northwind::testing::IsOk;
using ::northwind::testing::StatusIs;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

using LinksTest = CredentialsTest;

TEST_F(LinksTest, ALinkIsGoodOnce) {
  NW_ASSERT_OK_AND_ASSIGN(const PortalLink link, credentials_->CreateLink("m_1"));
  EXPECT_THAT(link.token, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_EQ(link.expires_at, clock_.Now() + absl::Minutes(10));
  NW_ASSERT_OK_AND_ASSIGN(const Session session, credentials_->SignIn(link.token));
  EXPECT_EQ(session.merchant, "m_1");
  EXPECT_THAT(credentials_->SignIn(link.token), StatusIs(absl::StatusCode::kUnauthenticated));
  CrashAndReopen();
  EXPECT_THAT(credentials_->SignIn(link.token), StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_THAT(Try(Cookie(session.cookie)), IsOk());
}

TEST_F(LinksTest, OneOfManyAtOnceWins) {
  constexpr int kThreads = 8;
  for (int round = 0; round < 10; ++round) {
    const std::string token = credentials_->CreateLink("m_1").value().token;
    std::atomic<int> won = 0;
    std::atomic<int> refused = 0;
    auto* barrier = new absl::Barrier(kThreads);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        if (barrier->Block()) delete barrier;
        const auto session = credentials_->SignIn(token);
        won += session.ok() ? 1 : 0;
        refused += absl::IsUnauthenticated(session.status()) ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
    EXPECT_EQ(refused, kThreads - 1);
  }
  EXPECT_THAT(*store_->List("server/auth/session/"), SizeIs(10));
}

TEST_F(LinksTest, IsTooOldAfterItsLifetime) {
  const std::string token = credentials_->CreateLink("m_1").value().token;
  const std::string other = credentials_->CreateLink("m_1").value().token;
  clock_.Advance(absl::Minutes(10) - absl::Microseconds(1));
  EXPECT_THAT(credentials_->SignIn(token), IsOk());
  clock_.Advance(absl::Microseconds(1));
  const absl::Status old = credentials_->SignIn(other).status();
  EXPECT_THAT(old, StatusIs(absl::StatusCode::kUnauthenticated));
  EXPECT_EQ(credentials_->SignIn(token).status(), old) << "used";
  EXPECT_EQ(credentials_->SignIn(std::string(64, '0')).status(), old) << "unknown";
  EXPECT_EQ(credentials_->SignIn("").status(), old) << "none";
  EXPECT_EQ(credentials_->SignIn(std::string(1 << 20, 'a')).status(), old) << "no token at all";
}

TEST_F(LinksTest, OnlyForWhatCanBeAMerchant) {
  for (const std::string& merchant : {std::string(), std::string(65, 'a'), std::string("m 1"), std::string("m/1"),
                                      std::string("m:1"), std::string("m\0", 2), std::string("\xC3\xA9")}) {
    EXPECT_THAT(credentials_->CreateLink(merchant), StatusIs(absl::StatusCode::kInvalidArgument)) << merchant;
  }
  EXPECT_THAT(*store_->List("server/auth/link/"), IsEmpty());
}

TEST_F(LinksTest, ThoseThatAreTooOldAreRemoved) {
  ASSERT_THAT(credentials_->CreateLink("m_1"), IsOk());
  clock_.Advance(absl::Minutes(5));
  const std::string kept = credentials_->CreateLink("m_2").value().token;
  clock_.Advance(absl::Minutes(5));
  Reopen();
  EXPECT_THAT(*store_->List("server/auth/link/"), SizeIs(1));
  EXPECT_THAT(credentials_->SignIn(kept), IsOk());
}

TEST_F(LinksTest, MoreThanAPageIsRemoved) {
  Links links(*store_, absl::Seconds(1));
  for (int i = 0; i < 1001; ++i) ASSERT_THAT(links.Create("m_1", clock_.Now()), IsOk());
  ASSERT_THAT(links.RemoveExpired(clock_.Now()), IsOk());
  EXPECT_THAT(*store_->List("server/auth/link/", {}, 1000), SizeIs(1000));
  ASSERT_THAT(links.RemoveExpired(clock_.Now() + absl::Seconds(1)), IsOk());
  EXPECT_THAT(*store_->List("server/auth/link/"), IsEmpty());
}

TEST_F(LinksTest, EveryByteOfARecordMatters) {
  ASSERT_THAT(credentials_->CreateLink("m_1"), IsOk());
  EveryByteMatters("server/auth/link/", [&] { return Links(*store_, absl::Minutes(10)).Check(); });
}

}  // namespace
}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
//
// Claims over a network that breaks, and on servers that go away: what cannot be told is Unavailable, and asked for again.
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/claims_fixture.h"
#include "tests/postgres/cutting_proxy.h"
#include "tests/support/seed.h"

namespace northwind::testing {
namespace {

using Direction = CuttingProxy::Direction;
using Fault = CuttingProxy::Fault;

constexpr SettlementSystem kBatch = SettlementSystem::kBatch;
constexpr SettlementSystem kNorthwind = SettlementSystem::kNorthwind;

class ClaimsOutage : public ClaimsFixture {
 protected:
  std::unique_ptr<PostgresClaims> Through(const CuttingProxy& proxy, absl::Duration timeout = absl::Minutes(1)) const {
    PostgresClaimsOptions options = options_;
    options.connection = absl::StrCat(
        "host=127.0.0.1 user=postgres sslmode=disable gssencmode=disable dbname=", database_, " port=", proxy.port());
    options.statement_timeout = timeout;
    auto claims = PostgresClaims::Open(options);
    EXPECT_THAT(claims, IsOk());
    return std::move(claims).value();
  }
  // By the server itself.
  bool IsClaimed(const std::string& id) const {
    return sql_->Value("SELECT count(*) FROM claims WHERE id = '" + id + "'") == "1";
  }
};

// At many bytes of the exchange in turn, others each time; nothing gets through after that until it is mended.
TEST_F(ClaimsOutage, AfterAnAnswerThatWasLostTheSameTokenIsToldTheTruth) {
  CuttingProxy proxy(PostgresServer::Shared().port());
  const auto claims = Through(proxy);
  ASSERT_THAT(claims->Find("warm"), IsOk());
  // How many bytes a claim is, each way.
  uint64_t bytes[2] = {proxy.forwarded(Direction::kToServer), proxy.forwarded(Direction::kToClient)};
  ASSERT_THAT(claims->Claim(ClaimOf("measure", kNorthwind, 1)), IsOk());
  bytes[0] = proxy.forwarded(Direction::kToServer) - bytes[0];
  bytes[1] = proxy.forwarded(Direction::kToClient) - bytes[1];
  Random random(TestSeed());
  int lost = 0;
  int lost_but_made = 0;
  uint32_t attempt = 1;
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    ASSERT_GT(bytes[static_cast<int>(direction)], 20U);
    for (uint64_t cut = 1 + random.Below(6); cut < bytes[static_cast<int>(direction)]; cut += 6) {
      ASSERT_THAT(claims->Find("warm"), IsOk());  // a connection that stands
      const std::string id = absl::StrCat("po_", static_cast<int>(direction), "_", cut);
      const ClaimRequest request = ClaimOf(id, kNorthwind, ++attempt);
      proxy.BreakAfter(direction, cut, Fault::kRefuse);
      const auto verdict = claims->Claim(request);
      if (verdict.ok()) {
        ASSERT_EQ(*verdict, ClaimVerdict::kClaimed) << id;
      } else {
        ASSERT_THAT(verdict, StatusIs(absl::StatusCode::kUnavailable)) << id;
        ++lost;
      }
      const bool made = IsClaimed(id);
      if (!verdict.ok() && made) ++lost_but_made;
      proxy.Mend();
      ASSERT_THAT(claims->Claim(request), IsOkAndHolds(ClaimVerdict::kClaimed)) << id;
      // Nobody else is told that it is his.
      ASSERT_THAT(claims->Claim(ClaimOf(id, kNorthwind, ++attempt)), IsOkAndHolds(ClaimVerdict::kHeld)) << id;
      ASSERT_THAT(claims_->Claim(ClaimOf(id, kBatch, ++attempt)), IsOkAndHolds(ClaimVerdict::kOther)) << id;
    }
  }
  EXPECT_GT(lost, 0);
  EXPECT_GT(lost_but_made, 0);
  EXPECT_LT(lost_but_made, lost);
}

// The attempt whose answer was lost had made the claim, or another attempt makes it: never both.
TEST_F(ClaimsOutage, AfterAnAnswerThatWasLostAnotherTokenIsToldWhoseItIs) {
  CuttingProxy proxy(PostgresServer::Shared().port());
  const auto claims = Through(proxy);
  Random random(TestSeed());
  uint32_t attempt = 0;
  for (uint64_t cut = 1 + random.Below(15); cut < 100; cut += 15) {
    for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
      ASSERT_THAT(claims->Find("warm"), IsOk());
      const std::string id = absl::StrCat("po_", static_cast<int>(direction), "_", cut);
      proxy.BreakAfter(direction, cut, Fault::kRefuse);
      const auto verdict = claims->Claim(ClaimOf(id, kNorthwind, ++attempt));
      proxy.Mend();
      NW_ASSERT_OK_AND_ASSIGN(const ClaimVerdict other, claims_->Claim(ClaimOf(id, kBatch, ++attempt)));
      if (verdict.ok()) {
        EXPECT_EQ(other, ClaimVerdict::kOther);
      }
      const ClaimVerdict again = other == ClaimVerdict::kOther ? ClaimVerdict::kHeld : ClaimVerdict::kOther;
      EXPECT_THAT(claims->Claim(ClaimOf(id, kNorthwind, ++attempt)), IsOkAndHolds(again)) << id;
    }
  }
}

TEST_F(ClaimsOutage, AConnectionThatDiedWhileItWasIdleIsNoReasonToGiveUp) {
  CuttingProxy proxy(PostgresServer::Shared().port());
  const auto claims = Through(proxy);
  for (uint32_t i = 0; i < 20; ++i) {
    ASSERT_THAT(claims->Claim(ClaimOf(absl::StrCat("po_", i), kNorthwind, i)), IsOkAndHolds(ClaimVerdict::kClaimed));
    proxy.Break(Fault::kCut);
  }
  EXPECT_EQ(proxy.connections(), 20U);
}

TEST_F(ClaimsOutage, ANetworkThatSwallowsEverythingIsWaitedForOnlySoLong) {
  CuttingProxy proxy(PostgresServer::Shared().port());
  const auto claims = Through(proxy, absl::Seconds(2));
  while (!claims->Find("warm").ok()) {
  }
  proxy.Break(Fault::kFreeze);
  EXPECT_THAT(claims->Claim(ClaimOf("po_1", kNorthwind, 1)), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(claims->Find("po_1"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(claims->PublishEpoch(1), StatusIs(absl::StatusCode::kUnavailable));
  proxy.Mend();
  EXPECT_THAT(Through(proxy)->Claim(ClaimOf("po_1", kNorthwind, 1)), IsOkAndHolds(ClaimVerdict::kClaimed));
}

// One connection, and its owner waits for the batch to commit.
TEST_F(ClaimsOutage, WithoutAConnectionToSpareACallGivesUp) {
  PostgresClaimsOptions options = options_;
  options.connections = 1;
  options.statement_timeout = absl::Seconds(3);
  NW_ASSERT_OK_AND_ASSIGN(const auto claims, PostgresClaims::Open(options));
  const auto batch = Session();
  batch->Run("BEGIN");
  ASSERT_EQ(batch->Value(ClaimSql("po_1", "batch", 1)), "claimed");
  std::thread waiting(
      [&] { EXPECT_THAT(claims->Claim(ClaimOf("po_1", kNorthwind, 2)), StatusIs(absl::StatusCode::kUnavailable)); });
  EXPECT_THAT(claims->Claim(ClaimOf("po_1", kNorthwind, 3)), StatusIs(absl::StatusCode::kUnavailable));
  waiting.join();
  batch->Run("COMMIT");
  NW_ASSERT_OK_AND_ASSIGN(const auto patient, PostgresClaims::Open(options_));
  EXPECT_THAT(patient->Claim(ClaimOf("po_1", kNorthwind, 4)), IsOkAndHolds(ClaimVerdict::kOther));
}

TEST_F(ClaimsOutage, AServerThatIsKilledForgetsNothingThatItHasAnswered) {
  PostgresServer server;
  PostgresClaimsOptions options = options_;
  options.connection = server.Connection();
  ASSERT_THAT(PostgresClaims::Migrate(options), IsOk());
  // What a hurried administrator sets costs no claim.
  PostgresSession(server.Connection()).Run("ALTER SYSTEM SET synchronous_commit = off");
  PostgresSession(server.Connection()).Run("ALTER SYSTEM SET wal_writer_delay = '10s'");
  NW_ASSERT_OK_AND_ASSIGN(const auto claims, PostgresClaims::Open(options));
  uint32_t attempt = 0;
  for (int round = 0; round < 3; ++round) {
    server.Kill();
    EXPECT_THAT(claims->Claim(ClaimOf("po_down", kBatch, 1)), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_THAT(claims->Find("po_down"), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_THAT(claims->PublishEpoch(1), StatusIs(absl::StatusCode::kUnavailable));
    server.Start();
    for (uint32_t i = 0; i < attempt; ++i) {
      ASSERT_THAT(claims->Claim(ClaimOf(absl::StrCat("po_", i), kNorthwind, i, 9)),
                  IsOkAndHolds(ClaimVerdict::kClaimed));
    }
    EXPECT_THAT(claims->PublishedEpoch(), IsOkAndHolds(static_cast<uint64_t>(round)));
    for (int i = 0; i < 10; ++i, ++attempt) {
      ASSERT_THAT(claims->Claim(ClaimOf(absl::StrCat("po_", attempt), kNorthwind, attempt, 9)),
                  IsOkAndHolds(ClaimVerdict::kClaimed));
    }
    ASSERT_THAT(claims->PublishEpoch(round + 1), IsOk());
  }
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
//
// A database of its own on the program's server, with the schema of claims, and claims in it.
#ifndef NORTHWIND_TESTS_POSTGRES_CLAIMS_FIXTURE_H_
#define NORTHWIND_TESTS_POSTGRES_CLAIMS_FIXTURE_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "northwind/cutover.h"
#include "northwind/postgres.h"
#include "northwind/status.h"
#include "tests/postgres/postgres_server.h"
#include "tests/postgres/postgres_session.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {

// A request whose token is made of a number.
inline ClaimRequest ClaimOf(const std::string& id, SettlementSystem system, uint32_t attempt, uint64_t epoch = 0) {
  ClaimRequest request{.id = id, .merchant_id = "m1", .system = system, .epoch = epoch};
  for (size_t i = 0; i < 4; ++i) request.token[i] = static_cast<uint8_t>(attempt >> (8 * i));
  return request;
}

class ClaimsFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    database_ = PostgresServer::Shared().MakeDatabase();
    options_.connection = PostgresServer::Shared().Connection(database_);
    options_.statement_timeout = absl::Minutes(1);
    ASSERT_THAT(PostgresClaims::Migrate(options_), IsOk());
    NW_ASSERT_OK_AND_ASSIGN(claims_, PostgresClaims::Open(options_));
    sql_ = Session();
  }

  static absl::StatusOr<bool> IsFound(PostgresClaims& claims, const std::string& id) {
    NW_ASSIGN_OR_RETURN(const auto found, claims.Find(id));
    return found.has_value();
  }
  // A session of the test's own.
  std::unique_ptr<PostgresSession> Session() const {
    auto session = std::make_unique<PostgresSession>(PostgresServer::Shared().Connection(database_));
    session->Run("SET search_path = northwind_claims; SET timezone = 'UTC'");
    return session;
  }
  // As SQL calls it; tokens are those of ClaimOf.
  static std::string ClaimSql(const std::string& id, const std::string& system, int attempt, int epoch = 0) {
    char token[33];
    std::snprintf(token, sizeof(token), "%02x%030d", static_cast<unsigned>(attempt), 0);
    return "SELECT claim('" + id + "', 'm1', '" + system + "', " + std::to_string(epoch) + ", '" + token + "')";
  }

  std::string database_;
  PostgresClaimsOptions options_;
  std::unique_ptr<PostgresClaims> claims_;
  std::unique_ptr<PostgresSession> sql_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_POSTGRES_CLAIMS_FIXTURE_H_

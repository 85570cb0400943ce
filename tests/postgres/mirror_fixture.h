// SPDX-License-Identifier: Apache-2.0
//
// A ledger, a database of its own on the program's server, and mirrors of the one in the other.
#ifndef NORTHWIND_TESTS_POSTGRES_MIRROR_FIXTURE_H_
#define NORTHWIND_TESTS_POSTGRES_MIRROR_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "northwind/postgres.h"
#include "northwind/settlement.h"
#include "tests/postgres/postgres_server.h"
#include "tests/postgres/postgres_session.h"
#include "tests/settlement/sample_events.h"
#include "tests/support/ledger_fixture.h"

namespace northwind::testing {

using Table = std::vector<std::vector<std::string>>;

class MirrorFixture : public LedgerFixture {
 protected:
  void SetUp() override {
    LedgerFixture::SetUp();
    database_ = PostgresServer::Shared().MakeDatabase();
    mirror_options_.connection = PostgresServer::Shared().Connection(database_);
    mirror_options_.min_retry = absl::Milliseconds(1);
    mirror_options_.max_retry = absl::Milliseconds(20);
    ASSERT_THAT(Mirror::Migrate(mirror_options_), IsOk());
    Connect();
    NW_ASSERT_OK_AND_ASSIGN(intake_, Intake::Open(*ledger_, *store_));
  }
  void TearDown() override {
    mirror_.reset();
    intake_.reset();
    LedgerFixture::TearDown();
  }

  // The test's own session.
  void Connect() {
    sql_ = std::make_unique<PostgresSession>(PostgresServer::Shared().Connection(database_));
    sql_->Run("SET search_path = northwind; SET timezone = 'UTC'");
  }

  void StartMirror() {
    NW_ASSERT_OK_AND_ASSIGN(mirror_, Mirror::Open(*ledger_, mirror_options_));
    ASSERT_THAT(mirror_->Start(), IsOk());
  }
  // Until the database holds all that the ledger does.
  void CatchUp() {
    if (mirror_ == nullptr) {
      ASSERT_NO_FATAL_FAILURE(StartMirror());
    }
    ASSERT_THAT(mirror_->WaitFor(ledger_->Head().sequence, absl::Minutes(2)), IsOk());
  }
  // Why it halted.
  absl::Status Halted() {
    EXPECT_THAT(mirror_->WaitFor(Sequence(UINT64_MAX), absl::Minutes(2)),
                StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_EQ(mirror_->Stats().state, MirrorState::kHalted);
    return mirror_->Stats().status;
  }

  void Apply(const std::vector<PaymentEvent>& events) {
    NW_ASSERT_OK_AND_ASSIGN(const IntakeResult result, intake_->Apply(events));
    for (const EventOutcome& outcome : result.outcomes) last_outcomes_.push_back(outcome.status);
  }

  // What SQL answers, as text.
  Table Ask(const std::string& sql) { return sql_->Rows(sql); }
  std::string AskOne(const std::string& sql) { return sql_->Value(sql); }

  std::string database_;
  MirrorOptions mirror_options_;
  std::unique_ptr<PostgresSession> sql_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Mirror> mirror_;
  std::vector<EventStatus> last_outcomes_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_POSTGRES_MIRROR_FIXTURE_H_

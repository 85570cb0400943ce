// SPDX-License-Identifier: Apache-2.0
//
// What a person must mend halts the mirror, with a status that says what it is; nothing is skipped, and Start goes on once it is mended.
#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/postgres/followed_fixture.h"

namespace northwind::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class MirrorHalt : public FollowedFixture {
 protected:
  void SetUp() override {
    FollowedFixture::SetUp();
    CommitSome();
    ASSERT_NO_FATAL_FAILURE(CatchUp());
  }

  // It halts as soon as it is started, and stays so whatever comes.
  void ExpectHaltAtStart(absl::StatusCode code, const std::string& why) {
    mirror_->Stop();
    ASSERT_THAT(mirror_->Start(), IsOk());
    ASSERT_THAT(Halted(), StatusIs(code, HasSubstr(why)));
    CommitSome();
    EXPECT_EQ(mirror_->Stats().state, MirrorState::kHalted);
  }
  void ExpectStartGoesOn() {
    ASSERT_THAT(mirror_->Start(), IsOk());
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  }

  // Another ledger, or a copy of this one, and its mirror of the same database.
  struct Other {
    std::unique_ptr<Store> store;
    std::unique_ptr<Ledger> ledger;
    std::unique_ptr<Mirror> mirror;
  };
  void OpenOther(const std::string& path, Other& other) {
    StoreOptions options = store_options_;
    options.path = path;
    NW_ASSERT_OK_AND_ASSIGN(other.store, Store::Open(options));
    NW_ASSERT_OK_AND_ASSIGN(other.ledger, Ledger::Open(*other.store, options_));
    NW_ASSERT_OK_AND_ASSIGN(other.mirror, Mirror::Open(*other.ledger, mirror_options_));
  }
  static absl::Status WhyHalted(const Mirror& mirror) {
    EXPECT_THAT(mirror.WaitFor(Sequence(UINT64_MAX), absl::Minutes(1)),
                StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_EQ(mirror.Stats().state, MirrorState::kHalted);
    return mirror.Stats().status;
  }
};

// ---- Which ledger it is of ----------------------------------------------------------------------------------

TEST_F(MirrorHalt, ADatabaseOfAnotherLedgerHaltsItUntilThatIsReset) {
  Other other;
  ASSERT_NO_FATAL_FAILURE(OpenOther(directory_ / "other", other));
  ASSERT_THAT(other.ledger->OpenAccount({.name = "till", .asset = "EUR/2"}), IsOk());
  ASSERT_THAT(other.mirror->Start(), IsOk());
  EXPECT_THAT(WhyHalted(*other.mirror),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the database belongs to the ledger")));
  // This one has not noticed.
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());

  mirror_.reset();
  ASSERT_THAT(Mirror::Reset(mirror_options_), IsOk());
  ASSERT_THAT(other.mirror->Start(), IsOk());
  ASSERT_THAT(other.mirror->WaitFor(other.ledger->Head().sequence, absl::Minutes(1)), IsOk());
  EXPECT_EQ(AskOne("SELECT string_agg(name, ' ') FROM accounts"), "till");
  EXPECT_EQ(AskOne("SELECT count(*) FROM transactions"), "0");
}

TEST_F(MirrorHalt, ALedgerRestoredFromAnOlderCopyFindsTheDatabaseAheadOfIt) {
  ASSERT_THAT(ledger_->Checkpoint(directory_ / "backup"), IsOk());
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  Other older;
  ASSERT_NO_FATAL_FAILURE(OpenOther(directory_ / "backup", older));
  ASSERT_THAT(older.mirror->Start(), IsOk());
  EXPECT_THAT(WhyHalted(*older.mirror),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("the database is ahead of the ledger"),
                             HasSubstr(absl::StrCat("up to ", HeadSequence())),
                             HasSubstr(absl::StrCat("ends at ", older.ledger->Head().sequence.value())))));
  // The newer ledger's goes on as if nothing had been.
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());
}

TEST_F(MirrorHalt, AnotherHistoryOfTheSameLedgerIsFoundByItsHash) {
  ASSERT_THAT(ledger_->Checkpoint(directory_ / "backup"), IsOk());
  CommitSome();
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  Other older;
  ASSERT_NO_FATAL_FAILURE(OpenOther(directory_ / "backup", older));
  // Past the place where the database is, by another way.
  while (older.ledger->Head().sequence <= ledger_->Head().sequence) {
    ASSERT_THAT(older.ledger->Commit(MakePost(500'000 + older.ledger->Head().sequence.value(), world_, bob_, 1)),
                IsOk());
  }
  ASSERT_THAT(older.mirror->Start(), IsOk());
  EXPECT_THAT(WhyHalted(*older.mirror),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("the database holds another history"),
                             HasSubstr(absl::StrCat("with record ", HeadSequence(), " has the hash ")))));
  ASSERT_NO_FATAL_FAILURE(ExpectWhole());

  mirror_.reset();
  ASSERT_THAT(Mirror::Reset(mirror_options_), IsOk());
  ASSERT_THAT(older.mirror->Start(), IsOk());
  ASSERT_THAT(older.mirror->WaitFor(older.ledger->Head().sequence, absl::Minutes(1)), IsOk());
  EXPECT_EQ(Watermark(), older.ledger->Head().sequence.value());
}

TEST_F(MirrorHalt, AWatermarkWhoseHashWasAltered) {
  sql_->Run("CREATE TABLE kept AS SELECT block_hash FROM watermark");
  sql_->Run("UPDATE watermark SET block_hash = sha256('')");
  ASSERT_NO_FATAL_FAILURE(ExpectHaltAtStart(absl::StatusCode::kFailedPrecondition, "another history"));
  sql_->Run("UPDATE watermark SET block_hash = kept.block_hash FROM kept");
  ASSERT_NO_FATAL_FAILURE(ExpectStartGoesOn());
}

TEST_F(MirrorHalt, AWatermarkThatIsGone) {
  sql_->Run("CREATE TABLE kept AS TABLE watermark");
  sql_->Run("DELETE FROM watermark");
  ASSERT_NO_FATAL_FAILURE(
      ExpectHaltAtStart(absl::StatusCode::kFailedPrecondition, "the table watermark has 0 rows instead of one"));
  sql_->Run("INSERT INTO watermark TABLE kept");
  ASSERT_NO_FATAL_FAILURE(ExpectStartGoesOn());
}

// ---- The schema ---------------------------------------------------------------------------------------------

TEST_F(MirrorHalt, AMissingSchema) {
  sql_->Run("ALTER SCHEMA northwind RENAME TO elsewhere");
  ASSERT_NO_FATAL_FAILURE(
      ExpectHaltAtStart(absl::StatusCode::kFailedPrecondition, "there is no such schema, or this role may not use it"));
  ASSERT_THAT(Mirror::Migrate(mirror_options_), IsOk());
  ASSERT_NO_FATAL_FAILURE(ExpectStartGoesOn());
}

TEST_F(MirrorHalt, AnOlderSchema) {
  sql_->Run("CREATE TABLE kept AS TABLE schema_version");
  sql_->Run("DELETE FROM schema_version");
  ASSERT_NO_FATAL_FAILURE(ExpectHaltAtStart(absl::StatusCode::kFailedPrecondition,
                                            "the schema is of version 0, older than this library's"));
  sql_->Run("INSERT INTO schema_version TABLE kept");
  ASSERT_NO_FATAL_FAILURE(ExpectStartGoesOn());
}

TEST_F(MirrorHalt, ANewerSchema) {
  sql_->Run("INSERT INTO schema_version VALUES (4711, 'of tomorrow')");
  ASSERT_NO_FATAL_FAILURE(ExpectHaltAtStart(absl::StatusCode::kFailedPrecondition,
                                            "the schema is of version 4711, newer than this library's"));
  EXPECT_THAT(Mirror::Migrate(mirror_options_), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("4711")));
  EXPECT_THAT(Mirror::Reset(mirror_options_), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("4711")));
  sql_->Run("DELETE FROM schema_version WHERE version = 4711");
  ASSERT_NO_FATAL_FAILURE(ExpectStartGoesOn());
}

TEST_F(MirrorHalt, ASchemaOfSomebodyElse) {
  for (const char* theirs : {"CREATE TABLE northwind.schema_version (installed text)",
                             "CREATE TABLE northwind.schema_version (version text, name text)",
                             "CREATE TABLE northwind.schema_version (version integer)"}) {
    SCOPED_TRACE(theirs);
    sql_->Run("ALTER SCHEMA northwind RENAME TO elsewhere");
    sql_->Run("CREATE SCHEMA northwind");
    sql_->Run(theirs);
    ASSERT_NO_FATAL_FAILURE(
        ExpectHaltAtStart(absl::StatusCode::kFailedPrecondition, "schema_version is not one of northwind"));
    EXPECT_THAT(Mirror::Migrate(mirror_options_),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is not one of northwind")));
    sql_->Run("DROP SCHEMA northwind CASCADE");
    sql_->Run("ALTER SCHEMA elsewhere RENAME TO northwind");
    ASSERT_NO_FATAL_FAILURE(ExpectStartGoesOn());
  }
}

// ---- Who may ------------------------------------------------------------------------------------------------

TEST_F(MirrorHalt, ARightThatIsMissing) {
  const std::string role = database_ + "_writer";
  sql_->Run("CREATE ROLE " + role + " LOGIN");
  mirror_options_.connection += " user=" + role;
  mirror_.reset();
  NW_ASSERT_OK_AND_ASSIGN(mirror_, Mirror::Open(*ledger_, mirror_options_));
  ASSERT_NO_FATAL_FAILURE(ExpectHaltAtStart(absl::StatusCode::kFailedPrecondition, "this role may not use it"));
  sql_->Run("GRANT USAGE ON SCHEMA northwind TO " + role);
  ASSERT_NO_FATAL_FAILURE(ExpectHaltAtStart(absl::StatusCode::kPermissionDenied, "42501"));
  sql_->Run("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA northwind TO " + role);
  ASSERT_NO_FATAL_FAILURE(ExpectHaltAtStart(absl::StatusCode::kPermissionDenied, "42501"));
  sql_->Run("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA northwind TO " + role);
  ASSERT_NO_FATAL_FAILURE(ExpectStartGoesOn());
  // One that is taken away while it runs.
  sql_->Run("REVOKE INSERT ON postings FROM " + role);
  const uint64_t before = Watermark();
  CommitSome();
  EXPECT_THAT(Halted(), StatusIs(absl::StatusCode::kPermissionDenied,
                                 AllOf(HasSubstr("42501"), HasSubstr("permission denied for table postings"))));
  EXPECT_EQ(Watermark(), before);
  sql_->Run("GRANT INSERT ON postings TO " + role);
  ASSERT_NO_FATAL_FAILURE(ExpectStartGoesOn());
  mirror_.reset();
  sql_->Run("DROP OWNED BY " + role);
  sql_->Run("DROP ROLE " + role);
}

TEST_F(MirrorHalt, ARoleOrADatabaseThatDoesNotExist) {
  const std::string right = mirror_options_.connection;
  mirror_options_.connection = right + " user=nobody_of_that_name";
  mirror_.reset();
  ASSERT_NO_FATAL_FAILURE(StartMirror());
  EXPECT_THAT(Halted(), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("28000")));
  mirror_options_.connection = right + " dbname=" + database_ + "_later";
  mirror_.reset();
  ASSERT_NO_FATAL_FAILURE(StartMirror());
  EXPECT_THAT(Halted(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("3D000")));
  // It is made, and Start goes on there.
  sql_->Run("CREATE DATABASE " + database_ + "_later TEMPLATE template0");
  ASSERT_THAT(Mirror::Migrate(mirror_options_), IsOk());
  database_ += "_later";
  ASSERT_NO_FATAL_FAILURE(Connect());
  ASSERT_NO_FATAL_FAILURE(ExpectStartGoesOn());
}

// ---- Behind its back ----------------------------------------------------------------------------------------

// What somebody does to the tables, and how it is undone.
struct Meddling {
  const char* what;
  const char* sqlstate;
  absl::StatusCode code;
  const char* done;
  const char* undone;
};

constexpr Meddling kMeddlings[] = {
    {"a column renamed", "42703", absl::StatusCode::kInvalidArgument, "ALTER TABLE postings RENAME COLUMN kind TO sort",
     "ALTER TABLE postings RENAME COLUMN sort TO kind"},
    {"a column dropped", "42703", absl::StatusCode::kInvalidArgument, "ALTER TABLE payout_events DROP COLUMN state",
     "ALTER TABLE payout_events ADD COLUMN state text; UPDATE payout_events SET state = CASE event_type WHEN "
     "'PAYOUT_REQUESTED' THEN 'requested' WHEN 'PAYOUT_PAID' THEN 'paid' WHEN 'PAYOUT_FAILED' THEN 'failed' END"},
    {"a table renamed", "42P01", absl::StatusCode::kInvalidArgument, "ALTER TABLE holds RENAME TO reservations",
     "ALTER TABLE reservations RENAME TO holds"},
    {"a function renamed", "42883", absl::StatusCode::kInvalidArgument, "ALTER FUNCTION advance RENAME TO move_on",
     "ALTER FUNCTION move_on RENAME TO advance"},
    {"a column of another type", "42804", absl::StatusCode::kInvalidArgument,
     "ALTER TABLE payout_events ADD COLUMN kept numeric(39, 0); UPDATE payout_events SET kept = amount; "
     "ALTER TABLE payout_events ALTER COLUMN amount TYPE boolean USING true",
     "ALTER TABLE payout_events ALTER COLUMN amount TYPE numeric(39, 0) USING kept; "
     "ALTER TABLE payout_events DROP COLUMN kept"},
    {"numbers that do not fit", "22003", absl::StatusCode::kInvalidArgument,
     "ALTER TABLE payout_events ADD COLUMN kept numeric(39, 0); UPDATE payout_events SET kept = amount, amount = 0; "
     "ALTER TABLE payout_events ALTER COLUMN amount TYPE numeric(1, 0)",
     "ALTER TABLE payout_events ALTER COLUMN amount TYPE numeric(39, 0); UPDATE payout_events SET amount = kept; "
     "ALTER TABLE payout_events DROP COLUMN kept"},
    {"text that does not fit", "22001", absl::StatusCode::kInvalidArgument,
     "ALTER TABLE payout_events ADD COLUMN kept text; UPDATE payout_events SET kept = payout_id, payout_id = ''; "
     "ALTER TABLE payout_events ALTER COLUMN payout_id TYPE varchar(1)",
     "ALTER TABLE payout_events ALTER COLUMN payout_id TYPE text; UPDATE payout_events SET payout_id = kept; "
     "ALTER TABLE payout_events DROP COLUMN kept"},
    {"a check of somebody's", "23514", absl::StatusCode::kFailedPrecondition,
     "ALTER TABLE transactions ADD CONSTRAINT theirs CHECK (code <> 9) NOT VALID",
     "ALTER TABLE transactions DROP CONSTRAINT theirs"},
    {"a column that nobody fills", "23502", absl::StatusCode::kFailedPrecondition,
     "ALTER TABLE holds ADD COLUMN note text NOT NULL DEFAULT ''; ALTER TABLE holds ALTER COLUMN note DROP DEFAULT",
     "ALTER TABLE holds DROP COLUMN note"},
    {"a trigger that refuses", "P0001", absl::StatusCode::kInternal,
     "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END'; "
     "CREATE TRIGGER no BEFORE INSERT ON rejections EXECUTE FUNCTION no()",
     "DROP FUNCTION no CASCADE"},
    {"a trigger that drops rows of updates", "NW002", absl::StatusCode::kFailedPrecondition,
     "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
     "CREATE TRIGGER no BEFORE UPDATE ON payouts FOR EACH ROW EXECUTE FUNCTION no()",
     "DROP FUNCTION no CASCADE"},
    {"rows to be updated that are gone", "NW002", absl::StatusCode::kFailedPrecondition,
     "UPDATE accounts SET account_id = -account_id WHERE name = 'alice'",
     "UPDATE accounts SET account_id = -account_id WHERE name = 'alice'"},
    {"rows that are there already", "23505", absl::StatusCode::kFailedPrecondition,
     "INSERT INTO payout_events (sequence, recorded_at, payout_id, event_type, state, amount) SELECT sequence + s, "
     "now(), 'theirs', 'x', 'x', 1 FROM watermark, "
     "generate_series(1, 100) s",
     "DELETE FROM payout_events WHERE payout_id = 'theirs'"},
    {"a watermark that was moved", "NW001", absl::StatusCode::kFailedPrecondition,
     "UPDATE watermark SET sequence = sequence + 1000", "UPDATE watermark SET sequence = sequence - 1000"},
};

class MirrorHaltByMeddling : public MirrorHalt {
 protected:
  void MeddleAndMend(const Meddling& meddling) {
    sql_->Run(meddling.done);
    CommitSome();
    EXPECT_THAT(Halted(), StatusIs(meddling.code, HasSubstr(meddling.sqlstate)));
    // Nothing more comes, and there is nothing but what it had said.
    CommitSome();
    EXPECT_EQ(mirror_->Stats().state, MirrorState::kHalted);
    EXPECT_EQ(mirror_->Stats().status.code(), meddling.code);
    sql_->Run(meddling.undone);
    EXPECT_EQ(Watermark(), mirror_->Stats().mirrored.value());
    EXPECT_LT(Watermark(), HeadSequence());
    ASSERT_NO_FATAL_FAILURE(ExpectPrefix());
    ASSERT_NO_FATAL_FAILURE(ExpectStartGoesOn());
  }
};

TEST_F(MirrorHaltByMeddling, WhileRowsGoByArrays) {
  for (const Meddling& meddling : kMeddlings) {
    SCOPED_TRACE(meddling.what);
    ASSERT_NO_FATAL_FAILURE(MeddleAndMend(meddling));
  }
  EXPECT_EQ(mirror_->Stats().copied, 0U);
}

TEST_F(MirrorHaltByMeddling, WhileRowsGoByCopy) {
  mirror_.reset();
  mirror_options_.backfill_lag = 0;
  ASSERT_NO_FATAL_FAILURE(CatchUp());
  for (const Meddling& meddling : kMeddlings) {
    SCOPED_TRACE(meddling.what);
    // The binary form of COPY is of the column's own type: the server cannot make sense of what comes.
    Meddling by_copy = meddling;
    if (std::string_view(meddling.sqlstate) == "42804") by_copy.sqlstate = "22P03";
    ASSERT_NO_FATAL_FAILURE(MeddleAndMend(by_copy));
  }
  EXPECT_EQ(mirror_->Stats().copied, mirror_->Stats().records);
}

}  // namespace
}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
//
// Against a real server: what others write meanwhile, types, collations, and queries that are not what they should be.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "northwind/postgres.h"
#include "tests/postgres/cutting_proxy.h"
#include "tests/postgres/postgres_server.h"
#include "tests/postgres/postgres_session.h"
#include "tests/support/seed.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class LegacyReaderTest : public ::testing::Test {
 protected:
  PostgresServer& server_ = PostgresServer::Shared();
  const std::string database_ = server_.MakeDatabase();
  PostgresSession sql_ = PostgresSession(server_.Connection(database_));

  std::unique_ptr<LegacyReader> Open(size_t page = 10'000) const {
    auto reader = LegacyReader::Open({.connection = server_.Connection(database_), .page = page});
    if (!reader.ok()) ADD_FAILURE() << reader.status();
    return reader.ok() ? *std::move(reader) : nullptr;
  }

  // All pages, each value of a row behind a blank.
  static absl::StatusOr<std::vector<std::string>> ReadAll(LegacyReader& reader, const LegacyQuery& query) {
    std::vector<std::string> rows;
    std::string after;
    do {
      NW_ASSIGN_OR_RETURN(LegacyPage page, reader.Read(query, after));
      for (const LegacyRow& row : page.rows) {
        std::string text;
        for (const auto& value : row) absl::StrAppend(&text, text.empty() ? "" : " ", value.value_or("NULL"));
        rows.push_back(std::move(text));
      }
      after = page.next;
    } while (!after.empty());
    return rows;
  }
};

TEST_F(LegacyReaderTest, PagesFollowEachOtherWithoutGapAndEnd) {
  sql_.Run("CREATE TABLE t AS SELECT i AS id, 'row ' || i AS v FROM generate_series(1, 100) i");
  const LegacyQuery query = {.sql = "SELECT * FROM t", .key = {"id"}};
  for (const size_t page : {1, 7, 99, 100, 101}) {
    const auto reader = Open(page);
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<std::string> rows, ReadAll(*reader, query));
    ASSERT_EQ(rows.size(), 100U);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(rows[i], absl::StrCat(i + 1, " row ", i + 1));
  }
  const auto reader = Open(50);
  NW_ASSERT_OK_AND_ASSIGN(const LegacyPage first, reader->Read(query));
  EXPECT_THAT(first.columns, ElementsAre("id", "v"));
  EXPECT_EQ(first.rows.size(), 50U);
  NW_ASSERT_OK_AND_ASSIGN(const LegacyPage second, reader->Read(query, first.next));
  EXPECT_EQ(second.rows.size(), 50U);
  EXPECT_EQ(second.next, "");
  NW_ASSERT_OK_AND_ASSIGN(const LegacyPage none, reader->Read({.sql = "SELECT * FROM t WHERE false", .key = {"id"}}));
  EXPECT_THAT(none.columns, ElementsAre("id", "v"));
  EXPECT_TRUE(none.rows.empty());
  EXPECT_EQ(none.next, "");
}

TEST_F(LegacyReaderTest, AllPagesShowOneMoment) {
  sql_.Run("CREATE TABLE t AS SELECT i AS id, 1 AS v FROM generate_series(1, 100) i");
  const LegacyQuery query = {.sql = "SELECT * FROM t", .key = {"id"}};
  const auto reader = Open(10);
  const absl::Time read_at = reader->snapshot_at();
  int64_t total = 0;
  std::string after;
  for (int page = 0; page < 10; ++page) {
    // Ahead of the reader and behind it, at once.
    sql_.Run("INSERT INTO t SELECT max(id) + 1, 1000 FROM t; UPDATE t SET v = 1000; DELETE FROM t WHERE id % 17 = 5");
    NW_ASSERT_OK_AND_ASSIGN(const LegacyPage read, reader->Read(query, after));
    EXPECT_EQ(read.rows.size(), 10U);
    for (const LegacyRow& row : read.rows) total += std::stoll(*row[1]);
    after = read.next;
  }
  EXPECT_EQ(after, "");
  EXPECT_EQ(total, 100);
  EXPECT_EQ(reader->snapshot_at(), read_at);
  const double server_now = std::stod(sql_.Value("SELECT extract(epoch FROM clock_timestamp())"));
  EXPECT_LE(absl::ToDoubleSeconds(read_at - absl::UnixEpoch()), server_now);
  // A cursor of one reader goes for another, which shows its own moment.
  NW_ASSERT_OK_AND_ASSIGN(const LegacyPage first, reader->Read(query));
  const auto later = Open(10'000);
  NW_ASSERT_OK_AND_ASSIGN(const LegacyPage rest, later->Read(query, first.next));
  EXPECT_EQ(rest.rows.front()[0], "11");
  EXPECT_EQ(rest.rows.front()[1], "1000");
}

TEST_F(LegacyReaderTest, ASerialThatCommitsLateIsFoundByReadingAgain) {
  sql_.Run("CREATE TABLE t(id bigserial PRIMARY KEY, v text)");
  PostgresSession slow(server_.Connection(database_));
  slow.Run("BEGIN; INSERT INTO t(v) VALUES ('slow')");  // takes 1
  sql_.Run("INSERT INTO t(v) VALUES ('quick')");        // takes 2, and is there first
  const LegacyQuery query = {.sql = "SELECT * FROM t", .key = {"id"}};
  const auto before = Open();
  EXPECT_THAT(ReadAll(*before, query), IsOkAndHolds(ElementsAre("2 quick")));
  slow.Run("COMMIT");
  EXPECT_THAT(ReadAll(*before, query), IsOkAndHolds(ElementsAre("2 quick")));
  const auto after = Open();
  EXPECT_THAT(ReadAll(*after, query), IsOkAndHolds(ElementsAre("1 slow", "2 quick")));
}

TEST_F(LegacyReaderTest, KeysOfSeveralColumnsAndOfManyTypes) {
  sql_.Run("CREATE TABLE t(a text, b int, c numeric(20, 4), d timestamptz, e uuid, f bytea, g date, h bool)");
  sql_.Run(
      "INSERT INTO t SELECT 'k' || i % 3, i % 5, i / 7.0, '2026-01-01T00:00:00.123456Z'::timestamptz + i * interval '1 "
      "hour',"
      "md5(i::text)::uuid, decode(md5(i::text), 'hex'), '2026-01-01'::date + i, i % 2 = 0 FROM generate_series(1, 60) "
      "i");
  sql_.Run("SET timezone = 'Asia/Tokyo'");
  const std::set<std::string> all = [&] {
    std::set<std::string> rows;
    for (const auto& row : sql_.Rows("SELECT d AT TIME ZONE 'UTC' FROM t")) rows.insert(row[0] + "+00");
    return rows;
  }();
  ASSERT_EQ(all.size(), 60U);
  for (const std::vector<std::string>& key :
       std::vector<std::vector<std::string>>{{"a", "b", "c"},
                                             {"b", "a", "d"},
                                             {"c"},
                                             {"d"},
                                             {"e"},
                                             {"f"},
                                             {"g"},
                                             {"h", "d"},
                                             {"a", "b", "c", "d", "e", "f", "g", "h"}}) {
    const auto reader = Open(4);
    NW_ASSERT_OK_AND_ASSIGN(const std::vector<std::string> rows,
                            ReadAll(*reader, {.sql = absl::StrCat("SELECT d AS at, * FROM t"), .key = key}));
    std::set<std::string> seen;
    for (const std::string& row : rows) seen.insert(row.substr(0, row.find('+') + 3));
    EXPECT_EQ(rows.size(), 60U) << key[0];
    EXPECT_EQ(seen, all) << key[0];
  }
}

TEST_F(LegacyReaderTest, TextGoesInTheOrderOfItsOwnCollation) {
  // In C all capitals come before all small letters; in und-x-icu they mix. A comparison by one and an order by the other loses rows.
  sql_.Run("CREATE TABLE t(k text COLLATE \"und-x-icu\" PRIMARY KEY)");
  sql_.Run(
      "INSERT INTO t SELECT chr(65 + i) FROM generate_series(0, 25) i UNION SELECT chr(97 + i) FROM generate_series(0, "
      "25) i "
      "UNION VALUES ('ä'), ('Ä'), ('ß'), ('z z'), ('z''z'), (''), ('é\"')");
  std::vector<std::string> ordered;
  for (const auto& row : sql_.Rows("SELECT k FROM t ORDER BY k")) ordered.push_back(row[0]);
  for (const size_t page : {1, 2, 5}) {
    const auto reader = Open(page);
    EXPECT_THAT(ReadAll(*reader, {.sql = "SELECT k FROM t", .key = {"k"}}), IsOkAndHolds(ordered)) << page;
    // Where the query says another, that one.
    NW_ASSERT_OK_AND_ASSIGN(const auto in_c,
                            ReadAll(*reader, {.sql = "SELECT k COLLATE \"C\" AS k FROM t", .key = {"k"}}));
    EXPECT_TRUE(std::is_sorted(in_c.begin(), in_c.end()));
    EXPECT_EQ(in_c.size(), ordered.size());
  }
}

TEST_F(LegacyReaderTest, AKeyThatIsNullOrNotUniqueIsRefused) {
  sql_.Run(
      "CREATE TABLE t(a int, b int); INSERT INTO t SELECT i, i FROM generate_series(1, 20) i; INSERT INTO t VALUES (7, "
      "NULL)");
  const auto reader = Open(5);
  // The first page would not have shown it.
  EXPECT_THAT(reader->Read({.sql = "SELECT * FROM t", .key = {"a", "b"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("null")));
  EXPECT_THAT(reader->Read({.sql = "SELECT * FROM t", .key = {"b"}}), StatusIs(absl::StatusCode::kInvalidArgument));
  const LegacyQuery twice = {.sql = "SELECT * FROM t", .key = {"a"}};
  NW_ASSERT_OK_AND_ASSIGN(const LegacyPage first, reader->Read(twice));
  EXPECT_THAT(reader->Read(twice, first.next),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("two rows have the key (7)")));
  // Its second row is the first of the next page, which would leave it out.
  for (const size_t page : {6, 7}) {
    const auto split = Open(page);
    EXPECT_THAT(ReadAll(*split, twice), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("two rows"))) << page;
  }
  // Equal as PostgreSQL sees it, not as bytes.
  sql_.Run("CREATE TABLE n(k numeric); INSERT INTO n VALUES (1.0), (1.00)");
  EXPECT_THAT(Open(1)->Read({.sql = "SELECT * FROM n", .key = {"k"}}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(LegacyReaderTest, WrongSqlIsInvalidAndTheReaderGoesOn) {
  sql_.Run("CREATE TABLE t(id int PRIMARY KEY, j json); INSERT INTO t VALUES (1, '{}')");
  const auto reader = Open();
  for (const char* wrong :
       {"SELEC 1 AS id", "SELECT * FROM missing", "SELECT missing FROM t", "SELECT 1 AS id;", "SELECT 1 AS other",
        "SELECT id, id FROM t", "SELECT $1::int AS id", "SELECT 1/(id - 1) AS id FROM t", "SELECT j AS id FROM t",
        "SELECT 1 AS id) AS x; DROP TABLE t; --", "VALUES", ";", "COMMIT"}) {
    EXPECT_THAT(reader->Read({.sql = wrong, .key = {"id"}}), StatusIs(absl::StatusCode::kInvalidArgument)) << wrong;
  }
  EXPECT_THAT(ReadAll(*reader, {.sql = "SELECT id FROM t -- all of it", .key = {"id"}}),
              IsOkAndHolds(ElementsAre("1")));
}

TEST_F(LegacyReaderTest, AQueryThatWritesIsRefused) {
  sql_.Run("CREATE TABLE t(id serial PRIMARY KEY); INSERT INTO t DEFAULT VALUES");
  sql_.Run("CREATE FUNCTION sneak() RETURNS int LANGUAGE sql VOLATILE AS 'INSERT INTO t DEFAULT VALUES RETURNING id'");
  sql_.Run(
      "CREATE FUNCTION loosen() RETURNS int LANGUAGE plpgsql AS "
      "$$BEGIN PERFORM set_config('transaction_read_only', 'off', true); INSERT INTO t DEFAULT VALUES; RETURN 1; "
      "END$$");
  const auto reader = Open();
  for (const char* writing : {"SELECT sneak() AS id", "SELECT loosen() AS id", "SELECT nextval('t_id_seq') AS id",
                              "SELECT id FROM t FOR UPDATE", "WITH w AS (DELETE FROM t RETURNING id) SELECT id FROM w",
                              "DELETE FROM t RETURNING id"}) {
    EXPECT_THAT(reader->Read({.sql = writing, .key = {"id"}}), StatusIs(absl::StatusCode::kInvalidArgument)) << writing;
  }
  EXPECT_EQ(sql_.Value("SELECT count(*) FROM t"), "1");
  // What the server does not take for a write does not outlive the page either, nor does a setting.
  EXPECT_THAT(reader->Read({.sql = "SELECT lo_create(4711) AS id", .key = {"id"}}),
              Not(StatusIs(absl::StatusCode::kUnavailable)));
  EXPECT_EQ(sql_.Value("SELECT count(*) FROM pg_largeobject_metadata"), "0");
  EXPECT_THAT(reader->Read({.sql = "SELECT set_config('TimeZone', 'Asia/Tokyo', false) AS id", .key = {"id"}}), IsOk());
  EXPECT_THAT(ReadAll(*reader, {.sql = "SELECT current_setting('TimeZone') AS id", .key = {"id"}}),
              IsOkAndHolds(ElementsAre("UTC")));
}

TEST_F(LegacyReaderTest, ACursorIsNoSqlAndOfItsQueryOnly) {
  sql_.Run(
      "CREATE TABLE t(k text PRIMARY KEY); INSERT INTO t VALUES ('a'), (''') OR (''1'' = ''1'), ('x''; DROP TABLE t; "
      "--'), ('z')");
  const LegacyQuery query = {.sql = "SELECT k FROM t", .key = {"k"}};
  const auto reader = Open(1);
  NW_ASSERT_OK_AND_ASSIGN(const auto rows, ReadAll(*reader, query));
  EXPECT_EQ(rows.size(), 4U);
  EXPECT_EQ(sql_.Value("SELECT count(*) FROM t"), "4");
  NW_ASSERT_OK_AND_ASSIGN(const LegacyPage first, reader->Read(query));
  EXPECT_THAT(reader->Read({.sql = "SELECT k FROM t WHERE true", .key = {"k"}}, first.next),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("another query")));
  EXPECT_THAT(reader->Read(query, "' OR 1=1"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(reader->Read(query, first.next.substr(4)), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(reader->Read(query, first.next), IsOk());
}

TEST_F(LegacyReaderTest, OptionsOutOfBoundsAreInvalid) {
  for (const size_t page : {size_t{0}, kMaxLegacyPage + 1}) {
    EXPECT_THAT(LegacyReader::Open({.connection = server_.Connection(database_), .page = page}),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(LegacyReader::Open({.connection = "nonsense"}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(LegacyReader::Open({.connection = server_.Connection("nowhere")}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(
      LegacyReader::Open({.connection = server_.Connection(database_), .statement_timeout = absl::ZeroDuration()}),
      StatusIs(absl::StatusCode::kInvalidArgument));
  const auto reader = Open();
  EXPECT_THAT(reader->Read({.sql = "SELECT 1 AS id", .key = {}}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(LegacyReaderTest, WhatARoleMayNotReadIsDenied) {
  sql_.Run("CREATE TABLE t(id int PRIMARY KEY)");
  sql_.Run("DROP ROLE IF EXISTS legacy_stranger; CREATE ROLE legacy_stranger LOGIN");
  const auto reader = LegacyReader::Open({.connection = server_.Connection(database_) + " user=legacy_stranger"});
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT((*reader)->Read({.sql = "SELECT * FROM t", .key = {"id"}}),
              StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(LegacyReaderTest, ABrokenConnectionIsUnavailable) {
  sql_.Run("CREATE TABLE t AS SELECT i AS id, repeat('x', 1000) AS v FROM generate_series(1, 1000) i");
  const LegacyQuery query = {.sql = "SELECT * FROM t", .key = {"id"}};
  CuttingProxy proxy(server_.port());
  const LegacyOptions options = {
      .connection = absl::StrCat("host=127.0.0.1 port=", proxy.port(), " user=postgres dbname=", database_),
      .page = 500};
  NW_ASSERT_OK_AND_ASSIGN(const auto reader, LegacyReader::Open(options));
  NW_ASSERT_OK_AND_ASSIGN(const LegacyPage first, reader->Read(query));
  proxy.BreakAfter(CuttingProxy::Direction::kToClient, 100'000, CuttingProxy::Fault::kCut);
  EXPECT_THAT(reader->Read(query, first.next), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(reader->Read(query, first.next), StatusIs(absl::StatusCode::kUnavailable));
  NW_ASSERT_OK_AND_ASSIGN(const auto another, LegacyReader::Open(options));
  NW_ASSERT_OK_AND_ASSIGN(const LegacyPage second, another->Read(query, first.next));
  EXPECT_EQ(second.rows.size(), 500U);
  proxy.Break(CuttingProxy::Fault::kRefuse);
  EXPECT_THAT(LegacyReader::Open(options), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(LegacyReaderTest, AnAnswerThatTakesTooLongEndsIt) {
  NW_ASSERT_OK_AND_ASSIGN(const auto reader, LegacyReader::Open({.connection = server_.Connection(database_),
                                                                 .statement_timeout = absl::Milliseconds(200)}));
  EXPECT_THAT(reader->Read({.sql = "SELECT 1 AS id FROM pg_sleep(3600)", .key = {"id"}}),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(LegacyReaderTest, MerchantsAndBalancesAreRead) {
  sql_.Run("CREATE TABLE shops(id int PRIMARY KEY, title text, currency text, balance numeric(18, 4))");
  sql_.Run("INSERT INTO shops VALUES (1, 'Anna', 'USD', 12.3400), (2, NULL, 'USD', -0.0100), (3, 'Carl', 'JPY', 500)");
  const auto reader = Open(2);
  const LegacyQuery merchants = {.sql = "SELECT 'm_' || id AS merchant_id, title AS name FROM shops",
                                 .key = {"merchant_id"}};
  NW_ASSERT_OK_AND_ASSIGN(const auto first, reader->ReadMerchants(merchants));
  ASSERT_EQ(first.records.size(), 2U);
  EXPECT_EQ(first.records[0].merchant_id, "m_1");
  EXPECT_EQ(first.records[0].name, "Anna");
  EXPECT_EQ(first.records[1].name, "");
  NW_ASSERT_OK_AND_ASSIGN(const auto rest, reader->ReadMerchants(merchants, first.next));
  ASSERT_EQ(rest.records.size(), 1U);
  EXPECT_EQ(rest.next, "");
  const LegacyQuery balances = {.sql =
                                    "SELECT id, 'm_' || id AS merchant_id, currency || CASE currency WHEN 'JPY' THEN "
                                    "'/0' ELSE '/2' END AS asset, "
                                    "balance AS amount FROM shops",
                                .key = {"id"}};
  NW_ASSERT_OK_AND_ASSIGN(const auto read, reader->ReadBalances(balances));
  ASSERT_EQ(read.records.size(), 2U);
  EXPECT_EQ(read.records[0].units, 1234);
  EXPECT_EQ(read.records[0].asset, "USD/2");
  EXPECT_EQ(read.records[1].units, -1);
  sql_.Run("UPDATE shops SET balance = 0.001 WHERE id = 2");
  EXPECT_THAT(Open()->ReadBalances(balances), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("id = 2")));
}

}  // namespace
}  // namespace northwind::testing

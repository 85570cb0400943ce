// SPDX-License-Identifier: Apache-2.0
//
// Against a server of its own, through a network that breaks.
#include "src/postgres/connection.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "src/postgres/sqlstate.h"
#include "tests/postgres/cutting_proxy.h"
#include "tests/postgres/postgres_server.h"
#include "tests/postgres/postgres_session.h"
#include "tests/support/status_matchers.h"

namespace northwind::testing {
namespace {

using internal::postgres::ClassOf;
using internal::postgres::Connection;
using internal::postgres::Deadline;
using internal::postgres::FaultClass;
using internal::postgres::Parameter;
using internal::postgres::Result;
using internal::postgres::ResultFormat;
using internal::postgres::SqlStateOf;
using internal::postgres::StopSignal;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Oid kInt8 = 20;

Deadline Soon() { return Deadline::In(absl::Minutes(1)); }

std::string At(uint16_t port, std::string_view more = "") {
  return absl::StrCat("host=127.0.0.1 dbname=postgres user=postgres port=", port, " ", std::string(more));
}

absl::StatusOr<std::unique_ptr<Connection>> Connect(const std::string& connection, const StopSignal* stop = nullptr) {
  return Connection::Connect({.connection = connection, .application_name = "northwind test"}, stop);
}

std::string ValueOf(Connection& connection, const std::string& sql) {
  absl::StatusOr<Result> result = connection.Execute("test", sql, Soon());
  return result.ok() ? std::string(result->Value(0, 0)) : result.status().ToString();
}

TEST(Connection, SetsWhatTheStringDoesNot) {
  NW_ASSERT_OK_AND_ASSIGN(const auto connection,
                          Connection::Connect({.connection = PostgresServer::Shared().TcpConnection(),
                                               .application_name = "northwind test",
                                               .statement_timeout = absl::Seconds(7)},
                                              nullptr));
  EXPECT_EQ(ValueOf(*connection, "SHOW application_name"), "northwind test");
  EXPECT_EQ(ValueOf(*connection, "SHOW statement_timeout"), "7s");
  EXPECT_EQ(ValueOf(*connection, "SHOW client_encoding"), "UTF8");
  EXPECT_GE(connection->server_version(), 150000);
  EXPECT_EQ(connection->Peer(), absl::StrCat("127.0.0.1:", PostgresServer::Shared().port()));
  NW_ASSERT_OK_AND_ASSIGN(const auto named, Connect(PostgresServer::Shared().Connection() + " application_name=mine"));
  EXPECT_EQ(ValueOf(*named, "SHOW application_name"), "mine");
}

TEST(Connection, SendsParametersAsTextAndBinaryAndNull) {
  NW_ASSERT_OK_AND_ASSIGN(const auto connection, Connect(PostgresServer::Shared().Connection()));
  const std::string text = "it's \"text\"; DROP TABLE x";
  const std::string eight("\0\0\0\0\0\0\1\2", 8);
  NW_ASSERT_OK_AND_ASSIGN(
      const Result result,
      connection->Execute("test", "SELECT $1::text, $2 + 1, $3::int IS NULL",
                          {Parameter::Text(text), Parameter::Binary(eight, kInt8), Parameter::Null()}, Soon()));
  EXPECT_EQ(result.Value(0, 0), text);
  EXPECT_EQ(result.Value(0, 1), "259");
  EXPECT_EQ(result.Value(0, 2), "t");
  NW_ASSERT_OK_AND_ASSIGN(
      const Result binary,
      connection->Execute("test", "SELECT $1", {Parameter::Binary(eight, kInt8)}, Soon(), ResultFormat::kBinary));
  EXPECT_EQ(binary.Value(0, 0), eight);
  const std::string nul("a\0b", 3);
  EXPECT_THAT(connection->Execute("test", "SELECT $1::text", {Parameter::Text(nul)}, Soon()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("NUL")));
}

TEST(Connection, AnErrorOfTheServerLeavesItWhole) {
  NW_ASSERT_OK_AND_ASSIGN(const auto connection, Connect(PostgresServer::Shared().Connection()));
  const absl::Status status = connection->Execute("reading", "SELECT nothing", Soon()).status();
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reading: ERROR 42703: column \"nothing\"")));
  EXPECT_EQ(SqlStateOf(status), "42703");
  EXPECT_FALSE(connection->broken());
  EXPECT_EQ(ValueOf(*connection, "SELECT 1"), "1");
  EXPECT_THAT(connection->Execute("test", "SELECT 1; SELECT 2", Soon()), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(connection->Run("test", "SELECT 1; SELECT 1/0; SELECT 2", Soon()),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(connection->Execute("test", "", Soon()), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Connection, CopiesMoreThanFitsTheSocket) {
  NW_ASSERT_OK_AND_ASSIGN(const auto connection, Connect(PostgresServer::Shared().TcpConnection()));
  NW_ASSERT_OK_AND_ASSIGN(const Result copying,
                          connection->Run("copying", "CREATE TEMP TABLE t(v text); COPY t FROM STDIN", Soon()));
  ASSERT_EQ(copying.status(), PGRES_COPY_IN);
  const std::string row = std::string(999, 'x') + "\n";
  std::string piece;
  for (int i = 0; i < 1000; ++i) piece += row;
  for (int i = 0; i < 20; ++i) ASSERT_THAT(connection->PutCopyData("copying", piece, Soon()), IsOk());
  NW_ASSERT_OK_AND_ASSIGN(const Result copied, connection->EndCopy("copying", Soon()));
  EXPECT_EQ(copied.RowsAffected(), 20'000U);
  EXPECT_EQ(ValueOf(*connection, "SELECT count(*) FROM t"), "20000");
}

TEST(Connection, NoAnswerInTimeBreaksIt) {
  CuttingProxy proxy(PostgresServer::Shared().port());
  NW_ASSERT_OK_AND_ASSIGN(const auto connection, Connect(At(proxy.port())));
  proxy.Break(CuttingProxy::Fault::kFreeze);
  const absl::Status late = connection->Execute("asking", "SELECT 1", Deadline::In(absl::Milliseconds(50))).status();
  EXPECT_THAT(late, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("asking")));
  EXPECT_EQ(ClassOf(late), FaultClass::kPasses);
  EXPECT_TRUE(connection->broken());
  proxy.Mend();
  EXPECT_THAT(connection->Execute("asking", "SELECT 1", Soon()), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(Connection, ACutIsUnavailable) {
  CuttingProxy proxy(PostgresServer::Shared().port());
  NW_ASSERT_OK_AND_ASSIGN(const auto connection, Connect(At(proxy.port())));
  proxy.BreakAfter(CuttingProxy::Direction::kToClient, 3, CuttingProxy::Fault::kCut);
  EXPECT_THAT(connection->Execute("asking", "SELECT 1", Soon()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("asking")));
  EXPECT_TRUE(connection->broken());
  EXPECT_THAT(Connect(At(proxy.port())), IsOk());
}

TEST(Connection, AServerThatGoesSaysSo) {
  NW_ASSERT_OK_AND_ASSIGN(const auto connection, Connect(PostgresServer::Shared().TcpConnection()));
  const std::string pid = ValueOf(*connection, "SELECT pg_backend_pid()");
  // Once it has gone, what the server said before its end is all that there is.
  PostgresSession other(PostgresServer::Shared().Connection());
  EXPECT_EQ(other.Value("SELECT pg_terminate_backend(" + pid + ", 60000)"), "t");
  const absl::Status status = connection->Execute("asking", "SELECT 1", Soon()).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(connection->broken());
}

TEST(Connection, AStopEndsAWait) {
  StopSignal stop;
  NW_ASSERT_OK_AND_ASSIGN(const auto connection, Connect(PostgresServer::Shared().Connection(), &stop));
  std::thread stopper([&] {
    PostgresSession other(PostgresServer::Shared().Connection());
    while (other.Value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)'") == "0") {
    }
    stop.Set();
  });
  EXPECT_THAT(connection->Execute("sleeping", "SELECT pg_sleep(3600)", Deadline::Never()),
              StatusIs(absl::StatusCode::kCancelled));
  stopper.join();
  EXPECT_THAT(Connect(PostgresServer::Shared().Connection(), &stop), StatusIs(absl::StatusCode::kCancelled));
  stop.Clear();
  EXPECT_THAT(Connect(PostgresServer::Shared().Connection(), &stop), IsOk());
}

TEST(Connection, AStopEndsTheMakingOfOne) {
  CuttingProxy proxy(PostgresServer::Shared().port());
  proxy.Break(CuttingProxy::Fault::kFreeze);
  StopSignal stop;
  std::thread stopper([&] {
    while (proxy.connections() == 0) std::this_thread::yield();
    stop.Set();
  });
  EXPECT_THAT(Connect(At(proxy.port()), &stop), StatusIs(absl::StatusCode::kCancelled));
  stopper.join();
}

TEST(Connection, AHostThatSaysNothingIsPassedOver) {
  CuttingProxy silent(PostgresServer::Shared().port());
  silent.Break(CuttingProxy::Fault::kFreeze);
  const std::string hosts =
      absl::StrCat("host=127.0.0.1,127.0.0.1 port=", silent.port(), ",", PostgresServer::Shared().port(),
                   " dbname=postgres user=postgres connect_timeout=2");
  NW_ASSERT_OK_AND_ASSIGN(const auto connection, Connect(hosts));
  EXPECT_EQ(connection->Peer(), absl::StrCat("127.0.0.1:", PostgresServer::Shared().port()));
  EXPECT_THAT(
      Connect(At(silent.port(), "connect_timeout=2")),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr(absl::StrCat("127.0.0.1:", silent.port(), ": no answer"))));
}

TEST(Connection, WhoMayNotConnectIsToldWhy) {
  const std::string secret = "swordfish";
  PostgresServer server({.tcp = true, .hba = {"host all guarded 127.0.0.1/32 scram-sha-256"}});
  PostgresSession(server.Connection()).Run("CREATE ROLE guarded LOGIN PASSWORD 'other'");
  const std::string guarded =
      absl::StrCat("host=127.0.0.1 port=", server.port(), " dbname=postgres user=guarded password=");
  const absl::Status denied = Connect(guarded + secret).status();
  EXPECT_THAT(denied, StatusIs(absl::StatusCode::kPermissionDenied, AllOf(HasSubstr("28P01"), Not(HasSubstr(secret)))));
  EXPECT_EQ(SqlStateOf(denied), "28P01");
  EXPECT_THAT(Connect(guarded + "other"), IsOk());
  const absl::Status unknown = Connect(server.TcpConnection("nowhere")).status();
  EXPECT_THAT(unknown, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("3D000")));
  EXPECT_THAT(Connect("host=127.0.0.1 port=1 dbname=postgres password=" + secret),
              StatusIs(absl::StatusCode::kUnavailable, Not(HasSubstr(secret))));
}

TEST(Connection, AServerThatDoesNotTakeWritesIsNotForTheOneThatWrites) {
  PostgresServer& server = PostgresServer::Shared();
  const std::string name = server.MakeDatabase();
  PostgresSession(server.Connection()).Run("ALTER DATABASE " + name + " SET default_transaction_read_only = on");
  EXPECT_THAT(Connection::Connect({.connection = server.Connection(name), .read_write = true}, nullptr),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("read-only")));
  EXPECT_THAT(Connection::Connect({.connection = server.Connection(name)}, nullptr), IsOk());
  EXPECT_THAT(Connection::Connect(
                  {.connection = server.Connection(name) + " target_session_attrs=any", .read_write = true}, nullptr),
              IsOk());
}

}  // namespace
}  // namespace northwind::testing

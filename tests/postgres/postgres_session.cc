// SPDX-License-Identifier: Apache-2.0
#include "tests/postgres/postgres_session.h"

#include "northwind/status.h"

namespace northwind::testing {
namespace {

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPointer = std::unique_ptr<PGresult, Clear>;

bool IsGood(const PGresult* result) {
  return PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
}

void DropNotice(void* /*unused*/, const PGresult* /*notice*/) {}

}  // namespace

PostgresSession::PostgresSession(const std::string& connection) : connection_(PQconnectdb(connection.c_str())) {
  NW_CHECK(PQstatus(connection_.get()) == CONNECTION_OK, PQerrorMessage(connection_.get()));
  PQsetNoticeReceiver(connection_.get(), DropNotice, nullptr);
}

void PostgresSession::Run(const std::string& sql) {
  const ResultPointer result(PQexec(connection_.get(), sql.c_str()));
  NW_CHECK(IsGood(result.get()), (sql.substr(0, 200) + ": " + PQerrorMessage(connection_.get())).c_str());
}

std::vector<std::vector<std::string>> PostgresSession::Rows(const std::string& sql) {
  const ResultPointer result(PQexec(connection_.get(), sql.c_str()));
  NW_CHECK(IsGood(result.get()), (sql.substr(0, 200) + ": " + PQerrorMessage(connection_.get())).c_str());
  std::vector<std::vector<std::string>> rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    std::vector<std::string>& values = rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      const bool null = PQgetisnull(result.get(), row, column) != 0;
      values.emplace_back(null ? "NULL" : PQgetvalue(result.get(), row, column));
    }
  }
  return rows;
}

std::string PostgresSession::Value(const std::string& sql) {
  const std::vector<std::vector<std::string>> rows = Rows(sql);
  NW_CHECK(rows.size() == 1 && rows[0].size() == 1, (sql + ": not one value").c_str());
  return rows[0][0];
}

std::string PostgresSession::Refusal(const std::string& sql) {
  const ResultPointer result(PQexec(connection_.get(), sql.c_str()));
  if (IsGood(result.get())) return "00000";
  const char* const state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  return state != nullptr ? state : "lost";
}

}  // namespace northwind::testing

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_TESTS_POSTGRES_POSTGRES_SESSION_H_
#define NORTHWIND_TESTS_POSTGRES_POSTGRES_SESSION_H_

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

namespace northwind::testing {

// What a test asks of a server itself, by plain libpq: nothing of what is tested is between. Aborts where a call fails that is not to.
class PostgresSession {
 public:
  explicit PostgresSession(const std::string& connection);

  // Statements whose rows do not matter.
  void Run(const std::string& sql);
  // Rows as text; NULL is "NULL".
  std::vector<std::vector<std::string>> Rows(const std::string& sql);
  // The one value of the one row.
  std::string Value(const std::string& sql);
  // The SQLSTATE with which the server refuses it; "00000" if it does not, "lost" if the connection broke.
  std::string Refusal(const std::string& sql);
  PGconn* raw() { return connection_.get(); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Finish> connection_;
};

}  // namespace northwind::testing

#endif  // NORTHWIND_TESTS_POSTGRES_POSTGRES_SESSION_H_

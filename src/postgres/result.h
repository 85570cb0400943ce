// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_RESULT_H_
#define NORTHWIND_SRC_POSTGRES_RESULT_H_

#include <libpq-fe.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace northwind::internal::postgres {

// What libpq says, on one line and without the place in the server's source.
std::string OneLine(std::string_view text);

// What a statement brought. Values are bytes of the result: good for as long as it lives.
class Result {
 public:
  Result() = default;
  explicit Result(PGresult* result) : result_(result) {}

  // Whether there is one: libpq ends the results of a statement with none.
  explicit operator bool() const { return result_ != nullptr; }
  PGresult* get() const { return result_.get(); }
  ExecStatusType status() const { return PQresultStatus(get()); }
  // OK unless it is an error of the server, which SqlError then is: `what` says of what.
  absl::Status Check(std::string_view what) const;

  int rows() const { return PQntuples(get()); }
  int columns() const { return PQnfields(get()); }
  std::string_view ColumnName(int column) const { return PQfname(get(), column); }
  bool IsNull(int row, int column) const { return PQgetisnull(get(), row, column) != 0; }
  // Empty for NULL. Binary values may hold anything.
  std::string_view Value(int row, int column) const {
    return {PQgetvalue(get(), row, column), static_cast<size_t>(PQgetlength(get(), row, column))};
  }
  // Rows that an INSERT, UPDATE, DELETE or COPY touched; 0 of others.
  unsigned long long RowsAffected() const;

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_RESULT_H_

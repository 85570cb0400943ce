// SPDX-License-Identifier: Apache-2.0
//
// The tables of the newest version of the schema, as far as rows of them are made here: columns in the order in which values are
// given. migrations/ makes them; docs/mirror.md says what they mean. Columns that the server computes are left out.
#ifndef NORTHWIND_SRC_POSTGRES_TABLES_H_
#define NORTHWIND_SRC_POSTGRES_TABLES_H_

#include <array>
#include <string>

#include "src/postgres/rows.h"

namespace northwind::internal::postgres {

extern const Table kTransactions;
extern const Table kPostings;
extern const Table kRejections;
extern const Table kAccounts;
extern const Table kHolds;
extern const Table kPayouts;
extern const Table kPayoutEvents;

// What changes in rows that are there; the first column finds the row. A null leaves the column as it is.
extern const Table kAccountUpdates;
extern const Table kHoldUpdates;
extern const Table kPayoutUpdates;

// "sequence, recorded_at, …"
std::string ColumnList(const Table& table);
// INSERT INTO table (…) SELECT * FROM unnest($1::int8[], …)
std::string InsertSql(const Table& table);
// COPY table (…) FROM STDIN (FORMAT binary)
std::string CopySql(const Table& table);
// UPDATE … FROM unnest(…), and fails unless it found every row; for the three above.
std::string UpdateSql(const Table& updates);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_TABLES_H_

// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/tables.h"

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal::postgres {
namespace {

using enum ColumnType;

constexpr Column kTransactionColumns[] = {
    {"sequence", kInt8},
    {"recorded_at", kTimestamp},
    {"key", kUuid},
    {"target_sequence", kInt8},
    {"effective_at", kTimestamp},
    {"expires_at", kTimestamp},
    {"code", kInt4},
    {"unique_reference", kBool},
    {"final_capture", kBool},
    {"kind", kText},
    {"reference", kText},
    {"event_type", kText},
    {"merchant_id", kText},
    {"released", kNumeric},
    {"metadata", kBytea},
};
constexpr Column kPostingColumns[] = {
    {"sequence", kInt8}, {"entry", kInt4},     {"recorded_at", kTimestamp}, {"account_id", kInt8},
    {"kind", kText},     {"amount", kNumeric}, {"posted", kNumeric},        {"available", kNumeric},
};
constexpr Column kRejectionColumns[] = {
    {"sequence", kInt8},
    {"recorded_at", kTimestamp},
    {"key", kUuid},
    {"effective_at", kTimestamp},
    {"debit_account_id", kInt8},
    {"credit_account_id", kInt8},
    {"code", kInt4},
    {"postings", kInt4},
    {"kind", kText},
    {"reason", kText},
    {"reference", kText},
    {"event_type", kText},
    {"merchant_id", kText},
    {"asset", kText},
    {"amount", kNumeric},
    {"target_key", kUuid},
    {"target_code", kInt4},
    {"target_reference", kText},
    {"metadata", kBytea},
};
constexpr Column kAccountColumns[] = {
    {"account_id", kInt8},
    {"opened_sequence", kInt8},
    {"opened_at", kTimestamp},
    {"updated_sequence", kInt8},
    {"updated_at", kTimestamp},
    {"external", kBool},
    {"name", kText},
    {"asset", kText},
    {"merchant_id", kText},
    {"state", kText},
    {"min_available", kNumeric},
    {"debits_posted", kNumeric},
    {"credits_posted", kNumeric},
    {"debits_held", kNumeric},
    {"credits_held", kNumeric},
};
constexpr Column kHoldColumns[] = {
    {"sequence", kInt8},
    {"recorded_at", kTimestamp},
    {"key", kUuid},
    {"debit_account_id", kInt8},
    {"credit_account_id", kInt8},
    {"expires_at", kTimestamp},
    {"resolved_sequence", kInt8},
    {"resolved_at", kTimestamp},
    {"code", kInt4},
    {"reference", kText},
    {"event_type", kText},
    {"merchant_id", kText},
    {"asset", kText},
    {"state", kText},
    {"amount", kNumeric},
    {"captured", kNumeric},
    {"released", kNumeric},
};
constexpr Column kPayoutColumns[] = {
    {"payout_id", kText},
    {"hold_sequence", kInt8},
    {"requested_at", kTimestamp},
    {"settled_at", kTimestamp},
    {"updated_sequence", kInt8},
    {"merchant_id", kText},
    {"asset", kText},
    {"state", kText},
    {"amount", kNumeric},
    {"paid", kNumeric},
    {"returned", kNumeric},
};
constexpr Column kPayoutEventColumns[] = {
    {"sequence", kInt8}, {"recorded_at", kTimestamp}, {"payout_id", kText}, {"event_type", kText},
    {"state", kText},    {"amount", kNumeric},
};
constexpr Column kAccountUpdateColumns[] = {
    {"account_id", kInt8},       {"updated_sequence", kInt8}, {"updated_at", kTimestamp},   {"state", kText},
    {"min_available", kNumeric}, {"debits_posted", kNumeric}, {"credits_posted", kNumeric}, {"debits_held", kNumeric},
    {"credits_held", kNumeric},
};
// Sums of the batch, and the last that happened: if nothing remains, that is what resolved the hold.
constexpr Column kHoldUpdateColumns[] = {
    {"sequence", kInt8},      {"captured", kNumeric},  {"released", kNumeric},
    {"last_sequence", kInt8}, {"last_at", kTimestamp}, {"ending", kText},
};
// Sums of the batch likewise.
constexpr Column kPayoutUpdateColumns[] = {
    {"hold_sequence", kInt8}, {"updated_sequence", kInt8}, {"settled_at", kTimestamp},
    {"state", kText},         {"paid", kNumeric},          {"returned", kNumeric},
};

// The rows of the parameters: SELECT unnest($1::int8[]) AS sequence, … As columns and not in FROM, where all would be put by before
// the first is used.
std::string SelectArrays(const Table& table) {
  std::string text;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const Column& column = table.columns[i];
    absl::StrAppend(&text, i == 0 ? "SELECT" : ",", " unnest($", i + 1, "::", ToAbsl(SqlName(column.type)), "[]) AS ",
                    ToAbsl(column.name));
  }
  return text;
}

std::string AssignmentsOf(const Table& updates) {
  if (&updates == &kAccountUpdates) {
    return "updated_sequence = u.updated_sequence, updated_at = u.updated_at, state = coalesce(u.state, t.state), "
           "min_available = coalesce(u.min_available, t.min_available), debits_posted = u.debits_posted, "
           "credits_posted = u.credits_posted, debits_held = u.debits_held, credits_held = u.credits_held";
  }
  if (&updates == &kHoldUpdates) {
    const absl::string_view resolved = "CASE WHEN t.remaining = u.captured + u.released THEN ";
    return absl::StrCat("captured = t.captured + u.captured, released = t.released + u.released, resolved_sequence = ",
                        resolved, "u.last_sequence END, resolved_at = ", resolved, "u.last_at END, state = ", resolved,
                        "u.ending ELSE 'open' END");
  }
  NW_CHECK(&updates == &kPayoutUpdates, "not a table of updates");
  return "updated_sequence = u.updated_sequence, settled_at = u.settled_at, state = u.state, "
         "paid = t.paid + u.paid, returned = t.returned + u.returned";
}

}  // namespace

const Table kTransactions{.name = "transactions", .columns = kTransactionColumns};
const Table kPostings{.name = "postings", .columns = kPostingColumns, .key = 2};
const Table kRejections{.name = "rejections", .columns = kRejectionColumns};
const Table kAccounts{.name = "accounts", .columns = kAccountColumns};
const Table kHolds{.name = "holds", .columns = kHoldColumns};
const Table kPayouts{.name = "payouts", .columns = kPayoutColumns};
const Table kPayoutEvents{.name = "payout_events", .columns = kPayoutEventColumns};
const Table kAccountUpdates{.name = "accounts", .columns = kAccountUpdateColumns};
const Table kHoldUpdates{.name = "holds", .columns = kHoldUpdateColumns};
const Table kPayoutUpdates{.name = "payouts", .columns = kPayoutUpdateColumns};

std::string ColumnList(const Table& table) {
  std::string text;
  for (const Column& column : table.columns) absl::StrAppend(&text, text.empty() ? "" : ", ", ToAbsl(column.name));
  return text;
}

std::string InsertSql(const Table& table) {
  return absl::StrCat("INSERT INTO ", ToAbsl(table.name), " (", ColumnList(table), ") ", SelectArrays(table));
}

std::string CopySql(const Table& table) {
  return absl::StrCat("COPY ", ToAbsl(table.name), " (", ColumnList(table), ") FROM STDIN (FORMAT binary)");
}

std::string UpdateSql(const Table& updates) {
  const absl::string_view name = ToAbsl(updates.name), key = ToAbsl(updates.columns.front().name);
  return absl::StrCat("WITH done AS (UPDATE ", name, " t SET ", AssignmentsOf(updates), " FROM (",
                      SelectArrays(updates), ") u WHERE t.", key, " = u.", key, " RETURNING 1) SELECT expect_rows('",
                      name, "', (SELECT count(*) FROM done), cardinality($1))");
}

}  // namespace northwind::internal::postgres

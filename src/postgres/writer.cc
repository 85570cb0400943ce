// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/writer.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "src/base/error.h"
#include "src/postgres/binary_format.h"
#include "src/postgres/sqlstate.h"

namespace northwind::internal::postgres {
namespace {

const char kBegin[] = "nw_begin";
const char kCommit[] = "nw_commit";
const char kAdvance[] = "nw_advance";
const char kEnsureMonth[] = "nw_ensure_month";

constexpr Oid kInt8Oid = 20;
constexpr Oid kByteaOid = 17;
constexpr Oid kUuidOid = 2950;
constexpr Oid kTimestampOid = 1184;

std::string InsertName(const Table& table) { return absl::StrCat("nw_insert_", ToAbsl(table.name)); }
std::string UpdateName(const Table& updates) { return absl::StrCat("nw_update_", ToAbsl(updates.name)); }

constexpr const Table* kInserted[] = {&kAccounts, &kTransactions, &kPostings,    &kRejections,
                                      &kHolds,    &kPayouts,      &kPayoutEvents};
constexpr const Table* kUpdated[] = {&kAccountUpdates, &kHoldUpdates, &kPayoutUpdates};

std::vector<const Rows*> InsertedRows(const Batch& batch) {
  return {&batch.accounts, &batch.transactions, &batch.postings,     &batch.rejections,
          &batch.holds,    &batch.payouts,      &batch.payout_events};
}
std::vector<const Rows*> UpdatedRows(const Batch& batch) {
  return {&batch.account_updates, &batch.hold_updates, &batch.payout_updates};
}

// The bytes of parameters that are no arrays: fields without their lengths.
class Scalars {
 public:
  void Int8(int64_t value) {
    Add(kInt8Oid, [&](std::string& out) { PutInt8(out, value); });
  }
  void Timestamp(absl::Time value) {
    Add(kTimestampOid, [&](std::string& out) { PutTimestamp(out, value); });
  }
  void Bytes(Oid type, std::string_view value) {
    Add(type, [&](std::string& out) { PutBytes(out, value); });
  }
  std::vector<Parameter> Parameters() const {
    std::vector<Parameter> parameters;
    for (const auto& [type, field] : fields_) {
      parameters.push_back(Parameter::Binary(std::string_view(field).substr(4), type));
    }
    return parameters;
  }

 private:
  template <typename Put>
  void Add(Oid type, const Put& put) {
    put(fields_.emplace_back(type, std::string()).second);
  }
  std::vector<std::pair<Oid, std::string>> fields_;
};

Scalars AdvanceParameters(const Batch& batch, int64_t epoch, const std::string& ledger_id, const Hash256& hash) {
  Scalars scalars;
  scalars.Int8(static_cast<int64_t>(batch.after.value()));
  scalars.Int8(epoch);
  scalars.Bytes(kUuidOid, ledger_id);
  scalars.Int8(static_cast<int64_t>(batch.last.value()));
  scalars.Bytes(kByteaOid, {reinterpret_cast<const char*>(hash.data()), hash.size()});
  scalars.Timestamp(batch.last_at);
  return scalars;
}

std::vector<std::string> ArraysOf(const Rows& rows) {
  std::vector<std::string> arrays;
  for (size_t i = 0; i < rows.table().columns.size(); ++i) arrays.push_back(rows.Array(i));
  return arrays;
}

std::vector<Parameter> ParametersOf(const std::vector<std::string>& arrays, const Table& table) {
  std::vector<Parameter> parameters;
  for (size_t i = 0; i < arrays.size(); ++i) {
    parameters.push_back(Parameter::Binary(arrays[i], ArrayOid(table.columns[i].type)));
  }
  return parameters;
}

absl::Status NotCommitted() { return Error(absl::StatusCode::kInternal, "mirror: a batch that was not committed"); }

std::string MonthOf(absl::Time at) { return absl::FormatTime("%Y-%m", at, absl::UTCTimeZone()); }

}  // namespace

absl::Status Writer::Prepare(Deadline deadline) {
  constexpr std::string_view kWhat = "mirror: preparing";
  // The plans must not depend on what the tables were like when they were made: rows of updates are found by their keys, always.
  NW_RETURN_IF_ERROR(
      connection_
          .Run(kWhat,
               "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; "
               "SET plan_cache_mode = force_generic_plan",
               deadline)
          .status());
  const std::pair<std::string, std::string> statements[] = {
      {kBegin, "BEGIN"},
      {kCommit, "COMMIT"},
      {kAdvance, "SELECT advance($1, $2, $3, $4, $5, $6)"},
      {kEnsureMonth, "SELECT ensure_month($1)"},
  };
  for (const auto& [name, sql] : statements) NW_RETURN_IF_ERROR(connection_.Prepare(kWhat, name, sql, {}, deadline));
  for (const Table* table : kInserted) {
    NW_RETURN_IF_ERROR(connection_.Prepare(kWhat, InsertName(*table), InsertSql(*table), {}, deadline));
  }
  for (const Table* table : kUpdated) {
    NW_RETURN_IF_ERROR(connection_.Prepare(kWhat, UpdateName(*table), UpdateSql(*table), {}, deadline));
  }
  return absl::OkStatus();
}

absl::Status Writer::Libpq() const {
  return Error(absl::StatusCode::kUnavailable, "mirror: sending a batch: ", PQerrorMessage(connection_.raw()));
}

// ---- In one go ----------------------------------------------------------------------------------------------

absl::Status Writer::Queue(const std::string& statement, absl::Span<const Parameter> parameters) {
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const Parameter& parameter : parameters) {
    values.push_back(parameter.data);
    lengths.push_back(static_cast<int>(parameter.size));
    formats.push_back(1);
  }
  const int sent = PQsendQueryPrepared(connection_.raw(), statement.c_str(), static_cast<int>(values.size()),
                                       values.data(), lengths.data(), formats.data(), /*resultFormat=*/1);
  return sent == 1 ? absl::OkStatus() : Libpq();
}

absl::Status Writer::QueueRows(const Rows& rows, const std::string& statement) {
  if (rows.empty()) return absl::OkStatus();
  const std::vector<std::string> arrays = ArraysOf(rows);
  return Queue(statement, ParametersOf(arrays, rows.table()));
}

absl::Status Writer::EnterPipeline() {
  if (PQpipelineStatus(connection_.raw()) != PQ_PIPELINE_OFF) return absl::OkStatus();
  return PQenterPipelineMode(connection_.raw()) == 1 ? absl::OkStatus() : Libpq();
}

absl::Status Writer::Send(const Batch& batch, const Hash256& block_hash, Deadline deadline) {
  NW_RETURN_IF_ERROR(EnterPipeline());
  NW_RETURN_IF_ERROR(Queue(kBegin, {}));
  NW_RETURN_IF_ERROR(Queue(kAdvance, AdvanceParameters(batch, epoch_, ledger_id_, block_hash).Parameters()));
  for (const absl::Time month : batch.months) {
    if (!months_.insert(MonthOf(month)).second) continue;
    Scalars scalars;
    scalars.Timestamp(month);
    NW_RETURN_IF_ERROR(Queue(kEnsureMonth, scalars.Parameters()));
  }
  for (const Rows* rows : InsertedRows(batch)) NW_RETURN_IF_ERROR(QueueRows(*rows, InsertName(rows->table())));
  return SendRest(batch, deadline);
}

absl::Status Writer::SendRest(const Batch& batch, Deadline deadline) {
  NW_RETURN_IF_ERROR(EnterPipeline());
  for (const Rows* rows : UpdatedRows(batch)) NW_RETURN_IF_ERROR(QueueRows(*rows, UpdateName(rows->table())));
  NW_RETURN_IF_ERROR(Queue(kCommit, {}));
  if (PQpipelineSync(connection_.raw()) != 1) return Libpq();
  ambiguous_ = true;
  // To the end: the server would wait for the rest of it while the next batch is made.
  return connection_.Flush("mirror: a batch", deadline);
}

absl::Status Writer::Await(Deadline deadline) {
  constexpr std::string_view kWhat = "mirror: a batch";
  absl::Status first_error;
  bool committed = false;
  for (bool between = false;;) {
    NW_ASSIGN_OR_RETURN(const Result result, connection_.NextResult(kWhat, deadline));
    if (!result) {
      if (std::exchange(between, true)) return Error(absl::StatusCode::kInternal, "mirror: a batch without an end");
      continue;
    }
    between = false;
    if (result.status() == PGRES_PIPELINE_SYNC) break;
    first_error.Update(result.Check(kWhat));
    committed = std::string_view(PQcmdStatus(result.get())) == "COMMIT";
  }
  // The server has spoken: either way there is no doubt.
  if (!first_error.ok()) {
    ambiguous_ = SqlStateOf(first_error).empty();
    return first_error;
  }
  ambiguous_ = false;
  return committed ? absl::OkStatus() : NotCommitted();
}

// ---- By COPY ------------------------------------------------------------------------------------------------

absl::Status Writer::CopyRows(const Rows& rows, Deadline deadline) {
  if (rows.empty()) return absl::OkStatus();
  const std::string what = absl::StrCat("mirror: COPY ", ToAbsl(rows.table().name));
  NW_RETURN_IF_ERROR(connection_.Execute(what, CopySql(rows.table()), deadline).status());
  NW_RETURN_IF_ERROR(connection_.PutCopyData(what, rows.CopyData(), deadline));
  return connection_.EndCopy(what, deadline).status();
}

absl::Status Writer::Copy(const Batch& batch, const Hash256& block_hash, Deadline deadline) {
  constexpr std::string_view kWhat = "mirror: a batch";
  if (PQpipelineStatus(connection_.raw()) != PQ_PIPELINE_OFF && PQexitPipelineMode(connection_.raw()) != 1)
    return Libpq();
  NW_RETURN_IF_ERROR(connection_.ExecutePrepared(kWhat, kBegin, {}, deadline).status());
  const Scalars advance = AdvanceParameters(batch, epoch_, ledger_id_, block_hash);
  NW_RETURN_IF_ERROR(connection_.ExecutePrepared(kWhat, kAdvance, advance.Parameters(), deadline).status());
  for (const absl::Time month : batch.months) {
    if (!months_.insert(MonthOf(month)).second) continue;
    Scalars scalars;
    scalars.Timestamp(month);
    NW_RETURN_IF_ERROR(connection_.ExecutePrepared(kWhat, kEnsureMonth, scalars.Parameters(), deadline).status());
  }
  for (const Rows* rows : InsertedRows(batch)) NW_RETURN_IF_ERROR(CopyRows(*rows, deadline));
  return SendRest(batch, deadline);
}

}  // namespace northwind::internal::postgres

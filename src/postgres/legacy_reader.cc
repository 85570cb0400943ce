// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "northwind/interrupt.h"
#include "northwind/postgres.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/postgres/connection.h"
#include "src/postgres/legacy_cursor.h"
#include "src/postgres/legacy_query.h"
#include "src/postgres/legacy_records.h"
#include "src/postgres/sqlstate.h"

namespace northwind {

using internal::Error;
using internal::ToAbsl;
using internal::postgres::Connection;
using internal::postgres::Deadline;
using internal::postgres::LegacyPosition;
using internal::postgres::Parameter;
using internal::postgres::Result;

namespace {

constexpr char kWhat[] = "reading the legacy schema";
constexpr size_t kMaxKnownQueries = 1024;  // of which a reader remembers something

// One moment, no writes, and values as text that reads back the same whatever the server's settings. A reader waits as long as it
// likes between pages.
constexpr char kBegin[] =
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
    "SET LOCAL DateStyle = 'ISO, YMD';"
    "SET LOCAL IntervalStyle = 'iso_8601';"
    "SET LOCAL TimeZone = 'UTC';"
    "SET LOCAL bytea_output = 'hex';"
    "SET LOCAL extra_float_digits = 1;"
    "SET LOCAL client_encoding = 'UTF8';"
    "SET LOCAL idle_in_transaction_session_timeout = 0;"
    // What was committed before this is in the snapshot, which this query takes.
    "SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint";

// What the server refuses of a query is an error in the query, unless it passes or is the server's own.
absl::Status AsReaderStatus(const absl::Status& status) {
  const std::string sqlstate = internal::postgres::SqlStateOf(status);
  const auto with_code = [&](absl::StatusCode code) { return absl::Status(code, status.message()); };
  if (sqlstate.empty()) return status;
  if (sqlstate == "25006") return with_code(absl::StatusCode::kInvalidArgument);  // it writes
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:  // a standby that had to take the snapshot away
      return with_code(absl::StatusCode::kUnavailable);
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kPermissionDenied:
      return with_code(status.code());
    default:
      return with_code(sqlstate.starts_with("XX") || sqlstate.starts_with("58") ? absl::StatusCode::kInternal
                                                                                : absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace

class LegacyReader::Core {
 public:
  Core(std::unique_ptr<Connection> connection, const LegacyOptions& options, absl::Time snapshot_at)
      : connection_(std::move(connection)), options_(options), snapshot_at_(snapshot_at) {}

  static absl::StatusOr<std::unique_ptr<Core>> Open(const LegacyOptions& options);
  absl::Time snapshot_at() const { return snapshot_at_; }
  absl::StatusOr<LegacyPage> Read(const LegacyQuery& query, std::string_view after);

 private:
  // Within a savepoint.
  absl::StatusOr<LegacyPage> ReadPage(const LegacyQuery& query, const std::vector<std::string>& after);
  // The types of the key's columns, as they follow in the key.
  absl::StatusOr<std::vector<Oid>> KeyTypes(const LegacyQuery& query, Deadline deadline) const;
  absl::Status CheckNoNullKey(const LegacyQuery& query, Deadline deadline);
  absl::StatusOr<LegacyPage> PageOf(const LegacyQuery& query, const Result& result) const;
  Deadline Limit() const { return Deadline::In(options_.statement_timeout); }

  const std::unique_ptr<Connection> connection_;
  const LegacyOptions options_;
  const absl::Time snapshot_at_;
  // Queries, as SQL, of which is known that no key is null: in this snapshot that stays so.
  std::unordered_set<std::string> without_null_keys_;
};

absl::StatusOr<std::unique_ptr<LegacyReader::Core>> LegacyReader::Core::Open(const LegacyOptions& options) {
  if (options.page < 1 || options.page > kMaxLegacyPage) {
    return Error(absl::StatusCode::kInvalidArgument, "page: 1 to ", kMaxLegacyPage, " rows, not ", options.page);
  }
  if (options.statement_timeout <= absl::ZeroDuration())
    return absl::InvalidArgumentError("statement_timeout: not positive");
  auto connection = Connection::Connect({.connection = options.connection,
                                         .application_name = "northwind legacy reader",
                                         .statement_timeout = options.statement_timeout},
                                        nullptr);
  if (!connection.ok()) return AsReaderStatus(connection.status());
  const absl::StatusOr<Result> begun = (*connection)->Run(kWhat, kBegin, Deadline::In(options.statement_timeout));
  if (!begun.ok()) return AsReaderStatus(begun.status());
  int64_t micros = 0;
  if (!absl::SimpleAtoi(ToAbsl(begun->Value(0, 0)), &micros))
    return absl::InternalError("the server's clock is unreadable");
  return std::make_unique<Core>(*std::move(connection), options, absl::FromUnixMicros(micros));
}

absl::StatusOr<LegacyPage> LegacyReader::Core::Read(const LegacyQuery& query, std::string_view after) {
  NW_RETURN_IF_ERROR(internal::postgres::CheckLegacyQuery(query));
  std::vector<std::string> key;
  if (!after.empty()) {
    NW_ASSIGN_OR_RETURN(key, internal::postgres::DecodeLegacyCursor(query, after));
  }
  NW_RETURN_IF_ERROR(internal::CheckInterrupted());
  // An error ends no more than the page, and no setting that a query makes lasts longer.
  const absl::StatusOr<Result> begun = connection_->Execute(kWhat, "SAVEPOINT page", Limit());
  if (!begun.ok()) {
    if (absl::IsCancelled(begun.status())) connection_->Abandon();  // who knows whether it stands
    return AsReaderStatus(begun.status());
  }
  absl::StatusOr<LegacyPage> page = ReadPage(query, key);
  if (!connection_->broken()) {
    const InterruptScope to_the_end(nullptr);
    const absl::StatusOr<Result> ended = connection_->Run(kWhat, "ROLLBACK TO page; RELEASE page", Limit());
    if (page.ok() && !ended.ok()) return AsReaderStatus(ended.status());
  }
  if (!page.ok()) return AsReaderStatus(page.status());
  return page;
}

absl::StatusOr<LegacyPage> LegacyReader::Core::ReadPage(const LegacyQuery& query,
                                                        const std::vector<std::string>& after) {
  const Deadline deadline = Limit();
  NW_ASSIGN_OR_RETURN(const std::vector<Oid> types, KeyTypes(query, deadline));
  NW_RETURN_IF_ERROR(CheckNoNullKey(query, deadline));
  std::vector<Parameter> parameters;
  for (size_t i = 0; i < after.size(); ++i) parameters.push_back(Parameter::Text(after[i], types[i]));
  const LegacyPosition position = after.empty() ? LegacyPosition::kBegin : LegacyPosition::kAfter;
  NW_ASSIGN_OR_RETURN(const Result result,
                      connection_->Execute(kWhat, internal::postgres::LegacyPageSql(query, position, options_.page),
                                           parameters, deadline));
  return PageOf(query, result);
}

absl::StatusOr<std::vector<Oid>> LegacyReader::Core::KeyTypes(const LegacyQuery& query, Deadline deadline) const {
  NW_RETURN_IF_ERROR(connection_->Prepare(kWhat, "", internal::postgres::LegacyDescriptionSql(query), {}, deadline));
  NW_ASSIGN_OR_RETURN(const Result described, connection_->DescribePrepared(kWhat, "", deadline));
  if (PQnparams(described.get()) != 0) return absl::InvalidArgumentError("legacy query: it has parameters");
  std::vector<Oid> types;
  for (const std::string& name : query.key) {
    int found = 0;
    for (int column = 0; column < described.columns(); ++column) {
      if (described.ColumnName(column) != name) continue;
      ++found;
      types.push_back(PQftype(described.get(), column));
    }
    if (found != 1) {
      return Error(absl::StatusCode::kInvalidArgument, "legacy query: the result has ",
                   found == 0 ? "no column " : "two columns ", name);
    }
  }
  return types;
}

absl::Status LegacyReader::Core::CheckNoNullKey(const LegacyQuery& query, Deadline deadline) {
  const std::string sql = internal::postgres::LegacyNullKeySql(query);
  if (without_null_keys_.contains(sql)) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const Result nulls, connection_->Execute(kWhat, sql, deadline));
  if (nulls.rows() > 0) return absl::InvalidArgumentError("legacy query: there is a row whose key is null");
  if (without_null_keys_.size() >= kMaxKnownQueries) without_null_keys_.clear();
  without_null_keys_.insert(sql);
  return absl::OkStatus();
}

absl::StatusOr<LegacyPage> LegacyReader::Core::PageOf(const LegacyQuery& query, const Result& result) const {
  LegacyPage page;
  const int columns = result.columns() - 1;  // the last says whether the key is that of the row before
  for (int column = 0; column < columns; ++column) page.columns.emplace_back(result.ColumnName(column));
  const auto key_of = [&](int row) {
    std::vector<std::string> key;
    for (const std::string& name : query.key) {
      const auto column = std::find(page.columns.begin(), page.columns.end(), name) - page.columns.begin();
      key.emplace_back(result.Value(row, static_cast<int>(column)));
    }
    return key;
  };
  // The row beyond the page is looked at too: its key would otherwise pass unseen.
  for (int row = 0; row < result.rows(); ++row) {
    if (result.Value(row, columns) != "t") continue;
    std::string cited;
    for (const std::string& value : key_of(row))
      absl::StrAppend(&cited, cited.empty() ? "" : ", ", value.substr(0, 64));
    return Error(absl::StatusCode::kInvalidArgument, "legacy query: two rows have the key (", cited, ")");
  }
  const int rows = std::min(result.rows(), static_cast<int>(options_.page));
  page.rows.reserve(static_cast<size_t>(rows));
  for (int row = 0; row < rows; ++row) {
    LegacyRow& values = page.rows.emplace_back();
    values.reserve(static_cast<size_t>(columns));
    for (int column = 0; column < columns; ++column) {
      if (result.IsNull(row, column)) {
        values.emplace_back(std::nullopt);
      } else {
        values.emplace_back(result.Value(row, column));
      }
    }
  }
  if (result.rows() > rows) page.next = internal::postgres::EncodeLegacyCursor(query, key_of(rows - 1));
  return page;
}

LegacyReader::LegacyReader(std::unique_ptr<Core> core) : core_(std::move(core)) {}
LegacyReader::~LegacyReader() = default;

absl::StatusOr<std::unique_ptr<LegacyReader>> LegacyReader::Open(const LegacyOptions& options) {
  NW_ASSIGN_OR_RETURN(std::unique_ptr<Core> core, Core::Open(options));
  return std::unique_ptr<LegacyReader>(new LegacyReader(std::move(core)));
}

absl::Time LegacyReader::snapshot_at() const { return core_->snapshot_at(); }

absl::StatusOr<LegacyPage> LegacyReader::Read(const LegacyQuery& query, std::string_view after) {
  return core_->Read(query, after);
}

absl::StatusOr<LegacyRecords<LegacyMerchant>> LegacyReader::ReadMerchants(const LegacyQuery& query,
                                                                          std::string_view after) {
  NW_ASSIGN_OR_RETURN(LegacyPage page, Read(query, after));
  NW_ASSIGN_OR_RETURN(std::vector<LegacyMerchant> merchants, internal::postgres::MerchantsOf(query, page));
  return LegacyRecords<LegacyMerchant>{.records = std::move(merchants), .next = std::move(page.next)};
}

absl::StatusOr<LegacyRecords<LegacyBalance>> LegacyReader::ReadBalances(const LegacyQuery& query,
                                                                        std::string_view after) {
  NW_ASSIGN_OR_RETURN(LegacyPage page, Read(query, after));
  NW_ASSIGN_OR_RETURN(std::vector<LegacyBalance> balances, internal::postgres::BalancesOf(query, page));
  return LegacyRecords<LegacyBalance>{.records = std::move(balances), .next = std::move(page.next)};
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/audit.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "src/base/error.h"
#include "src/postgres/account_rows.h"
#include "src/postgres/binary_format.h"
#include "src/postgres/field_text.h"
#include "src/postgres/migration.h"
#include "src/postgres/record_batches.h"
#include "src/postgres/session.h"
#include "src/postgres/table_audit.h"
#include "src/postgres/unfinished_rows.h"
#include "src/postgres/watermark.h"

namespace northwind::internal::postgres {
namespace {

// The planner is to read tables by their indexes, in order, and not to sort them. Between two rows lies what the ledger has to say, and
// what `progress` does: that is not idleness.
constexpr char kSettings[] = "SET enable_sort = off; SET jit = off; SET idle_in_transaction_session_timeout = 0";

// Partitions that ensure_month could not have made as they are.
constexpr char kStrangePartitions[] =
    "SELECT p.relname, c.relname, pg_get_expr(c.relpartbound, c.oid) "
    "FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent "
    "CROSS JOIN LATERAL regexp_match(c.relname, '_([0-9]{4,6})_(0[1-9]|1[0-2])$') m "
    "CROSS JOIN LATERAL make_timestamp(m[1]::int, m[2]::int, 1, 0, 0, 0) first "
    "WHERE p.oid IN ('transactions'::regclass, 'postings'::regclass) AND "
    "  (c.relname = p.relname || to_char(first, '_YYYY_MM') AND pg_get_expr(c.relpartbound, c.oid) = "
    "   format('FOR VALUES FROM (%L) TO (%L)', first AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE "
    "'UTC')) "
    "  IS NOT TRUE ORDER BY 1, 2";

class Auditor {
 public:
  Auditor(const Ledger& ledger, const MirrorOptions& options, Connection& connection, const Watermark& watermark,
          const std::function<bool(const AuditProgress&)>& progress)
      : ledger_(ledger), options_(options), connection_(connection), watermark_(watermark), progress_(progress) {
    report_.watermark = watermark.sequence;
  }

  absl::StatusOr<AuditReport> Run() {
    NW_RETURN_IF_ERROR(ComparePartitions());
    for (TableAudit* const table : Tables()) NW_RETURN_IF_ERROR(table->Open());
    NW_RETURN_IF_ERROR(Tell());
    NW_RETURN_IF_ERROR(CompareJournal());
    hold_rows_.CompareRest();
    payout_rows_.CompareRest();
    const auto tell = [this] { return Tell(); };
    NW_RETURN_IF_ERROR(account_rows_.Compare(watermark_.sequence, accounts_, tell));
    for (TableAudit* const table : Tables()) NW_RETURN_IF_ERROR(table->Finish(tell));
    NW_RETURN_IF_ERROR(CompareWatermark());
    return std::move(report_);
  }

 private:
  std::vector<TableAudit*> Tables() {
    return {&transactions_, &postings_, &rejections_, &payout_events_, &holds_, &payouts_, &accounts_};
  }

  absl::Status Tell() {
    if (!progress_ || progress_({.checked = checked_, .end = watermark_.sequence})) return absl::OkStatus();
    return Error(absl::StatusCode::kCancelled, "audit: cancelled at ", checked_.value());
  }

  absl::Status CompareJournal() {
    RecordBatches journal(ledger_.ReadJournal(Sequence()));
    Projection projection(ledger_, Sequence(), options_.cached_accounts);
    while (checked_ < watermark_.sequence) {
      const uint64_t left = watermark_.sequence.value() - checked_.value();
      NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> records,
                          journal.Next(std::min<uint64_t>(options_.batch, left)));
      if (records.empty()) {
        return Error(absl::StatusCode::kDataLoss, "audit: the journal ends at ", checked_.value(), ", before ",
                     watermark_.sequence.value());
      }
      NW_ASSIGN_OR_RETURN(const Batch batch, projection.Project(records));
      NW_RETURN_IF_ERROR(transactions_.Expect(batch.transactions));
      NW_RETURN_IF_ERROR(postings_.Expect(batch.postings));
      NW_RETURN_IF_ERROR(rejections_.Expect(batch.rejections));
      NW_RETURN_IF_ERROR(payout_events_.Expect(batch.payout_events));
      NW_RETURN_IF_ERROR(hold_rows_.Take(batch));
      NW_RETURN_IF_ERROR(payout_rows_.Take(batch));
      NW_RETURN_IF_ERROR(account_rows_.Take(records, batch));
      checked_ = batch.last;
      last_at_ = batch.last_at;
      NW_RETURN_IF_ERROR(Tell());
    }
    return absl::OkStatus();
  }

  // What CheckWatermark does not look at.
  absl::Status CompareWatermark() {
    NW_ASSIGN_OR_RETURN(const Result row, connection_.Execute("audit: watermark", "SELECT recorded_at FROM watermark",
                                                              {}, Timeout(), ResultFormat::kBinary));
    std::optional<std::string_view> found;
    if (row.rows() == 1 && !row.IsNull(0, 0)) found = row.Value(0, 0);
    std::string bytes;
    std::optional<std::string_view> expected;
    if (last_at_) {
      PutTimestamp(bytes, *last_at_);
      expected = std::string_view(bytes).substr(4);
    }
    std::string differences;
    if (found != expected) {
      differences = absl::StrCat("recorded_at is ", FieldText(ColumnType::kTimestamp, found), ", not ",
                                 FieldText(ColumnType::kTimestamp, expected));
    }
    if (watermark_.ledger_id.empty() && watermark_.sequence != Sequence()) {
      absl::StrAppend(&differences, differences.empty() ? "" : "; ", "ledger_id is NULL, not ",
                      FieldText(ColumnType::kUuid, IdOf(ledger_)));
    }
    if (!differences.empty()) {
      AddFinding(report_, absl::StrCat("watermark (sequence ", watermark_.sequence.value(), "): ", differences));
    }
    return absl::OkStatus();
  }

  // Which partition a row is in PostgreSQL itself sees to, by the bounds.
  absl::Status ComparePartitions() {
    NW_ASSIGN_OR_RETURN(const Result rows, connection_.Execute("audit: partitions", kStrangePartitions, Timeout()));
    for (int i = 0; i < rows.rows(); ++i) {
      AddFinding(report_, absl::StrCat(ToAbsl(rows.Value(i, 0)), ": the partition ", ToAbsl(rows.Value(i, 1)),
                                       " is not that of a month: ", ToAbsl(rows.Value(i, 2))));
    }
    return absl::OkStatus();
  }

  Deadline Timeout() const { return Deadline::In(options_.statement_timeout); }

  const Ledger& ledger_;
  const MirrorOptions& options_;
  Connection& connection_;
  const Watermark& watermark_;
  const std::function<bool(const AuditProgress&)>& progress_;
  AuditReport report_;
  Sequence checked_;
  std::optional<absl::Time> last_at_;

  const absl::Duration timeout_ = options_.statement_timeout;
  TableAudit transactions_{connection_, AuditedTable(kTransactions, {}, {0}, "sequence, recorded_at"), timeout_,
                           report_, &AuditReport::transactions};
  TableAudit postings_{connection_, AuditedTable(kPostings, {}, {0, 1}, "sequence, entry, recorded_at"), timeout_,
                       report_, &AuditReport::postings};
  TableAudit rejections_{connection_, AuditedTable(kRejections, {}, {0}, "sequence"), timeout_, report_,
                         &AuditReport::rejections};
  TableAudit payout_events_{connection_, AuditedTable(kPayoutEvents, {}, {0}, "sequence"), timeout_, report_,
                            &AuditReport::payout_events};
  TableAudit holds_{connection_, AuditedTable(kHolds, {{"remaining", ColumnType::kNumeric}}, {0}, "sequence"), timeout_,
                    report_, &AuditReport::holds};
  TableAudit payouts_{connection_, AuditedTable(kPayouts, {}, {1}, "hold_sequence"), timeout_, report_,
                      &AuditReport::payouts};
  TableAudit accounts_{connection_,
                       AuditedTable(kAccounts, {{"posted", ColumnType::kNumeric}, {"available", ColumnType::kNumeric}},
                                    {0}, "account_id"),
                       timeout_, report_, &AuditReport::accounts};
  HoldRows hold_rows_{holds_};
  PayoutRows payout_rows_{ledger_, watermark_.sequence, payouts_};
  AccountRows account_rows_{ledger_};
};

absl::StatusOr<std::unique_ptr<Connection>> Connect(const MirrorOptions& options) {
  NW_RETURN_IF_ERROR(CheckOptions(options));
  return ConnectTo(TargetOf(options), Access::kRead, nullptr);
}

// Begins a snapshot that only reads, and finds out up to where it holds this ledger's journal.
absl::StatusOr<Watermark> Begin(const Ledger& ledger, const MirrorOptions& options, Connection& connection) {
  const Deadline deadline = Deadline::In(options.statement_timeout);
  NW_RETURN_IF_ERROR(
      connection.Execute("audit: begin", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", deadline).status());
  NW_RETURN_IF_ERROR(CheckSchema(connection, MirrorHistory(), deadline));
  NW_ASSIGN_OR_RETURN(Watermark watermark, ReadWatermark(connection, /*locked=*/false, deadline));
  NW_RETURN_IF_ERROR(CheckWatermark(ledger, watermark));
  return watermark;
}

}  // namespace

absl::StatusOr<AuditReport> Audit(const Ledger& ledger, const MirrorOptions& options,
                                  const std::function<bool(const AuditProgress&)>& progress) {
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection, Connect(options));
  NW_RETURN_IF_ERROR(
      connection->Run("audit: setting up the session", kSettings, Deadline::In(options.statement_timeout)).status());
  NW_ASSIGN_OR_RETURN(const Watermark watermark, Begin(ledger, options, *connection));
  return Auditor(ledger, options, *connection, watermark, progress).Run();
}

absl::StatusOr<Sequence> AuditedWatermark(const Ledger& ledger, const MirrorOptions& options) {
  NW_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection, Connect(options));
  NW_ASSIGN_OR_RETURN(const Watermark watermark, Begin(ledger, options, *connection));
  return watermark.sequence;
}

}  // namespace northwind::internal::postgres

// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/reference_server/api/csv.h"
#include "examples/reference_server/api/merchant_book.h"
#include "examples/reference_server/api/merchant_reports.h"
#include "northwind/status.h"

namespace northwind::server {
namespace {

constexpr size_t kPiece = 500;  // entries that are written at a time

// One account's history as lines. Whoever reads slowly holds up nothing: each piece is read when it is wanted.
class StatementWriter {
 public:
  // Without an account: the header alone.
  StatementWriter(const Ledger& ledger, std::optional<MerchantAccount> account, const HistoryQuery& query)
      : ledger_(ledger), account_(std::move(account)), query_(query), head_(ledger.Head().sequence) {
    query_.limit = kPiece;
    ended_ = !account_.has_value();
  }

  absl::StatusOr<std::string> Next() {
    std::string piece;
    if (!std::exchange(begun_, true)) {
      AppendCsvLine(
          piece, {"sequence", "recorded_at", "type", "payment_id", "payout_id", "kind", "amount", "available_after"});
    }
    if (ended_) return piece;
    NW_ASSIGN_OR_RETURN(const HistoryPage page, ledger_.History(account_->id, query_));
    for (const Entry& entry : page.entries) {
      // What is recorded meanwhile is of the next statement: else one of a busy merchant would not end.
      if (entry.sequence > head_) {
        ended_ = true;
        return piece;
      }
      NW_RETURN_IF_ERROR(Append(entry, piece));
    }
    ended_ = !page.next.has_value();
    query_.cursor = page.next;
    return piece;
  }

 private:
  absl::Status Append(const Entry& entry, std::string& piece) {
    // A final capture has two entries, of one record.
    if (!record_.has_value() || record_->sequence != entry.sequence) {
      NW_ASSIGN_OR_RETURN(record_, ReadMovedRecord(ledger_, entry.sequence));
    }
    if (!record_.has_value()) return absl::DataLossError("a history names a record that moved nothing");
    const int scale = account_->asset.scale;
    const Json at = TimeJson(entry.recorded_at);
    AppendCsvLine(piece,
                  {std::to_string(entry.sequence.value()), at.get<std::string>(),
                   record_->type.has_value() ? Name(*record_->type) : "", record_->payment_id, record_->payout_id,
                   Name(entry.kind), entry.amount.ToString(scale), FormatUnits(entry.after.available(), scale)});
    return absl::OkStatus();
  }

  const Ledger& ledger_;
  const std::optional<MerchantAccount> account_;
  HistoryQuery query_;
  const Sequence head_;
  std::optional<MovedRecord> record_;
  bool begun_ = false;
  bool ended_ = false;
};

absl::StatusOr<std::shared_ptr<StatementWriter>> OpenStatement(const Ledger& ledger, const Request& request) {
  NW_ASSIGN_OR_RETURN(const ListQuery query, ReadQuery(request, {"asset", "from", "before"}));
  const std::optional<std::string> text = query.text("asset");
  if (!text.has_value()) return absl::InvalidArgumentError("asset: a statement is of one, such as USD/2");
  NW_ASSIGN_OR_RETURN(const Asset asset, Asset::Parse(*text));
  HistoryQuery history;
  NW_ASSIGN_OR_RETURN(const std::optional<absl::Time> from, query.time("from"));
  NW_ASSIGN_OR_RETURN(const std::optional<absl::Time> before, query.time("before"));
  history.from = from.value_or(absl::InfinitePast());
  history.to = before.value_or(absl::InfiniteFuture());
  NW_ASSIGN_OR_RETURN(const std::vector<MerchantAccount> accounts, AccountsOf(ledger, request.param("merchant")));
  std::optional<MerchantAccount> wanted;
  for (const MerchantAccount& account : accounts) {
    if (account.kind == kAvailable && account.asset == asset) wanted = account;
  }
  return std::make_shared<StatementWriter>(ledger, std::move(wanted), history);
}

}  // namespace

Response GetStatement(const Host& host, const Request& request) {
  absl::StatusOr<std::shared_ptr<StatementWriter>> writer = OpenStatement(*host.ledger, request);
  if (!writer.ok()) return AsResponse(FromStatus(writer.status()), request);
  Response response{.content_type = kCsvType};
  response.fields.push_back({"Content-Disposition", "attachment; filename=\"statement.csv\""});
  response.pull = [writer = *std::move(writer)] { return writer->Next(); };
  return response;
}

}  // namespace northwind::server

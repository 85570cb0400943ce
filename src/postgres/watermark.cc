// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/watermark.h"

#include "absl/strings/escaping.h"
#include "src/base/coding.h"
#include "src/base/error.h"

namespace northwind::internal::postgres {
namespace {

constexpr Oid kUuid = 2950;

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return Error(absl::StatusCode::kFailedPrecondition, "mirror: ", parts...);
}

}  // namespace

std::string IdOf(const Ledger& ledger) {
  const std::array<uint8_t, 16> id = ledger.id();
  return std::string(reinterpret_cast<const char*>(id.data()), id.size());
}

absl::StatusOr<Watermark> ReadWatermark(Connection& connection, bool locked, Deadline deadline) {
  const std::string sql = "SELECT ledger_id, sequence, block_hash, epoch FROM watermark";
  NW_ASSIGN_OR_RETURN(const Result result,
                      connection.Execute("mirror: reading the watermark", locked ? sql + " FOR UPDATE" : sql, {},
                                         deadline, ResultFormat::kBinary));
  if (result.rows() != 1) return Refused("the table watermark has ", result.rows(), " rows instead of one");
  Watermark watermark;
  watermark.ledger_id = result.Value(0, 0);
  watermark.sequence = Sequence(LoadBigEndian64(result.Value(0, 1).data()));
  watermark.block_hash = result.Value(0, 2);
  watermark.epoch = static_cast<int64_t>(LoadBigEndian64(result.Value(0, 3).data()));
  return watermark;
}

absl::Status CheckWatermark(const Ledger& ledger, const Watermark& watermark) {
  const std::string id = IdOf(ledger);
  if (!watermark.ledger_id.empty() && watermark.ledger_id != id) {
    return Refused("the database belongs to the ledger ", absl::BytesToHexString(watermark.ledger_id), ", this is ",
                   absl::BytesToHexString(id));
  }
  const Sequence head = ledger.Head().sequence;
  if (watermark.sequence > head) {
    return Refused("the database is ahead of the ledger: it holds the journal up to ", watermark.sequence.value(),
                   ", which ends at ", head.value(), ". Was an old backup restored?");
  }
  if (watermark.sequence == Sequence()) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const Head block, ledger.BlockAt(watermark.sequence));
  const std::string_view hash(reinterpret_cast<const char*>(block.hash.data()), block.hash.size());
  if (hash != watermark.block_hash) {
    return Refused("the database holds another history: the journal's block with record ", watermark.sequence.value(),
                   " has the hash ", absl::BytesToHexString(ToAbsl(hash)), ", there it had ",
                   absl::BytesToHexString(watermark.block_hash));
  }
  return absl::OkStatus();
}

absl::StatusOr<Watermark> TakeOver(Connection& connection, const Ledger& ledger, Deadline deadline) {
  constexpr std::string_view kWhat = "mirror: taking over";
  NW_RETURN_IF_ERROR(connection.Execute(kWhat, "BEGIN", deadline).status());
  NW_ASSIGN_OR_RETURN(Watermark watermark, ReadWatermark(connection, /*locked=*/true, deadline));
  NW_RETURN_IF_ERROR(CheckWatermark(ledger, watermark));
  watermark.ledger_id = IdOf(ledger);
  watermark.epoch += 1;
  const Parameter id = Parameter::Binary(watermark.ledger_id, kUuid);
  NW_RETURN_IF_ERROR(connection
                         .Execute(kWhat, "UPDATE watermark SET ledger_id = $1, epoch = epoch + 1",
                                  absl::MakeConstSpan(&id, 1), deadline)
                         .status());
  NW_RETURN_IF_ERROR(connection.Execute(kWhat, "COMMIT", deadline).status());
  return watermark;
}

}  // namespace northwind::internal::postgres

// SPDX-License-Identifier: Apache-2.0
//
// Up to where a database holds a ledger's journal, and whether it is that ledger's.
#ifndef NORTHWIND_SRC_POSTGRES_WATERMARK_H_
#define NORTHWIND_SRC_POSTGRES_WATERMARK_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/ledger.h"
#include "src/postgres/connection.h"

namespace northwind::internal::postgres {

struct Watermark {
  std::string ledger_id;  // 16 bytes; empty: bound to none
  Sequence sequence;
  std::string block_hash;  // 32 bytes; empty at 0
  int64_t epoch = 0;
};

// The ledger's id as 16 bytes.
std::string IdOf(const Ledger& ledger);

// `locked`: nobody else may move it until the transaction ends.
absl::StatusOr<Watermark> ReadWatermark(Connection& connection, bool locked, Deadline deadline);
// OK if the ledger's journal begins with what the watermark stands for. FailedPrecondition if it is another ledger's, past the ledger's
// head, or of another history.
absl::Status CheckWatermark(const Ledger& ledger, const Watermark& watermark);
// Takes the database over for this ledger: binds it if it is bound to none, and begins an epoch, in one transaction. Errors: as
// CheckWatermark, and nothing is changed then.
absl::StatusOr<Watermark> TakeOver(Connection& connection, const Ledger& ledger, Deadline deadline);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_WATERMARK_H_

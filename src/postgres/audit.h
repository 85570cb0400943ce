// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_AUDIT_H_
#define NORTHWIND_SRC_POSTGRES_AUDIT_H_

#include <functional>

#include "absl/status/statusor.h"
#include "northwind/postgres.h"

namespace northwind::internal::postgres {

// As Mirror::Audit. The journal is turned into rows once more, page by page, and each laid beside the row that PostgreSQL has, byte by byte;
// both sides come in the order of the key, and neither is kept. What changes after it was made is compared when it changes no more:
// accounts at the end.
//
// Memory, however long the journal: a page of it with its rows, some thousand rows of each table, what a Projection keeps, 64 bytes for each
// account, and some 600 for each hold that is open at a time and each payout between its request and its last return. All locks are those
// of a reader.
absl::StatusOr<AuditReport> Audit(const Ledger& ledger, const MirrorOptions& options,
                                  const std::function<bool(const AuditProgress&)>& progress);
// As Mirror::ReadWatermark: what an audit begins with, and nothing else of it.
absl::StatusOr<Sequence> AuditedWatermark(const Ledger& ledger, const MirrorOptions& options);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_AUDIT_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_AUDIT_H_
#define NORTHWIND_SRC_POSTGRES_AUDIT_H_

#include <functional>

#include "absl/status/statusor.h"
#include "northwind/postgres.h"

namespace northwind::internal::postgres {

// As Mirror::Audit. In one snapshot: transactions, postings, rejections and the events of payouts are compared, byte by byte, with what
// the journal's records are as rows; accounts with what comes of these at the end; holds and payouts, by the server, with what follows
// from the rows that have been compared. Memory: two pages, and some 200 bytes for each account.
absl::StatusOr<AuditReport> Audit(const Ledger& ledger, const MirrorOptions& options,
                                  const std::function<bool(const AuditProgress&)>& progress);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_AUDIT_H_

// SPDX-License-Identifier: Apache-2.0
#include "src/postgres/audit.h"

namespace northwind::internal::postgres {
absl::StatusOr<AuditReport> Audit(const Ledger&, const MirrorOptions&,
                                  const std::function<bool(const AuditProgress&)>&) {
  return absl::UnimplementedError("audit");
}
}  // namespace northwind::internal::postgres

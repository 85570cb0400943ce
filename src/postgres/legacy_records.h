// SPDX-License-Identifier: Apache-2.0
//
// What rows of a legacy page say: merchants, and balances.
#ifndef NORTHWIND_SRC_POSTGRES_LEGACY_RECORDS_H_
#define NORTHWIND_SRC_POSTGRES_LEGACY_RECORDS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "northwind/postgres.h"

namespace northwind::internal::postgres {

// See LegacyReader::ReadMerchants and ReadBalances. InvalidArgument for columns that are not what is asked for, DataLoss for a row
// that is none, which is named by its key.
absl::StatusOr<std::vector<LegacyMerchant>> MerchantsOf(const LegacyQuery& query, const LegacyPage& page);
absl::StatusOr<std::vector<LegacyBalance>> BalancesOf(const LegacyQuery& query, const LegacyPage& page);

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_LEGACY_RECORDS_H_

// SPDX-License-Identifier: Apache-2.0
//
// What a ledger holds, read back from its journal and its accounts, not from what a run believes to have done.
#ifndef NORTHWIND_EXAMPLES_SETTLE_SUMMARY_H_
#define NORTHWIND_EXAMPLES_SETTLE_SUMMARY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "northwind/ledger.h"
#include "northwind/settlement.h"

namespace northwind::examples {

struct PayoutSummary {
  std::string state;  // requested, paid, failed, canceled, returned, rejected; expired if the host sets expiries
  std::string merchant_account;
  std::string asset;
  absl::uint128 requested = 0;
  absl::uint128 paid = 0;
  absl::uint128 released = 0;
  absl::uint128 returned = 0;
  uint32_t holds = 0;     // more than one of either
  uint32_t captures = 0;  // would be a payout made twice
};

// Balances of one asset, in minor units.
struct AssetSummary {
  int scale = 0;
  uint64_t merchants = 0;
  absl::int128 merchants_available = 0;
  absl::int128 held = 0;       // of merchants, in disputes and payouts under way
  absl::int128 processor = 0;  // as the ledger sees it: negative = the processor owes us
  absl::int128 fees = 0;
  absl::int128 adjustments = 0;
  absl::int128 clearing = 0;  // paid out
  absl::int128 sum = 0;       // of all accounts: zero
};

struct LedgerSummary {
  Head head;
  std::map<std::string, uint64_t> applied;     // by event type
  std::map<std::string, uint64_t> rejected;    // by reason
  std::map<std::string, uint64_t> quarantine;  // by cause
  std::map<std::string, uint64_t> payout_states;
  std::map<std::string, AssetSummary> assets;
  std::map<std::string, PayoutSummary> payouts;  // by id
  uint64_t double_payouts = 0;  // captured more than once, held more than once, or paid more than asked for
};

absl::StatusOr<LedgerSummary> Summarize(const Ledger& ledger, const Intake& intake);

// Writes every account, every payout and the counts as JSON; replaces the file atomically.
absl::Status WriteDump(const Ledger& ledger, const LedgerSummary& summary, const std::string& path);

std::string HexOf(const Hash256& hash);

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_SETTLE_SUMMARY_H_

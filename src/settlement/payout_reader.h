// SPDX-License-Identifier: Apache-2.0
//
// Reads what is kept of payouts, also where the record of one cannot be read: a view is derived from the ledger again, and a rail record
// is taken for the worst that it can have said (docs/adr/0009-one-damaged-payout.md). An error of either function is one of the
// store or the ledger, and so everybody's.
#ifndef NORTHWIND_SRC_SETTLEMENT_PAYOUT_READER_H_
#define NORTHWIND_SRC_SETTLEMENT_PAYOUT_READER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/ledger.h"
#include "northwind/sequence.h"
#include "northwind/settlement.h"
#include "northwind/store.h"
#include "src/settlement/payout_record.h"

namespace northwind::internal {

// ---- Views

// Whether settlement can have placed it: what a host has committed under the code itself and no event could be is no payout.
bool IsPayoutRequest(const Transaction& transaction);
// The state that an event of this type ends a payout in.
std::optional<PayoutState> FinalStateOf(EventType type);

// Merchant and asset of a merchant's account; nothing if it is another.
using PayoutOwner = std::pair<std::string, std::string>;
absl::StatusOr<std::optional<PayoutOwner>> PayoutOwnerOf(const Ledger& ledger, AccountId id);

PayoutView ViewOfRequest(const PayoutOwner& owner, const TransactionRecorded& request, absl::Time recorded_at);

// The view of a payout, as the follower has made it of the records up to `upto`. One that is damaged is derived from the ledger: nothing if that
// has applied no request, as of a payout that was rejected.
struct ViewReading {
  std::optional<PayoutView> view;
  bool damaged = false;
};
absl::StatusOr<ViewReading> ReadPayoutView(const Store& store, const Ledger& ledger, std::string_view payout_id,
                                           Sequence upto);
// As the ledger has it, whatever is kept.
absl::StatusOr<std::optional<PayoutView>> DerivePayoutView(const Ledger& ledger, std::string_view payout_id,
                                                           Sequence upto);
// The view of a request that was recorded at that moment, whether it was applied or not; nothing if there is none.
absl::StatusOr<std::optional<PayoutView>> ViewOfRequestAt(const Ledger& ledger, std::string_view payout_id,
                                                          int64_t recorded_at);

// ---- Rail records

struct RailReading {
  // If it is damaged: one that says that the rail may have been told, at `now`.
  PayoutRailRecord record;
  bool found = false;
  std::string damage;  // what is wrong, and the bytes; empty: nothing
};
RailReading ReadPayoutRail(std::string_view payout_id, std::string_view bytes, absl::Time now);
// Nothing found: the rail was never told, as far as the store knows.
absl::StatusOr<RailReading> ReadPayoutRail(const Store& store, std::string_view payout_id, absl::Time now);
// What is to be thought of a payout whose record is lost or cannot be read: a payout that was told and not answered.
PayoutRailRecord MayHaveBeenTold(absl::Time now);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_PAYOUT_READER_H_

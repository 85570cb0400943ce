// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "northwind/cutover.h"

namespace northwind {

std::string_view Name(SettlementSystem system) {
  switch (system) {
    case SettlementSystem::kBatch:
      return "batch";
    case SettlementSystem::kNorthwind:
      return "northwind";
  }
  return "";
}

std::string_view Name(RouteReason reason) {
  switch (reason) {
    case RouteReason::kRoutedToBatch:
      return "routed_to_batch";
    case RouteReason::kUnknownMerchant:
      return "unknown_merchant";
    case RouteReason::kDenied:
      return "denied";
    case RouteReason::kAllowed:
      return "allowed";
    case RouteReason::kBucket:
      return "bucket";
  }
  return "";
}

std::string_view Name(ClaimVerdict verdict) {
  switch (verdict) {
    case ClaimVerdict::kClaimed:
      return "claimed";
    case ClaimVerdict::kHeld:
      return "held";
    case ClaimVerdict::kOther:
      return "other";
    case ClaimVerdict::kStale:
      return "stale";
  }
  return "";
}

}  // namespace northwind

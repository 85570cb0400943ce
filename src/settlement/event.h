// SPDX-License-Identifier: Apache-2.0
//
// What the decoders, the encoders and the mapping share about events.
#ifndef NORTHWIND_SRC_SETTLEMENT_EVENT_H_
#define NORTHWIND_SRC_SETTLEMENT_EVENT_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "northwind/settlement.h"

namespace northwind::internal {

inline constexpr size_t kMaxMetadataKeyBytes = 128;

// "amount.units: must be ...". Every refusal of an event is one of these.
template <typename... Parts>
absl::Status FieldError(absl::string_view field, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", parts...));
}

std::optional<EventType> ParseEventType(std::string_view name);
// Whether events of the type are about a payout, and else about a payment. False for a value that is no event type.
bool IsOfPayout(EventType type);
std::string_view Name(AdjustmentDirection direction);
std::optional<AdjustmentDirection> ParseDirection(std::string_view name);

// The metadata of the event's transaction: deterministic, and holding whatever of the event no other field of the
// transaction does, so that two events of one key but other content never look the same to the ledger. Grammar:
//
//   metadata := [owner] pair*          -- pairs ascending by key (bytewise)
//   owner    := bytes("") bytes(merchant_id [":" asset])   -- first, as no user's key is empty; see MapEvent
//   pair     := bytes(key) bytes(value)
//   bytes(s) := varint(size of s) s
std::string EncodeMetadata(std::string_view owner, const std::map<std::string, std::string>& metadata);

struct DecodedMetadata {
  std::string owner;  // empty: none
  std::map<std::string, std::string> metadata;
};
// Nothing for anything that EncodeMetadata would not have written.
std::optional<DecodedMetadata> DecodeMetadata(std::string_view bytes);

// JSON of an event that may be invalid: for events built in code that go to quarantine.
std::string WriteEventJson(const PaymentEvent& event);

// MapEvent for an event that is known to be valid.
MappedEvent MapValidEvent(const PaymentEvent& event);

// Whose money an account named merchant:<merchant_id>:available:<ASSET> holds.
struct MerchantAccount {
  std::string merchant_id;
  Asset asset;
  friend bool operator==(const MerchantAccount&, const MerchantAccount&) = default;
};
// Nothing if the name is another one, or does not say the account's asset.
std::optional<MerchantAccount> ParseMerchantAccount(std::string_view name, const Asset& asset);

// A posting by the names of its accounts; both are in one asset, as the ledger wants it.
struct NamedPosting {
  std::string debit;
  std::string credit;
  Asset asset;
  Amount amount;
};
// Most postings of an event's transaction.
inline constexpr size_t kMaxEventPostings = 2;

// MapEvent backwards: the valid event that maps to this transaction, its key apart; a fee of zero is left out.
// `postings` are the transaction's. Nothing if no event does: a host may commit whatever it likes under settlement's
// codes.
std::optional<PaymentEvent> UnmapEvent(const Transaction& transaction, absl::Span<const NamedPosting> postings);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_EVENT_H_

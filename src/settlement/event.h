// SPDX-License-Identifier: Apache-2.0
//
// What the decoders, the encoders and the mapping share about events.
#ifndef NORTHWIND_SRC_SETTLEMENT_EVENT_H_
#define NORTHWIND_SRC_SETTLEMENT_EVENT_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "northwind/settlement.h"

namespace northwind::internal {

inline constexpr size_t kMaxMetadataKeyBytes = 128;

// "amount.units: must be ...". Every refusal of an event is one of these.
template <typename... Parts>
absl::Status FieldError(absl::string_view field, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", parts...));
}

std::optional<EventType> ParseEventType(std::string_view name);
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

// JSON of an event that may be invalid: for events built in code that go to quarantine.
std::string WriteEventJson(const PaymentEvent& event);

// MapEvent for an event that is known to be valid.
MappedEvent MapValidEvent(const PaymentEvent& event);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_EVENT_H_

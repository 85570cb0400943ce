// SPDX-License-Identifier: Apache-2.0
//
// What merchants are told: which journal records are news, under which type, and in which words. The catalogue is in
// docs/webhooks.md.
#ifndef NORTHWIND_SRC_WEBHOOK_MESSAGE_H_
#define NORTHWIND_SRC_WEBHOOK_MESSAGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/journal.h"
#include "northwind/ledger.h"
#include "northwind/settlement.h"
#include "src/settlement/event.h"

namespace northwind::internal {

inline constexpr std::string_view kTestType = "webhook.test";
inline constexpr std::string_view kEndpointDisabledType = "endpoint.disabled";

// Something that a merchant may be told. At all endpoints and in all attempts the same, byte for byte.
struct Message {
  std::string id;  // MessageId
  std::string merchant_id;
  std::string type;
  Sequence sequence;      // in the journal; 0 for what no record made
  absl::Time created_at;  // whole milliseconds: what the id says
  // {"type":…,"timestamp":…,"data":{…}} in UTF-8, without blanks and line ends.
  std::string body;
  friend bool operator==(const Message&, const Message&) = default;
};

// "msg_" and a ULID (https://github.com/ulid/spec: 48 bits of Unix milliseconds, 80 more bits, in Crockford's base 32, upper
// case): in the order of time by bytes. The 80 bits are given; of those of a journal record, the first of SHA-256 over
// "northwind/message/v1", the store's identity and the sequence (be64): nobody can count records by them.
inline constexpr size_t kMessageIdBytes = 30;
std::string MessageId(absl::Time at, const std::array<uint8_t, 10>& bits);
std::array<uint8_t, 10> MessageBits(const std::array<uint8_t, 16>& store, Sequence sequence);
// From the system's random source; Unavailable if that gives nothing.
absl::StatusOr<std::array<uint8_t, 10>> RandomMessageBits();
// The millisecond that such an id says; nothing if it is none.
std::optional<absl::Time> MessageTime(std::string_view id);
// The least id of that millisecond, rounded down, clamped to what an id can say: to seek by.
std::string FirstMessageIdAt(absl::Time at);

// Makes messages of journal records. Looks accounts and targets up in the ledger; what it makes depends on the journal alone.
// Not thread-safe.
class MessageMaker {
 public:
  MessageMaker(const Ledger& ledger, const std::array<uint8_t, 16>& store) : ledger_(ledger), store_(store) {}

  // Nothing for records that are no news to a merchant: those of other codes than settlement's, accounts, expiries, a
  // rejection because the same thing is in the ledger already (reference_used), and what a host committed under one of
  // settlement's codes that no event maps to (see UnmapEvent).
  //
  // Told is the merchant whose money it is. That of an end (paid, lost, …) is the hold's, whatever merchant the event
  // names; nobody is told of an end that was rejected and is of another merchant's payment or payout than the event says.
  //
  // Errors are the ledger's. Once one goes away, the same record makes the same message.
  absl::StatusOr<std::optional<Message>> Make(const JournalRecord& record) {
    return Make(record, [](std::string_view) { return true; });
  }
  // Nothing also if that merchant is not `wanted`: then no text is written, which is most of the work.
  absl::StatusOr<std::optional<Message>> Make(const JournalRecord& record,
                                              absl::FunctionRef<bool(std::string_view merchant)> wanted);

 private:
  struct NamedAccount {
    std::string name;
    Asset asset;
  };
  // What depends on more than the event.
  struct News {
    std::string merchant_id;
    std::optional<Money> amount;
    std::optional<Money> fee;
    std::optional<Money> released;
  };

  // Good until the next call.
  absl::StatusOr<const NamedAccount*> AccountOf(AccountId id);
  absl::StatusOr<std::optional<MerchantAccount>> OwnerOf(AccountId id);
  absl::StatusOr<std::optional<PaymentEvent>> EventOf(const Transaction& transaction);
  absl::StatusOr<std::optional<News>> OfApplied(const PaymentEvent& event, const TransactionRecorded& recorded);
  absl::StatusOr<std::optional<News>> OfRejected(const PaymentEvent& event, const TransactionRecorded& recorded);
  // Of money of the account's owner; nothing if that is no merchant.
  absl::StatusOr<std::optional<News>> Moved(AccountId account, Amount amount, Amount released);
  // Whether the target moved, or holds, money of merchants, but none of this one's.
  absl::StatusOr<bool> IsOfOthers(const Target& target, std::string_view merchant);

  const Ledger& ledger_;
  const std::array<uint8_t, 16> store_;
  // Names and assets never change. Bounded: emptied when it is full.
  absl::flat_hash_map<AccountId, NamedAccount> accounts_;
};

Message TestMessage(std::string_view merchant, std::string_view endpoint, absl::Time now,
                    const std::array<uint8_t, 10>& bits);
// The notice that an endpoint of the merchant was disabled. `reason`: the name of a DisableReason.
Message EndpointDisabledMessage(std::string_view merchant, std::string_view endpoint, std::string_view reason,
                                absl::Time at, const std::array<uint8_t, 10>& bits);

// All types, sorted.
absl::Span<const std::string_view> MessageTypes();

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_WEBHOOK_MESSAGE_H_

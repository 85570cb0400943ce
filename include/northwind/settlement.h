// SPDX-License-Identifier: Apache-2.0
//
// Settlement: payment events in, ledger transactions out. docs/events.md is the specification of the events, of what
// each does to the ledger, and of what happens to those that cannot be applied.
//
//   NW_ASSIGN_OR_RETURN(auto intake, Intake::Open(*ledger, *store));
//   std::vector<RawEvent> events = {{.bytes = R"({"type":"PAYMENT_CAPTURED", ...})", .position = 1}};
//   NW_ASSIGN_OR_RETURN(IntakeResult result, intake->Apply(events));
//   if (result.outcomes[0].status == EventStatus::kApplied) ...
//   NW_ASSIGN_OR_RETURN(std::vector<LateOutcome> rest, intake->Finish());   // end of the input
#ifndef NORTHWIND_SETTLEMENT_H_
#define NORTHWIND_SETTLEMENT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/account.h"
#include "northwind/amount.h"
#include "northwind/idempotency_key.h"
#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/sequence.h"
#include "northwind/store.h"
#include "northwind/transaction.h"

namespace northwind {

// ---- Events -------------------------------------------------------------------------------------------------

// Bounds of an event.
inline constexpr size_t kMaxEventBytes = 64 << 10;  // as sent, JSON or protobuf
inline constexpr size_t kMaxEventIdBytes = 64;      // payment, payout and merchant ids
inline constexpr size_t kMaxRefundIdBytes = 63;     // so that payment id, "/" and refund id fit a reference

// Persisted (a transaction's code is 1000 + this); the values are pinned.
enum class EventType : uint8_t {
  kPaymentCaptured = 1,
  kPaymentRefunded = 2,
  kDisputeOpened = 3,
  kDisputeLost = 4,
  kDisputeWon = 5,
  kPayoutRequested = 6,
  kPayoutPaid = 7,
  kPayoutFailed = 8,
  kPayoutCanceled = 9,
  kPayoutReturned = 10,
  kAdjustment = 11,
};
inline constexpr size_t kEventTypes = 11;

// As in JSON: "PAYMENT_CAPTURED". Empty for a value that is no event type.
std::string_view Name(EventType type);

// Transaction codes 1001 … 1011 belong to settlement: a host that commits under them itself is not seen by parked
// events.
inline constexpr uint16_t kEventCodeBase = 1000;
constexpr uint16_t EventCode(EventType type) {
  return static_cast<uint16_t>(kEventCodeBase + static_cast<uint8_t>(type));
}
// The event type of a transaction's code, if it has one.
std::optional<EventType> EventTypeOfCode(uint16_t code);

struct Money {
  Asset asset;
  Amount units;
  friend bool operator==(const Money&, const Money&) = default;
};

// Which way an ADJUSTMENT goes, as the merchant sees it.
enum class AdjustmentDirection : uint8_t { kCredit = 1, kDebit = 2 };

// What a producer tells. An empty string is an absent field. The table of which type takes which field is in
// docs/events.md.
struct PaymentEvent {
  EventType type{};
  std::string payment_id;                         // 1–64 characters of A–Z a–z 0–9 . _ : -
  std::string payout_id;                          // likewise
  std::string refund_id;                          // likewise, up to 63; optional, PAYMENT_REFUNDED only
  absl::Time occurred_at = absl::InfinitePast();  // 2000-01-01 … 2200-01-01 UTC, whole nanoseconds
  std::string merchant_id;                        // 1–64 characters of A–Z a–z 0–9 . _ -
  std::optional<Money> amount;
  std::optional<Money> fee;
  std::optional<AdjustmentDirection> direction;
  // UTF-8; keys of 1–128 bytes. All of it ≤ kMaxMetadataBytes once encoded (each string costs 1–2 bytes more).
  std::map<std::string, std::string> metadata;
  friend bool operator==(const PaymentEvent&, const PaymentEvent&) = default;
};

// OK, or InvalidArgument that begins with the name of the field at fault ("amount.units: must be at least 1").
absl::Status ValidateEvent(const PaymentEvent& event);

enum class EventFormat : uint8_t { kJson = 1, kProtobuf = 2 };  // persisted; the values are pinned

// Strict: exactly one event, nothing unknown, nothing twice, nothing out of range; see docs/events.md. InvalidArgument
// that begins with the name of the field at fault for anything else, whatever the bytes. What they return is valid.
absl::StatusOr<PaymentEvent> DecodeEventJson(std::string_view json);
absl::StatusOr<PaymentEvent> DecodeEventProto(std::string_view bytes);
absl::StatusOr<PaymentEvent> DecodeEvent(EventFormat format, std::string_view bytes);

// One event gives one text, byte for byte (fields in the order of the schema, metadata sorted); JSON without blanks or
// line ends. InvalidArgument if the event is not valid.
absl::StatusOr<std::string> EncodeEventJson(const PaymentEvent& event);
absl::StatusOr<std::string> EncodeEventProto(const PaymentEvent& event);

// ---- Mapping ------------------------------------------------------------------------------------------------

// A posting between accounts of MappedEvent::accounts, by index.
struct MappedPosting {
  uint8_t debit = 0;
  uint8_t credit = 0;
  Amount amount;
  friend bool operator==(const MappedPosting&, const MappedPosting&) = default;
};

// The one ledger transaction that an event stands for.
struct MappedEvent {
  absl::InlinedVector<AccountSpec, 3> accounts;  // that the postings need; to be opened before
  absl::InlinedVector<MappedPosting, 2> postings;
  Transaction transaction;  // complete but for its postings
};

// A pure function: no state, no clock. InvalidArgument as ValidateEvent.
absl::StatusOr<MappedEvent> MapEvent(const PaymentEvent& event);

// ---- Intake -------------------------------------------------------------------------------------------------

struct IntakeOptions {
  // Transactions in one ledger batch, 1 … kMaxBatchTransactions.
  size_t batch_size = 4096;
  // Events parked at one time, in all (number and bytes) and waiting for one and the same transaction. One more goes to
  // quarantine.
  size_t max_parked = 262'144;
  size_t max_parked_bytes = 256 << 20;
  size_t max_waiting_per_target = 256;  // 1 … 512: all that one event sets free fits one batch
  // How long one Apply waits in all for a ledger that answers ResourceExhausted before it returns that.
  absl::Duration max_wait = absl::Seconds(30);
  // Keeps parked events beyond the process, as tasks of its queue "nw/parked": an event that is answered kParked is then
  // durable and may be acknowledged at its source. On the same store; must outlive the intake. Null: parked events are in
  // memory.
  Scheduler* scheduler = nullptr;
  // With a scheduler: when RetryParked tries a parked event anew, and when it gives up and the event goes to quarantine.
  // It must end.
  RetryPolicy park_policy = DefaultParkPolicy();
  static RetryPolicy DefaultParkPolicy();  // after 1 minute, doubling to 256, then every 6 hours, for 7 days
  // Threads that decode ahead while a batch commits (the calling thread helps); 0 … 64.
  int decode_threads = 2;
};

struct RawEvent {
  std::string_view bytes;
  // The caller's name for its place, e.g. a line number; kept with a quarantined event.
  uint64_t position = 0;
  EventFormat format = EventFormat::kJson;
  // Not empty: why the caller can tell that this is no event, such as an envelope that does not open. It is not decoded, and goes
  // to quarantine as malformed, with this as its detail.
  std::string_view refused = {};
};

enum class EventStatus : uint8_t {
  kApplied = 1,         // done, and durable
  kDuplicate = 2,       // the same event again: nothing done
  kAlreadySettled = 3,  // the same thing under a new timestamp: nothing done (rejected reference_used)
  kRejected = 4,        // the ledger said no, for ever: see `reason`
  kParked = 5,  // waits for an event that has not come. Without IntakeOptions::scheduler it does so in memory: do not
                // acknowledge it at its source yet
  kQuarantined = 6,  // set aside, durably, with the reason: see `cause` and `detail`
};
std::string_view Name(EventStatus status);

// Why an event is in quarantine. Persisted; the values are pinned.
enum class QuarantineCause : uint8_t {
  kNone = 0,
  kMalformed = 1,       // the decoder refused it
  kInvalid = 2,         // the ledger found it invalid in itself, or has no room for another asset or account
  kConflict = 3,        // its key is taken by an event of other content
  kTargetNotFound = 4,  // what it works on never came
  kParkingFull = 5,     // a bound of parking was reached
};
std::string_view Name(QuarantineCause cause);

struct EventOutcome {
  EventStatus status = EventStatus::kQuarantined;
  // Rejected, and duplicates of rejected events: why. Parked: kTargetNotFound.
  Reason reason = Reason::kNone;
  QuarantineCause cause = QuarantineCause::kNone;
  // Nothing if the event could not be decoded.
  std::optional<EventType> type;
  // Where the event's transaction stands in the journal; 0 if it does not.
  Sequence sequence;
  // Quarantined: what is wrong, naming the field. Parked: what it waits for. Else empty.
  std::string detail;
};

// What became of an event that an earlier call answered kParked.
struct LateOutcome {
  uint64_t position = 0;
  EventOutcome outcome;
};

struct IntakeResult {
  std::vector<EventOutcome> outcomes;  // one per event, in the order given
  std::vector<LateOutcome> late;       // events parked by earlier calls that this one resolved, in order of resolution
};

// A quarantined event.
struct QuarantinedEvent {
  std::string id;  // 16 bytes: the first of SHA-256 of the raw bytes
  QuarantineCause cause = QuarantineCause::kNone;
  std::string detail;
  uint64_t position = 0;  // where it was first seen
  EventFormat format = EventFormat::kJson;
  std::string raw;        // as received, up to kMaxEventBytes
  uint64_t raw_size = 0;  // as received
};

inline constexpr size_t kMaxQuarantinePage = 1000;

struct QuarantinePage {
  std::vector<QuarantinedEvent> events;  // by id
  std::string next;                      // pass as `after`; empty at the end
};

// Applies events to a ledger: decodes, maps, opens the accounts they need, commits in large batches, and answers one
// outcome per event. Nothing is dropped: an event is applied, recognised, rejected, parked, or in quarantine.
//
// Order. The result is that of applying the events one by one in the order given, however they are cut into calls and
// batches. An event that works on one which has not come (a refund before its capture) is parked, and applied at once
// after that comes, in order of arrival among those that wait for it. (The one exception: an event that meets a full
// parking goes to quarantine, and how full parking is depends on the batches.)
//
// Durability. An outcome but kParked is durable when it is returned, and kParked too with IntakeOptions::scheduler. Without
// it, parked events are in memory: after a crash, send everything that was not acknowledged again, in the same order; the
// result is the same as without the crash.
//
// Quarantine. Events that cannot be applied are kept in the Store under keys that begin with "nw/quarantine/" (host
// keys beginning with "nw/" are reserved for northwind). The record is keyed by the event's bytes: sending it again
// changes nothing, and it goes away when the event gets an answer of the ledger later (applied, rejected, duplicate).
//
// Threads: calls may come from any thread and are taken one after the other. At most one Intake per ledger.
// Errors: after an error nothing is lost: what was durable is, parked events still are, and the same events may be given
// again. ResourceExhausted after max_wait of waiting; Aborted and FailedPrecondition as in ledger.h: reopen, send again.
class Intake {
 public:
  // Reads the quarantine's keys. InvalidArgument for options out of range. Ledger and store must outlive the intake.
  static absl::StatusOr<std::unique_ptr<Intake>> Open(Ledger& ledger, Store& store, const IntakeOptions& options = {});
  ~Intake();
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // Any number of events; their bytes must live until it returns. Large calls (tens of thousands) are fastest.
  absl::StatusOr<IntakeResult> Apply(absl::Span<const RawEvent> events);
  // The same for events built in code; positions are `first_position` and up. Quarantined ones are kept as JSON.
  absl::StatusOr<IntakeResult> Apply(absl::Span<const PaymentEvent> events, uint64_t first_position = 0);

  // The end of the input: quarantines what is still parked, in order of arrival.
  absl::StatusOr<std::vector<LateOutcome>> Finish();

  // With a scheduler: tries parked events whose time has come anew, up to `limit` (1 … 1000), together with those that wait
  // for the same, and sends those to quarantine that have waited long enough. What became of events that do not wait any
  // more. To be called now and then, such as from a timer; FailedPrecondition without a scheduler.
  absl::StatusOr<std::vector<LateOutcome>> RetryParked(size_t limit = 1000);

  size_t parked() const;
  // Whether an event that is answered kParked is durable: IntakeOptions::scheduler was given.
  bool parks_durably() const;
  // Limit 1 … kMaxQuarantinePage. To try an event again, Apply its raw bytes.
  absl::StatusOr<QuarantinePage> ListQuarantine(std::string_view after = {}, size_t limit = 100) const;
  // Applies quarantined events again, in the order given; one outcome each. What the ledger answers leaves the quarantine.
  // NotFound names an id that is not there; then nothing is done. At most kMaxQuarantinePage. An event that is kept in part
  // only (raw_size) stays quarantined. What parked events this resolves is told by the next call that returns late outcomes.
  absl::StatusOr<std::vector<EventOutcome>> RedriveQuarantined(absl::Span<const std::string> ids);
  // Removes events from the quarantine for good; one that waits again after it was redriven waits no more. How many there
  // were.
  absl::StatusOr<size_t> DiscardQuarantined(absl::Span<const std::string> ids);

 private:
  class Core;
  explicit Intake(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind

#endif  // NORTHWIND_SETTLEMENT_H_

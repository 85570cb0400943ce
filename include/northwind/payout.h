// SPDX-License-Identifier: Apache-2.0
//
// Payouts that execute: every payout that the ledger holds money for leads to one instruction to the host's bank rail, and what
// the rail says becomes an event like any other.
//
//   class MyBank final : public PayoutRail { RailAnswer Submit(...) override; RailAnswer Query(...) override; };
//   NW_ASSIGN_OR_RETURN(auto payouts, Payouts::Open({*ledger, *store, *scheduler, *intake, bank}));
//   payouts->Start();
#ifndef NORTHWIND_PAYOUT_H_
#define NORTHWIND_PAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/amount.h"
#include "northwind/clock.h"
#include "northwind/ledger.h"
#include "northwind/scheduler.h"
#include "northwind/sequence.h"
#include "northwind/settlement.h"
#include "northwind/store.h"

namespace northwind {

// What a rail knows of a payout. Persisted; the values are pinned.
enum class RailState : uint8_t {
  kPaid = 1,     // executed, for good
  kPending = 2,  // accepted; ask again
  kFailed = 3,   // not executed, and never will be: the money goes back to the merchant
  kUnknown = 4,  // it cannot be told, as after a timeout: ask again, and never submit on suspicion
  // Answers Query only: the rail is sure that it has not taken the provider key on, AND takes a provider key on once at most, so
  // that submitting again cannot pay twice even if the first submission is still on its way. A rail without such keys
  // must answer kUnknown.
  kNotFound = 5,
  // Nothing was sent, and nothing will be unless Submit is called again: somebody else pays it, or may, or it has to wait; `reason`
  // says which. To Query, all that kNotFound says as well. The payout counts as not submitted; what an event settles meanwhile is done
  // with, whatever it became. ClaimedRail of cutover.h answers so.
  kWithheld = 6,
};
std::string_view Name(RailState state);

struct RailAnswer {
  RailState state = RailState::kUnknown;
  std::string reason;  // kFailed, kUnknown, kWithheld: why; kept with the payout, cut to kMaxTaskErrorBytes
  // kPending, kUnknown, kWithheld: not worth asking before; the later of this and the policy's own delay holds. No later than
  // kMaxRailDelay from now.
  absl::Time not_before = absl::InfinitePast();
};

// Under it Payouts notes PayoutInstruction::provider_key in the metadata of the events that it makes. It is between host and rail: webhooks leave it
// out, and what else shows metadata to merchants should.
inline constexpr std::string_view kProviderKeyMetadata = "provider_key";

struct PayoutInstruction {
  // Names this payout to the rail: the same in every call, for ever, and no other payout's. 34 characters a–z 0–9 and '_'.
  std::string provider_key;
  std::string payout_id;
  std::string merchant_id;
  Asset asset;
  Amount amount;
  absl::Time requested_at;  // recorded in the ledger
};

inline constexpr absl::Duration kMaxRailDelay = absl::Hours(24 * 7);

// A bank, card scheme or other way to move money out: the host's. Both calls come from several threads at once and should return
// within half of PayoutOptions::lease; a call that takes longer is not repeated, but its answer may be lost and asked for again. A call
// that throws, or answers what is no RailState, is taken for kUnknown.
class PayoutRail {
 public:
  virtual ~PayoutRail() = default;
  // Is called once for a payout, unless a Query said kNotFound since, or either call kWithheld. That it will be called is on disk before it is.
  virtual RailAnswer Submit(const PayoutInstruction& payout) = 0;
  virtual RailAnswer Query(const PayoutInstruction& payout) = 0;
  // Whether it submits nothing without a claim, as ClaimedRail does. A rail around another answers as that one.
  virtual bool ClaimsFirst() const { return false; }
  // Makes sure, for ever, that nobody else pays this payout, which has not been submitted: asked before it is canceled. An error: it is not
  // canceled. Whoever ClaimsFirst must answer it; a rail around another passes it on.
  virtual absl::Status ClaimToCancel(const PayoutInstruction& payout);
};

enum class PayoutState : uint8_t {
  kRejected = 1,   // the ledger refused to hold the money; see `reason`
  kRequested = 2,  // the money is held; the rail has not been told, or withholds it
  kSubmitted = 3,  // the rail has been told, or may have been; no final answer yet
  kPaid = 4,
  kFailed = 5,
  kCanceled = 6,
  kReturned = 7,  // paid, and came back, in whole or in part
};
std::string_view Name(PayoutState state);

// One call of the rail.
struct RailAttempt {
  absl::Time at;
  enum class Call : uint8_t { kSubmit = 1, kQuery = 2 } call = Call::kSubmit;
  // What was answered. kUnknown with the reason "no answer": the process ended, or the lease ran out, during the call.
  RailState answer = RailState::kUnknown;
  std::string reason;
};

// One thing that happened to a payout.
struct PayoutMoment {
  absl::Time at;
  std::string what;    // an event type ("PAYOUT_REQUESTED"), "rejected", "submit" or "query"
  std::string detail;  // the rail's answer and reason, or the ledger's reason
  Sequence sequence;   // in the journal; 0 for calls of the rail
};

struct Payout {
  std::string payout_id;
  std::string merchant_id;
  Asset asset;
  Amount amount;
  PayoutState state = PayoutState::kRequested;
  Reason reason = Reason::kNone;  // kRejected
  absl::Time requested_at;
  absl::Time settled_at;  // of the last event, in a final state; else InfinitePast
  std::string provider_key;
  uint32_t submits = 0;  // without those that were withheld
  uint32_t queries = 0;
  // Of GetPayout only:
  std::vector<PayoutMoment> timeline;      // by time; rail calls beyond the last kMaxRailAttempts are not kept
  std::optional<absl::Time> next_attempt;  // when the rail is called next
  // The rail and the ledger contradict each other, as when a payout was canceled by an event while it was executed, or what is kept of
  // it is damaged, and it was set aside: somebody must look. Empty: no.
  std::string attention;
};

inline constexpr size_t kMaxPayoutPage = 1000;
inline constexpr size_t kMaxRailAttempts = 20;

struct PayoutQuery {
  std::string merchant_id;  // must be given
  std::optional<PayoutState> state;
  absl::Time from = absl::InfinitePast();  // of requested_at
  absl::Time before = absl::InfiniteFuture();
  Direction direction = Direction::kForward;  // the oldest first
  std::string after;                          // PayoutPage::next of the page before
  size_t limit = 100;                         // 1 … kMaxPayoutPage
};

struct PayoutPage {
  std::vector<Payout> payouts;  // by time of request; without timelines
  // Pass as `after`; empty at the end. A page may be short and have a next one: one call looks at no more than 10,000.
  std::string next;
};

// Whether a batch system pays out beside northwind. It does in a store that was a shadow, or that a cutover was begun in (cutover.h),
// until somebody says that it is gone.
enum class BatchSystem : uint8_t { kBeside, kGone };

struct PayoutOptions {
  // Of events made from answers; the system's if null. Should be the scheduler's.
  Clock* clock = nullptr;
  int workers = 4;    // threads that call the rail, 1 … 256
  size_t batch = 16;  // payouts that one worker takes at a time, 1 … 256; their calls come one after the other
  absl::Duration lease = absl::Minutes(10);  // 1 s … 24 h; prolonged between the calls of a batch
  // Between calls of the rail. It must not end: a payout is asked about until the rail answers.
  RetryPolicy policy = DefaultPolicy();

  BatchSystem batch_system = BatchSystem::kBeside;

  static RetryPolicy DefaultPolicy();  // 1 s, doubling to 15 minutes, equal jitter
};

// Follows the journal and works the rail. One per store at a time.
//
// Exactly once: the follower makes one task for each held payout, in the atomic write that moves its cursor. A worker makes its
// intent durable, fenced by its lease, before it calls Submit; whoever takes the task over after a crash finds the intent and
// asks (Query) instead of submitting. Paid and failed become PAYOUT_PAID and PAYOUT_FAILED events, which the ledger takes once.
// No answer ever releases money by itself but kFailed.
//
// Damage: a payout of which the record of rail calls, or the task, is damaged is set aside: a dead letter of the queue, with the
// reason; the rail is not called, the money stays held, and all others go on. Redriven, the rail is asked first. docs/payouts.md.
//
// Durability: as ledger and scheduler. Thread safety: all methods from any thread. Errors of stores and ledger, damage of what is
// no payout's own included, stop the threads; status() has the first. Host keys beginning with "nw/payout/" are its own.
class Payouts {
 public:
  struct Parts {
    Ledger& ledger;
    Store& store;
    Scheduler& scheduler;  // its queue "nw/payout"
    Intake& intake;
    PayoutRail& rail;
  };
  // All parts must outlive it. InvalidArgument for options out of range; FailedPrecondition if the store has payouts open, or
  // is a shadow, or there is a batch system beside it (BatchSystem) and the rail does not claim first.
  static absl::StatusOr<std::unique_ptr<Payouts>> Open(const Parts& parts, const PayoutOptions& options = {});
  ~Payouts();  // Stop()
  Payouts(const Payouts&) = delete;
  Payouts& operator=(const Payouts&) = delete;

  // Begins to follow and to work, on threads of its own. FailedPrecondition if it has been started.
  absl::Status Start();
  // Lets calls under way end, and stops the threads. Idempotent.
  void Stop();
  // OK, or why the threads stopped.
  absl::Status status() const;

  // For hosts that would rather use their own threads: one step of the follower (up to `limit` records, 1 … kMaxJournalPage; returns
  // how many), and of a worker (returns how many payouts it dealt with). Both return at once if there is nothing to do.
  absl::StatusOr<size_t> FollowOnce(size_t limit = 1000);
  absl::StatusOr<size_t> WorkOnce();

  // Cancels a payout that the rail has not been called for: an event PAYOUT_CANCELED, durable when it returns. FailedPrecondition if it has
  // been (even if it was withheld: somebody else may be paying it) or is final, NotFound if there is no such payout, DataLoss if whether it has
  // been cannot be read. Beside a batch, the rail
  // claims it first (ClaimToCancel, whose errors come back as they are), so that the batch cannot pay what is canceled. Cancel so, and not by an event of your own, so that the
  // rail cannot be told at the same moment.
  absl::Status Cancel(std::string_view payout_id);

  // NotFound if the follower has seen no such payout; DataLoss, which names it, if it was rejected and its view is damaged.
  absl::StatusOr<Payout> GetPayout(std::string_view payout_id) const;
  absl::StatusOr<PayoutPage> ListPayouts(const PayoutQuery& query) const;
  // The last journal record that has been followed.
  Sequence followed() const;

 private:
  class Core;
  explicit Payouts(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind

#endif  // NORTHWIND_PAYOUT_H_

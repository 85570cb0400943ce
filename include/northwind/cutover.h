// SPDX-License-Identifier: Apache-2.0
//
// The move from the batch to northwind, merchant by merchant, and back at any second. docs/cutover.md is the specification;
// docs/runbook-cutover.md says what an operator does.
//
//   NW_ASSIGN_OR_RETURN(auto cutover, Cutover::Open(*store, {.salt = "2026-spring"}));
//   const RouteRequest request{.id = "po_1", .merchant_id = "m_42"};
//   NW_ASSIGN_OR_RETURN(auto assigned, cutover->Assign({&request, 1}));
//   if (assigned[0].system == SettlementSystem::kNorthwind) ...
//   NW_RETURN_IF_ERROR(cutover->Raise(*parallel_run, "maria", "two clean weeks"));   // to the next stage, if the gate is open
//   NW_RETURN_IF_ERROR(cutover->RouteToBatch("maria", "odd figures"));              // and back: needs nothing
//
//   ClaimedRail rail(bank, *claims, *cutover);   // what Payouts gets instead of the bank: nothing is paid without a claim
#ifndef NORTHWIND_CUTOVER_H_
#define NORTHWIND_CUTOVER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/clock.h"
#include "northwind/compare.h"
#include "northwind/ledger.h"
#include "northwind/payout.h"
#include "northwind/sequence.h"
#include "northwind/store.h"

namespace northwind {

namespace internal {
struct CutoverOnGate;
}  // namespace internal

// Who settles, and pays. Persisted; the values are pinned.
enum class SettlementSystem : uint8_t { kBatch = 1, kNorthwind = 2 };
std::string_view Name(SettlementSystem system);  // "batch", "northwind"

// ---- Bucketing ----------------------------------------------------------------------------------------------

inline constexpr uint32_t kBasisPoints = 10'000;
// 0 … 9,999: the first 7 bytes of SHA-256(salt, one zero byte, merchant id), as a big-endian number, modulo 10,000. Golden vectors, and the
// same function in SQL, are in docs/cutover.md, so that the batch comes to the same answer.
uint32_t CutoverBucket(std::string_view salt, std::string_view merchant_id);

// ---- Assignment ---------------------------------------------------------------------------------------------

inline constexpr size_t kMaxAssignBatch = 10'000;

struct RouteRequest {
  std::string
      id;  // of the payout (or payment) that one of the two systems will pay: 1–64 characters of A–Z a–z 0–9 . _ : -
  std::string merchant_id;
};

// Why; the first that holds, in this order. Persisted; the values are pinned.
enum class RouteReason : uint8_t {
  kRoutedToBatch = 1,    // the switch
  kUnknownMerchant = 2,  // not told of with AddMerchants: the batch
  kDenied = 3,
  kAllowed = 4,
  kBucket = 5,  // below the threshold: northwind; else the batch
};
std::string_view Name(RouteReason reason);

// For ever: whatever is raised or lowered later.
struct Assignment {
  std::string id;
  std::string merchant_id;
  SettlementSystem system = SettlementSystem::kBatch;
  RouteReason reason{};
  uint64_t epoch = 0;  // of the settings that decided
  absl::Time at;
};

// ---- Settings -----------------------------------------------------------------------------------------------

enum class Override : uint8_t { kAllow = 1, kDeny = 2 };  // deny is stronger; persisted

struct CutoverStatus {
  absl::Time at;
  uint64_t epoch = 0;      // one more with every change
  uint32_t threshold = 0;  // basis points of merchants
  std::vector<uint32_t> stages;
  bool routed_to_batch = false;  // the switch: every new id goes to the batch, whatever the threshold
  bool sending_stopped = false;  // the other: nothing is submitted to the rail; claimed payouts are still asked about
  uint64_t sending = 0;          // submissions of this process's ClaimedRails that have begun and not returned
  uint64_t merchants = 0;        // known
  uint64_t allowed = 0;
  uint64_t denied = 0;
  uint64_t residue = 0;  // assigned to northwind and not finished
};

// An override that is set, with the line of the audit log that set it.
struct MerchantOverride {
  std::string merchant_id;
  Override value{};
  uint64_t line = 0;  // number in the audit log
  absl::Time at;
  std::string actor;
  std::string reason;
};
struct OverridePage {
  std::vector<MerchantOverride> items;  // by merchant id, bytewise
  std::string next;                     // empty at the end
};

struct MerchantValue {
  std::string merchant_id;
  std::string asset;
  absl::uint128 units = 0;  // such as last month's payouts
};
struct CutoverShare {
  uint64_t merchants = 0;                      // known merchants that new ids of would go to northwind
  std::map<std::string, absl::uint128> units;  // theirs, by asset
};
// What a threshold would move: merchants are not money, and 5 % of the one can be half of the other.
struct CutoverPreview {
  uint64_t merchants = 0;                      // known, all
  std::map<std::string, absl::uint128> units;  // of all, known or not
  CutoverShare now;                            // with the switch as it is
  CutoverShare then;                           // at the threshold, and with routing not switched to the batch
  std::vector<std::string> moved;              // the first kMaxPreviewMerchants that change sides
};
inline constexpr size_t kMaxPreviewMerchants = 1000;

// One line of the audit log, chained: hash = SHA-256 of the line with the hash before it (docs/format.md).
struct AuditLine {
  uint64_t number = 0;  // from 1, dense
  absl::Time at;
  uint64_t epoch = 0;  // after it
  std::string actor;
  std::string action;  // "raise", "force_raise", "lower", "route_to_batch", "hand_back", ...
  std::string detail;  // what changed, from and to
  std::string reason;
  Hash256 hash{};
};
inline constexpr size_t kMaxAuditPage = 1000;

// ---- Claims -------------------------------------------------------------------------------------------------

struct ClaimRequest {
  std::string id;
  std::string merchant_id;
  SettlementSystem system = SettlementSystem::kNorthwind;
  uint64_t epoch = 0;
  std::array<uint8_t, 16> token{};  // random, of this attempt
};
enum class ClaimVerdict : uint8_t {
  kClaimed = 1,  // by this very attempt (the token): nobody else was told so, and nobody will be
  kHeld = 2,     // by the same system, in an attempt before
  kOther = 3,    // by the other system, for ever
  kStale = 4,    // the epoch is older than the one that is published: ask with a newer one, or not at all
};
std::string_view Name(ClaimVerdict verdict);
struct ClaimRecord {
  std::string id;
  std::string merchant_id;
  SettlementSystem system{};
  uint64_t epoch = 0;
  absl::Time at;
};

// Who may pay what: one place that both systems ask, and whose answer never changes. PostgresClaims of postgres.h is one. Thread-safe.
// Errors: Unavailable if it cannot be told whether there is a claim; ask again with the same token.
class ClaimArbiter {
 public:
  virtual ~ClaimArbiter() = default;
  virtual absl::StatusOr<ClaimVerdict> Claim(const ClaimRequest& request) = 0;
  virtual absl::StatusOr<std::optional<ClaimRecord>> Find(std::string_view id) = 0;
  // From now on claims of older epochs are stale. Never goes back: a lower epoch does nothing.
  virtual absl::Status PublishEpoch(uint64_t epoch) = 0;
};

// ---- Cutover ------------------------------------------------------------------------------------------------

struct CutoverOptions {
  // Part of the bucketing: fixed at the first Open of a store, 1–64 printable ASCII characters.
  std::string salt;
  // Ascending basis points, the last kBasisPoints.
  std::vector<uint32_t> stages = {500, 2'500, 10'000};
  // So many of the gate's clean days Raise wants to be later than the day (UTC) of the last raise, forced or not; 0 … 365. With 0, the
  // days that were clean for one stage are good for the next.
  uint32_t days_between_raises = 1;
  Clock* clock = nullptr;  // the system's if null
};

struct ResiduePage {
  struct Item {
    Assignment assignment;
    std::optional<ClaimRecord> claim;  // nothing: unclaimed
  };
  std::vector<Item> items;  // by id
  std::string next;         // empty at the end
};
struct HandBackResult {
  uint64_t handed = 0;  // claimed for the batch now: it pays them, and northwind cannot any more
  uint64_t kept = 0;    // claimed by northwind: paid, or not known: never handed over, whatever the assignment says
  uint64_t before = 0;  // the batch had them
  uint64_t finished =
      0;  // nobody has to pay them: not residue any more, or no money is held for them; never handed over
};

// Which system settles what. Everything is in the Store, under host keys that begin with "nw/cutover/"; PostgreSQL is not needed
// for any of it but claims. What changes settings is durable when it returns, and holds for the very next Assign on any thread; every
// change has an actor and a reason (1–128 and 1–1000 bytes) and a line in the audit log.
//
// Thread-safe. One per store at a time. Errors: of the store as they are.
class Cutover {
 public:
  // InvalidArgument for options out of range; FailedPrecondition if the store has one open, or was begun with another salt.
  static absl::StatusOr<std::unique_ptr<Cutover>> Open(Store& store, const CutoverOptions& options);
  ~Cutover();
  Cutover(const Cutover&) = delete;
  Cutover& operator=(const Cutover&) = delete;

  // ---- Assignment
  // Up to kMaxAssignBatch, one answer each, durable together: the first answer of an id is its answer for ever. InvalidArgument for an id
  // that was assigned with another merchant.
  absl::StatusOr<std::vector<Assignment>> Assign(absl::Span<const RouteRequest> requests);
  absl::StatusOr<Assignment> Find(std::string_view id) const;  // NotFound
  // What a new id of the merchant would get now; the batch if that cannot be read.
  SettlementSystem Peek(std::string_view merchant_id) const;
  // They have come to their end (paid, failed, canceled), or never had a beginning (the ledger rejected the request), and are residue no more. Ids that are not assigned are passed over. Up to
  // kMaxAssignBatch.
  absl::Status Finish(absl::Span<const std::string> ids);

  // ---- Up: needs the gate
  // FailedPrecondition in a shadow store, as for Override::kAllow: nobody would pay what it takes from the batch.
  // To the next stage. FailedPrecondition with the gate's reasons if it is shut, if too few of its clean days are later than the last raise
  // (CutoverOptions::days_between_raises), if routing is switched to the batch, or at the last stage.
  absl::Status Raise(const ParallelRun& run, std::string_view actor, std::string_view reason);
  absl::Status ForceRaise(uint32_t threshold, std::string_view actor,
                          std::string_view reason);  // no gate; said so in the log
  // The switches back. Routing needs the gate as Raise does, or force.
  absl::Status ResumeRouting(const ParallelRun& run, std::string_view actor, std::string_view reason);
  absl::Status ForceResumeRouting(std::string_view actor, std::string_view reason);
  absl::Status ResumeSending(std::string_view actor, std::string_view reason);

  // ---- Down: needs nothing
  // If the store refuses the write (a full disk, say), its error comes back, but the change holds in this process from now on, and
  // becomes durable with the next write of any kind, under an epoch and with a line of its own.
  // StopSending waits for no call of the rail: those that had begun are in CutoverStatus::sending until they end. A submission begins when
  // ClaimedRail, having the claim, looks at the switch for the last time, right before it calls the rail: after StopSending has returned none
  // begins, and once `sending` is 0, none reaches the rail from this process.
  // InvalidArgument if it is not lower.
  absl::Status Lower(uint32_t threshold, std::string_view actor, std::string_view reason);
  absl::Status RouteToBatch(std::string_view actor, std::string_view reason);
  absl::Status StopSending(std::string_view actor, std::string_view reason);

  // After a restore from a backup: to an epoch that is not older than the published one. The claims of a restored store are stale until
  // somebody has seen that its settings are what they should be, and says so with this. InvalidArgument if it is not higher.
  absl::Status AdvanceEpoch(uint64_t epoch, std::string_view actor, std::string_view reason);

  // ---- Merchants
  absl::Status AddMerchants(absl::Span<const std::string> merchant_ids,
                            std::string_view actor);  // up to kMaxAssignBatch
  absl::Status SetOverride(std::string_view merchant_id, std::optional<Override> value, std::string_view actor,
                           std::string_view reason);
  // The overrides that are set, of merchants that are known and of others, after the merchant `after`, who need not have one; limit
  // 1 … kMaxAuditPage. A page is one moment, two pages are two. Costs what it gives, however many merchants there are; but
  // the first call after opening looks at all overrides, and if their index is not what the merchants' records say, as in a store that was
  // written before there was one, reads all merchants and the log and makes it anew, while changes and assignments wait. DataLoss if a line that set one does not follow from the line before it.
  absl::StatusOr<OverridePage> Overrides(std::string_view after = {}, size_t limit = 100) const;
  absl::StatusOr<CutoverPreview> Preview(uint32_t threshold, absl::Span<const MerchantValue> values) const;

  // ---- After a rollback
  // What is assigned to northwind and not finished, with who claimed it; limit 1 … kMaxAuditPage.
  absl::StatusOr<ResiduePage> Residue(ClaimArbiter& claims, std::string_view after = {}, size_t limit = 100) const;
  // Claims for the batch what northwind has not claimed. Unavailable if the arbiter is: what was done is done, call it again.
  // With a ledger, also what was rejected, canceled or has failed there stays where it is, though nobody has called Finish: of ids of
  // payouts, only those that money is held for are handed over. Always give it if ids are payouts of a ledger.
  absl::StatusOr<HandBackResult> HandBack(ClaimArbiter& claims, absl::Span<const std::string> ids,
                                          std::string_view actor, std::string_view reason,
                                          const Ledger* ledger = nullptr);
  // Tells the arbiter the epoch, so that processes with older settings claim nothing. To be called after changes, and again until it
  // succeeds; claims of this object carry the newest epoch always.
  absl::Status PublishEpoch(ClaimArbiter& claims) const;

  CutoverStatus Status() const;
  // Lines after `after`; limit 1 … kMaxAuditPage. DataLoss if the chain does not hold.
  absl::StatusOr<std::vector<AuditLine>> AuditLog(uint64_t after = 0, size_t limit = 100) const;

 private:
  class Core;
  friend struct internal::CutoverOnGate;  // northwind's own tests, on a gate of their own
  friend class ClaimedRail;
  explicit Cutover(std::unique_ptr<Core> core);
  // Whether a submission may begin; if so, it is counted until it ends.
  bool BeginSending() const;
  void EndSending() const;

  std::unique_ptr<Core> core_;
};

inline constexpr size_t kMaxOpenCancels = 1000;

// A rail that pays what is assigned to northwind, and claimed by it first; everything else is kWithheld (payout.h) with a reason
// that shows in the payout's timeline, until an event says what became of it. Thread-safe as the parts are.
//
// Exactly once: the rail is submitted to only by the attempt that made the claim, or after the rail itself has said kNotFound. The arbiter
// cannot be reached: the payout waits (kUnknown, as the claim may have been made). A claim is never given back. What northwind has claimed it
// sees to the end, even if the store, restored from a backup, has another assignment for it or none.
class ClaimedRail final : public PayoutRail {
 public:
  // All must outlive it.
  ClaimedRail(PayoutRail& rail, ClaimArbiter& claims, const Cutover& cutover)
      : rail_(rail), claims_(claims), cutover_(cutover) {}
  RailAnswer Submit(const PayoutInstruction& payout) override;
  RailAnswer Query(const PayoutInstruction& payout) override;
  bool ClaimsFirst() const override { return true; }
  // Claims for northwind, whoever it is assigned to, so that the batch never pays it. FailedPrecondition if the batch has claimed it, if
  // northwind has (an attempt that this store need not know of may have paid it), or if the epoch is stale; Unavailable if that cannot
  // be told: ask again, which goes on with the same claim as long as this object lives and no kMaxOpenCancels others were begun since that
  // have no answer either; after that it may be refused, as what northwind has claimed.
  absl::Status ClaimToCancel(const PayoutInstruction& payout) override;

 private:
  RailAnswer SubmitUnassigned(const PayoutInstruction& payout, const CutoverStatus& status, const std::string& why);
  RailAnswer SubmitHeld(const PayoutInstruction& payout);
  RailAnswer Send(const PayoutInstruction& payout);

  std::array<uint8_t, 16> BeginCancel(const std::string& id);
  void EndCancel(const std::string& id);

  struct OpenCancel {
    std::string id;
    std::array<uint8_t, 16> token;
  };
  PayoutRail& rail_;
  ClaimArbiter& claims_;
  const Cutover& cutover_;
  absl::Mutex mutex_;
  // Claims to cancel that were not answered, the oldest first.
  std::deque<OpenCancel> cancels_ ABSL_GUARDED_BY(mutex_);
};

// For ParallelRunOptions::is_ours: a payout is northwind's if northwind has claimed it, or if nobody has and it is assigned to northwind; as is
// what comes back of it. Everything else is not. One question of the arbiter for each payout; its errors are the answer's. Both must
// outlive the parallel run.
IsOurs NorthwindPays(const Cutover& cutover, ClaimArbiter& claims);

}  // namespace northwind

#endif  // NORTHWIND_CUTOVER_H_

// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_CUTOVER_CORE_H_
#define NORTHWIND_SRC_CUTOVER_CORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "northwind/cutover.h"
#include "src/cutover/assignments.h"
#include "src/cutover/settings.h"
#include "src/store/engine.h"

namespace northwind {

// All that writes holds one mutex over its synced write: what is assigned is assigned under the settings that are on disk, and a
// change of them is seen by whatever is assigned after it.
class Cutover::Core {
 public:
  Core(Store& store, const CutoverOptions& options);
  ~Core();

  // Goes on from what is kept, or begins.
  absl::Status Load();

  // ---- assign.cc
  absl::StatusOr<std::vector<Assignment>> Assign(absl::Span<const RouteRequest> requests);
  absl::StatusOr<Assignment> Find(std::string_view id) const;
  SettlementSystem Peek(std::string_view merchant_id) const;
  absl::Status Finish(absl::Span<const std::string> ids);

  // ---- changes.cc
  absl::Status Raise(const GateStatus& gate, std::string_view actor, std::string_view reason);
  absl::Status ForceRaise(uint32_t threshold, std::string_view actor, std::string_view reason);
  absl::Status ResumeRouting(const GateStatus& gate, std::string_view actor, std::string_view reason);
  absl::Status ForceResumeRouting(std::string_view actor, std::string_view reason);
  absl::Status ResumeSending(std::string_view actor, std::string_view reason);
  absl::Status Lower(uint32_t threshold, std::string_view actor, std::string_view reason);
  absl::Status RouteToBatch(std::string_view actor, std::string_view reason);
  absl::Status StopSending(std::string_view actor, std::string_view reason);
  absl::Status AdvanceEpoch(uint64_t epoch, std::string_view actor, std::string_view reason);
  absl::Status AddMerchants(absl::Span<const std::string> merchant_ids, std::string_view actor);
  absl::Status SetOverride(std::string_view merchant_id, std::optional<Override> value, std::string_view actor,
                           std::string_view reason);

  // ---- overrides.cc
  absl::StatusOr<OverridePage> Overrides(std::string_view after, size_t limit);

  // ---- preview.cc
  absl::StatusOr<CutoverPreview> Preview(uint32_t threshold, absl::Span<const MerchantValue> values) const;

  // ---- residue.cc
  absl::StatusOr<ResiduePage> Residue(ClaimArbiter& claims, std::string_view after, size_t limit) const;
  absl::StatusOr<HandBackResult> HandBack(ClaimArbiter& claims, absl::Span<const std::string> ids,
                                          std::string_view actor, std::string_view reason, const Ledger* ledger);
  absl::Status PublishEpoch(ClaimArbiter& claims) const;

  // A submission begins, unless sending is stopped: one moment for both, so that none begins after the switch is set.
  bool BeginSending();
  void EndSending();

  CutoverStatus Status() const;
  absl::StatusOr<std::vector<AuditLine>> AuditLog(uint64_t after, size_t limit) const;

 private:
  using Settings = internal::CutoverSettings;
  using Counts = internal::CutoverCounts;

  // Who changes what, and why: a line of the audit log.
  struct Note {
    std::string_view actor;
    std::string_view action;
    std::string_view reason;
    std::string detail = {};  // what comes after the difference of settings
    enum class Epoch : uint8_t { kNext, kSame } epoch = Epoch::kNext;
  };
  // To go down is never refused: it holds in this process even if it cannot be written.
  enum class Direction : uint8_t { kUp, kDown };

  absl::Status CheckLive() const;
  Settings live() const;
  Settings durable() const;
  Counts counts() const;
  // Brings about what `change` makes of the settings. Nothing happens if that is what they are.
  absl::Status Change(const Note& note, Direction direction, absl::FunctionRef<absl::Status(Settings&)> change);
  // Now, of a change that `detail` describes; without an epoch.
  AuditLine LineOf(const Note& note, std::string detail) const;
  // A change that holds, and could not be written: what it made of the settings, and its line.
  struct Unwritten {
    Settings settings;
    AuditLine line;
  };
  // What is durable once `writes` are: the live settings, whose changes that could not be written get their epochs and lines in them, in
  // the order in which they were made. What is written then begins with this, whatever it is.
  Settings WithUnwritten(internal::WriteSet& writes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // The number of the line that the next Commit adds.
  uint64_t NextLine() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Writes, and takes over what is durable then.
  absl::Status WriteAndTake(Settings settings, const Counts& counts, internal::WriteSet& writes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Makes settings, counts and a line of the log durable together with `writes`, and takes them over.
  absl::Status Commit(const Note& note, Settings next, const Counts& counts, internal::WriteSet& writes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  // That the index of overrides has all of them, and nothing else: looked at once, and made if it has not, as in a store that was
  // written before there was one.
  absl::Status EnsureOverrideIndex();
  absl::StatusOr<bool> OverrideIndexIsWhole() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Puts what the index lacks into `writes`, and what does not belong there out of it.
  absl::Status MakeOverrideIndex(internal::WriteSet& writes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  // A line of the log that changes no settings; `finished` are residue no more, in the same write.
  absl::Status AddLine(const Note& note, absl::Span<const std::string> finished);
  absl::Status HandBackOne(ClaimArbiter& claims, const Assignment& assignment, const Ledger* ledger,
                           HandBackResult& result, std::vector<std::string>& gone) const;
  // Whether it is residue, and money is held for it in the ledger, if there is one.
  absl::StatusOr<bool> IsToBePaid(std::string_view id, const Ledger* ledger) const;
  // Takes out of the residue what is in it; how many that were.
  absl::StatusOr<uint64_t> TakeFromResidue(absl::Span<const std::string> ids, internal::WriteSet& writes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  Store& store_;
  internal::Engine& engine_;
  const CutoverOptions options_;
  Clock& clock_;

  absl::Mutex write_mutex_;  // before state_mutex_; held over writes
  std::vector<Unwritten> unwritten_ ABSL_GUARDED_BY(write_mutex_);
  mutable absl::Mutex state_mutex_;
  Settings durable_ ABSL_GUARDED_BY(state_mutex_);
  Settings live_ ABSL_GUARDED_BY(state_mutex_);  // durable_, and what of going down could not be written
  Counts counts_ ABSL_GUARDED_BY(state_mutex_);
  uint64_t sending_ ABSL_GUARDED_BY(state_mutex_) = 0;
  bool overrides_indexed_ ABSL_GUARDED_BY(state_mutex_) = false;
};

namespace internal {

// For tests: what Raise and ResumeRouting do once a gate has answered.
struct CutoverOnGate {
  static absl::Status Raise(Cutover& cutover, const GateStatus& gate, std::string_view actor, std::string_view reason);
  static absl::Status ResumeRouting(Cutover& cutover, const GateStatus& gate, std::string_view actor,
                                    std::string_view reason);
};

}  // namespace internal

}  // namespace northwind

#endif  // NORTHWIND_SRC_CUTOVER_CORE_H_

// SPDX-License-Identifier: Apache-2.0
//
// The front, and how settings are kept and changed.
#include "northwind/cutover.h"

#include <algorithm>
#include <utility>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/cutover/audit_log.h"
#include "src/cutover/core.h"

namespace northwind {

using internal::Error;
using internal::Space;
using internal::WriteSet;

Cutover::Core::Core(Store& store, const CutoverOptions& options)
    : store_(store),
      engine_(store.engine()),
      options_(options),
      clock_(options.clock != nullptr ? *options.clock : *Clock::System()) {}

Cutover::Core::~Core() { engine_.ReleaseSlot(internal::Engine::Slot::kCutover); }

absl::Status Cutover::Core::Load() {
  absl::MutexLock write_lock(&write_mutex_);
  absl::MutexLock lock(&state_mutex_);
  NW_ASSIGN_OR_RETURN(const auto settings, engine_.Get(Space::kHost, internal::kCutoverSettingsKey));
  if (!settings.has_value()) {
    // The salt is fixed from here on, and so is durable before anything is decided with it.
    durable_ = live_ = {.salt = options_.salt};
    WriteSet writes;
    writes.Put(Space::kHost, internal::kCutoverSettingsKey, EncodeSettings(durable_));
    return engine_.Write(writes);
  }
  NW_ASSIGN_OR_RETURN(durable_, internal::DecodeSettings(settings->view()));
  live_ = durable_;
  if (durable_.salt != options_.salt) {
    return absl::FailedPreconditionError("cutover: the store was begun with another salt");
  }
  NW_ASSIGN_OR_RETURN(const auto counts, engine_.Get(Space::kHost, internal::kCutoverCountsKey));
  if (counts.has_value()) {
    NW_ASSIGN_OR_RETURN(counts_, internal::DecodeCounts(counts->view()));
  }
  // That it ends where the settings say.
  const uint64_t lines = durable_.audit.lines;
  return ReadAuditLog(engine_, durable_.audit, lines == 0 ? 0 : lines - 1, 1).status();
}

internal::CutoverSettings Cutover::Core::live() const {
  absl::MutexLock lock(&state_mutex_);
  return live_;
}

internal::CutoverSettings Cutover::Core::durable() const {
  absl::MutexLock lock(&state_mutex_);
  return durable_;
}

internal::CutoverCounts Cutover::Core::counts() const {
  absl::MutexLock lock(&state_mutex_);
  return counts_;
}

absl::Status Cutover::Core::Change(const Note& note, Direction direction,
                                   absl::FunctionRef<absl::Status(Settings&)> change) {
  NW_RETURN_IF_ERROR(internal::CheckActor(note.actor));
  NW_RETURN_IF_ERROR(internal::CheckReason(note.reason));
  absl::MutexLock write_lock(&write_mutex_);
  const Settings before = live();
  Settings next = before;
  NW_RETURN_IF_ERROR(change(next));
  const bool changes = next != before;
  if (!changes && unwritten_.empty()) return absl::OkStatus();
  if (direction == Direction::kDown) {
    absl::MutexLock lock(&state_mutex_);
    live_ = next;
  }
  WriteSet writes;
  const absl::Status status =
      changes ? Commit(note, next, counts(), writes) : WriteAndTake(WithUnwritten(writes), counts(), writes);
  if (status.ok() || direction == Direction::kUp) return status;
  if (changes) unwritten_.push_back({next, LineOf(note, DescribeChange(before, next))});
  return Error(status.code(), "cutover: this holds until the store is closed, but is not durable: ", status.message());
}

AuditLine Cutover::Core::LineOf(const Note& note, std::string detail) const {
  if (!note.detail.empty()) detail.append(detail.empty() ? "" : "; ").append(note.detail);
  return {.at = clock_.Now(),
          .actor = std::string(note.actor),
          .action = std::string(note.action),
          .detail = std::move(detail),
          .reason = std::string(note.reason)};
}

internal::CutoverSettings Cutover::Core::WithUnwritten(WriteSet& writes) const {
  Settings settings = durable();
  for (const Unwritten& change : unwritten_) {
    Settings next = change.settings;
    next.epoch = settings.epoch + 1;
    next.audit = settings.audit;
    AuditLine line = change.line;
    line.epoch = next.epoch;
    line.detail.append("; could not be written at the time");
    AppendAuditLine(std::move(line), next.audit, writes);
    settings = std::move(next);
  }
  return settings;
}

uint64_t Cutover::Core::NextLine() const { return durable().audit.lines + unwritten_.size() + 1; }

absl::Status Cutover::Core::Commit(const Note& note, Settings next, const Counts& counts, WriteSet& writes) {
  const Settings before = WithUnwritten(writes);
  next.audit = before.audit;
  next.epoch = std::max(next.epoch, before.epoch);
  if (note.epoch == Note::Epoch::kNext && next.epoch == before.epoch) ++next.epoch;
  AuditLine line = LineOf(note, DescribeChange(before, next));
  line.epoch = next.epoch;
  AppendAuditLine(std::move(line), next.audit, writes);
  return WriteAndTake(std::move(next), counts, writes);
}

absl::Status Cutover::Core::WriteAndTake(Settings settings, const Counts& counts, WriteSet& writes) {
  writes.Put(Space::kHost, internal::kCutoverSettingsKey, EncodeSettings(settings));
  writes.Put(Space::kHost, internal::kCutoverCountsKey, EncodeCounts(counts));
  NW_RETURN_IF_ERROR(engine_.Write(writes));
  unwritten_.clear();
  absl::MutexLock lock(&state_mutex_);
  durable_ = live_ = std::move(settings);
  counts_ = counts;
  return absl::OkStatus();
}

bool Cutover::Core::BeginSending() {
  absl::MutexLock lock(&state_mutex_);
  if (live_.sending_stopped) return false;
  ++sending_;
  return true;
}

void Cutover::Core::EndSending() {
  absl::MutexLock lock(&state_mutex_);
  --sending_;
}

CutoverStatus Cutover::Core::Status() const {
  absl::MutexLock lock(&state_mutex_);
  return {.at = clock_.Now(),
          .epoch = durable_.epoch,
          .threshold = live_.threshold,
          .stages = options_.stages,
          .routed_to_batch = live_.routed_to_batch,
          .sending_stopped = live_.sending_stopped,
          .sending = sending_,
          .merchants = counts_.merchants,
          .allowed = counts_.allowed,
          .denied = counts_.denied,
          .residue = counts_.residue};
}

absl::StatusOr<std::vector<AuditLine>> Cutover::Core::AuditLog(uint64_t after, size_t limit) const {
  if (limit < 1 || limit > kMaxAuditPage) {
    return Error(absl::StatusCode::kInvalidArgument, "cutover: a page holds 1 to ", kMaxAuditPage, " lines, not ",
                 limit);
  }
  return ReadAuditLog(engine_, durable().audit, after, limit);
}

// ---- The front ----------------------------------------------------------------------------------------------

Cutover::Cutover(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Cutover::~Cutover() = default;

absl::StatusOr<std::unique_ptr<Cutover>> Cutover::Open(Store& store, const CutoverOptions& options) {
  NW_RETURN_IF_ERROR(internal::CheckCutoverOptions(options));
  if (!store.engine().AcquireSlot(internal::Engine::Slot::kCutover)) {
    return absl::FailedPreconditionError("the store has a cutover open");
  }
  auto core = std::make_unique<Core>(store, options);
  NW_RETURN_IF_ERROR(core->Load());
  return std::unique_ptr<Cutover>(new Cutover(std::move(core)));
}

absl::StatusOr<std::vector<Assignment>> Cutover::Assign(absl::Span<const RouteRequest> requests) {
  return core_->Assign(requests);
}
absl::StatusOr<Assignment> Cutover::Find(std::string_view id) const { return core_->Find(id); }
SettlementSystem Cutover::Peek(std::string_view merchant_id) const { return core_->Peek(merchant_id); }
absl::Status Cutover::Finish(absl::Span<const std::string> ids) { return core_->Finish(ids); }

absl::Status Cutover::ForceRaise(uint32_t threshold, std::string_view actor, std::string_view reason) {
  return core_->ForceRaise(threshold, actor, reason);
}
absl::Status Cutover::ForceResumeRouting(std::string_view actor, std::string_view reason) {
  return core_->ForceResumeRouting(actor, reason);
}
absl::Status Cutover::ResumeSending(std::string_view actor, std::string_view reason) {
  return core_->ResumeSending(actor, reason);
}
absl::Status Cutover::Lower(uint32_t threshold, std::string_view actor, std::string_view reason) {
  return core_->Lower(threshold, actor, reason);
}
absl::Status Cutover::RouteToBatch(std::string_view actor, std::string_view reason) {
  return core_->RouteToBatch(actor, reason);
}
absl::Status Cutover::StopSending(std::string_view actor, std::string_view reason) {
  return core_->StopSending(actor, reason);
}
absl::Status Cutover::AdvanceEpoch(uint64_t epoch, std::string_view actor, std::string_view reason) {
  return core_->AdvanceEpoch(epoch, actor, reason);
}
absl::Status Cutover::AddMerchants(absl::Span<const std::string> merchant_ids, std::string_view actor) {
  return core_->AddMerchants(merchant_ids, actor);
}
absl::Status Cutover::SetOverride(std::string_view merchant_id, std::optional<Override> value, std::string_view actor,
                                  std::string_view reason) {
  return core_->SetOverride(merchant_id, value, actor, reason);
}
absl::StatusOr<OverridePage> Cutover::Overrides(std::string_view after, size_t limit) const {
  return core_->Overrides(after, limit);
}
absl::StatusOr<CutoverPreview> Cutover::Preview(uint32_t threshold, absl::Span<const MerchantValue> values) const {
  return core_->Preview(threshold, values);
}
absl::StatusOr<ResiduePage> Cutover::Residue(ClaimArbiter& claims, std::string_view after, size_t limit) const {
  return core_->Residue(claims, after, limit);
}
absl::StatusOr<HandBackResult> Cutover::HandBack(ClaimArbiter& claims, absl::Span<const std::string> ids,
                                                 std::string_view actor, std::string_view reason,
                                                 const Ledger* ledger) {
  return core_->HandBack(claims, ids, actor, reason, ledger);
}
absl::Status Cutover::PublishEpoch(ClaimArbiter& claims) const { return core_->PublishEpoch(claims); }
bool Cutover::BeginSending() const { return core_->BeginSending(); }
void Cutover::EndSending() const { core_->EndSending(); }
CutoverStatus Cutover::Status() const { return core_->Status(); }
absl::StatusOr<std::vector<AuditLine>> Cutover::AuditLog(uint64_t after, size_t limit) const {
  return core_->AuditLog(after, limit);
}

absl::Status internal::CutoverOnGate::Raise(Cutover& cutover, const GateStatus& gate, std::string_view actor,
                                            std::string_view reason) {
  return cutover.core_->Raise(gate, actor, reason);
}
absl::Status internal::CutoverOnGate::ResumeRouting(Cutover& cutover, const GateStatus& gate, std::string_view actor,
                                                    std::string_view reason) {
  return cutover.core_->ResumeRouting(gate, actor, reason);
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
//
// The front door; behind it is core.h.
#include <memory>
#include <utility>

#include "northwind/compare.h"
#include "northwind/status.h"
#include "src/compare/checks.h"
#include "src/compare/core.h"
#include "src/compare/terms.h"
#include "src/store/engine.h"

namespace northwind {

absl::StatusOr<std::unique_ptr<ParallelRun>> ParallelRun::Open(Ledger& ledger, Store& store,
                                                               const ParallelRunOptions& options) {
  NW_RETURN_IF_ERROR(internal::compare::CheckOptions(options));
  NW_RETURN_IF_ERROR(ValidateMapping(options.mapping));
  NW_ASSIGN_OR_RETURN(internal::compare::Terms terms, internal::compare::Terms::Of(options.mapping));
  internal::Engine& engine = store.engine();
  if (!engine.AcquireSlot(internal::Engine::Slot::kCompare)) {
    return absl::FailedPreconditionError("the store has a parallel run open");
  }
  auto core = std::make_unique<Core>(ledger, engine, options, FormatMappingJson(options.mapping), std::move(terms));
  NW_RETURN_IF_ERROR(core->Load());
  return std::unique_ptr<ParallelRun>(new ParallelRun(std::move(core)));
}

ParallelRun::ParallelRun(std::unique_ptr<Core> core) : core_(std::move(core)) {}
ParallelRun::~ParallelRun() = default;

absl::StatusOr<size_t> ParallelRun::FollowOnce(size_t limit) { return core_->FollowOnce(limit); }
absl::Status ParallelRun::CatchUp() { return core_->CatchUp(); }
Sequence ParallelRun::followed() const { return core_->followed(); }
absl::StatusOr<IngestResult> ParallelRun::Ingest(std::string_view source, absl::Span<const std::string> columns,
                                                 absl::Span<const RawRow> rows, std::string_view next) {
  return core_->Ingest(source, columns, rows, next);
}
absl::StatusOr<std::string> ParallelRun::Cursor(std::string_view source) const { return core_->Cursor(source); }

absl::StatusOr<DayFigures> ParallelRun::CloseDay(absl::CivilDay day, const CloseDayOptions& options) {
  return core_->CloseDay(day, options);
}
absl::StatusOr<std::vector<DayFigures>> ParallelRun::Days(absl::CivilDay from, absl::CivilDay to) const {
  return core_->Days(from, to);
}
absl::StatusOr<DigestPage> ParallelRun::MerchantDigests(absl::CivilDay day, std::string_view after,
                                                        size_t limit) const {
  return core_->MerchantDigests(day, after, limit);
}
absl::StatusOr<DigestPage> ParallelRun::HourDigests(absl::CivilDay day, std::string_view merchant_id) const {
  return core_->HourDigests(day, merchant_id);
}
absl::StatusOr<DigestPage> ParallelRun::RowDigests(absl::CivilDay day, std::string_view merchant_id, int hour,
                                                   std::string_view after, size_t limit) const {
  return core_->RowDigests(day, merchant_id, hour, after, limit);
}

absl::StatusOr<DiscrepancyPage> ParallelRun::ListDiscrepancies(const DiscrepancyQuery& query) const {
  return core_->ListDiscrepancies(query);
}
absl::StatusOr<Discrepancy> ParallelRun::GetDiscrepancy(std::string_view id) const { return core_->GetDiscrepancy(id); }
absl::Status ParallelRun::Explain(std::string_view id, std::string_view actor, std::string_view reason) {
  return core_->Decide(DiscrepancyState::kExplained, id, actor, reason);
}
absl::Status ParallelRun::Resolve(std::string_view id, std::string_view actor, std::string_view reason) {
  return core_->Decide(DiscrepancyState::kResolved, id, actor, reason);
}
absl::Status ParallelRun::Reopen(std::string_view id, std::string_view actor, std::string_view reason) {
  return core_->Decide(DiscrepancyState::kOpen, id, actor, reason);
}

absl::Status ParallelRun::AddRule(const IgnoreRule& rule) { return core_->AddRule(rule); }
absl::Status ParallelRun::RetireRule(std::string_view id, std::string_view actor) {
  return core_->RetireRule(id, actor);
}
absl::StatusOr<std::vector<IgnoreRule>> ParallelRun::Rules() const { return core_->Rules(); }

absl::StatusOr<GateStatus> ParallelRun::Gate() const { return core_->Gate(); }
absl::StatusOr<RunReport> ParallelRun::Report(absl::CivilDay from, absl::CivilDay to) const {
  return core_->Report(from, to);
}
absl::Status ParallelRun::SignOff(absl::CivilDay from, absl::CivilDay to, std::string_view actor,
                                  std::string_view note) {
  return core_->PutSignOff(from, to, actor, note);
}
absl::Status ParallelRun::Verify() const { return core_->Verify(); }

}  // namespace northwind

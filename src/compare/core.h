// SPDX-License-Identifier: Apache-2.0
//
// A parallel run itself: what it keeps, under one lock. In pieces: core.cc (opening, and what comes in), core_days.cc (days, gate,
// reports), core_discrepancies.cc (discrepancies and rules).
#ifndef NORTHWIND_SRC_COMPARE_CORE_H_
#define NORTHWIND_SRC_COMPARE_CORE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/clock.h"
#include "northwind/compare.h"
#include "northwind/ledger.h"
#include "src/compare/discrepancy.h"
#include "src/compare/item_batch.h"
#include "src/compare/journal_side.h"
#include "src/compare/row_mapping.h"
#include "src/compare/run_state.h"
#include "src/compare/terms.h"
#include "src/store/engine.h"

namespace northwind {

class ParallelRun::Core {
 public:
  Core(Ledger& ledger, internal::Engine& engine, const ParallelRunOptions& options, std::string mapping_json,
       internal::compare::Terms terms)
      : ledger_(ledger),
        options_(options),
        clock_(options.clock != nullptr ? *options.clock : *Clock::System()),
        run_{.engine = engine,
             .mapping = options.mapping,
             .mapping_json = std::move(mapping_json),
             .terms = std::move(terms),
             .standing = {},
             .columns = {}},
        side_(ledger) {}
  ~Core() { run_.engine.ReleaseSlot(internal::Engine::Slot::kCompare); }

  absl::Status Load();

  // ---- Both sides

  absl::StatusOr<size_t> FollowOnce(size_t limit);
  absl::Status CatchUp();
  Sequence followed() const { return Sequence(followed_.load()); }

  absl::StatusOr<IngestResult> Ingest(std::string_view source, absl::Span<const std::string> columns,
                                      absl::Span<const RawRow> rows, std::string_view next);
  absl::StatusOr<std::string> Cursor(std::string_view source) const;

  // ---- Days

  absl::StatusOr<DayFigures> CloseDay(absl::CivilDay day, const CloseDayOptions& options);
  absl::StatusOr<std::vector<DayFigures>> Days(absl::CivilDay from, absl::CivilDay to) const;
  absl::StatusOr<DigestPage> MerchantDigests(absl::CivilDay day, std::string_view after, size_t limit) const;
  absl::StatusOr<DigestPage> HourDigests(absl::CivilDay day, std::string_view merchant_id) const;
  absl::StatusOr<DigestPage> RowDigests(absl::CivilDay day, std::string_view merchant_id, int hour,
                                        std::string_view after, size_t limit) const;

  // ---- Discrepancies

  absl::StatusOr<DiscrepancyPage> ListDiscrepancies(const DiscrepancyQuery& query) const;
  absl::StatusOr<Discrepancy> GetDiscrepancy(std::string_view id);
  absl::Status Decide(DiscrepancyState state, std::string_view id, std::string_view actor, std::string_view reason);

  // ---- Rules

  absl::Status AddRule(const IgnoreRule& rule);
  absl::Status RetireRule(std::string_view id, std::string_view actor);
  std::vector<IgnoreRule> Rules() const;

  // ---- Gate

  absl::StatusOr<GateStatus> Gate();
  absl::StatusOr<RunReport> Report(absl::CivilDay from, absl::CivilDay to);
  absl::Status PutSignOff(absl::CivilDay from, absl::CivilDay to, std::string_view actor, std::string_view note);
  absl::Status Verify() const;

 private:
  internal::Engine& engine() const { return run_.engine; }
  absl::Time Now() const { return clock_.Now(); }

  // ---- Opening

  absl::Status LoadFollowed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status LoadMeta() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Commit(internal::WriteSet& writes, internal::compare::Standing standing)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // ---- Both sides

  absl::StatusOr<size_t> FollowLocked(size_t limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The mapping bound to these columns; kept for the next page.
  absl::StatusOr<const internal::RowMapping*> Bind(absl::Span<const std::string> columns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // In writes of bounded size; `next` comes with the last. A row id that comes twice begins another one.
  absl::StatusOr<IngestResult> IngestLocked(std::string_view source, absl::Span<const std::string> columns,
                                            absl::Span<const RawRow> rows, std::string_view next,
                                            const internal::RowMapping& mapping) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  internal::compare::TheirArrival Arrival(std::string_view source, uint32_t columns, const RawRow& raw,
                                          const internal::RowMapping& mapping) const;

  // ---- Days

  bool IsOver(absl::CivilDay day) const { return Now() >= run_.terms.days.EndOf(day) + options_.close_after; }

  absl::Status CheckMayClose(absl::CivilDay day) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // From here on what stands alone in the day is missing, and what comes is late. Should a crash come before the end, the day is to be closed
  // again.
  absl::Status BeginClosing(absl::CivilDay day) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status PutDay(const DayFigures& figures) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::vector<DayFigures>> DaysLocked(absl::CivilDay from, absl::CivilDay to) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // ---- Discrepancies and rules

  absl::StatusOr<internal::compare::DiscrepancyRecord> Find(std::string_view id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Time is no change that anything is told of: whoever looks at days, rows or the gate looks at the clock first.
  absl::Status UncoverExpired() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Judges all anew that is ignored under the rule, which is retired or has expired.
  absl::Status UncoverAll(std::string_view rule) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // ---- Gate

  absl::StatusOr<GateStatus> GateLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Whether a record of before then was not followed.
  absl::StatusOr<bool> JournalLags(absl::Time then) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<RunReport> ReportLocked(absl::CivilDay from, absl::CivilDay to) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Ledger& ledger_;
  const ParallelRunOptions options_;
  Clock& clock_;
  mutable absl::Mutex mutex_;
  internal::compare::RunState run_;  // what of it changes, under mutex_
  internal::compare::JournalSide side_ ABSL_GUARDED_BY(mutex_);
  std::optional<internal::RowMapping> bound_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> followed_{0};
};

}  // namespace northwind

#endif  // NORTHWIND_SRC_COMPARE_CORE_H_

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/compare/canary.h"
#include "src/compare/checks.h"
#include "src/compare/closing.h"
#include "src/compare/core.h"
#include "src/compare/digests.h"
#include "src/compare/discrepancy_list.h"
#include "src/compare/gate.h"
#include "src/compare/keys.h"
#include "src/compare/verify.h"

namespace northwind {

using internal::Error;
using internal::PinnedValue;
using internal::Space;
using internal::WriteSet;
using namespace internal::compare;  // NOLINT(google-build-using-namespace)

namespace {

// So long after a day may be closed it should be.
constexpr absl::Duration kClosingGrace = absl::Hours(24);

}  // namespace

absl::StatusOr<DayFigures> ParallelRun::Core::CloseDay(absl::CivilDay day, const CloseDayOptions& options) {
  NW_RETURN_IF_ERROR(CheckActor(options.actor));
  if (options.expected) NW_RETURN_IF_ERROR(CheckTotals(*options.expected));
  const absl::MutexLock lock(&mutex_);
  NW_RETURN_IF_ERROR(CheckMayClose(day));
  NW_RETURN_IF_ERROR(UncoverExpired());
  NW_ASSIGN_OR_RETURN(const DayFigures before, ReadFigures(engine(), day));
  NW_RETURN_IF_ERROR(CheckWhoPays(run_, day, options_.is_ours));
  NW_RETURN_IF_ERROR(BeginClosing(day));
  NW_RETURN_IF_ERROR(SweepCanaries(run_));
  NW_RETURN_IF_ERROR(ReviewDay(run_, day, options_.is_ours, Now()));
  NW_ASSIGN_OR_RETURN(Stock stock, TakeStock(run_, day));
  DayFigures figures = std::move(stock.figures);
  if (!stock.template_name.empty()) {
    NW_ASSIGN_OR_RETURN(figures.canaries, SendCanaries(run_, stock.template_name, Now()));
  }
  figures.state = DayState::kClosed;
  figures.closed_at = Now();
  figures.closed_by = options.actor;
  figures.rules_hash = run_.RulesHashText();
  figures.sound = !figures.canaries.empty() && std::all_of(figures.canaries.begin(), figures.canaries.end(),
                                                           [](const CanaryResult& c) { return c.sound(); });
  figures.totals = options.expected ? *options.expected : before.totals;
  figures.totals_told = options.expected.has_value() || before.totals_told;
  figures.incomplete = IncompleteOf(figures);
  NW_RETURN_IF_ERROR(PutDay(figures));
  return figures;
}

absl::StatusOr<std::vector<DayFigures>> ParallelRun::Core::Days(absl::CivilDay from, absl::CivilDay to) const {
  const absl::MutexLock lock(&mutex_);
  return DaysLocked(from, to);
}

absl::StatusOr<DigestPage> ParallelRun::Core::MerchantDigests(absl::CivilDay day, std::string_view after,
                                                              size_t limit) const {
  NW_RETURN_IF_ERROR(CheckLimit(limit, kMaxDigestPage));
  return MerchantDigestsOf(engine(), day, after, limit);
}

absl::StatusOr<DigestPage> ParallelRun::Core::HourDigests(absl::CivilDay day, std::string_view merchant_id) const {
  return HourDigestsOf(engine(), day, merchant_id);
}

absl::StatusOr<DigestPage> ParallelRun::Core::RowDigests(absl::CivilDay day, std::string_view merchant_id, int hour,
                                                         std::string_view after, size_t limit) const {
  NW_RETURN_IF_ERROR(CheckLimit(limit, kMaxDigestPage));
  NW_RETURN_IF_ERROR(CheckHour(hour));
  return RowDigestsOf(engine(), day, merchant_id, hour, after, limit);
}

absl::StatusOr<GateStatus> ParallelRun::Core::Gate() {
  const absl::MutexLock lock(&mutex_);
  NW_RETURN_IF_ERROR(UncoverExpired());
  return GateLocked();
}

absl::StatusOr<RunReport> ParallelRun::Core::Report(absl::CivilDay from, absl::CivilDay to) {
  const absl::MutexLock lock(&mutex_);
  NW_RETURN_IF_ERROR(UncoverExpired());
  NW_ASSIGN_OR_RETURN(RunReport report, ReportLocked(from, to));
  NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine().Get(Space::kHost, SignOffKey(from, to)));
  if (!value) return report;
  NW_ASSIGN_OR_RETURN(KeptSignOff sign_off, DecodeSignOff(value->view()));
  if (sign_off.figures != FiguresHash(report)) return report;
  report.signed_by = std::move(sign_off.actor);
  report.note = std::move(sign_off.note);
  report.signed_at = sign_off.at;
  return report;
}

absl::Status ParallelRun::Core::PutSignOff(absl::CivilDay from, absl::CivilDay to, std::string_view actor,
                                           std::string_view note) {
  NW_RETURN_IF_ERROR(CheckActor(actor));
  NW_RETURN_IF_ERROR(CheckNote(note));
  const absl::MutexLock lock(&mutex_);
  NW_RETURN_IF_ERROR(UncoverExpired());
  NW_ASSIGN_OR_RETURN(const RunReport report, ReportLocked(from, to));
  if (!report.gate.open) {
    return Error(absl::StatusCode::kFailedPrecondition, "the gate is shut: ", report.gate.reasons.front());
  }
  if (const std::string why = WhyNotSigned(report.days, from, to, options_.needs_totals); !why.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "not to be signed: ", why);
  }
  const KeptSignOff sign_off{
      .actor = std::string(actor), .note = std::string(note), .at = Now(), .figures = FiguresHash(report)};
  WriteSet writes;
  writes.Put(Space::kHost, SignOffKey(from, to), EncodeSignOff(sign_off));
  return engine().Write(writes);
}

absl::Status ParallelRun::Core::Verify() const {
  const absl::MutexLock lock(&mutex_);
  return VerifyRun(run_, ledger_);
}

absl::Status ParallelRun::Core::CheckMayClose(absl::CivilDay day) {
  if (!IsOver(day)) {
    return Error(absl::StatusCode::kFailedPrecondition, absl::FormatCivilTime(day), " may not be closed yet");
  }
  const uint64_t head = ledger_.Head().sequence.value();
  if (run_.standing.followed == head) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "the journal is followed up to ", run_.standing.followed,
               ", and ends with ", head);
}

absl::Status ParallelRun::Core::BeginClosing(absl::CivilDay day) {
  if (run_.standing.days.StateOf(day) == DayState::kReopened) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(DayFigures figures, ReadFigures(engine(), day));
  figures.state = DayState::kReopened;
  return PutDay(figures);
}

absl::Status ParallelRun::Core::PutDay(const DayFigures& figures) {
  WriteSet writes;
  writes.Put(Space::kHost, DayKey(kDayPrefix, figures.day), EncodeFigures(figures));
  Standing standing = run_.standing;
  standing.days.Set(figures.day, figures.state);
  return Commit(writes, std::move(standing));
}

absl::StatusOr<std::vector<DayFigures>> ParallelRun::Core::DaysLocked(absl::CivilDay from, absl::CivilDay to) const {
  std::vector<DayFigures> days;
  for (const absl::CivilDay day : run_.standing.days.Known(from, to)) {
    if (run_.standing.days.WasClosed(day)) {
      NW_ASSIGN_OR_RETURN(days.emplace_back(), ReadFigures(engine(), day));
      continue;
    }
    NW_ASSIGN_OR_RETURN(Stock stock, TakeStock(run_, day));
    stock.figures.rules_hash = run_.RulesHashText();
    days.push_back(std::move(stock.figures));
  }
  return days;
}

absl::StatusOr<GateStatus> ParallelRun::Core::GateLocked() const {
  GateView view{.open = run_.standing.open,
                .needed = options_.gate_days,
                .needs_totals = options_.needs_totals,
                .rules_hash = run_.RulesHashText()};
  for (const absl::CivilDay day : run_.standing.days.Known(absl::CivilDay::min(), absl::CivilDay::max())) {
    if (run_.standing.days.WasClosed(day)) {
      NW_ASSIGN_OR_RETURN(view.closed.emplace_back(), ReadFigures(engine(), day));
      continue;
    }
    if (!IsOver(day)) continue;
    NW_ASSIGN_OR_RETURN(const CameIn came_in, ReadCameIn(engine(), day));
    if (!came_in.empty()) view.never_closed.push_back(day);
  }
  // The day that is going on has not ended; the one before is due when the grace is over too.
  view.due = run_.terms.days.DayOf(Now() - options_.close_after - kClosingGrace) - 1;
  if (!view.closed.empty()) {
    NW_ASSIGN_OR_RETURN(view.journal_lags, JournalLags(run_.terms.days.EndOf(view.closed.back().day)));
  }
  return JudgeGate(view);
}

absl::StatusOr<bool> ParallelRun::Core::JournalLags(absl::Time then) const {
  if (run_.standing.followed >= ledger_.Head().sequence.value()) return false;
  JournalReader reader = ledger_.ReadJournal(Sequence(run_.standing.followed));
  NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> next, reader.Next(1));
  return !next.empty() && next.front().recorded_at < then;
}

absl::StatusOr<RunReport> ParallelRun::Core::ReportLocked(absl::CivilDay from, absl::CivilDay to) const {
  RunReport report{.made_at = Now(), .followed = followed(), .from = from, .to = to};
  const std::array<uint8_t, 16> id = ledger_.id();
  report.ledger_id = absl::BytesToHexString({reinterpret_cast<const char*>(id.data()), id.size()});
  NW_ASSIGN_OR_RETURN(report.days, DaysLocked(from, to));
  NW_RETURN_IF_ERROR(EachDiscrepancy(
      engine(), {}, [&](std::string_view name, const DiscrepancyRecord& record) -> absl::StatusOr<bool> {
        if (record.state != DiscrepancyState::kOpen || record.day < from || record.day > to) return true;
        if (report.unresolved_count++ >= kMaxDiscrepancyPage) return true;
        NW_ASSIGN_OR_RETURN(Discrepancy shown, ShowDiscrepancy(run_, name, record));
        report.unresolved.push_back(std::move(shown));
        return true;
      }));
  report.rules = run_.standing.rules.Active();
  report.rule_uses = run_.standing.rules.Uses();
  NW_ASSIGN_OR_RETURN(report.gate, GateLocked());
  return report;
}

}  // namespace northwind

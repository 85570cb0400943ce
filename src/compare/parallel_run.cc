// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "northwind/compare.h"
#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/base/sha256.h"
#include "src/compare/canary.h"
#include "src/compare/closing.h"
#include "src/compare/digests.h"
#include "src/compare/discrepancy_list.h"
#include "src/compare/gate.h"
#include "src/compare/item_batch.h"
#include "src/compare/journal_side.h"
#include "src/compare/keys.h"
#include "src/compare/reread.h"
#include "src/compare/run_state.h"
#include "src/compare/verify.h"
#include "src/settlement/event_text.h"
#include "src/store/engine.h"

namespace northwind {

using internal::Engine;
using internal::Error;
using internal::MappedRow;
using internal::PinnedValue;
using internal::Printable;
using internal::RowMapping;
using internal::Space;
using internal::WriteSet;
using namespace internal::compare;  // NOLINT(google-build-using-namespace)

namespace {

// Of one write of Ingest.
constexpr size_t kWriteRows = 10'000;
constexpr size_t kWriteBytes = 8 << 20;
constexpr size_t kMaxSourceBytes = 64;
constexpr size_t kMaxNextBytes = 64 << 10;
constexpr size_t kMaxActorBytes = 128;
constexpr size_t kMaxReasonBytes = 1000;
constexpr int kMaxGateDays = 365;
// So long after a day may be closed it should be.
constexpr absl::Duration kClosingGrace = absl::Hours(24);

absl::Status Bad(absl::string_view what, absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, what, ": ", why);
}

absl::Status CheckText(absl::string_view what, std::string_view text, size_t max, bool needed) {
  if ((needed && text.empty()) || text.size() > max) {
    return Error(absl::StatusCode::kInvalidArgument, what, ": must be ", needed ? 1 : 0, " to ", max, " bytes");
  }
  return internal::IsUtf8(text) ? absl::OkStatus() : Bad(what, "not UTF-8");
}

absl::Status CheckOptions(const ParallelRunOptions& options) {
  if (options.gate_days < 1 || options.gate_days > kMaxGateDays) return Bad("gate_days", "must be 1 to 365");
  if (options.close_after < absl::ZeroDuration() || options.close_after > absl::Hours(7 * 24)) {
    return Bad("close_after", "must be 0 to 7 days");
  }
  return absl::OkStatus();
}

absl::Status CheckTotals(const std::map<std::string, CountAndSum>& totals) {
  for (const auto& [asset, total] : totals) {
    if (!Asset::Parse(asset).ok()) {
      return Error(absl::StatusCode::kInvalidArgument, "expected: '", Printable(asset),
                   "' is not an asset such as USD/2");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSource(std::string_view source) {
  if (source.empty() || source.size() > kMaxSourceBytes || !internal::IsIdText(source, internal::Colon::kRefused)) {
    return Bad("source", "must be 1 to 64 characters of A-Z a-z 0-9 . _ and -");
  }
  return absl::OkStatus();
}

absl::Status CheckLimit(size_t limit, size_t max) {
  if (limit >= 1 && limit <= max) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "limit: must be 1 to ", max);
}

size_t BytesOf(const RawRow& row) {
  size_t bytes = 0;
  for (const std::optional<std::string>& field : row) bytes += field ? field->size() : 0;
  return bytes;
}

// Of a row whose id cannot be read: its text has to do.
std::string RowIdOfText(const RawRow& raw) { return absl::StrCat("#", absl::BytesToHexString(RowFingerprint(0, raw))); }

void AddTo(IngestResult& sum, const IngestResult& part) {
  sum.rows += part.rows;
  sum.new_rows += part.new_rows;
  sum.corrected += part.corrected;
  sum.unchanged += part.unchanged;
  sum.unreadable += part.unreadable;
  sum.skipped += part.skipped;
}

}  // namespace

class ParallelRun::Core {
 public:
  Core(Ledger& ledger, Engine& engine, const ParallelRunOptions& options, std::string mapping_json, Terms terms)
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
  ~Core() { run_.engine.ReleaseSlot(Engine::Slot::kCompare); }

  absl::Status Load() {
    const absl::MutexLock lock(&mutex_);
    NW_ASSIGN_OR_RETURN(run_.standing.rules, RuleBook::Load(engine()));
    NW_ASSIGN_OR_RETURN(run_.standing.days, DayBook::Load(engine()));
    NW_ASSIGN_OR_RETURN(run_.columns, ColumnSets::Load(engine()));
    NW_RETURN_IF_ERROR(LoadFollowed());
    NW_RETURN_IF_ERROR(SweepCanaries(run_));
    NW_ASSIGN_OR_RETURN(run_.standing.open, CountOpen(engine()));
    NW_RETURN_IF_ERROR(LoadMeta());
    for (const std::string& id : run_.standing.rules.Unfinished()) NW_RETURN_IF_ERROR(UncoverAll(id));
    return UncoverExpired();
  }

  // ---- Both sides

  absl::StatusOr<size_t> FollowOnce(size_t limit) {
    NW_RETURN_IF_ERROR(CheckLimit(limit, kMaxJournalPage));
    const absl::MutexLock lock(&mutex_);
    NW_RETURN_IF_ERROR(UncoverExpired());
    return FollowLocked(limit);
  }

  absl::Status CatchUp() {
    const uint64_t head = ledger_.Head().sequence.value();
    while (followed_.load() < head) {
      const absl::MutexLock lock(&mutex_);  // let go of between pages
      NW_RETURN_IF_ERROR(FollowLocked(kMaxJournalPage).status());
    }
    return absl::OkStatus();
  }

  Sequence followed() const { return Sequence(followed_.load()); }

  absl::StatusOr<IngestResult> Ingest(std::string_view source, absl::Span<const std::string> columns,
                                      absl::Span<const RawRow> rows, std::string_view next) {
    NW_RETURN_IF_ERROR(CheckSource(source));
    NW_RETURN_IF_ERROR(CheckText("next", next, kMaxNextBytes, false));
    if (rows.size() > kMaxIngestRows) return Bad("rows", absl::StrCat("more than ", kMaxIngestRows));
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].size() != columns.size()) {
        return Bad("rows", absl::StrCat("row ", i, " has ", rows[i].size(), " columns, not ", columns.size()));
      }
      if (BytesOf(rows[i]) > kMaxLegacyRowBytes) {
        return Bad("rows", absl::StrCat("row ", i, " is longer than ", kMaxLegacyRowBytes, " bytes"));
      }
    }
    const absl::MutexLock lock(&mutex_);
    NW_RETURN_IF_ERROR(UncoverExpired());
    NW_ASSIGN_OR_RETURN(const RowMapping* const mapping, Bind(columns));
    return IngestLocked(source, columns, rows, next, *mapping);
  }

  absl::StatusOr<std::string> Cursor(std::string_view source) const {
    NW_RETURN_IF_ERROR(CheckSource(source));
    NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine().Get(Space::kHost, Key(kSourcePrefix, source)));
    return value ? std::string(value->view()) : std::string();
  }

  // ---- Days

  absl::StatusOr<DayFigures> CloseDay(absl::CivilDay day, const CloseDayOptions& options) {
    NW_RETURN_IF_ERROR(CheckText("actor", options.actor, kMaxActorBytes, true));
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

  absl::StatusOr<std::vector<DayFigures>> Days(absl::CivilDay from, absl::CivilDay to) const {
    const absl::MutexLock lock(&mutex_);
    return DaysLocked(from, to);
  }

  absl::StatusOr<DigestPage> MerchantDigests(absl::CivilDay day, std::string_view after, size_t limit) const {
    NW_RETURN_IF_ERROR(CheckLimit(limit, kMaxDigestPage));
    return MerchantDigestsOf(engine(), day, after, limit);
  }
  absl::StatusOr<DigestPage> HourDigests(absl::CivilDay day, std::string_view merchant_id) const {
    return HourDigestsOf(engine(), day, merchant_id);
  }
  absl::StatusOr<DigestPage> RowDigests(absl::CivilDay day, std::string_view merchant_id, int hour,
                                        std::string_view after, size_t limit) const {
    NW_RETURN_IF_ERROR(CheckLimit(limit, kMaxDigestPage));
    if (hour < 0 || hour > 23) return Bad("hour", "must be 0 to 23");
    return RowDigestsOf(engine(), day, merchant_id, hour, after, limit);
  }

  // ---- Discrepancies

  absl::StatusOr<DiscrepancyPage> ListDiscrepancies(const DiscrepancyQuery& query) const {
    NW_RETURN_IF_ERROR(CheckLimit(query.limit, kMaxDiscrepancyPage));
    const absl::MutexLock lock(&mutex_);
    return ListDiscrepanciesOf(run_, query);
  }

  absl::StatusOr<Discrepancy> GetDiscrepancy(std::string_view id) {
    const absl::MutexLock lock(&mutex_);
    NW_ASSIGN_OR_RETURN(const DiscrepancyRecord record, Find(id));
    NW_ASSIGN_OR_RETURN(Discrepancy shown, ShowDiscrepancy(run_, id, record));
    for (OurRow& row : shown.ours) {
      NW_ASSIGN_OR_RETURN(row.raw, side_.EventOf(row.records.front()));
    }
    return shown;
  }

  absl::Status Decide(DiscrepancyState state, std::string_view id, std::string_view actor, std::string_view reason) {
    NW_RETURN_IF_ERROR(CheckText("actor", actor, kMaxActorBytes, true));
    NW_RETURN_IF_ERROR(CheckText("reason", reason, kMaxReasonBytes, true));
    const absl::MutexLock lock(&mutex_);
    NW_ASSIGN_OR_RETURN(const DiscrepancyRecord record, Find(id));
    if (record.agreed) {
      return Error(absl::StatusCode::kFailedPrecondition, Printable(id), " is resolved: the sides agree");
    }
    Standing standing = run_.standing;
    WriteSet writes;
    ItemBatch batch(run_, standing, Now());
    NW_RETURN_IF_ERROR(batch.Decide(
        id,
        [&](const Judge& judge, DiscrepancyRecord& found) {
          return internal::compare::Decide(state, actor, reason, judge, found);
        },
        writes));
    return Commit(writes, std::move(standing));
  }

  // ---- Rules

  absl::Status AddRule(const IgnoreRule& rule) {
    const absl::MutexLock lock(&mutex_);
    Standing standing = run_.standing;
    NW_RETURN_IF_ERROR(standing.rules.Add(rule));
    WriteSet writes;
    standing.rules.WriteChanges(writes);
    return Commit(writes, std::move(standing));
  }

  absl::Status RetireRule(std::string_view id, std::string_view actor) {
    NW_RETURN_IF_ERROR(CheckText("actor", actor, kMaxActorBytes, true));
    const absl::MutexLock lock(&mutex_);
    Standing standing = run_.standing;
    NW_RETURN_IF_ERROR(standing.rules.Retire(id));
    WriteSet writes;
    standing.rules.WriteChanges(writes);
    NW_RETURN_IF_ERROR(Commit(writes, std::move(standing)));
    return UncoverAll(id);  // a crash before it is done: the next open does the rest
  }

  std::vector<IgnoreRule> Rules() const {
    const absl::MutexLock lock(&mutex_);
    return run_.standing.rules.Active();
  }

  // ---- Gate

  absl::StatusOr<GateStatus> Gate() {
    const absl::MutexLock lock(&mutex_);
    NW_RETURN_IF_ERROR(UncoverExpired());
    return GateLocked();
  }

  absl::StatusOr<RunReport> Report(absl::CivilDay from, absl::CivilDay to) {
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

  absl::Status PutSignOff(absl::CivilDay from, absl::CivilDay to, std::string_view actor, std::string_view note) {
    NW_RETURN_IF_ERROR(CheckText("actor", actor, kMaxActorBytes, true));
    NW_RETURN_IF_ERROR(CheckText("note", note, kMaxReasonBytes, false));
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

  absl::Status Verify() const {
    const absl::MutexLock lock(&mutex_);
    return VerifyRun(run_, ledger_);
  }

 private:
  Engine& engine() const { return run_.engine; }
  absl::Time Now() const { return clock_.Now(); }

  // ---- Opening

  absl::Status LoadFollowed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine().Get(Space::kHost, kFollowedKey));
    if (!value) return absl::OkStatus();
    if (value->view().size() != 8) return absl::DataLossError("compare: the cursor of the journal is damaged");
    const uint64_t followed = internal::LoadBigEndian64(value->view().data());
    const uint64_t head = ledger_.Head().sequence.value();
    if (followed > head) {
      return Error(absl::StatusCode::kDataLoss, "compare: the cursor, ", followed, ", is past the journal's head, ",
                   head);
    }
    run_.standing.followed = followed;
    followed_.store(followed);
    return absl::OkStatus();
  }

  absl::Status LoadMeta() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    NW_ASSIGN_OR_RETURN(const std::optional<PinnedValue> value, engine().Get(Space::kHost, kMetaKey));
    Meta meta{.ledger = ledger_.id(), .mapping_json = run_.mapping_json};
    if (!value) {
      WriteSet writes;
      writes.Put(Space::kHost, kMetaKey, EncodeMeta(meta));
      return engine().Write(writes);
    }
    NW_ASSIGN_OR_RETURN(meta, DecodeMeta(value->view()));
    if (meta.ledger != ledger_.id()) {
      return absl::FailedPreconditionError("the store has a parallel run of another ledger");
    }
    if (meta.mapping_json != run_.mapping_json) NW_RETURN_IF_ERROR(BeginReread(run_, meta));
    return FinishReread(run_, meta, Now());
  }

  absl::Status Commit(WriteSet& writes, Standing standing) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    NW_RETURN_IF_ERROR(engine().Write(writes));
    run_.standing = std::move(standing);
    return absl::OkStatus();
  }

  // ---- Both sides

  absl::StatusOr<size_t> FollowLocked(size_t limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    JournalReader reader = ledger_.ReadJournal(Sequence(run_.standing.followed));
    NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> records, reader.Next(limit));
    if (records.empty()) return 0;
    Standing standing = run_.standing;
    standing.followed = records.back().sequence.value();
    ItemBatch batch(run_, standing, Now());
    for (const JournalRecord& record : records) {
      NW_ASSIGN_OR_RETURN(std::optional<OurChange> change, side_.Read(record));
      if (change) batch.Add(*std::move(change));
    }
    WriteSet writes;
    NW_RETURN_IF_ERROR(batch.Run(writes));
    std::string cursor;
    internal::PutBigEndian64(cursor, standing.followed);
    writes.Put(Space::kHost, kFollowedKey, cursor);
    NW_RETURN_IF_ERROR(Commit(writes, std::move(standing)));
    followed_.store(run_.standing.followed);
    return records.size();
  }

  // The mapping bound to these columns; kept for the next page.
  absl::StatusOr<const RowMapping*> Bind(absl::Span<const std::string> columns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!bound_ || bound_->columns() != columns) {
      bound_.reset();
      NW_ASSIGN_OR_RETURN(RowMapping mapping, RowMapping::Bind(run_.mapping, columns));
      bound_.emplace(std::move(mapping));
    }
    return &*bound_;
  }

  // In writes of bounded size; `next` comes with the last. A row id that comes twice begins another one.
  absl::StatusOr<IngestResult> IngestLocked(std::string_view source, absl::Span<const std::string> columns,
                                            absl::Span<const RawRow> rows, std::string_view next,
                                            const RowMapping& mapping) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    IngestResult result;
    size_t done = 0;
    do {
      Standing standing = run_.standing;
      ColumnSets sets = run_.columns;
      WriteSet writes;
      NW_ASSIGN_OR_RETURN(const uint32_t number, sets.Number(columns, writes));
      ItemBatch batch(run_, standing, Now());
      size_t count = 0, bytes = 0;
      while (done < rows.size() && count < kWriteRows && bytes < kWriteBytes) {
        NW_ASSIGN_OR_RETURN(const bool taken, batch.Add(Arrival(source, number, rows[done], mapping)));
        if (!taken) break;
        bytes += BytesOf(rows[done]);
        ++count;
        ++done;
      }
      NW_RETURN_IF_ERROR(batch.Run(writes));
      if (done == rows.size()) writes.Put(Space::kHost, Key(kSourcePrefix, source), next);
      NW_RETURN_IF_ERROR(Commit(writes, std::move(standing)));
      run_.columns = std::move(sets);
      AddTo(result, batch.tally());
    } while (done < rows.size());
    return result;
  }

  TheirArrival Arrival(std::string_view source, uint32_t columns, const RawRow& raw, const RowMapping& mapping) const {
    TheirArrival arrival{.source = std::string(source), .columns = columns, .raw = raw, .mapped = mapping.Read(raw)};
    if (arrival.mapped.kind == MappedRow::Kind::kUnreadable) {
      // It has no day of its own: that on which it is first seen has to do.
      arrival.mapped.row = {};
      arrival.mapped.row.day = run_.terms.days.DayOf(Now());
    }
    arrival.row_id = arrival.mapped.row_id.empty() ? RowIdOfText(raw) : arrival.mapped.row_id;
    return arrival;
  }

  // ---- Days

  bool IsOver(absl::CivilDay day) const { return Now() >= run_.terms.days.EndOf(day) + options_.close_after; }

  absl::Status CheckMayClose(absl::CivilDay day) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!IsOver(day)) {
      return Error(absl::StatusCode::kFailedPrecondition, absl::FormatCivilTime(day), " may not be closed yet");
    }
    const uint64_t head = ledger_.Head().sequence.value();
    if (run_.standing.followed == head) return absl::OkStatus();
    return Error(absl::StatusCode::kFailedPrecondition, "the journal is followed up to ", run_.standing.followed,
                 ", and ends with ", head);
  }

  // From here on what stands alone in the day is missing, and what comes is late. Should a crash come before the end, the day is to be closed
  // again.
  absl::Status BeginClosing(absl::CivilDay day) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (run_.standing.days.StateOf(day) == DayState::kReopened) return absl::OkStatus();
    NW_ASSIGN_OR_RETURN(DayFigures figures, ReadFigures(engine(), day));
    figures.state = DayState::kReopened;
    return PutDay(figures);
  }

  absl::Status PutDay(const DayFigures& figures) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    WriteSet writes;
    writes.Put(Space::kHost, DayKey(kDayPrefix, figures.day), EncodeFigures(figures));
    Standing standing = run_.standing;
    standing.days.Set(figures.day, figures.state);
    return Commit(writes, std::move(standing));
  }

  absl::StatusOr<std::vector<DayFigures>> DaysLocked(absl::CivilDay from, absl::CivilDay to) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
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

  // ---- Discrepancies and rules

  absl::StatusOr<DiscrepancyRecord> Find(std::string_view id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    NW_ASSIGN_OR_RETURN(std::optional<DiscrepancyRecord> record, ReadDiscrepancy(engine(), id));
    if (!record) return Error(absl::StatusCode::kNotFound, "no discrepancy ", Printable(id));
    return *std::move(record);
  }

  // Time is no change that anything is told of: whoever looks at days, rows or the gate looks at the clock first.
  absl::Status UncoverExpired() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const std::string& id : run_.standing.rules.Expired(Now())) NW_RETURN_IF_ERROR(UncoverAll(id));
    return absl::OkStatus();
  }

  // Judges all anew that is ignored under the rule, which is retired or has expired.
  absl::Status UncoverAll(std::string_view rule) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    constexpr size_t kBatch = 2'000;
    std::string after;
    bool more = true;
    while (more) {
      std::vector<std::string> names;
      more = false;
      NW_RETURN_IF_ERROR(EachDiscrepancy(
          engine(), after, [&](std::string_view name, const DiscrepancyRecord& record) -> absl::StatusOr<bool> {
            more = names.size() == kBatch;
            if (more) return false;
            if (std::find(record.rules.begin(), record.rules.end(), rule) != record.rules.end())
              names.emplace_back(name);
            return true;
          }));
      if (names.empty()) return absl::OkStatus();
      after = names.back();
      Standing standing = run_.standing;
      ItemBatch batch(run_, standing, Now());
      for (std::string& name : names) batch.Review(std::move(name));
      WriteSet writes;
      NW_RETURN_IF_ERROR(batch.Run(writes));
      NW_RETURN_IF_ERROR(Commit(writes, std::move(standing)));
    }
    return absl::OkStatus();
  }

  // ---- Gate

  absl::StatusOr<GateStatus> GateLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
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

  // Whether a record of before then was not followed.
  absl::StatusOr<bool> JournalLags(absl::Time then) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (run_.standing.followed >= ledger_.Head().sequence.value()) return false;
    JournalReader reader = ledger_.ReadJournal(Sequence(run_.standing.followed));
    NW_ASSIGN_OR_RETURN(const std::vector<JournalRecord> next, reader.Next(1));
    return !next.empty() && next.front().recorded_at < then;
  }

  absl::StatusOr<RunReport> ReportLocked(absl::CivilDay from, absl::CivilDay to) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
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

  Ledger& ledger_;
  const ParallelRunOptions options_;
  Clock& clock_;
  mutable absl::Mutex mutex_;
  RunState run_;  // what of it changes, under mutex_
  JournalSide side_ ABSL_GUARDED_BY(mutex_);
  std::optional<RowMapping> bound_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> followed_{0};
};

// ---- The front door -----------------------------------------------------------------------------------------

absl::StatusOr<std::unique_ptr<ParallelRun>> ParallelRun::Open(Ledger& ledger, Store& store,
                                                               const ParallelRunOptions& options) {
  NW_RETURN_IF_ERROR(CheckOptions(options));
  NW_RETURN_IF_ERROR(ValidateMapping(options.mapping));
  NW_ASSIGN_OR_RETURN(Terms terms, Terms::Of(options.mapping));
  Engine& engine = store.engine();
  if (!engine.AcquireSlot(Engine::Slot::kCompare)) {
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

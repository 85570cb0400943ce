// SPDX-License-Identifier: Apache-2.0
//
// The parallel run: everything that the ledger settles is compared with what the batch system says of it, for weeks, before a
// single merchant is moved. docs/parallel-run.md is the specification.
//
//   NW_ASSIGN_OR_RETURN(auto run, ParallelRun::Open(*ledger, *store, {.mapping = mapping}));
//   NW_RETURN_IF_ERROR(run->CatchUp());                                  // our side: the journal
//   NW_RETURN_IF_ERROR(run->Ingest("batch", page.columns, page.rows, page.next).status());   // theirs: pages of LegacyReader, or of a file
//   NW_ASSIGN_OR_RETURN(DayFigures day, run->CloseDay(absl::CivilDay(2026, 3, 1), {.actor = "ops"}));
//   NW_ASSIGN_OR_RETURN(GateStatus gate, run->Gate());
#ifndef NORTHWIND_COMPARE_H_
#define NORTHWIND_COMPARE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/amount.h"
#include "northwind/clock.h"
#include "northwind/ledger.h"
#include "northwind/sequence.h"
#include "northwind/store.h"

namespace northwind {

// ---- Rows ---------------------------------------------------------------------------------------------------

// What of a payment or payout a row is about. Persisted; the values are pinned.
enum class Leg : uint8_t {
  kCapture = 1,       // id: the payment's
  kRefund = 2,        // id: the payment's, or "payment/refund" if the refund has an id
  kDispute = 3,       // id: the payment's
  kPayout = 4,        // id: the payout's
  kPayoutReturn = 5,  // id: the payout's
  kAdjustment = 6,    // id: the payment's
};
inline constexpr size_t kLegs = 6;
std::string_view Name(Leg leg);  // "capture", "payout_return"
std::optional<Leg> ParseLeg(std::string_view name);

// How far it has come. Persisted; the values are pinned.
enum class LegStatus : uint8_t {
  kSettled = 1,   // captures, refunds, returns and adjustments: done
  kOpen = 2,      // disputes and payouts: the money is held
  kPaid = 3,      // payouts
  kFailed = 4,    // payouts
  kCanceled = 5,  // payouts
  kLost = 6,      // disputes
  kWon = 7,       // disputes
};
std::string_view Name(LegStatus status);  // "settled"
std::optional<LegStatus> ParseLegStatus(std::string_view name);

// One row of either side, normalised: what is compared.
struct SettledRow {
  Leg leg{};
  std::string id;  // 1 … 129 bytes
  std::string merchant_id;
  Asset asset;
  // Minor units as the merchant sees them: captures, returns and credits are positive; refunds, disputes, payouts and debits negative.
  absl::int128 units = 0;
  std::optional<absl::int128> fee;  // what the platform keeps, positive; nothing if not compared
  std::optional<LegStatus> status;  // nothing if not compared
  absl::CivilDay day;               // the business day
  std::optional<absl::Time> at;     // nothing if the batch says only the day
  friend bool operator==(const SettledRow&, const SettledRow&) = default;
};

// A row as the batch system has it: text by column, nothing for NULL. The same type as LegacyRow of postgres.h.
using RawRow = std::vector<std::optional<std::string>>;

// ---- Mapping ------------------------------------------------------------------------------------------------

enum class LegacyAmountForm : uint8_t { kDecimal = 1, kMinorUnits = 2 };  // "12.50" or "1250"
enum class LegacyAmountSign : uint8_t {
  kMagnitude = 1,  // never negative, but for adjustments: the leg says the direction
  kMerchant = 2,   // signed as SettledRow::units
};

// How rows of the batch system are read. Columns are named as they are in the query's or file's head. A plain value; also written as
// JSON (docs/parallel-run.md), which is what its hash is over.
struct LegacyMapping {
  std::string
      row_id;       // the column that names a row for ever: a row of the same id later is a correction, not another row
  std::string leg;  // its column; or empty, and all rows are `only_leg`
  std::map<std::string, Leg> legs;  // text of that column to leg; text that is not here makes the row unreadable
  std::optional<Leg> only_leg;
  std::string id;         // the payment's or payout's
  std::string refund_id;  // optional: a refund's own id
  std::string merchant_id;
  std::string asset;  // its column; text not in `assets` must be an asset as it stands ("USD/2")
  std::map<std::string, std::string> assets;
  std::string amount;
  LegacyAmountForm amount_form = LegacyAmountForm::kDecimal;
  LegacyAmountSign amount_sign = LegacyAmountSign::kMagnitude;
  std::string fee;     // optional: empty, and fees are not compared. NULL is zero.
  std::string status;  // optional: empty, and statuses are not compared
  std::map<std::string, LegStatus> statuses;
  std::set<std::string> skipped_statuses;  // rows that the batch has but did not settle: counted as ignored
  // One of the two, or both: the business day ("2026-03-01"), and the moment (RFC 3339, or as PostgreSQL writes timestamptz). With
  // `at` alone the day follows from it, as it does on our side from when the event occurred.
  std::string day;
  std::string at;
  std::string time_zone = "UTC";                     // IANA name: business days are days there,
  absl::Duration day_begins = absl::ZeroDuration();  // which begin so long after midnight; −12 h … 12 h
  // Days that differ are no day shift if our moment is so close to their day, or nearer. 0 … 12 h.
  absl::Duration time_tolerance = absl::ZeroDuration();
  friend bool operator==(const LegacyMapping&, const LegacyMapping&) = default;
};
// InvalidArgument that names the member and says what it must be.
absl::Status ValidateMapping(const LegacyMapping& mapping);
absl::StatusOr<LegacyMapping> ParseMappingJson(std::string_view json);
std::string FormatMappingJson(const LegacyMapping& mapping);  // one mapping is one text

// ---- Files --------------------------------------------------------------------------------------------------

enum class LegacyFileFormat : uint8_t {
  kCsv = 1,  // RFC 4180, UTF-8, with a head; an empty unquoted field is NULL, "" is the empty text
  kJsonl =
      2,  // an object of scalars in each line; numbers keep their digits; columns are the members of the first line
};

struct LegacyFilePage {
  std::vector<std::string> columns;
  std::vector<RawRow> rows;
  std::string next;  // stands for the place after the last row; empty at the end
};

inline constexpr size_t kMaxLegacyRowBytes = 64 << 10;

// Pages of a file, in bounded memory. Not thread-safe.
class LegacyFile {
 public:
  // NotFound, PermissionDenied; InvalidArgument for a head that is none, or names a column twice.
  static absl::StatusOr<std::unique_ptr<LegacyFile>> Open(const std::string& path, LegacyFileFormat format);
  ~LegacyFile();
  LegacyFile(const LegacyFile&) = delete;
  LegacyFile& operator=(const LegacyFile&) = delete;

  // Up to `limit` rows (1 … 100,000) after `after` (LegacyFilePage::next; empty: from the start). DataLoss names the line that is no row;
  // InvalidArgument for an `after` that is none of this file.
  absl::StatusOr<LegacyFilePage> Read(size_t limit, std::string_view after = {});

 private:
  class Core;
  explicit LegacyFile(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

// ---- Discrepancies ------------------------------------------------------------------------------------------

// Persisted; the values are pinned.
enum class DiscrepancyClass : uint8_t {
  kMissingHere = 1,   // the batch has it, the ledger has not
  kMissingThere = 2,  // the ledger has it, the batch has not
  kDuplicate = 3,     // one side has it more often than the other
  kCurrency = 4,
  kAmount = 5,
  kFee = 6,
  kMerchant = 7,
  kStatus = 8,
  kDayShift = 9,     // business days differ, by more than the tolerance
  kLate = 10,        // agrees, but one side came after its day was closed
  kUnreadable = 11,  // a row that the mapping cannot read
};
std::string_view Name(DiscrepancyClass c);  // "missing_here"
std::optional<DiscrepancyClass> ParseDiscrepancyClass(std::string_view name);

enum class DiscrepancyState : uint8_t {  // persisted; the values are pinned
  kOpen = 1,
  kExplained = 2,  // somebody says why it is right as it is
  kResolved = 3,   // the sides agree now, or somebody says that it is mended
  kIgnored = 4,    // under a rule
};
std::string_view Name(DiscrepancyState state);

struct DiscrepancyChange {
  absl::Time at;
  DiscrepancyState state{};
  std::vector<DiscrepancyClass> classes;
  std::string actor;   // empty: the run itself
  std::string reason;  // or the rule's id
};

struct TheirRow {
  std::string source;
  std::string row_id;
  std::map<std::string, std::optional<std::string>> raw;
  std::optional<SettledRow> row;  // nothing if it cannot be read
};
struct OurRow {
  std::vector<Sequence> records;  // in the journal: the raw side
  std::string raw;                // the event of the first of them, as JSON; of GetDiscrepancy only
  SettledRow row;
};

struct Discrepancy {
  std::string id;  // "payout:po_1": leg and id; of unreadable rows "row:<source>:<row id>"
  // All that differs; the first is the class that it is counted under.
  std::vector<DiscrepancyClass> classes;
  DiscrepancyState state = DiscrepancyState::kOpen;
  std::vector<OurRow> ours;
  std::vector<TheirRow> theirs;
  std::string detail;  // what differs, in words: "amount: -100.00 here, -100.01 there (USD)"
  absl::CivilDay day;  // ours if there is one, else theirs; of unreadable rows that on which they were first seen
  absl::Time first_seen;
  absl::Time last_seen;
  std::string rules_hash;                  // of mapping and rules when last seen, hexadecimal
  std::vector<DiscrepancyChange> history;  // the last kMaxDiscrepancyHistory
};
inline constexpr size_t kMaxDiscrepancyHistory = 50;
inline constexpr size_t kMaxDiscrepancyPage = 1000;
// Rows of one side under one leg and id; more are counted as one discrepancy (duplicate) and not kept.
inline constexpr size_t kMaxRowsPerItem = 64;

struct DiscrepancyQuery {
  std::optional<DiscrepancyState> state;
  std::optional<DiscrepancyClass> first_class;
  std::optional<absl::CivilDay> day;
  std::string merchant_id;
  std::string after;   // DiscrepancyPage::next
  size_t limit = 100;  // 1 … kMaxDiscrepancyPage
};
struct DiscrepancyPage {
  std::vector<Discrepancy> discrepancies;  // by id
  std::string next;                        // empty at the end
};

// ---- Rules --------------------------------------------------------------------------------------------------

// What may be ignored: never a difference of money. A discrepancy is ignored if all of its classes are covered by rules.
struct IgnoreRule {
  std::string id;  // 1–64 characters of A–Z a–z 0–9 . _ -
  std::string owner;
  std::string reason;
  DiscrepancyClass of{};  // kMissingHere, kMissingThere, kStatus, kDayShift, kLate or kUnreadable
  std::optional<Leg> leg;
  std::string merchant_id;  // empty: all
  absl::CivilDay from;      // days, both inclusive
  absl::CivilDay to;
  absl::Time
      expires_at;  // what it covers is judged anew by the first call after that which looks at days, rows or the gate
  uint64_t max_count = 0;  // discrepancies, ≥ 1
  std::map<std::string, absl::uint128>
      max_units;  // asset to the sum of magnitudes; an asset that is not here is not covered. Empty of kUnreadable: its worth is not known
};

// ---- Days ---------------------------------------------------------------------------------------------------

struct CountAndSum {
  uint64_t count = 0;
  absl::int128 sum = 0;  // of SettledRow::units
  friend bool operator==(const CountAndSum&, const CountAndSum&) = default;
};

// The rows of one side, of one day and asset. Coverage: ingested = matched + mismatched + pending + ignored, in count and in sum.
// `ingested` is counted as rows come in, the rest from what is kept when the day is closed.
struct Coverage {
  CountAndSum ingested;
  CountAndSum matched;
  CountAndSum mismatched;  // of discrepancies that are open, explained or resolved by hand
  CountAndSum pending;     // alone so far, and the day is not closed
  CountAndSum ignored;     // under a rule, a skipped status, or because northwind has paid it
  CountAndSum
      by_northwind;  // of `ignored`: what northwind has paid (and what came back of it), of which the batch has no row
  bool holds() const;
};
struct SideBySide {
  Coverage ours;
  Coverage theirs;
};

enum class DayState : uint8_t {  // persisted; the values are pinned
  kOpen = 1,
  kClosed = 2,
  kReopened = 3,  // was closed, and something of it changed since: close it again
};
std::string_view Name(DayState state);

struct CanaryResult {
  DiscrepancyClass expected{};
  std::vector<DiscrepancyClass> found;  // empty: nothing was
  bool sound() const { return !found.empty() && found.front() == expected; }
};

struct DayFigures {
  absl::CivilDay day;
  DayState state = DayState::kOpen;
  absl::Time closed_at = absl::InfinitePast();
  std::string closed_by;
  std::map<std::string, SideBySide> assets;
  std::map<DiscrepancyClass, uint64_t> by_class;  // by first class, whatever the state
  std::map<DiscrepancyState, uint64_t> by_state;
  std::string rules_hash;
  // One for each class but kLate and kUnreadable, made of a row of the day that agrees. Empty if the day has no such row.
  std::vector<CanaryResult> canaries;
  bool sound = false;  // there were canaries, and all were found as what they are
  // What the batch says that it has of the day does not fit what was ingested: CloseDayOptions::expected.
  std::vector<std::string> incomplete;
  // What the batch was said to have of the day at the last closing that was told, by asset: kept, and checked at each later one.
  std::map<std::string, CountAndSum> totals;
  bool totals_told = false;  // it was said, be it that there is nothing
  Hash256 our_digest{};
  Hash256 their_digest{};
  bool clean() const;  // closed, sound, complete, coverage holds, something compared, and nothing open
};

struct CloseDayOptions {
  std::string actor;  // 1–128 bytes
  // What the batch itself counts for the day, by asset; an asset that is not there has nothing. Nothing: it is not told, and what was told at
  // an earlier closing of the day is checked.
  std::optional<std::map<std::string, CountAndSum>> expected;
};

// Digests, from days down to single rows, so that two systems find where they differ without shipping everything: SHA-256 as
// docs/parallel-run.md defines it.
struct DigestNode {
  std::string name;  // a merchant, an hour ("13"), or a row ("capture:pay_1")
  Hash256 ours{};    // zero: nothing there
  Hash256 theirs{};
  uint64_t our_rows = 0;
  uint64_t their_rows = 0;
  bool same() const { return ours == theirs; }
};
inline constexpr size_t kMaxDigestPage = 10'000;
struct DigestPage {
  std::vector<DigestNode> nodes;  // by name
  std::string next;
};

// ---- Gate ---------------------------------------------------------------------------------------------------

struct GateStatus {
  bool open = false;
  std::vector<std::string> reasons;  // why not, one sentence each
  std::vector<absl::CivilDay> days;  // the clean days in a row, up to the last closed one
  std::string rules_hash;
};

struct RunReport {
  absl::Time made_at;
  std::string ledger_id;  // hexadecimal
  Sequence followed;
  absl::CivilDay from;
  absl::CivilDay to;
  std::vector<DayFigures> days;
  std::vector<Discrepancy> unresolved;  // the first kMaxDiscrepancyPage
  uint64_t unresolved_count = 0;
  std::vector<IgnoreRule> rules;
  std::map<std::string, uint64_t> rule_uses;
  GateStatus gate;
  std::string signed_by;  // empty: nobody
  std::string note;
  absl::Time signed_at = absl::InfinitePast();
};
std::string FormatReportText(const RunReport& report);
std::string FormatReportJson(const RunReport& report);
std::string FormatReportHtml(const RunReport& report);  // one page, no other files

// ---- The run ------------------------------------------------------------------------------------------------

// Whether northwind is to pay a payout, or has, so that the batch has no row of it. One that is not paid is kMissingThere nevertheless, with that
// in its detail, until it is: an answer of "ours" is no proof of payment. Errors: whatever keeps it from being told.
using IsOurs = std::function<absl::StatusOr<bool>(Leg leg, std::string_view id, std::string_view merchant_id)>;

struct ParallelRunOptions {
  LegacyMapping mapping;
  Clock* clock = nullptr;  // the system's if null
  // Days that must be clean in a row, 1 … 365.
  int gate_days = 14;
  // So long after a business day has ended it may be closed at the earliest; 0 … 7 days.
  absl::Duration close_after = absl::ZeroDuration();
  // Whether the gate takes only days of which the batch's own totals were told (CloseDayOptions::expected). Without them, rows that the
  // batch has and nobody loaded are not missed.
  bool needs_totals = true;
  // During a cutover: NorthwindPays of cutover.h. Asked by CloseDay alone, of each payout and payout return of the day (of one of them also before
  // anything is changed, to see that answers can be had); what it answered is
  // kept, and holds until the day is closed again. Without it everything is the batch's, but for what was answered before. Called under
  // the run's lock: it must not call the run.
  IsOurs is_ours;
};

// rows = new_rows + corrected + unchanged; unreadable and skipped ones are among each of these.
struct IngestResult {
  uint64_t rows = 0;
  uint64_t new_rows = 0;
  uint64_t corrected = 0;   // same row id, other content
  uint64_t unchanged = 0;   // seen before
  uint64_t unreadable = 0;  // each of them a discrepancy
  uint64_t skipped = 0;     // by status
};

inline constexpr size_t kMaxIngestRows = 100'000;

// Compares, and keeps what it finds in the Store, under host keys that begin with "nw/compare/". One per store at a time.
//
// Both sides may come in any order, in pieces, and again: rows are known by their sequence or row id. Each call is one or a few atomic,
// durable writes; a crash loses nothing that was answered. Memory does not grow with what is kept. No threads of its own.
// Thread-safe. Errors: of ledger and store as they are.
class ParallelRun {
 public:
  // InvalidArgument for options out of range; FailedPrecondition if the store has one open. Another mapping than that of before makes
  // every day's figures stale (kReopened): rows that were kept are read anew by it.
  static absl::StatusOr<std::unique_ptr<ParallelRun>> Open(Ledger& ledger, Store& store,
                                                           const ParallelRunOptions& options);
  ~ParallelRun();
  ParallelRun(const ParallelRun&) = delete;
  ParallelRun& operator=(const ParallelRun&) = delete;

  // ---- Both sides
  // Reads up to `limit` (1 … kMaxJournalPage) records of the journal; how many.
  absl::StatusOr<size_t> FollowOnce(size_t limit = kMaxJournalPage);
  // Up to the head as it is now.
  absl::Status CatchUp();
  Sequence followed() const;
  // Up to kMaxIngestRows rows of a source. `next` is kept with them: Cursor returns it, so that reading can go on there. InvalidArgument if a
  // column of the mapping is not there, or a row has another number of columns or more than kMaxLegacyRowBytes; nothing is done then.
  absl::StatusOr<IngestResult> Ingest(std::string_view source, absl::Span<const std::string> columns,
                                      absl::Span<const RawRow> rows, std::string_view next = {});
  absl::StatusOr<std::string> Cursor(std::string_view source) const;

  // ---- Days
  // Takes stock: what stands alone is missing from now on; canaries are sent through; figures and digests are made. FailedPrecondition
  // if the day is not over, or the journal not followed to its end; errors of ParallelRunOptions::is_ours as they are, and the day is then to be
  // closed again. Again whenever something changed. A few seconds per million rows, and one question for each payout with is_ours.
  absl::StatusOr<DayFigures> CloseDay(absl::CivilDay day, const CloseDayOptions& options);
  // Of days that anything is known of; those of open days are made on the spot.
  absl::StatusOr<std::vector<DayFigures>> Days(absl::CivilDay from, absl::CivilDay to) const;
  // Merchants of a day; hours of a merchant; rows of an hour.
  absl::StatusOr<DigestPage> MerchantDigests(absl::CivilDay day, std::string_view after = {},
                                             size_t limit = 1000) const;
  absl::StatusOr<DigestPage> HourDigests(absl::CivilDay day, std::string_view merchant_id) const;
  absl::StatusOr<DigestPage> RowDigests(absl::CivilDay day, std::string_view merchant_id, int hour,
                                        std::string_view after = {}, size_t limit = 1000) const;

  // ---- Discrepancies
  absl::StatusOr<DiscrepancyPage> ListDiscrepancies(const DiscrepancyQuery& query) const;
  absl::StatusOr<Discrepancy> GetDiscrepancy(std::string_view id) const;  // NotFound
  // FailedPrecondition if it is resolved because the sides agree. What is decided holds until anything of what differs changes; of one that
  // rules cover, Reopen lasts until its day is closed again. Actor and reason: 1–128 and 1–1000 bytes.
  absl::Status Explain(std::string_view id, std::string_view actor, std::string_view reason);
  absl::Status Resolve(std::string_view id, std::string_view actor, std::string_view reason);
  absl::Status Reopen(std::string_view id, std::string_view actor, std::string_view reason);

  // ---- Rules
  // AlreadyExists for an id that was ever used. What is there already is covered from the next closing of its day on. Any change of rules begins the gate's count of days anew.
  absl::Status AddRule(const IgnoreRule& rule);
  absl::Status RetireRule(std::string_view id, std::string_view actor);  // what it covered is open again; NotFound
  absl::StatusOr<std::vector<IgnoreRule>> Rules() const;

  // ---- Gate
  // Open if the last `gate_days` days are clean, in a row, up to the last business day but one that is over, and nothing else is in the way,
  // whatever its day: docs/parallel-run.md.
  absl::StatusOr<GateStatus> Gate() const;
  absl::StatusOr<RunReport> Report(absl::CivilDay from, absl::CivilDay to) const;
  // Puts a name under the report as it stands; it is void as soon as a figure changes. FailedPrecondition while the gate is shut, if a day
  // of the range is not closed, or neither clean nor without rows, or if none is clean.
  absl::Status SignOff(absl::CivilDay from, absl::CivilDay to, std::string_view actor, std::string_view note);

  // Counts everything again and compares with what is kept; DataLoss names the first difference.
  absl::Status Verify() const;

 private:
  class Core;
  explicit ParallelRun(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind

#endif  // NORTHWIND_COMPARE_H_

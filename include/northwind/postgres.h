// SPDX-License-Identifier: Apache-2.0
//
// A copy of the ledger in PostgreSQL, for those who ask in SQL; a reader of what a PostgreSQL of before holds; and the claims of a
// cutover. docs/mirror.md and docs/cutover.md have the schemas and the semantics.
//
//   MirrorOptions options{.connection = "host=db.internal dbname=finance sslmode=verify-full"};
//   NW_RETURN_IF_ERROR(Mirror::Migrate(options));
//   NW_ASSIGN_OR_RETURN(auto mirror, Mirror::Open(*ledger, options));
//   NW_RETURN_IF_ERROR(mirror->Start());   // from here on it follows the journal, on a thread of its own
//
// A part of its own: link northwind::postgres, which needs libpq 14 or newer. The server: PostgreSQL 15 or newer.
#ifndef NORTHWIND_POSTGRES_H_
#define NORTHWIND_POSTGRES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "northwind/cutover.h"
#include "northwind/ledger.h"
#include "northwind/sequence.h"

namespace northwind {

// ---- Mirror -------------------------------------------------------------------------------------------------

// Most rows of `postings`, and most bytes of names, references and metadata, in one transaction of PostgreSQL.
inline constexpr size_t kMaxMirrorPostings = 100'000;
inline constexpr size_t kMaxMirrorBytes = 16 << 20;

struct MirrorOptions {
  // A connection string or URI of libpq (https://www.postgresql.org/docs/current/libpq-connect.html), which may name several hosts,
  // a service or a password file. target_session_attrs=read-write, keepalives, tcp_user_timeout and connect_timeout are set
  // unless it sets them; application_name is "northwind mirror" unless it does.
  std::string connection;
  // Where the tables are: 1–63 of a–z 0–9 _, not beginning with a digit.
  std::string schema = "northwind";
  // Most journal records in one transaction of PostgreSQL, 1 … kMaxJournalPage; it ends sooner where its rows would be more than
  // kMaxMirrorPostings or kMaxMirrorBytes. Memory is that of two such batches, some tens of MB each at most. After one that took longer
  // than `statement_timeout` they are of half as many records, and again of half, down to one; they grow by quarters as they go
  // through in less than half of that time.
  size_t batch = 8192;
  // This far behind, in records, rows go by COPY, else by INSERT from arrays.
  uint64_t backfill_lag = 16'384;
  // No answer to a batch for so long is an outage: the connection is given up, and made anew; the batch is tried again in smaller pieces.
  absl::Duration statement_timeout = absl::Minutes(2);
  // Between tries while PostgreSQL cannot be reached or asks for another try: full jitter below a bound that doubles from the
  // first to the second.
  absl::Duration min_retry = absl::Milliseconds(100);
  absl::Duration max_retry = absl::Seconds(30);
  // Accounts whose totals are kept in memory between batches (about 100 bytes each); others are asked of the ledger.
  size_t cached_accounts = 100'000;
};

enum class MirrorState : uint8_t {
  kStopped = 1,  // not started, or stopped
  kRunning = 2,
  kWaiting = 3,  // PostgreSQL cannot take anything now, see MirrorStats::status; it is tried again for ever
  kHalted = 4,   // something that a person must mend, see MirrorStats::status: Start again after that
};
std::string_view Name(MirrorState state);

struct MirrorStats {
  MirrorState state = MirrorState::kStopped;
  absl::Status status;  // waiting and halted: why, with the SQLSTATE if there is one
  Sequence mirrored;    // PostgreSQL holds the journal up to here; 0 after Start until that is known
  Sequence head;        // of the ledger
  uint64_t lag_records = 0;
  absl::Duration lag;    // age of the oldest record that is not there yet; 0 if all are
  uint64_t batches = 0;  // since Open, as the rest
  uint64_t records = 0;
  uint64_t copied = 0;       // records of `records` that went by COPY
  uint64_t connections = 0;  // made
  uint64_t ambiguous = 0;    // commits whose answer was lost; which way they went was read from the watermark
};

struct AuditProgress {
  Sequence checked;
  Sequence end;  // the watermark when the audit began
};

struct AuditReport {
  Sequence watermark;
  uint64_t transactions = 0;  // rows compared, of each kind
  uint64_t postings = 0;
  uint64_t accounts = 0;
  uint64_t holds = 0;
  uint64_t payouts = 0;
  uint64_t payout_events = 0;
  uint64_t rejections = 0;
  // Rows that are not what the journal says, missing or too many: table and key, and what differs. The first kMaxAuditFindings.
  std::vector<std::string> findings;
  uint64_t differences = 0;
  bool clean() const { return differences == 0; }
};
inline constexpr size_t kMaxAuditFindings = 100;

// Follows the journal of a ledger and keeps rows in PostgreSQL that are, at every moment that a reader can see, exactly those of
// the journal up to the watermark: the watermark moves in the transaction that brings the rows.
//
// The journal does not wait for the mirror, and nothing is kept for it but the journal: PostgreSQL may be away for as long as it
// likes. Faults that pass (connections, serialisation, resources, shutdown) are tried again; anything else halts: nothing is skipped.
// A second mirror of the same ledger takes over: the first halts at its next batch (by the epoch in the watermark).
//
// Thread-safe. Threads: one. Must not outlive its ledger.
class Mirror {
 public:
  // Makes the schema or brings it to the version of this library, in one transaction under an advisory lock; any number may call it at
  // once. FailedPrecondition if the schema is of a newer version or not one of northwind; PermissionDenied; InvalidArgument;
  // Unavailable. Needs the rights of an owner (scripts in docs/mirror.md), which the mirror itself does not.
  static absl::Status Migrate(const MirrorOptions& options);
  // Removes all rows and the ledger that they are bound to, so that a mirror begins from zero. Errors as those of Migrate. No
  // mirror may be running on it: one that does halts.
  static absl::Status Reset(const MirrorOptions& options);

  // InvalidArgument for options out of range. Does not touch the network.
  static absl::StatusOr<std::unique_ptr<Mirror>> Open(Ledger& ledger, const MirrorOptions& options);
  // Stop().
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  // Begins to follow. OK also if PostgreSQL cannot be reached now. What would halt, such as a database of another ledger or ahead
  // of this one, is found by the thread: see Stats. FailedPrecondition if it is running.
  absl::Status Start();
  // Ends what is under way, at most after `statement_timeout`; OK if stopped already.
  void Stop();

  // Waits until PostgreSQL holds the journal up to `sequence`. DeadlineExceeded; FailedPrecondition if it is stopped or halts.
  absl::Status WaitFor(Sequence sequence, absl::Duration timeout) const;
  MirrorStats Stats() const;

  // Up to which record PostgreSQL holds the journal, asked of it: short queries in a transaction that only reads, for which a role that
  // only reads is enough. Beside a running mirror or without; Stats has what a running one knows. Errors: as Audit.
  absl::StatusOr<Sequence> ReadWatermark() const;
  // Compares every row with what the journal says, up to the watermark, in one snapshot of PostgreSQL; beside a running mirror or
  // without. `progress` is called now and then on the calling thread; return false to cancel (Cancelled). Errors: as Migrate;
  // FailedPrecondition for a database of another ledger or ahead of it; Unavailable if the connection breaks; DeadlineExceeded without
  // an answer in `statement_timeout`; PermissionDenied.
  absl::StatusOr<AuditReport> Audit(const std::function<bool(const AuditProgress&)>& progress = nullptr) const;

 private:
  class Core;
  explicit Mirror(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

// ---- Legacy -------------------------------------------------------------------------------------------------

inline constexpr size_t kMaxLegacyPage = 100'000;
inline constexpr size_t kMaxLegacyKeyColumns = 8;

// One thing to be read from an existing schema.
struct LegacyQuery {
  // One SELECT, without ORDER BY, LIMIT or a semicolon at its end.
  std::string sql;
  // Columns of its result that together are unique and never null; pages go in their order. Each of a type that PostgreSQL can
  // order and whose text it reads back as the same value.
  std::vector<std::string> key;
};

struct LegacyOptions {
  std::string connection;  // as MirrorOptions::connection, but any server will do: a standby as well
  absl::Duration statement_timeout = absl::Minutes(10);
  size_t page = 10'000;  // rows, 1 … kMaxLegacyPage
};

// A row as text, as PostgreSQL writes it (dates ISO, time zone UTC, bytea hexadecimal); nothing for NULL. Columns as in LegacyPage::columns.
using LegacyRow = std::vector<std::optional<std::string>>;

struct LegacyPage {
  std::vector<std::string> columns;
  std::vector<LegacyRow> rows;  // in order of the key
  // Stands for the last row: give it to a later Read, of this reader or another, to go on after it. Empty at the end.
  std::string next;
};

struct LegacyMerchant {
  std::string merchant_id;
  std::string name;  // empty if the query has no such column, or for NULL
};
struct LegacyBalance {
  std::string merchant_id;
  std::string asset;       // "USD/2"
  absl::int128 units = 0;  // minor units
};

template <typename Record>
struct LegacyRecords {
  std::vector<Record> records;
  std::string next;
};

// Reads a schema that somebody else made, in one read-only snapshot (REPEATABLE READ): all pages of one reader show the same moment,
// however long they take. Pages are found by the key, never by an offset; that later rows have greater keys is not assumed (serial
// numbers commit out of order), so read again from the start to see what is new.
//
// Results of a batch system are read with Read, as text; what their columns mean is said, and each row checked, by the mapping of the
// parallel run (LegacyMapping, northwind/compare.h): give it the page's columns, rows and next.
//
// Not thread-safe. A reader keeps one connection and a transaction open: do not keep it for longer than the reading takes.
class LegacyReader {
 public:
  // Connects and takes the snapshot. InvalidArgument, Unavailable, PermissionDenied.
  static absl::StatusOr<std::unique_ptr<LegacyReader>> Open(const LegacyOptions& options);
  ~LegacyReader();
  LegacyReader(const LegacyReader&) = delete;
  LegacyReader& operator=(const LegacyReader&) = delete;

  // The moment of the snapshot, by the clock of the server.
  absl::Time snapshot_at() const;

  // The page after `after` (LegacyPage::next of the page before; empty: the first). InvalidArgument for SQL that the server refuses or that
  // writes, a key column that the result has not, a key that is null in any row or not unique on this page, or an `after` of another query;
  // PermissionDenied; ResourceExhausted: the reader stays good after these. Unavailable if the connection broke, and DeadlineExceeded after
  // `statement_timeout`: the snapshot is gone then.
  absl::StatusOr<LegacyPage> Read(const LegacyQuery& query, std::string_view after = {});
  // The same, of queries whose results have the columns merchant_id and, if they like, name.
  absl::StatusOr<LegacyRecords<LegacyMerchant>> ReadMerchants(const LegacyQuery& query, std::string_view after = {});
  // Of queries with the columns merchant_id, asset ("USD/2"), and either units (whole minor units) or amount (a decimal of at most as
  // many digits after the point as the asset has, zeros at its end not counted). DataLoss names the row that is none.
  absl::StatusOr<LegacyRecords<LegacyBalance>> ReadBalances(const LegacyQuery& query, std::string_view after = {});

 private:
  class Core;
  explicit LegacyReader(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

// ---- Claims -------------------------------------------------------------------------------------------------

inline constexpr size_t kMaxClaimConnections = 64;

struct PostgresClaimsOptions {
  std::string connection;  // as MirrorOptions::connection; application_name is "northwind claims" unless it sets one
  std::string schema = "northwind_claims";  // as MirrorOptions::schema, but another one
  // No answer for so long is an outage. Each wait of a call ends after it: for one of `connections` to be free, to be connected, to be
  // let in, and for the answer.
  absl::Duration statement_timeout = absl::Seconds(10);
  size_t connections = 4;  // at most, 1 … kMaxClaimConnections: calls that are under way at once
};

// Claims in a table of PostgreSQL that rows are added to and never taken from, through functions that the batch calls as well
// (docs/cutover.md). Find and Claim tell what is committed; an answer that was given is on disk, and at synchronous standbys.
//
// A claim made stays made if its answer is lost. What was lost is asked for again by this object itself if the connection had been idle
// before; else by the caller, with the same token: kClaimed then, if that attempt made it.
//
// What is claimed is told whatever the epoch: kStale is only said of what nobody has claimed. Once PublishEpoch has returned, no claim of an
// older epoch can be made any more, also none that had begun before.
//
// Thread-safe. No threads of its own. Errors, besides Unavailable: InvalidArgument for what cannot be a claim, and for an id that is claimed
// for another merchant; PermissionDenied; FailedPrecondition for a schema that is not there or of another version.
class PostgresClaims final : public ClaimArbiter {
 public:
  // As Mirror::Migrate. Needs the rights of an owner (scripts/claims-roles.sql), which claiming does not.
  static absl::Status Migrate(const PostgresClaimsOptions& options);

  // InvalidArgument for options out of range. Does not touch the network.
  static absl::StatusOr<std::unique_ptr<PostgresClaims>> Open(const PostgresClaimsOptions& options);
  ~PostgresClaims() override;
  PostgresClaims(const PostgresClaims&) = delete;
  PostgresClaims& operator=(const PostgresClaims&) = delete;

  absl::StatusOr<ClaimVerdict> Claim(const ClaimRequest& request) override;
  absl::StatusOr<std::optional<ClaimRecord>> Find(std::string_view id) override;
  absl::Status PublishEpoch(uint64_t epoch) override;
  // What is published; 0 at first.
  absl::StatusOr<uint64_t> PublishedEpoch();

 private:
  class Core;
  explicit PostgresClaims(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace northwind

#endif  // NORTHWIND_POSTGRES_H_

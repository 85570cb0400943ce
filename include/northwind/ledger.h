// SPDX-License-Identifier: Apache-2.0
//
// An idempotent double-entry ledger.
//
//   NW_ASSIGN_OR_RETURN(auto store, Store::Open({.path = "ledger.db"}));
//   NW_ASSIGN_OR_RETURN(auto ledger, Ledger::Open(*store));
//   NW_ASSIGN_OR_RETURN(AccountId world, ledger->OpenAccount({.name = "world:card", .asset = "USD/2", .external = true}));
//   NW_ASSIGN_OR_RETURN(AccountId shop, ledger->OpenAccount({.name = "merchant:42:available", .asset = "USD/2"}));
//   NW_ASSIGN_OR_RETURN(CommitResult result, ledger->Commit(Transaction{
//       .key = DeriveKey("pay_1", occurred_at), .postings = {{world, shop, 10'000}}}));
#ifndef NORTHWIND_LEDGER_H_
#define NORTHWIND_LEDGER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "northwind/account.h"
#include "northwind/clock.h"
#include "northwind/journal.h"
#include "northwind/sequence.h"
#include "northwind/store.h"
#include "northwind/transaction.h"

namespace northwind {

struct LedgerOptions {
  // Source of recorded times; the system clock if null. Must outlive the ledger.
  Clock* clock = nullptr;

  // Most transactions waiting to be applied, over all callers; more answer ResourceExhausted at once. Other changes (of
  // accounts, expiries) wait in the same queue, and each call counts as one. What is in the blocks under way, at most 16,380
  // transactions and 8 MiB in each, does not wait any more.
  size_t max_queued_transactions = 262'144;
  // Most memory of waiting batches as they will be encoded, in bytes; likewise.
  size_t max_queued_bytes = 256 << 20;
  // Journal records kept in memory before the indexes are written to disk in the background. Bounds memory
  // (≈ 200 bytes a record, twice while a checkpoint runs) and the time to open after a crash.
  uint64_t checkpoint_interval = 1 << 20;
  // Throw the indexes away and derive them from the journal again, for when they are damaged. Takes about a second per
  // million records.
  bool rebuild_indexes = false;
  // Recent journal blocks kept decoded-ready in memory.
  uint64_t journal_cache_bytes = 64 << 20;
};

// What happens to a deferred transaction inside its batch.
enum class DeferredPolicy : uint8_t {
  kReturn,        // it is answered kDeferred
  kRetryInBatch,  // it is tried again as soon as the transaction it names (by code and reference, or by key) is
                  // applied later in the same batch; several that wait for one are tried in the order given, each
                  // followed by those that wait for it. Answered kDeferred only if that never happens.
};

struct CommitOptions {
  // Return the totals of every account that a transaction touched, right after it.
  bool balances = false;
  DeferredPolicy deferred = DeferredPolicy::kReturn;
};

// Called exactly once, on a thread of the ledger, with one result per transaction in the order given, or with the
// error of the whole batch. It should be quick, must not block, and must not destroy or close the ledger; it may
// call CommitAsync and reads.
using CommitCallback = absl::AnyInvocable<void(absl::StatusOr<std::vector<CommitResult>>) &&>;

enum class Direction : uint8_t { kForward, kBackward };

// What an entry did to its account. Persisted; the values are pinned.
enum class EntryKind : uint8_t {
  kDebit = 0,          // debits_posted += amount
  kCredit = 1,         // credits_posted += amount
  kHoldDebit = 2,      // debits_held += amount
  kHoldCredit = 3,     // credits_held += amount
  kCaptureDebit = 4,   // debits_held −= amount, debits_posted += amount
  kCaptureCredit = 5,  // credits_held −= amount, credits_posted += amount
  kReleaseDebit = 6,   // debits_held −= amount (release, rest of a final capture, or expiry)
  kReleaseCredit = 7,  // credits_held −= amount
};
std::string_view Name(EntryKind kind);

// One line of an account's history.
struct Entry {
  Sequence sequence;   // of the journal record
  uint32_t index = 0;  // among that record's entries on this account
  absl::Time recorded_at;
  EntryKind kind = EntryKind::kDebit;
  Amount amount;
  uint16_t code = 0;  // of the transaction; of the hold, for an expiry
  Totals after;       // of the account, right after this entry
  friend bool operator==(const Entry&, const Entry&) = default;
};

// A place in an account's history. Stable: entries recorded later never move it.
struct HistoryCursor {
  Sequence sequence;
  uint32_t index = 0;
  friend bool operator==(const HistoryCursor&, const HistoryCursor&) = default;
};

inline constexpr size_t kMaxHistoryPage = 1000;
inline constexpr size_t kMaxAccountPage = 1000;
inline constexpr size_t kMaxHoldPage = 1000;
inline constexpr size_t kMaxLinkPage = 1000;

struct HistoryQuery {
  Direction direction = Direction::kForward;
  size_t limit = 100;  // 1 … kMaxHistoryPage
  // Continue after this entry (before it, when going backward): HistoryPage::next of the page before.
  std::optional<HistoryCursor> cursor;
  std::optional<uint16_t> code;
  // Only entries recorded at or after `from` and before `to`.
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfiniteFuture();
};

struct HistoryPage {
  std::vector<Entry> entries;
  std::optional<HistoryCursor> next;  // nothing at the end
};

// An open hold.
struct Hold {
  Sequence sequence;
  IdempotencyKey key;
  Posting posting;   // as placed
  Amount remaining;  // not yet captured
  uint16_t code = 0;
  std::string reference;
  std::optional<absl::Time> expires_at;
  friend bool operator==(const Hold&, const Hold&) = default;
};

struct HoldPage {
  std::vector<Hold> holds;  // by sequence
  Sequence next;            // pass as `after`; 0 at the end
};

// A transaction in the journal.
struct TransactionView {
  Sequence sequence;
  absl::Time recorded_at;
  TransactionRecorded record;
  // Captures, releases, reversals and the expiry that worked on it, in order; the first kMaxLinkPage of them.
  std::vector<Sequence> links;
  // For a hold: placed = captured + released + remaining.
  Amount captured;
  Amount released;
  Amount remaining;
  // For a post or capture: the sum that was moved back.
  Amount reversed;
};

struct VerifyProgress {
  Sequence checked;
  Sequence head;
};

struct VerifyOptions {
  // Called now and then from the verifying thread; return false to cancel (Cancelled).
  std::function<bool(const VerifyProgress&)> progress;
};

struct VerifyReport {
  Head head;
  uint64_t blocks = 0;
  uint64_t records = 0;
  uint64_t transactions_applied = 0;
  uint64_t transactions_rejected = 0;
  uint64_t accounts = 0;
  uint64_t entries = 0;
  uint64_t open_holds = 0;
};

struct LedgerStats {
  Head head;
  Sequence checkpointed;  // indexes on disk cover the journal up to here
  uint64_t accounts = 0;
  uint64_t open_holds = 0;
  uint64_t queued_transactions = 0;
  uint64_t replayed_at_open = 0;  // journal records that were replayed after the last checkpoint
  uint64_t disk_bytes = 0;        // live files, log included
};

// A double-entry ledger on a Store. One per store at a time.
//
// Thread safety: all methods may be called from any thread. Reads never block behind a disk sync.
// Durability: a result is delivered only after its journal block is on disk (written and fdatasync'd); reads
// show nothing that is not. Batches are all-or-nothing against crashes; inside a batch each transaction
// stands for itself.
// Idempotency: a key is applied or rejected once, for ever; asking again returns the first answer.
// Errors: absl::Status for everything the world can do. ResourceExhausted: queue full, disk below the floor: nothing was
// done, try later. Aborted: the outcome is indeterminate (the write failed); the ledger is then poisoned and answers
// FailedPrecondition to every commit until store and ledger are opened again, after which the same keys tell the truth.
class Ledger {
 public:
  // Loads the last index checkpoint and replays the journal after it, checking the hash chain as it goes. DataLoss
  // names what is damaged. FailedPrecondition if the store already has a ledger open.
  static absl::StatusOr<std::unique_ptr<Ledger>> Open(Store& store, const LedgerOptions& options = {});

  // Close(), then frees. The store must still be alive.
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Refuses new work (FailedPrecondition), finishes what is queued, wakes waiting readers, and writes an index
  // checkpoint so that the next open is quick. Idempotent. Returns the first error of the final checkpoint; the
  // journal is complete all the same.
  absl::Status Close();

  // ---- Accounts -------------------------------------------------------------------------------------------

  // Opens an account, or returns the id of the one that has this name already, if its spec (as opened, with the
  // current min_available or the original one) is the same; AlreadyExists naming the difference otherwise.
  // InvalidArgument for a bad name, asset or limit. OutOfRange if there were more than 65,535 assets or 2^32 - 1 accounts then: trying
  // later does not help.
  absl::StatusOr<AccountId> OpenAccount(const AccountSpec& spec);
  // All or none; one sync however many (≤ kMaxAccountsPerCall). The same name twice in one call is allowed if the specs agree.
  absl::StatusOr<std::vector<AccountId>> OpenAccounts(absl::Span<const AccountSpec> specs);

  // Journaled; idempotent. FailedPrecondition on a closed account.
  absl::Status Freeze(AccountId id);
  absl::Status Unfreeze(AccountId id);
  // FailedPrecondition unless nothing is held on the account and, if it is not external, its balance is zero. For ever.
  absl::Status CloseAccount(AccountId id);
  // Journaled; idempotent. FailedPrecondition if the account is external or closed, or has less available than that.
  absl::Status SetMinAvailable(AccountId id, absl::int128 min_available);

  // NotFound if there is no such account.
  absl::StatusOr<AccountId> FindAccount(std::string_view name) const;
  absl::StatusOr<Account> GetAccount(AccountId id) const;
  // Accounts whose name begins with `prefix`, by name, after `after` (exclusive); limit 1 … kMaxAccountPage.
  absl::StatusOr<AccountPage> ListAccounts(std::string_view prefix, std::string_view after = {},
                                           size_t limit = 100) const;

  // ---- Commit ---------------------------------------------------------------------------------------------

  // Applies a batch in order and returns when it is durable: one result per transaction. InvalidArgument if the
  // batch is empty or over kMaxBatchTransactions or kMaxBatchBytes (nothing done).
  absl::StatusOr<std::vector<CommitResult>> Commit(absl::Span<const Transaction> batch,
                                                   const CommitOptions& options = {});
  absl::StatusOr<CommitResult> Commit(const Transaction& transaction, const CommitOptions& options = {});

  // The same without waiting. Batches from one thread are applied in the order of the calls; callbacks of different
  // batches may come in another order, and at the same time on different threads. If an error is
  // returned (queue full, bad batch, closed, poisoned), the callback is not called.
  absl::Status CommitAsync(std::vector<Transaction> batch, CommitCallback callback, const CommitOptions& options = {});

  // Journals the expiry of every hold whose time has come; returns how many. Every commit does so before it applies
  // its batch: call this from a timer if money must come free on a quiet ledger.
  absl::StatusOr<size_t> ExpireHolds();

  // ---- Reads ----------------------------------------------------------------------------------------------

  absl::StatusOr<Totals> Balance(AccountId id) const;
  // All at one sequence.
  absl::StatusOr<std::vector<Totals>> Balances(absl::Span<const AccountId> ids) const;
  // As it stood right after record `at` (≤ head, else OutOfRange).
  absl::StatusOr<Totals> BalanceAt(AccountId id, Sequence at) const;
  // As it stood right after the last record with recorded_at ≤ `at`.
  absl::StatusOr<Totals> BalanceAt(AccountId id, absl::Time at) const;

  absl::StatusOr<HistoryPage> History(AccountId id, const HistoryQuery& query = {}) const;
  // Holds that stand open on the account, as debit or as credit side; limit 1 … kMaxHoldPage.
  absl::StatusOr<HoldPage> OpenHolds(AccountId id, Sequence after = {}, size_t limit = 100) const;

  // NotFound if there is no such transaction; for a sequence also if the record is not a transaction.
  absl::StatusOr<TransactionView> GetTransaction(const IdempotencyKey& key) const;
  absl::StatusOr<TransactionView> GetTransaction(Sequence sequence) const;
  // Applied transactions of that code and reference, by sequence; at most `limit` (1 … kMaxLinkPage).
  absl::StatusOr<std::vector<TransactionView>> FindByReference(uint16_t code, std::string_view reference,
                                                               size_t limit = 100) const;

  // Records after `after`; see journal.h.
  JournalReader ReadJournal(Sequence after) const;
  struct Head Head() const;
  // The block of the journal that holds `sequence`: its last sequence, and its hash, which pins all up to there. For whoever keeps a
  // copy and wants to know whether it is of this journal. OutOfRange for 0 or past the head.
  absl::StatusOr<struct Head> BlockAt(Sequence sequence) const;
  // The identity of the journal, random, given when the store was made; copies and imports share it.
  std::array<uint8_t, 16> id() const;
  LedgerStats Stats() const;

  // ---- Care -----------------------------------------------------------------------------------------------

  // Writes all indexes up to the head at the time of the call to disk and returns when that is done.
  absl::Status WriteIndexes();
  // Derives everything again from the journal and compares: hash chain, density, every balance, every index entry.
  // Runs beside commits (on a consistent snapshot). DataLoss names the first difference. Memory: as the ledger's own state.
  absl::StatusOr<VerifyReport> Verify(const VerifyOptions& options = {}) const;
  // A consistent copy of the whole store in a new directory (must not exist; same file system = hard links). Online.
  // Returns the head that the copy holds. Open the copy with Store::Open.
  absl::StatusOr<struct Head> Checkpoint(const std::string& directory) const;

  // Writes the journal to a new file, block by block; returns the head it ends with. Format: docs/format.md.
  absl::StatusOr<struct Head> ExportJournal(const std::string& path) const;
  // Fills an empty store from such a file, checking the chain. The copy has the same identity, keys, sequences,
  // times and head. FailedPrecondition if the store has a journal; DataLoss if the file is damaged or cut short.
  static absl::StatusOr<struct Head> ImportJournal(Store& store, const std::string& path);

 private:
  explicit Ledger(std::unique_ptr<internal::LedgerCore> core);

  std::unique_ptr<internal::LedgerCore> core_;
};

}  // namespace northwind

#endif  // NORTHWIND_LEDGER_H_

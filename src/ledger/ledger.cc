// SPDX-License-Identifier: Apache-2.0
#include "northwind/ledger.h"

#include <algorithm>
#include <utility>

#include "northwind/status.h"
#include "src/base/error.h"
#include "src/ledger/block.h"
#include "src/ledger/commit_pipeline.h"
#include "src/ledger/journal_transfer.h"
#include "src/ledger/ledger_core.h"

namespace northwind {
namespace {

using internal::AccountChange;
using internal::CommitRequest;
using internal::Error;

absl::Status CheckBatch(size_t size) {
  if (size >= 1 && size <= kMaxBatchTransactions) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "a batch has 1 to ", kMaxBatchTransactions, " transactions, not ",
               size);
}

absl::Status Change(internal::LedgerCore& core, const AccountChange& change) {
  CommitRequest request;
  request.kind = CommitRequest::Kind::kChangeAccount;
  request.change = change;
  core.pipeline().Run(request);
  return request.status;
}

}  // namespace

Ledger::Ledger(std::unique_ptr<internal::LedgerCore> core) : core_(std::move(core)) {}
Ledger::~Ledger() = default;

absl::StatusOr<std::unique_ptr<Ledger>> Ledger::Open(Store& store, const LedgerOptions& options) {
  NW_ASSIGN_OR_RETURN(auto core, internal::LedgerCore::Open(store.engine(), options));
  return std::unique_ptr<Ledger>(new Ledger(std::move(core)));
}

absl::Status Ledger::Close() { return core_->Close(); }

absl::StatusOr<AccountId> Ledger::OpenAccount(const AccountSpec& spec) {
  NW_ASSIGN_OR_RETURN(const std::vector<AccountId> ids, OpenAccounts({&spec, 1}));
  return ids.front();
}

absl::StatusOr<std::vector<AccountId>> Ledger::OpenAccounts(absl::Span<const AccountSpec> specs) {
  if (specs.empty()) return std::vector<AccountId>();
  if (specs.size() > kMaxAccountsPerCall) {
    return Error(absl::StatusCode::kInvalidArgument, "at most ", kMaxAccountsPerCall, " accounts a call, not ",
                 specs.size());
  }
  CommitRequest request;
  request.kind = CommitRequest::Kind::kOpenAccounts;
  request.specs = specs;
  core_->pipeline().Run(request);
  if (!request.status.ok()) return request.status;
  return std::move(request.ids);
}

absl::Status Ledger::Freeze(AccountId id) { return Change(*core_, {.id = id, .kind = AccountChange::Kind::kFreeze}); }
absl::Status Ledger::Unfreeze(AccountId id) {
  return Change(*core_, {.id = id, .kind = AccountChange::Kind::kUnfreeze});
}
absl::Status Ledger::CloseAccount(AccountId id) {
  return Change(*core_, {.id = id, .kind = AccountChange::Kind::kClose});
}
absl::Status Ledger::SetMinAvailable(AccountId id, absl::int128 min_available) {
  return Change(*core_, {.id = id, .kind = AccountChange::Kind::kSetMinAvailable, .min_available = min_available});
}

absl::StatusOr<AccountId> Ledger::FindAccount(std::string_view name) const { return core_->view().FindAccount(name); }
absl::StatusOr<Account> Ledger::GetAccount(AccountId id) const { return core_->view().GetAccount(id); }

absl::StatusOr<AccountPage> Ledger::ListAccounts(std::string_view prefix, std::string_view after, size_t limit) const {
  if (limit < 1 || limit > kMaxAccountPage) {
    return Error(absl::StatusCode::kInvalidArgument, "limit of a page of accounts is ", limit, ", not 1 to ",
                 kMaxAccountPage);
  }
  return core_->view().ListAccounts(prefix, after, limit);
}

absl::StatusOr<std::vector<CommitResult>> Ledger::Commit(absl::Span<const Transaction> batch,
                                                         const CommitOptions& options) {
  NW_RETURN_IF_ERROR(CheckBatch(batch.size()));
  CommitRequest request;
  request.batch = batch;
  request.options = options;
  core_->pipeline().Run(request);
  if (!request.status.ok()) return request.status;
  return std::move(request.results);
}

absl::StatusOr<CommitResult> Ledger::Commit(const Transaction& transaction, const CommitOptions& options) {
  NW_ASSIGN_OR_RETURN(std::vector<CommitResult> results, Commit(absl::MakeConstSpan(&transaction, 1), options));
  return std::move(results.front());
}

absl::Status Ledger::CommitAsync(std::vector<Transaction> batch, CommitCallback callback,
                                 const CommitOptions& options) {
  NW_RETURN_IF_ERROR(CheckBatch(batch.size()));
  NW_CHECK(callback != nullptr, "CommitAsync needs a callback");
  auto request = std::make_unique<CommitRequest>();
  request->owned = std::move(batch);
  request->batch = request->owned;
  request->options = options;
  request->callback = std::move(callback);
  return core_->pipeline().Start(std::move(request));
}

absl::StatusOr<size_t> Ledger::ExpireHolds() {
  size_t expired = 0;
  while (true) {
    CommitRequest request;
    request.kind = CommitRequest::Kind::kExpire;
    core_->pipeline().Run(request);
    if (!request.status.ok()) return request.status;
    expired += request.expired;
    if (request.expired < internal::kMaxExpiriesPerBlock) return expired;
  }
}

absl::StatusOr<Totals> Ledger::Balance(AccountId id) const {
  NW_ASSIGN_OR_RETURN(const std::vector<Totals> totals, core_->view().Balances({&id, 1}));
  return totals.front();
}

absl::StatusOr<std::vector<Totals>> Ledger::Balances(absl::Span<const AccountId> ids) const {
  return core_->view().Balances(ids);
}

absl::StatusOr<Totals> Ledger::BalanceAt(AccountId id, Sequence at) const { return core_->reader().BalanceAt(id, at); }
absl::StatusOr<Totals> Ledger::BalanceAt(AccountId id, absl::Time at) const {
  return core_->reader().BalanceAt(id, at);
}
absl::StatusOr<HistoryPage> Ledger::History(AccountId id, const HistoryQuery& query) const {
  return core_->reader().History(id, query);
}
absl::StatusOr<HoldPage> Ledger::OpenHolds(AccountId id, Sequence after, size_t limit) const {
  return core_->reader().OpenHolds(id, after, limit);
}
absl::StatusOr<TransactionView> Ledger::GetTransaction(const IdempotencyKey& key) const {
  return core_->reader().GetTransaction(key);
}
absl::StatusOr<TransactionView> Ledger::GetTransaction(Sequence sequence) const {
  return core_->reader().GetTransaction(sequence);
}
absl::StatusOr<std::vector<TransactionView>> Ledger::FindByReference(uint16_t code, std::string_view reference,
                                                                     size_t limit) const {
  return core_->reader().FindByReference(code, reference, limit);
}

JournalReader Ledger::ReadJournal(Sequence after) const { return JournalReader(core_.get(), after); }

absl::StatusOr<std::vector<JournalRecord>> JournalReader::Next(size_t limit, absl::Time deadline) {
  if (limit < 1 || limit > kMaxJournalPage) {
    return Error(absl::StatusCode::kInvalidArgument, "limit of a page of the journal is ", limit, ", not 1 to ",
                 kMaxJournalPage);
  }
  const uint64_t head = core_->view().WaitPast(position_.value(), deadline);
  if (head <= position_.value()) {
    if (core_->view().closed()) return absl::CancelledError("the ledger is closed");
    return std::vector<JournalRecord>();
  }
  NW_ASSIGN_OR_RETURN(std::vector<JournalRecord> records, core_->reader().ReadJournal(position_, limit));
  if (!records.empty()) position_ = records.back().sequence;
  return records;
}

Head Ledger::Head() const { return core_->view().Head(); }
std::array<uint8_t, 16> Ledger::id() const { return core_->engine().uuid(); }

absl::StatusOr<Head> Ledger::BlockAt(Sequence sequence) const {
  const Sequence head = this->Head().sequence;
  if (sequence == Sequence() || sequence > head) {
    return Error(absl::StatusCode::kOutOfRange, "no block holds #", sequence.value(), "; the head is #", head.value());
  }
  NW_ASSIGN_OR_RETURN(const auto block, core_->journal().Find(sequence.value()));
  return northwind::Head{.sequence = Sequence(block->header().last()), .hash = internal::BlockHash(block->header())};
}

LedgerStats Ledger::Stats() const { return core_->Stats(); }
absl::Status Ledger::WriteIndexes() { return core_->WriteIndexes(); }
absl::StatusOr<VerifyReport> Ledger::Verify(const VerifyOptions& options) const { return core_->Verify(options); }

absl::StatusOr<Head> Ledger::Checkpoint(const std::string& directory) const {
  internal::Engine& engine = core_->engine();
  NW_RETURN_IF_ERROR(engine.Checkpoint(directory));
  return internal::HeadOfCopy(directory, engine.uuid());
}

absl::StatusOr<Head> Ledger::ExportJournal(const std::string& path) const {
  return internal::ExportJournal(core_->engine(), core_->view().Head(), path);
}

absl::StatusOr<Head> Ledger::ImportJournal(Store& store, const std::string& path) {
  return internal::ImportJournal(store.engine(), path);
}

}  // namespace northwind

// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/commit_pipeline.h"

#include <algorithm>
#include <string>
#include <utility>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"

namespace northwind::internal {
namespace {

// A block takes no further request past these; a request that is larger by itself has a block of its own.
constexpr size_t kBlockTransactions = 2 * kMaxBatchTransactions;
constexpr size_t kBlockBytes = 8 << 20;
// One applies, one writes, one delivers answers.
constexpr int kWorkers = 3;
// Until this many times the checkpoint interval is in memory, commits go on beside a checkpoint.
constexpr uint64_t kMaxDeltas = 2;

// What a transaction takes in a block, at most.
size_t EncodedBytes(const Transaction& t) {
  size_t bytes = 96 + 27 * t.postings.size() * (t.kind == TransactionKind::kReverse ? 2 : 1) + t.reference.size() +
                 t.metadata.size();
  if (t.target) bytes += 16 + t.target->reference.size();
  for (const HostRecord& record : t.host_records) bytes += record.key.size() + record.value.size();
  return bytes;
}

}  // namespace

CommitPipeline::CommitPipeline(const Parts& parts, const LedgerOptions& options)
    : parts_(parts),
      max_queued_transactions_(options.max_queued_transactions),
      max_queued_bytes_(options.max_queued_bytes),
      checkpoint_interval_(std::max<uint64_t>(options.checkpoint_interval, 1)),
      frozen_(parts.checkpointer.checkpointed()) {
  for (int i = 0; i < kWorkers; ++i) workers_.emplace_back([this] { WorkerLoop(); });
}

CommitPipeline::~CommitPipeline() { Stop(); }

void CommitPipeline::Run(CommitRequest& request) {
  absl::MutexLock lock(&mutex_);
  request.status = Admit(request);
  if (!request.status.ok()) return;
  Enqueue(&request);
  while (!request.done) {
    if (!request.taken && !applying_) {
      request.leading = true;
      Lead();
      request.leading = false;
    } else {
      request.wake.Wait(&mutex_);
    }
  }
}

absl::Status CommitPipeline::Start(std::unique_ptr<CommitRequest> request) {
  absl::MutexLock lock(&mutex_);
  NW_RETURN_IF_ERROR(Admit(*request));
  Enqueue(request.release());
  CallLeader();
  return absl::OkStatus();
}

absl::Status CommitPipeline::Admit(CommitRequest& request) {
  if (stopping_) return absl::FailedPreconditionError("the ledger is closed");
  NW_RETURN_IF_ERROR(poison_);
  for (const Transaction& t : request.batch) request.bytes += EncodedBytes(t);
  for (const AccountSpec& spec : request.specs) request.bytes += 64 + spec.name.size() + spec.asset.size();
  request.transactions = std::max<size_t>(request.batch.size(), 1);
  if (request.kind == CommitRequest::Kind::kTransactions && request.bytes > kMaxBatchBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "batch of ", request.bytes, " bytes is over the bound of ",
                 kMaxBatchBytes);
  }
  if (queued_transactions_ + request.transactions > max_queued_transactions_ ||
      queued_bytes_ + request.bytes > max_queued_bytes_) {
    return Error(absl::StatusCode::kResourceExhausted, "commit queue is full: ", queued_transactions_,
                 " transactions, ", queued_bytes_, " bytes waiting");
  }
  return absl::OkStatus();
}

void CommitPipeline::Enqueue(CommitRequest* request) {
  queue_.push_back(request);
  queued_transactions_ += request->transactions;
  queued_bytes_ += request->bytes;
  if (applying_ && writing_) stage_changed_.SignalAll();  // a leader that waits for the write stage can take it along
}

void CommitPipeline::CallLeader() {
  if (applying_ || queue_.empty()) return;
  CommitRequest& first = *queue_.front();
  if (first.callback || first.leading) {
    work_.Signal();
  } else {
    first.wake.Signal();
  }
}

void CommitPipeline::WorkerLoop() {
  absl::MutexLock lock(&mutex_);
  while (true) {
    while (queue_.empty() || applying_) {
      if (stopping_ && queue_.empty()) return;
      work_.Wait(&mutex_);
    }
    Lead();
  }
}

bool CommitPipeline::Fits(const CommitRequest& request) const {
  const size_t records = std::max(request.transactions, request.specs.size());
  return records <= room_transactions_ && request.bytes <= room_bytes_;
}

CommitPipeline::Group CommitPipeline::Take(Group& group) {
  Group taken;
  if (group.empty()) {
    room_transactions_ = kBlockTransactions;
    room_bytes_ = kBlockBytes;
  }
  while (!queue_.empty()) {
    CommitRequest& request = *queue_.front();
    const bool wants_own_block =
        request.kind == CommitRequest::Kind::kFreezeIndexes || request.kind == CommitRequest::Kind::kExpire;
    if (!group.empty() && (wants_own_block || !Fits(request))) break;
    room_transactions_ -= std::min(room_transactions_, std::max(request.transactions, request.specs.size()));
    room_bytes_ -= std::min(room_bytes_, request.bytes);
    queue_.pop_front();
    queued_transactions_ -= request.transactions;
    queued_bytes_ -= request.bytes;
    request.taken = true;
    taken.push_back(&request);
    group.push_back(&request);
    if (request.kind == CommitRequest::Kind::kFreezeIndexes) break;
  }
  return taken;
}

absl::Status CommitPipeline::FillBlock(Group& group, bool& begun) {
  while (true) {
    const Group taken = Take(group);
    if (taken.empty()) {
      if (!writing_ || !queue_.empty()) return absl::OkStatus();
      stage_changed_.Wait(&mutex_);
      continue;
    }
    // It asked for a checkpoint, which was begun before it was taken. It adds nothing to the journal, expiries neither.
    if (taken.front()->kind == CommitRequest::Kind::kFreezeIndexes) return absl::OkStatus();
    mutex_.Unlock();
    absl::Status status;
    if (!begun) {
      // Asked before anything is applied: what is applied must be written.
      status = parts_.engine.CheckSpace(kBlockBytes);
      if (status.ok()) {
        parts_.applier.Begin(absl::ToUnixNanos(parts_.clock.Now()));
        begun = true;
      }
    }
    for (size_t i = 0; i < taken.size() && status.ok(); ++i) status = ApplyRequest(*taken[i]);
    mutex_.Lock();
    if (!status.ok() || !writing_) return status;
  }
}

absl::Status CommitPipeline::ApplyRequest(CommitRequest& request) {
  Applier& applier = parts_.applier;
  switch (request.kind) {
    case CommitRequest::Kind::kTransactions:
      return applier.Apply(request.batch, request.options, request.results);
    case CommitRequest::Kind::kOpenAccounts: {
      absl::StatusOr<std::vector<AccountId>> ids = applier.OpenAccounts(request.specs);
      if (ids.ok()) {
        request.ids = *std::move(ids);
      } else {
        request.status = ids.status();
      }
      return absl::OkStatus();
    }
    case CommitRequest::Kind::kChangeAccount:
      request.status = applier.ChangeAccount(request.change);
      return absl::OkStatus();
    case CommitRequest::Kind::kExpire:
      request.expired = applier.expired();
      return absl::OkStatus();
    case CommitRequest::Kind::kFreezeIndexes:
      return absl::OkStatus();
  }
  return absl::InternalError("unknown request");
}

void CommitPipeline::WaitForWriteStage() {
  while (writing_) stage_changed_.Wait(&mutex_);
}

bool CommitPipeline::CheckpointIsDue() const {
  const uint64_t in_memory = parts_.applier.next_sequence() - 1 - frozen_;
  if (in_memory == 0) return false;
  if (queue_.front()->kind == CommitRequest::Kind::kFreezeIndexes) return true;
  return in_memory >= kMaxDeltas * checkpoint_interval_ ||
         (in_memory >= checkpoint_interval_ && parts_.checkpointer.idle());
}

absl::Status CommitPipeline::StartCheckpoint() {
  // With the apply stage taken and the write stage empty, all that is applied is durable and published.
  WaitForWriteStage();
  NW_RETURN_IF_ERROR(poison_);
  mutex_.Unlock();
  const absl::Status status = parts_.checkpointer.WaitIdle();
  if (status.ok()) parts_.checkpointer.Start(parts_.view);
  mutex_.Lock();
  if (status.ok()) frozen_ = parts_.applier.next_sequence() - 1;
  if (!status.ok() && !absl::IsResourceExhausted(status)) Poison(status);
  return status;
}

void CommitPipeline::Lead() {
  applying_ = true;
  ++leaders_;
  Group group;
  bool begun = false;
  absl::Status status = poison_;
  if (status.ok() && CheckpointIsDue()) status = StartCheckpoint();
  if (status.ok()) status = FillBlock(group, begun);
  if (group.empty()) Take(group);  // to be told why not
  WaitForWriteStage();
  writing_ = true;
  // The block before this one may have failed meanwhile; this one was applied on top of it.
  if (begun && status.ok() && !poison_.ok()) {
    status = Error(absl::StatusCode::kAborted, "outcome unknown: ", poison_.message());
  }
  SealedBlock sealed;
  if (begun && status.ok()) {
    mutex_.Unlock();
    sealed = parts_.applier.Seal();
    mutex_.Lock();
  }
  applying_ = false;
  CallLeader();
  mutex_.Unlock();
  if (sealed.block != nullptr) status = WriteBlock(sealed);
  mutex_.Lock();
  if (begun && !status.ok()) Poison(status);
  writing_ = false;
  stage_changed_.SignalAll();
  mutex_.Unlock();
  Answer(group, status);
  mutex_.Lock();
  --leaders_;
  stage_changed_.SignalAll();
}

absl::Status CommitPipeline::WriteBlock(SealedBlock& sealed) {
  const BlockHeader& header = sealed.block->header();
  std::string key;
  PutBigEndian64(key, header.first);
  const auto head = EncodeBlockHeader(header);
  const std::string_view parts[] = {{head.data(), head.size()}, sealed.block->payload()};
  sealed.host_records.Put(Space::kJournal, key, parts);
  NW_RETURN_IF_ERROR(parts_.engine.Write(sealed.host_records));
  parts_.journal.MarkDurable(header.last());
  return parts_.view.Publish(header, sealed.hash, sealed.changes);
}

void CommitPipeline::Poison(const absl::Status& cause) {
  if (!poison_.ok()) return;
  poison_ = Error(absl::StatusCode::kFailedPrecondition, "the ledger must be opened again after: ", cause.message());
}

void CommitPipeline::AddDuplicateBalances(CommitRequest& request) const {
  for (CommitResult& result : request.results) {
    if (result.outcome != Outcome::kDuplicate || result.original != Outcome::kApplied) continue;
    absl::StatusOr<std::vector<ResultingBalance>> balances = parts_.reader.BalancesAfter(result.sequence);
    if (!balances.ok()) {
      request.status = balances.status();
      return;
    }
    result.balances = *std::move(balances);
  }
}

void CommitPipeline::Finish(CommitRequest& request, const absl::Status& status) const {
  // A refusal of its own stands only if its block does: it may rest on what is before it there.
  if (request.status.ok() || !status.ok()) request.status = status;
  if (request.status.ok() && request.options.balances) AddDuplicateBalances(request);
}

void CommitPipeline::Answer(const Group& group, const absl::Status& status) {
  std::vector<std::unique_ptr<CommitRequest>> called_back;
  Group waited_for;
  for (CommitRequest* request : group) {
    Finish(*request, status);
    if (request->callback) {
      called_back.emplace_back(request);
    } else {
      waited_for.push_back(request);
    }
  }
  if (!waited_for.empty()) {
    absl::MutexLock lock(&mutex_);
    for (CommitRequest* request : waited_for) {
      request->done = true;
      request->wake.Signal();
    }
  }
  for (const std::unique_ptr<CommitRequest>& request : called_back) {
    if (request->status.ok()) {
      std::move(request->callback)(std::move(request->results));
    } else {
      std::move(request->callback)(request->status);
    }
  }
}

void CommitPipeline::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    work_.SignalAll();
    while (!queue_.empty() || leaders_ > 0) stage_changed_.Wait(&mutex_);
    work_.SignalAll();
  }
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
}

absl::Status CommitPipeline::poison() const {
  absl::MutexLock lock(&mutex_);
  return poison_;
}

size_t CommitPipeline::queued_transactions() const {
  absl::MutexLock lock(&mutex_);
  return queued_transactions_;
}

absl::Status CommitPipeline::FinalCheckpoint() {
  NW_RETURN_IF_ERROR(poison());
  NW_RETURN_IF_ERROR(parts_.engine.poison());
  NW_RETURN_IF_ERROR(parts_.checkpointer.WaitIdle());
  if (parts_.checkpointer.checkpointed() == parts_.view.Head().sequence.value()) return absl::OkStatus();
  parts_.checkpointer.Start(parts_.view);
  return parts_.checkpointer.WaitIdle();
}

}  // namespace northwind::internal

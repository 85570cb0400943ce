// SPDX-License-Identifier: Apache-2.0
#include "src/ledger/ledger_core.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/ledger/journal_transfer.h"

namespace northwind::internal {
namespace {

constexpr CursorOptions kScan{.fill_cache = false, .read_ahead = true, .interruptible = true};

absl::Status Damaged(std::string_view what, const absl::Status& why) {
  return Error(why.code(), ToAbsl(what), ": ", why.message());
}

}  // namespace

LedgerCore::LedgerCore(Engine& engine, const LedgerOptions& options)
    : engine_(engine),
      options_(options),
      journal_(engine, options.journal_cache_bytes),
      index_(engine),
      history_(engine),
      view_(history_),
      reader_(view_, index_, history_, journal_),
      applier_(index_, journal_, view_) {}

absl::StatusOr<std::unique_ptr<LedgerCore>> LedgerCore::Open(Engine& engine, const LedgerOptions& options) {
  if (!engine.AcquireSlot(Engine::Slot::kLedger)) {
    return Error(absl::StatusCode::kFailedPrecondition, "store ", engine.path(), " has a ledger open already");
  }
  // From here on the destructor gives the slot back.
  std::unique_ptr<LedgerCore> core(new LedgerCore(engine, options));
  NW_RETURN_IF_ERROR(CheckNoImportUnderWay(engine));
  NW_ASSIGN_OR_RETURN(const Watermark watermark, core->LoadCheckpoint());
  const uint64_t checkpointed = watermark.head.sequence.value();
  core->applier_.Adopt(core->view_.CopyAll([] {}), watermark.recorded_at);
  core->checkpointer_ = std::make_unique<Checkpointer>(engine, core->index_, core->history_, checkpointed);
  NW_RETURN_IF_ERROR(core->ReplayAfter(checkpointed));
  Clock* const clock = options.clock != nullptr ? options.clock : Clock::System();
  core->pipeline_ =
      std::make_unique<CommitPipeline>(CommitPipeline::Parts{engine, core->applier_, core->view_, core->journal_,
                                                             core->reader_, *core->checkpointer_, *clock},
                                       options);
  return core;
}

LedgerCore::~LedgerCore() {
  if (pipeline_ != nullptr) Close().IgnoreError();
  pipeline_.reset();
  checkpointer_.reset();
  engine_.ReleaseSlot(Engine::Slot::kLedger);
}

absl::StatusOr<Watermark> LedgerCore::LoadCheckpoint() {
  Watermark watermark;
  watermark.head.hash = GenesisHash(engine_.uuid());
  NW_ASSIGN_OR_RETURN(std::optional<PinnedValue> value, engine_.Get(Space::kState, kWatermarkKey));
  if (options_.rebuild_indexes || !value) {
    // Without a watermark nothing says how far the indexes go: they are of no use.
    value.reset();
    NW_RETURN_IF_ERROR(DropIndexes());
  }
  if (value) {
    NW_RETURN_IF_ERROR(DecodeWatermark(value->view(), watermark));
    NW_RETURN_IF_ERROR(CheckAnchor(watermark));
    NW_RETURN_IF_ERROR(LoadAccounts());
    NW_RETURN_IF_ERROR(LoadHolds());
  }
  view_.LoadHead(watermark);
  history_.Load(watermark.head.sequence.value(), watermark.last_time_sample);
  NW_RETURN_IF_ERROR(index_.Load(watermark.head.sequence.value()));
  return watermark;
}

absl::Status LedgerCore::DropIndexes() {
  for (const Space space : {Space::kIds, Space::kEntries, Space::kReferences, Space::kLinks, Space::kAccounts,
                            Space::kHolds, Space::kTimes, Space::kState}) {
    Cursor cursor = engine_.NewCursor(space);
    cursor.SeekToFirst();
    if (cursor.Valid() || !cursor.status().ok()) {
      cursor = Cursor();  // it must not stand in the way
      return engine_.DropDerived();
    }
  }
  return absl::OkStatus();
}

absl::Status LedgerCore::CheckAnchor(const Watermark& watermark) {
  const uint64_t sequence = watermark.head.sequence.value();
  NW_ASSIGN_OR_RETURN(const std::shared_ptr<const Block> block, journal_.Find(sequence));
  const BlockHeader& header = block->header();
  if (header.last() != sequence || BlockHash(header) != watermark.head.hash ||
      block->RecordedAt(sequence) != watermark.recorded_at) {
    return Error(absl::StatusCode::kDataLoss, "journal: sequence ", sequence,
                 " is not what the last index checkpoint was taken at");
  }
  return absl::OkStatus();
}

absl::Status LedgerCore::LoadAccounts() {
  Cursor cursor = engine_.NewCursor(Space::kAccounts, kScan);
  AccountAttributes attributes;
  Totals totals;
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) {
    const std::string_view key = cursor.key();
    if (key.size() != 5) return absl::DataLossError("accounts: malformed key");
    const AccountId id(LoadBigEndian32(key.data()));
    absl::Status status;
    if (key[4] == kAttributesSuffix) {
      status = DecodeAttributes(cursor.value(), attributes);
      if (status.ok()) status = view_.LoadAccount(id, attributes);
    } else if (key[4] == kTotalsSuffix) {
      status = DecodeTotals(cursor.value(), totals);
      if (status.ok()) status = view_.LoadTotals(id, totals);
    } else {
      status = absl::DataLossError("malformed key");
    }
    if (!status.ok()) return Damaged("account " + std::to_string(id.value()), status);
  }
  return cursor.status();
}

absl::Status LedgerCore::LoadHolds() {
  Cursor cursor = engine_.NewCursor(Space::kHolds, kScan);
  HoldRow hold;
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) {
    if (cursor.key().size() != 8) return absl::DataLossError("holds: malformed key");
    const uint64_t sequence = LoadBigEndian64(cursor.key().data());
    absl::Status status = DecodeHold(cursor.value(), hold);
    if (status.ok()) status = view_.LoadHold(sequence, hold);
    if (!status.ok()) return Damaged("hold " + std::to_string(sequence), status);
  }
  return cursor.status();
}

absl::Status LedgerCore::ReplayAfter(uint64_t sequence) {
  std::string key;
  PutBigEndian64(key, sequence + 1);
  Cursor cursor = engine_.NewCursor(Space::kJournal, kScan);
  for (cursor.Seek(key); cursor.Valid(); cursor.Next()) {
    absl::StatusOr<std::shared_ptr<const Block>> block = Block::Parse(cursor.value());
    if (!block.ok()) return Damaged("journal after sequence " + std::to_string(sequence), block.status());
    const BlockHeader& header = (*block)->header();
    if (cursor.key().size() != 8 || LoadBigEndian64(cursor.key().data()) != header.first) {
      return Error(absl::StatusCode::kDataLoss, "journal: block ", header.first, " under a key that is not its own");
    }
    NW_ASSIGN_OR_RETURN(const BlockChanges changes, applier_.Replay(**block));
    NW_RETURN_IF_ERROR(view_.Publish(header, BlockHash(header), changes));
    journal_.Add(*block);
    journal_.MarkDurable(header.last());
    sequence = header.last();
    replayed_ += header.count;
    // A long replay, after an import or the loss of the indexes, must not hold them all in memory.
    if (sequence - checkpointer_->checkpointed() >= std::max<uint64_t>(options_.checkpoint_interval, 1)) {
      checkpointer_->Start(view_);
      NW_RETURN_IF_ERROR(checkpointer_->WaitIdle());
      applier_.RefreshIndex();
    }
  }
  return cursor.status();
}

absl::Status LedgerCore::Close() {
  absl::MutexLock lock(&close_mutex_);
  if (closed_) return close_status_;
  pipeline_->Stop();
  close_status_ = pipeline_->FinalCheckpoint();
  view_.Close();
  closed_ = true;
  return close_status_;
}

absl::Status LedgerCore::WriteIndexes() {
  const uint64_t target = view_.Head().sequence.value();
  while (checkpointer_->checkpointed() < target) {
    CommitRequest request;
    request.kind = CommitRequest::Kind::kFreezeIndexes;
    pipeline_->Run(request);
    NW_RETURN_IF_ERROR(request.status);
    NW_RETURN_IF_ERROR(checkpointer_->WaitIdle());
  }
  return absl::OkStatus();
}

LedgerStats LedgerCore::Stats() const {
  return {.head = view_.Head(),
          .checkpointed = Sequence(checkpointer_->checkpointed()),
          .accounts = view_.account_count(),
          .open_holds = view_.open_hold_count(),
          .queued_transactions = pipeline_->queued_transactions(),
          .replayed_at_open = replayed_,
          .disk_bytes = engine_.DiskBytes()};
}

}  // namespace northwind::internal

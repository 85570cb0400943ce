// SPDX-License-Identifier: Apache-2.0
#include "src/store/engine.h"

#include <utility>
#include <vector>

#include "northwind/status.h"
#include "rocksdb/utilities/checkpoint.h"
#include "src/base/error.h"
#include "src/store/cursor.h"
#include "src/store/directory.h"
#include "src/store/engine_rep.h"
#include "src/store/manifest_tail.h"
#include "src/store/options.h"
#include "src/store/rocks_status.h"
#include "src/store/write_set.h"

namespace northwind::internal {

Engine::Engine(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Engine::~Engine() = default;

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(const StoreOptions& options, rocksdb::Env* env) {
  auto rep = std::make_unique<Rep>();
  NW_ASSIGN_OR_RETURN(rep->database, Database::Open(options, env));
  return std::unique_ptr<Engine>(new Engine(std::move(rep)));
}

const std::string& Engine::path() const { return rep_->database->path(); }
bool Engine::shadow() const { return rep_->database->shadow(); }
bool Engine::was_shadow() const { return rep_->database->was_shadow(); }
std::array<uint8_t, 16> Engine::uuid() const { return rep_->database->uuid(); }
absl::Status Engine::SetUuid(const std::array<uint8_t, 16>& uuid) { return rep_->database->SetUuid(uuid); }
absl::Status Engine::poison() const { return rep_->database->poison().status(); }
absl::Status Engine::DropDerived() { return rep_->database->DropDerived(); }

absl::Status Engine::Write(WriteSet& writes) {
  Database& database = *rep_->database;
  NW_RETURN_IF_ERROR(database.poison().status());
  if (writes.empty()) return absl::OkStatus();
  NW_RETURN_IF_ERROR(database.floor().Admit(writes.ByteSize()));
  const rocksdb::Status status = database.db().Write(SyncedWrite(), &writes.rep_->Build(database));
  if (status.ok()) return absl::OkStatus();
  const absl::Status cause = ToStatus(status, "writing to store " + path());
  database.poison().Set(cause);
  return Error(absl::StatusCode::kAborted, "outcome unknown: ", cause.ToString());
}

absl::Status Engine::CheckSpace(uint64_t bytes) const { return rep_->database->floor().Admit(bytes); }

absl::StatusOr<std::optional<PinnedValue>> Engine::Get(Space space, std::string_view key) const {
  PinnedValue value;
  value.rep_ = std::make_unique<PinnedValue::Rep>();
  NW_ASSIGN_OR_RETURN(const bool found, ReadKey(*rep_->database, space, key, nullptr, value.rep_->slice));
  if (!found) return std::nullopt;
  return std::optional<PinnedValue>(std::move(value));
}

Cursor Engine::NewCursor(Space space, const CursorOptions& options) const {
  Cursor cursor;
  cursor.rep_ = std::make_unique<Cursor::Rep>(*rep_->database, space, options, nullptr);
  return cursor;
}

IngestPause::IngestPause(const Engine& engine) : engine_(engine) { engine_.rep_->ingest_mutex.ReaderLock(); }
IngestPause::~IngestPause() { engine_.rep_->ingest_mutex.ReaderUnlock(); }

std::unique_ptr<Snapshot> Engine::NewSnapshot() const { return NewSnapshot(IngestPause(*this)); }

std::unique_ptr<Snapshot> Engine::NewSnapshot(const IngestPause&) const {
  return std::unique_ptr<Snapshot>(new Snapshot(std::make_unique<Snapshot::Rep>(*rep_->database)));
}

absl::Status Engine::Flush() {
  NW_RETURN_IF_ERROR(poison());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  for (size_t i = 0; i < kSpaceCount; ++i) handles.push_back(rep_->database->handle(static_cast<Space>(i)));
  const rocksdb::Status status = rep_->database->db().Flush(rocksdb::FlushOptions(), handles);
  if (status.ok()) return absl::OkStatus();
  const absl::Status cause = ToStatus(status, "flushing store " + path());
  rep_->database->poison().Set(cause);
  return cause;
}

absl::Status Engine::Checkpoint(const std::string& directory) {
  NW_RETURN_IF_ERROR(poison());
  rocksdb::Env& env = rep_->database->env();
  std::string target = directory;
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  if (target.empty()) return absl::InvalidArgumentError("the directory for a checkpoint has no name");
  if (env.FileExists(target).ok()) return Error(absl::StatusCode::kAlreadyExists, target, " exists already");
  const std::string parent = ParentOf(target);
  if (!env.FileExists(parent).ok()) return Error(absl::StatusCode::kNotFound, "no directory ", parent);

  // Made under another name and then renamed, so that a crash leaves no half a checkpoint that looks like a whole one.
  const std::string staging = target + ".partial";
  const auto build = [&]() -> absl::Status {
    NW_RETURN_IF_ERROR(ClearDirectory(env, staging, Keep::kNothing));
    rocksdb::Checkpoint* raw = nullptr;
    NW_RETURN_IF_ERROR(ToStatus(rocksdb::Checkpoint::Create(&rep_->database->db(), &raw), "checkpoint of " + path()));
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
    // 0: always flush first, so that no log goes into the copy; a hard link to a log still being written would.
    NW_RETURN_IF_ERROR(ToStatus(checkpoint->CreateCheckpoint(staging, 0), "checkpoint of " + path() + " to " + target));
    NW_RETURN_IF_ERROR(MakeFirstLog(env, staging));
    NW_RETURN_IF_ERROR(MarkDirectory(env, staging));
    NW_RETURN_IF_ERROR(ToStatus(env.RenameFile(staging, target), "renaming " + staging + " to " + target));
    return SyncDirectory(env, parent);
  };
  const absl::Status status = build();
  if (!status.ok()) (void)ClearDirectory(env, staging, Keep::kNothing);
  return status;
}

uint64_t Engine::DiskBytes() const {
  const Database& database = *rep_->database;
  uint64_t bytes = 0;
  (void)database.db().GetAggregatedIntProperty(rocksdb::DB::Properties::kLiveSstFilesSize, &bytes);
  // Not DB::GetSortedWalFiles, which waits for files under deletion, and then looks for more of them.
  std::vector<std::string> names;
  (void)database.env().GetChildren(path(), &names);
  for (const std::string& name : names) {
    uint64_t size = 0;
    if (name.ends_with(".log") && database.env().GetFileSize(path() + "/" + name, &size).ok()) bytes += size;
  }
  return bytes;
}

bool Engine::AcquireSlot(Slot slot) { return !rep_->slot_taken[static_cast<size_t>(slot)].exchange(true); }
void Engine::ReleaseSlot(Slot slot) { rep_->slot_taken[static_cast<size_t>(slot)].store(false); }

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
//
// Records of kMeta, the only ones that this layer writes:
//
//   "identity"  "northwind" ‖ format version (BE u32) ‖ uuid (16 bytes)
//   "dropping"  empty; there while the derived spaces are being emptied
//   "mode"      "shadow", or "left shadow"; nothing: live, as ever
#include "src/store/database.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "northwind/status.h"
#include "rocksdb/cache.h"
#include "src/base/coding.h"
#include "src/base/error.h"
#include "src/store/directory.h"
#include "src/store/log_tail.h"
#include "src/store/manifest_tail.h"
#include "src/store/options.h"
#include "src/store/rocks_status.h"

namespace northwind::internal {
namespace {

constexpr uint32_t kFormatVersion = 1;
constexpr std::string_view kMagic = "northwind";
constexpr char kIdentityKey[] = "identity";
constexpr char kDroppingKey[] = "dropping";
constexpr char kModeKey[] = "mode";
constexpr char kShadow[] = "shadow";
constexpr char kLeftShadow[] = "left shadow";

constexpr std::array<std::string_view, kSpaceCount> kSpaceNames = {"default", "journal",    "host",  "ids",
                                                                   "entries", "references", "links", "accounts",
                                                                   "holds",   "times",      "state", "tasks"};

// So that a look at a store that we may have to refuse leaves no log file in it.
class SilentLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

std::string WithoutTrailingSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

StoreOptions Normalized(StoreOptions options) {
  options.path = WithoutTrailingSlashes(std::move(options.path));
  return options;
}

std::string EncodeIdentity(const std::array<uint8_t, 16>& uuid) {
  std::string identity(kMagic);
  PutBigEndian32(identity, kFormatVersion);
  identity.append(reinterpret_cast<const char*>(uuid.data()), uuid.size());
  return identity;
}

absl::Status CheckIdentity(std::string_view identity, const std::string& path, std::array<uint8_t, 16>& uuid) {
  if (identity.size() < kMagic.size() + 4 || !identity.starts_with(kMagic)) {
    return Error(absl::StatusCode::kFailedPrecondition, path, " holds a database that is not a northwind store");
  }
  const uint32_t version = LoadBigEndian32(identity.data() + kMagic.size());
  if (version > kFormatVersion) {
    return Error(absl::StatusCode::kFailedPrecondition, "store ", path, " has format version ", version,
                 "; this library reads up to version ", kFormatVersion);
  }
  if (version != kFormatVersion || identity.size() != kMagic.size() + 4 + uuid.size()) {
    return Error(absl::StatusCode::kDataLoss, "store ", path, " has a damaged identity record");
  }
  std::memcpy(uuid.data(), identity.data() + kMagic.size() + 4, uuid.size());
  return absl::OkStatus();
}

}  // namespace

std::string_view SpaceName(Space space) { return kSpaceNames[static_cast<size_t>(space)]; }

// ---- FreeSpaceFloor -----------------------------------------------------------------------------------------

absl::Status FreeSpaceFloor::Admit(uint64_t bytes) {
  if (floor_bytes_ == 0) return absl::OkStatus();
  const auto now = std::chrono::steady_clock::now();
  absl::MutexLock lock(&mutex_);
  if (now < next_check_ && admitted_ + bytes <= std::min(kBytesBetweenChecks, floor_bytes_)) {
    admitted_ += bytes;
    return absl::OkStatus();
  }
  uint64_t free_bytes = 0;
  const rocksdb::Status status = env_->GetFreeSpace(path_, &free_bytes);
  if (status.IsNotSupported()) return absl::OkStatus();
  NW_RETURN_IF_ERROR(ToStatus(status, "asking for the free space at " + path_));
  if (free_bytes < floor_bytes_) {
    next_check_ = {};
    return Error(absl::StatusCode::kResourceExhausted, "free space at ", path_, " is ", free_bytes,
                 " bytes, below the floor of ", floor_bytes_, " bytes: nothing written");
  }
  admitted_ = bytes;
  next_check_ = now + kTimeBetweenChecks;
  return absl::OkStatus();
}

// ---- Database: opening --------------------------------------------------------------------------------------

Database::Database(const StoreOptions& options, rocksdb::Env* env)
    : options_(options),
      env_(env),
      poison_(std::make_shared<Poison>()),
      guarded_env_(GuardedEnv(*env, options.path, poison_)),
      db_options_(DatabaseOptions(options, guarded_env_.get(), PoisonOnBackgroundError(poison_))),
      floor_(env, options.path, options.free_space_floor_bytes) {
  const std::shared_ptr<rocksdb::Cache> block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  for (size_t i = 0; i < kSpaceCount; ++i) {
    space_options_[i] = SpaceOptions(static_cast<Space>(i), options, block_cache);
  }
}

Database::~Database() {
  if (db_ != nullptr) {
    // Nothing is flushed: what was acknowledged is in the log.
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      if (handle != nullptr) (void)db_->DestroyColumnFamilyHandle(handle);
    }
    (void)db_->Close();
    db_.reset();
  }
  if (lock_ != nullptr) (void)env_->UnlockFile(lock_);
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const StoreOptions& options, rocksdb::Env* env) {
  if (options.path.empty()) return absl::InvalidArgumentError("StoreOptions::path is empty");
  if (env == nullptr) env = rocksdb::Env::Default();
  std::unique_ptr<Database> database(new Database(Normalized(options), env));
  NW_ASSIGN_OR_RETURN(const DirectoryContent content, database->OpenDirectory());
  Spaces present;
  present.set(static_cast<size_t>(Space::kMeta));
  std::optional<uint64_t> first_log;
  if (content == DirectoryContent::kStore) {
    // Before RocksDB reads it, since it would skip some holes in silence.
    NW_ASSIGN_OR_RETURN(first_log, CutHolesFromManifest(*database->guarded_env_, database->path()));
    NW_ASSIGN_OR_RETURN(present, database->FindSpaces());
  }
  NW_RETURN_IF_ERROR(database->OpenRocksDb(present, first_log));
  NW_RETURN_IF_ERROR(database->LoadIdentity());
  NW_RETURN_IF_ERROR(database->LoadMode());
  std::string mark;
  const rocksdb::Status dropping =
      database->db().Get(PointRead(Space::kMeta), database->handle(Space::kMeta), kDroppingKey, &mark);
  if (dropping.ok()) {
    NW_RETURN_IF_ERROR(database->RecreateDerived());
  } else if (!dropping.IsNotFound()) {
    return ToStatus(dropping, "opening store " + database->path());
  }
  // An error that RocksDB got over by itself.
  NW_RETURN_IF_ERROR(database->poison().cause());
  return database;
}

absl::StatusOr<DirectoryContent> Database::OpenDirectory() {
  NW_ASSIGN_OR_RETURN(DirectoryContent content, InspectDirectory(*env_, path()));
  if (content != DirectoryContent::kStore && !options_.create_if_missing) {
    return Error(absl::StatusCode::kNotFound, "no store at ", path());
  }
  if (content != DirectoryContent::kStore) NW_RETURN_IF_ERROR(MakeDirectories(*env_, path()));
  NW_ASSIGN_OR_RETURN(lock_, LockDirectory(*env_, path()));
  // Again, now that nobody else can be making it.
  NW_ASSIGN_OR_RETURN(content, InspectDirectory(*env_, path()));
  if (content != DirectoryContent::kStore) {
    if (!options_.create_if_missing) return Error(absl::StatusCode::kNotFound, "no store at ", path());
    NW_RETURN_IF_ERROR(MarkDirectory(*env_, path()));
  }
  return content;
}

absl::StatusOr<Database::Spaces> Database::FindSpaces() {
  std::vector<std::string> names;
  rocksdb::Status status = rocksdb::DB::ListColumnFamilies(db_options_, path(), &names);
  // Here a file that is not found is one that the store has lost.
  if (status.IsPathNotFound()) status = rocksdb::Status::Corruption(status.ToString());
  NW_RETURN_IF_ERROR(ToStatus(status, "opening store " + path()));
  Spaces present;
  for (const std::string& name : names) {
    const auto known = std::find(kSpaceNames.begin(), kSpaceNames.end(), name);
    if (known == kSpaceNames.end()) return RefuseUnknownSpace(name);
    present.set(static_cast<size_t>(known - kSpaceNames.begin()));
  }
  return present;
}

// A newer format may have spaces that this library cannot even open: say so before RocksDB changes a thing.
absl::Status Database::RefuseUnknownSpace(const std::string& name) {
  rocksdb::DBOptions options;
  options.env = env_;
  options.info_log = std::make_shared<SilentLogger>();
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(
      options, path(), {{rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions()}}, &handles, &raw);
  NW_RETURN_IF_ERROR(ToStatus(status, "opening store " + path()));
  const std::unique_ptr<rocksdb::DB> db(raw);
  std::string identity;
  status = db->Get(PointRead(Space::kMeta), handles[0], kIdentityKey, &identity);
  (void)db->DestroyColumnFamilyHandle(handles[0]);
  if (!status.ok() && !status.IsNotFound()) return ToStatus(status, "opening store " + path());
  std::array<uint8_t, 16> uuid;
  NW_RETURN_IF_ERROR(CheckIdentity(identity, path(), uuid));
  return Error(absl::StatusCode::kFailedPrecondition, "store ", path(), " has format version ", kFormatVersion,
               " but a column family '", name, "' that is not part of it");
}

absl::Status Database::OpenRocksDb(const Spaces& present, std::optional<uint64_t> first_log) {
  bool holes = false;
  if (first_log.has_value()) {
    // Before RocksDB reads them, since it would skip some damage in silence.
    NW_ASSIGN_OR_RETURN(holes, LastWriteHasHoles(*env_, path(), *first_log));
  }
  rocksdb::DBOptions options = db_options_;
  options.create_if_missing = true;  // the directory was made and marked by us, or holds a store
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, path(), Descriptors(present), &handles, &raw);
  if (status.IsCorruption() && holes) {
    // Leave out the first write that is damaged, known to be the last one, and known not to be acknowledged.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    status = rocksdb::DB::Open(options, path(), Descriptors(present), &handles, &raw);
  }
  db_.reset(raw);
  TakeHandles(present, handles);
  if (status.IsPathNotFound()) status = rocksdb::Status::Corruption(status.ToString());
  NW_RETURN_IF_ERROR(ToStatus(status, "opening store " + path()));

  // All at once in a new store, or those that a crash kept from being made.
  Spaces missing = present;
  missing.flip();
  NW_RETURN_IF_ERROR(CreateSpaces(missing));

  // Left by a crash in the middle of writing sorted files.
  const std::string scratch = path() + "/ingest";
  NW_RETURN_IF_ERROR(ToStatus(env_->CreateDirIfMissing(scratch), "making directory " + scratch));
  return ClearDirectory(*env_, scratch, Keep::kDirectory);
}

// ---- Database: identity -------------------------------------------------------------------------------------

absl::Status Database::LoadMode() {
  std::string mode;
  const rocksdb::Status status = db_->Get(PointRead(Space::kMeta), handle(Space::kMeta), kModeKey, &mode);
  if (!status.ok() && !status.IsNotFound()) return ToStatus(status, "reading the mode of store " + path());
  if (!mode.empty() && mode != kShadow && mode != kLeftShadow) {
    return Error(absl::StatusCode::kDataLoss, "store ", path(), " has a damaged record of its mode");
  }
  shadow_ = mode == kShadow;
  was_shadow_ = !mode.empty();
  if (options_.mode == StoreMode::kLeaveShadow && shadow_) return WriteMode(kLeftShadow);
  if (options_.mode != StoreMode::kShadow || shadow_) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const std::string_view used, FirstUsedSpace());
  if (!used.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "store ", path(), " is live, with records in space ",
                 ToAbsl(used), ": it cannot become a shadow");
  }
  return WriteMode(kShadow);
}

absl::Status Database::WriteMode(std::string_view mode) {
  const std::string context = "writing the mode of store " + path();
  NW_RETURN_IF_ERROR(ToStatus(
      db_->Put(SyncedWrite(), handle(Space::kMeta), kModeKey, rocksdb::Slice(mode.data(), mode.size())), context));
  shadow_ = mode == kShadow;
  was_shadow_ = true;
  // As with the identity: one record must not keep a log alive.
  return ToStatus(db_->Flush(rocksdb::FlushOptions(), handle(Space::kMeta)), context);
}

absl::Status Database::LoadIdentity() {
  std::string identity;
  const rocksdb::Status status = db_->Get(PointRead(Space::kMeta), handle(Space::kMeta), kIdentityKey, &identity);
  if (status.ok()) {
    absl::MutexLock lock(&uuid_mutex_);
    return CheckIdentity(identity, path(), uuid_);
  }
  if (!status.IsNotFound()) return ToStatus(status, "reading the identity of store " + path());
  // A store that was killed while it was being made holds nothing yet, and is finished now.
  NW_ASSIGN_OR_RETURN(const std::string_view used, FirstUsedSpace());
  if (!used.empty()) {
    return Error(absl::StatusCode::kDataLoss, "store ", path(), " has no identity record, but records in space ",
                 ToAbsl(used));
  }
  // Before there is an identity, so that what was to be a shadow is never found as a live store.
  NW_RETURN_IF_ERROR(LoadMode());
  std::array<uint8_t, 16> uuid;
  NW_CHECK(getentropy(uuid.data(), uuid.size()) == 0, "the system has no random numbers");
  NW_RETURN_IF_ERROR(WriteIdentity(uuid));
  // So that this one record does not keep the first log alive for as long as logs may grow.
  return ToStatus(db_->Flush(rocksdb::FlushOptions(), handle(Space::kMeta)), "flushing store " + path());
}

absl::Status Database::WriteIdentity(const std::array<uint8_t, 16>& uuid) {
  const rocksdb::Status status = db_->Put(SyncedWrite(), handle(Space::kMeta), kIdentityKey, EncodeIdentity(uuid));
  if (!status.ok()) {
    poison_->Set(ToStatus(status, "writing the identity of store " + path()));
    return ToStatus(status, "writing the identity of store " + path());
  }
  absl::MutexLock lock(&uuid_mutex_);
  uuid_ = uuid;
  return absl::OkStatus();
}

std::array<uint8_t, 16> Database::uuid() const {
  absl::MutexLock lock(&uuid_mutex_);
  return uuid_;
}

absl::Status Database::SetUuid(const std::array<uint8_t, 16>& uuid) {
  NW_RETURN_IF_ERROR(poison_->status());
  NW_ASSIGN_OR_RETURN(const std::string_view used, FirstUsedSpace());
  if (!used.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "store ", path(), " has records in space ", ToAbsl(used),
                 ": its identity cannot change any more");
  }
  return WriteIdentity(uuid);
}

absl::StatusOr<std::string_view> Database::FirstUsedSpace() const {
  for (size_t i = 1; i < kSpaceCount; ++i) {
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(CursorRead({}), handles_[i]));
    it->SeekToFirst();
    NW_RETURN_IF_ERROR(ToStatus(it->status(), "reading store " + path()));
    if (it->Valid()) return kSpaceNames[i];
  }
  return std::string_view();
}

// ---- Database: derived spaces -------------------------------------------------------------------------------

absl::Status Database::DropDerived() {
  NW_RETURN_IF_ERROR(poison_->status());
  const rocksdb::Status status = db_->Put(SyncedWrite(), handle(Space::kMeta), kDroppingKey, "");
  if (!status.ok()) {
    poison_->Set(ToStatus(status, "marking the derived spaces of store " + path() + " as dropped"));
    return Error(absl::StatusCode::kAborted, "outcome unknown: ", status.ToString());
  }
  const absl::Status recreated = RecreateDerived();
  if (recreated.ok()) return recreated;
  poison_->Set(recreated);
  return Error(absl::StatusCode::kAborted, "outcome unknown: ", recreated.ToString());
}

absl::Status Database::RecreateDerived() {
  const std::string context = "emptying the derived spaces of store " + path();
  std::vector<rocksdb::ColumnFamilyHandle*> dropped(handles_.begin() + kFirstDerivedSpace,
                                                    handles_.begin() + kEndOfDerivedSpaces);
  NW_RETURN_IF_ERROR(ToStatus(db_->DropColumnFamilies(dropped), context));
  Spaces derived;
  for (size_t i = kFirstDerivedSpace; i < kEndOfDerivedSpaces; ++i) {
    (void)db_->DestroyColumnFamilyHandle(handles_[i]);
    handles_[i] = nullptr;
    derived.set(i);
  }
  NW_RETURN_IF_ERROR(CreateSpaces(derived));
  return ToStatus(db_->Delete(SyncedWrite(), handle(Space::kMeta), kDroppingKey), context);
}

absl::Status Database::CreateSpaces(const Spaces& spaces) {
  if (spaces.none()) return absl::OkStatus();
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status = db_->CreateColumnFamilies(Descriptors(spaces), &handles);
  TakeHandles(spaces, handles);
  return ToStatus(status, "making spaces of store " + path());
}

void Database::TakeHandles(const Spaces& spaces, const std::vector<rocksdb::ColumnFamilyHandle*>& handles) {
  size_t next = 0;
  for (size_t i = 0; i < kSpaceCount && next < handles.size(); ++i) {  // fewer if there was an error
    if (spaces[i]) handles_[i] = handles[next++];
  }
}

rocksdb::DBOptions Database::UnguardedOptions() const {
  rocksdb::DBOptions options = db_options_;
  options.env = env_;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> Database::Descriptors(const Spaces& spaces) const {
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (size_t i = 0; i < kSpaceCount; ++i) {
    if (spaces[i]) descriptors.emplace_back(std::string(kSpaceNames[i]), space_options_[i]);
  }
  return descriptors;
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
#include "src/store/poison.h"

#include <utility>

#include "rocksdb/file_system.h"
#include "src/base/error.h"
#include "src/store/rocks_status.h"

namespace northwind::internal {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::shared_ptr<Poison> poison) : poison_(std::move(poison)) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    if (error->ok() || error->IsShutdownInProgress() || error->IsColumnFamilyDropped()) return;
    poison_->Set(ToStatus(*error, "background error"));
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  const std::shared_ptr<Poison> poison_;
};

// Passes a status on, and poisons if it is an error. NotSupported is an answer, not an error.
IOStatus Watch(Poison& poison, IOStatus status) {
  if (!status.ok() && !status.IsNotSupported()) poison.Set(ToStatus(status, "changing a file of the store"));
  return status;
}

class GuardedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  GuardedFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<Poison> poison)
      : FSWritableFileOwnerWrapper(std::move(file)), poison_(std::move(poison)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return Watch(*poison_, target()->Append(data, options, debug));
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    return Watch(*poison_, target()->Append(data, options, verification, debug));
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    return Watch(*poison_, target()->Truncate(size, options, debug));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return Watch(*poison_, target()->Flush(options, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Watch(*poison_, target()->Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Watch(*poison_, target()->Fsync(options, debug));
  }
  IOStatus RangeSync(uint64_t offset, uint64_t bytes, const IOOptions& options, IODebugContext* debug) override {
    return Watch(*poison_, target()->RangeSync(offset, bytes, options, debug));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    return Watch(*poison_, target()->Close(options, debug));
  }

 private:
  const std::shared_ptr<Poison> poison_;
};

class GuardedDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  GuardedDirectory(std::unique_ptr<rocksdb::FSDirectory> directory, std::shared_ptr<Poison> poison)
      : FSDirectoryWrapper(std::move(directory)), poison_(std::move(poison)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Watch(*poison_, FSDirectoryWrapper::Fsync(options, debug));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& directory_options) override {
    return Watch(*poison_, FSDirectoryWrapper::FsyncWithDirOptions(options, debug, directory_options));
  }

 private:
  const std::shared_ptr<Poison> poison_;
};

class GuardedFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  GuardedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string directory,
                    std::shared_ptr<Poison> poison)
      : FileSystemWrapper(base), directory_(std::move(directory)), poison_(std::move(poison)) {}
  const char* Name() const override { return "northwind.guarded"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) override {
    return Guard(path, target()->NewWritableFile(path, options, result, debug), result);
  }
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) override {
    return Guard(path, target()->ReopenWritableFile(path, options, result, debug), result);
  }
  IOStatus ReuseWritableFile(const std::string& path, const std::string& old_path, const rocksdb::FileOptions& options,
                             std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) override {
    return Guard(path, target()->ReuseWritableFile(path, old_path, options, result, debug), result);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext* debug) override {
    IOStatus status = target()->NewDirectory(path, options, result, debug);
    if (!IsOurs(path)) return status;
    if (status.ok()) *result = std::make_unique<GuardedDirectory>(std::move(*result), poison_);
    return status;
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    const IOStatus status = target()->RenameFile(from, to, options, debug);
    return IsOurs(to) ? Watch(*poison_, status) : status;
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* debug) override {
    const IOStatus status = target()->LinkFile(from, to, options, debug);
    return IsOurs(to) ? Watch(*poison_, status) : status;
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    if (IsOurs(path) && poison_->is_set()) return IOStatus::OK();
    return target()->DeleteFile(path, options, debug);
  }

 private:
  IOStatus Guard(const std::string& path, IOStatus status, std::unique_ptr<rocksdb::FSWritableFile>* result) {
    if (!IsOurs(path)) return status;
    if (status.ok()) *result = std::make_unique<GuardedFile>(std::move(*result), poison_);
    return Watch(*poison_, std::move(status));
  }
  // A checkpoint is written elsewhere, and may fail there without harm.
  bool IsOurs(const std::string& path) const {
    return path.starts_with(directory_) && (path.size() == directory_.size() || path[directory_.size()] == '/');
  }

  const std::string directory_;
  const std::shared_ptr<Poison> poison_;
};

}  // namespace

void Poison::Set(const absl::Status& cause) {
  absl::MutexLock lock(&mutex_);
  if (!cause_.ok()) return;
  cause_ = cause;
  set_.store(true, std::memory_order_release);
}

absl::Status Poison::cause() const {
  if (!is_set()) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  return cause_;
}

absl::Status Poison::status() const {
  const absl::Status first = cause();
  if (first.ok()) return first;
  return Error(absl::StatusCode::kFailedPrecondition,
               "store refuses writes until it is opened again, since: ", first.ToString());
}

std::shared_ptr<rocksdb::EventListener> PoisonOnBackgroundError(std::shared_ptr<Poison> poison) {
  return std::make_shared<Listener>(std::move(poison));
}

std::unique_ptr<rocksdb::Env> GuardedEnv(rocksdb::Env& base, const std::string& directory,
                                         std::shared_ptr<Poison> poison) {
  return rocksdb::NewCompositeEnv(
      std::make_shared<GuardedFileSystem>(base.GetFileSystem(), directory, std::move(poison)));
}

}  // namespace northwind::internal

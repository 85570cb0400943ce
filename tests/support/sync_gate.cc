// SPDX-License-Identifier: Apache-2.0
#include "tests/support/sync_gate.h"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "rocksdb/file_system.h"

namespace northwind::testing {

struct SyncGate::State {
  std::mutex mutex;
  std::condition_variable changed;
  bool closed = false;
  int waiting = 0;
  uint64_t failing_round = 0;  // syncs that waited in this round fail
  uint64_t round = 1;

  // Waits while the gate is closed; false if the sync is to fail.
  bool Pass() {
    std::unique_lock lock(mutex);
    if (!closed) return true;
    const uint64_t mine = round;
    ++waiting;
    changed.notify_all();
    changed.wait(lock, [&] { return round != mine; });
    --waiting;
    return failing_round != mine;
  }

  void Let(bool through) {
    const std::lock_guard lock(mutex);
    closed = false;
    if (!through) failing_round = round;
    ++round;
    changed.notify_all();
  }
};

class SyncGate::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<State> state)
      : FSWritableFileOwnerWrapper(std::move(file)), state_(std::move(state)) {}

  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    if (!state_->Pass()) return rocksdb::IOStatus::IOError("sync failed at the gate");
    return target()->Sync(options, debug);
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    if (!state_->Pass()) return rocksdb::IOStatus::IOError("sync failed at the gate");
    return target()->Fsync(options, debug);
  }

 private:
  std::shared_ptr<State> state_;
};

class SyncGate::FileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::shared_ptr<State> state)
      : FileSystemWrapper(base), state_(std::move(state)) {}
  const char* Name() const override { return "SyncGate"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = target()->NewWritableFile(path, options, result, debug);
    if (status.ok() && path.ends_with(".log")) *result = std::make_unique<File>(std::move(*result), state_);
    return status;
  }

 private:
  std::shared_ptr<State> state_;
};

SyncGate::SyncGate(rocksdb::Env* base)
    : state_(std::make_shared<State>()),
      env_(rocksdb::NewCompositeEnv(std::make_shared<FileSystem>(base->GetFileSystem(), state_))) {}
SyncGate::~SyncGate() = default;

rocksdb::Env* SyncGate::env() { return env_.get(); }

void SyncGate::Close() {
  const std::lock_guard lock(state_->mutex);
  state_->closed = true;
}

void SyncGate::AwaitSync() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->waiting > 0; });
}

void SyncGate::Open() { state_->Let(true); }
void SyncGate::OpenWithFailure() { state_->Let(false); }

}  // namespace northwind::testing

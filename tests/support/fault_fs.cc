// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fault_fs.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "northwind/status.h"
#include "rocksdb/file_system.h"

// RocksDB sleeps for a second after a flush that failed, and a closing database waits for that. Tests fail many flushes.
extern "C" int usleep(useconds_t) {
  sched_yield();
  return 0;
}

namespace northwind::testing {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

struct Node;
using NodePtr = std::shared_ptr<Node>;
using Names = std::map<std::string, NodePtr>;

// A file or a directory.
struct Node {
  explicit Node(bool directory) : is_directory(directory) {}
  const bool is_directory;

  // A file: its bytes, how many of them are durable, and whether a sync failed, after which no more will be.
  std::string data;
  size_t synced = 0;
  bool sync_failed = false;

  // A directory: its names now and as last synced, and each change since, as the names set (null: removed) together.
  Names names;
  Names synced_names;
  std::vector<std::vector<std::pair<std::string, NodePtr>>> pending;
};

class SilentLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
  size_t GetLogFileSize() const override { return 0; }
};

class PathLock final : public rocksdb::FileLock {
 public:
  explicit PathLock(std::string of) : path(std::move(of)) {}
  const std::string path;
};

IOStatus NoSuchFile(const std::string& path) {
  return IOStatus::PathNotFound("While looking for " + path, "No such file or directory");
}

std::pair<std::string, std::string> SplitPath(const std::string& path) {
  const size_t slash = path.rfind('/');
  NW_CHECK(slash != std::string::npos, "a path must be absolute");
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

class FaultFs::FileSystem final : public rocksdb::FileSystem {
 public:
  explicit FileSystem(uint64_t seed) : random_(seed) {}
  const char* Name() const override { return "FaultFs"; }

  // ---- Files ----------------------------------------------------------------------------------------------

  IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    const NodePtr node = Find(path);
    if (node == nullptr || node->is_directory) return NoSuchFile(path);
    result->reset(new SequentialFile(*this, node));
    return IOStatus::OK();
  }

  IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    const NodePtr node = Find(path);
    if (node == nullptr || node->is_directory) return NoSuchFile(path);
    result->reset(new RandomAccessFile(*this, node));
    return IOStatus::OK();
  }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    if (const IOStatus status = Admit(DiskOp::kCreate, path); !status.ok()) return status;
    const auto [parent, name] = SplitPath(path);
    const NodePtr directory = Find(parent);
    if (directory == nullptr || !directory->is_directory) return NoSuchFile(parent);
    NodePtr& node = directory->names[name];
    if (node == nullptr) {
      node = std::make_shared<Node>(false);
      directory->pending.push_back({{name, node}});
    } else {
      if (node->is_directory) return IOStatus::IOError("While opening " + path, "Is a directory");
      node->data.clear();
      node->synced = 0;
    }
    result->reset(new WritableFile(*this, node, path, options));
    return IOStatus::OK();
  }

  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) override {
    {
      const std::lock_guard lock(mutex_);
      const NodePtr node = Find(path);
      if (node != nullptr && !node->is_directory) {
        result->reset(new WritableFile(*this, node, path, options));
        return IOStatus::OK();
      }
    }
    return NewWritableFile(path, options, result, debug);
  }

  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    const NodePtr node = Find(path);
    if (node == nullptr) return NoSuchFile(path);
    *size = node->data.size();
    return IOStatus::OK();
  }

  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&, uint64_t* time,
                                   IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    if (Find(path) == nullptr) return NoSuchFile(path);
    *time = 0;
    return IOStatus::OK();
  }

  IOStatus NumFileLinks(const std::string& path, const IOOptions&, uint64_t* count, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    const NodePtr node = Find(path);
    if (node == nullptr) return NoSuchFile(path);
    *count = CountNames(*root_, node);
    return IOStatus::OK();
  }

  IOStatus AreFilesSame(const std::string& first, const std::string& second, const IOOptions&, bool* same,
                        IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    *same = Find(first) == Find(second);
    return IOStatus::OK();
  }

  // ---- Names ----------------------------------------------------------------------------------------------

  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    return Find(path) == nullptr ? IOStatus::NotFound() : IOStatus::OK();
  }

  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* is_directory, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    const NodePtr node = Find(path);
    if (node == nullptr) return NoSuchFile(path);
    *is_directory = node->is_directory;
    return IOStatus::OK();
  }

  IOStatus GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* result,
                       IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    const NodePtr node = Find(path);
    if (node == nullptr || !node->is_directory) return NoSuchFile(path);
    result->clear();
    for (const auto& [name, child] : node->names) result->push_back(name);
    return IOStatus::OK();
  }

  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return Remove(path, false);
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override { return Remove(path, true); }

  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    if (Find(path) != nullptr) return IOStatus::IOError("While mkdir " + path, "File exists");
    return MakeDirectory(path);
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    const NodePtr node = Find(path);
    if (node == nullptr) return MakeDirectory(path);
    return node->is_directory ? IOStatus::OK() : IOStatus::IOError("While mkdir " + path, "Not a directory");
  }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    if (const IOStatus status = Admit(DiskOp::kRename, to); !status.ok()) return status;
    const auto [from_parent, from_name] = SplitPath(from);
    const auto [to_parent, to_name] = SplitPath(to);
    if (from_parent != to_parent) return IOStatus::NotSupported("rename into another directory");
    const NodePtr directory = Find(from_parent);
    const NodePtr node = Find(from);
    if (node == nullptr) return NoSuchFile(from);
    const NodePtr target = Find(to);
    if (target != nullptr && target->is_directory && !target->names.empty()) {
      return IOStatus::IOError("While renaming to " + to, "Directory not empty");
    }
    directory->names[to_name] = node;
    directory->names.erase(from_name);
    directory->pending.push_back({{to_name, node}, {from_name, nullptr}});
    return IOStatus::OK();
  }

  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions&, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    if (const IOStatus status = Admit(DiskOp::kLink, to); !status.ok()) return status;
    const auto [parent, name] = SplitPath(to);
    const NodePtr directory = Find(parent);
    const NodePtr node = Find(from);
    if (directory == nullptr || node == nullptr) return NoSuchFile(from);
    if (Find(to) != nullptr) return IOStatus::IOError("While linking to " + to, "File exists");
    directory->names[name] = node;
    directory->pending.push_back({{name, node}});
    return IOStatus::OK();
  }

  IOStatus NewDirectory(const std::string& path, const IOOptions&, std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    const NodePtr node = Find(path);
    if (node == nullptr || !node->is_directory) return NoSuchFile(path);
    result->reset(new Directory(*this, node, path));
    return IOStatus::OK();
  }

  // ---- The rest -------------------------------------------------------------------------------------------

  IOStatus LockFile(const std::string& path, const IOOptions& options, rocksdb::FileLock** result,
                    IODebugContext* debug) override {
    {
      const std::lock_guard lock(mutex_);
      if (locked_.count(path) != 0) {
        return IOStatus::IOError("lock hold by current process: " + path, "No locks available");
      }
    }
    if (FileExists(path, options, debug).IsNotFound()) {
      std::unique_ptr<rocksdb::FSWritableFile> file;
      if (const IOStatus status = NewWritableFile(path, rocksdb::FileOptions(), &file, debug); !status.ok()) {
        return status;
      }
    }
    const std::lock_guard lock(mutex_);
    locked_.insert(path);
    *result = new PathLock(path);
    return IOStatus::OK();
  }

  IOStatus UnlockFile(rocksdb::FileLock* held, const IOOptions&, IODebugContext*) override {
    const std::unique_ptr<PathLock> owned(static_cast<PathLock*>(held));
    const std::lock_guard lock(mutex_);
    locked_.erase(owned->path);
    return IOStatus::OK();
  }

  IOStatus GetFreeSpace(const std::string&, const IOOptions&, uint64_t* bytes, IODebugContext*) override {
    const std::lock_guard lock(mutex_);
    *bytes = free_bytes_;
    return IOStatus::OK();
  }

  IOStatus GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) override {
    path->assign(1, '/');
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* result, IODebugContext*) override {
    *result = path;
    return IOStatus::OK();
  }
  // RocksDB's text log would only be noise among the operations that are counted.
  IOStatus NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>* result,
                     IODebugContext*) override {
    *result = std::make_shared<SilentLogger>();
    return IOStatus::OK();
  }

  // ---- Control, for FaultFs -------------------------------------------------------------------------------

  void Inject(const Fault& fault) {
    const std::lock_guard lock(mutex_);
    faults_.push_back(fault);
  }
  void ClearFaults() {
    const std::lock_guard lock(mutex_);
    faults_.clear();
  }
  void SetFreeSpace(uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    free_bytes_ = bytes;
  }
  void CutPowerAfter(uint64_t changes) {
    const std::lock_guard lock(mutex_);
    changes_to_power_cut_ = changes;
  }
  bool PowerIsCut() const {
    const std::lock_guard lock(mutex_);
    return changes_to_power_cut_ == 0;
  }
  void Restart(Loss loss, Tail tail) {
    const std::lock_guard lock(mutex_);
    NW_CHECK(locked_.empty(), "the disk is restarted while a file is locked");
    if (loss == Loss::kUnsynced) {
      std::set<Node*> lost;
      LoseUnsynced(*root_, tail, lost);
    }
    faults_.clear();
    changes_to_power_cut_.reset();
  }
  uint64_t changes(DiskOp op) const {
    const std::lock_guard lock(mutex_);
    return counts_[static_cast<size_t>(op)];
  }
  void Damage(const std::string& path, uint64_t offset, uint64_t count) {
    const std::lock_guard lock(mutex_);
    const NodePtr node = Find(path);
    NW_CHECK(node != nullptr && offset + count <= node->data.size(), "nothing there to damage");
    for (uint64_t i = offset; i < offset + count; ++i) node->data[i] = static_cast<char>(~node->data[i]);
  }

 private:
  class SequentialFile final : public rocksdb::FSSequentialFile {
   public:
    SequentialFile(FileSystem& fs, NodePtr node) : fs_(fs), node_(std::move(node)) {}
    IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch, IODebugContext*) override {
      *result = fs_.Read(*node_, offset_, n, scratch);
      offset_ += result->size();
      return IOStatus::OK();
    }
    IOStatus Skip(uint64_t n) override {
      offset_ += n;
      return IOStatus::OK();
    }

   private:
    FileSystem& fs_;
    const NodePtr node_;
    uint64_t offset_ = 0;
  };

  class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
   public:
    RandomAccessFile(FileSystem& fs, NodePtr node) : fs_(fs), node_(std::move(node)) {}
    IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                  IODebugContext*) const override {
      *result = fs_.Read(*node_, offset, n, scratch);
      return IOStatus::OK();
    }

   private:
    FileSystem& fs_;
    const NodePtr node_;
  };

  class WritableFile final : public rocksdb::FSWritableFile {
   public:
    WritableFile(FileSystem& fs, NodePtr node, std::string path, const rocksdb::FileOptions& options)
        : FSWritableFile(options), fs_(fs), node_(std::move(node)), path_(std::move(path)) {}
    using rocksdb::FSWritableFile::Append;
    IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
      return fs_.Append(*node_, path_, {data.data(), data.size()});
    }
    IOStatus Truncate(uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
    IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
    IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
    IOStatus Sync(const IOOptions&, IODebugContext*) override { return fs_.Sync(*node_, path_); }
    bool IsSyncThreadSafe() const override { return true; }
    uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
      const std::lock_guard lock(fs_.mutex_);
      return node_->data.size();
    }

   private:
    FileSystem& fs_;
    const NodePtr node_;
    const std::string path_;
  };

  class Directory final : public rocksdb::FSDirectory {
   public:
    Directory(FileSystem& fs, NodePtr node, std::string path)
        : fs_(fs), node_(std::move(node)), path_(std::move(path)) {}
    IOStatus Fsync(const IOOptions&, IODebugContext*) override { return fs_.SyncDirectory(*node_, path_); }
    IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

   private:
    FileSystem& fs_;
    const NodePtr node_;
    const std::string path_;
  };

  NodePtr Find(const std::string& path) const {
    NodePtr node = root_;
    for (size_t begin = 0; begin < path.size();) {
      const size_t end = std::min(path.find('/', begin), path.size());
      if (end > begin) {
        const auto child = node->names.find(path.substr(begin, end - begin));
        if (child == node->names.end()) return nullptr;
        node = child->second;
      }
      begin = end + 1;
    }
    return node;
  }

  // Counts the operation, and fails it if it is time.
  IOStatus Admit(DiskOp op, const std::string& path) {
    ++counts_[static_cast<size_t>(op)];
    if (changes_to_power_cut_.has_value()) {
      if (*changes_to_power_cut_ == 0) return IOStatus::IOError("While changing " + path, "power is cut");
      --*changes_to_power_cut_;
    }
    for (Fault& fault : faults_) {
      if (fault.op.has_value() && *fault.op != op) continue;
      if (path.find(fault.path_contains) == std::string::npos) continue;
      if (fault.nth == 0) continue;
      if (fault.nth > 1) {
        --fault.nth;
        continue;
      }
      if (!fault.forever) fault.nth = 0;
      if (fault.no_space) return IOStatus::NoSpace("While changing " + path, "No space left on device");
      return IOStatus::IOError("While changing " + path, "Input/output error");
    }
    return IOStatus::OK();
  }

  Slice Read(const Node& node, uint64_t offset, size_t n, char* scratch) {
    const std::lock_guard lock(mutex_);
    if (offset >= node.data.size()) return Slice();
    n = std::min<size_t>(n, node.data.size() - offset);
    std::memcpy(scratch, node.data.data() + offset, n);
    return {scratch, n};
  }

  IOStatus Append(Node& node, const std::string& path, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    const bool powered = changes_to_power_cut_ != 0;
    const IOStatus status = Admit(DiskOp::kAppend, path);
    if (!status.ok()) {
      if (powered) Store(node, bytes.substr(0, Random(bytes.size() + 1)));
      return status;
    }
    if (!Store(node, bytes)) return IOStatus::NoSpace("While appending to " + path, "No space left on device");
    return IOStatus::OK();
  }

  // As much as there is space for; false if that is not all.
  bool Store(Node& node, std::string_view bytes) {
    const std::string_view fits = bytes.substr(0, free_bytes_);
    node.data.append(fits);
    free_bytes_ -= fits.size();
    return fits.size() == bytes.size();
  }

  IOStatus Sync(Node& node, const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (const IOStatus status = Admit(DiskOp::kSync, path); !status.ok()) {
      node.sync_failed = true;
      return status;
    }
    if (!node.sync_failed) node.synced = node.data.size();
    return IOStatus::OK();
  }

  IOStatus SyncDirectory(Node& node, const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (const IOStatus status = Admit(DiskOp::kDirectorySync, path); !status.ok()) return status;
    node.synced_names = node.names;
    node.pending.clear();
    return IOStatus::OK();
  }

  IOStatus MakeDirectory(const std::string& path) {
    if (const IOStatus status = Admit(DiskOp::kMakeDirectory, path); !status.ok()) return status;
    const auto [parent, name] = SplitPath(path);
    const NodePtr directory = Find(parent);
    if (directory == nullptr || !directory->is_directory) return NoSuchFile(parent);
    const NodePtr node = std::make_shared<Node>(true);
    directory->names[name] = node;
    directory->pending.push_back({{name, node}});
    return IOStatus::OK();
  }

  IOStatus Remove(const std::string& path, bool is_directory) {
    const std::lock_guard lock(mutex_);
    if (const IOStatus status = Admit(DiskOp::kDelete, path); !status.ok()) return status;
    const NodePtr node = Find(path);
    if (node == nullptr || node->is_directory != is_directory) return NoSuchFile(path);
    if (!node->names.empty()) return IOStatus::IOError("While rmdir " + path, "Directory not empty");
    const auto [parent, name] = SplitPath(path);
    const NodePtr directory = Find(parent);
    directory->names.erase(name);
    directory->pending.push_back({{name, nullptr}});
    if (CountNames(*root_, node) == 0) free_bytes_ += node->data.size();
    return IOStatus::OK();
  }

  static uint64_t CountNames(const Node& directory, const NodePtr& node) {
    uint64_t count = 0;
    for (const auto& [name, child] : directory.names) {
      count += child == node ? 1 : 0;
      if (child->is_directory) count += CountNames(*child, node);
    }
    return count;
  }

  // `done` keeps a file with several names from losing twice.
  void LoseUnsynced(Node& directory, Tail tail, std::set<Node*>& done) {
    directory.names = directory.synced_names;
    const uint64_t kept = Random(directory.pending.size() + 1);
    for (uint64_t i = 0; i < kept; ++i) {
      for (const auto& [name, node] : directory.pending[i]) {
        if (node == nullptr) {
          directory.names.erase(name);
        } else {
          directory.names[name] = node;
        }
      }
    }
    directory.pending.clear();
    directory.synced_names = directory.names;
    for (const auto& [name, node] : directory.names) {
      if (!done.insert(node.get()).second) continue;
      if (node->is_directory) {
        LoseUnsynced(*node, tail, done);
      } else {
        LoseTail(*node, tail);
      }
    }
  }

  void LoseTail(Node& file, Tail tail) {
    const uint64_t kept = Random(file.data.size() - file.synced + 1);
    file.data.resize(file.synced + kept);
    if (tail == Tail::kHoles) {
      // A sector with synced bytes in it was written before, and stays whole.
      for (size_t begin = (file.synced + kSector - 1) / kSector * kSector; begin < file.data.size(); begin += kSector) {
        const size_t end = std::min(begin + kSector, file.data.size());
        if (Random(4) == 0) std::fill(file.data.begin() + begin, file.data.begin() + end, '\0');
      }
    }
    file.synced = file.data.size();
    file.sync_failed = false;
  }

  static constexpr size_t kSector = 512;

  uint64_t Random(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_); }

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  const NodePtr root_ = std::make_shared<Node>(true);
  std::set<std::string> locked_;
  std::vector<Fault> faults_;
  std::array<uint64_t, static_cast<size_t>(DiskOp::kCount)> counts_{};
  std::optional<uint64_t> changes_to_power_cut_;
  uint64_t free_bytes_ = uint64_t{1} << 50;
};

FaultFs::FaultFs(uint64_t seed)
    : file_system_(std::make_shared<FileSystem>(seed)), env_(rocksdb::NewCompositeEnv(file_system_)) {}
FaultFs::~FaultFs() = default;

rocksdb::Env* FaultFs::env() { return env_.get(); }
void FaultFs::Inject(const Fault& fault) { file_system_->Inject(fault); }
void FaultFs::ClearFaults() { file_system_->ClearFaults(); }
void FaultFs::SetFreeSpace(uint64_t bytes) { file_system_->SetFreeSpace(bytes); }
void FaultFs::CutPowerAfter(uint64_t changes) { file_system_->CutPowerAfter(changes); }
bool FaultFs::PowerIsCut() const { return file_system_->PowerIsCut(); }
void FaultFs::Restart(Loss loss, Tail tail) { file_system_->Restart(loss, tail); }
uint64_t FaultFs::changes(DiskOp op) const { return file_system_->changes(op); }

uint64_t FaultFs::changes() const {
  uint64_t sum = 0;
  for (size_t op = 0; op < static_cast<size_t>(DiskOp::kCount); ++op) sum += changes(static_cast<DiskOp>(op));
  return sum;
}

void FaultFs::Damage(const std::string& path, uint64_t offset, uint64_t count) {
  file_system_->Damage(path, offset, count);
}

uint64_t FaultFs::FileSize(const std::string& path) const {
  uint64_t size = 0;
  NW_CHECK(file_system_->GetFileSize(path, IOOptions(), &size, nullptr).ok(), "no such file");
  return size;
}

}  // namespace northwind::testing

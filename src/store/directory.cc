// SPDX-License-Identifier: Apache-2.0
#include "src/store/directory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/store/rocks_status.h"

namespace northwind::internal {
namespace {

constexpr char kMarker[] = "NORTHWIND";
constexpr char kLock[] = "NORTHWIND.lock";
constexpr char kMarkerText[] =
    "This directory is a northwind store. Copy and move it as a whole, while it is closed.\n";

bool HasSuffix(std::string_view name, std::string_view suffix) { return name.ends_with(suffix); }

absl::StatusOr<std::vector<std::string>> List(rocksdb::Env& env, const std::string& path) {
  std::vector<std::string> names;
  NW_RETURN_IF_ERROR(ToStatus(env.GetChildren(path, &names), "listing directory " + path));
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

absl::StatusOr<DirectoryContent> InspectDirectory(rocksdb::Env& env, const std::string& path) {
  const rocksdb::Status exists = env.FileExists(path);
  if (exists.IsNotFound()) return DirectoryContent::kMissing;
  NW_RETURN_IF_ERROR(ToStatus(exists, "looking for " + path));
  bool is_directory = false;
  NW_RETURN_IF_ERROR(ToStatus(env.IsDirectory(path, &is_directory), "looking at " + path));
  if (!is_directory) return Error(absl::StatusCode::kFailedPrecondition, path, " is not a directory");

  NW_ASSIGN_OR_RETURN(const std::vector<std::string> names, List(env, path));
  const auto has = [&names](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (has(kMarker)) {
    if (has("CURRENT")) return DirectoryContent::kStore;
    // RocksDB writes CURRENT before its first log or table, so that these without it are the rest of a store.
    for (const std::string& name : names) {
      if (HasSuffix(name, ".sst") || HasSuffix(name, ".log")) {
        return Error(absl::StatusCode::kDataLoss, "store ", path, " has lost its file CURRENT, but holds ", name);
      }
    }
    return DirectoryContent::kBegun;
  }
  for (const std::string& name : names) {
    if (name != kLock) {
      return Error(absl::StatusCode::kFailedPrecondition, "directory ", path, " is not a northwind store: it holds ",
                   name, " and no file ", kMarker);
    }
  }
  return DirectoryContent::kEmpty;
}

absl::Status MakeDirectories(rocksdb::Env& env, const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    if (!prefix.empty() && prefix.back() != '/') {
      const bool is_new = env.FileExists(prefix).IsNotFound();
      if (is_new) NW_RETURN_IF_ERROR(ToStatus(env.CreateDirIfMissing(prefix), "making directory " + prefix));
      // One that is there already may have been made by an attempt that was cut off before this; but it may also be
      // one whose parent we must not read, and then it was not we who made it.
      const absl::Status synced = SyncDirectory(env, ParentOf(prefix));
      if (!synced.ok() && (is_new || !absl::IsPermissionDenied(synced))) return synced;
    }
    if (end == std::string::npos) return absl::OkStatus();
  }
}

absl::Status MarkDirectory(rocksdb::Env& env, const std::string& path) {
  const std::string marker = path + "/" + kMarker;
  NW_RETURN_IF_ERROR(ToStatus(rocksdb::WriteStringToFile(&env, kMarkerText, marker, true), "writing " + marker));
  return SyncDirectory(env, path);
}

absl::StatusOr<rocksdb::FileLock*> LockDirectory(rocksdb::Env& env, const std::string& path) {
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::Status status = env.LockFile(path + "/" + kLock, &lock);
  if (status.ok()) return lock;
  // RocksDB reports a lock held elsewhere as EAGAIN, and one held by this process in words of its own.
  const std::string text = status.ToString();
  if (absl::StrContains(text, "current process")) {
    return Error(absl::StatusCode::kFailedPrecondition, "store ", path, " is open already in this process");
  }
  if (absl::StrContains(text, std::strerror(EAGAIN))) {
    return Error(absl::StatusCode::kFailedPrecondition, "store ", path, " is open in another process");
  }
  return ToStatus(status, "locking store " + path);
}

absl::Status SyncDirectory(rocksdb::Env& env, const std::string& path) {
  std::unique_ptr<rocksdb::Directory> directory;
  rocksdb::Status status = env.NewDirectory(path, &directory);
  if (status.ok()) status = directory->Fsync();
  return ToStatus(status, "syncing directory " + path);
}

absl::Status ClearDirectory(rocksdb::Env& env, const std::string& path, Keep keep) {
  if (env.FileExists(path).IsNotFound()) return absl::OkStatus();
  NW_ASSIGN_OR_RETURN(const std::vector<std::string> names, List(env, path));
  for (const std::string& name : names) {
    NW_RETURN_IF_ERROR(ToStatus(env.DeleteFile(path + "/" + name), "deleting a left-over file"));
  }
  if (keep == Keep::kDirectory) return absl::OkStatus();
  return ToStatus(env.DeleteDir(path), "deleting directory " + path);
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace northwind::internal

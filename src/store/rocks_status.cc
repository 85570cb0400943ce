// SPDX-License-Identifier: Apache-2.0
#include "src/store/rocks_status.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "src/base/error.h"
#include "src/store/database.h"

namespace northwind::internal {
namespace {

// RocksDB keeps the errno of a failed call only as the C library's text at the end of its message.
bool IsPermissionDenied(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  for (const int number : {EACCES, EPERM, EROFS}) {
    if (absl::StrContains(text, std::strerror(number))) return true;
  }
  return false;
}

absl::StatusCode CodeOf(const rocksdb::Status& status) {
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit || status.IsMemoryLimit()) {
    return absl::StatusCode::kResourceExhausted;
  }
  if (status.IsPathNotFound() || status.IsNotFound()) return absl::StatusCode::kNotFound;
  if (status.IsCorruption()) return absl::StatusCode::kDataLoss;
  if (status.IsIOError()) {
    return IsPermissionDenied(status) ? absl::StatusCode::kPermissionDenied : absl::StatusCode::kUnavailable;
  }
  if (status.IsShutdownInProgress() || status.IsBusy() || status.IsTimedOut() || status.IsTryAgain() ||
      status.IsAborted() || status.IsIncomplete()) {
    return absl::StatusCode::kUnavailable;
  }
  return absl::StatusCode::kInternal;
}

}  // namespace

absl::Status ToStatus(const rocksdb::Status& status, std::string_view context) {
  if (status.ok()) return absl::OkStatus();
  return Error(CodeOf(status), ToAbsl(context), ": ", status.ToString());
}

absl::Status ToStatus(const rocksdb::Status& status, std::string_view operation, Space space, std::string_view key) {
  if (status.ok()) return absl::OkStatus();
  return Error(CodeOf(status), ToAbsl(operation), " ", ToAbsl(SpaceName(space)), " key 0x",
               absl::BytesToHexString(ToAbsl(key)), ": ", status.ToString());
}

}  // namespace northwind::internal

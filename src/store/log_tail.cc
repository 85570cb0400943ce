// SPDX-License-Identifier: Apache-2.0
#include "src/store/log_tail.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "northwind/status.h"
#include "src/base/error.h"
#include "src/store/log_format.h"
#include "src/store/rocks_status.h"

namespace northwind::internal {
namespace {

// What RocksDB may write to a log that it makes while it opens a store, before the logs that it recovers are superfluous:
// a sequence number and a count of 0. All other writes are longer.
constexpr size_t kEmptyWrite = kLogHeader + 12;

bool HasNonZero(std::string_view log, size_t from) {
  return from < log.size() && log.find_first_not_of('\0', from) != std::string_view::npos;
}

// Whether another write begins after the one that the damage is in.
bool AnotherWriteBegins(std::string_view log, const ScannedLog& scanned) {
  LogHeader header{};
  bool ended = false;
  if (TrustedHeader(log, scanned.damage, header)) {
    ended = header.type == LogFragmentType::kWhole || header.type == LogFragmentType::kLast;
    if (ended && HasNonZero(log, header.end)) return true;
  }
  for (const LogFragment& fragment : scanned.after) {
    // A write goes on at the beginning of a later block, and nowhere else.
    const bool goes_on = fragment.begin % kLogBlock == 0 && fragment.begin > scanned.damage &&
                         (fragment.type == LogFragmentType::kMiddle || fragment.type == LogFragmentType::kLast);
    if (ended || !goes_on) return true;
    ended = fragment.type == LogFragmentType::kLast;
    if (ended && HasNonZero(log, fragment.end())) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<bool> LastWriteHasHoles(rocksdb::Env& env, const std::string& directory, uint64_t first_log) {
  NW_ASSIGN_OR_RETURN(const auto logs, ListLogs(env, directory, first_log));
  std::string damaged;
  bool holes = false;
  for (const auto& [number, path] : logs) {
    std::string log;
    NW_RETURN_IF_ERROR(ToStatus(rocksdb::ReadFileToString(&env, path, &log), "reading " + path));
    if (log.size() <= kEmptyWrite) continue;
    const ScannedLog scanned = ScanLog(log);
    if (damaged.empty() && scanned.damage == kNowhere) continue;
    if (!damaged.empty() || AnotherWriteBegins(log, scanned)) {
      return Error(absl::StatusCode::kDataLoss, "store ", directory, " has damage in ",
                   damaged.empty() ? absl::StrCat(path, " after byte ", scanned.damage) : damaged,
                   ", and writes went on after it");
    }
    damaged = absl::StrCat(path, " after byte ", scanned.damage);
    holes = HasSectorOfZeros(log, scanned.damage);
  }
  return holes;
}

}  // namespace northwind::internal

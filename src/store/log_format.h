// SPDX-License-Identifier: Apache-2.0
//
// The format that RocksDB's write-ahead logs and its manifest share, read without RocksDB's readiness to skip.
#ifndef NORTHWIND_SRC_STORE_LOG_FORMAT_H_
#define NORTHWIND_SRC_STORE_LOG_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "rocksdb/env.h"

namespace northwind::internal {

inline constexpr size_t kLogBlock = 32 << 10;
inline constexpr size_t kLogHeader = 7;
inline constexpr size_t kSector = 512;  // the least that a disk writes
inline constexpr size_t kNowhere = std::string_view::npos;

enum class LogFragmentType : uint8_t { kWhole = 1, kFirst, kMiddle, kLast };

// A piece of a log whose checksum is right.
struct LogFragment {
  size_t begin = 0;
  LogFragmentType type = LogFragmentType::kWhole;
  std::string_view payload;

  size_t end() const { return begin + kLogHeader + payload.size(); }
};

struct ScannedLog {
  std::vector<LogFragment> before;  // the damage: all of them if there is none
  size_t damage = kNowhere;         // where the first fragment that is not sound begins
  std::vector<LogFragment> after;   // whatever is sound after it, at any place
};

// A log that ends in the middle of a fragment counts as damaged there, unless not even a header is left of it.
// What is returned points into `log`.
ScannedLog ScanLog(std::string_view log);

struct LogRecord {
  size_t begin = 0;
  std::string payload;
};

struct JoinedLog {
  std::vector<LogRecord> records;
  size_t unfinished = kNowhere;  // where a record begins that the fragments do not finish
  bool orderly = true;           // no other fragment is part of no record
};
JoinedLog JoinFragments(absl::Span<const LogFragment> fragments);

// The header that was written at `begin`, as far as it can be trusted in a place that is damaged by sectors of zeros:
// one that is inside a single sector is either whole or gone.
struct LogHeader {
  LogFragmentType type;
  size_t end;  // of the fragment
};
bool TrustedHeader(std::string_view log, size_t begin, LogHeader& header);

// Whether a sector from there on is all zeros. The one that `from` lies in does not count, unless it begins there: sound
// bytes before show that it was written.
bool HasSectorOfZeros(std::string_view log, size_t from);

// The paths of the logs in a directory, by number, from `first` on.
absl::StatusOr<std::map<uint64_t, std::string>> ListLogs(rocksdb::Env& env, const std::string& directory,
                                                         uint64_t first);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_STORE_LOG_FORMAT_H_

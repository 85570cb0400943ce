// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_COMPARE_LINE_READER_H_
#define NORTHWIND_SRC_COMPARE_LINE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace northwind::internal {

// Lines of an open file from some place on. Holds the longest line that it may return, no more. One thread at a time.
class LineReader {
 public:
  // The descriptor is not owned. `max_line` ≥ 1.
  LineReader(int fd, uint64_t offset, size_t max_line) : fd_(fd), offset_(offset), max_line_(max_line) {}

  // The next line with its '\n'; without one if the file ends there. Empty: the end. A line that is longer than max_line comes
  // as its first max_line + 1 bytes: nothing sensible follows then. Valid until the next call.
  absl::StatusOr<std::string_view> Next();
  // Where the next line begins.
  uint64_t offset() const { return offset_; }

 private:
  const int fd_;
  uint64_t offset_;  // of buffer_[begin_]
  const size_t max_line_;
  std::string buffer_;
  size_t begin_ = 0;
};

// Up to `size` bytes of a file from `offset` on; fewer only at its end.
absl::StatusOr<std::string> ReadBytes(int fd, uint64_t offset, size_t size);

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_COMPARE_LINE_READER_H_

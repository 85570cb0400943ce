// SPDX-License-Identifier: Apache-2.0
#include "src/compare/line_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "northwind/status.h"

namespace northwind::internal {
namespace {

constexpr size_t kReadBytes = 256 << 10;

}  // namespace

absl::StatusOr<std::string> ReadBytes(int fd, uint64_t offset, size_t size) {
  std::string bytes(size, '\0');
  size_t have = 0;
  while (have < size) {
    const ssize_t got = pread(fd, bytes.data() + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, "cannot read");
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

absl::StatusOr<std::string_view> LineReader::Next() {
  size_t searched = begin_;
  while (true) {
    const size_t end = buffer_.find('\n', searched);
    const size_t have = end == std::string::npos ? buffer_.size() - begin_ : end + 1 - begin_;
    if (end != std::string::npos || have > max_line_) {
      const auto line = std::string_view(buffer_).substr(begin_, std::min(have, max_line_ + 1));
      begin_ += line.size();
      offset_ += line.size();
      return line;
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    NW_ASSIGN_OR_RETURN(const std::string more, ReadBytes(fd_, offset_ + buffer_.size(), kReadBytes));
    if (more.empty()) {
      begin_ = buffer_.size();
      offset_ += buffer_.size();
      return buffer_;
    }
    buffer_ += more;
  }
}

}  // namespace northwind::internal

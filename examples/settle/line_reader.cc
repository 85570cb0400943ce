// SPDX-License-Identifier: Apache-2.0
#include "examples/settle/line_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace northwind::examples {
namespace {

constexpr size_t kBufferBytes = 8 << 20;
// A line of this length, without its end, is refused as too long whatever follows.
constexpr size_t kLongLine = kMaxEventBytes + 1;

absl::Status Failed(absl::string_view doing, const std::string& path, int error) {
  const absl::StatusCode code = error == ENOENT   ? absl::StatusCode::kNotFound
                                : error == EACCES ? absl::StatusCode::kPermissionDenied
                                                  : absl::StatusCode::kUnavailable;
  return {code, absl::StrCat("cannot ", doing, " ", path, ": ", std::strerror(error))};
}

}  // namespace

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path) {
  const bool standard = path == "-";
  const int fd = standard ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failed("open", path, errno);
  struct stat info {};
  std::optional<uint64_t> size;
  if (::fstat(fd, &info) == 0) {
    if (S_ISDIR(info.st_mode)) {
      if (!standard) ::close(fd);
      return Failed("read", path, EISDIR);
    }
    if (S_ISREG(info.st_mode)) size = static_cast<uint64_t>(info.st_size);
  }
  return std::unique_ptr<LineReader>(new LineReader(standard ? "standard input" : path, fd, size));
}

LineReader::LineReader(std::string path, int fd, std::optional<uint64_t> size)
    : path_(std::move(path)), fd_(fd), size_(size), buffer_(kBufferBytes) {}

LineReader::~LineReader() {
  if (fd_ != STDIN_FILENO) ::close(fd_);
}

absl::Status LineReader::Next(std::vector<RawEvent>& lines) {
  lines.clear();
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  while (lines.empty() && !at_end_) {
    const size_t before = end_;
    if (absl::Status status = Fill(); !status.ok()) return status;
    if (end_ == before && !at_end_) return absl::OkStatus();  // a signal
    while (const void* newline = std::memchr(buffer_.data() + begin_, '\n', end_ - begin_)) {
      const size_t length = static_cast<size_t>(static_cast<const char*>(newline) - buffer_.data()) - begin_;
      if (!skipping_) Take({buffer_.data() + begin_, length}, lines);
      skipping_ = false;
      begin_ += length + 1;
    }
    const bool too_long = end_ - begin_ > kLongLine;
    if (skipping_ || too_long || (at_end_ && end_ > begin_)) {
      if (!skipping_) Take({buffer_.data() + begin_, end_ - begin_}, lines);
      skipping_ = !at_end_;
      begin_ = end_;
    }
    if (lines.empty()) {  // only empty lines, or a piece of one that is skipped: make room
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
  }
  return absl::OkStatus();
}

void LineReader::Take(std::string_view line, std::vector<RawEvent>& lines) {
  ++line_;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.empty()) {
    ++empty_lines_;
    return;
  }
  lines.push_back({.bytes = line.substr(0, kLongLine), .position = line_});
}

absl::Status LineReader::Fill() {
  bool any = false;
  while (end_ < buffer_.size()) {
    if (any) {
      pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 0) <= 0) return absl::OkStatus();
    }
    const ssize_t n = ::read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    if (n < 0 && errno == EINTR) return absl::OkStatus();
    if (n < 0) return Failed("read", path_, errno);
    if (n == 0) {
      at_end_ = true;
      return absl::OkStatus();
    }
    any = true;
    end_ += static_cast<size_t>(n);
    bytes_read_ += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

}  // namespace northwind::examples

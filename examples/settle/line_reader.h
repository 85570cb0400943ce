// SPDX-License-Identifier: Apache-2.0
//
// Lines of a file or of standard input, many at a time, in bounded memory.
#ifndef NORTHWIND_EXAMPLES_SETTLE_LINE_READER_H_
#define NORTHWIND_EXAMPLES_SETTLE_LINE_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "northwind/settlement.h"

namespace northwind::examples {

// Reads what is there and never waits to fill its buffer, so that a live source is not delayed. A line ends with LF or
// CR LF; the last may lack it. Empty lines are passed over. Of a line longer than an event may be, one byte more than
// that is given, so that it is refused for its length.
class LineReader {
 public:
  // "-" is standard input. The message of an error names the path.
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next lines, with their numbers (from 1) as positions, until the next call. None at the end, and when a signal
  // arrived while waiting.
  absl::Status Next(std::vector<RawEvent>& lines);

  bool at_end() const { return at_end_; }
  uint64_t bytes_read() const { return bytes_read_; }
  uint64_t empty_lines() const { return empty_lines_; }
  // Of a regular file.
  std::optional<uint64_t> size() const { return size_; }

 private:
  LineReader(std::string path, int fd, std::optional<uint64_t> size);
  // Reads until something new is in the buffer and no more is there to be had at once.
  absl::Status Fill();
  void Take(std::string_view line, std::vector<RawEvent>& lines);

  const std::string path_;
  const int fd_;
  const std::optional<uint64_t> size_;
  std::vector<char> buffer_;
  size_t begin_ = 0;  // of what is not yet given out
  size_t end_ = 0;
  bool skipping_ = false;  // the rest of a line that was too long
  bool at_end_ = false;
  uint64_t bytes_read_ = 0;
  uint64_t line_ = 0;
  uint64_t empty_lines_ = 0;
};

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_SETTLE_LINE_READER_H_

// SPDX-License-Identifier: Apache-2.0
//
// Lines of a log on their way to where they are written, which may be a pipe that nobody reads: whoever logs never waits for that.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_QUEUE_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/time/time.h"

namespace northwind::server {

struct LogQueueOptions {
  // Bytes that wait, besides as many at most that are being written. A line that finds no room is dropped, and counted.
  size_t max_bytes = 4 << 20;
  // Of those, so many are for lines that are not of a request: strangers can make as many of the latter as they like.
  size_t reserved_bytes = 1 << 20;
  absl::Duration end_patience = absl::Seconds(2);  // at the end, for what waits
  // A line that tells how many were dropped since the last that did.
  std::function<std::string(uint64_t count)> dropped_line;
};

// Thread-safe. Written, in the order of Put, by a thread of its own, up to a page at a time. What cannot be written, such as on a disk that is
// full, is dropped as well.
class LogQueue {
 public:
  enum class Kind : uint8_t { kRequest, kOther };

  LogQueue(int descriptor, LogQueueOptions options);
  ~LogQueue();  // End()
  LogQueue(const LogQueue&) = delete;
  LogQueue& operator=(const LogQueue&) = delete;

  // `line` ends with a line feed.
  void Put(std::string_view line, Kind kind);
  // Writes what waits; what the descriptor does not take in time is dropped. It takes a second more than end_patience at most, even if a write blocks for
  // ever: that thread is left to itself, and writes nothing more. Lines that are put afterwards are dropped. Idempotent; not by two threads at once.
  void End();
  // Lines that nobody will read, or not whole. Does not count the lines that tell of them.
  uint64_t dropped() const;

 private:
  class Core;

  const std::shared_ptr<Core> core_;  // of the thread as well, which may be left behind
  std::thread thread_;
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_QUEUE_H_

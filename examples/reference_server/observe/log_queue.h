// SPDX-License-Identifier: Apache-2.0
//
// Lines of a log on their way to where they are written, which may be a pipe that nobody reads: whoever logs never waits for that.
#ifndef NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_QUEUE_H_
#define NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
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

// Thread-safe. Written, in the order of Put, by a thread of its own, up to a page at a time.
class LogQueue {
 public:
  enum class Kind : uint8_t { kRequest, kOther };

  LogQueue(int descriptor, LogQueueOptions options);
  // Writes what waits. What the descriptor does not take in time is lost.
  ~LogQueue();
  LogQueue(const LogQueue&) = delete;
  LogQueue& operator=(const LogQueue&) = delete;

  // `line` ends with a line feed.
  void Put(std::string_view line, Kind kind) ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t dropped() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ending_ || !waiting_.empty(); }
  bool HasEnough() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Nothing: it is time to end.
  std::string Take() ABSL_LOCKS_EXCLUDED(mutex_);
  void Write(std::string_view text) ABSL_LOCKS_EXCLUDED(mutex_);
  // False: not in time.
  bool AwaitRoom() ABSL_LOCKS_EXCLUDED(mutex_);
  bool TooLate() const ABSL_LOCKS_EXCLUDED(mutex_);

  const int descriptor_;
  const LogQueueOptions options_;
  mutable absl::Mutex mutex_;
  std::string waiting_ ABSL_GUARDED_BY(mutex_);
  bool urgent_ ABSL_GUARDED_BY(mutex_) = false;  // one of them is not of a request
  uint64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t told_ ABSL_GUARDED_BY(mutex_) = 0;  // of dropped_
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time give_up_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace northwind::server

#endif  // NORTHWIND_EXAMPLES_REFERENCE_SERVER_OBSERVE_LOG_QUEUE_H_

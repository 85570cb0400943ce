// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/observe/log_queue.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/time/clock.h"

namespace northwind::server {
namespace {

// A pipe that poll says can be written takes so much without blocking (pipe(7)).
constexpr size_t kPiece = PIPE_BUF;
constexpr int kLookMilliseconds = 100;
// Lines of requests wait so long for others: to wake up for each costs more than to write it.
constexpr absl::Duration kLinger = absl::Milliseconds(10);

}  // namespace

LogQueue::LogQueue(int descriptor, LogQueueOptions options)
    : descriptor_(descriptor), options_(std::move(options)), thread_([this] { Run(); }) {}

LogQueue::~LogQueue() {
  {
    const absl::MutexLock lock(&mutex_);
    ending_ = true;
    give_up_ = absl::Now() + options_.end_patience;
  }
  thread_.join();
}

void LogQueue::Put(std::string_view line, Kind kind) {
  const absl::MutexLock lock(&mutex_);
  const size_t most = options_.max_bytes - (kind == Kind::kRequest ? options_.reserved_bytes : 0);
  if (waiting_.size() + line.size() > most) {
    ++dropped_;
    return;
  }
  waiting_.append(line);
  if (kind == Kind::kOther) urgent_ = true;
}

uint64_t LogQueue::dropped() const {
  const absl::MutexLock lock(&mutex_);
  return dropped_;
}

bool LogQueue::HasEnough() const { return ending_ || urgent_ || waiting_.size() >= kPiece; }

std::string LogQueue::Take() {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](LogQueue* queue) ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue->mutex_) { return queue->HasWork(); }, this));
  mutex_.AwaitWithTimeout(
      absl::Condition(
          +[](LogQueue* queue) ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue->mutex_) { return queue->HasEnough(); }, this),
      kLinger);
  urgent_ = false;
  std::string text = std::exchange(waiting_, {});
  if (dropped_ > told_) text += options_.dropped_line(dropped_ - std::exchange(told_, dropped_));
  return text;
}

void LogQueue::Run() {
  for (std::string text = Take(); !text.empty(); text = Take()) Write(text);
}

bool LogQueue::TooLate() const {
  const absl::MutexLock lock(&mutex_);
  return absl::Now() > give_up_;
}

bool LogQueue::AwaitRoom() {
  pollfd ask{.fd = descriptor_, .events = POLLOUT, .revents = 0};
  while (poll(&ask, 1, kLookMilliseconds) <= 0) {
    if (TooLate()) return false;
  }
  return true;
}

void LogQueue::Write(std::string_view text) {
  while (!text.empty()) {
    if (!AwaitRoom()) return;
    const ssize_t written = write(descriptor_, text.data(), std::min(text.size(), kPiece));
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      return;  // where a log cannot be written, there is nobody to tell
    }
  }
}

}  // namespace northwind::server

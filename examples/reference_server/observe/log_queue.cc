// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/observe/log_queue.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"

namespace northwind::server {
namespace {

// A pipe that poll says can be written takes so much without blocking (pipe(7)), unless another process writes to it too.
constexpr size_t kPiece = PIPE_BUF;
constexpr int kLookMilliseconds = 100;
// Lines of requests wait so long for others: to wake up for each costs more than to write it.
constexpr absl::Duration kLinger = absl::Milliseconds(10);
// For the thread that writes to see that it is too late: it looks far more often, unless a write blocks.
constexpr absl::Duration kGrace = absl::Seconds(1);

uint64_t LinesIn(std::string_view text) { return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

class LogQueue::Core {
 public:
  Core(int descriptor, LogQueueOptions options) : descriptor_(descriptor), options_(std::move(options)) {}

  void Put(std::string_view line, Kind kind) ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t dropped() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return dropped_;
  }
  // What the thread does.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // False: the thread is in a write that blocks, and does nothing more if that comes back.
  bool AwaitEnd() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ending_ || !waiting_.empty(); }
  bool HasEnough() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ending_ || urgent_ || waiting_.size() >= kPiece;
  }
  // Nothing: it is time to end.
  std::string Take() ABSL_LOCKS_EXCLUDED(mutex_);
  void Write(std::string_view text) ABSL_LOCKS_EXCLUDED(mutex_);
  // False: not in time.
  bool AwaitRoom() ABSL_LOCKS_EXCLUDED(mutex_);
  bool TooLate() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Written(std::string_view piece) ABSL_LOCKS_EXCLUDED(mutex_);
  // What was taken and is not written.
  void DropTaken() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int descriptor_;
  const LogQueueOptions options_;
  mutable absl::Mutex mutex_;
  std::string waiting_ ABSL_GUARDED_BY(mutex_);
  bool urgent_ ABSL_GUARDED_BY(mutex_) = false;  // one of them is not of a request
  // Lines that were taken and are not written. After them comes one that tells of `telling_` dropped ones, if that is not 0.
  uint64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t telling_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t told_ ABSL_GUARDED_BY(mutex_) = 0;         // of dropped_
  bool torn_ ABSL_GUARDED_BY(mutex_) = false;         // what was written last is a part of a line
  bool mending_ ABSL_GUARDED_BY(mutex_) = false;      // what was taken begins with a line feed, to end that line
  bool last_failed_ ABSL_GUARDED_BY(mutex_) = false;  // what was taken last was dropped, if only in part
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time give_up_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // nothing is written any more
};

void LogQueue::Core::Put(std::string_view line, Kind kind) {
  const absl::MutexLock lock(&mutex_);
  const size_t most = options_.max_bytes - (kind == Kind::kRequest ? options_.reserved_bytes : 0);
  if (ended_ || waiting_.size() + line.size() > most) {
    ++dropped_;
    return;
  }
  waiting_.append(line);
  if (kind == Kind::kOther) urgent_ = true;
}

bool LogQueue::Core::AwaitEnd() {
  const absl::MutexLock lock(&mutex_);
  ending_ = true;
  give_up_ = absl::Now() + options_.end_patience;
  if (mutex_.AwaitWithTimeout(absl::Condition(&ended_), options_.end_patience + kGrace)) return true;
  ended_ = true;
  DropTaken();
  dropped_ += LinesIn(std::exchange(waiting_, {}));
  return false;
}

std::string LogQueue::Core::Take() {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](Core* core) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core->mutex_) { return core->HasWork(); }, this));
  mutex_.AwaitWithTimeout(
      absl::Condition(
          +[](Core* core) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core->mutex_) { return core->HasEnough(); }, this),
      kLinger);
  // At the end, of what was dropped last nothing is told where even that was not taken.
  if (ended_ || (waiting_.empty() && (last_failed_ || dropped_ == told_))) {
    ended_ = true;
    return {};
  }
  urgent_ = false;
  last_failed_ = false;
  mending_ = torn_;
  std::string text = torn_ ? "\n" : "";
  taken_ = LinesIn(waiting_);
  text += std::exchange(waiting_, {});
  telling_ = dropped_ - told_;
  if (telling_ > 0) text += options_.dropped_line(telling_);
  return text;
}

void LogQueue::Core::Run() {
  for (std::string text = Take(); !text.empty(); text = Take()) Write(text);
}

bool LogQueue::Core::TooLate() const {
  const absl::MutexLock lock(&mutex_);
  return ended_ || absl::Now() > give_up_;
}

bool LogQueue::Core::AwaitRoom() {
  pollfd ask{.fd = descriptor_, .events = POLLOUT, .revents = 0};
  do {
    if (TooLate()) return false;
  } while (poll(&ask, 1, kLookMilliseconds) <= 0);
  return true;
}

void LogQueue::Core::Written(std::string_view piece) {
  const absl::MutexLock lock(&mutex_);
  if (ended_ || piece.empty()) return;
  const uint64_t lines = LinesIn(piece) - (std::exchange(mending_, false) ? 1 : 0);
  torn_ = piece.back() != '\n';
  if (lines > taken_) told_ += std::exchange(telling_, 0);
  taken_ -= std::min(lines, taken_);
}

void LogQueue::Core::DropTaken() {
  last_failed_ = taken_ > 0 || telling_ > 0;
  dropped_ += std::exchange(taken_, 0);
  telling_ = 0;
}

void LogQueue::Core::Write(std::string_view text) {
  while (!text.empty() && AwaitRoom()) {
    const ssize_t written = write(descriptor_, text.data(), std::min(text.size(), kPiece));
    if (written >= 0) {
      Written(text.substr(0, static_cast<size_t>(written)));
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      break;
    }
  }
  const absl::MutexLock lock(&mutex_);
  if (!ended_) DropTaken();
}

LogQueue::LogQueue(int descriptor, LogQueueOptions options)
    : core_(std::make_shared<Core>(descriptor, std::move(options))), thread_([core = core_] { core->Run(); }) {}

LogQueue::~LogQueue() { End(); }

void LogQueue::Put(std::string_view line, Kind kind) { core_->Put(line, kind); }

void LogQueue::End() {
  if (!thread_.joinable()) return;
  if (core_->AwaitEnd()) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

uint64_t LogQueue::dropped() const { return core_->dropped(); }

}  // namespace northwind::server

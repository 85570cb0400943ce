// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/event_batcher.h"

#include <cstdint>
#include <deque>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace northwind::server {
namespace {

// To make the answers of more events than this takes longer than to wake up the thread that tells them.
constexpr size_t kToldAtOnce = 500;

struct Waiting {
  std::vector<std::string> events;
  size_t bytes = 0;
  EventBatcher::Done done;
};

// A batch, and what became of it.
struct Applied {
  std::vector<Waiting> batch;
  absl::StatusOr<IntakeResult> result;
};

void Tell(Applied applied) {
  size_t begin = 0;
  for (const Waiting& request : applied.batch) {
    if (!applied.result.ok()) {
      request.done(applied.result.status());
      continue;
    }
    const auto first = std::make_move_iterator(applied.result->outcomes.begin() + static_cast<ptrdiff_t>(begin));
    begin += request.events.size();
    request.done(std::vector<EventOutcome>(first, first + static_cast<ptrdiff_t>(request.events.size())));
  }
}

}  // namespace

class EventBatcher::Core {
 public:
  Core(Intake& intake, const EventBatcherOptions& options)
      : intake_(intake), options_(options), teller_([this] { RunTeller(); }), thread_([this] { Run(); }) {}
  ~Core() { Stop(); }

  absl::Status Apply(std::vector<std::string> events, Done done) ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_, stop_mutex_);
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return events_;
  }

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // What waits, in the order in which it came, up to max_events; one request at least. Nothing: it is time to end.
  std::vector<Waiting> TakeBatch() ABSL_LOCKS_EXCLUDED(mutex_);
  void ApplyBatch(std::vector<Waiting> batch) ABSL_LOCKS_EXCLUDED(tell_mutex_);
  void RunTeller() ABSL_LOCKS_EXCLUDED(tell_mutex_);
  // The next batch to tell of. Nothing: it is time to end.
  std::optional<Applied> TakeApplied() ABSL_LOCKS_EXCLUDED(tell_mutex_);
  bool MayPut() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(tell_mutex_) { return !to_tell_.has_value(); }
  bool MayTake() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(tell_mutex_) { return to_tell_.has_value() || all_applied_; }
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !queue_.empty() || stopping_; }

  Intake& intake_;
  const EventBatcherOptions options_;
  mutable absl::Mutex mutex_;
  std::deque<Waiting> queue_ ABSL_GUARDED_BY(mutex_);
  size_t events_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex stop_mutex_;  // one Stop joins, the others wait for it
  absl::Mutex tell_mutex_;
  std::optional<Applied> to_tell_ ABSL_GUARDED_BY(tell_mutex_);  // one: what applies waits for what tells
  bool all_applied_ ABSL_GUARDED_BY(tell_mutex_) = false;
  std::thread teller_;  // these last: they use all of the above
  std::thread thread_;
};

absl::Status EventBatcher::Core::Apply(std::vector<std::string> events, Done done) {
  size_t bytes = 0;
  for (const std::string& event : events) bytes += event.size();
  absl::MutexLock lock(&mutex_);
  if (stopping_) return absl::UnavailableError("the server is stopping: send the events again");
  if (events.size() > options_.max_waiting - events_ || bytes > options_.max_waiting_bytes - bytes_) {
    return absl::ResourceExhaustedError(absl::StrCat(events_, " events wait already: send these again later"));
  }
  const size_t count = events.size();
  queue_.push_back({.events = std::move(events), .bytes = bytes, .done = std::move(done)});
  // Not before: if there is no memory for it, nobody would give back its room.
  events_ += count;
  bytes_ += bytes;
  return absl::OkStatus();
}

std::vector<Waiting> EventBatcher::Core::TakeBatch() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](Core* core) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core->mutex_) { return core->HasWork(); }, this));
  std::vector<Waiting> batch;
  size_t events = 0;
  while (!queue_.empty() && (batch.empty() || events + queue_.front().events.size() <= options_.max_events)) {
    events += queue_.front().events.size();
    bytes_ -= queue_.front().bytes;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  events_ -= events;
  return batch;
}

void EventBatcher::Core::ApplyBatch(std::vector<Waiting> batch) {
  std::vector<RawEvent> events;
  for (const Waiting& request : batch) {
    uint64_t position = 0;
    for (const std::string& event : request.events) events.push_back({.bytes = event, .position = ++position});
  }
  absl::StatusOr<IntakeResult> result = intake_.Apply(events);
  Applied applied{.batch = std::move(batch), .result = std::move(result)};
  if (events.size() <= kToldAtOnce) return Tell(std::move(applied));
  absl::MutexLock lock(&tell_mutex_);
  tell_mutex_.Await(absl::Condition(
      +[](Core* core) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core->tell_mutex_) { return core->MayPut(); }, this));
  to_tell_.emplace(std::move(applied));
}

std::optional<Applied> EventBatcher::Core::TakeApplied() {
  absl::MutexLock lock(&tell_mutex_);
  tell_mutex_.Await(absl::Condition(
      +[](Core* core) ABSL_EXCLUSIVE_LOCKS_REQUIRED(core->tell_mutex_) { return core->MayTake(); }, this));
  return std::exchange(to_tell_, std::nullopt);
}

void EventBatcher::Core::RunTeller() {
  for (std::optional<Applied> applied = TakeApplied(); applied.has_value(); applied = TakeApplied()) {
    Tell(*std::move(applied));
  }
}

void EventBatcher::Core::Run() {
  for (std::vector<Waiting> batch = TakeBatch(); !batch.empty(); batch = TakeBatch()) ApplyBatch(std::move(batch));
  absl::MutexLock lock(&tell_mutex_);
  all_applied_ = true;
}

void EventBatcher::Core::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  absl::MutexLock lock(&stop_mutex_);
  if (thread_.joinable()) thread_.join();
  if (teller_.joinable()) teller_.join();
}

EventBatcher::EventBatcher(Intake& intake, const EventBatcherOptions& options)
    : core_(std::make_unique<Core>(intake, options)) {}
EventBatcher::~EventBatcher() = default;

absl::Status EventBatcher::Apply(std::vector<std::string> events, Done done) {
  return core_->Apply(std::move(events), std::move(done));
}
void EventBatcher::Stop() { core_->Stop(); }
size_t EventBatcher::waiting() const { return core_->waiting(); }

}  // namespace northwind::server

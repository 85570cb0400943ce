// SPDX-License-Identifier: Apache-2.0
#include "examples/reference_server/api/event_batcher.h"

#include <deque>
#include <iterator>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace northwind::server {

class EventBatcher::Core {
 public:
  Core(Intake& intake, const EventBatcherOptions& options)
      : intake_(intake), options_(options), thread_([this] { Run(); }) {}
  ~Core() { Stop(); }

  absl::Status Apply(std::vector<std::string> events, Done done) {
    size_t bytes = 0;
    for (const std::string& event : events) bytes += event.size();
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::UnavailableError("the server is stopping");
    if (waiting_ + events.size() > options_.max_waiting || waiting_bytes_ + bytes > options_.max_waiting_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat(waiting_, " events wait already"));
    }
    waiting_ += events.size();
    waiting_bytes_ += bytes;
    queue_.push_back({std::move(events), bytes, std::move(done)});
    return absl::OkStatus();
  }

  void Stop() {
    absl::MutexLock stopping(&stop_mutex_);
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  size_t waiting() const {
    absl::MutexLock lock(&mutex_);
    return waiting_;
  }

 private:
  struct Call {
    std::vector<std::string> events;
    size_t bytes = 0;
    Done done;
  };

  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); }

  // Whole calls, in the order in which they came; at least one.
  std::vector<Call> Take() {
    std::vector<Call> calls;
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &Core::HasWork));
    size_t events = 0;
    while (!queue_.empty() && (calls.empty() || events + queue_.front().events.size() <= options_.max_events)) {
      events += queue_.front().events.size();
      waiting_ -= queue_.front().events.size();
      waiting_bytes_ -= queue_.front().bytes;
      calls.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    return calls;
  }

  void Run() {
    for (std::vector<Call> calls = Take(); !calls.empty(); calls = Take()) Apply(calls);
  }

  void Apply(std::vector<Call>& calls) {
    std::vector<RawEvent> raw;
    for (const Call& call : calls) {
      for (const std::string& event : call.events) raw.push_back({.bytes = event});
    }
    absl::StatusOr<IntakeResult> result = intake_.Apply(raw);
    auto outcome = result.ok() ? result->outcomes.begin() : std::vector<EventOutcome>::iterator();
    for (Call& call : calls) {
      if (!result.ok()) {
        call.done(result.status());
        continue;
      }
      const auto end = outcome + static_cast<std::ptrdiff_t>(call.events.size());
      call.done(std::vector<EventOutcome>(std::make_move_iterator(outcome), std::make_move_iterator(end)));
      outcome = end;
    }
  }

  Intake& intake_;
  const EventBatcherOptions options_;
  mutable absl::Mutex mutex_;
  std::deque<Call> queue_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex stop_mutex_;
  std::thread thread_;  // the last member: it uses the others
};

EventBatcher::EventBatcher(Intake& intake, const EventBatcherOptions& options)
    : core_(std::make_unique<Core>(intake, options)) {}
EventBatcher::~EventBatcher() = default;
absl::Status EventBatcher::Apply(std::vector<std::string> events, Done done) {
  return core_->Apply(std::move(events), std::move(done));
}
void EventBatcher::Stop() { core_->Stop(); }
size_t EventBatcher::waiting() const { return core_->waiting(); }

}  // namespace northwind::server

// SPDX-License-Identifier: Apache-2.0
//
// The thread that keeps time: which requests are made when; and what becomes of their answers.
#include <algorithm>
#include <set>
#include <string>

#include "northwind/status.h"
#include "src/http/block_signals.h"
#include "src/sqs/source_core.h"

namespace northwind::internal::sqs {
namespace {

// A receive that came back empty sooner than this did not wait for messages: the next one is not begun at once.
constexpr absl::Duration kShortPoll = absl::Seconds(1);
constexpr absl::Duration kPauseAfterShortPoll = absl::Milliseconds(200);

std::vector<std::string> HandlesOf(const std::vector<HeldMessages::Request>& requests) {
  std::vector<std::string> handles;
  handles.reserve(requests.size());
  for (const HeldMessages::Request& request : requests) handles.push_back(request.receipt_handle);
  return handles;
}

std::vector<VisibilityChange> ChangesOf(const std::vector<HeldMessages::Request>& requests, absl::Duration visibility) {
  std::vector<VisibilityChange> changes;
  changes.reserve(requests.size());
  for (const HeldMessages::Request& request : requests) changes.push_back({request.receipt_handle, visibility});
  return changes;
}

}  // namespace

void SourceCore::KeepTime() {
  http::BlockSignals();
  mutex_.Lock();
  while (true) {
    if (Now() >= CutOffAt()) CutOff();
    ToDo to_do = Decide(Now());
    if (!to_do.empty()) {
      mutex_.Unlock();
      Ask(std::move(to_do));
      mutex_.Lock();
      continue;
    }
    if (AllDone()) break;
    AwaitChange(NextMoment());
  }
  held_.Clear();
  phase_ = Phase::kEnded;
  changed_.SignalAll();
  mutex_.Unlock();
}

// ---- Deciding -------------------------------------------------------------------------------------------------

SourceCore::ToDo SourceCore::Decide(absl::Time now) {
  ToDo to_do{.cuts = cuts_, .visibility = visibility_};
  if (cut_off_) return to_do;
  if (phase_ == Phase::kRunning && !queue_trouble_.ok() && !asking_ && now >= ask_queue_at_) {
    asking_ = to_do.attributes = true;
  }
  while (heartbeats_ < kMaxHeartbeatsUnderWay) {
    Requests requests = held_.BeginHeartbeats(now, kMaxBatchEntries);
    if (requests.empty()) break;
    ++heartbeats_;
    to_do.heartbeats.push_back(std::move(requests));
  }
  // Changes wait for a queue that does not answer; when all ends, they are tried until the first that fails.
  if (queue_trouble_.ok() || phase_ == Phase::kEnding) DecideChanges(to_do);
  while (MayReceive(now) && held_.Reserve(receive_size(), receive_size() * kMaxMessageBytes)) {
    to_do.receive_size = receive_size();
    to_do.receives.push_back(++receives_begun_);
    receives_.emplace(receives_begun_, held_.empty());
  }
  return to_do;
}

void SourceCore::DecideChanges(ToDo& to_do) {
  // A receive under way would bring what is given back once more, to be given back again: one receive for every poller.
  const bool may_return = !no_more_returns_ && (!refusing() || receives_.empty());
  while (changes_ < kMaxChangesUnderWay) {
    Requests requests = may_return ? held_.BeginReturns(kMaxBatchEntries) : Requests();
    std::vector<Requests>& batches = requests.empty() ? to_do.deletes : to_do.returns;
    if (requests.empty() && !no_more_deletes_) requests = held_.BeginDeletes(kMaxBatchEntries);
    if (requests.empty()) return;
    ++changes_;
    batches.push_back(std::move(requests));
  }
}

bool SourceCore::MayReceive(absl::Time now) const {
  if (phase_ != Phase::kRunning || !attributes_.has_value()) return false;
  if (!queue_trouble_.ok() || !ledger_trouble_.ok()) return false;
  if (static_cast<int>(receives_.size()) >= options_.pollers || now < receive_at_) return false;
  return !careful_ || (receives_.empty() && held_.buffered() == 0 && !applying_);
}

absl::Time SourceCore::NextMoment() const {
  absl::Time next = held_.next_heartbeat();
  if (heartbeats_ >= kMaxHeartbeatsUnderWay || cut_off_) next = absl::InfiniteFuture();
  if (phase_ != Phase::kRunning) return std::min(next, CutOffAt());
  if (!queue_trouble_.ok() && !asking_) next = std::min(next, ask_queue_at_);
  if (receive_at_ > Now()) next = std::min(next, receive_at_);
  return next;
}

bool SourceCore::AllDone() const {
  if (phase_ != Phase::kEnding || !applier_done_) return false;
  if (!receives_.empty() || changes_ > 0 || heartbeats_ > 0 || asking_) return false;
  if (cut_off_) return true;
  return (no_more_deletes_ || !held_.has_deletes()) && (no_more_returns_ || !held_.has_returns());
}

// ---- Asking ---------------------------------------------------------------------------------------------------

void SourceCore::Ask(ToDo&& to_do) {
  const uint64_t cuts = to_do.cuts;
  if (to_do.attributes) {
    client_->GetAttributes(
        [this, cuts](const absl::StatusOr<QueueAttributes>& attributes) { OnAttributes(cuts, attributes); });
  }
  for (Requests& requests : to_do.heartbeats) {
    const std::vector<VisibilityChange> changes = ChangesOf(requests, to_do.visibility);
    client_->ChangeVisibility(changes, [this, cuts, requests = std::move(requests)](const Results& results) {
      OnHeartbeats(cuts, requests, results);
    });
  }
  for (Requests& requests : to_do.returns) {
    const std::vector<VisibilityChange> changes = ChangesOf(requests, absl::ZeroDuration());
    client_->ChangeVisibility(changes, [this, cuts, requests = std::move(requests)](const Results& results) {
      OnReturns(cuts, requests, results);
    });
  }
  for (Requests& requests : to_do.deletes) {
    const std::vector<std::string> handles = HandlesOf(requests);
    client_->Delete(handles, [this, cuts, requests = std::move(requests)](const Results& results) {
      OnDeletes(cuts, requests, results);
    });
  }
  for (const uint64_t which : to_do.receives) {
    client_->Receive(to_do.receive_size, options_.wait, to_do.visibility,
                     [this, cuts, which, begun = Now()](absl::StatusOr<std::vector<Message>> messages) {
                       OnReceived(cuts, which, begun, std::move(messages));
                     });
  }
}

// ---- Answers --------------------------------------------------------------------------------------------------

void SourceCore::OnReceived(uint64_t cuts, uint64_t which, absl::Time begun,
                            absl::StatusOr<std::vector<Message>> messages) {
  std::vector<HeldMessages::Arrival> arrivals;
  std::set<std::string> stopped;  // groups
  uint64_t redelivered = 0;
  if (messages.ok()) {
    for (Message& message : *messages) {
      if (message.receive_count > 1) ++redelivered;
      if (!HasMd5(message.body, message.body_md5)) {
        if (!message.group.empty()) stopped.insert(message.group);
        continue;
      }
      arrivals.push_back({.id = std::move(message.id),
                          .receipt_handle = std::move(message.receipt_handle),
                          .group = std::move(message.group),
                          .event = EventOfBody(std::move(message.body), options_.body, options_.sns_envelope)});
    }
  }
  const absl::MutexLock lock(&mutex_);
  if (cuts != cuts_) return;
  const bool quiet = receives_.extract(which).mapped();
  held_.Release(receive_size(), receive_size() * kMaxMessageBytes);
  changed_.SignalAll();
  if (messages.ok() && messages->empty()) return OnNothing(which, begun, quiet);
  // Something came, or may have come and been lost.
  came_empty_ = 0;
  for (auto& [other, other_quiet] : receives_) other_quiet = false;
  if (!messages.ok()) return QueueFails(messages.status());
  queue_backoff_.Reset();
  stats_.received += messages->size();
  stats_.redelivered += redelivered;
  stats_.corrupt += messages->size() - arrivals.size();
  for (HeldMessages::Arrival& arrival : arrivals) held_.Add(std::move(arrival), Now());
  for (const std::string& group : stopped) held_.ReturnGroup(group);
  if (refusing()) GiveBackBuffered();
}

void SourceCore::OnNothing(uint64_t which, absl::Time begun, bool quiet) {
  queue_backoff_.Reset();
  // A FIFO queue shows nothing of a group while some of it is in flight. That is why it does not do that nothing is held now.
  if (quiet && held_.empty()) came_empty_ = std::max(came_empty_, which);
  if (receives_.empty() || receives_.begin()->first > came_empty_) seen_empty_ = std::max(seen_empty_, came_empty_);
  if (Now() - begun < kShortPoll) receive_at_ = Now() + kPauseAfterShortPoll;
}

void SourceCore::OnAttributes(uint64_t cuts, const absl::StatusOr<QueueAttributes>& attributes) {
  const absl::MutexLock lock(&mutex_);
  if (cuts != cuts_) return;
  asking_ = false;
  changed_.SignalAll();
  queue_trouble_ = absl::OkStatus();
  if (!attributes.ok()) return QueueFails(attributes.status());
  if (const absl::Status status = TakeAttributes(*attributes); !status.ok()) Halt(status);
}

std::vector<absl::Status> SourceCore::Entries(const Requests& requests, const Results& results, bool& given_up) {
  if (results.ok()) {
    for (const absl::Status& status : *results) {
      // InvalidArgument is of this message or handle, not of the queue.
      if (!status.ok() && !absl::IsInvalidArgument(status)) QueueFails(status);
    }
    return *results;
  }
  QueueFails(results.status());
  if (phase_ == Phase::kEnding) {
    given_up = true;
    // Nor will the queue answer others sooner: there may be thousands, and each would take its time.
    if (Passes(results.status())) no_more_deletes_ = no_more_returns_ = true;
  }
  return std::vector<absl::Status>(requests.size(), results.status());
}

HeldMessages::Ended SourceCore::HowEnded(const absl::Status& status) const {
  // When all ends there is no other time: it is visible again after its timeout.
  const bool over = status.ok() || absl::IsInvalidArgument(status) || phase_ != Phase::kRunning;
  return over ? HeldMessages::Ended::kDone : HeldMessages::Ended::kNotDone;
}

void SourceCore::OnDeletes(uint64_t cuts, const Requests& requests, const Results& results) {
  const absl::MutexLock lock(&mutex_);
  if (cuts != cuts_) return;
  --changes_;
  changed_.SignalAll();
  const std::vector<absl::Status> entries = Entries(requests, results, no_more_deletes_);
  for (size_t i = 0; i < requests.size(); ++i) {
    const HeldMessages::Ended ended = HowEnded(entries[i]);
    if (entries[i].ok()) {
      ++stats_.deleted;
    } else if (ended == HeldMessages::Ended::kDone) {
      ++stats_.delete_failures;
    }
    held_.DeleteEnded(requests[i], ended);
  }
}

void SourceCore::OnReturns(uint64_t cuts, const Requests& requests, const Results& results) {
  const absl::MutexLock lock(&mutex_);
  if (cuts != cuts_) return;
  --changes_;
  changed_.SignalAll();
  const std::vector<absl::Status> entries = Entries(requests, results, no_more_returns_);
  for (size_t i = 0; i < requests.size(); ++i) {
    if (entries[i].ok()) ++stats_.returned;
    held_.ReturnEnded(requests[i], HowEnded(entries[i]));
  }
}

void SourceCore::OnHeartbeats(uint64_t cuts, const Requests& requests, const Results& results) {
  const absl::MutexLock lock(&mutex_);
  if (cuts != cuts_) return;
  --heartbeats_;
  changed_.SignalAll();
  bool given_up = false;
  const std::vector<absl::Status> entries = Entries(requests, results, given_up);
  for (size_t i = 0; i < requests.size(); ++i) {
    if (!entries[i].ok()) ++stats_.heartbeat_failures;
    // One that was refused is not asked for sooner: its message comes again, and takes the place of this.
    held_.HeartbeatEnded(requests[i], Now());
  }
}

}  // namespace northwind::internal::sqs

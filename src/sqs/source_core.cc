// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/source_core.h"

#include <algorithm>

#include "northwind/interrupt.h"
#include "northwind/status.h"
#include "src/base/error.h"

namespace northwind::internal::sqs {
namespace {

constexpr absl::Duration kFirstQueueBackoff = absl::Milliseconds(100);
constexpr absl::Duration kLongestQueueBackoff = absl::Seconds(20);
constexpr absl::Duration kFirstLedgerBackoff = absl::Seconds(1);
constexpr absl::Duration kLongestLedgerBackoff = absl::Seconds(30);

}  // namespace

SourceCore::SourceCore(Intake& intake, const SqsOptions& options, std::unique_ptr<QueueClient> client)
    : intake_(intake),
      options_(options),
      client_(std::move(client)),
      held_({.messages = options.max_messages, .bytes = options.max_bytes}),
      queue_backoff_(kFirstQueueBackoff, kLongestQueueBackoff),
      ledger_backoff_(kFirstLedgerBackoff, kLongestLedgerBackoff) {}

SourceCore::~SourceCore() {
  constexpr absl::Duration kPatience = absl::Seconds(5);
  (void)Stop(kPatience);
  client_.reset();  // answers, with Cancelled, what was cut off
}

absl::Status SourceCore::Start() {
  const absl::MutexLock one_at_a_time(&lifecycle_mutex_);
  {
    const absl::MutexLock lock(&mutex_);
    if (phase_ == Phase::kRunning || (phase_ == Phase::kEnding && !halted())) {
      return absl::FailedPreconditionError("sqs: has been started");
    }
  }
  JoinThreads();  // after a halt: once they are done
  const absl::StatusOr<QueueAttributes> attributes = AskAttributes();
  if (absl::IsCancelled(attributes.status())) return attributes.status();

  const absl::MutexLock lock(&mutex_);
  Reset();
  phase_ = Phase::kRunning;
  if (!attributes.ok()) {
    QueueFails(attributes.status());
  } else if (const absl::Status status = TakeAttributes(*attributes); !status.ok()) {
    Halt(status);
  }
  if (halted()) {
    phase_ = Phase::kEnded;
    return halted_by_;
  }
  keeper_ = std::thread([this] { KeepTime(); });
  applier_ = std::thread([this] { ApplyAll(); });
  return absl::OkStatus();
}

absl::Status SourceCore::Stop(absl::Duration within) {
  {
    // Whoever asks for attributes, as Start does with the other mutex held, waits no longer.
    const absl::MutexLock lock(&mutex_);
    ++stops_;
    ++stops_under_way_;
    changed_.SignalAll();
  }
  const absl::MutexLock one_at_a_time(&lifecycle_mutex_);
  {
    const absl::MutexLock lock(&mutex_);
    if (phase_ == Phase::kRunning) BeginEnding();
    end_at_once_by_ = Now() + within;
    changed_.SignalAll();
    while (phase_ == Phase::kEnding) changed_.Wait(&mutex_);
  }
  JoinThreads();
  const absl::MutexLock lock(&mutex_);
  --stops_under_way_;
  phase_ = Phase::kStopped;
  halted_by_ = absl::OkStatus();
  changed_.SignalAll();
  return absl::OkStatus();
}

void SourceCore::JoinThreads() {
  {
    const absl::MutexLock lock(&mutex_);
    changed_.SignalAll();
  }
  if (keeper_.joinable()) keeper_.join();
  if (applier_.joinable()) applier_.join();
}

void SourceCore::Reset() {
  halted_by_ = absl::OkStatus();
  attributes_.reset();
  queue_trouble_ = absl::OkStatus();
  queue_backoff_.Reset();
  ledger_trouble_ = absl::OkStatus();
  ledger_backoff_.Reset();
  careful_ = applying_ = applier_done_ = false;
  cut_off_ = no_more_deletes_ = no_more_returns_ = false;
  end_by_ = end_at_once_by_ = absl::InfiniteFuture();
  receive_at_ = Now();
  came_empty_ = 0;
}

// ---- States ---------------------------------------------------------------------------------------------------

absl::StatusOr<QueueAttributes> SourceCore::AskAttributes() {
  const auto answer = std::make_shared<std::optional<absl::StatusOr<QueueAttributes>>>();
  uint64_t stops = 0;
  {
    const absl::MutexLock lock(&mutex_);
    stops = stops_;
  }
  client_->GetAttributes([this, answer](absl::StatusOr<QueueAttributes> attributes) {
    const absl::MutexLock lock(&mutex_);
    *answer = std::move(attributes);
    changed_.SignalAll();
  });
  const absl::MutexLock lock(&mutex_);
  while (!answer->has_value() && stops_ == stops && stops_under_way_ == 0) {
    if (Interrupted()) return absl::CancelledError("sqs: interrupted");
    AwaitChange(Interruptible() ? Now() + absl::FromChrono(kAskEvery) : absl::InfiniteFuture());
  }
  if (!answer->has_value()) return absl::CancelledError("sqs: is being stopped");
  return *std::move(*answer);  // the callback, on its own thread, frees what is left
}

absl::Status SourceCore::TakeAttributes(const QueueAttributes& attributes) {
  if (options_.poison == SqsPoison::kRedrivePolicy && !attributes.max_receive_count.has_value()) {
    return absl::FailedPreconditionError(
        "sqs: the queue has no redrive policy, which poison is to be left to (SqsPoison::kRedrivePolicy)");
  }
  visibility_ = options_.visibility > absl::ZeroDuration() ? options_.visibility : attributes.visibility;
  if (visibility_ < absl::Seconds(1)) {
    return absl::FailedPreconditionError(
        "sqs: the queue's visibility timeout is 0: its messages would be received again at once; set "
        "SqsOptions::visibility");
  }
  attributes_ = attributes;
  held_.SetVisibility(visibility_);
  return absl::OkStatus();
}

bool SourceCore::Passes(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) || absl::IsDeadlineExceeded(status);
}

void SourceCore::QueueFails(const absl::Status& status) {
  if (absl::IsCancelled(status)) return;  // by this side
  if (!Passes(status)) return Halt(status);
  // Many requests fail of one cause: only the first makes the wait longer.
  if (queue_trouble_.ok()) ask_queue_at_ = Now() + queue_backoff_.NextJittered();
  queue_trouble_ = status;
}

void SourceCore::Halt(const absl::Status& status) {
  if (halted()) return;
  halted_by_ = status;
  if (phase_ == Phase::kRunning) BeginEnding();
  GiveBackBuffered();
  changed_.SignalAll();
}

void SourceCore::BeginEnding() {
  phase_ = Phase::kEnding;
  end_by_ = Now() + options_.wait + kAnswerTimeout;
}

absl::Time SourceCore::CutOffAt() const {
  if (phase_ != Phase::kEnding || cut_off_) return absl::InfiniteFuture();
  return applying_ ? end_at_once_by_ : std::min(end_by_, end_at_once_by_);
}

void SourceCore::CutOff() {
  cut_off_ = true;
  ++cuts_;
  receives_.clear();
  changes_ = heartbeats_ = 0;
  asking_ = false;
  changed_.SignalAll();
}

void SourceCore::GiveBackBuffered() {
  // While the disk is full, a few messages stay: to see by them when it is not.
  const bool probing = phase_ == Phase::kRunning && !halted() && !applying_;
  held_.ReturnBuffered(probing ? kMaxBatchEntries : 0);
}

void SourceCore::AwaitChange(absl::Time until) {
  changed_.WaitWithTimeout(&mutex_, std::max(until - Now(), absl::ZeroDuration()));
}

// ---- Looking --------------------------------------------------------------------------------------------------

bool SourceCore::WaitUntilDrained(absl::Duration timeout) {
  const absl::Time deadline = Now() + timeout;
  const absl::MutexLock lock(&mutex_);
  const uint64_t before = receives_begun_;
  while (phase_ == Phase::kRunning && seen_empty_ <= before && Now() < deadline) {
    if (Interrupted()) return false;
    AwaitChange(Interruptible() ? std::min(deadline, Now() + absl::FromChrono(kAskEvery)) : deadline);
  }
  return phase_ == Phase::kRunning && seen_empty_ > before;
}

SqsStats SourceCore::Stats() const {
  SqsStats stats;
  {
    const absl::MutexLock lock(&mutex_);
    stats = stats_;
    stats.held = held_.size();
    stats.held_bytes = held_.bytes();
    stats.state = SqsState::kRunning;
    if (phase_ == Phase::kStopped) {
      stats.state = SqsState::kStopped;
    } else if (halted()) {
      stats.state = SqsState::kHalted;
      stats.status = halted_by_;
    } else if (!ledger_trouble_.ok() || !queue_trouble_.ok()) {
      stats.state = SqsState::kWaiting;
      stats.status = ledger_trouble_.ok() ? queue_trouble_ : ledger_trouble_;
    }
  }
  const QueueClientStats requests = client_->Stats();
  stats.retries = requests.retries;
  stats.throttled = requests.throttled;
  return stats;
}

}  // namespace northwind::internal::sqs

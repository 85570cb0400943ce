// SPDX-License-Identifier: Apache-2.0
//
// The thread that applies: takes what is buffered, and says what is to become of it.
#include <algorithm>

#include "northwind/status.h"
#include "src/http/block_signals.h"
#include "src/sqs/source_core.h"

namespace northwind::internal::sqs {

void SourceCore::ApplyAll() {
  http::BlockSignals();
  mutex_.Lock();
  while (true) {
    AwaitWork();
    if (NothingMoreToApply()) break;
    const Taken taken =
        held_.Take(options_.batch, one_of_each_group() ? HeldMessages::Groups::kOneEach : HeldMessages::Groups::kWhole);
    applying_ = true;
    mutex_.Unlock();
    std::vector<RawEvent> events;
    events.reserve(taken.size());
    for (const HeldMessages::Taken& message : taken) {
      events.push_back({.bytes = message.event->bytes,
                        .position = message.position,
                        .format = message.event->format,
                        .refused = message.event->refused});
    }
    const absl::StatusOr<IntakeResult> result = intake_.Apply(events);
    mutex_.Lock();
    applying_ = false;
    // That took as long as it did: there is time to delete what it brought.
    if (phase_ == Phase::kEnding) end_by_ = std::max(end_by_, Now() + kAnswerTimeout);
    if (result.ok()) {
      OnApplied(taken, *result);
    } else {
      OnNotApplied(taken, result.status());
    }
    changed_.SignalAll();
  }
  if (refusing()) GiveBackBuffered();
  applier_done_ = true;
  changed_.SignalAll();
  mutex_.Unlock();
}

void SourceCore::AwaitWork() {
  while (!MayApply(Now()) && !NothingMoreToApply()) {
    if (!ledger_trouble_.ok() && Now() >= ask_ledger_at_) {
      // There is nothing left to try it with: that is to be received.
      ledger_trouble_ = absl::OkStatus();
      careful_ = true;
      changed_.SignalAll();
    }
    AwaitChange(ledger_trouble_.ok() ? absl::InfiniteFuture() : ask_ledger_at_);
  }
}

bool SourceCore::MayApply(absl::Time now) const {
  if (held_.buffered() == 0 || halted()) return false;
  return ledger_trouble_.ok() || now >= ask_ledger_at_;
}

bool SourceCore::NothingMoreToApply() const {
  if (phase_ != Phase::kEnding) return false;
  return cut_off_ || refusing() || (held_.buffered() == 0 && receives_.empty());
}

void SourceCore::OnApplied(const Taken& taken, const IntakeResult& result) {
  bool wrote = false;
  for (size_t i = 0; i < taken.size(); ++i) {
    const EventOutcome& outcome = result.outcomes[i];
    wrote |= Count(outcome);
    if (outcome.status == EventStatus::kQuarantined) {
      SettlePoison(taken[i]);
    } else {
      held_.Delete(taken[i].number);
    }
  }
  if (!ledger_trouble_.ok()) careful_ = true;
  ledger_trouble_ = absl::OkStatus();
  if (wrote) {
    careful_ = false;
    ledger_backoff_.Reset();
  }
}

// Whether the ledger or the store must have written for it.
bool SourceCore::Count(const EventOutcome& outcome) {
  switch (outcome.status) {
    case EventStatus::kApplied:
      ++stats_.applied;
      return true;
    case EventStatus::kDuplicate:
    case EventStatus::kAlreadySettled:
      ++stats_.duplicates;
      return false;
    case EventStatus::kRejected:
      ++stats_.rejected;
      return true;
    case EventStatus::kParked:
      ++stats_.parked;
      return false;  // may be a copy of one that is parked already
    case EventStatus::kQuarantined:
      ++stats_.poison;
      return false;  // likewise
  }
  return false;
}

void SourceCore::SettlePoison(const HeldMessages::Taken& message) {
  // Of one that is larger the quarantine keeps only a part: the dead-letter queue keeps the whole.
  const bool oversized = message.event->bytes.size() > kMaxEventBytes && attributes_->max_receive_count.has_value();
  if (options_.poison != SqsPoison::kRedrivePolicy && !oversized) return held_.Delete(message.number);
  const std::string group = *message.group;
  held_.Leave(message.number);
  if (!group.empty()) held_.ReturnGroup(group);
}

void SourceCore::OnNotApplied(const Taken& taken, const absl::Status& status) {
  std::vector<HeldMessages::Number> numbers;
  numbers.reserve(taken.size());
  for (const HeldMessages::Taken& message : taken) numbers.push_back(message.number);
  held_.PutBack(numbers);
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:  // no bound of the ledger: what is beyond one is in quarantine
    case absl::StatusCode::kDeadlineExceeded:
      ledger_trouble_ = status;
      ask_ledger_at_ = Now() + ledger_backoff_.Next();
      GiveBackBuffered();
      return;
    default:
      Halt(status);
  }
}

}  // namespace northwind::internal::sqs

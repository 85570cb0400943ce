// SPDX-License-Identifier: Apache-2.0
#include "src/sqs/held_messages.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "northwind/settlement.h"
#include "northwind/status.h"

namespace northwind::internal::sqs {
namespace {

// Two more heartbeats may fail before the message is seen by others.
constexpr int kBeatsPerVisibility = 3;

}  // namespace

// ---- Room -----------------------------------------------------------------------------------------------------

bool HeldMessages::Reserve(size_t messages, size_t bytes) {
  if (held_.size() + reserved_messages_ + messages > limits_.messages) return false;
  if (bytes_ + reserved_bytes_ + bytes > limits_.bytes) return false;
  reserved_messages_ += messages;
  reserved_bytes_ += bytes;
  return true;
}

void HeldMessages::Release(size_t messages, size_t bytes) {
  NW_CHECK(reserved_messages_ >= messages && reserved_bytes_ >= bytes, "room that is given back was taken");
  reserved_messages_ -= messages;
  reserved_bytes_ -= bytes;
}

// ---- Receiving ------------------------------------------------------------------------------------------------

bool HeldMessages::Add(Arrival arrival, absl::Time now) {
  const absl::Time beat_at = now + visibility_ / kBeatsPerVisibility;
  if (const auto known = by_id_.find(arrival.id); known != by_id_.end()) {
    const Number number = known->second;
    Held& held = Get(number);
    held.receipt_handle = std::move(arrival.receipt_handle);
    ++held.handle_version;
    if (held.stage == Stage::kReturning) {
      // It was given back, and came again: what is true of it now is that it was received.
      std::erase(to_return_, number);
      held.stage = Stage::kBuffered;
      buffered_.push_back(number);
    }
    if (held.stage == Stage::kDeleting) return false;
    if (held.under_way == UnderWay::kNothing) {
      ScheduleBeat(number, held, beat_at);
    } else {
      held.beat_at = beat_at;  // scheduled when that has ended
    }
    return false;
  }
  const Number number = ++last_number_;
  auto held = std::make_unique<Held>();
  held->id = std::move(arrival.id);
  held->receipt_handle = std::move(arrival.receipt_handle);
  held->group = std::move(arrival.group);
  held->event = std::move(arrival.event);
  held->charged = held->event.bytes.size();
  bytes_ += held->charged;
  by_id_.emplace(held->id, number);
  buffered_.push_back(number);
  ScheduleBeat(number, *held, beat_at);
  held_.emplace(number, std::move(held));
  return true;
}

// ---- Applying -------------------------------------------------------------------------------------------------

std::vector<HeldMessages::Taken> HeldMessages::Take(size_t most, Groups groups) {
  std::vector<Taken> taken;
  std::deque<Number> left;
  absl::flat_hash_set<std::string_view> closed;  // groups
  while (!buffered_.empty() && taken.size() < most) {
    const Number number = buffered_.front();
    buffered_.pop_front();
    Held& held = Get(number);
    if (closed.contains(held.group)) {
      left.push_back(number);
      continue;
    }
    const bool closes = groups == Groups::kOneEach || held.event.bytes.size() > kMaxEventBytes;
    if (closes && !held.group.empty()) closed.insert(held.group);
    held.stage = Stage::kApplying;
    taken.push_back(
        {.number = number, .event = &held.event, .group = &held.group, .position = PositionOfMessage(held.id)});
  }
  buffered_.insert(buffered_.begin(), left.begin(), left.end());
  return taken;
}

void HeldMessages::Delete(Number number) { Queue(number, Get(number), Stage::kDeleting); }

void HeldMessages::Leave(Number number) { Forget(number); }

void HeldMessages::ReturnGroup(const std::string& group) {
  std::erase_if(buffered_, [&](Number other) {
    Held& held = Get(other);
    if (held.group != group) return false;
    Queue(other, held, Stage::kReturning);
    return true;
  });
}

void HeldMessages::PutBack(const std::vector<Number>& numbers) {
  for (const Number number : numbers) Get(number).stage = Stage::kBuffered;
  buffered_.insert(buffered_.begin(), numbers.begin(), numbers.end());
}

void HeldMessages::ReturnBuffered(size_t kept) {
  while (buffered_.size() > kept) {
    const Number number = buffered_[kept];
    Queue(number, Get(number), Stage::kReturning);
    buffered_.erase(buffered_.begin() + static_cast<std::ptrdiff_t>(kept));
  }
}

// ---- Requests -------------------------------------------------------------------------------------------------

std::vector<HeldMessages::Request> HeldMessages::BeginHeartbeats(absl::Time now, size_t most) {
  std::vector<Request> requests;
  while (requests.size() < most && !beats_.empty() && beats_.begin()->first <= now) {
    const Number number = beats_.begin()->second;
    beats_.erase(beats_.begin());
    Held& held = Get(number);
    held.under_way = UnderWay::kHeartbeat;
    requests.push_back(
        {.number = number, .handle_version = held.handle_version, .receipt_handle = held.receipt_handle});
  }
  return requests;
}

absl::Time HeldMessages::next_heartbeat() const {
  return beats_.empty() ? absl::InfiniteFuture() : beats_.begin()->first;
}

std::vector<HeldMessages::Request> HeldMessages::Begin(std::deque<Number>& from, size_t most) {
  std::vector<Request> requests;
  while (requests.size() < most && !from.empty()) {
    const Number number = from.front();
    from.pop_front();
    Held& held = Get(number);
    held.under_way = UnderWay::kLast;
    requests.push_back(
        {.number = number, .handle_version = held.handle_version, .receipt_handle = held.receipt_handle});
  }
  return requests;
}

void HeldMessages::RequestEnded(const Request& request, Ended ended) {
  const auto found = held_.find(request.number);
  if (found == held_.end()) return;  // received again in between, and left
  Held& held = *found->second;
  held.under_way = UnderWay::kNothing;
  if (held.stage != Stage::kDeleting && held.stage != Stage::kReturning) {
    // It was received again in between, and the return was of the time before.
    ScheduleBeat(request.number, held, held.beat_at);
  } else if (ended == Ended::kDone && request.handle_version == held.handle_version) {
    Forget(request.number);
  } else {
    // With an older handle, even what was answered well need not have done anything.
    Queue(request.number, held, held.stage);
  }
}

void HeldMessages::HeartbeatEnded(const Request& request, absl::Time now) {
  const auto found = held_.find(request.number);
  if (found == held_.end()) return;  // left in between
  Held& held = *found->second;
  held.under_way = UnderWay::kNothing;
  if (held.stage == Stage::kDeleting || held.stage == Stage::kReturning) {
    Queue(request.number, held, held.stage);
  } else {
    ScheduleBeat(request.number, held, now + visibility_ / kBeatsPerVisibility);
  }
}

void HeldMessages::Clear() {
  held_.clear();
  by_id_.clear();
  buffered_.clear();
  to_delete_.clear();
  to_return_.clear();
  beats_.clear();
  bytes_ = reserved_messages_ = reserved_bytes_ = 0;
}

void HeldMessages::Queue(Number number, Held& held, Stage stage) {
  CancelBeat(number, held);
  held.stage = stage;
  if (held.under_way != UnderWay::kNothing) return;
  (stage == Stage::kDeleting ? to_delete_ : to_return_).push_back(number);
}

void HeldMessages::ScheduleBeat(Number number, Held& held, absl::Time at) {
  CancelBeat(number, held);
  held.beat_at = at;
  beats_.insert({at, number});
}

void HeldMessages::Forget(Number number) {
  Held& held = Get(number);
  CancelBeat(number, held);
  bytes_ -= held.charged;
  by_id_.erase(held.id);
  held_.erase(number);
}

}  // namespace northwind::internal::sqs

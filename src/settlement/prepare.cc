// SPDX-License-Identifier: Apache-2.0
#include "src/settlement/prepare.h"

#include <algorithm>

#include "src/base/error.h"
#include "src/settlement/event.h"

namespace northwind::internal {
namespace {

// Events that one thread takes at a time: small enough to share a batch evenly, large enough to be worth a step.
constexpr size_t kSlice = 64;

}  // namespace

void Prepare(const Events& events, size_t index, Prepared& out) {
  out.cause = QuarantineCause::kMalformed;
  if (!events.built.empty()) {
    const PaymentEvent& event = events.built[index];
    out.json = WriteEventJson(event);
    out.raw = {.bytes = out.json, .position = events.first_position + index};
    out.status = ValidateEvent(event);
    if (!out.status.ok()) return;
    out.type = event.type;
    out.mapped = MapValidEvent(event);
    return;
  }
  out.raw = events.raw[index];
  if (!out.raw.refused.empty()) {
    out.status = absl::InvalidArgumentError(ToAbsl(out.raw.refused));
    return;
  }
  absl::StatusOr<PaymentEvent> event = DecodeEvent(out.raw.format, out.raw.bytes);
  out.status = event.status();
  if (!event.ok()) return;
  out.type = event->type;
  out.mapped = MapValidEvent(*event);
}

PrepareAhead::PrepareAhead(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

PrepareAhead::~PrepareAhead() {
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void PrepareAhead::Start(const Events& events, size_t begin, size_t end, std::vector<Prepared>& out) {
  out.resize(end - begin);
  absl::MutexLock lock(&mutex_);
  // A thread that woke late may still be finding out that the range before this one is done.
  AwaitIdle();
  events_ = &events;
  begin_ = begin;
  count_ = end - begin;
  out_ = &out;
  next_.store(0, std::memory_order_relaxed);
  // A few events are done sooner in Wait() than a thread wakes up.
  if (count_ > kSlice) ++round_;
}

void PrepareAhead::Wait() {
  Work();
  absl::MutexLock lock(&mutex_);
  AwaitIdle();
  count_ = 0;
}

void PrepareAhead::AwaitIdle() {
  mutex_.Await(absl::Condition(
      +[](size_t* working) { return *working == 0; }, &working_));
}

void PrepareAhead::Work() {
  while (true) {
    const size_t first = next_.fetch_add(kSlice, std::memory_order_relaxed);
    if (first >= count_) return;
    const size_t last = std::min(first + kSlice, count_);
    for (size_t i = first; i < last; ++i) Prepare(*events_, begin_ + i, (*out_)[i]);
  }
}

void PrepareAhead::Run() {
  uint64_t seen = 0;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this, &seen]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stop_ || round_ != seen; };
      mutex_.Await(absl::Condition(&ready));
      if (stop_) return;
      seen = round_;
      ++working_;
    }
    Work();
    absl::MutexLock lock(&mutex_);
    --working_;
  }
}

}  // namespace northwind::internal

// SPDX-License-Identifier: Apache-2.0
//
// Decoding and mapping ahead of the commit: pure work, spread over threads.
#ifndef NORTHWIND_SRC_SETTLEMENT_PREPARE_H_
#define NORTHWIND_SRC_SETTLEMENT_PREPARE_H_

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "northwind/settlement.h"

namespace northwind::internal {

// Events of one Apply: one of the two spans.
struct Events {
  absl::Span<const RawEvent> raw;
  absl::Span<const PaymentEvent> built;
  uint64_t first_position = 0;  // of `built`

  size_t size() const { return raw.size() + built.size(); }
};

// An event, ready to be committed or refused.
struct Prepared {
  RawEvent raw;
  std::string json;                                     // what `raw` points at, for an event built in code
  absl::Status status;                                  // why it was refused
  QuarantineCause cause = QuarantineCause::kMalformed;  // if refused
  EventType type{};                                     // if not refused
  MappedEvent mapped;                                   // likewise
  absl::InlinedVector<AccountId, 3> accounts;           // the ids of mapped.accounts, once they are known
};

void Prepare(const Events& events, size_t index, Prepared& out);

// Prepares one range after another. One thread at a time may call.
class PrepareAhead {
 public:
  explicit PrepareAhead(int threads);
  ~PrepareAhead();
  PrepareAhead(const PrepareAhead&) = delete;
  PrepareAhead& operator=(const PrepareAhead&) = delete;

  // Begins to fill `out` with events [begin, end). What it is given must live until Wait() has returned.
  void Start(const Events& events, size_t begin, size_t end, std::vector<Prepared>& out);
  // Helps, and returns when the range is done. OK to call when nothing was started.
  void Wait();

 private:
  void Run();
  void Work();
  void AwaitIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t round_ ABSL_GUARDED_BY(mutex_) = 0;  // one more with every range
  size_t working_ ABSL_GUARDED_BY(mutex_) = 0;  // threads inside Work() on it

  // The range; written under the mutex while no thread works.
  const Events* events_ = nullptr;
  size_t begin_ = 0;
  size_t count_ = 0;
  std::vector<Prepared>* out_ = nullptr;
  std::atomic<size_t> next_{0};

  std::vector<std::thread> threads_;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_SETTLEMENT_PREPARE_H_
